/* concurtrace._tasks: records what event loops run, in the process that it is loaded into. */
#include "tasks.h"

#include <string.h>

static void forget(void)
{
    tk_asyncio_clear();
    tk_greenlets_clear();
    tk_steps_clear();
    tk_tasks_clear();
    tk_names_clear();
}

/* start(path, budget_path, max_bytes): raise OSError if the file cannot be made. */
static PyObject *start(PyObject *self, PyObject *args)
{
    (void)self;
    const char *path, *budget;
    unsigned long long max_bytes;
    if (!PyArg_ParseTuple(args, "ssK", &path, &budget, &max_bytes))
        return NULL;
    if (tk_head != NULL)
        Py_RETURN_NONE;
    tk_names_init();
    if (!tk_file_open(path, budget, max_bytes))
        return PyErr_SetFromErrnoWithFilename(PyExc_OSError, path);
    Py_RETURN_NONE;
}

static PyObject *stop(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    tk_unhook();
    if (tk_on()) {
        tk_jobs_clear(true);
        tk_tasks_finish();
    }
    bool inherited = tk_head != NULL && !*tk_alive;
    tk_file_close(inherited);
    forget();
    Py_RETURN_NONE;
}

/* abandon(): in a forked child, let go of what is the parent's. */
static PyObject *abandon(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    tk_jobs_clear(false);
    tk_file_close(true);
    forget();
    Py_RETURN_NONE;
}

static const struct { const char *name; enum tk_hook which; } hooks[] = {
    {"run", TK_RUN}, {"run_once", TK_RUN_ONCE}, {"call_soon", TK_CALL_SOON}, {"failed", TK_FAILED},
    {"close", TK_CLOSE}, {"cancel_all", TK_CANCEL_ALL}, {"cancel", TK_CANCEL}, {"cancel_py", TK_CANCEL_PY},
    {"unawaited", TK_UNAWAITED}, {"uvloop_soon", TK_UV_SOON}, {"uvloop_threadsafe", TK_UV_THREADSAFE},
    {"uvloop_later", TK_UV_LATER}, {"uvloop_failed", TK_UV_FAILED}, {"uvloop_close", TK_UV_CLOSE},
    {"job_init", TK_JOB_INIT}, {"job_run", TK_JOB_RUN}, {"select_epoll", TK_SELECT}, {"select_poll", TK_SELECT_POLL},
    {"select_select", TK_SELECT_SELECT}, {"twisted_inline", TK_TW_INLINE}, {"twisted_delayed", TK_TW_DELAYED},
    {"twisted_event", TK_TW_EVENT},
};

/* hook(owner, attribute, what): put our function in its place; False where it is there already. */
static PyObject *hook(PyObject *self, PyObject *args)
{
    (void)self;
    PyObject *owner;
    const char *name, *what;
    if (!PyArg_ParseTuple(args, "Oss", &owner, &name, &what))
        return NULL;
    for (size_t at = 0; at < sizeof hooks / sizeof *hooks; at++)
        if (strcmp(hooks[at].name, what) == 0) {
            enum tk_hook which = hooks[at].which;
            PyMethodDef *method = &tk_asyncio_hooks[which];
            if (which >= TK_TW_INLINE)
                method = &tk_twisted_hooks[which - TK_TW_INLINE];
            else if (which >= TK_UV_SOON)
                method = &tk_uvloop_hooks[which - TK_UV_SOON];
            else if (which >= TK_JOB_INIT)
                method = &tk_job_hooks[which - TK_JOB_INIT];
            return PyBool_FromLong(tk_hook(which, owner, name, method));
        }
    return PyErr_Format(PyExc_ValueError, "there is no hook %s", what);
}

static PyMethodDef methods[] = {
    {"start", start, METH_VARARGS, "start(path, budget_path, max_bytes): begin a recording."},
    {"stop", stop, METH_NOARGS, "stop(): end the recording and put back what was replaced."},
    {"abandon", abandon, METH_NOARGS, "abandon(): let go, in a forked child, of the parent's recording."},
    {"hook", hook, METH_VARARGS, "hook(owner, attribute, what): watch a method."},
    {"learn", tk_learn, METH_O, "learn(module): see what the types of asyncio look like."},
    {"switched", (PyCFunction)(void *)tk_greenlet_switched, METH_FASTCALL, "switched(event, (origin, target))"},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef definition = {
    PyModuleDef_HEAD_INIT, "concurtrace._tasks", "The recorder of tasks; see native/tasks/.", -1, methods,
    NULL, NULL, NULL, NULL,
};

PyMODINIT_FUNC PyInit__tasks(void) { return PyModule_Create(&definition); }
