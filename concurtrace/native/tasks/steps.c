/* Tasks, their steps and their loops: totals always, single steps as long as there is room. */
#include "tasks.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_THRESHOLD_NS 1000u
#define MOST_LOOPS 4096

_Thread_local struct tk_current *tk_current;

static struct tk_map tasks, groups, sites, loops;
static struct tk_task **free_slots;
static size_t free_count, free_size;
static uint32_t last_serial;
static uint16_t last_loop;
static unsigned pressure;       /* sixteenths of the budget above its half that are used */

/* Raise the threshold as the budget is used up; asked for at times. */
static void press(void)
{
    double full = tk_fullness();
    unsigned now = full < 0.5 ? 0 : (unsigned)((full - 0.5) * 16) + 1;
    if (tk_head->flags & (TK_H_FULL | TK_H_DISK_FULL))
        now = 8;
    if (now <= pressure)
        return;
    if (pressure == 0)
        tk_head->raised_ns = tk_now();
    pressure = now;
    tk_head->threshold_ns = now >= 8 ? UINT64_MAX : (uint64_t)FIRST_THRESHOLD_NS << (2 * now);
}

unsigned tk_bucket(uint64_t ns)
{
    if (ns < 256)
        return 0;
    unsigned power = 63 - (unsigned)__builtin_clzll(ns);
    unsigned quarter = (unsigned)(ns >> (power - 2)) & 3;   /* linear between powers: no more than 19 % wide */
    unsigned bucket = (power - 8) * 4 + quarter;
    return bucket < TK_BUCKETS ? bucket : TK_BUCKETS - 1;
}

void tk_lag(struct tk_loop *loop, uint64_t ns)
{
    if (loop == NULL)
        return;
    loop->lag[tk_bucket(ns)]++;
    if (ns > loop->lag_most_ns)
        loop->lag_most_ns = ns;
}

/* A closed loop's address may be that of the next one. */
void tk_loop_closed(PyObject *loop) { tk_map_take(&loops, (uintptr_t)loop, 0); }

/* Mark the tasks of a loop that are pending while it is shut down; how many. */
unsigned tk_mark_shutdown(const struct tk_loop *loop)
{
    unsigned count = 0;
    for (size_t at = 0; at < tasks.size; at++) {
        struct tk_live *live = tasks.rows[at].value;
        if ((uintptr_t)live > 1 && live->loop == loop && live->slot->state != TK_S_DONE) {
            live->slot->flags |= TK_T_SHUTDOWN;
            count++;
        }
    }
    return count;
}

struct tk_loop *tk_loop_of(PyObject *loop, enum tk_flavour flavour)
{
    void **found = tk_map_at(&loops, (uintptr_t)loop, 0);
    if (found == NULL)
        return NULL;
    if (*found == NULL) {
        struct tk_loop *slot = last_loop < MOST_LOOPS ? tk_add_hidden(TK_LOOPS, sizeof *slot) : NULL;
        if (slot == NULL) {
            tk_map_take(&loops, (uintptr_t)loop, 0);
            return NULL;
        }
        slot->number = ++last_loop;
        slot->flavour = flavour;
        slot->name = tk_text(Py_TYPE(loop)->tp_name);
        slot->tid = tk_tid();
        slot->start_ns = slot->end_ns = tk_now();
        tk_publish(TK_LOOPS, sizeof *slot);
        *found = slot;
    }
    return *found;
}

struct tk_live *tk_find(PyObject *task) { return tk_map_get(&tasks, (uintptr_t)task, 0); }

static struct tk_task *rest;        /* the group of those that found no room of their own */

static struct tk_task *new_slot(bool *outside)
{
    if (rest == NULL) {
        rest = tk_add(TK_TASKS, sizeof *rest);
        if (rest != NULL) {
            rest->flags = TK_T_GROUP;
            rest->created_ns = rest->since_ns = tk_now();
        }
    }
    if (free_count)
        return memset(free_slots[--free_count], 0, sizeof(struct tk_task));
    struct tk_task *slot = tk_add(TK_TASKS, sizeof *slot);
    if (slot != NULL || rest == NULL)
        return slot;
    *outside = true;
    return calloc(1, sizeof *slot);
}

