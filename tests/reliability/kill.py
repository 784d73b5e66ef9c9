"""Kill the workers of running pools at random moments; nothing finished may be lost.

``python -m tests.reliability.kill [KILLS] [SEED]``, run by ``nox -s kill``. Each worker writes the
number of its sleeps that have ended into a ledger of its own, after each of them; the recording
must hold at least as many, and every file must be sound.
"""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path

from tests.native.recording import problems, read

WORKERS = 4
ROUND = 10
"""Kills in one run of the pool."""

POOL = """
import multiprocessing, os, sys, time

def work(_number):
    name = os.path.join(sys.argv[1], str(os.getpid()))
    ledger = os.open(name, os.O_WRONLY | os.O_CREAT)
    count = int(open(name).read() or 0)
    for _ in range(20):
        time.sleep(0.0005)
        count += 1
        os.pwrite(ledger, b"%08d" % count, 0)
    os.close(ledger)

if __name__ == "__main__":
    with multiprocessing.Pool(int(sys.argv[2])) as pool:
        print("ready", flush=True)
        pool.map_async(work, range(10_000_000), chunksize=1).wait(600)
"""


def main(kills: int, seed: int) -> int:
    """Kill that often; return how many losses and unsound files were found."""
    chance = random.Random(seed)
    wrong = killed = spans = 0
    while killed < kills:
        with tempfile.TemporaryDirectory() as name:
            folder = Path(name)
            killed += _round(folder, chance, min(ROUND, kills - killed))
            found = _check(folder)
            spans += _stored(folder)
        for line in found:
            print(line)
        wrong += len(found)
    print(f"{killed} processes killed, {spans} spans on file, {wrong} losses or unsound files")
    return wrong


def _round(folder: Path, chance: random.Random, kills: int) -> int:
    ledgers, states = folder / "ledgers", folder / "states"
    ledgers.mkdir()
    states.mkdir()
    program = folder / "pool.py"
    program.write_text(POOL, encoding="utf-8")
    environment = {**os.environ, **_recorder(states, chance)}
    pool = subprocess.Popen(
        [sys.executable, str(program), str(ledgers), str(WORKERS)],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,  # workers complain when their pool is killed
        text=True,
        process_group=0,
    )
    assert pool.stdout is not None
    pool.stdout.readline()
    for _ in range(kills):
        time.sleep(chance.random() * 0.1)
        workers = [int(path.name) for path in ledgers.iterdir()]
        alive = [pid for pid in workers if Path(f"/proc/{pid}").exists()]
        if alive:
            os.kill(chance.choice(alive), signal.SIGKILL)
    os.killpg(pool.pid, signal.SIGKILL)
    pool.wait()
    # Only a reader of what nobody writes any more can compare two files.
    while any(Path(f"/proc/{path.name}/exe").exists() for path in ledgers.iterdir()):
        time.sleep(0.01)
    return kills


def _recorder(states: Path, chance: random.Random) -> Mapping[str, str]:
    spec = find_spec("concurtrace._recorder")
    assert spec is not None
    assert spec.origin is not None
    return {
        "LD_PRELOAD": spec.origin,
        "CONCURTRACE_STATES_DIR": str(states),
        "CONCURTRACE_MIN_SPAN_NS": chance.choice(("0", "1000", "1000000")),
        "CONCURTRACE_MAX_BYTES": chance.choice(("268435456", "4194304")),
    }


def _check(folder: Path) -> list[str]:
    found = []
    sleeps: dict[int, int] = {}
    for process in read(folder / "states").processes:
        faults = problems(process, killed=process.status == "alive")
        found += [f"{process.path.name}: {fault}" for fault in faults]
        total = sum(thread.states["SLEEP"].count for thread in process.threads)
        sleeps[process.pid] = sleeps.get(process.pid, 0) + total
    for path in (folder / "ledgers").iterdir():
        told = int(path.read_bytes() or b"0")
        if sleeps.get(int(path.name), 0) < told:
            found.append(
                f"worker {path.name}: {told} sleeps ended, {sleeps.get(int(path.name))} recorded"
            )
    return found


def _stored(folder: Path) -> int:
    processes = read(folder / "states").processes
    return sum(thread.span_records for process in processes for thread in process.threads)


if __name__ == "__main__":
    given = [int(argument) for argument in sys.argv[1:]]
    sys.exit(1 if main(*(given + [200, 1][len(given) :])) else 0)
