// The headers that are inline C, in a C++ program: exits with 0 if they work there.
#include "atomic.h"
#include "mem_info.h"
#include "rwlock.h"
#include "spinlock.h"

#include <exception>
#include <thread>
#include <vector>

namespace {

const int rounds = 20000;

struct Spun {
    struct spinlock lock;
    long rounds;
} spun;

struct rwlock guard;
long first, second;

ATOM_INT number;
ATOM_ULONG bits;
ATOM_SIZET size;
ATOM_POINTER pointer;

void work() {
    for (int i = 0; i < rounds; i++) {
        SPIN_LOCK(&spun)
        spun.rounds++;
        SPIN_UNLOCK(&spun)
        rwlock_wlock(&guard);
        first++;
        second++;
        rwlock_wunlock(&guard);
        rwlock_rlock(&guard);
        if (first != second)
            std::terminate();
        rwlock_runlock(&guard);
        ATOM_FINC(&number);
        ATOM_FADD(&size, 2);
        size_t before;
        do
            before = ATOM_LOAD(&size);
        while (!ATOM_CAS_SIZET(&size, before, before - 1));
    }
}

} // namespace

int main() {
    SPIN_INIT(&spun)
    rwlock_init(&guard);
    ATOM_INIT(&number, 0);
    ATOM_INIT(&size, 0);
    ATOM_INIT(&bits, 0xff);
    ATOM_STORE(&pointer, 0);
    ATOM_FAND(&bits, 0x0f);
    while (!ATOM_CAS_POINTER(&pointer, 0, 77))
        continue;
    while (!ATOM_CAS_ULONG(&bits, 0x0f, 0x10))
        continue;
    std::vector<std::thread> threads;
    for (int i = 0; i < 4; i++)
        threads.emplace_back(work);
    for (std::thread &thread : threads)
        thread.join();
    long all = 4L * rounds;
    bool right = spun.rounds == all && first == all && ATOM_LOAD(&number) == all &&
        ATOM_LOAD(&size) == (size_t)all && ATOM_LOAD(&bits) == 0x10 && ATOM_LOAD(&pointer) == 77;
    bool layout = sizeof(AtomicMemInfo) == 2 * CACHE_LINE_SIZE && alignof(AtomicMemInfo) == CACHE_LINE_SIZE;
    SPIN_DESTROY(&spun)
    return right && layout ? 0 : 1;
}
