//! Showing a screen in a call: what can be shown, what is, and the end of it.
//!
//! The window system is asked only while somebody here speaks with somebody, and only what the last list named can be
//! shown. What is shown is looked at once for all legs of a joint call, and no longer than one of them shows it.

use std::collections::HashMap;
use std::time::Duration;

use call::Stage;
use contract::{ScreenKind, ScreenSource, ShareView};
use media::{CallMedia, MediaEngine, ScreenError, ScreenShare, Source, SourceKind};
use message::Address;
use tokio::sync::oneshot;

use crate::calls::Call;
use crate::files::base64;
use crate::home::Home;
use crate::trouble::{Failure, Outcome};

/// The most sources that are listed.
const SOURCES: usize = 64;
/// All previews together take no longer; those that would are left out.
const PREVIEWS: Duration = Duration::from_secs(3);

/// What the last list named, and how often somebody showed something.
#[derive(Default)]
pub(crate) struct Sharing {
    listed: HashMap<String, Source>,
    shown: u64,
}

/// What is shown in a call.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) share: ScreenShare,
    number: u64,
}

impl Home {
    /// Question `screen.sources`.
    pub(crate) async fn screen_sources(&self) -> Outcome<Vec<ScreenSource>> {
        if !self.state().calls.list.iter().any(may_show) {
            return Err(Failure::new("not-in-the-call", "a screen is shown in a call only"));
        }
        let mut found = self.rooms.media.screens().await.map_err(screen_failure)?;
        found.truncate(SOURCES);
        let listed = found.iter().map(|source| (source.id.clone(), source.clone())).collect();
        self.state().calls.sharing.listed = listed;
        let until = tokio::time::Instant::now() + PREVIEWS;
        let mut sources = Vec::with_capacity(found.len());
        for source in found {
            let preview = tokio::time::timeout_at(until, preview(&self.rooms.media, &source.id)).await;
            sources.push(shown_source(source, preview.unwrap_or_default()));
        }
        Ok(sources)
    }

    /// Question `call.share`; of a joint call, for everybody in it.
    pub(crate) async fn call_share(&self, url: &Address, source: &str) -> Outcome<()> {
        let (source, number, asked) = {
            let mut state = self.state();
            let state = &mut *state;
            let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
            if !may_show(call) {
                return Err(Failure::new("not-in-the-call", "only in a call that people speak in"));
            }
            let talk = call.talk();
            let mut legs = state.calls.list.iter().filter(|call| call.talk() == talk);
            if !legs.any(|call| call.media.as_ref().is_some_and(CallMedia::takes_screen)) {
                return Err(Failure::new("screen-not-taken", "their app has no place for a screen"));
            }
            let listed = state.calls.sharing.listed.get(source).cloned();
            let listed = listed.ok_or_else(|| Failure::new("screen-not-listed", "this was not in the last list"))?;
            state.calls.sharing.shown += 1;
            let (asking, asked) = oneshot::channel();
            if let Some(call) = state.calls.find(url) {
                call.asking = Some(asking);
            }
            (listed, state.calls.sharing.shown, asked)
        };
        let taken_back = async {
            let _ = asked.await;
        };
        let share = tokio::select! {
            share = self.rooms.media.share_screen(&source.id) => share.map_err(screen_failure)?,
            // The desktop may ask for minutes; the call may be over before they answer.
            () = taken_back => return Err(screen_failure(ScreenError::NotChosen)),
        };
        let kind = share.chosen().unwrap_or(source.kind);
        let shown = Shared { share, number };
        let view = ShareView::On { kind: kind_of(kind), name: source.name };
        // The call may be over by now.
        self.change_share(url, Some(&shown), &view)?;
        self.wait_for_end(shown.share.end(), number);
        Ok(())
    }

    /// Question `call.unshare`. What the desktop still asks is taken back.
    pub(crate) fn call_unshare(&self, url: &Address) -> Outcome<()> {
        self.change_share(url, None, &ShareView::Off)
    }

    fn change_share(&self, url: &Address, shown: Option<&Shared>, view: &ShareView) -> Outcome<()> {
        let names = {
            let mut state = self.state();
            let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
            if shown.is_some() && !may_show(call) {
                return Err(Failure::new("not-in-the-call", "the call ended meanwhile"));
            }
            let talk = call.talk();
            state.calls.names(|call| call.talk() == talk)
        };
        for name in names {
            self.change_pictures(&name, |call| {
                call.shared = shown.cloned();
                call.asking = None;
                call.view.pictures.share = view.clone();
                call.show_share();
            })?;
        }
        Ok(())
    }

    /// A window may be closed while it is shown.
    fn wait_for_end(&self, end: impl Future<Output = ScreenError> + Send + 'static, number: u64) {
        let home = self.clone();
        self.rooms.tasks.start("shown screen", async move {
            let code = end.await.code();
            let is_shown = |call: &Call| call.shared.as_ref().is_some_and(|shared| shared.number == number);
            let names = home.state().calls.names(is_shown);
            for name in names {
                let ended = home.change_pictures(&name, |call| {
                    call.shared = None;
                    call.view.pictures.share = ShareView::Ended { code: code.to_owned() };
                    call.show_share();
                });
                if ended.is_err() {
                    tracing::debug!("a call ended with what was shown in it");
                }
            }
        });
    }

    /// They begin or end to show a screen.
    pub(crate) fn show_screen(&self, url: &Address, comes: bool) {
        if self.change_pictures(url, |call| call.view.pictures.screen = comes).is_err() {
            tracing::debug!("a screen was shown after its call");
        }
    }
}

impl Call {
    /// Gives the media what is shown, unless the call rests.
    pub(crate) fn show_share(&self) {
        let shared = self.shared.as_ref().filter(|_| !self.is_held());
        if let Some(media) = &self.media {
            media.set_screen(shared.map(|shared| shared.share.clone()));
        }
    }
}

/// Whether people speak in it; the echo is nobody.
fn may_show(call: &Call) -> bool {
    !call.echo && call.machine.state().stage() == Stage::Connected
}

fn screen_failure(error: ScreenError) -> Failure {
    Failure::new(error.code(), error)
}

fn kind_of(kind: SourceKind) -> ScreenKind {
    match kind {
        SourceKind::Screen => ScreenKind::Screen,
        SourceKind::Window => ScreenKind::Window,
        SourceKind::Portal => ScreenKind::Portal,
    }
}

fn shown_source(source: Source, preview: Option<String>) -> ScreenSource {
    let Source { id, kind, name, width, height } = source;
    ScreenSource { id, kind: kind_of(kind), name, width, height, preview }
}

/// What a source looks like, as text for a window.
async fn preview(engine: &MediaEngine, id: &str) -> Option<String> {
    let picture = engine.screen_preview(id).await.ok()?;
    let draw = move || {
        let rgba = picture.to_rgba().ok()?;
        pictures::jpeg_of(picture.width(), picture.height(), rgba).ok()
    };
    let jpeg = tokio::task::spawn_blocking(draw).await.ok()??;
    Some(base64(&jpeg))
}
