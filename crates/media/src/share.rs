//! A screen or window that is shown: one thread looks at it, for all calls that it is shown in.
//!
//! It looks from the moment somebody chose until the last [`ScreenShare`] is dropped, and at no other time.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use screen::{Capture, ScreenError, Screens, Shot, Source, SourceKind};
use tokio::sync::watch;
use video::{Camera, Counter, Picture};

use crate::usage::{Held, Usage};

/// The largest picture of a screen; larger screens are made smaller.
const MOST: (u32, u32) = (1_920, 1_080);
/// The largest picture for choosing.
const PREVIEW: (u32, u32) = (320, 200);
/// From one look to the next.
const INTERVAL: Duration = Duration::from_millis(66);
/// How often the test screen counts.
const COUNTS: u32 = 10;
/// How long a window system may take before it is given up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(5);
/// How long the desktop may ask the person what to show before it is given up.
const CHOOSING: Duration = Duration::from_secs(300);
/// What cannot be read for so many looks is given up.
const FAILURES: u32 = 30;
/// What the test screen is called.
const TEST: &str = "screen:test";

/// Which screens there are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ScreenChoice {
    /// Those of this session.
    System(Screens),
    /// One for tests, whose pictures carry their number.
    Counter {
        /// Pixels in a row.
        width: u32,
        /// Rows.
        height: u32,
    },
    /// None.
    None,
}

impl Default for ScreenChoice {
    fn default() -> Self {
        Self::System(Screens::default())
    }
}

impl ScreenChoice {
    /// Reads `default`, `display:<name>`, `portal`, `portal:<address>`, `counter`, `counter:<width>x<height>` or `none`.
    pub fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "default" => Some(Self::default()),
            None if text == "portal" => Some(Self::System(Screens::Portal(None))),
            None if text == "none" => Some(Self::None),
            None if text == "counter" => Some(Self::Counter { width: 1_280, height: 720 }),
            Some(("display", name)) if !name.is_empty() => Some(Self::System(Screens::X11(name.to_owned()))),
            Some(("portal", bus)) if !bus.is_empty() => Some(Self::System(Screens::Portal(Some(bus.to_owned())))),
            Some(("counter", size)) => {
                let (width, height) = video::size_of(size)?;
                Some(Self::Counter { width, height })
            }
            _ => None,
        }
    }

    pub(crate) fn list(&self) -> Result<Vec<Source>, ScreenError> {
        match self {
            Self::System(screens) => screens.list(),
            Self::Counter { width, height } => Ok(vec![Source {
                id: TEST.to_owned(),
                kind: SourceKind::Screen,
                name: "counter".to_owned(),
                width: *width,
                height: *height,
            }]),
            Self::None => Err(ScreenError::NoScreen),
        }
    }

    /// What a source looks like, small.
    pub(crate) fn preview(&self, id: &str) -> Result<Picture, ScreenError> {
        match self {
            Self::System(screens) => picture(&screens.preview(id)?, PREVIEW),
            _ => {
                let full = self.open(id)?.look()?.ok_or(ScreenError::Gone)?;
                let (width, height) = (full.width().min(PREVIEW.0), full.height().min(PREVIEW.1) / 2 * 2);
                video::Scaler::default().scale(&full, width, height).map_err(|_| ScreenError::Unusable)
            }
        }
    }

    fn open(&self, id: &str) -> Result<Looker, ScreenError> {
        match self {
            Self::System(screens) => Ok(Looker::System { capture: screens.open(id)?, last: None }),
            Self::Counter { width, height } if id == TEST => {
                let counter = Counter::new(*width, *height, COUNTS).map_err(|_| ScreenError::Unusable)?;
                Ok(Looker::Counter { counter, next: Instant::now() })
            }
            Self::Counter { .. } => Err(ScreenError::Gone),
            Self::None => Err(ScreenError::NoScreen),
        }
    }
}

/// Whoever looks, on the thread that does.
enum Looker {
    System { capture: Box<dyn Capture>, last: Option<Shot> },
    Counter { counter: Counter, next: Instant },
}

impl Looker {
    /// What is looked at; none while the person is asked.
    fn kind(&self) -> Option<SourceKind> {
        match self {
            Self::System { capture, .. } => capture.kind(),
            Self::Counter { .. } => Some(SourceKind::Screen),
        }
    }

    /// The picture, if it is another one than before.
    fn look(&mut self) -> Result<Option<Picture>, ScreenError> {
        match self {
            Self::System { capture, last } => {
                let Some(shot) = capture.grab()? else { return Ok(None) };
                if last.as_ref() == Some(&shot) {
                    return Ok(None);
                }
                let picture = picture(&shot, MOST)?;
                *last = Some(shot);
                Ok(Some(picture))
            }
            Self::Counter { counter, next } => {
                if Instant::now() < *next {
                    return Ok(None);
                }
                *next = (*next + counter.interval()).max(Instant::now());
                counter.grab().map(Some).map_err(|_| ScreenError::Unusable)
            }
        }
    }
}

fn picture(shot: &Shot, most: (u32, u32)) -> Result<Picture, ScreenError> {
    Picture::from_screen(shot.width(), shot.height(), shot.bgrx(), most).map_err(|_| ScreenError::Unusable)
}

/// What was seen last, or why nothing is seen any more.
#[derive(Debug, Clone)]
pub(crate) enum Seen {
    Nothing,
    /// The desktop asks the person what to show.
    Asking,
    /// They answered; pictures follow.
    Chosen(SourceKind),
    Picture {
        picture: Arc<Picture>,
        number: u64,
    },
    Ended(ScreenError),
}

