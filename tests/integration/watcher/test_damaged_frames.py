"""What is read of a frame may be anything: no address in it leads out of what was copied."""

from concurtrace.recording.watched import read_head

from .bench import Bench

# Its caller, as its frame tells, lies where addresses end. Nothing but the watcher asks for it: the
# loop calls nothing and waits for nothing.
LIES = """
import ctypes, sys
PREVIOUS = 48 if sys.version_info < (3, 12) else 8

def lie():
    inner = ctypes.c_uint64.from_address(id(sys._getframe()) + 24).value
    previous = ctypes.c_uint64.from_address(inner + PREVIOUS)
    true, count = previous.value, 0
    previous.value = 2**64 - 16
    while count < 10_000_000:
        count += 1
    previous.value = true
    return count

print(lie())
"""


def test_a_caller_at_the_end_of_all_addresses_is_not_looked_for(bench: Bench) -> None:
    assert bench.run(LIES) == 10_000_000
    assert int(read_head(bench.out)["samples_torn"]) > 0
