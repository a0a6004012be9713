//! sproto on the executable: `tests/lua/sproto_module.lua` writes the lines that it
//! writes on the reference, and `tests/lua/sproto_errors.lua` passes.
#![cfg(feature = "standalone")]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use process::{Ended, Outcome};

const DEADLINE: Duration = Duration::from_secs(60);

/// Runs a program of `tests/lua` as the first service.
fn run(name: &str) -> Outcome {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(format!("sproto.{name}"));
    fs::create_dir_all(&scratch).unwrap();
    let file = scratch.join("config");
    let config = format!(
        "thread = 1\nharbor = 0\nbootstrap = \"snlua {name}\"\n\
         luaservice = \"./tests/lua/?.lua\"\n\
         lua_path = \"./lualib/?.lua;./tests/lua/?.lua\"\n"
    );
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg(file).current_dir(env!("CARGO_MANIFEST_DIR"));
    process::run(command, &scratch, DEADLINE)
}

#[test]
fn its_bytes_are_the_reference_s() {
    let outcome = run("sproto_module");
    let file = concat!(
        env!("CARGO_MANIFEST_DIR"),
        "/tests/lua/sproto_module.expected"
    );
    let expected = fs::read_to_string(file).unwrap();
    for (line, expected) in outcome.stdout.lines().zip(expected.lines()) {
        assert_eq!(line, expected);
    }
    assert_eq!(outcome.stdout.lines().count(), expected.lines().count());
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stderr);
}

#[test]
fn bad_input_is_an_error() {
    let outcome = run("sproto_errors");
    let passed = outcome.stdout.lines().any(|line| line == "passed");
    assert!(passed, "{}{}", outcome.stdout, outcome.stderr);
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stderr);
}
