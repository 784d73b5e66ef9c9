/* What /proc tells of the target: its threads, and the counters that the scheduler keeps of each.
 *
 * Reading them costs the target nothing, so they stand in wherever there are no switch records, and they tell
 * whether switch records may be asked for at all. */
#include "watcher.h"

#include <ctype.h>
#include <dirent.h>
#include <fcntl.h>

#define WALK_NS 100000000u
#define OWN_SHARE 50u                  /* a pass may take one part in so many of the time */
#define REST_MOST 15u                  /* passes that a thread which did not run is left out at most */

static bool read_text(const char *path, char *to, size_t room)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return false;
    size_t length = 0;
    ssize_t part;
    while (length < room - 1 && (part = read(fd, to + length, room - 1 - length)) > 0)
        length += (size_t)part;
    close(fd);
    to[length] = 0;
    return length > 0;
}

/* ---- the counters of one thread ---- */

struct stat_words { uint8_t state; uint16_t cpu; };

static struct stat_words read_stat(uint32_t pid, uint32_t tid)
{
    char path[64], text[512];
    struct stat_words words = {0};
    snprintf(path, sizeof path, "/proc/%u/task/%u/stat", pid, tid);
    char *at = read_text(path, text, sizeof text) ? strrchr(text, ')') : NULL;
    if (at == NULL || at[1] == 0)
        return words;
    words.state = (uint8_t)at[2];
    at += 2;
    for (unsigned field = 3; field < 39 && at != NULL; field++)
        at = strchr(at + 1, ' ');
    words.cpu = at == NULL ? 0 : (uint16_t)strtoul(at, NULL, 10);
    return words;
}

static void append(struct cw *cw, const struct cw_load *load)
{
    struct cw_load *item = cw_file_more(&cw->loads_file, 1, cw->head);
    if (item == NULL) {
        cw->head->loads_dropped++;
        return;
    }
    *item = *load;
    cw_file_publish(&cw->loads_file, 1);
}

static void read_load(struct cw *cw, uint32_t index, uint64_t now_ns)
{
    const struct cw_task *task = cw_file_item(&cw->tasks_file, index);
    struct cw_own_task *own = &cw->own[index];
    struct cw_load load = {.time_ns = now_ns, .tid = task->tid, .pid = task->pid};
    char path[64], text[128], *rest;
    snprintf(path, sizeof path, "/proc/%u/task/%u/schedstat", task->pid, task->tid);
    if (!read_text(path, text, sizeof text))
        return;
    load.cpu_ns = strtoull(text, &rest, 10);
    load.delay_ns = strtoull(rest, &rest, 10);
    uint64_t stays = strtoull(rest, NULL, 10);
    bool first = own->load.time_ns == 0;
    if (!first && load.cpu_ns == own->load.cpu_ns && load.delay_ns == own->load.delay_ns) {
        own->load.time_ns = now_ns;
        own->load_told = false;
        own->rest = own->rest < REST_MOST ? own->rest * 2 + 1 : REST_MOST;
        own->resting = own->rest;
        return;
    }
    struct stat_words words = read_stat(task->pid, task->tid);
    load.state = words.state;
    load.cpu = words.cpu;
    /* Up to there it had not run: told only now, so that a sleeper costs no room. */
    if (!first && !own->load_told)
        append(cw, &own->load);
    append(cw, &load);
    if (!first) {
        cw->window_stays += stays - own->stays;
        own->window_cpu_ns += load.cpu_ns - own->load.cpu_ns;
    }
    own->load = load;
    own->load_told = true;
    own->stays = stays;
    own->rest = 0;
}

void cw_loads_read(struct cw *cw, uint64_t now_ns, enum cw_whom whom)
{
    for (uint32_t i = 0; i < cw->there_count; i++) {
        struct cw_own_task *own = &cw->own[cw->there[i]];
        if (whom == CW_ALL || own->resting == 0)
            read_load(cw, cw->there[i], now_ns);
        else
            own->resting--;
    }
}

uint32_t cw_loads_busy(struct cw *cw, uint64_t least_ns)
{
    uint32_t busy = 0;
    for (uint32_t i = 0; i < cw->there_count; i++) {
        struct cw_own_task *own = &cw->own[cw->there[i]];
        busy += own->window_cpu_ns >= least_ns;
        own->window_cpu_ns = 0;
    }
    return busy;
}

/* ---- who is there ---- */

