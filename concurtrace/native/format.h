/* The recording format of the concurtrace wait-state recorder, format number 1.
 *
 * A recording is a directory (CONCURTRACE_STATES_DIR) that holds
 *
 *   <pid>-<start_ns>.ctr    one file per image of a Python process (an exec starts a new image)
 *   shared.ctr              one file per run: byte budget, table of all processes, who wrote what
 *
 * Everything is little-endian and naturally aligned, times are integer nanoseconds of
 * CLOCK_MONOTONIC (absolute, except the start of a span record), thread ids are Linux tids.
 * All files are written through shared mappings and are valid at every instant: a reader may open
 * them while the target runs, or after it was killed by anything.
 *
 * A process file is a row of chunks of CT_CHUNK_SIZE bytes. Chunk 0 is the header. The kind of any
 * other chunk is in its first word; a chunk of kind 0 was reserved and never used. The file can be
 * longer than header.chunks * CT_CHUNK_SIZE (it grows in steps; it is cut when the process ends well).
 *
 * What a reader may rely on
 *   - For every thread and state:
 *       slot.states[s].total_ns  = sum of dur of its span records with that state
 *                                + slot.states[s].folded_ns
 *     and likewise for the counts; exact, except that a kill can fall between the total and the record
 *     of the very last span. A thread that is alive adds (end of the process - slot.since_ns)
 *     to slot.state. Sum of total_ns over the states + the open span = the lifetime of the thread.
 *   - Span records of one thread never overlap. They are in time order along the thread's chain of
 *     chunks (ct_chunk.sequence counts the chunks of one owner from 0).
 *   - A gap between two consecutive span records of a thread consists of folded spans alone. Their
 *     time is in records with CT_F_FOLD: one per state and window, which conserve the folded time of
 *     that window. Folded time that no fold record has told yet is folded_ns - sum(fold.dur).
 */
#ifndef CONCURTRACE_FORMAT_H
#define CONCURTRACE_FORMAT_H

#include <stdint.h>

#define CT_FORMAT_VERSION 1u
#define CT_MAGIC "CTRSTAT1"          /* first 8 bytes of a process file */
#define CT_SHARED_MAGIC "CTRSHAR1"   /* first 8 bytes of shared.ctr */
#define CT_CHUNK_SIZE 16384u
#define CT_STATES 16u

/* Wait states, in the words of the project. The number is the index into ct_thread.states. */
enum ct_state {
    CT_UNKNOWN = 0,        /* never written by the recorder itself; the residual belongs here */
    CT_RUNNING = 1,        /* holds the GIL, in no blocking call (may be off its core: scheduler records tell) */
    CT_RUNNING_NOGIL = 2,  /* does not hold the GIL, in no blocking call */
    CT_RUNNABLE = 3,       /* off its core between a forced release of the GIL and the wait that follows (a few
                            * instructions apart); all other such time comes from scheduler records */
    CT_GIL_WAIT = 4,       /* in take_gil, or in the forced switch at the end of drop_gil */
    CT_GIL_BLOCKED = 5,    /* in a blocking call with the GIL held */
    CT_LOCK_WAIT = 6,
    CT_CONDITION_WAIT = 7,
    CT_IO_WAIT = 8,
    CT_SLEEP = 9,
    CT_CHILD_WAIT = 10,
    CT_STOPPED = 11,       /* not written by the recorder */
    CT_STARTING = 12       /* pthread_create called, first instruction pending */
};

