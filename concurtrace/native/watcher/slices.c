/* From switch records to slices: one stay of one thread on one core. Totals per thread are exact always;
 * single slices are folded into windows below a threshold that rises as the room on disk is used up. */
#include "watcher.h"

#include <sys/mman.h>

#define TIDS (1u << 22)                /* PID_MAX_LIMIT of the kernel */
#define LENGTH_MAX ((1ull << 40) - 1)
#define WINDOW_NS 10000000u
#define FIRST_THRESHOLD_NS 1000u
/* Who was put off its core so short a time ago had to make way for the watcher. */
#define MADE_WAY_NS 200000u

void cw_slices_start(struct cw *cw)
{
    void *memory = mmap(NULL, sizeof(uint32_t) * TIDS, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    cw->task_of = memory == MAP_FAILED ? NULL : memory;
}

struct cw_task *cw_task_of(const struct cw *cw, uint32_t tid)
{
    uint32_t place = cw->task_of == NULL || tid >= TIDS ? 0 : cw->task_of[tid];
    return place == 0 ? NULL : cw_file_item(&cw->tasks_file, place - 1);
}

static bool make_room_for_own(struct cw *cw, uint64_t index)
{
    if (index < cw->own_room)
        return true;
    uint64_t room = cw->own_room == 0 ? 256 : cw->own_room * 2;
    struct cw_own_task *own = realloc(cw->own, room * sizeof *own);
    if (own == NULL)
        return false;
    memset(own + cw->own_room, 0, (room - cw->own_room) * sizeof *own);
    cw->own = own;
    cw->own_room = room;
    return true;
}

static struct cw_task *new_task(struct cw *cw, uint32_t pid, uint32_t tid, uint64_t time_ns, uint32_t flags)
{
    uint64_t index = cw->tasks_file.count;
    if (cw->task_of == NULL || tid == 0 || tid >= TIDS)
        return NULL;
    struct cw_task *task = make_room_for_own(cw, index) ? cw_file_more(&cw->tasks_file, 1, cw->head) : NULL;
    if (task == NULL) {
        cw->head->tasks_dropped++;
        cw->task_of[tid] = 0;
        return NULL;
    }
    memset(task, 0, sizeof *task);
    task->tid = tid;
    task->pid = pid;
    task->start_ns = time_ns;
    task->flags = flags | (pid == tid ? CW_T_PROCESS : 0);
    cw_file_publish(&cw->tasks_file, 1);
    cw->own[index] = (struct cw_own_task){0};
    cw->task_of[tid] = (uint32_t)index + 1;
    return task;
}

/* The task a record is about; made where its start was not seen. One that has exited tells nothing more:
 * the tid belongs to another then, for instance to the thread that called exec in place of the first. */
static struct cw_task *find_task(struct cw *cw, uint32_t pid, uint32_t tid, uint64_t time_ns)
{
    struct cw_task *task = cw_task_of(cw, tid);
    bool known = task != NULL && !(task->flags & CW_T_EXITED);
    return known ? task : new_task(cw, pid, tid, time_ns, 0);
}

struct cw_own_task *cw_own_of(const struct cw *cw, const struct cw_task *task)
{
    return &cw->own[task - (const struct cw_task *)cw_file_item(&cw->tasks_file, 0)];
}

/* From half of the room on, the threshold goes up fourfold at every sixteenth. */
static void follow_room(struct cw *cw)
{
    uint64_t all = cw->slices_file.limit, used = (cw->slices_file.count + 2) * sizeof(struct cw_slice);
    uint64_t sixteenths = used / (all / 16 + 1);
    unsigned level = sixteenths < 8 ? 0 : (unsigned)(sixteenths - 7);
    uint64_t threshold = level == 0 ? 0 : (uint64_t)FIRST_THRESHOLD_NS << (2 * level);
    if (threshold <= cw->head->min_slice_ns)
        return;
    cw->head->min_slice_ns = threshold;
    cw->window_max_ns = threshold * 64 > WINDOW_NS ? threshold * 64 : WINDOW_NS;
    if (level <= 8 && cw->head->raised_at_ns[level - 1] == 0)
        cw->head->raised_at_ns[level - 1] = cw_now();
}

static uint64_t pack0(const struct cw *cw, uint64_t start_ns, uint64_t cpu, uint64_t flags)
{
    uint64_t relative = start_ns > cw->start_ns ? start_ns - cw->start_ns : 0;
    return (relative & 0xffffffffffffu) | (cpu & 0xfff) << 48 | flags << 60;
}

static void drop(struct cw *cw, struct cw_task *task, uint64_t on_cpu_ns, uint64_t slices)
{
    cw->head->slices_dropped += slices;
    task->folded_ns += on_cpu_ns;
}

static void flush_window(struct cw *cw, struct cw_task *task, struct cw_own_task *own)
{
    if (own->window_ns == 0)
        return;
    struct cw_slice *slice = cw_file_more(&cw->slices_file, 2, cw->head);
    uint64_t length = own->window_end_ns - own->window_ns;
    if (slice != NULL) {
        slice->w0 = pack0(cw, own->window_ns, own->window_cpu, CW_S_FOLD);
        slice->w1 = (length > LENGTH_MAX ? LENGTH_MAX : length) | (uint64_t)task->tid << 40;
        *(struct cw_fold *)(slice + 1) =
            (struct cw_fold){own->window_on_cpu_ns, own->window_slices, own->window_preempted};
        cw_file_publish(&cw->slices_file, 2);
        follow_room(cw);
    } else {
        cw->head->slices_dropped += own->window_slices;
    }
    own->window_ns = 0;
    own->window_on_cpu_ns = 0;
    own->window_slices = own->window_preempted = 0;
}

static void fold(struct cw *cw, struct cw_task *task, uint64_t start_ns, uint64_t end_ns, uint32_t cpu, bool preempted)
{
    struct cw_own_task *own = cw_own_of(cw, task);
    task->folded_ns += end_ns - start_ns;
    if (own->window_ns != 0 && end_ns - own->window_ns > cw->window_max_ns)
        flush_window(cw, task, own);
    if (own->window_ns == 0)
        own->window_ns = start_ns;
    own->window_end_ns = end_ns;
    own->window_on_cpu_ns += end_ns - start_ns;
    own->window_slices++;
    own->window_preempted += preempted;
    own->window_cpu = cpu;
}

static void store(struct cw *cw, struct cw_task *task, uint64_t start_ns, uint64_t end_ns, uint32_t cpu, uint64_t flags)
{
    uint64_t length = end_ns - start_ns, parts = length / LENGTH_MAX + 1;
    flush_window(cw, task, cw_own_of(cw, task));
    struct cw_slice *slice = cw_file_more(&cw->slices_file, parts, cw->head);
    if (slice == NULL) {
        drop(cw, task, length, 1);
        return;
    }
    for (uint64_t i = 0; i < parts; i++) {
        uint64_t from = start_ns + i * LENGTH_MAX, part = i + 1 < parts ? LENGTH_MAX : end_ns - from;
        slice[i].w0 = pack0(cw, from, cpu, i + 1 < parts ? CW_S_CONTINUED : flags);
        slice[i].w1 = part | (uint64_t)task->tid << 40;
    }
    cw_file_publish(&cw->slices_file, parts);
    follow_room(cw);
}

/* Whoever is on the ring's core leaves it now. */
static void leave(struct cw *cw, struct cw_ring *ring, uint64_t time_ns, uint64_t flags)
{
    uint32_t task_tid = ring->tid;
    struct cw_task *task = cw_task_of(cw, task_tid);
    uint64_t start_ns = ring->since_ns, end_ns = time_ns > start_ns ? time_ns : start_ns;
    ring->tid = CW_NOBODY;
    ring->left_tid = flags & CW_S_PREEMPTED ? task_tid : CW_NOBODY;
    ring->left_ns = time_ns;
    cw->slices_seen++;
    if (task == NULL) {
        cw->head->slices_dropped++;
        return;
    }
    flags |= ring->cut ? CW_S_CUT : 0;
    cw->head->slices_cut += (flags & CW_S_CUT) != 0;
    task->on_cpu_ns += end_ns - start_ns;
    task->preempted += (flags & CW_S_PREEMPTED) != 0;
    task->migrations += task->slices != 0 && task->last_cpu != ring->cpu;
    task->slices++;
    task->last_cpu = ring->cpu;
    task->on_cpu = 0;
    if (end_ns - start_ns < cw->head->min_slice_ns && !(flags & CW_S_CUT))
        fold(cw, task, start_ns, end_ns, ring->cpu, (flags & CW_S_PREEMPTED) != 0);
    else
        store(cw, task, start_ns, end_ns, ring->cpu, flags);
}

void cw_slice_in(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns)
{
    /* Its way out was lost, or it has no record: exited. */
    if (ring->tid != CW_NOBODY)
        leave(cw, ring, time_ns, CW_S_CUT);
    struct cw_task *task = find_task(cw, pid, tid, time_ns);
    if (task == NULL)
        return;
    ring->tid = tid;
    ring->since_ns = time_ns;
    ring->cut = false;
    task->on_cpu = ring->cpu + 1;
    cw_own_of(cw, task)->attached_ns = 0;
}

void cw_slice_out(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns, bool preempted)
{
    (void)pid;
    if (ring->tid != tid) {
        if (ring->tid != CW_NOBODY)
            leave(cw, ring, time_ns, CW_S_CUT);
        struct cw_task *task = cw_task_of(cw, tid);
        uint64_t attached_ns = task == NULL ? 0 : cw_own_of(cw, task)->attached_ns;
        if (attached_ns == 0) {
            cw->head->slices_cut++;    /* its way in was lost */
            return;
        }
        /* It was on this core when watching began. */
        cw_own_of(cw, task)->attached_ns = 0;
        ring->tid = tid;
        ring->since_ns = attached_ns;
        ring->cut = true;
    }
    leave(cw, ring, time_ns, preempted ? CW_S_PREEMPTED : 0);
}

void cw_slices_lost(struct cw *cw, struct cw_ring *ring, uint64_t time_ns, uint64_t records)
{
    cw->head->records_lost += records;
    if (ring->tid != CW_NOBODY)
        leave(cw, ring, time_ns, CW_S_CUT);
}

void cw_task_fork(struct cw *cw, uint32_t pid, uint32_t tid, uint32_t creator_tid, uint64_t time_ns)
{
    struct cw_task *task = cw_task_of(cw, tid);
    /* Found before its start was told of: listed in /proc meanwhile, or on a core whose records came first. */
    bool found = task != NULL && !(task->flags & (CW_T_FORK_SEEN | CW_T_EXITED)) && task->start_ns >= time_ns;
    if (!found)
        task = new_task(cw, pid, tid, time_ns, CW_T_FORK_SEEN);
    if (task == NULL)
        return;
    const struct cw_task *creator = cw_task_of(cw, creator_tid);
    task->flags |= CW_T_FORK_SEEN;
    task->start_ns = time_ns;
    task->creator_tid = creator_tid;
    cw_own_of(cw, task)->covered = cw->attachment;
    if (creator != NULL && task->comm[0] == 0)
        memcpy(task->comm, creator->comm, sizeof task->comm);
}

void cw_task_exit(struct cw *cw, struct cw_ring *ring, uint32_t pid, uint32_t tid, uint64_t time_ns)
{
    if (ring->tid == tid)
        leave(cw, ring, time_ns, 0);
    struct cw_task *task = find_task(cw, pid, tid, time_ns);
    if (task == NULL)
        return;
    flush_window(cw, task, cw_own_of(cw, task));
    task->end_ns = time_ns;
    task->flags |= CW_T_EXITED;
}

void cw_task_comm(struct cw *cw, uint32_t pid, uint32_t tid, const char *comm, bool exec, uint64_t time_ns)
{
    struct cw_task *task = find_task(cw, pid, tid, time_ns);
    if (task == NULL)
        return;
    memcpy(task->comm, comm, sizeof task->comm);
    if (exec)
        task->flags |= CW_T_EXEC;
}

struct cw_task *cw_task_found(struct cw *cw, uint32_t pid, uint32_t tid, uint64_t time_ns)
{
    return find_task(cw, pid, tid, time_ns);
}

void cw_slice_gap(struct cw *cw, uint64_t start_ns, uint64_t end_ns)
{
    struct cw_slice *slice = cw_file_more(&cw->slices_file, 1, cw->head);
    uint64_t length = end_ns - start_ns;
    if (slice == NULL)
        return;
    slice->w0 = pack0(cw, start_ns, 0, 0);
    slice->w1 = length > LENGTH_MAX ? LENGTH_MAX : length;
    cw_file_publish(&cw->slices_file, 1);
}

void cw_slices_leave_all(struct cw *cw, uint64_t time_ns)
{
    for (uint32_t i = 0; i < cw->perf.count; i++)
        if (cw->perf.rings[i].tid != CW_NOBODY)
            leave(cw, &cw->perf.rings[i], time_ns, CW_S_CUT);
    for (uint64_t i = 0; i < cw->tasks_file.count; i++)
        cw->own[i].attached_ns = 0;
}

void cw_slices_end(struct cw *cw, uint64_t time_ns)
{
    cw_slices_leave_all(cw, time_ns);
    for (uint64_t i = 0; i < cw->tasks_file.count; i++) {
        struct cw_task *task = cw_file_item(&cw->tasks_file, i);
        flush_window(cw, task, &cw->own[i]);
        task->on_cpu = 0;
    }
    free(cw->own);
    cw->own = NULL;
    if (cw->task_of != NULL)
        munmap(cw->task_of, sizeof(uint32_t) * TIDS);
    cw->task_of = NULL;
}

int cw_cpu_of(const struct cw *cw, uint32_t tid, uint64_t now_ns)
{
    for (uint32_t i = 0; i < cw->perf.count; i++) {
        const struct cw_ring *ring = &cw->perf.rings[i];
        bool made_way = ring->left_tid == tid && now_ns - ring->left_ns < MADE_WAY_NS;
        if (ring->tid == tid || made_way)
            return (int)ring->cpu;
    }
    return -1;
}
