/* The GIL, seen from the condition variables it is made of.
 *
 * gil->cond, gil->mutex and gil->switch_cond lie next to each other (CPython 3.11 to 3.14), so the addresses
 * signalled by take_gil (switch_cond) and drop_gil (cond) differ by a known distance and the lower one is cond.
 *
 *   signal(switch_cond)   the GIL was taken          timedwait(cond)     waiting for it
 *   signal(cond)          it is let go               wait(switch_cond)   forced switch: waits for the next holder
 *
 * Both signals are sent with gil->mutex held, so take and release times of one GIL never cross. */
#include "recorder.h"

#define DISTANCE (sizeof(pthread_cond_t) + sizeof(pthread_mutex_t))
#define GILS 64u
/* A forced release and the wait behind it are some hundred instructions apart: a thread that needs longer than
 * this was without a core. */
#define HANDOVER_NS 5000u
#define CALLER_WORDS 96u   /* take_gil and what is between it and its caller fit in less */

struct ct_gil {
    uintptr_t cond, switch_cond;
    uint32_t holder;        /* tid, 0 = free */
    uint32_t released_by;   /* tid */
    uint64_t released_ns;
    uint32_t requested;     /* a waiter's patience ran out during this hold: the holder is asked to let go */
};

static struct ct_gil gils[GILS];
static uint32_t gil_count;
/* Addresses signalled by the runtime before they are known to belong to a GIL, with the first time. */
static struct { uintptr_t address; uint64_t first_ns; uint32_t tid; } candidates[GILS];
static uint32_t candidate_count;

static inline struct ct_gil *find_gil(uintptr_t address, bool *taking)
{
    uint32_t count = __atomic_load_n(&gil_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count; i++) {
        if (gils[i].switch_cond == address || gils[i].cond == address) {
            *taking = gils[i].switch_cond == address;
            return &gils[i];
        }
    }
    return NULL;
}

static void charge_wait(struct ct_self *self, uint64_t now, bool first)
{
    struct ct_thread *slot = self->slot;
    uint64_t duration = now > self->gil_segment_ns ? now - self->gil_segment_ns : 0;
    struct ct_pair *pair = &slot->pair_other;
    self->gil_segment_ns = now;
    for (unsigned i = 0; i < CT_PAIRS; i++) {
        if (slot->pairs[i].tid == self->gil_holder || slot->pairs[i].tid == 0) {
            pair = &slot->pairs[i];
            pair->tid = self->gil_holder;
            break;
        }
    }
    /* Nobody known held it: that is told under tid 0 of pair_other. */
    if (self->gil_holder == 0)
        pair = &slot->pair_other;
    pair->ns += duration;
    pair->count += first;
}

static void end_wait(struct ct_self *self, uint32_t waker, uint8_t then, uint64_t now)
{
    struct ct_thread *slot = self->slot;
    uint64_t duration = now > self->gil_wait_ns ? now - self->gil_wait_ns : 0;
    struct ct_detail detail = {.state = CT_GIL_WAIT, .waker = waker, .flags = self->flags};
    charge_wait(self, now, true);
    slot->gil_waits++;
    slot->gil_wait_ns += duration;
    if (duration > slot->gil_longest_wait_ns)
        slot->gil_longest_wait_ns = duration;
    self->gil_wait_ns = self->switched_ns = 0;
    if (duration >= ct.stack_ns)
        detail.stack = ct_stack(0, &(uint8_t){0});
    ct_switch_detail(self, then, now, &detail);
}

/* The switch at the end of a release is over, and what comes next is a call: it was not made to take the GIL again. */
void ct_gil_switched(struct ct_self *self)
{
    ct_guard(self);
    uint32_t taker = CT_GET(self->gil->holder), waker = taker != 0 ? taker : self->gil->released_by;
    end_wait(self, waker, CT_RUNNING_NOGIL, ct_not_before(self, self->switched_ns));
    ct_unguard(self);
}

static void taken(struct ct_self *self, struct ct_gil *gil)
{
    uint64_t now = ct_now();
    if (CT_UNLIKELY(now < gil->released_ns))
        now = gil->released_ns;
    now = ct_not_before(self, now);
    self->gil_held = true;
    self->gil = gil;
    if (self->gil_wait_ns != 0)
        end_wait(self, gil->released_by, CT_RUNNING, now);
    else
        ct_switch(self, CT_RUNNING, now);
    self->gil_taken_ns = now;
    self->slot->gil_taken_ns = now;
    gil->holder = self->tid;
    __atomic_store_n(&gil->requested, 0, __ATOMIC_RELAXED);
    if (CT_UNLIKELY(!(self->slot->flags & CT_T_PYTHON))) {
        /* Told at once: a thread that never lets go of the GIL is the one whose stack is wanted. */
        self->slot->tstate = (uint64_t)(uintptr_t)ct_tstate();
        self->slot->flags |= CT_T_PYTHON;
    }
    if (CT_UNLIKELY(now >= ct.queues_due_ns))
        ct_queues_read(now);
}

