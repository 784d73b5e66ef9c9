/* Locks: Python's (POSIX semaphores), those shared between processes (named semaphores), and the mutexes and
 * condition variables of native libraries. Who holds one, who let it go last, who waited, for how long. */
#include "locks.h"

#include <stdarg.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#define LOCK_BITS 16u
#define LOCKS (1u << LOCK_BITS)
#define WINDOW 16u
#define GONE 1u   /* key of a place whose lock was destroyed */

static uint64_t *keys;
static struct lock *locks;
static uint64_t serials;

bool ct_locks_start(void)
{
    keys = mmap(NULL, LOCKS * sizeof *keys, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    locks = mmap(NULL, LOCKS * sizeof *locks, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return keys != MAP_FAILED && locks != MAP_FAILED;
}

static inline uint32_t home(const void *address)
{
    return (uint32_t)(((uint64_t)(uintptr_t)address * 0x9e3779b97f4a7c15u) >> (64 - LOCK_BITS));
}

static inline struct lock *find(const void *address)
{
    uint32_t at = home(address);
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t place = (at + i) & (LOCKS - 1);
        uint64_t key = __atomic_load_n(&keys[place], __ATOMIC_ACQUIRE);
        if (CT_LIKELY(key == (uint64_t)(uintptr_t)address))
            return &locks[place];
        if (key == 0)
            return NULL;
    }
    return NULL;
}

static CT_NOINLINE struct lock *insert(const void *address, uint32_t kind)
{
    struct lock *known = find(address);
    uint32_t at = home(address);
    for (uint32_t i = 0; known == NULL && i < WINDOW; i++) {
        uint32_t place = (at + i) & (LOCKS - 1);
        uint64_t key = __atomic_load_n(&keys[place], __ATOMIC_ACQUIRE);
        if (key > GONE || !__atomic_compare_exchange_n(&keys[place], &key, (uint64_t)(uintptr_t)address, false,
                                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            continue;
        known = &locks[place];
    }
    if (known == NULL) {
        __atomic_add_fetch(&ct.header->lost_objects, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    memset(known, 0, sizeof *known);
    known->kind = kind;
    known->generation = ct.generation;
    known->serial = __atomic_add_fetch(&serials, 1, __ATOMIC_RELAXED);
    return known;
}

static inline struct lock *find_or_insert(const void *address, uint32_t kind)
{
    struct lock *lock = find(address);
    return CT_LIKELY(lock != NULL) ? lock : insert(address, kind);
}

static void forget(const void *address)
{
    uint32_t at = home(address);
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t place = (at + i) & (LOCKS - 1);
        if (keys[place] == (uint64_t)(uintptr_t)address) {
            uint32_t next = (place + 1) & (LOCKS - 1);
            /* The end of a probe row may become empty again; inside a row a mark must stay. */
            CT_SET(locks[place].serial, 0);
            __atomic_store_n(&keys[place], keys[next] == 0 ? 0 : GONE, __ATOMIC_RELEASE);
            return;
        }
        if (keys[place] == 0)
            return;
    }
}

/* Ids of a file that a fork left behind are void in the child's. */
static inline void renew(struct lock *lock)
{
    if (CT_UNLIKELY(lock->generation != ct.generation)) {
        lock->generation = ct.generation;
        lock->object = NULL;
        lock->object_id = lock->created_stack = lock->name = lock->sites = 0;
        if (lock->owner != 0 && lock->owner == ct.fork_parent_tid)
            lock->owner = ct_self.tid;
    }
}

/* The lock's record in the file, made when somebody has waited for it. */
static uint32_t object_of(struct lock *lock, const void *address)
{
    if (lock->object == NULL) {
        struct ct_meta_object *object = ct_object(lock->kind, ct_mix((uint64_t)(uintptr_t)address, lock->serial), NULL,
                                                  &lock->object_id);
        if (object == NULL)
            return lock->object_id;
        object->key = lock->shared != NULL ? lock->shared->key : (uint64_t)(uintptr_t)address;
        object->created_ns = lock->created_ns;
        object->created_stack = lock->created_stack;
        object->creator_tid = lock->creator_tid;
        object->acquisitions = lock->acquisitions;
        object->hold_ns = ct_ticks_to_ns(lock->held_ticks);
        object->owner = lock->owner;
        object->poster = lock->poster;
        object->handed = lock->handed;
        object->text = lock->name;
        lock->object = object;
    }
    lock->object->contended = lock->contended;
    lock->object->wait_ns = lock->wait_ns;
    return lock->object_id;
}

uint32_t ct_lock_object(struct lock *lock)
{
    renew(lock);
    return object_of(lock, (const void *)(uintptr_t)CT_GET(keys[lock - locks]));
}

/* How often each process took a lock that they share tells how the work was divided. */
static CT_NOINLINE void told_as_shared(struct lock *lock)
{
    int saved = errno;
    ct_lock_object(lock);
    errno = saved;
}

static inline void acquired(struct ct_self *self, struct lock *lock, bool waited)
{
    uint32_t tid = self->tid;
    renew(lock);
    ct_hold(self, lock);
    if (CT_UNLIKELY(lock->shared != NULL && lock->object == NULL))
        told_as_shared(lock);
    if (CT_UNLIKELY(lock->sites != 0))
        ct_site(lock, waited);
    lock->owner = tid;
    lock->acquired_ticks = ct_ticks();
    lock->acquisitions++;
    if (CT_UNLIKELY(lock->object != NULL)) {
        lock->object->acquisitions = lock->acquisitions;
        lock->object->owner = tid;
    }
    if (CT_UNLIKELY(lock->shared != NULL))
        lock->shared->owner = tid;
}

static inline void posted(struct ct_self *self, struct lock *lock)
{
    uint32_t tid = self->tid;
    renew(lock);
    if (CT_LIKELY(lock->owner == tid && tid != 0)) {
        lock->held_ticks += ct_ticks() - lock->acquired_ticks;
        lock->owner = 0;
        ct_unhold(self, lock);
    } else if (lock->kind == CT_O_LOCK) {
        lock->handed += lock->owner != 0;
        lock->owner = 0;
    }
    lock->poster = tid;
    if (CT_UNLIKELY(lock->object != NULL)) {
        lock->object->hold_ns = ct_ticks_to_ns(lock->held_ticks);
        lock->object->owner = lock->owner;
        lock->object->poster = tid;
        lock->object->handed = lock->handed;
    }
    if (CT_UNLIKELY(lock->shared != NULL)) {
        lock->shared->owner = 0;
        lock->shared->poster = tid;
    }
}

CT_EXPORT int sem_trywait(sem_t *sem)
{
    int result = CT_REAL(sem_trywait)(sem);
    if (result == 0) {
        struct ct_self *self = ct_enter();
        struct lock *lock = self != NULL ? find_or_insert(sem, CT_O_LOCK) : NULL;
        if (CT_LIKELY(lock != NULL))
            acquired(self, lock, false);
        if (CT_LIKELY(self != NULL) && self->gil_held)
            ct_name(self);
    }
    return result;
}

CT_EXPORT int sem_post(sem_t *sem)
{
    struct ct_self *self = ct_enter();
    if (self != NULL) {
        struct lock *lock = find(sem);
        if (CT_LIKELY(lock != NULL))
            posted(self, lock);
    }
    return CT_REAL(sem_post)(sem);
}

/* A free lock is no wait, whichever call takes it. */
static bool taken_at_once(struct ct_self *self, struct lock *lock, sem_t *sem)
{
    int saved = errno;
    bool taken = CT_REAL(sem_trywait)(sem) == 0;
    errno = saved;
    if (taken && lock != NULL)
        acquired(self, lock, false);
    return taken;
}

static void begin_wait(struct ct_self *self, struct lock *lock, const void *address, bool timed)
{
    uint32_t owner = 0;
    uint8_t state = CT_LOCK_WAIT;
    if (lock != NULL) {
        renew(lock);
        owner = lock->shared != NULL ? lock->shared->owner : lock->owner;
        /* Waiting for a lock that one holds oneself is waiting to be told something: that is how
         * threading.Condition works. A semaphore that began at 0 is never owned by anybody. */
        if (owner == self->tid || lock->kind == CT_O_EVENT || lock->kind == CT_O_SEMAPHORE)
            state = CT_CONDITION_WAIT;
        if (lock->shared != NULL && lock->shared->reserved != 0 && lock->shared->reserved != 2)
            state = CT_CONDITION_WAIT;
        /* Told before it waits: it may wait for ever. */
        if (state == CT_LOCK_WAIT && !timed) {
            object_of(lock, address);
            if (self->held_count != 0 && ct_excludes(lock))
                ct_nested(self, lock);
        }
    }
    ct_call_begin(self, state, CT_R_NONE);
    ct_live_wait(self, (uint64_t)(uintptr_t)address, owner);
    if (timed)
        self->slot->in_call = 2;
}

static void end_wait(struct ct_self *self, struct lock *lock, const void *address, int result, uint16_t flags)
{
    int saved = errno;
    uint64_t duration = ct_call_done(self);
    struct ct_detail detail = {.flags = flags};
    if (result != 0)
        detail.flags |= saved == ETIMEDOUT ? CT_F_TIMED_OUT : CT_F_FAILED;
    if (lock != NULL) {
        __atomic_add_fetch(&lock->contended, 1, __ATOMIC_RELAXED);
        __atomic_add_fetch(&lock->wait_ns, duration, __ATOMIC_RELAXED);
        if (result == 0)
            detail.waker = lock->shared != NULL ? lock->shared->poster : lock->poster;
        /* The private lock of one Condition.wait is no object of its own. */
        bool passing = self->slot->wait_owner == self->tid;
        if (duration >= CT_GET(ct.min_span_ns) && !passing)
            detail.object = object_of(lock, address);
        else if (lock->object != NULL)
            object_of(lock, address);
        if (result == 0) {
            if (lock->contended >= CT_SITES_FROM && lock->sites == 0 && lock->kind == CT_O_LOCK && ct_excludes(lock))
                ct_sites_begin(lock);
            acquired(self, lock, true);
        }
    }
    ct_call_end(self, &detail);
    errno = saved;
}

#define SEM_WAIT(call, timed)                                                \
    struct ct_self *self = ct_enter();                                       \
    if (self == NULL)                                                        \
        return call;                                                         \
    struct lock *lock = find_or_insert(sem, CT_O_LOCK);                      \
    if (taken_at_once(self, lock, sem))                                      \
        return 0;                                                            \
    begin_wait(self, lock, sem, (timed) != 0);                               \
    int result = call;                                                       \
    end_wait(self, lock, sem, result, timed);                                \
    return result

CT_EXPORT int sem_wait(sem_t *sem) { SEM_WAIT(CT_REAL(sem_wait)(sem), 0); }

CT_EXPORT int sem_timedwait(sem_t *sem, const struct timespec *limit)
{
    SEM_WAIT(CT_REAL(sem_timedwait)(sem, limit), CT_F_TIMED);
}

CT_EXPORT int sem_clockwait(sem_t *sem, clockid_t clock, const struct timespec *limit)
{
    SEM_WAIT(CT_REAL(sem_clockwait)(sem, clock, limit), CT_F_TIMED);
}

static struct lock *created(sem_t *sem, uint32_t kind)
{
    struct ct_self *self = ct_enter();
    if (self == NULL)
        return NULL;
    int saved = errno;
    struct lock *lock = insert(sem, kind);
    if (lock != NULL) {
        lock->created_ns = ct_now();
        lock->creator_tid = self->tid;
        self->made_lock = lock->serial;
        /* The stack may be read only by the thread itself, with no frame in motion: with the GIL. */
        if (self->gil_held && kind != CT_O_EVENT)
            lock->created_stack = ct_stack(CT_CREATION_DEPTH, &(uint8_t){0});
        __atomic_add_fetch(&ct.header->locks_created, 1, __ATOMIC_RELAXED);
    }
    errno = saved;
    return lock;
}

CT_EXPORT int sem_init(sem_t *sem, int shared, unsigned value)
{
    int result = CT_REAL(sem_init)(sem, shared, value);
    if (result == 0)
        created(sem, value == 1 ? CT_O_LOCK : value == 0 ? CT_O_EVENT : CT_O_SEMAPHORE);
    return result;
}

CT_EXPORT int sem_destroy(sem_t *sem)
{
    if (ct_enter() != NULL)
        forget(sem);
    return CT_REAL(sem_destroy)(sem);
}

CT_EXPORT sem_t *sem_open(const char *name, int flags, ...)
{
    va_list more;
    va_start(more, flags);
    mode_t mode = flags & O_CREAT ? va_arg(more, mode_t) : 0;
    unsigned value = flags & O_CREAT ? va_arg(more, unsigned) : 0;
    va_end(more);
    sem_t *sem = CT_REAL(sem_open)(name, flags, mode, value);
    struct lock *lock = sem != SEM_FAILED ? created(sem, CT_O_MP_LOCK) : NULL;
    if (lock == NULL)
        return sem;
    int saved = errno;
    char path[280];
    struct stat status;
    while (*name == '/')
        name++;
    snprintf(path, sizeof path, "/dev/shm/sem.%.250s", name);
    if (stat(path, &status) == 0) {
        lock->shared = ct_shared_lock(ct_mix((uint64_t)status.st_ino, (uint64_t)status.st_dev));
        lock->name = ct_string(name, strlen(name));
        if (lock->shared != NULL && flags & O_CREAT)
            lock->shared->reserved = value + 1;
    }
    errno = saved;
    return sem;
}

CT_EXPORT int sem_close(sem_t *sem)
{
    if (ct_enter() != NULL)
        forget(sem);
    return CT_REAL(sem_close)(sem);
}

/* ---- native libraries ---- */

static void end_native(struct ct_self *self, uint32_t kind, const void *address, uint32_t waker, bool failed,
                       uint16_t flags)
{
    int saved = errno;
    uint64_t duration = ct_call_done(self);
    struct ct_detail detail = {.waker = failed ? 0 : waker, .flags = flags};
    if (duration >= ct.stack_ns) {
        struct lock *lock = find_or_insert(address, kind);
        if (lock != NULL) {
            renew(lock);
            lock->contended++;
            lock->wait_ns += duration;
            detail.object = object_of(lock, address);
        }
    }
    ct_call_end(self, &detail);
    errno = saved;
}

CT_EXPORT int pthread_mutex_lock(pthread_mutex_t *mutex)
{
    struct ct_self *self = &ct_self;
    bool python = ct_from_python(__builtin_return_address(0));
    if (!self->ready || !*ct_live || (python && self->gil_held))
        return CT_REAL(pthread_mutex_lock)(mutex);
    int result = pthread_mutex_trylock(mutex);
    if (result != EBUSY)
        return result;
    if (python) {
        ct_gil_mutex_busy(self, mutex, __builtin_frame_address(0));
        return CT_REAL(pthread_mutex_lock)(mutex);
    }
    uint32_t owner = (uint32_t)mutex->__data.__owner;
    ct_call_begin(self, CT_LOCK_WAIT, CT_R_NATIVE);
    ct_live_wait(self, (uint64_t)(uintptr_t)mutex, owner);
    result = CT_REAL(pthread_mutex_lock)(mutex);
    end_native(self, CT_O_MUTEX, mutex, owner, result != 0, 0);
    return result;
}

#define RWLOCK(name, attempt)                                                               \
    struct ct_self *self = &ct_self;                                                        \
    if (CT_LIKELY(!self->ready || !*ct_live || ct_from_python(__builtin_return_address(0)))) \
        return CT_REAL(name)(lock);                                                         \
    int result = attempt(lock);                                                             \
    if (result != EBUSY)                                                                    \
        return result;                                                                      \
    ct_call_begin(self, CT_LOCK_WAIT, CT_R_NATIVE);                                         \
    ct_live_wait(self, (uint64_t)(uintptr_t)lock, 0);                                       \
    result = CT_REAL(name)(lock);                                                           \
    end_native(self, CT_O_MUTEX, lock, 0, result != 0, 0);                                  \
    return result

CT_EXPORT int pthread_rwlock_rdlock(pthread_rwlock_t *lock) { RWLOCK(pthread_rwlock_rdlock, pthread_rwlock_tryrdlock); }
CT_EXPORT int pthread_rwlock_wrlock(pthread_rwlock_t *lock) { RWLOCK(pthread_rwlock_wrlock, pthread_rwlock_trywrlock); }

void ct_native_signalled(void *address)
{
    struct lock *lock = ct_self.ready ? find(address) : NULL;
    if (lock != NULL)
        lock->poster = ct_self.tid;
}

int ct_native_wait(pthread_cond_t *cond, pthread_mutex_t *mutex, const struct timespec *limit, clockid_t clock,
                   bool has_clock)
{
    struct ct_self *self = ct_enter();
    if (self != NULL) {
        find_or_insert(cond, CT_O_COND);   /* so that whoever signals it is remembered */
        ct_call_begin(self, CT_CONDITION_WAIT, CT_R_NATIVE);
        ct_live_wait(self, (uint64_t)(uintptr_t)cond, 0);
        if (limit != NULL)
            self->slot->in_call = 2;
    }
    int result = limit == NULL ? CT_REAL(pthread_cond_wait)(cond, mutex)
        : has_clock            ? CT_REAL(pthread_cond_clockwait)(cond, mutex, clock, limit)
                               : CT_REAL(pthread_cond_timedwait)(cond, mutex, limit);
    if (self != NULL) {
        struct lock *lock = find(cond);
        uint16_t flags = limit == NULL ? 0 : result == ETIMEDOUT ? CT_F_TIMED | CT_F_TIMED_OUT : CT_F_TIMED;
        end_native(self, CT_O_COND, cond, lock != NULL ? lock->poster : 0, result != 0, flags);
    }
    return result;
}

CT_EXPORT int pthread_join(pthread_t thread, void **value)
{
    struct ct_self *self = ct_enter();
    if (self == NULL)
        return CT_REAL(pthread_join)(thread, value);
    uint32_t tid = ct_tid_of(thread);
    ct_call_begin(self, CT_CONDITION_WAIT, CT_R_JOIN);
    ct_live_wait(self, (uint64_t)thread, tid);
    int result = CT_REAL(pthread_join)(thread, value);
    int saved = errno;
    ct_call_done(self);
    struct ct_detail detail = {.waker = tid, .flags = result != 0 ? CT_F_FAILED : 0};
    ct_call_end(self, &detail);
    errno = saved;
    return result;
}
