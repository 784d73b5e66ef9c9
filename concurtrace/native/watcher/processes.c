/* The target's Python processes: their files as they appear, and in them the state of every thread. */
#include "watcher.h"

#include <dirent.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/inotify.h>
#include <sys/mman.h>
#include <sys/stat.h>

#define CHECK_NS 1000000000u

static void *map_chunk(int fd, uint32_t number)
{
    struct stat file;
    off_t at = (off_t)number * CT_CHUNK_SIZE;
    if (fstat(fd, &file) != 0 || file.st_size < at + (off_t)CT_CHUNK_SIZE)
        return NULL;
    void *chunk = mmap(NULL, CT_CHUNK_SIZE, PROT_READ, MAP_SHARED, fd, at);
    return chunk == MAP_FAILED ? NULL : chunk;
}

static int open_file(const struct cw *cw, uint32_t pid, uint64_t start_ns)
{
    char path[PATH_MAX];
    snprintf(path, sizeof path, "%s/%u-%llu.ctr", cw->config.directory, pid, (unsigned long long)start_ns);
    return open(path, O_RDONLY | O_CLOEXEC);
}

static void forget(struct cw_process *process)
{
    if (process->header != NULL)
        munmap((void *)process->header, CT_CHUNK_SIZE);
    for (uint32_t i = 0; i < process->chunk_count; i++)
        munmap((void *)process->chunks[i], CT_CHUNK_SIZE);
    free(process->chunks);
    free(process->aims);
    free(process->places);
    cw_ids_free(&process->code_of);
}

static void add(struct cw *cw, const char *name)
{
    unsigned pid;
    unsigned long long start_ns;
    char end;
    if (sscanf(name, "%u-%llu.ct%c", &pid, &start_ns, &end) != 3 || end != 'r')
        return;
    for (uint32_t i = 0; i < cw->process_count; i++)
        if (cw->processes[i].remote.pid == pid && cw->processes[i].start_ns == start_ns)
            return;
    if (cw->process_count == cw->process_room) {
        uint32_t room = cw->process_room == 0 ? 16 : cw->process_room * 2;
        struct cw_process *processes = realloc(cw->processes, room * sizeof *processes);
        if (processes == NULL)
            return;
        cw->processes = processes;
        cw->process_room = room;
    }
    cw->processes[cw->process_count++] = (struct cw_process){.remote = {.pid = pid}, .start_ns = start_ns};
}

static void add_those_there(struct cw *cw)
{
    DIR *folder = opendir(cw->config.directory);
    if (folder == NULL)
        return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder))
        add(cw, entry->d_name);
    closedir(folder);
}

void cw_processes_start(struct cw *cw)
{
    cw->folder_fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    if (cw->folder_fd >= 0 && inotify_add_watch(cw->folder_fd, cw->config.directory, IN_CREATE) < 0) {
        close(cw->folder_fd);
        cw->folder_fd = -1;
    }
    add_those_there(cw);
}

/* Take in the files that have appeared; without inotify by looking again, now and then. */
void cw_processes_notice(struct cw *cw, uint64_t now_ns)
{
    union { char bytes[4096]; struct inotify_event align; } events;
    if (cw->folder_fd < 0) {
        if (now_ns - cw->looked_ns > CHECK_NS / 4)
            add_those_there(cw);
        cw->looked_ns = now_ns;
        return;
    }
    ssize_t length;
    while ((length = read(cw->folder_fd, events.bytes, sizeof events.bytes)) > 0) {
        for (char *at = events.bytes; at < events.bytes + length;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            if (event->mask & IN_Q_OVERFLOW)
                add_those_there(cw);
            else if (event->len != 0)
                add(cw, event->name);
            at += sizeof *event + event->len;
        }
    }
}

