"""What the recorder tells of locks and messages, with the numbers of the whole trace."""

from collections.abc import Iterator

from concurtrace.model.lock_site import LockSite
from concurtrace.model.messages import Repeated
from concurtrace.model.spans import Numbers
from concurtrace.model.trace import LockOrder
from concurtrace.recording import layout
from concurtrace.recording.meta import Meta
from concurtrace.recording.spans import Numbering


def lock_orders(meta: Meta, numbering: Numbering) -> Iterator[LockOrder]:
    """Read in which order locks were taken; what refers to one that is not there is left out."""
    objects, stacks = numbering.objects, numbering.stacks
    for one in meta.orders:
        known = [int(objects[n]) if n < len(objects) else 0 for n in (one.taken, *one.held)]
        if all(known) and one.tids:
            yield LockOrder(
                known[0],
                tuple(known[1:]),
                one.tids,
                many=len(one.tids) == layout.ORDER_THREADS,
                stack=int(stacks[one.stack]) if one.stack < len(stacks) else 0,
            )


def lock_sites(meta: Meta, numbering: Numbering) -> Iterator[LockSite]:
    """Read where locks were taken; what refers to a lock that is not there is left out."""
    for one in meta.sites:
        row = _row(numbering.objects, one.object)
        if row:
            stack = _row(numbering.stacks, one.stack)
            # A kill may fall between the two counts.
            contended = min(one.contended, one.acquisitions)
            yield LockSite(row, stack, one.acquisitions, contended)


def repeated(meta: Meta, process: int, stacks: Numbers) -> Iterator[Repeated]:
    """Read the messages that were sent more than once."""
    for one in meta.messages:
        yield Repeated(process, one.length, one.hash, one.count, _row(stacks, one.stack))


def _row(rows: Numbers, number: int) -> int:
    return int(rows[number]) if number < len(rows) else 0
