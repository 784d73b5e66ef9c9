/* The process file: creation, growth, chunks.
 *
 * No descriptor is kept: a target that closes all descriptors must not meet ours, and one that reuses our
 * number must not be written to. The file is mapped once, with room beyond its end, and grown by path. Its
 * bytes are reserved on disk before they are touched, since a full disk would otherwise be a SIGBUS. */
#include "recorder.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

/* Lengths of a window of folded spans; a fold record can tell 16 s. */
#define WINDOW_LEAST_NS 10000000u
#define WINDOW_MOST_NS 8000000000u

static struct {
    uint8_t *base;
    uint32_t room;          /* chunks mapped */
    uint32_t reserved;      /* chunks reserved on disk */
    uint32_t growing;
    struct ct_chunk *threads;
    struct ct_thread *rest;  /* kept for the threads that find no slot */
    uint64_t own_used;      /* budget without a shared file */
} file;

static void file_path(char *to, size_t room)
{
    snprintf(to, room, "%s/%u-%llu.ctr", ct.directory, ct.pid, (unsigned long long)ct.start_ns);
}

static bool fits_limit(uint64_t size)
{
    struct rlimit limit;
    return getrlimit(RLIMIT_FSIZE, &limit) != 0 || limit.rlim_cur == RLIM_INFINITY || size <= limit.rlim_cur;
}

static bool reserve(int fd, uint64_t from, uint64_t to)
{
    if (!fits_limit(to))
        return false;
    if (syscall(SYS_fallocate, fd, 0, from, to - from) == 0)
        return true;
    if (errno != EOPNOTSUPP && errno != ENOSYS)
        return false;
    return syscall(SYS_ftruncate, fd, to) == 0;
}

/* Reserve more chunks on disk. One thread does it, the others go on with what there is. */
static void grow(void)
{
    if (__atomic_exchange_n(&file.growing, 1, __ATOMIC_ACQUIRE) != 0)
        return;
    uint32_t old = CT_GET(file.reserved);
    uint32_t step = old < 16 ? 16 : old > 256 ? 256 : old;
    uint32_t wanted = old + step > file.room ? file.room : old + step;
    char path[320];
    file_path(path, sizeof path);
    int fd = wanted > old ? (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CLOEXEC) : -1;
    if (fd >= 0 && reserve(fd, (uint64_t)old * CT_CHUNK_SIZE, (uint64_t)wanted * CT_CHUNK_SIZE)) {
        __atomic_store_n(&file.reserved, wanted, __ATOMIC_RELEASE);
        CT_SET(ct.header->pages_reserved, wanted);
    } else {
        __atomic_or_fetch(&ct.header->flags, CT_H_DISK_FULL, __ATOMIC_RELAXED);
    }
    if (fd >= 0)
        syscall(SYS_close, fd);
    /* After a failure the flag stays up: trying again at every span would stall the target. */
    if (fd >= 0 && CT_GET(file.reserved) == wanted)
        __atomic_store_n(&file.growing, 0, __ATOMIC_RELEASE);
}

/* Raise the threshold as the run's budget is used up: from half of it on, four times at every sixteenth. */
static void follow_budget(uint64_t used)
{
    uint64_t sixteenths = used / (ct.max_bytes / 16 + 1);
    unsigned level = sixteenths < 8 ? 0 : (unsigned)(sixteenths - 7);
    uint64_t least = ct.first_min_span_ns == 0 ? 1000 : ct.first_min_span_ns;
    uint64_t min_span = level == 0 ? ct.first_min_span_ns : least << (2 * (level > 10 ? 10 : level));
    if (min_span <= CT_GET(ct.min_span_ns))
        return;
    uint64_t window = min_span * 64 < WINDOW_LEAST_NS ? WINDOW_LEAST_NS : min_span * 64 > WINDOW_MOST_NS ? WINDOW_MOST_NS
                                                                                                  : min_span * 64;
    CT_SET(ct.min_span_ns, min_span);
    CT_SET(ct.window_max_ns, window);
    CT_SET(ct.header->now_min_span_ns, min_span);
    if (level >= 1 && level <= 8)
        CT_SET(ct.header->raised_at_ns[level - 1], ct_now());
}

static uint64_t *budget(void) { return ct_shared != NULL ? &ct_shared->used_bytes : &file.own_used; }

