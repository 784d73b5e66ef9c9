/* The recording of tasks: what event loops and what runs on them did, format number 2.
 *
 * One file per process, <pid>-<start_ns>.ctt, a row of chunks of TK_CHUNK bytes; chunk 0 is the
 * header. Little-endian, times in nanoseconds of CLOCK_MONOTONIC. Written through a shared mapping
 * and valid at every instant: it may be read while the target runs, or after it was killed.
 *
 * A task is an asyncio task, a greenlet, or a generator driven by Twisted. A step is a stretch in
 * which the loop's thread ran it. Totals (of tasks, groups, sites, loops) are exact always. Single
 * steps are kept as long as there is room: from half of the budget on only those above a threshold
 * that rises, and ended tasks none of whose steps were kept are added up in groups.
 */
#ifndef CONCURTRACE_TASKS_FORMAT_H
#define CONCURTRACE_TASKS_FORMAT_H

#include <stdint.h>

#define TK_MAGIC "CTRTASK1"
#define TK_VERSION 2u
#define TK_CHUNK 16384u
#define TK_BUCKETS 128u

enum tk_kind { TK_NONE = 0, TK_HEADER = 1, TK_LOOPS = 2, TK_TASKS = 3, TK_STEPS = 4, TK_NAMES = 5, TK_SITES = 6,
               TK_JOBS = 7, TK_FAULTS = 8, TK_CANCELS = 9, TK_KINDS = 10 };

struct tk_header {
    char magic[8];
    uint32_t version;
    uint32_t chunk_size;
    uint32_t chunks;            /* in use, the header included */
    uint32_t pid;
    uint64_t start_ns;
    uint64_t end_ns;            /* 0: it was killed, or still runs */
    uint64_t max_bytes;
    uint64_t threshold_ns;      /* steps below it are not kept singly any more */
    uint64_t raised_ns;         /* when it rose first, 0 = never */
    uint64_t steps;
    uint64_t steps_kept;
    uint64_t tasks;
    uint64_t tasks_grouped;     /* tasks that are in groups only */
    uint64_t tasks_unseen;      /* there was no room for them, not even in totals */
    uint64_t names_lost;        /* names, waits at places, faults and jobs for which there was no room */
    uint32_t flags;             /* TK_H_* */
    uint32_t reserved;
};
enum tk_header_flag { TK_H_DISK_FULL = 1, TK_H_FULL = 2 };

struct tk_chunk {               /* first 64 bytes of every chunk but the header */
    uint32_t kind;
    uint32_t sequence;          /* 0, 1, 2… of one kind */
    uint32_t used;              /* bytes of items behind this head; stored last */
    uint32_t reserved[13];
};

enum tk_flavour { TK_ASYNCIO = 0, TK_GREENLET = 1, TK_TWISTED = 2, TK_UNKNOWN_LOOP = 3 };

enum tk_state { TK_S_CREATED = 0, TK_S_READY = 1, TK_S_RUNNING = 2, TK_S_AWAITING = 3,
                TK_S_CANCELLING = 4 /* it was asked to end, and does not run */, TK_S_DONE = 5 };

enum tk_outcome { TK_PENDING = 0, TK_OK = 1, TK_ERROR = 2, TK_CANCELLED = 3, TK_DESTROYED = 4 };

/* Where a wake-up came from. */
enum tk_source { TK_FROM_UNKNOWN = 0, TK_FROM_TASK = 1, TK_FROM_CALLBACK = 2, TK_FROM_IO = 3, TK_FROM_TIMER = 4,
                 TK_FROM_THREAD = 5, TK_FROM_START = 6, TK_FROM_ITSELF = 7 };

/* A task, or with TK_T_GROUP all grouped tasks of one coroutine made at one place: 200 bytes. */
struct tk_task {
    uint32_t serial;            /* 1, 2… in order of creation; of a group 0 */
    uint32_t flags;             /* TK_T_* */
    uint32_t parent;            /* serial of the task that made it, 0 = none */
    uint32_t waiter;            /* serial of the last task that awaited it itself or through gather */
    uint32_t gathering;         /* number of the gather it is part of, 0 = none */
    uint32_t made_at;           /* stack of its creation */
    uint32_t code;              /* its coroutine function */
    uint32_t waits_at;          /* where it awaits, outermost first; stays after the wait */
    uint32_t awaits;            /* serial of the task that it awaits, 0 = none */
    uint16_t loop;              /* number of its loop */
    uint8_t state;              /* tk_state */
    uint8_t outcome;            /* tk_outcome */
    uint64_t created_ns;
    uint64_t since_ns;          /* when it came into its state; when it ended */
    uint64_t steps;
    uint64_t running_ns;        /* totals of ended states */
    uint64_t ready_ns;
    uint64_t created_total_ns;  /* from its creation to its first step */
    uint64_t awaiting_ns;
    uint64_t cancelling_ns;
    uint64_t longest_step_ns;
    uint64_t longest_step_at_ns;
    uint64_t longest_ready_ns;
    uint64_t yields;            /* steps it asked for itself, by awaiting nothing */
    uint64_t count;             /* of a group: its tasks, 0 where all have ended and are in another; of a task 1 */
    uint64_t kept;              /* its steps that were kept singly */
    char name[48];
};
enum tk_task_flag { TK_T_GROUP = 1, TK_T_SHUTDOWN = 2 /* pending when the loop was shut down */,
                    TK_T_HUB = 4, TK_T_FIRST = 8 /* its first step has begun */ };

