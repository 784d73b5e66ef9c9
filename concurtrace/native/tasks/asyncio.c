/* asyncio: every callback of every loop runs through Handle._run, and becomes ready in _call_soon. */
#include "asyncio.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/un.h>

#define LONG_WAIT_NS 1000000u       /* from which the peer is asked for */

_Thread_local struct iteration *tk_iteration;

static struct tk_map ready;         /* handle -> struct tk_ready */
static PyObject *text_fd, *text_fileno;

static struct tk_ready ready_of(PyObject *handle)
{
    struct tk_ready found = {.source = TK_FROM_UNKNOWN}, *known = tk_map_take(&ready, (uintptr_t)handle, 0);
    struct iteration *here = tk_iteration != NULL && tk_iteration->generation == tk_generation ? tk_iteration : NULL;
    if (known != NULL) {
        found = *known;
        free(known);
    } else if (tk_timer_type != NULL && Py_IS_TYPE(handle, tk_timer_type)) {
        PyObject *when = tk_slot(handle, tk_when_at);
        found.source = TK_FROM_TIMER;
        if (here != NULL)
            found.at_ns = here->poll_end_ns;
        if (when != NULL && PyFloat_CheckExact(when) && here != NULL) {
            /* Due while the loop was busy: late since then. Due in the selector: that rounds up. */
            double due = PyFloat_AS_DOUBLE(when) * 1e9;
            if (due > (double)here->poll_start_ns - 3600e9 && due < (double)here->poll_start_ns)
                found.at_ns = (uint64_t)due;
        }
    } else if (here != NULL) {
        found.source = TK_FROM_IO;
        found.at_ns = here->poll_end_ns;
    }
    return found;
}

/* Find out whose step a callback is. */
void tk_turn_of(struct turn *turn, PyObject *callback, PyObject *owner)
{
    turn->task = tk_task_of(callback);
    turn->loop = owner != NULL ? tk_loop_of(owner, TK_ASYNCIO) : NULL;
    turn->live = turn->task != NULL ? tk_live_of(turn->task, turn->loop) : NULL;
    Py_XINCREF(turn->task);
    if (turn->live != NULL && !(turn->live->slot->flags & TK_T_FIRST))
        tk_take_name(turn->task, turn->live->slot);
}

static void take_note(struct turn *turn)
{
    struct tk_live *live = turn->live;
    enum tk_outcome outcome = tk_outcome_of(turn->task);
    tk_step_end(&turn->here, outcome);
    if (outcome != TK_PENDING) {
        tk_forget(turn->task);
        return;
    }
    if (TK_UNLIKELY(live->cancel_ns) && !tk_is_cancelling(turn->task))
        tk_not_cancelling(live);
    tk_note_wait(turn->task, live);
}

/* The step begins. A handle that is cancelled by what it runs lets go of both callback and arguments. */
void tk_turn_begin(struct turn *turn, PyObject *callback, PyObject *arguments, const struct tk_ready *since)
{
    Py_XINCREF(callback);
    Py_XINCREF(arguments);
    tk_step_begin(&turn->here, turn->live, turn->loop, since);
    turn->here.callback = callback;
    turn->here.arguments = arguments;
}

/* The callback has returned: its result, or NULL and its exception, pass through. */
PyObject *tk_turn_end(struct turn *turn, PyObject *result)
{
    PyObject *kind = NULL, *value = NULL, *trace = NULL;
    if (TK_UNLIKELY(result == NULL))
        PyErr_Fetch(&kind, &value, &trace);
    if (turn->live == NULL || TK_UNLIKELY(!tk_on() || turn->here.generation != tk_generation))
        tk_step_end(&turn->here, TK_PENDING);   /* a callback; or forked, or the recording has ended meanwhile */
    else
        take_note(turn);
    Py_XDECREF(turn->task);
    Py_XDECREF(turn->here.callback);
    Py_XDECREF(turn->here.arguments);
    if (kind != NULL)
        PyErr_Restore(kind, value, trace);
    return result;
}

PyObject *tk_run(PyObject *handle, PyObject *none)
{
    (void)none;
    if (TK_UNLIKELY(!tk_on()))
        return PyObject_CallOneArg(tk_original[TK_RUN], handle);
    struct turn turn;
    PyObject *callback = tk_slot(handle, tk_callback_at);
    tk_turn_of(&turn, callback, tk_slot(handle, tk_loop_at));
    struct tk_ready since = turn.live != NULL ? turn.live->ready : ready_of(handle);
    if (tk_iteration != NULL)
        tk_iteration->handles++;
    tk_turn_begin(&turn, callback, tk_slot(handle, tk_args_at), &since);
    return tk_turn_end(&turn, PyObject_CallOneArg(tk_original[TK_RUN], handle));
}

