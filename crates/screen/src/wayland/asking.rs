//! Asks the desktop's portal what the person wants to show, and holds its session open for as long as it is shown.
//!
//! One thread, one connection to the session bus, one session: it ends when nobody looks any more, when the person
//! ends it at the desktop, or when the portal goes. Closing the connection ends whatever the portal still has open.

use std::os::fd::OwnedFd;
use std::sync::mpsc;
use std::time::Duration;

use ashpd::desktop::screencast::{CursorMode, Screencast, SelectSourcesOptions, SourceType, Stream};
use ashpd::desktop::{PersistMode, ResponseError, Session};
use ashpd::{Error, PortalError};
use futures_util::{StreamExt, future};
use tokio::sync::oneshot;
use zbus::Connection;

use crate::error::ScreenError;
use crate::source::SourceKind;

/// How long the bus and the portal may take for an answer that needs no person. The portal may have to be started first.
const PATIENCE: Duration = Duration::from_secs(4);

/// What the person chose.
pub(super) struct Chosen {
    /// A connection to PipeWire that shows this stream and nothing else.
    pub(super) remote: OwnedFd,
    /// The stream's number there.
    pub(super) node: u32,
    pub(super) kind: SourceKind,
}

/// The person is being asked, or was. Dropped, it takes the question back or ends the session.
pub(super) struct Asking {
    /// Tells the answer, and then no more; it ends with the session, by whomever.
    pub(super) answer: mpsc::Receiver<Result<Chosen, ScreenError>>,
    _hold: oneshot::Sender<()>,
}

