"""Comparison: who is how much faster, every round on one axis, and where the cores' time went."""

from dataclasses import dataclass

from concurtrace.model.comparison import Comparison, Ledger, ModeResult, Spent
from concurtrace.units import share_text, significant, time_text

from ..._comparisons._words import TOKENS, interval, ledger_rows
from ..._scale import Scale
from ..._text import without_home
from ..bars import HEIGHT, Part, marks
from ..chart import WIDTH, Path, Span
from ..section import Section

_DOT = 7
_SWATCH = 20
_COURSE = 40
"""The height of the course of a mode."""


@dataclass(frozen=True)
class Row:
    """A mode as texts; ``dots`` are its rounds on the axis that all modes share."""

    name: str
    wall: str
    cpu: str
    cores: str
    speedup: str
    interval: str
    runs: str
    result: str
    report: str
    dots: Path


@dataclass(frozen=True)
class Bar:
    """Where a mode's time went, as long as it took; ``words`` says the same.

    ``course`` is the same over time, every column as high as there are cores.
    """

    label: str
    parts: tuple[Part, ...]
    words: str
    wall: str
    course: tuple[Part, ...] = ()


@dataclass(frozen=True)
class Post:
    """A post of the ledger: its colour, its words, and each mode's core-seconds."""

    swatch: Part
    words: str
    cells: tuple[str, ...]


@dataclass(frozen=True)
class View:
    """What the template shows."""

    unit: str
    tone: str
    sign: str
    verdict: str
    reference: str
    rounds: int
    rows: tuple[Row, ...]
    ticks: tuple[str, ...]
    bars: tuple[Bar, ...]
    posts: tuple[Post, ...]
    ledger_unit: str
    ledger_ticks: tuple[str, ...]


def build(comparison: Comparison) -> Section:
    """Lay the modes side by side."""
    modes = comparison.modes
    scale = Scale.for_times(one.wall_ns for one in modes)
    longest = max((ns for one in modes for ns in one.walls_ns), default=1)
    span = Span(0, longest)
    posts, rows = ledger_rows(modes)
    ledger_scale = Scale.for_times(
        ns for one in rows if one.ledger for ns in one.ledger.spent.values()
    )
    good = comparison.succeeded
    view = View(
        scale.unit,
        "right" if good else "attention",
        "✔" if good else "▲",
        without_home(comparison.verdict),
        comparison.reference,
        comparison.rounds,
        tuple(_row(one, scale, span) for one in modes),
        span.ticks(),
        tuple(_bar(one, rows) for one in rows),
        tuple(_post(post, rows, ledger_scale) for post in posts),
        ledger_scale.unit,
        Span(0, max((one.ledger.wall_ns for one in rows if one.ledger), default=1)).ticks(),
    )
    return Section("comparison", "Comparison", view=view)


def _row(one: ModeResult, scale: Scale, span: Span) -> Row:
    quiet = one.report.find_pass("baseline")
    cpu = quiet.cpu_ns if quiet else 0
    return Row(
        name=one.name,
        wall=scale.text(one.wall_ns) if one.walls_ns else "not measured",
        cpu=scale.text(cpu) if cpu else "not measured",
        cores=significant(cpu / one.wall_ns) if cpu and one.wall_ns else "not known",
        speedup=f"{significant(one.speedup.factor)} times" if one.speedup else "not known",
        interval=interval(one.speedup),
        runs=", ".join(time_text(ns) for ns in one.walls_ns) or "none came to its end",
        result="✔ right" if one.trouble is None else f"✖ {without_home(one.trouble)}",
        report=f"{one.folder}/report.html",
        dots=Path("".join(_dot(span.x(ns)) for ns in one.walls_ns)),
    )


def _dot(x: int) -> str:
    left = min(max(x - _DOT // 2, 0), WIDTH - _DOT)
    return f"M{left} 4h{_DOT}v10h-{_DOT}z"


def _bar(one: ModeResult, rows: tuple[ModeResult, ...]) -> Bar:
    """Draw a ledger as long as the mode took, against the longest of all."""
    longest = max(each.ledger.wall_ns for each in rows if each.ledger)
    if one.ledger is None:
        return Bar(one.name, (), "not recorded", "")
    whole = one.ledger.wall_ns * one.ledger.cores
    width = WIDTH * one.ledger.wall_ns / longest
    parts, before = [], 0.0
    for post in Spent:
        ns = one.ledger.spent.get(post, 0)
        left, right = round(width * before / whole), round(width * (before + ns) / whole)
        before += ns
        if right > left:
            parts.append(_part(post, left, right, HEIGHT))
    shares = {post: ns / whole for post, ns in one.ledger.spent.items()}
    said = [f"{post.value} {share_text(share)}" for post, share in shares.items() if share > 0.005]
    wall = time_text(one.ledger.wall_ns)
    return Bar(one.name, tuple(parts), "; ".join(said), wall, _course(one.ledger, round(width)))


def _course(ledger: Ledger, width: int) -> tuple[Part, ...]:
    """Draw what became of the cores from the start of a run to its end, one post on another."""
    many = max((len(row) for row in ledger.course.values()), default=0)
    full = ledger.wall_ns * ledger.cores / max(many, 1)
    edges = [round(width * number / max(many, 1)) for number in range(many + 1)]
    before, parts = [0] * many, []
    for post in Spent:
        row = ledger.course.get(post)
        if row is None or full <= 0:
            continue
        tops = [low + ns for low, ns in zip(before, row, strict=True)]
        boxes = [
            f"M{left} {_COURSE - high}H{right}V{_COURSE - low}H{left}Z"
            for left, right, low, high in zip(
                edges, edges[1:], _levels(before, full), _levels(tops, full), strict=False
            )
            if right > left and high > low
        ]
        parts.append(Part(TOKENS[post][0], Path("".join(boxes)), Path()))
        before = tops
    return tuple(parts)


def _levels(sums: list[int], full: float) -> list[int]:
    return [round(_COURSE * one / full) for one in sums]


def _part(post: Spent, left: int, right: int, height: int) -> Part:
    token, pattern = TOKENS[post]
    box = Path(f"M{left} 0H{right}V{height}H{left}Z")
    return Part(token, box, marks(pattern, left, right, height))


def _post(post: Spent, rows: tuple[ModeResult, ...], scale: Scale) -> Post:
    cells = tuple(
        scale.text(one.ledger.spent.get(post, 0)) if one.ledger else "not recorded" for one in rows
    )
    return Post(_part(post, 0, _SWATCH, _SWATCH), post.value, cells)
