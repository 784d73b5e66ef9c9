"""Downloads: a number of files from one server, one after the other or several at a time.

The server is on this machine, in a process of its own, and takes some time before it sends a file
(`latency-ms`), as one far away would. What is checked is what lies on the disk in the end.

What it shows: a download is waiting, which costs nothing, and a little work. One at a time the
waits add up; threads, greenlets and coroutines wait for several at once, as many as there are
workers. Processes do so too, and have to be started, for which they get nothing in return.

What to look for in the report: in `sequential` nearly all the time goes by in waits for the
network. In `threads` each thread has about its share of those waits, all at the same time, and
twice as many workers take half as long, until the server or the one core behind the GIL is busy.

The faults: `blocking-in-async` calls a function that blocks in a coroutine, so that all others
wait with it. `no-timeout` waits for a server that hangs, with no limit. `thread-per-file` starts a
thread for each file (`--size 1000`), most of which wait for their turn.
"""

import asyncio
import hashlib
import queue
import shutil
import tempfile
import threading
import urllib.request
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Variant,
    Work,
    Workload,
)

from ._models import GEVENT, Job, run_processes, run_threads

if TYPE_CHECKING:
    import aiohttp
    from twisted.internet.defer import DeferredSemaphore

    from ._agent import Client

TIMEOUT_S = 60.0
"""How long a client waits for the server before it gives up."""
STALL = "/-/stall"
"""Where the server never answers."""

WORKLOAD = Workload(
    lessons=("A1", "A3", "A40", "B2"),
    default_mode="threads",
    parameters=(
        Parameter("size", 50, "files", 1, 100_000, presets={"tiny": 6, "large": 400}),
        Parameter("workers", 8, "downloads under way at once", 1, 1000, presets={"tiny": 2}),
        Parameter("file-kb", 200, "size of a file", 1, 100_000, presets={"tiny": 5}),
        Parameter(
            "latency-ms",
            20,
            "how long the server waits before it answers, and up to half as long again",
            0,
            10_000,
            presets={"tiny": 1},
        ),
        START_METHOD,
    ),
    variants=(
        Variant("function", "workers that run a function"),
        Variant("class", "threads of a class of their own", modes=("threads",)),
    ),
    faults=(
        Fault(
            "blocking-in-async",
            "coroutines call a function that blocks: one download at a time after all",
            FaultOutcome.COST,
            modes=("async",),
        ),
        Fault(
            "no-timeout",
            "the server hangs at one file, and its worker has no limit to its patience",
            FaultOutcome.HANG,
            modes=("sequential", "threads", "executor"),
            variant="function",
        ),
        Fault(
            "thread-per-file",
            "a thread for each file instead of one for each worker",
            FaultOutcome.COST,
            modes=("threads",),
            variant="function",
        ),
    ),
    expects={
        "sequential": ("unoverlapped-io",),
        "executor": ("small-pool",),
        "processes": ("spawn-cost",),
    },
)


def site_of(work: Work) -> Work:
    """Say what the site is made of: images, of noise."""
    from ._site import parameters

    return Work(
        parameters(
            work,
            images=work.size,
            image_kb=work.number("file-kb"),
            latency_ms=work.number("latency-ms"),
        )
    )


@WORKLOAD.service
def server(work: Work) -> Iterator[Mapping[str, str]]:
    """Serve the files while they are downloaded, and remove what came of it, even of a hang."""
    from ._site import served

    with (
        served(site_of(work)) as address,
        tempfile.TemporaryDirectory(prefix="concurtrace-downloads-") as folder,
    ):
        yield {"site": address, "folder": folder}


def name_of(index: int) -> str:
    """Return the name of a file."""
    return f"{index}.png"


class Folder:
    """Where the files go; it is removed when they have been read again."""

    def __init__(self, work: Work) -> None:
        self.site = work.services["site"]
        self.names = [name_of(index) for index in range(work.size)]
        self.timeout_s: float | None = TIMEOUT_S
        # With the fault, one of the files is where the server hangs, and nobody has a watch.
        self.stalled = self.names[-1] if work.fault == "no-timeout" else None
        if self.stalled:
            self.timeout_s = None
        self.path = Path(tempfile.mkdtemp(dir=work.services["folder"]))

    def url(self, name: str) -> str:
        """Return where a file is."""
        return self.site + (STALL if name == self.stalled else f"/image/{name}")

    def save(self, name: str, body: bytes) -> None:
        """Write a file."""
        (self.path / name).write_bytes(body)

    def records(self) -> list[Record]:
        """Read what is there: name, length and SHA-256 of each file."""
        return [record(file.name, file.read_bytes()) for file in self.path.iterdir()]


def record(name: str, body: bytes) -> Record:
    """Return what is checked of a file."""
    return (name, len(body), hashlib.sha256(body).hexdigest())


@contextmanager
def folder_for(work: Work) -> Iterator[Folder]:
    """Give a folder to a block."""
    folder = Folder(work)
    try:
        yield folder
    finally:
        shutil.rmtree(folder.path)


def download(folder: Folder, name: str) -> None:
    """Download a file, and block until it is there."""
    # A proxy from the environment would stand between us and the server on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(folder.url(name), timeout=folder.timeout_s) as answer:
        folder.save(name, answer.read())


def download_all(folder: Folder, names: Sequence[str]) -> None:
    """Download some files, one after the other."""
    for name in names:
        download(folder, name)


@WORKLOAD.mode(imports=("urllib.request",))
def sequential(work: Work) -> Result:
    """One file after the other."""
    with folder_for(work) as folder:
        download_all(folder, folder.names)
        return Result(folder.records())


