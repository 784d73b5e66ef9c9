"""The target's ``__main__`` for a workload: prepare the interpreter, then measure one mode.

Started as ``python -P -m concurtrace.launch.harness SPEC``; SPEC is a JSON file with ``module``,
``mode`` (None: work out the expected result), ``before``, ``parameters``, ``services`` and
``result``. Next to nothing is imported here, because ``before`` is to come before everything else.
"""

import importlib
import json
import sys


def main(spec_path: str) -> None:
    """Call what has to come first (monkey patching), then run what the spec says."""
    with open(spec_path, encoding="utf-8") as file:  # noqa: PTH123 - pathlib comes later
        spec = json.load(file)
    if spec["before"]:
        module, _, function = spec["before"].partition(":")
        getattr(importlib.import_module(module), function)()
    importlib.import_module("concurtrace.launch.measure").measure(spec)


if __name__ == "__main__":
    main(sys.argv[1])