/* Find a task, or take note of it: it has just been made by the step that runs in this thread. */
struct tk_live *tk_live_made(PyObject *task, struct tk_loop *loop, PyCodeObject *code)
{
    void **found = tk_map_at(&tasks, (uintptr_t)task, 0);
    if (found == NULL)
        return NULL;
    if (TK_LIKELY(*found != NULL))
        return *found;
    struct tk_live *live = calloc(1, sizeof *live);
    bool outside = false;
    struct tk_task *slot = live != NULL ? new_slot(&outside) : NULL;
    if (slot == NULL) {
        tk_head->tasks_unseen++;
        free(live);
        tk_map_take(&tasks, (uintptr_t)task, 0);
        return NULL;
    }
    *found = live;
    live->outside = outside;
    live->slot = slot;
    live->loop = loop;
    live->object = task;
    slot->code = code != NULL ? tk_code_id(code) : 0;
    slot->made_at = tk_caller_stack();
    slot->loop = loop != NULL ? (uint16_t)loop->number : 0;
    struct tk_current *maker = tk_current;
    if (maker != NULL && maker->generation == tk_generation && maker->live != NULL)
        slot->parent = maker->live->slot->serial;
    slot->count = 1;
    slot->created_ns = slot->since_ns = tk_now();
    __atomic_store_n(&slot->serial, ++last_serial, __ATOMIC_RELEASE);
    tk_head->tasks++;
    if ((last_serial & 255) == 0)
        press();
    return live;
}

static void free_slot(struct tk_task *slot)
{
    slot->serial = 0;
    slot->count = 0;
    if (free_count == free_size) {
        size_t size = free_size ? free_size * 2 : 1024;
        struct tk_task **more = realloc(free_slots, size * sizeof *more);
        if (more == NULL)
            return;
        free_slots = more;
        free_size = size;
    }
    free_slots[free_count++] = slot;
}

static void add_up(struct tk_task *group, const struct tk_task *slot)
{
    group->count += slot->count;
    group->steps += slot->steps;
    group->running_ns += slot->running_ns;
    group->ready_ns += slot->ready_ns;
    group->created_total_ns += slot->created_total_ns;
    group->awaiting_ns += slot->awaiting_ns;
    group->yields += slot->yields;
    if (slot->longest_step_ns > group->longest_step_ns) {
        group->longest_step_ns = slot->longest_step_ns;
        group->longest_step_at_ns = slot->longest_step_at_ns;
    }
    if (slot->longest_ready_ns > group->longest_ready_ns)
        group->longest_ready_ns = slot->longest_ready_ns;
    if (slot->since_ns > group->since_ns)
        group->since_ns = slot->since_ns;
}

/* Add an ended task to its group, so that its slot can be used again. */
static void into_group(struct tk_task *slot)
{
    void **found = tk_map_at(&groups, slot->code, slot->made_at);
    if (found == NULL)
        return;
    tk_head->tasks_grouped++;
    struct tk_task *group = *found;
    if (group == NULL) {        /* the first of a group becomes it */
        *found = slot;
        slot->flags |= TK_T_GROUP;
        __atomic_store_n(&slot->serial, 0, __ATOMIC_RELEASE);
        return;
    }
    add_up(group, slot);
    free_slot(slot);
}

void tk_forget(PyObject *task)
{
    struct tk_live *live = tk_map_take(&tasks, (uintptr_t)task, 0);
    if (live == NULL)
        return;
    if (live->outside) {
        add_up(rest, live->slot);
        tk_head->tasks_grouped++;
        free(live->slot);
    } else if (pressure && live->slot->kept == 0 && live->slot->outcome == TK_OK && !(live->slot->flags & TK_T_SHUTDOWN))
        into_group(live->slot);
    free(live);
}

/* Who acts in this thread right now: the task, or what made the callback run. */
struct tk_ready tk_waker(enum tk_source source, uint64_t now_ns)
{
    struct tk_ready ready = {.at_ns = now_ns, .source = (uint8_t)source};
    struct tk_current *here = tk_current;
    if (here == NULL || here->generation != tk_generation)
        return ready;
    if (here->live != NULL) {
        ready.waker = here->live->slot->serial;
        ready.source = TK_FROM_TASK;
    } else {                    /* a callback passes on what made it run, and since when it could have */
        ready.at_ns = here->ready.at_ns;
        ready.waker = here->ready.waker;
        ready.tid = here->ready.tid;
        ready.thing = here->ready.thing;
        ready.source = here->ready.source == TK_FROM_UNKNOWN ? TK_FROM_CALLBACK : here->ready.source;
    }
    return ready;
}

