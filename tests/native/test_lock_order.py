"""The order in which locks are taken: told though nobody waited, and of locks alone."""

from __future__ import annotations

from .conftest import Bench
from .recording import Order, Process

START = """
import queue, threading
a, b, c = threading.Lock(), threading.Lock(), threading.Lock()
threading.Lock()   # so that none of the three is taken right after it was made
"""


def made_at(process: Process, number: int) -> int:
    """Line of the program's own code at which a lock was made."""
    frames = process.stack(process.objects[number].created_stack)
    return next((one.line for one in frames if one.file.endswith("program.py")), 0)


def own(process: Process) -> list[Order]:
    """Orders among locks of the program, which makes them at its third line."""
    return [
        one
        for one in process.orders
        if all(made_at(process, number) == 3 for number in (one.taken, *one.held))
    ]


def test_a_lock_taken_under_another_is_told_once_with_its_place(bench: Bench) -> None:
    code = f"{START}\nfor _ in range(1000):\n    with a:\n        with b: pass\n"
    root = bench.record(code).root()
    (order,) = own(root)
    assert root.objects[order.taken].acquisitions == 1000
    assert order.tids == [root.pid]
    assert len(order.held) == 1
    assert [one.line for one in root.stack(order.stack)] == [8]


def test_all_locks_held_are_told_in_the_order_in_which_they_were_taken(bench: Bench) -> None:
    root = bench.record(f"{START}\nwith a:\n    with b:\n        with c: pass\n").root()
    first, second = own(root)
    assert second.held == [*first.held, first.taken]


def test_each_row_of_held_locks_is_an_order_of_its_own(bench: Bench) -> None:
    code = f"""{START}
a.acquire(); b.acquire()
a.release()
c.acquire()   # under b alone
c.release(); b.release()
with c: pass  # under none
"""
    root = bench.record(code).root()
    first, second = own(root)
    assert (first.held, second.held) == ([first.held[0]], [first.taken])
    assert second.taken not in (first.taken, first.held[0])


def test_all_threads_that_do_so_are_told_up_to_four(bench: Bench) -> None:
    code = f"""{START}
def nest():
    with a:
        with b: pass
for number in range(6):
    thread = threading.Thread(target=nest, name=f"t{{number}}")
    thread.start()
    thread.join()
"""
    root = bench.record(code).root()
    (order,) = own(root)
    assert order.tids == [root.thread(f"t{number}").tid for number in range(4)]


def test_a_lock_that_another_thread_lets_go_of_is_a_signal_and_in_no_order(bench: Bench) -> None:
    code = f"""{START}
def release():
    a.release()
a.acquire()
thread = threading.Thread(target=release)
thread.start()
thread.join()
for _ in range(3):
    with b:
        pass
"""
    assert own(bench.record(code).root()) == []


def test_waiting_for_a_condition_under_a_lock_makes_no_order_each_time(bench: Bench) -> None:
    code = f"""{START}
items = queue.Queue()
def put():
    for _ in range(50):
        asked.acquire()
        items.put(1)
asked = threading.Semaphore(0)
thread = threading.Thread(target=put)
thread.start()
with a:
    for _ in range(50):
        asked.release()
        items.get()
thread.join()
"""
    root = bench.record(code).root()
    under_a = [one for one in root.orders if made_at(root, one.held[0]) == 3]
    # The mutexes of the queue and of the semaphore, but no lock of a single wait.
    assert 0 < len(under_a) <= 4
    assert root.lost_orders == 0


def test_an_attempt_that_never_succeeds_is_told_too(bench: Bench) -> None:
    code = f"""{START}
import os, sys, time
def cross():
    with b:
        both.wait()
        a.acquire()
def stands():
    with open(f"/proc/self/task/{{thread.native_id}}/stat") as stat:
        asleep = stat.read().rpartition(")")[2].split()[0] == "S"
    return asleep and sys._current_frames()[thread.ident].f_code.co_name == "cross"
both = threading.Barrier(2)
thread = threading.Thread(target=cross, name="cross", daemon=True)
thread.start()
with a:
    both.wait()
    while not stands():
        time.sleep(0.001)
    os._exit(0)
"""
    root = bench.record(code).root()
    (order,) = [one for one in own(root) if one.tids == [root.thread("cross").tid]]
    assert root.stack(order.stack)[0].function == "cross"


def test_a_lock_between_processes_has_the_same_key_in_both(bench: Bench) -> None:
    code = """
import multiprocessing
def nest(outer, inner):
    with outer:
        with inner: pass
if __name__ == "__main__":
    one, other = multiprocessing.Lock(), multiprocessing.Lock()
    nest(one, other)
    child = multiprocessing.get_context("fork").Process(target=nest, args=(other, one))
    child.start()
    child.join()
"""
    recording = bench.record(code)
    found = []
    for process in recording.processes:
        for order in process.orders:
            if process.objects[order.taken].kind == 4:
                taken, held = order.taken, order.held[0]
                found.append((process.objects[held].key, process.objects[taken].key))
    assert len(found) == 2
    assert found[0] == found[1][::-1]


def test_a_forked_child_holds_nothing_of_its_parents(bench: Bench) -> None:
    code = f"""{START}
import os
with a:
    pid = os.fork()
    if not pid:
        with b: pass
        os._exit(0)
    os.waitpid(pid, 0)
"""
    outcome = bench.run(code)
    assert outcome.returncode == 0
    assert [own(one) for one in outcome.recording.processes] == [[], []]


def test_more_orders_than_there_is_room_for_are_counted(bench: Bench) -> None:
    code = """
import threading
locks = [threading.Lock() for _ in range(100)]
threading.Lock()
for outer in locks:
    for inner in locks:
        if outer is not inner:
            with outer:
                with inner: pass
"""
    root = bench.record(code).root()
    assert len(root.orders) + root.lost_orders >= 9900
    assert len(root.orders) < 4096
