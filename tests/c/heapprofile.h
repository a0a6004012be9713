// Has jemalloc write a profile of the heap with a large block in it, and reads it.
#ifndef HEAPPROFILE_H
#define HEAPPROFILE_H

#include "malloc_hook.h"

#include "ctest.h"
#include "skynet_malloc.h"

#include <glob.h>

enum { PROFILED = 64 << 20 };

// Where the compiler cannot see that nobody reads it.
static char *volatile profiled;

static void profile_heap(const char *scratch) {
    char pattern[4096], line[200];
    bool on = true, off = false;
    say("on: %d, active: %d", mallctl_bool("opt.prof", NULL), mallctl_bool("prof.active", NULL));
    say("activated, before: %d", mallctl_bool("prof.active", &on));
    say("active: %d", mallctl_bool("prof.active", NULL));
    profiled = skynet_malloc(PROFILED);
    memset(profiled, 1, PROFILED);
    say("dump: %d", mallctl_cmd("prof.dump"));
    say("deactivated, before: %d", mallctl_bool("prof.active", &off));
    skynet_free(profiled);

    glob_t found;
    snprintf(pattern, sizeof pattern, "%s/heap.*.heap", scratch);
    CHECK(glob(pattern, 0, NULL, &found) == 0 && found.gl_pathc == 1);
    FILE *f = fopen(found.gl_pathv[0], "r");
    CHECK(f != NULL && fgets(line, sizeof line, f) != NULL);
    say("%.8s", line);
    // "t*: OBJECTS: BYTES [...]": all threads' samples.
    long objects = 0, bytes = 0;
    while (fgets(line, sizeof line, f) != NULL && sscanf(line, " t*: %ld: %ld", &objects, &bytes) != 2)
        continue;
    fclose(f);
    globfree(&found);
    say("the block is in it: %d", bytes >= PROFILED);
}

#endif
