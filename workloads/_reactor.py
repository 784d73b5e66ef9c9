"""Twisted's reactor, run for one piece of work.

A reactor runs once in the life of a process, and this module uses it up.
"""

from collections.abc import Callable, Coroutine
from typing import Any, TypeVar, cast

Answer = TypeVar("Answer")


def run(main: Callable[[], Coroutine[Any, Any, Answer]]) -> Answer:
    """Run the reactor until a coroutine is done; return what it returns, raise what it raises.

    Twisted takes a Ctrl-C for itself: it cancels the coroutine, and is raised when that is done.
    """
    from twisted.internet import reactor
    from twisted.python.failure import Failure

    task = _Task(main)
    reactor.callWhenRunning(task.start)
    reactor.addSystemEventTrigger("before", "shutdown", task.end)
    reactor.run()
    if task.interrupted:
        raise KeyboardInterrupt
    (answer,) = task.answers
    if isinstance(answer, Failure):
        answer.raiseException()
    return cast("Answer", answer)


class _Task:
    """The coroutine, once the reactor runs."""

    def __init__(self, main: Callable[[], Coroutine[Any, Any, Any]]) -> None:
        self.main = main
        self.answers: list[Any] = []
        self.interrupted = False

    def start(self) -> None:
        """Start the coroutine, which is to stop the reactor when it is done."""
        from twisted.internet.defer import Deferred

        self.done = Deferred.fromCoroutine(self.main())
        self.done.addBoth(self.finish)

    def finish(self, answer: Any) -> None:
        """Keep what came out, a value or a Failure, and stop the reactor."""
        from twisted.internet import reactor

        self.answers.append(answer)
        if not self.interrupted:
            reactor.stop()

    def end(self) -> Any:
        """Cancel the coroutine if it is not done; shutting down waits for what this returns."""
        if self.answers:
            return None
        self.interrupted = True
        self.done.cancel()
        return self.done
