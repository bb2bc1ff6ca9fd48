//! The windows of the app.

use tauri::{AppHandle, Manager, WebviewUrl, WebviewWindowBuilder};

/// The profile of people who have only one.
pub const DEFAULT_PROFILE: &str = "default";

/// Smallest size of the main window that still shows everything (ux, Layout).
const SMALLEST: (f64, f64) = (480.0, 600.0);

/// Opens the main window. Who has several profiles reads in its title which one it is.
pub fn open_main(app: &AppHandle, profile: &str) -> tauri::Result<()> {
    let title = if profile == DEFAULT_PROFILE { "Parlance".to_owned() } else { format!("Parlance – {profile}") };
    WebviewWindowBuilder::new(app, "main", WebviewUrl::App("index.html".into()))
        .title(title)
        .inner_size(1100.0, 760.0)
        .min_inner_size(SMALLEST.0, SMALLEST.1)
        // Files that are dropped go to the page; Tauri would keep them to itself.
        .disable_drag_drop_handler()
        .build()?;
    Ok(())
}

/// Brings the main window before the person.
pub fn show_main(app: &AppHandle) {
    let Some(window) = app.get_webview_window("main") else { return };
    let shown = window.show().and_then(|()| window.unminimize()).and_then(|()| window.set_focus());
    if let Err(error) = shown {
        tracing::warn!(%error, "the window did not come to the front");
    }
}

/// Opens the window of an incoming call (screen S13), unless it is open.
pub fn open_ring(app: &AppHandle, call: &str) {
    if app.get_webview_window("ring").is_some() {
        return;
    }
    let page = format!("index.html#/ring/{}", encode(call));
    let built = WebviewWindowBuilder::new(app, "ring", WebviewUrl::App(page.into()))
        .title("Parlance")
        .inner_size(400.0, 480.0)
        .resizable(false)
        .always_on_top(true)
        .center()
        .build();
    if let Err(error) = built {
        tracing::warn!(%error, "the window of an incoming call did not open");
    }
}

/// Closes the window of an incoming call.
pub fn close_ring(app: &AppHandle) {
    if let Some(window) = app.get_webview_window("ring")
        && let Err(error) = window.close()
    {
        tracing::warn!(%error, "the window of an incoming call did not close");
    }
}

/// Percent-encodes all but letters and digits, for the fragment of a page.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
