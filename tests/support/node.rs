//! Programs of `tests/lua` as services of a node: each prints `passed`, and ends it.

#[path = "process.rs"]
pub mod process;

use process::{Ended, Outcome};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// No node here takes longer than this.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A directory for the files of one test.
pub fn scratch(test: &str) -> PathBuf {
    let scratch = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&scratch).unwrap();
    scratch
}

/// The executable with a config file that is this text.
pub fn command(config: &str, scratch: &Path) -> Command {
    let file = scratch.join("config");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg(file).current_dir(env!("CARGO_MANIFEST_DIR"));
    command
}

/// Runs a program with more settings. `test` is a name that no other test has.
pub fn run(name: &str, test: &str, more: &str) -> Outcome {
    let config = format!(
        "thread = 2\nharbor = 0\nstart = \"{name}\"\n\
         luaservice = \"./service/?.lua;./tests/lua/?.lua\"\n\
         lua_path = \"./lualib/?.lua;./tests/lua/?.lua\"\n{more}"
    );
    run_config(&config, test)
}

/// Runs a node with a config that is this text.
pub fn run_config(config: &str, test: &str) -> Outcome {
    let scratch = scratch(test);
    process::run(command(config, &scratch), &scratch, DEADLINE)
}

#[track_caller]
pub fn assert_passed(outcome: &Outcome) {
    let passed = outcome.stdout.lines().any(|line| line == "passed");
    assert!(
        passed && outcome.ended == Ended::Code(0),
        "{:?}\n{}{}",
        outcome.ended,
        outcome.stdout,
        outcome.stderr
    );
}
