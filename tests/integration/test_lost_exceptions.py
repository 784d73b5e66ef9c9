"""Lost exceptions are found in a real program, which shows no trace of being watched."""

import subprocess
import sys
from pathlib import Path

from tests.cli import concurtrace, last_report

PROGRAM = """
import threading
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor

def bad(what):
    raise ValueError(what)

def handled(args):
    print("handled", args.exc_value)

if __name__ == "__main__":
    thread = threading.Thread(target=bad, args=("in a thread",), name="loader")
    thread.start(); thread.join()
    threading.excepthook = handled
    thread = threading.Thread(target=bad, args=("looked at",))
    thread.start(); thread.join()
    with ThreadPoolExecutor(1) as executor:
        executor.submit(bad, "in a call")
        asked = executor.submit(int, "x")
    with ProcessPoolExecutor(1) as executor:
        executor.submit(bad, "in a process")
    asked.result()
"""


def test_what_nobody_heard_of_is_told_and_the_target_behaves_as_ever(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM, "utf-8")
    plain = subprocess.run(
        [sys.executable, "program.py"], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    done = concurtrace(tmp_path, "run", "--with", "states", "--quiet", "program.py")
    assert done.returncode == plain.returncode == 1
    assert done.stderr.replace(f"{tmp_path}/", "") == plain.stderr.replace(f"{tmp_path}/", "")
    assert done.stdout.startswith(plain.stdout)
    told = {
        (one["summary"], one["severity"])
        for one in last_report(tmp_path)["findings"]
        if one["rule"] == "lost-exception"
    }
    lost = "failed in a pool with ValueError: in a {}, and nobody asked for the result."
    assert told == {
        ("ValueError: in a thread ended the thread loader, and the program went on without it.",
         "warning"),
        # The program failed aloud: it was seen that something is wrong.
        (f"bad {lost.format('call')}", "info"),
        (f"bad {lost.format('process')}", "info"),
    }  # fmt: skip
