//! What a Wayland desktop shows: its portal asks the person, PipeWire brings the pictures.
//!
//! There is no list of screens and windows for programs; there is one source that asks. Nothing is known of what could have been
//! chosen, and nothing is seen before it was.

mod asking;
mod frame;
mod stream;

use std::sync::mpsc::TryRecvError;

use asking::Asking;
use stream::Stream;

use crate::error::ScreenError;
use crate::shot::Shot;
use crate::source::{Capture, Source, SourceKind};

/// What the only source is called.
const ID: &str = "portal";

/// The one source that there is, if there is a portal.
pub(crate) fn list(bus: Option<String>) -> Result<Vec<Source>, ScreenError> {
    asking::is_there(bus)?;
    Ok(vec![Source { id: ID.to_owned(), kind: SourceKind::Portal, name: String::new(), width: 0, height: 0 }])
}

/// Lets the desktop ask the person.
pub(crate) fn open(bus: Option<String>, id: &str) -> Result<PortalCapture, ScreenError> {
    if id != ID {
        return Err(ScreenError::Gone);
    }
    Ok(PortalCapture { chosen: None, asking: Asking::begin(bus)? })
}

/// Whoever waits for the person, and then looks at what was chosen.
pub(crate) struct PortalCapture {
    chosen: Option<(SourceKind, Stream)>,
    asking: Asking,
}

impl Capture for PortalCapture {
    fn kind(&self) -> Option<SourceKind> {
        self.chosen.as_ref().map(|(kind, _)| *kind)
    }

    fn grab(&mut self) -> Result<Option<Shot>, ScreenError> {
        if let Some((_, stream)) = &self.chosen {
            return if self.asking.is_over() { Err(ScreenError::Gone) } else { stream.newest() };
        }
        match self.asking.answer.try_recv() {
            Ok(Ok(chosen)) => {
                self.chosen = Some((chosen.kind, Stream::open(chosen.remote, chosen.node)?));
                Ok(None)
            }
            Ok(Err(error)) => Err(error),
            Err(TryRecvError::Empty) => Ok(None),
            Err(TryRecvError::Disconnected) => Err(ScreenError::NoPortal),
        }
    }
}
