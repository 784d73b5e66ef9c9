/* The Python stack of a running thread, read from outside.
 *
 * The thread runs on while its frames are copied. They are copied twice, with the pointer to the innermost frame read
 * before and after, in one call: if both copies tell the same chain it is one moment's, else it is tried again. Every
 * frame must hold a code object, and an instruction inside of it. */
#include "watcher.h"

#define PAGE 4096u
#define FRAME_BYTES 96u
#define TRIES 8u
#define ON_C_STACK 3u

static uint64_t word_at(const uint8_t *bytes, size_t at)
{
    uint64_t word;
    memcpy(&word, bytes + at, sizeof word);
    return word;
}

static uint64_t page_of(uint64_t address) { return address & ~(uint64_t)(PAGE - 1); }

/* ---- copies of the memory that frames lie in ---- */

static const uint8_t *in_window(const struct cw_window *window, uint64_t address)
{
    bool inside = address >= window->from && address + FRAME_BYTES <= window->from + window->length;
    return inside ? window->bytes + (address - window->from) : NULL;
}

static void aim(struct cw_window *window, uint64_t address, uint64_t below)
{
    uint64_t from = page_of(address);
    window->from = from > below ? from - below : from;
    window->length = (uint32_t)(page_of(address + FRAME_BYTES - 1) + PAGE - window->from);
}

/* A frame outside of the first window: of a deep stack, or of a generator. */
static const uint8_t *fetch(struct cw_reader *reader, struct cw_remote *remote, uint64_t address)
{
    for (unsigned i = 0; i < reader->window_count; i++) {
        const uint8_t *found = in_window(&reader->windows[i], address);
        if (found != NULL)
            return found;
    }
    if (reader->window_count == CW_WINDOWS)
        return NULL;
    struct cw_window *window = &reader->windows[reader->window_count];
    window->from = page_of(address);
    window->length = (uint32_t)(address + FRAME_BYTES - window->from);
    if (cw_remote_read(remote, window->from, window->bytes, window->length) != window->length)
        return NULL;
    reader->window_count++;
    return in_window(window, address);
}

/* ---- one moment of a thread ---- */

struct moment { uint64_t head, native_id, top; };

/* Read the pointers, then twice the memory around the innermost frame as it was last seen, then the pointers again. */
static bool look(struct cw_remote *remote, const struct ct_layout *at, uint64_t tstate, struct cw_aim *aimed,
                 struct cw_reader *reader, struct moment *before, struct moment *after)
{
    struct cw_window *window = &reader->windows[0];
    struct cw_part parts[8];
    unsigned count = 0;
    *before = *after = (struct moment){0};
    parts[count++] = (struct cw_part){tstate + at->tstate_native_id, &before->native_id, 8};
    parts[count++] = (struct cw_part){tstate + at->tstate_frame, &before->head, 8};
    bool indirect = at->indirect && aimed->cframe != 0;
    if (indirect)
        parts[count++] = (struct cw_part){aimed->cframe + at->cframe_frame, &before->top, 8};
    window->length = 0;
    if (aimed->top != 0 && (indirect || !at->indirect)) {
        aim(window, aimed->top, aimed->narrow ? 0 : PAGE);
        parts[count++] = (struct cw_part){window->from, window->bytes, window->length};
        parts[count++] = (struct cw_part){window->from, reader->again, window->length};
    }
    if (indirect)
        parts[count++] = (struct cw_part){aimed->cframe + at->cframe_frame, &after->top, 8};
    parts[count++] = (struct cw_part){tstate + at->tstate_frame, &after->head, 8};
    if (!cw_remote_read_all(remote, parts, count))
        return false;
    if (!at->indirect) {
        before->top = before->head;
        after->top = after->head;
    }
    return true;
}

/* Whether the innermost frame is still the same: for frames that were fetched one by one after the first look. */
static bool still(struct cw_remote *remote, const struct ct_layout *at, uint64_t tstate, const struct moment *seen)
{
    struct moment now = {0};
    struct cw_part parts[] = {{tstate + at->tstate_frame, &now.head, 8}, {seen->head + at->cframe_frame, &now.top, 8}};
    return cw_remote_read_all(remote, parts, at->indirect ? 2 : 1) && now.head == seen->head &&
           (!at->indirect || now.top == seen->top);
}

