"""Thumbnails of image files: work that C code does, divided by hand or by a pool.

Every image is opened, decoded and reduced by Pillow, which lets go of the GIL in its C code: so
threads use all cores, without the cost of starting processes. `processes` divides the files among
as many processes as there are workers, by hand and before anything is known of how long each will
take; `pool` and `executor` hand out the next file to whoever is free. The images are made from the
seed before the clock starts, of squares with one colour each: so it is known what a thumbnail has
to look like.

What to look for in the report: cores used by `threads`; what starting processes costs, which needs
about a second of work to be worth it; when each worker was done. The faults: `uneven-split` gives
the first process two thirds of the files, the next two thirds of the rest, and so on;
`pool-per-image` makes a pool for every file; `big-pickle` sends whole images to the workers, where
a name would do; `unpicklable` sends files that are open, which can't be.
"""

import asyncio
import hashlib
import multiprocessing
import random
import tempfile
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from pathlib import Path
from typing import BinaryIO

from concurtrace.workload import (
    START_METHOD,
    Fault,
    FaultOutcome,
    Parameter,
    Record,
    Result,
    Work,
    Workload,
)

from ._models import PROCESSES, THREADS

WORKLOAD = Workload(
    lessons=("B14", "B22", "B23"),
    default_mode="pool",
    parameters=(
        Parameter("size", 80, "images", 1, 100_000, presets={"tiny": 6, "large": 400}),
        Parameter(
            "width",
            1600,
            "of an image in pixels, in tens; three quarters of it is the height",
            40,
            20_000,
            presets={"tiny": 160},
        ),
        Parameter("workers", 4, "threads or processes", 1, 256, presets={"tiny": 2}),
        START_METHOD,
    ),
    faults=(
        Fault(
            "uneven-split",
            "each process gets two thirds of the files that are left",
            FaultOutcome.COST,
            modes=("processes",),
        ),
        Fault("pool-per-image", "a new pool for every file", FaultOutcome.COST, modes=("pool",)),
        Fault(
            "big-pickle",
            "images are sent to the workers, not their names",
            FaultOutcome.COST,
            modes=("pool",),
        ),
        Fault(
            "unpicklable",
            "open files are sent to the workers, not their names",
            FaultOutcome.EXCEPTION,
            modes=("pool",),
        ),
    ),
)

NAME = "reducer"
SCALE = 10
"""How many pixels of an image are one of its thumbnail, in either direction."""
PACKAGES = ("PIL.Image", "PIL.PngImagePlugin")


def measures(work: Work) -> tuple[int, int]:
    """Return the width and height of every thumbnail."""
    width = work.number("width") // SCALE
    return width, width * 3 // 4


def colours(work: Work, index: int) -> bytes:
    """Return the pixels of a thumbnail: those from which its image is made."""
    width, height = measures(work)
    return random.Random(f"{work.seed}:{index}").randbytes(3 * width * height)


def name(index: int) -> str:
    """Return the file name of an image."""
    return f"{index:06d}.png"


@WORKLOAD.service
def images(work: Work) -> Iterator[Mapping[str, str]]:
    """Make the images in a temporary directory."""
    with tempfile.TemporaryDirectory(prefix="thumbnails-") as folder:
        with ThreadPoolExecutor() as painters:
            paths = [Path(folder, name(index)) for index in range(work.size)]
            list(painters.map(paint, [work] * work.size, range(work.size), paths))
        yield {"folder": folder}


def paint(work: Work, index: int, path: Path) -> None:
    """Make one image."""
    from PIL import Image

    width, height = measures(work)
    small = Image.frombytes("RGB", (width, height), colours(work, index))
    large = small.resize((width * SCALE, height * SCALE), Image.Resampling.NEAREST)
    large.save(path, compress_level=1)


def files(work: Work) -> list[str]:
    """List the images, as somebody does who finds them in a folder."""
    return sorted(str(path) for path in Path(work.services["folder"]).iterdir())


def reduce_file(path: str) -> Record:
    """Make the thumbnail of a file."""
    with Path(path).open("rb") as file:
        return reduce_open(file)


