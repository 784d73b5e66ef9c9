/* Descriptors: what they are, and who wrote last to the other end.
 *
 * A descriptor is classified when it is first used and forgotten when it is closed or replaced. Both ends of a pipe or connection compute the same key from what the kernel says about them (inode,
 * addresses), so the last writer can be left under that key for a reader in any process of the run. */
#include "recorder.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>

#define FDS 65536u

struct fd {
    uint8_t kind;            /* 0 = not classified */
    uint8_t reason;
    uint32_t generation;     /* of the object id */
    uint32_t object;
    uint64_t read_key;       /* under which the other end leaves its tid, 0 = none */
    uint64_t write_key;      /* under which we do */
    struct ct_waker *writer; /* slot of write_key */
    struct ct_waker *reader; /* slot of read_key */
};

static struct fd *fds;

bool ct_fds_start(void)
{
    fds = mmap(NULL, FDS * sizeof *fds, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (fds == MAP_FAILED)
        fds = NULL;
    return fds != NULL;
}

void ct_fd_forget(int fd)
{
    if (fds != NULL && (unsigned)fd < FDS && fds[fd].kind != 0)
        fds[fd].kind = 0;
}

void ct_fd_forget_range(unsigned from, unsigned to)
{
    for (unsigned fd = from; fds != NULL && fd < FDS && fd <= to; fd++)
        if (fds[fd].kind != 0)
            fds[fd].kind = 0;
}

static uint64_t address_hash(const struct sockaddr_storage *address)
{
    if (address->ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)address;
        return ct_mix(in->sin_addr.s_addr, in->sin_port);
    }
    const struct sockaddr_in6 *in6 = (const void *)address;
    uint64_t half[2];
    memcpy(half, &in6->sin6_addr, 16);
    if (IN6_IS_ADDR_V4MAPPED(&in6->sin6_addr))   /* the peer may see the same address as IPv4 */
        return ct_mix((uint32_t)(half[1] >> 32), in6->sin6_port);
    return ct_mix(ct_mix(half[0], half[1]), in6->sin6_port);
}

static uint64_t listen_key(const struct sockaddr *address, socklen_t length)
{
    if (address->sa_family == AF_INET && length >= sizeof(struct sockaddr_in))
        return ct_mix(((const struct sockaddr_in *)(const void *)address)->sin_port, 'L');
    if (address->sa_family == AF_INET6 && length >= sizeof(struct sockaddr_in6))
        return ct_mix(((const struct sockaddr_in6 *)(const void *)address)->sin6_port, 'L');
    if (address->sa_family == AF_UNIX && length > 2) {
        const struct sockaddr_un *un = (const void *)address;
        uint64_t key = 'l';
        for (unsigned i = 0; i < length - 2 && i < sizeof un->sun_path; i++) {
            if (un->sun_path[i] == 0 && i > 0)
                break;
            key = ct_mix(key, (uint8_t)un->sun_path[i]);
        }
        return key;
    }
    return 0;
}

/* Whoever waits in accept is woken by the thread that connects. */
void ct_fd_connecting(const struct sockaddr *address, socklen_t length)
{
    uint64_t key = address != NULL ? listen_key(address, length) : 0;
    struct ct_waker *waker = key != 0 ? ct_shared_waker(key) : NULL;
    if (waker != NULL)
        __atomic_store_n(&waker->tid, ct_self.tid, __ATOMIC_RELAXED);
}

static void classify_inet(struct fd *entry, const struct sockaddr_storage *local, const struct sockaddr_storage *peer,
                          int type)
{
    uint64_t here = address_hash(local), there = address_hash(peer);
    entry->kind = type == SOCK_STREAM ? CT_O_TCP : CT_O_UDP;
    entry->write_key = ct_mix(here, there);
    entry->read_key = ct_mix(there, here);
}

