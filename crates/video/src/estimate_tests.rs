//! The estimate by itself, and in a loop with the ladder over a road that is narrow for a while.

use std::collections::VecDeque;

use super::*;
use crate::arrivals::{Arrivals, Passed};
use crate::ladder::{Ladder, Setting};

fn arrived(acknowledged: u32, queue_ms: u32, lost_permille: u32) -> Observation {
    let arrived = Arrived { acknowledged, queue_ms, lost_permille: Some(lost_permille) };
    Observation { arrived: Some(arrived), ..Observation::default() }
}

#[test]
fn a_path_is_not_believed_to_carry_what_was_never_sent() {
    let mut estimate = Estimate::default();
    for tenth in 0..300 {
        estimate.observe(tenth * 100, arrived(300_000, 0, 0));
    }
    assert_eq!(estimate.now(), BEGIN);
    for tenth in 300..600 {
        estimate.observe(tenth * 100, arrived(800_000, 0, 0));
    }
    assert_eq!(estimate.now(), 1_504_000);
    assert_eq!(estimate.observe(60_000, arrived(100_000, 0, 0)), 1_504_000, "a still picture takes nothing back");
}

#[test]
fn a_queue_that_stands_leads_down_to_what_gets_through() {
    let mut estimate = Estimate::default();
    assert_eq!(estimate.observe(0, arrived(290_000, 90, 0)), 246_500);
    assert_eq!(estimate.observe(300, arrived(290_000, 90, 0)), 246_500, "what is under way must pass first");
    assert_eq!(estimate.observe(400, arrived(250_000, 50, 0)), 246_500, "nor does it grow while some still queue");
    assert!(estimate.observe(900, arrived(250_000, 250, 0)) < 180_000, "a very long one leads further down");
}

#[test]
fn near_the_old_limit_it_grows_slowly_until_the_path_proves_wider() {
    let mut estimate = Estimate::default();
    estimate.observe(0, arrived(300_000, 90, 0));
    let after = |estimate: &mut Estimate, from: u64, to: u64, acknowledged| {
        (from * 10..to * 10).map(|tenth| estimate.observe(tenth * 100, arrived(acknowledged, 0, 0))).last().unwrap()
    };
    let slow = after(&mut estimate, 1, 6, 250_000);
    assert!((255_000..330_000).contains(&slow), "{slow}");
    let quick = after(&mut estimate, 6, 11, 500_000);
    assert!(quick > 700_000, "{quick}");
}

#[test]
fn much_loss_takes_something_now_and_then_and_little_loss_nothing() {
    let mut estimate = Estimate::default();
    let mut lose = |at, lost| estimate.observe(at, Observation { lost_permille: Some(lost), ..Observation::default() });
    assert_eq!(lose(0, 50), BEGIN);
    assert_eq!(lose(100, 200), BEGIN * 9 / 10);
    assert_eq!(lose(200, 200), BEGIN * 9 / 10, "the same report is not counted twice");
    assert_eq!(lose(1_200, 200), BEGIN * 81 / 100);
    for second in 2..60 {
        lose(second * 1_000, 1_000);
    }
    assert_eq!(lose(70_000, 50), LEAST);
}

#[test]
fn losses_at_random_do_not_take_the_picture_away() {
    let mut estimate = Estimate::default();
    for tenth in 0..600 {
        estimate.observe(tenth * 100, arrived(900_000, 0, 60));
    }
    assert!(estimate.now() > 1_300_000, "{}", estimate.now());
}

#[test]
fn a_peer_that_tells_nothing_of_each_packet_is_believed_by_its_round_trip() {
    let mut estimate = Estimate::default();
    let mut after = |at, round_trip| {
        estimate.observe(at, Observation { round_trip_ms: Some(round_trip), ..Observation::default() })
    };
    assert_eq!(after(0, 120), BEGIN);
    assert_eq!(after(1_000, 360), BEGIN);
    assert_eq!(after(2_000, 380), BEGIN * 85 / 100);
    let least = Observation { lost_permille: Some(0), ..Observation::default() };
    for second in 3..60 {
        estimate.observe(second * 1_000, least);
    }
    assert!(estimate.now() > 2 * BEGIN, "and is sent a little more with each good report");
}

#[test]
fn where_nothing_gets_through_nearly_nothing_is_sent() {
    let mut estimate = Estimate::default();
    for second in 0..5 {
        estimate.observe(second * 1_000, Observation { silent_ms: Some(2_000), ..Observation::default() });
    }
    assert_eq!(estimate.now(), LEAST);
    for tenth in 50..150 {
        estimate.observe(tenth * 100, arrived(2_000, 0, 0));
    }
    assert_eq!(estimate.now(), TRIED_ALWAYS, "a small picture is tried again");
}

/// A road with a rate, a queue of 300 ms and 20 ms each way; reports come each 100 ms.
struct Road {
    bits_per_second: u64,
    free_us: u64,
    reports: VecDeque<(u64, Passed)>,
    longest_wait_ms: u64,
    lost: u64,
}

