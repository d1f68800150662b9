"""One script a stage, run by dvc as ``python -m stages.…``.

On Linux a stage dies with the dvc that started it, so that a killed run leaves no orphan. It asks
for that here, as this is what runs first: importing torch takes seconds in which dvc may be killed.
"""

import os
import sys

if sys.platform == "linux" and "DVC_STAGE" in os.environ:
    import ctypes
    import signal

    PR_SET_PDEATHSIG = 1
    ctypes.CDLL(None).prctl(PR_SET_PDEATHSIG, signal.SIGTERM)
