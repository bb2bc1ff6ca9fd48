//! The node as a process of its own.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};

/// Starts `parlance-node` on a folder and a port, with `more` arguments; it is ready when this returns.
pub fn start(data: &Path, port: u16, more: &[&str]) -> Child {
    let mut child = Command::new(env!("CARGO_BIN_EXE_parlance-node"))
        .arg("--data")
        .arg(data)
        .args(["serve", "--domain", "a.localhost", "--laboratory", "--port", &port.to_string()])
        .args(more)
        .env("RUST_LOG", "warn")
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.starts_with("parlance-node ready"), "the node did not start");
    child
}
