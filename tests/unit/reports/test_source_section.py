"""Lines where threads waited, and those that findings speak of, also where no line was timed."""

from dataclasses import replace

from concurtrace.reports.html.sections import source
from concurtrace.reports.html.sections.source import View

from concurtrace.model.recording import Recording, SourceFile
from concurtrace.model.report import Finding, Report, Severity
from tests import builders
from tests.builders import FILE, SOURCE, one_pass, with_states
from tests.builders_trace import trace

SOURCES = Recording(sources=(SourceFile(FILE, SOURCE),))


def waiting(*more: Recording, sources: Recording = SOURCES) -> Report:
    made = (
        trace()
        .thread("one").io(30, at=f"{FILE}:4 in fetch").waits_lock(5, "L", at=f"{FILE}:4 in fetch")
        .running(50).sample(40, f"{FILE}:8 in parse", stands_for=20)
        .build()
    )  # fmt: skip
    light = one_pass("light", 110, instruments=("states",))
    whole = builders.merged(*more, Recording(trace=made), sources)
    return with_states(builders.report(light, recording=whole))


def view_of(report: Report) -> View:
    view = source.build(report).view
    assert isinstance(view, View)
    return view


def test_waits_and_samples_stand_beside_the_lines_without_any_other_pass() -> None:
    section = source.build(waiting())
    assert section.answer == "Threads waited longest at crawl.py:4: 30.0 ms waiting for I/O."
    fetch, parse = view_of(waiting()).blocks
    assert [(one.number, one.text.strip(), one.waited) for one in fetch.lines] == [
        (3, "def fetch(url):", ""),
        (4, "page = download(url)", "30.00 I/O, 5.00 lock"),
    ]
    assert [(one.number, one.ran) for one in parse.lines] == [(7, ""), (8, "20.00")]
    assert fetch.lines[1].heat > parse.lines[1].heat > 0


def test_they_stand_beside_timed_lines_too() -> None:
    timed = builders.lines({4: (10, 6), 5: (10, 3)})
    view = view_of(waiting(timed))
    fetch, parse = view.blocks
    assert (fetch.lines[1].time, fetch.lines[1].waited) == ("6 000.0", "30.00 I/O, 5.00 lock")
    assert parse.time == ""
    assert (view.has_times, view.has_states) == (True, True)


def test_lines_of_findings_are_shown_and_marked() -> None:
    finding = Finding("slow-peer", Severity.WARNING, "It is slow.", where=(f"{FILE}:5 in fetch",))
    quiet = Finding("short-run", Severity.OK, "Fine.", where=(f"{FILE}:1 in <module>",))
    view = view_of(replace(waiting(), findings=(finding, quiet)))
    marked = [(one.number, one.rules) for one in view.blocks[0].lines if one.rules]
    assert marked == [(5, ("slow-peer",))]
    assert not any(one.name == "<module>" for one in view.blocks)


def test_without_the_text_of_a_file_nothing_is_added() -> None:
    assert source.build(waiting(sources=Recording())).absence is not None
