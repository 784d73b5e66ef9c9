/* Append-only tables. Their bytes are reserved on disk before they are touched: a full disk must be an error
 * code here, not a SIGBUS in the launcher. */
#include "watcher.h"

#include <fcntl.h>
#include <sys/mman.h>

#define FIRST_STEP (16u << 10)
#define LAST_STEP (4u << 20)

static bool reserve(struct cw_file *file, uint64_t wanted)
{
    if (wanted > file->limit)
        return false;
    uint64_t step = wanted - file->reserved;
    if (step > file->room->left)
        return false;
    if (fallocate(file->fd, 0, (off_t)file->reserved, (off_t)step) != 0 &&
        ((errno != EOPNOTSUPP && errno != ENOSYS) || ftruncate(file->fd, (off_t)wanted) != 0))
        return false;
    file->room->left -= step;
    file->reserved = wanted;
    return true;
}

bool cw_file_open(struct cw_file *file, const char *directory, const char *name, enum cw_kind kind,
                  uint32_t item_size, uint64_t start_ns, struct cw_room *room, uint64_t max_bytes)
{
    char path[PATH_MAX];
    memset(file, 0, sizeof *file);
    file->fd = -1;
    if ((size_t)snprintf(path, sizeof path, "%s/watch-%s.ctw", directory, name) >= sizeof path)
        return errno = ENAMETOOLONG, false;
    file->fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0644);
    if (file->fd < 0)
        return false;
    file->item_size = item_size;
    file->room = room;
    uint64_t first = kind == CW_HEAD ? 4096 : FIRST_STEP;
    file->limit = max_bytes > first ? max_bytes & ~(uint64_t)4095 : first;
    if (!reserve(file, first))
        return false;
    void *base = mmap(NULL, file->limit, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_NORESERVE, file->fd, 0);
    if (base == MAP_FAILED)
        return false;
    file->base = base;
    struct cw_table *table = base;
    table->version = CW_FORMAT_VERSION;
    table->kind = kind;
    table->item_size = item_size;
    table->start_ns = start_ns;
    memcpy(table->magic, CW_MAGIC, sizeof table->magic);
    return true;
}

void *cw_file_more(struct cw_file *file, uint64_t n, struct cw_head *head)
{
    uint64_t end = sizeof(struct cw_table) + (file->count + n) * file->item_size;
    if (CW_UNLIKELY(end > file->reserved)) {
        if (file->full)
            return NULL;
        uint64_t step = file->reserved < LAST_STEP ? file->reserved : LAST_STEP;
        uint64_t wanted = file->reserved + step > file->limit ? file->limit : file->reserved + step;
        if (wanted < end)
            wanted = (end + 4095) & ~(uint64_t)4095;
        errno = 0;
        if (!reserve(file, wanted)) {
            if (errno == ENOSPC || errno == EFBIG || errno == EDQUOT)
                head->flags |= CW_H_DISK_FULL;
            file->full = true;
            return NULL;
        }
    }
    return cw_file_item(file, file->count);
}

void cw_file_publish(struct cw_file *file, uint64_t n)
{
    file->count += n;
    __atomic_store_n(&((struct cw_table *)file->base)->count, file->count, __ATOMIC_RELEASE);
}

void cw_file_close(struct cw_file *file)
{
    if (file->base != NULL) {
        munmap(file->base, file->limit);
        /* A file that stays too long is still valid: nothing to be done about a failure. */
        if (ftruncate(file->fd, (off_t)(sizeof(struct cw_table) + file->count * file->item_size)) != 0)
            errno = 0;
    }
    if (file->fd >= 0)
        close(file->fd);
    file->base = NULL;
    file->fd = -1;
}