/* The chain of frames from the innermost on; -1 = some frame is none. */
static int walk(struct cw_reader *reader, struct cw_remote *remote, const struct ct_layout *at, uint64_t top)
{
    int count = 0;
    reader->truncated = false;
    for (uint64_t address = top; address != 0;) {
        if (count == CW_DEPTH) {
            reader->truncated = true;
            break;
        }
        const uint8_t *frame = address & 7 ? NULL : fetch(reader, remote, address);
        if (frame == NULL) {
            reader->truncated = reader->window_count == CW_WINDOWS;
            return reader->truncated ? count : -1;
        }
        if (frame[at->frame_owner] != ON_C_STACK) {
            struct cw_frame *found = &reader->frames[count++];
            found->code = word_at(frame, at->frame_code);
            found->instr = word_at(frame, at->frame_instr);
            if (found->code == 0 || found->code & 7)
                return -1;
        }
        uint64_t previous = word_at(frame, at->frame_previous);
        if (previous == address)
            return -1;
        address = previous;
    }
    return count;
}

static bool same_frame(const struct ct_layout *at, const uint8_t *a, const uint8_t *b, bool innermost)
{
    /* The innermost goes on from instruction to instruction; its callers stay where they called. */
    return word_at(a, at->frame_code) == word_at(b, at->frame_code) &&
           word_at(a, at->frame_previous) == word_at(b, at->frame_previous) &&
           (innermost || word_at(a, at->frame_instr) == word_at(b, at->frame_instr));
}

/* Whether both copies tell the same, as far as they reach down the chain. */
static bool same_twice(const struct cw_reader *reader, const struct ct_layout *at, uint64_t top)
{
    const struct cw_window *window = &reader->windows[0];
    const uint8_t *frame;
    for (uint64_t address = top; (frame = in_window(window, address)) != NULL;) {
        if (!same_frame(at, frame, reader->again + (frame - window->bytes), address == top))
            return false;
        address = word_at(frame, at->frame_previous);
    }
    return true;
}

/* ---- from frames to a stack ---- */

static bool read_headers(struct cw_reader *reader, struct cw_remote *remote, unsigned count)
{
    struct cw_part parts[CW_PARTS];
    for (unsigned from = 0; from < count; from += CW_PARTS) {
        unsigned part = count - from < CW_PARTS ? count - from : CW_PARTS;
        for (unsigned i = 0; i < part; i++)
            parts[i] = (struct cw_part){reader->frames[from + i].code, reader->headers[from + i], CW_CODE_BYTES};
        if (!cw_remote_read_all(remote, parts, part))
            return false;
    }
    return true;
}

static struct cw_code_place *place_of(struct cw_process *process, uint64_t code)
{
    uint32_t *number = cw_ids_find(&process->code_of, code);
    if (number == NULL)
        return NULL;
    if (*number == 0) {
        if (process->place_count == process->place_room) {
            uint32_t room = process->place_room == 0 ? 64 : process->place_room * 2;
            struct cw_code_place *places = realloc(process->places, room * sizeof *places);
            if (places == NULL)
                return NULL;
            process->places = places;
            process->place_room = room;
        }
        process->places[process->place_count] = (struct cw_code_place){0};
        *number = ++process->place_count;
    }
    return &process->places[*number - 1];
}

static bool name_frame(struct cw *cw, struct cw_process *process, struct cw_frame *frame, const uint8_t *header)
{
    const struct ct_layout *at = &process->header->layout;
    if (word_at(header, 8) != process->header->code_type)
        return false;
    struct cw_code_place *place = place_of(process, frame->code);
    if (place == NULL)
        return false;
    if (!cw_code_known(at, place, header) && !cw_code_learn(cw, &process->remote, at, frame->code, header, place))
        return false;
    frame->id = place->id;
    frame->unit = ((int64_t)(frame->instr - (frame->code + at->code_bytecode))) >> 1;
    return frame->unit >= -1 && frame->unit < cw->codes[frame->id].units;
}

