//! Feeds changed inputs to the parsers of what comes from the network.
//!
//! A target is a Lua file in `targets/` that gives an input to a parser as a program
//! would; `corpus/` has inputs for each. A process of its own tries a target's inputs:
//! the corpus, changed copies of it, and of these again what reached code that nothing
//! reached before, if the modules were compiled so that it can be seen (`ci/fuzz` does).
//! All changes follow from a seed.
//!
//! No input may end the process, raise an error that the target does not expect, take
//! longer than a minute, or take more memory of Lua's and Rust's than the target allows for
//! its size. What an input takes by C's functions must not be more than that when it ends.

// `L` is the name of a Lua state wherever the Lua API is used.
#![allow(non_snake_case)]

mod counters;
mod current;
mod lines;
mod memory;
mod mutate;
mod random;
mod session;
mod target;

use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode};
use std::{env, fs};

use current::Current;
use session::Session;
// Lua itself, which the modules' crate does not bring along.
use skynet_lua as _;

const USAGE: &str = "usage: skynet-fuzz [OPTION ...] [TARGET ...]
Tries inputs of all targets, or of these. Run in the repository.
  --inputs N     how many for each target; 10000
  --seed N       what the changes follow from; 1
  --jobs N       targets at a time; 2
  --timeout N    seconds that an input may take; 60
  --out DIR      for reports and inputs that failed; target/fuzz
  --found DIR    keeps inputs that reached something new, in DIR/TARGET
  --minimise     leaves in the corpus what is needed of it and of --found
  --replay FILE  tries this file, once, in this process
  --targets DIR  where the targets are; fuzz/targets
  --corpus DIR   where their corpora are; fuzz/corpus";

pub struct Options {
    inputs: u64,
    seed: u64,
    jobs: usize,
    timeout: u32,
    out: PathBuf,
    found: Option<PathBuf>,
    targets: PathBuf,
    corpus: PathBuf,
    minimise: bool,
    replay: Option<PathBuf>,
    /// This process tries the one target.
    child: bool,
    names: Vec<String>,
}

impl Options {
    fn parse(arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let mut options = Self {
            inputs: 10_000,
            seed: 1,
            jobs: 2,
            timeout: 60,
            out: "target/fuzz".into(),
            found: None,
            targets: "fuzz/targets".into(),
            corpus: "fuzz/corpus".into(),
            minimise: false,
            replay: None,
            child: false,
            names: Vec::new(),
        };
        let mut rest = arguments;
        while let Some(argument) = rest.next() {
            let mut value = || rest.next().ok_or(format!("{argument} needs a value"));
            let number = |text: String| {
                let wrong = |_| format!("{argument}: {text} is no number");
                text.parse::<u64>().map_err(wrong)
            };
            match argument.as_str() {
                "--inputs" => options.inputs = number(value()?)?,
                "--seed" => options.seed = number(value()?)?,
                "--jobs" => options.jobs = (number(value()?)? as usize).max(1),
                "--timeout" => options.timeout = number(value()?)? as u32,
                "--out" => options.out = value()?.into(),
                "--found" => options.found = Some(value()?.into()),
                "--targets" => options.targets = value()?.into(),
                "--corpus" => options.corpus = value()?.into(),
                "--minimise" => options.minimise = true,
                "--replay" => options.replay = Some(value()?.into()),
                "--child" => options.child = true,
                _ if argument.starts_with('-') => return Err(USAGE.into()),
                _ => options.names.push(argument),
            }
        }
        if options.names.is_empty() {
            options.names = names(&options.targets)?;
        }
        let alone = options.child || options.replay.is_some();
        if alone && options.names.len() != 1 {
            return Err("one target, please".into());
        }
        Ok(options)
    }
}

/// The targets there are.
fn names(directory: &Path) -> Result<Vec<String>, String> {
    let failed = |e| format!("{}: {e}", directory.display());
    let mut names = Vec::new();
    for entry in fs::read_dir(directory).map_err(failed)? {
        let name = entry.map_err(failed)?.file_name();
        let name = name.to_string_lossy();
        names.extend(name.strip_suffix(".lua").map(str::to_owned));
    }
    names.sort();
    Ok(names)
}

