"""What the rules about unequal work share: how much each worker of a crew computed."""

from dataclasses import dataclass

import numpy as np

from concurtrace.analysis.crew import Crew
from concurtrace.diagnosis.case import Case
from concurtrace.model.spans import Times

LEAST_SHARE = 0.1
"""Share of the run that the mean worker computes: below, the load is not computing."""
LEAST_HAD = 0.05
"""Share of the wanted time on a core that was had, at least: below, nothing can be said of work."""


@dataclass(frozen=True, eq=False)
class Balance:
    """CPU time of each worker; ``gain_ns`` is what equal shares would save of the run."""

    loads_ns: Times
    gain_ns: int

    @property
    def mean_ns(self) -> float:
        """The mean worker's CPU time."""
        return float(self.loads_ns.mean())

    @property
    def most_ns(self) -> int:
        """The CPU time of the worker that had most to do."""
        return int(self.loads_ns.max())

    @property
    def share(self) -> float:
        """Mean by greatest load: POP's load balance."""
        return self.mean_ns / self.most_ns


def balance_of(case: Case, crew: Crew) -> Balance | None:
    """Compare the loads of a crew; None where computing is not what its members do."""
    loads = np.array([case.cpu_of(one) for one in crew.threads], np.int64)
    # A second of CPU time took longer where other programs had the cores too.
    stretched = 1 / max(case.availability, LEAST_HAD)
    mean = float(loads.mean())
    if mean * stretched < LEAST_SHARE * case.wall_ns:
        return None
    return Balance(loads, round(min((int(loads.max()) - mean) * stretched, case.wall_ns)))
