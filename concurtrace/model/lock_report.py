"""In which order locks were taken."""

from dataclasses import dataclass


@dataclass(frozen=True)
class LockStep:
    """A lock was taken, or waited for, while another was held: rows of the trace's objects.

    A lock that processes share has one row here. ``where`` is the place, "" if it is not known;
    ``threads`` did so, perhaps more where ``many`` is true. ``circle`` says that the step is part
    of a circle of orders in which threads can wait for each other for ever.
    """

    held: int
    taken: int
    where: str
    threads: int
    many: bool
    circle: bool
