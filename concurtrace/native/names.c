/* The Python name of a thread: attribute `_name` of the Thread object whose _bootstrap runs it.
 *
 * Read from memory while the thread holds the GIL; no Python code runs and nothing is allocated. */
#include "recorder.h"

#define MANAGED_DICT (1ul << 4)
#define INLINE_VALUES (1ul << 2)

size_t ct_python_text(uintptr_t object, char *to, size_t room);
uintptr_t ct_outermost_frame(char *name, size_t name_room);
uint32_t ct_python_hex(void);

static inline uintptr_t load(uintptr_t base, long offset) { return *(const uintptr_t *)(base + (uintptr_t)offset); }

/* Number of the entry with key `_name` in a keys object, -1 = none; *value = value stored beside it. */
static long find_key(uintptr_t keys, uintptr_t *value)
{
    uint8_t index_bytes = *(const uint8_t *)(keys + 9), kind = *(const uint8_t *)(keys + 10);
    long entries = (long)load(keys, 24);
    uintptr_t at = keys + 32 + (1ul << index_bytes);
    size_t step = kind == 0 ? 24 : 16;
    for (long i = 0; i < entries && i < 64; i++, at += step) {
        uintptr_t key = load(at, kind == 0 ? 8 : 0);
        char text[16];
        if (key != 0 && load(key, 16) == 5 && ct_python_text(key, text, sizeof text) == 5 && memcmp(text, "_name", 5) == 0) {
            *value = load(at, kind == 0 ? 16 : 8);
            return i;
        }
    }
    return -1;
}

static uintptr_t from_dict(uintptr_t dict)
{
    uintptr_t value = 0, values = load(dict, 40);
    long entry = find_key(load(dict, 32), &value);
    if (entry < 0)
        return 0;
    return values != 0 ? load(values, entry * 8 + (ct_python_hex() >> 16 >= 0x030d ? 8 : 0)) : value;
}

static uintptr_t name_object(uintptr_t thread)
{
    uintptr_t type = load(thread, 8), unused = 0, flags = load(type, 168), values = 0, dict = 0;
    uint32_t minor = ct_python_hex() >> 16;
    if (!(flags & MANAGED_DICT))
        return 0;
    uintptr_t keys = load(type, minor == 0x030b ? 872 : 880);
    if (minor == 0x030b) {
        values = load(thread, -32);
        dict = load(thread, -24);
    } else if (minor == 0x030c) {
        uintptr_t both = load(thread, -24);
        values = both & 1 ? both + 1 : 0;
        dict = both & 1 ? 0 : both;
    } else {
        uintptr_t inlined = thread + load(type, 32);
        dict = load(thread, -24);
        if (dict == 0 && flags & INLINE_VALUES && *(const uint8_t *)(inlined + 3))
            values = inlined + 8;
    }
    if (values != 0 && keys != 0) {
        long entry = find_key(keys, &unused);
        return entry < 0 ? 0 : load(values, entry * 8);
    }
    return dict != 0 ? from_dict(dict) : 0;
}

void ct_thread_name(struct ct_thread *slot)
{
    char function[64] = "", text[sizeof slot->name];
    if (slot->flags & CT_T_MAIN && ct.start_method != CT_START_FORK) {
        memcpy(slot->name, "MainThread", 11);
        return;
    }
    uintptr_t thread = ct_outermost_frame(function, sizeof function);
    if (thread != 0 && strcmp(function, "Thread._bootstrap") == 0) {
        uintptr_t name = name_object(thread);
        if (name != 0 && ct_python_text(name, text, sizeof text) > 0)
            memcpy(slot->name, text, sizeof text);
    } else if (slot->flags & CT_T_MAIN) {
        memcpy(slot->name, "MainThread", 11);
    }
}
