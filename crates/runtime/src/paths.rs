//! Another path for a call that lost its own: the search that the media of both sides make, with descriptions
//! that came sealed, while the call goes on.

use media::{CallMedia, MediaError};
use serde_json::{Value, json};

use crate::home::{Home, now_u64};
use crate::records::{Object, Side};
use crate::trouble::{Failure, Outcome};

impl Home {
    /// Who called makes an offer for another path.
    pub(crate) async fn offer_path(&self, name: &str) -> Outcome<Value> {
        let sdp = self.media_to_move(name)?.restart().await.map_err(move_failure)?;
        Ok(json!({ "sdp": sdp }))
    }

    /// Who was called answers one.
    pub(crate) async fn answer_path(&self, name: &str, offer: &str) -> Outcome<Value> {
        self.must_be_sealed_path(name, offer)?;
        let sdp = self.media_to_move(name)?.accept_offer(offer).await.map_err(move_failure)?;
        Ok(json!({ "sdp": sdp }))
    }

    /// Who called reads the answer.
    pub(crate) async fn take_path(&self, name: &str, answer: &str) -> Outcome<Value> {
        self.must_be_sealed_path(name, answer)?;
        let media = self.open_media(name)?;
        media.accept_answer(answer).await.map_err(move_failure)?;
        Ok(Value::Null)
    }

    /// The media of a call that people speak in, unless it searches without end.
    fn media_to_move(&self, name: &str) -> Outcome<CallMedia> {
        let mut state = self.state();
        let call = state.calls.known(name).ok_or_else(|| Failure::unknown("call"))?;
        if !call.searches.may_begin(now_u64()) {
            return Err(Failure::new("searching-too-often", "this call looks for paths too often"));
        }
        call.media.clone().ok_or_else(|| Failure::unknown("call"))
    }

    fn open_media(&self, name: &str) -> Outcome<CallMedia> {
        let mut state = self.state();
        let media = state.calls.known(name).and_then(|call| call.media.clone());
        media.ok_or_else(|| Failure::unknown("call"))
    }

    /// As with the first descriptions: a guest is not believed about where the media go.
    fn must_be_sealed_path(&self, name: &str, sdp: &str) -> Outcome<()> {
        self.must_be_sealed_as(name, sdp, |object| object.sealed_path.as_deref())
    }
}

/// What the other side says about another path; only one side offers and only the other answers.
pub(crate) fn note_sealed_path(object: &mut Object, value: &Value) {
    let word = match object.side {
        Side::Observer(_) => "restart",
        Side::Reporter(_) => "restarted",
        Side::Standby(_) => return,
    };
    if value.get("type").and_then(Value::as_str) == Some(word) {
        object.sealed_path = value.get("sdp").and_then(Value::as_str).map(str::to_owned);
    }
}

fn move_failure(error: MediaError) -> Failure {
    let code = match error {
        MediaError::OtherCertificate => "other-certificate",
        MediaError::NotANewPath | MediaError::Description(_) => "bad-description",
        _ => "media-failed",
    };
    Failure::new(code, error)
}
