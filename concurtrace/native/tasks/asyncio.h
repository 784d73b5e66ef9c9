/* What the parts share that deal with asyncio. */
#ifndef CONCURTRACE_TASKS_ASYNCIO_H
#define CONCURTRACE_TASKS_ASYNCIO_H

#include "tasks.h"

/* ---- await.c ---- */

extern Py_ssize_t tk_callback_at, tk_loop_at, tk_args_at, tk_when_at;      /* in handles; 0: not known */
extern PyTypeObject *tk_timer_type;

static inline PyObject *tk_slot(PyObject *object, Py_ssize_t at)
{
    return at ? *(PyObject **)((char *)object + at) : NULL;
}

PyObject *tk_task_of(PyObject *callback);
PyCodeObject *tk_code_of(PyObject *coroutine);
struct tk_live *tk_live_of(PyObject *task, struct tk_loop *loop);
void tk_take_name(PyObject *task, struct tk_task *slot);
enum tk_outcome tk_outcome_of(PyObject *task);
void tk_note_wait(PyObject *task, struct tk_live *live);
bool tk_is_cancelling(PyObject *task);

/* ---- asyncio.c: one callback ---- */

struct iteration {                  /* of a loop, in the C stack of its thread */
    struct iteration *outer;
    struct tk_loop *loop;
    struct tk_current *inside;      /* the step that runs the loop, where loops are nested */
    uint64_t generation, start_ns, idle_ns, poll_start_ns, poll_end_ns, handles;
};

extern _Thread_local struct iteration *tk_iteration;

struct turn {                       /* a callback that runs, in the C stack of who runs it */
    struct tk_current here;
    PyObject *task;                 /* NULL: it is no step of a task */
    struct tk_live *live;
    struct tk_loop *loop;
};

void tk_turn_of(struct turn *turn, PyObject *callback, PyObject *owner);
void tk_turn_begin(struct turn *turn, PyObject *callback, PyObject *arguments, const struct tk_ready *since);
PyObject *tk_turn_end(struct turn *turn, PyObject *result);

PyObject *tk_run(PyObject *handle, PyObject *none);
PyObject *tk_call_soon(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *tk_cancel(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);
PyObject *tk_cancel_py(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

/* ---- faults.c ---- */

PyObject *tk_close_loop(PyObject *self, PyObject *none);
PyObject *tk_cancel_all(PyObject *module, PyObject *loop);
void tk_note_failure(PyObject *context);
PyObject *tk_failed(PyObject *self, PyObject *context);
PyObject *tk_unawaited(PyObject *module, PyObject *coroutine);

#endif
