/* greenlets: every switch is told by greenlet.settrace. */
#include "tasks.h"

PyObject *tk_greenlet_switched(PyObject *module, PyObject *const *args, Py_ssize_t count)
{
    (void)module;
    (void)args;
    (void)count;
    Py_RETURN_NONE;
}

void tk_greenlets_clear(void) {}
