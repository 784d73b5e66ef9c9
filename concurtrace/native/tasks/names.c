/* Interned names: strings, functions, stacks, and what a coroutine awaits.
 *
 * Code objects are kept alive until the end of the recording, so that an address stays theirs. */
#include "tasks.h"

#include <string.h>

#if PY_VERSION_HEX < 0x030e0000
/* Frames without their Python objects, which would cost an allocation each. */
#define Py_BUILD_CORE 1
#include "internal/pycore_frame.h"
#undef Py_BUILD_CORE
#endif

#define DEEPEST 24
#define MOST_NODES (1u << 22)

static struct tk_map codes, strings, texts, nodes;
static uint32_t last_string, last_code, last_node;
static getter coroutine_awaits, generator_awaits;
#if PY_VERSION_HEX >= 0x030e0000
static getter coroutine_frame;
#endif

static void *record(uint32_t kind, uint32_t bytes)
{
    uint32_t *item = tk_add_hidden(TK_NAMES, bytes);
    if (item == NULL)
        tk_head->names_lost++;
    else
        item[0] = kind << 24 | bytes;
    return item;
}

static uint32_t add_text(const char *text, size_t length)
{
    if (length > 1000)
        length = 1000;
    while (length && ((unsigned char)text[length] & 0xc0) == 0x80)
        length--;
    uint32_t bytes = (uint32_t)((sizeof(struct tk_string) + length + 7) / 8 * 8);
    struct tk_string *item = record(TK_STRING, bytes);
    if (item == NULL)
        return 0;
    item->id = ++last_string;
    item->length = (uint32_t)length;
    memcpy(item + 1, text, length);
    tk_publish(TK_NAMES, bytes);
    return item->id;
}

uint32_t tk_text(const char *text)
{
    uint64_t hash = 14695981039346656037u, more = 5381;
    for (const unsigned char *at = (const unsigned char *)text; *at; at++) {
        hash = (hash ^ *at) * 1099511628211u;
        more = more * 33 + *at;
    }
    void **found = tk_map_at(&texts, hash, more);
    if (found == NULL)
        return 0;
    if (*found == NULL)
        *found = (void *)(uintptr_t)(16 + add_text(text, strlen(text)));
    return (uint32_t)((uintptr_t)*found - 16);
}

static uint32_t unicode_id(PyObject *text)
{
    void **found = tk_map_at(&strings, (uintptr_t)text, 0);
    if (found == NULL)
        return 0;
    if (*found == NULL) {
        Py_ssize_t length;
        const char *utf8 = PyUnicode_AsUTF8AndSize(text, &length);
        if (utf8 == NULL)
            PyErr_Clear();
        *found = (void *)(uintptr_t)(16 + add_text(utf8 ? utf8 : "?", utf8 ? (size_t)length : 1));
    }
    return (uint32_t)((uintptr_t)*found - 16);
}

uint32_t tk_code_id(PyCodeObject *code)
{
    void **found = tk_map_at(&codes, (uintptr_t)code, 0);
    if (found == NULL)
        return 0;
    if (*found == NULL) {
        *found = (void *)16;
        uint32_t name = unicode_id(code->co_qualname), file = unicode_id(code->co_filename);
        struct tk_code *item = record(TK_CODE, sizeof *item);
        if (item == NULL)
            return 0;
        Py_INCREF(code);
        item->id = ++last_code;
        item->name = name;
        item->file = file;
        item->line = (uint32_t)code->co_firstlineno;
        tk_publish(TK_NAMES, sizeof *item);
        *found = (void *)(uintptr_t)(16 + last_code);
    }
    return (uint32_t)((uintptr_t)*found - 16);
}

/* As tk_node, of a place that is known by its line. */
uint32_t tk_node_at(uint32_t parent, PyCodeObject *code, int line) { return tk_node(parent, code, -2 - line); }

uint32_t tk_node(uint32_t parent, PyCodeObject *code, int lasti)
{
    void **found = tk_map_at(&nodes, (uintptr_t)code, (uint64_t)parent << 32 | (uint32_t)lasti);
    if (found == NULL)
        return parent;
    if (TK_UNLIKELY(*found == NULL)) {
        *found = (void *)(uintptr_t)(16 + parent);
        uint32_t id = tk_code_id(code);
        struct tk_stack *item = last_node < MOST_NODES ? record(TK_STACK, sizeof *item) : NULL;
        if (item == NULL)
            return parent;
        int line = lasti == -1 ? code->co_firstlineno : lasti < -1 ? -2 - lasti : PyCode_Addr2Line(code, lasti);
        item->id = ++last_node;
        item->parent = parent;
        item->code = id;
        item->line = line > 0 ? (uint32_t)line : (uint32_t)code->co_firstlineno;
        tk_publish(TK_NAMES, sizeof *item);
        *found = (void *)(uintptr_t)(16 + last_node);
    }
    return (uint32_t)((uintptr_t)*found - 16);
}

struct step { PyCodeObject *code; int lasti; };

static uint32_t intern(const struct step *steps, int count)
{
    uint32_t id = 0;
    while (count > 0) {
        count--;
        id = tk_node(id, steps[count].code, steps[count].lasti);
    }
    return id;
}

#if PY_VERSION_HEX < 0x030e0000
static PyCodeObject *code_of(_PyInterpreterFrame *frame)
{
#if PY_VERSION_HEX >= 0x030d0000
    PyObject *code = frame->f_executable;
#else
    PyObject *code = (PyObject *)frame->f_code;
#endif
    return code != NULL && PyCode_Check(code) ? (PyCodeObject *)code : NULL;
}

