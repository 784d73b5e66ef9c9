"""The recorder's file format, number 1, as NumPy types: the mirror of ``native/format.h``.

Names and order are those of the header file, which explains every field.
"""

import numpy as np

from concurtrace.model.states import Reason, State
from concurtrace.model.trace import ObjectKind

FORMAT_VERSION = 1
MAGIC = b"CTRSTAT1"
SHARED_MAGIC = b"CTRSHAR1"
CHUNK_SIZE = 16384
CHUNK_HEADER = 64
CHUNK_ROOM = CHUNK_SIZE - CHUNK_HEADER
SPAN_SIZE = 24
LATEST_NS = 1 << 60
"""No machine runs for 36 years: a later time is damage."""
SLOT_SIZE = 1024
SLOTS_PER_CHUNK = CHUNK_ROOM // SLOT_SIZE
STATE_COUNT = 16
PAIR_COUNT = 12

# Kinds of chunks and of META records.
CHUNK_HEADER_KIND, CHUNK_THREADS, CHUNK_SPANS, CHUNK_META = 1, 2, 3, 4
META_STRING, META_CODE, META_STACK, META_OBJECT, META_ORDER, META_QUEUE = 1, 2, 3, 4, 5, 6
META_MESSAGE, META_SITE = 7, 8
META_READY = 0x80000000
ORDER_HELD, ORDER_THREADS = 8, 4
QUEUE_READINGS = 64
GENERATIONS = 3

# Bits of a span record.
SPAN_FOLD, SPAN_CONTINUED = 1, 2
SPAN_KEPT_FLAGS = 0xFC
DUR_BITS = 40

# Header status, flags of the header, of a slot and of a process row.
ALIVE, EXITED, EXECED = 1, 2, 3
H_FREE_THREADED, H_NO_STACKS, H_DISK_FULL, H_BUDGET_USED, H_TABLE_FULL = 1, 2, 4, 8, 32
H_COLLECTIONS = 64
T_USED, T_MAIN, T_PYTHON, T_ENDED, T_REST, T_STOPPED = 1, 2, 4, 8, 16, 32
P_REAPED, P_ENDED_SELF, P_PYTHON, P_SELF_REPORTED, P_DEAD_ROW = 1, 2, 4, 8, 16

START_EXEC = 6
START_WORDS = {1: "main", 2: "fork", 3: "subprocess", 4: "subprocess", 5: "subprocess"}

STATE_OF = (
    State.UNKNOWN,
    State.RUNNING,
    State.RUNNING_NOGIL,
    State.RUNNABLE,
    State.GIL_WAIT,
    State.GIL_BLOCKED,
    State.LOCK_WAIT,
    State.CONDITION_WAIT,
    State.IO_WAIT,
    State.SLEEP,
    State.CHILD_WAIT,
    State.STOPPED,
    State.STARTING,
)
"""States by the recorder's number; what lies behind the end is unknown."""

REASON_OF = {
    1: Reason.NET,
    2: Reason.IPC,
    3: Reason.FILE,
    4: Reason.POLL,
    5: Reason.TTY,
    6: Reason.OTHER,
    16: Reason.QUEUE_EMPTY,
    17: Reason.QUEUE_FULL,
    18: Reason.BARRIER,
    19: Reason.JOIN,
    20: Reason.FUTURE,
    21: Reason.EVENT,
    22: Reason.SEMAPHORE,
    23: Reason.CONDITION,
    32: Reason.LOCK,
    33: Reason.SLEEP,
    34: Reason.CHILD,
    35: Reason.JOIN,
    36: Reason.GC,
    40: Reason.PREEMPTED,
    41: Reason.HOLDING_GIL,
    42: Reason.WOKEN,
    43: Reason.THROTTLED,
    48: Reason.NATIVE_LOCK,
}

