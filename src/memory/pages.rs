//! The system's pages.

/// Bytes in a page: a power of two.
pub fn page_size() -> usize {
    // SAFETY: asks for a constant of the system.
    let size = unsafe { libc::sysconf(libc::_SC_PAGESIZE) };
    usize::try_from(size).unwrap_or(4096)
}

/// A size in whole pages; the largest number there is if it does not fit.
pub(super) fn round_up(size: usize) -> usize {
    size.checked_next_multiple_of(page_size())
        .unwrap_or(usize::MAX)
}
