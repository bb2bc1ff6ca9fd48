//! The windows of the app.

use tauri::{AppHandle, LogicalPosition, Manager, WebviewUrl, WebviewWindowBuilder};

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

/// Size of the small window of a call, and how far it stands from the edge of the screen.
const SMALL: (f64, f64) = (320.0, 216.0);
const MARGIN: f64 = 24.0;

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

/// Opens the small window of the call that goes on, in the lower corner of the screen, unless it is open.
/// It takes no focus: who works elsewhere types on.
pub fn open_small(app: &AppHandle) {
    if app.get_webview_window("small").is_some() {
        return;
    }
    let mut small = WebviewWindowBuilder::new(app, "small", WebviewUrl::App("index.html#/small".into()))
        .title("Parlance")
        .inner_size(SMALL.0, SMALL.1)
        .min_inner_size(SMALL.0, SMALL.1)
        .always_on_top(true)
        .visible_on_all_workspaces(true)
        .skip_taskbar(true)
        .focused(false);
    if let Some(corner) = corner(app) {
        small = small.position(corner.x, corner.y);
    }
    if let Err(error) = small.build() {
        tracing::warn!(%error, "the small window of a call did not open");
    }
}

/// Closes the small window of a call.
pub fn close_small(app: &AppHandle) {
    if let Some(window) = app.get_webview_window("small")
        && let Err(error) = window.destroy()
    {
        tracing::warn!(%error, "the small window of a call did not close");
    }
}

/// The lower right corner of the screen the main window is on.
fn corner(app: &AppHandle) -> Option<LogicalPosition<f64>> {
    let monitor = app.get_webview_window("main")?.current_monitor().ok().flatten()?;
    let scale = monitor.scale_factor();
    let area = monitor.work_area();
    let (place, size) = (area.position.to_logical::<f64>(scale), area.size.to_logical::<f64>(scale));
    Some(LogicalPosition::new(
        place.x + (size.width - SMALL.0 - MARGIN).max(0.0),
        place.y + (size.height - SMALL.1 - 2.0 * MARGIN).max(0.0),
    ))
}

/// Percent-encodes all but letters and digits, for the fragment of a page.
fn encode(text: &str) -> String {
    text.bytes()
        .map(|b| if b.is_ascii_alphanumeric() { char::from(b).to_string() } else { format!("%{b:02X}") })
        .collect()
}
