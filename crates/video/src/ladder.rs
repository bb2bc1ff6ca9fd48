//! Chooses size and rate of our picture for what the path carries: down at once, up only after it has held.

use crate::estimate::grown;

/// One step of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Rung {
    /// Pixels in a row.
    pub width: u32,
    /// Rows.
    pub height: u32,
    /// No more pictures in a second than this.
    pub pictures: u32,
    /// Below this many bits per second a smaller picture looks better.
    pub least: u32,
    /// More bits per second show nothing more.
    pub most: u32,
}

const RUNGS: [Rung; 5] = [
    Rung { width: 320, height: 180, pictures: 60, least: 60_000, most: 250_000 },
    Rung { width: 480, height: 270, pictures: 60, least: 150_000, most: 450_000 },
    Rung { width: 640, height: 360, pictures: 60, least: 280_000, most: 900_000 },
    Rung { width: 960, height: 540, pictures: 60, least: 600_000, most: 1_600_000 },
    Rung { width: 1_280, height: 720, pictures: 60, least: 1_100_000, most: 2_500_000 },
];

/// The steps of a screen: its size in quarters, pictures in a second, and the least and the most bits per second for
/// a whole screen of [`FULL`]. Letters that are read need their size more than they need to move.
const SCREEN_RUNGS: [(u32, u32, u32, u32); 6] = [
    (2, 2, 40_000, 150_000),
    (2, 5, 90_000, 400_000),
    (3, 5, 180_000, 700_000),
    (4, 5, 300_000, 1_500_000),
    (4, 10, 700_000, 2_500_000),
    (4, 15, 1_200_000, 3_500_000),
];
/// The pixels that the rates above are for.
const FULL: u64 = 1_920 * 1_080;
/// A window with fewer pixels than this part of them needs as much, in percent.
const SMALLEST_PERCENT: u64 = 30;

/// What the voice takes, before anything else: Opus with its packets' heads.
const VOICE: u32 = 45_000;
/// The part of the estimate that is used: the rest is room for key frames, repeats and a wrong estimate.
const USED_PERCENT: u64 = 80;
/// Up only if there is this much more than the next rung's least.
const ROOM_PERCENT: u64 = 120;
/// …for so long.
const HOLD_MS: u64 = 3_000;
/// A rung that was left within this time after it was reached was too high.
const TOO_HIGH_MS: u64 = 10_000;
/// The longest that a rung is not tried again.
const LONGEST_HOLD_MS: u64 = 48_000;
/// A picture takes no more than so much more than a second ago, in thousandths: a step up would else spend at once what was never
/// tried, and everything on the path would wait for it.
const RISE: u64 = 250;
/// The picture rests below the lowest rung's least by so much, and comes back above it.
const REST_PERCENT: u64 = 70;

/// What to do with the next picture.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Setting {
    /// Encode it.
    Send {
        /// In this size.
        width: u32,
        /// In this size.
        height: u32,
        /// At this rate.
        bits_per_second: u32,
        /// No more pictures in a second than this.
        pictures: u32,
    },
    /// The path carries the voice and no picture.
    Rest,
}

/// Where our picture stands.
#[derive(Debug, Clone)]
pub struct Ladder {
    rungs: Vec<Rung>,
    rung: usize,
    highest: usize,
    resting: bool,
    /// Since when the next rung would fit.
    fits_since: Option<u64>,
    /// When this rung was reached from below.
    climbed_at: Option<u64>,
    hold_ms: u64,
    /// What the picture was given last, in bits per second, and when.
    given: Option<(u64, u32)>,
}

impl Ladder {
    /// Begins in the middle; never higher than the camera's own size.
    pub fn new(camera_width: u32, camera_height: u32) -> Self {
        let fits = |rung: &Rung| {
            rung.width <= camera_width.max(RUNGS[0].width) && rung.height <= camera_height.max(RUNGS[0].height)
        };
        let highest = RUNGS.iter().rposition(fits).unwrap_or(0);
        Self::of(RUNGS.to_vec(), highest.min(2), highest)
    }

    /// For a screen or a window of a size that is sent as it is: fewer pictures first, and a smaller one last.
    pub fn for_screen(width: u32, height: u32) -> Self {
        let share = (u64::from(width) * u64::from(height) * 100 / FULL).clamp(SMALLEST_PERCENT, 100);
        let side = |side: u32, quarters: u32| (side * quarters / 4 / 2 * 2).max(2);
        let rung = |(quarters, pictures, least, most): (u32, u32, u32, u32)| Rung {
            width: side(width, quarters),
            height: side(height, quarters),
            pictures,
            least: percent(least, share),
            most: percent(most, share),
        };
        Self::of(SCREEN_RUNGS.map(rung).to_vec(), 3, SCREEN_RUNGS.len() - 1)
    }

    fn of(rungs: Vec<Rung>, rung: usize, highest: usize) -> Self {
        Self { rungs, rung, highest, resting: false, fits_since: None, climbed_at: None, hold_ms: HOLD_MS, given: None }
    }

    /// The step it stands on.
    pub fn rung(&self) -> Rung {
        self.rungs[self.rung]
    }

