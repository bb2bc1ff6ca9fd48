//! The program `parlance-node` as an operator uses it.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, Command, Output, Stdio};

struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn program(data: &Path) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_parlance-node"));
    command
        .arg("--data")
        .arg(data)
        .env("RUST_LOG", "warn")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

/// Starts a node and waits for its one line: its origin.
fn serve(data: &Path, more: &[&str]) -> (Running, String) {
    let mut child = program(data).args(["serve", "--domain", "a.localhost", "--port", "0"]).args(more).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let origin = line.trim().strip_prefix("parlance-node ready ").expect("the node says where it is").to_owned();
    (Running(child), origin)
}

fn run(data: &Path, arguments: &[&str], input: &str) -> Output {
    let mut child = program(data).args(arguments).spawn().unwrap();
    child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
    child.wait_with_output().unwrap()
}

fn wire_of(origin: &str) -> String {
    use std::io::Read;
    let port = origin.rsplit(':').next().unwrap();
    let mut socket = std::net::TcpStream::connect(format!("127.0.0.1:{port}")).unwrap();
    socket.write_all(b"GET /.well-known/parlance HTTP/1.1\r\nHost: a.localhost\r\nConnection: close\r\n\r\n").unwrap();
    let mut text = String::new();
    socket.read_to_string(&mut text).unwrap();
    let body = text.split_once("\r\n\r\n").unwrap().1;
    serde_json::from_str::<serde_json::Value>(body).unwrap()["wire"].as_str().unwrap().to_owned()
}

#[test]
fn an_operator_adds_people_and_changes_the_wire_while_the_node_runs_and_while_it_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    let added = run(data, &["user", "add", "ana", "--password-stdin"], "correct horse\n");
    assert!(added.status.success(), "{}", String::from_utf8_lossy(&added.stderr));
    let (node, origin) = serve(data, &["--wire", "sse"]);
    assert!(origin.starts_with("http://a.localhost:"));
    assert_eq!(wire_of(&origin), "sse");
    assert!(!run(data, &["user", "add", "ana", "--password-stdin"], "correct horse").status.success(), "taken");
    assert!(run(data, &["wire", "set", "sse2"], "").status.success());
    assert_eq!(wire_of(&origin), "sse2");
    let stats = run(data, &["stats"], "");
    assert!(String::from_utf8_lossy(&stats.stdout).contains("\"sessions\":0"));
    drop(node);
    assert!(!run(data, &["wire", "set", "ws"], "").status.success(), "visitors would refuse the older stub");
    assert_eq!(run(data, &["invite"], "").stdout.len(), 27);
    let (_node, origin) = serve(data, &["--wire", "sse"]);
    assert_eq!(wire_of(&origin), "sse2", "what was set stays");
}

#[test]
fn a_short_password_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let refused = run(folder.path(), &["user", "add", "ana", "--password-stdin"], "short");
    assert!(!refused.status.success());
    assert!(String::from_utf8_lossy(&refused.stderr).contains("at least 8"));
}

#[test]
fn a_name_nobody_has_is_neither_forgotten_nor_begun_anew() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path();
    assert!(run(data, &["account", "list"], "").stdout.is_empty());
    for wish in ["forget", "reset"] {
        let refused = run(data, &["account", wish, "ana"], "");
        assert!(!refused.status.success());
        assert!(String::from_utf8_lossy(&refused.stderr).contains("no account of that name"));
    }
}
