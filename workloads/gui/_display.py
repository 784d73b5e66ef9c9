"""A display in memory, Xvfb, in a process of its own; see ``_service.running``."""

import json
import os
import subprocess
import sys


def main() -> None:
    """Start Xvfb on a number that is free, tell it, and stop it when standard input ends."""
    json.loads(sys.stdin.readline())
    ours, theirs = os.pipe()
    command = ("Xvfb", "-displayfd", str(theirs), "-screen", "0", "640x480x24", "-nolisten", "tcp")
    server = subprocess.Popen(command, pass_fds=(theirs,), stdin=subprocess.DEVNULL)
    os.close(theirs)
    try:
        with open(ours, encoding="ascii") as said:  # noqa: PTH123 - a descriptor
            number = said.readline().strip()
        if not number:
            sys.exit("Xvfb did not start")
        print(json.dumps(f":{number}"), flush=True)
        sys.stdin.read()
    finally:
        server.terminate()
        server.wait()


if __name__ == "__main__":
    main()
