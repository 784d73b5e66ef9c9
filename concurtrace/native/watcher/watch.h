/* What the watcher leaves: six tables in the directory of the recording, format number 1.
 *
 *   watch-head.ctw      one struct cw_head: how the watching went, what was lost, what it cost
 *   watch-tasks.ctw     struct cw_task: every thread that the kernel told of, with exact totals
 *   watch-slices.ctw    struct cw_slice: who was on which core, from when to when
 *   watch-loads.ctw     struct cw_load: CPU time and run delay, read now and then where there are no slices
 *   watch-samples.ctw   struct cw_sample: Python stacks of threads that run, or are on a core in a call; of long waits
 *   watch-names.ctw     records of interned strings, code objects, stacks and process images
 *
 * Little-endian, naturally aligned. Times are integer nanoseconds of CLOCK_MONOTONIC; those of slices
 * count from cw_table.start_ns. A table is a struct cw_table and then `count` items; `count` is published
 * after the items, through a shared mapping, so a table is whole at every instant. A file may be longer
 * than its items. Tasks go on changing in place while the watcher runs.
 */
#ifndef CONCURTRACE_WATCH_H
#define CONCURTRACE_WATCH_H

#include <stdint.h>

#define CW_MAGIC "CTRWTCH1"
#define CW_FORMAT_VERSION 1u

enum cw_kind { CW_HEAD = 1, CW_TASKS = 2, CW_SLICES = 3, CW_LOADS = 4, CW_SAMPLES = 5, CW_NAMES = 6, CW_KINDS };

struct cw_table {              /* first 64 bytes of every file */
    char magic[8];
    uint32_t version;
    uint32_t kind;             /* enum cw_kind */
    uint32_t item_size;        /* NAMES: 8, and count is in units of 8 bytes */
    uint32_t reserved;
    uint64_t count;            /* items; release-stored */
    uint64_t start_ns;         /* when the watcher started */
    uint64_t reserved_too[3];
};

enum cw_source {               /* where scheduling comes from */
    CW_FROM_NOTHING = 0,       /* neither could be had, or nobody asked */
    CW_FROM_PERF = 1,          /* switch records of perf_event_open: exact */
    CW_FROM_PROC = 2           /* /proc/<pid>/task/<tid>/schedstat and stat, sampled: an estimate */
};

enum cw_head_flag {
    CW_H_ENDED = 1,            /* the watcher came to its end; else it was killed */
    CW_H_DISK_FULL = 2,        /* a file could not grow */
    CW_H_NO_READ = 4,          /* process_vm_readv is not permitted: no samples */
    CW_H_LATE_START = 8,       /* the target had more than one thread when watching began */
    CW_H_NOT_ALL = 16          /* and some of them could not be watched: no slices of them and their children */
};

struct cw_head {               /* 256 bytes */
    uint32_t source;           /* enum cw_source: the best that was permitted */
    uint32_t flags;            /* enum cw_head_flag */
    uint32_t root_pid;
    int32_t perf_errno;        /* why perf_event_open or its mmap was refused; 0 = it was not */
    uint32_t cpus;             /* cores watched */
    uint32_t ring_bytes;       /* size of one core's ring buffer */
    uint64_t end_ns;           /* 0 = the watcher did not come to its end */
    uint64_t cpu_ns;           /* CPU time of the watcher's own thread */
    uint64_t max_bytes;
    uint64_t min_slice_ns;     /* threshold now: shorter slices are folded; rises as the room is used up */
    uint64_t raised_at_ns[8];  /* when it was raised the n-th time, 0 = not */
    /* switch records */
    uint64_t records_lost;     /* PERF_RECORD_LOST: the ring buffer was full */
    uint64_t slices_cut;       /* slices whose start or end is not known for that reason */
    uint64_t slices_dropped;   /* finished slices that found no room; in the totals of their tasks */
    uint64_t tasks_dropped;    /* threads that found no room */
    uint64_t loads_dropped;    /* readings that found no room */
    /* samples */
    uint64_t interval_ns;      /* mean time between ticks that was asked for, 0 = none */
    uint64_t ticks;            /* ticks that were made */
    uint64_t ticks_late;       /* of them: more than half an interval late */
    uint64_t ticks_missed;     /* ticks left out, because of lateness or to bound the watcher's own cost */
    uint64_t samples;          /* stacks that were read */
    uint64_t samples_torn;     /* given up: the thread ran on while its frames were read */
    uint64_t samples_failed;   /* given up: the process was gone, or not readable */
    uint64_t samples_dropped;  /* found no room */
    uint64_t images_blind;     /* process images whose Python is not known: never sampled */
};

enum cw_task_flag {
    CW_T_FORK_SEEN = 1,        /* start_ns, pid and creator come from the kernel; else start_ns = first seen */
    CW_T_EXITED = 2,           /* end_ns is valid */
    CW_T_EXEC = 4,             /* comm was set by exec */
    CW_T_PROCESS = 8,          /* first thread of its process */
    CW_T_END_GUESSED = 16      /* end_ns is when it was first found to be missing */
};

