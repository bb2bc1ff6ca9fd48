//! Measures how loud a sound is.

use std::sync::atomic::{AtomicU32, Ordering};

/// The loudest frame since the meter was last read; written by one thread, read by others.
#[derive(Debug, Default)]
pub(crate) struct Meter(AtomicU32);

impl Meter {
    pub(crate) fn hear(&self, samples: &[f32]) {
        let loudness = rms(samples).clamp(0.0, 1.0);
        // Bits of non-negative floats order like the floats themselves.
        self.0.fetch_max(loudness.to_bits(), Ordering::Relaxed);
    }

    pub(crate) fn read(&self) -> f32 {
        f32::from_bits(self.0.swap(0, Ordering::Relaxed))
    }
}

pub(crate) fn rms(samples: &[f32]) -> f32 {
    if samples.is_empty() {
        return 0.0;
    }
    let sum: f32 = samples.iter().map(|sample| sample * sample).sum();
    let rms = (sum / samples.len() as f32).sqrt();
    if rms.is_finite() { rms } else { 0.0 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_meter_keeps_the_loudest_and_begins_again() {
        let meter = Meter::default();
        meter.hear(&[0.5; 100]);
        meter.hear(&[0.1; 100]);
        assert!((meter.read() - 0.5).abs() < 1e-3);
        assert_eq!(meter.read(), 0.0);
        meter.hear(&[f32::NAN; 4]);
        assert_eq!(meter.read(), 0.0);
    }
}
