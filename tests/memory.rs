//! The allocator of this very process: this crate is linked in, so `malloc`
//! is ours, in the tests as in the C library.
#![cfg(not(feature = "system-malloc"))]

use std::collections::{HashSet, VecDeque};
use std::ffi::{CStr, c_char, c_int, c_void};
use std::hint::black_box;
use std::io::Error;
use std::ptr;
use std::sync::{Barrier, Mutex, MutexGuard, PoisonError, mpsc};
use std::thread;

use skynet::memory::{self, Account, Current, Usage};

unsafe extern "C" {
    fn malloc(size: usize) -> *mut c_void;
    fn calloc(count: usize, size: usize) -> *mut c_void;
    fn realloc(block: *mut c_void, size: usize) -> *mut c_void;
    fn free(block: *mut c_void);
    fn memalign(alignment: usize, size: usize) -> *mut c_void;
    fn aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
    fn posix_memalign(block: *mut *mut c_void, alignment: usize, size: usize) -> c_int;
    fn valloc(size: usize) -> *mut c_void;
    fn pvalloc(size: usize) -> *mut c_void;
    fn malloc_usable_size(block: *mut c_void) -> usize;
    fn reallocarray(block: *mut c_void, count: usize, size: usize) -> *mut c_void;
    fn strdup(text: *const c_char) -> *mut c_char;
    fn skynet_malloc(size: usize) -> *mut c_void;
    fn skynet_lalloc(block: *mut c_void, osize: usize, nsize: usize) -> *mut c_void;
    fn je_mallctl(
        name: *const c_char,
        old: *mut c_void,
        old_size: *mut usize,
        new: *mut c_void,
        new_size: usize,
    ) -> c_int;
}

/// What is charged on top of a block's size.
const HEADER: usize = 16;

/// Held by tests that open accounts by the thousand: one that counts records
/// would count those that the other leaves to it.
static MANY_ACCOUNTS: Mutex<()> = Mutex::new(());

fn alone_with_many_accounts() -> MutexGuard<'static, ()> {
    // A test that failed while it held the lock leaves no state behind.
    MANY_ACCOUNTS.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A block that may be sent to other threads.
struct Block(*mut c_void);

// SAFETY: a block of memory is bound to no thread.
unsafe impl Send for Block {}

/// Runs `f` with the account current.
fn charged_to<R>(account: &'static Account, f: impl FnOnce() -> R) -> R {
    let before = memory::set_current(Current::service(account.handle(), account));
    let result = f();
    memory::set_current(before);
    result
}

fn usage(bytes: usize, blocks: usize) -> Usage {
    Usage { bytes, blocks }
}

fn usage_of(handle: u32) -> Usage {
    memory::usage_by_handle()
        .get(&handle)
        .copied()
        .unwrap_or_default()
}

fn errno() -> i32 {
    Error::last_os_error().raw_os_error().unwrap_or(0)
}

fn fill(block: *mut c_void, size: usize, seed: usize) {
    // SAFETY: the callers' blocks have `size` bytes.
    let bytes = unsafe { std::slice::from_raw_parts_mut(block.cast::<u8>(), size) };
    for (place, byte) in bytes.iter_mut().enumerate() {
        *byte = (place * 7 + seed) as u8;
    }
}

fn is_filled(block: *mut c_void, size: usize, seed: usize) -> bool {
    // SAFETY: as in `fill`.
    let bytes = unsafe { std::slice::from_raw_parts(block.cast::<u8>(), size) };
    let mut bytes = bytes.iter().enumerate();
    bytes.all(|(place, byte)| *byte == (place * 7 + seed) as u8)
}

#[test]
fn smoke() {
    let account = memory::open(0x0100_0001);
    let block = charged_to(account, || {
        assert_eq!(memory::current_handle(), 0x0100_0001);
        // SAFETY: freed below.
        let block = unsafe { malloc(100) };
        assert_eq!(memory::current_usage(), usage(100 + HEADER, 1));
        block
    });
    assert_eq!(account.usage(), usage(100 + HEADER, 1));
    fill(block, 100, 1);
    assert!(is_filled(block, 100, 1));
    // SAFETY: allocated above.
    charged_to(account, || unsafe { free(block) });
    assert_eq!(account.usage(), usage(0, 0));
    account.close();
}

