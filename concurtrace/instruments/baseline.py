"""Wall and CPU time of the undisturbed target: what all other passes are compared with."""

from concurtrace.instruments import Instrument


class Baseline(Instrument):
    """Watch nothing; the launcher times every execution anyway."""

    name = "baseline"
    summary = "wall and CPU time without any instrument, repeated"
    repeats = True


INSTRUMENT = Baseline()