KIND_OF = {
    1: ObjectKind.LOCK,
    2: ObjectKind.EVENT,
    3: ObjectKind.SEMAPHORE,
    4: ObjectKind.MP_LOCK,
    5: ObjectKind.MUTEX,
    6: ObjectKind.COND,
    16: ObjectKind.FILE,
    17: ObjectKind.PIPE,
    18: ObjectKind.UNIX,
    19: ObjectKind.TCP,
    20: ObjectKind.UDP,
    21: ObjectKind.LISTEN,
    22: ObjectKind.EPOLL,
    23: ObjectKind.TTY,
    24: ObjectKind.EVENTFD,
    25: ObjectKind.POLLSET,
    26: ObjectKind.SOCKET,
    27: ObjectKind.DNS,
}


STATE_CODES = np.full(256, State.UNKNOWN.code, np.uint8)
STATE_CODES[: len(STATE_OF)] = [state.code for state in STATE_OF]
REASON_CODES = np.zeros(256, np.uint8)
REASON_CODES[list(REASON_OF)] = [reason.code for reason in REASON_OF.values()]

CHUNK = np.dtype(
    [
        ("kind", "<u4"),
        ("owner", "<u4"),
        ("sequence", "<u4"),
        ("used", "<u4"),
        ("next", "<u4"),
        ("reserved", "<u4", 11),
    ]
)

LAYOUT_WORDS = 32
COLLECTIONS = np.dtype(
    [("count", "<u8"), ("total_ns", "<u8"), ("longest_ns", "<u8"), ("freed", "<u8")]
)
HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("chunk_size", "<u4"),
        ("chunks", "<u4"),
        ("span_size", "<u4"),
        ("slot_size", "<u4"),
        ("status", "<u4"),
        ("pid", "<u4"),
        ("ppid", "<u4"),
        ("creator_tid", "<u4"),
        ("start_method", "<u4"),
        ("start_ns", "<u8"),
        ("fork_ns", "<u8"),
        ("end_ns", "<u8"),
        ("exit_code", "<i4"),
        ("flags", "<u4"),
        ("parent_start_ns", "<u8"),
        ("process_row", "<u4"),
        ("python_hex", "<u4"),
        ("first_gil_ns", "<u8"),
        ("code_type", "<u8"),
        ("py_runtime", "<u8"),
        ("layout", "<u2", LAYOUT_WORDS),
        ("first_threads", "<u4"),
        ("first_meta", "<u4"),
        ("thread_count", "<u4"),
        ("pages_reserved", "<u4"),
        ("min_span_ns", "<u8"),
        ("now_min_span_ns", "<u8"),
        ("stack_ns", "<u8"),
        ("lost_stacks", "<u8"),
        ("lost_objects", "<u8"),
        ("lost_wakers", "<u8"),
        ("lost_threads", "<u8"),
        ("locks_created", "<u8"),
        ("raised_at_ns", "<u8", 8),
        ("lost_orders", "<u8"),
        ("collections", COLLECTIONS, GENERATIONS),
        ("lost_queues", "<u8"),
        ("message_bytes", "<u8"),
        ("reserved", "<u8"),
        ("python_version", "S128"),
        ("executable", "S512"),
        ("argv_bytes", "<u4"),
        ("argc", "<u4"),
        ("argv", "V4096"),
    ]
)

TOTAL = np.dtype(
    [("total_ns", "<u8"), ("count", "<u8"), ("folded_ns", "<u8"), ("folded_count", "<u8")]
)
PAIR = np.dtype([("tid", "<u4"), ("count", "<u4"), ("ns", "<u8")])
SLOT = np.dtype(
    [
        ("tid", "<u4"),
        ("flags", "<u4"),
        ("start_ns", "<u8"),
        ("end_ns", "<u8"),
        ("pthread", "<u8"),
        ("tstate", "<u8"),
        ("creator_tid", "<u4"),
        ("index", "<u4"),
        ("name", "S48"),
        ("seq", "<u4"),
        ("state", "u1"),
        ("reason", "u1"),
        ("gil_held", "u1"),
        ("in_call", "u1"),
        ("since_ns", "<u8"),
        ("wait_address", "<u8"),
        ("wait_owner", "<u4"),
        ("wait_fd", "<i4"),
        ("wait_pid", "<u4"),
        ("last_waker", "<u4"),
        ("gil_taken_ns", "<u8"),
        ("gil_holds", "<u8"),
        ("gil_held_ns", "<u8"),
        ("gil_waits", "<u8"),
        ("gil_wait_ns", "<u8"),
        ("gil_longest_wait_ns", "<u8"),
        ("gil_forced", "<u8"),
        ("cpu_ns", "<u8"),
        ("cpu_read_ns", "<u8"),
        ("span_records", "<u8"),
        ("span_chunks", "<u4"),
        ("last_chunk", "<u4"),
        ("pairs", PAIR, PAIR_COUNT),
        ("pair_other", PAIR),
        ("states", TOTAL, STATE_COUNT),
        ("major_faults", "<u8"),
        ("reserved", "u1", 72),
    ]
)