/* Count bytes against the budget of the run. Spans stop before the rest: names must still find room. */
static bool take_budget(uint32_t kind)
{
    uint64_t now = __atomic_add_fetch(budget(), CT_CHUNK_SIZE, __ATOMIC_RELAXED);
    uint64_t limit = kind == CT_CHUNK_SPANS ? ct.max_bytes / 32 * 31 : ct.max_bytes;
    if (now > limit) {
        __atomic_sub_fetch(budget(), CT_CHUNK_SIZE, __ATOMIC_RELAXED);
        __atomic_or_fetch(&ct.header->flags, CT_H_BUDGET_USED, __ATOMIC_RELAXED);
        return false;
    }
    follow_budget(now);
    return true;
}

static uint32_t take_number(void)
{
    uint32_t number = __atomic_load_n(&ct.header->chunks, __ATOMIC_RELAXED);
    for (;;) {
        uint32_t reserved = __atomic_load_n(&file.reserved, __ATOMIC_ACQUIRE);
        if (number + 4 >= reserved)
            grow();
        if (number >= __atomic_load_n(&file.reserved, __ATOMIC_ACQUIRE))
            return 0;
        if (__atomic_compare_exchange_n(&ct.header->chunks, &number, number + 1, false, __ATOMIC_RELAXED,
                                        __ATOMIC_RELAXED))
            return number;
    }
}

void *ct_file_chunk(uint32_t kind, uint32_t owner, uint32_t sequence, uint32_t *number)
{
    if (ct.header == NULL || !take_budget(kind))
        return NULL;
    uint32_t taken = take_number();
    if (taken == 0)
        return NULL;
    struct ct_chunk *chunk = (struct ct_chunk *)(file.base + (size_t)taken * CT_CHUNK_SIZE);
    chunk->owner = owner;
    chunk->sequence = sequence;
    __atomic_store_n(&chunk->kind, kind, __ATOMIC_RELEASE);
    if (number != NULL)
        *number = taken;
    return chunk;
}

/* Let go of the pages of a full chunk: they stay in the page cache and leave the target's resident set. */
void ct_file_drop_pages(void *chunk)
{
    syscall(SYS_madvise, chunk, CT_CHUNK_SIZE, MADV_DONTNEED);
}

/* Touch the pages of a chunk at once. Older kernels refuse; then each is touched by its first record. */
void ct_file_want_pages(void *chunk)
{
#ifdef MADV_POPULATE_WRITE
    syscall(SYS_madvise, chunk, CT_CHUNK_SIZE, MADV_POPULATE_WRITE);
#else
    (void)chunk;
#endif
}

struct ct_thread *ct_file_slot(void)
{
    for (;;) {
        struct ct_chunk *chunk = __atomic_load_n(&file.threads, __ATOMIC_ACQUIRE);
        if (chunk != NULL) {
            uint32_t place = __atomic_load_n(&chunk->used, __ATOMIC_RELAXED);
            while (place < CT_SLOTS_PER_CHUNK) {
                if (!__atomic_compare_exchange_n(&chunk->used, &place, place + 1, false, __ATOMIC_ACQ_REL,
                                                 __ATOMIC_RELAXED))
                    continue;
                struct ct_thread *slot = (struct ct_thread *)((uint8_t *)chunk + 64) + place;
                slot->index = chunk->sequence * CT_SLOTS_PER_CHUNK + place;
                __atomic_add_fetch(&ct.header->thread_count, 1, __ATOMIC_RELAXED);
                return slot;
            }
        }
        uint32_t number;
        struct ct_chunk *fresh = ct_file_chunk(CT_CHUNK_THREADS, 0, chunk == NULL ? 0 : chunk->sequence + 1, &number);
        if (fresh == NULL)
            return NULL;
        if (!__atomic_compare_exchange_n(&file.threads, &chunk, fresh, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
            CT_SET(fresh->kind, CT_CHUNK_NONE);
            continue;
        }
        if (chunk == NULL)
            CT_SET(ct.header->first_threads, number);
        else
            CT_SET(chunk->next, number);
    }
}

struct ct_thread *ct_file_rest(void) { return file.rest; }

static void fill_header(struct ct_header *header)
{
    memcpy(header->magic, CT_MAGIC, 8);
    header->version = CT_FORMAT_VERSION;
    header->chunk_size = CT_CHUNK_SIZE;
    header->span_size = sizeof(struct ct_span);
    header->slot_size = sizeof(struct ct_thread);
    header->pid = ct.pid;
    header->ppid = ct.ppid;
    header->creator_tid = ct.creator_tid;
    header->start_method = ct.start_method;
    header->start_ns = ct.start_ns;
    header->fork_ns = ct.fork_ns;
    header->parent_start_ns = ct.parent_start_ns;
    header->process_row = ct.row;
    header->min_span_ns = ct.first_min_span_ns;
    header->now_min_span_ns = ct.min_span_ns;
    header->stack_ns = ct.stack_ns;
    header->pages_reserved = file.reserved;
    ct_stacks_header(header);
    header->flags |= ct.static_python ? CT_H_STATIC : 0;
    ssize_t length = syscall(SYS_readlink, "/proc/self/exe", header->executable, sizeof header->executable - 1);
    header->executable[length > 0 ? length : 0] = 0;
    header->argv_bytes = ct_read_file("/proc/self/cmdline", header->argv, sizeof header->argv);
    for (uint32_t i = 0; i < header->argv_bytes; i++)
        header->argc += header->argv[i] == 0;
    header->chunks = 1;
    __atomic_store_n(&header->status, CT_ALIVE, __ATOMIC_RELEASE);
}

static void *map_file(int fd)
{
    uint64_t size = ct.max_bytes + ct.max_bytes / 8 + (16u << 20);
    for (; size >= (1u << 20); size /= 4) {
        size &= ~(uint64_t)(CT_CHUNK_SIZE - 1);
        void *base = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, fd, 0);
        if (base != MAP_FAILED) {
            file.room = (uint32_t)(size / CT_CHUNK_SIZE);
            return base;
        }
    }
    return NULL;
}