static bool has_ended(const struct cw_task *task)
{
    uint8_t state = read_stat(task->pid, task->tid).state;
    return state == 'Z' || state == 'X' || state == 0;
}

/* Its name, where no record told of it. */
static void read_comm(struct cw_task *task)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/task/%u/comm", task->pid, task->tid);
    if (read_text(path, task->comm, sizeof task->comm))
        task->comm[strcspn(task->comm, "\n")] = 0;
}

static void note(struct cw *cw, uint32_t pid, uint32_t tid)
{
    struct cw_task *task = cw_task_of(cw, tid);
    /* Ended, and nobody has asked how: it stays in the list. */
    if (task != NULL && (task->flags & CW_T_EXITED) && has_ended(task))
        return;
    task = cw_task_found(cw, pid, tid, cw->walked_ns);
    if (task == NULL || cw_own_of(cw, task)->walk == cw->walk)
        return;
    cw_own_of(cw, task)->walk = cw->walk;
    if (task->comm[0] == 0)
        read_comm(task);
    if (cw->there_count == cw->there_room) {
        uint32_t room = cw->there_room == 0 ? 256 : cw->there_room * 2;
        uint32_t *there = realloc(cw->there, room * sizeof *there);
        if (there == NULL)
            return;
        cw->there = there;
        cw->there_room = room;
    }
    cw->there[cw->there_count++] = (uint32_t)(task - (struct cw_task *)cw_file_item(&cw->tasks_file, 0));
}

static void visit(struct cw *cw, uint32_t pid, unsigned depth);

static void visit_children(struct cw *cw, uint32_t pid, uint32_t tid, unsigned depth)
{
    char path[64], children[4096], *rest;
    snprintf(path, sizeof path, "/proc/%u/task/%u/children", pid, tid);
    if (!read_text(path, children, sizeof children))
        return;
    for (char *word = strtok_r(children, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest))
        visit(cw, (uint32_t)strtoul(word, NULL, 10), depth + 1);
}

static void visit(struct cw *cw, uint32_t pid, unsigned depth)
{
    char path[64];
    snprintf(path, sizeof path, "/proc/%u/task", pid);
    DIR *folder = depth > 64 ? NULL : opendir(path);
    if (folder == NULL)
        return;
    for (struct dirent *entry = readdir(folder); entry != NULL; entry = readdir(folder)) {
        if (!isdigit((unsigned char)entry->d_name[0]))
            continue;
        uint32_t tid = (uint32_t)strtoul(entry->d_name, NULL, 10);
        note(cw, pid, tid);
        visit_children(cw, pid, tid, depth);
    }
    closedir(folder);
}

void cw_loads_list(struct cw *cw, uint64_t now_ns)
{
    cw->walk++;
    cw->there_count = 0;
    cw->walked_ns = now_ns;
    visit(cw, cw->config.pid, 0);
    /* Those that have left the family of the first process: its daemons. */
    for (uint64_t i = 0; i < cw->tasks_file.count; i++) {
        const struct cw_task *task = cw_file_item(&cw->tasks_file, i);
        if ((task->flags & (CW_T_PROCESS | CW_T_EXITED)) == CW_T_PROCESS && cw->own[i].walk != cw->walk)
            visit(cw, task->pid, 0);
    }
}

void cw_loads_end_missing(struct cw *cw, uint64_t now_ns)
{
    for (uint64_t i = 0; i < cw->tasks_file.count; i++) {
        struct cw_task *task = cw_file_item(&cw->tasks_file, i);
        if ((task->flags & CW_T_EXITED) || cw->own[i].walk == cw->walk)
            continue;
        task->end_ns = now_ns;
        task->flags |= CW_T_EXITED | CW_T_END_GUESSED;
    }
}

void cw_loads_tick(struct cw *cw, uint64_t now_ns)
{
    uint64_t before = cw_clock(CLOCK_THREAD_CPUTIME_ID);
    if (now_ns - cw->walked_ns >= WALK_NS) {
        cw_loads_list(cw, now_ns);
        cw_loads_end_missing(cw, now_ns);
    }
    cw_loads_read(cw, now_ns, CW_THOSE_DUE);
    uint64_t cost = (cw_clock(CLOCK_THREAD_CPUTIME_ID) - before) * OWN_SHARE;
    uint64_t interval = 1000000000u / cw->config.load_hz;
    cw->load_due_ns = now_ns + (cost > interval ? cost : interval);
}