#[test]
fn the_c_library_allocates_here() {
    let account = memory::open(0x0100_0002);
    charged_to(account, || {
        // SAFETY: both blocks are freed once.
        unsafe {
            let text = black_box(strdup(c"twelve bytes".as_ptr()));
            assert_eq!(account.usage(), usage(13 + HEADER, 1));
            free(text.cast());
            let array = black_box(reallocarray(ptr::null_mut(), 10, 10));
            assert_eq!(account.usage(), usage(100 + HEADER, 1));
            free(array);
        }
    });
    assert_eq!(account.usage(), usage(0, 0));
    account.close();
}

#[test]
fn rust_allocates_here() {
    let account = memory::open(0x0100_0003);
    let text = charged_to(account, || black_box(String::from("on the heap")));
    assert_eq!(account.usage(), usage(11 + HEADER, 1));
    drop(text);
    assert_eq!(account.usage(), usage(0, 0));
    account.close();
}

#[test]
fn skynet_names_are_the_same_family() {
    let account = memory::open(0x0100_0004);
    charged_to(account, || {
        // SAFETY: a block of one set of names is a block of the other.
        unsafe { free(black_box(skynet_malloc(1))) };
    });
    assert_eq!(account.usage(), usage(0, 0));
    account.close();
}

#[test]
fn lalloc_charges_nobody() {
    let account = memory::open(0x0100_0005);
    charged_to(account, || {
        // SAFETY: one block, resized and freed by its own function.
        unsafe {
            let block = skynet_lalloc(ptr::null_mut(), 0, 1000);
            fill(block, 1000, 3);
            let block = skynet_lalloc(block, 1000, 5000);
            assert!(is_filled(block, 1000, 3));
            assert_eq!(account.usage(), usage(0, 0));
            assert!(skynet_lalloc(block, 5000, 0).is_null());
        }
    });
    assert_eq!(account.usage(), usage(0, 0));
    account.close();
}

#[test]
fn malloc_is_aligned_for_anything() {
    for size in 0..3000 {
        // SAFETY: freed in the same turn.
        unsafe {
            let block = malloc(size);
            assert!(!block.is_null());
            assert_eq!(block.addr() % 16, 0, "malloc({size})");
            fill(block, size, size);
            assert!(is_filled(block, size, size));
            free(block);
        }
    }
}

#[test]
fn alignments_hold() {
    let account = memory::open(0x0100_0006);
    charged_to(account, || {
        for shift in 3..23 {
            let alignment = 1 << shift;
            for size in [0, 1, 7, 16, 100, 4096, 100_000] {
                // SAFETY: all of them are freed in this turn, each is as large
                // as it was asked for, and `posix` is writable.
                unsafe {
                    let mut posix = ptr::null_mut();
                    assert_eq!(posix_memalign(&mut posix, alignment, size), 0);
                    for block in [
                        memalign(alignment, size),
                        aligned_alloc(alignment, size),
                        posix,
                    ] {
                        assert!(!block.is_null());
                        assert_eq!(block.addr() % alignment, 0, "{size} to {alignment}");
                        assert_eq!(malloc_usable_size(block), size);
                        fill(block, size, shift);
                        assert!(is_filled(block, size, shift));
                        free(block);
                    }
                }
            }
        }
        // SAFETY: as above.
        unsafe {
            let page = libc::sysconf(libc::_SC_PAGESIZE) as usize;
            let block = valloc(10);
            assert_eq!((block.addr() % page, malloc_usable_size(block)), (0, 10));
            free(block);
            let block = pvalloc(page + 1);
            assert_eq!(block.addr() % page, 0);
            assert_eq!(malloc_usable_size(block), 2 * page);
            fill(block, 2 * page, 1);
            free(block);
        }
    });
    assert_eq!(account.usage(), usage(0, 0));
    account.close();
}

