/* Reading another process's memory. A pointer that is torn or stale is a failed read, never a crash. */
#include "watcher.h"

#include <sys/uio.h>

#define PAGE 4096u

bool cw_remote_read_all(struct cw_remote *remote, const struct cw_part *parts, unsigned count)
{
    struct iovec here[CW_PARTS], there[CW_PARTS];
    ssize_t wanted = 0;
    for (unsigned i = 0; i < count; i++) {
        here[i] = (struct iovec){parts[i].to, parts[i].length};
        there[i] = (struct iovec){(void *)(uintptr_t)parts[i].from, parts[i].length};
        wanted += (ssize_t)parts[i].length;
    }
    ssize_t got = process_vm_readv((pid_t)remote->pid, here, count, there, count, 0);
    remote->error = got < 0 ? errno : 0;
    return got == wanted;
}

/* As much as can be read from an address on; a page at a time, since a row of bytes may end in a hole. */
size_t cw_remote_read(struct cw_remote *remote, uint64_t from, void *to, size_t length)
{
    struct iovec here = {to, length}, there[8];
    unsigned count = 0;
    for (uint64_t at = from, left = length; left != 0 && count < 8; count++) {
        uint64_t part = PAGE - (at & (PAGE - 1)) < left ? PAGE - (at & (PAGE - 1)) : left;
        there[count] = (struct iovec){(void *)(uintptr_t)at, part};
        at += part;
        left -= part;
    }
    ssize_t got = process_vm_readv((pid_t)remote->pid, &here, 1, there, count, 0);
    remote->error = got < 0 ? errno : 0;
    return got > 0 ? (size_t)got : 0;
}
