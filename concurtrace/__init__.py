"""Profile concurrent Python programs and explain in words what holds them back.

Everything public is loaded on first use, so that a profiled child which needs one small
module of this package does not pay for the others.
"""

import importlib

__all__ = ["diagnose", "load", "record", "render"]


def __getattr__(name: str) -> object:
    """Load a public function on first use (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    # import_module and not `from concurtrace import api`, which would come back here for ever.
    return getattr(importlib.import_module("concurtrace.api"), name)
