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
    original = vars(module.Queue).get(method)
    if type(original) is not type(show):  # another class has its name: gevent puts its own there
        return

    def make(queue: Any, *args: Any, **kwargs: Any) -> None:
        original(queue, *args, **kwargs)
        # A class derived from it may keep its items elsewhere.
        watch(getattr(queue, attribute, None))

    for name in ("__module__", "__name__", "__qualname__", "__doc__"):
        setattr(make, name, getattr(original, name))
    make.__wrapped__ = original  # type: ignore[attr-defined]
    setattr(module.Queue, method, make)
