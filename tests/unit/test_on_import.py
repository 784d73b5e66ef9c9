"""The import watcher: tested in a process of its own, because imports can't be undone."""

import subprocess
import sys


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return done.stdout.strip()


def test_it_calls_back_after_the_import() -> None:
    code = (
        "from concurtrace.on_import import on_import\n"
        "on_import('colorsys', lambda module: print('seen', hasattr(module, 'rgb_to_hls')))\n"
        "print('before')\nimport colorsys\nprint(type(colorsys.__loader__).__name__)"
    )
    assert run(code).split("\n") == ["before", "seen True", "SourceFileLoader"]


def test_it_calls_back_at_once_for_what_is_there() -> None:
    code = (
        "import colorsys\nfrom concurtrace.on_import import on_import\n"
        "on_import('colorsys', lambda module: print(module.__name__))"
    )
    assert run(code) == "colorsys"


def test_a_module_that_does_not_exist_fails_as_ever() -> None:
    code = (
        "from concurtrace.on_import import on_import\n"
        "on_import('no_such_module', print)\n"
        "try:\n    import no_such_module\nexcept ModuleNotFoundError as e:\n    print(e.name)"
    )
    assert run(code) == "no_such_module"
