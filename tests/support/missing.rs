//! What a test does without a program that not every machine has.

/// Says what the machine lacks, so that the test leaves something out. With
/// `SKYNET_TEST_ALL` in the environment, as `ci/test` sets it, that is an error.
pub fn program(name: &str) {
    assert!(
        std::env::var_os("SKYNET_TEST_ALL").is_none(),
        "{name} is not installed (ci/packages installs it where the system has it)"
    );
    eprintln!("left out: {name} is not installed");
}
