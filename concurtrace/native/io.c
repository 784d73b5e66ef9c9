/* Input, output, polling, sleeping: the wrappers of events.def, and those that need a hand. */
#include "recorder.h"

#include <stdarg.h>
#include <sys/file.h>

static inline void end_io(struct ct_self *self, int fd, bool failed, uint16_t flags)
{
    uint64_t duration = ct_call_done(self);
    struct ct_detail detail = {.flags = failed ? flags | CT_F_FAILED : flags};
    if (duration >= CT_GET(ct.min_span_ns)) {
        if (!failed)
            detail.waker = ct_fd_waker(fd, flags & CT_F_WRITE);
        if (duration >= ct.stack_ns)
            detail.object = ct_fd_object(fd, &detail.reason);
    }
    ct_call_end(self, &detail);
}

static inline struct ct_self *begin_io(int fd, uint16_t flags)
{
    struct ct_self *self = ct_enter();
    if (self == NULL)
        return NULL;
    /* Before the call: whoever is woken by it may run before this thread is back. */
    if (flags & CT_F_WRITE)
        ct_fd_wrote(fd);
    else
        ct_fd_reads(fd);
    ct_call_begin(self, CT_IO_WAIT, CT_R_NONE);
    self->slot->wait_fd = fd;
    return self;
}

#define CT_IO(type, name, parameters, arguments, fd, flags)                 \
    CT_EXPORT type name parameters                                          \
    {                                                                       \
        struct ct_self *self = begin_io(fd, flags);                         \
        type result = CT_REAL(name) arguments;                              \
        if (self != NULL)                                                   \
            end_io(self, fd, result < 0, flags);                            \
        return result;                                                      \
    }

#define CT_PLAIN(type, name, parameters, arguments, state, reason_, fail)   \
    CT_EXPORT type name parameters                                          \
    {                                                                       \
        struct ct_self *self = ct_enter();                                  \
        if (self == NULL)                                                   \
            return CT_REAL(name) arguments;                                 \
        ct_call_begin(self, state, reason_);                                \
        type r_ = CT_REAL(name) arguments;                                  \
        int saved = errno;                                                  \
        ct_call_done(self);                                                 \
        struct ct_detail detail = {.flags = (fail) ? CT_F_FAILED : 0};      \
        ct_call_end(self, &detail);                                         \
        errno = saved;                                                      \
        return r_;                                                          \
    }
#include "events.def"

CT_EXPORT ssize_t write(int fd, const void *b, size_t n)
{
    struct ct_self *self = begin_io(fd, CT_F_WRITE);
    ssize_t result = CT_REAL(write)(fd, b, n);
    if (self == NULL)
        return result;
    end_io(self, fd, result < 0, CT_F_WRITE);
    /* The reader is at work meanwhile. */
    if (CT_UNLIKELY(result >= (ssize_t)CT_MESSAGE_LEAST) && ct_fd_joins_processes(fd)) {
        ct_guard(self);
        ct_message(b, (size_t)result);
        ct_unguard(self);
    }
    return result;
}

CT_EXPORT int connect(int fd, const struct sockaddr *address, socklen_t length)
{
    struct ct_self *self = ct_enter();
    if (self != NULL) {
        ct_fd_connecting(address, length);
        ct_call_begin(self, CT_IO_WAIT, CT_R_NET);
        self->slot->wait_fd = fd;
    }
    int result = CT_REAL(connect)(fd, address, length);
    ct_fd_forget(fd);   /* it has a peer now */
    if (self != NULL)
        end_io(self, fd, result < 0, CT_F_WRITE);
    return result;
}

#define ACCEPT(call)                              \
    struct ct_self *self = begin_io(fd, 0);       \
    int result = call;                            \
    if (result >= 0)                              \
        ct_fd_forget(result);                     \
    if (self != NULL)                             \
        end_io(self, fd, result < 0, 0);          \
    return result

CT_EXPORT int accept(int fd, struct sockaddr *address, socklen_t *length) { ACCEPT(CT_REAL(accept)(fd, address, length)); }
CT_EXPORT int accept4(int fd, struct sockaddr *address, socklen_t *length, int flags)
{
    ACCEPT(CT_REAL(accept4)(fd, address, length, flags));
}

