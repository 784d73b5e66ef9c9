"""Large messages between processes: those sent again are told, whatever stands at their ends."""

from __future__ import annotations

import pytest

from .conftest import Bench

START = """
import os
here, there = os.pipe()
reader = os.fork()
if not reader:
    os.close(there)
    while os.read(here, 1 << 20):
        pass
    os._exit(0)
def send(inner, head=b"h", tail=b"t", size=100_000):
    message = (head * 512)[:512] + (inner * (size // len(inner) + 1))[:size] + (tail * 512)[:512]
    assert os.write(there, message) == len(message)
"""
END = """
os.close(there)
os.waitpid(reader, 0)
"""


def test_a_message_sent_again_is_told_once_and_counted(bench: Bench) -> None:
    code = f"{START}\nfor _ in range(5): send(b'abc')\nsend(b'other')\n{END}"
    root = bench.record(code).root()
    (message,) = root.messages
    assert (message.length, message.count) == (101_024, 5)
    assert [one.function for one in root.stack(message.stack)] == ["send", "<module>"]
    assert root.message_bytes == 6 * 101_024


def test_its_ends_may_differ_its_inside_and_length_may_not(bench: Bench) -> None:
    code = f"""{START}
send(b'abc', head=b'1')
send(b'abc', head=b'2', tail=b'2')
send(b'abc', size=100_001)
send(b'abd')
{END}"""
    (message,) = bench.record(code).root().messages
    assert message.count == 2


def test_what_differs_between_the_samples_is_found_out(bench: Bench) -> None:
    code = f"""{START}
size = 4 << 20
for number in range(3):
    # Samples are 64 bytes long, and here some 16 KiB apart.
    inner = bytearray(size)
    inner[size // 2 + 5000] = number
    send(bytes(inner), size=size)
{END}"""
    (message,) = bench.record(code).root().messages
    assert message.count == 0


@pytest.mark.parametrize("what", ["a short one", "to a file"])
def test_other_writes_are_not_looked_at(bench: Bench, what: str) -> None:
    file = "os.path.join(os.environ['CONCURTRACE_STATES_DIR'], '..', 'file')"
    target = "there" if what == "a short one" else f"os.open({file}, os.O_CREAT | os.O_WRONLY)"
    size = 60_000 if what == "a short one" else 100_000
    code = f"{START}\nto = {target}\nfor _ in range(3): os.write(to, bytes({size}))\n{END}"
    root = bench.record(code).root()
    assert root.messages == []
    assert root.message_bytes == 0


def test_a_forked_child_counts_for_itself(bench: Bench) -> None:
    code = f"""{START}
send(b'abc')
pid = os.fork()
if not pid:
    send(b'abc')
    send(b'abc')
    os._exit(0)
os.waitpid(pid, 0)
{END}"""
    recording = bench.record(code)
    assert sorted(len(one.messages) for one in recording.processes) == [0, 0, 1]
    assert sorted(one.message_bytes for one in recording.processes) == [0, 101_024, 202_048]
