//! Which sound devices and which camera are used, what is done to the voice, and trying both before a call.

use std::time::Duration;

use contract::{CallFigures, News, SoundChoice, SoundDevice, SoundTest, SoundView, TriedDevice, VoiceSwitches};
use media::{
    DeviceChoice, DeviceChoices, DeviceInfo, DeviceState, Direction, MicrophoneCheck, TonePlayer, VoiceProcessing,
};
use message::Address;
use serde::{Deserialize, Serialize};

use crate::calls::percent;
use crate::home::{Home, State};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// Where it is kept.
const SOUND: &str = "sound";

/// Longest id of a device that is taken from a shell.
const ID_BYTES: usize = 512;

/// How often one is told how loud the microphone is.
const TOLD_EVERY: Duration = Duration::from_millis(100);

/// A device is tried for so long at most: a page that went away must not keep a microphone open.
const TRIED_FOR: Duration = Duration::from_secs(120);

/// What somebody wants of the sound.
#[derive(Clone, Default, Serialize, Deserialize)]
#[serde(default)]
struct Wishes {
    choices: DeviceChoices,
    processing: VoiceProcessing,
    /// A camera by its id; what the system chooses if there is none.
    camera: Option<String>,
}

/// What is being tried.
#[derive(Default)]
pub(crate) struct Tried {
    microphone: Option<MicrophoneCheck>,
    speaker: Option<TonePlayer>,
    /// Counts the trials; what tells of an earlier one stops.
    round: u64,
}

impl Home {
    /// Question `sound.get`.
    pub(crate) async fn sound_get(&self) -> Outcome<SoundView> {
        let present = self.rooms.media.devices().await;
        self.sound_view(&present).await
    }

    async fn sound_view(&self, present: &[DeviceInfo]) -> Outcome<SoundView> {
        let cameras = self.rooms.media.cameras().await;
        let cameras: Vec<SoundDevice> = cameras
            .into_iter()
            .enumerate()
            .map(|(at, camera)| SoundDevice { id: camera.id, name: camera.name, default: at == 0 })
            .collect();
        let wishes = self.sound_wishes()?;
        let choice = wishes.choices.recall(present);
        let all = |direction| {
            let these = present.iter().filter(|device| device.direction == direction).cloned();
            these.map(|device| SoundDevice { id: device.id, name: device.name, default: device.default }).collect()
        };
        Ok(SoundView {
            microphones: all(Direction::Input),
            speakers: all(Direction::Output),
            choice: SoundChoice {
                microphone: choice.microphone,
                speaker: choice.speaker,
                ring: choice.ring,
                camera: wishes.camera.filter(|id| cameras.iter().any(|camera| camera.id == *id)),
            },
            cameras,
            switches: VoiceSwitches {
                echo_cancellation: wishes.processing.echo_cancellation,
                noise_suppression: wishes.processing.noise_suppression,
                gain_control: wishes.processing.gain_control,
            },
            fixed: self.sound_is_fixed(),
            camera_fixed: self.rooms.config.audio.camera != media::CameraChoice::Default,
        })
    }

    /// Question `sound.choose`.
    pub(crate) async fn sound_choose(&self, choice: SoundChoice) -> Outcome<SoundView> {
        let SoundChoice { microphone, speaker, ring, camera } = choice;
        let choice = DeviceChoice { microphone, speaker, ring };
        let present = self.rooms.media.devices().await;
        for (id, direction) in [
            (&choice.microphone, Direction::Input),
            (&choice.speaker, Direction::Output),
            (&choice.ring, Direction::Output),
        ] {
            let Some(id) = id else { continue };
            let there = present.iter().any(|device| device.id == *id && device.direction == direction);
            if id.len() > ID_BYTES || !there {
                return Err(Failure::new("no-such-device", "this device is not there any more"));
            }
        }
        let there = self.rooms.media.cameras().await;
        if camera.as_ref().is_some_and(|id| id.len() > ID_BYTES || !there.iter().any(|camera| camera.id == *id)) {
            return Err(Failure::new("no-such-device", "this camera is not there any more"));
        }
        let another = self.sound_wishes()?.camera != camera;
        self.change_sound(|wishes| {
            wishes.choices.remember(&present, choice.clone());
            wishes.camera = camera;
        })?;
        self.use_sound_of(&present);
        if another {
            self.change_cameras();
        }
        if !self.sound_is_fixed() {
            let mut state = self.state();
            for media in state.calls.media() {
                media.set_microphone(choice.microphone());
                media.set_speaker(choice.speaker());
            }
            self.try_again(&mut state);
        }
        self.sound_view(&present).await
    }

    /// Question `sound.switch`.
    pub(crate) async fn sound_switch(&self, switches: VoiceSwitches) -> Outcome<SoundView> {
        let processing = VoiceProcessing {
            echo_cancellation: switches.echo_cancellation,
            noise_suppression: switches.noise_suppression,
            gain_control: switches.gain_control,
        };
        self.change_sound(|wishes| wishes.processing = processing)?;
        let present = self.rooms.media.devices().await;
        self.use_sound_of(&present);
        let used = self.rooms.media.config().processing;
        {
            let mut state = self.state();
            state.calls.media().for_each(|media| media.set_processing(used));
            self.try_again(&mut state);
        }
        self.sound_view(&present).await
    }

    /// Uses what was chosen for the devices that are there, from the next call on.
    pub(crate) async fn use_sound(&self) {
        let present = self.rooms.media.devices().await;
        self.use_sound_of(&present);
    }

