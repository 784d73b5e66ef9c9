"""The question that every task asks, and what is recorded of its answer or its exception."""

import random
import re
import time
import traceback

from concurtrace.workload import Record, Work

NAME = "checker"


class FarError(ValueError):
    """An exception whose `args` are not what its `__init__` takes: pickle makes it from `args`."""

    def __init__(self, value: object, reason: str) -> None:
        super().__init__(f"{reason}: {value}")


def value_of(work: Work, index: int) -> int | str:
    """Return what a task is given: mostly a number, sometimes a word or one below zero."""
    number = random.Random(f"{work.seed}:{index}").randrange(1_000_000)
    if index % 7 == 3:
        return f"word-{number}"
    return -number - 1 if index % 11 == 5 else number


def is_even(value: int | str) -> bool:
    """Tell whether it is even; TypeError for no number, ValueError for one below zero."""
    if not isinstance(value, int):
        raise TypeError(f"no number: {value}")
    if value < 0:
        raise ValueError(f"below zero: {value}")
    return value % 2 == 0


def check(work: Work, index: int) -> str:
    """Wait and answer: what each task does."""
    time.sleep(work.number("task-ms") / 1000)
    return answer(work, index)


def answer(work: Work, index: int) -> str:
    """Answer in a word; raise what `is_even` raises."""
    value = value_of(work, index)
    if work.fault == "unpicklable-exception" and not isinstance(value, int):
        raise FarError(value, "no number")
    try:
        return "even" if is_even(value) else "odd"
    except (TypeError, ValueError):
        if work.fault == "swallowed":
            return ""
        raise


def good(index: int, word: str) -> Record:
    """Record an answer."""
    return (index, word, "", "")


def bad(index: int, error: BaseException) -> Record:
    """Record an exception with the function that raised it."""
    return (index, type(error).__name__, str(error), raised_in(error))


def raised_in(error: BaseException) -> str:
    """Return the innermost function of a traceback, or of its text if it is from a process."""
    if error.__cause__ is not None:
        return last_function(str(error.__cause__))
    return traceback.extract_tb(error.__traceback__)[-1].name


def last_function(text: str) -> str:
    """Return the innermost function of the text of a traceback."""
    return str(re.findall(r"^  File .+, in (\w+)$", text, re.MULTILINE)[-1])


def share(work: Work, part: int) -> range:
    """Return the tasks of a worker."""
    return range(part, work.size, work.workers)
