"""Pictures of what typical faults look like, drawn with the colours of the states."""

from dataclasses import dataclass

from concurtrace.model.states import State

from .bars import Part, row

_RUN, _GIL, _LOCK = State.RUNNING, State.GIL_WAIT, State.LOCK_WAIT
_READY, _IO, _SLEEP = State.RUNNABLE, State.IO_WAIT, State.SLEEP
_Lane = tuple[tuple[State, int], ...]


@dataclass(frozen=True)
class Pattern:
    """A picture: a bar per thread; ``rules`` are those whose finding it shows."""

    name: str
    words: str
    lanes: tuple[tuple[Part, ...], ...]
    rules: tuple[str, ...]


def _turns(number: int, of: int, wait: State, rounds: int) -> _Lane:
    """Work in turns with others, and wait for one's turn in between."""
    parts = [(wait, number)] if number else []
    for _ in range(rounds):
        parts += [(_RUN, 1), (wait, of - 1)]
    return tuple(parts)


_DRAWN: tuple[tuple[str, str, tuple[_Lane, ...], tuple[str, ...]], ...] = (
    (
        "side by side",
        "What one hopes for: every thread is at work all the time, each on a core of its own.",
        (((_RUN, 12),),) * 3,
        (),
    ),
    (
        "one after the other",
        "Threads take turns at the GIL: at any time one runs, and the others wait for it.",
        tuple(_turns(number, 3, _GIL, 4) for number in range(3)),
        ("gil-saturation", "long-gil-hold"),
    ),
    (
        "convoy",
        "Threads queue behind one lock: each does its little work, then waits for all the others.",
        tuple(_turns(number, 3, _LOCK, 4) for number in range(3)),
        ("lock-convoy", "lock-contention", "critical-path-lock", "gil-convoy"),
    ),
    (
        "stair-step",
        "One begins when the other ends: a chain, not a team.",
        tuple(((_SLEEP, 4 * n), (_RUN, 4), (_SLEEP, 8 - 4 * n)) for n in range(3)),
        ("serial-section", "starved-workers", "queue-back-pressure", "sequential-awaits"),
    ),
    (
        "straggler",
        "All but one are done; what is left is as slow as that one.",
        (((_RUN, 12),), ((_RUN, 5), (_SLEEP, 7)), ((_RUN, 4), (_SLEEP, 8))),
        ("straggler", "load-imbalance", "gather-straggler", "barrier-wait"),
    ),
    (
        "banding",
        "More threads than cores: they are taken off and put back, in bands.",
        tuple(_turns(number % 2, 2, _READY, 6) for number in range(3)),
        ("oversubscription", "context-switch-storm", "competing-load", "gil-holder-preempted"),
    ),
    (
        "waiting outside",
        "A little work, then a long wait for a disk or a peer; the next request only then.",
        (((_RUN, 1), (_IO, 3)) * 3, ((_SLEEP, 12),), ((_SLEEP, 12),)),
        ("unoverlapped-io", "chatty-io", "small-pool"),
    ),
)


def patterns(*, gil: bool) -> tuple[Pattern, ...]:
    """Draw the gallery."""
    return tuple(
        Pattern(name, words, tuple(row(lane, gil=gil) for lane in lanes), rules)
        for name, words, lanes, rules in _DRAWN
    )
