"""Pack lanes into the blocks of bytes that the page carries, and unpack them again.

A block holds the columns of some pieces of lanes one after another, each column as planes: the
lowest byte of every entry, then the next. Then gzip, then base64 (so that HTML can hold it).

The first column is the kind, in order of time. The others are in order of the kind (and of time
within a kind): what is alike stands together, and what a kind never has takes no room. That makes
blocks a tenth smaller.
"""

import base64
import gzip
import zlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .lanes import Intervals, Lane, Numbers, segments

BLOCK = 200_000
"""Intervals in a block at most: more would stop the page for too long when it is read."""
_LEVEL = 6
_COLUMNS = ("kind", "dur", "what", "who", "on")
COLUMNS = len(_COLUMNS)
_GZIP_WINDOW = 31
_MEMORY = 9


@dataclass(frozen=True)
class Block:
    """A block: its bytes as base64, its pieces (lane, number of intervals), columns' widths."""

    text: str
    pieces: tuple[tuple[int, int], ...]
    widths: tuple[int, ...]


def pack(lanes: tuple[Lane, ...], most: int = BLOCK) -> tuple[Block, ...]:
    """Pack the intervals of the lanes, in order."""
    return tuple(_block(lanes, pieces) for pieces in segments(lanes, most))


def _block(lanes: tuple[Lane, ...], pieces: Sequence[tuple[int, int, int]]) -> Block:
    kinds = _column(lanes, pieces, "kind")
    order = _by_kind(kinds)
    data, widths = bytearray(planes(kinds, width_of(kinds))), [width_of(kinds)]
    for name in _COLUMNS[1:]:
        column = _column(lanes, pieces, name)[order]
        width = width_of(column)
        widths.append(width)
        data += planes(column, width)
    # Its header has no time stamp: the same run gives the same file.
    packer = zlib.compressobj(_LEVEL, zlib.DEFLATED, _GZIP_WINDOW, _MEMORY, zlib.Z_FILTERED)
    text = base64.b64encode(packer.compress(data) + packer.flush()).decode("ascii")
    counts = tuple((lane, last - first) for lane, first, last in pieces)
    return Block(text, counts, tuple(widths))


def _column(lanes: tuple[Lane, ...], pieces: Sequence[tuple[int, int, int]], name: str) -> Numbers:
    return np.concatenate(
        [getattr(lanes[lane].intervals, name)[first:last] for lane, first, last in pieces]
    )


def _by_kind(kinds: Numbers) -> NDArray[np.intp]:
    return np.argsort(kinds.astype(np.uint16), kind="stable")


def width_of(column: Numbers) -> int:
    """How many bytes the entries need: 1, 2 or 4."""
    largest = int(column.max(initial=0))
    return 1 if largest < 1 << 8 else 2 if largest < 1 << 16 else 4


def planes(column: Numbers, width: int) -> bytes:
    """Write the lowest bytes of all entries, then the next ones."""
    small = column.astype("<u4").view(np.uint8).reshape(-1, 4)
    return b"".join(small[:, plane].tobytes() for plane in range(width))


def unpack(block: Block) -> list[tuple[int, Intervals]]:
    """Read a block back: its pieces with the lane of each."""
    data = np.frombuffer(gzip.decompress(base64.b64decode(block.text)), np.uint8)
    many = sum(count for _, count in block.pieces)
    columns: list[Numbers] = []
    at = 0
    for width in block.widths:
        column: NDArray[np.int64] = np.zeros(many, np.int64)
        for plane in range(width):
            column |= data[at : at + many].astype(np.int64) << (8 * plane)
            at += many
        columns.append(column)
    order = _by_kind(columns[0])
    for number in range(1, len(columns)):
        sorted_ = columns[number]
        columns[number] = np.empty_like(sorted_)
        columns[number][order] = sorted_
    kinds, dur, *others = columns
    columns = [dur, kinds, *others]
    pieces, first = [], 0
    for lane, count in block.pieces:
        part = (column[first : first + count] for column in columns)
        pieces.append((lane, Intervals(*part)))
        first += count
    return pieces
