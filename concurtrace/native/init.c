/* Start of the library in a process: what it is, and what there is to record. */
#include "recorder.h"

#include <dlfcn.h>
#include <link.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>

struct ct_global ct;
static uint32_t never_live;
volatile uint32_t *ct_live = &never_live;

/* ---- where the Python runtime's code lies: for the first look at a GIL, and to tell native libraries apart ---- */

static int find_text(struct dl_phdr_info *info, size_t size, void *address)
{
    (void)size;
    uintptr_t wanted = (uintptr_t)address;
    for (int i = 0; i < info->dlpi_phnum; i++) {
        const ElfW(Phdr) *part = &info->dlpi_phdr[i];
        uintptr_t from = info->dlpi_addr + part->p_vaddr;
        if (part->p_type == PT_LOAD && part->p_flags & PF_X && wanted >= from && wanted < from + part->p_memsz) {
            ct.text_from = from;
            ct.text_to = from + part->p_memsz;
            ct.static_python = info->dlpi_name[0] == 0;
            return 1;
        }
    }
    return 0;
}

static void find_restore(void)
{
    void *function = dlsym(RTLD_DEFAULT, "PyEval_RestoreThread");
    Dl_info info;
    ElfW(Sym) *symbol = NULL;
    if (function != NULL && dladdr1(function, &info, (void **)&symbol, RTLD_DL_SYMENT) != 0 && symbol != NULL) {
        ct.restore_from = (uintptr_t)function;
        ct.restore_to = ct.restore_from + symbol->st_size;
    }
}

/* Everything that asks the loader is done here: later, another thread may hold its lock for a long time. */
static bool find_python(void)
{
    const char *(*version)(void);
    void *symbol = dlsym(RTLD_DEFAULT, "Py_GetVersion");
    if (symbol == NULL || dl_iterate_phdr(find_text, symbol) == 0)
        return false;
    memcpy(&version, &symbol, sizeof symbol);
    const char *text = version();   /* needs no initialised interpreter */
    unsigned major = 0, minor = 0, micro = 0;
    sscanf(text, "%u.%u.%u", &major, &minor, &micro);
    ct_stacks_start(text, major << 24 | minor << 16 | micro << 8);
    find_restore();
    /* Without a GIL there is no first GIL event to wait for. */
    ct.learned = strstr(text, "free-threading") != NULL;
    return true;
}

static uint64_t setting(const char *name, uint64_t otherwise)
{
    const char *text = getenv(name);
    char *end;
    if (text == NULL || *text < '0' || *text > '9')
        return otherwise;
    unsigned long long value = strtoull(text, &end, 10);
    return *end == 0 ? value : otherwise;
}

/* A page that a forked child finds empty, however it was forked. */
static bool live_page(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (page == MAP_FAILED)
        return false;
    madvise(page, 4096, MADV_WIPEONFORK);
    ct_live = page;
    return true;
}

__attribute__((constructor)) static void start(void)
{
    ct_resolve();
    const char *directory = getenv("CONCURTRACE_STATES_DIR");
    if (directory == NULL || directory[0] != '/' || strlen(directory) >= sizeof ct.directory - 40 || getauxval(AT_SECURE))
        return;
    int saved = errno;
    strcpy(ct.directory, directory);
    ct.start_ns = ct_now();
    ct.pid = (uint32_t)syscall(SYS_getpid);
    ct.ppid = (uint32_t)syscall(SYS_getppid);
    ct.first_min_span_ns = ct.min_span_ns = setting("CONCURTRACE_MIN_SPAN_NS", 1000);
    ct.stack_ns = setting("CONCURTRACE_STACK_NS", 20000);
    ct.max_bytes = setting("CONCURTRACE_MAX_BYTES", 256ull << 20);
    if (ct.max_bytes < 1u << 20)
        ct.max_bytes = 1u << 20;
    ct.window_max_ns = 10000000;
    ct.queues_due_ns = UINT64_MAX;
    bool python = find_python();
    ct_shared_open(python);
    ct_clock_start();
    if (python && live_page() && ct_locks_start() && ct_fds_start()) {
        ct_thread_setup();
        *ct_live = 1;
        ct.mode = CT_MODE_PYTHON;
    } else {
        ct.mode = CT_MODE_FOREIGN;
    }
    ct_process_start();
    dlerror();   /* a function that this libc lacks is no error of the program's */
    errno = saved;
}
