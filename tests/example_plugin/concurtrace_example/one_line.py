"""A run in one line."""

from concurtrace.model.report import Report


class OneLine:
    """The renderer."""

    name = "one-line"
    suffix = ".txt"

    def render(self, report: Report) -> str:
        """Name the target and whether it succeeded."""
        tables = ", ".join(table.title for table in report.recording.tables)
        return f"{report.target.name}: {report.outcome.succeeded} ({tables})"


RENDERER = OneLine()
