from pathlib import Path

import pytest
from concurtrace.reports import _text
from hypothesis import given
from hypothesis import strategies as st


@given(st.text(st.characters(codec=None)))
def test_printable_text_can_be_written_and_hides_nothing(text: str) -> None:
    shown = _text.printable(text)
    shown.encode()
    assert not any(char in shown for char in "\x00\x1b\n\u202e\u2066\u2028\x9b")
    if text.isascii() and text.isprintable():
        assert shown == text


def test_escapes_are_readable() -> None:
    assert _text.printable("a\x1b\udcff\u202e") == r"a\x1b\udcff\u202e"


@given(st.text(), st.integers(1, 50))
def test_shortened_text_keeps_its_limit_and_its_ends(text: str, limit: int) -> None:
    short = _text.shorten(text, limit)
    assert len(short) <= limit
    if len(text) <= limit:
        assert short == text
    elif limit > 2:
        assert short[0] == text[0]
        assert short[-1] == text[-1]


def test_a_path_is_cut_between_folders() -> None:
    assert _text.shorten_path("/srv/shop/code/crawl.py:12", 20) == "…/code/crawl.py:12"
    assert _text.shorten_path("x" * 30, 10) == "…" + "x" * 9
    assert _text.shorten_path("short.py:1", 20) == "short.py:1"


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_" + "a1" * 18,
        "AKIA" + "A1" * 8,
        "eyJ" + "a" * 20 + "." + "b" * 20 + "." + "c" * 10,
        "-----BEGIN RSA PRIVATE KEY-----\nabc\n-----END RSA PRIVATE KEY-----",
    ],
)
def test_what_is_a_credential_by_its_shape_is_never_shown(secret: str) -> None:
    assert _text.printable(f"with {secret} in it") == "with *** in it"
    # Words that begin alike are left as they are.
    assert _text.printable("sk-learn AKIAK ghp_short") == "sk-learn AKIAK ghp_short"


def test_home_is_a_tilde_only_where_it_is_home(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: cls("/home/me")))
    text = "/home/me /home/me/a:3 '/home/me' /home/melanie"
    assert _text.without_home(text) == "~ ~/a:3 '~' /home/melanie"
    monkeypatch.setattr(Path, "home", classmethod(lambda cls: cls("/")))
    assert _text.without_home("/a") == "/a"
