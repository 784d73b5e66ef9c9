/* Switch records of the kernel, in one ring buffer per core.
 *
 * The rings belong to events on the watcher's own thread, so that they outlive what is attached: the events of the
 * target's threads only write into them, and can be closed and opened again as the cost demands. */
#include "watcher.h"

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#ifndef PERF_RECORD_MISC_SWITCH_OUT_PREEMPT
#define PERF_RECORD_MISC_SWITCH_OUT_PREEMPT (1 << 14)
#endif
/* With its control page, what the kernel lets every user lock per core by default. */
#define MOST_RING_BYTES (512u << 10)
#define LEAST_RING_BYTES (128u << 10)
#define WAKE_BYTES (64u << 10)
#define LONGEST_RECORD 128u

/* Every record ends in this, because of sample_id_all and the sample type. */
struct sample_id { uint32_t pid, tid; uint64_t time_ns; };

/* Bodies of the records, without their header. */
struct task_body { uint32_t pid, ppid, tid, ptid; uint64_t time_ns; };
struct comm_body { uint32_t pid, tid; char comm[16]; };
struct lost_body { uint64_t id, lost; };

enum role { CARRIES_RING, WATCHES_THREAD };

static int open_event(pid_t tid, uint32_t cpu, enum role role)
{
    struct perf_event_attr attr = {
        .type = PERF_TYPE_SOFTWARE,
        .size = sizeof attr,
        .config = PERF_COUNT_SW_DUMMY,
        .sample_type = PERF_SAMPLE_TID | PERF_SAMPLE_TIME,
        .exclude_kernel = 1,           /* all that an ordinary user may ask for */
        .exclude_hv = 1,
        .sample_id_all = 1,
        .inherit = role == WATCHES_THREAD,
        .context_switch = role == WATCHES_THREAD,
        .task = role == WATCHES_THREAD,
        .comm = role == WATCHES_THREAD,
        .comm_exec = role == WATCHES_THREAD,
        .use_clockid = 1,
        .clockid = CLOCK_MONOTONIC,
        .watermark = 1,
        .wakeup_watermark = WAKE_BYTES,
    };
    return (int)syscall(SYS_perf_event_open, &attr, tid, (int)cpu, -1, PERF_FLAG_FD_CLOEXEC);
}

static bool map_ring(struct cw_ring *ring, uint64_t bytes)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    void *base = mmap(NULL, page + bytes, PROT_READ | PROT_WRITE, MAP_SHARED, ring->fd, 0);
    if (base == MAP_FAILED)
        return false;
    ring->base = base;
    ring->data = (const uint8_t *)base + page;
    ring->size = bytes;
    return true;
}

static void unmap_ring(struct cw_ring *ring)
{
    if (ring->base != NULL)
        munmap(ring->base, (size_t)sysconf(_SC_PAGESIZE) + ring->size);
    ring->base = NULL;
}

/* One ring for each core that is there: a core that is not online gives ENODEV. */
static bool open_rings(struct cw_perf *perf)
{
    long most = sysconf(_SC_NPROCESSORS_CONF);
    perf->rings = calloc((size_t)(most > 0 ? most : 1), sizeof *perf->rings);
    if (perf->rings == NULL)
        return false;
    for (uint32_t cpu = 0; cpu < most; cpu++) {
        int fd = open_event(0, cpu, CARRIES_RING);
        if (fd < 0 && errno == ENODEV)
            continue;
        if (fd < 0)
            return false;
        perf->rings[perf->count++] = (struct cw_ring){.fd = fd, .cpu = cpu};
    }
    return perf->count > 0;
}

/* As large as the user's share of locked memory allows, the same for every core. */
static bool map_rings(struct cw_perf *perf)
{
    for (uint64_t bytes = MOST_RING_BYTES; bytes >= LEAST_RING_BYTES; bytes /= 2) {
        uint32_t mapped = 0;
        while (mapped < perf->count && map_ring(&perf->rings[mapped], bytes))
            mapped++;
        perf->ring_bytes = bytes;
        if (mapped == perf->count)
            return true;
        int error = errno;
        for (uint32_t i = 0; i < mapped; i++)
            unmap_ring(&perf->rings[i]);
        errno = error;
        if (error != EPERM && error != ENOMEM)
            return false;
    }
    return false;
}

bool cw_perf_open(struct cw_perf *perf)
{
    if (open_rings(perf) && map_rings(perf))
        return true;
    int error = errno;
    cw_perf_close(perf);
    errno = error;
    return false;
}

static bool make_room(struct cw_perf *perf)
{
    if (perf->watching_count + perf->count <= perf->watching_room)
        return true;
    uint32_t room = perf->watching_room * 2 + perf->count * 8;
    int *watching = realloc(perf->watching, room * sizeof *watching);
    if (watching == NULL)
        return false;
    perf->watching = watching;
    perf->watching_room = room;
    return true;
}

