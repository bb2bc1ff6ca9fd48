//! Priorities of Linux: nice levels, which belong to one thread each, are inherited by what it starts, and may be
//! lowered by everybody but raised only by who has the right, or by RealtimeKit for who asks it.

use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, getpriority_process, setpriority_process};
use rustix::thread::gettid;

/// What PipeWire and PulseAudio have for their own threads when these are not real-time ones.
const FIRST: i32 = -11;
const BEHIND: i32 = 5;

/// How long a voice waits for an answer before it begins without one. The answer may come later and counts all the same.
const PATIENCE: Duration = Duration::from_millis(50);

pub(crate) fn voice() {
    let thread = gettid();
    if setpriority_process(Some(thread), FIRST).is_ok() {
        return;
    }
    let (answered, answer) = mpsc::channel();
    let ask = move || {
        // Where nobody can be asked this fails at once; whoever waits may have begun already.
        let _ = answered.send(ask(thread));
    };
    if std::thread::Builder::new().name("priority".to_owned()).spawn(ask).is_ok() {
        let _ = answer.recv_timeout(PATIENCE);
    }
}

pub(crate) fn pictures() {
    let thread = gettid();
    // A program that was started as a modest one stays so.
    if getpriority_process(Some(thread)).is_ok_and(|now| now < BEHIND) {
        let _ = setpriority_process(Some(thread), BEHIND);
    }
}

/// Asks RealtimeKit, which has the right, for a higher nice level.
fn ask(thread: Pid) -> Result<(), zbus::Error> {
    const NAME: &str = "org.freedesktop.RealtimeKit1";
    const PATH: &str = "/org/freedesktop/RealtimeKit1";
    let thread = u64::from(thread.as_raw_nonzero().get().unsigned_abs());
    let bus = zbus::blocking::Connection::system()?;
    bus.call_method(Some(NAME), PATH, Some(NAME), "MakeThreadHighPriority", &(thread, FIRST)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn now() -> i32 {
        getpriority_process(Some(gettid())).unwrap()
    }

    #[test]
    fn a_voice_goes_first_where_that_is_permitted_and_so_does_what_it_starts() {
        let permitted = std::thread::spawn(|| setpriority_process(Some(gettid()), FIRST).is_ok()).join().unwrap();
        let before = now();
        let (own, started) = std::thread::spawn(|| {
            voice();
            (now(), std::thread::spawn(now).join().unwrap())
        })
        .join()
        .unwrap();
        // Without the right the answer depends on whether RealtimeKit is there.
        let may = if permitted { vec![FIRST] } else { vec![FIRST, before] };
        assert!(may.contains(&own), "{own}");
        assert_eq!(own, started);
        assert_eq!(now(), before, "nobody else's priority is changed");
    }

    #[test]
    fn pictures_go_behind_and_a_modest_program_stays_modest() {
        let own = |before: i32| {
            std::thread::spawn(move || {
                setpriority_process(Some(gettid()), before).unwrap();
                pictures();
                now()
            })
            .join()
            .unwrap()
        };
        assert_eq!(own(now().max(0)), BEHIND);
        assert_eq!(own(12), 12);
    }
}