/* Refinement of a state (ct_span.reason, ct_thread.reason). 0 = none known. */
enum ct_reason {
    CT_R_NONE = 0,
    /* IO_WAIT and GIL_BLOCKED */
    CT_R_NET = 1,            /* TCP, UDP, DNS */
    CT_R_IPC = 2,            /* pipe, unix socket */
    CT_R_FILE = 3,
    CT_R_POLL = 4,           /* epoll, poll, select */
    CT_R_TTY = 5,
    CT_R_OTHER = 6,
    /* CONDITION_WAIT (from the Python frames of the waiter) */
    CT_R_QUEUE_EMPTY = 16,
    CT_R_QUEUE_FULL = 17,
    CT_R_BARRIER = 18,
    CT_R_JOIN = 19,
    CT_R_FUTURE = 20,
    CT_R_EVENT = 21,
    CT_R_SEMAPHORE = 22,
    CT_R_CONDITION = 23,
    /* GIL_BLOCKED: what it was blocked in when that was not I/O */
    CT_R_LOCK = 32,
    CT_R_SLEEP = 33,
    CT_R_CHILD = 34,
    CT_R_JOIN_NATIVE = 35,
    /* RUNNING */
    CT_R_GC = 36,            /* Python's garbage collector, which lets no other Python thread run; long ones only */
    /* RUNNABLE */
    CT_R_PREEMPTED = 40,
    CT_R_HOLDING_GIL = 41,   /* this and the next two: not written by the recorder */
    CT_R_WOKEN = 42,
    CT_R_THROTTLED = 43,
    /* Who waits: a lock of a native library, not of Python */
    CT_R_NATIVE = 48
};

/* ---- span records ------------------------------------------------------------------------- */

/* One span of one thread, 24 bytes; or, with CT_F_FOLD, the sum of short spans of one state. */
struct ct_span {
    uint64_t w0;   /* bits 0-47 start_ns - header.start_ns | 48-55 state | 56-63 reason */
    uint64_t w1;   /* bits 0-39 dur_ns | 40-63 waker tid (0 = unknown) */
    uint64_t w2;   /* bits 0-23 stack id | 24-47 object id | 48-63 flags (CT_F_*) */
};
/* waker: GIL_WAIT: the thread that dropped the GIL last before it was taken; lock and condition: the
 * thread that posted last; pipe and socket: the last writer to the other end; CHILD_WAIT: the pid of
 * the child that was reaped; join: the thread that ended. It may be a thread of another process: a tid
 * is unique among all threads of the machine that live at one time, so (tid, end of the span) finds it.
 * stack: the Python stack of the waiter during the span (also where it let go of the GIL just before).
 *        For GIL_WAIT with CT_F_FORCED it is the stack of a holder at a forced release.
 * A span longer than 2^40-1 ns is written as several, all but the last with CT_F_CONTINUED; the count
 * in the totals counts it once.
 * A fold record has start = start of the first folded span of the window, dur = folded ns of its
 * state in the window, no waker, bits 0-23 of w2 = number of folded spans, bits 24-47 = length of the
 * window in microseconds, rounded up. */

enum ct_span_flag {
    CT_F_FOLD = 1,        /* a sum, see above */
    CT_F_CONTINUED = 2,   /* the next record of the thread goes on with the same span */
    CT_F_FORCED = 4,      /* GIL_WAIT right after a release that another thread had requested */
    CT_F_GIL_HELD = 8,    /* the thread held the GIL throughout */
    CT_F_TIMED = 16,      /* the call had a time limit */
    CT_F_TIMED_OUT = 32,  /* and it ran out */
    CT_F_FAILED = 64,     /* the call failed, or was interrupted by a signal */
    CT_F_WRITE = 128      /* I/O in the direction of writing */
};

/* ---- chunks ------------------------------------------------------------------------------- */

enum ct_chunk_kind { CT_CHUNK_NONE = 0, CT_CHUNK_HEADER = 1, CT_CHUNK_THREADS = 2, CT_CHUNK_SPANS = 3,
                     CT_CHUNK_META = 4 };

struct ct_chunk {              /* first 64 bytes of every chunk but the header */
    uint32_t kind;             /* written last when a chunk is set up */
    uint32_t owner;            /* SPANS: index of the thread slot; else 0 */
    uint32_t sequence;         /* SPANS: 0, 1, 2… along one owner; else 0 */
    uint32_t used;             /* SPANS: bytes of records; THREADS: slots taken; META: bytes taken.
                                * Not counting this header. Release-stored after the records. */
    uint32_t next;             /* THREADS and META: number of the next chunk of the kind, 0 = none */
    uint32_t reserved[11];
};
#define CT_CHUNK_ROOM (CT_CHUNK_SIZE - 64u)
#define CT_SPANS_PER_CHUNK (CT_CHUNK_ROOM / 24u)      /* 680 */
#define CT_SLOTS_PER_CHUNK (CT_CHUNK_ROOM / 1024u)    /* 15 */

