/* Python stacks, read from the thread's own frames.
 *
 * A thread reads only its own chain, and only while it is inside a libc call it made itself, so no frame moves.
 * Frames hold their code objects and these their names: all pointers followed here are alive. */
#include "recorder.h"

#include <dlfcn.h>
#include <stdlib.h>

#define DEPTH_MAX 160u

static struct ct_layout layout;
static bool usable;
static void *(*this_thread_state)(void);
static uintptr_t code_type, py_runtime;

/* Offsets from the headers of each version; they do not change within one. */
static const struct ct_layout layout_311 = {
    .tstate_frame = 56, .indirect = 1, .cframe_frame = 8, .tstate_native_id = 160, .frame_previous = 48,
    .frame_code = 32, .frame_instr = 56, .frame_owner = 69, .frame_locals = 72, .code_firstlineno = 72,
    .code_filename = 112, .code_name = 120, .code_qualname = 128, .code_linetable = 136, .code_bytecode = 184,
    .str_length = 16, .str_state = 32, .str_ascii_data = 48, .str_compact_data = 72, .bytes_size = 16, .bytes_data = 32};
static const struct ct_layout layout_312 = {
    .tstate_frame = 56, .indirect = 1, .cframe_frame = 0, .tstate_native_id = 144, .frame_previous = 8,
    .frame_code = 0, .frame_instr = 56, .frame_owner = 70, .frame_locals = 72, .code_firstlineno = 68,
    .code_filename = 112, .code_name = 120, .code_qualname = 128, .code_linetable = 136, .code_bytecode = 192,
    .str_length = 16, .str_state = 32, .str_ascii_data = 40, .str_compact_data = 56, .bytes_size = 16, .bytes_data = 32};
static const struct ct_layout layout_313 = {
    .tstate_frame = 72, .indirect = 0, .tstate_native_id = 160, .frame_previous = 8,
    .frame_code = 0, .frame_instr = 56, .frame_owner = 70, .frame_locals = 72, .code_firstlineno = 68,
    .code_filename = 112, .code_name = 120, .code_qualname = 128, .code_linetable = 136, .code_bytecode = 200,
    .str_length = 16, .str_state = 32, .str_ascii_data = 40, .str_compact_data = 56, .bytes_size = 16, .bytes_data = 32};

static struct { uint32_t hex; char version[128]; } python;

void ct_stacks_start(const char *version, uint32_t hex)
{
    python.hex = hex;
    strncpy(python.version, version, sizeof python.version - 1);
    void *thread_state = dlsym(RTLD_DEFAULT, "PyGILState_GetThisThreadState");
    memcpy(&this_thread_state, &thread_state, sizeof thread_state);
    code_type = (uintptr_t)dlsym(RTLD_DEFAULT, "PyCode_Type");
    py_runtime = (uintptr_t)dlsym(RTLD_DEFAULT, "_PyRuntime");
    usable = sizeof(void *) == 8 && thread_state != NULL && code_type != 0 && strstr(version, "free-threading") == NULL;
    switch (hex >> 16) {
    case 0x030b: layout = layout_311; break;
    case 0x030c: layout = layout_312; break;
    case 0x030d: layout = layout_313; break;
    default: usable = false;
    }
}

void ct_stacks_header(struct ct_header *header)
{
    header->python_hex = python.hex;
    memcpy(header->python_version, python.version, sizeof header->python_version);
    header->code_type = code_type;
    header->py_runtime = py_runtime;
    if (usable)
        header->layout = layout;
    else
        header->flags |= CT_H_NO_STACKS;
    if (strstr(python.version, "free-threading") != NULL)
        header->flags |= CT_H_FREE_THREADED;
}

void *ct_tstate(void) { return this_thread_state != NULL ? this_thread_state() : NULL; }

static inline uintptr_t load(uintptr_t base, unsigned offset) { return *(const uintptr_t *)(base + offset); }

/* ---- text of a str object ---- */

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    if (c < 0x800) {
        to[0] = (char)(0xc0 | c >> 6);
        to[1] = (char)(0x80 | (c & 0x3f));
        return 2;
    }
    if (c < 0x10000) {
        to[0] = (char)(0xe0 | c >> 12);
        to[1] = (char)(0x80 | (c >> 6 & 0x3f));
        to[2] = (char)(0x80 | (c & 0x3f));
        return 3;
    }
    to[0] = (char)(0xf0 | c >> 18);
    to[1] = (char)(0x80 | (c >> 12 & 0x3f));
    to[2] = (char)(0x80 | (c >> 6 & 0x3f));
    to[3] = (char)(0x80 | (c & 0x3f));
    return 4;
}

