/* Where scheduling comes from: switch records while they cost the target little, its counters otherwise.
 *
 * A thread that switch records were ever asked of pays about half a microsecond for every stay on a core, even for
 * a second after they were given back. That is nothing for most programs and a sixth of the run time for one that
 * switches 300 000 times a second. So (unless told otherwise) the target's counters are read first; records are
 * asked for once it has been calm for a while with more than one thread at work, and given back when they become
 * too many. What lies between is told as a gap, in which there are readings of the counters. */
#include "watcher.h"

#define STAY_COST_NS 1200
#define CALM_STAYS 3000u               /* a second: less than half a per cent of one core */
#define WINDOW_NS 100000000u
#define BUSY_NS 1000000u               /* who ran that long in a window is at work */
#define ALONE_NS 1000000000u           /* for one thread alone they can wait, and after having been too many */
#define ALLOWANCE_MOST_NS 5000000
#define EVENTS_MOST 400u               /* descriptors are scarce: never take more than that for old threads */

static bool watch(struct cw *cw, uint32_t index)
{
    const struct cw_task *task = cw_file_item(&cw->tasks_file, index);
    if (!cw_perf_watch(&cw->perf, (pid_t)task->tid) && errno != ESRCH) {
        cw->head->perf_errno = errno;
        return false;
    }
    cw->own[index].covered = cw->attachment;
    cw->own[index].attached_ns = cw_now();
    return true;
}

/* Watch every thread that is listed and not yet covered. List first, drain then: whoever is listed and has
 * inherited the events has been told of. */
static bool watch_listed(struct cw *cw, bool *found)
{
    cw_loads_list(cw, cw_now());
    cw_perf_drain(cw, UINT64_MAX);
    *found = false;
    for (uint32_t i = 0; i < cw->there_count; i++) {
        if (cw->own[cw->there[i]].covered == cw->attachment)
            continue;
        *found = true;
        if (cw->perf.watching_count + cw->perf.count > EVENTS_MOST || !watch(cw, cw->there[i]))
            return false;
    }
    return true;
}

static bool take_up(struct cw *cw)
{
    bool found = true;
    if (!cw_perf_open(&cw->perf)) {
        cw->head->perf_errno = errno;
        return false;
    }
    cw->attachment++;
    bool good = true;
    for (unsigned round = 0; round < 4 && found && good; round++)
        good = watch_listed(cw, &found);
    if (!good) {
        cw_perf_close(&cw->perf);
        cw_slices_leave_all(cw, cw_now());
    }
    return good;
}

static void begin_window(struct cw *cw, uint64_t now_ns)
{
    cw->window_ns = now_ns;
    cw->window_stays = 0;
    cw_loads_busy(cw, 1);
}

static void end_gap(struct cw *cw)
{
    uint64_t begin = cw_now();
    cw_loads_list(cw, begin);
    cw_loads_end_missing(cw, begin);
    if (!take_up(cw)) {
        cw->gap_calm_ns = begin;
        cw->refusals++;
        return;
    }
    uint64_t now = cw_now();
    cw_loads_read(cw, now, CW_ALL);
    cw_slice_gap(cw, cw->gap_ns, now);
    cw->attached = true;
    cw->allowance_ns = ALLOWANCE_MOST_NS;
    cw->governed_ns = now;
    cw->slices_paid = cw->slices_seen;
}

static void begin_gap(struct cw *cw)
{
    cw_perf_let_go(&cw->perf);
    cw_perf_drain(cw, UINT64_MAX);
    uint64_t now = cw_now();
    cw_slices_leave_all(cw, now);
    /* The rings too: only when nobody has any event does the kernel stop to look for them at every switch. */
    cw_perf_close(&cw->perf);
    cw->attached = false;
    cw->gap_ns = now;
    cw->gap_calm_ns = now;
    cw_loads_list(cw, now);
    cw_loads_read(cw, now, CW_ALL);
    cw->load_due_ns = now;
    begin_window(cw, now);
}

