/* The watcher's thread: what it opens, its loop, its end. */
#include "watcher.h"

#include <signal.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>

#define TOGETHER_NS 8000000u

enum { POLL_STOP, POLL_RINGS };

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
           cw_file_open(&cw->slices_file, at, "slices", CW_SLICES, sizeof(struct cw_slice), start, room, all / 2) &&
           cw_file_open(&cw->loads_file, at, "loads", CW_LOADS, sizeof(struct cw_load), start, room, all / 8) &&
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

static void wait_for_something(struct cw *cw, uint64_t until_ns)
{
    uint64_t now = cw_now();
    uint64_t left = until_ns > now ? until_ns - now : 0;
    struct timespec timeout = {(time_t)(left / 1000000000u), (long)(left % 1000000000u)};
    cw->polls[POLL_STOP] = (struct pollfd){.fd = cw->stop_fd, .events = POLLIN};
    for (uint32_t i = 0; i < cw->perf.count; i++)
        cw->polls[POLL_RINGS + i] = (struct pollfd){.fd = cw->perf.rings[i].fd, .events = POLLIN};
    if (ppoll(cw->polls, POLL_RINGS + cw->perf.count, &timeout, NULL) < 0)
        cw->polls[POLL_STOP].revents = 0;
}

static void *run(void *context)
{
    struct cw *cw = context;
    prctl(PR_SET_NAME, "ct-watcher");
    cw_scheduling_start(cw);
    cw->polls = calloc(POLL_RINGS + cw->head->cpus, sizeof *cw->polls);
    bool ready = cw->polls != NULL;
    if (!ready)
        cw->error = ENOMEM;
    sem_post(&cw->started);
    cw_scheduling_catch_up(cw);
    cw_samples_start(cw);
    while (ready && cw->polls[POLL_STOP].revents == 0) {
        uint64_t scheduling_ns = cw_scheduling_tick(cw, cw_now());
        uint64_t samples_ns = cw_samples_tick(cw, cw_now());
        /* Waking up costs more than what is done then: what is due soon after a tick waits for it. */
        bool soon = samples_ns < scheduling_ns + TOGETHER_NS;
        wait_for_something(cw, soon ? samples_ns : scheduling_ns);
    }
    cw_scheduling_end(cw);
    cw_samples_end(cw);
    cw->head->cpu_ns = cw_clock(CLOCK_THREAD_CPUTIME_ID);
    return NULL;
}

static void release(struct cw *cw)
{
    close_tables(cw);
    free(cw->polls);
    if (cw->stop_fd >= 0)
        close(cw->stop_fd);
    sem_destroy(&cw->started);
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

static int start(struct cw *cw)
{
    cw->folder_fd = -1;
    cw->stop_fd = eventfd(0, EFD_CLOEXEC);
    if (cw->config.directory == NULL || cw->stop_fd < 0 || !open_tables(cw))
        return errno;
    cw_file_publish(&cw->head_file, 1);
    cw->head->root_pid = cw->config.pid;
    cw->head->max_bytes = cw->config.max_bytes;
    int error = start_thread(cw);
    if (error != 0)
        return error;
    while (sem_wait(&cw->started) != 0 && errno == EINTR)
        ;
    if (cw->error != 0)
        pthread_join(cw->thread, NULL);
    return cw->error;
}

/* Start watching: when it returns, the first process and all that it will start are watched.
 * NULL with errno set when that can't be. */
CW_EXPORT struct cw *cw_start(const struct cw_config *config)
{
    struct cw *cw = calloc(1, sizeof *cw);
    if (cw == NULL)
        return NULL;
    cw->config = *config;
    cw->config.directory = strdup(config->directory);
    cw->start_ns = cw_now();
    cw->window_max_ns = 10000000;
    sem_init(&cw->started, 0, 0);
    int error = start(cw);
    if (error == 0)
        return cw;
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
    cw->head->end_ns = cw_now();
    cw->head->flags |= CW_H_ENDED;
    release(cw);
}
