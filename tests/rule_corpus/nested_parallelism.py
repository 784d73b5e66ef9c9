"""Workers whose BLAS starts a thread per core each, and workers whose BLAS starts none."""

import os
import sys
from multiprocessing import get_context

CORES = len(os.sched_getaffinity(0))


def multiply(threads: int) -> None:
    os.environ["OPENBLAS_NUM_THREADS"] = str(threads)
    import numpy as np

    matrix = np.ones((500, 500))
    for _ in range(60):
        matrix @ matrix


def run(workers: int, threads: int) -> None:
    processes = [
        get_context("fork").Process(target=multiply, args=(threads,)) for _ in range(workers)
    ]
    for process in processes:
        process.start()
    for process in processes:
        process.join()


def trigger() -> None:
    # So that there are twice as many threads beside the workers as cores.
    run(2 * CORES // (CORES - 1) + 1, CORES)


def healthy() -> None:
    run(CORES, 1)


if __name__ == "__main__":
    {"trigger": trigger, "healthy": healthy}[sys.argv[1]]()