/* Stack id of the frames read; the whole chain is looked up first, since most stacks come again. */
static uint32_t stack_of(struct cw *cw, const struct cw_reader *reader, int count)
{
    uint64_t key = (uint64_t)count;
    for (int i = count; i-- > 0;)
        key = cw_mix(key ^ reader->frames[i].id, (uint64_t)reader->frames[i].unit);
    uint32_t *known = cw_ids_find(&cw->chains, key);
    if (known != NULL && *known != 0)
        return *known;
    uint32_t stack = 0;
    for (int i = count; i-- > 0;) {
        const struct cw_frame *frame = &reader->frames[i];
        stack = cw_stack_id(cw, stack, frame->id, cw_code_line(&cw->codes[frame->id], frame->unit));
        if (stack == 0)
            return 0;
    }
    if (known != NULL)
        *known = stack;
    return stack;
}

static enum cw_reading failure(const struct cw_remote *remote)
{
    if (remote->error == EPERM || remote->error == EACCES || remote->error == ENOSYS)
        return CW_FORBIDDEN;
    return remote->error == ESRCH ? CW_GONE : CW_TORN;
}

static enum cw_reading try_once(struct cw *cw, struct cw_process *process, const struct cw_thread_now *thread,
                                struct cw_aim *aimed, uint32_t *stack)
{
    const struct ct_layout *at = &process->header->layout;
    struct cw_reader *reader = cw->reader;
    struct cw_window *first = &reader->windows[0];
    struct moment before, after;
    if (!look(&process->remote, at, thread->tstate, aimed, reader, &before, &after)) {
        /* What was aimed at may be gone: the page below a thread's first frames, or an older call's record. */
        if (aimed->top != 0 && !aimed->narrow)
            aimed->narrow = true;
        else
            *aimed = (struct cw_aim){0};
        return failure(&process->remote);
    }
    if (before.native_id != thread->tid)
        return CW_TORN;
    bool aimed_well = (!at->indirect || aimed->cframe == after.head) && aimed->top != 0;
    if (at->indirect && aimed->cframe != after.head)
        *aimed = (struct cw_aim){.cframe = after.head};
    if (after.head == 0 || (after.top == 0 && (!at->indirect || aimed_well))) {
        *stack = 0;                    /* in no Python function */
        return CW_READ;
    }
    bool inside = aimed_well && in_window(first, after.top) != NULL;
    if (aimed->top == 0 || !inside) {
        aimed->narrow = aimed->narrow && page_of(aimed->top) == page_of(after.top);
        aimed->top = after.top;
    }
    if (!inside || before.head != after.head || before.top != after.top || !same_twice(reader, at, after.top))
        return CW_TORN;
    reader->window_count = 1;
    int count = walk(reader, &process->remote, at, after.top);
    if (count >= 0 && reader->window_count > 1 && !still(&process->remote, at, thread->tstate, &after))
        return CW_TORN;
    if (count < 0 || !read_headers(reader, &process->remote, (unsigned)count))
        return process->remote.error != 0 ? failure(&process->remote) : CW_TORN;
    for (int i = 0; i < count; i++)
        if (!name_frame(cw, process, &reader->frames[i], reader->headers[i]))
            return CW_TORN;
    *stack = count == 0 ? 0 : stack_of(cw, reader, count);
    return count != 0 && *stack == 0 ? CW_NO_ROOM : CW_READ;
}

enum cw_reading cw_read_stack(struct cw *cw, struct cw_process *process, const struct cw_thread_now *thread,
                              struct cw_aim *aimed, uint32_t *stack)
{
    enum cw_reading reading = CW_TORN;
    /* The first tries after a change only find out where to aim. */
    for (unsigned i = 0; i < TRIES && reading == CW_TORN; i++)
        reading = try_once(cw, process, thread, aimed, stack);
    return reading;
}
