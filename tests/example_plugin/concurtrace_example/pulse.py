"""Count the garbage collections in every process of the target."""

from __future__ import annotations

import gc
import json
from pathlib import Path

from concurtrace.instruments import Instrument, Options, Probe, Site
from concurtrace.model.recording import Recording, Table


class _Pulse(Probe):
    """Note how many collections there were, by generation."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def end(self) -> None:
        """Write the counts."""
        counts = [generation["collections"] for generation in gc.get_stats()]
        self.file.write_text(json.dumps(counts), encoding="utf-8")


class Pulse(Instrument):
    """The instrument."""

    name = "pulse"
    summary = "garbage collections by process"

    def probe(self, site: Site) -> Probe:
        """Sit in one process."""
        return _Pulse(site.file(".json"))

    def read(self, out: Path, options: Options) -> Recording:
        """Make a table of all processes."""
        rows = tuple(
            (path.stem, *json.loads(path.read_text(encoding="utf-8")))
            for path in sorted(out.glob("*.json"))
        )
        columns = ("process", "generation 0", "generation 1", "generation 2")
        return Recording(tables=(Table("Garbage collections", columns, rows),))


INSTRUMENT = Pulse()
