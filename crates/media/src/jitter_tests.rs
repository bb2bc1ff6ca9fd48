//! Stories of packets on bad roads.

use proptest::prelude::*;

use super::*;

/// A sender of a frame each 20 ms, a road, and a listener who wants sound without a break.
struct Road {
    buffer: JitterBuffer,
    /// Arrival time and number of packets on their way.
    travelling: Vec<(f64, u16)>,
    heard: Vec<Pick>,
}

impl Road {
    fn new() -> Self {
        Self { buffer: JitterBuffer::new(), travelling: Vec::new(), heard: Vec::new() }
    }

    /// Sends `count` packets; `delay` says how long each travels, or that it is lost.
    fn run(mut self, count: u16, delay: impl Fn(u16) -> Option<f64>) -> Self {
        for number in 0..count {
            let sent = f64::from(number) * 20.0;
            self.travelling.extend(delay(number).map(|delay| (sent + delay, number)));
        }
        self.travelling.sort_by(|a, b| a.0.total_cmp(&b.0));
        let mut arrivals = std::mem::take(&mut self.travelling).into_iter().peekable();
        let (mut now, mut owed) = (5.0, 0.0);
        let end = f64::from(count + 20) * 20.0;
        while now < end {
            while let Some((at, number)) = arrivals.next_if(|(at, _)| *at <= now) {
                self.buffer.insert(at, number.wrapping_add(65_500), u32::from(number) * 960, packet(number));
            }
            while owed <= 0.0 {
                let pick = self.buffer.pick(now);
                owed += if matches!(pick, Pick::Bridge | Pick::Rest) { 10.0 } else { 20.0 };
                self.heard.push(pick);
            }
            now += 10.0;
            owed -= 10.0;
        }
        self
    }

    fn played(&self) -> usize {
        self.heard.iter().filter(|pick| matches!(pick, Pick::Play(_))).count()
    }

    fn count(&self, wanted: &Pick) -> usize {
        self.heard.iter().filter(|pick| *pick == wanted).count()
    }
}

fn packet(number: u16) -> Bytes {
    Bytes::copy_from_slice(&[1, (number >> 8) as u8, number as u8])
}

#[test]
fn on_a_good_road_every_packet_is_played_and_nothing_is_invented() {
    let road = Road::new().run(500, |_| Some(30.0));
    assert_eq!(road.played(), 500);
    assert_eq!(road.buffer.counters(), Counters { received: 500, concealed: 10, ..Counters::default() });
    assert_eq!(road.count(&Pick::Bridge), 10, "only after the last packet");
    assert!(road.buffer.target_and_jitter().0 < 60.0);
}

#[test]
fn packets_that_overtake_each_other_are_put_in_order() {
    let road = Road::new().run(400, |number| Some(if number % 10 == 3 { 65.0 } else { 20.0 }));
    let order: Vec<_> = road
        .heard
        .iter()
        .filter_map(|pick| match pick {
            Pick::Play(packet) => Some(packet.clone()),
            _ => None,
        })
        .collect();
    let mut sorted = order.clone();
    sorted.sort();
    assert_eq!(order, sorted);
    // One in ten is late until the delay has grown.
    assert!(road.played() > 385, "{}", road.played());
}

#[test]
fn one_lost_packet_is_recovered_from_the_next() {
    let road = Road::new().run(200, |number| (number % 20 != 7).then_some(30.0));
    assert_eq!(road.buffer.counters().lost, 10);
    assert_eq!(road.heard.iter().filter(|pick| matches!(pick, Pick::Recover { .. })).count(), 10);
    assert_eq!(road.played(), 190);
}

/// A packet of 10 ms.
fn short(number: u16) -> Bytes {
    Bytes::copy_from_slice(&[0, (number >> 8) as u8, number as u8])
}

