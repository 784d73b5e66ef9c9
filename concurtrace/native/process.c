/* Processes: how they come, what they execute, how they end. */
#include "recorder.h"

#include <stdlib.h>
#include <sys/syscall.h>

/* ---- fork: told by pthread_atfork, so that forkpty and others of libc are seen too ---- */

static uint32_t new_row(struct ct_self *self, uint32_t method)
{
    uint32_t row = ct_process_row();
    struct ct_process *process = ct_process(row);
    self->fork_ns = ct_now();
    if (process == NULL)
        return 0;
    process->ppid = ct.pid;
    process->creator_tid = self->tid != 0 ? self->tid : ct_gettid();
    process->start_method = method;
    process->fork_ns = self->fork_ns;
    process->parent_start_ns = ct.header != NULL ? ct.start_ns : 0;
    return row;
}

static void before_fork(void)
{
    struct ct_self *self = &ct_self;
    int saved = errno;
    self->fork_row = new_row(self, CT_START_FORK);
    errno = saved;
}

/* The child of a fork: nothing of the parent's recording is ours, but what the thread was doing goes on. */
void ct_fork_child(void)
{
    struct ct_self *self = &ct_self;
    uint64_t now = ct_now();
    int saved = errno;
    ct.parent_start_ns = ct.header != NULL ? ct.start_ns : 0;
    ct_file_forget();
    ct.ppid = ct.pid;
    ct.pid = (uint32_t)syscall(SYS_getpid);
    ct.generation++;
    ct.start_ns = now;
    ct.fork_ns = self->fork_ns != 0 ? self->fork_ns : now;
    ct.start_method = CT_START_FORK;
    ct.row = self->fork_row;
    ct_fork_child_threads(now);
    ct.creator_tid = ct.fork_parent_tid;
    ct_gil_fork_child();
    struct ct_process *process = ct_process(ct.row);
    if (process != NULL)
        __atomic_store_n(&process->pid, ct.pid, __ATOMIC_RELEASE);
    self->fork_row = 0;
    if (ct.mode == CT_MODE_PYTHON)
        *ct_live = 1;
    errno = saved;
}

static void after_fork_child(void)
{
    if (ct.mode != CT_MODE_OFF)
        ct_fork_child();
}

/* Until its child has executed something the thread is asleep, as a rule with the GIL. */
static void begin_start(struct ct_self *self)
{
    if (self == NULL)
        return;
    ct_call_begin(self, CT_CHILD_WAIT, CT_R_NONE);
    self->starting = true;
}

static void end_start(struct ct_self *self, bool failed)
{
    if (self == NULL)
        return;
    struct ct_detail detail = {.flags = failed ? CT_F_FAILED : 0};
    self->starting = false;
    ct_call_done(self);
    ct_call_end(self, &detail);
}

/* ---- vfork: the child borrows our memory, thread-local storage included, until it executes something ---- */

__attribute__((used)) void ct_vfork_before(void)
{
    struct ct_self *self = &ct_self;
    if (ct.mode == CT_MODE_OFF || self->in_vfork)
        return;
    int saved = errno;
    self->fork_row = new_row(self, CT_START_VFORK_EXEC);
    begin_start(ct_enter());
    self->in_vfork = true;
    errno = saved;
}

__attribute__((used)) long ct_vfork_after(long result)
{
    struct ct_self *self = &ct_self;
    struct ct_process *process = ct_process(self->fork_row);
    if (ct.mode != CT_MODE_OFF) {
        self->in_vfork = false;
        self->fork_row = 0;
        end_start(self->starting ? self : NULL, result < 0);
        if (process != NULL && result > 0)
            __atomic_store_n(&process->pid, (uint32_t)result, __ATOMIC_RELEASE);
        else if (process != NULL)
            process->flags |= CT_P_DEAD_ROW;
    }
    if (result < 0) {
        errno = (int)-result;
        return -1;
    }
    return result;
}

