//! Joint calls: a roster, and an ordinary sealed call between each two of its people.
//!
//! Nothing about a leg is special: it has its own object, its own certificates, its own identity line, and nothing
//! plays before both are checked. What is special is that it may begin without ringing: if its person is verified,
//! stands on the roster of a joint call that was taken here, and is the one of the two who calls
//! ([`call::calls_first`]). The roster is told sealed, from core to core, to those one speaks with.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use call::{ByeReason, EndReason, Ended, Input, JOINT_LIMIT, JointId, Party, Place, Roster, Stage, calls_first};
use contract::{CallView, ContactState, JointPerson, JointPlace, JointView, News};
use message::{Address, UserAddress};
use serde_json::Value;

use crate::calls::Talk;
use crate::calls::word::CallWord;
use crate::comparing;
use crate::gate;
use crate::home::{Home, State, now_u64};
use crate::persons::name_of;
use crate::records::{Object, ObjectUse};
use crate::sending::{find_person, get_object};
use crate::trouble::{Failure, Outcome};

/// Joint calls that another device of ours took; their other legs do not ring here.
const ELSEWHERE: usize = 16;
/// How long a leg waits for the roster that names its person: that comes on another way.
const UNNAMED: Duration = Duration::from_secs(3);
const LOOK: Duration = Duration::from_millis(100);

/// The joint calls there are.
#[derive(Default)]
pub(crate) struct Joints {
    known: BTreeMap<JointId, Joint>,
    elsewhere: VecDeque<JointId>,
}

struct Joint {
    roster: Roster,
    /// A person here takes part; until then it rings.
    taken: bool,
    /// Whom we called since they came last.
    called: BTreeSet<UserAddress>,
}

/// What to do with a leg that came in.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Coming {
    /// It rings, as part of this joint call or as a call of its own.
    Rings(Option<JointId>),
    /// It is part of a call that was taken: it is answered.
    Answered(JointId),
    /// Its person is not on the roster yet.
    Unnamed(JointId),
    /// Another device of ours takes part.
    Elsewhere,
    /// It is refused.
    Refused(ByeReason),
}

impl Joints {
    fn taken(&self, id: &JointId) -> Option<&Joint> {
        self.known.get(id).filter(|joint| joint.taken)
    }

    /// Judges a leg by what its object says, and by what we know.
    fn judge(&mut self, offered: Option<&Value>, peer: &UserAddress, me: &UserAddress) -> Coming {
        let Some(offered) = offered else { return Coming::Rings(None) };
        let Ok(told) = Roster::parse(offered) else { return Coming::Refused(ByeReason::Failed) };
        let id = told.id().clone();
        if let Some(joint) = self.taken(&id) {
            return match joint.roster.has(peer) {
                true if calls_first(peer, me) => Coming::Answered(id),
                true => Coming::Refused(ByeReason::Busy),
                false => Coming::Unnamed(id),
            };
        }
        if self.elsewhere.contains(&id) {
            return Coming::Elsewhere;
        }
        // Who asks us in must be in it, and must have said that we are asked.
        if told.place(peer) != Some(Place::Here) || !told.has(me) || self.known.contains_key(&id) {
            return Coming::Refused(ByeReason::NotPermitted);
        }
        self.known.insert(id.clone(), Joint { roster: told, taken: false, called: BTreeSet::new() });
        Coming::Rings(Some(id))
    }
}

/// What the offer of a leg says of the joint call.
pub(super) fn offered(object: &Object) -> Option<&Value> {
    object.value().get("joint")
}

