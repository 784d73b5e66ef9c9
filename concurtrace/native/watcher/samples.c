/* Ticks: at each, the Python stack of every thread that runs, and once of each that waits long. */
#include "watcher.h"

#define OWN_SHARE 50u                  /* ticks may take one part in so many of the time */
#define SEQ_TRIES 4u
#define NOTICE_NS 20000000u
#define QUIET_TICKS 8u                 /* so many ticks at which nobody ran, and they become rarer */
#define RAREST 4u
/* Who has waited so long is asked where, once: for those who look at the target while it runs. */
#define LONG_WAIT_NS 500000000u

/* Half to one and a half of the mean: never in step with the interpreter's own switches. */
static uint64_t next_interval(struct cw *cw)
{
    cw->random ^= cw->random << 13;
    cw->random ^= cw->random >> 7;
    cw->random ^= cw->random << 17;
    uint64_t mean = cw->head->interval_ns;
    /* Waking up is what an idle target's ticks cost. The gap before a sample is told, so its weight is right. */
    if (cw->quiet_ticks >= QUIET_TICKS)
        mean *= RAREST;
    return mean / 2 + cw->random % mean;
}

void cw_samples_start(struct cw *cw)
{
    cw->random = cw->start_ns | 1;
    cw->reader = calloc(1, sizeof *cw->reader);
    if (cw->config.sample_hz == 0 || cw->reader == NULL) {
        cw->tick_due_ns = UINT64_MAX;
        return;
    }
    cw->head->interval_ns = 1000000000u / cw->config.sample_hz;
    cw->tick_ns = cw_now();
    cw->tick_due_ns = cw->tick_ns + next_interval(cw);
    cw_processes_start(cw);
}

/* Copy what a thread does at this moment; false = it changes too fast. */
static bool copy_slot(const struct ct_thread *slot, struct cw_thread_now *now)
{
    for (unsigned i = 0; i < SEQ_TRIES; i++) {
        uint32_t seq = __atomic_load_n(&slot->seq, __ATOMIC_ACQUIRE);
        *now = (struct cw_thread_now){slot->tstate, slot->since_ns, slot->tid, slot->state, slot->gil_held};
        __atomic_thread_fence(__ATOMIC_ACQUIRE);
        if (!(seq & 1) && __atomic_load_n(&slot->seq, __ATOMIC_RELAXED) == seq)
            return true;
    }
    return false;
}

/* Whether there is a Python thread to look at. *cpu = the core it is on, -1 = none or not known. */
static bool look_at(struct cw *cw, const struct ct_thread *slot, struct cw_thread_now *now, int *cpu)
{
    uint32_t flags = __atomic_load_n(&slot->flags, __ATOMIC_ACQUIRE);
    if ((flags & (CT_T_USED | CT_T_ENDED | CT_T_PYTHON | CT_T_REST)) != (CT_T_USED | CT_T_PYTHON))
        return false;
    *cpu = cw->attached ? cw_cpu_of(cw, slot->tid, cw_now()) : -1;
    return copy_slot(slot, now) && now->tstate != 0;
}

/* Whether a thread runs Python, or works in the kernel for it. */
static bool runs(const struct cw_thread_now *now, int cpu)
{
    return now->state == CT_RUNNING || now->state == CT_RUNNING_NOGIL || (cpu >= 0 && now->state != CT_GIL_WAIT);
}

/* Whether a thread has waited long, and nobody has asked it yet where. */
static bool has_waited(const struct cw *cw, const struct cw_thread_now *now, struct cw_aim *aimed)
{
    const struct cw_file *file = &cw->samples_file;
    if (cw->tick_ns < now->since_ns + LONG_WAIT_NS || aimed->asked_ns == now->since_ns)
        return false;
    if (file->count * sizeof(struct cw_sample) > file->limit / 2)
        return false;                  /* the rest is for those that run */
    aimed->asked_ns = now->since_ns;
    return true;
}

