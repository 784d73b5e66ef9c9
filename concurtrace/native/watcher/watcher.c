/* The watcher's thread: what it opens, its loop, its end. */
#include "watcher.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#define DRAIN_NS 50000000u
/* A record can become visible a little after the instant it tells of. */
#define SETTLE_NS 20000u

enum { POLL_STOP, POLL_FOLDER, POLL_RINGS };

static bool open_tables(struct cw *cw)
{
    const char *at = cw->config.directory;
    uint64_t all = cw->config.max_bytes, start = cw->start_ns;
    struct cw_room *room = &cw->room;
    room->left = all;
    if (!cw_file_open(&cw->head_file, at, "head", CW_HEAD, sizeof(struct cw_head), start, room, 4096))
        return false;
    cw->head = cw_file_item(&cw->head_file, 0);
    return cw_file_open(&cw->tasks_file, at, "tasks", CW_TASKS, sizeof(struct cw_task), start, room, all / 8) &&
           cw_file_open(&cw->slices_file, at, "slices", CW_SLICES, sizeof(struct cw_slice), start, room, all / 8 * 5) &&
           cw_file_open(&cw->loads_file, at, "loads", CW_LOADS, sizeof(struct cw_load), start, room, all / 8 * 5) &&
           cw_file_open(&cw->samples_file, at, "samples", CW_SAMPLES, sizeof(struct cw_sample), start, room, all / 8) &&
           cw_file_open(&cw->names_file, at, "names", CW_NAMES, 8, start, room, all / 8);
}

static void close_tables(struct cw *cw)
{
    struct cw_file *all[] = {&cw->tasks_file, &cw->slices_file, &cw->loads_file,
                             &cw->samples_file, &cw->names_file, &cw->head_file};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        cw_file_close(all[i]);
}

static void add_found(void *context, uint32_t pid, uint32_t tid)
{
    struct cw *cw = context;
    const struct cw_task *task = cw_task_of(cw, tid);
    /* The kernel told of its start: it is watched already. */
    if (tid == cw->config.pid || (task != NULL && (task->flags & CW_T_FORK_SEEN)))
        return;
    cw->head->flags |= CW_H_LATE_START;
    cw_task_found(cw, pid, tid, cw->start_ns);
    if (!cw_perf_add(&cw->perf, (pid_t)tid))
        cw->head->perf_errno = errno;
}

static void watch_switches(struct cw *cw)
{
    if (!cw->config.use_perf)
        return;
    if (!cw_perf_open(&cw->perf, (pid_t)cw->config.pid)) {
        cw->head->perf_errno = cw->perf.error;
        return;
    }
    cw->head->source = CW_FROM_PERF;
    cw->head->cpus = cw->perf.count;
    cw->head->ring_bytes = (uint32_t)cw->perf.ring_bytes;
    cw_task_found(cw, cw->config.pid, cw->config.pid, cw->start_ns);
    char comm[16] = {0}, path[64];
    snprintf(path, sizeof path, "/proc/%u/comm", cw->config.pid);
    if (cw_read_file(path, comm, sizeof comm)) {
        comm[strcspn(comm, "\n")] = 0;
        cw_task_comm(cw, cw->config.pid, cw->config.pid, comm, false, cw->start_ns);
    }
}

struct seen { uint32_t pid, tid; };
struct seen_list { struct seen *items; size_t count, room; };

static void note_seen(void *context, uint32_t pid, uint32_t tid)
{
    struct seen_list *list = context;
    if (list->count == list->room) {
        size_t room = list->room == 0 ? 64 : list->room * 2;
        struct seen *items = realloc(list->items, room * sizeof *items);
        if (items == NULL)
            return;
        list->items = items;
        list->room = room;
    }
    list->items[list->count++] = (struct seen){pid, tid};
}

/* Threads that were there before: list first, drain then, so that whoever is listed and inherited the
 * events has been told of by the kernel. */
static void watch_those_there(struct cw *cw)
{
    struct seen_list list = {0};
    cw_visit_family(cw->config.pid, 0, note_seen, &list);
    cw_perf_drain(cw, UINT64_MAX);
    for (size_t i = 0; i < list.count; i++)
        add_found(cw, list.items[i].pid, list.items[i].tid);
    free(list.items);
}

