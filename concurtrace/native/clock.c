/* CLOCK_MONOTONIC, read through the time-stamp counter.
 *
 * The kernel's own reading takes 22 to 45 ns, because it waits for all earlier instructions; the counter alone takes
 * 10. So the clock itself is read every 2 ms (an anchor), and in between time is the anchor plus counted ticks, by a
 * scale taken over the last seconds. One anchor serves all threads, so that what happens one after the other on two
 * cores is told in that order. Where the kernel does not trust the counter, neither does this. */
#include "recorder.h"

#if defined(__x86_64__)
#include <cpuid.h>

#define EVERY_NS 2000000u        /* life of an anchor */
#define FIRST_NS 10000000u       /* a scale taken over less is too coarse: 10 ms give some parts per million */
#define BASE_NS 1000000000u      /* the scale is taken over one to two of these, to follow the kernel's corrections */
#define PAIR_TICKS 600u          /* a reading of both clocks that took longer was interrupted */

struct ct_clock ct_clock;
static struct { uint64_t ticks, ns; } base, middle;
static uint32_t busy;

void ct_clock_start(void)
{
    unsigned a, b, c, d = 0;
    char source[32] = "";
    ct_read_file("/sys/devices/system/clocksource/clocksource0/current_clocksource", source, sizeof source - 1);
    ct_clock.trusted = __get_cpuid(0x80000007, &a, &b, &c, &d) && d & 1u << 8   /* invariant */
        && memcmp(source, "tsc\n", 4) == 0;
    ct_clock.scale = 1ull << 32;
}

/* Another thread may have been in the middle of it at a fork. */
void ct_clock_fork_child(void) { busy = 0; }

static uint64_t new_anchor(uint64_t ticks, uint64_t ns)
{
    const struct ct_anchor *last = &ct_clock.anchors[ct_clock.newest & (CT_ANCHORS - 1)];
    /* Another thread was faster: its anchor holds. */
    if (ct_clock.newest != 0 && (int64_t)(ticks - last->ticks) < (int64_t)last->limit)
        return ticks <= last->ticks ? last->ns : last->ns + ((ticks - last->ticks) * last->scale >> 32);
    /* Nobody was told a later time than this. */
    uint64_t told_ns = last->ns + (last->limit * last->scale >> 32);
    if (ns < told_ns)
        ns = told_ns;
    struct ct_anchor *next = &ct_clock.anchors[(ct_clock.newest + 1) & (CT_ANCHORS - 1)];
    CT_SET(next->ticks, ticks);
    CT_SET(next->ns, ns);
    CT_SET(next->scale, ct_clock.scale);
    CT_SET(next->limit, ((uint64_t)EVERY_NS << 32) / ct_clock.scale);
    __atomic_store_n(&ct_clock.newest, ct_clock.newest + 1, __ATOMIC_RELEASE);
    return ns;
}

static uint64_t follow(uint64_t ticks, uint64_t ns)
{
    if (base.ticks == 0 || ticks <= base.ticks) {
        base.ticks = middle.ticks = ticks;
        base.ns = middle.ns = ns;
        return ns;
    }
    if (ns - base.ns < FIRST_NS)
        return ns;
    if (ns - middle.ns > BASE_NS) {
        base = middle;
        middle.ticks = ticks;
        middle.ns = ns;
    }
    CT_SET(ct_clock.scale, (uint64_t)(((__uint128_t)(ns - base.ns) << 32) / (ticks - base.ticks)));
    return new_anchor(ticks, ns);
}

CT_NOINLINE uint64_t ct_now_slow(void)
{
    uint64_t ns = ct_kernel_now();
    if (!ct_clock.trusted || __atomic_exchange_n(&busy, 1, __ATOMIC_ACQUIRE) != 0)
        return ns;
    uint64_t before = __builtin_ia32_rdtsc();
    ns = ct_kernel_now();
    uint64_t after = __builtin_ia32_rdtsc();
    if (after - before <= PAIR_TICKS)
        ns = follow(before + (after - before) / 2, ns);
    __atomic_store_n(&busy, 0, __ATOMIC_RELEASE);
    return ns;
}

uint64_t ct_ticks_to_ns(uint64_t ticks) { return (uint64_t)(((__uint128_t)ticks * CT_GET(ct_clock.scale)) >> 32); }

#else

void ct_clock_start(void) {}
void ct_clock_fork_child(void) {}
uint64_t ct_ticks_to_ns(uint64_t ticks) { return ticks; }

#endif