impl Home {
    /// Question `call.add`: the call becomes a joint one, if it is none yet; its media go on as they are.
    pub(crate) fn call_add(&self, url: &Address, user: &UserAddress) -> Outcome<CallView> {
        let mut state = self.state();
        let state = &mut *state;
        may_be_asked(state, user)?;
        let me = state.me()?.record.user.clone();
        let call = state.calls.find(url).ok_or_else(|| Failure::unknown("call"))?;
        if call.echo || call.machine.state().stage() != Stage::Connected {
            return Err(Failure::new("not-in-the-call", "only into a call that people speak in"));
        }
        if call.user == *user || *user == me {
            return Err(Failure::new("already-in-a-call", "they are in it"));
        }
        let (with, joint) = (call.user.clone(), call.joint.clone());
        let id = match joint {
            Some(id) => id,
            None => {
                let id = self.begin_joint(state, &me)?;
                self.joint(state, &id, |joint| joint.roster.came(&with).map_err(full))?;
                if let Some(call) = state.calls.find(url) {
                    call.joint = Some(id.clone());
                }
                id
            }
        };
        if state.calls.leg_with(&id, user).is_some() {
            return Err(Failure::new("already-in-a-call", "they are in it"));
        }
        self.joint(state, &id, |joint| joint.roster.ask(user).map_err(full))?;
        self.tell_roster(state, &id);
        self.place_call(state, user, Some(id))
    }

    /// Question `call.group`: everybody of a group whom we may call.
    pub(crate) fn call_group(&self, chat: &Address) -> Outcome<CallView> {
        let mut state = self.state();
        let state = &mut *state;
        let object = state.store()?.read(|tx| get_object(tx, chat))?;
        if object.circle.is_none() {
            return Err(Failure::new("no-group", "this is a conversation of two"));
        }
        let people: Vec<_> = object.with().into_iter().filter(|user| may_be_asked(state, user).is_ok()).collect();
        if people.is_empty() {
            return Err(Failure::new("nobody-to-call", "there is no contact in this group"));
        }
        if people.len() >= JOINT_LIMIT {
            return Err(Failure::new("call-full", "a joint call has six people at most"));
        }
        self.may_begin(state)?;
        let me = state.me()?.record.user.clone();
        let id = self.begin_joint(state, &me)?;
        self.hold_all_but(state, &Talk::Joint(id.clone()));
        for user in &people {
            self.joint(state, &id, |joint| joint.roster.ask(user).map_err(full))?;
        }
        let mut first = None;
        for user in &people {
            first = first.or(Some(self.place_call(state, user, Some(id.clone()))?));
        }
        first.ok_or_else(|| Failure::new("nobody-to-call", "there is no contact in this group"))
    }

    fn begin_joint(&self, state: &mut State, me: &UserAddress) -> Outcome<JointId> {
        let name = keys::b64url(&keys::random::<16>());
        let id = JointId::parse(&name).ok_or_else(|| Failure::new("malformed", "no name for the call"))?;
        let joint = Joint { roster: Roster::new(id.clone(), me), taken: true, called: BTreeSet::new() };
        state.calls.joints.known.insert(id.clone(), joint);
        Ok(id)
    }

    fn joint<T>(&self, state: &mut State, id: &JointId, work: impl FnOnce(&mut Joint) -> Outcome<T>) -> Outcome<T> {
        work(state.calls.joints.known.get_mut(id).ok_or_else(|| Failure::unknown("call"))?)
    }

    /// What is written into the object of a leg that we begin; a guest has no say in it.
    pub(crate) fn joint_offer(&self, state: &State, user: &UserAddress) -> Option<Value> {
        let leg =
            state.calls.list.iter().find(|call| call.user == *user && !call.view.incoming && call.object.is_none());
        let joint = state.calls.joints.known.get(leg?.joint.as_ref()?)?;
        serde_json::to_value(&joint.roster).ok()
    }

    /// How a call that comes in is taken.
    pub(super) fn judge_coming(&self, state: &mut State, object: &Object) -> Coming {
        let Ok(me) = state.me().map(|me| me.record.user.clone()) else { return Coming::Refused(ByeReason::Failed) };
        let coming = state.calls.joints.judge(offered(object), &object.peer, &me);
        match &coming {
            Coming::Answered(id) if state.calls.leg_with(id, &object.peer).is_some() => {
                Coming::Refused(ByeReason::Busy)
            }
            _ => coming,
        }
    }

