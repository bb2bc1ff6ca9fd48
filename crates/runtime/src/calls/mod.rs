//! Calls as people see them: the stages of the call machine, the connector Hyperty and the media engine.

mod acts;
mod asked;
mod holding;
mod joint;
mod service;
mod told;
mod word;

use std::collections::BTreeSet;

use call::{Attempts, CallMachine, JointId, Searches};
use contract::{CallHold, CallPictures, CallStage, CallView, CameraView};
use media::{CallMedia, TonePlayer};
use message::{Address, UserAddress};

use crate::home::State;
use crate::persons::name_of;
use crate::preparing::Preparing;
use crate::records::Person;
use crate::trouble::{Failure, Outcome};

pub(crate) use word::{CallWord, PART, on_word};

/// Media events that may wait before the media engine waits for us.
pub(crate) const MEDIA_EVENTS_LIMIT: usize = 256;

/// Talks that may ring, rest or go on at once: one that people speak in, and one more. A third is answered "busy".
const TALKS_LIMIT: usize = 2;

/// The calls that are not over.
#[derive(Default)]
pub(crate) struct Calls {
    pub(crate) list: Vec<Call>,
    made: u64,
    pub(crate) attempts: Attempts,
    joints: joint::Joints,
    /// What of our screen can be shown.
    pub(crate) sharing: crate::sharing::Sharing,
    /// Until when the credentials for the relays are good, or it is known that there are none.
    pub(crate) relays_until: i64,
}

pub(crate) struct Call {
    /// `view.call` names the call to shells and never changes.
    pub(crate) view: CallView,
    /// The data object; our own call has none before the other side is found.
    pub(crate) object: Option<Address>,
    /// What the connector calls it before there is an object.
    pub(crate) early_name: Option<String>,
    pub(crate) user: UserAddress,
    pub(crate) machine: CallMachine,
    pub(crate) media: Option<CallMedia>,
    /// What sounds until somebody answers; it stops when it is dropped.
    tone: Option<TonePlayer>,
    /// Both called at once and the other side's offer stands.
    pub(crate) gave_way: bool,
    /// The other side called as well, and one of the two offers was given up.
    pub(crate) crossed: bool,
    /// Counts the media of this call; what an earlier one says is past.
    pub(crate) round: u32,
    /// What the two read to each other, as it comes about.
    pub(crate) spoken: crate::spoken::Spoken,
    /// It is the echo inside this app, of which no connector knows.
    pub(crate) echo: bool,
    /// The searches for another path.
    pub(crate) searches: Searches,
    /// What is made ready while it rings here.
    pub(crate) preparing: Preparing,
    /// The joint call it is a leg of.
    pub(crate) joint: Option<JointId>,
    /// What of our screen is shown in it.
    pub(crate) shared: Option<crate::sharing::Shared>,
    /// Held while it is asked what to show; dropped, the question is taken back.
    pub(crate) asking: Option<tokio::sync::oneshot::Sender<()>>,
    /// Whether we put it on hold, and whether they did.
    rests: (bool, bool),
    /// A leg that is answered by itself: it is not shown while it would ring.
    unseen: bool,
}

/// What a person is in: a call, or all legs of a joint one.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Talk {
    Call(String),
    Joint(JointId),
}

impl Call {
    pub(crate) fn new(view: CallView, user: &UserAddress, object: Option<Address>, machine: CallMachine) -> Self {
        Self {
            view,
            object,
            early_name: None,
            user: user.clone(),
            machine,
            media: None,
            tone: None,
            gave_way: false,
            crossed: false,
            round: 0,
            spoken: Default::default(),
            echo: false,
            searches: Default::default(),
            preparing: Default::default(),
            joint: None,
            shared: None,
            asking: None,
            rests: (false, false),
            unseen: false,
        }
    }
}

/// Closes the media of a call, if it has any.
pub(crate) async fn close(media: Option<CallMedia>) {
    if let Some(media) = media {
        media.close().await;
    }
}

impl State {
    /// A name for a call that has no object yet.
    pub(crate) fn next_call(&mut self) -> Outcome<Address> {
        self.calls.made += 1;
        self.core_address(&format!("call/{}", self.calls.made))
    }
}

impl Calls {
    pub(crate) fn list_is_empty(&self) -> bool {
        self.list.is_empty()
    }

    /// The media of all calls.
    pub(crate) fn media(&self) -> impl Iterator<Item = &CallMedia> {
        self.list.iter().filter_map(|call| call.media.as_ref())
    }

    /// Whether there is any call.
    pub(crate) fn is_busy(&self) -> bool {
        !self.list.is_empty()
    }

    /// Whether no talk more may begin.
    fn is_full(&self) -> bool {
        self.list.iter().map(Call::talk).collect::<BTreeSet<_>>().len() >= TALKS_LIMIT
    }

