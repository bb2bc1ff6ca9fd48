//! The commands of the windows, and the news they hear.
//!
//! The window is shown at once; the profile opens behind it, and questions wait
//! until it is open.

use api::contract::{ApiError, CallStage, News};
use api::{Api, Profile};
use serde_json::Value;
use tauri::ipc::Response;
use tauri::{AppHandle, Emitter, State};
use tokio::sync::{broadcast, mpsc, watch};

use crate::desktop::{self, Wish};
use crate::windows;

/// The event that carries news to the windows.
const NEWS: &str = "news";

type Opened = Result<Api, ApiError>;

/// Where questions come in.
pub struct Door {
    opened: watch::Receiver<Option<Opened>>,
}

impl Door {
    /// Opens the profile behind the window.
    pub fn open(app: AppHandle, profile: Profile, wishes: mpsc::Receiver<Wish>) -> Self {
        let (sender, opened) = watch::channel(None);
        tauri::async_runtime::spawn(async move {
            let result = Api::open(profile).await;
            if let Ok(api) = &result {
                tauri::async_runtime::spawn(tell(app.clone(), api.hear()));
                tauri::async_runtime::spawn(desktop::keep(app, api.clone(), wishes));
            }
            sender.send_replace(Some(result));
            // The sender lives as long as the profile, so that late questions still find it.
            sender.closed().await;
        });
        Self { opened }
    }

    async fn api(&self) -> Opened {
        let mut opened = self.opened.clone();
        let closing = || ApiError { code: "closing".into(), detail: "the app is closing".into() };
        match opened.wait_for(Option::is_some).await {
            Ok(result) => result.clone().unwrap_or_else(|| Err(closing())),
            Err(_) => Err(closing()),
        }
    }

    /// Closes the profile and waits until all is on disk.
    pub fn close(&self) {
        let opened = self.opened.borrow().clone();
        if let Some(Ok(api)) = opened {
            tauri::async_runtime::block_on(api.close());
        }
    }
}

/// Answers a question of a window.
#[tauri::command]
pub async fn ask(door: State<'_, Door>, question: Value) -> Result<Value, ApiError> {
    door.api().await?.ask_json(&question.to_string()).await
}

/// Gives a window the newest picture of a call, as bytes.
#[tauri::command]
pub async fn picture(door: State<'_, Door>, wish: Value) -> Result<Response, ApiError> {
    door.api().await?.picture_json(&wish.to_string()).await.map(Response::new)
}

/// Shows the main window with the call that the small one is of.
#[tauri::command]
pub fn front(app: AppHandle) {
    desktop::go(&app, "#/call");
}

async fn tell(app: AppHandle, mut news: broadcast::Receiver<News>) {
    loop {
        match news.recv().await {
            Ok(one) => {
                ring(&app, &one);
                if let Err(error) = app.emit(NEWS, &one) {
                    tracing::warn!(%error, "news did not reach a window");
                }
            }
            // A window that fell behind asks for the state again with the next news.
            Err(broadcast::error::RecvError::Lagged(missed)) => tracing::warn!(missed, "news were missed"),
            Err(broadcast::error::RecvError::Closed) => return,
        }
    }
}

/// An incoming call gets a window of its own that stays on top until it is answered.
fn ring(app: &AppHandle, news: &News) {
    let News::Call(call) = news else { return };
    if !call.incoming {
        return;
    }
    match call.stage {
        CallStage::Ringing => windows::open_ring(app, &call.call),
        _ => windows::close_ring(app),
    }
}
