//! A real X server is looked at: its screen, its windows, and what becomes of them.
#![cfg(target_os = "linux")]
#![allow(clippy::unwrap_used, reason = "a test may")]

mod server;

use screen::{Capture, ScreenError, Screens, Shot, Source, SourceKind};
use server::{BLUE, GREEN, Program, RED, Server, WHITE, colour};

fn screens(server: &Server) -> Screens {
    Screens::X11(server.name.clone())
}

fn titled(screens: &Screens, title: &str) -> Source {
    screens.list().unwrap().into_iter().find(|source| source.name == title).expect("it is listed")
}

/// A red window called "Mine", and whoever looks at it; the pointer is elsewhere.
fn mine(server: &Server, program: &Program) -> (u32, Source, Box<dyn Capture>) {
    program.point_at((1_200, 700));
    let window = program.window("Mine", (100, 50), (300, 200), RED);
    let source = titled(&screens(server), "Mine");
    let capture = screens(server).open(&source.id).unwrap();
    (window, source, capture)
}

fn is_all(shot: &Shot, wanted: u32) -> bool {
    (0..shot.height()).all(|y| (0..shot.width()).all(|x| shot.pixel(x, y) == Some(colour(wanted))))
}

#[test]
fn screens_and_windows_are_listed_by_their_names_and_sizes() {
    let server = Server::start();
    let program = Program::on(&server);
    program.window("Letters", (10, 20), (300, 200), RED);
    program.window("Tiny", (0, 0), (20, 20), RED);
    let folded = program.window("Folded away", (0, 0), (300, 200), RED);
    program.fold_away(folded);
    let list = screens(&server).list().unwrap();
    let kinds: Vec<_> = list.iter().map(|source| (source.kind, source.width, source.height)).collect();
    assert_eq!(kinds, [(SourceKind::Screen, 1_280, 720), (SourceKind::Window, 300, 200)], "{list:?}");
    assert_eq!(list[1].name, "Letters");
    assert!(!format!("{list:?}").contains("Letters"), "a title does not get into a log");
}

#[test]
fn a_screen_shows_everything_that_stands_on_it_and_the_pointer() {
    let server = Server::start();
    let program = Program::on(&server);
    program.point_at((1_200, 700));
    let window = program.window("Letters", (100, 50), (300, 200), RED);
    program.fill(window, (10, 10), (20, 30), GREEN);
    let mut screen = screens(&server).open("screen:0").unwrap();
    let shot = screen.grab().unwrap().unwrap();
    assert_eq!((shot.width(), shot.height()), (1_280, 720));
    assert_eq!(shot.pixel(100, 50), Some(colour(RED)));
    assert_eq!(shot.pixel(110, 60), Some(colour(GREEN)));
    assert_eq!(shot.pixel(129, 89), Some(colour(GREEN)));
    assert_eq!(shot.pixel(130, 90), Some(colour(RED)));

    program.point_at((250, 200));
    let pointed = screen.grab().unwrap().unwrap();
    let others = |shot: &Shot| {
        (190..=210)
            .flat_map(|y| (240..=260).map(move |x| (x, y)))
            .filter(|(x, y)| shot.pixel(*x, *y) != Some(colour(RED)))
            .count()
    };
    assert_eq!(others(&shot), 0);
    assert!(others(&pointed) > 10, "the pointer is drawn");
}

#[test]
fn a_window_is_shown_whole_while_another_covers_it_and_nothing_of_the_other() {
    let server = Server::start();
    let program = Program::on(&server);
    let (window, _, mut capture) = mine(&server, &program);
    assert!(is_all(&capture.grab().unwrap().unwrap(), RED));
    program.window("Private", (0, 0), (1_280, 720), BLUE);
    assert!(is_all(&capture.grab().unwrap().unwrap(), RED), "what covers it is not shown");
    program.paint(window, GREEN);
    assert!(is_all(&capture.grab().unwrap().unwrap(), GREEN), "what it draws while it is covered is shown");
}

#[test]
fn a_window_may_move_out_of_the_screen_change_its_size_and_be_folded_away() {
    let server = Server::start();
    let program = Program::on(&server);
    let (window, _, mut capture) = mine(&server, &program);
    program.move_to(window, (-150, 600));
    let moved = capture.grab().unwrap().unwrap();
    assert_eq!((moved.width(), moved.height()), (300, 200));
    assert!(is_all(&moved, RED));
    program.resize(window, 401, 123);
    program.paint(window, GREEN);
    let resized = capture.grab().unwrap().unwrap();
    assert_eq!((resized.width(), resized.height()), (401, 123));
    assert!(is_all(&resized, GREEN));
    program.fold_away(window);
    assert_eq!(capture.grab().unwrap(), None, "there is nothing new to see");
    program.unfold(window);
    program.paint(window, WHITE);
    assert!(is_all(&capture.grab().unwrap().unwrap(), WHITE));
}

#[test]
fn a_window_that_is_closed_is_gone_and_what_was_never_there_too() {
    let server = Server::start();
    let program = Program::on(&server);
    let (window, source, mut capture) = mine(&server, &program);
    assert!(capture.grab().unwrap().is_some());
    program.close(window);
    assert_eq!(capture.grab(), Err(ScreenError::Gone));
    for id in [source.id.as_str(), "screen:7", "screen:", "window:0", "window:x", "window", "", "camera:0"] {
        assert_eq!(screens(&server).open(id).err(), Some(ScreenError::Gone), "{id}");
    }
}

#[test]
fn without_a_screen_one_is_told_so() {
    let nowhere = Screens::X11(":59000".into());
    assert_eq!(nowhere.list(), Err(ScreenError::NoScreen));
    assert_eq!(nowhere.open("screen:0").err(), Some(ScreenError::NoScreen));
    let server = Server::start();
    let mut capture = screens(&server).open("screen:0").unwrap();
    drop(server);
    assert_eq!(capture.grab(), Err(ScreenError::NoScreen));
}