static void classify_socket(int fd, struct fd *entry, uint64_t inode)
{
    struct sockaddr_storage local = {0}, peer = {0};
    socklen_t local_length = sizeof local, peer_length = sizeof peer;
    int type = 0, listening = 0;
    socklen_t length = sizeof type;
    getsockopt(fd, SOL_SOCKET, SO_TYPE, &type, &length);
    length = sizeof listening;
    getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &length);
    entry->kind = CT_O_SOCKET;
    entry->reason = CT_R_NET;
    if (getsockname(fd, (struct sockaddr *)&local, &local_length) != 0)
        return;
    if (local.ss_family == AF_UNIX)
        entry->reason = CT_R_IPC;
    if (listening) {
        entry->kind = CT_O_LISTEN;
        entry->read_key = listen_key((struct sockaddr *)&local, local_length);
    } else if (local.ss_family == AF_UNIX) {
        struct ct_waker *pair = ct_shared_waker(ct_mix(inode, 'u'));
        entry->kind = CT_O_UNIX;
        entry->write_key = ct_mix(inode, 'U');
        if (pair != NULL && pair->reserved == 0 && getpeername(fd, (struct sockaddr *)&peer, &peer_length) == 0)
            pair->reserved = ct_unix_peer((uint32_t)inode);
        entry->read_key = pair != NULL && pair->reserved != 0 ? ct_mix(pair->reserved, 'U') : 0;
    } else if (local.ss_family == AF_INET || local.ss_family == AF_INET6) {
        if (getpeername(fd, (struct sockaddr *)&peer, &peer_length) == 0)
            classify_inet(entry, &local, &peer, type);
        else
            entry->kind = type == SOCK_STREAM ? CT_O_SOCKET : CT_O_UDP;
    }
}

static void classify_other(int fd, struct fd *entry)
{
    char link[32], path[64];
    snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t length = syscall(SYS_readlink, link, path, sizeof path - 1);
    path[length > 0 ? length : 0] = 0;
    entry->kind = strstr(path, "eventpoll") != NULL ? CT_O_EPOLL : strstr(path, "eventfd") != NULL ? CT_O_EVENTFD : CT_O_OTHER;
    entry->reason = entry->kind == CT_O_EPOLL ? CT_R_POLL : CT_R_OTHER;
}

static CT_NOINLINE struct fd *classify(int fd, struct fd *entry)
{
    struct stat status;
    int saved = errno;
    memset(entry, 0, sizeof *entry);
    entry->kind = CT_O_OTHER;
    entry->reason = CT_R_OTHER;
    if (fstat(fd, &status) == 0) {
        if (S_ISREG(status.st_mode) || S_ISDIR(status.st_mode) || S_ISBLK(status.st_mode)) {
            entry->kind = CT_O_FILE;
            entry->reason = CT_R_FILE;
        } else if (S_ISFIFO(status.st_mode)) {
            entry->kind = CT_O_PIPE;
            entry->reason = CT_R_IPC;
            entry->read_key = entry->write_key = ct_mix(ct_mix(status.st_ino, status.st_dev), 'P');
        } else if (S_ISSOCK(status.st_mode)) {
            classify_socket(fd, entry, status.st_ino);
        } else if (S_ISCHR(status.st_mode)) {
            entry->kind = CT_O_TTY;
            entry->reason = CT_R_TTY;
        } else {
            classify_other(fd, entry);
        }
    }
    if (entry->write_key != 0)
        entry->writer = ct_shared_waker(entry->write_key);
    if (entry->read_key != 0)
        entry->reader = ct_shared_waker(entry->read_key);
    errno = saved;
    return entry;
}

static inline struct fd *look(int fd)
{
    if (CT_UNLIKELY(fds == NULL || (unsigned)fd >= FDS))
        return NULL;
    struct fd *entry = &fds[fd];
    return CT_LIKELY(entry->kind != 0) ? entry : classify(fd, entry);
}

static inline struct ct_waker *current(struct ct_waker **slot, uint64_t key)
{
    /* Another key may have taken the slot in a full bucket. */
    if (CT_UNLIKELY(*slot != NULL && __atomic_load_n(&(*slot)->key, __ATOMIC_RELAXED) != key))
        *slot = ct_shared_waker(key);
    return *slot;
}

void ct_fd_wrote(int fd)
{
    struct fd *entry = look(fd);
    struct ct_waker *slot = entry != NULL ? current(&entry->writer, entry->write_key) : NULL;
    if (slot != NULL)
        __atomic_store_n(&slot->tid, ct_self.tid, __ATOMIC_RELAXED);
}

/* The end of a stream wakes its reader, when the writer was known as one. */
void ct_fd_closing(int fd)
{
    if (fds != NULL && (unsigned)fd < FDS && fds[fd].kind != 0 && fds[fd].writer != NULL)
        ct_fd_wrote(fd);
}

