/* Interning: strings, code objects, stacks and images of processes, told once in the order of their ids. */
#include "watcher.h"

#define FIRST_BITS 10u
#define MOST_BITS 21u

static uint64_t mix(uint64_t a, uint64_t b)
{
    uint64_t x = (a ^ (b * 0x9e3779b97f4a7c15u)) + 0x632be59bd9b4e019u;
    x = (x ^ (x >> 29)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 32)) * 0x94d049bb133111ebu;
    return x ^ (x >> 29);
}

uint64_t cw_mix(uint64_t a, uint64_t b) { return mix(a, b); }

uint64_t cw_hash(const void *bytes, size_t length)
{
    uint64_t key = length;
    for (size_t i = 0; i < length; i += 8) {
        uint64_t word = 0;
        memcpy(&word, (const uint8_t *)bytes + i, length - i < 8 ? length - i : 8);
        key = mix(key, word);
    }
    return key;
}

/* ---- a hash table from 64-bit keys to numbers; 0 is no key and no number ---- */

static bool grow(struct cw_ids *ids)
{
    uint32_t bits = ids->keys == NULL ? FIRST_BITS : ids->bits + 1;
    if (bits > MOST_BITS)
        return false;
    uint64_t *keys = calloc((size_t)1 << bits, sizeof *keys);
    uint32_t *values = calloc((size_t)1 << bits, sizeof *values);
    if (keys == NULL || values == NULL) {
        free(keys);
        free(values);
        return false;
    }
    struct cw_ids old = *ids;
    *ids = (struct cw_ids){keys, values, bits, old.count};
    for (size_t i = 0; old.keys != NULL && i < (size_t)1 << old.bits; i++)
        if (old.keys[i] != 0)
            *cw_ids_find(ids, old.keys[i]) = old.values[i];
    free(old.keys);
    free(old.values);
    return true;
}

/* Place of a key's number, for reading and writing; NULL = the table can't grow any more. */
uint32_t *cw_ids_find(struct cw_ids *ids, uint64_t key)
{
    key |= key == 0;
    if (ids->keys == NULL && !grow(ids))
        return NULL;
    uint32_t mask = (1u << ids->bits) - 1, place = (uint32_t)key & mask;
    while (ids->keys[place] != 0 && ids->keys[place] != key)
        place = (place + 1) & mask;
    if (ids->keys[place] == key)
        return &ids->values[place];
    if (ids->count >= mask / 2) {
        if (!grow(ids))
            return NULL;
        return cw_ids_find(ids, key);
    }
    ids->keys[place] = key;
    ids->count++;
    return &ids->values[place];
}

void cw_ids_free(struct cw_ids *ids)
{
    free(ids->keys);
    free(ids->values);
    *ids = (struct cw_ids){0};
}

/* ---- what is told ---- */

static void *tell(struct cw *cw, uint32_t kind, size_t size)
{
    uint64_t words = (size + 7) / 8;
    struct cw_name *name = cw_file_more(&cw->names_file, words, cw->head);
    if (name == NULL)
        return NULL;
    memset(name, 0, words * 8);
    name->kind = kind;
    name->size = (uint32_t)(words * 8);
    return name;
}

static void publish(struct cw *cw, const struct cw_name *name) { cw_file_publish(&cw->names_file, name->size / 8); }

uint32_t cw_string_id(struct cw *cw, const char *text, size_t length)
{
    uint32_t *known = cw_ids_find(&cw->strings, cw_hash(text, length));
    if (known == NULL || *known != 0)
        return known == NULL ? 0 : *known;
    struct cw_string *string = tell(cw, CW_N_STRING, sizeof *string + length);
    if (string == NULL)
        return 0;
    string->id = ++cw->string_count;
    string->length = (uint32_t)length;
    memcpy(string + 1, text, length);
    publish(cw, &string->name);
    return *known = string->id;
}

uint32_t cw_code_id(struct cw *cw, uint32_t title, uint32_t file, uint32_t first_line)
{
    struct cw_code *code = tell(cw, CW_N_CODE, sizeof *code);
    if (code == NULL)
        return 0;
    code->id = ++cw->code_count;
    code->title = title;
    code->file = file;
    code->first_line = first_line;
    publish(cw, &code->name);
    return code->id;
}

uint32_t cw_stack_id(struct cw *cw, uint32_t parent, uint32_t code, uint32_t line)
{
    uint32_t *known = cw_ids_find(&cw->stacks, mix(mix(parent + 1, code), line));
    if (known == NULL || *known != 0)
        return known == NULL ? 0 : *known;
    struct cw_stack *stack = tell(cw, CW_N_STACK, sizeof *stack);
    if (stack == NULL)
        return 0;
    stack->id = ++cw->stack_count;
    stack->parent = parent;
    stack->code = code;
    stack->line = line;
    publish(cw, &stack->name);
    return *known = stack->id;
}

uint32_t cw_image_id(struct cw *cw, uint32_t pid, uint64_t start_ns)
{
    struct cw_image *image = tell(cw, CW_N_IMAGE, sizeof *image);
    if (image == NULL)
        return 0;
    image->id = ++cw->image_count;
    image->pid = pid;
    image->start_ns = start_ns;
    publish(cw, &image->name);
    return image->id;
}