def reduce_open(file: BinaryIO) -> Record:
    """Make the thumbnail of an open file."""
    from PIL import Image

    with Image.open(file) as image:
        size = (image.width // SCALE, image.height // SCALE)
        # Of squares with one colour each, the mean (BOX) is that colour.
        image.thumbnail(size, Image.Resampling.BOX)
        return record(Path(file.name).name, *size, image.tobytes())


def reduce_pixels(task: tuple[str, int, int, bytes]) -> Record:
    """Make the thumbnail of an image that was sent."""
    from PIL import Image

    path, width, height, pixels = task
    image = Image.frombytes("RGB", (width, height), pixels)
    image.thumbnail((width // SCALE, height // SCALE), Image.Resampling.BOX)
    return record(Path(path).name, *image.size, image.tobytes())


def record(file: str, width: int, height: int, pixels: bytes) -> Record:
    """Make the record of a thumbnail."""
    return (file, width, height, hashlib.sha256(pixels).hexdigest())


def reduce_files(paths: Iterable[str]) -> list[Record]:
    """Make the thumbnails of some files: what a worker of one's own is given."""
    return [reduce_file(path) for path in paths]


def hand_split(work: Work) -> list[list[str]]:
    """Divide the files among the workers."""
    paths = files(work)
    if work.fault != "uneven-split":
        return [paths[part :: work.workers] for part in range(work.workers)]
    parts = []
    for _ in range(work.workers - 1):
        most = -(-2 * len(paths) // 3)
        parts.append(paths[:most])
        paths = paths[most:]
    return [*parts, paths]


@WORKLOAD.mode(imports=PACKAGES, extra="imaging")
def sequential(work: Work) -> Result:
    """One image after the other."""
    return Result(reduce_files(files(work)))


@WORKLOAD.mode(imports=PACKAGES, extra="imaging")
def threads(work: Work) -> Result:
    """Threads, each with its share of the files."""
    parts = THREADS.run([(reduce_files, (paths,)) for paths in hand_split(work)], NAME)
    return Result([one for part in parts for one in part])


@WORKLOAD.mode(imports=PACKAGES, extra="imaging")
def processes(work: Work) -> Result:
    """Processes, each with its share of the files."""
    parts = PROCESSES.run([(reduce_files, (paths,)) for paths in hand_split(work)], NAME)
    return Result([one for part in parts for one in part], {"most-files": max(map(len, parts))})


@WORKLOAD.mode(imports=("multiprocessing.pool", *PACKAGES), extra="imaging")
def pool(work: Work) -> Result:
    """A pool of processes that take the next file when they are done with one."""
    if work.fault == "pool-per-image":
        return Result([reduce_in_new_pool(work, path) for path in files(work)])
    with multiprocessing.Pool(work.workers) as crew:
        if work.fault == "big-pickle":
            records = list(crew.imap_unordered(reduce_pixels, decoded(work)))
        elif work.fault == "unpicklable":
            with ExitStack() as opened:
                found = [opened.enter_context(Path(path).open("rb")) for path in files(work)]
                records = crew.map(reduce_open, found)
        else:
            records = list(crew.imap_unordered(reduce_file, files(work)))
        crew.close()
        crew.join()
    return Result(records)


def reduce_in_new_pool(work: Work, path: str) -> Record:
    """Start a whole pool for one file, and see it off again."""
    with multiprocessing.Pool(work.workers) as crew:
        made = crew.apply(reduce_file, (path,))
        crew.close()
        crew.join()
    return made


def decoded(work: Work) -> Iterator[tuple[str, int, int, bytes]]:
    """Yield the pixels of every image."""
    from PIL import Image

    for path in files(work):
        with Image.open(path) as image:
            yield path, image.width, image.height, image.tobytes()


@WORKLOAD.mode(imports=("concurrent.futures.thread", *PACKAGES), extra="imaging")
def executor(work: Work) -> Result:
    """A pool of threads that take the next file when they are done with one."""
    with ThreadPoolExecutor(work.workers, NAME) as crew:
        return Result(list(crew.map(reduce_file, files(work))))


@WORKLOAD.mode(imports=("asyncio", *PACKAGES), extra="imaging")
def async_(work: Work) -> Result:
    """A task for each file, whose work is done in a thread, so that the event loop is not held."""
    return Result(asyncio.run(reduce_beside_loop(work)))


async def reduce_beside_loop(work: Work) -> list[Record]:
    """Await all files, as many at a time as there are workers."""
    asyncio.get_running_loop().set_default_executor(ThreadPoolExecutor(work.workers, NAME))
    return await asyncio.gather(*[asyncio.to_thread(reduce_file, path) for path in files(work)])


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Take the colours from which the images were made."""
    return Result(
        [record(name(index), *measures(work), colours(work, index)) for index in range(work.size)]
    )