/* ---- one of many ---- */

static struct ct_self *begin_poll(bool sleeps)
{
    struct ct_self *self = ct_enter();
    if (self != NULL)
        ct_call_begin(self, sleeps ? CT_SLEEP : CT_IO_WAIT, sleeps ? CT_R_NONE : CT_R_POLL);
    return self;
}

/* fd: the first that is ready, -1 = none; about: the descriptor that stands for the set, -1 = fd. */
static void end_poll(struct ct_self *self, int result, int fd, int about, bool timed, bool writing)
{
    int saved = errno;
    uint64_t duration = ct_call_done(self);
    struct ct_detail detail = {.flags = (timed ? CT_F_TIMED : 0) | (result < 0 ? CT_F_FAILED : 0)
                                   | (timed && result == 0 ? CT_F_TIMED_OUT : 0)};
    if (duration >= CT_GET(ct.min_span_ns) && result > 0 && fd >= 0) {
        uint8_t ignored;
        detail.waker = ct_fd_waker(fd, writing);
        if (duration >= ct.stack_ns)
            detail.object = ct_fd_object(fd, &ignored);
    }
    if (detail.object == 0 && about >= 0 && duration >= ct.stack_ns)
        detail.object = ct_fd_object(about, &(uint8_t){0});
    ct_call_end(self, &detail);
    errno = saved;
}

static int ready_of(const struct pollfd *set, nfds_t count, bool *writing)
{
    for (nfds_t i = 0; i < count; i++) {
        if (set[i].revents != 0) {
            *writing = (set[i].revents & (POLLIN | POLLHUP | POLLERR)) == 0;
            return set[i].fd;
        }
    }
    return -1;
}

#define POLL(call, timed, zero)                                                     \
    /* A look without waiting is no wait; a poll of nothing is a sleep. */          \
    struct ct_self *self = (zero) ? NULL : begin_poll(n == 0);                      \
    int result = call;                                                              \
    if (self != NULL) {                                                             \
        bool writing = false;                                                       \
        int fd = result > 0 ? ready_of(p, n, &writing) : -1;                        \
        end_poll(self, result, fd, n > 0 ? p[0].fd : -1, timed, writing);           \
    }                                                                               \
    return result

CT_EXPORT int poll(struct pollfd *p, nfds_t n, int t) { POLL(CT_REAL(poll)(p, n, t), t > 0, t == 0); }
CT_EXPORT int __poll_chk(struct pollfd *p, nfds_t n, int t, size_t m) { POLL(CT_REAL(__poll_chk)(p, n, t, m), t > 0, t == 0); }
CT_EXPORT int ppoll(struct pollfd *p, nfds_t n, const struct timespec *t, const sigset_t *s)
{
    POLL(CT_REAL(ppoll)(p, n, t, s), t != NULL, t != NULL && t->tv_sec == 0 && t->tv_nsec == 0);
}

#define EPOLL(call)                                                                 \
    struct ct_self *self = t == 0 ? NULL : begin_poll(false);                       \
    int result = call;                                                              \
    if (self != NULL) {                                                             \
        /* Python and libuv keep the descriptor in data.fd, the upper half is stray; \
         * others keep a pointer, whose lower half is hardly ever that small. */    \
        int ready = result > 0 && e[0].data.u32 < 65536 ? e[0].data.fd : -1;        \
        bool writing = result > 0 && (e[0].events & (EPOLLIN | EPOLLHUP | EPOLLERR)) == 0; \
        end_poll(self, result, ready, fd, t > 0, writing);                          \
    }                                                                               \
    return result

CT_EXPORT int epoll_wait(int fd, struct epoll_event *e, int n, int t) { EPOLL(CT_REAL(epoll_wait)(fd, e, n, t)); }
CT_EXPORT int epoll_pwait(int fd, struct epoll_event *e, int n, int t, const sigset_t *s)
{
    EPOLL(CT_REAL(epoll_pwait)(fd, e, n, t, s));
}

