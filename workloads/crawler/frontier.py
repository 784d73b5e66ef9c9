"""Which pages were found so far: the memory that lets a crawler visit every page once."""

from collections.abc import Iterable

START = "/"
"""The page a crawl starts from."""


class Frontier:
    """The paths found so far, the start among them.

    Asking and adding are two steps. Coroutines of one thread can't come between them; threads
    that share a frontier need a lock around ``new``.
    """

    def __init__(self) -> None:
        self._found = {START}

    def __len__(self) -> int:
        return len(self._found)

    def new(self, links: Iterable[str]) -> list[str]:
        """Return the links that nobody found before, and remember them."""
        new = [link for link in dict.fromkeys(links) if link not in self._found]
        self._found.update(new)
        return new
