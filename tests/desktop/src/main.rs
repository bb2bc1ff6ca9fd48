//! `desktop-story`: tells the whole story without a screen, or opens the demo for a person.

use std::path::PathBuf;
use std::process::ExitCode;

use clap::Parser;

#[derive(Parser)]
#[command(name = "desktop-story", about = "Two domains, two windows, one story")]
struct Arguments {
    /// Drive both windows through the whole story, on a screen nobody looks at; pictures go here.
    #[arg(long, value_name = "DIR", required_unless_present = "open")]
    shots: Option<PathBuf>,
    /// Open both windows on this desktop instead and say what to do.
    #[arg(long, conflicts_with = "shots")]
    open: bool,
}

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let result = match arguments.shots {
        Some(folder) => desktop::story::tell(&folder).await,
        None => desktop::open().await,
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("desktop-story: {error}");
            ExitCode::FAILURE
        }
    }
}