void tk_wake(struct tk_live *live, enum tk_source source, uint64_t now_ns)
{
    live->ready = tk_waker(source, now_ns);
    struct tk_task *slot = live->slot;
    if (slot->state == TK_S_AWAITING) {
        if (live->ready.at_ns < slot->since_ns)
            live->ready.at_ns = slot->since_ns;
        slot->awaiting_ns += live->ready.at_ns - slot->since_ns;
        slot->state = TK_S_READY;
        slot->since_ns = live->ready.at_ns;
    }
}

void tk_step_begin(struct tk_current *here, struct tk_live *live, struct tk_loop *loop, const struct tk_ready *ready)
{
    here->outer = tk_current;
    here->live = live;
    here->loop = loop;
    here->inner_ns = 0;
    here->generation = tk_generation;
    here->ready = *ready;
    here->callback = NULL;
    here->start_ns = tk_now();
    if (here->ready.at_ns == 0 || here->ready.at_ns > here->start_ns)
        here->ready.at_ns = here->start_ns;
    if (live != NULL && here->ready.at_ns < live->waits_ns)
        here->ready.at_ns = live->waits_ns;     /* woken before its step had ended */
    tk_current = here;
    uint64_t late = here->start_ns - here->ready.at_ns;
    tk_lag(loop, late);
    if (live == NULL)
        return;
    struct tk_task *slot = live->slot;
    if (!(slot->flags & TK_T_FIRST)) {
        slot->created_total_ns = here->start_ns - slot->created_ns;
        here->ready.at_ns = slot->created_ns;
    } else {
        if (slot->state == TK_S_AWAITING)
            slot->awaiting_ns += here->ready.at_ns > slot->since_ns ? here->ready.at_ns - slot->since_ns : 0;
        slot->ready_ns += late;
        if (late > slot->longest_ready_ns)
            slot->longest_ready_ns = late;
    }
    slot->state = TK_S_RUNNING;
    slot->since_ns = here->start_ns;
    live->ready.at_ns = 0;
}

static void count_site(uint32_t stack, uint8_t source, uint64_t await_ns, uint64_t ready_ns, bool on_task)
{
    void **found = tk_map_at(&sites, stack, source);
    if (found == NULL)
        return;
    struct tk_site *site = *found;
    if (TK_UNLIKELY(site == NULL)) {
        site = tk_add_hidden(TK_SITES, sizeof *site);
        if (site == NULL) {
            tk_map_take(&sites, stack, source);
            return;
        }
        site->stack = stack;
        site->source = source;
        tk_publish(TK_SITES, sizeof *site);
        *found = site;
    }
    site->count++;
    site->ns += await_ns;
    site->ready_ns += ready_ns;
    site->on_tasks += on_task;
    if (await_ns > site->longest_ns)
        site->longest_ns = await_ns;
}

static void keep(const struct tk_current *here, struct tk_step *made)
{
    struct tk_step *step = tk_add_hidden(TK_STEPS, sizeof *step);
    if (step == NULL) {
        press();
        return;
    }
    *step = *made;
    tk_publish(TK_STEPS, sizeof *step);
    tk_head->steps_kept++;
    if (here->live != NULL)
        here->live->slot->kept++;
    if ((tk_head->steps_kept & 255) == 0)
        press();
}

