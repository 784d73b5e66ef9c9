"""An echo server: many clients, each of which sends a message and waits until it comes back.

The server is what runs here, in each model; the clients are in a process of their own. Each has a
connection, over which it sends its messages one by one, thinks a little between them (`think-ms`),
and takes the digest of what came back.

What it shows: what a server is made of in each model. A server of one thread that serves client
after client (`sequential`) lets all others wait at the door while one thinks. A thread per client
(`threads`) serves them at once: it sleeps in `recv` until the kernel wakes it, for each message.
An event loop has one thread for all: it asks the kernel which sockets have something, and calls
what belongs to them. asyncio has two ways to write that down: callbacks (`protocol`), and
coroutines that look as if they blocked (`streams`), which cost more for each message.

What to look for in the report: in `threads` the switches per message, and how threads queue for
the GIL when many wake up at once; in `async`, `gevent` and `twisted` one thread that is either at
work or waits in the poll, and what part of the time that is: a loop that never waits is full.

The fault: `blocking-handler` looks something up with a call that blocks, once per client: for all
clients the server stands still.
"""

from collections.abc import Iterator, Mapping

from concurtrace.workload import Fault, FaultOutcome, Parameter, Result, Variant, Work, Workload

from .._models import GEVENT

WORKLOAD = Workload(
    lessons=("A37", "A39", "A40", "B20"),
    default_mode="async",
    parameters=(
        Parameter(
            "size", 50, "clients at the same time", 1, 1000, presets={"tiny": 4, "large": 200}
        ),
        Parameter("messages", 40, "messages of each client", 1, 100_000, presets={"tiny": 5}),
        Parameter("think-ms", 1, "how long a client thinks before its next message", 0, 10_000),
        Parameter("payload", 1000, "bytes of a message", 1, 1_000_000, presets={"tiny": 100}),
    ),
    variants=(
        Variant("protocol", "callbacks for what happens to a connection", ("async", "twisted")),
        Variant(
            "streams",
            "code that reads and writes as if it blocked",
            ("sequential", "threads", "async", "gevent"),
        ),
    ),
    faults=(
        Fault(
            "blocking-handler",
            "a callback blocks, once for each client: for all of them the server stands still",
            FaultOutcome.COST,
            modes=("async", "twisted"),
            variant="protocol",
        ),
    ),
    # A kilobyte at a time is little for a call, but a loop seldom sleeps for one: no finding.
    expects={"sequential": ("unoverlapped-io",)},
)


@WORKLOAD.service
def clients(work: Work) -> Iterator[Mapping[str, str]]:
    """Keep a crowd of clients ready that come when they are told where."""
    from .._service import running

    with running(f"{__name__}._clients", work.parameters) as address:
        yield {"clients": address}


@WORKLOAD.mode(imports=("socketserver", f"{__name__}.blocking"))
def sequential(work: Work) -> Result:
    """One client after the other, until each is done."""
    from .blocking import serve_in_turn

    return serve_in_turn(work)


@WORKLOAD.mode(imports=("socketserver", f"{__name__}.blocking"))
def threads(work: Work) -> Result:
    """A thread for each client, by socketserver."""
    from .blocking import serve_by_threads

    return serve_by_threads(work)


@WORKLOAD.mode(imports=("asyncio", f"{__name__}.in_loop"))
def async_(work: Work) -> Result:
    """An event loop, by a Protocol or by streams."""
    from .in_loop import serve

    return serve(work)


@WORKLOAD.mode(imports=("gevent", f"{__name__}.in_greenlets"), extra="gevent", before=GEVENT)
def gevent(work: Work) -> Result:
    """A greenlet for each client, by StreamServer."""
    from .in_greenlets import serve

    return serve(work)


@WORKLOAD.mode(imports=("twisted", f"{__name__}.in_reactor"), extra="twisted")
def twisted(work: Work) -> Result:
    """A Protocol for each client, by Twisted's reactor."""
    from .in_reactor import serve

    return serve(work)


@WORKLOAD.reference
def expected(work: Work) -> Result:
    """Take the digests of what the clients send: the same must come back."""
    from .messages import digest

    return Result([(client, digest(work, client)) for client in range(work.size)])
