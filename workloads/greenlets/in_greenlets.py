"""Lookups in greenlets. The functions of the standard library are gevent's by now."""

import socket

import gevent
from gevent.monkey import get_original
from gevent.pool import Pool

from concurtrace.workload import Result, Work

from .lookups import Job, exhaust, tcp_socket


class LookUp(gevent.Greenlet):  # type: ignore[misc] # gevent's types are not read
    """A greenlet that looks up one name."""

    def __init__(self, job: Job, wanted: str) -> None:
        super().__init__()
        self.job = job
        self.wanted = wanted

    def _run(self) -> None:
        self.job.look_up(self.wanted)


def plain_socket() -> socket.socket:
    """Make a socket as it would be without monkey patching: the fault ``no-monkey-patch``."""
    plain: socket.socket = get_original("socket", "socket")(socket.AF_INET, socket.SOCK_STREAM)
    return plain


def compute(job: Job) -> None:
    """Compute, and let the others have a turn in between, unless that is the fault."""
    if job.work.fault == "cpu-greenlet":
        exhaust(job.compute())
        return
    for _ in job.compute():
        gevent.sleep(0)


def look_up_all(work: Work) -> Result:
    """Look up all names, and compute at the same time."""
    job = Job(work, plain_socket if work.fault == "no-monkey-patch" else tcp_socket)
    crew = [gevent.spawn(compute, job)]
    if work.variant == "spawn":
        crew += [gevent.spawn(job.look_up, name) for name in job.names()]
    elif work.variant == "class":
        lookups = [LookUp(job, name) for name in job.names()]
        for one in lookups:
            one.start()
        crew += lookups
    else:
        pool = Pool(work.workers)
        # This waits while the pool is full, and the others go on.
        crew += [pool.spawn(job.look_up, name) for name in job.names()]
    gevent.joinall(crew, raise_error=True)
    return job.result()