    /// Says what to do, for an estimate of what the whole path carries in bits per second.
    pub fn choose(&mut self, now_ms: u64, estimate: u32) -> Setting {
        self.choose_within(now_ms, budget(estimate))
    }

    /// Says what to do with so many bits per second for this picture alone.
    pub fn choose_within(&mut self, now_ms: u64, budget: u32) -> Setting {
        let lowest = self.rungs[0].least;
        self.resting = if self.resting { budget < lowest } else { budget < percent(lowest, REST_PERCENT) };
        while self.rung > 0 && budget < self.rung().least {
            self.descend(now_ms);
        }
        self.climb(now_ms, budget);
        if self.resting {
            self.given = None;
            return Setting::Rest;
        }
        let Rung { width, height, pictures, most, .. } = self.rung();
        let bits_per_second = self.give(now_ms, budget.min(most));
        Setting::Send { width, height, bits_per_second, pictures }
    }

    /// Less at once, more as it rises.
    fn give(&mut self, now_ms: u64, wanted: u32) -> u32 {
        let risen = self.given.map_or(wanted, |(at, before)| grown(before, RISE, now_ms.saturating_sub(at)));
        let given = risen.min(wanted);
        self.given = Some((now_ms, given));
        given
    }

    fn descend(&mut self, now_ms: u64) {
        self.rung -= 1;
        self.fits_since = None;
        let too_high = self.climbed_at.take().is_some_and(|at| now_ms.saturating_sub(at) < TOO_HIGH_MS);
        if too_high {
            self.hold_ms = (self.hold_ms * 2).min(LONGEST_HOLD_MS);
        }
    }

    fn climb(&mut self, now_ms: u64, budget: u32) {
        let fits = self.rung < self.highest
            && self.rungs.get(self.rung + 1).is_some_and(|next| budget >= percent(next.least, ROOM_PERCENT));
        if !fits {
            self.fits_since = None;
            return;
        }
        let since = *self.fits_since.get_or_insert(now_ms);
        if now_ms.saturating_sub(since) < self.hold_ms {
            return;
        }
        if self.climbed_at.is_some_and(|at| now_ms.saturating_sub(at) >= TOO_HIGH_MS) {
            self.hold_ms = HOLD_MS;
        }
        self.rung += 1;
        self.climbed_at = Some(now_ms);
        self.fits_since = None;
    }
}

/// What each of our pictures may take.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shares {
    /// The camera's, in bits per second.
    pub camera: u32,
    /// The screen's.
    pub screen: u32,
}

/// What the camera may take beside a screen, in percent of what is left for both…
const CAMERA_PERCENT: u64 = 35;
/// …but this much first, so that on a narrow path a face stays and the screen becomes slow…
const CAMERA_FIRST: u32 = 130_000;
/// …and no more than this: it is shown small then.
const CAMERA_MOST: u32 = 450_000;

/// Divides what a path carries among our pictures. The voice's part is taken off before.
pub fn shares(estimate: u32, camera_is_on: bool, screen_is_on: bool) -> Shares {
    let budget = budget(estimate);
    match (camera_is_on, screen_is_on) {
        (_, false) => Shares { camera: budget, screen: 0 },
        (false, true) => Shares { camera: 0, screen: budget },
        (true, true) => {
            let camera = percent(budget, CAMERA_PERCENT).clamp(CAMERA_FIRST, CAMERA_MOST).min(budget);
            Shares { camera, screen: budget - camera }
        }
    }
}

/// What is left for pictures.
fn budget(estimate: u32) -> u32 {
    percent(estimate, USED_PERCENT).saturating_sub(VOICE)
}

