"""What only Python knows: its garbage collections, and how long its queues are."""

from __future__ import annotations

from types import ModuleType

from concurtrace.launch.queues import show

from .conftest import Bench

START = """
import gc, os, queue, sys, threading, time
from concurtrace import _runtime
gc.disable()
gc.collect()
"""
KEPT = "kept = [[n] for n in range(300_000)]\n"
SHOWN = """
from concurtrace.launch.queues import show
show(queue, _runtime.watch_queue)

def give_turns(times):
    for _ in range(times):
        time.sleep(0.011)   # longer than what lies between two readings
"""


def test_collections_are_counted_by_generation(bench: Bench) -> None:
    code = f"""{START}
class Node: pass
def cycle():
    node = Node()
    node.itself = node
_runtime.watch_collector()
_runtime.watch_collector()
for generation in (0, 0, 0, 1, 1, 2):
    gc.collect(generation)
for _ in range(50):
    cycle()
gc.collect(0)
_runtime.leave_collector()
gc.collect(1)
assert gc.callbacks == []
"""
    root = bench.record(code).root()
    assert [one.count for one in root.collections] == [4, 2, 1]
    assert 50 <= root.collections[0].freed <= 100
    for one in root.collections:
        assert 0 < one.longest_ns <= one.total_ns


def test_a_long_collection_is_a_span_of_its_own_with_its_place(bench: Bench) -> None:
    code = f"{START}{KEPT}_runtime.watch_collector()\ngc.collect()\n"
    root = bench.record(code).root()
    (span,) = [one for one in root.threads[0].of("RUNNING") if one.reason == "gc"]
    assert 0 <= root.collections[2].longest_ns - span.dur_ns < span.dur_ns
    assert [frame.line for frame in root.stack(span.stack)] == [8]


def test_a_forked_child_counts_its_own(bench: Bench) -> None:
    code = f"""{START}
_runtime.watch_collector()
gc.collect()
pid = os.fork()
if not pid:
    gc.collect()
    gc.collect()
    os._exit(0)
os.waitpid(pid, 0)
"""
    recording = bench.record(code)
    (child,) = [one for one in recording.processes if one.start_method == "fork"]
    assert [recording.root().collections[2].count, child.collections[2].count] == [1, 2]
    assert child.flags & 64


def test_a_child_forked_by_a_finalizer_does_not_count_what_its_parent_began(bench: Bench) -> None:
    code = f"""{START}
class Node:
    def __del__(self): self.found.append(os.fork())
node, found = Node(), []
node.itself, node.found = node, found
del node
_runtime.watch_collector()
gc.collect()
if found == [0]:
    os._exit(0)
os.waitpid(found[0], 0)
"""
    recording = bench.record(code)
    (child,) = [one for one in recording.processes if one.start_method == "fork"]
    assert [one.total_ns for one in child.collections] == [0, 0, 0]
    assert recording.root().collections[2].count == 1


def test_a_finalizer_that_waits_cuts_the_span_and_its_wait_is_not_counted(bench: Bench) -> None:
    code = f"""{START}
class Node:
    def __del__(self): time.sleep(0.2)
node = Node()
node.itself = node
del node
_runtime.watch_collector()
gc.collect()
"""
    root = bench.record(code).root()
    (sleep,) = root.threads[0].of("SLEEP")
    assert root.collections[2].total_ns < sleep.dur_ns
    assert not [one for one in root.threads[0].spans if one.reason == "gc"]


def test_the_length_of_a_queue_is_read_while_it_changes(bench: Bench) -> None:
    code = f"""{START}{SHOWN}
short, long = queue.Queue(), queue.Queue()
short.put(1)
for n in range(100):
    long.put(n)
give_turns(1)
for n in range(30):
    long.get()
give_turns(2)
"""
    root = bench.record(code).root()
    (told,) = root.queues
    assert told.readings[0][1:] == (100, 100)
    assert told.readings[-1][1:] == (70, 130)
    assert [frame.line for frame in root.stack(told.created_stack)][-1] == 14


def test_a_queue_that_is_gone_is_read_no_more_and_makes_room(bench: Bench) -> None:
    code = f"""{START}{SHOWN}
for _ in range(1000):
    queue.Queue()
lifo, priority, simple = queue.LifoQueue(), queue.PriorityQueue(), queue.SimpleQueue()
for n in range(50):
    lifo.put(n); priority.put(n); simple.put(n)
give_turns(2)
last = queue.Queue()
for n in range(40):
    last.put(n)
give_turns(2)
many = [queue.Queue() for _ in range(70)]
"""
    root = bench.record(code).root()
    (told,) = root.queues
    assert told.readings[-1][1] == 40
    assert root.lost_queues == 70 - 63


def test_many_readings_are_thinned_out_evenly(bench: Bench) -> None:
    code = f"""{START}{SHOWN}
many = queue.Queue()
for n in range(40):
    many.put(n)
for n in range(90):
    many.put(n)
    give_turns(1)
"""
    (told,) = bench.record(code).root().queues
    assert 32 <= len(told.readings) <= 64
    assert told.step_ns == 20_000_000
    lengths = [length for _, length, _ in told.readings]
    assert lengths == sorted(lengths)
    assert lengths[0] < 50 < 110 < lengths[-1]


def test_queues_of_other_kinds_are_shown_too(bench: Bench) -> None:
    code = f"""{START}{SHOWN}
import asyncio, multiprocessing.queues
show(asyncio.queues, _runtime.watch_queue)
show(multiprocessing.queues, _runtime.watch_queue)

async def main():
    items = asyncio.Queue()
    for n in range(60):
        items.put_nowait(n)
    await asyncio.sleep(0.02)
    assert await items.get() == 0
asyncio.run(main())

several = multiprocessing.Queue()
for n in range(80):
    several.put(bytes(1 << 16))   # more than the pipe has room for
give_turns(3)
several.cancel_join_thread()
"""
    lengths = [one.readings[0][1] for one in bench.record(code).root().queues]
    assert lengths[0] == 60
    assert 70 < lengths[1] <= 80


def test_a_class_that_another_library_put_in_the_place_of_a_queue_stays_as_it_is() -> None:
    module, watched = ModuleType("queue"), list[object]()
    # As gevent's, whose methods are C's and can't be replaced.
    module.Queue = list  # type: ignore[attr-defined]
    show(module, watched.append)
    assert module.Queue("ab") == ["a", "b"]
    assert watched == []


def test_a_program_may_have_a_module_of_that_name() -> None:
    module = ModuleType("queue")
    show(module, list[object]().append)
    assert not hasattr(module, "Queue")
