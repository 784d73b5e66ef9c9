from dataclasses import replace

import pytest
from concurtrace.reports._places import Origin, Places, name_of

from concurtrace.model.recording import Function
from concurtrace.model.run import Target, TargetKind
from tests import builders


@pytest.mark.parametrize(
    ("file", "shown", "origin"),
    [
        ("/srv/shop/crawl.py", "crawl.py", Origin.OWN),
        ("/srv/shop/sub/crawl.py", "sub/crawl.py", Origin.OWN),
        ("/srv/shopping/x.py", "/srv/shopping/x.py", Origin.OWN),
        ("/usr/lib/python3.11/asyncio/events.py", "asyncio/events.py", Origin.LIBRARY),
        ("/v/lib/python3.13t/site-packages/bs4/element.py", "bs4/element.py", Origin.LIBRARY),
        ("<frozen importlib._bootstrap>", "<frozen importlib._bootstrap>", Origin.LIBRARY),
        (
            "/v/lib/python3.11/site-packages/concurtrace/workloads/factorize.py",
            "concurtrace/workloads/factorize.py",
            Origin.OWN,
        ),
        ("~", "builtin", Origin.BUILTIN),
        ("<string>", "<string>", Origin.LIBRARY),
    ],
)
def test_places_are_told_briefly(file: str, shown: str, origin: Origin) -> None:
    places = Places.of(builders.report())
    assert places.file(file) == shown
    assert places.origin(Function(file, 1, "f")) is origin
    assert places.line(file, 7) == (shown if file == "~" else f"{shown}:7")


def test_a_sentence_has_its_paths_told_as_everywhere() -> None:
    places = Places.of(builders.report())
    text = "waited for the Lock made in main (/srv/shop/a.py:4), and/or /usr/lib/python3.11/q.py:1."
    assert places.sentence(text) == "waited for the Lock made in main (a.py:4), and/or q.py:1."
    assert places.sentence("see https://example.org/srv/shop/a.py") == (
        "see https://example.org/srv/shop/a.py"
    )


def test_text_given_as_a_program_is_own_code() -> None:
    target = Target(TargetKind.CODE, "-c", None, ("python3", "-c", "print(1)"))
    places = Places.of(replace(builders.report(), target=target))
    assert places.origin(Function("<string>", 1, "<module>")) is Origin.OWN


def test_a_run_elsewhere_is_told_from_its_own_folder() -> None:
    places = Places.of(replace(builders.report(), run_path="/data/saved"))
    assert places.file("/data/x.py") == "x.py"


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("<method 'poll' of 'select.epoll' objects>", "select.epoll.poll"),
        ("<built-in method posix.read>", "posix.read"),
        ("<something else>", "<something else>"),
    ],
)
def test_builtins_have_plain_names(name: str, shown: str) -> None:
    assert name_of(Function("~", 0, name)) == shown
    assert name_of(Function("/srv/x.py", 1, name)) == name