/* ---- process file header (chunk 0) --------------------------------------------------------- */

enum ct_status {
    CT_ALIVE = 1,          /* still running, or killed: see shared.ctr for how it ended */
    CT_EXITED = 2,         /* exit() or _exit(); exit_code is valid */
    CT_EXECED = 3          /* the image was replaced by exec; another file or process row goes on */
};

enum ct_start {            /* how an image came to be */
    CT_START_UNKNOWN = 0, CT_START_ROOT = 1, CT_START_FORK = 2, CT_START_VFORK_EXEC = 3,
    CT_START_FORK_EXEC = 4, CT_START_POSIX_SPAWN = 5, CT_START_EXEC = 6 /* same pid, new image */
};

enum ct_header_flag {
    CT_H_FREE_THREADED = 1,      /* built without a GIL: no GIL states */
    CT_H_NO_STACKS = 2,          /* layout of this Python is not known: no stacks */
    CT_H_DISK_FULL = 4,          /* the file could not grow: spans were folded from then on */
    CT_H_BUDGET_USED = 8,        /* CONCURTRACE_MAX_BYTES reached: spans were folded from then on */
    CT_H_STATIC = 16,            /* Python is in the executable, not in a libpython */
    CT_H_TABLE_FULL = 32,        /* a table inside the target was full: see header.lost_* */
    CT_H_COLLECTIONS = 64        /* runs of the garbage collector are told (header.collections, CT_R_GC) */
};

/* Offsets a watcher needs to read Python stacks out of the live process (bytes). */
struct ct_layout {
    uint16_t tstate_frame;       /* PyThreadState.cframe (indirect = 1) or .current_frame */
    uint16_t indirect;           /* 1: tstate_frame points at a _PyCFrame */
    uint16_t cframe_frame;       /* _PyCFrame.current_frame */
    uint16_t tstate_next;        /* unused, 0 */
    uint16_t tstate_native_id;   /* PyThreadState.native_thread_id (unsigned long) */
    uint16_t frame_previous;
    uint16_t frame_code;         /* code object, or any object (3.13+): compare its type */
    uint16_t frame_instr;        /* prev_instr / instr_ptr */
    uint16_t frame_owner;        /* char: 3 = on the C stack (3.12+): skip */
    uint16_t frame_locals;
    uint16_t code_firstlineno;
    uint16_t code_filename;
    uint16_t code_name;
    uint16_t code_qualname;
    uint16_t code_linetable;
    uint16_t code_bytecode;      /* co_code_adaptive; lasti = instr - (code + this) */
    uint16_t str_length;
    uint16_t str_state;          /* uint32: kind = bits 2-4, compact = bit 5, ascii = bit 6 */
    uint16_t str_ascii_data;     /* data of compact ASCII */
    uint16_t str_compact_data;   /* data of other compact strings */
    uint16_t bytes_size;
    uint16_t bytes_data;
    uint16_t reserved[10];
};

#define CT_GENERATIONS 3u
/* Runs of Python's garbage collector by generation, since the work began. A long one is a span of its own too. */
struct ct_collections {
    uint64_t count;
    uint64_t total_ns;           /* with the GIL held; a finalizer may let go of it */
    uint64_t longest_ns;
    uint64_t freed;              /* objects found unreachable */
};