struct cw_task {               /* 96 bytes; a tid can come twice: they differ in start_ns */
    uint32_t tid, pid;
    uint32_t creator_tid;      /* thread that made it, 0 = unknown */
    uint32_t flags;            /* enum cw_task_flag */
    uint64_t start_ns;         /* absolute */
    uint64_t end_ns;           /* absolute; 0 = alive when the watcher ended */
    uint64_t on_cpu_ns;        /* exact sum over all slices, stored or not; without the gaps */
    uint64_t slices;           /* finished slices, stored or not */
    uint64_t preempted;        /* of them: ended while the thread could have gone on */
    uint64_t migrations;       /* of them: on another core than the one before */
    uint64_t folded_ns;        /* part of on_cpu_ns that is in fold slices, or dropped */
    uint32_t on_cpu;           /* 1 + core it is on now, 0 = none; written at the end of a drain */
    uint32_t last_cpu;
    char comm[16];             /* NUL-terminated */
};

enum cw_slice_flag {
    CW_S_PREEMPTED = 1,        /* it ended while the thread could have gone on */
    CW_S_FOLD = 2,             /* a sum; the next item is its struct cw_fold */
    CW_S_CUT = 4,              /* start or end is not exact: watching began or ended, or records were lost */
    CW_S_CONTINUED = 8         /* the next slice of the thread goes on with this one */
};

struct cw_slice {              /* 16 bytes, one stay of one thread on one core */
    uint64_t w0;               /* bits 0-47 start - cw_table.start_ns | 48-59 core | 60-63 flags */
    uint64_t w1;               /* bits 0-39 length ns | 40-63 tid */
};
/* With tid 0: a gap, in which no switch records were asked for because they would have cost the target too much,
 * or it had not yet shown that they would not; loads tell of that time. Slices that touch a gap are CUT.
 * Slices of one thread come in time order. With CW_S_FOLD the length is that of a window in which the thread
 * had only slices shorter than the threshold, and the core is that of the last one. */
struct cw_fold { uint64_t on_cpu_ns; uint32_t slices, preempted; };

struct cw_load {               /* 40 bytes; stored when something changed */
    uint64_t time_ns;          /* absolute */
    uint64_t cpu_ns;           /* time on a core so far */
    uint64_t delay_ns;         /* time ready without a core so far */
    uint32_t tid, pid;
    uint16_t cpu;              /* core it was on last */
    uint8_t state;             /* letter of /proc/<pid>/stat: R S D T t Z … */
    uint8_t reserved[5];
};

enum cw_sample_flag {
    CW_F_GIL_HELD = 1,
    CW_F_ON_CPU = 2,           /* cpu is valid: it was on that core at that instant */
    CW_F_CPU_KNOWN = 4,        /* switch records tell; without ON_CPU it was off its core */
    CW_F_TRUNCATED = 8,        /* the stack was deeper than could be read */
    CW_F_WAITS = 16            /* it does not run: where it waits, told once for each long wait; weighs nothing */
};

struct cw_sample {             /* 40 bytes */
    uint64_t time_ns;          /* absolute */
    uint32_t tid;
    uint32_t stack;            /* id in NAMES; 0 = in no Python function */
    uint32_t image;            /* number of the process image, in NAMES */
    uint32_t gap_ns;           /* time since the tick before, UINT32_MAX if longer: the weight of the sample */
    uint32_t tick;             /* number of the tick: samples of one tick belong together */
    uint16_t cpu;
    uint8_t state;             /* enum ct_state of the thread's open span; a call's, if it works in the kernel */
    uint8_t flags;             /* enum cw_sample_flag */
    uint64_t since_ns;         /* start of that span, absolute */
};

/* NAMES: records back to back, each a multiple of 8 bytes; ids count from 1 per kind, in order. */
enum cw_name_kind { CW_N_STRING = 1, CW_N_CODE = 2, CW_N_STACK = 3, CW_N_IMAGE = 4 };
struct cw_name { uint32_t kind, size; };                      /* size in bytes, this included */
struct cw_string { struct cw_name name; uint32_t id, length; /* then UTF-8 */ };
struct cw_code { struct cw_name name; uint32_t id, title, file, first_line; };   /* title = co_qualname */
struct cw_stack { struct cw_name name; uint32_t id, parent, code, line; };       /* parent 0 = outermost */
struct cw_image { struct cw_name name; uint32_t id, pid; uint64_t start_ns; };   /* as in <pid>-<start>.ctr */

_Static_assert(sizeof(struct cw_table) == 64 && sizeof(struct cw_task) == 96, "tables");
_Static_assert(sizeof(struct cw_slice) == 16 && sizeof(struct cw_fold) == 16, "slices");
_Static_assert(sizeof(struct cw_load) == 40 && sizeof(struct cw_sample) == 40, "samples");
_Static_assert(sizeof(struct cw_stack) == 24 && sizeof(struct cw_image) == 24, "names");
_Static_assert(sizeof(struct cw_head) <= 256, "head");

#endif