size_t ct_python_text(uintptr_t object, char *to, size_t room)
{
    uint32_t state = *(const uint32_t *)(object + layout.str_state);
    uint32_t kind = state >> 2 & 7;
    size_t length = load(object, layout.str_length), used = 0;
    if (object == 0 || !(state & 1u << 5) || length > 1u << 20)
        return 0;
    const uint8_t *data = (const uint8_t *)object + (state & 1u << 6 ? layout.str_ascii_data : layout.str_compact_data);
    for (size_t i = 0; i < length && used + 4 < room; i++) {
        uint32_t c = kind == 1 ? data[i] : kind == 2 ? ((const uint16_t *)(const void *)data)[i]
                                                     : ((const uint32_t *)(const void *)data)[i];
        used += put_utf8(to + used, c);
    }
    to[used] = 0;
    return used;
}

/* ---- line of an instruction: the location table of PEP 657 ---- */

static unsigned read_varint(const uint8_t **at, const uint8_t *end)
{
    unsigned value = 0, shift = 0;
    while (*at < end) {
        unsigned byte = *(*at)++;
        value |= (byte & 63) << shift;
        shift += 6;
        if (!(byte & 64) || shift > 30)
            break;
    }
    return value;
}

static int read_signed(const uint8_t **at, const uint8_t *end)
{
    unsigned value = read_varint(at, end);
    return value & 1 ? -(int)(value >> 1) : (int)(value >> 1);
}

static uint32_t line_of(uintptr_t code, int64_t unit)
{
    uintptr_t table = load(code, layout.code_linetable);
    const uint8_t *at = (const uint8_t *)table + layout.bytes_data;
    const uint8_t *end = at + load(table, layout.bytes_size);
    int line = *(const int *)(code + layout.code_firstlineno);
    int64_t start = 0;
    while (at < end && unit >= 0) {
        unsigned first = *at++, form = first >> 3 & 15, length = (first & 7) + 1;
        if (form == 13 || form == 14)
            line += read_signed(&at, end);
        else if (form >= 10 && form <= 12)
            line += (int)form - 10;
        if (unit < start + length)
            break;
        start += length;
        while (at < end && !(*at & 128))   /* columns */
            at++;
    }
    return line > 0 ? (uint32_t)line : 0;
}

/* ---- code objects ---- */

struct frame { uintptr_t code; int64_t unit; uint64_t identity; uintptr_t frame, instr; };

/* What a function of the standard library waits for when it is where a thread sleeps. */
static const struct wait_class { const char *file, *name; uint8_t reason; bool even_lock; } classes[] = {
    {"/threading.py", "Condition.wait", CT_R_CONDITION, false},
    {"/threading.py", "Condition.wait_for", CT_R_CONDITION, false},
    {"/threading.py", "Event.wait", CT_R_EVENT, false},
    {"/threading.py", "Semaphore.acquire", CT_R_SEMAPHORE, false},
    {"/threading.py", "Barrier.wait", CT_R_BARRIER, false},
    {"/threading.py", "Barrier._wait", CT_R_BARRIER, false},
    {"/threading.py", "Barrier._enter", CT_R_BARRIER, false},
    {"/threading.py", "Thread.join", CT_R_JOIN, true},
    {"/threading.py", "Thread._wait_for_tstate_lock", CT_R_JOIN, true},
    {"/threading.py", "_shutdown", CT_R_JOIN, true},
    {"/queue.py", "Queue.get", CT_R_QUEUE_EMPTY, false},
    {"/queue.py", "Queue.put", CT_R_QUEUE_FULL, false},
    {"/queue.py", "Queue.join", CT_R_CONDITION, false},
    {"/concurrent/futures/_base.py", "Future.result", CT_R_FUTURE, false},
    {"/concurrent/futures/_base.py", "Future.exception", CT_R_FUTURE, false},
    {"/concurrent/futures/_base.py", "wait", CT_R_FUTURE, false},
    {"/concurrent/futures/_base.py", "as_completed", CT_R_FUTURE, false},
    {"/concurrent/futures/thread.py", "_worker", CT_R_QUEUE_EMPTY, true},
    {"/multiprocessing/queues.py", "Queue.get", CT_R_QUEUE_EMPTY, true},
    {"/multiprocessing/queues.py", "Queue.put", CT_R_QUEUE_FULL, true},
    {"/multiprocessing/queues.py", "SimpleQueue.get", CT_R_QUEUE_EMPTY, true},
    {"/multiprocessing/pool.py", "worker", CT_R_QUEUE_EMPTY, true},
    {"/multiprocessing/pool.py", "ApplyResult.wait", CT_R_FUTURE, false},
    {"/multiprocessing/pool.py", "ApplyResult.get", CT_R_FUTURE, false},
    {"/multiprocessing/synchronize.py", "Condition.wait", CT_R_CONDITION, true},
    {"/multiprocessing/synchronize.py", "Event.wait", CT_R_EVENT, true},
};

