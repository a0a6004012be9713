//! `skynet_error`, the one variadic function.

use super::{guard, service};
#[cfg(not(test))]
use crate::runtime::node;
use core::arch::naked_asm;
use skynet_abi::skynet_context;
use std::ffi::{c_char, c_void};
use std::slice;

unsafe extern "C-unwind" {
    /// In varargs.c; variadic.
    fn skynet_error_format(context: *mut skynet_context, format: *const c_char);
}

/// Sends a line to the logger, formatted as by `printf`: to the service named
/// `logger`, as PTYPE_TEXT, in the name of `context`. Before there is a logger
/// the line is lost. With the format `%*s` the number is the text's length.
///
/// # Safety
/// `context` must be null or a service; `msg` a C string, and the arguments
/// behind it those that it asks for.
#[unsafe(no_mangle)]
#[unsafe(naked)]
pub unsafe extern "C-unwind" fn skynet_error(context: *mut skynet_context, msg: *const c_char) {
    // The C function finds the arguments where the caller put them, in registers
    // and on the stack, and returns to the caller.
    #[cfg(target_arch = "x86_64")]
    naked_asm!("jmp {format}", format = sym skynet_error_format);
    #[cfg(target_arch = "aarch64")]
    naked_asm!("b {format}", format = sym skynet_error_format);
}

/// Where varargs.c sends a formatted text, which is copied. Not part of the ABI.
///
/// # Safety
/// `context` must be null or a service, `text` valid for `length` bytes; it may
/// be null if `length` is 0.
#[unsafe(no_mangle)]
unsafe extern "C" fn skynet_error_text(
    context: *mut skynet_context,
    text: *const c_void,
    length: usize,
) {
    let text = match length {
        0 => &[][..],
        // SAFETY: as the caller says.
        _ => unsafe { slice::from_raw_parts(text.cast::<u8>(), length) },
    };
    // SAFETY: as the caller says.
    let source = unsafe { service(context) }.map_or(0, |service| service.handle());
    guard((), || send(source, text));
}

#[cfg(not(test))]
use node::log as send;
#[cfg(test)]
use tests::keep as send;

#[cfg(test)]
mod tests {
    use skynet_abi::skynet_error;
    use std::cell::RefCell;
    use std::ffi::{c_char, c_int};
    use std::ptr;

    thread_local! {
        static KEPT: RefCell<Vec<(u32, Vec<u8>)>> = const { RefCell::new(Vec::new()) };
    }

    /// Takes the logger's place.
    pub(super) fn keep(source: u32, text: &[u8]) {
        KEPT.with_borrow_mut(|kept| kept.push((source, text.to_vec())));
    }

    /// The one line that `log` wrote.
    fn line_of(log: impl FnOnce()) -> Vec<u8> {
        log();
        let mut kept = KEPT.take();
        assert_eq!(kept.len(), 1);
        let (source, text) = kept.remove(0);
        assert_eq!(source, 0);
        text
    }

    #[test]
    fn plain() {
        // SAFETY: in this and the other tests, the arguments are what the
        // format asks for.
        let text = line_of(|| unsafe {
            skynet_error(ptr::null_mut(), c"100%% %s".as_ptr(), c"x".as_ptr())
        });
        assert_eq!(text, b"100% x");
        // SAFETY: as above.
        let text = line_of(|| unsafe { skynet_error(ptr::null_mut(), c"".as_ptr()) });
        assert_eq!(text, b"");
    }

    #[test]
    fn arguments_in_registers_and_on_the_stack() {
        let format = c"%d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %d %f %s %llx";
        // SAFETY: as above.
        let text = line_of(|| unsafe {
            skynet_error(
                ptr::null_mut(),
                format.as_ptr(),
                1 as c_int,
                0.5,
                2 as c_int,
                1.5,
                3 as c_int,
                2.5,
                4 as c_int,
                3.5,
                5 as c_int,
                4.5,
                6 as c_int,
                5.5,
                7 as c_int,
                6.5,
                8 as c_int,
                7.5,
                9 as c_int,
                8.5,
                c"end".as_ptr(),
                u64::MAX,
            );
        });
        let mut expected = String::new();
        for i in 1..10 {
            expected += &format!("{i} {:.6} ", f64::from(i) - 0.5);
        }
        expected += "end ffffffffffffffff";
        assert_eq!(text, expected.as_bytes());
    }

    #[test]
    fn lines_longer_than_the_room() {
        for length in [510, 511, 512, 513, 10_000] {
            let long = std::ffi::CString::new(vec![b'a'; length]).unwrap();
            // SAFETY: as above.
            let text = line_of(|| unsafe {
                skynet_error(ptr::null_mut(), c"%s".as_ptr(), long.as_ptr());
            });
            assert_eq!(text, long.as_bytes());
        }
    }

    #[test]
    fn a_length_and_a_text() {
        let bytes = b"zero\0inside and more";
        let log = |length: c_int, text: *const c_char| {
            // SAFETY: as above; the text is that long.
            unsafe { skynet_error(ptr::null_mut(), c"%*s".as_ptr(), length, text) }
        };
        assert_eq!(line_of(|| log(11, bytes.as_ptr().cast())), b"zero\0inside");
        assert_eq!(line_of(|| log(0, ptr::null())), b"");
        log(-1, ptr::null());
        assert!(KEPT.take().is_empty());
    }
}