#[test]
fn a_hole_is_as_long_as_the_packets_that_are_missing_in_it() {
    let hole = |missing: std::ops::Range<u32>| {
        let mut buffer = JitterBuffer::new();
        // Long packets until half a second, then short ones.
        let sent =
            (0..25).map(|n| (n * 960, packet(n as u16))).chain((0..50).map(|n| (24_000 + n * 480, short(n as u16))));
        for (number, (timestamp, payload)) in (0..).zip(sent) {
            if !missing.contains(&number) {
                buffer.insert(f64::from(timestamp) / 48.0, number as u16, timestamp, payload);
            }
        }
        let mut missed = Vec::new();
        for _ in 0..75 {
            match buffer.pick(2_000.0) {
                Pick::Recover { samples, .. } => missed.push(("recovered", samples)),
                Pick::Conceal { samples } => missed.push(("guessed", samples)),
                _ => {}
            }
        }
        assert_eq!(buffer.counters().lost, u64::from(missing.end - missing.start));
        missed
    };
    assert_eq!(hole(10..11), [("recovered", 960)]);
    assert_eq!(hole(40..42), [("guessed", 480), ("recovered", 480)]);
    assert_eq!(hole(24..25), [("recovered", 960)], "the last long one");
    assert_eq!(hole(25..26), [("recovered", 480)], "the first short one");
    assert_eq!(hole(24..26), [("guessed", 960), ("recovered", 480)], "one of each");
}

#[test]
fn a_short_packet_that_is_lost_is_guessed_for_as_long_as_it_lasted_while_nothing_comes() {
    let mut buffer = JitterBuffer::new();
    let mut heard = Vec::new();
    // Of a voice in short packets three in a row are lost.
    for block in 0..200_u16 {
        if !(100..103).contains(&block) {
            buffer.insert(f64::from(block) * 10.0, block, u32::from(block) * 480, short(block));
        }
        heard.push(buffer.pick(f64::from(block) * 10.0 + 3.0));
    }
    let counters = buffer.counters();
    assert_eq!((counters.lost, counters.late), (3, 0));
    let played = heard.iter().filter(|pick| matches!(pick, Pick::Play(_))).count();
    assert!((190..=195).contains(&played), "{played}: voice waits no longer than before");
}

#[test]
fn voice_beyond_a_second_is_dropped_in_short_packets_too() {
    let mut buffer = JitterBuffer::new();
    (0..500_u16).for_each(|number| buffer.insert(0.0, number, u32::from(number) * 480, short(number)));
    assert_eq!(buffer.waiting.len(), WAITING);
    let mut buffer = JitterBuffer::new();
    (0..500_u16).for_each(|number| buffer.insert(0.0, number, u32::from(number) * 960, packet(number)));
    assert_eq!(buffer.waiting.len(), WAITING_SAMPLES / FRAME);
}

#[test]
fn a_longer_hole_is_guessed_for_a_tenth_of_a_second_then_silent() {
    let road = Road::new().run(200, |number| (!(100..108).contains(&number)).then_some(30.0));
    let begin = road.heard.iter().position(|pick| *pick == Pick::Bridge).unwrap();
    assert!(road.heard[begin..begin + 10].iter().all(|pick| *pick == Pick::Bridge));
    assert_eq!(road.heard[begin + 10], Pick::Nothing);
    assert_eq!(road.played(), 192);
    assert_eq!(road.buffer.counters().lost, 8);
}

#[test]
fn a_rest_is_no_loss_and_what_follows_it_is_played_in_time() {
    let mut buffer = JitterBuffer::new();
    let mut heard = Vec::new();
    // Speaks for a second, rests for two with a packet each 400 ms, speaks again.
    let frames: Vec<u32> = (0..50).chain((50..150).step_by(20)).chain(150..200).collect();
    let mut next = 0;
    for block in 0..420 {
        let now = f64::from(block) * 10.0 + 3.0;
        while next < frames.len() && f64::from(frames[next]) * 20.0 <= now {
            let payload = if (50..150).contains(&frames[next]) { Bytes::from_static(&[8]) } else { packet(7) };
            buffer.insert(f64::from(frames[next]) * 20.0, next as u16, frames[next] * 960, payload);
            next += 1;
        }
        // Frames have two halves.
        if !matches!(heard.last(), Some((_, Pick::Play(_)))) {
            heard.push((now, buffer.pick(now)));
        } else {
            heard.push((now, Pick::Nothing));
        }
    }
    let played = heard.iter().filter(|(_, pick)| matches!(pick, Pick::Play(_))).count();
    assert_eq!(played, frames.len());
    assert_eq!((buffer.counters().lost, buffer.counters().late), (0, 0));
    let rests = heard.iter().filter(|(_, pick)| *pick == Pick::Rest).count();
    assert!((180..=200).contains(&rests), "{rests}");
    assert!(!heard.iter().any(|(at, pick)| *at < 3_900.0 && *pick == Pick::Bridge));
}

