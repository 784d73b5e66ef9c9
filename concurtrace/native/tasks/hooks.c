/* Putting our functions in the place of methods of others, and back. */
#include "tasks.h"

PyObject *tk_original[TK_HOOKS];
static struct { PyObject *owner, *name, *ours; } hooked[TK_HOOKS];

/* False: there is no such attribute, or it is replaced already. */
bool tk_hook(enum tk_hook which, PyObject *owner, const char *name, PyMethodDef *method)
{
    if (hooked[which].owner != NULL)
        return false;
    PyObject *key = PyUnicode_InternFromString(name);
    PyObject *original = key != NULL ? PyObject_GetAttr(owner, key) : NULL;
    PyObject *ours = NULL;
    if (original != NULL)
        ours = PyType_Check(owner) ? PyDescr_NewMethod((PyTypeObject *)owner, method) : PyCFunction_New(method, NULL);
    tk_original[which] = original;
    if (ours == NULL || PyObject_SetAttr(owner, key, ours) < 0) {
        PyErr_Clear();
        Py_CLEAR(tk_original[which]);
        Py_XDECREF(key);
        Py_XDECREF(ours);
        return false;
    }
    Py_INCREF(owner);
    hooked[which].owner = owner;
    hooked[which].name = key;
    hooked[which].ours = ours;
    return true;
}

/* Put back what nobody replaced after us; the others still pass on through us. */
void tk_unhook(void)
{
    for (int which = 0; which < TK_HOOKS; which++) {
        if (hooked[which].owner == NULL)
            continue;
        PyObject *now = PyObject_GetAttr(hooked[which].owner, hooked[which].name);
        if (now != hooked[which].ours || PyObject_SetAttr(hooked[which].owner, hooked[which].name, tk_original[which]) < 0) {
            PyErr_Clear();
            Py_XDECREF(now);
            continue;
        }
        Py_DECREF(now);
        Py_CLEAR(hooked[which].owner);
        Py_CLEAR(hooked[which].name);
        Py_CLEAR(hooked[which].ours);
        /* Kept: a call that is under way comes back to it, and so does who took a reference. */
    }
}

/* Call the original as a method. */
PyObject *tk_pass(enum tk_hook which, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    Py_ssize_t total = count + (names != NULL ? PyTuple_GET_SIZE(names) : 0);
    if (total > 14) {
        PyErr_SetString(PyExc_TypeError, "too many arguments");
        return NULL;
    }
    PyObject *all[16];
    all[1] = self;
    for (Py_ssize_t at = 0; at < total; at++)
        all[at + 2] = args[at];
    return PyObject_Vectorcall(tk_original[which], all + 1, (size_t)(count + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
}
