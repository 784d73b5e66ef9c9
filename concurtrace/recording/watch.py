"""All that the watcher left in the folder of a recording, damaged or not."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from concurtrace.model.recording import Loss
from concurtrace.model.spans import CoreReadings, OnCore, Samples, Times
from concurtrace.recording.files import UnreadableError
from concurtrace.recording.samples import read_samples
from concurtrace.recording.switches import Tasks, read_switches
from concurtrace.recording.tables import StackTable
from concurtrace.recording.watched import REFUSED, was_watched


@dataclass(frozen=True, eq=False)
class Watch:
    """The watcher's parts of a trace; None where there are none."""

    on_core: OnCore | None = None
    readings: CoreReadings | None = None
    gaps_ns: Times = field(default_factory=lambda: np.empty((0, 2), np.int64))
    tasks: Tasks | None = None
    samples: Samples | None = None
    losses: tuple[Loss, ...] = ()


def read_watch(folder: Path, stacks: StackTable) -> Watch:
    """Decode what the watcher left; sampled stacks are added to the trace's table."""
    if (folder / REFUSED).exists():
        why = (folder / REFUSED).read_text(encoding="utf-8")
        return Watch(losses=(Loss("what only the watcher sees: cores, running functions", why),))
    if not was_watched(folder):
        return Watch()
    losses: list[Loss] = []
    switches = samples = None
    try:
        switches = read_switches(folder)
        losses += switches.losses
    except UnreadableError as error:
        losses.append(Loss("what the scheduler told", str(error)))
    try:
        samples = read_samples(folder, stacks)
        losses += samples.losses
    except UnreadableError as error:
        losses.append(Loss("Python stacks of running threads", str(error)))
    return Watch(
        on_core=switches.on_core if switches is not None else None,
        readings=switches.readings if switches is not None else None,
        gaps_ns=switches.gaps_ns if switches is not None else Watch().gaps_ns,
        tasks=switches.tasks if switches is not None else None,
        samples=samples.samples if samples is not None and samples.sampling.interval_ns else None,
        losses=tuple(losses),
    )
