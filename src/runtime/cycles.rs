//! The processor's cycle counter.

use std::fs;

/// Where Linux says what it keeps time by.
const CLOCK_SOURCE: &str = "/sys/devices/system/clocksource/clocksource0/current_clocksource";

/// Whether the counter runs at one pace on all processors: the kernel would not
/// keep time by it otherwise.
pub(super) fn are_reliable() -> bool {
    cfg!(all(target_arch = "x86_64", not(miri), not(loom)))
        && fs::read_to_string(CLOCK_SOURCE).is_ok_and(|source| source.trim() == "tsc")
}

/// The counter. 0 on processors that are not supported.
#[inline]
pub(super) fn count() -> u64 {
    #[cfg(all(target_arch = "x86_64", not(miri)))]
    // SAFETY: every x86-64 processor has the instruction.
    unsafe {
        core::arch::x86_64::_rdtsc()
    }
    #[cfg(not(all(target_arch = "x86_64", not(miri))))]
    0
}
