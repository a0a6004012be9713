//! jemalloc's own settings and statistics, by the names of its manual.

use core::ffi::{CStr, c_int};
use core::ptr;

use tikv_jemalloc_sys as jemalloc;

/// What a setting may hold here: plain numbers, for which any bits will do.
pub trait Value: Copy + Default {}
impl Value for u8 {}
impl Value for c_int {}
impl Value for usize {}

/// Reads a setting, and replaces it if there is a `new` value.
///
/// Returns what it held before, and the error's number, 0 for none. Where the
/// setting is of another size than `T` that is EINVAL, nothing is replaced, and
/// what was read are as many bytes as both have, the others 0: a smaller number
/// is read right on little-endian machines. 0 for a name that is not there.
/// None without jemalloc.
pub fn exchange<T: Value>(name: &CStr, new: Option<T>) -> Option<(T, c_int)> {
    let mut old = T::default();
    let mut old_size = size_of::<T>();
    let new_place = new.as_ref().map_or(ptr::null(), ptr::from_ref);
    let new_size = new.map_or(0, |_| size_of::<T>());
    // SAFETY: `old` is writable for `old_size` bytes, any of which may have any
    // value; the new value is readable for `new_size` bytes, or null and 0.
    let error = unsafe {
        jemalloc::mallctl(
            name.as_ptr(),
            ptr::from_mut(&mut old).cast(),
            &mut old_size,
            new_place.cast_mut().cast(),
            new_size,
        )
    };
    Some((old, error))
}

/// Carries out a command, which is a setting without a value. Returns the error's
/// number, 0 for none; None without jemalloc.
pub fn run(name: &CStr) -> Option<c_int> {
    let nothing = ptr::null_mut();
    // SAFETY: nothing is read or written.
    let error = unsafe { jemalloc::mallctl(name.as_ptr(), nothing, nothing.cast(), nothing, 0) };
    Some(error)
}

/// Writes jemalloc's statistics to the standard error. `options` leaves parts
/// out: one letter for each, see jemalloc's manual on `malloc_stats_print`. None
/// without jemalloc.
pub fn print_statistics(options: Option<&CStr>) -> Option<()> {
    let options = options.map_or(ptr::null(), CStr::as_ptr);
    // SAFETY: without a function to write with, jemalloc writes by itself.
    unsafe { jemalloc::malloc_stats_print(None, ptr::null_mut(), options) };
    Some(())
}

/// Takes jemalloc's options from the variable that users of the reference set.
#[cfg(target_os = "linux")]
mod options {
    use core::ffi::{CStr, c_char};

    /// The reference's jemalloc is built with the prefix `je_`.
    const VARIABLE: &CStr = c"JE_MALLOC_CONF";

    unsafe extern "C" {
        /// Where jemalloc looks first. Null unless the program defines it.
        #[link_name = "_rjem_malloc_conf"]
        static mut OPTIONS: *const c_char;
        /// Null too in a process with more rights than its user.
        fn secure_getenv(name: *const c_char) -> *mut c_char;
    }

    /// Runs before `main` and before jemalloc's own constructor, so that jemalloc
    /// finds the options when it is asked for the first block. Where a library's
    /// constructor has asked for one before, they come too late.
    ///
    /// `skynet_start` refers to it, so that a linker takes it from an archive.
    #[used]
    #[unsafe(link_section = ".init_array.00099")]
    pub static TAKE: extern "C" fn() = take;

    extern "C" fn take() {
        // SAFETY: no other thread runs yet, and jemalloc reads the options later;
        // the text is in the process's first environment, which is never freed.
        unsafe {
            let options = secure_getenv(VARIABLE.as_ptr());
            if OPTIONS.is_null() && !options.is_null() {
                OPTIONS = options;
            }
        }
    }
}

/// Has the linker keep what takes jemalloc's options from the environment.
pub fn keep() {
    #[cfg(target_os = "linux")]
    core::hint::black_box(&options::TAKE);
}
