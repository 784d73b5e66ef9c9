/* What the parts of the recorder share. Nothing here is visible outside the library. */
#ifndef CONCURTRACE_RECORDER_H
#define CONCURTRACE_RECORDER_H

#include "real.h"   /* first: it decides what the system headers declare */
#include "format.h"

#include <errno.h>
#include <stdbool.h>
#include <string.h>

#define CT_LIKELY(x) __builtin_expect(!!(x), 1)
#define CT_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define CT_EXPORT __attribute__((visibility("default")))
/* Numbers that several threads read and write, of which any recent value will do. */
#define CT_GET(x) __atomic_load_n(&(x), __ATOMIC_RELAXED)
#define CT_SET(x, value) __atomic_store_n(&(x), value, __ATOMIC_RELAXED)
#define CT_NOINLINE __attribute__((noinline))

enum ct_mode {
    CT_MODE_OFF = 0,      /* no run directory, or setuid: every wrapper only passes on */
    CT_MODE_FOREIGN = 1,  /* not Python: only processes are told */
    CT_MODE_PYTHON = 2
};

struct ct_gil;
struct lock;

#define CT_HELD CT_ORDER_HELD
struct ct_held { struct lock *lock; uint64_t serial; };

/* One thread's private half. Lives in static TLS: reachable in signal handlers and at thread exit. */
struct ct_self {
    bool ready;                /* registered, in no wrapper: record */
    bool busy;                 /* inside a wrapper or the recorder: pass on */
    bool dead;                 /* its slot is closed */
    bool in_vfork;             /* a vfork child runs on our memory */
    bool starting;             /* asleep until a child has executed something */
    bool gil_held;
    bool named;                /* its PyThreadState and name are in the slot */
    uint8_t state, reason;
    uint16_t flags;            /* flags of the open span */
    uint32_t tid;
    struct ct_thread *slot;
    uint64_t since_ns;
    uint64_t call_ns, done_ns; /* start and end of the wrapped call */
    struct ct_gil *gil;        /* the GIL it took last */
    uint64_t gil_taken_ns, gil_wait_ns, gil_segment_ns;
    uint64_t switched_ns;      /* end of the switch at the end of a forced release, while gil_wait_ns is set */
    uint32_t gil_holder;       /* holder when the running part of a GIL wait began */
    bool in_function;          /* the function that the thread was made for has not returned */
    bool released_only;        /* because it was asked to, and nothing was called since */
    struct ct_chunk *chunk;
    uint32_t chunk_used, sequence;
    uint64_t create_ns;        /* pthread_create, for a thread that is not registered yet */
    uint32_t creator_tid;
    uint32_t fork_row;         /* 1 + row of shared.ctr for the child being made */
    uint64_t fork_ns;
    uint64_t window_ns, window_end_ns;    /* folded spans since the last fold record; 0 = none */
    uint64_t told_ns[CT_STATES];          /* folded time and spans that fold records have told */
    uint64_t told_count[CT_STATES];
    struct ct_held held[CT_HELD];         /* locks it holds, in the order in which it took them */
    uint32_t held_count;
    uint64_t made_lock;                   /* number of the lock it made, until it takes one */
    uint64_t collection_ns;               /* start of the garbage collection that it is in, 0 = none */
    uint64_t collection_held_ns;          /* how long it had held the GIL until then */
};

struct ct_global {
    enum ct_mode mode;
    bool learned;              /* a GIL is known */
    bool closing;
    uint32_t pid, ppid;
    uint32_t fork_parent_tid;  /* in a forked child: the tid its only thread had in the parent */
    uint32_t generation;       /* counts forks: ids of earlier generations are void */
    uint64_t start_ns, fork_ns, parent_start_ns;
    uint32_t row;              /* 1 + row in shared.ctr */
    uint32_t creator_tid;
    uint32_t start_method;
    uintptr_t text_from, text_to;  /* code of the Python runtime */
    uintptr_t restore_from, restore_to;   /* code of PyEval_RestoreThread, 0 = not known */
    bool static_python;            /* it lies in the executable */
    uint64_t min_span_ns, first_min_span_ns, window_max_ns, stack_ns;
    uint64_t max_bytes;
    uint64_t queues_due_ns;        /* when lengths of queues are to be read again; the greatest number = never */
    struct ct_header *header;  /* NULL = no file (yet) */
    char directory[256];
};

extern __thread struct ct_self ct_self __attribute__((tls_model("initial-exec")));
extern struct ct_global ct;
extern volatile uint32_t *ct_live;   /* wiped by the kernel in forked children */

