"""How processes and threads are called in every section."""

from collections import Counter
from collections.abc import Iterable

from concurtrace.model.masking import mask_text
from concurtrace.model.recording import ProcessKey

from ..._text import shorten

_LIMIT = 60


def process_label(process: ProcessKey) -> str:
    """Name a process with its pid."""
    return f"{shorten(mask_text(process.name), _LIMIT)} ({process.pid})"


def thread_labels(threads: Iterable[tuple[ProcessKey, str]]) -> tuple[str, ...]:
    """Name threads, the part that tells them apart first: the thread's name or the process's."""
    threads = list(threads)
    if len({process for process, _ in threads}) == 1:
        return tuple(shorten(thread, _LIMIT) for _, thread in threads)
    alone = Counter(process for process, _ in threads)
    return tuple(
        f"{process_label(process)}, {shorten(thread, _LIMIT)}"
        if alone[process] == 1
        else f"{shorten(thread, _LIMIT)} in {process_label(process)}"
        for process, thread in threads
    )
