/* Steps and the waits before them: totals always, single ones as long as there is room. */
#include "tasks.h"

_Thread_local struct tk_current *tk_current;

static struct tk_map sites;

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
    if (TK_UNLIKELY(slot->loop == 0) && loop != NULL)
        slot->loop = (uint16_t)loop->number;    /* made before its loop ran */
    if (!(slot->flags & TK_T_FIRST))
        here->ready.at_ns = slot->created_ns;
    if (slot->state == TK_S_CANCELLING)
        slot->cancelling_ns += here->start_ns - slot->since_ns;
    else if (!(slot->flags & TK_T_FIRST))
        slot->created_total_ns = here->start_ns - slot->created_ns;
    else {
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
            tk_head->names_lost++;
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
        tk_press();
        return;
    }
    *step = *made;
    tk_publish(TK_STEPS, sizeof *step);
    tk_head->steps_kept++;
    if (here->live != NULL)
        here->live->slot->kept++;
    if ((tk_head->steps_kept & 255) == 0)
        tk_press();
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
    if (live->cancel_ns && live->cancel_ns <= here->start_ns)
        made.flags |= TK_P_CANCELLING;
    slot->outcome = (uint8_t)outcome;
    slot->state = outcome != TK_PENDING ? TK_S_DONE : live->cancel_ns ? TK_S_CANCELLING : TK_S_AWAITING;
    slot->since_ns = live->waits_ns = end_ns;
    uint64_t threshold = tk_head->threshold_ns;
    if (threshold == 0 || (threshold != UINT64_MAX && (dur_ns >= threshold || made.ready_ns >= threshold ||
                                                       made.await_ns / 64 >= threshold)))
        keep(here, &made);
    if (TK_UNLIKELY(live->group != NULL))
        tk_settle(live);
}

/* Say where a task waits after its step, and for which task. */
void tk_step_awaits(struct tk_live *live, uint32_t stack, uint32_t on, uint8_t flags)
{
    live->slot->waits_at = stack;
    live->slot->awaits = on;
    live->waits_flags = flags;
    if (live->slot->state == TK_S_AWAITING && (live->ready.at_ns != 0 || flags & TK_P_YIELDED))
        live->slot->state = TK_S_READY;     /* woken before its step had ended */
}

/* From now on a task is about to end, because somebody asked it to. */
void tk_cancelling(struct tk_live *live)
{
    struct tk_task *slot = live->slot;
    uint64_t now_ns = tk_now(), ns = now_ns > slot->since_ns ? now_ns - slot->since_ns : 0;
    if (live->cancel_ns || slot->state == TK_S_DONE)
        return;
    live->cancel_ns = now_ns;
    if (slot->state == TK_S_CREATED)
        slot->created_total_ns = ns;
    else if (slot->state == TK_S_READY)
        slot->ready_ns += ns;
    else if (slot->state == TK_S_AWAITING)
        slot->awaiting_ns += ns;
    if (slot->state != TK_S_RUNNING) {
        slot->state = TK_S_CANCELLING;
        slot->since_ns = now_ns;
    }
    uint32_t stack = tk_caller_stack();
    struct tk_cancel *made = tk_add_hidden(TK_CANCELS, sizeof *made);
    live->cancel = made;
    if (made == NULL)
        return;
    made->time_ns = now_ns;
    made->task = slot->serial;
    made->by = tk_waker(TK_FROM_UNKNOWN, now_ns).waker;
    made->stack = stack;
    tk_publish(TK_CANCELS, sizeof *made);
}

/* It was taken back in the step that has just ended: the task goes on as if nobody had asked. */
void tk_not_cancelling(struct tk_live *live)
{
    live->cancel_ns = 0;
    if (live->cancel != NULL)
        live->cancel->until_ns = live->waits_ns;
    live->cancel = NULL;
    if (live->slot->state == TK_S_CANCELLING)
        live->slot->state = TK_S_AWAITING;
}

void tk_fault(enum tk_fault_kind kind, uint32_t task, uint32_t text, uint32_t stack)
{
    struct tk_fault *fault = tk_add_hidden(TK_FAULTS, sizeof *fault);
    if (fault == NULL) {
        tk_head->names_lost++;
        return;
    }
    fault->time_ns = tk_now();
    fault->kind = kind;
    fault->task = task;
    fault->text = text;
    fault->stack = stack;
    tk_publish(TK_FAULTS, sizeof *fault);
}

void tk_steps_clear(void) { tk_map_clear(&sites); }
