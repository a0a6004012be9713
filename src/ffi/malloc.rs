//! `skynet_malloc.h`, and the process's malloc family under its own names:
//! exported from the executable or the shared library they replace the C
//! library's for the whole process, which is how modules in C are charged.
//!
//! The functions are `extern "C"`, not `"C-unwind"`: nothing below them panics.
//! With the feature `system-malloc` only the `skynet_` names are here.

use std::ffi::{c_int, c_void};

use crate::memory;

/// Defines one family of names for charged blocks. What they do is described
/// in `memory`; the sets differ in their names only.
macro_rules! family {
    ($malloc:ident, $calloc:ident, $realloc:ident, $free:ident, $memalign:ident,
     $aligned_alloc:ident, $posix_memalign:ident) => {
        /// Charges `size` bytes to the current service. Null with ENOMEM on failure.
        #[unsafe(no_mangle)]
        pub extern "C" fn $malloc(size: usize) -> *mut c_void {
            memory::malloc(size)
        }

        /// Zeroes for `count` things of `size` bytes, either of which may be 0.
        /// ENOMEM if the product does not fit, too.
        #[unsafe(no_mangle)]
        pub extern "C" fn $calloc(count: usize, size: usize) -> *mut c_void {
            memory::calloc(count, size)
        }

        /// Resizes a block and charges it to the current service, whoever was
        /// charged before. Size 0 gives a block, too.
        ///
        /// # Safety
        /// Behavior is undefined unless `block` is null or a block of this
        /// family, not freed; if a block is returned, nobody uses the old one.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $realloc(block: *mut c_void, size: usize) -> *mut c_void {
            // SAFETY: as the caller says.
            unsafe { memory::realloc(block, size) }
        }

        /// Frees a block, on any thread.
        ///
        /// # Safety
        /// Behavior is undefined unless `block` is null or a block of this
        /// family, not freed, that nobody uses any more.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $free(block: *mut c_void) {
            // SAFETY: as the caller says.
            unsafe { memory::free(block) }
        }

        /// Null with EINVAL if `alignment` is not a power of two.
        #[unsafe(no_mangle)]
        pub extern "C" fn $memalign(alignment: usize, size: usize) -> *mut c_void {
            memory::aligned_alloc(alignment, size)
        }

        /// Null with EINVAL if `alignment` is not a power of two. `size` need
        /// not be a multiple of it.
        #[unsafe(no_mangle)]
        pub extern "C" fn $aligned_alloc(alignment: usize, size: usize) -> *mut c_void {
            memory::aligned_alloc(alignment, size)
        }

        /// 0, or an error's number, and then `block` is as it was.
        ///
        /// # Safety
        /// Behavior is undefined unless `block` is writable.
        #[unsafe(no_mangle)]
        pub unsafe extern "C" fn $posix_memalign(
            block: *mut *mut c_void,
            alignment: usize,
            size: usize,
        ) -> c_int {
            match memory::posix_memalign(alignment, size) {
                Ok(fresh) => {
                    // SAFETY: as the caller says.
                    unsafe { block.write(fresh) };
                    0
                }
                Err(error) => error,
            }
        }
    };
}

family!(
    skynet_malloc,
    skynet_calloc,
    skynet_realloc,
    skynet_free,
    skynet_memalign,
    skynet_aligned_alloc,
    skynet_posix_memalign
);

/// Allocates, resizes or, for `nsize` 0, frees a block that nobody is charged
/// for: a Lua state's, whose service counts it. `osize` does not matter.
///
/// # Safety
/// Behavior is undefined unless `ptr` is null or came from this function and
/// was not freed. Nobody uses it afterwards if a block is returned or `nsize`
/// is 0.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn skynet_lalloc(
    ptr: *mut c_void,
    osize: usize,
    nsize: usize,
) -> *mut c_void {
    let _ = osize;
    // SAFETY: as the caller says.
    unsafe { memory::lalloc(ptr, nsize) }
}

#[cfg(not(feature = "system-malloc"))]
mod process {
    use super::*;

    family!(
        malloc,
        calloc,
        realloc,
        free,
        memalign,
        aligned_alloc,
        posix_memalign
    );

