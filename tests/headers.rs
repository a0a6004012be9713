//! The headers in include/ are what cbindgen makes of the sources, and compile
//! alone, as C11 and as C++. With `UPDATE_HEADERS` in the environment they are
//! written anew.

#[path = "support/missing.rs"]
mod missing;

use cbindgen::{Builder, Config};
use std::ffi::OsStr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// A header, without its `.h`, the file of src/ffi it is made from, and the
/// files of abi/src whose constants and types it shows or needs.
const HEADERS: [(&str, &str, &[&str]); 19] = [
    ("skynet", "skynet", &["skynet"]),
    ("skynet_malloc", "malloc", &[]),
    ("skynet_server", "server", &[]),
    ("skynet_handle", "handle", &["handle"]),
    ("skynet_mq", "mq", &["mq"]),
    ("skynet_env", "env", &[]),
    ("skynet_timer", "timer", &[]),
    ("skynet_module", "module", &["module"]),
    ("skynet_monitor", "monitor", &[]),
    ("skynet_harbor", "harbor", &["harbor"]),
    ("skynet_imp", "imp", &["imp"]),
    ("skynet_log", "log", &[]),
    ("skynet_socket", "socket", &["socket"]),
    ("socket_buffer", "socket_buffer", &["socket_buffer"]),
    ("socket_info", "socket_info", &["socket_info"]),
    ("socket_server", "socket_server", &["socket_server"]),
    ("skynet_daemon", "daemon", &[]),
    ("malloc_hook", "malloc_hook", &[]),
    ("mem_info", "mem_info", &[]),
];

/// Headers that are all inline C, and written by hand.
const INLINE: [&str; 3] = ["atomic", "rwlock", "spinlock"];

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

/// The configuration of one header: the common one and its own texts.
fn config(name: &str) -> Config {
    let read = |path: PathBuf| {
        fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
    };
    let common = read(root().join("cbindgen.toml"));
    let own = read(root().join("cbindgen").join(name).with_extension("toml"));
    // Keys before tables: the header's own keys go to the front.
    let (keys, tables) = own.split_once("\n[").unwrap_or((&own, ""));
    let tables = if tables.is_empty() {
        String::new()
    } else {
        format!("[{tables}")
    };
    let target = env::temp_dir().join(format!("cbindgen-{}-{name}.toml", std::process::id()));
    fs::write(&target, format!("{keys}\n{common}\n{tables}")).expect("a temporary file");
    let config = Config::from_file(&target).unwrap_or_else(|e| panic!("{name}.toml: {e}"));
    fs::remove_file(target).expect("written above");
    config
}

fn generate(name: &str, ffi: &str, abi: &[&str]) -> String {
    let mut builder = Builder::new().with_config(config(name));
    builder = builder.with_src(root().join("src/ffi").join(ffi).with_extension("rs"));
    for file in abi {
        builder = builder.with_src(root().join("abi/src").join(file).with_extension("rs"));
    }
    let bindings = builder
        .generate()
        .unwrap_or_else(|e| panic!("{name}.h: {e}"));
    let mut text = Vec::new();
    bindings.write(&mut text);
    let text = String::from_utf8(text).expect("cbindgen writes UTF-8");
    // cbindgen writes a trailer behind the include guard, where a second inclusion
    // would define its functions again.
    match &bindings.config.include_guard {
        Some(guard) => {
            let end = format!("\n#endif  /* {guard} */\n");
            text.replacen(&end, "", 1) + &end
        }
        None => text,
    }
}

#[test]
fn generated_headers_are_current() {
    let mut stale = Vec::new();
    for (name, ffi, abi) in HEADERS {
        let path = root().join("include").join(name).with_extension("h");
        let fresh = generate(name, ffi, abi);
        if env::var_os("UPDATE_HEADERS").is_some() {
            fs::write(&path, &fresh).expect("include/ is writable");
        } else if fs::read_to_string(&path).ok().as_ref() != Some(&fresh) {
            stale.push(name);
        }
    }
    assert!(
        stale.is_empty(),
        "not what the sources give: {stale:?}; run `UPDATE_HEADERS=1 cargo test --test headers`"
    );
}

#[test]
fn headers_compile_alone() {
    let has_cpp = Command::new("c++").arg("--version").output().is_ok();
    if !has_cpp {
        missing::program("c++");
    }
    for path in there() {
        compile(&path, "cc", "c", "-std=c11", &[]);
        if has_cpp {
            compile(&path, "c++", "c++", "-std=c++11", &[]);
        }
    }
    for name in INLINE {
        let path = root().join("include").join(name).with_extension("h");
        for variant in ["-D__STDC_NO_ATOMICS__=1", "-DUSE_PTHREAD_LOCK"] {
            compile(&path, "cc", "c", "-std=gnu99", &[variant]);
            if has_cpp {
                compile(&path, "c++", "c++", "-std=c++11", &[variant]);
            }
        }
    }
}

/// The inline headers, in a C++ program with threads, with each kind of lock.
#[test]
fn inline_headers_work_in_cpp() {
    if Command::new("c++").arg("--version").output().is_err() {
        missing::program("c++");
        return;
    }
    for (name, variant) in [
        ("own", "-UUSE_PTHREAD_LOCK"),
        ("pthread", "-DUSE_PTHREAD_LOCK"),
    ] {
        let program = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("inline-{name}"));
        let compiled = Command::new("c++")
            .args([
                "-std=c++11",
                "-O1",
                "-Wall",
                "-Wextra",
                "-Werror",
                "-pthread",
            ])
            .arg(variant)
            .arg("-I")
            .arg(root().join("include"))
            .arg(root().join("tests/c/inline.cpp"))
            .arg("-o")
            .arg(&program)
            .output()
            .expect("runs the compiler");
        let errors = String::from_utf8_lossy(&compiled.stderr);
        assert!(compiled.status.success(), "{errors}");
        let ended = Command::new(&program).status().expect("runs the program");
        assert!(ended.success(), "{variant}: {ended}");
    }
}

/// Every header comes from one of the two lists above.
#[test]
fn headers_are_listed() {
    let listed = HEADERS.iter().map(|(name, ..)| *name).chain(INLINE);
    let mut listed: Vec<PathBuf> = listed
        .map(|name| root().join("include").join(name).with_extension("h"))
        .collect();
    listed.sort();
    assert_eq!(there(), listed);
}

/// The files of include/.
fn there() -> Vec<PathBuf> {
    let listing = fs::read_dir(root().join("include")).expect("include/ is there");
    let mut paths: Vec<PathBuf> = listing.map(|entry| entry.expect("a file").path()).collect();
    paths.sort();
    paths
}

fn compile(header: &Path, compiler: &str, language: &str, standard: &str, more: &[&str]) {
    let output = Command::new(compiler)
        .args(["-x", language, standard, "-Wall", "-Wextra", "-Werror"])
        .args(more)
        // `static inline` helpers are there for others to use.
        .args(["-Wno-unused-function", "-fsyntax-only"])
        // Twice, as when two other headers include it.
        .args([OsStr::new("-include"), header.as_os_str()])
        .args([OsStr::new("-include"), header.as_os_str()])
        .arg("/dev/null")
        .output()
        .unwrap_or_else(|e| panic!("{compiler}: {e}"));
    assert!(
        output.status.success(),
        "{} as {standard}: {}",
        header.display(),
        String::from_utf8_lossy(&output.stderr)
    );
}
