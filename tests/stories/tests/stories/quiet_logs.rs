//! Nothing private reaches a log, however much is logged.

use std::io::Write;
use std::sync::{Arc, Mutex};

use crate::common::Stage;
use tracing_subscriber::fmt::MakeWriter;

/// Everything that is logged in this process.
#[derive(Clone, Default)]
struct Log(Arc<Mutex<Vec<u8>>>);

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl MakeWriter<'_> for Log {
    type Writer = Self;

    fn make_writer(&self) -> Self {
        self.clone()
    }
}

/// Schemes of our addresses; what follows their domain may name a person, an object or a device.
const SCHEMES: [&str; 6] = ["user", "hyperty", "runtime", "comm", "connection", "domain"];

/// Addresses in a line whose path is not hidden.
fn bare_addresses(line: &str) -> Vec<&str> {
    let mut found = Vec::new();
    for (at, _) in line.match_indices("://") {
        let scheme = line[..at].rsplit(|c: char| !c.is_ascii_alphanumeric()).next().unwrap_or_default();
        let rest = &line[at + 3..];
        let path = rest.find('/').map(|slash| &rest[slash + 1..]).filter(|path| !path.starts_with('…'));
        let hidden = path.is_none_or(|path| path.is_empty() || path.starts_with([' ', '"', ',']));
        if SCHEMES.contains(&scheme) && !hidden {
            found.push(&line[at - scheme.len()..]);
        }
    }
    found
}

#[tokio::test(flavor = "multi_thread")]
async fn the_main_story_leaves_nothing_private_in_a_log() {
    let log = Log::default();
    // All our rooms at the chattiest level; libraries below speak of sockets and rows, not of people.
    let ours = ["api", "bus", "guests", "media", "node", "runtime", "sandbox", "signin", "store", "transport"];
    let levels = ours.map(|room| format!("{room}=trace")).join(",");
    tracing_subscriber::fmt()
        .with_env_filter(tracing_subscriber::EnvFilter::new(format!("info,{levels}")))
        .with_ansi(false)
        .with_writer(log.clone())
        .init();
    let mut stage = Stage::strangers().await;
    let chat = stage.become_contacts().await;
    stage.ana.writes(&chat, "Nobody else shall ever read this").await;
    stage.ben.reads(&chat, &["Nobody else shall ever read this"]).await;
    stage.ana.sees_all_delivered(&chat).await;
    stage.close().await;

    let log = String::from_utf8(log.0.lock().unwrap().clone()).unwrap();
    assert!(log.lines().count() > 20, "something was logged");
    let object = chat.rsplit('/').next().unwrap();
    for line in log.lines() {
        let bare = bare_addresses(line);
        assert!(bare.is_empty(), "an address in a log: {line}");
        for private in ["Nobody else", "ana@", "ben@", "eyJ", lab::browser::PASSWORD, object, "code=", "state="] {
            assert!(!line.contains(private), "{private:?} in a log: {line}");
        }
    }
}

#[test]
fn a_bare_address_is_noticed() {
    assert_eq!(bare_addresses("x user://a.localhost/ana y").len(), 1);
    assert_eq!(bare_addresses("x user://a.localhost/… y http://a.localhost:1/x comm://a.localhost").len(), 0);
}
