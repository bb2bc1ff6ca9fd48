//! The code that two people read to each other in a call: the same on both sides, or somebody sits between.
//!
//! The core makes it, without a guest. Who called promises a number, who answered shows one, and only then is
//! the promised one revealed, so that nobody chooses theirs after they saw the other's. Of several devices that
//! ring, only the one that answered takes part.

use call::{Input, Sdp};
use contract::{News, SpokenCode};
use identity::{Fingerprint, SasCode, SasCommit, SasNonce, SasSide};
use message::{Address, Message, MessageType};
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::home::{Home, State};
use crate::members::Author;
use crate::objects::Follow;
use crate::records::{Object, ObjectUse};
use crate::sending::{get_object, inner_message, pumps, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// What the code of a group is exported as.
const LABEL: &str = "dfi-sas";

/// What one side of a call knows of the code so far.
#[derive(Default)]
pub(crate) struct Spoken {
    /// Of the description that our own media gave.
    own: Option<Fingerprint>,
    /// Of the description that came sealed.
    theirs: Option<Fingerprint>,
    /// Our number.
    nonce: Option<SasNonce>,
    /// What who called promised.
    commit: Option<SasCommit>,
}

/// What is said inside the seal: `event <object>/sas`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Word {
    /// Who called promises a number.
    Commit(SasCommit),
    /// Who answered shows theirs.
    Nonce(String),
    /// Who called shows what was promised.
    Reveal(String),
}

/// A number as it is written.
fn nonce_of(text: &str) -> Option<SasNonce> {
    keys::from_b64url(text).ok()?.try_into().ok()
}

/// The one certificate of a description.
fn fingerprint_of(sdp: &str) -> Option<Fingerprint> {
    match Sdp::parse(sdp).ok()?.fingerprints() {
        [one] => Some(*one.as_bytes()),
        _ => None,
    }
}

/// What comes of a word.
#[derive(Debug, PartialEq, Eq)]
enum Step {
    /// Nothing that was expected.
    Ignored,
    /// This is said next.
    Say(Word),
    /// This is said, and the code is known: both numbers, the caller's first.
    SayAndKnow(Word, SasNonce, SasNonce),
    /// The code is known.
    Know(SasNonce, SasNonce),
    /// What was promised is not what was shown.
    Forged,
}

impl Spoken {
    /// Our media described itself; what was known before is of other media.
    pub(crate) fn note_own(&mut self, sdp: &str) {
        *self = Self { own: fingerprint_of(sdp), ..Self::default() };
    }

    /// The other side's description came sealed.
    pub(crate) fn note_theirs(&mut self, sdp: &str) {
        self.theirs = fingerprint_of(sdp);
    }

    /// Who called begins, once.
    fn begin(&mut self, nonce: SasNonce) -> Option<Word> {
        let own = self.own.filter(|_| self.theirs.is_some() && self.nonce.is_none())?;
        self.nonce = Some(nonce);
        Some(Word::Commit(SasCommit::of(&nonce, &own)))
    }

    /// The other side says something. `fresh` is a number that nobody knows yet.
    fn hear(&mut self, called: bool, word: &Word, fresh: SasNonce) -> Step {
        let Some(theirs) = self.theirs.filter(|_| self.own.is_some()) else { return Step::Ignored };
        match (word, called) {
            (Word::Commit(commit), false) if self.commit.is_none() => {
                (self.commit, self.nonce) = (Some(*commit), Some(fresh));
                Step::Say(Word::Nonce(keys::b64url(&fresh)))
            }
            (Word::Nonce(text), true) if self.commit.is_none() => {
                let (Some(mine), Some(shown), Some(own)) = (self.nonce, nonce_of(text), self.own) else {
                    return Step::Ignored;
                };
                // A second number finds nothing to answer.
                self.commit = Some(SasCommit::of(&mine, &own));
                Step::SayAndKnow(Word::Reveal(keys::b64url(&mine)), mine, shown)
            }
            (Word::Reveal(text), false) => {
                let (Some(commit), Some(mine)) = (self.commit, self.nonce) else { return Step::Ignored };
                match nonce_of(text).filter(|shown| commit.opens(shown, &theirs)) {
                    Some(shown) => Step::Know(shown, mine),
                    None => Step::Forged,
                }
            }
            _ => Step::Ignored,
        }
    }

    /// The code, from the numbers of who called and who answered.
    fn code(&self, exporter: &[u8; 32], called: bool, caller: SasNonce, callee: SasNonce) -> Option<SasCode> {
        let (own, theirs) = (self.own?, self.theirs?);
        let (first, second) = if called { (own, theirs) } else { (theirs, own) };
        let caller = SasSide { fingerprint: &first, nonce: &caller };
        Some(SasCode::of(exporter, caller, SasSide { fingerprint: &second, nonce: &callee }))
    }
}

/// A word of the other side, for the call it belongs to.
pub(crate) fn on_word(object: &Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    let by_peer = object.member(&author.device).is_some_and(|member| member.user == object.peer);
    let other_device = object.answered_by.as_ref().is_some_and(|device| *device != author.device);
    if object.purpose != ObjectUse::Call || !by_peer || other_device {
        return Ok(Vec::new());
    }
    let word: Word = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
    Ok(vec![Follow::Spoken { url: object.url.clone(), word }])
}

impl Home {
    /// The other side answered our call: the code is begun.
    pub(crate) fn begin_spoken(&self, state: &mut State, url: &Address) {
        let Some(word) = state.calls.find(url).and_then(|call| call.spoken.begin(keys::random())) else { return };
        self.say_word(state, url, &word);
    }

