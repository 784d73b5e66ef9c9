/* The Python stack of a running thread, read from outside.
 *
 * The thread runs on while its frames are copied. They are copied twice, and the pointer to the innermost frame is
 * read in between, all in one call: if both copies tell the same chain from there on, it was the chain when the pointer
 * was read; else it is tried again. Every frame must hold a code object, and an instruction inside of it. */
#include "watcher.h"

#define PAGE 4096u
#define FRAME_BYTES 96u
#define TRIES 16u
#define REACH_DOWN 7168u               /* of the first copy: callers lie below on the same stack */
#define REACH_UP 1536u                 /* and what is called next above */
#define SLOW_NS 500u
/* Who owns a frame, and the flags of code that makes a generator, coroutine or asynchronous generator. */
enum { ON_THREAD = 0, IN_GENERATOR = 1, ON_C_STACK = 3 };
#define CODE_FLAGS 48u                 /* co_flags, 3.11 to 3.13 */
#define MAKES_GENERATOR 0x2a0u

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
    /* An address read from memory that changes may be any: it must not wrap round either. */
    bool inside = address >= window->from && window->length >= FRAME_BYTES &&
                  address - window->from <= window->length - FRAME_BYTES;
    return inside ? window->bytes + (address - window->from) : NULL;
}

/* From somewhat below the lowest frame that was seen there to somewhat above the innermost. Small, since a thread
 * runs on while it is copied; never into a page of which nothing is known, once that has failed. */
static void point(struct cw_window *window, const struct cw_spot *spot)
{
    bool near = spot->low != 0 && spot->low <= spot->top && spot->top - spot->low <= REACH_DOWN;
    uint64_t low = near ? spot->low : spot->top, end = spot->top + FRAME_BYTES;
    window->from = low - 512 > page_of(low) ? low - 512 : page_of(low);
    window->length = (uint32_t)((spot->narrow ? page_of(end - 1) + PAGE : end + REACH_UP) - window->from);
}

static bool is_near(const struct cw_spot *spot, uint64_t address)
{
    return spot->top != 0 && address + REACH_DOWN >= spot->top && spot->top + REACH_DOWN >= address;
}

/* Look there next time. Frames lie on the thread's stack or, those of generators, anywhere: two places are kept. */
static void aim_at(struct cw_aim *aimed, uint64_t top)
{
    if (!is_near(&aimed->spots[0], top)) {
        struct cw_spot other = aimed->spots[0];
        aimed->spots[0] = is_near(&aimed->spots[1], top) ? aimed->spots[1] : (struct cw_spot){0};
        aimed->spots[1] = other;
    }
    struct cw_spot *spot = &aimed->spots[0];
    spot->narrow = spot->narrow && page_of(spot->top) == page_of(top);
    spot->top = top;
}

/* A frame in one of the copies, or else copied now: of a deep stack, or of a generator. */
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

struct moment { uint64_t head, native_id, top; bool slow; };

/* Copy the places where frames were last seen, read the pointers, copy the places again. */
static bool look(struct cw_remote *remote, const struct ct_layout *at, uint64_t tstate, const struct cw_aim *aimed,
                 struct cw_reader *reader, struct moment *seen)
{
    struct cw_part parts[2 * CW_SPOTS + 3];
    unsigned count = 0;
    bool indirect = at->indirect && aimed->cframe != 0;
    *seen = (struct moment){0};
    for (unsigned i = 0; i < CW_SPOTS; i++) {
        struct cw_window *window = &reader->windows[i];
        window->length = 0;
        if (aimed->spots[i].top == 0)
            continue;
        point(window, &aimed->spots[i]);
        parts[count++] = (struct cw_part){window->from, window->bytes, window->length};
    }
    if (indirect)
        parts[count++] = (struct cw_part){aimed->cframe + at->cframe_frame, &seen->top, 8};
    parts[count++] = (struct cw_part){tstate + at->tstate_frame, &seen->head, 8};
    for (unsigned i = 0; i < CW_SPOTS; i++)
        if (reader->windows[i].length != 0)
            parts[count++] = (struct cw_part){reader->windows[i].from, reader->again[i], reader->windows[i].length};
    parts[count++] = (struct cw_part){tstate + at->tstate_native_id, &seen->native_id, 8};
    uint64_t begin = cw_now();
    if (!cw_remote_read_all(remote, parts, count))
        return false;
    uint64_t took = cw_now() - begin;
    /* The longer it takes, the more may have come and gone meanwhile: the watcher itself was put off its core. */
    seen->slow = took > reader->usual_ns + reader->usual_ns / 2 + SLOW_NS;
    if (took > reader->usual_ns)
        reader->usual_ns += (took - reader->usual_ns) / 32;
    else
        reader->usual_ns -= (reader->usual_ns - took) / 8;
    if (!at->indirect)
        seen->top = seen->head;
    reader->window_count = CW_SPOTS;
    return true;
}

