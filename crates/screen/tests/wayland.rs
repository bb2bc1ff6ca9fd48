//! A real Wayland desktop is looked at through its portal: what the person chose is seen, and nothing else or longer.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may")]

mod desktop;

use std::cell::Cell;
use std::time::{Duration, Instant};

use desktop::{Desktop, Person};
use screen::{Capture, ScreenError, Shot, SourceKind};

/// Longer than anything here may take, even on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
/// When what is on the screen is drawn once more.
const AGAIN: Duration = Duration::from_millis(400);
const GREEN: u32 = 0x0020_b040;
const BLUE: u32 = 0x0020_40c0;

fn colour(value: u32) -> [u8; 3] {
    let [blue, green, red, _] = value.to_le_bytes();
    [red, green, blue]
}

/// Looks as somebody in a call does until something is so, and tells it.
fn look<T>(capture: &mut dyn Capture, is: impl Fn(Result<Option<Shot>, ScreenError>, &dyn Capture) -> Option<T>) -> T {
    let began = Instant::now();
    loop {
        let seen = capture.grab();
        if let Some(it) = is(seen, capture) {
            return it;
        }
        assert!(began.elapsed() < PATIENCE, "it is awaited in vain");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Fills the screen with a colour, until a picture of this size comes that has it from corner to corner.
///
/// It is filled again and again, as a screen that somebody works at: the portal of wlroots sends what changed once it asked for a picture, and
/// nothing while it does not change.
fn filled(desktop: &Desktop, capture: &mut dyn Capture, size: (u32, u32), with: u32) {
    let painted = Cell::new(None::<Instant>);
    look(capture, |seen, _| {
        if painted.get().is_none_or(|at| at.elapsed() > AGAIN) {
            desktop.paint(with);
            painted.set(Some(Instant::now()));
        }
        let shot = seen.unwrap()?;
        let (right, bottom) = (shot.width() - 1, shot.height() - 1);
        let corners = [(0, 0), (right, 0), (0, bottom), (right, bottom), (right / 3, bottom / 2)];
        let is_all = corners.iter().all(|(x, y)| shot.pixel(*x, *y) == Some(colour(with)));
        (is_all && (shot.width(), shot.height()) == size).then_some(())
    });
}

fn error(capture: &mut dyn Capture) -> ScreenError {
    look(capture, |seen, _| seen.err())
}

/// The person agreed, and pictures come.
fn shown(desktop: &Desktop) -> Box<dyn Capture> {
    let mut capture = desktop.screens().open("portal").unwrap();
    assert_eq!(capture.kind(), None, "nothing is seen before they were asked");
    look(&mut *capture, |seen, capture| seen.map(|_| capture.kind()).unwrap());
    look(&mut *capture, |seen, _| (seen.is_ok() && desktop.is_shown()).then_some(()));
    filled(desktop, &mut *capture, (640, 480), GREEN);
    capture
}

#[test]
fn what_the_person_chose_is_seen_as_it_is_and_changes_until_nobody_looks() {
    let desktop = Desktop::start(Person::Agrees);
    let listed = desktop.screens().list().unwrap();
    assert_eq!(listed.iter().map(|source| source.kind).collect::<Vec<_>>(), [SourceKind::Portal], "only the question");
    assert_eq!(desktop.screens().preview(&listed[0].id), Err(ScreenError::NotChosen));
    assert!(!desktop.is_shown(), "nobody looks by asking what there is");

    let mut capture = shown(&desktop);
    assert_eq!(capture.kind(), Some(SourceKind::Screen));
    filled(&desktop, &mut *capture, (640, 480), BLUE);
    desktop.resize(801, 603);
    filled(&desktop, &mut *capture, (801, 603), BLUE);
    filled(&desktop, &mut *capture, (801, 603), GREEN);

    drop(capture);
    desktop.until("the end of the stream", || !desktop.is_shown());
    drop(shown_again(&desktop));
}

/// The portal asks anew, and gives another session.
fn shown_again(desktop: &Desktop) -> Box<dyn Capture> {
    let mut capture = desktop.screens().open("portal").unwrap();
    look(&mut *capture, |seen, capture| seen.map(|_| capture.kind()).unwrap());
    filled(desktop, &mut *capture, (801, 603), BLUE);
    capture
}

#[test]
fn whoever_declines_shows_nothing_and_whoever_thinks_is_not_hurried() {
    let desktop = Desktop::start(Person::Declines);
    let mut capture = desktop.screens().open("portal").unwrap();
    assert_eq!(error(&mut *capture), ScreenError::NotChosen);
    assert!(!desktop.is_shown());
    drop(desktop);

    let desktop = Desktop::start(Person::Thinks);
    let mut capture = desktop.screens().open("portal").unwrap();
    let began = Instant::now();
    while began.elapsed() < Duration::from_millis(500) {
        assert_eq!((capture.grab(), capture.kind()), (Ok(None), None));
    }
    drop(capture);
    assert!(!desktop.is_shown());
}

#[test]
fn the_end_of_the_desktop_s_parts_is_the_end_of_what_is_shown() {
    for (part, told) in [
        ("sway", &[ScreenError::Gone][..]),
        ("xdg-desktop-portal", &[ScreenError::Gone]),
        ("xdg-desktop-portal-wlr", &[ScreenError::Gone]),
        ("pipewire", &[ScreenError::NoPipeWire, ScreenError::Gone]),
    ] {
        let mut desktop = Desktop::start(Person::Agrees);
        let mut capture = shown(&desktop);
        eprintln!("without {part}");
        desktop.lose(part);
        let error = error(&mut *capture);
        assert!(told.contains(&error), "without {part}: {error}");
    }
}

#[test]
fn a_desktop_without_a_portal_is_told_as_one() {
    let desktop = Desktop::bare();
    assert_eq!(desktop.screens().list(), Err(ScreenError::NoPortal));
    let mut capture = desktop.screens().open("portal").unwrap();
    assert_eq!(error(&mut *capture), ScreenError::NoPortal);
    assert_eq!(desktop.screens().open("screen:0").err(), Some(ScreenError::Gone));
}