static int ready_in(int n, const fd_set *set)
{
    for (int fd = 0; set != NULL && fd < n; fd++)
        if (FD_ISSET(fd, set))
            return fd;
    return -1;
}

static void end_select(struct ct_self *self, int result, int n, const fd_set *r, const fd_set *w, bool timed)
{
    int fd = result > 0 ? ready_in(n, r) : -1;
    bool writing = fd < 0;
    if (fd < 0 && result > 0)
        fd = ready_in(n, w);
    end_poll(self, result, fd, -1, timed, writing);
}

CT_EXPORT int select(int n, fd_set *r, fd_set *w, fd_set *x, struct timeval *t)
{
    bool zero = t != NULL && t->tv_sec == 0 && t->tv_usec == 0;
    struct ct_self *self = zero ? NULL : begin_poll(n == 0);
    int result = CT_REAL(select)(n, r, w, x, t);
    if (self != NULL)
        end_select(self, result, n, r, w, t != NULL);
    return result;
}

CT_EXPORT int pselect(int n, fd_set *r, fd_set *w, fd_set *x, const struct timespec *t, const sigset_t *s)
{
    bool zero = t != NULL && t->tv_sec == 0 && t->tv_nsec == 0;
    struct ct_self *self = zero ? NULL : begin_poll(n == 0);
    int result = CT_REAL(pselect)(n, r, w, x, t, s);
    if (self != NULL)
        end_select(self, result, n, r, w, t != NULL);
    return result;
}

/* ---- files by path ---- */

static struct ct_self *begin_file(void)
{
    struct ct_self *self = ct_enter();
    if (self != NULL)
        ct_call_begin(self, CT_IO_WAIT, CT_R_FILE);
    return self;
}

static int end_open(struct ct_self *self, int fd)
{
    int saved = errno;
    if (fd >= 0)
        ct_fd_forget(fd);
    if (self != NULL) {
        struct ct_detail detail = {.flags = fd < 0 ? CT_F_FAILED : 0};
        if (ct_call_done(self) >= ct.stack_ns && fd >= 0)
            detail.object = ct_fd_object(fd, &detail.reason);
        detail.reason = CT_R_FILE;
        ct_call_end(self, &detail);
    }
    errno = saved;
    return fd;
}

#define OPEN(call)                                                  \
    va_list more;                                                   \
    va_start(more, f);                                              \
    mode_t mode = f & (O_CREAT | __O_TMPFILE) ? va_arg(more, mode_t) : 0; \
    va_end(more);                                                   \
    struct ct_self *self = begin_file();                            \
    return end_open(self, call)

CT_EXPORT int open(const char *p, int f, ...) { OPEN(CT_REAL(open)(p, f, mode)); }
CT_EXPORT int open64(const char *p, int f, ...) { OPEN(CT_REAL(open64)(p, f, mode)); }
CT_EXPORT int openat(int d, const char *p, int f, ...) { OPEN(CT_REAL(openat)(d, p, f, mode)); }
CT_EXPORT int openat64(int d, const char *p, int f, ...) { OPEN(CT_REAL(openat64)(d, p, f, mode)); }
CT_EXPORT int __open_2(const char *p, int f)
{
    struct ct_self *self = begin_file();
    return end_open(self, CT_REAL(__open_2)(p, f));
}
CT_EXPORT int __open64_2(const char *p, int f)
{
    struct ct_self *self = begin_file();
    return end_open(self, CT_REAL(__open64_2)(p, f));
}

/* ---- locks on files: whoever holds one is not to be had, but the file is ---- */

#define FILE_LOCK(wanted, call)                                     \
    struct ct_self *self = (wanted) ? ct_enter() : NULL;            \
    if (self != NULL) {                                             \
        ct_call_begin(self, CT_LOCK_WAIT, CT_R_FILE);               \
        self->slot->wait_fd = fd;                                   \
    }                                                               \
    int result = call;                                              \
    if (self != NULL) {                                             \
        int saved = errno;                                          \
        struct ct_detail detail = {.flags = result < 0 ? CT_F_FAILED : 0}; \
        if (ct_call_done(self) >= ct.stack_ns)                      \
            detail.object = ct_fd_object(fd, &detail.reason);       \
        ct_call_end(self, &detail);                                 \
        errno = saved;                                              \
    }                                                               \
    return result