struct ct_header {
    char magic[8];
    uint32_t version;            /* CT_FORMAT_VERSION */
    uint32_t chunk_size;         /* CT_CHUNK_SIZE */
    uint32_t chunks;             /* chunks handed out, this one included (grows while alive) */
    uint32_t span_size;          /* 24 */
    uint32_t slot_size;          /* 1024 */
    uint32_t status;             /* enum ct_status */
    uint32_t pid;
    uint32_t ppid;
    uint32_t creator_tid;        /* thread that forked or spawned it, 0 = unknown */
    uint32_t start_method;       /* enum ct_start */
    uint64_t start_ns;           /* of this image; also in the file name; epoch of span records */
    uint64_t fork_ns;            /* when the creating call began, 0 = unknown */
    uint64_t end_ns;             /* 0 while status is CT_ALIVE */
    int32_t exit_code;
    uint32_t flags;              /* enum ct_header_flag */
    uint64_t parent_start_ns;    /* start_ns of the parent's file, 0 = unknown or no Python process */
    uint32_t process_row;        /* 1 + row in the process table of shared.ctr, 0 = none */
    uint32_t python_hex;         /* PY_VERSION_HEX, from Py_GetVersion (release level left out) */
    uint64_t first_gil_ns;       /* when a GIL was first taken in this image, 0 = never */
    uint64_t code_type;          /* address of PyCode_Type, for a watcher */
    uint64_t py_runtime;         /* address of _PyRuntime, for a watcher */
    struct ct_layout layout;
    uint32_t first_threads;      /* chunk number of the first THREADS chunk, 0 = none */
    uint32_t first_meta;         /* chunk number of the first META chunk, 0 = none */
    uint32_t thread_count;       /* thread slots taken */
    uint32_t pages_reserved;     /* bytes reserved on disk / CT_CHUNK_SIZE */
    uint64_t min_span_ns;        /* threshold at the start: shorter spans are folded */
    uint64_t now_min_span_ns;    /* threshold now: it rises as the budget is used up */
    uint64_t stack_ns;           /* waits at least that long carry a stack */
    uint64_t lost_stacks;        /* waits that should carry a stack and do not (table full) */
    uint64_t lost_objects;       /* waits whose lock or fd found no room in a table */
    uint64_t lost_wakers;
    uint64_t lost_threads;       /* threads that found no slot: counted in the slot with CT_T_REST */
    uint64_t locks_created;      /* Python locks seen at their creation */
    uint64_t raised_at_ns[8];    /* when the threshold was raised the n-th time, 0 = not */
    uint64_t lost_orders;        /* takings of a lock under others that no ORDER record tells */
    struct ct_collections collections[CT_GENERATIONS];
    uint64_t lost_queues;        /* queues that were made while as many as can be watched lived */
    uint64_t message_bytes;      /* in messages of CT_MESSAGE_LEAST or more, written to pipes and unix sockets */
    uint64_t reserved;
    char python_version[128];    /* Py_GetVersion(), NUL-terminated */
    char executable[512];        /* /proc/self/exe */
    uint32_t argv_bytes;         /* bytes used of argv; cut when longer than the room */
    uint32_t argc;
    char argv[4096];             /* NUL-separated, as in /proc/self/cmdline */
};

/* ---- thread slots (THREADS chunks) ------------------------------------------------------------ */

enum ct_slot_flag {
    CT_T_USED = 1,               /* set last when a slot is taken */
    CT_T_MAIN = 2,               /* main thread of the process */
    CT_T_PYTHON = 4,             /* has taken a GIL at least once */
    CT_T_ENDED = 8,              /* end_ns is valid */
    CT_T_STOPPED = 32,           /* ended inside of a call, not by returning from its function: so Python ends
                                  * threads that ask for the GIL while it winds up */
    CT_T_REST = 16               /* no thread but the sum of those that ended and had found no slot (the budget
                                  * was used up): only the sums count, pairs are all in pair_other */
};

struct ct_total { uint64_t total_ns, count, folded_ns, folded_count; };
struct ct_pair { uint32_t tid, count; uint64_t ns; };
#define CT_PAIRS 12u

