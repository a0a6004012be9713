//! skynet.core as a Lua service sees it: tests/lua/core_module.lua, on the
//! executable, writes the lines that it writes on the reference's.
#![cfg(feature = "standalone")]

#[path = "support/process.rs"]
mod process;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use process::Ended;

const DEADLINE: Duration = Duration::from_secs(30);

const CONFIG: &str = r#"
thread = 1
harbor = 0
bootstrap = "snlua core_module"
luaservice = "./?.lua"
fixture = "some text"
number = "0x10"
real = "1.5"
address = ":00ABcdef"
"#;

/// The log with the time of each trace line replaced.
fn without_times(log: &str) -> String {
    const TRACE: &str = "<TRACE tag> ";
    let lines = log.lines().map(|line| match line.split_once(TRACE) {
        Some((start, rest)) => {
            let rest = rest.trim_start_matches(|c: char| c.is_ascii_digit());
            format!("{start}{TRACE}T{rest}\n")
        }
        None => format!("{line}\n"),
    });
    lines.collect()
}

#[test]
fn its_log_is_the_reference_s() {
    let programs = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lua");
    let scratch = Path::new(env!("CARGO_TARGET_TMPDIR")).join("core_module");
    fs::create_dir_all(&scratch).expect("creates a scratch directory");
    let config = scratch.join("config");
    fs::write(&config, CONFIG).expect("writes the config");

    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet"));
    command.arg(&config).current_dir(&programs);
    let outcome = process::run(command, &scratch, DEADLINE);
    let expected = fs::read_to_string(programs.join("core_module.expected")).expect("the lines");
    assert_eq!(
        without_times(&outcome.stdout),
        expected,
        "{}",
        outcome.stderr
    );
    assert_eq!(outcome.ended, Ended::Code(0), "{}", outcome.stderr);
}
