/* Threads: how they come, are registered, and go. */
#include "recorder.h"

#include <stdio.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

__thread struct ct_self ct_self __attribute__((tls_model("initial-exec")));

static pthread_key_t end_key;
static bool have_end_key;

/* Arguments of threads that are being started; fixed, since the target's malloc is not ours to call. */
static struct start {
    uint32_t taken;
    uint32_t creator_tid;
    uint64_t create_ns;
    void *(*function)(void *);
    void *argument;
} starts[512];

/* Slots by pthread_self(), to name the thread that is joined. */
static struct { uint64_t pthread; uint32_t tid; } known[4096];

uint32_t ct_gettid(void) { return (uint32_t)syscall(SYS_gettid); }

void ct_thread_setup(void) { have_end_key = pthread_key_create(&end_key, ct_thread_end) == 0; }

static void remember(uint64_t pthread, uint32_t tid)
{
    unsigned place = (unsigned)(ct_mix(pthread, 1) & 4095);
    __atomic_store_n(&known[place].tid, 0, __ATOMIC_RELAXED);
    __atomic_store_n(&known[place].pthread, pthread, __ATOMIC_RELEASE);
    __atomic_store_n(&known[place].tid, tid, __ATOMIC_RELEASE);
}

uint32_t ct_tid_of(pthread_t thread)
{
    unsigned place = (unsigned)(ct_mix((uint64_t)thread, 1) & 4095);
    uint32_t tid = __atomic_load_n(&known[place].tid, __ATOMIC_ACQUIRE);
    return __atomic_load_n(&known[place].pthread, __ATOMIC_ACQUIRE) == (uint64_t)thread ? tid : 0;
}

/* When the budget leaves no room for a slot, a thread counts in its own memory, and what it was is added to one slot
 * for all such threads when it ends. */
static __thread struct ct_thread own_slot __attribute__((tls_model("initial-exec")));

static void add_to_rest(const struct ct_thread *slot)
{
    struct ct_thread *rest = ct_file_rest();
    if (rest == NULL)
        return;
    const uint64_t *from[] = {&slot->gil_holds, &slot->gil_held_ns, &slot->gil_waits, &slot->gil_wait_ns,
                              &slot->gil_forced, &slot->cpu_ns, &slot->major_faults};
    uint64_t *to[] = {&rest->gil_holds, &rest->gil_held_ns, &rest->gil_waits, &rest->gil_wait_ns, &rest->gil_forced,
                      &rest->cpu_ns, &rest->major_faults};
    for (unsigned i = 0; i < sizeof from / sizeof *from; i++)
        __atomic_add_fetch(to[i], *from[i], __ATOMIC_RELAXED);
    __atomic_add_fetch(&rest->pair_other.ns, slot->gil_wait_ns, __ATOMIC_RELAXED);
    for (unsigned i = 0; i < CT_STATES; i++) {
        uint64_t *sum = &rest->states[i].total_ns;
        const uint64_t *part = &slot->states[i].total_ns;
        for (unsigned j = 0; j < 4; j++)
            __atomic_add_fetch(&sum[j], part[j], __ATOMIC_RELAXED);
    }
    __atomic_or_fetch(&rest->flags, CT_T_USED | CT_T_REST, __ATOMIC_RELEASE);
}

struct ct_self *ct_register(uint64_t start_ns, uint32_t first_state, uint32_t flags)
{
    struct ct_self *self = &ct_self;
    self->busy = true;
    struct ct_thread *slot = ct_file_slot();
    if (slot == NULL) {
        __atomic_add_fetch(&ct.header->lost_threads, 1, __ATOMIC_RELAXED);
        memset(&own_slot, 0, sizeof own_slot);
        slot = &own_slot;
        flags |= CT_T_REST;
    }
    self->tid = ct_gettid();
    self->slot = slot;
    self->since_ns = start_ns;
    self->state = (uint8_t)first_state;
    self->chunk = NULL;
    self->sequence = 0;
    self->window_ns = 0;
    memset(self->told_count, 0, sizeof self->told_count);
    memset(self->told_ns, 0, sizeof self->told_ns);
    slot->tid = self->tid;
    slot->start_ns = start_ns;
    slot->since_ns = start_ns;
    slot->state = self->state;
    slot->pthread = (uint64_t)pthread_self();
    slot->creator_tid = self->creator_tid;
    slot->wait_fd = -1;
    prctl(PR_GET_NAME, slot->name);
    remember(slot->pthread, self->tid);
    if (self->tid == ct.pid)
        flags |= CT_T_MAIN;
    __atomic_store_n(&slot->flags, flags | CT_T_USED, __ATOMIC_RELEASE);
    if (have_end_key)
        pthread_setspecific(end_key, self);
    ct_unguard(self);
    return self;
}

