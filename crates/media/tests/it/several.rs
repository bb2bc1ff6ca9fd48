//! Stories of one person in two calls at once: one microphone, one speaker, and one of them may rest.

use std::time::Duration;

use crate::common::{Person, connect, files, read, runtime, tone};
use media::{CallMedia, InUse, MediaEngine};
use tokio::time::sleep;

/// How much of the energy of each tenth of a second this tone is.
fn parts_of(heard: &[f32], hertz: f32) -> Vec<f32> {
    let turn = 2.0 * (std::f32::consts::TAU * hertz / 48_000.0).cos();
    let part = |part: &[f32]| {
        let energy: f32 = part.iter().map(|s| s * s).sum();
        let (a, b) = part.iter().fold((0.0, 0.0), |(a, b): (f32, f32), s| (s + turn * a - b, a));
        if energy < 0.5 { 0.0 } else { (a * a + b * b - turn * a * b) / (energy * part.len() as f32 / 2.0) }
    };
    heard.chunks_exact(4_800).map(part).collect()
}

fn tenths(parts: &[f32]) -> usize {
    parts.iter().filter(|part| **part > 0.1).count()
}

async fn close(calls: &[&CallMedia]) {
    for call in calls {
        call.close().await;
    }
}

#[test]
fn who_is_in_two_calls_hears_both_mixed_and_is_heard_in_both_with_one_microphone() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let tones = [440.0, 700.0, 1_130.0].map(|hertz| tone(folder.path(), hertz));
        let engine = MediaEngine::new(files(&tones[0], &at("ana.wav")));
        let (mut with_ben, mut ben) =
            (Person::on(engine.clone()).await, Person::speaking(&tones[1], &at("ben.wav")).await);
        connect(&mut with_ben, &mut ben).await;
        with_ben.until_heard().await;
        let threads = engine.in_use().threads;
        let (mut with_cleo, mut cleo) =
            (Person::on(engine.clone()).await, Person::speaking(&tones[2], &at("cleo.wav")).await);
        connect(&mut with_cleo, &mut cleo).await;
        with_cleo.until_heard().await;
        assert_eq!(engine.in_use().threads, threads, "no second voice thread, and no second microphone");
        sleep(Duration::from_secs(3)).await;
        close(&[&with_ben.media, &ben.media, &with_cleo.media, &cleo.media]).await;
        assert_eq!(engine.in_use(), InUse::default());

        let heard = read(&at("ana.wav"));
        let (of_ben, of_cleo) = (parts_of(&heard, 700.0), parts_of(&heard, 1_130.0));
        let both = of_ben.iter().zip(&of_cleo).filter(|(ben, cleo)| **ben > 0.3 && **cleo > 0.3).count();
        assert!(both >= 24, "both at once in {both} tenths");
        for name in ["ben.wav", "cleo.wav"] {
            let heard = tenths(&parts_of(&read(&at(name)), 440.0));
            assert!(heard >= 24, "{name}: {heard} tenths of Ana");
        }
    });
}

#[test]
fn a_call_at_rest_is_silent_on_both_sides_keeps_its_path_and_goes_on() {
    runtime().block_on(async {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        let (low, high) = (tone(folder.path(), 440.0), tone(folder.path(), 1_130.0));
        let mut ana = Person::speaking(&low, &at("ana.wav")).await;
        let mut ben = Person::speaking(&high, &at("ben.wav")).await;
        connect(&mut ana, &mut ben).await;
        ana.until_heard().await;
        ben.until_heard().await;
        sleep(Duration::from_secs(1)).await;
        ana.media.set_held(true);
        assert!(ana.media.stats().held);
        let wishes = *ana.wishes_for_a_path().borrow() + *ben.wishes_for_a_path().borrow();
        sleep(Duration::from_secs(4)).await;
        assert_eq!(*ana.wishes_for_a_path().borrow() + *ben.wishes_for_a_path().borrow(), wishes, "no path was missed");
        ana.media.set_held(false);
        sleep(Duration::from_secs(2)).await;
        close(&[&ana.media, &ben.media]).await;
        for (name, hertz) in [("ana.wav", 1_130.0), ("ben.wav", 440.0)] {
            let parts = parts_of(&read(&at(name)), hertz);
            let first = parts.iter().position(|part| *part > 0.1).unwrap();
            let last = parts.iter().rposition(|part| *part > 0.1).unwrap();
            let longest = parts[first..last].split(|part| *part > 0.1).map(<[f32]>::len).max().unwrap();
            assert!((35..50).contains(&longest), "{name}: a pause of {longest} tenths");
            assert!(last + 5 >= parts.len(), "{name}: it went on");
        }
    });
}
