"""What the site consists of: every page, image, redirect and dead link, worked out from the seed.

The server builds its answers from this, and the reference its records, without a request.
"""

import html
import random
import struct
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from concurtrace.workload import Record, Work

EXTRA_LINKS = 5
"""Links of each page to any others, beside those without which a page would not be found."""

_WORDS = (
    "thread",
    "process",
    "lock",
    "queue",
    "barrier",
    "event",
    "loop",
    "task",
    "future",
    "signal",
    "core",
    "cache",
    "socket",
    "pipe",
    "fork",
    "spawn",
    "join",
    "wait",
    "notify",
    "semaphore",
    "condition",
    "mutex",
    "deadlock",
    "race",
    "atomic",
    "kernel",
    "scheduler",
    "context",
    "switch",
    "naïve",
    "Zürich",
    "R&D",
    "crème",
    "café",
    "straße",
    "piñata",
    "“quoted”",
    "a<b",
    "O'Neill",
)


@dataclass(frozen=True)
class Resource:
    """One thing that the site answers with; ``leads_to`` are the paths it links to, in any order.

    The server waits ``delay_s`` seconds before it answers.
    """

    path: str
    status: int
    headers: dict[str, str]
    body: bytes
    delay_s: float
    title: str = ""
    words: int = 0
    leads_to: frozenset[str] = frozenset()

    @property
    def record(self) -> Record:
        """What a crawler must find out about it."""
        return (self.path, self.status, self.title, len(self.body), self.words, len(self.leads_to))


class Site:
    """The whole site; resources are built when asked for, so that a large site needs no memory."""

    def __init__(self, work: Work) -> None:
        self.seed = work.seed
        self.latency_s = work.number("latency-ms") / 1000
        self.page_bytes = work.number("page-kb") * 1000
        self.image_bytes = work.number("image-kb") * 1000
        self.size = work.size
        self._sentences = self._write_sentences()
        self._makers: dict[str, Callable[[], Resource]] = {}
        for index in range(self.size):
            self._makers[page_path(index)] = partial(self._page, index)
        for index in range(work.number("redirects")):
            self._makers[f"/moved/{index}"] = partial(self._redirect, f"/moved/{index}")
        for index in range(work.number("dead-links")):
            self._makers[f"/gone/{index}"] = partial(self._dead, f"/gone/{index}")
        for index in range(work.number("images")):
            self._makers[f"/image/{index}.png"] = partial(self._image, f"/image/{index}.png")
        self._findable_on = self._make_findable()

    @property
    def paths(self) -> list[str]:
        """Every path there is; all can be reached from the first, which is ``/``."""
        return list(self._makers)

    def resource(self, path: str) -> Resource | None:
        """Build what is at a path; None if there is nothing."""
        maker = self._makers.get(path)
        return maker() if maker is not None else None

    def _random(self, path: str) -> random.Random:
        return random.Random(f"{self.seed}:{path}")

    def _write_sentences(self) -> list[str]:
        chance = self._random("sentences")
        return [" ".join(chance.choices(_WORDS, k=chance.randrange(8, 20))) for _ in range(60)]

    def _make_findable(self) -> list[list[str]]:
        """Let a page before it link to each thing; by page, the paths that it must link to."""
        links: list[list[str]] = [[] for _ in range(self.size)]
        for number, path in enumerate(self.paths[1:], 1):
            chance = self._random(f"link to {path}")
            links[chance.randrange(min(number, self.size))].append(path)
        return links

    def _delay_s(self, chance: random.Random) -> float:
        return self.latency_s * (1 + chance.random() / 2)

    def _page(self, index: int) -> Resource:
        path = page_path(index)
        chance = self._random(path)
        title = f"“{' '.join(chance.choices(_WORDS, k=3))}” & co, page {index}"
        links = [*self._findable_on[index]]
        links += (page_path(chance.randrange(self.size)) for _ in range(EXTRA_LINKS))
        chance.shuffle(links)
        sentences = self._choose_sentences(chance)
        return Resource(
            path=path,
            status=200,
            headers={"Content-Type": "text/html; charset=utf-8"},
            body=_render(path, title, links, sentences).encode(),
            delay_s=self._delay_s(chance),
            title=title,
            words=sum(len(sentence.split()) for sentence in sentences),
            leads_to=frozenset((path, *links)),
        )

    def _choose_sentences(self, chance: random.Random) -> list[str]:
        """Choose so many that the page has about its size, between half and one and a half."""
        wanted = self.page_bytes * (0.5 + chance.random())
        sentences: list[str] = []
        while wanted > 0:
            sentences.append(chance.choice(self._sentences))
            wanted -= len(sentences[-1]) + len("<p></p>")
        return sentences

    def _redirect(self, path: str) -> Resource:
        chance = self._random(path)
        target = page_path(chance.randrange(self.size))
        return Resource(
            path,
            301,
            {"Location": target},
            b"",
            self._delay_s(chance),
            leads_to=frozenset((target,)),
        )

    def _dead(self, path: str) -> Resource:
        body = b"<!DOCTYPE html><title>Not found</title><p>There is <a href=/>a start page</a>."
        return Resource(
            path,
            404,
            {"Content-Type": "text/html; charset=utf-8"},
            body,
            self._delay_s(self._random(path)),
        )

    def _image(self, path: str) -> Resource:
        chance = self._random(path)
        return Resource(
            path,
            200,
            {"Content-Type": "image/png"},
            _draw(chance, self.image_bytes),
            self._delay_s(chance),
        )


def page_path(index: int) -> str:
    """Return the path of a page; the first is the start."""
    return f"/page/{index}" if index else "/"


def _render(path: str, title: str, links: list[str], sentences: list[str]) -> str:
    """Write a page as HTML, its links in all the ways in which links are written."""
    items = "\n".join(_link(path, number, target) for number, target in enumerate(links))
    text = "\n".join(f"<p>{html.escape(sentence)}</p>" for sentence in sentences)
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><title>{html.escape(title)}</title></head>
<body>
<h1 id="top">{html.escape(title)}</h1>
<ul>
{items}
</ul>
{text}
<footer><a href="#top">Up</a> <a href="mailto:site@example.com">Mail</a>
<a href="https://example.com/">Elsewhere</a> <a name="end">End</a></footer>
</body>
</html>
"""


def _link(path: str, number: int, target: str) -> str:
    if target.endswith(".png"):
        return f'<li><img src="{target}" alt="Picture {number}"></li>'
    relative = target[1:] if path == "/" else f"..{target}"
    written = (target, f"{target}#top", relative, f"{relative}#end")[number % 4]
    return f'<li><a href="{written}" title="Link {number}">To {target}</a></li>'


def _draw(chance: random.Random, size: int) -> bytes:
    """Draw noise as a grey PNG of about ``size`` bytes; format: RFC 2083."""
    side = max(1, round(size**0.5))
    rows = b"".join(b"\0" + chance.randbytes(side) for _ in range(side))
    header = struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)
    # Level 0 stores: noise can't be compressed, and the length is the same with every zlib.
    parts = ((b"IHDR", header), (b"IDAT", zlib.compress(rows, 0)), (b"IEND", b""))
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
        for kind, data in parts
    )
