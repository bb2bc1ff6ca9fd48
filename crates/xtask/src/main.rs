//! The build helper behind `./dev`: sets the machine up, then builds, tests, measures and shows.

use std::process::ExitCode;

use clap::{Parser, Subcommand};

mod bench;
mod check;
mod demo;
mod floors;
mod setup;
mod shell;
mod suite;
mod tidy;

use shell::Failed;

#[derive(Parser)]
#[command(name = "./dev", about = "Builds, tests, measures and shows Parlance", disable_version_flag = true)]
struct Arguments {
    /// Print what would be installed instead of installing it.
    #[arg(long, global = true)]
    no_install: bool,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Starts two domains on this machine and opens two app windows.
    Demo(demo::Options),
    /// Runs the tests: formatting, lints, floors, units, stories, interface, browsers, windows.
    Test,
    /// The quick half of `test`: formatting, lints, floors; with --fuzz every parser for a minute.
    Check {
        /// Run each fuzz target for 60 seconds.
        #[arg(long)]
        fuzz: bool,
    },
    /// Measures, prints a table and writes target/figures/NAME.json.
    Bench {
        /// Which benchmarks: bus, call, files, first-contact, history, impaired, kills, messages, node, soak, sync, trust.
        #[arg(required = true)]
        names: Vec<String>,
        /// How long `soak` lasts.
        #[arg(long)]
        minutes: Option<f64>,
        /// How many kills `kills` has.
        #[arg(long)]
        count: Option<u32>,
    },
    /// Builds the app and starts it.
    Run {
        /// Arguments for the app.
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        arguments: Vec<String>,
    },
    /// Takes pictures of every screen of the interface.
    Shots,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let install = !arguments.no_install;
    let result = match arguments.command {
        Command::Demo(options) => demo::run(&options, install),
        Command::Test => suite::run(install),
        Command::Check { fuzz } => check::run(fuzz, install),
        Command::Bench { names, minutes, count } => bench::run(&names, minutes, count, install),
        Command::Run { arguments } => demo::run_app(&arguments, install),
        Command::Shots => suite::shots(install),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(Failed(reason)) => {
            eprintln!("\n./dev: {reason}");
            ExitCode::FAILURE
        }
    }
}
