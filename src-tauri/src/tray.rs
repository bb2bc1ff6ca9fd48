//! The app's place in the tray: its picture with a mark, its number, and its menu.

use notices::{Badge, Words};
use tauri::image::Image;
use tauri::menu::{MenuBuilder, MenuItem, MenuItemBuilder};
use tauri::tray::TrayIconBuilder;
use tauri::{AppHandle, Manager, Wry};

use crate::desktop::{Notices, Wish};

/// The one icon of the tray.
const TRAY: &str = "parlance";

/// What can be chosen in its menu.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pressed {
    /// Show the window.
    Open,
    /// Turn the microphone off or on.
    Mute,
    /// End the call.
    HangUp,
    /// End the app.
    Quit,
}

impl Pressed {
    const ALL: [Self; 4] = [Self::Open, Self::Mute, Self::HangUp, Self::Quit];

    fn word(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Mute => "mute",
            Self::HangUp => "hang-up",
            Self::Quit => "quit",
        }
    }

    fn parse(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|one| one.word() == word)
    }
}

/// The lines of the menu, to be worded anew.
struct Lines {
    state: MenuItem<Wry>,
    open: MenuItem<Wry>,
    mute: MenuItem<Wry>,
    hang_up: MenuItem<Wry>,
    quit: MenuItem<Wry>,
}

/// Puts the app into the tray, where there is one.
pub fn open(app: &AppHandle) {
    if !has_library() {
        tracing::info!("there is no tray on this system");
        return;
    }
    if let Err(error) = put(app) {
        tracing::warn!(%error, "the app did not get into the tray");
        return;
    }
    show(app, Words::default(), Badge::default());
}

fn put(app: &AppHandle) -> tauri::Result<()> {
    let line = |one: Pressed| MenuItemBuilder::with_id(one.word(), one.word()).build(app);
    let lines = Lines {
        state: MenuItemBuilder::with_id("state", "Parlance").enabled(false).build(app)?,
        open: line(Pressed::Open)?,
        mute: line(Pressed::Mute)?,
        hang_up: line(Pressed::HangUp)?,
        quit: line(Pressed::Quit)?,
    };
    let menu = MenuBuilder::new(app)
        .items(&[&lines.state, &lines.open])
        .separator()
        .items(&[&lines.mute, &lines.hang_up])
        .separator()
        .item(&lines.quit)
        .build()?;
    let mut tray = TrayIconBuilder::with_id(TRAY).menu(&menu).on_menu_event(|app, event| {
        if let Some(pressed) = Pressed::parse(event.id().as_ref())
            && let Some(notices) = app.try_state::<Notices>()
        {
            notices.tell(Wish::Tray(pressed));
        }
    });
    if let Some(icon) = app.default_window_icon() {
        tray = tray.icon(icon.clone());
    }
    tray.build(app)?;
    app.manage(lines);
    Ok(())
}

/// Shows how things stand.
pub fn show(app: &AppHandle, words: Words, badge: Badge) {
    let (Some(tray), Some(lines)) = (app.tray_by_id(TRAY), app.try_state::<Lines>()) else { return };
    let count = badge.unread.saturating_add(badge.missed);
    let muted = badge.call.is_some_and(|call| call.muted);
    let shown = || {
        lines.state.set_text(state_line(words, badge))?;
        lines.open.set_text(words.open())?;
        lines.mute.set_text(if muted { words.unmute() } else { words.mute() })?;
        lines.mute.set_enabled(badge.call.is_some())?;
        lines.hang_up.set_text(words.hang_up())?;
        lines.hang_up.set_enabled(badge.call.is_some())?;
        lines.quit.set_text(words.quit())?;
        tray.set_tooltip(Some(state_line(words, badge)))?;
        tray.set_title((count > 0).then(|| count.to_string()))?;
        if let Some(icon) = app.default_window_icon() {
            tray.set_icon(Some(marked(icon, mark_of(badge))))?;
        }
        Ok::<_, tauri::Error>(())
    };
    if let Err(error) = shown() {
        tracing::info!(%error, "the tray was not brought up to date");
    }
}

