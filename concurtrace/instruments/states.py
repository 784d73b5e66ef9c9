"""The wait states of every thread of every process: GIL, locks, I/O, cores, each nanosecond.

A native library is preloaded into the target and writes down what every thread does. Where it was
not built, the launcher looks at the target's threads now and then and estimates their states.
"""

from __future__ import annotations

import contextlib
import json
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.instruments import Instrument, Options, Probe, Site

if TYPE_CHECKING:
    from concurtrace.model.recording import Recording

MAX_BYTES = 224 << 20
"""What a run's recording may take on disk unless --max-trace-size says otherwise: with that of the
tasks 256 MiB."""
_WATCHED = "watched.json"
_FORMAT = 1

# Names of options and the variables by which the recorder is told.
_SETTINGS = {
    "max_bytes": "CONCURTRACE_MAX_BYTES",
    "min_span_ns": "CONCURTRACE_MIN_SPAN_NS",
    "stack_ns": "CONCURTRACE_STACK_NS",
}


class States(Instrument):
    """Cheap enough to share the light pass, whose numbers are the ones a report quotes."""

    name = "states"
    summary = "wait states of every thread: GIL, locks, I/O, cores (native recorder)"
    joins = "light"

    @property
    def has_probe(self) -> bool:
        """Only the estimate needs a part inside the target."""
        from concurtrace.instruments._recorder import library

        return library() is None

    @property
    def tells_live(self) -> bool:
        """The recorder does, an estimate does not."""
        from concurtrace.instruments._recorder import library

        return library() is not None

    def missing(self) -> str | None:
        """Say why not even an estimate can be had: it needs Linux's /proc."""
        from concurtrace.instruments._recorder import why_absent

        return None if Path("/proc/self/task").is_dir() else why_absent()

    def environment(self, out: Path, options: Options) -> Mapping[str, str]:
        """Preload the recorder, beside what was preloaded before."""
        from concurtrace.instruments._recorder import library, plain_path, preload

        found = library()
        if found is None:
            return {}
        from concurtrace.instruments._watcher import SHARE
        from concurtrace.instruments._watcher import library as watcher

        settings = {"max_bytes": MAX_BYTES, **options}
        if watcher() is not None:
            settings["max_bytes"] -= settings["max_bytes"] // SHARE
        return {
            "LD_PRELOAD": preload(plain_path(found.resolve())),
            "CONCURTRACE_STATES_DIR": str(plain_path(out.resolve())),
            **{_SETTINGS[key]: str(settings[key]) for key in _SETTINGS if key in settings},
        }

    def probe(self, site: Site) -> Probe | None:
        """Make the part of the estimate that sees Python stacks."""
        from concurtrace.instruments._estimate_probe import StackProbe

        return StackProbe(site)

    @contextlib.contextmanager
    def beside(self, pid: int, out: Path, options: Options) -> Iterator[None]:
        """Note when the target was watched; look at its threads if nothing records them."""
        from concurtrace.recording.commands import mask_commands

        begin_ns = time.monotonic_ns()
        try:
            with self._watcher(pid, out, {"max_bytes": MAX_BYTES, **options}):
                yield
        finally:
            mask_commands(out)
            watched = {
                "format": _FORMAT,
                "pid": pid,
                "begin_ns": begin_ns,
                "end_ns": time.monotonic_ns(),
            }
            (out / _WATCHED).write_text(json.dumps(watched), encoding="utf-8")

    def _watcher(
        self, pid: int, out: Path, options: Options
    ) -> contextlib.AbstractContextManager[object]:
        from concurtrace.instruments._recorder import library

        if library() is None:
            from concurtrace.instruments._estimate import estimating

            return estimating(pid, out)
        from concurtrace.instruments._watcher import SHARE, watching

        return watching(pid, out, options, int(options["max_bytes"]) // SHARE)

    def read(self, out: Path, options: Options) -> Recording:
        """Decode what the recorder (or the estimate) left."""
        from concurtrace.instruments._states_reading import read

        return read(out)


INSTRUMENT = States()