/* ---- clock.c: CLOCK_MONOTONIC in ns; ticks are for lock holds ---- */
static inline uint64_t ct_kernel_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}
uint64_t ct_ticks_to_ns(uint64_t ticks);
void ct_clock_start(void);
void ct_clock_fork_child(void);
#if defined(__x86_64__)
#define CT_ANCHORS 64u
struct ct_anchor { uint64_t ticks, ns, scale, limit; };
extern struct ct_clock {
    bool trusted;              /* the counter is a clock */
    uint32_t newest;           /* number of anchors so far; 0 = none yet */
    uint64_t scale;            /* ns per tick, 32.32 */
    struct ct_anchor anchors[CT_ANCHORS];
} ct_clock;
uint64_t ct_now_slow(void);
static inline uint64_t ct_now(void)
{
    uint32_t number = __atomic_load_n(&ct_clock.newest, __ATOMIC_ACQUIRE);
    const struct ct_anchor *anchor = &ct_clock.anchors[number & (CT_ANCHORS - 1)];
    uint64_t from = CT_GET(anchor->ticks), ns = CT_GET(anchor->ns), scale = CT_GET(anchor->scale);
    uint64_t limit = CT_GET(anchor->limit), passed = __builtin_ia32_rdtsc() - from;
#if !defined(__SANITIZE_THREAD__)   /* which knows no fences; the processor orders the two loads anyway */
    __atomic_thread_fence(__ATOMIC_ACQUIRE);
#endif
    /* Its place may have been used again while this thread was without a core. */
    if (CT_LIKELY(passed < limit && __atomic_load_n(&ct_clock.newest, __ATOMIC_RELAXED) - number < CT_ANCHORS / 2))
        return ns + (passed * scale >> 32);
    return ct_now_slow();
}
static inline uint64_t ct_ticks(void) { return CT_LIKELY(ct_clock.trusted) ? __builtin_ia32_rdtsc() : ct_kernel_now(); }
#else
static inline uint64_t ct_now(void) { return ct_kernel_now(); }
static inline uint64_t ct_ticks(void) { return ct_now(); }
#endif

/* ---- thread.c ---- */
/* Called when self is not ready: registers the thread, notices a fork. NULL = pass the call on. */
struct ct_self *ct_enter_slow(void);
static inline struct ct_self *ct_enter(void)
{
    struct ct_self *self = &ct_self;
    if (CT_LIKELY(self->ready && *ct_live))
        return self;
    return ct_enter_slow();
}
struct ct_self *ct_register(uint64_t start_ns, uint32_t first_state, uint32_t flags);
void ct_thread_end(void *self);
void ct_name_now(struct ct_self *self);
void ct_read_cpu(struct ct_thread *slot, uint64_t now);
#define CT_CPU_WAIT_NS 10000000u   /* after waits at least that long a thread's CPU time is read */
static inline void ct_name(struct ct_self *self)
{
    if (CT_UNLIKELY(!self->named))
        ct_name_now(self);
}
void ct_thread_setup(void);
uint32_t ct_tid_of(pthread_t thread);
void ct_fork_child_threads(uint64_t now);
static inline uint32_t ct_my_tid(void) { return ct_self.tid; }
uint32_t ct_gettid(void);

/* While the recorder changes a thread's state, a signal handler of that thread must find it busy, and at no
 * instant neither busy nor ready. */
static inline void ct_guard(struct ct_self *self)
{
    self->busy = true;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    self->ready = false;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}
static inline void ct_unguard(struct ct_self *self)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    self->ready = true;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    self->busy = false;
}

/* Clocks of two cores may differ by a tick. */
static inline uint64_t ct_not_before(const struct ct_self *self, uint64_t now)
{
    return CT_LIKELY(now >= self->since_ns) ? now : self->since_ns;
}

/* ---- span.c: the state machine of a thread ---- */
struct ct_detail { uint32_t waker, stack, object; uint16_t flags; uint8_t reason; uint8_t state; };
/* Close the open span at `now` and open one in `state`. */
void ct_switch(struct ct_self *self, uint8_t state, uint64_t now);
/* The same, with details for the span that is closed; detail->state and reason replace its own. */
void ct_switch_detail(struct ct_self *self, uint8_t state, uint64_t now, const struct ct_detail *detail);
void ct_flush_folds(struct ct_self *self);
static inline uint8_t ct_idle_state(const struct ct_self *self)
{
    return self->gil_held ? CT_RUNNING : CT_RUNNING_NOGIL;
}
/* A wrapped blocking call: begin, the call itself, done (its duration), look up details, end. */
void ct_call_begin(struct ct_self *self, uint8_t state, uint8_t reason);
uint64_t ct_call_done(struct ct_self *self);
static inline void ct_live_wait(struct ct_self *self, uint64_t address, uint32_t owner)
{
    self->slot->wait_address = address;
    self->slot->wait_owner = owner;
}
void ct_call_end(struct ct_self *self, struct ct_detail *detail);