#if defined(__x86_64__)
/* The child returns through the same stack frame as the parent and destroys it: the return address waits in a
 * register that the kernel keeps. A child of a vfork child (in_vfork set by its parent) is its own affair. */
__asm__(".text\n"
        ".globl vfork\n"
        ".type vfork,@function\n"
        "vfork:\n"
        "    endbr64\n"
        "    subq $8, %rsp\n"
        "    call ct_vfork_before\n"
        "    addq $8, %rsp\n"
        "    popq %rdi\n"
        "    movl $58, %eax\n"
        "    syscall\n"
        "    pushq %rdi\n"
        "    testq %rax, %rax\n"
        "    jne 1f\n"
        "    ret\n"
        "1:  subq $8, %rsp\n"
        "    movq %rax, %rdi\n"
        "    call ct_vfork_after\n"
        "    addq $8, %rsp\n"
        "    ret\n"
        ".size vfork,.-vfork\n");
#endif

/* ---- exec ---- */

/* Row of the process that executes; 0 = not known. *borrowed: it runs on its parent's memory. */
static uint32_t executing_row(bool *borrowed)
{
    struct ct_self *self = &ct_self;
    bool ours = ct.pid == (uint32_t)syscall(SYS_getpid);
    *borrowed = self->in_vfork || !ours;
    return self->in_vfork ? self->fork_row : ours ? ct.row : 0;
}

static void before_exec(char *const argv[])
{
    int saved = errno;
    uint64_t now = ct_now();
    bool borrowed;
    struct ct_process *process = ct_process(executing_row(&borrowed));
    if (process != NULL) {
        ct_process_argv(process, argv);
        process->exec_ns = now;
        if (borrowed)
            __atomic_store_n(&process->pid, (uint32_t)syscall(SYS_getpid), __ATOMIC_RELEASE);
        else if (process->start_method == CT_START_FORK)
            process->start_method = CT_START_FORK_EXEC;
    }
    if (!borrowed)
        ct_file_finish(CT_EXECED, 0);
    errno = saved;
}

/* It failed: the image goes on. A row with a command and no exec_ns tried in vain. */
static int after_exec(int result)
{
    if (ct.mode == CT_MODE_OFF)
        return result;
    int saved = errno;
    bool borrowed;
    struct ct_process *process = ct_process(executing_row(&borrowed));
    if (process != NULL) {
        process->exec_ns = 0;
        if (process->start_method == CT_START_FORK_EXEC)
            process->start_method = CT_START_FORK;
    }
    if (!borrowed)
        ct_file_finish(CT_ALIVE, 0);
    errno = saved;
    return result;
}

#define EXEC(call)                     \
    if (ct.mode != CT_MODE_OFF)        \
        before_exec(v);                \
    return after_exec(call)

CT_EXPORT int execve(const char *f, char *const v[], char *const e[]) { EXEC(CT_REAL(execve)(f, v, e)); }
CT_EXPORT int execv(const char *f, char *const v[]) { EXEC(CT_REAL(execv)(f, v)); }
CT_EXPORT int execvp(const char *f, char *const v[]) { EXEC(CT_REAL(execvp)(f, v)); }
CT_EXPORT int execvpe(const char *f, char *const v[], char *const e[]) { EXEC(CT_REAL(execvpe)(f, v, e)); }
CT_EXPORT int fexecve(int fd, char *const v[], char *const e[]) { EXEC(CT_REAL(fexecve)(fd, v, e)); }

/* ---- posix_spawn: the child may report itself before its parent knows its pid ---- */

static void spawned(uint32_t row, int result, pid_t pid, char *const argv[])
{
    struct ct_process *process = ct_process(row);
    if (process == NULL)
        return;
    if (result != 0) {
        process->flags |= CT_P_DEAD_ROW;
        return;
    }
    uint32_t own = ct_process_find((uint32_t)pid, false);
    struct ct_process *reported = own > row ? ct_process(own) : NULL;
    if (reported != NULL && (reported->flags & CT_P_SELF_REPORTED)) {
        reported->creator_tid = process->creator_tid;
        reported->fork_ns = process->fork_ns;
        reported->parent_start_ns = process->parent_start_ns;
        reported->start_method = CT_START_POSIX_SPAWN;
        process->flags |= CT_P_DEAD_ROW;
        return;
    }
    process->exec_ns = ct_now();
    ct_process_argv(process, argv);
    __atomic_store_n(&process->pid, (uint32_t)pid, __ATOMIC_RELEASE);
}

