//! One target's run: its corpus, then inputs made of it and of what reached something
//! new.

use std::collections::HashSet;
use std::fs;
use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::time::Instant;

use crate::current::Current;
use crate::mutate::mutate;
use crate::random::Random;
use crate::target::Target;
use crate::{Options, counters};

/// Lines of Lua are watched in one input of so many: the hook takes longer than the
/// parser.
const WATCHED: u64 = 16;

/// What all inputs of a run may leave behind together, in bytes: caches, and memory that
/// is used again, come to less, and a leak of one input in many to more.
const LEFT: usize = 512 << 10;

pub struct Session<'a> {
    name: &'a str,
    target: Target,
    /// For each counter the ranges that its values have been in.
    seen: Vec<u8>,
    seen_steps: Vec<u8>,
    inputs: Vec<Vec<u8>>,
    current: Current,
    number: u64,
    /// An input that takes longer ends the process. In seconds.
    timeout: u32,
}

/// The files of a target's corpus, by name.
pub fn corpus(directory: &Path, name: &str) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(directory.join(name))? {
        let path = entry?.path();
        let bytes = fs::read(&path)?;
        files.push((path, bytes));
    }
    files.sort();
    Ok(files)
}

/// Where a process that tries a target's inputs keeps the one that it tries.
pub fn current_path(out: &Path, name: &str) -> PathBuf {
    out.join(format!("{name}.current"))
}

impl<'a> Session<'a> {
    pub fn new(options: &Options, name: &'a str) -> Result<Self, String> {
        let target = Target::load(&options.targets, name)?;
        let path = current_path(&options.out, name);
        let current =
            Current::create(&path, 1 << 20).map_err(|e| format!("{}: {e}", path.display()))?;
        // SAFETY: no instrumented code runs.
        let count = unsafe { counters::all() }.len();
        let mut session = Self {
            name,
            target,
            seen: vec![0; count],
            seen_steps: Vec::new(),
            inputs: Vec::new(),
            current,
            number: 0,
            timeout: options.timeout,
        };
        // Loading is no input.
        session.reached();
        session.seen.fill(0);
        session.seen_steps.fill(0);
        if let Some(lines) = &mut session.target.lines {
            lines.forget();
        }
        Ok(session)
    }

    /// Tries an input. Returns whether it reached something new.
    pub fn try_input(&mut self, input: &[u8], watched: bool) -> Result<bool, String> {
        self.number += 1;
        self.current.write(self.number, input);
        // SAFETY: the default action of the signal is what is wanted.
        unsafe { libc::alarm(self.timeout) };
        self.target.run(input, watched)?;
        Ok(self.reached())
    }

    /// Whether the last input reached something new. Sets the counters to 0.
    fn reached(&mut self) -> bool {
        // SAFETY: no instrumented code runs.
        let mut new = note(unsafe { counters::all() }, &mut self.seen);
        if let Some(lines) = &mut self.target.lines {
            self.seen_steps.resize(lines.steps().len(), 0);
            new |= note(lines.steps(), &mut self.seen_steps);
        }
        new
    }

    /// The corpus, then as many more that there are `options.inputs`.
    pub fn run(&mut self, options: &Options) -> Result<(), String> {
        let started = Instant::now();
        let files = corpus(&options.corpus, self.name).map_err(|e| format!("corpus: {e}"))?;
        if let Some(found) = &options.found {
            let place = found.join(self.name);
            fs::create_dir_all(&place).map_err(|e| format!("{}: {e}", place.display()))?;
        }
        self.inputs.push(Vec::new());
        for (path, input) in files {
            self.try_input(&input, true)
                .map_err(|e| format!("{}: {e}", path.display()))?;
            if input.len() <= self.target.longest {
                self.inputs.push(input);
            }
        }
        let kept = self.inputs.len();
        let before = self.target.settled();
        let mut random = Random::new(options.seed);
        let mut input = Vec::new();
        while self.number < options.inputs {
            input.clone_from(self.choose(&mut random));
            let (words, longest) = (&self.target.words, self.target.longest);
            mutate(&mut input, &mut random, &self.inputs, words, longest);
            let watched = self.number.is_multiple_of(WATCHED);
            if self.try_input(&input, watched)? {
                self.keep(options, input.clone())?;
            }
        }
        // The inputs that are kept are no leak.
        let inputs: usize = self.inputs[kept..].iter().map(Vec::capacity).sum();
        let inputs = inputs + self.inputs.capacity() * size_of::<Vec<u8>>();
        let left = self.target.settled().saturating_sub(before + inputs);
        if left > LEFT {
            return Err(format!("all inputs together left {left} bytes behind"));
        }
        println!(
            "{}: {} inputs, {} of the corpus, {} more kept, {left} bytes left, {:.1} s",
            self.name,
            self.number,
            kept - 1,
            self.inputs.len() - kept,
            started.elapsed().as_secs_f64()
        );
        self.report(&options.out).map_err(|e| e.to_string())
    }