    /// Waits a moment for the roster that names this person; what comes of it is judged again.
    pub(super) fn wait_for_name(&self, id: JointId, user: UserAddress, url: Address) {
        let home = self.clone();
        self.rooms.tasks.start("unnamed leg", async move {
            let named = async {
                while !home.state().calls.joints.taken(&id).is_some_and(|joint| joint.roster.has(&user)) {
                    tokio::time::sleep(LOOK).await;
                }
            };
            if tokio::time::timeout(UNNAMED, named).await.is_ok() {
                home.incoming(&mut home.state(), &url);
            } else {
                tracing::info!("a leg of a joint call came from nobody who is in it");
                home.say_bye(url, ByeReason::NotPermitted);
            }
        });
    }

    /// The person here takes a joint call: from now on its people reach us without ringing.
    pub(super) fn take_joint(&self, state: &mut State, id: &JointId) {
        let Ok(me) = state.me().map(|me| me.record.user.clone()) else { return };
        let came = self.joint(state, id, |joint| {
            joint.taken = true;
            joint.roster.came(&me).map_err(full)
        });
        if came.is_ok() {
            self.follow_roster(state, id);
        }
    }

    /// The other side of a call says who takes part.
    pub(super) fn told_of_roster(&self, state: &mut State, url: &Address, told: &Roster) {
        let Ok(me) = state.me().map(|me| me.record.user.clone()) else { return };
        let Some(call) = state.calls.find(url).filter(|call| call.machine.state().stage() >= Stage::Securing) else {
            return;
        };
        let (by, joint) = (call.user.clone(), call.joint.clone());
        let id = match joint {
            Some(id) => id,
            // A call of two becomes a joint one.
            None if told.place(&by) == Some(Place::Here)
                && told.has(&me)
                && !state.calls.joints.is_known(told.id()) =>
            {
                let joint = Joint { roster: Roster::new(told.id().clone(), &me), taken: true, called: BTreeSet::new() };
                state.calls.joints.known.insert(told.id().clone(), joint);
                if let Some(call) = state.calls.find(url) {
                    call.joint = Some(told.id().clone());
                }
                told.id().clone()
            }
            None => return,
        };
        let merged = self.joint(state, &id, |joint| {
            // With whom we speak is in the call, whatever others said of them.
            joint.roster.came(&by).map_err(full)?;
            joint.roster.merge(told, &by, &me).map_err(full)
        });
        match merged {
            Ok(true) => {
                self.tell_roster(state, &id);
                self.follow_roster(state, &id);
            }
            Ok(false) => self.show_joint(state, &id),
            Err(failure) => tracing::info!(code = failure.code, "a roster was refused"),
        }
    }

    /// A leg came to another stage.
    pub(super) fn joint_moved(&self, state: &mut State, id: &JointId, user: &UserAddress, ended: Option<&Ended>) {
        let changed = self.joint(state, id, |joint| {
            let before = joint.roster.clone();
            match ended {
                None => joint.roster.came(user).map_err(full)?,
                Some(ended) if is_leaving(ended) => {
                    joint.roster.went(user);
                    joint.called.remove(user);
                }
                // The path to them is lost, or they do not want us: others may speak with them.
                Some(_) => {}
            }
            Ok(before != joint.roster)
        });
        if let Some(Ended { reason: EndReason::Elsewhere, .. }) = ended {
            state.calls.joints.elsewhere.push_back(id.clone());
            if state.calls.joints.elsewhere.len() > ELSEWHERE {
                state.calls.joints.elsewhere.pop_front();
            }
        }
        if !state.calls.list.iter().any(|call| call.joint.as_ref() == Some(id)) {
            state.calls.joints.known.remove(id);
            self.policy_knows_joint(state);
            return;
        }
        if changed == Ok(true) {
            self.tell_roster(state, id);
        }
        self.follow_roster(state, id);
    }

