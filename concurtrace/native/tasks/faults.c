/* What goes wrong without anybody being told: exceptions nobody asks for, tasks nobody waits for. */
#include "asyncio.h"

#include <string.h>

static PyObject *text_name;

PyObject *tk_close_loop(PyObject *self, PyObject *none)
{
    (void)none;
    if (tk_on())
        tk_loop_closed(self);
    return PyObject_CallOneArg(tk_original[TK_CLOSE], self);
}

PyObject *tk_cancel_all(PyObject *module, PyObject *loop)
{
    (void)module;
    struct tk_loop *known = tk_on() ? tk_loop_of(loop, TK_ASYNCIO) : NULL;
    if (known != NULL && tk_mark_shutdown(known) != 0)
        tk_fault(TK_SHUTDOWN, 0, 0, 0);
    return PyObject_CallOneArg(tk_original[TK_CANCEL_ALL], loop);
}

static uint32_t describe(PyObject *future, PyObject *exception)
{
    if (text_name == NULL)
        text_name = PyUnicode_InternFromString("get_name");
    PyObject *name = future != NULL ? PyObject_CallMethodNoArgs(future, text_name) : NULL;
    PyErr_Clear();
    PyObject *text = NULL;
    if (name != NULL && exception != NULL)
        text = PyUnicode_FromFormat("%S: %s: %S", name, Py_TYPE(exception)->tp_name, exception);
    else if (exception != NULL)
        text = PyUnicode_FromFormat("%s: %S", Py_TYPE(exception)->tp_name, exception);
    else if (name != NULL)
        text = PyUnicode_FromFormat("%S", name);
    const char *utf8 = text != NULL ? PyUnicode_AsUTF8(text) : NULL;
    uint32_t id = utf8 != NULL ? tk_text(utf8) : 0;
    PyErr_Clear();
    Py_XDECREF(name);
    Py_XDECREF(text);
    return id;
}

uint32_t tk_exception_stack(PyObject *exception)
{
    PyObject *trace = PyException_GetTraceback(exception);
    uint32_t id = 0;
    for (PyTracebackObject *at = (PyTracebackObject *)trace; at != NULL; at = at->tb_next) {
        PyCodeObject *code = PyFrame_GetCode(at->tb_frame);
        id = tk_node(id, code, at->tb_lasti);
        Py_DECREF(code);
    }
    Py_XDECREF(trace);
    return id;
}

/* Take note of what a loop's call_exception_handler is told. */
void tk_note_failure(PyObject *context)
{
    if (!tk_on() || !PyDict_Check(context))
        return;
    PyObject *message = PyDict_GetItemString(context, "message");
    PyObject *exception = PyDict_GetItemString(context, "exception"), *future = PyDict_GetItemString(context, "task");
    const char *text = message != NULL && PyUnicode_Check(message) ? PyUnicode_AsUTF8(message) : "";
    if (future == NULL)
        future = PyDict_GetItemString(context, "future");
    enum tk_fault_kind kind = 0;
    if (text == NULL)
        PyErr_Clear();
    else if (strstr(text, "never retrieved") != NULL)
        kind = TK_NEVER_RETRIEVED;
    else if (strstr(text, "destroyed but it is pending") != NULL)
        kind = TK_DESTROYED_PENDING;
    else if (strstr(text, "Exception in callback") != NULL)
        kind = TK_CALLBACK_FAILED;
    if (kind != 0) {
        struct tk_live *live = future != NULL ? tk_find(future) : NULL;
        uint32_t stack = exception != NULL ? tk_exception_stack(exception) : live != NULL ? live->slot->waits_at : 0;
        tk_fault(kind, live != NULL ? live->slot->serial : 0, describe(future, exception), stack);
        if (live != NULL && kind == TK_DESTROYED_PENDING) {
            live->slot->outcome = TK_DESTROYED;
            tk_forget(future);
        }
    }
}

PyObject *tk_failed(PyObject *self, PyObject *context)
{
    tk_note_failure(context);
    return PyObject_CallFunctionObjArgs(tk_original[TK_FAILED], self, context, NULL);
}

PyObject *tk_unawaited(PyObject *module, PyObject *coroutine)
{
    (void)module;
    PyCodeObject *code = tk_on() ? tk_code_of(coroutine) : NULL;
    if (code != NULL) {
        const char *name = PyUnicode_AsUTF8(code->co_qualname);
        tk_fault(TK_NEVER_AWAITED, 0, name != NULL ? tk_text(name) : 0, tk_node(0, code, -1));
        PyErr_Clear();
    }
    return PyObject_CallOneArg(tk_original[TK_UNAWAITED], coroutine);
}

