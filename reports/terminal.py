"""The summary on the terminal."""

from concurtrace.model.report import Report
from concurtrace.units import time_text


class Terminal:
    """Plain text, at most 100 columns."""

    name = "terminal"
    suffix = ".txt"

    def render(self, report: Report) -> str:
        """Sum a run up in a few lines."""
        lines = [f"{report.target.name} {report.target.mode or ''}".strip()]
        for one in report.passes:
            lines.append(f"  {one.name}: {one.status} {time_text(one.wall_ns)} {one.overhead} {one.reason or ''}")
        return "\n".join(lines)


RENDERER = Terminal()
