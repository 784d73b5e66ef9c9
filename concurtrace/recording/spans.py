"""From span records to columns: unpack, put right what damage left, keep what can be believed."""

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from concurtrace.model.spans import NO_CORE, Folds, Numbers, SpanFlag, Spans
from concurtrace.model.states import State
from concurtrace.recording import layout
from concurtrace.recording.files import Records
from concurtrace.recording.tables import translate

_LOW_24 = np.uint64((1 << 24) - 1)
_LOW_40 = np.uint64((1 << layout.DUR_BITS) - 1)
_LOW_48 = np.uint64((1 << 48) - 1)


@dataclass(frozen=True)
class Numbering:
    """How the stack and object ids of one file become rows of the whole trace."""

    stacks: Numbers
    objects: Numbers


@dataclass(frozen=True, eq=False)
class ThreadSpans:
    """The decoded spans of one thread slot; ``dropped`` records could not be believed."""

    parts: list[Spans]
    folds: Folds
    dropped: int


def decode(
    batches: Iterable[Records], thread: int, epoch_ns: int, end_ns: int, numbering: Numbering
) -> ThreadSpans:
    """Decode the records of one thread, which lie between ``epoch_ns`` and ``end_ns``."""
    parts, folds, dropped, last_ns = [], [], 0, epoch_ns
    for records in batches:
        flags = records[:, 2] >> np.uint64(48)
        folded = (flags & np.uint64(layout.SPAN_FOLD)) != 0
        if folded.any():
            folds.append(_folds(records[folded], thread, epoch_ns))
            records, flags = records[~folded], flags[~folded]
        spans = _unpack(records, flags, epoch_ns, numbering)
        if (flags & np.uint64(layout.SPAN_CONTINUED)).any():
            spans = _rejoin(spans, (flags & np.uint64(layout.SPAN_CONTINUED)) != 0)
        good = _believable(spans, last_ns, end_ns)
        if not good.all():
            dropped += int(np.count_nonzero(~good))
            spans = spans.take(good)
        if len(spans):
            last_ns = int(spans.end_ns[-1])
            parts.append(spans)
    return ThreadSpans(parts, Folds.joined(folds), dropped)


def _unpack(
    records: Records, flags: NDArray[np.uint64], epoch_ns: int, numbering: Numbering
) -> Spans:
    when, how_long, what = records[:, 0], records[:, 1], records[:, 2]
    start = (when & _LOW_48).astype(np.int64) + epoch_ns
    state = layout.STATE_CODES[(when >> np.uint64(48)).astype(np.uint8)]
    kept = (flags & np.uint64(layout.SPAN_KEPT_FLAGS)).astype(np.uint8)
    kept[state == State.RUNNING.code] |= np.uint8(SpanFlag.GIL_HELD)
    return Spans(
        start_ns=start,
        end_ns=start + (how_long & _LOW_40).astype(np.int64),
        state=state,
        reason=layout.REASON_CODES[(when >> np.uint64(56)).astype(np.uint8)],
        flags=kept,
        core=np.full(len(records), NO_CORE, np.int16),
        waker=(how_long >> np.uint64(layout.DUR_BITS)).astype(np.uint32),
        stack=translate(numbering.stacks, (what & _LOW_24).astype(np.uint32)),
        object=translate(numbering.objects, (what >> np.uint64(24) & _LOW_24).astype(np.uint32)),
    )


def _rejoin(spans: Spans, goes_on: NDArray[np.bool_]) -> Spans:
    """Make one span again of those that were too long for one record; the last has the details."""
    last = np.flatnonzero(~goes_on)
    if not len(last) or last[-1] != len(spans) - 1:
        last = np.append(last, len(spans) - 1)
    first = np.concatenate(([0], last[:-1] + 1))
    whole = spans.take(last)
    whole.start_ns[:] = spans.start_ns[first]
    return whole


def _believable(spans: Spans, last_ns: int, end_ns: int) -> NDArray[np.bool_]:
    """Tell which spans lie in order within their bounds."""
    inside = (spans.start_ns >= last_ns) & (spans.end_ns <= end_ns)
    inside &= spans.start_ns <= spans.end_ns
    ends = np.where(inside, spans.end_ns, last_ns)
    before = np.concatenate(([last_ns], np.maximum.accumulate(ends)[:-1])) if len(ends) else ends
    good: NDArray[np.bool_] = inside & (spans.start_ns >= before)
    return good


def _folds(records: Records, thread: int, epoch_ns: int) -> Folds:
    when, how_long, what = records[:, 0], records[:, 1], records[:, 2]
    start = (when & _LOW_48).astype(np.int64) + epoch_ns
    window = (what >> np.uint64(24) & _LOW_24).astype(np.int64) * 1000
    ns = (how_long & _LOW_40).astype(np.int64)
    return Folds(
        thread=np.full(len(records), thread, np.uint32),
        start_ns=start,
        # A window is longer than what was folded in it, also where its length was cut.
        end_ns=start + np.maximum(window, ns),
        ns=ns,
        count=(what & _LOW_24).astype(np.int64),
        state=layout.STATE_CODES[(when >> np.uint64(48)).astype(np.uint8)],
    )