    /// The input to change: one of the newest half the time.
    fn choose(&self, random: &mut Random) -> &Vec<u8> {
        let count = self.inputs.len();
        let from = if random.once_in(2) {
            count - count / 4
        } else {
            0
        };
        let from = from.min(count - 1);
        &self.inputs[from + random.below(count - from)]
    }

    fn keep(&mut self, options: &Options, input: Vec<u8>) -> Result<(), String> {
        if let Some(found) = &options.found {
            let file = found.join(self.name).join(file_name(&input));
            fs::write(&file, &input).map_err(|e| format!("{}: {e}", file.display()))?;
        }
        self.inputs.push(input);
        Ok(())
    }

    /// Writes what was reached, for `ci/fuzz`: a row for each place of the compiled code
    /// and each line of Lua.
    fn report(&mut self, out: &Path) -> io::Result<()> {
        let mut file = io::BufWriter::new(fs::File::create(out.join(self.name))?);
        for entry in &self.target.parser {
            writeln!(file, "parser {entry}")?;
        }
        for (address, seen) in counters::addresses().iter().zip(&self.seen) {
            writeln!(file, "place {address:#x} {}", u8::from(*seen != 0))?;
        }
        if let Some(lines) = &self.target.lines {
            for (name, line, ran) in lines.each() {
                writeln!(file, "line {name} {line} {}", u8::from(ran))?;
            }
        }
        file.flush()
    }

    /// Leaves few files in the corpus that together reach all that its files and the ones
    /// that were found reach: first those that reach most.
    pub fn minimise(&mut self, options: &Options) -> Result<(), String> {
        let read = |directory: &Path| {
            corpus(directory, self.name).map_err(|e| format!("{}: {e}", directory.display()))
        };
        let mut files = read(&options.corpus)?;
        if let Some(found) = &options.found {
            files.extend(read(found)?);
        }
        let mut alone = Vec::new();
        for (_, input) in &files {
            self.seen.fill(0);
            self.seen_steps.fill(0);
            self.try_input(input, true)?;
            alone.push((input, self.places()));
        }
        // How often something is reached does not matter here.
        alone.sort_by_key(|(input, places)| (usize::MAX - places.len(), input.len()));
        let mut reached = HashSet::new();
        let mut kept = Vec::new();
        for (input, places) in alone {
            let before = reached.len();
            reached.extend(places);
            if reached.len() > before {
                kept.push(input);
            }
        }
        let place = options.corpus.join(self.name);
        let failed = |e: io::Error| format!("{}: {e}", place.display());
        for (path, _) in &files {
            if path.starts_with(&place) {
                fs::remove_file(path).map_err(failed)?;
            }
        }
        for input in &kept {
            fs::write(place.join(file_name(input)), input).map_err(failed)?;
        }
        println!("{}: {} of {} files", self.name, kept.len(), files.len());
        Ok(())
    }

    /// The places that were reached, those of Lua after those of Rust.
    fn places(&self) -> Vec<usize> {
        let all = self.seen.iter().chain(&self.seen_steps);
        let reached = all.enumerate().filter(|(_, seen)| **seen != 0);
        reached.map(|(place, _)| place).collect()
    }
}

/// The name that an input's file gets: the same for the same bytes.
pub fn file_name(input: &[u8]) -> String {
    let hash = input.iter().fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| {
        (hash ^ u64::from(*byte)).wrapping_mul(0x100_0000_01b3)
    });
    format!("{hash:016x}")
}

/// Marks what was counted as seen and sets it to 0. Returns whether any of it is new.
fn note(counted: &mut [u8], seen: &mut [u8]) -> bool {
    // Most counters are 0, and so are looked at many at a time.
    const STRIDE: usize = 32;
    let mut new = false;
    for (counts, seen) in counted.chunks_mut(STRIDE).zip(seen.chunks_mut(STRIDE)) {
        let none = match <&[u8; STRIDE]>::try_from(&*counts) {
            Ok(counts) => *counts == [0; STRIDE],
            Err(_) => counts.iter().all(|count| *count == 0),
        };
        if none {
            continue;
        }
        for (count, seen) in counts.iter_mut().zip(seen) {
            let range = range(*count);
            new |= *seen & range != range;
            *seen |= range;
            *count = 0;
        }
    }
    new
}

/// A bit for each range of counts: 1, 2, 3, from 4, from 8, from 16, from 32, from 128.
fn range(count: u8) -> u8 {
    match count {
        0 => 0,
        1 => 1,
        2 => 2,
        3 => 4,
        4..8 => 8,
        8..16 => 16,
        16..32 => 32,
        32..128 => 64,
        128.. => 128,
    }
}
