"""`concurtrace run` leaves the target its input, output, arguments, exit code and `__main__`."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli import concurtrace, last_report

QUICK = ("--with", "cores")


def test_output_arguments_and_main_are_the_targets_own(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import sys, __main__\n"
        "print(sys.argv, __name__, __main__.__file__, sys.path[0], input())\n"
        "print('to stderr', file=sys.stderr)\n"
    )
    done = concurtrace(
        tmp_path, "run", *QUICK, "--quiet", "program.py", "--mode", "-x", text="hello\n"
    )
    assert done.returncode == 0, done.stderr
    lines = done.stdout.splitlines()
    assert lines[0] == (
        f"['program.py', '--mode', '-x'] __main__ {tmp_path / 'program.py'} {tmp_path} hello"
    )
    assert lines[-1].endswith("report.html")
    assert done.stderr == "to stderr\n"


@pytest.mark.parametrize(
    ("code", "expected"),
    [
        ("raise SystemExit(7)", 7),
        ("raise ValueError('x')", 1),
        ("import os; os.kill(os.getpid(), 15)", 143),
        ("import os; os._exit(9)", 9),
        ("pass", 0),
    ],
)
def test_the_exit_code_is_the_targets_own(tmp_path: Path, code: str, expected: int) -> None:
    done = concurtrace(tmp_path, "run", *QUICK, "--quiet", "-c", code)
    assert done.returncode == expected, done.stderr
    assert "concurtrace" not in done.stderr


def test_a_module_is_run_as_python_would(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("import sys; print(__name__, sys.argv[1:])")
    done = concurtrace(tmp_path, "run", *QUICK, "--quiet", "-m", "program", "--help")
    assert done.stdout.splitlines()[0] == "__main__ ['--help']"
    assert last_report(tmp_path)["target"]["kind"] == "module"


def test_a_script_that_is_not_there_is_exit_3(tmp_path: Path) -> None:
    done = concurtrace(tmp_path, "run", "nothing.py")
    assert done.returncode == 3
    assert "no file 'nothing.py'" in done.stderr


def test_a_hang_ends_at_the_time_limit(tmp_path: Path) -> None:
    done = concurtrace(
        tmp_path, "run", *QUICK, "--time-limit", "1", "-c", "import time; time.sleep(1000)"
    )
    assert done.returncode == 3
    assert last_report(tmp_path)["result"]["timed_out"] is True


def test_the_users_own_sitecustomize_still_runs(tmp_path: Path) -> None:
    (tmp_path / "own").mkdir()
    (tmp_path / "own" / "sitecustomize.py").write_text("import sys; sys.mine = 'ran'")
    done = concurtrace(
        tmp_path,
        "run",
        *QUICK,
        "--quiet",
        "-c",
        "import sys; print(sys.mine, [p for p in sys.path if 'bootstrap' in p])",
        extra={"PYTHONPATH": str(tmp_path / "own")},
    )
    assert done.stdout.splitlines()[0] == "ran []"


def test_the_light_pass_imports_next_to_nothing_into_the_target(tmp_path: Path) -> None:
    # What every process of the target pays: with dataclasses and typing it was twice a start.
    (tmp_path / "program.py").write_text("import sys; print(' '.join(sys.modules))")
    plain = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    done = concurtrace(tmp_path, "run", "--quiet", "program.py")
    more = set(done.stdout.splitlines()[0].split()) - set(plain.stdout.split())
    assert "concurtrace.launch.agent" in more
    assert {name for name in more if name.startswith("concurtrace")} == {
        "concurtrace",
        "concurtrace._runtime",
        "concurtrace.launch",
        "concurtrace.launch.agent",
        "concurtrace.on_import",
    }
    assert not more & {"typing", "dataclasses", "inspect", "tempfile", "importlib.abc"}


def test_a_daemon_of_the_target_is_left_running_and_named(tmp_path: Path) -> None:
    import psutil

    code = (
        "import subprocess; print(subprocess.Popen(['sleep', '60'],"
        " stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).pid)"
    )
    done = concurtrace(tmp_path, "run", *QUICK, "--quiet", "-c", code)
    daemon = psutil.Process(int(done.stdout.splitlines()[0]))
    assert daemon.name() == "sleep"
    daemon.kill()
