//! The C integration tests: the sources under `tests/c`, compiled against
//! `include/` alone, print what `tests/c/expected` says. Those files were
//! recorded from the reference by `tests/c/compare.sh`, except for tests marked
//! `only=ours`.
//!
//! - `tests/c/services`: each is a C service that bootstraps a node of the built
//!   executable, with several threads.
//! - `tests/c/programs`: each is a `main` of its own, linked to `libskynet.a` and
//!   to `libskynet.so`, without Lua unless it says `link=lua`.
//! - `tests/c/modules`: C services, and one in C++, that the tests launch.
//!
//! With the feature `system-malloc` the programs, and a selection of the services,
//! run under valgrind; `ci/memcheck` does that.

mod support;

use std::collections::BTreeSet;
use support::{case, process, toolchain};

/// One test for each name, and the list of them.
macro_rules! tests {
    ($run:path, $($(#[$attribute:meta])* $name:ident)*) => {
        pub const NAMES: &[&str] = &[$(stringify!($name)),*];
        $(
            #[test]
            $(#[$attribute])*
            fn $name() {
                $run(stringify!($name));
            }
        )*
    };
}

mod programs {
    use super::support::run_program;

    tests! {
        run_program,
        bad
        builtinlocks
        command
        context
        daemon
        daemon_closed
        dispatch
        drops
        env
        error
        handle
        harbor
        heap
        heapprofile
        layout
        locks
        log
        loglines
        lua
        mailbox
        malloc
        meminfo
        module
        modules
        monitor
        names
        nopattern
        overload
        ownership
        posix_memalign
        pthreadlocks
        register
        send
        socket_accept
        socket_bind
        socket_buffers
        socket_connect
        socket_early
        socket_file
        socket_halfclose
        socket_ids
        socket_info
        socket_limit
        socket_listen
        socket_objects
        socket_poll
        socket_priority
        socket_resolve
        socket_servers
        socket_sizes
        socket_starved
        socket_udp
        socket_warning
        start
        timer
    }
}

mod services {
    use super::support::run_service;

    tests! {
        run_service,
        accounts
        badlogger
        badstart
        churn
        clock
        conserve
        cpplog
        endless
        heapdump
        lastwords
        logfile
        noprofile
        order
        parties
        profile
        shared
        shutdown
        sigterm
        smoke
        socket_dead
        socket_dropped
        socket_echo
        socket_forgotten
        socket_gone
        socket_keepalive
        socket_messages
        socket_orphans
        socket_soak
        socket_transfer
        stuck
        watch
    }
}

/// A Lua service of the executable loads a C module that speaks on sockets.
#[cfg(all(feature = "standalone", not(feature = "system-malloc")))]
#[test]
fn lua_module() {
    support::run_lua_service("socket_module", "sockets");
}

#[test]
fn every_file_is_run() {
    for (kind, names) in [("programs", programs::NAMES), ("services", services::NAMES)] {
        let listed: BTreeSet<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let there: BTreeSet<String> = case::names(kind).into_iter().collect();
        assert_eq!(
            listed, there,
            "tests/c/{kind}/*.c and the list of tests differ"
        );
    }
}

/// Every function of the headers is used by at least one C object.
#[test]
fn every_symbol_is_called() {
    let declared = toolchain::declared_symbols();
    assert!(
        declared.len() > 90,
        "only {} symbols declared",
        declared.len()
    );
    let used = toolchain::undefined_symbols();
    let unused: Vec<_> = declared.difference(&used).collect();
    assert!(unused.is_empty(), "no C test calls {unused:?}");
}

/// A program that runs on is ended at its deadline, with all that it started.
#[test]
fn deadline() {
    let scratch = support::scratch("deadline");
    let mut command = std::process::Command::new("sh");
    command.args(["-c", "sleep 1000 & echo $!; wait"]);
    let outcome = process::run(command, &scratch, std::time::Duration::from_millis(300));
    assert_eq!(outcome.ended, process::Ended::Deadline);
    let child = outcome.stdout.trim().to_owned();
    support::wait_until("the grandchild is gone", || {
        let status = std::fs::read_to_string(format!("/proc/{child}/stat")).unwrap_or_default();
        status.is_empty() || status.contains(") Z ")
    });
}