#define SPAWN(name)                                                              \
    struct ct_self *self = &ct_self;                                             \
    if (ct.mode == CT_MODE_OFF || self->in_vfork)                                \
        return CT_REAL(name)(p, f, a, t, v, e);                                  \
    int saved = errno;                                                           \
    uint32_t row = new_row(self, CT_START_POSIX_SPAWN);                          \
    pid_t pid = 0;                                                               \
    struct ct_self *starting = ct_enter();                                       \
    begin_start(starting);                                                       \
    errno = saved;                                                               \
    int result = CT_REAL(name)(&pid, f, a, t, v, e);                             \
    saved = errno;                                                               \
    end_start(starting, result != 0);                                            \
    spawned(row, result, pid, v);                                                \
    if (p != NULL && result == 0)                                                \
        *p = pid;                                                                \
    errno = saved;                                                               \
    return result

CT_EXPORT int posix_spawn(pid_t *p, const char *f, const posix_spawn_file_actions_t *a, const posix_spawnattr_t *t,
                          char *const v[], char *const e[])
{
    SPAWN(posix_spawn);
}
CT_EXPORT int posix_spawnp(pid_t *p, const char *f, const posix_spawn_file_actions_t *a, const posix_spawnattr_t *t,
                           char *const v[], char *const e[])
{
    SPAWN(posix_spawnp);
}

/* ---- the end ---- */

static void reaped(uint32_t pid, int status)
{
    struct ct_process *process = ct_process(ct_process_find(pid, false));
    if (process == NULL || !(WIFEXITED(status) || WIFSIGNALED(status)))
        return;
    if (!(process->flags & CT_P_ENDED_SELF) || process->end_ns == 0)
        process->end_ns = ct_now();
    process->wait_status = status;
    process->reaper_tid = ct_self.tid;
    __atomic_or_fetch(&process->flags, CT_P_REAPED, __ATOMIC_RELEASE);
}

#define WAIT(wanted, call, options)                                                        \
    int own;                                                                               \
    if (st == NULL)                                                                        \
        st = &own;                                                                         \
    struct ct_self *self = (options) & WNOHANG ? NULL : ct_enter();                        \
    if (self != NULL) {                                                                    \
        ct_call_begin(self, CT_CHILD_WAIT, CT_R_NONE);                                     \
        self->slot->wait_pid = (wanted) > 0 ? (uint32_t)(wanted) : 0;                      \
    }                                                                                      \
    pid_t result = call;                                                                   \
    int saved = errno;                                                                     \
    if (result > 0 && ct.mode != CT_MODE_OFF && !ct_self.in_vfork)                         \
        reaped((uint32_t)result, *st);                                                     \
    if (self != NULL) {                                                                    \
        ct_call_done(self);                                                                \
        struct ct_detail detail = {.waker = result > 0 ? (uint32_t)result : 0,             \
                                   .flags = result < 0 ? CT_F_FAILED : 0};                 \
        ct_call_end(self, &detail);                                                        \
    }                                                                                      \
    errno = saved;                                                                         \
    return result

CT_EXPORT pid_t waitpid(pid_t p, int *st, int o) { WAIT(p, CT_REAL(waitpid)(p, st, o), o); }
CT_EXPORT pid_t wait4(pid_t p, int *st, int o, struct rusage *u) { WAIT(p, CT_REAL(wait4)(p, st, o, u), o); }
CT_EXPORT pid_t wait3(int *st, int o, struct rusage *u) { WAIT(0, CT_REAL(wait3)(st, o, u), o); }
CT_EXPORT pid_t wait(int *st) { WAIT(0, CT_REAL(wait)(st), 0); }