/* ---- BaseEventLoop._call_soon: here a callback, or a task, becomes ready ---- */

static uint32_t peer_text(int file)
{
    union { struct sockaddr any; struct sockaddr_in v4; struct sockaddr_in6 v6; struct sockaddr_un local; } at;
    socklen_t size = sizeof at;
    char address[INET6_ADDRSTRLEN], text[160];
    if (file < 0 || getpeername(file, &at.any, &size) != 0)
        return 0;
    if (at.any.sa_family == AF_INET && inet_ntop(AF_INET, &at.v4.sin_addr, address, sizeof address))
        snprintf(text, sizeof text, "%s:%u", address, ntohs(at.v4.sin_port));
    else if (at.any.sa_family == AF_INET6 && inet_ntop(AF_INET6, &at.v6.sin6_addr, address, sizeof address))
        snprintf(text, sizeof text, "[%s]:%u", address, ntohs(at.v6.sin6_port));
    else if (at.any.sa_family == AF_UNIX)
        snprintf(text, sizeof text, "unix:%.*s", (int)(size - sizeof(sa_family_t)), at.local.sun_path);
    else
        return 0;
    return tk_text(text);
}

/* The peer of the socket or transport that a reader's callback belongs to. */
static uint32_t peer_of(PyObject *callback, PyObject *arguments)
{
    PyObject *number = NULL;
    if (text_fd == NULL) {
        text_fd = PyUnicode_InternFromString("_sock_fd");
        text_fileno = PyUnicode_InternFromString("fileno");
    }
    if (callback != NULL && PyMethod_Check(callback))
        number = PyObject_GetAttr(PyMethod_GET_SELF(callback), text_fd);
    for (Py_ssize_t at = 0; number == NULL && arguments != NULL && at < PyTuple_GET_SIZE(arguments); at++) {
        PyErr_Clear();
        number = PyObject_CallMethodNoArgs(PyTuple_GET_ITEM(arguments, at), text_fileno);
    }
    long file = number != NULL && PyLong_Check(number) ? PyLong_AsLong(number) : -1;
    Py_XDECREF(number);
    PyErr_Clear();
    return peer_text((int)file);
}

static void became_ready(PyObject *owner, PyObject *callback, PyObject *handle)
{
    uint64_t now_ns = tk_now();
    struct tk_loop *loop = tk_loop_of(owner, TK_ASYNCIO);
    PyObject *task = tk_task_of(callback);
    struct tk_live *live = task != NULL ? tk_live_of(task, loop) : NULL;
    bool elsewhere = loop != NULL && loop->iterations && loop->tid != tk_tid();
    enum tk_source source = elsewhere ? TK_FROM_THREAD : TK_FROM_UNKNOWN;
    if (live != NULL) {
        tk_wake(live, source, now_ns);
        if (elsewhere)
            live->ready.tid = tk_tid();
        struct tk_current *here = tk_current;
        if (live->ready.source == TK_FROM_IO && here != NULL && here->live == NULL && live->slot->flags & TK_T_FIRST &&
            now_ns - live->waits_ns > LONG_WAIT_NS)
            live->ready.thing = peer_of(here->callback, here->arguments);
        return;
    }
    struct tk_ready *made = malloc(sizeof *made);
    void **found = made != NULL ? tk_map_at(&ready, (uintptr_t)handle, 0) : NULL;
    if (found == NULL) {
        free(made);
        return;
    }
    *made = tk_waker(source, now_ns);
    if (elsewhere) {
        made->tid = tk_tid();
        made->source = TK_FROM_THREAD;
    }
    free(*found);                   /* of a handle that never ran */
    *found = made;
}

PyObject *tk_call_soon(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *handle = tk_pass(TK_CALL_SOON, self, args, count, names);
    if (handle != NULL && count > 0 && TK_LIKELY(tk_on()))
        became_ready(self, args[0], handle);
    return handle;
}

/* ---- Task.cancel ---- */

static PyObject *cancelled(enum tk_hook which, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *result = tk_pass(which, self, args, count, names);
    struct tk_live *live = result == Py_True && tk_on() ? tk_find(self) : NULL;
    if (live != NULL)
        tk_cancelling(live);
    return result;
}

PyObject *tk_cancel(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return cancelled(TK_CANCEL, self, args, count, names);
}

PyObject *tk_cancel_py(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    return cancelled(TK_CANCEL_PY, self, args, count, names);
}

void tk_asyncio_clear(void)
{
    for (size_t at = 0; at < ready.size; at++)
        if ((uintptr_t)ready.rows[at].value > 1)
            free(ready.rows[at].value);
    tk_map_clear(&ready);
}
