"""An axis: each file is a segmenter."""

import samrs.sam  # noqa: F401 - before any of them imports segment_anything, see there
