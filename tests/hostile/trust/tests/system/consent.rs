//! Attacks on a person's consent: by links, by pages, and by other programs of the same machine.

use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};

use futures_util::{SinkExt, StreamExt};
use serde_json::{Value, json};
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::{Error, Message};

/// Attack: S-20
/// By: a web page, a mail, a document
/// Does: opens a link of the app's own, to bring up a consent or to accept one
/// Holds: the app has no such link: no scheme is registered, no page but its own may ask, and each window may only ask and hear
#[test]
fn no_link_leads_into_the_app() {
    let root = lab::root();
    let read = |path: &str| std::fs::read_to_string(root.join(path)).unwrap();
    let lock = read("Cargo.lock");
    for plugin in
        ["tauri-plugin-deep-link", "tauri-plugin-single-instance", "tauri-plugin-shell", "tauri-plugin-opener"]
    {
        assert!(!lock.contains(plugin), "{plugin} would be a door");
    }
    let config: Value = serde_json::from_str(&read("src-tauri/tauri.conf.json")).unwrap();
    assert!(config.get("plugins").is_none());
    assert_eq!(config["app"]["withGlobalTauri"], false);
    let policy = config["app"]["security"]["csp"].as_str().unwrap();
    for rule in ["frame-src 'none'", "object-src 'none'", "form-action 'none'", "base-uri 'none'"] {
        assert!(policy.contains(rule), "{rule}");
    }
    let bundle = config["bundle"].to_string();
    assert!(
        !bundle.contains("x-scheme-handler") && !bundle.contains("MimeType") && !bundle.contains("fileAssociations")
    );
    // Pictures of a call are read by the second command, and nothing else is; the small window of a call shows the main one.
    let all = ["core:event:allow-listen", "core:event:allow-unlisten", "allow-ask", "allow-picture"];
    let mut windows = Vec::new();
    for entry in std::fs::read_dir(root.join("src-tauri/capabilities")).unwrap() {
        let text = std::fs::read_to_string(entry.unwrap().path()).unwrap();
        let capability: Value = serde_json::from_str(&text).unwrap();
        assert!(capability.get("remote").is_none(), "no page from elsewhere may ask");
        let here: Vec<&str> =
            capability["windows"].as_array().unwrap().iter().map(|one| one.as_str().unwrap()).collect();
        for permission in capability["permissions"].as_array().unwrap() {
            let permission = permission.as_str().unwrap();
            assert!(all.contains(&permission) || (permission == "allow-front" && here == ["small"]), "{permission}");
        }
        windows.extend(here.into_iter().map(str::to_owned));
    }
    windows.sort_unstable();
    assert_eq!(windows, ["main", "ring", "small"]);
}

/// The browser edition in a process of its own; it ends with this value.
struct Edition {
    child: Child,
    origin: String,
    token: String,
    _profile: tempfile::TempDir,
}

impl Edition {
    fn start() -> Self {
        let profile = tempfile::tempdir().unwrap();
        let mut child = Command::new(program())
            .env("PARLANCE_HOME", profile.path())
            .args(["serve", "--ui"])
            .arg(lab::root().join("ui"))
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let line = BufReader::new(child.stdout.take().unwrap()).lines().next().unwrap().unwrap();
        let (origin, token) = line.split_once("/#token=").unwrap();
        Self { child, origin: origin.into(), token: token.into(), _profile: profile }
    }

    /// What a page of this origin, with this token, gets when it asks.
    async fn asks(&self, token: &str, origin: Option<&str>) -> Result<Value, u16> {
        let address = format!("{}/shell?token={token}", self.origin.replacen("http", "ws", 1));
        let mut request = address.into_client_request().unwrap();
        if let Some(origin) = origin {
            request.headers_mut().insert("origin", origin.parse().unwrap());
        }
        let (mut socket, _) = tokio_tungstenite::connect_async(request).await.map_err(|error| match error {
            Error::Http(response) => response.status().as_u16(),
            other => panic!("{other}"),
        })?;
        let question = json!({ "id": 1, "question": { "ask": "consent.list" } });
        socket.send(Message::text(question.to_string())).await.unwrap();
        loop {
            let Message::Text(text) = socket.next().await.unwrap().unwrap() else { continue };
            let told: Value = serde_json::from_str(&text).unwrap();
            if told["id"] == 1 {
                return Ok(told);
            }
        }
    }
}

impl Drop for Edition {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The program itself, built beside these tests as an example.
fn program() -> PathBuf {
    let tests = std::env::current_exe().unwrap();
    let target = tests.parent().and_then(std::path::Path::parent).unwrap();
    let program = target.join("examples/browser-edition");
    assert!(program.exists(), "cargo build -p hostile --examples");
    program
}

/// Attack: S-21
/// By: a web page, or another program of the machine
/// Does: asks the browser edition for what only a person may say, without its token, with a guessed one, or from another origin
/// Holds: refused before a question is read
#[tokio::test]
async fn no_page_answers_in_the_persons_place() {
    let edition = Edition::start();
    let (own, token) = (edition.origin.clone(), edition.token.clone());
    assert!(edition.asks(&token, Some(&own)).await.is_ok(), "the honest case");
    let guess = "0".repeat(token.len());
    for (token, origin) in [
        (token.as_str(), Some("https://evil.example")),
        (token.as_str(), Some("null")),
        (token.as_str(), Some("http://localhost:1")),
        (guess.as_str(), Some(own.as_str())),
        (&token[1..], Some(own.as_str())),
        ("", Some(own.as_str())),
        ("", None),
    ] {
        assert_eq!(edition.asks(token, origin).await, Err(403), "{origin:?}");
    }
}
