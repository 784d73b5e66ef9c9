/* The order in which threads take locks: which were held when another was taken, told once for each set of held locks
 * and lock taken, whether or not anybody waited. Two orders that contradict each other can end in a deadlock. */
#include "locks.h"

/* What a thread seems to hold is forgotten when another thread has let go of it, or it is no more. */
static bool holds(const struct ct_self *self, const struct ct_held *held)
{
    const struct lock *lock = held->lock;
    uint32_t owner = lock->shared != NULL ? CT_GET(lock->shared->owner) : CT_GET(lock->owner);
    return CT_GET(lock->serial) == held->serial && owner == self->tid && CT_GET(lock->handed) == 0;
}

static struct ct_meta_order *told(struct ct_self *self, struct lock *lock, uint32_t id)
{
    int saved = errno;
    uint32_t taken = ct_lock_object(lock), held[CT_HELD];
    for (uint32_t i = 0; i < self->held_count; i++)
        held[i] = ct_lock_object(self->held[i].lock);
    uint32_t stack = ct_stack(0, &(uint8_t){0});
    struct ct_meta_order *order = ct_meta_reserve(CT_META_ORDER, sizeof *order);
    if (order != NULL) {
        order->id = id;
        order->taken = taken;
        order->stack = stack;
        memcpy(order->held, held, self->held_count * sizeof *held);
        order->tids[0] = self->tid;
        ct_meta_publish(order);
    }
    errno = saved;
    return order;
}

static void add_thread(struct ct_meta_order *order, uint32_t tid)
{
    for (uint32_t i = 0; i < CT_ORDER_THREADS; i++) {
        uint32_t known = CT_GET(order->tids[i]);
        if (known == 0 && __atomic_compare_exchange_n(&order->tids[i], &known, tid, false, __ATOMIC_RELAXED,
                                                      __ATOMIC_RELAXED))
            return;
        if (known == tid)
            return;
    }
}

CT_NOINLINE void ct_nested(struct ct_self *self, struct lock *lock)
{
    uint64_t key = lock->serial;
    uint32_t count = 0;
    for (uint32_t i = 0; i < self->held_count; i++) {
        if (self->held[i].lock == lock || !holds(self, &self->held[i]))
            continue;
        self->held[count++] = self->held[i];
        key = ct_mix(key, self->held[i].serial);
    }
    self->held_count = count;
    if (count == 0)
        return;
    bool fresh;
    uint32_t id = ct_intern(CT_TABLE_ORDERS, key, &fresh);
    uint64_t *value = id != 0 ? ct_intern_value(CT_TABLE_ORDERS, id) : NULL;
    struct ct_meta_order *order = NULL;
    if (value != NULL && !fresh)
        order = (struct ct_meta_order *)(uintptr_t)__atomic_load_n(value, __ATOMIC_ACQUIRE);
    if (order != NULL) {
        add_thread(order, self->tid);
        return;
    }
    if (fresh && (order = told(self, lock, id)) != NULL)
        __atomic_store_n(value, (uint64_t)(uintptr_t)order, __ATOMIC_RELEASE);
    else if (fresh || id == 0)
        __atomic_add_fetch(&ct.header->lost_orders, 1, __ATOMIC_RELAXED);
}

CT_NOINLINE void ct_let_go(struct ct_self *self, const struct lock *lock)
{
    for (uint32_t i = self->held_count; i-- > 0;) {
        if (self->held[i].lock != lock)
            continue;
        self->held_count--;
        memmove(&self->held[i], &self->held[i + 1], (self->held_count - i) * sizeof self->held[i]);
        return;
    }
}
