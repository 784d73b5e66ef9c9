/* asyncio's loops: iterations, and the time in the selector. */
#include "asyncio.h"

static PyObject *run_once(PyObject *self, PyObject *none)
{
    (void)none;
    struct tk_loop *loop = tk_on() ? tk_loop_of(self, TK_ASYNCIO) : NULL;
    if (loop == NULL)
        return PyObject_CallOneArg(tk_original[TK_RUN_ONCE], self);
    struct iteration here = {
        .outer = tk_iteration, .loop = loop, .inside = tk_current, .generation = tk_generation, .start_ns = tk_now(),
    };
    here.poll_start_ns = here.poll_end_ns = here.start_ns;
    loop->tid = tk_tid();
    loop->iterations++;
    tk_iteration = &here;
    PyObject *result = PyObject_CallOneArg(tk_original[TK_RUN_ONCE], self);
    tk_iteration = here.outer;
    if (!tk_on() || here.generation != tk_generation)
        return result;
    uint64_t end_ns = tk_now(), whole_ns = end_ns - here.start_ns;
    uint64_t busy_ns = whole_ns > here.idle_ns ? whole_ns - here.idle_ns : 0;
    loop->end_ns = end_ns;
    loop->in_ns += whole_ns;
    loop->iteration[tk_bucket(busy_ns)]++;
    loop->ready_sum += here.handles;
    if (here.handles > loop->ready_most)
        loop->ready_most = here.handles;
    if (busy_ns > loop->longest_iteration_ns) {
        loop->longest_iteration_ns = busy_ns;
        loop->longest_iteration_at_ns = here.start_ns;
    }
    return result;
}

static PyObject *selected(enum tk_hook which, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    struct iteration *here = tk_iteration;
    if (here == NULL || !tk_on() || here->generation != tk_generation || tk_current != here->inside)
        return tk_pass(which, self, args, count, names);
    bool waits = !(count > 0 && PyLong_CheckExact(args[0]) && PyLong_AsLong(args[0]) == 0);
    here->poll_start_ns = tk_now();
    PyObject *result = tk_pass(which, self, args, count, names);
    if (!tk_on() || here->generation != tk_generation)
        return result;
    here->poll_end_ns = tk_now();
    here->loop->polls++;
    if (waits) {
        here->idle_ns += here->poll_end_ns - here->poll_start_ns;
        here->loop->idle_ns += here->poll_end_ns - here->poll_start_ns;
    }
    return result;
}

#define SELECTED(function, which)                                                                                  \
    static PyObject *function(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)             \
    {                                                                                                              \
        return selected(which, self, args, count, names);                                                          \
    }
SELECTED(selected_epoll, TK_SELECT)
SELECTED(selected_poll, TK_SELECT_POLL)
SELECTED(selected_select, TK_SELECT_SELECT)

#define KEYWORDS (METH_FASTCALL | METH_KEYWORDS)
PyMethodDef tk_asyncio_hooks[] = {
    [TK_RUN] = {"_run", tk_run, METH_NOARGS, NULL},
    [TK_RUN_ONCE] = {"_run_once", run_once, METH_NOARGS, NULL},
    [TK_CALL_SOON] = {"_call_soon", (PyCFunction)(void *)tk_call_soon, KEYWORDS, NULL},
    [TK_FAILED] = {"call_exception_handler", tk_failed, METH_O, NULL},
    [TK_CLOSE] = {"close", tk_close_loop, METH_NOARGS, NULL},
    [TK_CANCEL_ALL] = {"_cancel_all_tasks", tk_cancel_all, METH_O, NULL},
    [TK_CANCEL] = {"cancel", (PyCFunction)(void *)tk_cancel, KEYWORDS, NULL},
    [TK_CANCEL_PY] = {"cancel", (PyCFunction)(void *)tk_cancel_py, KEYWORDS, NULL},
    [TK_UNAWAITED] = {"_warn_unawaited_coroutine", tk_unawaited, METH_O, NULL},
    [TK_SELECT] = {"select", (PyCFunction)(void *)selected_epoll, KEYWORDS, NULL},
    [TK_SELECT_POLL] = {"select", (PyCFunction)(void *)selected_poll, KEYWORDS, NULL},
    [TK_SELECT_SELECT] = {"select", (PyCFunction)(void *)selected_select, KEYWORDS, NULL},
};

