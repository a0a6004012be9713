//! What inputs reach in Rust code that was compiled with counters: LLVM's
//! SanitizerCoverage puts one at each place where control may come to, and beside them
//! a table of these places' addresses.

use std::slice;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering::Relaxed};

static COUNTERS: AtomicPtr<u8> = AtomicPtr::new(std::ptr::null_mut());
static COUNT: AtomicUsize = AtomicUsize::new(0);
static PLACES: AtomicPtr<Place> = AtomicPtr::new(std::ptr::null_mut());

/// A row of the table.
#[repr(C)]
struct Place {
    address: usize,
    flags: usize,
}

/// Called by the compiler's code before `main`, once for each object file, always with
/// the bounds of all of them.
///
/// # Safety
/// The bounds are those of one array.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sanitizer_cov_8bit_counters_init(start: *mut u8, stop: *mut u8) {
    COUNTERS.store(start, Relaxed);
    COUNT.store(stop as usize - start as usize, Relaxed);
}

/// As [`__sanitizer_cov_8bit_counters_init`].
///
/// # Safety
/// The table has a row for each counter.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn __sanitizer_cov_pcs_init(start: *const usize, _stop: *const usize) {
    PLACES.store(start.cast_mut().cast(), Relaxed);
}

/// The counters; none in a build without them.
///
/// # Safety
/// No other slice of them is in use, and no code that counts runs.
pub unsafe fn all<'a>() -> &'a mut [u8] {
    let start = COUNTERS.load(Relaxed);
    if start.is_null() {
        return &mut [];
    }
    // SAFETY: the compiler gave the array's bounds, and it lives as long as the
    // process; the caller's promise.
    unsafe { slice::from_raw_parts_mut(start, COUNT.load(Relaxed)) }
}

/// The addresses of the counters' places, as they are in the executable's file.
pub fn addresses() -> Vec<usize> {
    let start = PLACES.load(Relaxed);
    if start.is_null() {
        return Vec::new();
    }
    // SAFETY: there are as many rows as counters, and nothing writes to them.
    let places = unsafe { slice::from_raw_parts(start, COUNT.load(Relaxed)) };
    let base = load_address();
    places
        .iter()
        .map(|place| place.address.wrapping_sub(base))
        .collect()
}

/// How far from its addresses in the file the executable was loaded.
fn load_address() -> usize {
    let mut info = std::mem::MaybeUninit::<libc::Dl_info>::uninit();
    let inside = load_address as *const libc::c_void;
    // SAFETY: dladdr fills the structure if it returns anything but 0.
    unsafe {
        if libc::dladdr(inside, info.as_mut_ptr()) == 0 {
            return 0;
        }
        info.assume_init().dli_fbase as usize
    }
}
