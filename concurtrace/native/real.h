/* The functions that stand behind the intercepted ones. */
#ifndef CONCURTRACE_REAL_H
#define CONCURTRACE_REAL_H

/* Both names of a function are wrapped, and none through a checking macro: whatever the build asks for. */
#undef _FORTIFY_SOURCE
#undef _FILE_OFFSET_BITS
#ifndef _GNU_SOURCE
#define _GNU_SOURCE
#endif
#include <fcntl.h>
#include <netdb.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <signal.h>
#include <spawn.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/epoll.h>
#include <sys/resource.h>
#include <sys/select.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

struct ct_real {
#define CT_IO(type, name, parameters, arguments, fd, flags) type (*name) parameters;
#define CT_PLAIN(type, name, parameters, arguments, state, reason, fail) type (*name) parameters;
#define CT_HAND(type, name, parameters) type (*name) parameters;
#include "events.def"
};

extern struct ct_real ct_real;

/* Fill ct_real. May run before our constructor, when another library's constructor calls a wrapper. */
void ct_resolve(void);

/* True address of a function; resolves everything at the first use. */
#define CT_REAL(name) (__builtin_expect(ct_real.name != NULL, 1) ? ct_real.name : (ct_resolve(), ct_real.name))

#endif
