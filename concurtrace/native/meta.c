/* Interning: strings, code objects, stack nodes and objects, told once per file.
 *
 * Entries lie in the order in which they came, and their number is their id; an index of open-addressed levels
 * finds them. A key is looked for in a window of the smallest level, and in the next level only when that window is
 * full: a small program touches few pages. Nothing is ever removed. An entry is made known by one compare-and-swap
 * in the index, so that no thread ever waits for another to finish. */
#include "recorder.h"

#include <sys/mman.h>

#define WINDOW 12u
#define LEVELS 4u

static const uint32_t level_bits[LEVELS] = {10, 13, 16, 18};
static const uint32_t table_bits[CT_TABLES] = {16, 16, 18, 18, 16, 12};

struct entry { uint64_t key, value; };
static struct table {
    struct entry *entries;   /* from 1 */
    uint32_t *index;         /* all levels, one behind the other */
    uint32_t count;
} tables[CT_TABLES];
static struct ct_chunk *meta;

static size_t index_size(void)
{
    size_t size = 0;
    for (unsigned i = 0; i < LEVELS; i++)
        size += sizeof(uint32_t) << level_bits[i];
    return size;
}

static bool fresh_memory(void **memory, size_t size)
{
    if (*memory != NULL)
        munmap(*memory, size);
    *memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (*memory == MAP_FAILED)
        *memory = NULL;
    return *memory != NULL;
}

/* Fresh tables for a fresh file. */
bool ct_meta_start(void)
{
    meta = NULL;
    for (unsigned i = 0; i < CT_TABLES; i++) {
        void *entries = tables[i].entries, *index = tables[i].index;
        bool done = fresh_memory(&entries, sizeof(struct entry) << table_bits[i]) & fresh_memory(&index, index_size());
        tables[i] = (struct table){.entries = entries, .index = index};
        if (!done)
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

static uint32_t new_entry(struct table *table, uint32_t room, uint64_t key)
{
    uint32_t id = __atomic_add_fetch(&table->count, 1, __ATOMIC_RELAXED);
    if (id >= room) {
        __atomic_sub_fetch(&table->count, 1, __ATOMIC_RELAXED);
        return 0;
    }
    table->entries[id].key = key;
    return id;
}

uint32_t ct_intern(enum ct_table number, uint64_t key, bool *fresh)
{
    struct table *table = &tables[number];
    uint32_t *level = table->index, own = 0;
    *fresh = false;
    for (unsigned i = 0; level != NULL && i < LEVELS; level += 1u << level_bits[i], i++) {
        for (uint32_t j = 0; j < WINDOW; j++) {
            uint32_t *place = &level[((uint32_t)(key >> 8) + j) & ((1u << level_bits[i]) - 1)];
            uint32_t id = __atomic_load_n(place, __ATOMIC_ACQUIRE);
            if (id == 0 && own == 0 && (own = new_entry(table, 1u << table_bits[number], key)) == 0)
                break;
            if (id == 0 && __atomic_compare_exchange_n(place, &id, own, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
                *fresh = true;
                return own;
            }
            if (table->entries[id].key == key)
                return id;
        }
    }
    __atomic_or_fetch(&ct.header->flags, CT_H_TABLE_FULL, __ATOMIC_RELAXED);
    return 0;
}

uint64_t *ct_intern_value(enum ct_table number, uint32_t id) { return &tables[number].entries[id].value; }

static struct ct_chunk *next_meta(struct ct_chunk *full)
{
    uint32_t number;
    int saved = errno;
    struct ct_chunk *fresh = ct_file_chunk(CT_CHUNK_META, 0, 0, &number);
    errno = saved;
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
