"""Pages of a mapped file read from the disk one by one, and the file read as a whole.

Where temporary files are kept in memory there is no disk to wait for, and nothing is found.
"""

import mmap
import os
import random
import sys
import tempfile

SIZE = 64 << 20
PAGE = mmap.PAGESIZE


def run(*, mapped: bool) -> None:
    with tempfile.TemporaryFile(dir="/var/tmp") as file:
        for _ in range(SIZE >> 20):
            file.write(os.urandom(1 << 20))
        file.flush()
        os.fsync(file.fileno())
        # As if nobody had used it for a while.
        os.posix_fadvise(file.fileno(), 0, SIZE, os.POSIX_FADV_DONTNEED)
        if not mapped:
            os.pread(file.fileno(), SIZE, 0)
        with mmap.mmap(file.fileno(), SIZE, access=mmap.ACCESS_READ) as pages:
            pages.madvise(mmap.MADV_RANDOM)
            places = list(range(0, SIZE, PAGE))
            random.Random(1).shuffle(places)
            sum(pages[place] for place in places)


def trigger() -> None:
    run(mapped=True)


def healthy() -> None:
    run(mapped=False)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