static void released(struct ct_self *self, struct ct_gil *gil)
{
    struct ct_thread *slot = self->slot;
    uint64_t now = ct_not_before(self, ct_now());
    if (self->gil_held) {
        slot->gil_holds++;
        slot->gil_held_ns += now - self->gil_taken_ns;
    }
    if (self->gil_held)
        ct_name(self);
    self->gil_held = false;
    slot->gil_taken_ns = 0;
    ct_switch(self, CT_RUNNING_NOGIL, now);
    self->released_only = __atomic_load_n(&gil->requested, __ATOMIC_RELAXED) != 0;
    gil->holder = 0;
    gil->released_by = self->tid;
    gil->released_ns = now;
}

/* Does a call of PyEval_RestoreThread stand just above this frame? Then the GIL had been let go by a C function of
 * its own accord; a forced release is taken back by the interpreter loop itself. */
__attribute__((no_sanitize("address"))) static CT_NOINLINE bool gave_it_up(void *const *frame)
{
    for (unsigned i = 0; i < CALLER_WORDS; i++)
        if ((uintptr_t)frame[i] - ct.restore_from < ct.restore_to - ct.restore_from)
            return true;
    return ct.restore_from == 0;
}

static void begin_wait(struct ct_self *self, struct ct_gil *gil, bool forced, void *const *frame)
{
    ct_guard(self);
    uint64_t now = ct_not_before(self, ct_now());
    struct ct_detail detail = {.flags = self->flags, .reason = self->reason, .state = self->state};
    /* A release that was asked for, with no call behind it, was made for another thread. */
    forced = forced || (self->released_only && !gave_it_up(frame));
    if (forced && self->state == CT_RUNNING_NOGIL && now - self->since_ns >= HANDOVER_NS) {
        detail.state = CT_RUNNABLE;
        detail.reason = CT_R_PREEMPTED;
    }
    ct_switch_detail(self, CT_GIL_WAIT, now, &detail);
    if (forced) {
        self->flags = CT_F_FORCED;
        self->slot->gil_forced++;
    }
    self->gil_holder = gil->holder;
    self->gil_segment_ns = now;
    self->gil_wait_ns = now;
    self->switched_ns = 0;
    self->released_only = false;
    self->slot->wait_address = gil->cond;
    self->slot->wait_owner = gil->holder;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    self->busy = false;   /* but not ready: gil_wait_ns is set */
}

/* Python locks a mutex that is busy. If it is one of a GIL's two, and the thread does not hold that GIL, its wait for
 * the GIL begins here: whoever has the mutex may be without a core. Each lies right behind its condition. */
void ct_gil_mutex_busy(struct ct_self *self, pthread_mutex_t *mutex, void *const *frame)
{
    uint32_t count = __atomic_load_n(&gil_count, __ATOMIC_ACQUIRE);
    for (uint32_t i = 0; i < count; i++)
        if (gils[i].cond + sizeof(pthread_cond_t) == (uintptr_t)mutex
            || gils[i].switch_cond + sizeof(pthread_cond_t) == (uintptr_t)mutex)
            begin_wait(self, &gils[i], false, frame);
}

/* The first pair has been seen: the recording begins here, and what was before is told from memory. */
static void first_gil(uint64_t first_ns, uint32_t holder)
{
    ct.learned = true;
    struct ct_self *self = ct_enter();
    if (self == NULL)
        return;
    ct.header->first_gil_ns = first_ns;
    if (holder != self->tid)
        return;
    self->gil_held = true;
    self->gil_taken_ns = first_ns;
    self->slot->gil_taken_ns = first_ns;
    self->slot->flags |= CT_T_PYTHON;
    if (self->state == CT_RUNNING_NOGIL && self->since_ns <= first_ns)
        ct_switch(self, CT_RUNNING, first_ns);
}

static struct ct_gil *learn_alone(uintptr_t address, bool *taking)
{
    uint32_t count = candidate_count;
    for (uint32_t i = 0; i < count; i++) {
        if (candidates[i].address == address)
            return NULL;
        uintptr_t low = address < candidates[i].address ? address : candidates[i].address;
        uintptr_t high = address < candidates[i].address ? candidates[i].address : address;
        if (high - low != DISTANCE || gil_count >= GILS)
            continue;
        uint64_t first_ns = candidates[i].first_ns;
        gils[gil_count] = (struct ct_gil){.cond = low, .switch_cond = high, .holder = candidates[i].tid};
        candidates[i] = candidates[count - 1];
        candidate_count--;
        __atomic_store_n(&gil_count, gil_count + 1, __ATOMIC_RELEASE);
        *taking = address == high;
        if (!ct.learned)
            first_gil(first_ns, gils[gil_count - 1].holder);
        return &gils[gil_count - 1];
    }
    if (count < GILS) {
        candidates[count].address = address;
        candidates[count].first_ns = ct_now();
        candidates[count].tid = ct_gettid();
        candidate_count = count + 1;
    }
    return NULL;
}

