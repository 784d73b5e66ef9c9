"""What the tasks do, whoever does them, and what comes out."""

import hashlib
import random
import time
import urllib.request
from dataclasses import dataclass

from concurtrace.workload import Record, Work

from .._site import parameters
from .._site.specification import Site, page_path

TIMEOUT_S = 60.0
SLOW = 10
"""How many times as long the first task of `map` takes."""
CALLBACKS = 2
CANCELLED = "cancelled"


class TaskError(Exception):
    """What a task raises that fails on purpose."""


@dataclass(frozen=True)
class Task:
    """One task: a wait and a number, or a page to fetch."""

    index: int
    seed: int
    wait_s: float
    url: str = ""


def tasks_of(work: Work) -> list[Task]:
    """Make the tasks from the seed."""
    return [_task(work, index) for index in range(work.size)]


def _task(work: Work, index: int) -> Task:
    if work.variant == "urls":
        return Task(index, work.seed, 0, work.services["site"] + page_path(index))
    times = SLOW if work.variant == "map" and index == 0 else 1
    chance = random.Random(f"{work.seed}:{index} waits")
    wait_s = times * work.number("task-ms") * (1 + chance.random() / 2) / 1000
    return Task(index, work.seed, wait_s)


def answer(task: Task) -> Record:
    """Do a task: wait, then give index and number; or fetch a page, and say what it was."""
    if task.url:
        return (task.index, *fetch(task.url))
    time.sleep(task.wait_s)
    return (task.index, number(task.seed, task.index))


def fetch(url: str) -> Record:
    """Ask for a page, and block until it is there: its status, length and SHA-256."""
    # A proxy from the environment would stand between us and the server on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(url, timeout=TIMEOUT_S) as page:
        return told(page.status, page.read())


def told(status: int, body: bytes) -> Record:
    """Say what a page was."""
    return (status, len(body), hashlib.sha256(body).hexdigest())


def number(seed: int, index: int) -> int:
    """Return the number that a task gives."""
    return random.Random(f"{seed}:{index}").getrandbits(32)


def is_cancelled(index: int) -> bool:
    """Tell whether a task is called off in the variant `cancel`."""
    return index % 2 == 1


def fails(index: int) -> bool:
    """Tell whether a stub is filled with an exception."""
    return index % 3 == 2


def said(index: int) -> str:
    """Return the words of that exception."""
    return f"task {index} failed"


def site_of(work: Work) -> Work:
    """Say what the site is made of: a page for each task."""
    return Work(parameters(work, size=work.size, latency_ms=work.number("task-ms")))


def expected_records(work: Work) -> list[Record]:
    """Work out what every mode must give."""
    indexes = range(work.size)
    numbers: list[Record] = [(index, number(work.seed, index)) for index in indexes]
    if work.variant == "urls":
        site = Site(site_of(work))
        found = [site.resource(page_path(index)) for index in indexes]
        return [(at, *told(one.status, one.body)) for at, one in enumerate(found) if one]
    if work.variant == "cancel":
        return [(at, CANCELLED) if is_cancelled(at) else numbers[at] for at in indexes]
    if work.variant == "callback":
        return [(*record, CALLBACKS) for record in numbers]
    if work.variant == "stub":
        return [(at, said(at)) if fails(at) else numbers[at] for at in indexes]
    return numbers
