/* What the parts of the watcher share. It runs as one thread of the launcher, outside the target. */
#ifndef CONCURTRACE_WATCHER_H
#define CONCURTRACE_WATCHER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "../format.h"
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

#define CW_EXPORT __attribute__((visibility("default")))
#define CW_LIKELY(x) __builtin_expect(!!(x), 1)
#define CW_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CW_NOBODY 0u

static inline uint64_t cw_clock(clockid_t clock)
{
    struct timespec t;
    clock_gettime(clock, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
static inline uint64_t cw_now(void) { return cw_clock(CLOCK_MONOTONIC); }

/* ---- table.c: append-only files ---- */

struct cw_room { uint64_t left; };     /* bytes that tables may still reserve, shared by some of them */

struct cw_file {
    uint8_t *base;                     /* mapped up to the limit, beyond the end of the file */
    uint64_t limit, reserved;          /* bytes it may have at most, and has */
    uint64_t count;                    /* items; also in the file */
    uint32_t item_size;
    int fd;
    struct cw_room *room;
    bool full;                         /* no more room: not tried again */
};

bool cw_file_open(struct cw_file *file, const char *directory, const char *name, enum cw_kind kind,
                  uint32_t item_size, uint64_t start_ns, struct cw_room *room, uint64_t max_bytes);
/* Place for n more items that lie together; NULL = no room. They count once they are published. */
void *cw_file_more(struct cw_file *file, uint64_t n, struct cw_head *head);
void cw_file_publish(struct cw_file *file, uint64_t n);
static inline void *cw_file_item(const struct cw_file *file, uint64_t index)
{
    return file->base + sizeof(struct cw_table) + index * file->item_size;
}
void cw_file_close(struct cw_file *file);

/* ---- perf.c: switch records of the kernel ---- */

struct cw_ring {
    int fd;                            /* -1 = closed */
    uint32_t cpu;
    uint8_t *base;                     /* struct perf_event_mmap_page */
    const uint8_t *data;
    uint64_t size;                     /* of the data; a power of two */
    uint64_t tail, head;               /* of the part being drained */
    uint64_t next_ns;                  /* time of the record at tail, UINT64_MAX = none left */
    uint32_t tid;                      /* thread on the core now, 0 = none of ours */
    uint64_t since_ns;
    bool cut;                          /* since_ns is not exact */
    uint32_t left_tid;                 /* who was put off the core last, 0 = it went by itself */
    uint64_t left_ns;
};

struct cw_perf {
    struct cw_ring *rings;
    uint32_t count;
    uint64_t ring_bytes;
    int *watching;                     /* events of the target's threads, into the rings */
    uint32_t watching_count, watching_room;
};

struct cw;
/* Open the rings; they belong to the calling thread. */
bool cw_perf_open(struct cw_perf *perf);
/* Watch a thread and all that it will start. */
bool cw_perf_watch(struct cw_perf *perf, pid_t tid);
void cw_perf_let_go(struct cw_perf *perf);
/* Hand all records older than `until` to slices.c, in order of time. */
void cw_perf_drain(struct cw *cw, uint64_t until);
void cw_perf_close(struct cw_perf *perf);

/* ---- slices.c: records to slices and tasks ---- */

void cw_slices_start(struct cw *cw);
void cw_slice_in(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns);
void cw_slice_out(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns, bool preempted);
void cw_slices_lost(struct cw *cw, struct cw_ring *ring, uint64_t time_ns, uint64_t records);
void cw_task_fork(struct cw *cw, uint32_t pid, uint32_t tid, uint32_t creator_tid, uint64_t time_ns);
void cw_task_exit(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns);
void cw_task_comm(struct cw *cw, uint32_t pid, uint32_t tid, const char *comm, bool exec, uint64_t time_ns);
/* The task of a thread that /proc lists; made where its start was not seen. NULL = no room. */
struct cw_task *cw_task_found(struct cw *cw, uint32_t pid, uint32_t tid, uint64_t time_ns);
void cw_slice_gap(struct cw *cw, uint64_t start_ns, uint64_t end_ns);
/* Whoever is on a core is seen no more from now on. */
void cw_slices_leave_all(struct cw *cw, uint64_t time_ns);
void cw_slices_end(struct cw *cw, uint64_t time_ns);
/* Core a thread is on, as of the last drain, or was on until the watcher needed it; -1 = none. */
int cw_cpu_of(const struct cw *cw, uint32_t tid, uint64_t now_ns);

/* ---- loads.c: what /proc tells ---- */

enum cw_whom { CW_ALL, CW_THOSE_DUE };

/* List the threads of the target into cw->there. */
void cw_loads_list(struct cw *cw, uint64_t now_ns);
/* Whoever was not in the last list has ended, where no record tells when. */
void cw_loads_end_missing(struct cw *cw, uint64_t now_ns);
/* Read the counters of the listed threads, and store those that have changed. */
void cw_loads_read(struct cw *cw, uint64_t now_ns, enum cw_whom whom);
/* Count the listed threads that ran so long since the last call. */
uint32_t cw_loads_busy(struct cw *cw, uint64_t least_ns);
void cw_loads_tick(struct cw *cw, uint64_t now_ns);

/* ---- scheduling.c: switch records where they may be had, /proc otherwise ---- */

#define CW_DRAIN_NS 50000000u
/* A record can become visible a little after the instant it tells of. */
#define CW_SETTLE_NS 20000u

void cw_scheduling_start(struct cw *cw);
void cw_scheduling_catch_up(struct cw *cw);
/* Do what is due; returns when to come back at the latest. */
uint64_t cw_scheduling_tick(struct cw *cw, uint64_t now_ns);
void cw_scheduling_end(struct cw *cw);

/* ---- names.c: interning ---- */

struct cw_ids { uint64_t *keys; uint32_t *values; uint32_t bits, count; };

uint64_t cw_mix(uint64_t a, uint64_t b);
uint64_t cw_hash(const void *bytes, size_t length);
uint32_t *cw_ids_find(struct cw_ids *ids, uint64_t key);
void cw_ids_free(struct cw_ids *ids);
/* Ids of things told in the names table; 0 = no room. */
uint32_t cw_string_id(struct cw *cw, const char *text, size_t length);
uint32_t cw_code_id(struct cw *cw, uint32_t title, uint32_t file, uint32_t first_line);
uint32_t cw_stack_id(struct cw *cw, uint32_t parent, uint32_t code, uint32_t line);
uint32_t cw_image_id(struct cw *cw, uint32_t pid, uint64_t start_ns);

/* ---- remote.c: another process's memory ---- */

#define CW_PARTS 64u

struct cw_remote { uint32_t pid; int error; };             /* error: errno of the last read, 0 = it succeeded */
struct cw_part { uint64_t from; void *to; size_t length; };

/* Read all parts in one call, in order; false = not all could be read. */
bool cw_remote_read_all(struct cw_remote *remote, const struct cw_part *parts, unsigned count);
size_t cw_remote_read(struct cw_remote *remote, uint64_t from, void *to, size_t length);

/* ---- codes.c: code objects ---- */

#define CW_CODE_BYTES 160u             /* of a code object, up to behind its location table */

struct cw_code_info { uint8_t *table; uint32_t table_length, first_line; int64_t units; };
/* What lay at an address when it was last looked at; other contents mean another code object. */
struct cw_code_place { uint64_t code, file, title, table; uint32_t first_line, id; };

bool cw_code_known(const struct ct_layout *at, const struct cw_code_place *place, const uint8_t *header);
bool cw_code_learn(struct cw *cw, struct cw_remote *remote, const struct ct_layout *at, uint64_t address,
                   const uint8_t *header, struct cw_code_place *place);
uint32_t cw_code_line(const struct cw_code_info *code, int64_t unit);
void cw_codes_free(struct cw *cw);

/* ---- processes.c: the target's Python processes ---- */

#define CW_SPOTS 2u

struct cw_spot { uint64_t top, low; bool narrow; };
/* Where a thread's frames were last seen; asked_ns: the start of the last long wait whose stack was asked for. */
struct cw_aim { uint64_t cframe, asked_ns; struct cw_spot spots[CW_SPOTS]; };

struct cw_process {
    struct cw_remote remote;
    uint64_t start_ns;
    uint32_t id;                       /* in the names table, 0 = not told */
    bool blind, gone;
    const struct ct_header *header;    /* NULL = not filled yet */
    const struct ct_chunk **chunks;    /* of thread slots */
    uint32_t chunk_count;
    struct cw_aim *aims;               /* one per slot */
    struct cw_ids code_of;             /* address → 1 + index into places */
    struct cw_code_place *places;
    uint32_t place_count, place_room;
};

void cw_processes_start(struct cw *cw);
void cw_processes_notice(struct cw *cw, uint64_t now_ns);
void cw_processes_follow(struct cw *cw, uint64_t now_ns);
void cw_processes_end(struct cw *cw);

/* ---- frames.c: stacks ---- */

#define CW_DEPTH 512u
#define CW_WINDOWS 96u

enum cw_reading { CW_READ, CW_TORN, CW_GONE, CW_FORBIDDEN, CW_NO_ROOM };

struct cw_thread_now { uint64_t tstate, since_ns; uint32_t tid; uint8_t state, gil_held; };
#define CW_WINDOW_BYTES (3u * 4096u)

struct cw_window { uint64_t from; uint32_t length; uint8_t bytes[CW_WINDOW_BYTES]; };
struct cw_frame { uint64_t code, instr; int64_t unit; uint32_t id; uint8_t owner; };

struct cw_reader {                     /* memory to work in */
    struct cw_window windows[CW_WINDOWS];
    uint8_t again[CW_SPOTS][CW_WINDOW_BYTES];   /* the first windows, copied a second time */
    unsigned window_count;
    uint64_t usual_ns;                 /* that a look takes */
    struct cw_frame frames[CW_DEPTH];
    uint8_t headers[CW_DEPTH][CW_CODE_BYTES];
    bool truncated;
};

/* Read the stack of a thread; *stack = its id, 0 = in no Python function. */
enum cw_reading cw_read_stack(struct cw *cw, struct cw_process *process, const struct cw_thread_now *thread,
                              struct cw_aim *aimed, uint32_t *stack);

/* ---- samples.c: ticks ---- */

void cw_samples_start(struct cw *cw);
uint64_t cw_samples_tick(struct cw *cw, uint64_t now_ns);
void cw_samples_end(struct cw *cw);

/* ---- the whole ---- */

enum cw_switches { CW_NEVER = 0, CW_WHEN_CALM = 1, CW_ALWAYS = 2 };

struct cw_config {                     /* mirrored in concurtrace/instruments/_watcher.py */
    const char *directory;             /* of the recording: process files are found here, tables written */
    uint32_t pid;                      /* first process of the target */
    uint32_t sample_hz;                /* 0 = no stacks */
    uint32_t load_hz;                  /* rate of the estimate where switch records can't be had; 0 = none */
    uint32_t switches;                 /* enum cw_switches */
    uint64_t max_bytes;                /* of all tables together */
};

struct cw_own_task {                   /* private half of a task */
    uint64_t window_ns, window_end_ns; /* short slices since the last fold; window_ns 0 = none */
    uint64_t window_on_cpu_ns;
    uint32_t window_slices, window_preempted, window_cpu;
    uint32_t covered;                  /* number of the attachment whose events it has */
    uint64_t attached_ns;              /* watched since then, and not switched yet; 0 = has been */
    uint32_t walk;                     /* last walk over /proc that found it */
    struct cw_load load;               /* last reading; time_ns 0 = none */
    bool load_told;                    /* and it is in the table */
    uint64_t stays, window_cpu_ns;
    uint32_t rest, resting;            /* passes it is left out, and still to be left out */
};

struct cw {
    struct cw_config config;
    uint64_t start_ns;
    pthread_t thread;
    sem_t started;
    int error;                         /* why it did not start */
    int stop_fd;
    struct cw_room room;
    struct cw_file head_file, tasks_file, slices_file, loads_file, samples_file, names_file;
    struct cw_head *head;
    struct pollfd *polls;
    /* scheduling.c */
    struct cw_perf perf;
    bool attached;
    uint32_t attachment, walk;
    int64_t allowance_ns;
    uint64_t governed_ns, slices_seen, slices_paid;
    uint64_t gap_ns, gap_calm_ns;      /* start of the gap; since when the target has been calm in it */
    uint64_t window_ns, window_stays;  /* what the counters told since then */
    uint32_t refusals;
    uint64_t walked_ns, load_due_ns;
    uint32_t *there, there_count, there_room;   /* indices of the tasks of the last walk */
    /* slices.c */
    uint32_t *task_of;                 /* tid → 1 + index of its newest task */
    struct cw_own_task *own;
    uint64_t own_room;
    uint64_t window_max_ns;
    /* samples.c */
    struct cw_reader *reader;
    uint64_t random, tick_ns, tick_due_ns, noticed_ns;
    uint32_t quiet_ticks;
    int folder_fd;
    uint64_t looked_ns, checked_ns;
    struct cw_process *processes;
    uint32_t process_count, process_room;
    struct cw_code_info *codes;        /* by id */
    uint32_t code_room;
    struct cw_ids strings, code_ids, stacks, chains;
    uint32_t string_count, code_count, stack_count, image_count;
};

struct cw_own_task *cw_own_of(const struct cw *cw, const struct cw_task *task);
struct cw_task *cw_task_of(const struct cw *cw, uint32_t tid);

#endif
