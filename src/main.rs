//! The executable: the core with Lua, the C services, the Lua modules and the
//! Lua files in one program. `skynet CONFIG` runs a node.

mod builtin;
mod config;
mod settings;

use clap::Parser;
use settings::Node;
use skynet::runtime::{env, start};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Runs a skynet node.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// The config file: Lua assignments, see docs/config.md
    config: PathBuf,
}

fn main() -> ExitCode {
    // Rust has set SIGPIPE to be ignored, as a node needs it: a peer that goes
    // away is an error of the write, not the end of the process.
    let arguments = Arguments::parse();
    match run(&arguments.config) {
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