CT_EXPORT int flock(int fd, int op) { FILE_LOCK(!(op & (LOCK_NB | LOCK_UN)), CT_REAL(flock)(fd, op)); }
CT_EXPORT int lockf(int fd, int c, off_t n) { FILE_LOCK(c == F_LOCK, CT_REAL(lockf)(fd, c, n)); }
CT_EXPORT int lockf64(int fd, int c, off64_t n) { FILE_LOCK(c == F_LOCK, CT_REAL(lockf64)(fd, c, n)); }

#define FCNTL(name)                                                                   \
    va_list more;                                                                     \
    va_start(more, c);                                                                \
    void *x = va_arg(more, void *);                                                   \
    va_end(more);                                                                     \
    if (c == F_DUPFD || c == F_DUPFD_CLOEXEC) {                                       \
        int made = CT_REAL(name)(fd, c, x);                                           \
        if (made >= 0)                                                                \
            ct_fd_forget(made);                                                       \
        return made;                                                                  \
    }                                                                                 \
    FILE_LOCK(c == F_SETLKW || c == F_OFD_SETLKW, CT_REAL(name)(fd, c, x))

CT_EXPORT int fcntl(int fd, int c, ...) { FCNTL(fcntl); }
CT_EXPORT int fcntl64(int fd, int c, ...) { FCNTL(fcntl64); }

/* ---- descriptors that come and go ---- */

static inline bool forgets(void) { return ct.mode == CT_MODE_PYTHON && !ct_self.in_vfork; }

CT_EXPORT int close(int fd)
{
    struct ct_self *self = NULL;
    if (forgets()) {
        self = ct_enter();
        if (self != NULL)
            ct_fd_closing(fd);
        ct_fd_forget(fd);
    }
    /* The last one of a deleted file frees its blocks, that of a socket may linger. */
    if (self != NULL)
        ct_call_begin(self, CT_IO_WAIT, CT_R_FILE);
    int result = CT_REAL(close)(fd);
    if (self != NULL) {
        int saved = errno;
        ct_call_done(self);
        struct ct_detail detail = {.flags = result < 0 ? CT_F_FAILED : 0};
        ct_call_end(self, &detail);
        errno = saved;
    }
    return result;
}

CT_EXPORT int close_range(unsigned from, unsigned to, int flags)
{
    if (forgets())
        ct_fd_forget_range(from, to);
    return CT_REAL(close_range)(from, to, flags);
}

static int fresh(int fd)
{
    if (fd >= 0 && forgets())
        ct_fd_forget(fd);
    return fd;
}

CT_EXPORT int dup(int fd) { return fresh(CT_REAL(dup)(fd)); }
CT_EXPORT int dup2(int a, int b) { return a == b ? CT_REAL(dup2)(a, b) : fresh(CT_REAL(dup2)(a, b)); }
CT_EXPORT int dup3(int a, int b, int f) { return fresh(CT_REAL(dup3)(a, b, f)); }
CT_EXPORT int socket(int d, int t, int p) { return fresh(CT_REAL(socket)(d, t, p)); }

static int fresh_pair(int result, const int pair[2], bool sockets)
{
    if (result == 0 && forgets()) {
        int saved = errno;
        ct_fd_forget(pair[0]);
        ct_fd_forget(pair[1]);
        if (sockets)
            ct_fd_pair(pair[0], pair[1]);
        errno = saved;
    }
    return result;
}

CT_EXPORT int socketpair(int d, int t, int p, int s[2])
{
    return fresh_pair(CT_REAL(socketpair)(d, t, p, s), s, true);
}
CT_EXPORT int pipe(int p[2]) { return fresh_pair(CT_REAL(pipe)(p), p, false); }
CT_EXPORT int pipe2(int p[2], int f) { return fresh_pair(CT_REAL(pipe2)(p, f), p, false); }

CT_EXPORT int shutdown(int fd, int how)
{
    if (ct_enter() != NULL && how != SHUT_RD)
        ct_fd_wrote(fd);
    return CT_REAL(shutdown)(fd, how);
}
