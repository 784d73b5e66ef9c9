/* uvloop: its handles run callbacks in C of their own, so each callback is given to it in a wrapper that tells. */
#include "asyncio.h"

#include <structmember.h>

struct told {                       /* a callback that tells when it runs */
    PyObject_HEAD
    PyObject *callback;
    void *loop;                     /* borrowed: it runs while we are called */
    struct tk_ready ready;
    uint64_t generation;
    vectorcallfunc call;
};

static PyObject *told_call(PyObject *self, PyObject *const *args, size_t flags, PyObject *names)
{
    struct told *mine = (struct told *)self;
    if (!tk_on())
        return PyObject_Vectorcall(mine->callback, args, flags, names);
    struct turn turn;
    struct tk_ready unknown = {.source = TK_FROM_UNKNOWN};
    tk_turn_of(&turn, mine->callback, mine->loop);
    if (turn.loop != NULL)
        turn.loop->tid = tk_tid();
    const struct tk_ready *since = turn.live != NULL ? &turn.live->ready : &mine->ready;
    struct tk_ready copy = turn.live == NULL && mine->generation != tk_generation ? unknown : *since;
    PyObject *callback = mine->callback;
    tk_turn_begin(&turn, callback, NULL, &copy);
    return tk_turn_end(&turn, PyObject_Vectorcall(callback, args, flags, names));
}

static int told_traverse(PyObject *self, visitproc visit, void *arg)
{
    Py_VISIT(Py_TYPE(self));
    Py_VISIT(((struct told *)self)->callback);
    return 0;
}

static int told_clear(PyObject *self)
{
    Py_CLEAR(((struct told *)self)->callback);
    return 0;
}

static void told_free(PyObject *self)
{
    PyTypeObject *type = Py_TYPE(self);
    PyObject_GC_UnTrack(self);
    told_clear(self);
    type->tp_free(self);
    Py_DECREF(type);
}

static PyObject *told_attribute(PyObject *self, PyObject *name)
{
    return PyObject_GetAttr(((struct told *)self)->callback, name);
}

static PyObject *told_repr(PyObject *self) { return PyObject_Repr(((struct told *)self)->callback); }

static PyMemberDef told_members[] = {
    {"__vectorcalloffset__", T_PYSSIZET, offsetof(struct told, call), READONLY, NULL},
    {NULL, 0, 0, 0, NULL},
};
static PyType_Slot told_slots[] = {
    {Py_tp_call, (void *)PyVectorcall_Call}, {Py_tp_traverse, (void *)told_traverse}, {Py_tp_clear, (void *)told_clear},
    {Py_tp_dealloc, (void *)told_free}, {Py_tp_getattro, (void *)told_attribute}, {Py_tp_repr, (void *)told_repr},
    {Py_tp_members, told_members}, {0, NULL},
};
static PyType_Spec told_spec = {
    "concurtrace._tasks.Told", sizeof(struct told), 0,
    Py_TPFLAGS_DEFAULT | Py_TPFLAGS_HAVE_GC | Py_TPFLAGS_HAVE_VECTORCALL | Py_TPFLAGS_DISALLOW_INSTANTIATION, told_slots,
};
static PyTypeObject *told_type;

/* A new reference; the callback itself where it is none, or there is no memory. */
static PyObject *wrap(PyObject *loop, PyObject *callback, enum tk_source source)
{
    if (told_type == NULL)
        told_type = (PyTypeObject *)PyType_FromSpec(&told_spec);
    struct told *made = NULL;
    if (told_type != NULL && PyCallable_Check(callback))
        made = (struct told *)told_type->tp_alloc(told_type, 0);
    if (made == NULL) {
        PyErr_Clear();
        return Py_NewRef(callback);
    }
    made->call = told_call;
    made->callback = Py_NewRef(callback);
    made->loop = loop;
    made->generation = tk_generation;
    made->ready.source = (uint8_t)source;
    return (PyObject *)made;
}

/* A task, or a callback, becomes ready; in another thread than the loop's where ``source`` says so. */
static void became_ready(PyObject *loop, PyObject *callback, PyObject *wrapped, enum tk_source source)
{
    uint64_t now_ns = tk_now();
    struct tk_loop *known = tk_loop_of(loop, TK_ASYNCIO);
    PyObject *task = tk_task_of(callback);
    struct tk_live *live = task != NULL ? tk_live_of(task, known) : NULL;
    struct tk_ready *ready = live != NULL ? &live->ready : &((struct told *)wrapped)->ready;
    if (live != NULL)
        tk_wake(live, source, now_ns);
    else if (wrapped != callback)
        *ready = tk_waker(source, now_ns);
    if (source == TK_FROM_THREAD && (live != NULL || wrapped != callback)) {
        ready->tid = tk_tid();
        ready->source = TK_FROM_THREAD;
    }
}

static PyObject *given(enum tk_hook which, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t place = which == TK_UV_LATER ? 1 : 0, total = count + (names != NULL ? PyTuple_GET_SIZE(names) : 0);
    if (!tk_on() || count <= place)
        return tk_pass(which, self, args, count, names);
    PyObject **all = PyMem_Malloc((size_t)total * sizeof *all);
    if (all == NULL)
        return PyErr_NoMemory();
    memcpy(all, args, (size_t)total * sizeof *all);
    PyObject *callback = args[place], *wrapped = wrap(self, callback, which == TK_UV_LATER ? TK_FROM_TIMER : TK_FROM_UNKNOWN);
    all[place] = wrapped;
    /* Before it is given: another thread may run it before we are back. */
    if (which != TK_UV_LATER) {
        struct tk_loop *loop = tk_loop_of(self, TK_ASYNCIO);
        bool elsewhere = which == TK_UV_THREADSAFE && loop != NULL && loop->tid != tk_tid();
        became_ready(self, callback, wrapped, elsewhere ? TK_FROM_THREAD : TK_FROM_UNKNOWN);
    }
    PyObject *handle = tk_pass(which, self, all, count, names);
    Py_DECREF(wrapped);
    PyMem_Free(all);
    return handle;
}

static PyObject *failed(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (count == 1)
        tk_note_failure(args[0]);
    return tk_pass(TK_UV_FAILED, self, args, count, names);
}

static PyObject *closed(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    if (tk_on())
        tk_loop_closed(self);
    return tk_pass(TK_UV_CLOSE, self, args, count, names);
}

#define GIVEN(function, which)                                                                                     \
    static PyObject *function(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)             \
    {                                                                                                              \
        return given(which, self, args, count, names);                                                             \
    }
GIVEN(given_soon, TK_UV_SOON)
GIVEN(given_threadsafe, TK_UV_THREADSAFE)
GIVEN(given_later, TK_UV_LATER)

#define KEYWORDS (METH_FASTCALL | METH_KEYWORDS)
PyMethodDef tk_uvloop_hooks[] = {
    {"call_soon", (PyCFunction)(void *)given_soon, KEYWORDS, NULL},
    {"call_soon_threadsafe", (PyCFunction)(void *)given_threadsafe, KEYWORDS, NULL},
    {"call_later", (PyCFunction)(void *)given_later, KEYWORDS, NULL},
    {"call_exception_handler", (PyCFunction)(void *)failed, KEYWORDS, NULL},
    {"close", (PyCFunction)(void *)closed, KEYWORDS, NULL},
};
