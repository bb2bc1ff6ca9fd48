//! The media service, as the connector asks it (`runtime://D/media`).

use call::Input;
use media::CallMedia;
use message::{Address, Code, Message, Response};
use serde::Deserialize;
use serde_json::{Value, json};

use crate::calls::{MEDIA_EVENTS_LIMIT, close, media_failure};
use crate::home::{Home, State};
use crate::objects::refusal;
use crate::preparing::offer_in;
use crate::records::{Object, Side};
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

#[derive(Deserialize)]
struct MediaRequest {
    method: String,
    params: MediaParams,
}

#[derive(Deserialize)]
struct MediaParams {
    /// The call's object, or a name the connector gave it before it had one.
    call: String,
    #[serde(default)]
    object: Option<Address>,
    #[serde(default)]
    sdp: Option<String>,
    #[serde(default)]
    candidate: Option<String>,
}

impl Home {
    /// The connector asks for media (`runtime://D/media`).
    pub(crate) fn on_media_request(&self, state: &mut State, message: Message) {
        let from_connector = state.me.as_ref().is_some_and(|me| me.record.connector == message.from);
        if !from_connector {
            self.answer(state, &message, &Response::because(Code::FORBIDDEN, "media was not granted"));
            return;
        }
        let request = match message.body.parse::<MediaRequest>() {
            Ok(request) => request,
            Err(error) => {
                self.answer(state, &message, &Response::because(Code::BAD_REQUEST, error.to_string()));
                return;
            }
        };
        let home = self.clone();
        self.rooms.tasks.start("media request", async move {
            let response = match home.media_request(request).await {
                Ok(value) => Response::ok(value),
                Err(failure) => refusal(&failure),
            };
            let mut state = home.state();
            home.answer(&mut state, &message, &response);
        });
    }

    async fn media_request(&self, request: MediaRequest) -> Outcome<Value> {
        let MediaParams { call: name, object, sdp, candidate } = request.params;
        let sdp = || sdp.clone().ok_or_else(|| Failure::new("bad-request", "no sdp"));
        match request.method.as_str() {
            "createOffer" => {
                let media = self.media_of(&name).await?;
                let offer = media.create_offer().await.map_err(media_failure)?;
                self.note_spoken(&name, |spoken| spoken.note_own(&offer));
                Ok(json!({ "sdp": offer }))
            }
            "bind" => {
                let object = object.ok_or_else(|| Failure::new("bad-request", "no object"))?;
                let mut state = self.state();
                let peer = state.store()?.read(|tx| get_object(tx, &object))?.peer;
                let call = state.calls.named(&name).ok_or_else(|| Failure::unknown("call"))?;
                if call.user != peer {
                    return Err(Failure::new("wrong-person", "this object is shared with somebody else"));
                }
                call.object = Some(object.clone());
                self.drive(&mut state, &object, Input::Invited);
                Ok(Value::Null)
            }
            "acceptOffer" => {
                let offer = sdp()?;
                self.must_be_accepted(&name)?;
                self.must_be_sealed(&name, &offer)?;
                let media = self.media_of(&name).await?;
                let answer = media.accept_offer(&offer).await.map_err(media_failure)?;
                self.note_spoken(&name, |spoken| {
                    spoken.note_own(&answer);
                    spoken.note_theirs(&offer);
                });
                Ok(json!({ "sdp": answer, "candidates": self.show_candidates(&name) }))
            }
            "acceptAnswer" => {
                self.must_be_sealed(&name, &sdp()?)?;
                self.media_of(&name).await?.accept_answer(&sdp()?).await.map_err(media_failure)?;
                let answer = sdp()?;
                let object = self.note_spoken(&name, |spoken| spoken.note_theirs(&answer));
                self.happened_to(&name, Input::AnswerReceived);
                if let Some(object) = object {
                    self.begin_spoken(&mut self.state(), &object);
                }
                Ok(Value::Null)
            }
            "addCandidate" => {
                let candidate = candidate.ok_or_else(|| Failure::new("bad-request", "no candidate"))?;
                self.media_of(&name).await?.add_candidate(&candidate).await.map_err(media_failure)?;
                Ok(Value::Null)
            }
            "restart" => self.offer_path(&name).await,
            "acceptRestart" => self.answer_path(&name, &sdp()?).await,
            "finishRestart" => self.take_path(&name, &sdp()?).await,
            "close" => {
                let media = self.state().calls.known(&name).and_then(|call| call.media.take());
                close(media).await;
                Ok(Value::Null)
            }
            _ => Err(Failure::new("bad-request", "no such method")),
        }
    }

    /// Notes what the spoken code of a call is made of; gives the call's object.
    fn note_spoken(&self, name: &str, note: impl FnOnce(&mut crate::spoken::Spoken)) -> Option<Address> {
        let mut state = self.state();
        let call = state.calls.named(name)?;
        note(&mut call.spoken);
        call.object.clone()
    }

    /// A description of the other side counts only as it stands in the sealed object: it names the
    /// certificate that media will insist on, and a guest is not believed about that.
    fn must_be_sealed(&self, name: &str, sdp: &str) -> Outcome<()> {
        self.must_be_sealed_as(name, sdp, |object| match &object.side {
            Side::Observer(_) => offer_in(object),
            Side::Reporter(_) => object.sealed_answer.as_deref(),
            // A call is made from one device; no other has a part in it.
            Side::Standby(_) => None,
        })
    }

    /// The same, saying where in the object the description has to stand.
    pub(crate) fn must_be_sealed_as(
        &self,
        name: &str,
        sdp: &str,
        sealed: impl FnOnce(&Object) -> Option<&str>,
    ) -> Outcome<()> {
        let mut state = self.state();
        let url = state.calls.known(name).and_then(|call| call.object.clone());
        let url = url.ok_or_else(|| Failure::unknown("call"))?;
        let object = state.store()?.read(|tx| get_object(tx, &url))?;
        if object.is_open() && sealed(&object) == Some(sdp) {
            Ok(())
        } else {
            Err(Failure::new("not-sealed", "this description did not come sealed from the other side"))
        }
    }

    /// The media of a call, opened with the first request for it.
    pub(crate) async fn media_of(&self, name: &str) -> Outcome<CallMedia> {
        let opening = self.state().calls.named(name).map(|call| call.preparing.opening());
        let _turn = opening.ok_or_else(|| Failure::unknown("call"))?.lock_owned().await;
        let (id, round, rings) = {
            let mut state = self.state();
            let call = state.calls.named(name).ok_or_else(|| Failure::unknown("call"))?;
            if let Some(media) = &call.media {
                return Ok(media.clone());
            }
            (call.view.call.clone(), call.round, call.rings_here())
        };
        self.renew_relays().await;
        let (sender, receiver) = tokio::sync::mpsc::channel(MEDIA_EVENTS_LIMIT);
        let engine = &self.rooms.media;
        let opened = match rings {
            true => engine.open_ringing(id.clone(), sender).await,
            false => engine.open_call(id.clone(), sender).await,
        };
        let media = opened.map_err(media_failure)?;
        let kept = {
            let mut state = self.state();
            let call = state.calls.named(name).filter(|call| call.media.is_none() && call.round == round);
            call.map(|call| {
                self.take_switches(call, &media);
                call.media = Some(media.clone());
            })
            .is_some()
        };
        if !kept {
            // The call ended while its media opened.
            media.close().await;
            return Err(Failure::unknown("call"));
        }
        let id = Address::parse(&id).map_err(|e| Failure::new("bad-address", e))?;
        self.hear_media(id, round, receiver);
        Ok(media)
    }
}