@WORKLOAD.mode(imports=("urllib.request",))
def threads(work: Work) -> Result:
    """Threads that take names from a queue until there is none left."""
    with folder_for(work) as folder:
        if work.fault == "thread-per-file":
            run_threads([(download, (folder, name)) for name in folder.names], "downloader")
        else:
            todo: queue.SimpleQueue[str] = queue.SimpleQueue()
            for name in folder.names:
                todo.put(name)
            run_crew[work.variant](folder, todo, work.workers)
        return Result(folder.records())


def download_from(folder: Folder, todo: "queue.SimpleQueue[str]") -> None:
    """Download what is in a queue."""
    with suppress(queue.Empty):
        while True:
            download(folder, todo.get_nowait())


def run_functions(folder: Folder, todo: "queue.SimpleQueue[str]", workers: int) -> None:
    """Start threads that run a function."""
    jobs: list[Job] = [(download_from, (folder, todo))] * workers
    run_threads(jobs, "downloader")


class Downloader(threading.Thread):
    """A thread that knows what it has to do: made by subclassing."""

    def __init__(self, folder: Folder, todo: "queue.SimpleQueue[str]", number: int) -> None:
        super().__init__(name=f"downloader-{number}")
        self.folder = folder
        self.todo = todo
        self.error: Exception | None = None

    def run(self) -> None:
        """Do it; called by ``start()`` in the new thread."""
        try:
            download_from(self.folder, self.todo)
        except Exception as error:  # whoever waits for this thread raises it
            self.error = error


def run_downloaders(folder: Folder, todo: "queue.SimpleQueue[str]", workers: int) -> None:
    """Start threads of the class, wait for them, and raise what one of them raised."""
    crew = [Downloader(folder, todo, number) for number in range(1, workers + 1)]
    for downloader in crew:
        downloader.start()
    for downloader in crew:
        downloader.join()
    for downloader in crew:
        if downloader.error is not None:
            raise downloader.error


run_crew: dict[str, Callable[[Folder, "queue.SimpleQueue[str]", int], None]] = {
    "function": run_functions,
    "class": run_downloaders,
}


@WORKLOAD.mode(imports=("urllib.request", "concurrent.futures.thread"))
def executor(work: Work) -> Result:
    """A pool of threads to which the names are mapped."""
    with folder_for(work) as folder:
        with ThreadPoolExecutor(work.workers, thread_name_prefix="downloader") as pool:
            # Asking for the results raises what went wrong in one of the threads.
            list(pool.map(partial(download, folder), folder.names))
        return Result(folder.records())


@WORKLOAD.mode(imports=("urllib.request", "multiprocessing"))
def processes(work: Work) -> Result:
    """Processes, each with its share of the names."""
    with folder_for(work) as folder:
        shares = [folder.names[start :: work.workers] for start in range(work.workers)]
        run_processes([(download_all, (folder, share)) for share in shares], "downloader")
        return Result(folder.records())


@WORKLOAD.mode(imports=("aiohttp",))
def async_(work: Work) -> Result:
    """A task for each file, and a client that opens so many connections at once."""
    with folder_for(work) as folder:
        asyncio.run(download_together(work, folder))
        return Result(folder.records())


async def download_together(work: Work, folder: Folder) -> None:
    """Start the tasks and wait for all of them."""
    import aiohttp

    async with (
        aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=work.workers),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_S),
        ) as session,
        asyncio.TaskGroup() as tasks,
    ):
        for name in folder.names:
            if work.fault == "blocking-in-async":
                tasks.create_task(download_blocking(folder, name), name=name)
            else:
                tasks.create_task(download_async(session, folder, name), name=name)


async def download_async(session: "aiohttp.ClientSession", folder: Folder, name: str) -> None:
    """Download a file; let others go on meanwhile."""
    async with session.get(folder.url(name), raise_for_status=True) as answer:
        folder.save(name, await answer.read())


async def download_blocking(folder: Folder, name: str) -> None:
    """Look like a coroutine, await nothing, and let nobody else go on."""
    download(folder, name)


@WORKLOAD.mode(imports=("gevent", "urllib.request"), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """A pool of greenlets, whose sockets let the others run."""
    from gevent.pool import Pool

    with folder_for(work) as folder:
        Pool(work.workers).map(partial(download, folder), folder.names)
        return Result(folder.records())


@WORKLOAD.mode(imports=("twisted", f"{__package__}._agent"), extra="twisted")
def twisted(work: Work) -> Result:
    """A Deferred for each file, and a semaphore that lets so many go at once."""
    from ._reactor import run

    with folder_for(work) as folder:
        run(partial(download_deferred, work, folder))
        return Result(folder.records())


async def download_deferred(work: Work, folder: Folder) -> None:
    """Ask for all files and wait until they are there, or one of them failed."""
    from twisted.internet.defer import Deferred, DeferredSemaphore, FirstError, gatherResults

    from ._agent import Client

    client = Client(work.workers)
    limit = DeferredSemaphore(work.workers)
    downloads = [
        Deferred.fromCoroutine(download_with(client, limit, folder, name)) for name in folder.names
    ]
    try:
        await gatherResults(downloads, consumeErrors=True)
    except FirstError as failure:
        failure.subFailure.raiseException()
    finally:
        for one in downloads:
            one.cancel()
        await client.close()


async def download_with(
    client: "Client", limit: "DeferredSemaphore", folder: Folder, name: str
) -> None:
    """Download a file when it is its turn."""
    async with limit:
        _, _, body = await client.get(folder.url(name), TIMEOUT_S)
    folder.save(name, body)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Take the files from the site's specification, without a request."""
    from ._site.specification import Site

    site = Site(site_of(work))
    found = (site.resource(f"/image/{name_of(index)}") for index in range(work.size))
    return Result(
        [record(one.path.rpartition("/")[2], one.body) for one in found if one is not None]
    )
