/*
 * A lock for C modules that any number of readers or one writer hold, for a few
 * instructions: who waits for it keeps its processor busy. A writer that waits
 * keeps new readers out.
 *
 * With USE_PTHREAD_LOCK it is the system's, and who waits sleeps.
 */
#ifndef SKYNET_RWLOCK_H
#define SKYNET_RWLOCK_H

#ifdef USE_PTHREAD_LOCK

#include <pthread.h>

struct rwlock {
    pthread_rwlock_t lock;
};

#define rwlock_by_system_(name, call) \
    static inline void rwlock_##name(struct rwlock *self) { (void)call; }

rwlock_by_system_(init, pthread_rwlock_init(&self->lock, NULL))
rwlock_by_system_(wlock, pthread_rwlock_wrlock(&self->lock))
rwlock_by_system_(rlock, pthread_rwlock_rdlock(&self->lock))
rwlock_by_system_(wunlock, pthread_rwlock_unlock(&self->lock))
rwlock_by_system_(runlock, pthread_rwlock_unlock(&self->lock))

#undef rwlock_by_system_

#else

#include "atomic.h"

/* `write` is 1 while a writer holds the lock or waits for readers to go. */
struct rwlock {
    ATOM_INT write;
    ATOM_INT read;
};

static inline void
rwlock_init(struct rwlock *lock) {
    ATOM_INIT(&lock->write, 0);
    ATOM_INIT(&lock->read, 0);
}

static inline void
rwlock_rlock(struct rwlock *lock) {
    /* Announced before looking again, so that a writer which comes meanwhile sees
       this reader, or is seen by it. */
    ATOM_FINC(&lock->read);
    while (ATOM_LOAD(&lock->write)) {
        ATOM_FDEC(&lock->read);
        while (ATOM_LOAD(&lock->write))
            continue;
        ATOM_FINC(&lock->read);
    }
}

static inline void
rwlock_runlock(struct rwlock *lock) {
    ATOM_FDEC(&lock->read);
}

static inline void
rwlock_wlock(struct rwlock *lock) {
    while (!ATOM_CAS(&lock->write, 0, 1))
        continue;
    while (ATOM_LOAD(&lock->read))
        continue;
}

static inline void
rwlock_wunlock(struct rwlock *lock) {
    ATOM_STORE(&lock->write, 0);
}

#endif

#endif