#[test]
fn usable_size_is_what_was_asked_for() {
    // SAFETY: freed at the end; null is allowed.
    unsafe {
        assert_eq!(malloc_usable_size(ptr::null_mut()), 0);
        let mut block = malloc(0);
        for size in [0, 1, 15, 16, 17, 1000, 100_000, 20] {
            block = realloc(block, size);
            assert_eq!(malloc_usable_size(block), size);
        }
        free(block);
    }
}

#[test]
fn realloc_keeps_contents() {
    for alignment in [16, 64, 4096] {
        let mut size = 0;
        let mut block = memory::aligned_alloc(alignment, size);
        for next in [1, 100, 90, 5000, 4999, 3_000_000, 70, 200, 0, 10] {
            fill(block, size, alignment);
            // SAFETY: the block is used under its new address from here on.
            block = unsafe { realloc(block, next) };
            assert!(!block.is_null());
            assert_eq!(block.addr() % alignment, 0);
            assert!(is_filled(block, size.min(next), alignment));
            size = next;
        }
        // SAFETY: the last address.
        unsafe { free(block) };
    }
}

#[test]
fn realloc_moves_the_charge() {
    let first = memory::open(0x0100_0007);
    let second = memory::open(0x0100_0008);
    for alignment in [16, 256] {
        let block = charged_to(first, || memory::aligned_alloc(alignment, 100));
        assert_eq!(first.usage(), usage(100 + alignment, 1));
        // SAFETY: the block is used under its new address from here on.
        let block = charged_to(second, || unsafe { realloc(block, 300) });
        assert_eq!(first.usage(), usage(0, 0));
        assert_eq!(second.usage(), usage(300 + alignment, 1));
        // SAFETY: the last address.
        charged_to(first, || unsafe { free(block) });
        assert_eq!(second.usage(), usage(0, 0));
    }
    first.close();
    second.close();
}

#[test]
fn calloc_is_zero() {
    let shapes = [
        (0, 0),
        (0, 8),
        (8, 0),
        (1, 1),
        (3, 33),
        (100, 50),
        (1000, 1000),
    ];
    for (count, size) in shapes {
        // SAFETY: one is freed before the other, which may have its memory.
        unsafe {
            let used = malloc(count * size);
            fill(used, count * size, 1);
            free(black_box(used));
            let block = calloc(count, size);
            assert!(!block.is_null(), "calloc({count}, {size})");
            assert_eq!(malloc_usable_size(block), count * size);
            let bytes = std::slice::from_raw_parts(block.cast::<u8>(), count * size);
            let zero = bytes.iter().all(|byte| *byte == 0);
            assert!(zero, "calloc({count}, {size})");
            free(block);
        }
    }
}

#[test]
fn overload() {
    let account = memory::open(0x0100_0009);
    charged_to(account, || {
        let huge = [usize::MAX, usize::MAX - 15, isize::MAX as usize, 1 << 62];
        // SAFETY: no block comes of these, and those that do are freed.
        unsafe {
            for size in huge {
                assert!(black_box(malloc(size)).is_null());
                assert_eq!(errno(), libc::ENOMEM, "malloc({size})");
                assert!(black_box(memalign(4096, size)).is_null());
                assert_eq!(errno(), libc::ENOMEM, "memalign(4096, {size})");
                assert!(black_box(pvalloc(size)).is_null());
                assert_eq!(errno(), libc::ENOMEM, "pvalloc({size})");
                let mut block = ptr::dangling_mut();
                assert_eq!(posix_memalign(&mut block, 64, size), libc::ENOMEM);
                assert_eq!(block, ptr::dangling_mut());
            }
            for (count, size) in [(usize::MAX, 2), (1 << 32, 1 << 32), (1 << 61, 4)] {
                assert!(black_box(calloc(count, size)).is_null());
                assert_eq!(errno(), libc::ENOMEM, "calloc({count}, {size})");
            }
            for alignment in [0, 3, 24, 4097] {
                assert!(black_box(aligned_alloc(alignment, 10)).is_null());
                assert_eq!(errno(), libc::EINVAL, "aligned_alloc({alignment}, 10)");
            }
            for alignment in [0, 1, 4, 24] {
                let mut block = ptr::dangling_mut();
                assert_eq!(posix_memalign(&mut block, alignment, 10), libc::EINVAL);
                assert_eq!(block, ptr::dangling_mut());
            }
            for alignment in [16, 64] {
                let block = memalign(alignment, 50);
                fill(block, 50, 9);
                for size in huge {
                    assert!(black_box(realloc(block, size)).is_null());
                    assert_eq!(errno(), libc::ENOMEM, "realloc(_, {size})");
                }
                assert!(is_filled(block, 50, 9));
                assert_eq!(account.usage(), usage(50 + alignment, 1));
                free(block);
            }
        }
    });
    assert_eq!(account.usage(), usage(0, 0));
    account.close();
}

