/*
 * A lock for C modules that is held for a few instructions. Who waits for it
 * keeps its processor busy. The SPIN_ macros are for structs with such a lock
 * as their member `lock`.
 *
 * With USE_PTHREAD_LOCK it is a mutex of the system's, and who waits sleeps.
 */
#ifndef SKYNET_SPINLOCK_H
#define SKYNET_SPINLOCK_H

#define SPIN_INIT(object) spinlock_init(&(object)->lock);
#define SPIN_LOCK(object) spinlock_lock(&(object)->lock);
#define SPIN_UNLOCK(object) spinlock_unlock(&(object)->lock);
#define SPIN_DESTROY(object) spinlock_destroy(&(object)->lock);

#ifdef USE_PTHREAD_LOCK

#include <pthread.h>

struct spinlock {
    pthread_mutex_t lock;
};

#define spinlock_by_system_(name) \
    static inline void spinlock_##name(struct spinlock *self) { (void)pthread_mutex_##name(&self->lock); }

spinlock_by_system_(lock)
spinlock_by_system_(unlock)
spinlock_by_system_(destroy)

#undef spinlock_by_system_

static inline void
spinlock_init(struct spinlock *self) {
    (void)pthread_mutex_init(&self->lock, NULL);
}

/* Whether the lock was free, and is the caller's now. */
static inline int
spinlock_trylock(struct spinlock *self) {
    return pthread_mutex_trylock(&self->lock) == 0;
}

#else

#include "atomic.h"

/* Tells the processor that this is a loop which waits. */
#if defined(__x86_64__) || defined(__i386__)
#define atomic_pause_() __builtin_ia32_pause()
#elif defined(__aarch64__)
#define atomic_pause_() __asm__ __volatile__("yield")
#else
#define atomic_pause_() ((void)0)
#endif

/* 1 while somebody holds it. */
struct spinlock {
    ATOM_INT lock;
};

static inline void
spinlock_init(struct spinlock *lock) {
    ATOM_INIT(&lock->lock, 0);
}

/* Whether the lock was free, and is the caller's now. */
static inline int
spinlock_trylock(struct spinlock *lock) {
    /* Looks first: an exchange takes the cache line away from who holds the lock. */
#if defined(__STDC_NO_ATOMICS__) && !defined(__cplusplus)
    return !__atomic_load_n(&lock->lock, __ATOMIC_RELAXED) &&
        !__atomic_exchange_n(&lock->lock, 1, __ATOMIC_ACQUIRE);
#else
    return !STD_ atomic_load_explicit(&lock->lock, STD_ memory_order_relaxed) &&
        !STD_ atomic_exchange_explicit(&lock->lock, 1, STD_ memory_order_acquire);
#endif
}

static inline void
spinlock_lock(struct spinlock *lock) {
    while (!spinlock_trylock(lock))
        atomic_pause_();
}

static inline void
spinlock_unlock(struct spinlock *lock) {
#if defined(__STDC_NO_ATOMICS__) && !defined(__cplusplus)
    __atomic_store_n(&lock->lock, 0, __ATOMIC_RELEASE);
#else
    STD_ atomic_store_explicit(&lock->lock, 0, STD_ memory_order_release);
#endif
}

static inline void
spinlock_destroy(struct spinlock *lock) {
    (void)lock;
}

#endif

#endif
