/* shared.ctr: what the processes of a run tell each other. Without it everything else still works. */
#include "recorder.h"

#include <stdio.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct ct_shared *ct_shared;

#define ROWS_STEP 64u

static void shared_path(char *to, size_t room) { snprintf(to, room, "%s/shared.ctr", ct.directory); }

static uint64_t rows_end(uint32_t rows) { return CT_SHARED_PROCESSES_AT + (uint64_t)rows * sizeof(struct ct_process); }

/* Make the file under a name of our own and link it: nobody sees one half made. */
static void create_shared(const char *path)
{
    char own[320];
    snprintf(own, sizeof own, "%s.%u", path, ct.pid);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, own, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return;
    struct ct_shared head = {.version = CT_FORMAT_VERSION, .header_size = CT_SHARED_HEADER,
                             .max_bytes = ct.max_bytes, .created_ns = ct_now(), .root_pid = ct.pid,
                             .processes_reserved = ROWS_STEP};
    memcpy(head.magic, CT_SHARED_MAGIC, 8);
    bool made = syscall(SYS_ftruncate, fd, CT_SHARED_SIZE) == 0
        && (syscall(SYS_fallocate, fd, 0, 0, rows_end(ROWS_STEP)) == 0 || errno == EOPNOTSUPP || errno == ENOSYS)
        && syscall(SYS_pwrite64, fd, &head, sizeof head, 0) == (long)sizeof head;
    if (made)
        syscall(SYS_linkat, AT_FDCWD, own, AT_FDCWD, path, 0);
    syscall(SYS_unlinkat, AT_FDCWD, own, 0);
    syscall(SYS_close, fd);
}

void ct_shared_open(bool create)
{
    char path[300];
    shared_path(path, sizeof path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0 && create) {
        create_shared(path);
        fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    }
    if (fd < 0)
        return;
    void *base = mmap(NULL, CT_SHARED_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
    syscall(SYS_close, fd);
    if (base == MAP_FAILED)
        return;
    struct ct_shared *shared = base;
    if (memcmp(shared->magic, CT_SHARED_MAGIC, 8) != 0 || shared->version != CT_FORMAT_VERSION) {
        munmap(base, CT_SHARED_SIZE);
        return;
    }
    ct_shared = shared;
    ct.max_bytes = shared->max_bytes;
}

/* Place of a key in a bucket of eight; a full bucket loses its oldest-looking member. */
struct ct_waker *ct_shared_waker(uint64_t key)
{
    if (ct_shared == NULL)
        return NULL;
    struct ct_waker *table = (struct ct_waker *)((uint8_t *)ct_shared + CT_SHARED_WAKERS_AT);
    struct ct_waker *bucket = table + ((key >> 3) * 8 & (CT_SHARED_WAKERS - 1));
    for (unsigned i = 0; i < 8; i++) {
        uint64_t found = __atomic_load_n(&bucket[i].key, __ATOMIC_ACQUIRE);
        if (found == key)
            return &bucket[i];
        if (found == 0 && __atomic_compare_exchange_n(&bucket[i].key, &found, key, false, __ATOMIC_ACQ_REL,
                                                      __ATOMIC_ACQUIRE))
            return &bucket[i];
        if (found == key)
            return &bucket[i];
    }
    struct ct_waker *victim = &bucket[(key >> 40) & 7];
    victim->tid = 0;
    victim->reserved = 0;
    __atomic_store_n(&victim->key, key, __ATOMIC_RELEASE);
    return victim;
}

struct ct_shared_lock *ct_shared_lock(uint64_t key)
{
    if (ct_shared == NULL)
        return NULL;
    struct ct_shared_lock *table = (struct ct_shared_lock *)((uint8_t *)ct_shared + CT_SHARED_LOCKS_AT);
    for (unsigned i = 0; i < 64; i++) {
        struct ct_shared_lock *lock = &table[(key + i) & (CT_SHARED_LOCKS - 1)];
        uint64_t found = __atomic_load_n(&lock->key, __ATOMIC_ACQUIRE);
        if (found == key || (found == 0 && __atomic_compare_exchange_n(&lock->key, &found, key, false,
                                                                       __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
            || found == key)
            return lock;
    }
    return NULL;
}

struct ct_process *ct_process(uint32_t row)
{
    if (ct_shared == NULL || row == 0 || row > CT_SHARED_PROCESSES)
        return NULL;
    return (struct ct_process *)((uint8_t *)ct_shared + CT_SHARED_PROCESSES_AT) + (row - 1);
}

static bool reserve_rows(uint32_t rows)
{
    char path[300];
    shared_path(path, sizeof path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC);
    if (fd < 0)
        return false;
    bool done = syscall(SYS_fallocate, fd, 0, rows_end(rows - ROWS_STEP), rows_end(rows) - rows_end(rows - ROWS_STEP)) == 0
        || errno == EOPNOTSUPP || errno == ENOSYS;
    syscall(SYS_close, fd);
    return done;
}

/* A fresh row, from 1; 0 = none. */
uint32_t ct_process_row(void)
{
    if (ct_shared == NULL)
        return 0;
    uint32_t row = __atomic_add_fetch(&ct_shared->process_count, 1, __ATOMIC_RELAXED);
    if (row > CT_SHARED_PROCESSES)
        return 0;
    int saved = errno;
    for (;;) {
        uint32_t have = __atomic_load_n(&ct_shared->processes_reserved, __ATOMIC_ACQUIRE);
        if (row <= have)
            break;
        if (!reserve_rows(have + ROWS_STEP)) {
            errno = saved;
            return 0;
        }
        __atomic_compare_exchange_n(&ct_shared->processes_reserved, &have, have + ROWS_STEP, false,
                                    __ATOMIC_RELEASE, __ATOMIC_RELAXED);
    }
    errno = saved;
    return row;
}

/* Newest row of a process that has not been reaped; 0 = none. `alive`: nor said that it ended. */
uint32_t ct_process_find(uint32_t pid, bool alive)
{
    uint32_t unwanted = CT_P_REAPED | CT_P_DEAD_ROW | (alive ? CT_P_ENDED_SELF : 0);
    if (ct_shared == NULL)
        return 0;
    uint32_t have = __atomic_load_n(&ct_shared->processes_reserved, __ATOMIC_ACQUIRE);
    uint32_t count = __atomic_load_n(&ct_shared->process_count, __ATOMIC_ACQUIRE);
    uint32_t row = count < have ? count : have;
    for (uint32_t tries = 0; row > 0 && tries < 8192; row--, tries++) {
        struct ct_process *process = ct_process(row);
        if (__atomic_load_n(&process->pid, __ATOMIC_ACQUIRE) == pid && !(process->flags & unwanted))
            return row;
    }
    return 0;
}

/* Safe in a vfork child: no call but memory. */
void ct_process_argv(struct ct_process *process, char *const argv[])
{
    uint32_t used = 0;
    for (unsigned i = 0; argv != NULL && argv[i] != NULL && used < sizeof process->argv - 1; i++) {
        for (const char *c = argv[i]; used < sizeof process->argv - 1; c++) {
            process->argv[used++] = *c;
            if (*c == 0)
                break;
        }
    }
    process->argv[used < sizeof process->argv ? used : sizeof process->argv - 1] = 0;
    process->argv_bytes = used;
}

uint32_t ct_read_file(const char *path, char *to, uint32_t room)
{
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return 0;
    uint32_t used = 0;
    while (used < room) {
        long got = syscall(SYS_read, fd, to + used, room - used);
        if (got <= 0)
            break;
        used += (uint32_t)got;
    }
    syscall(SYS_close, fd);
    return used;
}