#[test]
fn handles_of_threads() {
    let fresh = thread::spawn(|| {
        let start = memory::current_handle();
        memory::init_thread(2);
        let initialised = memory::current_handle();
        let account = memory::open(77);
        let inside = charged_to(account, memory::current_handle);
        account.close();
        [start, initialised, inside, memory::current_handle()]
    });
    let socket = 2u32.wrapping_neg();
    assert_eq!(fresh.join().unwrap(), [u32::MAX, socket, 77, socket]);
}

#[test]
fn a_thread_is_charged_under_its_pseudo_handle() {
    // No other test uses this kind.
    const KIND: i32 = 1234;
    let handle = KIND.wrapping_neg() as u32;
    let hold = |size: usize| {
        let thread = thread::spawn(move || {
            memory::init_thread(KIND);
            Block(memory::malloc(size))
        });
        thread.join().unwrap()
    };
    let blocks = [hold(1_000_000), hold(2_000_000)];
    let held = usage_of(handle);
    assert!(held.blocks >= 2, "{held:?}");
    assert!((3_000_032..3_010_000).contains(&held.bytes), "{held:?}");
    for block in blocks {
        // SAFETY: the threads left the blocks to this one.
        unsafe { free(block.0) };
    }
    let left = usage_of(handle);
    assert!(left.bytes < 10_000, "{left:?}");
}

#[test]
fn more_threads_than_have_a_record_to_themselves() {
    const KIND: i32 = 1235;
    const THREADS: usize = 200;
    const SIZE: usize = 100_000;
    let handle = KIND.wrapping_neg() as u32;
    let [allocated, counted] = [const { THREADS + 1 }; 2].map(Barrier::new);
    let held = thread::scope(|scope| {
        for _ in 0..THREADS {
            let run = || {
                memory::init_thread(KIND);
                let block = memory::malloc(SIZE);
                allocated.wait();
                counted.wait();
                // SAFETY: allocated above.
                unsafe { free(block) };
            };
            thread::Builder::new()
                .stack_size(64 << 10)
                .spawn_scoped(scope, run)
                .unwrap();
        }
        allocated.wait();
        let held = usage_of(handle);
        counted.wait();
        held
    });
    let least = THREADS * (SIZE + HEADER);
    assert!((least..least + SIZE).contains(&held.bytes), "{held:?}");
    let left = usage_of(handle);
    assert!(left.bytes < SIZE, "{left:?}");
}

#[test]
fn an_account_outlives_its_service() {
    let handle = 0x0100_000a;
    let account = memory::open(handle);
    let blocks = charged_to(account, || [memory::malloc(10), memory::malloc(20)]);
    account.close();
    assert_eq!(usage_of(handle), usage(30 + 2 * HEADER, 2));
    for block in blocks {
        assert_ne!(usage_of(handle), usage(0, 0));
        // SAFETY: allocated above.
        unsafe { free(block) };
    }
    assert_eq!(usage_of(handle), usage(0, 0));
}

#[test]
fn closing_a_current_account_leaves_the_thread_to_itself() {
    let handle = 0x0100_000b;
    let account = memory::open(handle);
    let before = memory::set_current(Current::service(handle, account));
    account.close();
    let block = memory::malloc(10);
    assert_eq!(usage_of(handle), usage(0, 0));
    memory::set_current(before);
    // SAFETY: allocated above.
    unsafe { free(block) };
}

