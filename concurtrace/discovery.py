"""Find plug-ins: one file in a folder, or an entry point of another package.

The name of a plug-in is the name of its file with ``_`` turned to ``-`` and a trailing ``_``
(which keeps ``json_.py`` from shadowing the standard library) taken off.
"""

import difflib
import importlib
import importlib.metadata
import pkgutil
from collections.abc import Iterable
from enum import Enum
from types import ModuleType

from concurtrace.errors import UsageError


class Kind(Enum):
    """A kind of plug-in: its word in messages and the package that holds the built-in ones."""

    WORKLOAD = ("workload", "concurtrace.workloads")
    INSTRUMENT = ("instrument", "concurtrace.instruments")
    RULE = ("rule", "concurtrace.diagnosis.rules")
    RENDERER = ("renderer", "concurtrace.reports")
    DIFFERENCE = ("difference-renderer", "concurtrace.reports._differences")
    COMPARISON = ("comparison-renderer", "concurtrace.reports._comparisons")

    @property
    def word(self) -> str:
        """The singular noun shown to users."""
        return self.value[0]

    @property
    def package(self) -> str:
        """The package whose modules are the built-in plug-ins."""
        return self.value[1]

    @property
    def group(self) -> str:
        """The entry-point group of third-party plug-ins."""
        return f"concurtrace.{self.word}s"


def modules(kind: Kind) -> dict[str, str]:
    """List every plug-in of a kind as ``{name: module path}``, sorted by name.

    A built-in plug-in wins over a third-party one of the same name.
    """
    found = {
        plugin_name(point.name): point.value
        for point in importlib.metadata.entry_points(group=kind.group)
    }
    package = importlib.import_module(kind.package)
    for info in pkgutil.iter_modules(package.__path__):
        if not info.name.startswith("_"):
            found[plugin_name(info.name)] = f"{kind.package}.{info.name}"
    return dict(sorted(found.items()))


def load(kind: Kind, name: str) -> ModuleType:
    """Import one plug-in; UsageError with the close matches if there is none of that name."""
    found = modules(kind)
    if name not in found:
        raise UsageError(unknown(kind.word, name, found))
    return importlib.import_module(found[name])


def plugin_name(stem: str) -> str:
    """Turn the name of a module or function into the name users type."""
    return stem.rstrip("_").replace("_", "-")


def unknown(word: str, name: str, known: Iterable[str]) -> str:
    """Say that a name is not known, with the close matches or all that there are."""
    known = list(known)
    close = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if close:
        return f"There is no {word} '{name}'. Did you mean {' or '.join(close)}?"
    return f"There is no {word} '{name}'. There are: {', '.join(known) or 'none'}."