void tk_step_end(struct tk_current *here, enum tk_outcome outcome)
{
    uint64_t end_ns = tk_now(), dur_ns = end_ns - here->start_ns;
    struct tk_current *outer = tk_current = here->outer;
    if (!tk_on() || here->generation != tk_generation)
        return;
    uint64_t own_ns = dur_ns > here->inner_ns ? dur_ns - here->inner_ns : 0;
    bool nested = outer != NULL && outer->generation == tk_generation;
    if (nested)
        outer->inner_ns += dur_ns;
    struct tk_live *live = here->live;
    struct tk_loop *loop = here->loop;
    struct tk_step made = {
        .start_ns = here->start_ns, .dur_ns = dur_ns, .ready_ns = here->start_ns - here->ready.at_ns,
        .waker = here->ready.waker, .waker_tid = here->ready.tid, .thing = here->ready.thing,
        .loop = loop != NULL ? (uint16_t)loop->number : 0, .source = here->ready.source,
        .flags = nested ? TK_P_NESTED : 0,
    };
    tk_head->steps++;
    if (loop != NULL)
        loop->end_ns = end_ns;
    if (live == NULL) {
        if (loop != NULL) {
            loop->callbacks++;
            loop->callbacks_ns += own_ns;
        }
        if (dur_ns < 100000 || dur_ns < tk_head->threshold_ns)
            return;
        made.waited_at = here->callback != NULL ? tk_callable_stack(here->callback) : 0;
        keep(here, &made);
        return;
    }
    struct tk_task *slot = live->slot;
    if (loop != NULL) {
        loop->steps++;
        loop->steps_ns += own_ns;
    }
    slot->steps++;
    slot->running_ns += own_ns;
    if (own_ns > slot->longest_step_ns) {
        slot->longest_step_ns = own_ns;
        slot->longest_step_at_ns = here->start_ns;
    }
    made.task = slot->serial;
    if (slot->flags & TK_T_FIRST) {
        made.await_ns = here->ready.at_ns > live->waits_ns ? here->ready.at_ns - live->waits_ns : 0;
        made.waited_at = slot->waits_at;
        made.flags |= live->waits_flags;
        if (live->waits_flags & TK_P_YIELDED)
            slot->yields++;
        else
            count_site(slot->waits_at, made.source, made.await_ns, made.ready_ns, live->waits_flags & TK_P_ON_TASK);
    } else {
        made.flags |= TK_P_FIRST;
        slot->flags |= TK_T_FIRST;
        made.source = TK_FROM_START;
    }
    if (outcome != TK_PENDING)
        made.flags |= TK_P_LAST | (outcome == TK_ERROR ? TK_P_ERROR : 0);
    slot->outcome = (uint8_t)outcome;
    slot->state = outcome != TK_PENDING ? TK_S_DONE : TK_S_AWAITING;
    slot->since_ns = live->waits_ns = end_ns;
    uint64_t threshold = tk_head->threshold_ns;
    if (threshold == 0 || (threshold != UINT64_MAX && (dur_ns >= threshold || made.ready_ns >= threshold ||
                                                       made.await_ns / 64 >= threshold)))
        keep(here, &made);
}

/* Say where a task waits after its step, and for which task. */
void tk_step_awaits(struct tk_live *live, uint32_t stack, uint32_t on, uint8_t flags)
{
    live->slot->waits_at = stack;
    live->slot->awaits = on;
    live->waits_flags = flags;
    if (live->ready.at_ns != 0 || flags & TK_P_YIELDED)
        live->slot->state = TK_S_READY;     /* woken before its step had ended */
}

void tk_fault(enum tk_fault_kind kind, uint32_t task, uint32_t text, uint32_t stack)
{
    struct tk_fault *fault = tk_add_hidden(TK_FAULTS, sizeof *fault);
    if (fault == NULL)
        return;
    fault->time_ns = tk_now();
    fault->kind = kind;
    fault->task = task;
    fault->text = text;
    fault->stack = stack;
    tk_publish(TK_FAULTS, sizeof *fault);
}

/* Before the file is closed: tasks that found no room in it are told as one. */
void tk_steps_finish(void)
{
    for (size_t at = 0; at < tasks.size; at++) {
        struct tk_live *live = tasks.rows[at].value;
        if ((uintptr_t)live > 1 && live->outside)
            add_up(rest, live->slot);
    }
}

void tk_steps_clear(void)
{
    for (size_t at = 0; at < tasks.size; at++) {
        struct tk_live *live = tasks.rows[at].value;
        if ((uintptr_t)live <= 1)
            continue;
        if (live->outside)
            free(live->slot);
        free(live);
    }
    tk_map_clear(&tasks);
    rest = NULL;
    tk_map_clear(&groups);
    tk_map_clear(&sites);
    tk_map_clear(&loops);
    free(free_slots);
    free_slots = NULL;
    free_count = free_size = pressure = last_serial = last_loop = 0;
}
