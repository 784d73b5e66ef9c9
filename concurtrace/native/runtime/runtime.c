/* concurtrace._runtime: tells the recorder what only Python itself knows: its garbage collections, its queues.
 *
 * The recorder is preloaded into this process; its functions are looked up once. All of it runs under the GIL. */
#define PY_SSIZE_T_CLEAN
#include <Python.h>

#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

#define QUEUES 64   /* as many as the recorder watches */

static struct {
    void (*collector_watched)(void);
    void (*collector_begins)(void);
    void (*collector_ends)(unsigned generation, uint64_t freed);
    int (*queue_made)(const int64_t *length, const uint64_t *moved);
    void (*queue_gone)(int at);
} recorder;

static PyObject *generation_key, *collected_key;
static PyObject *deque_type;

static void find(const char *name, void *function)
{
    void *symbol = dlsym(RTLD_DEFAULT, name);
    memcpy(function, &symbol, sizeof symbol);
}

/* ---- collections ---- */

static PyObject *collecting(PyObject *self, PyObject *const *args, Py_ssize_t count)
{
    (void)self;
    if (count != 2 || !PyUnicode_Check(args[0]) || !PyDict_Check(args[1]))
        Py_RETURN_NONE;
    if (PyUnicode_CompareWithASCIIString(args[0], "start") == 0) {
        recorder.collector_begins();
        Py_RETURN_NONE;
    }
    PyObject *generation = PyDict_GetItemWithError(args[1], generation_key);
    PyObject *freed = PyDict_GetItemWithError(args[1], collected_key);
    if (generation != NULL && freed != NULL)
        recorder.collector_ends((unsigned)PyLong_AsLong(generation), (uint64_t)PyLong_AsLongLong(freed));
    PyErr_Clear();   /* numbers of another kind than we know */
    Py_RETURN_NONE;
}

static PyMethodDef collecting_method = {"collecting", (PyCFunction)(void (*)(void))collecting, METH_FASTCALL,
                                        "Tell the recorder of a phase of a garbage collection."};
static PyObject *callback;

static PyObject *callbacks(void)
{
    PyObject *gc = PyImport_ImportModule("gc");
    PyObject *found = gc != NULL ? PyObject_GetAttrString(gc, "callbacks") : NULL;
    Py_XDECREF(gc);
    return found;
}

/* watch_collector(): begin to tell the recorder of collections; harmless when called again. */
static PyObject *watch_collector(PyObject *self, PyObject *none)
{
    (void)none;
    if (recorder.collector_ends == NULL)
        Py_RETURN_NONE;
    recorder.collector_watched();
    if (callback != NULL)
        Py_RETURN_NONE;
    PyObject *list = callbacks();
    callback = list != NULL ? PyCFunction_New(&collecting_method, self) : NULL;
    int failed = callback == NULL || PyList_Append(list, callback) < 0;
    Py_XDECREF(list);
    if (failed) {
        Py_CLEAR(callback);
        return NULL;
    }
    Py_RETURN_NONE;
}

/* leave_collector(): tell no more of them. */
static PyObject *leave_collector(PyObject *self, PyObject *none)
{
    (void)self;
    (void)none;
    if (callback == NULL)
        Py_RETURN_NONE;
    PyObject *list = callbacks();
    if (list == NULL)
        return NULL;
    Py_ssize_t at = PySequence_Index(list, callback);
    int failed = at >= 0 && PySequence_DelItem(list, at) < 0;
    Py_DECREF(list);
    if (failed)
        return NULL;
    PyErr_Clear();   /* somebody else took it out */
    Py_CLEAR(callback);
    Py_RETURN_NONE;
}

/* ---- queues ---- */

/* A deque's beginning, as it is in CPython 3.11 to 3.13; watch_queue sees whether it is so. */
struct deque {
    PyObject_VAR_HEAD
    void *left, *right;
    Py_ssize_t left_index, right_index;
    size_t state;   /* counts up whenever an item is put in or taken out */
};