    /// The other side says its part.
    pub(crate) fn on_spoken(&self, state: &mut State, url: &Address, word: Word) {
        let Some(call) = state.calls.find(url) else { return };
        let called = !call.answers();
        match call.spoken.hear(called, &word, keys::random()) {
            Step::Ignored => {}
            Step::Say(word) => self.say_word(state, url, &word),
            Step::SayAndKnow(word, caller, callee) => {
                self.say_word(state, url, &word);
                self.show_code(state, url, called, caller, callee);
            }
            Step::Know(caller, callee) => self.show_code(state, url, called, caller, callee),
            Step::Forged => {
                tracing::warn!("the other side showed another number than it promised");
                self.drive(state, url, Input::FingerprintMismatch);
            }
        }
    }

    fn say_word(&self, state: &mut State, url: &Address, word: &Word) {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return };
        let said = store.write(|tx| {
            let object = get_object(tx, url)?;
            let inner = inner_message(MessageType::Event, url, "sas", &json!(word))?;
            seal_and_queue(tx, me, &object, &inner, None)?;
            Ok::<_, Failure>(pumps(&object).collect::<Vec<_>>())
        });
        match said {
            Ok(follow) => self.follow_up(state, follow),
            Err(failure) => tracing::info!(code = failure.code, "the spoken code cannot be made"),
        }
    }

    fn show_code(&self, state: &mut State, url: &Address, called: bool, caller: SasNonce, callee: SasNonce) {
        let exported = state.store().and_then(|store| {
            store.read(|tx| {
                let group = get_object(tx, url)?.group()?;
                let secret = seal::export(tx, &group, LABEL, b"", 32).map_err(|e| Failure::new(e.code(), e))?;
                <[u8; 32]>::try_from(secret.as_slice()).map_err(|_| Failure::new("sealing-failed", "no 32 bytes"))
            })
        });
        let exporter = match exported {
            Ok(exporter) => exporter,
            Err(failure) => {
                tracing::info!(code = failure.code, "the spoken code cannot be made");
                return;
            }
        };
        let Some(call) = state.calls.find(url) else { return };
        let Some(code) = call.spoken.code(&exporter, called, caller, callee) else { return };
        let emoji = code.emoji().iter().map(|(_, name)| (*name).to_owned()).collect();
        call.view.code = Some(SpokenCode { digits: code.digits().to_owned(), emoji });
        self.tell(News::Call(call.view.clone()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const EXPORTER: [u8; 32] = [9; 32];

    /// Two ends of a call, each with its own certificate and the other's as it came sealed.
    fn ends() -> (Spoken, Spoken) {
        let (caller, callee) = ([1; 32], [2; 32]);
        let end = |own, theirs| Spoken { own: Some(own), theirs: Some(theirs), ..Spoken::default() };
        (end(caller, callee), end(callee, caller))
    }

    #[test]
    fn both_ends_come_to_the_same_code() {
        let (mut ana, mut ben) = ends();
        let commit = ana.begin([3; 32]).unwrap();
        let Step::Say(nonce) = ben.hear(false, &commit, [4; 32]) else { panic!("Ben shows his number") };
        let Step::SayAndKnow(reveal, one, two) = ana.hear(true, &nonce, [0; 32]) else { panic!("Ana reveals hers") };
        let Step::Know(three, four) = ben.hear(false, &reveal, [0; 32]) else { panic!("Ben knows both") };
        assert_eq!((one, two), (three, four));
        let (at_ana, at_ben) = (ana.code(&EXPORTER, true, one, two), ben.code(&EXPORTER, false, three, four));
        assert!(at_ana.is_some() && at_ana == at_ben);
    }

    #[test]
    fn who_changes_their_mind_after_the_promise_is_found_out() {
        let (mut ana, mut ben) = ends();
        let commit = ana.begin([3; 32]).unwrap();
        ben.hear(false, &commit, [4; 32]);
        let other = Word::Reveal(keys::b64url(&[5; 32]));
        assert_eq!(ben.hear(false, &other, [0; 32]), Step::Forged);
    }

    #[test]
    fn nothing_is_said_twice_or_before_its_turn() {
        let (mut ana, mut ben) = ends();
        let early = Word::Nonce(keys::b64url(&[8; 32]));
        assert_eq!(ana.hear(true, &early, [0; 32]), Step::Ignored, "nothing was promised yet");
        let commit = ana.begin([3; 32]).unwrap();
        assert!(ana.begin([6; 32]).is_none(), "a call has one promise");
        assert_eq!(ben.hear(false, &Word::Reveal(keys::b64url(&[3; 32])), [0; 32]), Step::Ignored);
        ben.hear(false, &commit, [4; 32]);
        assert_eq!(ben.hear(false, &commit, [7; 32]), Step::Ignored, "a second promise is none");
        assert!(matches!(ana.hear(true, &early, [0; 32]), Step::SayAndKnow(..)));
        assert_eq!(ana.hear(true, &early, [0; 32]), Step::Ignored, "a second number is none");
        let mut rings = Spoken { own: None, ..ends().1 };
        assert_eq!(rings.hear(false, &commit, [4; 32]), Step::Ignored, "who did not answer takes no part");
    }

    #[test]
    fn words_are_written_as_the_protocol_says() {
        assert_eq!(json!(Word::Nonce("AAAA".into())), json!({ "nonce": "AAAA" }));
        assert!(serde_json::from_value::<Word>(json!({ "commit": 7 })).is_err());
    }
}
