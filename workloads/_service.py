"""Start and stop what a workload needs beside it: a program in a process of its own.

The first line of its standard input holds the parameters as JSON; it answers with one line, its
address as JSON, and works until its standard input ends, which it does at the latest with the
process that started it.
"""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from typing import IO

from concurtrace.workload import ServiceError, Value

COMMAND = (sys.executable, "-P", "-m")
START_S = 60
"""How long it may take to start: a fraction of a second, unless the machine is busy."""
STOP_S = 10


@contextlib.contextmanager
def running(module: str, parameters: Mapping[str, Value]) -> Iterator[str]:
    """Run a module around a block and yield its address; ServiceError if it fails."""
    with tempfile.TemporaryFile("w+") as messages:
        server = _start(module, messages)
        try:
            yield _introduce(server, parameters, messages)
            if server.poll() is not None:
                raise ServiceError(_last_words(server, messages))
        finally:
            _stop(server)


def _start(module: str, messages: IO[str]) -> "subprocess.Popen[str]":
    # What watches the target must not watch the server.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CONCURTRACE_") and name != "LD_PRELOAD"
    }
    try:
        return subprocess.Popen(
            (*COMMAND, module),
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            process_group=0,  # a Ctrl-C on the terminal is not meant for it
        )
    except OSError as error:
        raise ServiceError(f"{module} could not be started: {error}") from error


def _introduce(
    server: "subprocess.Popen[str]", parameters: Mapping[str, Value], messages: IO[str]
) -> str:
    """Tell it what to do, and learn where it does."""
    assert server.stdin is not None and server.stdout is not None  # noqa: PT018, S101
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(dict(parameters)), file=server.stdin, flush=True)
    if not select.select([server.stdout], [], [], START_S)[0]:
        raise ServiceError(f"it did not start within {START_S} s")
    answer = server.stdout.readline()
    if not answer:
        raise ServiceError(_last_words(server, messages))
    return str(json.loads(answer))


def _last_words(server: "subprocess.Popen[str]", messages: IO[str]) -> str:
    server.wait(STOP_S)
    messages.seek(0)
    lines = messages.read().strip().splitlines()
    reason = lines[-1] if lines else "it said nothing"
    return f"it ended with exit code {server.returncode}: {reason}"


def _stop(server: "subprocess.Popen[str]") -> None:
    """End its standard input, which ends it; kill it if it does not heed that."""
    try:
        server.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
