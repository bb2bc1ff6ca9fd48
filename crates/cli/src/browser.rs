//! The browser edition: the same interface against the same façade, over a loopback WebSocket with a token.

use std::net::SocketAddr;
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use api::contract::PictureWish;
use api::{Api, QUESTION_LIMIT};
use axum::Router;
use axum::extract::ws::{Message, WebSocket, WebSocketUpgrade};
use axum::extract::{Query, State};
use axum::http::{HeaderMap, StatusCode, Uri, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use futures_util::{SinkExt, StreamExt};
use serde::Deserialize;
use serde_json::{Value, json};
use tokio::sync::mpsc;

/// Answers a slow browser may leave unread.
const OUT_LIMIT: usize = 1024;

struct Shell {
    api: Api,
    ui: PathBuf,
    token: String,
    origin: String,
}

impl Shell {
    /// Another page of the same browser must not reach us, token or not.
    fn admits(&self, access: &Access, headers: &HeaderMap) -> bool {
        let ours = headers.get(header::ORIGIN).is_none_or(|origin| origin.as_bytes() == self.origin.as_bytes());
        access.token == self.token && ours
    }
}

#[derive(Deserialize)]
struct Access {
    token: String,
}

#[derive(Deserialize)]
struct Asked {
    id: u64,
    question: Value,
}

/// As strict as the desktop window: nothing inline, nothing evaluated, nobody else is spoken to.
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self' data: blob:; media-src blob:; connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves until it is told to stop; prints the address to open as its first line.
pub async fn serve(api: Api, listen: SocketAddr, ui: PathBuf) -> Result<(), Box<dyn std::error::Error>> {
    if !listen.ip().is_loopback() {
        return Err("the browser edition is served on loopback addresses only".into());
    }
    let listener = tokio::net::TcpListener::bind(listen).await?;
    let address = listener.local_addr()?;
    let mut secret = [0_u8; 16];
    getrandom::fill(&mut secret).map_err(|error| error.to_string())?;
    let token: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    println!("http://{address}/#token={token}");
    let shell = Arc::new(Shell { api, ui, token, origin: format!("http://{address}") });
    let app = Router::new()
        .route("/shell", get(connect))
        .route("/picture", get(picture))
        .fallback(get(file))
        .with_state(shell);
    axum::serve(listener, app).with_graceful_shutdown(stop_signal()).await?;
    Ok(())
}

/// Resolves at Ctrl-C, or when another program asks us to end.
#[cfg(unix)]
async fn stop_signal() {
    use tokio::signal::unix::{SignalKind, signal};
    let Ok(mut terminate) = signal(SignalKind::terminate()) else {
        let _ = tokio::signal::ctrl_c().await;
        return;
    };
    tokio::select! {
        _ = terminate.recv() => {}
        _ = tokio::signal::ctrl_c() => {}
    }
}

#[cfg(not(unix))]
async fn stop_signal() {
    let _ = tokio::signal::ctrl_c().await;
}

async fn connect(
    State(shell): State<Arc<Shell>>,
    Query(access): Query<Access>,
    headers: HeaderMap,
    upgrade: WebSocketUpgrade,
) -> Response {
    if !shell.admits(&access, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    upgrade.max_message_size(QUESTION_LIMIT).on_upgrade(move |socket| talk(shell, socket))
}

/// The newest picture of a call: who draws it asks for one after the other, so that nothing queues up.
async fn picture(
    State(shell): State<Arc<Shell>>,
    Query(access): Query<Access>,
    Query(wish): Query<PictureWish>,
    headers: HeaderMap,
) -> Response {
    if !shell.admits(&access, &headers) {
        return StatusCode::FORBIDDEN.into_response();
    }
    match shell.api.picture(wish).await {
        Ok(bytes) => ([(header::CACHE_CONTROL, "no-store")], bytes).into_response(),
        // A page asks once more when a call has just ended: that is no fault of anybody.
        Err(_) => StatusCode::NO_CONTENT.into_response(),
    }
}

async fn talk(shell: Arc<Shell>, socket: WebSocket) {
    let (mut to_browser, mut from_browser) = socket.split();
    let (out, mut queue) = mpsc::channel::<Value>(OUT_LIMIT);
    let mut news = shell.api.hear();
    let writer = tokio::spawn(async move {
        while let Some(value) = queue.recv().await {
            if to_browser.send(Message::Text(value.to_string().into())).await.is_err() {
                break;
            }
        }
    });
    let told = out.clone();
    let teller = tokio::spawn(async move {
        while let Ok(one) = news.recv().await {
            let Ok(value) = serde_json::to_value(&one) else { continue };
            if told.send(value).await.is_err() {
                break;
            }
        }
    });
    while let Some(Ok(message)) = from_browser.next().await {
        let Message::Text(text) = message else { continue };
        let Ok(asked) = serde_json::from_str::<Asked>(&text) else { continue };
        let (api, out) = (shell.api.clone(), out.clone());
        tokio::spawn(async move {
            let answer = match api.ask_json(&asked.question.to_string()).await {
                Ok(answer) => json!({ "id": asked.id, "answer": answer }),
                Err(error) => json!({ "id": asked.id, "error": error }),
            };
            let _ = out.send(answer).await;
        });
    }
    teller.abort();
    writer.abort();
}

async fn file(State(shell): State<Arc<Shell>>, uri: Uri) -> Response {
    let path = uri.path().trim_start_matches('/');
    let path = if path.is_empty() { "index.html" } else { path };
    let plain = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
    if !plain {
        return StatusCode::NOT_FOUND.into_response();
    }
    match tokio::fs::read(shell.ui.join(path)).await {
        Ok(bytes) => {
            let headers = [
                (header::CONTENT_TYPE, content_type(path)),
                (header::CONTENT_SECURITY_POLICY, POLICY),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
                (header::CACHE_CONTROL, "no-store"),
            ];
            (headers, bytes).into_response()
        }
        Err(_) => StatusCode::NOT_FOUND.into_response(),
    }
}

fn content_type(path: &str) -> &'static str {
    match path.rsplit('.').next() {
        Some("html") => "text/html; charset=utf-8",
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        Some("png") => "image/png",
        Some("woff2") => "font/woff2",
        Some("json") => "application/json",
        _ => "application/octet-stream",
    }
}