uint32_t tk_caller_stack(void)
{
    struct step steps[DEEPEST];
    int count = 0;
    PyThreadState *thread = PyThreadState_Get();
#if PY_VERSION_HEX >= 0x030d0000
    _PyInterpreterFrame *frame = thread->current_frame;
#else
    _PyInterpreterFrame *frame = thread->cframe->current_frame;
#endif
    for (; frame != NULL && count < DEEPEST; frame = frame->previous) {
        PyCodeObject *code = code_of(frame);
#if PY_VERSION_HEX >= 0x030c0000
        if (frame->owner == FRAME_OWNED_BY_CSTACK)
            continue;
#endif
        if (code != NULL)
            steps[count++] = (struct step){code, _PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT)};
    }
    return intern(steps, count);
}

static bool step_of(PyObject *generator, struct step *step)
{
    _PyInterpreterFrame *frame = (_PyInterpreterFrame *)((PyGenObject *)generator)->gi_iframe;
    if (((PyGenObject *)generator)->gi_frame_state >= FRAME_CLEARED)
        return false;
    step->code = code_of(frame);
    step->lasti = _PyInterpreterFrame_LASTI(frame) * (int)sizeof(_Py_CODEUNIT);
    return step->code != NULL;
}
#else
uint32_t tk_caller_stack(void) { return tk_frame_stack(PyEval_GetFrame()); }

static bool step_of(PyObject *generator, struct step *step)
{
    if (!PyCoro_CheckExact(generator))
        return false;
    PyObject *frame = coroutine_frame(generator, NULL);
    if (frame == NULL || frame == Py_None) {
        PyErr_Clear();
        Py_XDECREF(frame);
        return false;
    }
    step->lasti = PyFrame_GetLasti((PyFrameObject *)frame);
    step->code = PyFrame_GetCode((PyFrameObject *)frame);
    Py_DECREF(step->code);      /* the coroutine has it */
    Py_DECREF(frame);
    return true;
}
#endif

uint32_t tk_frame_stack(PyFrameObject *frame)
{
    struct step steps[DEEPEST];
    int count = 0;
    Py_XINCREF(frame);
    while (frame != NULL) {
        PyCodeObject *code = PyFrame_GetCode(frame);
        if (count < DEEPEST)
            steps[count++] = (struct step){code, PyFrame_GetLasti(frame)};
        Py_DECREF(code);        /* its frame has it, and the frame's caller has that */
        PyFrameObject *back = count < DEEPEST ? PyFrame_GetBack(frame) : NULL;
        Py_DECREF(frame);
        frame = back;
    }
    return intern(steps, count);
}

/* Name what a callback calls: a stack of one frame, or 0 where it is not Python. */
uint32_t tk_callable_stack(PyObject *callable)
{
    for (int depth = 0; callable != NULL && depth < 8; depth++) {
        if (PyFunction_Check(callable))
            return tk_node(0, (PyCodeObject *)PyFunction_GET_CODE(callable), -1);
        if (PyMethod_Check(callable)) {
            callable = PyMethod_GET_FUNCTION(callable);
            continue;
        }
        if (strcmp(Py_TYPE(callable)->tp_name, "functools.partial") != 0)
            return 0;
        PyObject *inner = PyObject_GetAttrString(callable, "func");
        if (inner == NULL) {
            PyErr_Clear();
            return 0;
        }
        Py_DECREF(inner);       /* the partial has it */
        callable = inner;
    }
    return 0;
}

/* Intern the chain of coroutines from the task's own to the one that waits. */
uint32_t tk_await_stack(PyObject *coroutine)
{
    uint32_t id = 0;
    PyObject *held = NULL;
    for (int depth = 0; coroutine != NULL && depth < 64; depth++) {
        getter awaits = NULL;
        if (PyCoro_CheckExact(coroutine))
            awaits = coroutine_awaits;
        else if (PyGen_CheckExact(coroutine))
            awaits = generator_awaits;
        struct step step;
        if (awaits == NULL || !step_of(coroutine, &step))
            break;
        id = tk_node(id, step.code, step.lasti);
        PyObject *next = awaits(coroutine, NULL);
        Py_XDECREF(held);
        held = next;
        if (next == NULL)
            PyErr_Clear();
        coroutine = next;
    }
    Py_XDECREF(held);
    return id;
}

static getter find_getter(PyTypeObject *type, const char *name)
{
    for (PyGetSetDef *one = type->tp_getset; one != NULL && one->name != NULL; one++)
        if (strcmp(one->name, name) == 0)
            return one->get;
    return NULL;
}

void tk_names_init(void)
{
    coroutine_awaits = find_getter(&PyCoro_Type, "cr_await");
    generator_awaits = find_getter(&PyGen_Type, "gi_yieldfrom");
#if PY_VERSION_HEX >= 0x030e0000
    coroutine_frame = find_getter(&PyCoro_Type, "cr_frame");
#endif
}

void tk_names_clear(void)
{
    for (size_t at = 0; at < codes.size; at++)
        if ((uintptr_t)codes.rows[at].value > 16)
            Py_DECREF((PyObject *)(uintptr_t)codes.rows[at].key);
    tk_map_clear(&codes);
    tk_map_clear(&strings);
    tk_map_clear(&texts);
    tk_map_clear(&nodes);
    last_string = last_code = last_node = 0;
}
