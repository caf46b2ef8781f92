"""Imports Great Expectations, without what few of its expectations need: altair and scipy.stats, a good third of its import's time.

Either is imported for real when something of it is first asked for.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from types import ModuleType
from typing import Any

LATER = ("altair", "scipy.stats")


def import_great_expectations() -> ModuleType:
    os.environ.setdefault("GX_ANALYTICS_ENABLED", "false")  # no call home
    if "great_expectations" in sys.modules:
        return sys.modules["great_expectations"]
    waiting = [name for name in LATER if name not in sys.modules and importlib.util.find_spec(name) is not None]
    for name in waiting:
        _put(name, _stand_in(name))
    try:
        return importlib.import_module("great_expectations")
    finally:
        for name in waiting:  # whoever imports it from now on gets it whole; Great Expectations' modules hold the stand-in
            if isinstance(sys.modules.get(name), _StandIn):
                del sys.modules[name]
                _forget(name)


class _StandIn(ModuleType):
    def __getattr__(self, attribute: str) -> Any:
        if attribute.startswith("__"):
            raise AttributeError(attribute)
        return getattr(_real(self.__name__), attribute)


def _stand_in(name: str) -> _StandIn:
    module = _StandIn(name)
    module.__spec__ = importlib.util.find_spec(name)
    return module


def _real(name: str) -> ModuleType:
    if isinstance(sys.modules.get(name), _StandIn):
        del sys.modules[name]
        _forget(name)
    return importlib.import_module(name)


def _put(name: str, module: ModuleType) -> None:
    sys.modules[name] = module
    parent, _, child = name.rpartition(".")
    if parent:
        setattr(importlib.import_module(parent), child, module)


def _forget(name: str) -> None:
    parent, _, child = name.rpartition(".")
    if parent and isinstance(vars(sys.modules[parent]).get(child), _StandIn):
        delattr(sys.modules[parent], child)
