"""Read what ``faulthandler`` wrote when a run was stopped: where each thread stood."""

import re
from collections import Counter
from pathlib import Path

_FRAME = re.compile(r'^  File "(?P<file>[^"]+)", line (?P<line>\d+) in (?P<function>.+)$')
_SHOWN = 5


def stuck_at(errors: Path, own: tuple[str, ...]) -> tuple[str, ...]:
    """Say where threads stood, most of them first: the innermost frame of the target's own code.

    ``own`` are the beginnings of its paths; where a thread has none, its innermost frame counts.
    """
    places: Counter[str] = Counter()
    text = errors.read_text("utf-8", "replace")
    for block in re.split(r"^(?:Current thread|Thread) 0x.*$", text, flags=re.MULTILINE)[1:]:
        frames = [found for line in block.splitlines() if (found := _FRAME.match(line))]
        mine = [one for one in frames if one["file"].startswith(own)] or frames
        if mine:
            one = mine[0]
            places[f"{Path(one['file']).name}:{one['line']} in {one['function']}"] += 1
    return tuple(
        f"{count} thread{'s' if count > 1 else ''} at {place}"
        for place, count in places.most_common(_SHOWN)
    )
