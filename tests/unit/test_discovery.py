import pytest

from concurtrace import discovery
from concurtrace.discovery import Kind
from concurtrace.errors import UsageError


def test_file_names_become_plugin_names() -> None:
    assert discovery.plugin_name("json_") == "json"
    assert discovery.plugin_name("gil_convoy") == "gil-convoy"


def test_builtin_workloads_are_found_sorted() -> None:
    names = list(discovery.modules(Kind.WORKLOAD))
    assert {"crawler", "factorize"} <= set(names)
    assert names == sorted(names)


def test_private_modules_are_no_plugins() -> None:
    assert not [name for name in discovery.modules(Kind.INSTRUMENT) if name.startswith("-")]


def test_an_unknown_name_offers_the_close_ones() -> None:
    with pytest.raises(UsageError, match="Did you mean crawler"):
        discovery.load(Kind.WORKLOAD, "crawlr")


def test_a_name_like_no_other_lists_all() -> None:
    assert discovery.unknown("mode", "xyzzy", ["async", "threads"]) == (
        "There is no mode 'xyzzy'. There are: async, threads."
    )