static void wait_for_something(struct cw *cw, uint64_t until_ns)
{
    uint64_t now = cw_now();
    uint64_t left = until_ns > now ? until_ns - now : 0;
    struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    nfds_t count = POLL_RINGS + cw->perf.count;
    if (ppoll(cw->polls, count, &timeout, NULL) <= 0)
        return;
    /* A ring whose threads have all ended stays ready for ever. */
    for (nfds_t i = POLL_RINGS; i < count; i++)
        if (cw->polls[i].revents & (POLLHUP | POLLERR | POLLNVAL))
            cw->polls[i].fd = -1;
}

static void *run(void *context)
{
    struct cw *cw = context;
    prctl(PR_SET_NAME, "ct-watcher");
    if (cw->perf.count != 0)
        watch_those_there(cw);
    for (;;) {
        wait_for_something(cw, cw_now() + DRAIN_NS);
        if (cw->polls[POLL_STOP].revents != 0)
            break;
        if (cw->perf.count != 0)
            cw_perf_drain(cw, cw_now() - SETTLE_NS);
    }
    if (cw->perf.count != 0)
        cw_perf_drain(cw, UINT64_MAX);
    cw->head->cpu_ns = cw_clock(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static bool prepare_polls(struct cw *cw)
{
    cw->stop_fd = eventfd(0, EFD_CLOEXEC);
    cw->polls = calloc(POLL_RINGS + cw->perf.count, sizeof *cw->polls);
    if (cw->stop_fd < 0 || cw->polls == NULL)
        return false;
    cw->polls[POLL_STOP] = (struct pollfd){.fd = cw->stop_fd, .events = POLLIN};
    cw->polls[POLL_FOLDER] = (struct pollfd){.fd = -1};
    for (uint32_t i = 0; i < cw->perf.count; i++)
        cw->polls[POLL_RINGS + i] = (struct pollfd){.fd = cw->perf.rings[i].fd, .events = POLLIN};
    return true;
}

static void release(struct cw *cw)
{
    cw_perf_close(&cw->perf);
    close_tables(cw);
    free(cw->polls);
    if (cw->stop_fd >= 0)
        close(cw->stop_fd);
    free((void *)cw->config.directory);
    free(cw);
}

/* Signals are for the threads of the launcher that expect them. */
static int start_thread(struct cw *cw)
{
    sigset_t all, before;
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int error = pthread_create(&cw->thread, NULL, run, cw);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return error;
}

/* Start watching; NULL with errno set when it can't be. */
CW_EXPORT struct cw *cw_start(const struct cw_config *config)
{
    struct cw *cw = calloc(1, sizeof *cw);
    if (cw == NULL)
        return NULL;
    cw->stop_fd = -1;
    cw->config = *config;
    cw->config.directory = strdup(config->directory);
    cw->start_ns = cw_now();
    cw->window_max_ns = 10000000;
    int error = 0;
    if (cw->config.directory == NULL || !open_tables(cw)) {
        error = errno;
    } else {
        cw_file_publish(&cw->head_file, 1);
        cw->head->root_pid = config->pid;
        cw->head->max_bytes = config->max_bytes;
        cw_slices_start(cw);
        watch_switches(cw);
        if (!prepare_polls(cw))
            error = errno;
        else
            error = start_thread(cw);
    }
    if (error == 0)
        return cw;
    cw_slices_end(cw, cw_now());
    release(cw);
    errno = error;
    return NULL;
}

/* Stop watching, write what is left, free everything. */
CW_EXPORT void cw_stop(struct cw *cw)
{
    uint64_t one = 1;
    if (write(cw->stop_fd, &one, sizeof one) != sizeof one)
        return;
    pthread_join(cw->thread, NULL);
    uint64_t now = cw_now();
    cw_slices_end(cw, now);
    cw->head->end_ns = now;
    cw->head->flags |= CW_H_ENDED;
    release(cw);
}