struct ct_thread {               /* 1024 bytes */
    uint32_t tid;
    uint32_t flags;              /* enum ct_slot_flag */
    uint64_t start_ns;           /* pthread_create, or the start of the process */
    uint64_t end_ns;
    uint64_t pthread;            /* pthread_self(): threading.get_ident() */
    uint64_t tstate;             /* PyThreadState of the thread, 0 = none known */
    uint32_t creator_tid;
    uint32_t index;              /* number of this slot: chunk order * CT_SLOTS_PER_CHUNK + place */
    char name[48];               /* Python's name of the thread, else its comm; UTF-8, NUL-terminated */
    /* What it does now. Read seq, the fields, seq again: odd or changed = try again. */
    uint32_t seq;
    uint8_t state;               /* enum ct_state of the open span */
    uint8_t reason;
    uint8_t gil_held;
    uint8_t in_call;             /* 1 while in a wrapped blocking call, 2 in a wait for a lock or condition that
                                  * ends by itself after some time, else 0 */
    uint64_t since_ns;           /* start of the open span */
    uint64_t wait_address;       /* lock, condition or GIL waited for, 0 = none */
    uint32_t wait_owner;         /* tid that owned it when the wait began, 0 = unknown */
    int32_t wait_fd;             /* -1 = none */
    uint32_t wait_pid;           /* child waited for */
    uint32_t last_waker;         /* of the last finished wait */
    /* GIL, exact */
    uint64_t gil_taken_ns;       /* start of the hold that is open, 0 = does not hold it */
    uint64_t gil_holds;          /* finished holds */
    uint64_t gil_held_ns;        /* of finished holds */
    uint64_t gil_waits;
    uint64_t gil_wait_ns;
    uint64_t gil_longest_wait_ns;
    uint64_t gil_forced;         /* releases that another thread had requested */
    /* Scheduler's view, read at the thread's end and at long waits */
    uint64_t cpu_ns;             /* CLOCK_THREAD_CPUTIME_ID */
    uint64_t cpu_read_ns;        /* when cpu_ns was read, 0 = never */
    uint64_t span_records;       /* span records written, fold records included */
    uint32_t span_chunks;        /* SPANS chunks owned */
    uint32_t last_chunk;         /* number of the newest of them, 0 = none */
    /* GIL wait by the thread that held it meanwhile, finished parts of an open wait included; threads that find no
     * room, and time for which no holder was known (tid 0), in pair_other */
    struct ct_pair pairs[CT_PAIRS];
    struct ct_pair pair_other;
    struct ct_total states[CT_STATES];
    uint64_t major_faults;       /* pages that it had to wait for until they were read from a disk; as of cpu_read_ns */
    uint8_t reserved[72];
};

/* ---- META chunks: interned things --------------------------------------------------------------- */

/* META chunks hold records back to back, each a multiple of 8 bytes. A word of 0 ends the chunk. A record
 * without CT_META_READY was begun and not finished: skip it by its size. Ids are unique per kind and file, from
 * 1 up, in any order and with gaps; a record may refer to one that comes later in the file, or (after a kill)
 * that is missing. */
#define CT_META_READY 0x80000000u
#define CT_META_SIZE(word) ((word) & 0x00ffffffu)         /* bytes, this word included */
#define CT_META_KIND(word) (((word) >> 24) & 0x7fu)

enum ct_meta_kind { CT_META_STRING = 1, CT_META_CODE = 2, CT_META_STACK = 3, CT_META_OBJECT = 4,
                    CT_META_ORDER = 5, CT_META_QUEUE = 6, CT_META_MESSAGE = 7,
                    CT_META_SITE = 8 };

struct ct_meta_string { uint32_t word, id, length, reserved; /* then length bytes of UTF-8 */ };
struct ct_meta_code { uint32_t word, id, name, file, first_line, reason; uint64_t address; };
                                 /* name = co_qualname, file = co_filename: string ids.
                                  * address: of the code object; the newest record with it is the live one */
struct ct_meta_stack { uint32_t word, id, parent, code, line, reserved; };
                                 /* one frame; parent = stack id of its caller, 0 = outermost */

enum ct_object_kind {
    CT_O_OTHER = 0, CT_O_LOCK = 1 /* semaphore with initial value 1: threading.Lock, RLock… */,
    CT_O_EVENT = 2 /* initial value 0 */, CT_O_SEMAPHORE = 3 /* another initial value */,
    CT_O_MP_LOCK = 4 /* named semaphore: shared between processes; key = inode */,
    CT_O_MUTEX = 5, CT_O_COND = 6 /* of native libraries */,
    CT_O_FILE = 16, CT_O_PIPE = 17, CT_O_UNIX = 18, CT_O_TCP = 19, CT_O_UDP = 20, CT_O_LISTEN = 21,
    CT_O_EPOLL = 22, CT_O_TTY = 23, CT_O_EVENTFD = 24, CT_O_POLLSET = 25, CT_O_SOCKET = 26 /* another family */,
    CT_O_DNS = 27
};