impl Road {
    fn send(&mut self, now_us: u64, bytes: u32) {
        let begins = self.free_us.max(now_us);
        let fits = begins - now_us <= 300_000;
        let out = begins + u64::from(bytes + 48) * 8_000_000 / self.bits_per_second;
        if fits {
            self.free_us = out;
            self.longest_wait_ms = self.longest_wait_ms.max((out - now_us) / 1_000);
        }
        self.lost += u64::from(!fits);
        let arrived_us = fits.then_some(out + 20_000);
        let told_us = (out + 20_000).next_multiple_of(100_000) + 20_000;
        self.reports.push_back((told_us, Passed { left_us: now_us, arrived_us, bytes }));
    }
}

/// Runs so long over a road; gives the heights of each second.
fn drive(road: &mut Road, loop_: &mut (Arrivals, Estimate, Ladder, f64), from_s: u64, to_s: u64) -> Vec<u32> {
    drive_thriftily(road, loop_, from_s, to_s, 1.0)
}

/// The same with an encoder that spends this part of what it may.
fn drive_thriftily(
    road: &mut Road,
    loop_: &mut (Arrivals, Estimate, Ladder, f64),
    from_s: u64,
    to_s: u64,
    spends: f64,
) -> Vec<u32> {
    let (arrivals, estimate, ladder, owed) = loop_;
    let (mut rate, mut heights, mut height) = (0, Vec::new(), 0);
    for ms in from_s * 1_000..to_s * 1_000 {
        if ms % 20 == 0 {
            road.send(ms * 1_000, 110);
        }
        while road.reports.front().is_some_and(|(told, _)| *told <= ms * 1_000) {
            let (_, passed) = road.reports.pop_front().unwrap();
            arrivals.push(ms, passed);
        }
        if ms % 100 == 0 {
            let seen = Observation { arrived: arrivals.look(ms), ..Observation::default() };
            (rate, height) = match ladder.choose(ms, estimate.observe(ms, seen)) {
                Setting::Send { bits_per_second, height, .. } => (bits_per_second, height),
                Setting::Rest => (0, 0),
            };
        }
        // Packets leave as they are due.
        *owed += f64::from(rate) * spends / 8_000.0;
        while *owed >= 1_100.0 {
            *owed -= 1_148.0;
            road.send(ms * 1_000, 1_100);
        }
        if ms % 1_000 == 999 {
            heights.push(height);
        }
    }
    heights
}

#[test]
fn on_a_road_that_is_narrow_for_a_while_the_picture_becomes_small_and_comes_back() {
    let mut road =
        Road { bits_per_second: 4_000_000, free_us: 0, reports: VecDeque::new(), longest_wait_ms: 0, lost: 0 };
    let mut parts = (Arrivals::default(), Estimate::default(), Ladder::new(1_280, 720), 0.0);
    let wide = drive(&mut road, &mut parts, 0, 30);
    assert_eq!(*wide.last().unwrap(), 720, "{wide:?}");
    road.bits_per_second = 300_000;
    let stepping = drive(&mut road, &mut parts, 30, 34);
    assert!(*stepping.last().unwrap() <= 270, "{stepping:?}");
    // Whoever speaks is not kept waiting once the picture has given way.
    (road.longest_wait_ms, road.lost) = (0, 0);
    let narrow = drive(&mut road, &mut parts, 34, 94);
    assert!(narrow.iter().all(|height| (180..=270).contains(height)), "{narrow:?}");
    assert!(road.longest_wait_ms < 160 && road.lost == 0, "{} ms, {} lost", road.longest_wait_ms, road.lost);
    road.bits_per_second = 4_000_000;
    let wider = drive(&mut road, &mut parts, 94, 134);
    let back = wider.iter().position(|height| *height >= 360);
    assert!(back.is_some_and(|seconds| seconds <= 15), "{wider:?}");
    assert_eq!(*wider.last().unwrap(), 720, "{wider:?}");
}

#[test]
fn an_encoder_that_spends_less_than_it_may_comes_to_the_large_picture_all_the_same() {
    let mut road =
        Road { bits_per_second: 8_000_000, free_us: 0, reports: VecDeque::new(), longest_wait_ms: 0, lost: 0 };
    let mut parts = (Arrivals::default(), Estimate::default(), Ladder::new(1_280, 720), 0.0);
    let heights = drive_thriftily(&mut road, &mut parts, 0, 60, 0.75);
    assert_eq!(*heights.last().unwrap(), 720, "{heights:?}");
}

#[test]
fn on_a_road_that_is_narrow_from_the_first_word_on_the_voice_hardly_waits_for_the_picture() {
    let waits = |bits_per_second| {
        let mut road = Road { bits_per_second, free_us: 0, reports: VecDeque::new(), longest_wait_ms: 0, lost: 0 };
        let mut parts = (Arrivals::default(), Estimate::default(), Ladder::new(1_280, 720), 0.0);
        let waits: Vec<u64> = (0..40)
            .map(|second| {
                road.longest_wait_ms = 0;
                drive(&mut road, &mut parts, second, second + 1);
                road.longest_wait_ms
            })
            .collect();
        (waits, road.lost)
    };
    let all = [700_000, 1_000_000, 1_400_000, 2_000_000].map(waits);
    assert!(all.iter().all(|(waits, lost)| waits.iter().all(|wait| *wait < 190) && *lost == 0), "ms and lost: {all:?}");
}