static void store(struct cw *cw, struct cw_process *process, const struct cw_thread_now *thread, int cpu,
                  uint32_t stack, uint64_t now_ns, uint64_t gap_ns, uint8_t flags)
{
    if (process->id == 0)
        process->id = cw_image_id(cw, process->remote.pid, process->start_ns);
    struct cw_sample *sample = process->id == 0 ? NULL : cw_file_more(&cw->samples_file, 1, cw->head);
    if (sample == NULL) {
        cw->head->samples_dropped += !(flags & CW_F_WAITS);
        return;
    }
    *sample = (struct cw_sample){
        .time_ns = now_ns,
        .tid = thread->tid,
        .stack = stack,
        .image = process->id,
        .gap_ns = gap_ns > UINT32_MAX ? UINT32_MAX : (uint32_t)gap_ns,
        .tick = (uint32_t)cw->head->ticks,
        .cpu = cpu < 0 ? 0 : (uint16_t)cpu,
        .state = thread->state,
        .flags = (uint8_t)(flags | (thread->gil_held ? CW_F_GIL_HELD : 0) | (cpu >= 0 ? CW_F_ON_CPU : 0) |
                           (cw->attached ? CW_F_CPU_KNOWN : 0) | (cw->reader->truncated ? CW_F_TRUNCATED : 0)),
        .since_ns = thread->since_ns,
    };
    cw_file_publish(&cw->samples_file, 1);
    cw->head->samples += !(flags & CW_F_WAITS);
}

/* Sample a thread that runs, or has waited long; returns whether it ran. */
static bool sample_thread(struct cw *cw, struct cw_process *process, const struct ct_thread *slot, struct cw_aim *aimed,
                          uint64_t gap_ns)
{
    struct cw_thread_now thread;
    uint32_t stack = 0;
    int cpu;
    if (!look_at(cw, slot, &thread, &cpu))
        return false;
    bool running = runs(&thread, cpu);
    if (!running && !has_waited(cw, &thread, aimed))
        return false;
    cw->reader->truncated = false;
    uint64_t now = cw_now();
    switch (cw_read_stack(cw, process, &thread, aimed, &stack)) {
    case CW_READ:
        store(cw, process, &thread, cpu, stack, now, running ? gap_ns : 0, running ? 0 : CW_F_WAITS);
        break;
    case CW_TORN:
        cw->head->samples_torn += running;
        break;
    case CW_NO_ROOM:
        cw->head->samples_dropped += running;
        break;
    case CW_FORBIDDEN:
        cw->head->flags |= CW_H_NO_READ;
        process->blind = true;
        cw->head->images_blind++;
        break;
    case CW_GONE:
        cw->head->samples_failed += running;
        process->gone = true;
        break;
    }
    return running;
}

/* Sample every thread that runs; returns their number. */
static uint32_t sample_all(struct cw *cw, uint64_t gap_ns)
{
    uint32_t running = 0;
    for (uint32_t i = 0; i < cw->process_count; i++) {
        struct cw_process *process = &cw->processes[i];
        for (uint32_t number = 0; number < process->chunk_count; number++) {
            const struct ct_chunk *chunk = process->chunks[number];
            const struct ct_thread *slots = (const struct ct_thread *)(chunk + 1);
            struct cw_aim *aims = process->aims + (size_t)number * CT_SLOTS_PER_CHUNK;
            uint32_t used = __atomic_load_n(&chunk->used, __ATOMIC_ACQUIRE);
            for (uint32_t place = 0; place < CT_SLOTS_PER_CHUNK && place < used; place++)
                if (!process->blind && !process->gone)
                    running += sample_thread(cw, process, &slots[place], &aims[place], gap_ns);
        }
    }
    return running;
}

uint64_t cw_samples_tick(struct cw *cw, uint64_t now_ns)
{
    if (now_ns < cw->tick_due_ns)
        return cw->tick_due_ns;
    uint64_t before = cw_clock(CLOCK_THREAD_CPUTIME_ID), interval = cw->head->interval_ns;
    uint64_t late = now_ns - cw->tick_due_ns;
    cw->head->ticks_late += late > interval / 2;
    cw->head->ticks_missed += late / interval;
    cw->head->ticks++;
    if (now_ns - cw->noticed_ns > NOTICE_NS) {
        cw_processes_notice(cw, now_ns);
        cw->noticed_ns = now_ns;
    }
    cw_processes_follow(cw, now_ns);
    uint32_t running = sample_all(cw, now_ns - cw->tick_ns);
    cw->quiet_ticks = running == 0 ? cw->quiet_ticks + 1 : 0;
    cw->tick_ns = now_ns;
    uint64_t cost = (cw_clock(CLOCK_THREAD_CPUTIME_ID) - before) * OWN_SHARE, next = next_interval(cw);
    if (cost > next) {
        cw->head->ticks_missed += (cost - next) / interval;
        next = cost;
    }
    cw->tick_due_ns = now_ns + next;
    return cw->tick_due_ns;
}

void cw_samples_end(struct cw *cw)
{
    cw_processes_end(cw);
    cw_codes_free(cw);
    cw_ids_free(&cw->strings);
    cw_ids_free(&cw->code_ids);
    cw_ids_free(&cw->stacks);
    cw_ids_free(&cw->chains);
    free(cw->reader);
    cw->reader = NULL;
}
