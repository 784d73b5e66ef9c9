/* Interning: strings, code objects, stack nodes and objects, told once per file.
 *
 * The tables are open-addressed, of fixed size and lock-free: an entry is made by one compare-and-swap of its
 * key, and its place is its id, so that no thread ever waits for another to finish. */
#include "recorder.h"

#include <sys/mman.h>

#define WINDOW 64u

static const uint32_t table_bits[CT_TABLES] = {16, 16, 18, 18, 16};
static struct { uint64_t *keys, *values; } tables[CT_TABLES];
static struct ct_chunk *meta;

static uint64_t *table_memory(uint32_t bits)
{
    void *memory = mmap(NULL, sizeof(uint64_t) << bits, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    return memory == MAP_FAILED ? NULL : memory;
}

/* Fresh tables for a fresh file. */
bool ct_meta_start(void)
{
    meta = NULL;
    for (unsigned i = 0; i < CT_TABLES; i++) {
        if (tables[i].keys != NULL)
            munmap(tables[i].keys, sizeof(uint64_t) << table_bits[i]);
        if (tables[i].values != NULL)
            munmap(tables[i].values, sizeof(uint64_t) << table_bits[i]);
        tables[i].keys = table_memory(table_bits[i]);
        tables[i].values = table_memory(table_bits[i]);
        if (tables[i].keys == NULL || tables[i].values == NULL)
            return false;
    }
    return true;
}

uint64_t ct_mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b * 0x9e3779b97f4a7c15u)) + 0x632be59bd9b4e019u;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 32)) * 0x94d049bb133111ebu;
    return x ^ (x >> 29);
}

uint32_t ct_intern(enum ct_table table, uint64_t key, bool *fresh)
{
    uint32_t mask = (1u << table_bits[table]) - 1;
    uint64_t *keys = tables[table].keys;
    *fresh = false;
    if (keys == NULL)
        return 0;
    key |= key == 0;
    for (uint32_t i = 0; i < WINDOW; i++) {
        uint32_t place = ((uint32_t)key + i) & mask;
        uint64_t found = __atomic_load_n(&keys[place], __ATOMIC_ACQUIRE);
        if (found == 0 && __atomic_compare_exchange_n(&keys[place], &found, key, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_ACQUIRE)) {
            *fresh = true;
            return place + 1;
        }
        if (found == key)
            return place + 1;
    }
    __atomic_or_fetch(&ct.header->flags, CT_H_TABLE_FULL, __ATOMIC_RELAXED);
    return 0;
}

uint64_t *ct_intern_value(enum ct_table table, uint32_t place) { return &tables[table].values[place - 1]; }

static struct ct_chunk *next_meta(struct ct_chunk *full)
{
    uint32_t number;
    struct ct_chunk *fresh = ct_file_chunk(CT_CHUNK_META, 0, 0, &number);
    if (fresh == NULL)
        return NULL;
    struct ct_chunk *expected = full;
    if (!__atomic_compare_exchange_n(&meta, &expected, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
        CT_SET(fresh->kind, CT_CHUNK_NONE);
        return expected;
    }
    if (full == NULL)
        CT_SET(ct.header->first_meta, number);
    else
        CT_SET(full->next, number);
    return fresh;
}

/* Room for a record. The size is in the file from the first instant on, so a reader can always walk on;
 * a thread that finds another's record half reserved finishes the reservation for it. */
void *ct_meta_reserve(uint32_t kind, uint32_t size)
{
    size = (size + 7) & ~7u;
    struct ct_chunk *chunk = __atomic_load_n(&meta, __ATOMIC_ACQUIRE);
    for (;;) {
        uint32_t used = chunk == NULL ? CT_CHUNK_ROOM : __atomic_load_n(&chunk->used, __ATOMIC_ACQUIRE);
        if (used + size > CT_CHUNK_ROOM) {
            struct ct_chunk *now = __atomic_load_n(&meta, __ATOMIC_ACQUIRE);
            chunk = now != chunk ? now : next_meta(chunk);
            if (chunk == NULL)
                return NULL;
            continue;
        }
        uint32_t *word = (uint32_t *)((uint8_t *)chunk + 64 + used);
        uint32_t found = 0;
        bool mine = __atomic_compare_exchange_n(word, &found, size | kind << 24, false, __ATOMIC_ACQ_REL,
                                                __ATOMIC_ACQUIRE);
        uint32_t length = mine ? size : CT_META_SIZE(found);
        __atomic_compare_exchange_n(&chunk->used, &used, used + length, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
        if (mine)
            return word;
    }
}

void ct_meta_publish(void *record) { __atomic_or_fetch((uint32_t *)record, CT_META_READY, __ATOMIC_RELEASE); }

uint32_t ct_string(const char *bytes, size_t length)
{
    uint64_t key = length;
    if (length > 2000)
        length = 2000;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        memcpy(&word, bytes + i, length - i < 8 ? length - i : 8);
        key = ct_mix(key, word);
    }
    bool fresh;
    uint32_t id = ct_intern(CT_TABLE_STRINGS, key, &fresh);
    if (id == 0 || !fresh)
        return id;
    struct ct_meta_string *record = ct_meta_reserve(CT_META_STRING, (uint32_t)(sizeof *record + length));
    if (record == NULL)
        return 0;
    record->id = id;
    record->length = (uint32_t)length;
    memcpy(record + 1, bytes, length);
    ct_meta_publish(record);
    return id;
}

/* The record of a thing that is waited for; made at the first use. NULL = no room. */
struct ct_meta_object *ct_object(uint32_t kind, uint64_t key, const char *text, uint32_t *id)
{
    bool fresh;
    *id = ct_intern(CT_TABLE_OBJECTS, ct_mix(key, kind), &fresh);
    if (*id == 0) {
        __atomic_add_fetch(&ct.header->lost_objects, 1, __ATOMIC_RELAXED);
        return NULL;
    }
    uint64_t *value = ct_intern_value(CT_TABLE_OBJECTS, *id);
    if (!fresh)
        return (struct ct_meta_object *)(uintptr_t)__atomic_load_n(value, __ATOMIC_ACQUIRE);
    struct ct_meta_object *record = ct_meta_reserve(CT_META_OBJECT, sizeof *record);
    if (record == NULL)
        return NULL;
    record->id = *id;
    record->kind = kind;
    record->key = key;
    record->text = text == NULL ? 0 : ct_string(text, strlen(text));
    ct_meta_publish(record);
    __atomic_store_n(value, (uint64_t)(uintptr_t)record, __ATOMIC_RELEASE);
    return record;
}