struct ct_meta_object {          /* lock counters go on changing in place while the process lives */
    uint32_t word, id;
    uint32_t kind;               /* enum ct_object_kind */
    uint32_t text;               /* string id: path, "peer ip:port", semaphore name; 0 = none */
    uint64_t key;                /* address, inode, or hash of addresses: same key = same thing (in all
                                  * processes for kinds 4 and 17 to 21) */
    uint64_t created_ns;         /* 0 = unknown */
    uint32_t created_stack;      /* stack id of the creation, 0 = unknown */
    uint32_t creator_tid;
    uint64_t acquisitions;
    uint64_t contended;          /* finished waits, folded ones included */
    uint64_t wait_ns;
    uint64_t hold_ns;            /* sum of finished holds; 0 for semaphores that are no locks */
    uint32_t owner;              /* tid of the holder, 0 = free or unknown */
    uint32_t poster;             /* tid that released it last */
    uint64_t handed;             /* releases by a thread that had not taken it: it is used as a signal */
    uint64_t reserved;
};

/* A lock was taken, or waited for, while others were held; once for each row of held locks and lock taken. Locks that
 * are made and taken at once are left out (each Condition.wait makes one), and so are those used as signals. */
#define CT_ORDER_HELD 8u
#define CT_ORDER_THREADS 4u
struct ct_meta_order {
    uint32_t word, id;
    uint32_t taken;                   /* object id */
    uint32_t stack;                   /* of the first time: where the lock was taken, 0 = unknown */
    uint32_t held[CT_ORDER_HELD];     /* object ids in the order in which they were taken; 0 = no more */
    uint32_t tids[CT_ORDER_THREADS];  /* who did so; 0 = no more. All taken: perhaps further threads too */
};

/* The length of a queue of Python over time, told once it was long. Readings are taken when a thread takes the GIL, so
 * they may lie far apart; when all places are taken every second one is dropped. A reader takes those whose times rise:
 * a kill may fall between. */
#define CT_QUEUE_READINGS 64u
struct ct_queue_reading {
    uint64_t at_ns;
    uint32_t length;
    uint32_t moved;                   /* items put in plus items taken out since it was made, modulo 2^32 */
};
struct ct_meta_queue {
    uint32_t word, id;
    uint32_t created_stack;           /* stack id, 0 = unknown */
    uint32_t creator_tid;
    uint64_t created_ns;
    uint64_t step_ns;                 /* least time between two readings now */
    uint32_t count;                   /* readings */
    uint32_t reserved;
    struct ct_queue_reading readings[CT_QUEUE_READINGS];
};

/* A large message that a process sent more than once to other processes. It is told by its length and a hash of parts
 * of it; all but its ends is compared at the third time and at each power of two. The count goes on changing in place. */
#define CT_MESSAGE_LEAST 65536u  /* shorter ones are not looked at */
struct ct_meta_message {
    uint32_t word, id;
    uint32_t stack;              /* of the second time, 0 = unknown */
    uint32_t reserved;
    uint64_t hash;               /* the same in all processes */
    uint64_t length;             /* bytes */
    uint64_t count;              /* 0: it was not the same each time after all */
};

/* A place at which a lock is taken, from the time on that CT_SITES_FROM waits for it had ended; up to four a lock. */
#define CT_SITES_FROM 16u
struct ct_meta_site {
    uint32_t word, id;
    uint32_t object;             /* of the lock */
    uint32_t stack;              /* of the first time there, 0 = unknown */
    uint64_t acquisitions;
    uint64_t contended;          /* of them, those that had to wait */
};

/* ---- shared.ctr --------------------------------------------------------------------------------- */

#define CT_SHARED_WAKERS 65536u
#define CT_SHARED_LOCKS 4096u
#define CT_SHARED_PROCESSES 65536u

