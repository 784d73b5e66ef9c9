"""The work is cut into so few pieces that workers can't be given equal shares of it.

With one or two pieces each, whoever gets the largest works on while the others have nothing left to
take. With many, a worker that is done takes the next, and the shares even out by themselves.
"""

from collections.abc import Iterable

from concurtrace.analysis.pieces import most_pieces
from concurtrace.diagnosis import Answer, Cause, Limits, Part, Rule, fine
from concurtrace.diagnosis.balance import balance_of
from concurtrace.diagnosis.case import Case
from concurtrace.model.report import Severity
from concurtrace.units import share_text, time_text

PIECES = 4
"""Pieces per worker, below which chance decides who has most to do; ``Pool.map`` makes four."""
UNBALANCED = Limits(0.2, 0.35)
"""1 - balance: POP calls a balance (mean by greatest load) above 0.8 good; as in load-imbalance."""
WORTH = 0.05
"""Share of the run that equal shares would save: below, it is not worth a warning."""


def check(case: Case) -> Iterable[Answer]:
    """Look at pools with few pieces of work and unequal loads."""
    found = False
    for crew in case.crews:
        workers = len(crew.rows)
        balance = balance_of(case, crew)
        severity = Severity.OK if balance is None else UNBALANCED.judge(1 - balance.share)
        if balance is None or severity is Severity.OK:
            continue
        pieces = most_pieces(case.trace, crew, case.pool_jobs)
        if pieces is None or pieces >= PIECES * workers:
            continue
        found = True
        if balance.gain_ns < WORTH * case.wall_ns:
            severity = Severity.INFO
        row = crew.rows[int(balance.loads_ns.argmax())]
        yield Answer(
            severity,
            f"The work of a pool ({crew.name}) was cut into {pieces} pieces at most for"
            f" {workers} workers: one computed {time_text(balance.most_ns)}, the mean"
            f" {time_text(round(balance.mean_ns))}.",
            f"The balance is {share_text(balance.share)}; pieces this large can't be shared out"
            " evenly.",
            f"Cut the work smaller: {PIECES * workers} pieces or more, a smaller chunksize, or"
            " lists of fewer items; and hand out the longest first.",
            case.sampled([row]),
            evidence={
                "pieces": pieces,
                "workers": workers,
                "balance": balance.share,
                "most_ns": balance.most_ns,
            },
            gain_ns=balance.gain_ns,
            cause=Cause.WORK,
            thing=crew.name,
            explained_by=frozenset() if crew.of_processes else frozenset({Cause.GIL}),
        )
    if not found:
        yield fine("No pool's work was cut into too few pieces.")


RULE = Rule(
    "coarse-granularity",
    frozenset({Part.STATES, Part.EXACT}),
    check,
    refines=frozenset({"load-imbalance", "straggler"}),
)
