"""Where functions and lines are, whose they are, and what they are called: briefly."""

import re
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from concurtrace.model.recording import Function
from concurtrace.model.report import Report
from concurtrace.model.run import TargetKind

from ._text import printable, shorten_path, told, without_home

BUILTIN_FILE = "~"
"""The file that functions written in C are recorded under."""

_INSTALLED = re.compile(r"^.*/(?:site-packages|dist-packages|lib/python3\.\d+t?)/")
_METHOD = re.compile(r"^<method '(?P<name>\w+)' of '(?P<owner>[\w.]+)' objects>$")
_BUILT_IN = re.compile(r"^<built-in method (?P<name>[\w.]+)>$")
_WHERE = re.compile(r"(?P<file>.*?):(?P<line>\d+) in (?P<name>.*)", re.DOTALL)
_PATH = re.compile(r"(?<![\w.~/<])/[^\s:,;()'\"]+")
_PACKAGE = f"{Path(__file__).parents[1]}/"
"""Where the bundled workloads lie when the package is used from its sources."""
_RUNS = (".concurtrace", "runs")
_LONGEST = 200


class Origin(StrEnum):
    """Whose code a function is."""

    OWN = "own code"
    LIBRARY = "library"
    BUILTIN = "builtin"


@dataclass(frozen=True)
class Places:
    """Where files are, told from the folder of the run, a library's root, or home.

    ``is_code`` says that the target was given as text, which Python calls ``<string>``.
    """

    folder: str
    is_code: bool = False

    @classmethod
    def of(cls, report: Report) -> "Places":
        """Take the folder that the run was made in from the path of its directory."""
        is_code = report.target.kind is TargetKind.CODE
        folder = Path(report.run_path).absolute().parent
        if folder.parts[-2:] == _RUNS:
            return cls(str(folder.parent.parent), is_code)
        return cls(str(folder), is_code)

    def file(self, file: str) -> str:
        """Show a file's path."""
        if file == BUILTIN_FILE:
            return "builtin"
        inside = self.folder.rstrip("/") + "/"
        shown = _INSTALLED.sub("", file)
        if shown == file:
            shown = without_home(file.removeprefix(inside).removeprefix(_PACKAGE))
        return printable(shorten_path(shown, _LONGEST))

    def line(self, file: str, line: int) -> str:
        """Show a place in a file."""
        return self.file(file) if file == BUILTIN_FILE else f"{self.file(file)}:{line}"

    def sentence(self, text: str) -> str:
        """Show a sentence: the paths in it as they are shown elsewhere, and no secrets."""
        return told(_PATH.sub(lambda match: self.file(match.group()), text))

    def where(self, where: str) -> str:
        """Show what is written ``file.py:9 in f``; anything else stays as it is."""
        match = _WHERE.fullmatch(where)
        if match is None:
            return told(where)
        return f"{self.line(match['file'], int(match['line']))} in {printable(match['name'])}"

    def parts(self, where: str) -> tuple[str, int] | None:
        """Take the file and the line out of ``file.py:9 in f``; None from anything else."""
        match = _WHERE.fullmatch(where)
        return (match["file"], int(match["line"])) if match else None

    def function(self, function: Function) -> str:
        """Show where a function is defined."""
        return self.line(function.file, function.line)

    def origin(self, function: Function) -> Origin:
        """Tell whose code a function is, by where its file lies."""
        file = function.file
        if file == BUILTIN_FILE:
            return Origin.BUILTIN
        # The bundled workloads are installed like a library, and are what the run is about.
        if "/concurtrace/workloads/" in file:
            return Origin.OWN
        if file.startswith(f"{_PACKAGE}concurtrace/"):
            return Origin.LIBRARY
        if file == "<string>":
            # What namedtuple and dataclass make is called so as well.
            return Origin.OWN if self.is_code else Origin.LIBRARY
        return Origin.LIBRARY if _INSTALLED.match(file) or file.startswith("<") else Origin.OWN


def name_of(function: Function) -> str:
    """Name a function; what Python calls ``<method 'poll' of 'select.epoll' objects>`` plainly."""
    if function.file != BUILTIN_FILE:
        return function.name
    method = _METHOD.match(function.name)
    if method is not None:
        return f"{method['owner']}.{method['name']}"
    plain = _BUILT_IN.match(function.name)
    return plain["name"] if plain is not None else function.name
