"""Instruments: each watches the target in one way, and reads back what it left.

Both ends of an instrument share one file, because a writer and its reader change together. The
file defines ``INSTRUMENT``. Its top level is imported inside the target's processes too, so it
imports only the standard library and ``concurtrace.model.recording`` there.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from concurtrace.model.recording import Recording

Options = Mapping[str, Any]


class Site:
    """Where a probe sits: one process of the target, and where its files go."""

    def __init__(
        self, out: Path, stem: str, options: Options, modules: tuple[str, ...], started_by: str
    ) -> None:
        self.out = out
        self.stem = stem
        self.options = options
        self.modules = modules
        """The modules of the workload, whose functions are watched where none are named."""
        self.started_by = started_by

    def file(self, suffix: str) -> Path:
        """Return this process's own file; the stem is ``<pid>-<start ns>`` as in the registry."""
        return self.out / (self.stem + suffix)


class Probe:
    """The part of an instrument inside one process of the target.

    The agent calls ``begin`` when the work starts, ``end`` when it ends (also on SIGTERM, on
    ``os._exit`` and on an exception) and makes a new probe in each child process; ``abandon`` is
    called in a forked child on the probe that it inherited.
    """

    def begin(self) -> None:
        """Start watching this process."""

    def end(self) -> None:
        """Stop watching and write the file."""

    def abandon(self) -> None:
        """Forget, in a forked child, what the parent had recorded; write nothing."""


class Instrument:
    """An instrument: subclass it and override what is needed.

    ``name`` is the name of the file; ``joins`` names the pass it shares with others that do not
    disturb it (its own by default); ``repeats`` says that one execution is not enough;
    ``needs_ends`` that the registry must tell how each process ended (where there is a probe, it
    always does). ``on_import`` names modules without which there is nothing to watch: the part
    inside a process is put off until one of them is imported.
    """

    name: str
    summary: str
    joins: str | None = None
    repeats: bool = False
    on_import: tuple[str, ...] = ()
    needs_ends: bool = False

    @property
    def tells_live(self) -> bool:
        """Whether what the threads do can be read while the target runs: ``recording.live``."""
        return False

    @property
    def pass_name(self) -> str:
        """The pass this instrument watches."""
        return self.joins or self.name

    @property
    def has_probe(self) -> bool:
        """Whether a part of it sits inside the target's processes."""
        return type(self).probe is not Instrument.probe

    def missing(self) -> str | None:
        """Say in words why this instrument can't work here; None if it can."""
        return None

    def environment(self, out: Path, options: Options) -> Mapping[str, str]:
        """Return environment variables for the target."""
        return {}

    def probe(self, site: Site) -> Probe | None:
        """Make the part that sits in one process of the target; None if there is none."""
        return None

    @contextlib.contextmanager
    def beside(self, pid: int, out: Path, options: Options) -> Iterator[None]:
        """Watch from the launcher while the target with this pid runs."""
        yield

    def read(self, out: Path, options: Options) -> Recording:
        """Decode what was recorded; partial data give a partial result with its losses."""
        from concurtrace.model.recording import Recording

        return Recording()
