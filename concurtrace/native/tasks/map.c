/* An open hash from two words to a pointer. */
#include "tasks.h"

#include <stdlib.h>
#include <string.h>

#define DEAD ((void *)1)

static size_t place(const struct tk_map *map, uint64_t key, uint64_t more)
{
    uint64_t hash = (key ^ more * 0x9e3779b97f4a7c15u) * 0xff51afd7ed558ccdu;
    return (size_t)(hash >> 29) & (map->size - 1);
}

static struct tk_map_row *find(const struct tk_map *map, uint64_t key, uint64_t more)
{
    for (size_t at = place(map, key, more);; at = (at + 1) & (map->size - 1)) {
        struct tk_map_row *row = &map->rows[at];
        if (row->value == NULL || (row->key == key && row->more == more && row->value != DEAD))
            return row;
    }
}

static bool resize(struct tk_map *map)
{
    struct tk_map old = *map;
    size_t size = 64;
    while (size < (old.used - old.dead + 1) * 4)
        size *= 2;
    map->rows = calloc(size, sizeof *map->rows);
    if (map->rows == NULL) {
        *map = old;
        return false;
    }
    map->size = size;
    map->used = map->dead = 0;
    for (size_t at = 0; at < old.size; at++)
        if (old.rows[at].value != NULL && old.rows[at].value != DEAD) {
            *find(map, old.rows[at].key, old.rows[at].more) = old.rows[at];
            map->used++;
        }
    free(old.rows);
    return true;
}

void **tk_map_at(struct tk_map *map, uint64_t key, uint64_t more)
{
    if (map->used * 2 >= map->size && !resize(map))
        return NULL;
    struct tk_map_row *row = find(map, key, more);
    if (row->value == NULL) {
        row->key = key;
        row->more = more;
        map->used++;
    }
    return &row->value;
}

void *tk_map_get(const struct tk_map *map, uint64_t key, uint64_t more)
{
    return map->size ? find(map, key, more)->value : NULL;
}

void *tk_map_take(struct tk_map *map, uint64_t key, uint64_t more)
{
    if (map->size == 0)
        return NULL;
    struct tk_map_row *row = find(map, key, more);
    void *value = row->value;
    if (value != NULL) {
        row->value = DEAD;
        map->dead++;
    }
    return value;
}

void tk_map_clear(struct tk_map *map)
{
    free(map->rows);
    memset(map, 0, sizeof *map);
}
