//! Somebody shows a screen beside their camera: what arrives is read, letter by letter.
#![cfg(target_os = "linux")]

use std::time::Duration;

use crate::common::{Person, connect, long_tone, quiet, runtime};
use crate::server::{BLUE, GREEN, Program, RED, Server, WHITE, colour};
use media::{
    AudioConfig, CameraChoice, InUse, MediaEvent, Picture, PictureState, ScreenChoice, ScreenError, Screens, Shown,
    Speaker,
};
use tokio::sync::watch;

/// Longer than anything here may take, even on a machine that is busy.
const PATIENCE: Duration = Duration::from_secs(60);
const CAMERA: CameraChoice = CameraChoice::Counter { width: 640, height: 360 };
const TEST: &str = "screen:test";

fn counting() -> AudioConfig {
    AudioConfig { screen: ScreenChoice::Counter { width: 1_280, height: 720 }, ..quiet() }
}

fn looking_at(server: &Server) -> AudioConfig {
    let screens = Screens::X11(server.name.clone());
    AudioConfig { screen: ScreenChoice::System(screens), ..quiet() }
}

/// Waits for a picture that is as wanted.
async fn until(pictures: &mut watch::Receiver<Option<Shown>>, wanted: impl Fn(&Picture) -> bool) -> Shown {
    let watching = async {
        loop {
            let shown = pictures.borrow_and_update().clone();
            if let Some(shown) = shown.filter(|shown| wanted(&shown.picture)) {
                return shown;
            }
            pictures.changed().await.unwrap();
        }
    };
    tokio::time::timeout(PATIENCE, watching).await.expect("such a picture comes")
}

fn number_of(picture: &Picture) -> Option<u32> {
    video::read_counter(|x, y| picture.brightness(x, y))
}

async fn numbers(pictures: &mut watch::Receiver<Option<Shown>>, count: usize) -> Vec<u32> {
    let mut seen = Vec::new();
    while seen.len() < count {
        let shown =
            until(pictures, |picture| number_of(picture).is_some_and(|number| seen.last() != Some(&number))).await;
        seen.extend(number_of(&shown.picture));
    }
    seen
}

/// Whether a place has nearly this colour.
fn is_at(picture: &Picture, (x, y): (u32, u32), wanted: u32) -> bool {
    let rgba = picture.to_rgba().unwrap();
    let at = ((y * picture.width() + x) * 4) as usize;
    rgba.get(at..at + 3).is_some_and(|pixel| pixel.iter().zip(colour(wanted)).all(|(is, was)| is.abs_diff(was) < 24))
}

async fn hang_up(people: [Person; 2]) {
    for person in &people {
        person.media.close().await;
    }
    for person in people {
        let engine = person.engine.clone();
        drop(person);
        // The thread that looked ends by itself.
        for _ in 0..100 {
            if engine.in_use() == InUse::default() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        assert_eq!(engine.in_use(), InUse::default());
    }
}

#[test]
fn a_screen_is_shown_beside_the_camera_and_both_ways_without_a_new_negotiation() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(counting()).await, Person::with(counting()).await);
        connect(&mut ana, &mut ben).await;
        assert!(ana.media.takes_screen() && ben.media.takes_screen());
        assert!(ben.media.screen_pictures().borrow().is_none(), "nothing is shown before somebody chose");
        ana.media.set_camera(Some(CAMERA));
        let share = ana.engine.share_screen(TEST).await.unwrap();
        ana.media.set_screen(Some(share.clone()));
        let seen = numbers(&mut ben.media.screen_pictures(), 10).await;
        assert!(seen.is_sorted_by(|one, next| one < next), "{seen:?}");
        numbers(&mut ben.media.pictures(), 5).await;
        ben.until(|event| *event == MediaEvent::Screen(PictureState::Moving)).await;
        let (screen, camera) = (ben.media.screen_stats(), ben.media.video_stats());
        assert_eq!((screen.width, screen.height), (1_280, 720), "its size is kept: {screen:?}");
        assert!(camera.width < 1_280, "{camera:?}");

        let his = ben.engine.share_screen(TEST).await.unwrap();
        ben.media.set_screen(Some(his));
        numbers(&mut ana.media.screen_pictures(), 3).await;

        ana.media.set_screen(None);
        drop(share);
        ben.until(|event| *event == MediaEvent::Screen(PictureState::Gone)).await;
        assert!(ben.media.screen_pictures().borrow().is_none(), "no old picture stays");
        numbers(&mut ben.media.pictures(), 5).await;
        hang_up([ana, ben]).await;
    });
}