/* Whether the innermost frame is still the same: for frames that were copied one by one after the first look. */
static bool still(struct cw_remote *remote, const struct ct_layout *at, uint64_t tstate, const struct moment *seen)
{
    struct moment now = {0};
    struct cw_part parts[] = {{tstate + at->tstate_frame, &now.head, 8}, {seen->head + at->cframe_frame, &now.top, 8}};
    return cw_remote_read_all(remote, parts, at->indirect ? 2 : 1) && now.head == seen->head &&
           (!at->indirect || now.top == seen->top);
}

/* Remember how far down the frames go, and where the first lies that is somewhere else. */
static void note_place(struct cw_aim *aimed, uint64_t address, bool *elsewhere)
{
    struct cw_spot *spot = &aimed->spots[0];
    if (is_near(spot, address)) {
        if (address < spot->low)
            spot->low = address;
    } else if (!*elsewhere) {
        *elsewhere = true;
        spot = &aimed->spots[1];
        *spot = (struct cw_spot){address, is_near(spot, address) ? spot->low : 0,
                                 is_near(spot, address) && spot->narrow};
    }
}

/* The chain of frames from the innermost on; -1 = some frame is none. */
static int walk(struct cw_reader *reader, struct cw_remote *remote, const struct ct_layout *at, uint64_t top,
                struct cw_aim *aimed)
{
    int count = 0;
    bool elsewhere = false;
    aimed->spots[0].low = top;
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
        note_place(aimed, address, &elsewhere);
        if (frame[at->frame_owner] != ON_C_STACK) {
            struct cw_frame *found = &reader->frames[count++];
            found->code = word_at(frame, at->frame_code);
            found->instr = word_at(frame, at->frame_instr);
            found->owner = frame[at->frame_owner];
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

/* The place of a frame in both copies. */
static bool find_twice(const struct cw_reader *reader, uint64_t address, const uint8_t **first, const uint8_t **second)
{
    for (unsigned i = 0; i < CW_SPOTS; i++) {
        *first = in_window(&reader->windows[i], address);
        if (*first != NULL) {
            *second = reader->again[i] + (*first - reader->windows[i].bytes);
            return true;
        }
    }
    return false;
}

/* Whether both copies tell the same, as far as they reach down the chain. */
static bool same_twice(const struct cw_reader *reader, const struct ct_layout *at, uint64_t top)
{
    const uint8_t *first, *second;
    unsigned count = 0;
    for (uint64_t address = top; find_twice(reader, address, &first, &second) && count < CW_DEPTH; count++) {
        if (!same_frame(at, first, second, address == top))
            return false;
        address = word_at(first, at->frame_previous);
    }
    return count != 0;
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

/* A generator's code runs in the generator's own frame: on the stack it has made nothing but the generator yet, and
 * can have called nobody. The memory of such a frame is what is most often taken for a live one. */
static bool is_possible(const struct cw_frame *frame, const uint8_t *header, bool innermost)
{
    uint32_t flags;
    memcpy(&flags, header + CODE_FLAGS, sizeof flags);
    bool makes_generator = (flags & MAKES_GENERATOR) != 0;
    return frame->owner == IN_GENERATOR ? makes_generator
                                        : frame->owner != ON_THREAD || !makes_generator || innermost;
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

/* What was aimed at may be gone: a page that frames once reached into, or the record of an older call. */
static void aim_anew(struct cw_aim *aimed)
{
    bool narrow = true;
    for (unsigned i = 0; i < CW_SPOTS; i++) {
        narrow = narrow && (aimed->spots[i].top == 0 || aimed->spots[i].narrow);
        aimed->spots[i].narrow = true;
    }
    if (narrow)
        *aimed = (struct cw_aim){.asked_ns = aimed->asked_ns};
}

static enum cw_reading try_once(struct cw *cw, struct cw_process *process, const struct cw_thread_now *thread,
                                struct cw_aim *aimed, uint32_t *stack)
{
    const struct ct_layout *at = &process->header->layout;
    struct cw_reader *reader = cw->reader;
    struct moment seen;
    if (!look(&process->remote, at, thread->tstate, aimed, reader, &seen)) {
        aim_anew(aimed);
        return failure(&process->remote);
    }
    if (seen.native_id != thread->tid)
        return CW_TORN;
    /* The frames of a call from C lie on the same stack as before: only the pointer is elsewhere. */
    bool known = !at->indirect || aimed->cframe == seen.head;
    aimed->cframe = seen.head;
    if (seen.head == 0 || (known && seen.top == 0)) {
        *stack = 0;                    /* in no Python function */
        return CW_READ;
    }
    if (!known)
        return CW_TORN;
    bool same = !seen.slow && same_twice(reader, at, seen.top);
    aim_at(aimed, seen.top);
    if (!same)
        return CW_TORN;
    int count = walk(reader, &process->remote, at, seen.top, aimed);
    if (count >= 0 && reader->window_count > CW_SPOTS && !still(&process->remote, at, thread->tstate, &seen))
        return CW_TORN;
    if (count < 0 || !read_headers(reader, &process->remote, (unsigned)count))
        return process->remote.error != 0 ? failure(&process->remote) : CW_TORN;
    for (int i = 0; i < count; i++)
        if (!is_possible(&reader->frames[i], reader->headers[i], i == 0) ||
            !name_frame(cw, process, &reader->frames[i], reader->headers[i]))
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
