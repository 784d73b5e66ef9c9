/* The threads and processes that are there when watching begins. */
#include "watcher.h"

#include <ctype.h>
#include <dirent.h>

bool cw_read_file(const char *path, char *to, size_t room)
{
    FILE *file = fopen(path, "re");
    if (file == NULL)
        return false;
    size_t length = fread(to, 1, room - 1, file);
    fclose(file);
    to[length] = 0;
    return length > 0;
}

static void visit_children(uint32_t pid, uint32_t tid, unsigned depth, cw_visit *visit, void *context)
{
    char path[64], children[4096];
    snprintf(path, sizeof path, "/proc/%u/task/%u/children", pid, tid);
    if (!cw_read_file(path, children, sizeof children))
        return;
    char *rest;
    for (char *word = strtok_r(children, " \n", &rest); word != NULL; word = strtok_r(NULL, " \n", &rest))
        cw_visit_family((uint32_t)strtoul(word, NULL, 10), depth + 1, visit, context);
}

void cw_visit_family(uint32_t pid, unsigned depth, cw_visit *visit, void *context)
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
        visit(context, pid, tid);
        visit_children(pid, tid, depth, visit, context);
    }
    closedir(folder);
}
