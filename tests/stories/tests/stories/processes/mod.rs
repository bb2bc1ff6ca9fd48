//! Nodes and apps in processes of their own, which can be killed at any moment and started again.

pub mod app;
pub mod node;
pub mod shell;

use std::fs::File;
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::Stdio;

use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, ChildStdout, Command};

/// A process.
pub struct Process {
    child: Child,
    /// Kept open, so that it never writes into a closed pipe.
    out: BufReader<ChildStdout>,
}

impl Process {
    /// Starts a program; what it complains about goes to the end of a file.
    pub fn start(mut command: Command, complaints: &Path) -> Self {
        let complaints = File::options().create(true).append(true).open(complaints).unwrap();
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(complaints).kill_on_drop(true);
        if std::env::var_os("RUST_LOG").is_none() {
            command.env("RUST_LOG", "warn");
        }
        let mut child = command.spawn().unwrap();
        let out = BufReader::new(child.stdout.take().unwrap());
        Self { child, out }
    }

    /// What it says next; empty when it ends instead.
    pub async fn line(&mut self) -> String {
        let mut line = String::new();
        self.out.read_line(&mut line).await.unwrap();
        line.trim().to_owned()
    }

    /// Ends it with SIGKILL, in the middle of whatever it does.
    pub async fn kill(mut self) {
        self.child.start_kill().unwrap();
        let end = self.child.wait().await.unwrap();
        assert_eq!(end.signal(), Some(9), "the program ended by itself: {end}");
    }
}