    /// A new leg begins as the others are: silent, filmed, at rest.
    fn take_over(&self, leg: &mut Call, joint: Option<JointId>) {
        let like = self.list.iter().find(|call| joint.is_some() && call.joint == joint);
        leg.joint = joint;
        let Some(like) = like else { return };
        leg.view.muted = like.view.muted;
        leg.view.joint = like.view.joint.clone();
        leg.shared = like.shared.clone();
        leg.view.pictures.share = like.view.pictures.share.clone();
        if like.view.pictures.camera != CameraView::Off {
            leg.view.pictures.camera = CameraView::Opening;
        }
    }

    /// The leg of a joint call with this person.
    fn leg_with(&self, joint: &JointId, user: &UserAddress) -> Option<&Call> {
        self.list.iter().find(|call| call.joint.as_ref() == Some(joint) && call.user == *user)
    }

    /// By its name or by its object.
    pub(crate) fn find(&mut self, name: &Address) -> Option<&mut Call> {
        self.list.iter_mut().find(|call| call.is_named(name))
    }

    /// By what the connector calls it; a name that is new is that of our own call that has none yet.
    pub(crate) fn named(&mut self, name: &str) -> Option<&mut Call> {
        let at = match self.position(name) {
            Some(at) => at,
            None => {
                let is_new =
                    |call: &Call| call.object.is_none() && call.early_name.is_none() && !call.gave_way && !call.echo;
                let at = self.list.iter().position(is_new)?;
                // Of several that are new nobody knows which one is meant.
                if self.list.iter().filter(|call| is_new(call)).count() > 1 {
                    return None;
                }
                self.list[at].early_name = Some(name.to_owned());
                at
            }
        };
        self.list.get_mut(at)
    }

    /// The same, but a new name is nobody's.
    pub(crate) fn known(&mut self, name: &str) -> Option<&mut Call> {
        let at = self.position(name)?;
        self.list.get_mut(at)
    }

    fn position(&self, name: &str) -> Option<usize> {
        self.list.iter().position(|call| {
            call.early_name.as_deref() == Some(name) || call.object.as_ref().is_some_and(|url| url.as_str() == name)
        })
    }

    pub(crate) fn names(&self, wanted: impl Fn(&Call) -> bool) -> Vec<Address> {
        let wanted = self.list.iter().filter(|call| wanted(call));
        wanted.filter_map(|call| Address::parse(&call.view.call).ok()).collect()
    }

    fn take(&mut self, name: &Address) -> Option<Call> {
        let at = self.list.iter().position(|call| call.is_named(name))?;
        Some(self.list.remove(at))
    }
}

impl Call {
    /// Whether we answer; of two calls that cross one is answered though its person called.
    pub(crate) fn answers(&self) -> bool {
        self.view.incoming || self.gave_way
    }

    /// A person here is asked for it; a leg that is answered by itself asks nobody.
    fn rings(&self) -> bool {
        self.rings_here() && !self.unseen
    }

    /// What it is a part of.
    pub(crate) fn talk(&self) -> Talk {
        self.joint.clone().map_or_else(|| Talk::Call(self.view.call.clone()), Talk::Joint)
    }

    fn is_named(&self, name: &Address) -> bool {
        self.object.as_ref() == Some(name) || self.view.call == name.as_str()
    }
}

fn new_view(url: &Address, person: &Person, incoming: bool, stage: CallStage) -> CallView {
    let with = blank_view(url, &person.user, stage);
    CallView { name: name_of(person), identity: person.identity.clone(), incoming, ..with }
}

/// A call with somebody of whom nothing but the address is known.
pub(crate) fn blank_view(url: &Address, user: &UserAddress, stage: CallStage) -> CallView {
    CallView {
        call: url.to_string(),
        user: user.handle(),
        name: String::new(),
        identity: None,
        code: None,
        incoming: false,
        stage,
        connected_at: None,
        muted: false,
        their_muted: false,
        input_level: 0,
        output_level: 0,
        // Not known yet, which is not the same as none.
        microphone: Some(String::new()),
        pictures: CallPictures::default(),
        hold: CallHold::No,
        joint: None,
    }
}

/// A loudness as people hear it: 60 dB of it fill the meter.
pub(crate) fn percent(level: f32) -> i32 {
    const SPAN_DB: f32 = 60.0;
    let db = 20.0 * level.clamp(0.0, 1.0).max(f32::EPSILON).log10();
    // Between 0 and 100, so nothing is cut off.
    ((1.0 + db / SPAN_DB).max(0.0) * 100.0).round() as i32
}

pub(crate) fn media_failure(error: media::MediaError) -> Failure {
    Failure::new("media-failed", error)
}
