"""What a task awaits: told by the innermost primitive of its await stack, else by who woke it."""

from __future__ import annotations

from functools import cache

import numpy as np
from numpy.typing import NDArray

from concurtrace.analysis.places import is_foreign_file
from concurtrace.model.spans import Numbers, Small, Stacks
from concurtrace.model.tasks import Await, Source, StepFlag
from concurtrace.recording.reasons import standard_module

_BY_MODULE = {
    "asyncio/locks": Await.SYNC,
    "asyncio/queues": Await.QUEUE,
    "asyncio/taskgroups": Await.TASK,
    "asyncio/streams": Await.IO,
    "asyncio/selector_events": Await.IO,
    "asyncio/threads": Await.EXECUTOR,
    "asyncio/base_subprocess": Await.OTHER,
}
_BY_FUNCTION = {
    ("asyncio/tasks", "sleep"): Await.TIMER,
    ("asyncio/tasks", "wait_for"): Await.TASK,
    ("asyncio/tasks", "_wait"): Await.TASK,
    ("asyncio/tasks", "_cancel_and_wait"): Await.TASK,
    ("asyncio/tasks", "as_completed.<locals>._wait_for_one"): Await.TASK,
    ("asyncio/base_events", "BaseEventLoop.getaddrinfo"): Await.EXECUTOR,
    ("asyncio/base_events", "BaseEventLoop.shutdown_default_executor"): Await.EXECUTOR,
    ("asyncio/base_events", "BaseEventLoop._connect_sock"): Await.IO,
    ("asyncio/base_events", "Server.serve_forever"): Await.IO,
}
# Where the code that waits is gevent's or Twisted's own.
_BY_LIBRARY = {
    ("gevent/hub.py", "sleep"): Await.TIMER,
    ("gevent/hub.py", "idle"): Await.TIMER,
    ("gevent/threadpool.py", ""): Await.EXECUTOR,
    ("gevent/_socket3.py", ""): Await.IO,
    ("gevent/_socketcommon.py", ""): Await.IO,
    ("gevent/_ssl3.py", ""): Await.IO,
    ("gevent/ssl.py", ""): Await.IO,
    ("gevent/select.py", ""): Await.IO,
    ("gevent/os.py", ""): Await.IO,
    ("gevent/subprocess.py", ""): Await.OTHER,
    ("gevent/queue.py", ""): Await.QUEUE,
    ("gevent/lock.py", ""): Await.SYNC,
    ("gevent/event.py", ""): Await.SYNC,
    ("gevent/pool.py", "GroupMappingMixin.apply"): Await.EXECUTOR,
    ("gevent/pool.py", "Pool.add"): Await.SYNC,
    ("gevent/pool.py", ""): Await.TASK,
    ("gevent/greenlet.py", ""): Await.TASK,
}
_BY_SOURCE = {
    Source.TASK: Await.SYNC,
    Source.IO: Await.IO,
    Source.TIMER: Await.TIMER,
    Source.THREAD: Await.EXECUTOR,
}
_UNKNOWN = 255


@cache
def _kind_of(file: str, function: str) -> Await | None:
    module = standard_module(file)
    if module is not None:
        return _BY_FUNCTION.get((module, function)) or _BY_MODULE.get(module)
    tail = "/".join(file.rsplit("/", 2)[-2:])
    return _BY_LIBRARY.get((tail, function)) or _BY_LIBRARY.get((tail, ""))


class Awaits:
    """Tells the kind of waits of one trace; each stack is looked up once."""

    def __init__(self, stacks: Stacks) -> None:
        self._stacks = stacks
        self._known = np.full(len(stacks.parent), _UNKNOWN - 1, np.uint8)

    def _by_stack(self, stack: int) -> int:
        """The innermost frames decide, as long as they are none of the user's."""
        for frame in self._stacks.frames(stack):
            kind = _kind_of(frame.function.file, frame.function.name)
            if kind is not None:
                return kind.code
            if not is_foreign_file(frame.function.file):
                break
        return _UNKNOWN

    def kinds(self, stack: Numbers, source: Small, flags: Small) -> Small:
        """Tell the kind of each wait, as a code of ``Await``."""
        for one in np.unique(stack).tolist():
            if self._known[one] == _UNKNOWN - 1:
                self._known[one] = self._by_stack(one)
        found = self._known[stack]
        by_source = np.full(256, Await.OTHER.code, np.uint8)
        for known, kind in _BY_SOURCE.items():
            by_source[known.value] = kind.code
        on_task = (flags & StepFlag.ON_TASK) != 0
        other = np.where(on_task, np.uint8(Await.TASK.code), by_source[source])
        kinds: NDArray[np.uint8] = np.where(found == _UNKNOWN, other, found).astype(np.uint8)
        return kinds

    def kind(self, stack: int, source: Source, flags: int = 0) -> Await:
        """Tell the kind of one wait."""
        found = self.kinds(
            np.array([stack], np.uint32),
            np.array([source.value], np.uint8),
            np.array([flags], np.uint8),
        )
        return tuple(Await)[int(found[0])]