static uint32_t class_of(const char *file, size_t file_length, const char *name)
{
    for (unsigned i = 0; i < sizeof classes / sizeof *classes; i++) {
        size_t length = strlen(classes[i].file);
        if (file_length >= length && memcmp(file + file_length - length, classes[i].file, length) == 0
            && strcmp(name, classes[i].name) == 0)
            return classes[i].reason | (classes[i].even_lock ? 256u : 0);
    }
    return 0;
}

/* Id of a code object. Its table value: 1 << 32 | class, when told. */
static uint32_t code_id(const struct frame *frame, uint32_t *wait_class)
{
    bool fresh;
    uint32_t id = ct_intern(CT_TABLE_CODES, frame->identity, &fresh);
    if (id == 0)
        return 0;
    uint64_t *value = ct_intern_value(CT_TABLE_CODES, id);
    if (fresh) {
        char name[400], file[800];
        size_t name_length = ct_python_text(load(frame->code, layout.code_qualname), name, sizeof name);
        size_t file_length = ct_python_text(load(frame->code, layout.code_filename), file, sizeof file);
        name[name_length] = file[file_length] = 0;
        uint32_t found = class_of(file, file_length, name);
        uint32_t name_id = ct_string(name, name_length), file_id = ct_string(file, file_length);
        struct ct_meta_code *record = ct_meta_reserve(CT_META_CODE, sizeof *record);
        if (record != NULL) {
            record->id = id;
            record->name = name_id;
            record->file = file_id;
            record->first_line = *(const uint32_t *)(frame->code + layout.code_firstlineno);
            record->reason = found & 255;
            record->address = frame->code;
            ct_meta_publish(record);
        }
        __atomic_store_n(value, 1ull << 32 | found, __ATOMIC_RELEASE);
    }
    *wait_class = (uint32_t)__atomic_load_n(value, __ATOMIC_ACQUIRE);
    return id;
}

/* ---- the walk ---- */

static inline uintptr_t innermost_frame(void)
{
    uintptr_t state = (uintptr_t)ct_tstate();
    uintptr_t frame = state != 0 ? load(state, layout.tstate_frame) : 0;
    return layout.indirect && frame != 0 ? load(frame, layout.cframe_frame) : frame;
}

uint64_t ct_place(void)
{
    uintptr_t frame = usable ? innermost_frame() : 0;
    while (frame != 0 && *(const uint8_t *)(frame + layout.frame_owner) == 3)
        frame = load(frame, layout.frame_previous);
    return frame != 0 ? load(frame, layout.frame_instr) : 0;
}

static unsigned walk(struct frame *frames, unsigned limit)
{
    uintptr_t frame = innermost_frame();
    unsigned count = 0;
    for (unsigned steps = 0; frame != 0 && count < limit && steps < 4096; steps++) {
        uintptr_t code = load(frame, layout.frame_code);
        uint8_t owner = *(const uint8_t *)(frame + layout.frame_owner);
        /* Frames of the interpreter's own trampoline (3.12+), or with something else than code in them (3.13). */
        if (owner != 3 && code != 0 && load(code, 8) == code_type) {
            uintptr_t name = load(code, layout.code_name);
            frames[count].frame = frame;
            frames[count].instr = load(frame, layout.frame_instr);
            frames[count].code = code;
            frames[count].unit = ((int64_t)(frames[count].instr - (code + layout.code_bytecode))) >> 1;
            /* The address of a freed code object can be used again: its name's hash goes with it. */
            frames[count].identity = ct_mix(code ^ load(name, 24),
                                            load(code, layout.code_filename) ^ *(const uint32_t *)(code + layout.code_firstlineno));
            count++;
        }
        frame = load(frame, layout.frame_previous);
    }
    return count;
}

static uint32_t tell_nodes(const struct frame *frames, unsigned count, uint32_t *reason)
{
    uint32_t parent = 0, chain = 0;
    for (unsigned i = count; i-- > 0;) {
        uint32_t found = 0;
        uint32_t code = code_id(&frames[i], &found);
        uint32_t line = line_of(frames[i].code, frames[i].unit);
        bool fresh;
        uint32_t id = code != 0 ? ct_intern(CT_TABLE_NODES, ct_mix(ct_mix(parent, code), line), &fresh) : 0;
        if (id == 0)
            return 0;
        if (fresh) {
            struct ct_meta_stack *record = ct_meta_reserve(CT_META_STACK, sizeof *record);
            if (record == NULL)
                return 0;
            record->id = id;
            record->parent = parent;
            record->code = code;
            record->line = line;
            ct_meta_publish(record);
        }
        parent = id;
        /* The outermost of an unbroken row of waiting functions up to the innermost frame is what is waited for. */
        if (found == 0)
            chain = 0;
        else
            chain = chain == 0 ? found : (chain & 255) | (found & 256);
    }
    *reason = chain;
    return parent;
}

