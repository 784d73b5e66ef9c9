/* Work given to threads of an executor: when it was given, begun and done, and by which task. */
#include "tasks.h"

#include <stdlib.h>

static struct tk_map jobs;          /* work item -> struct tk_job */

static PyObject *job_init(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    PyObject *result = tk_pass(TK_JOB_INIT, self, args, count, names);
    if (result == NULL || !tk_on())
        return result;
    struct tk_job *job = calloc(1, sizeof *job);
    if (job == NULL)
        return result;
    struct tk_current *here = tk_current;
    job->submitted_ns = tk_now();
    job->from_tid = tk_tid();
    job->stack = tk_caller_stack();
    if (here != NULL && here->generation == tk_generation && here->live != NULL)
        job->task = here->live->slot->serial;
    if (count > 1)
        job->code = tk_callable_stack(args[1]);
    /* Last: what was asked above may run Python code, and that give a job too. */
    void **found = tk_map_at(&jobs, (uintptr_t)self, 0);
    if (found == NULL) {
        free(job);
        return result;
    }
    free(*found);
    *found = job;
    return result;
}

static PyObject *job_run(PyObject *self, PyObject *const *args, Py_ssize_t count, PyObject *names)
{
    struct tk_job *job = tk_on() ? tk_map_take(&jobs, (uintptr_t)self, 0) : NULL;
    if (job == NULL)
        return tk_pass(TK_JOB_RUN, self, args, count, names);
    uint64_t generation = tk_generation;
    job->started_ns = tk_now();
    job->tid = tk_tid();
    PyObject *result = tk_pass(TK_JOB_RUN, self, args, count, names);
    if (tk_on() && generation == tk_generation) {
        struct tk_job *kept = tk_add_hidden(TK_JOBS, sizeof *kept);
        job->ended_ns = tk_now();
        if (kept != NULL) {
            *kept = *job;
            tk_publish(TK_JOBS, sizeof *kept);
        } else
            tk_head->names_lost++;
    }
    free(job);
    return result;
}

PyMethodDef tk_job_hooks[] = {
    {"__init__", (PyCFunction)(void *)job_init, METH_FASTCALL | METH_KEYWORDS, NULL},
    {"run", (PyCFunction)(void *)job_run, METH_FASTCALL | METH_KEYWORDS, NULL},
};

/* Write down what was given and never begun; forget all. */
void tk_jobs_clear(bool write)
{
    for (size_t at = 0; at < jobs.size; at++) {
        struct tk_job *job = jobs.rows[at].value;
        if ((uintptr_t)job <= 1)
            continue;
        struct tk_job *kept = write ? tk_add_hidden(TK_JOBS, sizeof *kept) : NULL;
        if (kept != NULL) {
            *kept = *job;
            tk_publish(TK_JOBS, sizeof *kept);
        }
        free(job);
    }
    tk_map_clear(&jobs);
}