bool cw_perf_watch(struct cw_perf *perf, pid_t tid)
{
    if (!make_room(perf))
        return false;
    for (uint32_t i = 0; i < perf->count; i++) {
        int fd = open_event(tid, perf->rings[i].cpu, WATCHES_THREAD);
        if (fd < 0)
            return false;
        perf->watching[perf->watching_count++] = fd;
        if (ioctl(fd, PERF_EVENT_IOC_SET_OUTPUT, perf->rings[i].fd) != 0)
            return false;
    }
    return true;
}

void cw_perf_let_go(struct cw_perf *perf)
{
    for (uint32_t i = 0; i < perf->watching_count; i++)
        close(perf->watching[i]);
    perf->watching_count = 0;
}

void cw_perf_close(struct cw_perf *perf)
{
    cw_perf_let_go(perf);
    free(perf->watching);
    for (uint32_t i = 0; i < perf->count; i++) {
        unmap_ring(&perf->rings[i]);
        close(perf->rings[i].fd);
    }
    free(perf->rings);
    memset(perf, 0, sizeof *perf);
}

/* Records wrap round at the end of the ring: copy what is asked for. */
static void copy_out(const struct cw_ring *ring, uint64_t from, void *to, uint64_t bytes)
{
    uint64_t at = from & (ring->size - 1);
    uint64_t first = ring->size - at < bytes ? ring->size - at : bytes;
    memcpy(to, ring->data + at, first);
    memcpy((uint8_t *)to + first, ring->data, bytes - first);
}

static void find_next(struct cw_ring *ring)
{
    struct perf_event_header header;
    struct sample_id id;
    ring->next_ns = UINT64_MAX;
    if (ring->tail >= ring->head)
        return;
    copy_out(ring, ring->tail, &header, sizeof header);
    if (header.size < sizeof header + sizeof id || ring->tail + header.size > ring->head) {
        ring->tail = ring->head;       /* not a record: nothing behind it can be trusted */
        return;
    }
    copy_out(ring, ring->tail + header.size - sizeof id, &id, sizeof id);
    ring->next_ns = id.time_ns;
}

static void hand_on(struct cw *cw, struct cw_ring *ring)
{
    union { uint8_t bytes[LONGEST_RECORD]; struct perf_event_header header; uint64_t align; } record;
    copy_out(ring, ring->tail, &record.header, sizeof record.header);
    uint64_t size = record.header.size;
    ring->tail += size;
    if (size > LONGEST_RECORD)
        return;
    copy_out(ring, ring->tail - size, record.bytes, size);
    struct sample_id id;
    memcpy(&id, record.bytes + size - sizeof id, sizeof id);
    const void *body = record.bytes + sizeof record.header;
    const struct task_body *task = body;
    uint16_t misc = record.header.misc;
    switch (record.header.type) {
    case PERF_RECORD_SWITCH:
        if (misc & PERF_RECORD_MISC_SWITCH_OUT)
            cw_slice_out(cw, ring, id.pid, id.tid, id.time_ns, (misc & PERF_RECORD_MISC_SWITCH_OUT_PREEMPT) != 0);
        else
            cw_slice_in(cw, ring, id.pid, id.tid, id.time_ns);
        break;
    case PERF_RECORD_FORK:
        cw_task_fork(cw, task->pid, task->tid, task->ptid, task->time_ns);
        break;
    case PERF_RECORD_EXIT:
        cw_task_exit(cw, ring, task->pid, task->tid, task->time_ns);
        break;
    case PERF_RECORD_COMM: {
        const struct comm_body *comm = body;
        char name[16] = {0};           /* shorter names make shorter records */
        uint64_t room = size - sizeof record.header - sizeof id - offsetof(struct comm_body, comm);
        memcpy(name, comm->comm, room < 15 ? room : 15);
        cw_task_comm(cw, comm->pid, comm->tid, name, (misc & PERF_RECORD_MISC_COMM_EXEC) != 0, id.time_ns);
        break;
    }
    case PERF_RECORD_LOST:
        cw_slices_lost(cw, ring, id.time_ns, ((const struct lost_body *)body)->lost);
        break;
    default:
        break;
    }
}

void cw_perf_drain(struct cw *cw, uint64_t until)
{
    struct cw_perf *perf = &cw->perf;
    for (uint32_t i = 0; i < perf->count; i++) {
        struct cw_ring *ring = &perf->rings[i];
        ring->head = __atomic_load_n(&((struct perf_event_mmap_page *)ring->base)->data_head, __ATOMIC_ACQUIRE);
        find_next(ring);
    }
    while (perf->count != 0) {
        struct cw_ring *first = &perf->rings[0];
        for (uint32_t i = 1; i < perf->count; i++)
            if (perf->rings[i].next_ns < first->next_ns)
                first = &perf->rings[i];
        if (first->next_ns > until || first->next_ns == UINT64_MAX)
            break;
        hand_on(cw, first);
        find_next(first);
    }
    for (uint32_t i = 0; i < perf->count; i++) {
        struct cw_ring *ring = &perf->rings[i];
        __atomic_store_n(&((struct perf_event_mmap_page *)ring->base)->data_tail, ring->tail, __ATOMIC_RELEASE);
    }
}
