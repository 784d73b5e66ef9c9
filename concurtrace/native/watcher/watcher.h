/* What the parts of the watcher share. It runs as one thread of the launcher, outside the target. */
#ifndef CONCURTRACE_WATCHER_H
#define CONCURTRACE_WATCHER_H

#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include "watch.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <pthread.h>
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
    uint8_t *base;                     /* mapped, with room beyond the end of the file */
    uint64_t mapped, reserved;         /* bytes */
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
};

struct cw_perf {
    struct cw_ring *rings;
    uint32_t count;
    int *extra;                        /* events of threads that were there before, into the same rings */
    uint32_t extra_count;
    uint64_t ring_bytes;
    int error;
};

struct cw;
bool cw_perf_open(struct cw_perf *perf, pid_t pid);
/* Hand all records older than `until` to slices.c, in order of time. */
void cw_perf_drain(struct cw *cw, uint64_t until);
/* Watch a thread too that was there before watching began. */
bool cw_perf_add(struct cw_perf *perf, pid_t tid);
void cw_perf_close(struct cw_perf *perf);

/* ---- slices.c: records to slices and tasks ---- */

void cw_slices_start(struct cw *cw);
void cw_slice_in(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns);
void cw_slice_out(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns, bool preempted);
void cw_slices_lost(struct cw *cw, struct cw_ring *ring, uint64_t time_ns, uint64_t records);
void cw_task_fork(struct cw *cw, uint32_t pid, uint32_t tid, uint32_t creator_tid, uint64_t time_ns);
void cw_task_exit(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns);
void cw_task_comm(struct cw *cw, uint32_t pid, uint32_t tid, const char *comm, bool exec, uint64_t time_ns);
void cw_task_found(struct cw *cw, uint32_t pid, uint32_t tid, uint64_t time_ns);
void cw_slices_end(struct cw *cw, uint64_t time_ns);
/* Core a thread is on, as of the last drain; -1 = none. */
int cw_cpu_of(const struct cw *cw, uint32_t tid);

/* ---- family.c: what is in /proc ---- */

typedef void cw_visit(void *context, uint32_t pid, uint32_t tid);
/* Call visit for every thread of a process and of its descendants. */
void cw_visit_family(uint32_t pid, unsigned depth, cw_visit *visit, void *context);
bool cw_read_file(const char *path, char *to, size_t room);

/* ---- the whole ---- */

struct cw_config {                     /* mirrored in concurtrace/instruments/_watcher.py */
    const char *directory;             /* of the recording: process files are found here, tables written */
    uint32_t pid;                      /* first process of the target */
    uint32_t sample_hz;                /* 0 = no stacks */
    uint32_t load_hz;                  /* rate of the estimate where switch records can't be had; 0 = none */
    uint32_t use_perf;                 /* 0 = do not try perf_event_open */
    uint64_t max_bytes;                /* of all tables together */
};

struct cw_own_task {                   /* private half of a task */
    uint64_t window_ns, window_end_ns; /* short slices since the last fold; window_ns 0 = none */
    uint64_t window_on_cpu_ns;
    uint32_t window_slices, window_preempted, window_cpu;
};

struct cw {
    struct cw_config config;
    uint64_t start_ns;
    pthread_t thread;
    int stop_fd;
    struct cw_room room;
    struct cw_file head_file, tasks_file, slices_file, loads_file, samples_file, names_file;
    struct cw_head *head;
    struct cw_perf perf;
    struct pollfd *polls;              /* stop, inotify, one per ring */
    /* slices.c */
    uint32_t *task_of;                 /* tid → 1 + index of its newest task */
    struct cw_own_task *own;
    uint64_t own_room;
    uint64_t window_max_ns;
};

struct cw_task *cw_task_of(const struct cw *cw, uint32_t tid);

#endif
