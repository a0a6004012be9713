/*
 * Atomic numbers for C modules, as C11 and C++11 have them: ATOM_ types, and
 * operations on pointers to them, sequentially consistent. Those that add or
 * take away return what was there before.
 *
 * A C compiler without <stdatomic.h> gets plain volatile numbers, and GCC's
 * builtins for all that reads and writes.
 */
#ifndef SKYNET_ATOMIC_H
#define SKYNET_ATOMIC_H

#include <stddef.h>
#include <stdint.h>

#if defined(__STDC_NO_ATOMICS__) && !defined(__cplusplus)

#define ATOM_INT volatile int
#define ATOM_POINTER volatile uintptr_t
#define ATOM_SIZET volatile size_t
#define ATOM_ULONG volatile unsigned long

#define ATOM_INIT(place, value) ((void)(*(place) = (value)))
#define ATOM_LOAD(place) __atomic_load_n((place), __ATOMIC_SEQ_CST)
#define ATOM_STORE(place, value) __atomic_store_n((place), (value), __ATOMIC_SEQ_CST)
#define ATOM_FADD(place, amount) __atomic_fetch_add((place), (amount), __ATOMIC_SEQ_CST)
#define ATOM_FSUB(place, amount) __atomic_fetch_sub((place), (amount), __ATOMIC_SEQ_CST)
#define ATOM_FAND(place, mask) __atomic_fetch_and((place), (mask), __ATOMIC_SEQ_CST)

#define SKYNET_ATOMIC_SWAP_(place, expected, value) \
    __atomic_compare_exchange_n((place), &(expected), (value), 1, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST)

#else

#ifdef __cplusplus
#include <atomic>
#define STD_ std::
/* std::atomic's operations want the very type that the number has. */
#define atomic_value_type_(place, value) static_cast<decltype((place)->load())>(value)
#else
#include <stdatomic.h>
#define STD_
#define atomic_value_type_(place, value) (value)
#endif

#define ATOM_INT STD_ atomic_int
#define ATOM_POINTER STD_ atomic_uintptr_t
#define ATOM_SIZET STD_ atomic_size_t
#define ATOM_ULONG STD_ atomic_ulong

#define ATOM_INIT(place, value) STD_ atomic_init((place), atomic_value_type_(place, value))
#define ATOM_LOAD(place) STD_ atomic_load(place)
#define ATOM_STORE(place, value) STD_ atomic_store((place), atomic_value_type_(place, value))
#define ATOM_FADD(place, amount) STD_ atomic_fetch_add((place), atomic_value_type_(place, amount))
#define ATOM_FSUB(place, amount) STD_ atomic_fetch_sub((place), atomic_value_type_(place, amount))
#define ATOM_FAND(place, mask) STD_ atomic_fetch_and((place), atomic_value_type_(place, mask))

#define SKYNET_ATOMIC_SWAP_(place, expected, value) \
    STD_ atomic_compare_exchange_weak((place), &(expected), (value))

#endif

#define ATOM_FINC(place) ATOM_FADD(place, 1)
#define ATOM_FDEC(place) ATOM_FSUB(place, 1)

/*
 * Where `place` holds `expected` they store `value` there and return 1; else they
 * return 0. On some processors they return 0 now and then for no reason, so they
 * belong into a loop.
 */
static inline int
ATOM_CAS(ATOM_INT *place, int expected, int value) {
    return SKYNET_ATOMIC_SWAP_(place, expected, value);
}

static inline int
ATOM_CAS_SIZET(ATOM_SIZET *place, size_t expected, size_t value) {
    return SKYNET_ATOMIC_SWAP_(place, expected, value);
}

static inline int
ATOM_CAS_ULONG(ATOM_ULONG *place, unsigned long expected, unsigned long value) {
    return SKYNET_ATOMIC_SWAP_(place, expected, value);
}

static inline int
ATOM_CAS_POINTER(ATOM_POINTER *place, uintptr_t expected, uintptr_t value) {
    return SKYNET_ATOMIC_SWAP_(place, expected, value);
}

#endif
