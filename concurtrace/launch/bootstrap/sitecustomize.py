"""Start the agent in every Python process of the target, then run the user's own sitecustomize.

Environment variables are inherited by every descendant, so this reaches spawned, forked and
forkserver children and subprocesses alike, without a change to how they are started.
"""

import sys
from importlib.machinery import PathFinder
from importlib.util import module_from_spec
from pathlib import Path


def _start_agent() -> None:
    try:
        from concurtrace.launch import agent
    except ImportError as error:
        # A descendant may run another interpreter, in which concurtrace is not installed.
        sys.stderr.write(f"concurtrace: this process is not watched: {error}\n")
    else:
        agent.start()


def _run_users_own() -> None:
    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is not None and spec.loader is not None:
        module = module_from_spec(spec)
        sys.modules["sitecustomize"] = module
        spec.loader.exec_module(module)


_here = str(Path(__file__).parent)
sys.path[:] = [entry for entry in sys.path if entry != _here]
_start_agent()
_run_users_own()
