"""What the renderers of comparisons share: words, and which columns there are."""

from collections.abc import Mapping, Sequence

from concurtrace.model.comparison import Checked, ModeResult, Speed, Spent
from concurtrace.units import share_text, significant

COLUMN_WORDS: Mapping[Spent, str] = {
    Spent.RUNNING: "computes",
    Spent.MESSAGES: "messages",
    Spent.GIL: "GIL",
    Spent.LOCKS: "locks",
    Spent.IO: "I/O",
    Spent.SIGNALS: "signals",
    Spent.READY: "others",
    Spent.START: "starting",
    Spent.IDLE: "idle",
}
"""Heads of narrow columns; the sentence of each post is its value."""

TOKENS: Mapping[Spent, tuple[str, str]] = {
    Spent.RUNNING: ("running", "solid"),
    Spent.MESSAGES: ("nogil", "dots"),
    Spent.GIL: ("gil", "slash"),
    Spent.LOCKS: ("lock", "cross"),
    Spent.IO: ("io", "solid"),
    Spent.SIGNALS: ("told", "lines"),
    Spent.READY: ("ready", "bars"),
    Spent.START: ("starting", "bars"),
    Spent.IDLE: ("sleep", "solid"),
}
"""The colour and the pattern of a post, from those of the wait states."""


def interval(one: Speed | None) -> str:
    """Write an interval: ``1.80 to 1.90``."""
    if one is None or one.low is None or one.high is None:
        return "not known"
    return f"{significant(one.low)} to {significant(one.high)}"


def change(one: Checked) -> str:
    """Name a change of mode: ``threads to processes with 4`` where that many are in both."""
    before, _, many = one.from_mode.partition(" with ")
    if many and one.to_mode.endswith(f" with {many}"):
        return f"{before} to {one.to_mode}"
    return f"{one.from_mode} to {one.to_mode}"


def serial_text(share: float) -> str:
    """Write Karp and Flatt's serial fraction; above 1 where more workers are slower than one."""
    return "over 100 %" if share > 1 else share_text(max(0.0, share))


def ledger_rows(
    modes: Sequence[ModeResult],
) -> tuple[tuple[Spent, ...], tuple[ModeResult, ...]]:
    """List the posts that any mode has, in their order, and the modes with a ledger."""
    rows = tuple(one for one in modes if one.ledger is not None and one.ledger.spent)
    posts = tuple(post for post in Spent if any(_has(one, post) for one in rows))
    return posts, rows


def _has(one: ModeResult, post: Spent) -> bool:
    return one.ledger is not None and one.ledger.spent.get(post, 0) > 0