fn percent(value: u32, percent: u64) -> u32 {
    u32::try_from(u64::from(value) * percent / 100).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs for so long with one estimate, looking every 100 ms; gives the last setting.
    fn run(ladder: &mut Ladder, from_s: u64, to_s: u64, estimate: u32) -> Setting {
        (from_s * 10..to_s * 10).map(|tenth| ladder.choose(tenth * 100, estimate)).last().unwrap()
    }

    fn height(setting: Setting) -> u32 {
        match setting {
            Setting::Send { height, .. } => height,
            Setting::Rest => 0,
        }
    }

    #[test]
    fn the_voice_has_its_share_before_the_picture() {
        for estimate in [50_000, 120_000, 300_000, 1_000_000, 5_000_000] {
            let setting = run(&mut Ladder::new(1_280, 720), 0, 30, estimate);
            let picture = match setting {
                Setting::Send { bits_per_second, .. } => bits_per_second,
                Setting::Rest => 0,
            };
            assert!(picture + VOICE <= estimate * 8 / 10 + VOICE * u32::from(picture == 0), "{estimate}: {setting:?}");
        }
    }

    #[test]
    fn it_steps_down_at_once_and_comes_back_after_a_while() {
        let mut ladder = Ladder::new(1_280, 720);
        assert_eq!(height(run(&mut ladder, 0, 20, 4_000_000)), 720);
        assert_eq!(height(ladder.choose(20_000, 500_000)), 360, "at once");
        assert_eq!(height(ladder.choose(20_100, 4_000_000)), 360, "not for one good look");
        assert_eq!(height(run(&mut ladder, 21, 23, 4_000_000)), 360);
        assert_eq!(height(run(&mut ladder, 23, 40, 4_000_000)), 720, "the way is free again");
    }

    #[test]
    fn an_estimate_that_swings_does_not_make_the_picture_jump() {
        let mut ladder = Ladder::new(1_280, 720);
        run(&mut ladder, 0, 20, 1_000_000);
        let settings: Vec<u32> = (200..800u64)
            .map(|tenth| height(ladder.choose(tenth * 100, if tenth / 5 % 2 == 0 { 880_000 } else { 1_150_000 })))
            .collect();
        let changes = settings.windows(2).filter(|pair| pair[0] != pair[1]).count();
        assert!(changes <= 1, "{changes} changes in a minute");
    }

    #[test]
    fn a_rung_that_was_too_high_is_tried_less_and_less() {
        let mut ladder = Ladder::new(1_280, 720);
        // Whenever it climbs to 540 rows, the path turns out to carry only 360.
        let (mut climbs, mut estimate) = (Vec::new(), 1_000_000);
        for tenth in 0..3_000u64 {
            let now = height(ladder.choose(tenth * 100, estimate));
            if now == 540 {
                climbs.push(tenth / 10);
                estimate = 600_000;
            } else {
                estimate = 1_000_000;
            }
        }
        let waits: Vec<u64> = climbs.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let grows = waits.windows(2).all(|pair| pair[1] + 1 >= pair[0]);
        assert!(grows && waits[0] <= 7 && *waits.last().unwrap() >= 40, "{waits:?}");
    }

    #[test]
    fn a_path_that_only_carries_a_voice_rests_the_picture() {
        let mut ladder = Ladder::new(1_280, 720);
        assert_eq!(ladder.choose(0, 80_000), Setting::Rest);
        assert_eq!(ladder.choose(100, 125_000), Setting::Rest, "it comes back with some room only");
        assert_eq!(height(ladder.choose(200, 140_000)), 180);
        assert_eq!(height(ladder.choose(300, 125_000)), 180, "and does not rest for a little less");
    }

    #[test]
    fn a_small_camera_is_not_blown_up() {
        assert_eq!(height(run(&mut Ladder::new(640, 360), 0, 60, 9_000_000)), 360);
        assert_eq!(height(run(&mut Ladder::new(160, 90), 0, 60, 9_000_000)), 180, "the lowest rung is always there");
    }

    fn pictures(setting: Setting) -> (u32, u32) {
        match setting {
            Setting::Send { height, pictures, .. } => (height, pictures),
            Setting::Rest => (0, 0),
        }
    }

    #[test]
    fn a_screen_becomes_slow_before_it_becomes_small() {
        let mut ladder = Ladder::for_screen(1_920, 1_080);
        assert_eq!(pictures(ladder.choose_within(0, 600_000)), (1_080, 5), "it begins slow and whole");
        let mut seen = Vec::new();
        for (second, budget) in
            [(0, 4_000_000), (60, 900_000), (70, 500_000), (80, 200_000), (90, 100_000), (100, 50_000)]
        {
            let last =
                (second * 10..second * 10 + 50).map(|tenth| ladder.choose_within(tenth * 100, budget)).last().unwrap();
            let last = if second == 0 {
                (50..400).map(|tenth| ladder.choose_within(tenth * 100, budget)).last().unwrap()
            } else {
                last
            };
            seen.push(pictures(last));
        }
        assert_eq!(seen, [(1_080, 15), (1_080, 10), (1_080, 5), (810, 5), (540, 5), (540, 2)]);
        assert_eq!(ladder.choose_within(200_000, 20_000), Setting::Rest);
    }

    #[test]
    fn a_window_of_any_size_has_even_sides_on_every_rung() {
        for (width, height) in [(2, 2), (400, 300), (1_918, 6), (402, 1_922), (1_920, 1_080)] {
            let rungs = Ladder::for_screen(width, height).rungs;
            assert!(
                rungs
                    .iter()
                    .all(|rung| rung.width % 2 == 0 && rung.height % 2 == 0 && rung.width >= 2 && rung.height >= 2)
            );
            assert!(rungs.is_sorted_by_key(|rung| rung.least), "{rungs:?}");
        }
    }

    #[test]
    fn beside_a_screen_the_camera_has_a_little_and_has_it_first() {
        assert_eq!(shares(1_000_000, true, false), Shares { camera: 755_000, screen: 0 });
        assert_eq!(shares(1_000_000, false, true), Shares { camera: 0, screen: 755_000 });
        let narrow = shares(200_000, true, true);
        assert_eq!(narrow, Shares { camera: 115_000, screen: 0 }, "a face rather than a slow page");
        let wide = shares(4_000_000, true, true);
        assert_eq!(wide.camera, CAMERA_MOST);
        for estimate in (0..6_000_000).step_by(10_000) {
            let both = shares(estimate, true, true);
            assert_eq!(both.camera + both.screen, budget(estimate), "{estimate}");
        }
    }
}
