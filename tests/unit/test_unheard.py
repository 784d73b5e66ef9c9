"""Which exceptions count as lost: those of results that are thrown away unasked, and of threads."""

import contextlib
import gc
import threading
from concurrent.futures import Future
from multiprocessing.pool import ApplyResult
from types import ModuleType, SimpleNamespace
from typing import Any, cast

import pytest

from concurtrace.launch.unheard import Unheard


class Notes:
    """An agent's notes, and futures whose class alone is watched."""

    def __init__(self) -> None:
        self.entries: list[dict[str, Any]] = []
        self.unheard = Unheard(lambda **entry: self.entries.append(entry))
        self.future = type("Watched", (Future,), {})
        self.unheard.watch(_module("concurrent.futures._base", Future=self.future))

    def failed(self, error: BaseException) -> Any:
        future = self.future()
        future.set_exception(error)
        return future

    def texts(self) -> list[str]:
        return [one["text"] for one in self.entries if "text" in one]

    def counts(self) -> list[tuple[int, int]]:
        self.unheard.tell()
        return [(e["lost_count"], e["heard_count"]) for e in self.entries if "lost_count" in e]


def _module(name: str, **names: object) -> ModuleType:
    return cast("ModuleType", SimpleNamespace(__name__=name, **names))


@pytest.fixture
def notes() -> Notes:
    return Notes()


def test_a_result_thrown_away_unasked_is_lost_and_told_once(notes: Notes) -> None:
    for number in range(3):
        notes.failed(ValueError(f"row {number}"))
    gc.collect()
    assert notes.texts() == ["ValueError: row 0"]
    assert notes.counts() == [(3, 0)]


@pytest.mark.parametrize("ask", ["result", "exception", "__repr__"])
def test_a_result_that_was_asked_for_is_not_lost(notes: Notes, ask: str) -> None:
    future = notes.failed(ValueError("x"))
    with contextlib.suppress(ValueError):
        getattr(future, ask)()
    del future
    gc.collect()
    notes.unheard.tell()
    assert notes.entries == []


def test_a_result_still_held_at_the_end_is_lost_then(notes: Notes) -> None:
    kept, asked = notes.failed(KeyError("k")), notes.failed(KeyError("k"))
    assert asked.exception() is not None
    assert notes.texts() == []
    assert notes.counts() == [(1, 1)]
    assert notes.texts() == ["KeyError: 'k'"]
    assert kept.done()


def test_a_child_forgets_what_its_parent_kept(notes: Notes) -> None:
    kept = notes.failed(ValueError("parent"))
    notes.unheard.forget()
    del kept
    assert notes.counts() == []


def test_values_and_good_results_are_left_alone(notes: Notes) -> None:
    future = notes.future()
    future.set_result(3)
    assert future.result() == 3
    assert future.exception() is None
    assert vars(future)["_exception"] is None
    notes.unheard.tell()
    assert notes.entries == []


def test_results_of_a_pool_are_followed_too(notes: Notes) -> None:
    watched = type("Watched", (ApplyResult,), {})
    notes.unheard.watch(_module("multiprocessing.pool", ApplyResult=watched))
    pool = SimpleNamespace(_cache={})
    results = []
    for answer in ((True, 3), (False, ValueError("lost")), (False, OSError("asked for"))):
        result = watched(pool, None, None)
        result._set(0, answer)
        results.append(result)
    assert results[0].get() == 3
    with pytest.raises(OSError, match="asked for"):
        results[2].get()
    results.clear()
    gc.collect()
    assert notes.texts() == ["ValueError: lost"]


def test_no_code_of_the_target_is_run_to_write_an_exception(notes: Notes) -> None:
    class OddError(Exception):
        def __str__(self) -> str:
            raise AssertionError("called")

    class Part:
        def __repr__(self) -> str:
            raise AssertionError("called")

    notes.failed(OddError("x"))
    notes.failed(ValueError(Part()))
    assert [one.rpartition(".")[2] for one in notes.texts()] == ["OddError", "ValueError"]


def test_the_frames_lead_to_where_it_was_raised(notes: Notes) -> None:
    try:
        int("x")
    except ValueError as error:
        notes.failed(error)
    ((frame,),) = [one["frames"] for one in notes.entries]
    assert frame[0] == __file__
    assert frame[3] == test_the_frames_lead_to_where_it_was_raised.__name__


@pytest.mark.parametrize(
    ("error", "hook", "lost"),
    [
        (ValueError("x"), threading.__excepthook__, ["ValueError: x"]),
        (SystemExit(1), threading.__excepthook__, []),
        (ValueError("x"), print, []),
    ],
)
def test_a_thread_is_lost_with_its_exception_where_nobody_looks(
    notes: Notes, error: BaseException, hook: object, lost: list[str]
) -> None:
    module = _module("threading", excepthook=hook, __excepthook__=threading.__excepthook__)
    try:
        raise error
    except (ValueError, SystemExit):
        notes.unheard.ended_thread(SimpleNamespace(_name="loader"), module)
    assert notes.texts() == lost
