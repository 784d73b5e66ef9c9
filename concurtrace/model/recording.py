"""What the instruments recorded, decoded into plain columns and rows.

An instrument fills the parts that it records and leaves the others None; ``merge`` lays the parts
of several instruments together. A third-party instrument whose data fit none of the parts gives
``tables``, which every renderer can show.
"""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from concurtrace.model.lost import LostException
    from concurtrace.model.tasks import TaskTrace
    from concurtrace.model.trace import Trace

Cell = int | float | str | None


@dataclass(frozen=True)
class Loss:
    """Something that was to be recorded and was not, with the reason."""

    what: str
    reason: str


@dataclass(frozen=True)
class ProcessKey:
    """A process of the target; ``name`` is multiprocessing's, ``started_by`` its start method.

    ``started_by`` is ``main``, ``fork``, ``spawn``, ``forkserver`` or ``subprocess``. Times are
    CLOCK_MONOTONIC nanoseconds.
    """

    pid: int
    parent_pid: int
    name: str
    started_by: str
    start_ns: int
    end_ns: int | None = None


@dataclass(frozen=True)
class Function:
    """A function by file, first line and qualified name; builtins have file ``~`` and line 0."""

    file: str
    line: int
    name: str


@dataclass(frozen=True)
class FunctionStats:
    """Calls and times of one function in one table; ``total_ns`` includes what it called."""

    function: Function
    calls: int
    primitive_calls: int
    own_ns: int
    total_ns: int


@dataclass(frozen=True)
class CallEdge:
    """Calls from one function to another: rows of the table's ``stats``."""

    caller: int
    callee: int
    calls: int
    own_ns: int
    total_ns: int


@dataclass(frozen=True)
class FunctionTable:
    """The functions of one thread of one process."""

    process: ProcessKey
    tid: int
    thread: str
    stats: tuple[FunctionStats, ...]
    edges: tuple[CallEdge, ...]


@dataclass(frozen=True)
class FunctionProfile:
    """Function tables of all threads and processes; never merged where threads would mix."""

    tables: tuple[FunctionTable, ...]
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class LineStats:
    """Hits and time of one line; ``time_ns`` includes waiting inside the line."""

    file: str
    line: int
    function: str
    hits: int
    time_ns: int


@dataclass(frozen=True)
class LineTable:
    """The lines of one process."""

    process: ProcessKey
    lines: tuple[LineStats, ...]


@dataclass(frozen=True)
class LineProfile:
    """Line tables of all processes, and the source text of the files in them."""

    tables: tuple[LineTable, ...]
    sources: tuple[SourceFile, ...]
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class SourceFile:
    """The source of a profiled file as it was at the time of the run; lines from number 1."""

    file: str
    lines: tuple[str, ...]


@dataclass(frozen=True)
class MemoryLine:
    """The change of a process's resident memory over one line; others may allocate meanwhile."""

    process: ProcessKey
    file: str
    line: int
    function: str
    hits: int
    increment_bytes: int
    peak_bytes: int


@dataclass(frozen=True)
class MemoryLines:
    """Line-level memory figures of all processes."""

    lines: tuple[MemoryLine, ...]
    sources: tuple[SourceFile, ...]
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemorySeries:
    """Memory of one process over time.

    USS and PSS are None at the instants where only RSS was read, which costs far less, and
    throughout where the kernel did not let them be read.
    """

    process: ProcessKey
    times_ns: tuple[int, ...]
    rss_bytes: tuple[int, ...]
    uss_bytes: tuple[int | None, ...]
    pss_bytes: tuple[int | None, ...]


@dataclass(frozen=True)
class MemoryUsage:
    """Memory of every process over time."""

    series: tuple[MemorySeries, ...]
    interval_ns: int
    losses: tuple[Loss, ...] = ()


@dataclass(frozen=True)
class ProcessActivity:
    """Threads and context switches of one process."""

    process: ProcessKey
    times_ns: tuple[int, ...]
    threads: tuple[int, ...]
    voluntary_switches: int
    involuntary_switches: int


@dataclass(frozen=True)
class CoreUsage:
    """Use of every core over time.

    ``busy`` has one row per core with the busy share in each interval that ends at ``times_ns``;
    ``target_cores`` is the mean number of cores the target used in the interval.
    """

    times_ns: tuple[int, ...]
    busy: tuple[tuple[float, ...], ...]
    target_cores: tuple[float, ...]
    processes: tuple[ProcessActivity, ...]
    interval_ns: int
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class CallNode:
    """A node of a call tree: the same function at the same place of the same stack."""

    function: Function
    calls: int
    total_ns: int
    children: tuple[CallNode, ...]


@dataclass(frozen=True)
class CallTree:
    """The call tree of one thread, from exact calls."""

    process: ProcessKey
    tid: int
    thread: str
    roots: tuple[CallNode, ...]


@dataclass(frozen=True)
class Timeline:
    """The timeline trace: where the file is, what is in it and what was dropped."""

    file: str
    events: int
    budget: int
    dropped: int
    min_duration_ns: int
    trees: tuple[CallTree, ...]
    losses: tuple[Loss, ...] = ()
    notes: tuple[str, ...] = ()


@dataclass(frozen=True)
class Table:
    """Rows that fit no other part: what a third-party instrument records."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell, ...], ...]
    note: str = ""


@dataclass(frozen=True)
class Recording:
    """The decoded parts of a run; None where no instrument recorded the part.

    ``sources`` hold the target's own files that stacks lead to, as far as they could be read.
    """

    functions: FunctionProfile | None = None
    lines: LineProfile | None = None
    memory_lines: MemoryLines | None = None
    memory: MemoryUsage | None = None
    cores: CoreUsage | None = None
    timeline: Timeline | None = None
    trace: Trace | None = None
    tasks: TaskTrace | None = None
    lost: tuple[LostException, ...] | None = None
    sources: tuple[SourceFile, ...] | None = None
    tables: tuple[Table, ...] = ()

    def merge(self, other: Recording) -> Recording:
        """Lay another recording's parts over this one; tables are added up."""
        parts = {
            part.name: getattr(other, part.name)
            for part in fields(other)
            if part.name != "tables" and getattr(other, part.name) is not None
        }
        return replace(self, tables=self.tables + other.tables, **parts)
