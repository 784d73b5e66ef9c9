"""The diagnosis on the terminal: the verdict, then the findings to act on."""

import textwrap

from concurtrace.model.report import Report, Severity

from ._findings import numbered, predicted, prediction, stories, where
from ._places import Places

_COLUMNS = 100
_SHOWN = 4
_PLACES = 2


def diagnosis(report: Report) -> list[str]:
    """Tell the verdict and the first findings with where and what to try."""
    if not report.verdict:
        return []
    places = Places.of(report)
    lines = ["Diagnosis", *_wrapped(places.sentence(report.verdict), "  ", "  ")]
    told = stories(report)
    for story in told[:_SHOWN]:
        one = story.head
        word = "WARNING" if one.severity is Severity.WARNING else "NOTE"
        lines += _wrapped(f"{word} {one.rule}: {places.sentence(one.summary)}", "  - ", "    ")
        lines += [f"      at {place}" for place in where(report, one)[:_PLACES]]
        if one.severity is Severity.WARNING and one.remedy:
            lines += _wrapped(f"try: {places.sentence(one.remedy)}", "      ", "      ")
        if one.prediction is not None:
            lines += _wrapped(
                places.sentence(f"predicted: {prediction(one.prediction)}"), "      ", "      "
            )
        if one.also:
            lines += _wrapped(f"the same story: {', '.join(one.also)}", "      ", "      ")
    if len(told) > _SHOWN:
        lines.append(f"  - and {len(told) - _SHOWN} more: see the HTML report")
    for one in report.findings:
        if one.severity is Severity.FAILED:
            lines += _wrapped(f"FAILED {one.rule}: {places.sentence(one.summary)}", "  - ", "    ")
    if report.predictions:
        lines.append("  What if it were done otherwise, by replay of what was recorded:")
    marks, provided = numbered(each.assumptions for each in report.predictions)
    for each, mark in zip(report.predictions, marks, strict=True):
        given = f", given {mark}" if mark else ""
        lines += _wrapped(places.sentence(f"{predicted(each)}{given}"), "  - ", "    ")
    if provided:
        lines += _wrapped(places.sentence(f"given that {'; '.join(provided)}"), "    ", "    ")
    return lines


def _wrapped(text: str, first: str, then: str) -> list[str]:
    return textwrap.wrap(text, _COLUMNS, initial_indent=first, subsequent_indent=then)
