/* What the parts of the task recorder share. All of it runs under the GIL. */
#ifndef CONCURTRACE_TASKS_H
#define CONCURTRACE_TASKS_H

#define PY_SSIZE_T_CLEAN
#include <Python.h>
#include <stdbool.h>
#include <stdint.h>
#include <time.h>

#include "format.h"

#define TK_LIKELY(x) __builtin_expect(!!(x), 1)
#define TK_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- file.c ---- */

struct tk_shared {              /* <folder>/budget.ctb: what all processes of the run have used */
    uint64_t used;
    uint64_t max_bytes;
};

extern struct tk_header *tk_head;           /* NULL: nothing is recorded */
extern volatile unsigned char *tk_alive;    /* 0 in a forked child, which has to start anew */
extern uint64_t tk_generation;              /* counts recordings of this process and its forefathers */

bool tk_file_open(const char *path, const char *budget, uint64_t max_bytes);
void tk_file_close(bool by_parent);
void *tk_add(enum tk_kind kind, uint32_t size);      /* room for an item; NULL where there is none */
void *tk_add_hidden(enum tk_kind kind, uint32_t size);  /* as above; counted by tk_publish */
void *tk_add_at_last(enum tk_kind kind, uint32_t size); /* as tk_add, also from what is reserved */
void tk_publish(enum tk_kind kind, uint32_t size);
double tk_fullness(void);                   /* share of the budget that is used */

static inline uint64_t tk_now(void)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

uint32_t tk_tid(void);

/* Whether there is a recording, and it is this process's own. */
static inline bool tk_on(void) { return tk_head != NULL && *tk_alive; }

/* ---- map.c: from two words to one ---- */

struct tk_map {
    struct tk_map_row { uint64_t key, more; void *value; } *rows;
    size_t size, used, dead;
};
void **tk_map_at(struct tk_map *map, uint64_t key, uint64_t more);        /* makes the row; NULL without memory */
void *tk_map_get(const struct tk_map *map, uint64_t key, uint64_t more);  /* NULL: none */
void *tk_map_take(struct tk_map *map, uint64_t key, uint64_t more);       /* and removes it */
void tk_map_clear(struct tk_map *map);

/* ---- names.c ---- */

uint32_t tk_text(const char *text);
uint32_t tk_code_id(PyCodeObject *code);
uint32_t tk_node(uint32_t parent, PyCodeObject *code, int lasti);
uint32_t tk_node_at(uint32_t parent, PyCodeObject *code, int line);
uint32_t tk_caller_stack(void);             /* of the Python code that runs in this thread */
uint32_t tk_frame_stack(PyFrameObject *frame);
uint32_t tk_callable_stack(PyObject *callable);
uint32_t tk_await_stack(PyObject *coroutine);
void tk_names_clear(void);
void tk_names_init(void);

/* ---- table.c and steps.c ---- */

struct tk_ready { uint64_t at_ns; uint32_t waker, tid, thing; uint8_t source; };

struct tk_live {                /* a task that is known, beside its slot in the file */
    struct tk_task *slot;
    struct tk_ready ready;      /* at_ns 0: it is not ready */
    uint64_t waits_ns;          /* when its last step ended */
    uint64_t cancel_ns;         /* when it was asked to end, 0 = it was not */
    struct tk_cancel *cancel;   /* NULL: there was no room for it */
    struct tk_loop *loop;
    void *object;
    uint8_t waits_flags;        /* TK_P_*: how it waits */
    struct tk_task *group;      /* where it is told where there was no room for its slot in the file; else NULL */
};

struct tk_current {             /* a step that runs, in the C stack of who runs it */
    struct tk_current *outer;
    struct tk_live *live;       /* NULL: a callback */
    struct tk_loop *loop;
    uint64_t start_ns, inner_ns, generation;
    struct tk_ready ready;
    PyObject *callback;         /* and the tuple of its arguments */
    PyObject *arguments;
};

extern _Thread_local struct tk_current *tk_current;

struct tk_loop *tk_loop_of(PyObject *loop, enum tk_flavour flavour);
struct tk_live *tk_find(PyObject *task);
struct tk_live *tk_live_made(PyObject *task, struct tk_loop *loop, PyCodeObject *code);
void tk_forget(PyObject *task);
void tk_settle(struct tk_live *live);
void tk_wake(struct tk_live *live, enum tk_source source, uint64_t now_ns);
struct tk_ready tk_waker(enum tk_source source, uint64_t now_ns);
void tk_step_begin(struct tk_current *here, struct tk_live *live, struct tk_loop *loop, const struct tk_ready *ready);
void tk_step_end(struct tk_current *here, enum tk_outcome outcome);
void tk_cancelling(struct tk_live *live);
void tk_not_cancelling(struct tk_live *live);
void tk_step_awaits(struct tk_live *live, uint32_t stack, uint32_t on, uint8_t flags);
void tk_lag(struct tk_loop *loop, uint64_t ns);
unsigned tk_bucket(uint64_t ns);
void tk_press(void);
void tk_tasks_finish(void);
void tk_tasks_clear(void);
void tk_steps_clear(void);
void tk_fault(enum tk_fault_kind kind, uint32_t task, uint32_t text, uint32_t stack);
void tk_loop_closed(PyObject *loop);
unsigned tk_mark_shutdown(const struct tk_loop *loop);

/* ---- hooks.c: what is put in the place of methods of others ---- */

enum tk_hook { TK_RUN, TK_RUN_ONCE, TK_CALL_SOON, TK_FAILED, TK_CLOSE, TK_CANCEL_ALL, TK_CANCEL, TK_CANCEL_PY,
               TK_UNAWAITED, TK_SELECT, TK_SELECT_POLL, TK_SELECT_SELECT, TK_JOB_INIT, TK_JOB_RUN, TK_UV_SOON,
               TK_UV_THREADSAFE, TK_UV_LATER, TK_UV_FAILED, TK_UV_CLOSE, TK_TW_INLINE, TK_TW_DELAYED, TK_TW_EVENT,
               TK_HOOKS };

extern PyObject *tk_original[TK_HOOKS];
bool tk_hook(enum tk_hook which, PyObject *owner, const char *name, PyMethodDef *method);
void tk_unhook(void);
PyObject *tk_pass(enum tk_hook which, PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names);

/* ---- asyncio.c, uvloop.c, jobs.c, greenlets.c, twisted.c ---- */

extern PyMethodDef tk_job_hooks[];          /* from TK_JOB_INIT on */
extern PyMethodDef tk_uvloop_hooks[];       /* from TK_UV_SOON on */
extern PyMethodDef tk_twisted_hooks[];      /* from TK_TW_INLINE on */
void tk_jobs_clear(bool write);
extern PyMethodDef tk_asyncio_hooks[];      /* by tk_hook, all but those */
PyObject *tk_learn(PyObject *module, PyObject *none);
void tk_asyncio_clear(void);
void tk_greenlets_clear(void);
PyObject *tk_greenlet_switched(PyObject *module, PyObject *const *args, Py_ssize_t count);
uint32_t tk_exception_stack(PyObject *exception);

#endif
