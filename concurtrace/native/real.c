/* Resolve all real functions in one place.
 *
 * A function that ends in a tail call to dlsym crashes inside the loader, which looks at the caller's
 * address: everything is resolved here, and the library is built with -fno-optimize-sibling-calls. */
#include "real.h"

#include <dlfcn.h>

struct ct_real ct_real;

static void resolve(void **slot, const char *name, const char *version)
{
    void *found = NULL;
#if defined(__x86_64__)
    /* The condition-variable functions exist twice; dlsym would give the old ones. */
    if (version != NULL)
        found = dlvsym(RTLD_NEXT, name, version);
#else
    (void)version;
#endif
    if (found == NULL)
        found = dlsym(RTLD_NEXT, name);
    *slot = found;
}

void ct_resolve(void)
{
#define CT_IO(type, name, parameters, arguments, fd, flags) resolve((void **)&ct_real.name, #name, NULL);
#define CT_PLAIN(type, name, parameters, arguments, state, reason, fail) \
    resolve((void **)&ct_real.name, #name, NULL);
#define CT_HAND(type, name, parameters) resolve((void **)&ct_real.name, #name, NULL);
#define CT_HAND_V(type, name, parameters, version) resolve((void **)&ct_real.name, #name, version);
#include "events.def"
}
