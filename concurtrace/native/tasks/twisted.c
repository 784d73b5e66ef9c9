/* Twisted: rounds of the reactor, what its descriptors and delayed calls run, and generators that
 * inlineCallbacks drives, which are its tasks. */
#include "tasks.h"

static _Thread_local struct tk_loop *reactor;
static _Thread_local uint64_t reactor_generation;
static PyObject *text_queue;

static struct tk_loop *loop_here(void) { return reactor_generation == tk_generation ? reactor : NULL; }

static void enter(PyObject *self)
{
    reactor = tk_loop_of(self, TK_TWISTED);
    reactor_generation = tk_generation;
    if (reactor != NULL)
        reactor->tid = tk_tid();
}

static PyObject *as_callback(enum tk_hook which, PyObject *self, PyObject *const *args, Py_ssize_t count,
                             PyObject *names, enum tk_source source)
{
    struct tk_ready ready = {.at_ns = 0, .source = (uint8_t)source};
    struct tk_current here;
    tk_step_begin(&here, NULL, loop_here(), &ready);
    PyObject *result = tk_pass(which, self, args, count, names);
    tk_step_end(&here, TK_PENDING);
    return result;
}

/* _PollLikeMixin._doReadOrWrite(selectable, fd, event) */
static PyObject *event(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (!tk_on())
        return tk_pass(TK_TW_EVENT, self, args, count, names);
    return as_callback(TK_TW_EVENT, self, args, count, names, TK_FROM_IO);
}

/* ReactorBase.runUntilCurrent(): what other threads sent, then delayed calls that are due */
static PyObject *delayed(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (!tk_on())
        return tk_pass(TK_TW_DELAYED, self, args, count, names);
    enter(self);
    if (text_queue == NULL)
        text_queue = PyUnicode_InternFromString("threadCallQueue");
    PyObject *queue = PyObject_GetAttr(self, text_queue);
    bool sent = queue != NULL && PyList_Check(queue) && PyList_GET_SIZE(queue) > 0;
    PyErr_Clear();
    Py_XDECREF(queue);
    if (reactor != NULL)
        reactor->iterations++;
    return as_callback(TK_TW_DELAYED, self, args, count, names, sent ? TK_FROM_THREAD : TK_FROM_TIMER);
}

/* defer._inlineCallbacks(result, generator, status, context): runs a generator until it waits again */
static PyObject *inline_callbacks(PyObject *module, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    (void)module;
    PyObject *generator = count > 1 ? args[1] : NULL;
    bool known = generator != NULL && (PyGen_CheckExact(generator) || PyCoro_CheckExact(generator));
    struct tk_live *live = NULL;
    if (tk_on() && known) {
        live = tk_find(generator);
        if (live == NULL) {
            PyObject *code = PyObject_GetAttrString(generator, PyGen_CheckExact(generator) ? "gi_code" : "cr_code");
            PyErr_Clear();
            live = tk_live_made(generator, loop_here(), (PyCodeObject *)code);
            Py_XDECREF(code);
        }
    }
    if (live == NULL)
        return PyObject_Vectorcall(tk_original[TK_TW_INLINE], args, (size_t)count, names);
    struct tk_current here;
    if (live->slot->name[0] == 0)
        snprintf(live->slot->name, sizeof live->slot->name, "Deferred-%u", live->slot->serial);
    if (live->slot->flags & TK_T_FIRST)
        tk_wake(live, TK_FROM_UNKNOWN, tk_now());
    struct tk_ready since = live->ready;
    Py_INCREF(generator);
    tk_step_begin(&here, live, loop_here(), &since);
    PyObject *result = PyObject_Vectorcall(tk_original[TK_TW_INLINE], args, (size_t)count, names);
    PyObject *kind = NULL, *value = NULL, *trace = NULL;
    if (result == NULL)
        PyErr_Fetch(&kind, &value, &trace);
    uint32_t stack = tk_await_stack(generator);     /* 0: it has ended */
    bool same = tk_on() && here.generation == tk_generation;
    tk_step_end(&here, stack == 0 ? TK_OK : TK_PENDING);
    if (same && stack == 0)
        tk_forget(generator);
    else if (same)
        tk_step_awaits(live, stack, 0, 0);
    Py_DECREF(generator);
    if (kind != NULL)
        PyErr_Restore(kind, value, trace);
    return result;
}

#define KEYWORDS (METH_FASTCALL | METH_KEYWORDS)
PyMethodDef tk_twisted_hooks[] = {
    {"_inlineCallbacks", (PyCFunction)(void *)inline_callbacks, KEYWORDS, NULL},
    {"runUntilCurrent", (PyCFunction)(void *)delayed, KEYWORDS, NULL},
    {"_doReadOrWrite", (PyCFunction)(void *)event, KEYWORDS, NULL},
};