/// Opens and closes many more accounts than are ever open, with blocks that
/// outlive them, and counts the records that this takes.
#[test]
fn records_are_used_again() {
    let _alone = alone_with_many_accounts();
    let mut kept = VecDeque::new();
    let mut records = HashSet::new();
    for turn in 0..100_000 {
        let account = memory::open(0x0200_0000 + turn);
        assert_eq!(account.usage(), usage(0, 0));
        records.insert(ptr::from_ref(account).addr());
        kept.push_back(charged_to(account, || memory::malloc(8)));
        account.close();
        if kept.len() > 10
            && let Some(block) = kept.pop_front()
        {
            // SAFETY: allocated above, in an earlier turn.
            unsafe { free(block) };
        }
    }
    for block in kept {
        // SAFETY: as above.
        unsafe { free(block) };
    }
    // Other tests take records from the list meanwhile, and give them back.
    assert!(records.len() < 1000, "{} records", records.len());
}

/// Services that move between threads, whose blocks are freed by all others.
#[test]
fn drops() {
    const THREADS: usize = 8;
    const ROUNDS: usize = 2_000;
    let services: Vec<_> = (0..THREADS as u32)
        .map(|number| memory::open(0x0300_0000 + number))
        .collect();
    // A service is run by whoever takes it out of here.
    let runnable = Mutex::new(services.iter().copied().collect::<VecDeque<_>>());
    let (senders, receivers): (Vec<_>, Vec<_>) =
        (0..THREADS).map(|_| mpsc::channel::<Block>()).unzip();
    thread::scope(|scope| {
        for (me, receiver) in receivers.into_iter().enumerate() {
            let (senders, runnable) = (senders.clone(), &runnable);
            scope.spawn(move || {
                let mut random = me * 7919 + 1;
                for _ in 0..ROUNDS {
                    let account = loop {
                        if let Some(account) = runnable.lock().unwrap().pop_front() {
                            break account;
                        }
                        thread::yield_now();
                    };
                    for step in 0..20 {
                        random = random
                            .wrapping_mul(6_364_136_223_846_793_005)
                            .wrapping_add(1);
                        let size = random >> 52;
                        let block = charged_to(account, || {
                            let block = memory::malloc(size);
                            match step % 4 {
                                // SAFETY: used under its new address.
                                0 => unsafe { memory::realloc(block, size / 2 + 1) },
                                _ => block,
                            }
                        });
                        if step % 5 == 0 {
                            // SAFETY: allocated above.
                            charged_to(account, || unsafe { free(block) });
                        } else {
                            let _ = senders[(random >> 40) % THREADS].send(Block(block));
                        }
                    }
                    runnable.lock().unwrap().push_back(account);
                    for block in receiver.try_iter() {
                        // SAFETY: its sender left it to this thread.
                        unsafe { free(block.0) };
                    }
                }
                drop(senders);
                for block in receiver {
                    // SAFETY: as above.
                    unsafe { free(block.0) };
                }
            });
        }
        drop(senders);
    });
    for account in services {
        assert_eq!(account.usage(), usage(0, 0), "{:08x}", account.handle());
        account.close();
    }
}

#[test]
fn closing_while_others_free() {
    const FIRST: u32 = 0x0400_0000;
    const ROUNDS: u32 = 20_000;
    let (sender, receiver) = mpsc::sync_channel::<Block>(64);
    thread::scope(|scope| {
        scope.spawn(move || {
            for block in receiver {
                // SAFETY: its sender left it to this thread.
                unsafe { free(block.0) };
            }
        });
        for turn in 0..ROUNDS {
            let account = memory::open(FIRST + turn);
            assert_eq!(account.usage(), usage(0, 0));
            let block = charged_to(account, || memory::malloc(8));
            sender.send(Block(block)).unwrap();
            account.close();
        }
        drop(sender);
    });
    let left = memory::usage_by_handle()
        .range(FIRST..FIRST + ROUNDS)
        .count();
    assert_eq!(left, 0);
}

#[test]
fn a_line_on_memory() {
    let account = memory::open(0x0100_00ff);
    charged_to(account, || {
        assert_eq!(memory::debug_line("empty"), "[:010000ff] empty (nil)");
        let block = memory::malloc(0x1000 - HEADER);
        assert_eq!(memory::debug_line("full"), "[:010000ff] full 0x1000");
        // SAFETY: allocated above.
        unsafe { free(block) };
    });
    account.close();
}

