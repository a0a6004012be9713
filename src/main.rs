//! The executable: the core with Lua, the C services, the Lua modules and the
//! Lua files in one program. `skynet CONFIG` runs a node, `skynet lua FILE` a Lua
//! program that is none.

mod builtin;
mod config;
mod program;
mod settings;

use clap::{Parser, Subcommand};
use settings::Node;
use skynet::runtime::{env, start};
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs a skynet node.
#[derive(Parser)]
#[command(
    version,
    args_conflicts_with_subcommands = true,
    subcommand_negates_reqs = true,
    disable_help_subcommand = true
)]
struct Arguments {
    /// The config file: Lua assignments, see docs/config.md
    #[arg(required = true)]
    config: Option<PathBuf>,
    #[command(subcommand)]
    instead: Option<Instead>,
}

/// What the executable does instead of running a node.
#[derive(Subcommand)]
enum Instead {
    /// Runs a Lua program that is no service, such as a client
    Lua {
        /// The program, or - for standard input
        file: PathBuf,
        /// What the program gets as arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<OsString>,
    },
}

fn main() -> ExitCode {
    // Rust has set SIGPIPE to be ignored, as a node needs it: a peer that goes
    // away is an error of the write, not the end of the process.
    let Arguments { config, instead } = Arguments::parse();
    let ended = match instead {
        Some(Instead::Lua { file, arguments }) => program::run(&file, &arguments),
        None => run(&config.unwrap_or_default()),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

/// Runs a node to its end.
fn run(file: &Path) -> Result<(), String> {
    let config = config::load(file)?;
    env::init().map_err(|error| error.to_string())?;
    let environment = env::env().map_err(|error| error.to_string())?;
    for (key, value) in &config {
        environment
            .set(key, value)
            .map_err(|error| error.to_string())?;
    }
    let node = Node::from_environment(environment)?;
    builtin::register()?;
    start::start(&node.config()).map_err(|failure| failure.to_string())
}
