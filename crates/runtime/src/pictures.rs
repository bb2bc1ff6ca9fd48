//! The pictures of a call: the camera on and off, what is shown of both sides, and the pixels.

use std::time::Duration;

use contract::{CallPictures, CameraView, News, PictureOf, PictureWish, TheirPicture};
use media::{CallMedia, CameraState, PictureState, Shown};
use message::Address;

use crate::calls::Call;
use crate::home::Home;
use crate::trouble::{Failure, Outcome};

/// Who asks for a picture waits so long for a new one.
const WAIT: Duration = Duration::from_secs(1);

/// Number, width and height before the planes.
const HEAD: usize = 8;

impl Home {
    /// Question `call.camera`; of a joint call, for everybody in it. Before a call has media, it is noted and done when they open.
    pub(crate) fn call_camera(&self, url: &Address, on: bool) -> Outcome<()> {
        let names = {
            let mut state = self.state();
            let talk = state.calls.find(url).map(|call| call.talk()).ok_or_else(|| Failure::unknown("call"))?;
            state.calls.names(|call| call.talk() == talk)
        };
        for name in names {
            self.change_pictures(&name, |call| {
                call.view.pictures.camera = if on { CameraView::Opening } else { CameraView::Off };
                if let Some(media) = call.media.as_ref().filter(|_| !call.is_held()) {
                    media.set_camera(on.then(|| self.rooms.media.config().camera));
                }
            })?;
        }
        Ok(())
    }

    /// Gives new media what was switched before they opened.
    pub(crate) fn take_switches(&self, call: &Call, media: &CallMedia) {
        media.set_muted(call.view.muted);
        media.set_held(call.is_held());
        if !call.is_held() && call.view.pictures.camera != CameraView::Off {
            media.set_camera(Some(self.rooms.media.config().camera));
        }
        let shared = call.shared.as_ref().filter(|_| !call.is_held());
        media.set_screen(shared.map(|shared| shared.share.clone()));
    }

    /// Takes the camera that was chosen now, where one is on.
    pub(crate) fn change_cameras(&self) {
        let choice = self.rooms.media.config().camera;
        let mut state = self.state();
        for call in
            state.calls.list.iter_mut().filter(|call| call.view.pictures.camera != CameraView::Off && !call.is_held())
        {
            if let Some(media) = &call.media {
                media.set_camera(Some(choice.clone()));
            }
        }
    }

    pub(crate) fn show_camera(&self, url: &Address, camera: CameraState) {
        let shown = self.change_pictures(url, |call| {
            let wanted = call.view.pictures.camera != CameraView::Off;
            call.view.pictures.camera = match camera {
                CameraState::On { name } if wanted => CameraView::On { name },
                CameraState::Failed(error) if wanted => CameraView::Failed { code: error.code().to_owned() },
                // What an earlier camera says while the next one opens.
                CameraState::Off if wanted => return,
                _ => CameraView::Off,
            };
        });
        if shown.is_err() {
            tracing::debug!("a camera told of itself after its call");
        }
    }

    pub(crate) fn show_picture(&self, url: &Address, picture: PictureState) {
        let shown = self.change_pictures(url, |call| {
            call.view.pictures.theirs = match picture {
                PictureState::Moving => TheirPicture::On,
                PictureState::Frozen => TheirPicture::Frozen,
                PictureState::Gone => TheirPicture::Off,
            };
        });
        if shown.is_err() {
            tracing::debug!("a picture changed after its call");
        }
    }

    pub(crate) fn change_pictures(&self, url: &Address, change: impl FnOnce(&mut Call)) -> Outcome<()> {
        let mut state = self.state();
        let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
        let before: CallPictures = call.view.pictures.clone();
        change(call);
        let view = call.view.clone();
        drop(state);
        if view.pictures != before {
            self.tell(News::Call(view));
        }
        Ok(())
    }

    /// The newest picture that is not the one known, as [`PictureWish`] says. Nothing queues up for who is slow.
    pub(crate) async fn picture(&self, wish: PictureWish) -> Outcome<Vec<u8>> {
        let call = Address::parse(&wish.call).map_err(|error| Failure::new("bad-address", error))?;
        let mut pictures = {
            let mut state = self.state();
            let call = state.calls.find(&call).ok_or_else(|| Failure::unknown("call"))?;
            match (&call.media, wish.whose) {
                (None, _) => return Ok(Vec::new()),
                (Some(media), PictureOf::Own) => media.own_pictures(),
                (Some(media), PictureOf::Theirs) => media.pictures(),
                (Some(media), PictureOf::Screen) => media.screen_pictures(),
            }
        };
        let fresh = |shown: &Option<Shown>| shown.as_ref().is_some_and(|shown| number(shown) != wish.after);
        let newest = match tokio::time::timeout(WAIT, pictures.wait_for(fresh)).await {
            Ok(Ok(shown)) => shown.clone(),
            _ => None,
        };
        Ok(newest.as_ref().map(packed).unwrap_or_default())
    }
}

/// It wraps; only its being another one counts. Zero is nobody's, so that who knows none can say so.
fn number(shown: &Shown) -> u32 {
    (shown.number as u32).max(1)
}

fn packed(shown: &Shown) -> Vec<u8> {
    let picture = &shown.picture;
    let side = |side: u32| u16::try_from(side).unwrap_or(u16::MAX).to_le_bytes();
    let mut bytes = Vec::with_capacity(HEAD + picture.bytes().len());
    bytes.extend_from_slice(&number(shown).to_le_bytes());
    bytes.extend_from_slice(&side(picture.width()));
    bytes.extend_from_slice(&side(picture.height()));
    bytes.extend_from_slice(picture.bytes());
    bytes
}