/* Room is being made for a writer. */
void ct_fd_reads(int fd)
{
    struct fd *entry = look(fd);
    struct ct_waker *slot = entry != NULL ? current(&entry->reader, entry->read_key) : NULL;
    if (slot != NULL && slot->reserved != ct_self.tid)
        __atomic_store_n(&slot->reserved, ct_self.tid, __ATOMIC_RELAXED);
}

/* Whether it is a pipe or a unix socket. */
bool ct_fd_joins_processes(int fd)
{
    struct fd *entry = look(fd);
    return entry != NULL && entry->reason == CT_R_IPC;
}

/* Who ended a wait on a descriptor: the last writer to the other end, or its last reader for a writer. */
uint32_t ct_fd_waker(int fd, bool writing)
{
    struct fd *entry = look(fd);
    if (entry == NULL)
        return 0;
    if (writing) {
        struct ct_waker *slot = current(&entry->writer, entry->write_key);
        return slot != NULL ? __atomic_load_n(&slot->reserved, __ATOMIC_RELAXED) : 0;
    }
    struct ct_waker *slot = current(&entry->reader, entry->read_key);
    return slot != NULL ? __atomic_load_n(&slot->tid, __ATOMIC_RELAXED) : 0;
}

static void describe_socket(int fd, char *text, size_t room)
{
    struct sockaddr_storage address = {0};
    socklen_t length = sizeof address;
    char host[INET6_ADDRSTRLEN] = "";
    if (getpeername(fd, (struct sockaddr *)&address, &length) != 0) {
        length = sizeof address;
        if (getsockname(fd, (struct sockaddr *)&address, &length) != 0)
            return;
    }
    if (address.ss_family == AF_INET) {
        const struct sockaddr_in *in = (const void *)&address;
        inet_ntop(AF_INET, &in->sin_addr, host, sizeof host);
        snprintf(text, room, "%s:%u", host, ntohs(in->sin_port));
    } else if (address.ss_family == AF_INET6) {
        const struct sockaddr_in6 *in = (const void *)&address;
        inet_ntop(AF_INET6, &in->sin6_addr, host, sizeof host);
        snprintf(text, room, "[%s]:%u", host, ntohs(in->sin6_port));
    } else if (address.ss_family == AF_UNIX && length > 2) {
        const struct sockaddr_un *un = (const void *)&address;
        snprintf(text, room, "%s%.100s", un->sun_path[0] == 0 ? "@" : "", un->sun_path + (un->sun_path[0] == 0));
    }
}

/* The object of a descriptor that was waited for; 0 = no room. */
uint32_t ct_fd_object(int fd, uint8_t *reason)
{
    struct fd *entry = look(fd);
    if (entry == NULL)
        return 0;
    *reason = entry->reason;
    if (entry->object != 0 && entry->generation == ct.generation)
        return entry->object;
    char text[512] = "", link[32];
    struct stat status;
    int saved = errno;
    uint64_t key = entry->write_key != 0 ? entry->write_key : entry->read_key;
    bool is_socket = entry->kind >= CT_O_UNIX && entry->kind <= CT_O_LISTEN;
    if (is_socket || entry->kind == CT_O_SOCKET) {
        describe_socket(fd, text, sizeof text);
    } else {
        snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
        ssize_t length = syscall(SYS_readlink, link, text, sizeof text - 1);
        text[length > 0 ? length : 0] = 0;
    }
    if (key == 0)
        /* Kinds without an inode of their own (epoll, eventfd) are told apart by number. */
        key = fstat(fd, &status) != 0 ? (uint64_t)fd
            : entry->kind == CT_O_FILE || entry->kind == CT_O_TTY ? ct_mix(status.st_ino, status.st_dev)
            : ct_mix(status.st_ino, (uint64_t)fd << 1 | 1);
    entry->generation = ct.generation;
    ct_object(entry->kind, key, text[0] != 0 ? text : NULL, &entry->object);
    errno = saved;
    return entry->object;
}

/* Both ends of a socket pair: each leaves the other's inode where any process finds it. */
void ct_fd_pair(int a, int b)
{
    struct stat first, second;
    if (ct_shared == NULL || fstat(a, &first) != 0 || fstat(b, &second) != 0)
        return;
    struct ct_waker *left = ct_shared_waker(ct_mix(first.st_ino, 'u'));
    struct ct_waker *right = ct_shared_waker(ct_mix(second.st_ino, 'u'));
    if (left != NULL)
        left->reserved = (uint32_t)second.st_ino;
    if (right != NULL)
        right->reserved = (uint32_t)first.st_ino;
}
