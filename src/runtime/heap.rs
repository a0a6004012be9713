//! The process's memory as an operator asks for it: what each service holds, in
//! the log, and jemalloc's settings and statistics.
//!
//! Without jemalloc (the feature `system-malloc`) the settings read 0, and the log
//! says who asked for which.

use super::node;
use crate::memory::{self, Usage, control};
use std::ffi::{CStr, c_int};

/// Logs how many bytes are charged under each handle, and in all. Services that
/// are gone are in it while blocks of theirs are not freed.
pub fn dump() {
    let all = memory::usage_by_handle();
    log("dump all service mem:");
    let mut total = Usage::default();
    for (handle, usage) in all {
        total += usage;
        let bytes = usage.bytes;
        log(&format!(":{handle:08x} -> {}kb {bytes}b", bytes >> 10));
    }
    log(&format!("+total: {}kb", total.bytes >> 10));
}

/// Writes jemalloc's statistics to the standard error, but for what `options`
/// leave out.
pub fn print_statistics(options: Option<&CStr>) {
    if control::print_statistics(options).is_none() {
        log("No jemalloc");
    }
}

/// A number of jemalloc's that is as wide as a pointer, and its new value if there
/// is one. 0 for an unknown name.
pub fn number(name: &CStr, new: Option<usize>) -> usize {
    exchange("mallctl_int64", name, new).map_or(0, |(old, _)| old)
}

/// As [`number`], for a number as wide as C's `int`. Logs whether it was replaced.
pub fn option(name: &CStr, new: Option<c_int>) -> c_int {
    let Some((old, error)) = exchange("mallctl_opt", name, new) else {
        return 0;
    };
    if let Some(new) = new {
        let outcome = match error {
            0 => String::from("succeed"),
            _ => format!("failed: error -> {error}"),
        };
        let name = name.to_string_lossy();
        // The line that follows it is empty, as the reference writes it.
        log(&format!("set new value({new}) for ({name}) {outcome}\n"));
    }
    old
}

/// As [`number`], for a setting that is on or off.
pub fn switch(name: &CStr, new: Option<bool>) -> bool {
    exchange("mallctl_bool", name, new.map(u8::from)).is_some_and(|(old, _)| old != 0)
}

/// Has jemalloc carry out a command. The number of its error, 0 for none.
pub fn run(name: &CStr) -> c_int {
    control::run(name).unwrap_or_else(|| {
        without_jemalloc("mallctl_cmd", name);
        0
    })
}

fn exchange<T: control::Value>(by: &str, name: &CStr, new: Option<T>) -> Option<(T, c_int)> {
    let exchanged = control::exchange(name, new);
    if exchanged.is_none() {
        without_jemalloc(by, name);
    }
    exchanged
}

fn without_jemalloc(function: &str, name: &CStr) {
    let name = name.to_string_lossy();
    log(&format!("No jemalloc : {function} {name}."));
}

fn log(text: &str) {
    node::log(0, text.as_bytes());
}
