"""Fetching with ``requests``: a call that blocks its thread until the answer is there."""

import requests

from .pages import TIMEOUT_S, FetchError, Page, read_page


def open_session() -> requests.Session:
    """Open a session: a connection that is kept between requests.

    Threads must not share one, it was not made for that; each takes its own.
    """
    session = requests.Session()
    # A proxy from the environment would stand between us and the site on this machine.
    session.trust_env = False
    return session


def fetch(session: requests.Session, site: str, path: str, parser: str) -> Page:
    """Download a page and parse it; FetchError if there is no answer."""
    return read_page(path, *download(session, site + path), parser)


def download(
    session: requests.Session, url: str
) -> tuple[int, "requests.structures.CaseInsensitiveDict[str]", bytes]:
    """Download what is at a URL: status, headers and body; FetchError if there is no answer."""
    try:
        with session.get(url, timeout=TIMEOUT_S, allow_redirects=False) as answer:
            return answer.status_code, answer.headers, answer.content
    except requests.RequestException as error:
        raise FetchError(url, str(error)) from error
