//! Voice notes: recorded by the media room, sent and played as files.

use blob::FileName;
use contract::{FileBytes, Upload, VoiceState};
use message::Address;
use zeroize::Zeroizing;

use super::Carried;
use super::look::{part_of, whole};
use super::staging::About;
use crate::comparing;
use crate::home::{Home, State};
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

/// What a voice note is: Opus in Ogg.
pub(super) const MEDIA_TYPE: &str = "audio/ogg";

/// Shorter than this was a slip of the finger.
const SHORTEST_MS: u32 = 300;

/// A voice note that is being recorded.
pub(super) struct Recording {
    chat: Address,
    recorder: media::Recorder,
}

impl Home {
    /// Question `voice.begin`.
    pub(crate) fn voice_begin(&self, chat: &Address) -> Outcome<VoiceState> {
        let mut state = self.state();
        state.store()?.read(|tx| comparing::may_send(tx, &get_object(tx, chat)?))?;
        if !state.calls.list.is_empty() {
            return Err(Failure::new("microphone-busy", "the microphone is used by a call"));
        }
        // One that was left behind is given up.
        state.files.voice = None;
        let recorder = self.rooms.media.record_note().map_err(|error| Failure::new("no-microphone", error))?;
        state.files.voice = Some(Recording { chat: chat.clone(), recorder });
        voice_state(&state)
    }

    /// Question `voice.look`.
    pub(crate) fn voice_look(&self) -> Outcome<VoiceState> {
        voice_state(&self.state())
    }

    /// Question `voice.end`.
    pub(crate) async fn voice_end(&self, send: bool, reply: Option<&str>) -> Outcome<Option<Upload>> {
        let recording = self.state().files.voice.take();
        let Some(Recording { chat, recorder }) = recording.filter(|_| send) else { return Ok(None) };
        let ended = tokio::task::spawn_blocking(move || recorder.end());
        let note = ended.await.map_err(|error| Failure::new("no-microphone", error))?;
        let note = note.filter(|note| note.duration_ms >= SHORTEST_MS);
        let note = note.ok_or_else(|| Failure::new("voice-too-short", "nothing was recorded"))?;
        let about = About {
            media: MEDIA_TYPE.to_owned(),
            duration_ms: Some(note.duration_ms),
            wave: note.wave,
            ..About::default()
        };
        let name = FileName::of("voice.ogg");
        let file = Zeroizing::new(note.file);
        Ok(Some(self.send_bytes(&chat, name, &file, about, "", reply).await?))
    }

    /// Question `voice.read`: decoded here, so that no window meets what a stranger encoded.
    pub(crate) async fn voice_read(&self, message: &str, part: u32) -> Outcome<FileBytes> {
        let attached = {
            let state = self.state();
            let Carried { attached, .. } = state.carried(message)?;
            if let Some((_, sound)) = state.files.sound.as_ref().filter(|(of, _)| of == message) {
                return part_of(sound, part);
            }
            attached
        };
        let shelf = self.shelf();
        let decoding = tokio::task::spawn_blocking(move || {
            let file = whole(&shelf, &attached.file)?;
            let sound = media::sound_of(&file).map(Zeroizing::new);
            sound.ok_or_else(|| Failure::new("voice-unreadable", "this is no voice note"))
        });
        let sound = decoding.await.map_err(|error| Failure::new("voice-unreadable", error))??;
        let answer = part_of(&sound, part);
        // The other parts are asked for next.
        self.state().files.sound = Some((message.to_owned(), sound));
        answer
    }
}

fn voice_state(state: &State) -> Outcome<VoiceState> {
    let recording = state.files.voice.as_ref().ok_or_else(|| Failure::new("no-voice", "no voice note is recorded"))?;
    let recorder = &recording.recorder;
    Ok(VoiceState { duration_ms: recorder.duration_ms(), level: recorder.level(), full: recorder.is_full() })
}