    /// Tells those we speak with who takes part.
    fn tell_roster(&self, state: &mut State, id: &JointId) {
        let Some(joint) = state.calls.joints.taken(id) else { return };
        let Ok(value) = serde_json::to_value(&joint.roster) else { return };
        for name in state.calls.names(|call| call.joint.as_ref() == Some(id)) {
            self.say_call_word(state, &name, &CallWord::Joint(value.clone()));
        }
    }

    /// Calls those who are here and whom it is ours to call.
    fn follow_roster(&self, state: &mut State, id: &JointId) {
        self.policy_knows_joint(state);
        let Ok(me) = state.me().map(|me| me.record.user.clone()) else { return };
        let Some(joint) = state.calls.joints.taken(id) else { return };
        let here = joint.roster.people().filter(|(_, place)| *place == Place::Here).map(|(user, _)| user);
        let due: Vec<UserAddress> = here
            .filter(|user| **user != me && calls_first(&me, user) && !joint.called.contains(*user))
            .filter(|user| state.calls.leg_with(id, user).is_none() && !is_blocked(state, user))
            .cloned()
            .collect();
        for user in due {
            let _ = self.joint(state, id, |joint| Ok(joint.called.insert(user.clone())));
            if let Err(failure) = self.place_call(state, &user, Some(id.clone())) {
                tracing::info!(code = failure.code, "somebody in a joint call cannot be called");
            }
        }
        self.show_joint(state, id);
    }

    /// Whoever is in a joint call with us may reach us by a call, contact or not.
    fn policy_knows_joint(&self, state: &mut State) {
        let taken = state.calls.joints.known.values().filter(|joint| joint.taken);
        let people = taken.flat_map(|joint| joint.roster.people()).filter(|(_, place)| *place != Place::Gone);
        let people = people.map(|(user, _)| user.clone()).collect();
        state.policy.in_joint_calls(people);
    }

    /// Shows all legs of a joint call anew.
    pub(super) fn show_joint(&self, state: &mut State, id: &JointId) {
        let Some(view) = joint_view(state, id) else { return };
        for call in state.calls.list.iter_mut().filter(|call| call.joint.as_ref() == Some(id)) {
            if call.view.joint.as_ref() == Some(&view) {
                continue;
            }
            call.view.joint = Some(view.clone());
            if !call.unseen {
                self.tell(News::Call(call.view.clone()));
            }
        }
    }

    /// A joint call that did not ring.
    pub(super) fn forget_joint(&self, state: &mut State, id: Option<&JointId>) {
        if let Some(id) = id.filter(|id| state.calls.joints.taken(id).is_none()) {
            state.calls.joints.known.remove(id);
        }
    }

    /// Leaves a joint call: all its legs end.
    pub(super) fn leave_joint(&self, state: &mut State, id: &JointId) {
        for name in state.calls.names(|call| call.joint.as_ref() == Some(id)) {
            self.drive(state, &name, Input::LocalHangup);
        }
    }
}

impl Joints {
    fn is_known(&self, id: &JointId) -> bool {
        self.known.contains_key(id)
    }
}

/// Whether the other side is out of the call, and not only away from us.
fn is_leaving(ended: &Ended) -> bool {
    let gone = matches!(
        ended.reason,
        EndReason::HungUp | EndReason::Declined | EndReason::Busy | EndReason::NoAnswer | EndReason::Offline
    );
    gone && ended.by != Party::Us
}

/// Only contacts are asked into a call; whoever is in it already is another matter.
fn may_be_asked(state: &mut State, user: &UserAddress) -> Outcome<()> {
    gate::may_reach(&mut state.policy, now_u64(), user, ObjectUse::Call)?;
    if state.policy.rules().contacts.get(user) != Some(&policy::Contact::Accepted) {
        return Err(Failure::new("not-permitted", "calls only to accepted contacts"));
    }
    state.store()?.read(|tx| comparing::may_send_to(tx, user))
}

fn is_blocked(state: &State, user: &UserAddress) -> bool {
    state.policy.rules().contacts.get(user) == Some(&policy::Contact::Blocked)
}

