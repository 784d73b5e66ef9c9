/* What asyncio's tasks look like, and what they wait for. */
#include "asyncio.h"

#include <structmember.h>
#include <string.h>

Py_ssize_t tk_callback_at, tk_loop_at, tk_args_at, tk_when_at;
PyTypeObject *tk_timer_type;

static PyTypeObject *task_type, *py_task_type, *step_type, *gather_type;
static getter get_self, get_waiter, get_state, get_coroutine;
static PyObject *text_waiter, *text_state, *text_coroutine, *text_name, *text_children, *text_cancelling;
static uint32_t last_gather;

static Py_ssize_t member_at(PyObject *type, const char *name)
{
    PyObject *found = PyObject_GetAttrString(type, name);
    Py_ssize_t at = 0;
    if (found != NULL && Py_IS_TYPE(found, &PyMemberDescr_Type))
        at = ((PyMemberDescrObject *)found)->d_member->offset;
    PyErr_Clear();
    Py_XDECREF(found);
    return at;
}

static getter find_getter(PyTypeObject *type, const char *name)
{
    for (PyGetSetDef *one = type != NULL ? type->tp_getset : NULL; one != NULL && one->name != NULL; one++)
        if (strcmp(one->name, name) == 0)
            return one->get;
    return NULL;
}

static PyTypeObject *type_named(PyObject *module, const char *name)
{
    PyObject *found = PyObject_GetAttrString(module, name);
    PyErr_Clear();
    if (found != NULL && PyType_Check(found))
        return (PyTypeObject *)found;       /* kept for good */
    Py_XDECREF(found);
    return NULL;
}

/* A new reference, or NULL without an error. */
static PyObject *ask(PyObject *task, getter get, PyObject *name)
{
    PyObject *found = NULL;
    if (get != NULL && PyObject_TypeCheck(task, task_type))
        found = get(task, NULL);
    else
        found = PyObject_GetAttr(task, name);
    if (found == NULL)
        PyErr_Clear();
    return found;
}

static bool is_task(PyObject *object)
{
    return (task_type != NULL && PyObject_TypeCheck(object, task_type)) ||
           (py_task_type != NULL && PyObject_TypeCheck(object, py_task_type));
}

/* The task that a callback runs a step of, borrowed; NULL where it is another kind of callback. */
PyObject *tk_task_of(PyObject *callback)
{
    PyObject *self = NULL;
    if (callback == NULL)
        return NULL;
    if (PyCFunction_Check(callback)) {
        if (strstr(((PyCFunctionObject *)callback)->m_ml->ml_name, "wakeup") != NULL)
            self = PyCFunction_GET_SELF(callback);
    } else if (Py_IS_TYPE(callback, step_type) && get_self != NULL) {
        self = get_self(callback, NULL);
        Py_XDECREF(self);           /* the callback has it */
    } else if (PyMethod_Check(callback) && PyFunction_Check(PyMethod_GET_FUNCTION(callback))) {
        PyCodeObject *code = (PyCodeObject *)PyFunction_GET_CODE(PyMethod_GET_FUNCTION(callback));
        const char *name = PyUnicode_AsUTF8(code->co_name);
        if (name != NULL && (strcmp(name, "__step") == 0 || strcmp(name, "__wakeup") == 0))
            self = PyMethod_GET_SELF(callback);
    } else if (step_type == NULL && strstr(Py_TYPE(callback)->tp_name, "TaskStepMethWrapper") != NULL) {
        step_type = Py_TYPE(callback);
        get_self = find_getter(step_type, "__self__");
        return tk_task_of(callback);
    }
    return self != NULL && is_task(self) ? self : NULL;
}

PyCodeObject *tk_code_of(PyObject *coroutine)
{
    if (coroutine == NULL)
        return NULL;
    PyObject *code = NULL;
    if (PyCoro_CheckExact(coroutine))
        code = PyObject_GetAttrString(coroutine, "cr_code");
    else if (PyGen_CheckExact(coroutine))
        code = PyObject_GetAttrString(coroutine, "gi_code");
    PyErr_Clear();
    Py_XDECREF(code);               /* the coroutine has it */
    return code != NULL && PyCode_Check(code) ? (PyCodeObject *)code : NULL;
}

struct tk_live *tk_live_of(PyObject *task, struct tk_loop *loop)
{
    struct tk_live *live = tk_find(task);
    if (TK_LIKELY(live != NULL))
        return live;
    PyObject *coroutine = ask(task, get_coroutine, text_coroutine);
    live = tk_live_made(task, loop, tk_code_of(coroutine));
    Py_XDECREF(coroutine);
    return live;
}

