"""Starting and stopping the site's server."""

import contextlib
import json
import os
import select
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from typing import IO

from concurtrace.workload import ServiceError, Work

COMMAND = (sys.executable, "-P", "-m", f"{__package__}._site")
START_S = 60
"""How long the server may take to start: a fraction of a second, unless the machine is busy."""
STOP_S = 10


@contextlib.contextmanager
def running(work: Work) -> Iterator[str]:
    """Run the server around a block and yield its address; ServiceError if it fails."""
    with tempfile.TemporaryFile("w+") as messages:
        server = _start(messages)
        try:
            yield _introduce(server, work, messages)
            if server.poll() is not None:
                raise ServiceError(_last_words(server, messages))
        finally:
            _stop(server)


def _start(messages: IO[str]) -> "subprocess.Popen[str]":
    # What watches the target must not watch the server.
    environment = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith("CONCURTRACE_") and name != "LD_PRELOAD"
    }
    try:
        return subprocess.Popen(
            COMMAND,
            env=environment,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=messages,
            text=True,
            process_group=0,  # a Ctrl-C on the terminal is not meant for it
        )
    except OSError as error:
        raise ServiceError(f"the site's server could not be started: {error}") from error


def _introduce(server: "subprocess.Popen[str]", work: Work, messages: IO[str]) -> str:
    """Tell the server what to serve, and learn where it does."""
    assert server.stdin is not None and server.stdout is not None  # noqa: PT018, S101
    with contextlib.suppress(BrokenPipeError):
        print(json.dumps(dict(work.parameters)), file=server.stdin, flush=True)
    if not select.select([server.stdout], [], [], START_S)[0]:
        raise ServiceError(f"the site's server did not start within {START_S} s")
    answer = server.stdout.readline()
    if not answer:
        raise ServiceError(_last_words(server, messages))
    return str(json.loads(answer))


def _last_words(server: "subprocess.Popen[str]", messages: IO[str]) -> str:
    server.wait(STOP_S)
    messages.seek(0)
    lines = messages.read().strip().splitlines()
    reason = lines[-1] if lines else "it said nothing"
    return f"the site's server ended with exit code {server.returncode}: {reason}"


def _stop(server: "subprocess.Popen[str]") -> None:
    """End its standard input, which ends it; kill it if it does not heed that."""
    try:
        server.communicate(timeout=STOP_S)
    except subprocess.TimeoutExpired:
        server.kill()
        server.communicate()
