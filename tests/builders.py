"""Make a report in a sentence: small parts with sensible defaults, and one report with everything.

Times are given in milliseconds, memory in MiB; every process starts at ``ZERO_NS``.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace

from concurtrace.analysis.hot import find_hot
from concurtrace.analysis.states import states_report
from concurtrace.model.recording import (
    CallNode,
    CallTree,
    CoreUsage,
    Function,
    FunctionProfile,
    FunctionStats,
    FunctionTable,
    LineProfile,
    LineStats,
    LineTable,
    Loss,
    MemoryLine,
    MemoryLines,
    MemorySeries,
    MemoryUsage,
    ProcessActivity,
    ProcessKey,
    Recording,
    SourceFile,
    Table,
    Timeline,
)
from concurtrace.model.report import Artifact, Outcome, Report
from concurtrace.model.run import (
    Cache,
    Environment,
    Execution,
    Machine,
    Pass,
    PassStatus,
    Target,
    TargetKind,
    Value,
)
from concurtrace.model.states import Reason, State
from concurtrace.model.trace import LockOrder, ObjectKind
from tests.builders_tasks import tasks_report
from tests.builders_trace import trace

MS = 1_000_000
MIB = 1 << 20
ZERO_NS = 1_000_000 * MS
CHECKSUM = "5f0c2d9e"
FILE = "/srv/shop/crawl.py"
SOURCE = (
    "import time",
    "",
    "def fetch(url):",
    "    page = download(url)",
    "    return parse(page)",
    "",
    "def parse(page):",
    "    return page.split()",
)


def execution(wall: float = 100, cpu: float | None = None, **changes: object) -> Execution:
    """One execution that ended well."""
    good = Execution(
        round(wall * MS),
        round((wall if cpu is None else cpu) * MS),
        ZERO_NS,
        0,
        checksum=CHECKSUM,
    )
    return replace(good, **changes)  # type: ignore[arg-type]


def one_pass(name: str, *walls: float, **changes: object) -> Pass:
    """A pass of an instrument of the same name with one execution per wall time."""
    made = Pass(
        name,
        (name,),
        PassStatus.OK,
        None,
        tuple(execution(wall) for wall in walls or (100,)),
        verified=True,
        overhead=None,
        competing_load=0.02,
    )
    return replace(made, **changes)  # type: ignore[arg-type]


def not_done(name: str, reason: str, status: PassStatus = PassStatus.SKIPPED) -> Pass:
    """A pass without any execution."""
    return Pass(name, (name,), status, reason)


def workload(name: str = "crawler", mode: str = "async", **parameters: Value) -> Target:
    """A bundled workload as target."""
    return Target(TargetKind.WORKLOAD, name, mode, (), parameters or {"size": 120, "workers": 8})


def script(*argv: str) -> Target:
    """A script as target, started with these arguments."""
    return Target(TargetKind.SCRIPT, argv[0], None, ("/usr/bin/python3", *argv))


def environment(cores: int = 2) -> Environment:
    """A machine with one memory node and an interpreter with the GIL."""
    machine = Machine(
        cores,
        cores,
        cores,
        1,
        (tuple(range(cores)),),
        (Cache(1, "data", 48 << 10, 1), Cache(3, "unified", 32 << 20, cores)),
        8 << 30,
        "Test Processor",
        "6.1.0",
    )
    return Environment(
        "3.11.7",
        "cpython",
        gil=True,
        free_threaded=False,
        start_method="fork",
        switch_interval_ns=5 * MS,
        machine=machine,
        packages={"psutil": "7.2.2"},
        concurtrace="0.1.0",
    )


def report(
    *passes: Pass,
    target: Target | None = None,
    recording: Recording | None = None,
    artifacts: Sequence[Artifact] = (),
    **outcome: object,
) -> Report:
    """A report of a run with these passes; ``outcome`` changes how it ended."""
    passes = passes or (one_pass("baseline", 100, 110, 105),)
    recording = recording or Recording()
    good = Outcome(
        0,
        None,
        timed_out=False,
        interrupted=False,
        checksum=CHECKSUM,
        expected_checksum=CHECKSUM,
        verified=True,
        error=None,
    )
    return Report(
        run="20261122-155051-crawler-async",
        run_path="/srv/shop/.concurtrace/runs/20261122-155051-crawler-async",
        started_at="2026-11-22T15:50:51+00:00",
        target=target or workload(),
        environment=environment(),
        outcome=replace(good, **outcome),  # type: ignore[arg-type]
        passes=passes,
        recording=recording,
        hot=find_hot(recording),
        artifacts=tuple(artifacts),
    )


def process(name: str = "MainProcess", pid: int = 100, end: float | None = 100) -> ProcessKey:
    """A process; children of the main one are forked."""
    started_by = "main" if name == "MainProcess" else "fork"
    end_ns = None if end is None else ZERO_NS + round(end * MS)
    return ProcessKey(pid, 100 if pid != 100 else 1, name, started_by, ZERO_NS, end_ns)


def function(name: str, line: int = 1, file: str = FILE) -> Function:
    """A function of the target's own code."""
    return Function(file, line, name)