    /// A block aligned to a page.
    #[unsafe(no_mangle)]
    pub extern "C" fn valloc(size: usize) -> *mut c_void {
        memory::page_alloc(size, false)
    }

    /// Whole pages.
    #[unsafe(no_mangle)]
    pub extern "C" fn pvalloc(size: usize) -> *mut c_void {
        memory::page_alloc(size, true)
    }

    /// How many bytes of the block the caller may use: as many as it asked for.
    ///
    /// # Safety
    /// Behavior is undefined unless `block` is null or a block of the malloc
    /// family, not freed.
    #[unsafe(no_mangle)]
    pub unsafe extern "C" fn malloc_usable_size(block: *mut c_void) -> usize {
        // SAFETY: as the caller says.
        unsafe { memory::usable_size(block) }
    }
}

/// jemalloc itself, under the names that the reference gives it: uncharged,
/// and not to be mixed with the malloc family.
#[cfg(not(feature = "system-malloc"))]
mod raw {
    use std::ffi::{c_char, c_int, c_void};

    use tikv_jemalloc_sys as jemalloc;

    /// Defines functions that are jemalloc's under another name.
    macro_rules! forward {
        ($($name:ident => $target:ident($($argument:ident: $type:ty),*) $(-> $result:ty)?;)*) => {
            $(
                /// jemalloc's function of the name without `je_`.
                ///
                /// # Safety
                /// What jemalloc's manual asks for.
                #[unsafe(no_mangle)]
                pub unsafe extern "C" fn $name($($argument: $type),*) $(-> $result)? {
                    // SAFETY: as the caller says.
                    unsafe { jemalloc::$target($($argument),*) }
                }
            )*
        };
    }

    forward! {
        je_malloc => malloc(size: usize) -> *mut c_void;
        je_calloc => calloc(count: usize, size: usize) -> *mut c_void;
        je_realloc => realloc(block: *mut c_void, size: usize) -> *mut c_void;
        je_free => free(block: *mut c_void);
        je_memalign => aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
        je_aligned_alloc => aligned_alloc(alignment: usize, size: usize) -> *mut c_void;
        je_posix_memalign =>
            posix_memalign(block: *mut *mut c_void, alignment: usize, size: usize) -> c_int;
        je_malloc_usable_size => malloc_usable_size(block: *const c_void) -> usize;
        je_mallocx => mallocx(size: usize, flags: c_int) -> *mut c_void;
        je_rallocx => rallocx(block: *mut c_void, size: usize, flags: c_int) -> *mut c_void;
        je_xallocx =>
            xallocx(block: *mut c_void, size: usize, extra: usize, flags: c_int) -> usize;
        je_sallocx => sallocx(block: *const c_void, flags: c_int) -> usize;
        je_dallocx => dallocx(block: *mut c_void, flags: c_int);
        je_sdallocx => sdallocx(block: *mut c_void, size: usize, flags: c_int);
        je_nallocx => nallocx(size: usize, flags: c_int) -> usize;
        je_mallctl => mallctl(
            name: *const c_char,
            old: *mut c_void,
            old_size: *mut usize,
            new: *mut c_void,
            new_size: usize
        ) -> c_int;
        je_mallctlnametomib =>
            mallctlnametomib(name: *const c_char, mib: *mut usize, length: *mut usize) -> c_int;
        je_mallctlbymib => mallctlbymib(
            mib: *const usize,
            length: usize,
            old: *mut c_void,
            old_size: *mut usize,
            new: *mut c_void,
            new_size: usize
        ) -> c_int;
        je_malloc_stats_print => malloc_stats_print(
            write: Option<unsafe extern "C" fn(*mut c_void, *const c_char)>,
            argument: *mut c_void,
            options: *const c_char
        );
    }

    /// A block aligned to a page.
    #[unsafe(no_mangle)]
    pub extern "C" fn je_valloc(size: usize) -> *mut c_void {
        // SAFETY: jemalloc accepts any size; the alignment is a power of two.
        unsafe { jemalloc::aligned_alloc(crate::memory::page_size(), size) }
    }
}
