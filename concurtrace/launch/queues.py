"""Show the native recorder the queues of a process as they are made: it reads how long they are.

Putting and getting stay what they are. Queues whose items are in no deque (of priorities, last in
first out, SimpleQueue) do not tell how many items went through them and are left out; of a queue of
multiprocessing it is what is still to be sent.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from types import ModuleType
    from typing import Any

_MADE_BY = {
    "queue": ("__init__", "queue"),
    "asyncio.queues": ("__init__", "_queue"),
    "multiprocessing.queues": ("_reset", "_buffer"),
}
"""By module: the method of its ``Queue`` that makes the deque, and the attribute with it."""


def show(module: ModuleType, watch: Callable[[object], None]) -> None:
    """Call ``watch(deque)`` for every ``Queue`` that is made from now on."""
    method, attribute = _MADE_BY[module.__name__]
    queues = vars(module).get("Queue")
    original = vars(queues).get(method) if type(queues) is type else None
    # Another class has its name: gevent puts its own there, and a program may have a queue.py.
    if type(original) is not type(show):
        return

    def make(queue: Any, *args: Any, **kwargs: Any) -> None:
        original(queue, *args, **kwargs)
        # A class derived from it may keep its items elsewhere.
        watch(getattr(queue, attribute, None))

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(make, name, getattr(original, name))
    make.__wrapped__ = original  # type: ignore[attr-defined]
    setattr(queues, method, make)
