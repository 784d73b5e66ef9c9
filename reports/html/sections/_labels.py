"""How processes and threads are called in every section."""

from concurtrace.model.recording import ProcessKey

from ..._text import shorten

_LIMIT = 60


def process_label(process: ProcessKey) -> str:
    """Name a process with its pid."""
    return f"{shorten(process.name, _LIMIT)} ({process.pid})"


def thread_label(process: ProcessKey, thread: str) -> str:
    """Name a thread with its process."""
    return f"{process_label(process)} > {shorten(thread, _LIMIT)}"