static PyObject *refs[QUEUES];   /* to the deques, by the recorder's places */

static PyObject *queue_gone(PyObject *self, PyObject *ref)
{
    (void)self;
    for (int place = 0; place < QUEUES; place++)
        if (refs[place] == ref) {
            recorder.queue_gone(place);
            Py_CLEAR(refs[place]);
        }
    Py_RETURN_NONE;
}

static PyMethodDef queue_gone_method = {"queue_gone", queue_gone, METH_O, "Forget a queue that is no more."};
static PyObject *gone_callback;

/* Is a deque what we take it for? Tried on one of its own. */
static bool deque_is_known(void)
{
    static int known = -1;
    if (known >= 0)
        return known;
    known = 0;
    PyObject *made = PyObject_CallNoArgs(deque_type);
    PyObject *result = NULL;
    const struct deque *deque = (const struct deque *)made;
    bool good = made != NULL && Py_TYPE(made)->tp_basicsize >= (Py_ssize_t)sizeof(struct deque);
    for (int step = 0; good && step < 3; step++) {
        size_t state = deque->state;
        result = step < 2 ? PyObject_CallMethod(made, "append", "i", step) : PyObject_CallMethod(made, "popleft", NULL);
        good = result != NULL && deque->state == state + 1 && Py_SIZE(made) == (step < 2 ? step + 1 : 1);
        Py_XDECREF(result);
    }
    PyErr_Clear();
    Py_XDECREF(made);
    known = good;
    return good;
}

/* watch_queue(items): let the recorder read how many items a queue has, as long as there is the deque that they are in.
 * Other containers are let alone: they do not count what goes in and out. */
static PyObject *watch_queue(PyObject *self, PyObject *items)
{
    (void)self;
    if (recorder.queue_made == NULL || (PyObject *)Py_TYPE(items) != deque_type || !deque_is_known())
        Py_RETURN_NONE;
    PyObject *ref = PyWeakref_NewRef(items, gone_callback);
    if (ref == NULL)
        return NULL;
    const struct deque *deque = (const struct deque *)items;
    int place = recorder.queue_made((const int64_t *)&deque->ob_base.ob_size, (const uint64_t *)&deque->state);
    if (place >= 0 && place < QUEUES)
        refs[place] = ref;
    else
        Py_DECREF(ref);
    Py_RETURN_NONE;
}

static PyMethodDef methods[] = {
    {"watch_collector", watch_collector, METH_NOARGS, "Begin to tell the recorder of collections."},
    {"leave_collector", leave_collector, METH_NOARGS, "Tell the recorder no more of collections."},
    {"watch_queue", watch_queue, METH_O, "Let the recorder read the length of a queue's deque."},
    {NULL, NULL, 0, NULL},
};

static struct PyModuleDef module = {PyModuleDef_HEAD_INIT, "concurtrace._runtime",
                                    "Tells the recorder what only Python itself knows.", -1, methods,
                                    NULL, NULL, NULL, NULL};

PyMODINIT_FUNC PyInit__runtime(void)
{
    find("concurtrace_collector_watched", &recorder.collector_watched);
    find("concurtrace_collector_begins", &recorder.collector_begins);
    find("concurtrace_collector_ends", &recorder.collector_ends);
    find("concurtrace_queue_made", &recorder.queue_made);
    find("concurtrace_queue_gone", &recorder.queue_gone);
    PyObject *collections = PyImport_ImportModule("_collections");
    deque_type = collections != NULL ? PyObject_GetAttrString(collections, "deque") : NULL;
    Py_XDECREF(collections);
    generation_key = PyUnicode_InternFromString("generation");
    collected_key = PyUnicode_InternFromString("collected");
    gone_callback = PyCFunction_New(&queue_gone_method, NULL);
    if (deque_type == NULL || generation_key == NULL || collected_key == NULL || gone_callback == NULL)
        return NULL;
    return PyModule_Create(&module);
}
