"""SAM's networks as this project runs them.

segment_anything's package imports torchvision, and with it torch's compiler, which takes as long as
torch itself; its ``modeling``, all that is needed here, does not. So the package is put in place
before its code is run, which is done when somebody asks it for one of its own names, such as
``SamPredictor``.
"""

from __future__ import annotations

import sys
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType
from typing import Any

PACKAGE = "segment_anything"


class _Unread(ModuleType):
    """A package whose modules can be imported; its own code is run when a name of it is asked."""

    def __getattr__(self, name: str) -> Any:
        spec = self.__spec__
        if name.startswith("__") or not isinstance(spec, ModuleSpec) or spec.loader is None:
            raise AttributeError(name)
        self.__class__ = ModuleType  # type: ignore[assignment]
        spec.loader.exec_module(self)
        return getattr(self, name)


def _put_in_place() -> None:
    if PACKAGE in sys.modules:
        return
    spec = find_spec(PACKAGE)
    if spec is not None:
        package = module_from_spec(spec)
        package.__class__ = _Unread
        sys.modules[PACKAGE] = package


_put_in_place()