void tk_take_name(PyObject *task, struct tk_task *slot)
{
    PyObject *name = PyObject_CallMethodNoArgs(task, text_name);
    const char *text = name != NULL && PyUnicode_Check(name) ? PyUnicode_AsUTF8(name) : NULL;
    if (text != NULL)
        strncpy(slot->name, text, sizeof slot->name - 1);
    PyErr_Clear();
    Py_XDECREF(name);
}

enum tk_outcome tk_outcome_of(PyObject *task)
{
    PyObject *state = ask(task, get_state, text_state);
    enum tk_outcome outcome = TK_PENDING;
    if (state != NULL && PyUnicode_Check(state) && PyUnicode_GET_LENGTH(state) > 0) {
        Py_UCS4 first = PyUnicode_READ_CHAR(state, 0);
        outcome = first == 'F' ? TK_OK : first == 'C' ? TK_CANCELLED : TK_PENDING;
    }
    Py_XDECREF(state);
    if (outcome == TK_OK) {
        PyObject *failed = PyObject_GetAttrString(task, "_exception");
        if (failed != NULL && failed != Py_None)
            outcome = TK_ERROR;
        Py_XDECREF(failed);
        PyErr_Clear();
    }
    return outcome;
}

/* Whether it still is to end: asyncio.timeout() and others take it back. */
bool tk_is_cancelling(PyObject *task)
{
    PyObject *asked = PyObject_CallMethodNoArgs(task, text_cancelling);
    bool still = asked == NULL || PyObject_IsTrue(asked) != 0;
    PyErr_Clear();
    Py_XDECREF(asked);
    return still;
}

static void mark_gathered(struct tk_live *live, PyObject *future)
{
    PyObject *children = PyObject_GetAttr(future, text_children);
    uint32_t number = ++last_gather;
    if (children != NULL && PyList_Check(children))
        for (Py_ssize_t at = 0; at < PyList_GET_SIZE(children); at++) {
            struct tk_live *child = tk_find(PyList_GET_ITEM(children, at));
            if (child != NULL) {
                child->slot->waiter = live->slot->serial;
                child->slot->gathering = number;
            }
        }
    PyErr_Clear();
    Py_XDECREF(children);
}

/* Find out what a task waits for now that its step has ended. */
void tk_note_wait(PyObject *task, struct tk_live *live)
{
    PyObject *future = ask(task, get_waiter, text_waiter), *coroutine = ask(task, get_coroutine, text_coroutine);
    uint32_t stack = tk_await_stack(coroutine), on = 0;
    uint8_t flags = 0;
    if (future == NULL || future == Py_None)
        flags = live->ready.at_ns != 0 ? TK_P_YIELDED : 0;
    else if (is_task(future)) {
        struct tk_live *other = tk_find(future);
        flags = TK_P_ON_TASK;
        if (other != NULL) {
            on = other->slot->serial;
            other->slot->waiter = live->slot->serial;
        }
    } else if (gather_type != NULL && Py_IS_TYPE(future, gather_type)) {
        flags = TK_P_GATHER | TK_P_ON_TASK;
        mark_gathered(live, future);
    }
    tk_step_awaits(live, stack, on, flags);
    Py_XDECREF(future);
    Py_XDECREF(coroutine);
}

/* learn(events or tasks module): what the types look like here. */
PyObject *tk_learn(PyObject *self, PyObject *module)
{
    (void)self;
    PyTypeObject *handle = type_named(module, "Handle"), *task = type_named(module, "Task");
    if (handle != NULL) {
        tk_callback_at = member_at((PyObject *)handle, "_callback");
        tk_loop_at = member_at((PyObject *)handle, "_loop");
        tk_args_at = member_at((PyObject *)handle, "_args");
        tk_timer_type = type_named(module, "TimerHandle");
        tk_when_at = tk_timer_type != NULL ? member_at((PyObject *)tk_timer_type, "_when") : 0;
    }
    if (task != NULL) {
        py_task_type = type_named(module, "_PyTask");
        if (task != py_task_type)
            task_type = type_named(module, "_CTask");
        get_waiter = find_getter(task_type, "_fut_waiter");
        get_state = find_getter(task_type, "_state");
        get_coroutine = find_getter(task_type, "_coro");
        gather_type = type_named(module, "_GatheringFuture");
    }
    if (text_waiter == NULL) {
        text_waiter = PyUnicode_InternFromString("_fut_waiter");
        text_state = PyUnicode_InternFromString("_state");
        text_coroutine = PyUnicode_InternFromString("_coro");
        text_name = PyUnicode_InternFromString("get_name");
        text_children = PyUnicode_InternFromString("_children");
        text_cancelling = PyUnicode_InternFromString("cancelling");
    }
    Py_RETURN_NONE;
}