/// The state in one line.
fn state_line(words: Words, badge: Badge) -> String {
    let call = badge.call.map(|call| if call.muted { words.in_call_muted() } else { words.in_call() }.to_owned());
    let missed = (badge.missed > 0).then(|| words.missed_calls(badge.missed));
    let unread = (badge.unread > 0).then(|| words.new_messages(badge.unread));
    let parts: Vec<String> = [call, missed, unread].into_iter().flatten().collect();
    if parts.is_empty() { words.app().to_owned() } else { parts.join(" · ") }
}

/// The colour of the mark on the icon; the menu's first line says the same in words.
fn mark_of(badge: Badge) -> Option<[u8; 3]> {
    const CALL: [u8; 3] = [0x2e, 0xa0, 0x43];
    const MUTED: [u8; 3] = [0xe8, 0x9b, 0x1a];
    const NEWS: [u8; 3] = [0xd3, 0x2f, 0x2f];
    match badge.call {
        Some(call) if call.muted => Some(MUTED),
        Some(_) => Some(CALL),
        None => (badge.unread > 0 || badge.missed > 0).then_some(NEWS),
    }
}

/// The icon with a disc in its corner.
fn marked(icon: &Image<'_>, mark: Option<[u8; 3]>) -> Image<'static> {
    let (width, height) = (icon.width(), icon.height());
    let mut pixels = icon.rgba().to_vec();
    if let Some([red, green, blue]) = mark {
        let radius = i64::from(width.min(height)) * 3 / 10;
        let (x0, y0) = (i64::from(width) - radius, i64::from(height) - radius);
        for (at, pixel) in pixels.chunks_exact_mut(4).enumerate() {
            let at = i64::try_from(at).unwrap_or(0);
            let (x, y) = (at % i64::from(width.max(1)) - x0, at / i64::from(width.max(1)) - y0);
            if x * x + y * y <= radius * radius {
                pixel.copy_from_slice(&[red, green, blue, 0xff]);
            }
        }
    }
    Image::new_owned(pixels, width, height)
}

/// The tray's library ends the process when what it loads is not there, so that is looked for first.
fn has_library() -> bool {
    if !cfg!(target_os = "linux") {
        return true;
    }
    const NAMES: [&str; 4] = [
        "libayatana-appindicator3.so.1",
        "libappindicator3.so.1",
        "libayatana-appindicator3.so",
        "libappindicator3.so",
    ];
    // SAFETY: loading runs the library's initialisers; it is the one that the tray loads in a moment anyway.
    NAMES.iter().any(|name| unsafe { libloading::Library::new(name) }.is_ok())
}

#[cfg(test)]
mod tests {
    use notices::{CallSign, Language};

    use super::*;

    #[test]
    fn the_menu_says_in_words_what_the_mark_says_in_colour() {
        let english = Words(Language::English);
        let badge = Badge { unread: 2, missed: 1, call: Some(CallSign { muted: true }) };
        assert_eq!(state_line(english, badge), "In a call, microphone off · Missed call · 2 new messages");
        assert_eq!(state_line(english, Badge::default()), "Parlance");
        assert_eq!(mark_of(Badge::default()), None);
        assert_ne!(mark_of(badge), mark_of(Badge { call: Some(CallSign { muted: false }), ..badge }));
        assert_ne!(mark_of(badge), mark_of(Badge { call: None, ..badge }));
    }

    #[test]
    fn a_mark_stands_in_the_corner_and_leaves_the_rest_of_the_icon() {
        let icon = Image::new_owned(vec![0; 20 * 20 * 4], 20, 20);
        let marked = marked(&icon, Some([1, 2, 3]));
        let pixel = |x: usize, y: usize| marked.rgba()[(y * 20 + x) * 4..][..4].to_vec();
        assert_eq!(pixel(14, 14), [1, 2, 3, 255]);
        assert_eq!(pixel(2, 2), [0, 0, 0, 0]);
    }
}
