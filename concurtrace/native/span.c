/* The state machine of a thread: every nanosecond of its life is in exactly one span. */
#include "recorder.h"

#define DURATION_MAX ((1ull << 40) - 1)

static inline void live_begin(struct ct_thread *slot)
{
    __atomic_store_n(&slot->seq, slot->seq + 1, __ATOMIC_RELAXED);
#if !defined(__SANITIZE_THREAD__)   /* which knows no fences, and need not: nobody reads in this process */
    __atomic_thread_fence(__ATOMIC_RELEASE);
#endif
}

static inline void live_end(struct ct_thread *slot) { __atomic_store_n(&slot->seq, slot->seq + 1, __ATOMIC_RELEASE); }

static CT_NOINLINE bool next_chunk(struct ct_self *self)
{
    uint32_t number;
    int saved = errno;
    if (self->slot->flags & CT_T_REST)   /* no place in the file */
        return false;
    struct ct_chunk *fresh = ct_file_chunk(CT_CHUNK_SPANS, self->slot->index, self->sequence, &number);
    /* A thread that has filled a chunk will fill another: one call is cheaper than four page faults. */
    if (fresh != NULL && self->chunk != NULL) {
        ct_file_drop_pages(self->chunk);
        ct_file_want_pages(fresh);
    }
    errno = saved;
    if (fresh == NULL)
        return false;
    self->chunk = fresh;
    self->chunk_used = 0;
    self->sequence++;
    self->slot->span_chunks++;
    self->slot->last_chunk = number;
    return true;
}

static inline bool append(struct ct_self *self, uint64_t w0, uint64_t w1, uint64_t w2)
{
    if (CT_UNLIKELY(self->chunk == NULL || self->chunk_used >= CT_SPANS_PER_CHUNK * 24) && !next_chunk(self))
        return false;
    struct ct_span *span = (struct ct_span *)((uint8_t *)self->chunk + 64 + self->chunk_used);
    span->w0 = w0;
    span->w1 = w1;
    span->w2 = w2;
    self->chunk_used += 24;
    self->slot->span_records++;
    __atomic_store_n(&self->chunk->used, self->chunk_used, __ATOMIC_RELEASE);
    return true;
}

static inline uint64_t pack0(uint64_t start_ns, uint64_t state, uint64_t reason)
{
    return ((start_ns - ct.start_ns) & 0xffffffffffffu) | state << 48 | reason << 56;
}

void ct_flush_folds(struct ct_self *self)
{
    uint64_t length = (self->window_end_ns - self->window_ns + 999) / 1000;
    for (unsigned state = 0; state < CT_STATES && self->window_ns != 0; state++) {
        const struct ct_total *total = &self->slot->states[state];
        uint64_t count = total->folded_count - self->told_count[state];
        uint64_t duration = total->folded_ns - self->told_ns[state];
        if (count == 0)
            continue;
        if (count > 0xffffff)
            count = 0xffffff;
        if (!append(self, pack0(self->window_ns, state, 0), duration,
                    count | (length > 0xffffff ? 0xffffff : length) << 24 | (uint64_t)CT_F_FOLD << 48))
            break;
        self->told_count[state] += count;
        self->told_ns[state] += duration;
    }
    self->window_ns = 0;
}

static void fold(struct ct_self *self, uint8_t state, uint64_t duration, uint64_t now)
{
    struct ct_total *total = &self->slot->states[state];
    if (self->window_ns == 0)
        self->window_ns = self->since_ns;
    else if (CT_UNLIKELY(now - self->window_ns > CT_GET(ct.window_max_ns))) {
        ct_flush_folds(self);
        self->window_ns = self->since_ns;
    }
    total->folded_ns += duration;
    total->folded_count++;
    self->window_end_ns = now;
}

