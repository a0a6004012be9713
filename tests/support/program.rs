//! Running a program of `tests/lua` as a node's start service.

use crate::process::{self, Ended, Outcome};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// No node here takes longer than this.
pub const DEADLINE: Duration = Duration::from_secs(90);

/// A directory for one test.
pub fn scratch(test: &str) -> PathBuf {
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join(test);
    fs::create_dir_all(&scratch).unwrap();
    scratch
}

/// Runs a program with more settings.
pub fn run(name: &str, test: &str, more: &str) -> Outcome {
    let config = format!(
        "thread = 2\nharbor = 0\nstart = \"{name}\"\n\
         luaservice = \"./service/?.lua;./tests/lua/?.lua\"\n\
         lua_path = \"./lualib/?.lua;./tests/lua/?.lua\"\n{more}"
    );
    run_node(test, &config)
}

/// Runs a node in the repository with a config.
pub fn run_node(test: &str, config: &str) -> Outcome {
    let scratch = scratch(test);
    let file = scratch.join("config");
    fs::write(&file, config).unwrap();
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg(file).current_dir(env!("CARGO_MANIFEST_DIR"));
    process::run(command, &scratch, DEADLINE)
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
