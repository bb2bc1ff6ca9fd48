//! Other programs that bring as many bytes from one to another over loopback.

use std::fs::File;
use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::Instant;

use serde::Deserialize;

use super::bytes;
use crate::Failed;
use crate::process::{cpu_seconds_of, cpu_seconds_of_ended};

/// What it took another program, time after time.
pub(super) struct Copies {
    pub(super) mb_per_s: Vec<f64>,
    pub(super) cpu_ms_per_mb: Vec<f64>,
}

impl Copies {
    fn of(bytes: usize, seconds: &[f64], cpu: &[f64]) -> Result<Self, Failed> {
        let megabytes = bytes as f64 / 1e6;
        if seconds.is_empty() || cpu.is_empty() {
            return Err("it said nothing".into());
        }
        Ok(Self {
            mb_per_s: seconds.iter().map(|seconds| megabytes / seconds).collect(),
            cpu_ms_per_mb: cpu.iter().map(|cpu| cpu * 1e3 / megabytes).collect(),
        })
    }
}

/// A data channel of two peer connections in one page of Chromium.
pub(super) fn chromium(bytes: usize, runs: usize) -> Result<Copies, Failed> {
    #[derive(Deserialize)]
    struct Said {
        seconds: Vec<f64>,
        cpu: Vec<f64>,
    }
    let script = lab::root().join("tests/browser/lib/file-figures.mjs");
    let output = Command::new("node").arg(script).args([bytes.to_string(), runs.to_string()]).output()?;
    if !output.status.success() {
        return Err(String::from_utf8_lossy(&output.stderr).into());
    }
    let said: Said = serde_json::from_slice(&output.stdout)?;
    Copies::of(bytes, &said.seconds, &said.cpu)
}

/// curl, from the static server that comes with Python.
pub(super) fn http(length: usize, runs: usize) -> Result<Copies, Failed> {
    let folder = tempfile::tempdir()?;
    File::create(folder.path().join("film"))?.write_all(&bytes(0, length))?;
    let server = Server::start(folder.path())?;
    let (cpu, mut seconds) = (server.cpu_seconds() + cpu_seconds_of_ended(), Vec::new());
    for _ in 0..runs {
        let begun = Instant::now();
        let copied =
            Command::new("curl").arg("-sSf").arg("-o").arg(folder.path().join("copy")).arg(&server.url).status()?;
        if !copied.success() {
            return Err(format!("curl ended with {copied}").into());
        }
        seconds.push(begun.elapsed().as_secs_f64());
    }
    // A clock of ticks is too coarse for one of them.
    let used = server.cpu_seconds() + cpu_seconds_of_ended() - cpu;
    Copies::of(length, &seconds, &[used / runs as f64])
}

/// Python's server, until it is dropped.
struct Server {
    child: Child,
    url: String,
}

impl Server {
    fn start(folder: &Path) -> Result<Self, Failed> {
        let mut child = Command::new("python3")
            .args(["-u", "-m", "http.server", "0", "--bind", "127.0.0.1", "--directory"])
            .arg(folder)
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()?;
        let said = child.stdout.take().ok_or("no pipe")?;
        let mut server = Self { child, url: String::new() };
        let mut line = String::new();
        BufReader::new(said).read_line(&mut line)?;
        // Serving HTTP on 127.0.0.1 port 8000 (http://127.0.0.1:8000/) ...
        let port: u16 =
            line.split(" port ").nth(1).and_then(|rest| rest.split(' ').next()?.parse().ok()).ok_or(line)?;
        server.url = format!("http://127.0.0.1:{port}/film");
        Ok(server)
    }

    fn cpu_seconds(&self) -> f64 {
        cpu_seconds_of(&self.child.id().to_string())
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