static bool store(struct ct_self *self, uint64_t duration, const struct ct_detail *detail)
{
    uint64_t start = self->since_ns;
    uint64_t w2 = (detail->stack & 0xffffff) | (uint64_t)(detail->object & 0xffffff) << 24;
    while (CT_UNLIKELY(duration > DURATION_MAX)) {
        if (!append(self, pack0(start, detail->state, detail->reason), DURATION_MAX,
                    w2 | (uint64_t)(detail->flags | CT_F_CONTINUED) << 48))
            return false;
        start += DURATION_MAX;
        duration -= DURATION_MAX;
    }
    return append(self, pack0(start, detail->state, detail->reason), duration | (uint64_t)detail->waker << 40,
                  w2 | (uint64_t)detail->flags << 48);
}

static inline void close_span(struct ct_self *self, uint64_t now, const struct ct_detail *detail)
{
    uint64_t duration = now - self->since_ns;
    struct ct_total *total = &self->slot->states[detail->state];
    total->total_ns += duration;
    total->count++;
    if (duration < CT_GET(ct.min_span_ns) || !store(self, duration, detail))
        fold(self, detail->state, duration, now);
}

static inline void open_span(struct ct_self *self, uint8_t state, uint64_t now)
{
    struct ct_thread *slot = self->slot;
    self->state = state;
    self->reason = CT_R_NONE;
    self->since_ns = now;
    self->flags = 0;
    slot->state = state;
    slot->reason = CT_R_NONE;
    slot->gil_held = self->gil_held;
    slot->in_call = 0;
    slot->since_ns = now;
}

void ct_switch(struct ct_self *self, uint8_t state, uint64_t now)
{
    struct ct_detail detail = {.flags = self->flags, .reason = self->reason, .state = self->state};
    now = ct_not_before(self, now);
    live_begin(self->slot);
    close_span(self, now, &detail);
    open_span(self, state, now);
    live_end(self->slot);
}

void ct_switch_detail(struct ct_self *self, uint8_t state, uint64_t now, const struct ct_detail *detail)
{
    struct ct_thread *slot = self->slot;
    now = ct_not_before(self, now);
    live_begin(slot);
    close_span(self, now, detail);
    open_span(self, state, now);
    slot->wait_address = 0;
    slot->wait_owner = 0;
    slot->wait_fd = -1;
    slot->wait_pid = 0;
    if (detail->waker != 0)
        slot->last_waker = detail->waker;
    live_end(slot);
}

static uint8_t blocked_reason(uint8_t state, uint8_t reason)
{
    switch (state) {
    case CT_LOCK_WAIT: case CT_CONDITION_WAIT: return reason == CT_R_JOIN ? CT_R_JOIN_NATIVE : CT_R_LOCK;
    case CT_SLEEP: return CT_R_SLEEP;
    case CT_CHILD_WAIT: return CT_R_CHILD;
    default: return reason;
    }
}

void ct_call_begin(struct ct_self *self, uint8_t state, uint8_t reason)
{
    ct_guard(self);
    uint64_t now = ct_now();
    self->released_only = false;
    self->call_ns = now;
    if (self->gil_held) {
        reason = blocked_reason(state, reason);
        state = CT_GIL_BLOCKED;
    }
    ct_switch(self, state, now);
    self->reason = reason;
    self->flags = self->gil_held ? CT_F_GIL_HELD : 0;
    self->slot->reason = reason;
    self->slot->in_call = 1;
}

uint64_t ct_call_done(struct ct_self *self)
{
    self->done_ns = ct_now();
    return self->done_ns - self->call_ns;
}

void ct_call_end(struct ct_self *self, struct ct_detail *detail)
{
    uint64_t duration = self->done_ns - self->call_ns;
    uint8_t refined = 0;
    if (duration >= ct.stack_ns)
        detail->stack = ct_stack(0, &refined);
    detail->state = self->state;
    detail->flags |= self->flags;
    if (detail->reason == CT_R_NONE)
        detail->reason = self->reason;
    /* What its frames wait for decides between a lock and a condition. */
    if (refined != 0 && (self->state == CT_LOCK_WAIT || self->state == CT_CONDITION_WAIT)) {
        detail->state = CT_CONDITION_WAIT;
        detail->reason = refined;
    }
    ct_switch_detail(self, ct_idle_state(self), self->done_ns, detail);
    if (duration >= CT_CPU_WAIT_NS)
        ct_read_cpu(self->slot, self->done_ns);
    ct_unguard(self);
}
