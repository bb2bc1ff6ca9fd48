//! Changes the sample rate of a stream, for devices that do not run at 48 kHz.

/// Samples the cubic needs around a position.
const TAPS: usize = 4;

/// A streaming cubic (Hermite) resampler for one channel of voice.
#[derive(Debug)]
pub(crate) struct Resampler {
    step: f64,
    /// Where the next output lies, in input samples after `window[1]`.
    position: f64,
    window: [f32; TAPS],
    filled: usize,
}

impl Resampler {
    pub(crate) fn new(from: u32, to: u32) -> Self {
        let step = f64::from(from.max(1)) / f64::from(to.max(1));
        Self { step, position: 0.0, window: [0.0; TAPS], filled: 0 }
    }

    /// Feeds one input sample; `out` receives what falls before it.
    pub(crate) fn push(&mut self, sample: f32, mut out: impl FnMut(f32)) {
        if (self.step - 1.0).abs() < f64::EPSILON {
            return out(sample);
        }
        self.window.rotate_left(1);
        self.window[TAPS - 1] = sample;
        self.filled += 1;
        if self.filled < TAPS {
            return;
        }
        while self.position < 1.0 {
            out(self.between(self.position as f32));
            self.position += self.step;
        }
        self.position -= 1.0;
    }

    /// The curve through the window's middle two samples, at `t` from 0 to 1 between them.
    fn between(&self, t: f32) -> f32 {
        let [a, b, c, d] = self.window;
        let slope_in = (c - a) * 0.5;
        let slope_out = (d - b) * 0.5;
        let cubic = 2.0 * (b - c) + slope_in + slope_out;
        let square = 3.0 * (c - b) - 2.0 * slope_in - slope_out;
        ((cubic * t + square) * t + slope_in) * t + b
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tone(rate: u32, hz: f32, seconds: f32) -> Vec<f32> {
        let samples = (rate as f32 * seconds) as usize;
        (0..samples).map(|n| (n as f32 * hz * std::f32::consts::TAU / rate as f32).sin()).collect()
    }

    fn resample(input: &[f32], from: u32, to: u32) -> Vec<f32> {
        let mut resampler = Resampler::new(from, to);
        let mut output = Vec::new();
        input.iter().for_each(|sample| resampler.push(*sample, |value| output.push(value)));
        output
    }

    fn crossings(samples: &[f32]) -> usize {
        samples.windows(2).filter(|pair| pair[0] < 0.0 && pair[1] >= 0.0).count()
    }

    #[test]
    fn a_tone_keeps_its_pitch_and_its_length_at_any_rate() {
        for (from, to) in [(44_100, 48_000), (48_000, 44_100), (16_000, 48_000), (48_000, 48_000), (96_000, 48_000)] {
            let output = resample(&tone(from, 440.0, 1.0), from, to);
            assert!(output.len().abs_diff(to as usize) < 16, "{from} to {to}: {}", output.len());
            assert!(crossings(&output).abs_diff(440) <= 1, "{from} to {to}");
            assert!((crate::level::rms(&output) - 0.707).abs() < 0.02, "{from} to {to}");
        }
    }
}
