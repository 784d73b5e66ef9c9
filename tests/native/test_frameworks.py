"""Libraries that do the interpreter's work in their own way run unharmed under the recorder."""

from __future__ import annotations

import subprocess
import sys

import pytest

from .conftest import Bench

GEVENT = """
import gevent.monkey; gevent.monkey.patch_all()
import gevent, gevent.pool, queue, socket, subprocess, threading
a, b = socket.socketpair()
got = queue.Queue()
reader = gevent.spawn(lambda: [got.put(a.recv(1)) for _ in range(100)])
gevent.pool.Pool(5).map(lambda n: b.send(bytes([n])), range(100))
reader.join()
def add(lock, total=[0]):
    for _ in range(50):
        with lock:
            total[0] += 1
            gevent.sleep(0)
    return total[0]
lock = threading.Lock()
workers = [gevent.spawn(add, lock) for _ in range(4)]
gevent.joinall(workers)
pool = gevent.get_hub().threadpool
print(sorted(got.get()[0] for _ in range(100)) == list(range(100)), max(w.value for w in workers),
      subprocess.run(["echo", "hi"], capture_output=True).stdout, pool.apply(sum, ([1, 2],)))
"""

UVLOOP = """
import asyncio, uvloop
async def serve(reader, writer):
    while data := await reader.read(4):
        writer.write(data[::-1])
        await writer.drain()
    writer.close()
async def client(port, name):
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(name)
    got = await reader.readexactly(4)
    writer.close()
    await writer.wait_closed()
    return got
async def main():
    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    got = await asyncio.gather(*(client(port, b"%04d" % n) for n in range(50)))
    loop = asyncio.get_running_loop()
    job = await loop.run_in_executor(None, sum, range(100))
    server.close()
    await server.wait_closed()
    print(type(loop).__module__, sorted(got)[:3], len(set(got)), job)
asyncio.run(main()) if uvloop.install() is None else None
"""

TWISTED = """
from twisted.internet import defer, endpoints, protocol, reactor, task, threads
class Echo(protocol.Protocol):
    def dataReceived(self, data):
        self.transport.write(data[::-1])
class Ask(protocol.Protocol):
    def __init__(self, name): self.name, self.answer = name, defer.Deferred()
    def connectionMade(self): self.transport.write(self.name)
    def dataReceived(self, data):
        self.transport.loseConnection()
        self.answer.callback(data)
async def work(reactor):
    server = endpoints.TCP4ServerEndpoint(reactor, 0, interface="127.0.0.1")
    port = await server.listen(protocol.Factory.forProtocol(Echo))
    where = endpoints.TCP4ClientEndpoint(reactor, "127.0.0.1", port.getHost().port)
    asked = [await endpoints.connectProtocol(where, Ask(b"%04d" % n)) for n in range(20)]
    got = [await one.answer for one in asked]
    jobs = await defer.gatherResults([threads.deferToThread(sum, range(n)) for n in range(9)])
    await task.deferLater(reactor, 0.001, lambda: None)
    await port.stopListening()
    print(got[:3], len(got), jobs)
task.react(lambda reactor: defer.ensureDeferred(work(reactor)))
"""

BLAS = """
import numpy, threading
rng = numpy.random.default_rng(1)
a = rng.integers(0, 9, (300, 300)).astype(float)
results = [None] * 4
def multiply(place):
    b = a
    for _ in range(3):
        b = (a @ b) % 1009
    results[place] = int(b.sum())
workers = [threading.Thread(target=multiply, args=(n,)) for n in range(4)]
[w.start() for w in workers]
[w.join() for w in workers]
print(results)
"""


@pytest.mark.parametrize(
    ("package", "program"),
    [("gevent", GEVENT), ("uvloop", UVLOOP), ("twisted", TWISTED), ("numpy", BLAS)],
)
def test_a_library_does_under_the_recorder_what_it_does_without(
    bench: Bench, package: str, program: str
) -> None:
    pytest.importorskip(package)
    more = {"OPENBLAS_NUM_THREADS": "2"}
    plain = subprocess.run(
        [sys.executable, str(bench.script(program))],
        env={**bench.env(**more), "LD_PRELOAD": ""},
        # Without standard input, libuv finds its own descriptors among 0 to 2, and gives up.
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert plain.returncode == 0, plain.stderr
    done = bench.run(program, **more)
    assert (done.returncode, done.stdout, done.stderr) == (0, plain.stdout, plain.stderr)
    assert done.recording.root().thread("MainThread").spans
