/* How long queues are, as time goes by. The extension in runtime/ says where the length of each lies in memory, and
 * keeps it there; it is read now and then by a thread that has just taken the GIL, without which nobody changes it. */
#include "recorder.h"

#define QUEUES 64u
#define STEP_NS 10000000u
#define LONG 32u   /* a queue that never held so many items is not told */

static struct queue {
    const int64_t *length;   /* NULL = the place is free */
    const uint64_t *moved;
    uint64_t created_ns;
    uint32_t created_stack, creator_tid;
    uint32_t generation;
    struct ct_meta_queue *record;
} queues[QUEUES];
static uint32_t serials;

/* Returns the place of the queue; -1: nothing is recorded here, or there is no room. Called with the GIL held. */
CT_EXPORT int concurtrace_queue_made(const int64_t *length, const uint64_t *moved)
{
    struct ct_self *self = ct_enter();
    if (self == NULL)
        return -1;
    for (uint32_t at = 0; at < QUEUES; at++) {
        if (queues[at].length != NULL)
            continue;
        int saved = errno;
        queues[at] = (struct queue){.length = length, .moved = moved, .created_ns = ct_now(),
                                    .creator_tid = self->tid, .generation = ct.generation,
                                    .created_stack = ct_stack(CT_CREATION_DEPTH, &(uint8_t){0})};
        if (ct.queues_due_ns == UINT64_MAX)
            ct.queues_due_ns = 0;
        errno = saved;
        return (int)at;
    }
    __atomic_add_fetch(&ct.header->lost_queues, 1, __ATOMIC_RELAXED);
    return -1;
}

CT_EXPORT void concurtrace_queue_gone(int at) { queues[at].length = NULL; }

static struct ct_meta_queue *record_of(const struct queue *queue)
{
    struct ct_meta_queue *record = ct_meta_reserve(CT_META_QUEUE, sizeof *record);
    if (record == NULL)
        return NULL;
    record->id = ++serials;
    record->created_stack = queue->created_stack;
    record->creator_tid = queue->creator_tid;
    record->created_ns = queue->created_ns;
    record->step_ns = STEP_NS;
    ct_meta_publish(record);
    return record;
}

static void add(struct ct_meta_queue *record, struct ct_queue_reading reading)
{
    if (record->count != 0 && reading.at_ns - record->readings[record->count - 1].at_ns < record->step_ns)
        return;
    if (record->count == CT_QUEUE_READINGS) {
        for (uint32_t i = 0; i < CT_QUEUE_READINGS / 2; i++)
            record->readings[i] = record->readings[2 * i];
        CT_SET(record->count, CT_QUEUE_READINGS / 2);
        record->step_ns *= 2;
    }
    record->readings[record->count] = reading;
    __atomic_store_n(&record->count, record->count + 1, __ATOMIC_RELEASE);
}

void ct_queues_read(uint64_t now)
{
    ct.queues_due_ns = now + STEP_NS;
    for (uint32_t at = 0; at < QUEUES; at++) {
        struct queue *queue = &queues[at];
        if (queue->length == NULL)
            continue;
        if (queue->generation != ct.generation) {   /* what a fork left behind is the parent's */
            queue->generation = ct.generation;
            queue->created_stack = 0;
            queue->record = NULL;
        }
        int64_t length = *queue->length;
        if (queue->record == NULL && length >= LONG)
            queue->record = record_of(queue);
        if (queue->record != NULL)
            add(queue->record, (struct ct_queue_reading){.at_ns = now, .length = (uint32_t)length,
                                                         .moved = (uint32_t)*queue->moved});
    }
}