bool ct_file_create(void)
{
    static uint32_t making;
    if (__atomic_exchange_n(&making, 1, __ATOMIC_ACQUIRE) != 0)
        return ct.header != NULL;
    char path[320];
    file_path(path, sizeof path);
    int fd = (int)syscall(SYS_openat, AT_FDCWD, path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    void *base = NULL;
    if (fd >= 0 && reserve(fd, 0, 16 * CT_CHUNK_SIZE)) {
        file.reserved = 16;
        base = map_file(fd);
    }
    if (fd >= 0)
        syscall(SYS_close, fd);
    if (base != NULL && ct_meta_start()) {
        file.base = base;
        file.threads = NULL;
        file.growing = 0;
        fill_header(base);
        __atomic_add_fetch(budget(), CT_CHUNK_SIZE, __ATOMIC_RELAXED);
        __atomic_store_n(&ct.header, (struct ct_header *)base, __ATOMIC_RELEASE);
        file.rest = ct_file_slot();
        ((struct ct_header *)base)->thread_count = 0;
        struct ct_process *process = ct_process(ct.row);
        if (process != NULL) {
            process->image_ns = ct.start_ns;
            process->flags |= CT_P_PYTHON;
        }
    } else {
        ct.mode = CT_MODE_FOREIGN;
        if (fd >= 0)
            syscall(SYS_unlinkat, AT_FDCWD, path, 0);
    }
    __atomic_store_n(&making, 0, __ATOMIC_RELEASE);
    return ct.header != NULL;
}

/* In a forked child: the parent's file is not ours. */
void ct_file_forget(void)
{
    if (file.base != NULL)
        munmap(file.base, (size_t)file.room * CT_CHUNK_SIZE);
    memset(&file, 0, sizeof file);
    ct.header = NULL;
}

void ct_file_finish(uint32_t status, int exit_code)
{
    struct ct_header *header = ct.header;
    if (header == NULL)
        return;
    header->exit_code = exit_code;
    header->end_ns = status == CT_ALIVE ? 0 : ct_now();
    __atomic_store_n(&header->status, status, __ATOMIC_RELEASE);
    struct stat tasks;
    /* Cut the reserve, but only when no other thread can be about to write behind the end. */
    if (status == CT_EXITED && stat("/proc/self/task", &tasks) == 0 && tasks.st_nlink == 3) {
        char path[320];
        file_path(path, sizeof path);
        file.reserved = header->chunks;
        file.growing = 1;
        header->pages_reserved = header->chunks;
        syscall(SYS_truncate, path, (uint64_t)header->chunks * CT_CHUNK_SIZE);
    }
}
