//! Keeps the exported symbols when this crate is linked as an archive: a linker
//! takes only those members that somebody needs, and modules, which look the
//! symbols up when they are loaded, are not there yet.

/// The functions of exports.txt, made by the build script. Their types are not
/// the real ones: nobody calls through the table.
#[cfg(not(test))]
#[allow(clashing_extern_declarations)]
mod table {
    include!(concat!(env!("OUT_DIR"), "/exports.rs"));
}

/// Reached from `skynet_start`, so that the table is.
#[inline(never)]
pub fn keep() {
    crate::memory::control::keep();
    #[cfg(not(test))]
    std::hint::black_box(&table::EXPORTS);
}
