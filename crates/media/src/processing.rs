//! Cleans our voice before it is sent: echo, noise and level.
//!
//! The only file that knows the library that does it (a port of WebRTC's audio processing).
//! It hears what the speaker plays and what the microphone hears, 10 ms at a time, and finds
//! out by itself how much later the one comes back in the other.

use sonora::config::{
    AdaptiveDigital, EchoCanceller, GainController2, HighPassFilter, MaxProcessingRate, NoiseSuppression,
    NoiseSuppressionLevel, Pipeline,
};
use sonora::{AudioProcessing, Config, StreamConfig};

use crate::config::VoiceProcessing;
use crate::{BLOCK, SAMPLE_RATE};

/// The most a quiet voice is raised. The library's 50 dB would make a distant television a speaker.
const MOST_GAIN_DB: f32 = 30.0;
/// Where the gain begins, before anybody has spoken.
const FIRST_GAIN_DB: f32 = 6.0;

/// Cleans one microphone.
pub(crate) struct Processor {
    library: Option<Box<AudioProcessing>>,
    wanted: VoiceProcessing,
}

impl Processor {
    pub(crate) fn new(wanted: VoiceProcessing) -> Self {
        let library = (wanted != VoiceProcessing::OFF).then(|| {
            let mono = StreamConfig::new(SAMPLE_RATE, 1);
            Box::new(AudioProcessing::builder().config(config(wanted)).capture_config(mono).render_config(mono).build())
        });
        Self { library, wanted }
    }

    /// Switches parts on or off; what was learned of the room is kept where it can be.
    pub(crate) fn set(&mut self, wanted: VoiceProcessing) {
        if wanted == self.wanted {
            return;
        }
        match &mut self.library {
            Some(library) if wanted != VoiceProcessing::OFF => {
                library.apply_config(config(wanted));
                self.wanted = wanted;
            }
            _ => *self = Self::new(wanted),
        }
    }

    /// Another microphone or speaker: the room is not known any more.
    pub(crate) fn begin_again(&mut self) {
        *self = Self::new(self.wanted);
    }

    /// What the speaker is about to play.
    pub(crate) fn played(&mut self, block: &[f32; BLOCK]) {
        if let Some(library) = &mut self.library {
            let mut unused = [0.0; BLOCK];
            let _ = library.process_render_f32(&[&finite(block)], &mut [&mut unused]);
        }
    }

    /// What the microphone heard; cleaned.
    pub(crate) fn heard(&mut self, block: &mut [f32; BLOCK]) {
        let Some(library) = &mut self.library else { return };
        let dirty = finite(block);
        let cleaned = library.process_capture_f32(&[&dirty], &mut [block]);
        if cleaned.is_err() || block.iter().any(|value| !value.is_finite()) {
            *block = dirty;
        }
    }
}

/// A device that gives what is no number would spoil all that was learned.
fn finite(block: &[f32; BLOCK]) -> [f32; BLOCK] {
    block.map(|value| if value.is_finite() { value.clamp(-1.0, 1.0) } else { 0.0 })
}

fn config(wanted: VoiceProcessing) -> Config {
    let noise = NoiseSuppression { level: NoiseSuppressionLevel::High, ..Default::default() };
    let gain = AdaptiveDigital { max_gain_db: MOST_GAIN_DB, initial_gain_db: FIRST_GAIN_DB, ..Default::default() };
    Config {
        // The default of 32 kHz would cut the voice at 16 kHz.
        pipeline: Pipeline { maximum_internal_processing_rate: MaxProcessingRate::Rate48kHz, ..Default::default() },
        high_pass_filter: Some(HighPassFilter::default()),
        echo_canceller: wanted.echo_cancellation.then(EchoCanceller::default),
        noise_suppression: wanted.noise_suppression.then_some(noise),
        gain_controller2: wanted
            .gain_control
            .then(|| GainController2 { adaptive_digital: Some(gain), ..Default::default() }),
        ..Default::default()
    }
}

#[cfg(test)]
#[path = "processing_tests.rs"]
mod tests;