/// The letters of a line that was written at a place, each 6 x 13 pixels.
fn cells(picture: &Picture, (x, y): (u32, u32), letters: usize) -> Vec<Vec<u8>> {
    let width = picture.width() as usize;
    let luma = picture.planes()[0];
    let cell = |idx: usize| {
        let (left, top) = (x as usize + idx * 6, y as usize - 11);
        (top..top + 13).flat_map(|row| luma[row * width + left..row * width + left + 6].to_vec()).collect()
    };
    (0..letters).map(cell).collect()
}

fn apart(one: &[u8], other: &[u8]) -> u32 {
    one.iter().zip(other).map(|(a, b)| u32::from(a.abs_diff(*b)).pow(2)).sum()
}

#[test]
fn the_words_of_a_real_window_are_read_at_the_other_end_until_it_is_closed() {
    const ALPHABET: &str = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789.,;:";
    const WORDS: &str = "Meet me at Quarter past 7, under the old Clock: bring 30 oranges.";
    runtime().block_on(async {
        let server = Server::start();
        let program = Program::on(&server);
        program.point_at((1_270, 710));
        let window = program.window("Letter to Ben", (40, 30), (640, 480), WHITE);
        program.fill(window, (20, 20), (100, 60), GREEN);
        program.fill(window, (140, 20), (100, 60), RED);
        program.write(window, (20, 140), ALPHABET);
        program.write(window, (20, 180), WORDS);
        let (mut ana, mut ben) = (Person::with(looking_at(&server)).await, Person::with(quiet()).await);
        connect(&mut ana, &mut ben).await;

        let listed = ana.engine.screens().await.unwrap();
        let chosen = listed.iter().find(|source| source.name == "Letter to Ben").unwrap();
        let preview = ana.engine.screen_preview(&chosen.id).await.unwrap();
        assert_eq!((preview.width(), preview.height()), (266, 200));
        assert!(is_at(&preview, (29, 20), GREEN), "one sees what one chooses");

        let share = ana.engine.share_screen(&chosen.id).await.unwrap();
        ana.media.set_screen(Some(share.clone()));
        let mut pictures = ben.media.screen_pictures();
        let is_read = |picture: &Picture| {
            let known: Vec<char> = ALPHABET.chars().collect();
            if (picture.width(), picture.height()) != (640, 480) {
                return String::new();
            }
            let alphabet = cells(picture, (20, 140), known.len());
            let letters = cells(picture, (20, 180), WORDS.len());
            let read = |cell: &Vec<u8>| {
                let is_blank = cell.iter().all(|pixel| *pixel > 170);
                let best = alphabet.iter().zip(&known).min_by_key(|(like, _)| apart(like, cell));
                if is_blank { ' ' } else { *best.unwrap().1 }
            };
            letters.iter().map(read).collect()
        };
        let shown = until(&mut pictures, |picture| is_read(picture) == WORDS).await;
        assert!(is_at(&shown.picture, (60, 50), GREEN) && is_at(&shown.picture, (180, 50), RED));

        program.window("Private", (0, 0), (1_280, 720), BLUE);
        program.move_to(window, (-100, 400));
        program.fill(window, (20, 20), (100, 60), BLUE);
        let moved = until(&mut pictures, |picture| is_at(picture, (60, 50), BLUE)).await;
        assert!(is_at(&moved.picture, (400, 300), WHITE), "nothing of what covers it: {:?}", moved.picture);
        assert_eq!(is_read(&moved.picture), WORDS, "nor is it cut where it left the screen");

        program.close(window);
        let ended = tokio::time::timeout(PATIENCE, share.end()).await;
        assert_eq!(ended, Ok(ScreenError::Gone));
        ben.until(|event| *event == MediaEvent::Screen(PictureState::Gone)).await;
        assert!(ben.media.screen_pictures().borrow().is_none());
        drop(share);
        hang_up([ana, ben]).await;
    });
}

