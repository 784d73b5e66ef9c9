"""When every function ran, in which thread, process and task, with viztracer.

Each process writes its own trace; ``read`` lays them together into one file that ``vizviewer`` and
Perfetto open, with the right names of processes and threads, and adds up the call trees.
"""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.instruments import Instrument, Options, Probe, Site
from concurtrace.instruments._files import write_json

if TYPE_CHECKING:
    from concurtrace.instruments._viztracer import Recorder
    from concurtrace.model.recording import Recording

BUDGET = 200_000
"""Events in the merged file: some 28 MB, which every viewer opens at once."""
TRACE_SUFFIX = ".json"
ABOUT_SUFFIX = ".about"
FORMAT = 1
MARK = "concurtrace: the end"
"""An event made just before the end: missing where tracing had stopped by itself before."""
_LEAST_CAPACITY = 100_000
"""Twice what a thread can record before it is noticed how fast the buffer fills."""


class Timeline(Instrument):
    """Options: ``max_events``, the budget of the whole run."""

    name = "timeline"
    summary = "when every function ran, in which thread, process and task (viztracer)"

    def missing(self) -> str | None:
        """Name the package that is not installed."""
        if find_spec("viztracer") is None:
            return "the package viztracer is not installed: pip install viztracer"
        return None

    def probe(self, site: Site) -> Probe:
        """Trace one process."""
        return _TimelineProbe(site)

    def read(self, out: Path, options: Options) -> Recording:
        """Lay the traces together; the merged file is made anew where it is missing."""
        from concurtrace.instruments._timeline_reading import read

        return read(out, int(options.get("max_events", BUDGET)))


class _TimelineProbe(Probe):
    """Traces one process from the start of the work to its end."""

    def __init__(self, site: Site) -> None:
        # Up to half of it is filled by all calls, the other half by ever longer ones. Children
        # share the budget, and nobody knows how many there will be.
        budget = int(site.options.get("max_events", BUDGET))
        share = 2 * budget if site.started_by == "main" else budget // 2
        self._capacity = max(share, _LEAST_CAPACITY)
        self._site = site
        self._recorder: Recorder | None = None

    def begin(self) -> None:
        from concurtrace.instruments._viztracer import Recorder, unnameable

        odd = unnameable()
        if odd is not None:
            raise OSError(f"viztracer can't follow {odd!a}, whose name is not UTF-8")
        self._recorder = Recorder(self._capacity)
        self._recorder.start()

    def end(self) -> None:
        if self._recorder is None:
            return
        self._recorder.stop()
        self._recorder.save(self._site.file(TRACE_SUFFIX))
        # Written last: where it is, the trace is whole.
        write_json(
            self._site.file(ABOUT_SUFFIX),
            {
                "format": FORMAT,
                "capacity": self._capacity,
                "shortest_ns": self._recorder.shortest_ns,
                "untraced": list(self._recorder.untraced),
                "greenlets": "greenlet" in sys.modules,
                "package": str(Path(__file__).parents[1]),
            },
        )

    def abandon(self) -> None:
        if self._recorder is not None:
            self._recorder.abandon()
            self._recorder = None


INSTRUMENT = Timeline()
