"""How long it takes to load a recording of ten million spans, and in how much memory.

``python benchmarks/reader.py [SPANS]`` writes a synthetic recording, loads it in a fresh process
and prints time and peak memory beside what they may be.
"""

from __future__ import annotations

import json
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from concurtrace.recording import layout

MAY_TAKE_S = 5.0
MAY_TAKE_BYTES = 1 << 30
THREADS = 8
STACKS = 2000
_PER_CHUNK = layout.CHUNK_ROOM // layout.SPAN_SIZE
_START_NS = 10**12


def write(folder: Path, spans: int) -> None:
    """Write one process whose threads run, wait for the GIL and for I/O in turn."""
    per_thread = spans // THREADS
    slots = np.zeros(THREADS, layout.SLOT)
    chunks: list[NDArray[np.uint8]] = []
    for index in range(THREADS):
        records, life_ns = _records(per_thread, index)
        slots[index]["tid"], slots[index]["index"] = 100 + index, index
        slots[index]["flags"] = layout.T_USED | layout.T_PYTHON | layout.T_ENDED
        slots[index]["start_ns"], slots[index]["end_ns"] = _START_NS, _START_NS + life_ns
        chunks.append(_span_chunks(records, index))
    body = np.concatenate(
        [_chunk(layout.CHUNK_THREADS, THREADS, slots.tobytes()), *chunks, _meta()]
    )
    head = np.zeros(1, layout.HEADER)
    values = {
        "magic": layout.MAGIC,
        "version": layout.FORMAT_VERSION,
        "chunk_size": layout.CHUNK_SIZE,
        "chunks": 1 + len(body),
        "span_size": layout.SPAN_SIZE,
        "slot_size": layout.SLOT_SIZE,
        "status": layout.EXITED,
        "pid": 100,
        "start_ns": _START_NS,
        "end_ns": int(slots["end_ns"].max()),
    }
    for name, value in values.items():
        head[name] = value
    with (folder / f"100-{_START_NS}.ctr").open("wb") as file:
        file.write(head.tobytes().ljust(layout.CHUNK_SIZE, b"\0"))
        body.tofile(file)


def _records(count: int, index: int) -> tuple[NDArray[np.uint64], int]:
    random = np.random.default_rng(index)
    lengths = random.integers(1_000, 40_000, count, dtype=np.uint64)
    starts = np.cumsum(lengths) - lengths
    states = np.resize(np.array([1, 4, 1, 8, 2], np.uint64), count)
    records = np.empty((count, 3), np.uint64)
    records[:, 0] = starts | states << np.uint64(48)
    wakers = np.where(states == 4, np.uint64(100 + (index + 1) % THREADS), np.uint64(0))
    records[:, 1] = lengths | wakers << np.uint64(40)
    records[:, 2] = random.integers(1, STACKS, count, dtype=np.uint64)
    return records, int(lengths.sum())


def _span_chunks(records: NDArray[np.uint64], owner: int) -> NDArray[np.uint8]:
    count = -(-len(records) // _PER_CHUNK)
    chunks = np.zeros((count, layout.CHUNK_SIZE), np.uint8)
    heads = np.zeros(count, layout.CHUNK)
    heads["kind"], heads["owner"] = layout.CHUNK_SPANS, owner
    heads["sequence"] = np.arange(count)
    used = np.full(count, _PER_CHUNK)
    used[-1] = len(records) - (count - 1) * _PER_CHUNK
    heads["used"] = used * layout.SPAN_SIZE
    chunks[:, : layout.CHUNK_HEADER] = heads.view(np.uint8).reshape(count, -1)
    padded = np.zeros((count * _PER_CHUNK, 3), np.uint64)
    padded[: len(records)] = records
    rows = padded.reshape(count, -1).view(np.uint8)
    chunks[:, layout.CHUNK_HEADER : layout.CHUNK_HEADER + rows.shape[1]] = rows
    return chunks


def _chunk(kind: int, used: int, content: bytes) -> NDArray[np.uint8]:
    head = np.zeros(1, layout.CHUNK)
    head["kind"], head["used"] = kind, used
    raw = (head.tobytes() + content).ljust(layout.CHUNK_SIZE, b"\0")
    return np.frombuffer(raw, np.uint8).reshape(1, -1)


def _meta() -> NDArray[np.uint8]:
    """Intern as many stacks, ten frames deep each, as the spans name."""
    words = np.zeros((STACKS, 6), np.uint32)
    number = np.arange(1, STACKS + 1)
    words[:, 0] = layout.META_READY | layout.META_STACK << 24 | 24
    words[:, 1], words[:, 2], words[:, 4] = number, np.where(number % 10, number - 1, 0), number
    per_chunk = layout.CHUNK_ROOM // 24
    parts = [words[start : start + per_chunk].tobytes() for start in range(0, STACKS, per_chunk)]
    return np.concatenate([_chunk(layout.CHUNK_META, len(part), part) for part in parts])


def load(folder: Path) -> dict[str, float]:
    """Load a recording and say what it took, in this process."""
    from concurtrace.recording.read import read_trace

    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    start = time.perf_counter()
    trace = read_trace(folder)
    took = time.perf_counter() - start
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024
    return {"spans": len(trace.spans), "s": took, "bytes": peak, "before": before * 1024}


def main(spans: int) -> int:
    """Print the figures; fail where they are above what they may be."""
    with tempfile.TemporaryDirectory() as name:
        write(Path(name), spans)
        size = sum(path.stat().st_size for path in Path(name).iterdir())
        done = subprocess.run(
            (sys.executable, __file__, "--load", name), check=True, stdout=subprocess.PIPE
        )
    told = json.loads(done.stdout)
    print(f"{told['spans']} spans in {size / 2**20:.0f} MiB, {size / told['spans']:.1f} bytes each")
    print(f"loaded in {told['s']:.2f} s (may take {MAY_TAKE_S:.0f} s for ten million)")
    print(
        f"peak memory {told['bytes'] / 2**20:.0f} MiB (may take {MAY_TAKE_BYTES / 2**20:.0f} MiB)"
    )
    share = spans / 10_000_000
    return int(told["s"] > MAY_TAKE_S * share or told["bytes"] > MAY_TAKE_BYTES)


if __name__ == "__main__":
    if sys.argv[1:2] == ["--load"]:
        print(json.dumps(load(Path(sys.argv[2]))))
    else:
        sys.exit(main(int(sys.argv[1]) if len(sys.argv) > 1 else 10_000_000))
