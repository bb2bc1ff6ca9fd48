//! Opens every connection that leaves this process, within limits.
//!
//! Nobody else in the house opens a socket towards HTTP or WebSocket servers.
//! A caller says how far a request may [`Reach`]; names are resolved here, the
//! resolved addresses are judged, and only a judged address is connected to, so
//! that a name which changes its answer (DNS rebinding) gains nothing.
//!
//! What this room does *not* know: cookies, proxies, caches, whose request it is.

mod config;
mod error;
mod fetch;
#[cfg(feature = "fuzzing")]
pub mod fuzzing;
mod limits;
mod net;
mod range;
mod reach;
mod redirect;
mod relay;
mod resolve;
mod stream;
mod tls;
mod web_socket;

pub use bytes::Bytes;
pub use config::{ConfigError, DEFAULT_LOCALHOST_PORT, LOCALHOST_VARIABLE, NetConfig};
pub use error::FetchError;
pub use fetch::{Fetched, Request, Response};
pub use limits::{GetLimits, Redirect};
pub use net::{Net, NetError};
pub use range::is_public;
pub use reach::Reach;
pub use relay::RelayPlace;
pub use reqwest::{Method, StatusCode, header};
pub use stream::{ByteStream, Streaming};
pub use tokio_tungstenite::tungstenite;
pub use web_socket::{WebSocket, WebSocketStream, Wire};