fn joint_view(state: &State, id: &JointId) -> Option<JointView> {
    let joint = state.calls.joints.known.get(id)?;
    let me = &state.me().ok()?.record.user;
    let mut people = Vec::new();
    for (user, place) in joint.roster.people().filter(|(user, _)| *user != me) {
        let read = state.store().ok()?.read(|tx| find_person(tx, user));
        let person = read.ok().flatten();
        people.push(JointPerson {
            user: user.handle(),
            name: person.as_ref().map_or_else(|| user.handle(), name_of),
            place: match place {
                Place::Asked => JointPlace::Asked,
                Place::Here => JointPlace::Here,
                Place::Gone => JointPlace::Gone,
            },
            blocked: is_blocked(state, user),
            known: person.is_some_and(|person| person.contact == ContactState::Accepted),
        });
    }
    Some(JointView { id: id.as_str().to_owned(), people })
}

fn full(error: call::RosterError) -> Failure {
    let code = match error {
        call::RosterError::Full => "call-full",
        _ => "malformed",
    };
    Failure::new(code, error)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn who(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    /// What Ana offers Cleo: a call of Ana and Ben to which Cleo is asked.
    fn offer() -> Value {
        let mut roster = Roster::new(JointId::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap(), &who("ana"));
        roster.came(&who("ben")).unwrap();
        roster.ask(&who("cleo")).unwrap();
        serde_json::to_value(&roster).unwrap()
    }

    #[test]
    fn the_first_leg_rings_and_the_others_are_answered_once_it_is_taken() {
        let mut joints = Joints::default();
        let (ana, ben, cleo) = (who("ana"), who("ben"), who("cleo"));
        let Coming::Rings(Some(id)) = joints.judge(Some(&offer()), &ana, &cleo) else { panic!("it rings") };
        let early = joints.judge(Some(&offer()), &ben, &cleo);
        assert_eq!(early, Coming::Refused(ByeReason::NotPermitted), "nothing was taken yet");
        joints.known.get_mut(&id).unwrap().taken = true;
        assert_eq!(joints.judge(Some(&offer()), &ben, &cleo), Coming::Answered(id.clone()));
        assert_eq!(joints.judge(Some(&offer()), &who("mallory"), &cleo), Coming::Unnamed(id));
        assert_eq!(joints.judge(None, &who("mallory"), &cleo), Coming::Rings(None), "a call of its own rings");
    }

    #[test]
    fn whoever_is_to_be_called_does_not_call() {
        let mut joints = Joints::default();
        let Coming::Rings(Some(id)) = joints.judge(Some(&offer()), &who("ana"), &who("ben")) else { panic!() };
        joints.known.get_mut(&id).unwrap().taken = true;
        assert_eq!(joints.judge(Some(&offer()), &who("cleo"), &who("ben")), Coming::Refused(ByeReason::Busy));
    }

    #[test]
    fn who_is_not_in_a_call_asks_nobody_into_it_and_a_roster_that_is_none_does_not_ring() {
        let mut joints = Joints::default();
        let refused = Coming::Refused(ByeReason::NotPermitted);
        assert_eq!(joints.judge(Some(&offer()), &who("mallory"), &who("cleo")), refused);
        assert_eq!(joints.judge(Some(&offer()), &who("ana"), &who("dan")), refused, "Dan was not asked");
        assert_eq!(joints.judge(Some(&json!(7)), &who("ana"), &who("cleo")), Coming::Refused(ByeReason::Failed));
        assert!(joints.known.is_empty());
    }

    #[test]
    fn a_call_that_another_device_took_does_not_ring_for_each_of_its_people() {
        let mut joints = Joints::default();
        joints.elsewhere.push_back(JointId::parse("AAAAAAAAAAAAAAAAAAAAAA").unwrap());
        assert_eq!(joints.judge(Some(&offer()), &who("ben"), &who("cleo")), Coming::Elsewhere);
    }
}
