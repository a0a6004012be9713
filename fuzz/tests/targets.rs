//! Every target on its corpus and some thousand inputs made of it (`ci/fuzz` tries many
//! more), and that what a target must hold is seen when it does not.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};
use std::time::{Duration, Instant};

fn program() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_skynet-fuzz"));
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap();
    command.current_dir(root);
    command.arg("--out").arg(scratch());
    command
}

fn scratch() -> &'static Path {
    Path::new(env!("CARGO_TARGET_TMPDIR"))
}

#[test]
fn smoke() {
    let output = program().args(["--inputs", "5000"]).output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{text}");
}

/// A target that is made for a test.
struct Made {
    name: &'static str,
    targets: PathBuf,
    corpus: PathBuf,
}

impl Made {
    fn new(name: &'static str, code: &str) -> Self {
        let root = scratch().join("made");
        let made = Self {
            name,
            targets: root.join("targets"),
            corpus: root.join("corpus"),
        };
        fs::create_dir_all(&made.targets).unwrap();
        fs::create_dir_all(made.corpus.join(name)).unwrap();
        fs::write(made.corpus.join(name).join("seed"), "seed").unwrap();
        let text = format!(
            "return {{ parser = {{ 'none.rs' }}, longest = 99, memory = 100000, \
             memory_per_byte = 1, run = function(input) {code} end }}"
        );
        fs::write(made.targets.join(format!("{name}.lua")), text).unwrap();
        made
    }

    fn run(&self, option: &str, value: &str) -> Output {
        program()
            .arg("--targets")
            .arg(&self.targets)
            .arg("--corpus")
            .arg(&self.corpus)
            .args([option, value, self.name])
            .output()
            .unwrap()
    }

    /// Runs it and sees it fail. Returns what was said, and the input that is kept.
    fn fail(&self) -> (String, String) {
        let output = self.run("--inputs", "5000");
        let text = String::from_utf8_lossy(&output.stderr).into_owned();
        assert!(!output.status.success(), "{text}");
        assert!(text.contains(", seed 1, input "), "{text}");
        let file = text.trim_end().rsplit(": ").next().unwrap().to_owned();
        (text, file)
    }
}

#[test]
fn errors_are_found() {
    let made = Made::new("raises", "assert(not input:find '\\0', 'a zero')");
    let (text, file) = made.fail();
    assert!(text.contains("a zero"), "{text}");
    assert!(fs::read(&file).unwrap().contains(&0));
    assert!(!made.run("--replay", &file).status.success());
}

#[test]
fn memory_is_found() {
    let code = "if #input > 9 then return ('x'):rep(200000) end";
    let made = Made::new("takes", code);
    let (text, file) = made.fail();
    assert!(text.contains("bytes of memory"), "{text}");
    assert!(fs::read(&file).unwrap().len() > 9);
    assert!(!made.run("--replay", &file).status.success());
}

#[test]
fn leaks_are_found() {
    let code = "count = (count or 0) + 1 kept = { kept, ('x'):rep(200) .. count }";
    let output = Made::new("keeps", code).run("--inputs", "5000");
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success(), "{text}");
    assert!(text.contains("bytes behind"), "{text}");
}

#[test]
fn an_early_end_is_found() {
    let made = Made::new("ends", "if #input > 9 then os.exit(0) end");
    let (_, file) = made.fail();
    assert!(fs::read(file).unwrap().len() > 9);
}

/// Also one of the corpus, with which a run begins.
#[test]
fn hangs_are_found() {
    let made = Made::new("hangs", "while input == 'seed' do end");
    let mut run = program();
    run.arg("--targets").arg(&made.targets);
    run.arg("--corpus").arg(&made.corpus);
    run.args(["--timeout", "1", "--inputs", "9", made.name]);
    run.stdout(Stdio::null()).stderr(Stdio::piped());
    let mut run = run.spawn().unwrap();
    let started = Instant::now();
    while run.try_wait().unwrap().is_none() {
        if started.elapsed() > Duration::from_secs(60) {
            // The process of its target goes with it.
            run.kill().unwrap();
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let output = run.wait_with_output().unwrap();
    let text = String::from_utf8_lossy(&output.stderr);
    assert!(text.contains("SIGALRM"), "{text}");
    assert!(!output.status.success());
}