/* Attached: pay for the records. */
static void govern(struct cw *cw, uint64_t now_ns)
{
    if (cw->config.switches != CW_WHEN_CALM)
        return;
    cw->allowance_ns += (int64_t)((now_ns - cw->governed_ns) / 100);
    cw->allowance_ns -= (int64_t)(cw->slices_seen - cw->slices_paid) * STAY_COST_NS;
    if (cw->allowance_ns > ALLOWANCE_MOST_NS)
        cw->allowance_ns = ALLOWANCE_MOST_NS;
    cw->governed_ns = now_ns;
    cw->slices_paid = cw->slices_seen;
    if (cw->allowance_ns < 0)
        begin_gap(cw);
}

/* Not attached: judge the last window by the counters. */
static void judge(struct cw *cw, uint64_t now_ns)
{
    uint64_t length = now_ns - cw->window_ns;
    if (cw->config.switches == CW_NEVER || cw->refusals > 3 || length < WINDOW_NS)
        return;
    if (cw->window_stays * 1000000000u / length > CALM_STAYS)
        cw->gap_calm_ns = now_ns;
    bool many = cw_loads_busy(cw, BUSY_NS) > 1;
    cw->window_ns = now_ns;
    cw->window_stays = 0;
    /* The start of the target is no gap that anything caused. */
    bool first = cw->attachment == 0;
    if (now_ns - cw->gap_calm_ns >= (first && many ? WINDOW_NS : ALONE_NS))
        end_gap(cw);
}

void cw_scheduling_start(struct cw *cw)
{
    uint64_t now = cw_now();
    cw_slices_start(cw);
    cw->gap_ns = cw->gap_calm_ns = cw->window_ns = cw->load_due_ns = now;
    struct cw_task *root = cw_task_found(cw, cw->config.pid, cw->config.pid, now);
    bool able = cw->config.switches != CW_NEVER && cw_perf_open(&cw->perf);
    if (!able) {
        cw->head->perf_errno = cw->config.switches == CW_NEVER ? 0 : errno;
        cw->config.switches = CW_NEVER;
        cw->head->source = cw->config.load_hz != 0 ? CW_FROM_PROC : CW_FROM_NOTHING;
        return;
    }
    cw->head->source = CW_FROM_PERF;
    cw->head->cpus = cw->perf.count;
    cw->head->ring_bytes = (uint32_t)cw->perf.ring_bytes;
    cw->attachment = cw->config.switches == CW_ALWAYS;
    cw->attached = cw->config.switches == CW_ALWAYS && root != NULL && watch(cw, 0);
    if (!cw->attached)
        cw_perf_close(&cw->perf);
}

/* The threads that were there before the first could be watched. */
void cw_scheduling_catch_up(struct cw *cw)
{
    bool found = false;
    if (!cw->attached)
        cw_loads_list(cw, cw_now());
    else if (!watch_listed(cw, &found))
        cw->head->flags |= CW_H_NOT_ALL;
    if (found)
        cw->head->flags |= CW_H_LATE_START;
}

uint64_t cw_scheduling_tick(struct cw *cw, uint64_t now_ns)
{
    if (cw->attached) {
        cw_perf_drain(cw, now_ns - CW_SETTLE_NS);
        govern(cw, now_ns);
    }
    if (cw->attached || cw->config.load_hz == 0)
        return now_ns + CW_DRAIN_NS;
    if (now_ns >= cw->load_due_ns) {
        cw_loads_tick(cw, now_ns);
        judge(cw, now_ns);
    }
    return cw->load_due_ns;
}

void cw_scheduling_end(struct cw *cw)
{
    cw_perf_let_go(&cw->perf);
    cw_perf_drain(cw, UINT64_MAX);
    uint64_t now = cw_now();
    if (!cw->attached) {
        cw_slice_gap(cw, cw->gap_ns, now);
        cw_loads_read(cw, now, CW_ALL);
    }
    cw_slices_end(cw, now);
    cw_perf_close(&cw->perf);
    free(cw->there);
    cw->there = NULL;
}