#[test]
fn totals_include_every_account() {
    let account = memory::open(0x0100_000c);
    let block = charged_to(account, || memory::malloc(50_000_000));
    assert!(memory::total_usage().bytes > 50_000_000);
    assert!(memory::total_usage().blocks > 1);
    // SAFETY: allocated above.
    unsafe { free(block) };
    account.close();
}

#[test]
fn jemalloc_is_reachable_under_the_reference_names() {
    let read = |name: &CStr| {
        let mut value = 0usize;
        let mut size = size_of::<usize>();
        // SAFETY: the figures asked for are numbers of this size.
        let error = unsafe {
            je_mallctl(
                name.as_ptr(),
                ptr::from_mut(&mut value).cast(),
                &mut size,
                ptr::null_mut(),
                0,
            )
        };
        (error, value)
    };
    let (error, allocated) = read(c"stats.allocated");
    assert_eq!(error, 0);
    assert!(allocated > 0);
}

#[test]
fn a_child_after_a_fork_allocates() {
    // SAFETY: the child does nothing but what this allocator allows after a
    // fork, and leaves without running destructors.
    unsafe {
        let child = libc::fork();
        assert!(child >= 0);
        if child == 0 {
            let account = memory::open(1);
            let block = charged_to(account, || memory::malloc(1000));
            let exact = account.usage() == usage(1000 + HEADER, 1);
            memory::free(block);
            account.close();
            libc::_exit(if exact { 0 } else { 1 });
        }
        let mut status = 0;
        assert_eq!(libc::waitpid(child, &mut status, 0), child);
        assert!(libc::WIFEXITED(status) && libc::WEXITSTATUS(status) == 0);
    }
}

/// More services at a time than the reference has places to count in, their memory
/// freed by another thread, some of it after they are gone.
#[test]
fn each_of_many_services_is_charged_for_its_own() {
    let _alone = alone_with_many_accounts();
    const FIRST: u32 = 0x0500_0000;
    const SERVICES: u32 = 70_000;
    let size = |number: u32| 1 + number as usize % 1000;
    let accounts: Vec<_> = (0..SERVICES).map(|n| memory::open(FIRST + n)).collect();
    let mut blocks = VecDeque::new();
    for (number, account) in (0..).zip(&accounts) {
        let own = charged_to(account, || memory::malloc(size(number)));
        let left = charged_to(account, || memory::malloc(7));
        blocks.push_back((Block(own), Block(left)));
    }
    let all = memory::usage_by_handle();
    for number in 0..SERVICES {
        let held = usage(size(number) + 7 + 2 * HEADER, 2);
        assert_eq!(all[&(FIRST + number)], held, "{number}");
    }
    let (sender, receiver) = mpsc::sync_channel(64);
    thread::scope(|scope| {
        let freed = scope.spawn(move || {
            let mut later = Vec::new();
            for (own, left) in receiver {
                let own: Block = own;
                // SAFETY: its sender left it to this thread.
                unsafe { free(own.0) };
                later.push(left);
            }
            later
        });
        for pair in blocks {
            sender.send(pair).unwrap();
        }
        drop(sender);
        let later: Vec<Block> = freed.join().unwrap();
        for account in accounts {
            assert_eq!(account.usage(), usage(7 + HEADER, 1));
            account.close();
        }
        // Those of services that are gone are still counted.
        let all = memory::usage_by_handle();
        assert_eq!(
            all.range(FIRST..FIRST + SERVICES).count(),
            SERVICES as usize
        );
        for block in later {
            // SAFETY: allocated above.
            unsafe { free(block.0) };
        }
    });
    let all = memory::usage_by_handle();
    assert_eq!(all.range(FIRST..FIRST + SERVICES).count(), 0);
}

/// A service that lives is listed, with nothing too.
#[test]
fn a_service_without_memory_is_listed() {
    const HANDLE: u32 = 0x0100_00fe;
    let account = memory::open(HANDLE);
    assert_eq!(memory::usage_by_handle().get(&HANDLE), Some(&usage(0, 0)));
    account.close();
    assert_eq!(memory::usage_by_handle().get(&HANDLE), None);
}