/* A wait and the step behind it: 56 bytes. The wait ended, and the task was ready, ready_ns before
 * start_ns; it had begun await_ns before that. */
struct tk_step {
    uint64_t start_ns;
    uint64_t dur_ns;            /* from start to end; other steps may lie in it, TK_P_NESTED */
    uint64_t await_ns;
    uint64_t ready_ns;
    uint32_t task;              /* serial, 0 = a callback */
    uint32_t waited_at;         /* stack of the wait; of a callback its function (a stack of one) */
    uint32_t waker;             /* serial of the task that ended the wait, 0 = no task */
    uint32_t waker_tid;         /* thread in which that was done, if it is another */
    uint32_t thing;             /* name of the peer that answered, 0 = not known */
    uint16_t loop;
    uint8_t source;             /* tk_source */
    uint8_t flags;              /* TK_P_* */
};
enum tk_step_flag { TK_P_FIRST = 1, TK_P_LAST = 2, TK_P_NESTED = 4, TK_P_YIELDED = 8, TK_P_ON_TASK = 16 /* awaited a task */,
                    TK_P_GATHER = 32, TK_P_ERROR = 64, TK_P_CANCELLING = 128 /* asked to end before it began */ };

/* Waits at one place that ended in one way: exact. 48 bytes. */
struct tk_site {
    uint32_t stack;
    uint32_t source;
    uint64_t count;
    uint64_t ns;
    uint64_t longest_ns;
    uint64_t ready_ns;
    uint64_t on_tasks;
};

/* Time by powers of the fourth root of two: bucket b begins at 2^(b/4 + 8) ns; the first holds all below. */
struct tk_loop {
    uint32_t number;
    uint32_t flavour;
    uint32_t tid;
    uint32_t name;              /* string: the loop's class */
    uint64_t start_ns;          /* first and last sign of life */
    uint64_t end_ns;
    uint64_t iterations;
    uint64_t polls;
    uint64_t idle_ns;           /* in the selector, with nothing ready */
    uint64_t steps;
    uint64_t steps_ns;
    uint64_t callbacks;
    uint64_t callbacks_ns;
    uint64_t longest_iteration_ns;      /* without the wait in the selector */
    uint64_t longest_iteration_at_ns;
    uint64_t ready_sum;         /* handles run in iterations */
    uint64_t ready_most;
    uint64_t lag_most_ns;
    uint64_t in_ns;             /* in iterations altogether */
    uint64_t reserved[4];
    uint64_t lag[TK_BUCKETS];           /* handles by how late they ran */
    uint64_t iteration[TK_BUCKETS];     /* iterations by length */
};

/* Work given to an executor's thread: 56 bytes. */
struct tk_job {
    uint64_t submitted_ns;
    uint64_t started_ns;        /* 0: never */
    uint64_t ended_ns;
    uint32_t task;              /* that gave it, 0 = none */
    uint32_t from_tid;
    uint32_t tid;
    uint32_t stack;             /* where it was given */
    uint32_t code;              /* what was called, 0 = not Python */
    uint32_t reserved;
    uint64_t reserved_too;
};

enum tk_fault_kind { TK_NEVER_RETRIEVED = 1, TK_DESTROYED_PENDING = 2, TK_NEVER_AWAITED = 3, TK_CALLBACK_FAILED = 4,
                     TK_SHUTDOWN = 5 };
struct tk_fault {               /* 32 bytes */
    uint64_t time_ns;
    uint32_t kind;
    uint32_t task;
    uint32_t text;              /* string: the exception's type, the coroutine's name */
    uint32_t stack;
    uint64_t reserved;
};

/* A task was asked to end, and until when that held if it was taken back: 32 bytes. */
struct tk_cancel {
    uint64_t time_ns;
    uint64_t until_ns;          /* 0: for good */
    uint32_t task;
    uint32_t by;                /* serial of the task that asked, 0 = no task */
    uint32_t stack;             /* where */
    uint32_t reserved;
};

/* Names, in TK_NAMES chunks: word = kind << 24 | bytes of the record (a multiple of 8), then the id. */
enum tk_name_kind { TK_STRING = 1, TK_CODE = 2, TK_STACK = 3 };
struct tk_string { uint32_t word, id, length, reserved; /* then UTF-8 */ };
struct tk_code { uint32_t word, id, name, file, line, reserved; };
struct tk_stack { uint32_t word, id, parent, code, line, reserved; };

_Static_assert(sizeof(struct tk_chunk) == 64 && sizeof(struct tk_task) == 200, "layout");
_Static_assert(sizeof(struct tk_step) == 56 && sizeof(struct tk_site) == 48, "layout");
_Static_assert(sizeof(struct tk_loop) == 16 + 19 * 8 + 2 * 8 * TK_BUCKETS, "layout");
_Static_assert(sizeof(struct tk_job) == 56 && sizeof(struct tk_fault) == 32, "layout");
_Static_assert(sizeof(struct tk_cancel) == 32, "layout");

#endif
