"""Where contended locks are taken: counted exactly once threads have waited for one often."""

from __future__ import annotations

from .conftest import Bench

START = """
import os, sys, threading
lock, turn = threading.Lock(), threading.Barrier(2)
threading.Lock()
FROM = 16   # waits from which on places are told

def waits(times):
    for _ in range(times):
        turn.wait()   # the lock is held
        lock.acquire()
        lock.release()
        turn.wait()

def asleep(thread):
    with open(f"/proc/self/task/{thread.native_id}/stat") as stat:
        return stat.read().rpartition(")")[2].split()[0] == "S"

def holds(times):
    other = threading.Thread(target=waits, args=(times,))
    other.start()
    for _ in range(times):
        lock.acquire()
        turn.wait()
        while not (asleep(other) and sys._current_frames()[other.ident].f_code.co_name == "waits"):
            pass
        lock.release()
        turn.wait()
    other.join()
"""


def test_each_place_is_told_with_how_often_one_had_to_wait_there(bench: Bench) -> None:
    code = f"""{START}
holds(FROM + 10)
for _ in range(1000):
    with lock: pass
"""
    root = bench.record(code).root()
    places = {
        root.stack(one.stack)[0].function: (one.acquisitions, one.contended) for one in root.sites
    }
    # The wait at which it was decided to look counts too, the hold before it does not.
    assert places == {"waits": (11, 11), "holds": (10, 0), "<module>": (1000, 0)}
    assert {one.object for one in root.sites} == {
        number for number, one in root.objects.items() if one.contended == 26
    }


def test_a_lock_that_few_waited_for_has_no_places(bench: Bench) -> None:
    code = f"{START}\nholds(FROM - 1)\nfor _ in range(1000):\n    with lock: pass\n"
    assert bench.record(code).root().sites == []


def test_a_forked_child_begins_anew(bench: Bench) -> None:
    code = f"""{START}
holds(FROM)
pid = os.fork()
if not pid:
    for _ in range(100):
        with lock: pass
    os._exit(0)
os.waitpid(pid, 0)
"""
    recording = bench.record(code)
    assert sorted(len(one.sites) for one in recording.processes) == [0, 1]


def test_a_lock_that_processes_share_is_told_as_soon_as_it_is_taken(bench: Bench) -> None:
    code = """
import multiprocessing
def take(lock):
    for _ in range(7):
        with lock: pass
if __name__ == "__main__":
    lock = multiprocessing.Lock()
    child = multiprocessing.get_context("fork").Process(target=take, args=(lock,))
    child.start()
    child.join()
"""
    child = next(one for one in bench.record(code).processes if one.start_method == "fork")
    (told,) = [one for one in child.objects.values() if one.kind == 4]
    assert (told.acquisitions, told.contended) == (7, 0)
