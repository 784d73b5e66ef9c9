"""What is read out of an answer of the site: by Beautiful Soup, or by a parser of another speed."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from html.parser import HTMLParser
from urllib.parse import urldefrag, urljoin, urlsplit

from bs4 import BeautifulSoup

TIMEOUT_S = 60.0
"""How long a client waits for an answer before it gives up."""


class FetchError(Exception):
    """A page could not be fetched; the message holds its URL and the client's own reason."""

    def __init__(self, url: str, reason: str) -> None:
        super().__init__(url, reason)  # both, or it could not be pickled into another process
        self.url = url
        self.reason = reason

    def __str__(self) -> str:
        return f"{self.url}: {self.reason}"


@dataclass(frozen=True)
class Page:
    """One answer of the site: a page, an image, a redirect or an error.

    ``path`` is the URL without scheme and host, ``length`` the size of the body in bytes,
    ``words`` the words of its paragraphs, and ``links`` the paths on the same site that it leads
    to, in the order of their first appearance.
    """

    path: str
    status: int
    title: str
    length: int
    words: int
    links: tuple[str, ...]


@dataclass(frozen=True)
class Content:
    """What a parser finds in a page; ``targets`` are the links and image addresses as written."""

    title: str
    words: int
    targets: list[str]


def read_page(path: str, status: int, headers: Mapping[str, str], body: bytes, parser: str) -> Page:
    """Turn an answer into a page; only what is HTML and no error is parsed."""
    content = Content("", 0, [])
    if "Location" in headers:
        content = Content("", 0, [headers["Location"]])
    elif status == 200 and headers.get("Content-Type", "").startswith("text/html"):
        content = PARSERS[parser](body.decode("utf-8", errors="replace"))
    links = tuple(dict.fromkeys(_on_same_site(path, content.targets)))
    return Page(path, status, content.title, len(body), content.words, links)


def _on_same_site(path: str, targets: list[str]) -> Iterator[str]:
    """Resolve addresses against the page they stand on; drop what leads off the site."""
    for target in targets:
        address = urlsplit(urldefrag(urljoin(path, target)).url)
        if not address.scheme and not address.netloc:
            yield address.geturl()


def parse_with_bs4(html: str) -> Content:
    """Build the whole tree of a page with Beautiful Soup on Python's own parser."""
    soup = BeautifulSoup(html, "html.parser")
    return _read_soup(soup, soup.title.get_text() if soup.title is not None else "")


def parse_with_soup_left(html: str) -> Content:
    """Do the same, but give the title as a string of Beautiful Soup, which knows its tree."""
    soup = BeautifulSoup(html, "html.parser")
    title = soup.title.string if soup.title is not None else None
    return _read_soup(soup, title or "")


def _read_soup(soup: BeautifulSoup, title: str) -> Content:
    words = sum(len(paragraph.get_text().split()) for paragraph in soup.find_all("p"))
    # Not select(): its CSS engine takes a tenth of a second to warm up, in each process anew.
    found = [tag.get("href") or tag.get("src") for tag in soup.find_all(["a", "img"])]
    return Content(title, words, [str(target) for target in found if target])


def parse_with_lexbor(html: str) -> Content:
    """Parse with the C library Lexbor; it needs the package selectolax."""
    try:
        from selectolax.lexbor import LexborHTMLParser
    except ModuleNotFoundError as error:
        error.add_note("The parser lexbor needs one more package: pip install selectolax")
        raise

    tree = LexborHTMLParser(html)
    title = tree.css_first("title")
    words = sum(len(paragraph.text().split()) for paragraph in tree.css("p"))
    found = [
        tag.attributes.get("href") or tag.attributes.get("src")
        for tag in tree.css("a[href], img[src]")
    ]
    targets = [target for target in found if target]
    return Content(title.text() if title is not None else "", words, targets)


def parse_with_stdlib(html: str) -> Content:
    """Let Python's own parser call back for each tag, and build no tree."""
    reader = _Reader()
    reader.feed(html)
    reader.close()
    return Content(reader.title, reader.words, reader.targets)


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.title = ""
        self.words = 0
        self.targets: list[str] = []
        self._inside = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        if tag in ("title", "p"):
            self._inside = tag
        name = {"a": "href", "img": "src"}.get(tag)
        self.targets.extend(value for key, value in attrs if key == name and value)

    def handle_endtag(self, tag: str) -> None:
        if tag == self._inside:
            self._inside = ""

    def handle_data(self, data: str) -> None:
        if self._inside == "title":
            self.title += data
        elif self._inside == "p":
            self.words += len(data.split())


WITH_SOUP = "bs4-with-soup"
PARSERS = {
    "bs4": parse_with_bs4,
    "stdlib": parse_with_stdlib,
    "lexbor": parse_with_lexbor,
    WITH_SOUP: parse_with_soup_left,
}
"""The parsers by name; the last one is for the fault `soup-result`."""