    fn use_sound_of(&self, present: &[DeviceInfo]) {
        let Ok(wishes) = self.sound_wishes() else { return };
        let given = &self.rooms.config.audio;
        let choice = wishes.choices.recall(present);
        let mut config = self.rooms.media.config();
        (config.microphone, config.speaker, config.ring) = (choice.microphone(), choice.speaker(), Some(choice.ring()));
        // What the app was started with is what somebody wants of this very start.
        if given.microphone != media::Microphone::Default {
            config.microphone = given.microphone.clone();
        }
        if given.speaker != media::Speaker::Default {
            config.speaker = given.speaker.clone();
            config.ring = given.ring.clone();
        }
        if given.ring.is_some() {
            config.ring = given.ring.clone();
        }
        config.camera = match (&given.camera, wishes.camera) {
            (media::CameraChoice::Default, Some(id)) => media::CameraChoice::Device(id),
            (given, _) => given.clone(),
        };
        config.processing = match given.processing {
            all if all == VoiceProcessing::default() => wishes.processing,
            some => some,
        };
        self.rooms.media.set_config(config);
    }

    /// The same while something else goes on: asking for the devices takes a moment.
    pub(crate) fn use_sound_soon(&self) {
        let home = self.clone();
        self.rooms.tasks.start("sound devices", async move { home.use_sound().await });
    }

    /// Question `sound.test`.
    pub(crate) fn sound_test(&self, microphone: bool, speaker: bool) -> Outcome<()> {
        let mut state = self.state();
        state.store()?;
        self.try_devices(&mut state, microphone, speaker);
        Ok(())
    }

    /// Question `call.figures`.
    pub(crate) fn call_figures(&self, url: &Address) -> Outcome<CallFigures> {
        let mut state = self.state();
        let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
        let media = call.media.as_ref().ok_or_else(|| Failure::new("not-ready", "the call has no media yet"))?;
        let stats = media.stats();
        Ok(CallFigures {
            delay_ms: stats.delay_ms,
            jitter_ms: stats.jitter_ms,
            round_trip_ms: stats.round_trip_ms,
            loss_percent: stats.loss_percent(),
            first_audio_ms: stats.first_audio_ms.and_then(|ms| u32::try_from(ms).ok()),
        })
    }

    /// Ends whatever is tried, as when the app is locked.
    pub(crate) fn end_sound_test(&self, state: &mut State) {
        self.try_devices(state, false, false);
    }

    fn try_again(&self, state: &mut State) {
        let (microphone, speaker) = (state.tried.microphone.is_some(), state.tried.speaker.is_some());
        if microphone || speaker {
            self.try_devices(state, microphone, speaker);
        }
    }

    fn try_devices(&self, state: &mut State, microphone: bool, speaker: bool) {
        let (media, config) = (&self.rooms.media, self.rooms.media.config());
        // The old ones close before the same devices are opened again.
        let round = state.tried.round + 1;
        state.tried = Tried { round, ..Tried::default() };
        state.tried.microphone = microphone.then(|| media.test_microphone(config.microphone));
        state.tried.speaker = speaker.then(|| media.test_speaker(&config.speaker));
        if !microphone && !speaker {
            return;
        }
        let home = self.clone();
        self.rooms.tasks.start("sound test", async move {
            let until = tokio::time::Instant::now() + TRIED_FOR;
            loop {
                tokio::time::sleep(TOLD_EVERY).await;
                let mut state = home.state();
                if state.tried.round != round {
                    return;
                }
                if tokio::time::Instant::now() >= until {
                    state.tried = Tried { round, ..Tried::default() };
                    home.tell(News::Sound(SoundTest::default()));
                    return;
                }
                let heard = state.tried.told();
                drop(state);
                home.tell(News::Sound(heard));
            }
        });
    }

    fn sound_is_fixed(&self) -> bool {
        let given = &self.rooms.config.audio;
        given.microphone != media::Microphone::Default || given.speaker != media::Speaker::Default
    }

    fn sound_wishes(&self) -> Outcome<Wishes> {
        let state = self.state();
        let kept: Option<Wishes> = state.store()?.read(|tx| tx.get(kind::SETTINGS, SOUND)).map_err(Failure::store)?;
        Ok(kept.unwrap_or_default())
    }

    fn change_sound(&self, change: impl FnOnce(&mut Wishes)) -> Outcome<()> {
        let state = self.state();
        state.store()?.write(|tx| {
            let mut wishes: Wishes = tx.get(kind::SETTINGS, SOUND).map_err(Failure::store)?.unwrap_or_default();
            change(&mut wishes);
            tx.put(kind::SETTINGS, SOUND, &wishes).map_err(Failure::store)
        })
    }
}

impl Tried {
    fn told(&self) -> SoundTest {
        SoundTest {
            microphone: self.microphone.as_ref().map(|check| tried(check.state())),
            speaker: self.speaker.as_ref().map(|player| tried(player.state())),
            level: self.microphone.as_ref().map_or(0, |check| percent(check.level())),
        }
    }
}

fn tried(state: Option<DeviceState>) -> TriedDevice {
    let (state, name) = match state {
        None => ("opening", None),
        Some(DeviceState::Working { name, instead: false }) => ("working", Some(name)),
        Some(DeviceState::Working { name, instead: true }) => ("instead", Some(name)),
        Some(DeviceState::Missing) => ("missing", None),
        Some(DeviceState::InUse) => ("in-use", None),
        Some(DeviceState::NotPermitted) => ("not-permitted", None),
        Some(DeviceState::Lost) => ("lost", None),
        Some(DeviceState::Broken) => ("broken", None),
        Some(DeviceState::Unreadable) => ("unreadable", None),
    };
    TriedDevice { state: state.to_owned(), name }
}
