/* Where a contended lock is taken, and how often one had to wait for it there: exact from the moment on that somebody
 * has waited for it so many times. Locks that nobody waits for cost nothing. */
#include "locks.h"

#define LOCKS_FOLLOWED 1024u
#define PLACES 4u

static struct sites {
    struct { uint64_t place; struct ct_meta_site *record; } at[PLACES];
} sites[LOCKS_FOLLOWED];
static uint32_t used, ids, generation;

/* From now on; 0 where there is no room. */
void ct_sites_begin(struct lock *lock)
{
    if (CT_UNLIKELY(CT_GET(generation) != ct.generation)) {
        CT_SET(used, 0);
        CT_SET(ids, 0);
        CT_SET(generation, ct.generation);
    }
    uint32_t number = __atomic_add_fetch(&used, 1, __ATOMIC_RELAXED);
    if (number >= LOCKS_FOLLOWED) {
        CT_SET(used, LOCKS_FOLLOWED);
        return;
    }
    memset(&sites[number], 0, sizeof sites[number]);
    lock->sites = number;
}

static struct ct_meta_site *told(struct lock *lock)
{
    int saved = errno;
    uint32_t object = ct_lock_object(lock), stack = ct_stack(0, &(uint8_t){0});
    struct ct_meta_site *record = ct_meta_reserve(CT_META_SITE, sizeof *record);
    if (record != NULL) {
        record->id = __atomic_add_fetch(&ids, 1, __ATOMIC_RELAXED);
        record->object = object;
        record->stack = stack;
        ct_meta_publish(record);
    }
    errno = saved;
    return record;
}

/* By the thread that has just taken the lock, so by one at a time. */
CT_NOINLINE void ct_site(struct lock *lock, bool waited)
{
    uint64_t place = ct_place();
    struct sites *mine = &sites[lock->sites];
    for (uint32_t i = 0; place != 0 && i < PLACES; i++) {
        if (mine->at[i].place == 0) {
            mine->at[i].place = place;
            mine->at[i].record = told(lock);
        }
        if (mine->at[i].place != place)
            continue;
        if (mine->at[i].record != NULL) {
            mine->at[i].record->acquisitions++;
            mine->at[i].record->contended += waited;
        }
        return;
    }
}
