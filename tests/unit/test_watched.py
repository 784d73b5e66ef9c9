"""Which code is watched, and how equal code is told apart."""

import sys
from pathlib import Path

import pytest

from concurtrace.instruments._padding import is_padded, pad_loaded, padded
from concurtrace.instruments._watched import find_watched, parse_command

MODULE = """
class Thing:
    attribute = [n for n in range(3)]
    def method(self):
        def nested():
            return lambda: 1
        return nested
async def coroutine():
    yield 1
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "watched_package"
    folder.mkdir()
    (folder / "__init__.py").write_text("raise RuntimeError('must not be imported')\n")
    (folder / "module.py").write_text(MODULE)
    monkeypatch.syspath_prepend(str(tmp_path))
    return folder


def names(*functions: str) -> list[str]:
    options = {"functions": list(functions)}
    return [code.co_qualname for code in find_watched((), options).codes]


def test_all_functions_of_a_module_without_importing_it(package: Path) -> None:
    watched = find_watched(("watched_package.module",), {})
    found = {code.co_qualname for code in watched.codes}
    assert found - {"Thing.<listcomp>"} == {
        "Thing.method",
        "Thing.method.<locals>.nested",
        "Thing.method.<locals>.nested.<locals>.<lambda>",
        "coroutine",
    }
    assert watched.losses == ()
    assert watched.sources == {str(package / "module.py"): tuple(MODULE.splitlines())}
    assert not [name for name in sys.modules if name.startswith("watched_package")]


def test_named_functions_come_with_what_is_nested_in_them(package: Path) -> None:
    assert names("watched_package.module:coroutine") == ["coroutine"]
    assert names("watched_package.module:Thing.method") == [
        "Thing.method",
        "Thing.method.<locals>.nested",
        "Thing.method.<locals>.nested.<locals>.<lambda>",
    ]
    assert "Thing.method" in names("watched_package.module:Thing")


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("watched_package.module:Thing.metho", "no such function"),
        ("watched_package.gone:f", "there is no module watched_package.gone"),
        ("math:sin", "not written in Python"),
        ("watched_package.broken:f", "invalid syntax"),
    ],
)
def test_what_can_not_be_watched_is_told(package: Path, name: str, reason: str) -> None:
    (package / "broken.py").write_text("def f(:\n")
    watched = find_watched((), {"functions": [name]})
    (loss,) = watched.losses
    assert loss.what == name
    assert reason in loss.reason
    assert watched.codes == ()


@pytest.mark.parametrize(
    ("arguments", "kind", "value"),
    [
        (["a.py", "-m", "x"], "path", "a.py"),
        (["-X", "dev", "-W", "error", "a.py"], "path", "a.py"),
        (["-Xdev", "-BIm", "package.tool", "-c"], "module", "package.tool"),
        (["-mtool"], "module", "tool"),
        (["-uc", "print()", "a.py"], "text", "print()"),
        (["--check-hash-based-pycs", "always", "-P", "a.py"], "path", "a.py"),
        (["-"], "none", ""),
        ([], "none", ""),
    ],
)
def test_the_main_program_is_read_from_the_command(
    arguments: list[str], kind: str, value: str
) -> None:
    main = parse_command(arguments)
    found = {"path": main.path and main.path.name, "module": main.module, "text": main.text}
    assert {key: one for key, one in found.items() if one} == (
        {} if kind == "none" else {kind: value}
    )


def test_padding_changes_nothing_but_the_bytecode() -> None:
    def make(step: int):  # type: ignore[no-untyped-def]
        return lambda number: number + step

    before = make.__code__
    make.__code__ = padded(before)
    assert is_padded(make.__code__)
    assert padded(make.__code__) == make.__code__
    assert make(2)(3) == 5
    assert is_padded(make(2).__code__)
    assert make.__code__.co_code.startswith(before.co_code)
    assert list(make.__code__.co_lines())[: len(list(before.co_lines()))] == list(before.co_lines())


def test_twins_in_two_files_are_padded_differently() -> None:
    text = "def f(self):\n    return self.x\n"
    one, two = (
        compile(text, name, "exec", dont_inherit=True).co_consts[0] for name in ("one.py", "two.py")
    )
    assert one.co_code == two.co_code
    assert padded(one).co_code != padded(two).co_code
    assert padded(one).co_code == padded(one).co_code


def test_loaded_functions_are_padded_where_they_are(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "loaded_module.py"
    path.write_text("def f():\n    return g\ndef g():\n    return 1\nkept = [f]\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    import loaded_module  # type: ignore[import-not-found]

    kept = loaded_module.kept[0]
    assert pad_loaded({str(path), "elsewhere.py"}) == {str(path)}
    assert kept is loaded_module.f
    assert kept()() == 1
    assert is_padded(kept.__code__)
    assert is_padded(kept().__code__)