CT_EXPORT int waitid(idtype_t type, id_t id, siginfo_t *info, int options)
{
    siginfo_t own;
    if (info == NULL)
        info = &own;
    info->si_pid = 0;
    struct ct_self *self = options & WNOHANG ? NULL : ct_enter();
    if (self != NULL) {
        ct_call_begin(self, CT_CHILD_WAIT, CT_R_NONE);
        self->slot->wait_pid = type == P_PID ? (uint32_t)id : 0;
    }
    int result = CT_REAL(waitid)(type, id, info, options);
    int saved = errno;
    uint32_t pid = result == 0 ? (uint32_t)info->si_pid : 0;
    if (pid != 0 && !(options & WNOWAIT) && ct.mode != CT_MODE_OFF && !ct_self.in_vfork)
        reaped(pid, info->si_code == CLD_EXITED ? info->si_status << 8 : info->si_status & 0x7f);
    if (self != NULL) {
        ct_call_done(self);
        struct ct_detail detail = {.waker = pid, .flags = result < 0 ? CT_F_FAILED : 0};
        ct_call_end(self, &detail);
    }
    errno = saved;
    return result;
}

/* The process ends in order. Safe to be called twice; the last word counts. */
void ct_process_exit(int code)
{
    if (ct.mode == CT_MODE_OFF || ct_self.in_vfork || ct.pid != (uint32_t)syscall(SYS_getpid))
        return;
    int saved = errno;
    /* A forked child that never came to a wait has no file yet, but ran Python. */
    if (ct.mode == CT_MODE_PYTHON && ct.learned && ct.header == NULL)
        ct_enter();
    ct.closing = true;
    ct_thread_end(&ct_self);
    ct_file_finish(CT_EXITED, code);
    struct ct_process *process = ct_process(ct.row);
    if (process != NULL) {
        process->end_ns = ct_now();
        process->exit_code = code;
        __atomic_or_fetch(&process->flags, CT_P_ENDED_SELF, __ATOMIC_RELEASE);
    }
    errno = saved;
}

CT_EXPORT void _exit(int code)
{
    ct_process_exit(code);
    CT_REAL(_exit)(code);
    __builtin_unreachable();
}
CT_EXPORT void _Exit(int code)
{
    ct_process_exit(code);
    CT_REAL(_Exit)(code);
    __builtin_unreachable();
}

static void at_exit(int code, void *unused)
{
    (void)unused;
    ct_process_exit(code);
}

static void adopt_row(void)
{
    ct.row = ct_process_find(ct.pid, true);
    struct ct_process *process = ct_process(ct.row);
    if (process == NULL) {
        ct.row = ct_process_row();
        process = ct_process(ct.row);
        if (process == NULL)
            return;
        process->ppid = ct.ppid;
        process->start_method = ct_shared->root_pid == ct.pid ? CT_START_ROOT : CT_START_UNKNOWN;
        process->flags = CT_P_SELF_REPORTED;
        process->fork_ns = ct.start_ns;
        __atomic_store_n(&process->pid, ct.pid, __ATOMIC_RELEASE);
    }
    if (process->argv_bytes == 0)
        process->argv_bytes = ct_read_file("/proc/self/cmdline", process->argv, sizeof process->argv - 1);
    if (process->exec_ns == 0)
        process->exec_ns = ct.start_ns;
    /* A second image of one pid. */
    ct.start_method = process->image_ns != 0 && process->start_method != CT_START_FORK_EXEC ? CT_START_EXEC
                                                                                             : process->start_method;
    ct.fork_ns = process->fork_ns;
    ct.creator_tid = process->creator_tid;
    ct.parent_start_ns = process->parent_start_ns;
}

void ct_process_start(void)
{
    if (ct_shared != NULL)
        adopt_row();
    pthread_atfork(before_fork, NULL, after_fork_child);
    on_exit(at_exit, NULL);
}
