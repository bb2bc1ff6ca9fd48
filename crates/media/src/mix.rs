//! Mixes the voices of all who speak into what one speaker plays, never louder than a device can be.
//!
//! One voice passes as it is. Of several, the sum is turned down at once where it would be cut off, and
//! comes back slowly, so that two who laugh at the same time are loud and not torn.

use crate::BLOCK;

/// The loudest sample that leaves the mix of several.
const CEILING: f32 = 0.97;
/// How fast it is turned down: within 0.7 ms, so that it does not click.
const ATTACK: usize = 32;
/// How much of the whole comes back in a block of 10 ms: all of it within 200 ms.
const RELEASE: f32 = 0.05;

/// The mix of one speaker; remembers how far it is turned down.
#[derive(Debug)]
pub(crate) struct Mixer {
    gain: f32,
    sum: [f32; BLOCK],
    voices: usize,
}

impl Default for Mixer {
    fn default() -> Self {
        Self { gain: 1.0, sum: [0.0; BLOCK], voices: 0 }
    }
}

impl Mixer {
    /// Adds a voice to the block that is being mixed. What is no number is silence.
    pub(crate) fn add(&mut self, voice: &[f32; BLOCK]) {
        for (sum, sample) in self.sum.iter_mut().zip(voice) {
            *sum += if sample.is_finite() { *sample } else { 0.0 };
        }
        self.voices += 1;
    }

    /// The block of all that was added since the last one.
    pub(crate) fn take(&mut self) -> [f32; BLOCK] {
        let mut block = std::mem::replace(&mut self.sum, [0.0; BLOCK]);
        let alone = std::mem::take(&mut self.voices) <= 1;
        if alone && self.gain >= 1.0 {
            return block;
        }
        let peak = block.iter().fold(0.0_f32, |peak, sample| peak.max(sample.abs()));
        let fits = if peak > CEILING { CEILING / peak } else { 1.0 };
        let (from, to, over) = if fits < self.gain {
            (self.gain, fits, ATTACK)
        } else {
            (self.gain, fits.min(self.gain + RELEASE), BLOCK)
        };
        for (idx, sample) in block.iter_mut().enumerate() {
            let weight = (idx as f32 / over as f32).min(1.0);
            // What is loud before the mix is turned down is cut for less than a millisecond.
            *sample = (*sample * (from + (to - from) * weight)).clamp(-CEILING, CEILING);
        }
        self.gain = to;
        block
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(hertz: f32, loud: f32, block: usize) -> [f32; BLOCK] {
        std::array::from_fn(|idx| {
            let at = (block * BLOCK + idx) as f32 / crate::SAMPLE_RATE as f32;
            (at * hertz * std::f32::consts::TAU).sin() * loud
        })
    }

    #[test]
    fn one_voice_is_not_touched() {
        let mut mixer = Mixer::default();
        for block in 0..20 {
            let voice = tone(440.0, 1.0, block);
            mixer.add(&voice);
            assert_eq!(mixer.take(), voice);
        }
    }

    #[test]
    fn five_who_shout_at_once_are_never_cut_off_by_the_device() {
        let mut mixer = Mixer::default();
        let voices = [310.0, 440.0, 700.0, 950.0, 1_210.0];
        let mut cut = 0;
        for block in 0..100 {
            voices.iter().for_each(|hertz| mixer.add(&tone(*hertz, 0.9, block)));
            let mixed = mixer.take();
            assert!(mixed.iter().all(|sample| sample.abs() <= CEILING));
            cut += usize::from(mixed.iter().filter(|sample| sample.abs() >= CEILING).count() > ATTACK);
        }
        assert_eq!(cut, 0, "it is turned down, not cut");
    }

    #[test]
    fn quiet_voices_are_simply_added() {
        let mut mixer = Mixer::default();
        let (one, other) = (tone(440.0, 0.3, 0), tone(700.0, 0.3, 0));
        mixer.add(&one);
        mixer.add(&other);
        let mixed = mixer.take();
        assert!(mixed.iter().zip(one.iter().zip(&other)).all(|(sum, (a, b))| (sum - a - b).abs() < 1e-6));
    }

    #[test]
    fn after_a_loud_moment_a_voice_is_as_loud_as_before_within_a_quarter_of_a_second() {
        let mut mixer = Mixer::default();
        for block in 0..5 {
            (0..4).for_each(|_| mixer.add(&tone(440.0, 0.9, block)));
            mixer.take();
        }
        for block in 5..30 {
            mixer.add(&tone(440.0, 0.5, block));
            mixer.take();
        }
        let voice = tone(440.0, 0.5, 30);
        mixer.add(&voice);
        assert_eq!(mixer.take(), voice);
    }

    #[test]
    fn nobody_is_silence_and_what_is_no_number_spoils_nothing() {
        let mut mixer = Mixer::default();
        assert_eq!(mixer.take(), [0.0; BLOCK]);
        mixer.add(&[f32::NAN; BLOCK]);
        mixer.add(&[f32::INFINITY; BLOCK]);
        assert_eq!(mixer.take(), [0.0; BLOCK]);
    }
}
