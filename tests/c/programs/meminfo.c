// Counts of what was allocated and freed: their layout, sums, and many threads.
// ctest:
#include "ctest.h"
#include "mem_info.h"

#include <pthread.h>
#include <stddef.h>

enum { THREADS = 4, ROUNDS = 100000 };

static void print(const char *what, const MemInfo *info) {
    say("%s: %zu bytes in %zu allocated, %zu in %zu freed", what, info->alloc, info->alloc_count,
        info->free, info->free_count);
}

static void *count(void *shared) {
    AtomicMemInfo *info = shared;
    for (int i = 0; i < ROUNDS; i++) {
        atomic_meminfo_alloc(info, 10);
        atomic_meminfo_free(info, 10);
        MemInfo now;
        meminfo_init(&now);
        atomic_meminfo_merge(&now, info);
        CHECK(now.alloc >= now.free && now.alloc_count >= now.free_count);
    }
    return NULL;
}

int main(void) {
    say("%zu bytes: %zu %zu %zu %zu", sizeof(MemInfo), offsetof(MemInfo, alloc),
        offsetof(MemInfo, alloc_count), offsetof(MemInfo, free), offsetof(MemInfo, free_count));
    say("%zu bytes, atomic, aligned to %zu: %zu %zu %zu %zu", sizeof(AtomicMemInfo),
        alignof(AtomicMemInfo), offsetof(AtomicMemInfo, alloc), offsetof(AtomicMemInfo, alloc_count),
        offsetof(AtomicMemInfo, free), offsetof(AtomicMemInfo, free_count));
    say("a cache line has %d", CACHE_LINE_SIZE);

    MemInfo some, sum;
    memset(&some, 0xff, sizeof some);
    memset(&sum, 0xff, sizeof sum);
    meminfo_init(&some);
    meminfo_init(&sum);
    meminfo_alloc(&some, 100);
    meminfo_alloc(&some, 20);
    meminfo_free(&some, 20);
    print("some", &some);
    meminfo_merge(&sum, &some);
    meminfo_merge(&sum, &some);
    meminfo_merge(&sum, &sum);
    print("four times", &sum);

    static AtomicMemInfo shared;
    memset((void *)&shared, 0xff, sizeof shared);
    atomic_meminfo_init(&shared);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, count, &shared) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    atomic_meminfo_alloc(&shared, 1000);
    meminfo_init(&sum);
    meminfo_alloc(&sum, 5);
    atomic_meminfo_merge(&sum, &shared);
    print("threads", &sum);
    return 0;
}
