//! The harnesses that compare the logs of two skynets: their own tests, with this
//! executable on both sides.

#[path = "support/missing.rs"]
mod missing;

use std::process::{Command, Stdio};

/// The oldest Python whose standard library reads the harnesses' lists of programs.
const ENOUGH: &str = "import sys; sys.exit(sys.version_info < (3, 11))";

/// Runs a directory's own tests.
fn own_tests(directory: &str) {
    let python = Command::new("python3")
        .args(["-c", ENOUGH])
        .stdout(Stdio::null())
        .status();
    if !python.is_ok_and(|status| status.success()) {
        missing::program("Python 3.11");
        return;
    }
    let status = Command::new("python3")
        .args(["-B", "-m", "unittest", "discover", "-s", directory])
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .env("SKYNET", env!("CARGO_BIN_EXE_skynet"))
        .status()
        .expect("python3 was there a moment ago");
    assert!(status.success(), "the tests of {directory} fail, see above");
}

#[test]
fn programs() {
    own_tests("tests/compare_programs");
}

#[test]
fn networks() {
    own_tests("tests/mixed_network");
}
