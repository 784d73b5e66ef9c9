/* Putting our functions in the place of methods of others, and back. */
#include "tasks.h"

PyObject *tk_original[TK_HOOKS];
static struct { PyObject *owner, *name, *ours; bool inherited; } hooked[TK_HOOKS];

/* Also where Python code may not: the types of a C extension. NULL takes the attribute away. */
static bool put(PyObject *owner, PyObject *key, PyObject *value)
{
    PyTypeObject *type = (PyTypeObject *)owner;
    int failed;
    if (PyType_Check(owner) && (!(type->tp_flags & Py_TPFLAGS_HEAPTYPE) || type->tp_flags & Py_TPFLAGS_IMMUTABLETYPE)) {
        failed = value != NULL ? PyDict_SetItem(type->tp_dict, key, value) : PyDict_DelItem(type->tp_dict, key);
        PyType_Modified(type);
    } else
        failed = value != NULL ? PyObject_SetAttr(owner, key, value) : PyObject_DelAttr(owner, key);
    if (failed)
        PyErr_Clear();
    return !failed;
}

static bool is_inherited(PyObject *owner, PyObject *key)
{
    return PyType_Check(owner) && PyDict_GetItem(((PyTypeObject *)owner)->tp_dict, key) == NULL;
}

/* False: there is no such attribute, or it is replaced already. */
bool tk_hook(enum tk_hook which, PyObject *owner, const char *name, PyMethodDef *method)
{
    if (hooked[which].owner != NULL)
        return false;
    PyObject *key = PyUnicode_InternFromString(name);
    PyObject *original = key != NULL ? PyObject_GetAttr(owner, key) : NULL;
    PyObject *ours = NULL;
    if (original != NULL && Py_IS_TYPE(original, &PyMethodDescr_Type))
        method->ml_doc = ((PyMethodDescrObject *)original)->d_method->ml_doc;
    if (original != NULL)
        ours = PyType_Check(owner) ? PyDescr_NewMethod((PyTypeObject *)owner, method) : PyCFunction_New(method, NULL);
    tk_original[which] = original;
    bool inherited = key != NULL && is_inherited(owner, key);
    if (ours == NULL || !put(owner, key, ours)) {
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
    hooked[which].inherited = inherited;
    return true;
}

/* Put back what nobody replaced after us; the others still pass on through us. */
void tk_unhook(void)
{
    for (int which = 0; which < TK_HOOKS; which++) {
        if (hooked[which].owner == NULL)
            continue;
        PyObject *now = PyObject_GetAttr(hooked[which].owner, hooked[which].name);
        PyObject *before = hooked[which].inherited ? NULL : tk_original[which];
        if (now != hooked[which].ours || !put(hooked[which].owner, hooked[which].name, before)) {
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
    PyObject *few[16], **all = total <= 14 ? few : PyMem_Malloc((size_t)(total + 2) * sizeof *all);
    if (all == NULL)
        return PyErr_NoMemory();
    all[1] = self;
    for (Py_ssize_t at = 0; at < total; at++)
        all[at + 2] = args[at];
    PyObject *result = PyObject_Vectorcall(tk_original[which], all + 1,
                                           (size_t)(count + 1) | PY_VECTORCALL_ARGUMENTS_OFFSET, names);
    if (all != few)
        PyMem_Free(all);
    return result;
}
