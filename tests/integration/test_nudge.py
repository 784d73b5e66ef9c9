"""A process that was told to end and fell asleep before Python saw it is woken up."""

from pathlib import Path

from tests.recorder import record_script


def test_a_process_told_to_end_is_nudged_until_it_does(tmp_path: Path) -> None:
    # The child takes SIGTERM for nothing, as if it had come just before a blocking call, and ends
    # by the nudge alone. Without one the program would never come to its end.
    recording = record_script(
        tmp_path,
        """
import multiprocessing, os, signal, threading
def child(ready):
    signal.signal(signal.SIGTERM, lambda *_: None)
    signal.signal(signal.SIGURG, lambda *_: os._exit(7))
    ready.set()
    threading.Event().wait()
context = multiprocessing.get_context("fork")
ready = context.Event()
one = context.Process(target=child, args=(ready,))
one.start()
ready.wait()
one.terminate()
one.join()
assert one.exitcode == 7, one.exitcode
""",
        instrument="functions",
    )
    assert recording.functions is not None
    assert recording.functions.losses == ()
