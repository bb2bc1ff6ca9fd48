//! The calls between a guest's prelude and its host.

use serde::{Deserialize, Serialize};
use serde_json::Value;

/// What a guest asks of its host. Every field is the guest's word and nothing more.
#[derive(Debug, Deserialize)]
#[serde(tag = "op")]
pub enum GuestCall {
    #[serde(rename = "ready")]
    Ready,
    #[serde(rename = "failed")]
    Failed { text: String },
    #[serde(rename = "wake")]
    Wake { after: f64 },
    #[serde(rename = "digest")]
    Digest { id: u64, algorithm: String },
    #[serde(rename = "storage.get")]
    StorageGet { id: u64, key: String },
    #[serde(rename = "storage.set")]
    StorageSet { id: u64, key: String, value: String },
    #[serde(rename = "storage.delete")]
    StorageDelete { id: u64, key: String },
    #[serde(rename = "storage.keys")]
    StorageKeys { id: u64 },
    #[serde(rename = "fetch")]
    Fetch { id: u64, url: String, method: String, headers: Vec<(String, String)> },
    #[serde(rename = "fetch.pull")]
    FetchPull { id: u64 },
    #[serde(rename = "fetch.cancel")]
    FetchCancel { id: u64 },
    #[serde(rename = "ws.open")]
    SocketOpen { id: u64, url: String, protocols: Vec<String> },
    #[serde(rename = "ws.send")]
    SocketSend { id: u64, text: bool },
    #[serde(rename = "ws.pull")]
    SocketPull { id: u64 },
    #[serde(rename = "ws.close")]
    SocketClose { id: u64, code: u16, reason: String },
}

/// What the host tells a guest's prelude.
#[derive(Debug, Serialize)]
#[serde(tag = "op")]
pub enum HostNews<'a> {
    #[serde(rename = "load")]
    Load { address: &'a str, config: &'a Value, location: &'a str, entry: &'a str, timers: bool },
    #[serde(rename = "answer")]
    Answer {
        id: u64,
        #[serde(skip_serializing_if = "Option::is_none")]
        value: Option<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        error: Option<CallError>,
    },
    #[serde(rename = "fetch.head", rename_all = "camelCase")]
    FetchHead { id: u64, status: u16, status_text: &'a str, headers: Vec<(String, String)>, url: &'a str },
    #[serde(rename = "fetch.chunk")]
    FetchChunk { id: u64 },
    #[serde(rename = "fetch.end")]
    FetchEnd { id: u64 },
    #[serde(rename = "fetch.error")]
    FetchError { id: u64, text: String },
    #[serde(rename = "ws.opened")]
    SocketOpened { id: u64, protocol: String },
    #[serde(rename = "ws.data")]
    SocketData { id: u64, text: bool },
    #[serde(rename = "ws.sent")]
    SocketSent { id: u64, bytes: usize },
    #[serde(rename = "ws.closed")]
    SocketClosed { id: u64, code: u16, reason: String, clean: bool },
}

impl HostNews<'_> {
    /// The header of the frame.
    pub fn to_json(&self) -> String {
        serde_json::to_string(self).expect("plain data with text keys")
    }
}

/// An error as JavaScript's `DOMException` has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct CallError {
    /// Its name, such as `QuotaExceededError`.
    pub name: &'static str,
    /// Its words.
    pub text: String,
}

impl CallError {
    /// An error of this name and words.
    pub fn new(name: &'static str, text: impl Into<String>) -> Self {
        Self { name, text: text.into() }
    }
}
