"""One process of ``concurtrace bench``: time statements in turn.

Started as ``python -m concurtrace.launch.bench_worker SPEC`` with, as JSON, the ``statements``
(``MODULE:FUNC`` or ``MODULE:EXPRESSION``), the ``loops`` of each (0: find out), ``rounds`` and
``min_ns``; prints, as JSON, loops and the nanoseconds per call, one list per statement.
"""

import gc
import importlib
import json
import sys
from collections.abc import Callable

from concurtrace.timing import Timer

Loop = Callable[[int], int]
"""Calls something so many times, and returns how many nanoseconds that took."""


def prepare(statement: str) -> Loop:
    """Make the loop of a statement; ImportError, AttributeError or SyntaxError if there is none."""
    module_name, _, code = statement.partition(":")
    module = importlib.import_module(module_name)
    if code.endswith(")"):
        compiled = compile(code, statement, "eval")
        names = vars(module)

        def call() -> object:
            return eval(compiled, names)  # noqa: S307 - what the user asked for
    else:
        call = getattr(module, code)

    def loop(count: int) -> int:
        with Timer() as timer:
            for _ in range(count):
                call()
        return timer.elapsed_ns

    return loop


def enough(loop: Loop, min_ns: int) -> int:
    """Find how many calls take long enough to be timed well; the first of them warms up."""
    loop(1)
    count = 1
    while (took_ns := loop(count)) < min_ns:
        count = max(2 * count, min(10 * count, count * min_ns // max(took_ns, 1)))
    return count


def main(spec_text: str) -> None:
    """Time every statement once a round; who is first changes from round to round."""
    spec = json.loads(spec_text)
    loops = [prepare(statement) for statement in spec["statements"]]
    counts = [
        count or enough(loop, spec["min_ns"])
        for loop, count in zip(loops, spec["loops"], strict=True)
    ]
    for loop in loops:
        loop(1)
    gc.collect()
    # A collection in one statement's turn would be the garbage of both.
    gc.disable()
    taken: list[list[float]] = [[] for _ in loops]
    for number in range(spec["rounds"]):
        for which in range(len(loops))[:: -1 if (number + spec["turn"]) % 2 else 1]:
            taken[which].append(loops[which](counts[which]) / counts[which])
    print(json.dumps({"loops": counts, "taken_ns": taken}))


if __name__ == "__main__":
    main(sys.argv[1])