impl Asking {
    /// Lets the desktop ask; `bus` is the address of a session bus, that of this session if there is none.
    pub(super) fn begin(bus: Option<String>) -> Result<Self, ScreenError> {
        let (say, answer) = mpsc::channel();
        let (hold, dropped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("screen-portal".to_owned());
        // Whatever ends the thread, also a panic of a library, drops the other end of the answer.
        let work = move || zbus::block_on(ask(bus, &say, dropped));
        thread.spawn(work).map_err(|_| ScreenError::NoPortal)?;
        Ok(Self { answer, _hold: hold })
    }

    /// Whether the session is over, by whomever.
    pub(super) fn is_over(&self) -> bool {
        matches!(self.answer.try_recv(), Err(mpsc::TryRecvError::Disconnected))
    }
}

/// Whether there is a portal that shows screens. Asks nobody but the portal itself.
pub(super) fn is_there(bus: Option<String>) -> Result<(), ScreenError> {
    let look = async {
        let portal = connect(bus).await?;
        portal.available_source_types().await.map(drop).map_err(|error| reason(&error))
    };
    zbus::block_on(look)
}

async fn connect(bus: Option<String>) -> Result<Screencast, ScreenError> {
    let builder = match &bus {
        Some(address) => zbus::connection::Builder::address(address.as_str()),
        None => zbus::connection::Builder::session(),
    };
    let builder = builder.map_err(|_| ScreenError::NoPortal)?;
    let connection: Connection = builder.method_timeout(PATIENCE).build().await.map_err(|_| ScreenError::NoPortal)?;
    Screencast::with_connection(connection).await.map_err(|error| reason(&error))
}

/// Asks, tells the answer, and holds the session until it is over.
async fn ask(bus: Option<String>, say: &mpsc::Sender<Result<Chosen, ScreenError>>, mut dropped: oneshot::Receiver<()>) {
    let opened = async {
        let portal = connect(bus).await?;
        let session = portal.create_session(Default::default()).await.map_err(|error| reason(&error))?;
        Ok::<_, ScreenError>((portal, session))
    };
    let (portal, session) = match opened.await {
        Ok(opened) => opened,
        Err(error) => {
            let _ = say.send(Err(error));
            return;
        }
    };
    {
        // Heard from the beginning: a session may be over as soon as it began.
        let closed = closed(&portal, &session);
        let choosing = choose(&portal, &session);
        futures_util::pin_mut!(closed, choosing);
        let waiting = future::select(&mut dropped, &mut closed);
        match future::select(choosing, waiting).await {
            future::Either::Left((answer, waiting)) => {
                let is_chosen = answer.is_ok();
                if say.send(answer).is_ok() && is_chosen {
                    waiting.await;
                }
            }
            future::Either::Right((future::Either::Right(_), _)) => {
                let _ = say.send(Err(ScreenError::NotPermitted));
            }
            future::Either::Right(_) => {}
        }
    }
    // Ends the dialog, if it is still open, and the desktop's sign that something is shown.
    if let Err(error) = session.close().await {
        tracing::debug!(%error, "a portal's session was over before it was closed");
    }
}

/// Waits until the portal ends the session, or goes itself.
async fn closed(portal: &Screencast, session: &Session<Screencast>) {
    let (Ok(mut closed), Ok(mut owners)) = (session.receive_closed().await, portal.receive_owner_changed().await)
    else {
        return;
    };
    let gone = async { while owners.next().await.is_some_and(|owner| owner.is_some()) {} };
    futures_util::pin_mut!(gone);
    future::select(closed.next(), gone).await;
}

async fn choose(portal: &Screencast, session: &Session<Screencast>) -> Result<Chosen, ScreenError> {
    let kinds = portal.available_source_types().await.map_err(|error| reason(&error))?;
    let cursors = portal.available_cursor_modes().await.unwrap_or_default();
    let mut wanted = SelectSourcesOptions::default()
        .set_sources(kinds & (SourceType::Monitor | SourceType::Window))
        .set_multiple(false)
        // Asked anew each time: whoever shares again may want to show something else.
        .set_persist_mode(PersistMode::DoNot);
    if cursors.contains(CursorMode::Embedded) {
        wanted = wanted.set_cursor_mode(CursorMode::Embedded);
    }
    let done = async {
        portal.select_sources(session, wanted).await?.response()?;
        let streams = portal.start(session, None, Default::default()).await?.response()?;
        let Some(stream) = streams.streams().first().cloned() else { return Ok(None) };
        let remote = portal.open_pipe_wire_remote(session, Default::default()).await?;
        Ok(Some((stream, remote)))
    };
    let (stream, remote): (Stream, OwnedFd) =
        done.await.map_err(|error: Error| reason(&error))?.ok_or(ScreenError::Unusable)?;
    let kind = kind(stream.source_type(), stream.position());
    Ok(Chosen { remote, node: stream.pipe_wire_node_id(), kind })
}

/// Whether all of a screen is seen or one window; whoever is not sure is told that all is.
fn kind(said: Option<SourceType>, position: Option<(i32, i32)>) -> SourceKind {
    // Only screens have a place on the desktop. The portal of wlroots says of each screen that it is a window.
    match (said, position) {
        (Some(SourceType::Window), None) => SourceKind::Window,
        _ => SourceKind::Screen,
    }
}

/// What an answer of the portal means for the person.
fn reason(error: &Error) -> ScreenError {
    match error {
        Error::Response(ResponseError::Cancelled) | Error::Portal(PortalError::Cancelled(_)) => ScreenError::NotChosen,
        Error::Response(ResponseError::Other) | Error::Portal(PortalError::NotAllowed(_)) => ScreenError::NotPermitted,
        _ => ScreenError::NoPortal,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_of_the_portal_is_told_as_what_it_means() {
        assert_eq!(reason(&ResponseError::Cancelled.into()), ScreenError::NotChosen);
        assert_eq!(reason(&ResponseError::Other.into()), ScreenError::NotPermitted);
        assert_eq!(reason(&PortalError::NotAllowed(String::new()).into()), ScreenError::NotPermitted);
        assert_eq!(reason(&Error::NoResponse), ScreenError::NoPortal);
        assert_eq!(reason(&Error::RequiresVersion(2, 1)), ScreenError::NoPortal);
    }

    #[test]
    fn whoever_is_not_sure_is_told_that_all_is_seen() {
        assert_eq!(kind(Some(SourceType::Window), None), SourceKind::Window);
        assert_eq!(kind(Some(SourceType::Window), Some((0, 0))), SourceKind::Screen);
        assert_eq!(kind(Some(SourceType::Monitor), Some((0, 0))), SourceKind::Screen);
        assert_eq!(kind(None, None), SourceKind::Screen);
    }

    #[test]
    fn without_a_bus_there_is_no_portal() {
        let nowhere = || Some("unix:path=/nonexistent/bus".to_owned());
        assert_eq!(is_there(nowhere()), Err(ScreenError::NoPortal));
        let asking = Asking::begin(nowhere()).unwrap();
        assert_eq!(asking.answer.recv().unwrap().err(), Some(ScreenError::NoPortal));
    }
}
