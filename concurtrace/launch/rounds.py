"""Several runs in turns: an execution of each, in another order every round.

What slows the machine down for a while then slows all of them, and none is always the first.
"""

from collections.abc import Iterator

from concurtrace.launch.interrupts import Interrupts
from concurtrace.launch.launcher import Launcher


def take_turns(launchers: tuple[Launcher, ...], interrupts: Interrupts) -> None:
    """Carry out all runs; RunFailedError if a target can't be run at all.

    All do the same work: the first works out what is expected, the others take it over.
    """
    with interrupts.watched():
        first, *others = launchers
        under_way: list[Iterator[None]] = [first.steps()]
        next(under_way[0], None)
        turns = [one.steps(first.manifest) for one in others]
        for one in turns:
            next(one, None)
        under_way += turns
        while under_way:
            under_way = [*under_way[1:], under_way[0]]
            # A run that has come to its end gives up its place.
            under_way = [one for one in under_way if next(one, _END) is not _END]


_END = object()