/* A thread that waits in a loop waits at the same place again: its last stack is compared frame by frame, which reads
 * the frames alone and not the code objects and their names, all cold after a wait. Every so often the whole way is
 * gone all the same, since a code object may have been freed and its address used again. */
#define REMEMBERED 24u
#define TRUSTED_TIMES 32u

static __thread struct {
    uint32_t count, times, generation;
    uint64_t known;
    struct { uintptr_t frame, code, instr; } frames[REMEMBERED];
} last __attribute__((tls_model("initial-exec")));

static bool same_as_last(void)
{
    unsigned count = 0;
    if (last.count == 0 || last.generation != ct.generation || ++last.times >= TRUSTED_TIMES)
        return false;
    for (uintptr_t frame = innermost_frame(); frame != 0; frame = load(frame, layout.frame_previous)) {
        uintptr_t code = load(frame, layout.frame_code);
        if (count < last.count && last.frames[count].frame == frame && last.frames[count].code == code
            && last.frames[count].instr == load(frame, layout.frame_instr))
            count++;
        else if (*(const uint8_t *)(frame + layout.frame_owner) != 3 && code != 0 && load(code, 8) == code_type)
            return false;
    }
    return count == last.count;
}

static void remember(const struct frame *frames, unsigned count, uint64_t known)
{
    last.count = 0;
    if (count > REMEMBERED)
        return;
    for (unsigned i = 0; i < count; i++) {
        last.frames[i].frame = frames[i].frame;
        last.frames[i].code = frames[i].code;
        last.frames[i].instr = frames[i].instr;
    }
    last.known = known;
    last.times = 0;
    last.generation = ct.generation;
    last.count = count;
}

static uint32_t told(uint64_t known, uint8_t *reason)
{
    uint32_t found = (uint32_t)(known >> 32);
    if (ct_self.state != CT_LOCK_WAIT || found & 256)
        *reason = (uint8_t)found;
    return (uint32_t)known;
}

uint32_t ct_stack(unsigned depth, uint8_t *reason)
{
    if (!usable)
        return 0;
    if (depth == 0 && same_as_last())
        return told(last.known, reason);
    struct frame frames[DEPTH_MAX];
    unsigned count = walk(frames, depth == 0 ? DEPTH_MAX : depth);
    if (count == 0)
        return 0;
    uint64_t hash = count;
    for (unsigned i = 0; i < count; i++)
        hash = ct_mix(hash ^ frames[i].identity, (uint64_t)frames[i].unit);
    bool fresh;
    uint32_t place = ct_intern(CT_TABLE_STACKS, hash, &fresh);
    uint64_t *value = place != 0 ? ct_intern_value(CT_TABLE_STACKS, place) : NULL;
    uint64_t known = value != NULL && !fresh ? __atomic_load_n(value, __ATOMIC_ACQUIRE) : 0;
    if (known == 0) {
        uint32_t found = 0;
        uint32_t id = tell_nodes(frames, count, &found);
        if (id == 0) {
            __atomic_add_fetch(&ct.header->lost_stacks, 1, __ATOMIC_RELAXED);
            return 0;
        }
        known = id | (uint64_t)found << 32;
        if (value != NULL)
            __atomic_store_n(value, known, __ATOMIC_RELEASE);
    }
    if (depth == 0)
        remember(frames, count, known);
    return told(known, reason);
}

/* Locals of the outermost frame of the thread, and the name of its function: for the thread's name. */
uintptr_t ct_outermost_frame(char *name, size_t name_room)
{
    uintptr_t frame = usable ? innermost_frame() : 0, last = 0;
    for (unsigned steps = 0; frame != 0 && steps < 4096; steps++, frame = load(frame, layout.frame_previous)) {
        uintptr_t code = load(frame, layout.frame_code);
        if (*(const uint8_t *)(frame + layout.frame_owner) != 3 && code != 0 && load(code, 8) == code_type)
            last = frame;
    }
    if (last != 0)
        ct_python_text(load(load(last, layout.frame_code), layout.code_qualname), name, name_room);
    return last != 0 ? load(last, layout.frame_locals) : 0;
}

uint32_t ct_python_hex(void) { return python.hex; }
