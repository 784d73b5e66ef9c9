"""Which code is watched: looked up in the source of modules, imported or not.

A loader hands out the code that an import will execute, so the code of every function (methods,
coroutines, lambdas and nested functions too) is known before the module is there. Line tools
recognise a function by its code, and code compiled twice is equal. So nothing in the target is
wrapped or replaced: pickling by name, ``inspect`` and every start method work as without us.
"""

from __future__ import annotations

import functools
import inspect
import sys
import tokenize
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from importlib.machinery import ModuleSpec, PathFinder
from pathlib import Path
from types import CodeType
from typing import Any

from concurtrace.model.recording import Loss

MAIN = "__main__"
MAIN_FILE = MAIN + ".py"


@dataclass(frozen=True)
class Watched:
    """The code to watch, the source lines of its files, and what was asked for and not found."""

    codes: tuple[CodeType, ...]
    sources: Mapping[str, tuple[str, ...]]
    losses: tuple[Loss, ...]


def find_watched(modules: tuple[str, ...], options: Mapping[str, Any]) -> Watched:
    """Find the functions to watch in this process of the target.

    They are those of ``options["functions"]`` ("module:function" or "module:Class.method", each
    with what is nested in it) where there are any; else all functions of ``modules``; where there
    are none either, the program is a script, and all code of this process's ``__main__``.
    """
    named = [str(name).partition(":")[::2] for name in options.get("functions", ())]
    finder = _Finder()
    if named:
        for module, function in named:
            finder.add(module, f"{module}:{function}", functools.partial(_is_in, function))
    elif modules:
        for module in modules:
            finder.add(module, module, _is_function)
    else:
        finder.add(MAIN, MAIN, lambda _code: True)
    return Watched(tuple(finder.codes.values()), finder.sources, tuple(finder.losses))


def _is_function(code: CodeType) -> bool:
    # The bodies of modules and classes are not optimised; functions of any kind are.
    return bool(code.co_flags & inspect.CO_OPTIMIZED)


def _is_in(function: str, code: CodeType) -> bool:
    return (code.co_qualname + ".").startswith(function + ".") and _is_function(code)


class _Finder:
    """Collects code module by module."""

    def __init__(self) -> None:
        # Equal code may be in two files: equality does not look at the file.
        self.codes: dict[tuple[str, CodeType], CodeType] = {}
        self.sources: dict[str, tuple[str, ...]] = {}
        self.losses: list[Loss] = []
        self._main = _main_program()

    def add(self, module: str, what: str, wanted: Callable[[CodeType], bool]) -> None:
        """Add the wanted code of a module; a loss named ``what`` if there is none."""
        try:
            code, source = self._read(module)
        except (ImportError, OSError, SyntaxError, ValueError) as error:
            self.losses.append(Loss(what, f"its source could not be read: {error}"))
            return
        found = [one for one in _all_code(code) if wanted(one)]
        if not found:
            self.losses.append(Loss(what, f"there is no such function in {code.co_filename}"))
            return
        self.codes.update({(one.co_filename, one): one for one in found})
        self.sources[code.co_filename] = tuple(source.splitlines())

    def _read(self, module: str) -> tuple[CodeType, str]:
        main = self._main
        if module == MAIN or (main.path is not None and main.path.stem == module):
            return main.read()
        return _read_module(module, main.folder)


@dataclass(frozen=True)
class _MainProgram:
    """What this process runs as ``__main__``: one of a file, a module, or the text of ``-c``."""

    path: Path | None = None
    module: str | None = None
    text: str | None = None

    @property
    def folder(self) -> list[str]:
        """What Python puts before its search path, though not yet while site runs."""
        if sys.flags.safe_path:
            return []
        return [str(self.path.parent if self.path is not None else Path.cwd())]

    def read(self) -> tuple[CodeType, str]:
        """Return the code and source that Python will execute, or executes."""
        if self.module is not None:
            return _read_module(self.module, self.folder)
        text, name = self.text, "<string>"
        if self.path is not None:
            name = str(self.path)
            with tokenize.open(name) as file:
                text = file.read()
        if text is None:
            raise ImportError("the program comes from standard input")
        code = compile(text, name, "exec", dont_inherit=True)
        return code, text if self.text is None else _shown(text)


def _shown(argument: str) -> str:
    """Mask a program that is an argument as others are; its lines keep their numbers."""
    from concurtrace.model.masking import MASK, mask_text

    masked, lines = mask_text(argument), len(argument.splitlines())
    return masked if len(masked.splitlines()) == lines else "\n".join([MASK] * lines)


def _main_program() -> _MainProgram:
    """Tell what ``__main__`` is: the parent's in a child of multiprocessing, else as typed."""
    parents = sys.modules.get("__mp_main__")
    # While site runs it may be there already, empty: importing multiprocessing makes it.
    file = getattr(parents, "__file__", None)
    if file is not None:
        return _MainProgram(Path(file))
    return parse_command(sys.orig_argv[1:])


def parse_command(arguments: Sequence[str]) -> _MainProgram:
    """Tell from an interpreter's arguments what it runs."""
    rest = iter(arguments)
    for argument in rest:
        if argument == "-":
            break
        if not argument.startswith("-"):
            path = Path(argument).absolute()
            return _MainProgram(path / MAIN_FILE if path.is_dir() else path)
        if argument == "--check-hash-based-pycs":
            next(rest, None)
        for index, letter in enumerate(argument[1:], start=2):
            if letter == "-":
                break
            if letter in "cmWX":
                value = argument[index:] or next(rest, "")
                if letter == "c":
                    return _MainProgram(text=value)
                if letter == "m":
                    return _MainProgram(module=value)
                break
    return _MainProgram()


def _read_module(name: str, first: list[str]) -> tuple[CodeType, str]:
    """Return the code and source of a module without importing it or its packages."""
    spec = _find_spec(name, first)
    if spec.submodule_search_locations is not None and spec.loader is None:
        raise ImportError(f"{name} is a folder without __init__.py")
    # Every loader of Python source has these two, by importlib.abc.InspectLoader.
    loader: Any = spec.loader
    code, source = loader.get_code(spec.name), loader.get_source(spec.name)
    if code is None or source is None:
        raise ImportError(f"{name} is not written in Python")
    return code, source


def _find_spec(name: str, first: list[str]) -> ModuleSpec:
    top, *parts = name.split(".")
    spec = PathFinder.find_spec(top, first) or _ask_finders(top, None)
    for part in parts:
        spec = _ask_finders(f"{spec.name}.{part}", spec.submodule_search_locations or [])
    return spec


def _ask_finders(name: str, path: Sequence[str] | None) -> ModuleSpec:
    for finder in sys.meta_path:
        spec = finder.find_spec(name, path)
        if spec is not None:
            return spec
    raise ImportError(f"there is no module {name}")


def _all_code(code: CodeType) -> Iterator[CodeType]:
    yield code
    for constant in code.co_consts:
        if type(constant) is CodeType:
            yield from _all_code(constant)
