/* Code objects of the target: who they are, and on which line an instruction of theirs lies. */
#include "watcher.h"

#define TEXT_MOST 1000u
#define TABLE_MOST (1u << 20)

static uint64_t word_at(const uint8_t *bytes, size_t at)
{
    uint64_t word;
    memcpy(&word, bytes + at, sizeof word);
    return word;
}

static uint32_t half_at(const uint8_t *bytes, size_t at)
{
    uint32_t half;
    memcpy(&half, bytes + at, sizeof half);
    return half;
}

/* ---- text of a str object ---- */

static size_t put_utf8(char *to, uint32_t c)
{
    if (c < 0x80) {
        to[0] = (char)c;
        return 1;
    }
    size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;
    static const uint8_t lead[] = {0, 0xc0, 0xe0, 0xf0};
    to[0] = (char)(lead[more] | c >> (6 * more));
    for (size_t i = 1; i <= more; i++)
        to[i] = (char)(0x80 | (c >> (6 * (more - i)) & 0x3f));
    return more + 1;
}

static uint32_t character(const uint8_t *data, uint32_t width, size_t i)
{
    uint32_t c = 0;
    memcpy(&c, data + i * width, width);
    bool lone = (c >= 0xd800 && c < 0xe000) || c > 0x10ffff;
    return lone ? 0xfffd : c;
}

/* Id of the text of a str object; 0 = it is none. */
static uint32_t text_id(struct cw *cw, struct cw_remote *remote, const struct ct_layout *at, uint64_t object)
{
    uint8_t bytes[TEXT_MOST * 4 + 128];
    size_t head = at->str_compact_data > at->str_ascii_data ? at->str_compact_data : at->str_ascii_data;
    size_t got = cw_remote_read(remote, object, bytes, 400);
    if (got < head)
        return 0;
    uint32_t state = half_at(bytes, at->str_state), width = state >> 2 & 7;
    uint64_t length = word_at(bytes, at->str_length);
    if (!(state & 1u << 5) || (width != 1 && width != 2 && width != 4) || length > TABLE_MOST)
        return 0;
    size_t from = state & 1u << 6 ? at->str_ascii_data : at->str_compact_data;
    length = length > TEXT_MOST ? TEXT_MOST : length;
    if (from + length * width > got && cw_remote_read(remote, object, bytes, from + length * width) < from + length * width)
        return 0;
    char text[TEXT_MOST * 4];
    size_t used = 0;
    for (size_t i = 0; i < length; i++)
        used += put_utf8(text + used, character(bytes + from, width, i));
    return cw_string_id(cw, text, used);
}

/* ---- lines: the location table of PEP 657 ---- */

static uint32_t read_varint(const uint8_t **at, const uint8_t *end)
{
    uint32_t value = 0;
    for (unsigned shift = 0; *at < end && shift < 30; shift += 6) {
        uint32_t byte = *(*at)++;
        value |= (byte & 63) << shift;
        if (!(byte & 64))
            break;
    }
    return value;
}

static int64_t line_step(unsigned form, const uint8_t **at, const uint8_t *end)
{
    if (form == 13 || form == 14) {
        uint32_t value = read_varint(at, end);
        return value & 1 ? -(int64_t)(value >> 1) : (int64_t)(value >> 1);
    }
    return form >= 10 && form <= 12 ? (int64_t)form - 10 : 0;
}

/* Line of the instruction at `unit`; where it belongs to no line, that of the one before. */
uint32_t cw_code_line(const struct cw_code_info *code, int64_t unit)
{
    const uint8_t *at = code->table, *end = at + code->table_length;
    int64_t line = code->first_line, start = 0, known = line;
    while (at < end && unit >= 0) {
        unsigned first = *at++, form = first >> 3 & 15;
        line += line_step(form, &at, end);
        if (form != 15)
            known = line;
        start += (first & 7) + 1;
        if (unit < start)
            break;
        while (at < end && !(*at & 128))   /* columns */
            at++;
    }
    return known > 0 ? (uint32_t)known : 0;
}

/* ---- code objects ---- */

