/* The file of this process, and what all processes of the run may use together. */
#include "tasks.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define GROW_CHUNKS 16u
#define LEAST_CHUNKS 7u             /* the header, and one of each kind that every recording has */
/* What is kept for things that are no details, for names and places: one part in so many, and some chunks. */
#define RESERVED_PART 32u
#define RESERVED_CHUNKS 4u

struct tk_header *tk_head;
uint64_t tk_generation;
static unsigned char nobody;
volatile unsigned char *tk_alive = &nobody;

static struct tk_shared *shared;
static size_t mapped;
static uint32_t there;                      /* chunks the file has room for */
static char file_path[4096];
static struct tk_chunk *newest[TK_KINDS];
static bool no_details;                     /* there is room for other things only */
static _Thread_local uint32_t my_tid;
static _Thread_local uint64_t my_generation;

uint32_t tk_tid(void)
{
    if (my_tid == 0 || my_generation != tk_generation) {
        my_tid = (uint32_t)syscall(SYS_gettid);
        my_generation = tk_generation;
    }
    return my_tid;
}

/* Reserved before it is touched: a full disk would be a SIGBUS in the target otherwise. */
static bool grow(int file, uint32_t chunks)
{
    uint64_t bytes = (uint64_t)(chunks - there) * TK_CHUNK;
    if ((uint64_t)chunks * TK_CHUNK > mapped)
        return false;
    if (__atomic_add_fetch(&shared->used, bytes, __ATOMIC_RELAXED) > shared->max_bytes) {
        __atomic_sub_fetch(&shared->used, bytes, __ATOMIC_RELAXED);
        return false;
    }
    if (posix_fallocate(file, (off_t)there * TK_CHUNK, (off_t)bytes) != 0) {
        __atomic_sub_fetch(&shared->used, bytes, __ATOMIC_RELAXED);
        if (tk_head != NULL)
            tk_head->flags |= TK_H_DISK_FULL;
        return false;
    }
    there = chunks;
    return true;
}

static bool open_budget(const char *path, uint64_t max_bytes)
{
    int file = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    void *at = MAP_FAILED;
    if (posix_fallocate(file, 0, 4096) == 0)
        at = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
    close(file);
    if (at == MAP_FAILED)
        return false;
    shared = at;
    shared->max_bytes = max_bytes;
    return true;
}

bool tk_file_open(const char *path, const char *budget, uint64_t max_bytes)
{
    if (strlen(path) >= sizeof file_path || !open_budget(budget, max_bytes))
        return false;
    int file = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    if (file < 0)
        return false;
    strcpy(file_path, path);
    there = 0;
    mapped = (max_bytes / TK_CHUNK + GROW_CHUNKS) * TK_CHUNK;
    void *at = MAP_FAILED;
    if (grow(file, GROW_CHUNKS) || grow(file, LEAST_CHUNKS))
        at = mmap(NULL, mapped, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file, 0);
    close(file);
    if (at == MAP_FAILED)
        return false;
    if (tk_alive == &nobody) {
        void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (page == MAP_FAILED)
            return false;
        madvise(page, 4096, MADV_WIPEONFORK);
        tk_alive = page;
    }
    memset(newest, 0, sizeof newest);
    no_details = false;
    struct tk_header *head = at;
    memcpy(head->magic, TK_MAGIC, 8);
    head->version = TK_VERSION;
    head->chunk_size = TK_CHUNK;
    head->chunks = 1;
    head->pid = (uint32_t)getpid();
    head->start_ns = tk_now();
    head->max_bytes = max_bytes;
    tk_generation++;
    *tk_alive = 1;
    tk_head = head;
    return true;
}

/* by_parent: the mapping is the parent's, whose file it is; a forked child lets go of it. */
void tk_file_close(bool by_parent)
{
    if (tk_head == NULL)
        return;
    if (!by_parent) {
        uint32_t chunks = tk_head->chunks;
        tk_head->end_ns = tk_now();
        if (chunks < there && truncate(file_path, (off_t)chunks * TK_CHUNK) == 0)
            __atomic_sub_fetch(&shared->used, (uint64_t)(there - chunks) * TK_CHUNK, __ATOMIC_RELAXED);
    }
    void *old = tk_head;
    tk_head = NULL;
    *tk_alive = 0;
    tk_generation++;
    munmap(old, mapped);
    munmap(shared, 4096);
    shared = NULL;
}

double tk_fullness(void) { return (double)shared->used / (double)shared->max_bytes; }

/* What there can be very many of. */
static bool is_detail(enum tk_kind kind)
{
    return kind == TK_TASKS || kind == TK_STEPS || kind == TK_CANCELS || kind == TK_JOBS;
}

static bool only_reserve_left(void)
{
    uint64_t used = shared->used, own = (uint64_t)(there - tk_head->chunks) * TK_CHUNK;
    uint64_t left = own + (used < shared->max_bytes ? shared->max_bytes - used : 0);
    return left < shared->max_bytes / RESERVED_PART + (uint64_t)RESERVED_CHUNKS * TK_CHUNK;
}

static struct tk_chunk *new_chunk(enum tk_kind kind)
{
    uint32_t number = tk_head->chunks;
    if (number >= there) {
        if (tk_head->flags & TK_H_FULL)
            return NULL;
        int saved = errno, file = open(file_path, O_RDWR | O_CLOEXEC);
        bool grown = file >= 0 && (grow(file, there + GROW_CHUNKS) || grow(file, there + 1));
        if (file >= 0)
            close(file);
        errno = saved;
        if (!grown) {
            tk_head->flags |= TK_H_FULL;
            return NULL;
        }
    }
    struct tk_chunk *old = newest[kind], *fresh = (struct tk_chunk *)((char *)tk_head + (size_t)number * TK_CHUNK);
    fresh->sequence = old != NULL ? old->sequence + 1 : 0;
    fresh->kind = kind;
    newest[kind] = fresh;
    __atomic_store_n(&tk_head->chunks, number + 1, __ATOMIC_RELEASE);
    if (old != NULL && kind == TK_STEPS)    /* so that recording does not show in the target's resident set */
        madvise(old, TK_CHUNK, MADV_DONTNEED);
    return fresh;
}

static void *room(enum tk_kind kind, uint32_t size, bool at_last)
{
    struct tk_chunk *chunk = newest[kind];
    bool kept_back = !at_last && chunk != NULL && is_detail(kind);
    if (TK_UNLIKELY(no_details) && kept_back)
        return NULL;
    if (TK_UNLIKELY(chunk == NULL || chunk->used + size > TK_CHUNK - sizeof *chunk)) {
        no_details = no_details || (kept_back && only_reserve_left());
        chunk = no_details && kept_back ? NULL : new_chunk(kind);
        if (chunk == NULL)
            return NULL;
    }
    return (char *)(chunk + 1) + chunk->used;
}

void *tk_add_hidden(enum tk_kind kind, uint32_t size) { return room(kind, size, false); }

void tk_publish(enum tk_kind kind, uint32_t size)
{
    __atomic_store_n(&newest[kind]->used, newest[kind]->used + size, __ATOMIC_RELEASE);
}

static void *published(enum tk_kind kind, uint32_t size, bool at_last)
{
    void *item = room(kind, size, at_last);
    if (item != NULL)
        tk_publish(kind, size);
    return item;
}

void *tk_add(enum tk_kind kind, uint32_t size) { return published(kind, size, false); }

void *tk_add_at_last(enum tk_kind kind, uint32_t size) { return published(kind, size, true); }
