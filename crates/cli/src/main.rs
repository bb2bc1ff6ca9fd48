//! Parlance without a window: asks one question, or serves the browser edition for tests.

use std::net::SocketAddr;
use std::path::PathBuf;

use api::{Api, Profile};
use clap::{Parser, Subcommand};

mod browser;

#[derive(Parser)]
#[command(name = "parlance-cli", version, about = "Parlance without a window")]
struct Arguments {
    /// Which profile to open.
    #[arg(long, default_value = "default", env = "PARLANCE_PROFILE")]
    profile: String,
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Asks one question of the contract, such as {"ask":"app.state"}, and prints the answer.
    Ask {
        /// The question as JSON.
        question: String,
    },
    /// Serves the interface to a browser on this machine, guarded by a token (for tests and development).
    Serve {
        /// Where to listen; only loopback addresses are taken.
        #[arg(long, default_value = "127.0.0.1:0")]
        listen: SocketAddr,
        /// The built interface.
        #[arg(long, default_value = "ui/dist")]
        ui: PathBuf,
    },
}

#[tokio::main]
async fn main() -> std::process::ExitCode {
    api::harden_process();
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(api::log_filter()))
        .with_writer(std::io::stderr)
        .init();
    match run(Arguments::parse()).await {
        Ok(()) => std::process::ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("parlance-cli: {error}");
            std::process::ExitCode::FAILURE
        }
    }
}

async fn run(arguments: Arguments) -> Result<(), Box<dyn std::error::Error>> {
    let api = Api::open(Profile { name: arguments.profile }).await?;
    let result = match arguments.command {
        Command::Ask { question } => match api.ask_json(&question).await {
            Ok(answer) => {
                println!("{answer}");
                Ok(())
            }
            Err(error) => Err(error.into()),
        },
        Command::Serve { listen, ui } => browser::serve(api.clone(), listen, ui).await,
    };
    api.close().await;
    result
}