static CT_NOINLINE struct ct_gil *learn(uintptr_t address, bool *taking)
{
    static uint32_t learning;
    if (__atomic_exchange_n(&learning, 1, __ATOMIC_ACQUIRE) != 0)
        return NULL;   /* another interpreter's GIL is being learned; ours will signal again */
    struct ct_gil *gil = learn_alone(address, taking);
    __atomic_store_n(&learning, 0, __ATOMIC_RELEASE);
    return gil;
}

/* A thread that waits for the GIL is in no wrapper, but a signal handler it runs must not be recorded as its own
 * doing: `ready` is down for everybody but the GIL's own events. */
static inline struct ct_self *enter_gil(void)
{
    struct ct_self *self = &ct_self;
    if (self->gil_wait_ns != 0 && *ct_live)
        return self;
    return ct_enter();
}

/* The thread ends while it waits (a daemon thread at the end of the interpreter). */
void ct_gil_abandon(struct ct_self *self, uint64_t now)
{
    if (self->gil_wait_ns == 0)
        return;
    charge_wait(self, now, true);
    self->slot->gil_waits++;
    self->slot->gil_wait_ns += now - self->gil_wait_ns;
    self->gil_wait_ns = 0;
}

CT_EXPORT int pthread_cond_signal(pthread_cond_t *cond)
{
    if (CT_LIKELY(ct.mode == CT_MODE_PYTHON && !ct_self.busy && !ct_self.in_vfork)) {
        bool taking = false;
        struct ct_gil *gil = find_gil((uintptr_t)cond, &taking);
        if (CT_UNLIKELY(gil == NULL)) {
            if (ct_from_python(__builtin_return_address(0)))
                gil = learn((uintptr_t)cond, &taking);
            else
                ct_native_signalled(cond);
        }
        struct ct_self *self = gil != NULL ? enter_gil() : NULL;
        if (self != NULL) {
            ct_guard(self);
            if (taking)
                taken(self, gil);
            else
                released(self, gil);
            ct_unguard(self);
        }
    }
    return CT_REAL(pthread_cond_signal)(cond);
}

CT_EXPORT int pthread_cond_broadcast(pthread_cond_t *cond)
{
    if (ct.mode == CT_MODE_PYTHON && !ct_self.busy && !ct_self.in_vfork)
        ct_native_signalled(cond);
    return CT_REAL(pthread_cond_broadcast)(cond);
}

CT_EXPORT int pthread_cond_timedwait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *limit)
{
    bool taking;
    if (CT_UNLIKELY(ct.mode != CT_MODE_PYTHON || ct_self.busy))
        return CT_REAL(pthread_cond_timedwait)(cond, mutex, limit);
    struct ct_gil *gil = find_gil((uintptr_t)cond, &taking);
    if (gil == NULL)
        return ct_native_wait(cond, mutex, limit, 0, false);
    struct ct_self *self = enter_gil();
    if (self != NULL) {
        if (self->gil_wait_ns == 0) {
            begin_wait(self, gil, false, __builtin_frame_address(0));
        } else {
            self->switched_ns = 0;
            charge_wait(self, ct_not_before(self, ct_now()), false);
            self->gil_holder = gil->holder;
            self->slot->wait_owner = gil->holder;
        }
    }
    int result = CT_REAL(pthread_cond_timedwait)(cond, mutex, limit);
    if (result == ETIMEDOUT && gil->holder != 0)
        __atomic_store_n(&gil->requested, 1, __ATOMIC_RELAXED);
    return result;
}

CT_EXPORT int pthread_cond_clockwait(pthread_cond_t *cond, pthread_mutex_t *mutex, clockid_t clock,
                                     const struct timespec *limit)
{
    if (CT_UNLIKELY(ct.mode != CT_MODE_PYTHON || ct_self.busy))
        return CT_REAL(pthread_cond_clockwait)(cond, mutex, clock, limit);
    return ct_native_wait(cond, mutex, limit, clock, true);
}

CT_EXPORT int pthread_cond_wait(pthread_cond_t *cond, pthread_mutex_t *mutex)
{
    bool taking;
    if (CT_UNLIKELY(ct.mode != CT_MODE_PYTHON || ct_self.busy))
        return CT_REAL(pthread_cond_wait)(cond, mutex);
    struct ct_gil *gil = find_gil((uintptr_t)cond, &taking);
    if (gil == NULL)
        return ct_native_wait(cond, mutex, NULL, 0, false);
    struct ct_self *self = enter_gil();
    if (self != NULL && self->gil_wait_ns == 0)
        begin_wait(self, gil, true, NULL);
    int result = CT_REAL(pthread_cond_wait)(cond, mutex);
    /* Mostly a wait for the GIL goes on from here. */
    if (self != NULL && self->gil == gil)
        self->switched_ns = ct_now();
    return result;
}

/* Only the forking thread is left, and Python makes its GILs anew at the same place. */
void ct_gil_fork_child(void)
{
    struct ct_self *self = &ct_self;
    for (uint32_t i = 0; i < gil_count; i++) {
        gils[i].holder = 0;
        gils[i].released_by = 0;
    }
    if (self->gil != NULL && self->gil_held)
        self->gil->holder = self->tid;
    self->gil_wait_ns = 0;
}
