"""The format of the recording of tasks, number 2, as NumPy types: ``native/tasks/format.h``."""

import numpy as np

MAGIC = b"CTRTASK1"
VERSION = 2
CHUNK = 16384
CHUNK_HEADER = 64
CHUNK_ROOM = CHUNK - CHUNK_HEADER
BUCKETS = 128

LOOPS, TASKS, STEPS, NAMES, SITES, JOBS, FAULTS, CANCELS = range(2, 10)
STRING, CODE, STACK = 1, 2, 3
H_DISK_FULL, H_FULL = 1, 2
FAULT_KINDS = 5

HEADER = np.dtype(
    [
        ("magic", "S8"),
        ("version", "<u4"),
        ("chunk_size", "<u4"),
        ("chunks", "<u4"),
        ("pid", "<u4"),
        ("start_ns", "<u8"),
        ("end_ns", "<u8"),
        ("max_bytes", "<u8"),
        ("threshold_ns", "<u8"),
        ("raised_ns", "<u8"),
        ("steps", "<u8"),
        ("steps_kept", "<u8"),
        ("tasks", "<u8"),
        ("tasks_grouped", "<u8"),
        ("tasks_unseen", "<u8"),
        ("names_lost", "<u8"),
        ("flags", "<u4"),
        ("reserved", "<u4"),
    ]
)
CHUNK_HEAD = np.dtype(
    [("kind", "<u4"), ("sequence", "<u4"), ("used", "<u4"), ("reserved", "<u4", 13)]
)
TASK = np.dtype(
    [
        ("serial", "<u4"),
        ("flags", "<u4"),
        ("parent", "<u4"),
        ("waiter", "<u4"),
        ("gathering", "<u4"),
        ("made_at", "<u4"),
        ("code", "<u4"),
        ("waits_at", "<u4"),
        ("awaits", "<u4"),
        ("loop", "<u2"),
        ("state", "u1"),
        ("outcome", "u1"),
        ("created_ns", "<u8"),
        ("since_ns", "<u8"),
        ("steps", "<u8"),
        ("running_ns", "<u8"),
        ("ready_ns", "<u8"),
        ("created_total_ns", "<u8"),
        ("awaiting_ns", "<u8"),
        ("cancelling_ns", "<u8"),
        ("longest_step_ns", "<u8"),
        ("longest_step_at_ns", "<u8"),
        ("longest_ready_ns", "<u8"),
        ("yields", "<u8"),
        ("count", "<u8"),
        ("kept", "<u8"),
        ("name", "S48"),
    ]
)
STEP = np.dtype(
    [
        ("start_ns", "<u8"),
        ("dur_ns", "<u8"),
        ("await_ns", "<u8"),
        ("ready_ns", "<u8"),
        ("task", "<u4"),
        ("waited_at", "<u4"),
        ("waker", "<u4"),
        ("waker_tid", "<u4"),
        ("thing", "<u4"),
        ("loop", "<u2"),
        ("source", "u1"),
        ("flags", "u1"),
    ]
)
SITE = np.dtype(
    [
        ("stack", "<u4"),
        ("source", "<u4"),
        ("count", "<u8"),
        ("ns", "<u8"),
        ("longest_ns", "<u8"),
        ("ready_ns", "<u8"),
        ("on_tasks", "<u8"),
    ]
)
LOOP = np.dtype(
    [
        ("number", "<u4"),
        ("flavour", "<u4"),
        ("tid", "<u4"),
        ("name", "<u4"),
        ("start_ns", "<u8"),
        ("end_ns", "<u8"),
        ("iterations", "<u8"),
        ("polls", "<u8"),
        ("idle_ns", "<u8"),
        ("steps", "<u8"),
        ("steps_ns", "<u8"),
        ("callbacks", "<u8"),
        ("callbacks_ns", "<u8"),
        ("longest_iteration_ns", "<u8"),
        ("longest_iteration_at_ns", "<u8"),
        ("ready_sum", "<u8"),
        ("ready_most", "<u8"),
        ("lag_most_ns", "<u8"),
        ("in_ns", "<u8"),
        ("reserved", "<u8", 4),
        ("lag", "<u8", BUCKETS),
        ("iteration", "<u8", BUCKETS),
    ]
)
JOB = np.dtype(
    [
        ("submitted_ns", "<u8"),
        ("started_ns", "<u8"),
        ("ended_ns", "<u8"),
        ("task", "<u4"),
        ("from_tid", "<u4"),
        ("tid", "<u4"),
        ("stack", "<u4"),
        ("code", "<u4"),
        ("reserved", "<u4"),
        ("reserved_too", "<u8"),
    ]
)
CANCEL = np.dtype(
    [
        ("time_ns", "<u8"),
        ("until_ns", "<u8"),
        ("task", "<u4"),
        ("by", "<u4"),
        ("stack", "<u4"),
        ("reserved", "<u4"),
    ]
)
FAULT = np.dtype(
    [
        ("time_ns", "<u8"),
        ("kind", "<u4"),
        ("task", "<u4"),
        ("text", "<u4"),
        ("stack", "<u4"),
        ("reserved", "<u8"),
    ]
)
