//! Two domains on this machine and two windows, for a person or for a driver.

use std::path::PathBuf;
use std::process::Command;
use std::time::Instant;

use clap::Args;

use crate::setup::{Purpose, ensure};
use crate::shell::{Failed, cargo, program, root, step, title};
use crate::suite;

/// How the demo is shown.
#[derive(Args)]
pub struct Options {
    /// Drive both windows through the whole story, without a screen.
    #[arg(long)]
    headless: bool,
    /// Where the pictures of the headless story go.
    #[arg(long, default_value = "target/shots")]
    shots: PathBuf,
}

/// Builds what is needed and starts the demo.
pub fn run(options: &Options, install: bool) -> Result<(), Failed> {
    eprintln!("This builds Parlance and starts two domains, a.localhost and b.localhost, on this machine only.");
    eprintln!("The first build takes about ten minutes on two cores; later ones take seconds.");
    let started = Instant::now();
    ensure(if options.headless { Purpose::Test } else { Purpose::Build }, install)?;
    suite::prepare()?;
    step("Building the programs", &mut build_programs())?;
    eprintln!("   ready after {:.0} s", started.elapsed().as_secs_f64());
    if options.headless {
        let shots = root().join(&options.shots);
        title("The story, in two windows nobody has to look at");
        return step("The story", &mut story(&["--shots", &shots.to_string_lossy()]));
    }
    title("Two windows: Ana's account will be at a.localhost, Ben's at b.localhost");
    step("The demo", &mut story(&["--open"]))
}

/// Builds the node, the app and the story that drives them.
pub fn build_programs() -> Command {
    cargo(&["build", "-p", "node", "-p", "cli", "-p", "parlance", "-p", "desktop", "--features", "parlance/e2e"])
}

fn story(arguments: &[&str]) -> Command {
    program(&root().join("target/debug/desktop-story").to_string_lossy(), arguments)
}

/// Builds the app and starts it.
pub fn run_app(arguments: &[String], install: bool) -> Result<(), Failed> {
    ensure(Purpose::Build, install)?;
    suite::prepare()?;
    step("Building the app", &mut cargo(&["build", "-p", "parlance"]))?;
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    step("Parlance", &mut program(&root().join("target/debug/parlance").to_string_lossy(), &arguments))
}
