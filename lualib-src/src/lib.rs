//! skynet's Lua modules: what Lua programs get by `require` and what is not
//! written in Lua itself.
//!
//! The crate sees the core through the C ABI (`skynet-abi`) and Lua through its
//! C API, as a module of a third party does. It is built in two forms:
//!
//! * as a library of the executable, which takes [`MODULES`] into
//!   `package.preload`, or wherever it looks for built-in modules;
//! * as a shared object that exports the `luaopen_` functions. Any skynet
//!   executable loads it by the usual rules of `package.cpath`: a copy named
//!   `skynet/core.so` serves `require "skynet.core"` alone, a copy named
//!   `skynet.so` serves every `skynet.` module of the table.
//!
//! What [`MODULES`] does not list is no part of this crate, and loads from
//! `lua_cpath` like any module of a third party. With some modules from here and
//! some from there, use names like `skynet/core.so`: Lua looks into the first
//! `skynet.so` alone.
//!
//! # Adding a module
//! One file for each module of the reference. It defines
//! `luaopen_<name with _ for .>`, `#[unsafe(no_mangle)] unsafe extern "C-unwind"`,
//! and a row of [`MODULES`].
//!
//! # Lua errors and Rust
//! A Lua error is a `longjmp` over the frames between the call that raised it and
//! the `pcall` that catches it. A function that calls the Lua API therefore holds
//! nothing with a destructor, and what can fail in pure Rust returns a `Result`
//! whose error is raised at the outermost frame, after everything is given back.
//! No function here can panic on any input.

// `L` is the name of a Lua state wherever the Lua API is used.
#![allow(non_snake_case)]

mod block;
mod bson;
mod callback;
mod client;
mod cluster;
mod command;
mod core;
mod crypt;
mod datasheet;
mod debugchannel;
mod json;
mod library;
mod ltls;
mod md5;
mod memory;
mod mongo;
mod multicast;
mod netpack;
mod object;
mod send;
mod seri;
mod sharedata;
mod sharetable;
mod socketdriver;
mod sproto;
mod stm;
mod strings;
mod trace;

use std::ffi::CStr;

use mlua_sys::lua_CFunction;

/// The modules of this crate, by the name that `require` takes.
///
/// The functions are `lua_CFunction`s that return the module's table. They may
/// raise Lua errors, so they are called in protected mode.
pub static MODULES: &[(&CStr, lua_CFunction)] = &[
    (c"client.socket", client::luaopen_client_socket),
    (c"skynet.core", core::luaopen_skynet_core),
    (c"skynet.netpack", netpack::luaopen_skynet_netpack),
    (c"skynet.crypt", crypt::luaopen_skynet_crypt),
    (c"client.crypt", crypt::luaopen_client_crypt),
    (c"md5.core", md5::luaopen_md5_core),
    (c"skynet.memory", memory::luaopen_skynet_memory),
    (
        c"skynet.debugchannel",
        debugchannel::luaopen_skynet_debugchannel,
    ),
    (
        c"skynet.multicast.core",
        multicast::luaopen_skynet_multicast_core,
    ),
    (c"skynet.cluster.core", cluster::luaopen_skynet_cluster_core),
    (c"skynet.cluster.link", cluster::luaopen_skynet_cluster_link),
    (c"bson", bson::luaopen_bson),
    (c"skynet.json", json::luaopen_skynet_json),
    (c"ltls.c", ltls::luaopen_ltls_c),
    (c"ltls.init.c", ltls::luaopen_ltls_init_c),
    (c"skynet.mongo.driver", mongo::luaopen_skynet_mongo_driver),
    (
        c"skynet.socketdriver",
        socketdriver::luaopen_skynet_socketdriver,
    ),
    (
        c"skynet.datasheet.core",
        datasheet::luaopen_skynet_datasheet_core,
    ),
    (
        c"skynet.sharedata.core",
        sharedata::luaopen_skynet_sharedata_core,
    ),
    (
        c"skynet.sharetable.core",
        sharetable::luaopen_skynet_sharetable_core,
    ),
    (c"skynet.stm", stm::luaopen_skynet_stm),
    (c"sproto.core", sproto::luaopen_sproto_core),
];
