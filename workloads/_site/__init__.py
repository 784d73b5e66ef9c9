"""A web site on this machine, made from a seed and served by a process of its own.

It has pages with links, images, redirects and dead links; each is answered after some time, as on
a real network. ``specification`` says what it consists of, for the server and for the references.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from concurtrace.workload import Value, Work

from .._service import running


def parameters(work: Work, **given: Value) -> dict[str, Value]:
    """Return the parameters of a site of nothing but a start page, and of what is given."""
    small: dict[str, Value] = {
        "size": 1,
        "latency-ms": 0,
        "page-kb": 1,
        "images": 0,
        "image-kb": 1,
        "redirects": 0,
        "dead-links": 0,
    }
    changes = {name.replace("_", "-"): value for name, value in given.items()}
    return {"seed": work.seed, **small, **changes}


@contextmanager
def served(of: Work) -> Iterator[str]:
    """Serve a site around a block and yield its address; ServiceError if it fails."""
    with running(f"{__name__}.server", of.parameters) as address:
        yield address
