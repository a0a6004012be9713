//! Keeps the exported symbols when this crate is linked as an archive: a linker
//! takes only those members that somebody needs, and modules, which look the
//! symbols up when they are loaded, are not there yet.

/// Reached from `skynet_start`, so that the table is.
pub fn keep() {}
