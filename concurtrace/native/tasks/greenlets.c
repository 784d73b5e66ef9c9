/* greenlets: every switch is told by greenlet.settrace. The one whose type is called Hub is the loop. */
#include "tasks.h"

#include <string.h>

struct turn {                       /* what runs in this thread: a greenlet's step, or its loop */
    struct tk_current step;
    PyObject *greenlet;             /* borrowed: it runs */
    bool running;
};

static _Thread_local struct turn turn;
static _Thread_local struct tk_loop *hub_loop;
static PyObject *text_dead, *text_frame, *text_run, *text_stack, *text_maker, *text_code, *text_line, *text_back,
    *text_parent;

static void learn_texts(void)
{
    if (text_dead != NULL)
        return;
    text_dead = PyUnicode_InternFromString("dead");
    text_frame = PyUnicode_InternFromString("gr_frame");
    text_run = PyUnicode_InternFromString("_run");
    text_stack = PyUnicode_InternFromString("spawning_stack");
    text_maker = PyUnicode_InternFromString("spawning_greenlet");
    text_code = PyUnicode_InternFromString("f_code");
    text_line = PyUnicode_InternFromString("f_lineno");
    text_parent = PyUnicode_InternFromString("parent");
    text_back = PyUnicode_InternFromString("f_back");
}

/* A new reference, or NULL without an error and for None. */
static PyObject *ask(PyObject *object, PyObject *name)
{
    PyObject *found = PyObject_GetAttr(object, name);
    if (found == Py_None)
        Py_CLEAR(found);
    PyErr_Clear();
    return found;
}

static bool is_hub(PyObject *greenlet)
{
    static PyTypeObject *known;
    PyTypeObject *type = Py_TYPE(greenlet);
    if (type == known)
        return true;
    const char *dot = strrchr(type->tp_name, '.');
    if (strcmp(dot != NULL ? dot + 1 : type->tp_name, "Hub") != 0)
        return false;
    known = type;
    return true;
}

/* gevent keeps where a greenlet was spawned, as objects that look like frames. */
static uint32_t spawned_at(PyObject *greenlet)
{
    struct { PyObject *code; int line; } frames[16];
    int count = 0;
    PyObject *at = ask(greenlet, text_stack);
    while (at != NULL && count < 16) {
        PyObject *code = ask(at, text_code), *line = ask(at, text_line), *back = ask(at, text_back);
        if (code != NULL && PyCode_Check(code) && line != NULL && PyLong_Check(line)) {
            frames[count].code = code;
            frames[count++].line = (int)PyLong_AsLong(line);
        } else
            Py_XDECREF(code);
        Py_XDECREF(line);
        Py_DECREF(at);
        at = back;
    }
    Py_XDECREF(at);
    uint32_t id = 0;
    while (count > 0) {
        count--;
        id = tk_node_at(id, (PyCodeObject *)frames[count].code, frames[count].line);
        Py_DECREF(frames[count].code);
    }
    return id;
}

static PyCodeObject *code_of(PyObject *greenlet)
{
    PyObject *run = ask(greenlet, text_run);
    PyObject *function = run;
    while (function != NULL && PyMethod_Check(function))
        function = PyMethod_GET_FUNCTION(function);
    PyCodeObject *code = NULL;
    if (function != NULL && PyFunction_Check(function))
        code = (PyCodeObject *)PyFunction_GET_CODE(function);
    Py_XDECREF(run);                /* the greenlet has it */
    return code;
}

static struct tk_live *live_of(PyObject *greenlet)
{
    struct tk_live *live = tk_find(greenlet);
    if (live != NULL)
        return live;
    live = tk_live_made(greenlet, hub_loop, code_of(greenlet));
    if (live == NULL)
        return NULL;
    live->slot->made_at = spawned_at(greenlet);
    PyObject *weak = ask(greenlet, text_maker), *maker = NULL;
    if (weak != NULL && PyCallable_Check(weak))
        maker = PyObject_CallNoArgs(weak);
    struct tk_live *parent = maker != NULL ? tk_find(maker) : NULL;
    live->slot->parent = parent != NULL ? parent->slot->serial : 0;
    PyErr_Clear();
    Py_XDECREF(maker);
    Py_XDECREF(weak);
    PyObject *above = ask(greenlet, text_parent);
    if (above == NULL) {            /* where the thread began */
        strcpy(live->slot->name, "main greenlet");
        return live;
    }
    Py_DECREF(above);
    const char *name = strrchr(Py_TYPE(greenlet)->tp_name, '.');
    snprintf(live->slot->name, sizeof live->slot->name, "%s-%u", name != NULL ? name + 1 : Py_TYPE(greenlet)->tp_name,
             live->slot->serial);
    return live;
}

static void left(PyObject *origin)
{
    struct turn *mine = &turn;
    if (!mine->running || mine->greenlet != origin) {
        mine->running = false;
        return;
    }
    mine->running = false;
    struct tk_live *live = mine->step.live;
    PyObject *dead = ask(origin, text_dead);
    bool ended = dead == Py_True;
    Py_XDECREF(dead);
    tk_step_end(&mine->step, ended ? TK_OK : TK_PENDING);
    if (live == NULL || !tk_on() || mine->step.generation != tk_generation)
        return;
    if (ended) {
        tk_forget(origin);
        return;
    }
    PyObject *frame = ask(origin, text_frame);
    uint32_t stack = frame != NULL && PyFrame_Check(frame) ? tk_frame_stack((PyFrameObject *)frame) : 0;
    Py_XDECREF(frame);
    tk_step_awaits(live, stack, 0, 0);
}

static void came(PyObject *target)
{
    struct turn *mine = &turn;
    if (is_hub(target)) {
        hub_loop = tk_loop_of(target, TK_GREENLET);
        if (hub_loop != NULL) {
            hub_loop->tid = tk_tid();
            hub_loop->iterations++;
        }
        return;
    }
    struct tk_live *live = live_of(target);
    if (live == NULL)
        return;
    struct tk_ready ready = {.at_ns = 0, .source = TK_FROM_UNKNOWN};
    mine->greenlet = target;
    mine->running = true;
    tk_current = NULL;              /* greenlets do not nest: whoever ran has been left */
    tk_step_begin(&mine->step, live, hub_loop, &ready);
}

/* The callback of greenlet.settrace: switched(event, (origin, target)). */
PyObject *tk_greenlet_switched(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    if (count != 2 || !PyTuple_Check(args[1]) || PyTuple_GET_SIZE(args[1]) != 2 || !tk_on())
        Py_RETURN_NONE;
    static _Thread_local uint64_t generation;
    if (generation != tk_generation) {
        generation = tk_generation;
        turn.running = false;
        hub_loop = NULL;
    }
    learn_texts();
    left(PyTuple_GET_ITEM(args[1], 0));
    if (tk_on())
        came(PyTuple_GET_ITEM(args[1], 1));
    Py_RETURN_NONE;
}

void tk_greenlets_clear(void)
{
    turn.running = false;
    hub_loop = NULL;
}
