"""Tell functions apart whose bytecode is the same: pad it with instructions that do nothing."""

from __future__ import annotations

import gc
import opcode
import sys
from collections.abc import Iterator
from types import CodeType, FunctionType, ModuleType
from typing import Any

_NOP = bytes((opcode.opmap["NOP"], 0))

_Key = tuple[str, int, str]
_paddings: dict[bytes, list[_Key]] = {}
"""Which functions share a bytecode, in the order they were seen; kept in forked children."""


def padded(code: CodeType) -> CodeType:
    """Return code that does the same, distinct from that of any other file, line or name.

    What is nested in it is padded too. No compiler ends code with this instruction, so what
    nobody padded is distinct as well.
    """
    if is_padded(code):
        return code
    twins = _paddings.setdefault(code.co_code, [])
    key = (code.co_filename, code.co_firstlineno, code.co_qualname)
    if key not in twins:
        twins.append(key)
    constants = tuple(padded(one) if type(one) is CodeType else one for one in code.co_consts)
    length = twins.index(key) + 1
    return code.replace(co_code=code.co_code + _NOP * length, co_consts=constants)


def is_padded(code: CodeType) -> bool:
    """Tell whether code was padded."""
    return code.co_code.endswith(_NOP)


def pad_loaded(files: set[str]) -> set[str]:
    """Pad all functions of these files in place where their modules are loaded; return which.

    The functions stay the same objects, so pickling and every reference to them work on.
    """
    loaded = {str(names["__file__"]): names for names in _complete_modules()}
    wanted = loaded.keys() & files
    for thing in gc.get_objects() if wanted else ():
        if type(thing) is FunctionType and thing.__code__.co_filename in wanted:
            thing.__code__ = padded(thing.__code__)
    # Where gc.freeze() hid the functions, they are as they were.
    return {file for file in wanted if all(map(is_padded, _own_code(loaded[file], file)))}


def _complete_modules() -> Iterator[dict[str, Any]]:
    """Yield the namespaces of the modules whose own code has run to its end.

    One that still runs makes functions from code that was compiled before: a script does. In a
    spawned child it was run under another name.
    """
    for module in list(sys.modules.values()):
        if isinstance(module, ModuleType):
            # Plain attribute access would make a lazy module load.
            names = ModuleType.__getattribute__(module, "__dict__")
            still_runs = names.get("__name__") == "__main__" or getattr(
                names.get("__spec__"), "_initializing", False
            )
            if not still_runs and "__file__" in names:
                yield names


def _own_code(names: dict[str, Any], file: str) -> Iterator[CodeType]:
    for thing in list(names.values()):
        if type(thing) is FunctionType and thing.__code__.co_filename == file:
            yield thing.__code__
