/* Runs of Python's garbage collector, as the extension in runtime/ tells of them: sums by generation in the header,
 * and a span of its own for each that takes long. */
#include "recorder.h"

/* Shorter ones count in the sums alone: a program that makes many objects collects thousands of times a second. */
#define SPAN_NS 100000u

static uint64_t held_ns(const struct ct_self *self, uint64_t now)
{
    uint64_t since = self->gil_held && now > self->gil_taken_ns ? now - self->gil_taken_ns : 0;
    return self->slot->gil_held_ns + since;
}

static void tell_watched(void) { __atomic_or_fetch(&ct.header->flags, CT_H_COLLECTIONS, __ATOMIC_RELAXED); }

CT_EXPORT void concurtrace_collector_watched(void)
{
    if (ct_enter() != NULL)
        tell_watched();
}

CT_EXPORT void concurtrace_collector_begins(void)
{
    struct ct_self *self = ct_enter();
    if (self == NULL)
        return;
    self->collection_ns = ct_now();
    self->collection_held_ns = held_ns(self, self->collection_ns);
}

static void count(unsigned generation, uint64_t duration, uint64_t freed)
{
    struct ct_collections *sums = &ct.header->collections[generation];
    tell_watched();   /* a forked child has a header of its own */
    __atomic_add_fetch(&sums->count, 1, __ATOMIC_RELAXED);
    __atomic_add_fetch(&sums->total_ns, duration, __ATOMIC_RELAXED);
    __atomic_add_fetch(&sums->freed, freed, __ATOMIC_RELAXED);
    if (duration > CT_GET(sums->longest_ns))
        CT_SET(sums->longest_ns, duration);
}

CT_EXPORT void concurtrace_collector_ends(unsigned generation, uint64_t freed)
{
    struct ct_self *self = ct_enter();
    if (self == NULL || self->collection_ns == 0 || generation >= CT_GENERATIONS)
        return;
    uint64_t now = ct_now(), begun = self->collection_ns;
    uint64_t duration = held_ns(self, now) - self->collection_held_ns;
    self->collection_ns = 0;
    count(generation, duration, freed);
    /* A finalizer that waited for something has cut it in pieces, which are told as what they are. */
    if (duration < SPAN_NS || self->state != CT_RUNNING || self->since_ns > begun)
        return;
    int saved = errno;
    struct ct_detail detail = {.state = CT_RUNNING, .reason = CT_R_GC, .flags = self->flags};
    ct_guard(self);
    ct_switch(self, CT_RUNNING, begun);
    detail.stack = ct_stack(0, &(uint8_t){0});
    ct_switch_detail(self, CT_RUNNING, now, &detail);
    ct_unguard(self);
    errno = saved;
}
