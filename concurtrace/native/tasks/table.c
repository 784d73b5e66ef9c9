/* Tasks and loops: their slots in the file, and the groups that ended tasks are added up in. */
#include "tasks.h"

#include <stdlib.h>
#include <string.h>

#define FIRST_THRESHOLD_NS 1000u
#define MOST_LOOPS 4096

static struct tk_map tasks, groups, loops;
static struct tk_task **free_slots;
static size_t free_count, free_size;
static uint32_t last_serial;
static uint16_t last_loop;
static unsigned pressure;       /* sixteenths of the budget above its half that are used */

/* Raise the threshold as the budget is used up; asked for at times. */
void tk_press(void)
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

static struct tk_task *new_slot(struct tk_live *live)
{
    if (rest == NULL) {
        rest = tk_add(TK_TASKS, sizeof *rest);
        if (rest != NULL) {
            rest->flags = TK_T_GROUP;
            rest->created_ns = rest->since_ns = tk_now();
            strcpy(rest->name, "tasks without room of their own");
        }
    }
    if (free_count)
        return memset(free_slots[--free_count], 0, sizeof(struct tk_task));
    struct tk_task *slot = tk_add(TK_TASKS, sizeof *slot);
    if (slot != NULL || rest == NULL)
        return slot;
    live->group = rest;
    return calloc(1, sizeof *slot);
}

static void **group_at(const struct tk_task *slot, unsigned outcome)
{
    return tk_map_at(&groups, slot->code, (uint64_t)outcome << 32 | slot->made_at);
}

/* The group of tasks without slots of their own, of one coroutine, made at one place, that ended in one way. Their
 * totals are with those that are pending. */
static struct tk_task *group_of(const struct tk_task *slot, unsigned outcome)
{
    void **found = group_at(slot, outcome);
    if (found == NULL)
        return rest;
    if (*found == NULL) {
        struct tk_task *group = tk_add_at_last(TK_TASKS, sizeof *group);
        if (group == NULL) {
            tk_map_take(&groups, slot->code, (uint64_t)outcome << 32 | slot->made_at);
            return rest;
        }
        group->flags = TK_T_GROUP;
        group->code = slot->code;
        group->made_at = slot->made_at;
        group->loop = slot->loop;
        group->parent = slot->parent;
        group->outcome = (uint8_t)outcome;
        group->created_ns = group->since_ns = slot->created_ns;
        *found = group;
    }
    return *found;
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
    struct tk_task *slot = live != NULL ? new_slot(live) : NULL;
    if (slot == NULL) {
        tk_head->tasks_unseen++;
        free(live);
        tk_map_take(&tasks, (uintptr_t)task, 0);
        return NULL;
    }
    *found = live;
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
    if (live->group != NULL) {
        live->group = group_of(slot, TK_PENDING);
        live->group->count++;
        slot->count = 0;
        tk_head->tasks_grouped++;
    }
    __atomic_store_n(&slot->serial, ++last_serial, __ATOMIC_RELEASE);
    tk_head->tasks++;
    if ((last_serial & 255) == 0)
        tk_press();
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
    group->cancelling_ns += slot->cancelling_ns;
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

/* Add what a task without a slot of its own has come to since the last time to its group: a kill may come at any
 * moment. */
void tk_settle(struct tk_live *live)
{
    struct tk_task *slot = live->slot;
    add_up(live->group, slot);
    slot->steps = slot->running_ns = slot->ready_ns = 0;
    slot->created_total_ns = slot->awaiting_ns = slot->cancelling_ns = slot->yields = 0;
}

/* Add an ended task to its group, so that its slot can be used again. */
static void into_group(struct tk_task *slot)
{
    void **found = group_at(slot, slot->outcome);
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
    if (live->group != NULL) {
        tk_settle(live);
        live->group->count--;
        struct tk_task *ended = group_of(live->slot, live->slot->outcome);
        ended->count++;
        ended->since_ns = live->slot->since_ns;
        free(live->slot);
    } else if (pressure && live->slot->kept == 0 && live->slot->outcome == TK_OK && !(live->slot->flags & TK_T_SHUTDOWN))
        into_group(live->slot);
    free(live);
}

/* Before the file is closed: tasks that found no room in it are told as one. */
void tk_tasks_finish(void)
{
    for (size_t at = 0; at < tasks.size; at++) {
        struct tk_live *live = tasks.rows[at].value;
        if ((uintptr_t)live > 1 && live->group != NULL)
            tk_settle(live);
    }
}

void tk_tasks_clear(void)
{
    for (size_t at = 0; at < tasks.size; at++) {
        struct tk_live *live = tasks.rows[at].value;
        if ((uintptr_t)live <= 1)
            continue;
        if (live->group != NULL)
            free(live->slot);
        free(live);
    }
    tk_map_clear(&tasks);
    rest = NULL;
    tk_map_clear(&groups);
    tk_map_clear(&loops);
    free(free_slots);
    free_slots = NULL;
    free_count = free_size = pressure = last_serial = last_loop = 0;
}
