"""What a comparison comes to, in words: who wins, who ties, and what holds the others back."""

from __future__ import annotations

from collections.abc import Sequence

from concurtrace.analysis.comparison import tied_with_best
from concurtrace.model.comparison import ModeResult, Speed, Spent
from concurtrace.model.report import Severity
from concurtrace.units import share_text, significant

BUSY = 0.2
"""Share of all cores' time that others took from which a comparison is said to be rough."""
_LARGE = 0.15
"""Share of the cores' time from which a post of the ledger explains something."""
_NO_CAUSE = (Spent.RUNNING, Spent.IDLE)


def comparison_verdict(results: Sequence[ModeResult], reference: str) -> str:
    """Say which mode to take for this work on this machine, and why not the others."""
    good = [one for one in results if one.speedup is not None]
    if not good:
        return f"Nothing can be said: {reference}, the reference, did not come to a right end."
    said = [_winner(good, reference)]
    told = {reference, *(one.name for one in tied_with_best(good, reference))}
    for one in good:
        if one.name in told or one.speedup is None or one.speedup.high is None:
            continue
        if one.speedup.high < 1:
            does = f"loses to {reference}"
        elif one.speedup.may_be_one:
            does = f"brings nothing over {reference}"
        else:
            continue
        said.append(f"The mode {one.name} {does} ({factor_text(one.speedup)}){_because(one)}.")
    failed = [f"{one.name} ({one.trouble})" for one in results if one.trouble is not None]
    if failed:
        said.append(f"Left out: {', '.join(failed)}.")
    return " ".join((*said, *_doubts(good)))


def _winner(good: Sequence[ModeResult], reference: str) -> str:
    best, *others = tied_with_best(good, reference)
    start = "For this work on this machine:"
    if best.speedup is None:
        return f"{start} nothing was measured."
    if len(good) == 1:
        return f"{start} only {best.name} came to a right end."
    if best.speedup.low is None:
        return (
            f"{start} {best.name} was fastest, {factor_text(best.speedup)} against {reference},"
            " in a single round, which says nothing about noise."
        )
    if others:
        return f"{start} {_tie(best, others, reference)}"
    if best.name == reference:
        second = next(one for one in good if one.name != reference)
        slower = significant(1 / second.speedup.factor) if second.speedup else "many"
        return f"{start} {best.name}; the next, {second.name}, takes {slower} times as long."
    return f"{start} {best.name}, {factor_text(best.speedup)} as fast as {reference}."


def _tie(best: ModeResult, others: Sequence[ModeResult], reference: str) -> str:
    if best.name == reference or any(one.name == reference for one in others):
        named = [one.name for one in (best, *others) if one.name != reference]
        return f"a tie. Noise could explain what is between {reference} and {_listed(named)}."
    lead = factor_text(best.speedup) if best.speedup else "not known"
    fastest = f" ({best.name}: {lead} against {reference})"
    names = _listed([best.name, *(one.name for one in others)])
    return f"a tie. Noise could explain what is between {names}{fastest}."


def _listed(names: Sequence[str]) -> str:
    *first, last = names
    return f"{', '.join(first)} and {last}" if first else last


def factor_text(one: Speed) -> str:
    """Write a factor with its interval: ``1.86 times (1.80 to 1.90)``."""
    if one.low is None or one.high is None:
        return f"{significant(one.factor)} times"
    return f"{significant(one.factor)} times ({significant(one.low)} to {significant(one.high)})"


def _because(one: ModeResult) -> str:
    """Name what its diagnosis found first, or where its cores' time went."""
    warned = [f for f in one.report.findings if f.severity is Severity.WARNING]
    if warned:
        return f", because: {warned[0].summary.rstrip('.')}"
    if one.ledger is None or not one.ledger.spent:
        return ""
    whole = one.ledger.wall_ns * one.ledger.cores
    posts = {post: ns for post, ns in one.ledger.spent.items() if post not in _NO_CAUSE}
    if not posts:
        return ""
    post, ns = max(posts.items(), key=lambda pair: pair[1])
    if ns < _LARGE * whole:
        return ""
    return f": {share_text(ns / whole)} of the cores' time was {post.value}"


def _doubts(good: Sequence[ModeResult]) -> list[str]:
    loads = [one.report.passes[0].competing_load or 0.0 for one in good if one.report.passes]
    if not loads or max(loads) < BUSY:
        return []
    taken = share_text(max(loads))
    return [f"Mind that other programs took up to {taken} of the cores' time meanwhile."]
