"""The same large message is sent to other processes again and again.

What every call of a pool is handed (a table, a model, an image) is packed, written, read and
unpacked for each call anew, though the receiving process has had it before.
"""

from collections import defaultdict
from collections.abc import Iterable

from concurtrace.analysis.concurrency import WORKING
from concurtrace.analysis.crew import message_stacks
from concurtrace.analysis.places import is_foreign
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.case import Case
from concurtrace.model.messages import Repeated
from concurtrace.model.report import Severity
from concurtrace.model.spans import SpanFlag
from concurtrace.model.states import Reason, State
from concurtrace.units import count_text, share_text, size_text, time_text

TIMES = 3
"""How often the same message is sent, at least: twice may be one for each of two workers."""
LEAST_BYTES = 1 << 20
"""What all of that adds up to, at least: less takes milliseconds."""
SPENT = Limits(0.02, 0.1)
"""Share of the run that packing and sending what was sent before takes; a tenth could be won."""


def check(case: Case) -> Iterable[Answer]:
    """Add up messages that were sent before, and what sending them cost."""
    found = [
        many
        for many in _by_content(case.trace.messages.repeated)
        if _times(many) >= TIMES and _times(many) * many[0].length >= LEAST_BYTES
    ]
    if not found:
        yield fine("No large message was sent again and again.")
        return
    again = sum((_times(many) - 1) * many[0].length for many in found)
    total = max(case.trace.messages.large_bytes, sum(_times(m) * m[0].length for m in found))
    cost = round(_sending_ns(case) * again / total)
    worst = max(found, key=lambda many: _times(many) * many[0].length)
    severity = SPENT.judge(cost / case.wall_ns)
    if severity is Severity.OK:
        yield fine("What was sent again took little time to send.", again_bytes=again)
        return
    stacks = dict.fromkeys(one.stack for many in found for one in many)
    where = [
        case.places.of(stack) for stack in stacks if not is_foreign(case.trace.stacks.frames(stack))
    ]
    yield Answer(
        severity,
        f"The same message of {size_text(worst[0].length)} was sent {count_text(_times(worst))}"
        f" times: {share_text(again / total)} of all bytes in large messages had been sent before.",
        f"Packing, sending and unpacking them again took about {time_text(cost)}. Told by their"
        " length and content; messages under 64 KiB are not looked at.",
        "Hand what all calls need to each worker once: as an argument of the pool's initializer, as"
        " a global before a fork, or in shared_memory; then send names or indexes.",
        tuple(dict.fromkeys(place for place in where if place))[:3],
        evidence={
            "times": _times(worst),
            "length": worst[0].length,
            "again_bytes": again,
            "share": again / total,
        },
        gain_ns=min(cost, case.wall_ns),
        cause=Cause.IPC,
        explained_by=frozenset({Cause.START}),
    )


def _by_content(messages: Iterable[Repeated]) -> list[list[Repeated]]:
    """Lay together what several processes sent of the same."""
    groups: dict[tuple[int, int], list[Repeated]] = defaultdict(list)
    for one in messages:
        groups[one.hash, one.length].append(one)
    return list(groups.values())


def _times(many: list[Repeated]) -> int:
    return sum(one.count for one in many)


def _sending_ns(case: Case) -> int:
    """Measure what passing messages between processes cost in all, as in ``ipc-overhead``."""
    trace, samples = case.trace, case.trace.samples
    full = case.select(State.IO_WAIT, Reason.IPC) & ((trace.spans.flags & SpanFlag.WRITE) != 0)
    packing = 0.0
    if samples is not None and len(samples):
        packing = float(message_stacks(trace.stacks)[samples.stack].mean())
    worked = sum(one.ns(*WORKING) for one in trace.threads)
    return round(packing * worked) + int(trace.spans.dur_ns[full].sum())


RULE = Rule(
    "repeated-payload",
    frozenset({Part.STATES, Part.EXACT}),
    check,
    refines=frozenset({"ipc-overhead", "fine-granularity"}),
)