static bool same_header(const struct ct_layout *at, const uint8_t *a, const uint8_t *b)
{
    return half_at(a, at->code_firstlineno) == half_at(b, at->code_firstlineno) &&
           word_at(a, at->code_filename) == word_at(b, at->code_filename) &&
           word_at(a, at->code_qualname) == word_at(b, at->code_qualname) &&
           word_at(a, at->code_linetable) == word_at(b, at->code_linetable);
}

bool cw_code_known(const struct ct_layout *at, const struct cw_code_place *place, const uint8_t *header)
{
    return place->code != 0 && place->first_line == half_at(header, at->code_firstlineno) &&
           place->file == word_at(header, at->code_filename) && place->title == word_at(header, at->code_qualname) &&
           place->table == word_at(header, at->code_linetable);
}

static bool make_room(struct cw *cw)
{
    if (cw->code_count + 1 < cw->code_room)
        return true;
    uint32_t room = cw->code_room == 0 ? 256 : cw->code_room * 2;
    struct cw_code_info *codes = realloc(cw->codes, room * sizeof *codes);
    if (codes == NULL)
        return false;
    memset(codes + cw->code_room, 0, (room - cw->code_room) * sizeof *codes);
    cw->codes = codes;
    cw->code_room = room;
    return true;
}

/* Number of code units that a location table covers: each entry begins with a byte above 127. */
static int64_t units_of(const uint8_t *table, size_t length)
{
    int64_t units = 0;
    for (size_t i = 0; i < length; i++)
        units += table[i] & 128 ? (table[i] & 7) + 1 : 0;
    return units;
}

/* Equal in all that matters: one code, in whatever process and wherever it lies. */
static uint32_t intern(struct cw *cw, uint32_t title, uint32_t file, uint32_t first_line, uint8_t *table, size_t length)
{
    uint64_t key = cw_mix(cw_mix(title, file), cw_mix(first_line, cw_hash(table, length)));
    uint32_t *known = cw_ids_find(&cw->code_ids, key);
    if (known == NULL || *known != 0) {
        free(table);
        return known == NULL ? 0 : *known;
    }
    uint32_t id = make_room(cw) ? cw_code_id(cw, title, file, first_line) : 0;
    if (id == 0) {
        free(table);
        return 0;
    }
    cw->codes[id] = (struct cw_code_info){table, (uint32_t)length, first_line, units_of(table, length)};
    return *known = id;
}

/* Learn a code object whose first bytes are in `header`; false = it changed meanwhile, or was none. */
bool cw_code_learn(struct cw *cw, struct cw_remote *remote, const struct ct_layout *at, uint64_t address,
                   const uint8_t *header, struct cw_code_place *place)
{
    uint8_t again[CW_CODE_BYTES], size[64];
    uint64_t table = word_at(header, at->code_linetable);
    uint32_t title = text_id(cw, remote, at, word_at(header, at->code_qualname));
    uint32_t file = text_id(cw, remote, at, word_at(header, at->code_filename));
    if (title == 0 || file == 0 || cw_remote_read(remote, table, size, at->bytes_data) < at->bytes_data)
        return false;
    uint64_t length = word_at(size, at->bytes_size);
    uint8_t *bytes = length > TABLE_MOST ? NULL : malloc(length + 1);
    if (bytes == NULL)
        return false;
    struct cw_part parts[] = {{table + at->bytes_data, bytes, length}, {address, again, CW_CODE_BYTES}};
    if (!cw_remote_read_all(remote, parts, 2) || !same_header(at, header, again)) {
        free(bytes);
        return false;
    }
    uint32_t first_line = half_at(header, at->code_firstlineno);
    uint32_t id = intern(cw, title, file, first_line, bytes, length);
    *place = (struct cw_code_place){address, word_at(header, at->code_filename), word_at(header, at->code_qualname),
                                    table, first_line, id};
    return id != 0;
}

void cw_codes_free(struct cw *cw)
{
    for (uint32_t i = 0; i < cw->code_room; i++)
        free(cw->codes[i].table);
    free(cw->codes);
    cw->codes = NULL;
    cw->code_room = 0;
}
