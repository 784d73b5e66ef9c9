"""Input and output: what was waited on, and who wrote."""

from __future__ import annotations

import pytest

from .conftest import Bench
from .recording import Recording, Span

PIPE, UNIX, TCP, LISTEN, EPOLL = 17, 18, 19, 21, 22

TALK = """
import os, selectors, socket, threading, time

def pipe():
    r, w = os.pipe()
    return (lambda: os.read(r, 1)), (lambda: os.write(w, b"x"))

def pair():
    a, b = socket.socketpair()
    return (lambda: a.recv(1)), (lambda: b.send(b"x"))

def tcp():
    with socket.create_server(("127.0.0.1", 0)) as server:
        b = socket.create_connection(server.getsockname())
        a, _ = server.accept()
    return (lambda: a.recv(1)), (lambda: b.send(b"x"))

def accept():
    server = socket.create_server(("127.0.0.1", 0))
    return server.accept, lambda: socket.create_connection(server.getsockname())

def unix():
    name = os.path.join(os.environ["CONCURTRACE_STATES_DIR"], "..", "socket")
    server = socket.socket(socket.AF_UNIX)
    server.bind(name)
    server.listen()
    b = socket.socket(socket.AF_UNIX)
    b.connect(name)
    a, _ = server.accept()
    return (lambda: a.recv(1)), (lambda: b.send(b"x"))

def epoll():
    a, b = socket.socketpair()
    selector = selectors.EpollSelector()
    selector.register(a, selectors.EVENT_READ)
    return selector.select, (lambda: b.send(b"x"))

def poll():
    a, b = socket.socketpair()
    selector = selectors.PollSelector()
    selector.register(a, selectors.EVENT_READ)
    return selector.select, (lambda: b.send(b"x"))

def select():
    a, b = socket.socketpair()
    selector = selectors.SelectSelector()
    selector.register(a, selectors.EVENT_READ)
    return selector.select, (lambda: b.send(b"x"))

read, write = globals()[os.environ["KIND"]]()
go = threading.Event()

def reader():
    go.set()
    read()

def writer():
    go.wait()
    time.sleep(0.02)
    write()

threads = [threading.Thread(target=f, name=f.__name__) for f in (reader, writer)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
"""


def longest_io(recording: Recording, name: str) -> Span:
    return max(recording.root().thread(name).of("IO_WAIT"), key=lambda span: span.dur_ns)


@pytest.mark.parametrize(
    ("kind", "reason", "thing"),
    [
        ("pipe", "ipc", PIPE),
        ("pair", "ipc", UNIX),
        ("unix", "ipc", UNIX),
        ("tcp", "net", TCP),
        ("accept", "net", LISTEN),
        ("epoll", "poll", UNIX),
        ("poll", "poll", UNIX),
        ("select", "poll", UNIX),
    ],
)
def test_a_wait_names_the_thing_and_the_writer(
    bench: Bench, kind: str, reason: str, thing: int
) -> None:
    recording = bench.record(TALK, KIND=kind)
    wait = longest_io(recording, "reader")
    root = recording.root()
    assert (wait.reason, root.objects[wait.object].kind) == (reason, thing)
    assert wait.waker == root.thread("writer").tid
    if thing in (TCP, LISTEN):
        assert root.objects[wait.object].text.startswith("127.0.0.1:")


def test_a_blocked_writer_is_woken_by_its_reader(bench: Bench) -> None:
    recording = bench.record(
        """
        import fcntl, os, threading, time

        r, w = os.pipe()
        os.write(w, b"x")
        os.read(r, 1)
        size = fcntl.fcntl(w, fcntl.F_SETPIPE_SZ, 4096)
        os.write(w, b"x" * size)

        def drain():
            time.sleep(0.02)
            os.read(r, size)

        thread = threading.Thread(target=drain, name="drain")
        thread.start()
        os.write(w, b"y" * size)
        thread.join()
        """
    )
    wait = longest_io(recording, "MainThread")
    assert wait.flags & 128
    assert wait.waker == recording.root().thread("drain").tid


def test_the_end_of_a_stream_is_written_by_whoever_closes_it(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, threading, time

        r, w = os.pipe()
        os.write(w, b"x")
        os.read(r, 1)

        def closer():
            time.sleep(0.02)
            os.close(w)

        thread = threading.Thread(target=closer, name="closer")
        thread.start()
        assert os.read(r, 1) == b""
        thread.join()
        """
    )
    assert longest_io(recording, "MainThread").waker == recording.root().thread("closer").tid


def test_a_reused_descriptor_is_looked_at_anew(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, socket, threading, time

        r, w = os.pipe()
        os.write(w, b"x"), os.read(r, 1)
        os.close(r), os.close(w)
        a, b = socket.socketpair()
        assert {a.fileno(), b.fileno()} == {r, w}

        def writer():
            time.sleep(0.02)
            b.send(b"x")

        thread = threading.Thread(target=writer, name="writer")
        thread.start()
        a.recv(1)
        thread.join()
        """
    )
    wait = longest_io(recording, "MainThread")
    assert recording.root().objects[wait.object].kind == UNIX
    assert wait.waker == recording.root().thread("writer").tid


def test_a_writer_in_another_process_is_named(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, time

        r, w = os.pipe()
        pid = os.fork()
        if pid == 0:
            time.sleep(0.02)
            os.write(w, b"x")
            os._exit(0)
        os.read(r, 1)
        os.waitpid(pid, 0)
        """
    )
    (child,) = [p for p in recording.processes if p.start_method == "fork"]
    root = recording.root().thread("MainThread")
    wait = max((s for s in root.of("IO_WAIT") if s.reason == "ipc"), key=lambda s: s.dur_ns)
    assert wait.waker == child.pid


def test_files_sleeps_and_names_are_told(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, time
        name = os.path.join(os.environ["CONCURTRACE_STATES_DIR"], "data.bin")
        with open(name, "wb", buffering=0) as file:
            file.write(b"x" * 100_000)
            os.fsync(file.fileno())
        for _ in range(3):
            time.sleep(0.001)
        """
    )
    root = recording.root()
    main = root.thread("MainThread")
    texts = {root.objects[s.object].text for s in main.of("IO_WAIT") if s.object}
    assert any(text.endswith("/data.bin") for text in texts)
    assert main.states["SLEEP"].count == 3


def test_the_names_of_files_are_changed_in_input_and_output(bench: Bench) -> None:
    recording = bench.record(
        """
        import os, tempfile
        where = tempfile.mkdtemp()
        os.chdir(where)
        def waits():
            os.mkdir("a"); os.rename("a", "b"); os.rmdir("b")
            os.close(os.open("c", os.O_CREAT | os.O_WRONLY)); os.link("c", "d"); os.truncate("c", 9)
            os.unlink("c"); os.unlink("d"); os.rmdir(where)
        waits()
        """
    )
    root = recording.root()
    waits = root.thread("MainThread").of("IO_WAIT")
    tops = [root.stack(span.stack)[0] for span in waits if span.stack]
    lines = [frame.line for frame in tops if frame.function == "waits"]
    first = min(lines)
    assert [lines.count(first + number) for number in range(3)] == [3, 4, 3]
