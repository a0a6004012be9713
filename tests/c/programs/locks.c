// The headers that are inline C: atomic numbers, and locks that threads share.
// ctest:
#include "atomic.h"
#include "rwlock.h"
#include "spinlock.h"

#include "ctest.h"

#include <pthread.h>

enum { THREADS = 4, ROUNDS = 50000 };

static struct {
    struct spinlock lock;
    long rounds;
} spun;

static struct {
    struct rwlock lock;
    long first, second;
} guarded;

static ATOM_INT number;
static ATOM_SIZET size;
static ATOM_ULONG swapped;

static void *work(void *self) {
    for (int i = 0; i < ROUNDS; i++) {
        SPIN_LOCK(&spun)
        spun.rounds++;
        SPIN_UNLOCK(&spun)

        if (i % 4 == 0) {
            rwlock_wlock(&guarded.lock);
            guarded.first++;
            guarded.second++;
            rwlock_wunlock(&guarded.lock);
        } else {
            rwlock_rlock(&guarded.lock);
            CHECK(guarded.first == guarded.second);
            rwlock_runlock(&guarded.lock);
        }

        ATOM_FINC(&number);
        ATOM_FADD(&size, 3);
        ATOM_FSUB(&size, 1);
        unsigned long before;
        do {
            before = ATOM_LOAD(&swapped);
        } while (!ATOM_CAS_ULONG(&swapped, before, before + 1));
    }
    return self;
}

// Whether another thread gets the lock.
static void *try_lock(void *lock) {
    return spinlock_trylock(lock) ? lock : NULL;
}

static const char *tried(void) {
    pthread_t thread;
    void *got;
    CHECK(pthread_create(&thread, NULL, try_lock, &spun.lock) == 0);
    pthread_join(thread, &got);
    return got ? "free" : "held";
}

static void numbers(void) {
    ATOM_INT i;
    ATOM_SIZET z;
    ATOM_ULONG u;
    ATOM_POINTER p;
    ATOM_INIT(&i, 5);
    ATOM_INIT(&z, 10);
    ATOM_INIT(&u, 0xff);
    ATOM_INIT(&p, 0);
    int inc = ATOM_FINC(&i), dec = ATOM_FDEC(&i), add = ATOM_FADD(&i, 10), sub = ATOM_FSUB(&i, 3);
    say("before: %d %d %d %d, then %d", inc, dec, add, sub, ATOM_LOAD(&i));
    unsigned long mask = ATOM_FAND(&u, 0x0f);
    say("masked: %lx, then %lx", mask, ATOM_LOAD(&u));
    say("not swapped: %d %d %d %d", ATOM_CAS(&i, 1, 2), ATOM_CAS_SIZET(&z, 1, 2),
        ATOM_CAS_ULONG(&u, 1, 2), ATOM_CAS_POINTER(&p, 1, 2));
    while (!ATOM_CAS(&i, 12, -12))
        CHECK(ATOM_LOAD(&i) == 12);
    while (!ATOM_CAS_SIZET(&z, 10, (size_t)-1))
        CHECK(ATOM_LOAD(&z) == 10);
    while (!ATOM_CAS_POINTER(&p, 0, (uintptr_t)&i))
        CHECK(ATOM_LOAD(&p) == 0);
    say("swapped: %d %zx %d", ATOM_LOAD(&i), ATOM_LOAD(&z), ATOM_LOAD(&p) == (uintptr_t)&i);
    ATOM_STORE(&i, 77);
    say("stored: %d", ATOM_LOAD(&i));
}

int main(void) {
    numbers();
    SPIN_INIT(&spun)
    rwlock_init(&guarded.lock);
    ATOM_INIT(&number, 0);
    ATOM_INIT(&size, 0);
    ATOM_INIT(&swapped, 0);
    pthread_t threads[THREADS];
    for (int i = 0; i < THREADS; i++)
        CHECK(pthread_create(&threads[i], NULL, work, NULL) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
    say("spin lock: %ld rounds", spun.rounds);
    say("readers and writers: %ld, %ld", guarded.first, guarded.second);
    say("atomic: %d %zu %lu", ATOM_LOAD(&number), ATOM_LOAD(&size), ATOM_LOAD(&swapped));

    SPIN_LOCK(&spun)
    say("locked: %s", tried());
    SPIN_UNLOCK(&spun)
    say("tried: %s", spinlock_trylock(&spun.lock) ? "free" : "held");
    say("locked: %s", tried());
    SPIN_UNLOCK(&spun)
    SPIN_DESTROY(&spun)
    return 0;
}