/// Something that is shown. Clones are the same; when the last is dropped, nobody looks any more.
#[derive(Clone)]
pub struct ScreenShare {
    seen: watch::Receiver<Seen>,
    chosen: Option<SourceKind>,
    _watched: Arc<Watched>,
}

struct Watched {
    stop: Arc<AtomicBool>,
}

impl Drop for Watched {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Release);
    }
}

impl ScreenShare {
    /// Begins to look; gives it once there is something to see, or once the desktop's own dialog was answered.
    ///
    /// Dropped before that, it takes back what the desktop asks.
    pub(crate) async fn begin(choice: ScreenChoice, id: String, usage: &Arc<Usage>) -> Result<Self, ScreenError> {
        let (seen_out, mut seen) = watch::channel(Seen::Nothing);
        let stop = Arc::new(AtomicBool::new(false));
        let (stopped, hold) = (Arc::clone(&stop), usage.hold(Held::Thread));
        let watched = Arc::new(Watched { stop });
        let work = move || {
            let _hold = hold;
            priority::pictures();
            let error = watch(&choice, &id, &seen_out, &stopped);
            if let Err(error) = error {
                tracing::info!(code = error.code(), "a screen is not shown any more");
                seen_out.send_replace(Seen::Ended(error));
            }
        };
        let thread = std::thread::Builder::new().name("screen".to_owned());
        thread.spawn(work).map_err(|_| ScreenError::Unusable)?;
        let begun = next(&mut seen, PATIENCE, |seen| !matches!(seen, Seen::Nothing)).await?;
        let begun = match begun {
            Seen::Asking => next(&mut seen, CHOOSING, |seen| !matches!(seen, Seen::Asking)).await?,
            begun => begun,
        };
        match begun {
            Seen::Ended(error) => Err(error),
            Seen::Chosen(kind) => Ok(Self { seen, chosen: Some(kind), _watched: watched }),
            _ => Ok(Self { seen, chosen: None, _watched: watched }),
        }
    }

    /// What the person chose, if the desktop asked them.
    pub fn chosen(&self) -> Option<SourceKind> {
        self.chosen
    }

    /// Waits until there is nothing to be seen any more, and says why. Who waits does not keep it going.
    pub fn end(&self) -> impl Future<Output = ScreenError> + Send + 'static {
        let mut seen = self.seen.clone();
        async move {
            match seen.wait_for(|seen| matches!(seen, Seen::Ended(_))).await.map(|seen| seen.clone()) {
                Ok(Seen::Ended(error)) => error,
                _ => ScreenError::Gone,
            }
        }
    }

    /// What is seen now.
    pub(crate) fn now(&self) -> Seen {
        self.seen.borrow().clone()
    }
}

impl std::fmt::Debug for ScreenShare {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("ScreenShare").finish_non_exhaustive()
    }
}

/// Waits for what is so.
async fn next(
    seen: &mut watch::Receiver<Seen>,
    patience: Duration,
    is: impl FnMut(&Seen) -> bool,
) -> Result<Seen, ScreenError> {
    match tokio::time::timeout(patience, seen.wait_for(is)).await.map(|seen| seen.map(|seen| seen.clone())) {
        Ok(Ok(seen)) => Ok(seen),
        _ => Err(ScreenError::Unusable),
    }
}

fn watch(choice: &ScreenChoice, id: &str, seen: &watch::Sender<Seen>, stop: &AtomicBool) -> Result<(), ScreenError> {
    let mut looker = choice.open(id)?;
    let (mut number, mut failures) = (0, 0);
    let mut is_asking = looker.kind().is_none();
    if is_asking {
        seen.send_replace(Seen::Asking);
    }
    while !stop.load(Ordering::Acquire) {
        let began = Instant::now();
        match looker.look() {
            Ok(Some(picture)) => {
                number += 1;
                failures = 0;
                seen.send_replace(Seen::Picture { picture: Arc::new(picture), number });
            }
            Ok(None) => {}
            // Such as a window that is too small for a moment.
            Err(ScreenError::Unusable) if failures < FAILURES => failures += 1,
            Err(error) => return Err(error),
        }
        if let Some(kind) = looker.kind().filter(|_| is_asking) {
            is_asking = false;
            seen.send_replace(Seen::Chosen(kind));
        }
        std::thread::sleep(INTERVAL.saturating_sub(began.elapsed()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_choice_is_read_and_a_typing_error_is_told() {
        assert_eq!(ScreenChoice::parse("default"), Some(ScreenChoice::default()));
        assert_eq!(ScreenChoice::parse("none"), Some(ScreenChoice::None));
        let system = |screens| Some(ScreenChoice::System(screens));
        assert_eq!(ScreenChoice::parse("display::7"), system(Screens::X11(":7".into())));
        assert_eq!(ScreenChoice::parse("portal"), system(Screens::Portal(None)));
        let bus = "unix:path=/run/bus";
        assert_eq!(ScreenChoice::parse(&format!("portal:{bus}")), system(Screens::Portal(Some(bus.into()))));
        assert_eq!(ScreenChoice::parse("counter:640x360"), Some(ScreenChoice::Counter { width: 640, height: 360 }));
        for text in ["", "screen", "display:", "portal:", "counter:1x1", "counter:9999x9999"] {
            assert_eq!(ScreenChoice::parse(text), None, "{text}");
        }
    }
}
