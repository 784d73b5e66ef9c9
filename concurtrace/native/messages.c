/* Large messages between processes: whether the same one is sent again and again.
 *
 * What multiprocessing sends is one write of a whole pickled message. Its fingerprint leaves out both ends, where the
 * number of the job and the last arguments are. To read all of it would cost up to a sixth of sending it, so it is told
 * by its length and samples from all over it, and read as a whole only now and then, once it seems to come again. A
 * record is made at the second time: a program that never repeats itself leaves none. */
#include "recorder.h"

#define EDGE 512u          /* bytes left out at both ends */
#define PLACES 1024u       /* messages remembered; a newer one takes the place of an older one */
#define BLOCK 64u          /* what is read at a time */
#define SAMPLES 256u       /* blocks that tell a message from others */

struct message {
    uint64_t hash, length, count;
    uint64_t whole;        /* hash of all of it, from the second time on */
    bool changes;          /* it is not the same each time */
    struct ct_meta_message *record;
};

static struct message messages[PLACES];
static uint32_t taken, generation, ids;

static inline uint64_t word(const uint8_t *at)
{
    uint64_t value;
    memcpy(&value, at, sizeof value);
    return value;
}

static inline uint64_t folded(uint64_t a, uint64_t b)
{
    unsigned __int128 product = (unsigned __int128)a * b;
    return (uint64_t)product ^ (uint64_t)(product >> 64);
}

/* Hash a block at every step, and the last one. Four independent chains of multiplications keep the processor busy
 * while memory is read. */
static uint64_t fingerprint(const uint8_t *bytes, size_t length, size_t step)
{
    static const uint64_t odd[4] = {0x9e3779b97f4a7c15u, 0xbf58476d1ce4e5b9u, 0x94d049bb133111ebu, 0xd6e8feb86659fd93u};
    uint64_t sums[4] = {length, odd[0], odd[1], odd[2]};
    const uint8_t *last = bytes + length - BLOCK;
    for (const uint8_t *at = bytes;; at = (size_t)(last - at) > step ? at + step : last) {
        for (unsigned i = 0; i < 4; i++)
            sums[i] = folded(word(at + 16 * i) ^ odd[i], word(at + 16 * i + 8) ^ sums[i]);
        if (at == last)
            break;
    }
    return ct_mix(ct_mix(sums[0], sums[1]), ct_mix(sums[2], sums[3]));
}

static struct ct_meta_message *told(uint64_t hash, size_t length)
{
    uint32_t stack = ct_stack(0, &(uint8_t){0});
    struct ct_meta_message *record = ct_meta_reserve(CT_META_MESSAGE, sizeof *record);
    if (record == NULL)
        return NULL;
    record->id = ++ids;
    record->stack = stack;
    record->hash = hash;
    record->length = length + 2 * EDGE;
    ct_meta_publish(record);
    return record;
}

static void count(const uint8_t *bytes, size_t length, uint64_t hash)
{
    struct message *place = &messages[hash % PLACES];
    if (place->hash != hash || place->length != length)
        *place = (struct message){.hash = hash, .length = length};
    uint64_t times = ++place->count;
    if (times == 1 || place->changes)
        return;
    if (times == 2)
        place->whole = fingerprint(bytes, length, BLOCK);
    else if (times == 3 || (times & (times - 1)) == 0)
        place->changes = place->whole != fingerprint(bytes, length, BLOCK);
    if (place->record == NULL)
        place->record = told(hash, length);
    if (place->record != NULL)
        CT_SET(place->record->count, place->changes ? 0 : times);
}

void ct_message(const void *bytes, size_t length)
{
    int saved = errno;
    const uint8_t *inner = (const uint8_t *)bytes + EDGE;
    size_t inner_length = length - 2 * EDGE;
    uint64_t hash = fingerprint(inner, inner_length, inner_length / SAMPLES);
    /* Records of a parent are in the parent's file. */
    if (CT_UNLIKELY(CT_GET(generation) != ct.generation)) {
        memset(messages, 0, sizeof messages);
        ids = 0;
        CT_SET(generation, ct.generation);
        __atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
    }
    __atomic_add_fetch(&ct.header->message_bytes, length, __ATOMIC_RELAXED);
    /* Two threads of a process seldom send at the same instant: then one of the messages is not looked at. */
    if (__atomic_exchange_n(&taken, 1, __ATOMIC_ACQUIRE) == 0) {
        count(inner, inner_length, hash);
        __atomic_store_n(&taken, 0, __ATOMIC_RELEASE);
    }
    errno = saved;
}
