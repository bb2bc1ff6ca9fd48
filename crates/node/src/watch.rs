//! What those who watch over a node may ask, on a listener of their own: health and metrics.
//!
//! `GET /health/live` answers while the process works, `GET /health/ready` while it takes sessions, and
//! `GET /metrics` is the page for Prometheus. It has no password: it belongs on loopback or a private network.

use std::net::SocketAddr;
use std::time::Duration;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use crate::metrics::Meters;
use crate::switch::Switch;

/// An exchange that does not answer in this time is not well.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the watch looks at.
#[derive(Clone)]
pub struct Watched {
    /// The exchange.
    pub switch: Switch,
    /// Its counters.
    pub meters: Meters,
    /// Fires when the node takes no more sessions.
    pub draining: CancellationToken,
}

/// Opens the listener; it closes with the token.
pub async fn open(listen: SocketAddr, watched: Watched, stop: CancellationToken) -> std::io::Result<SocketAddr> {
    let listener = TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let router = Router::new()
        .route("/health/live", get(live))
        .route("/health/ready", get(ready))
        .route("/metrics", get(metrics))
        .with_state(watched);
    tokio::spawn(async move {
        let served = axum::serve(listener, router).with_graceful_shutdown(stop.cancelled_owned()).await;
        if let Err(error) = served {
            tracing::error!(%error, "nobody can watch the node any more");
        }
    });
    Ok(address)
}

async fn live() -> &'static str {
    "live\n"
}

async fn ready(State(watched): State<Watched>) -> Response {
    if watched.draining.is_cancelled() {
        return (StatusCode::SERVICE_UNAVAILABLE, "draining\n").into_response();
    }
    match tokio::time::timeout(PATIENCE, watched.switch.observe()).await {
        Ok(Some(_)) => "ready\n".into_response(),
        _ => (StatusCode::SERVICE_UNAVAILABLE, "the exchange does not answer\n").into_response(),
    }
}

async fn metrics(State(watched): State<Watched>) -> Response {
    match tokio::time::timeout(PATIENCE, watched.switch.observe()).await {
        Ok(Some((stats, depths))) => {
            let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
            ([(header::CONTENT_TYPE, kind)], watched.meters.page(&stats, &depths)).into_response()
        }
        _ => StatusCode::SERVICE_UNAVAILABLE.into_response(),
    }
}