META_OBJECT_RECORD = np.dtype(
    [
        ("word", "<u4"),
        ("id", "<u4"),
        ("kind", "<u4"),
        ("text", "<u4"),
        ("key", "<u8"),
        ("created_ns", "<u8"),
        ("created_stack", "<u4"),
        ("creator_tid", "<u4"),
        ("acquisitions", "<u8"),
        ("contended", "<u8"),
        ("wait_ns", "<u8"),
        ("hold_ns", "<u8"),
        ("owner", "<u4"),
        ("poster", "<u4"),
        ("handed", "<u8"),
        ("reserved", "<u8"),
    ]
)

META_ORDER_RECORD = np.dtype(
    [
        ("word", "<u4"),
        ("id", "<u4"),
        ("taken", "<u4"),
        ("stack", "<u4"),
        ("held", "<u4", ORDER_HELD),
        ("tids", "<u4", ORDER_THREADS),
    ]
)

META_MESSAGE_RECORD = np.dtype(
    [
        ("word", "<u4"),
        ("id", "<u4"),
        ("stack", "<u4"),
        ("reserved", "<u4"),
        ("hash", "<u8"),
        ("length", "<u8"),
        ("count", "<u8"),
    ]
)
META_SITE_RECORD = np.dtype(
    [
        ("word", "<u4"),
        ("id", "<u4"),
        ("object", "<u4"),
        ("stack", "<u4"),
        ("acquisitions", "<u8"),
        ("contended", "<u8"),
    ]
)

QUEUE_READING = np.dtype([("at_ns", "<u8"), ("length", "<u4"), ("moved", "<u4")])
META_QUEUE_RECORD = np.dtype(
    [
        ("word", "<u4"),
        ("id", "<u4"),
        ("created_stack", "<u4"),
        ("creator_tid", "<u4"),
        ("created_ns", "<u8"),
        ("step_ns", "<u8"),
        ("count", "<u4"),
        ("reserved", "<u4"),
        ("readings", QUEUE_READING, QUEUE_READINGS),
    ]
)

SHARED = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("header_size", "<u4"),
        ("max_bytes", "<u8"),
        ("used_bytes", "<u8"),
        ("created_ns", "<u8"),
        ("process_count", "<u4"),
        ("root_pid", "<u4"),
        ("processes_reserved", "<u4"),
        ("reserved", "<u4", 17),
    ]
)
SHARED_PROCESSES = 65536
SHARED_PROCESSES_AT = 4096 + 65536 * 16 + 4096 * 24
PROCESS = np.dtype(
    [
        ("pid", "<u4"),
        ("ppid", "<u4"),
        ("creator_tid", "<u4"),
        ("start_method", "<u4"),
        ("fork_ns", "<u8"),
        ("exec_ns", "<u8"),
        ("image_ns", "<u8"),
        ("end_ns", "<u8"),
        ("wait_status", "<i4"),
        ("exit_code", "<i4"),
        ("flags", "<u4"),
        ("reaper_tid", "<u4"),
        ("parent_start_ns", "<u8"),
        ("argv_bytes", "<u4"),
        ("reserved", "<u4"),
        ("argv", "V432"),
    ]
)