/* ---- file.c: the process file ---- */
bool ct_file_create(void);
void *ct_file_chunk(uint32_t kind, uint32_t owner, uint32_t sequence, uint32_t *number);
struct ct_thread *ct_file_slot(void);
struct ct_thread *ct_file_rest(void);
void ct_file_finish(uint32_t status, int exit_code);
void ct_file_forget(void);
void ct_file_drop_pages(void *chunk);
void ct_file_want_pages(void *chunk);

/* ---- meta.c: interning ---- */
bool ct_meta_start(void);
uint32_t ct_string(const char *bytes, size_t length);
struct ct_meta_object *ct_object(uint32_t kind, uint64_t key, const char *text, uint32_t *id);
void *ct_meta_reserve(uint32_t kind, uint32_t size);
void ct_meta_publish(void *record);
uint64_t ct_mix(uint64_t a, uint64_t b);
enum ct_table { CT_TABLE_STRINGS, CT_TABLE_CODES, CT_TABLE_NODES, CT_TABLE_STACKS, CT_TABLE_OBJECTS, CT_TABLE_ORDERS,
                CT_TABLES };
/* Id of a key, from 1; 0 = table full. *fresh: the caller made the entry and writes its record. */
uint32_t ct_intern(enum ct_table table, uint64_t key, bool *fresh);
uint64_t *ct_intern_value(enum ct_table table, uint32_t id);

/* ---- stacks.c ---- */
#define CT_CREATION_DEPTH 8u   /* frames kept of where a lock was made */
void ct_stacks_start(const char *version, uint32_t hex);
void ct_stacks_header(struct ct_header *header);
/* Stack of the calling thread, interned; 0 = none. *reason: what its frames wait for (CT_R_*). */
uint32_t ct_stack(unsigned depth, uint8_t *reason);
void *ct_tstate(void);
/* Where the calling thread is in its Python code: the address of an instruction; 0 = nowhere. */
uint64_t ct_place(void);
void ct_thread_name(struct ct_thread *slot);

/* ---- gil.c ---- */
void ct_gil_fork_child(void);
void ct_gil_mutex_busy(struct ct_self *self, pthread_mutex_t *mutex, void *const *frame);
void ct_gil_switched(struct ct_self *self);
void ct_gil_abandon(struct ct_self *self, uint64_t now);
static inline bool ct_from_python(void *caller)
{
    return (uintptr_t)caller - ct.text_from < ct.text_to - ct.text_from;
}

/* ---- locks.c ---- */
bool ct_locks_start(void);
/* Condition variables that belong to no GIL. */
void ct_native_signalled(void *address);
int ct_native_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *limit, clockid_t clock,
                   bool has_clock);

/* ---- queues.c ---- */
void ct_queues_read(uint64_t now);

/* ---- fds.c: what a descriptor is, and who wrote to it ---- */
void ct_fd_forget(int fd);
void ct_fd_forget_range(unsigned from, unsigned to);
void ct_fd_wrote(int fd);
uint32_t ct_fd_object(int fd, uint8_t *reason);
uint32_t ct_fd_waker(int fd, bool writing);
void ct_fd_reads(int fd);
void ct_fd_closing(int fd);
void ct_fd_pair(int a, int b);
bool ct_fd_joins_processes(int fd);
void ct_fd_connecting(const struct sockaddr *address, socklen_t length);
bool ct_fds_start(void);
uint32_t ct_unix_peer(uint32_t inode);

/* ---- messages.c: of CT_MESSAGE_LEAST bytes or more, sent to other processes ---- */
void ct_message(const void *bytes, size_t length);

/* ---- shared.c ---- */
extern struct ct_shared *ct_shared;
void ct_shared_open(bool create);
void ct_shared_close(void);
bool ct_shared_take(uint64_t bytes);
struct ct_waker *ct_shared_waker(uint64_t key);
struct ct_shared_lock *ct_shared_lock(uint64_t key);
uint32_t ct_process_row(void);
struct ct_process *ct_process(uint32_t row);
uint32_t ct_process_find(uint32_t pid, bool alive);
void ct_process_argv(struct ct_process *process, char *const argv[]);
uint32_t ct_read_file(const char *path, char *to, uint32_t room);

/* ---- process.c ---- */
void ct_process_start(void);
void ct_process_exit(int code);
void ct_fork_child(void);

#endif
