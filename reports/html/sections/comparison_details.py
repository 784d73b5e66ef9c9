"""Details of a comparison: the work, the machine, what was left out."""

from dataclasses import dataclass

from concurtrace.model.comparison import Comparison

from ..._text import without_home
from ..section import Section


@dataclass(frozen=True)
class View:
    """Rows of two texts, and notes."""

    ran: tuple[tuple[str, str], ...]
    machine: tuple[tuple[str, str], ...]
    notes: tuple[str, ...]
    command: str


def build(comparison: Comparison) -> Section:
    """Say what was compared on what."""
    python, machine = comparison.environment, comparison.environment.machine
    ran = [("workload", comparison.workload)]
    ran += [(name, str(value)) for name, value in comparison.parameters.items()]
    ran += [("rounds", str(comparison.rounds)), ("reference", comparison.reference)]
    notes = [f"Left out: {without_home(one)}" for one in comparison.notes]
    if comparison.interrupted:
        notes.insert(0, "The comparison was interrupted: rounds are missing.")
    view = View(
        tuple(ran),
        (
            ("Python", f"{python.python} {'with' if python.gil else 'without'} the GIL"),
            ("processor", machine.model),
            ("cores", f"{machine.usable_cores} usable of {machine.cores}"),
            ("kernel", machine.kernel),
        ),
        tuple(notes),
        f"concurtrace show {comparison.run}",
    )
    return Section("compared", "What was compared", view=view)