/* Whether the process still is the one that made the file, and not another with its number. */
static bool is_there(const struct cw *cw, const struct cw_process *process)
{
    if (kill((pid_t)process->remote.pid, 0) != 0 && errno == ESRCH)
        return false;
    /* A later image of the same number: this one was replaced by exec, or has ended. */
    for (uint32_t i = 0; i < cw->process_count; i++)
        if (cw->processes[i].remote.pid == process->remote.pid && cw->processes[i].start_ns > process->start_ns)
            return false;
    return true;
}

static bool open_process(struct cw *cw, struct cw_process *process)
{
    int fd = open_file(cw, process->remote.pid, process->start_ns);
    if (fd < 0)
        return false;
    const struct ct_header *header = map_chunk(fd, 0);
    close(fd);
    if (header == NULL)
        return true;                   /* not filled yet */
    if (__atomic_load_n(&header->status, __ATOMIC_ACQUIRE) == 0) {
        munmap((void *)header, CT_CHUNK_SIZE);
        return true;
    }
    process->header = header;
    bool known = memcmp(header->magic, CT_MAGIC, 8) == 0 && header->version == CT_FORMAT_VERSION &&
                 header->slot_size == sizeof(struct ct_thread);
    process->blind = !known || (header->flags & (CT_H_NO_STACKS | CT_H_FREE_THREADED)) || header->code_type == 0;
    cw->head->images_blind += process->blind;
    return true;
}

static bool add_chunk(struct cw *cw, struct cw_process *process, uint32_t number)
{
    int fd = number == 0 ? -1 : open_file(cw, process->remote.pid, process->start_ns);
    if (fd < 0)
        return false;
    const struct ct_chunk *chunk = map_chunk(fd, number);
    close(fd);
    uint32_t count = process->chunk_count + 1;
    const struct ct_chunk **chunks = chunk == NULL ? NULL : realloc(process->chunks, count * sizeof *chunks);
    if (chunks != NULL)
        process->chunks = chunks;
    struct cw_aim *aims = chunks == NULL ? NULL : realloc(process->aims, count * CT_SLOTS_PER_CHUNK * sizeof *aims);
    if (aims == NULL) {
        if (chunk != NULL)
            munmap((void *)chunk, CT_CHUNK_SIZE);
        return false;
    }
    memset(aims + process->chunk_count * CT_SLOTS_PER_CHUNK, 0, CT_SLOTS_PER_CHUNK * sizeof *aims);
    process->aims = aims;
    process->chunks[process->chunk_count++] = chunk;
    return true;
}

static void follow_chunks(struct cw *cw, struct cw_process *process)
{
    for (;;) {
        uint32_t last = process->chunk_count;
        uint32_t number = last == 0 ? process->header->first_threads
                                    : __atomic_load_n(&process->chunks[last - 1]->next, __ATOMIC_ACQUIRE);
        if (number == 0 || number >= process->header->chunks || !add_chunk(cw, process, number))
            return;
    }
}

/* Bring the list up to date: open what is new, drop what has ended. */
void cw_processes_follow(struct cw *cw, uint64_t now_ns)
{
    bool check = now_ns - cw->checked_ns > CHECK_NS;
    if (check)
        cw->checked_ns = now_ns;
    for (uint32_t i = 0; i < cw->process_count;) {
        struct cw_process *process = &cw->processes[i];
        bool there = process->gone ? false : process->header != NULL || open_process(cw, process);
        if (there && process->header != NULL)
            there = __atomic_load_n(&process->header->status, __ATOMIC_ACQUIRE) == CT_ALIVE;
        if (there && check)
            there = is_there(cw, process);
        if (!there) {
            forget(process);
            *process = cw->processes[--cw->process_count];
            continue;
        }
        if (process->header != NULL && !process->blind)
            follow_chunks(cw, process);
        i++;
    }
}

void cw_processes_end(struct cw *cw)
{
    for (uint32_t i = 0; i < cw->process_count; i++)
        forget(&cw->processes[i]);
    free(cw->processes);
    cw->processes = NULL;
    cw->process_count = 0;
    if (cw->folder_fd >= 0)
        close(cw->folder_fd);
    cw->folder_fd = -1;
}
