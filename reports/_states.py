"""The wait states in the words that every report for people uses, in one order."""

from collections.abc import Mapping
from dataclasses import dataclass

from concurtrace.model.report import Report, StatesReport
from concurtrace.model.states import State
from concurtrace.model.trace import CoreSource, Origin
from concurtrace.units import count_text, share_text, time_text


@dataclass(frozen=True)
class Words:
    """What a state is called: in a sentence or legend, and as the head of a narrow column.

    ``token`` names its colour in style sheets, ``pattern`` what it is told apart by without
    colour (one of those that ``html/bars.py`` draws).
    """

    name: str
    short: str
    token: str
    pattern: str = "solid"


# Work first, then the waits that are problems, then those that are mostly harmless.
WORDS: Mapping[State, Words] = {
    State.RUNNING: Words("running Python", "running", "running"),
    State.RUNNING_NOGIL: Words("running without the GIL", "no GIL", "nogil"),
    State.GIL_WAIT: Words("waiting for the GIL", "GIL wait", "gil", "slash"),
    State.GIL_BLOCKED: Words("asleep with the GIL held", "GIL kept", "blocked", "backslash"),
    State.LOCK_WAIT: Words("waiting for a lock", "lock", "lock", "cross"),
    State.RUNNABLE: Words("ready, no core free", "ready", "ready", "bars"),
    State.CONDITION_WAIT: Words("waiting to be told something", "signal", "told", "lines"),
    State.IO_WAIT: Words("waiting for I/O", "I/O", "io"),
    State.CHILD_WAIT: Words("waiting for a child process", "child", "child", "slash"),
    State.SLEEP: Words("sleeping", "sleep", "sleep"),
    State.STOPPED: Words("stopped", "stopped", "stopped", "cross"),
    State.STARTING: Words("starting", "starting", "starting", "bars"),
    State.UNKNOWN: Words("unknown", "unknown", "unknown", "dots"),
}
"""Every state's words, in the order of stacks, legends and tables."""

FREE_THREADED = Words("running Python", "running", "running")
"""What a thread on a core does where there is no GIL to hold."""


def words_of(state: State, *, gil: bool) -> Words:
    """Say what a state is called in a run with or without the GIL."""
    return FREE_THREADED if state is State.RUNNING_NOGIL and not gil else WORDS[state]


def ordered(states: Mapping[State, int]) -> list[tuple[State, int]]:
    """List the states that took time, in the order of every stack."""
    return [(state, states[state]) for state in WORDS if states.get(state)]


def shares_text(states: Mapping[State, int], *, gil: bool, most: int | None = None) -> str:
    """Say how time divides: ``running Python 52 %, waiting for the GIL 47 %``.

    With ``most`` only the largest so many are told, the largest first; else all that matter, and
    what the rest adds up to.
    """
    whole = sum(states.values())
    told = [(state, ns) for state, ns in ordered(states) if ns >= _MATTERS * whole]
    if most is not None:
        told = sorted(told, key=lambda one: -one[1])[:most]
    said = [f"{words_of(one, gil=gil).name} {share_text(ns / whole)}" for one, ns in told]
    rest = whole - sum(ns for _, ns in told)
    if rest and most is None:
        said.append(f"the rest {share_text(rest / whole)}")
    return ", ".join(said)


_MATTERS = 0.005
"""The share from which on a state is told in a sentence; tables tell all."""


def all_states(states: StatesReport) -> dict[State, int]:
    """Add up the time in every state over all threads of all processes."""
    sums: dict[State, int] = {}
    for process in states.processes:
        for state, ns in process.states.items():
            sums[state] = sums.get(state, 0) + ns
    return sums


def source_sentences(states: StatesReport) -> tuple[str, ...]:
    """Say what makes the states less than exact."""
    said = []
    if states.origin is Origin.ESTIMATED:
        said.append(
            "These states are estimated by sampling, not recorded: short waits are missed, and"
            " figures of single waits are not known."
        )
    if states.cores_from is CoreSource.NONE:
        said.append(
            "Who was on which core was not recorded: ready threads without a core may count as"
            " running."
        )
    elif states.cores_from is not CoreSource.SWITCHES:
        said.append(f"Ready time and core numbers come from {states.cores_from.value}.")
    return tuple(said)


def folded_sentence(states: StatesReport) -> str:
    """Say how much is in sums only; empty where every span was kept."""
    if not states.folded_spans:
        return ""
    low, high = (time_text(ns) for ns in states.min_span_ns)
    below = low if low == high else f"{low} to {high}"
    return (
        f"{count_text(states.folded_spans)} spans shorter than {below} were added up and not kept"
        f" singly, {time_text(states.folded_ns)} together; sums are exact."
    )


def gil_absence(report: Report) -> str | None:
    """Say why there is nothing to tell of the GIL; None where there is."""
    states = report.states
    if states is None or states.gil is not None:
        return None
    if not report.environment.gil:
        return "This Python build has no GIL (it is free-threaded): there is nothing to wait for."
    return "No thread ran Python or waited to, so there is nothing to tell of the GIL."