fn main() -> ExitCode {
    let options = match Options::parse(env::args().skip(1)) {
        Ok(options) => options,
        Err(text) => {
            eprintln!("{text}");
            return ExitCode::from(2);
        }
    };
    let result = if options.child || options.replay.is_some() {
        alone(&options)
    } else {
        all(&options)
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(text) => {
            eprintln!("{text}");
            ExitCode::FAILURE
        }
    }
}

/// Does what is to be done for one target, in this process.
fn alone(options: &Options) -> Result<(), String> {
    let name = &options.names[0];
    let named = |text: String| format!("{name}: {text}");
    if options.child {
        // SAFETY: sets a number of this process: it does not outlive the one that waits.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
    }
    fs::create_dir_all(&options.out).map_err(|e| e.to_string())?;
    let mut session = Session::new(options, name).map_err(named)?;
    if let Some(file) = &options.replay {
        let input = fs::read(file).map_err(|e| named(e.to_string()))?;
        session.try_input(&input, true).map_err(named)?;
        return Ok(());
    }
    let result = if options.minimise {
        session.minimise(options)
    } else {
        session.run(options)
    };
    result.map_err(named)?;
    // Without this file the process that started this one knows that all went well.
    fs::remove_file(session::current_path(&options.out, name)).map_err(|e| named(e.to_string()))
}

/// A target whose process runs.
struct Running<'a> {
    name: &'a str,
    child: Child,
}

impl Running<'_> {
    /// Waits for the end. If it is a bad one, the input it was for is kept.
    fn finish(mut self, options: &Options) -> Result<(), String> {
        let status = self.child.wait().map_err(|e| e.to_string())?;
        let current = session::current_path(&options.out, self.name);
        let tried = Current::read(&current);
        if status.success() && tried.is_none() {
            return Ok(());
        }
        if tried.is_some() {
            fs::remove_file(&current).map_err(|e| e.to_string())?;
        }
        let mut text = format!("{}: {status}, seed {}", self.name, options.seed);
        if let Some((number, input)) = tried {
            let file = format!("{}.failed.{}", self.name, session::file_name(&input));
            let file = options.out.join(file);
            match fs::write(&file, &input) {
                Ok(()) => text += &format!(", input {number}: {}", file.display()),
                Err(error) => text += &format!(", input {number}: {error}, {input:x?}"),
            }
        }
        Err(text)
    }
}

/// Runs every target in a process of its own, some at a time.
fn all(options: &Options) -> Result<(), String> {
    let program = env::current_exe().map_err(|e| e.to_string())?;
    println!("seed {}", options.seed);
    let mut failures = Vec::new();
    let mut waiting = options.names.iter();
    let mut running: Vec<Running> = Vec::new();
    loop {
        while running.len() < options.jobs
            && let Some(name) = waiting.next()
        {
            let mut command = Command::new(&program);
            command.args(["--child", name]);
            command.args(["--inputs", &options.inputs.to_string()]);
            command.args(["--seed", &options.seed.to_string()]);
            command.args(["--timeout", &options.timeout.to_string()]);
            command.arg("--out").arg(&options.out);
            command.arg("--targets").arg(&options.targets);
            command.arg("--corpus").arg(&options.corpus);
            if let Some(found) = &options.found {
                command.arg("--found").arg(found);
            }
            if options.minimise {
                command.arg("--minimise");
            }
            let child = command.spawn().map_err(|e| e.to_string())?;
            running.push(Running { name, child });
        }
        if running.is_empty() {
            break;
        }
        let ended = wait_for_any(&mut running);
        failures.extend(running.swap_remove(ended).finish(options).err());
    }
    if failures.is_empty() {
        return Ok(());
    }
    Err(failures.join("\n"))
}

/// Waits until one of the processes has ended; its position. It is not reaped.
fn wait_for_any(running: &mut [Running]) -> usize {
    let mut info = std::mem::MaybeUninit::<libc::siginfo_t>::zeroed();
    // SAFETY: waitid fills the structure; all children are ours.
    let pid = unsafe {
        let options = libc::WEXITED | libc::WNOWAIT;
        libc::waitid(libc::P_ALL, 0, info.as_mut_ptr(), options);
        info.assume_init().si_pid()
    };
    running
        .iter()
        .position(|process| libc::pid_t::try_from(process.child.id()) == Ok(pid))
        .unwrap_or(0)
}