#[test]
fn the_delay_grows_with_unsteady_packets_and_stays_bounded() {
    let unsteady = |number: u16| Some(f64::from(number.wrapping_mul(7_919) % 90));
    let road = Road::new().run(1_000, unsteady);
    let (target, jitter) = road.buffer.target_and_jitter();
    assert!((70.0..=130.0).contains(&target), "{target}");
    assert!((60.0..=95.0).contains(&jitter), "{jitter}");
    assert!(road.played() > 930, "{}", road.played());
    let road = Road::new().run(1_000, |number| Some(f64::from(number.wrapping_mul(7_919) % 900)));
    assert!(road.buffer.target_and_jitter().0 <= 200.0);
}

#[test]
fn time_that_a_lagging_microphone_left_out_makes_no_road_unsteady() {
    let mut buffer = JitterBuffer::new();
    for number in 0..400u16 {
        let now = f64::from(number) * 20.0;
        let left_out = if number < 200 { 0 } else { 10_080 };
        buffer.insert(now, number, u32::from(number) * 960 + left_out, packet(1));
        buffer.pick(now);
        let (target, jitter) = buffer.target_and_jitter();
        assert!(target <= 30.0 && jitter <= 10.0, "{number}: {target} {jitter}");
    }
}

#[test]
fn a_pause_of_the_road_is_survived() {
    let road = Road::new().run(400, |number| {
        Some(if (150..200).contains(&number) { 30.0 + f64::from(200 - number) * 20.0 } else { 30.0 })
    });
    assert!(road.played() > 365, "all but what still waits: {}", road.played());
    assert!(road.buffer.surplus_ms() > 100.0, "and what waits too long is known: {}", road.buffer.surplus_ms());
}

#[test]
fn a_sender_that_begins_elsewhere_is_believed_the_second_time() {
    let mut buffer = JitterBuffer::new();
    buffer.insert(0.0, 10, 0, packet(1));
    buffer.insert(20.0, 9_000, 960, packet(2));
    assert!(buffer.stream.is_some(), "one strange packet changes nothing");
    buffer.insert(40.0, 9_001, 1_920, packet(3));
    buffer.insert(60.0, 9_002, 2_880, packet(4));
    assert!(matches!(buffer.pick(200.0), Pick::Play(payload) if payload == packet(4)));
}

#[test]
fn an_empty_or_oversized_packet_is_refused() {
    let mut buffer = JitterBuffer::new();
    buffer.insert(0.0, 1, 0, Bytes::new());
    buffer.insert(0.0, 1, 0, Bytes::from(vec![0; 1_276]));
    assert_eq!(buffer.counters(), Counters { refused: 2, ..Counters::default() });
    assert_eq!(buffer.pick(1_000.0), Pick::Nothing);
}

proptest! {
    #[test]
    fn no_packets_make_it_grow_or_panic(
        packets in prop::collection::vec((0u32..200, any::<u16>(), any::<u32>(), 0usize..1_300, any::<(bool, u8)>()), 0..400)
    ) {
        let mut buffer = JitterBuffer::new();
        let (mut now, mut last) = (0.0, 0u16);
        for (wait, sequence, timestamp, length, (near, byte)) in packets {
            now += f64::from(wait);
            last = if near { last.wrapping_add(sequence % 8) } else { sequence };
            buffer.insert(now, last, timestamp, Bytes::from(vec![byte; length]));
            prop_assert!(buffer.waiting.len() <= WAITING);
            buffer.pick(now);
            prop_assert!(DELAY_MS.contains(&buffer.delay.target));
        }
    }
}
