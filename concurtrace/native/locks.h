/* What the recorder knows of one lock, and which locks a thread holds. */
#ifndef CONCURTRACE_LOCKS_H
#define CONCURTRACE_LOCKS_H

#include "recorder.h"

struct lock {
    uint32_t owner, poster;
    uint64_t acquired_ticks, held_ticks, acquisitions;
    struct ct_meta_object *object;      /* NULL until somebody waited long enough */
    struct ct_shared_lock *shared;      /* named semaphores */
    uint32_t kind, generation;
    uint64_t contended, wait_ns, created_ns, serial;
    uint32_t created_stack, creator_tid, object_id, name;
    uint32_t sites;                     /* row of what is known of the places where it is taken, 0 = none */
    uint32_t handed;                    /* times it was let go of by a thread that had not taken it */
} __attribute__((aligned(128)));

/* locks.c: the id of the lock's record in the file, which is made if there is none */
uint32_t ct_lock_object(struct lock *lock);

/* lock_order.c */
void ct_nested(struct ct_self *self, struct lock *lock);
void ct_let_go(struct ct_self *self, const struct lock *lock);

/* lock_sites.c */
void ct_sites_begin(struct lock *lock);
void ct_site(struct lock *lock, bool waited);

/* Whether threads exclude each other with it. What another thread lets go of is a signal in the shape of a lock. */
static inline bool ct_excludes(const struct lock *lock)
{
    return CT_LIKELY(lock->kind == CT_O_LOCK) ? lock->handed == 0 : lock->shared != NULL && lock->shared->reserved == 2;
}

/* Before its owner is set. A lock that its maker takes at once is a signal too: Condition.wait makes one for each wait,
 * threading.Thread one for each thread. */
static inline void ct_hold(struct ct_self *self, struct lock *lock)
{
    bool fresh = lock->serial == self->made_lock;
    self->made_lock = 0;
    if (fresh || !ct_excludes(lock))
        return;
    if (CT_UNLIKELY(self->held_count != 0))
        ct_nested(self, lock);
    if (CT_LIKELY(self->held_count < CT_HELD))
        self->held[self->held_count++] = (struct ct_held){lock, lock->serial};
}

static inline void ct_unhold(struct ct_self *self, const struct lock *lock)
{
    uint32_t count = self->held_count;
    if (CT_LIKELY(count != 0 && self->held[count - 1].lock == lock))
        self->held_count = count - 1;
    else if (count != 0)
        ct_let_go(self, lock);
}

#endif
