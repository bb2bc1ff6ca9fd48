//! Tries a microphone before a call: how loud it is, and what is wrong with it.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::config::{Microphone, VoiceProcessing};
use crate::device::DeviceState;
use crate::level::Meter;
use crate::processing::Processor;
use crate::source::Source;
use crate::usage::{Held, Usage};

const TICK: Duration = Duration::from_millis(20);

/// A microphone that is listened to without a call, until it is dropped. Nothing is kept or sent.
pub struct MicrophoneCheck {
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    level: Meter,
    state: Mutex<Option<DeviceState>>,
}

impl MicrophoneCheck {
    pub(crate) fn start(microphone: Microphone, processing: VoiceProcessing, usage: &Arc<Usage>) -> Self {
        let shared = Arc::new(Shared::default());
        let (hold, usage, ours) = (usage.hold(Held::Thread), Arc::clone(usage), Arc::clone(&shared));
        let listen = move || {
            let _hold = hold;
            let mut source = Source::open(&microphone, &usage, Instant::now());
            let mut processor = Processor::new(processing);
            while !ours.stop.load(Ordering::Acquire) {
                while let Some(state) = source.news() {
                    *ours.state.lock().expect("no holder of this lock can panic") = Some(state);
                }
                while let Some(mut block) = source.block(Instant::now(), true) {
                    // As loud as a peer would hear it.
                    if source.is_device() {
                        processor.heard(&mut block);
                    }
                    ours.level.hear(&block);
                }
                std::thread::park_timeout(TICK);
            }
        };
        if std::thread::Builder::new().name("microphone check".to_owned()).spawn(listen).is_err() {
            *shared.state.lock().expect("no holder of this lock can panic") = Some(DeviceState::Broken);
        }
        Self { shared }
    }

    /// The loudest moment since this was last asked, from 0 to 1.
    pub fn level(&self) -> f32 {
        self.shared.level.read()
    }

    /// How the device is, once that is known.
    pub fn state(&self) -> Option<DeviceState> {
        self.shared.state.lock().expect("no holder of this lock can panic").clone()
    }
}

impl Drop for MicrophoneCheck {
    fn drop(&mut self) {
        // The thread ends by itself; a slow device must not hold up whoever closes the page.
        self.shared.stop.store(true, Ordering::Release);
    }
}

impl std::fmt::Debug for MicrophoneCheck {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("MicrophoneCheck").field("state", &self.state()).finish_non_exhaustive()
    }
}