struct ct_waker { uint64_t key; uint32_t tid, reserved; };   /* last writer to a pipe, socket direction… */
struct ct_shared_lock { uint64_t key; uint32_t owner, poster; uint64_t reserved; }; /* named semaphores */

enum ct_process_flag {
    CT_P_REAPED = 1,             /* end_ns and wait_status come from the parent's wait */
    CT_P_ENDED_SELF = 2,         /* end_ns and exit code were written by the process itself */
    CT_P_PYTHON = 4,             /* it has a file of its own */
    CT_P_SELF_REPORTED = 8,      /* row made by the child: its parent did not see the start. A row made by
                                  * the parent for the same pid and time may exist too: merge them */
    CT_P_DEAD_ROW = 16           /* to be ignored: the creating call failed */
};

struct ct_process {              /* 512 bytes */
    uint32_t pid;                /* 0 = row not (yet) valid */
    uint32_t ppid;
    uint32_t creator_tid;
    uint32_t start_method;       /* enum ct_start */
    uint64_t fork_ns;            /* before the creating call */
    uint64_t exec_ns;            /* last exec, 0 = none (with an argv: it was tried and failed) */
    uint64_t image_ns;           /* start_ns of the newest file of this pid (for the file name), 0 = none */
    uint64_t end_ns;             /* 0 = not known */
    int32_t wait_status;         /* as from waitpid, valid with CT_P_REAPED */
    int32_t exit_code;           /* valid with CT_P_ENDED_SELF */
    uint32_t flags;              /* enum ct_process_flag */
    uint32_t reaper_tid;
    uint64_t parent_start_ns;    /* start_ns of the parent's file, 0 = not Python */
    uint32_t argv_bytes;
    uint32_t reserved;
    char argv[432];              /* NUL-separated, of the last exec; cut. Empty: fork without exec */
};

struct ct_shared {
    char magic[8];
    uint32_t version;
    uint32_t header_size;        /* 4096: the tables follow in the order wakers, locks, processes */
    uint64_t max_bytes;
    uint64_t used_bytes;         /* chunks of all process files, bytes */
    uint64_t created_ns;
    uint32_t process_count;      /* rows taken (also above CT_SHARED_PROCESSES: the rest are lost) */
    uint32_t root_pid;           /* process that made the file */
    uint32_t processes_reserved; /* rows whose bytes are reserved on disk */
    uint32_t reserved[17];
};
#define CT_SHARED_HEADER 4096u
#define CT_SHARED_WAKERS_AT CT_SHARED_HEADER
#define CT_SHARED_LOCKS_AT (CT_SHARED_WAKERS_AT + CT_SHARED_WAKERS * 16u)
#define CT_SHARED_PROCESSES_AT (CT_SHARED_LOCKS_AT + CT_SHARED_LOCKS * 24u)
#define CT_SHARED_SIZE (CT_SHARED_PROCESSES_AT + (uint64_t)CT_SHARED_PROCESSES * 512u)

_Static_assert(sizeof(struct ct_span) == 24, "span");
_Static_assert(sizeof(struct ct_chunk) == 64, "chunk");
_Static_assert(sizeof(struct ct_thread) == 1024, "thread slot");
_Static_assert(sizeof(struct ct_meta_string) == 16 && sizeof(struct ct_meta_code) == 32, "meta");
_Static_assert(sizeof(struct ct_meta_stack) == 24 && sizeof(struct ct_meta_object) == 96, "meta");
_Static_assert(sizeof(struct ct_meta_order) == 64, "meta");
_Static_assert(sizeof(struct ct_meta_message) == 40 && sizeof(struct ct_meta_site) == 32, "meta");
_Static_assert(sizeof(struct ct_meta_queue) == 40 + 16 * CT_QUEUE_READINGS, "meta");
_Static_assert(sizeof(struct ct_waker) == 16 && sizeof(struct ct_shared_lock) == 24, "shared");
_Static_assert(sizeof(struct ct_process) == 512, "process");
_Static_assert(sizeof(struct ct_shared) <= CT_SHARED_HEADER, "shared header");
_Static_assert(sizeof(struct ct_header) <= CT_CHUNK_SIZE, "header");

#endif
