"""pycsp, kept on this machine and cleaned up after."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from types import ModuleType

HOST = "127.0.0.1"


@contextmanager
def parallel() -> Iterator[ModuleType]:
    """Give ``pycsp.parallel`` to a block, and leave none of its threads and sockets behind.

    Its channels go over sockets on the loopback interface: left to itself it asks the interfaces
    for an address, with a call that fails on Python 3. Its own ``shutdown()`` keeps the server
    socket for a next time that need not come.
    """
    from pycsp import parallel as csp
    from pycsp.parallel.dispatch import SocketDispatcher

    csp.Configuration().set(csp.PYCSP_HOST, HOST)
    before = os.environ.get("PYCSP_HOST")
    # For processes that are spawned: they ask before anybody could tell them.
    os.environ["PYCSP_HOST"] = HOST
    try:
        yield csp
    finally:
        if before is None:
            del os.environ["PYCSP_HOST"]
        server = SocketDispatcher().getThread()
        thread = server.thread
        csp.shutdown()
        if thread is not None:
            thread.join()
        for socket in server.active_socket_list:
            socket.close()
        # The next block finds no server, and starts another.
        SocketDispatcher._SocketDispatcher__instance = None
