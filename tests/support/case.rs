//! A C test's settings: lines `// ctest: key=value ...` in its source, one for
//! each run. `exit`, `deadline`, `args`, `only`, `link`, `needs` and `env` are ours;
//! the rest are keys of the node's config.

use std::collections::BTreeMap;
#[cfg(feature = "standalone")]
use std::fmt::Write;
use std::fs;
use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::time::Duration;

pub struct Case {
    pub name: String,
    /// Which of the source's settings lines, from 1.
    pub number: usize,
    pub settings: String,
    pub exit: i32,
    pub deadline: Duration,
    /// Needs a Lua library.
    pub lua: bool,
    /// Is about jemalloc.
    pub jemalloc: bool,
    /// Is about the end of descriptors. Valgrind takes connections out of the queue
    /// and throws them away then.
    pub descriptors: bool,
    /// Launches a module in C++.
    pub cpp: bool,
    /// Needs IPv6, at least on loopback; containers often have none.
    pub ipv6: bool,
    /// A variable of its environment, and what it is set to.
    environment: Option<(String, String)>,
    keys: BTreeMap<String, String>,
}

/// `tests/c`.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/c")
}

/// The names of the C files in a directory of `tests/c`.
pub fn names(kind: &str) -> Vec<String> {
    names_with(kind, "c")
}

/// The names of the files with another extension.
pub fn names_with(kind: &str, extension: &str) -> Vec<String> {
    let directory = root().join(kind);
    let listing =
        fs::read_dir(&directory).unwrap_or_else(|error| panic!("{}: {error}", directory.display()));
    let mut names: Vec<String> = listing
        .map(|entry| entry.expect("a directory entry").path())
        .filter(|path| path.extension().is_some_and(|found| found == extension))
        .map(|path| {
            path.file_stem()
                .expect("a name")
                .to_string_lossy()
                .into_owned()
        })
        .collect();
    names.sort();
    names
}

impl Case {
    /// All runs of one test.
    pub fn all(kind: &str, name: &str) -> Vec<Case> {
        let path = root().join(kind).join(name).with_extension("c");
        let source =
            fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
        let cases: Vec<Case> = source
            .lines()
            .filter_map(|line| line.strip_prefix("// ctest:"))
            .enumerate()
            .map(|(at, settings)| Case::parse(name, at + 1, settings.trim()))
            .collect();
        assert!(!cases.is_empty(), "{name} has no settings");
        cases
    }

    fn parse(name: &str, number: usize, settings: &str) -> Case {
        let mut case = Case {
            name: name.to_owned(),
            number,
            settings: settings.to_owned(),
            exit: 0,
            deadline: Duration::from_secs(60),
            lua: false,
            jemalloc: false,
            descriptors: false,
            cpp: false,
            ipv6: false,
            environment: None,
            keys: BTreeMap::new(),
        };
        for (key, value) in [("thread", "4"), ("harbor", "1"), ("logservice", "ctlog")] {
            case.keys.insert(key.to_owned(), value.to_owned());
        }
        let mut bootstrap = name.to_owned();
        for word in settings.split_whitespace() {
            let (key, value) = word.split_once('=').expect("settings are key=value");
            match key {
                "only" => (),
                "link" => case.lua = value == "lua",
                "needs" => {
                    case.jemalloc = value == "jemalloc";
                    case.descriptors = value == "descriptors";
                    case.cpp = value == "cpp";
                    case.ipv6 = value == "ipv6";
                }
                "env" => {
                    let (name, value) = value.split_once('=').expect("env=NAME=VALUE");
                    case.environment = Some((name.to_owned(), value.to_owned()));
                }
                "exit" => case.exit = value.parse().expect("a number"),
                "deadline" => case.deadline = Duration::from_secs(value.parse().expect("seconds")),
                "args" => bootstrap = format!("{name} {value}"),
                _ => {
                    case.keys.insert(key.to_owned(), value.to_owned());
                }
            }
        }
        case.keys.insert("bootstrap".to_owned(), bootstrap);
        case
    }

    /// Whether valgrind runs here and has no use for this test, or the machine lacks
    /// what it needs.
    pub fn is_left_out(&self) -> bool {
        if self.cpp && !super::toolchain::has_cpp() {
            super::missing::program("c++");
            return true;
        }
        if self.ipv6 && UdpSocket::bind("[::1]:0").is_err() {
            eprintln!("no IPv6 here: {} is left out", self.name);
            return true;
        }
        super::MEMCHECK && (self.jemalloc || self.descriptors)
    }

    /// The value of a key of the config, or nothing.
    pub fn key(&self, key: &str) -> &str {
        self.keys.get(key).map_or("", String::as_str)
    }

    /// The variables to be set for a run.
    pub fn environment(&self, scratch: &Path) -> Option<(&str, String)> {
        let (name, value) = self.environment.as_ref()?;
        let value = value.replace("$SCRATCH", &scratch.display().to_string());
        Some((name, value))
    }

    /// A config file for the executable.
    #[cfg(feature = "standalone")]
    pub fn config(&self, modules: &Path, scratch: &Path) -> String {
        let here = scratch.display();
        let mut text = format!(
            "cpath = \"{}/?.so\"\nscratch = \"{here}\"\nlogpath = \"{here}\"\n",
            modules.display()
        );
        for (key, value) in &self.keys {
            let value = value.replace("$SCRATCH", &here.to_string());
            writeln!(text, "{key} = \"{value}\"").expect("writes to memory");
        }
        text
    }

    /// What the test prints.
    pub fn expected(&self) -> String {
        let path = root()
            .join("expected")
            .join(&self.name)
            .with_extension("txt");
        fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
    }
}