def function_table(
    times: Mapping[str, tuple[int, float, float]],
    of: ProcessKey | None = None,
    thread: str = "MainThread",
    tid: int = 100,
    file: str = FILE,
) -> FunctionTable:
    """The functions of one thread: ``{name: (calls, own, total)}``."""
    stats = tuple(
        FunctionStats(
            function(name, number, file), calls, calls, round(own * MS), round(total * MS)
        )
        for number, (name, (calls, own, total)) in enumerate(times.items(), start=1)
    )
    return FunctionTable(of or process(), tid, thread, stats, ())


def functions(*tables: FunctionTable, **changes: object) -> Recording:
    """A recording of function tables."""
    profile = FunctionProfile(tables or (function_table({"fetch": (120, 60, 90)}),))
    return Recording(functions=replace(profile, **changes))  # type: ignore[arg-type]


def lines(
    times: Mapping[int, tuple[int, float]],
    source: Sequence[str] = SOURCE,
    file: str = FILE,
    name: str = "fetch",
    of: Sequence[ProcessKey] = (),
) -> Recording:
    """A recording of lines: ``{line: (hits, time)}``, the same in each process."""
    rows = tuple(
        LineStats(file, line, name, hits, round(spent * MS))
        for line, (hits, spent) in times.items()
    )
    tables = tuple(LineTable(one, rows) for one in of or (process(),))
    return Recording(lines=LineProfile(tables, (SourceFile(file, tuple(source)),)))


def memory_lines(
    increments: Mapping[int, float], source: Sequence[str] = SOURCE, file: str = FILE
) -> Recording:
    """A recording of memory by line: ``{line: MiB added}``."""
    rows = tuple(
        MemoryLine(process(), file, line, "fetch", 10, round(added * MIB), round(50 * MIB))
        for line, added in increments.items()
    )
    return Recording(memory_lines=MemoryLines(rows, (SourceFile(file, tuple(source)),)))


def memory_series(
    rss: Sequence[float],
    of: ProcessKey | None = None,
    start: float = 0,
    step: float = 10,
    pss: Sequence[float] | None = None,
) -> MemorySeries:
    """Memory of one process, sampled every ``step`` from ``start`` on."""
    shared = [None if pss is None else round(one * MIB) for one in (pss or rss)]
    times = tuple(ZERO_NS + round((start + number * step) * MS) for number in range(len(rss)))
    return MemorySeries(
        of or process(),
        times,
        tuple(round(one * MIB) for one in rss),
        tuple(shared),
        tuple(shared),
    )


def memory(*series: MemorySeries, losses: Sequence[Loss] = ()) -> Recording:
    """A recording of memory over time."""
    return Recording(memory=MemoryUsage(series, 10 * MS, tuple(losses)))


def cores(
    *busy: Sequence[float], target: Sequence[float] | None = None, step: float = 10
) -> Recording:
    """A recording of core use: one row of busy shares per core."""
    many = len(busy[0])
    times = tuple(ZERO_NS + round((number + 1) * step * MS) for number in range(many))
    used = tuple(target) if target is not None else tuple(map(sum, zip(*busy, strict=True)))
    activity = ProcessActivity(process(), times, (1,) * many, 12, 34)
    return Recording(
        cores=CoreUsage(times, tuple(map(tuple, busy)), used, (activity,), round(step * MS))
    )


def node(
    name: str, total: float, *children: CallNode, calls: int = 1, file: str = FILE
) -> CallNode:
    """A node of a call tree."""
    return CallNode(function(name, 1, file), calls, round(total * MS), children)


def tree(
    *roots: CallNode, of: ProcessKey | None = None, thread: str = "MainThread", tid: int = 100
) -> CallTree:
    """The call tree of one thread."""
    return CallTree(of or process(), tid, thread, roots)


