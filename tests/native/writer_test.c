/* The writer core driven by many threads, for the sanitizers: argv = number of threads, spans per thread.
 *
 * Every thread walks through all states with lengths of its own, interns names and things that the others
 * intern too, and leaves; meanwhile the budget may run out. What it wrote is printed, to be compared with
 * what the file says. */
#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

struct ct_global ct;
static uint32_t live = 1;
volatile uint32_t *ct_live = &live;
static long spans;

/* Parts that need a Python. */
uint32_t ct_stack(unsigned depth, uint8_t *reason)
{
    (void)depth;
    (void)reason;
    return 0;
}
void *ct_tstate(void) { return NULL; }
void ct_thread_name(struct ct_thread *slot) { (void)slot; }
void ct_stacks_header(struct ct_header *header) { header->flags |= CT_H_NO_STACKS; }
void ct_gil_switched(struct ct_self *self) { (void)self; }
void ct_gil_abandon(struct ct_self *self, uint64_t now)
{
    (void)self;
    (void)now;
}
void ct_fork_child(void) {}

static void *worker(void *argument)
{
    uintptr_t number = (uintptr_t)argument;
    struct ct_self *self = ct_register(ct_now(), CT_RUNNING_NOGIL, 0);
    if (self == NULL)
        return NULL;
    uint64_t now = self->since_ns;
    for (long i = 0; i < spans; i++) {
        uint8_t state = (uint8_t)(1 + (number + (uint64_t)i) % 12);
        char name[32];
        uint32_t id;
        now += (uint64_t)(i % 7) * 500 + 1;
        snprintf(name, sizeof name, "name-%ld", i % 500);
        struct ct_detail detail = {.waker = (uint32_t)i & 0xffffff, .stack = ct_string(name, strlen(name)), .state = self->state};
        struct ct_meta_object *object;
        do   /* nothing, while another thread is just making it */
            object = ct_object(CT_O_LOCK, (uint64_t)(i % 300) + 1, name, &id);
        while (object == NULL);
        detail.object = id;
        __atomic_add_fetch(&object->contended, 1, __ATOMIC_RELAXED);
        ct_switch_detail(self, state, now, &detail);
        struct ct_waker *waker = ct_shared_waker(ct_mix((uint64_t)i % 64, 3));
        if (waker != NULL)
            __atomic_store_n(&waker->tid, self->tid, __ATOMIC_RELAXED);
    }
    return NULL;
}

int main(int argc, char **argv)
{
    long threads = argc > 1 ? atol(argv[1]) : 4;
    spans = argc > 2 ? atol(argv[2]) : 20000;
    ct_resolve();
    ct_clock_start();
    snprintf(ct.directory, sizeof ct.directory, "%s", getenv("CONCURTRACE_STATES_DIR"));
    ct.mode = CT_MODE_PYTHON;
    ct.learned = true;
    ct.pid = (uint32_t)getpid();
    ct.start_ns = ct_now();
    ct.first_min_span_ns = ct.min_span_ns = strtoull(getenv("CONCURTRACE_MIN_SPAN_NS"), NULL, 10);
    ct.window_max_ns = 10000000;
    ct.stack_ns = 20000;
    ct.start_method = CT_START_ROOT;
    const char *budget = getenv("CONCURTRACE_MAX_BYTES");
    ct.max_bytes = budget != NULL ? strtoull(budget, NULL, 10) : 256u << 20;
    ct_thread_setup();
    ct_shared_open(true);
    ct.row = ct_process_row();
    if (!ct_file_create())
        return 3;
    pthread_t started[64];
    for (long i = 0; i < threads; i++)
        CT_REAL(pthread_create)(&started[i], NULL, worker, (void *)i);
    for (long i = 0; i < threads; i++)
        CT_REAL(pthread_join)(started[i], NULL);
    ct_file_finish(CT_EXITED, 0);
    printf("%ld %ld\n", threads, spans);
    return 0;
}
