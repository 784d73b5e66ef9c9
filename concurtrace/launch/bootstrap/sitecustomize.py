"""Start what concurtrace has in each process of a target, then run the user's own sitecustomize.

Environment variables are inherited by every descendant, so this reaches spawned, forked and
forkserver children and subprocesses alike, without a change to how they are started.
"""

import os.path
import sys
from importlib.machinery import PathFinder


def _start() -> None:
    try:
        from concurtrace.launch import agent
    except ImportError as error:
        # A descendant may run another interpreter, in which concurtrace is not installed.
        sys.stderr.write(f"concurtrace: this process is not watched: {error}\n")
    else:
        agent.start()
        if "CONCURTRACE_PRESSURE" in os.environ:
            from concurtrace.launch import pressure

            pressure.apply()


def _run_users_own() -> None:
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        from importlib.util import module_from_spec

        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_here = os.path.dirname(__file__)  # noqa: PTH120 - pathlib brings thirty modules with it
sys.path[:] = [entry for entry in sys.path if entry != _here]
_start()
_run_users_own()