CT_NOINLINE struct ct_self *ct_enter_slow(void)
{
    struct ct_self *self = &ct_self;
    if (CT_UNLIKELY(self->gil_wait_ns != 0 && self->switched_ns != 0 && !self->busy && !self->dead && *ct_live))
        ct_gil_switched(self);
    if (self->busy || self->dead || self->in_vfork || self->gil_wait_ns != 0 || ct.mode != CT_MODE_PYTHON || !ct.learned)
        return NULL;
    if (!*ct_live)
        ct_fork_child();
    if (self->ready)
        return self;
    if (self->slot != NULL)
        return NULL;
    if (ct.header == NULL) {
        int saved = errno;
        self->busy = true;
        bool made = ct_file_create();
        self->busy = false;
        errno = saved;
        if (!made)
            return NULL;
    }
    int saved = errno;
    uint64_t start = self->create_ns != 0 ? self->create_ns : ct_gettid() == ct.pid ? ct.start_ns : ct_now();
    self = ct_register(start, CT_RUNNING_NOGIL, 0);
    errno = saved;
    return self;
}

/* Name a thread at the first event at which it holds the GIL and runs Python. */
CT_NOINLINE void ct_name_now(struct ct_self *self)
{
    self->slot->tstate = (uint64_t)(uintptr_t)ct_tstate();
    self->named = self->slot->tstate != 0;
    if (self->named)
        ct_thread_name(self->slot);
}

void ct_read_cpu(struct ct_thread *slot, uint64_t now)
{
    struct timespec t;
    if (clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t) != 0)
        return;
    slot->cpu_ns = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
    slot->cpu_read_ns = now;
    struct rusage usage;
    if (getrusage(RUSAGE_THREAD, &usage) == 0)
        slot->major_faults = (uint64_t)usage.ru_majflt;
}

/* The last thing seen of a thread. Also called for the thread that ends the process. */
void ct_thread_end(void *given)
{
    struct ct_self *self = given;
    if (self->slot == NULL || self->dead || !*ct_live || ct.header == NULL)
        return;
    int saved = errno;
    ct_guard(self);
    self->dead = true;
    uint64_t now = ct_not_before(self, ct_now());
    struct ct_detail detail = {.flags = self->flags, .reason = self->reason, .state = self->state};
    ct_gil_abandon(self, now);
    ct_switch_detail(self, self->state, now, &detail);
    ct_flush_folds(self);
    if (self->gil_held) {   /* it may end without having let go of the GIL once */
        ct_name(self);
        self->slot->gil_holds++;
        self->slot->gil_held_ns += now - self->gil_taken_ns;
        self->slot->gil_taken_ns = 0;
    }
    ct_read_cpu(self->slot, now);
    self->slot->end_ns = now;
    __atomic_or_fetch(&self->slot->flags, self->in_function ? CT_T_ENDED | CT_T_STOPPED : CT_T_ENDED, __ATOMIC_RELEASE);
    if (self->slot == &own_slot)
        add_to_rest(self->slot);
    errno = saved;
}

static void *thread_main(void *given)
{
    struct start *start = given;
    void *(*function)(void *) = start->function;
    void *argument = start->argument;
    struct ct_self *self = &ct_self;
    self->create_ns = start->create_ns;
    self->creator_tid = start->creator_tid;
    __atomic_store_n(&start->taken, 0, __ATOMIC_RELEASE);
    if (ct.header != NULL && ct.mode == CT_MODE_PYTHON && ct_register(self->create_ns, CT_STARTING, 0) != NULL)
        ct_switch(self, CT_RUNNING_NOGIL, ct_now());
    self->in_function = true;
    void *result = function(argument);
    self->in_function = false;
    return result;
}

CT_EXPORT int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*function)(void *),
                             void *argument)
{
    if (ct.mode == CT_MODE_PYTHON && !ct_self.in_vfork) {
        for (unsigned i = 0; i < sizeof starts / sizeof *starts; i++) {
            struct start *start = &starts[i];
            if (start->taken || __atomic_exchange_n(&start->taken, 1, __ATOMIC_ACQUIRE) != 0)
                continue;
            start->function = function;
            start->argument = argument;
            start->create_ns = ct_now();
            start->creator_tid = ct_self.tid;
            int result = CT_REAL(pthread_create)(thread, attributes, thread_main, start);
            if (result != 0)
                __atomic_store_n(&start->taken, 0, __ATOMIC_RELEASE);
            return result;
        }
    }
    return CT_REAL(pthread_create)(thread, attributes, function, argument);
}

/* The only thread of a forked child goes on under a new tid, in a new slot. */
void ct_fork_child_threads(uint64_t now)
{
    struct ct_self *self = &ct_self;
    ct.fork_parent_tid = self->tid;
    ct_clock_fork_child();
    memset(starts, 0, sizeof starts);
    memset(known, 0, sizeof known);
    self->tid = ct_gettid();
    self->slot = NULL;
    self->chunk = NULL;
    self->ready = false;
    self->busy = false;
    self->dead = false;
    self->create_ns = now;
    self->gil_taken_ns = self->gil_held ? now : 0;
    self->creator_tid = ct.fork_parent_tid;
    self->named = false;
    self->in_function = false;
    self->collection_ns = 0;
    self->held_count = 0;
}