#[test]
fn nobody_looks_any_more_once_nothing_is_shown() {
    runtime().block_on(async {
        let engine = media::MediaEngine::new(counting());
        engine.screens().await.unwrap();
        engine.screen_preview(TEST).await.unwrap();
        assert_eq!(engine.in_use().threads, 0, "a list and a preview leave nobody behind");
        assert_eq!(engine.share_screen("window:7").await.err(), Some(ScreenError::Gone));
        let share = engine.share_screen(TEST).await.unwrap();
        assert_eq!(engine.in_use().threads, 1);
        drop(share);
        let looked = async {
            while engine.in_use().threads > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        tokio::time::timeout(PATIENCE, looked).await.unwrap();
        engine.set_config(AudioConfig { screen: ScreenChoice::None, ..quiet() });
        assert_eq!(engine.share_screen(TEST).await.err(), Some(ScreenError::NoScreen));
    });
}

#[test]
fn whoever_has_no_place_for_a_screen_still_calls_and_is_shown_none() {
    runtime().block_on(async {
        let (mut ana, mut ben) = (Person::with(counting()).await, Person::with(counting()).await);
        let older = |sdp: String| {
            let second = sdp.match_indices("m=video").nth(1).expect("both offer a screen from the beginning").0;
            sdp[..second].replace("BUNDLE 0 1 2", "BUNDLE 0 1")
        };
        crate::common::introduce(&mut ana, &mut ben, older, |answer| answer).await;
        ben.until(|event| *event == MediaEvent::Connected).await;
        assert!(!ben.media.takes_screen());
        let share = ben.engine.share_screen(TEST).await.unwrap();
        ben.media.set_screen(Some(share));
        ben.media.set_camera(Some(CAMERA));
        numbers(&mut ana.media.pictures(), 5).await;
        assert_eq!(ben.media.screen_stats().sent_frames, 0);
        assert!(ana.media.screen_pictures().borrow().is_none());
        hang_up([ana, ben]).await;
    });
}

#[test]
fn on_a_narrow_road_the_voice_and_the_face_stay_and_the_screen_becomes_slow() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let mouth = long_tone(folder.path(), 440.0, 30);
        let speaking = AudioConfig {
            speaker: Speaker::Null,
            screen: ScreenChoice::Counter { width: 1_280, height: 720 },
            ..crate::common::files(&mouth, &folder.path().join("unused.wav"))
        };
        let (mut ana, mut ben) = (Person::with(speaking).await, Person::with(quiet()).await);
        let wide = road::Quality { loss: 0, delay_ms: 0, jitter_ms: 0, mbit: 6.0 };
        let road = road::Road::build(wide, 0x5EED).await.unwrap();
        crate::seeing::introduce_on(&road, &mut ana, &mut ben).await;
        ana.media.set_camera(Some(CAMERA));
        ana.media.set_screen(Some(ana.engine.share_screen(TEST).await.unwrap()));
        numbers(&mut ben.media.screen_pictures(), 5).await;

        road.becomes(road::Quality { mbit: 0.5, ..wide });
        let narrow = async {
            while ana.media.screen_stats().estimate > 600_000 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, narrow).await.expect("it is noticed");
        // What had been sent before it was noticed has to pass.
        numbers(&mut ben.media.pictures(), 30).await;
        let (before, camera, screen) = (ben.media.stats(), ben.media.video_stats(), ben.media.screen_stats());
        tokio::time::sleep(Duration::from_secs(8)).await;
        let (after, camera_after, screen_after) =
            (ben.media.stats(), ben.media.video_stats(), ben.media.screen_stats());
        let (came, missing) = (after.received - before.received, after.lost + after.late - before.lost - before.late);
        assert!(
            came > 100 && missing * 100 <= came * 4,
            "of the voice {came} came and {missing} were missing: {after:?}"
        );
        let (faces, pages) = (camera_after.decoded - camera.decoded, screen_after.decoded - screen.decoded);
        assert!(faces > 60, "the face moves: {faces} in eight seconds, {:?}", ana.media.video_stats());
        assert!(pages < faces, "and the screen gives way: {pages}, {:?}", ana.media.screen_stats());
        numbers(&mut ben.media.pictures(), 3).await;

        road.becomes(wide);
        let whole = async {
            while ben.media.screen_stats().height < 720 || ana.media.screen_stats().sent_rate < 300_000 {
                tokio::time::sleep(Duration::from_millis(50)).await;
            }
        };
        tokio::time::timeout(PATIENCE, whole).await.expect("it comes back whole");
        hang_up([ana, ben]).await;
    });
}