def timeline(*trees: CallTree, **changes: object) -> Recording:
    """A recording of the timeline."""
    made = Timeline("/srv/shop/trace.json", 2400, 200_000, 0, 0, trees)
    return Recording(timeline=replace(made, **changes))  # type: ignore[arg-type]


def merged(*recordings: Recording) -> Recording:
    """Several recordings laid together."""
    whole = Recording()
    for one in recordings:
        whole = whole.merge(one)
    return whole


def wait_states(name: str = "fetch", file: str = FILE, thread: str = "Worker-1") -> Recording:
    """A recording of wait states: two threads that want one GIL and one lock, and a child.

    The threads take two locks in opposite orders; the child waits at a pipe.
    """
    at = f"{file}:4 in {name}"
    made = (
        trace()
        .lock(name, f"{file}:1 in {name}")
        .lock("second", f"{file}:2 in {name}")
        .lock("pipe", kind=ObjectKind.PIPE)
        .process(name, started_by="main")
        .thread("MainThread").running(40, at=at, core=0).waits_gil(10, by=thread, at=at).sleeps(30)
        .sample(15, at).sample(20, at)
        .thread(thread).waits_lock(40, name, by="MainThread", at=at).running(10, core=1)
        .waits(20, Reason.IDLE_WORKER, at=at).unknown(1).sample(45, at)
        .process(name, parent=0)
        .thread("MainThread", start=20).runs_free(30, core=1)
        .span(State.IO_WAIT, 20, Reason.NET, at=at, on="pipe")
        .build()
    )  # fmt: skip
    stack = int(made.spans.stack.max())
    first, second = (one.tid for one in made.threads[:2])
    orders = (LockOrder(2, (1,), (first,), stack=stack), LockOrder(1, (2,), (second,), stack=stack))
    main, child = made.processes
    start = child.start_ns - 15 * MS
    child = replace(child, start_ns=start, python_ns=start + 20 * MS, work_ns=start + 25 * MS)
    return Recording(trace=replace(made, orders=orders, processes=(main, child)))


def with_states(given: Report) -> Report:
    """Work out the states of a report whose recording has a trace."""
    recorded_by = next(one for one in given.passes if "states" in one.instruments)
    assert given.recording.trace is not None
    return replace(given, states=states_report(given.recording.trace, recorded_by))


def everything(name: str = "fetch", file: str = FILE, thread: str = "Worker-1") -> Report:
    """A report in which every part was recorded, in two processes with one named thread each."""
    main, child = process(), process("Process-1", 101, 90)
    recording = merged(
        functions(
            function_table({name: (120, 60, 90), "parse": (120, 30, 30)}, main, file=file),
            function_table({name: (30, 20, 25)}, child, thread, 101, file),
            losses=(Loss("process Process-2 (102)", "it was killed before it could write"),),
            notes=("calls of coroutines count every resumption",),
        ),
        lines({3: (120, 1), 4: (120, 60), 5: (120, 30)}, file=file, name=name, of=(main, child)),
        memory_lines({4: 12.5, 5: -1}, file=file),
        memory(memory_series([20, 30, 45, 40], main), memory_series([15, 25], child, start=10)),
        cores([0.9, 0.5, 0.2], [0.1, 0.6, 0.9], target=[0.8, 0.9, 1.0]),
        timeline(
            tree(
                node(
                    name,
                    90,
                    node("download", 60, calls=120, file=file),
                    node("parse", 30, calls=120, file=file),
                    file=file,
                ),
                of=main,
            ),
            tree(node(name, 25, file=file), of=child, thread=thread, tid=101),
        ),
        wait_states(name, file, thread),
        Recording(sources=(SourceFile(file, SOURCE),)),
        Recording(tables=(Table("Cache", ("what", "hits"), (("pages", 3), ("dns", None))),)),
    )
    passes = (
        one_pass("baseline", 100, 110, 105),
        one_pass("light", 106, overhead=1.01, instruments=("cores", "states", "tasks")),
        one_pass("functions", 190, overhead=1.81),
        one_pass("lines", 400, overhead=3.81),
        one_pass("memory", 500, overhead=4.76),
        one_pass("timeline", 130, overhead=1.24),
    )
    artifact = Artifact(
        "timeline (viztracer)", "derived/trace.json", 123_456, "vizviewer trace.json"
    )
    made = with_states(report(*passes, recording=recording, artifacts=(artifact,)))
    return replace(made, tasks=tasks_report(name, file, thread))
