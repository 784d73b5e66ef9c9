/* Another library that wraps a function of ours, and passes on to the next. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <time.h>
#include <unistd.h>

__attribute__((visibility("default"))) int clock_nanosleep(clockid_t clock, int flags, const struct timespec *request,
                                                           struct timespec *left)
{
    int (*next)(clockid_t, int, const struct timespec *, struct timespec *);
    static const char text[] = "other library: clock_nanosleep\n";
    *(void **)&next = dlsym(RTLD_NEXT, "clock_nanosleep");
    ssize_t written = write(2, text, sizeof text - 1);
    (void)written;
    return next(clock, flags, request, left);
}
