//! Who is in a joint call: a list that each participant keeps and tells the others, and that only grows.
//!
//! A person's place is a number that goes up: asked, here, gone, asked again, … Of two lists the higher
//! number counts, so that all come to the same whatever comes late, twice or again. A list is believed of
//! somebody who is on it already; what it says of oneself, one knows better.

use std::collections::BTreeMap;

use message::UserAddress;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// People in a joint call at once: each sends their voice and picture to all the others.
pub const JOINT_LIMIT: usize = 6;
/// People who were ever asked to one.
const NAMES_LIMIT: usize = 16;
/// How often one person may come and go.
const STEPS_LIMIT: u32 = 60;
/// Characters of a name: 16 bytes as base64url.
const ID_LENGTH: usize = 22;

/// The name of a joint call; whoever made it drew it at random.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(transparent)]
pub struct JointId(String);

impl JointId {
    /// Reads the 22 characters of a name.
    pub fn parse(text: &str) -> Option<Self> {
        let plain = text.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-_".contains(&byte));
        (text.len() == ID_LENGTH && plain).then(|| Self(text.to_owned()))
    }

    /// The name as it is written.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

// A name tells two who read logs that they speak of the same call.
impl std::fmt::Debug for JointId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("JointId(…)")
    }
}

/// Where somebody is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// Somebody calls them.
    Asked,
    /// They took the call.
    Here,
    /// They left, or did not come.
    Gone,
}

/// Why a roster is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum RosterError {
    /// Not the shape of one.
    #[error("the roster is malformed")]
    Malformed,
    /// More than [`JOINT_LIMIT`] people at once, or too many names.
    #[error("a joint call has {JOINT_LIMIT} people at most")]
    Full,
    /// It is another call's.
    #[error("the roster is of another call")]
    OtherCall,
    /// Who shows it is not on ours.
    #[error("only a participant says who takes part")]
    NotAParticipant,
}

/// The people of a joint call, and where they are.
#[derive(Clone, PartialEq, Eq, Serialize)]
pub struct Roster {
    id: JointId,
    people: BTreeMap<UserAddress, u32>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    id: String,
    people: BTreeMap<UserAddress, u32>,
}

impl Roster {
    /// The joint call of somebody who is alone in it so far.
    pub fn new(id: JointId, me: &UserAddress) -> Self {
        let mut roster = Self { id, people: BTreeMap::new() };
        roster.people.insert(me.clone(), HERE);
        roster
    }

    /// Reads what somebody wrote.
    pub fn parse(value: &Value) -> Result<Self, RosterError> {
        // Before a thousand addresses are read.
        let names = value.get("people").and_then(Value::as_object).ok_or(RosterError::Malformed)?.len();
        if names > NAMES_LIMIT {
            return Err(RosterError::Full);
        }
        let Written { id, people } = Written::deserialize(value).map_err(|_| RosterError::Malformed)?;
        let id = JointId::parse(&id).ok_or(RosterError::Malformed)?;
        if people.is_empty() || people.values().any(|step| !(1..=STEPS_LIMIT).contains(step)) {
            return Err(RosterError::Malformed);
        }
        let roster = Self { id, people };
        if roster.present() > JOINT_LIMIT { Err(RosterError::Full) } else { Ok(roster) }
    }

    /// The name of the call.
    pub fn id(&self) -> &JointId {
        &self.id
    }

    /// Everybody who was ever asked, and where they are.
    pub fn people(&self) -> impl Iterator<Item = (&UserAddress, Place)> {
        self.people.iter().map(|(user, step)| (user, place(*step)))
    }

    /// Where somebody is, if they were ever asked.
    pub fn place(&self, user: &UserAddress) -> Option<Place> {
        self.people.get(user).map(|step| place(*step))
    }

    /// Whether somebody is asked or here.
    pub fn has(&self, user: &UserAddress) -> bool {
        self.place(user).is_some_and(|place| place != Place::Gone)
    }

    /// How many are asked or here.
    pub fn present(&self) -> usize {
        self.people().filter(|(_, place)| *place != Place::Gone).count()
    }

    /// Asks somebody to come, or to come again.
    pub fn ask(&mut self, user: &UserAddress) -> Result<(), RosterError> {
        if self.has(user) {
            return Ok(());
        }
        let known = self.people.contains_key(user);
        if self.present() >= JOINT_LIMIT || !known && self.people.len() >= NAMES_LIMIT {
            return Err(RosterError::Full);
        }
        self.step_to(user, Place::Asked)
    }

    /// Somebody took the call.
    pub fn came(&mut self, user: &UserAddress) -> Result<(), RosterError> {
        self.step_to(user, Place::Here)
    }

    /// Somebody left, or will not come.
    pub fn went(&mut self, user: &UserAddress) {
        if self.has(user) {
            let _ = self.step_to(user, Place::Gone);
        }
    }

    /// Takes in what a participant says. Gives whether something is new.
    pub fn merge(&mut self, told: &Self, by: &UserAddress, me: &UserAddress) -> Result<bool, RosterError> {
        if told.id != self.id {
            return Err(RosterError::OtherCall);
        }
        if !self.has(by) {
            return Err(RosterError::NotAParticipant);
        }
        let mut merged = self.clone();
        for (user, step) in told.people.iter().filter(|(user, _)| *user != me) {
            let known = merged.people.entry(user.clone()).or_default();
            *known = (*known).max(*step);
        }
        if merged.present() > JOINT_LIMIT || merged.people.len() > NAMES_LIMIT {
            return Err(RosterError::Full);
        }
        let news = merged != *self;
        *self = merged;
        Ok(news)
    }

    fn step_to(&mut self, user: &UserAddress, wanted: Place) -> Result<(), RosterError> {
        let step = self.people.entry(user.clone()).or_default();
        while *step == 0 || place(*step) != wanted {
            if *step >= STEPS_LIMIT {
                return Err(RosterError::Full);
            }
            *step += 1;
        }
        Ok(())
    }
}

/// Who of two calls the other when both are here: the smaller address. Both know both, so nobody waits and nobody
/// calls twice.
pub fn calls_first(me: &UserAddress, other: &UserAddress) -> bool {
    me < other
}

const HERE: u32 = 2;

fn place(step: u32) -> Place {
    match step % 3 {
        1 => Place::Asked,
        2 => Place::Here,
        _ => Place::Gone,
    }
}

impl std::fmt::Debug for Roster {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Roster({} people)", self.people.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    const ID: &str = "AAAAAAAAAAAAAAAAAAAAAA";

    fn who(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    fn call_of_ana() -> Roster {
        Roster::new(JointId::parse(ID).unwrap(), &who("ana"))
    }

    #[test]
    fn a_roster_is_read_as_it_was_written() {
        let mut roster = call_of_ana();
        roster.ask(&who("ben")).unwrap();
        let written = serde_json::to_value(&roster).unwrap();
        assert_eq!(written["people"]["user://a.localhost/ben"], 1);
        assert_eq!(Roster::parse(&written).unwrap(), roster);
    }

    #[test]
    fn a_seventh_person_does_not_come_in() {
        let mut roster = call_of_ana();
        ["ben", "cleo", "dan", "eve", "finn"].iter().for_each(|name| roster.ask(&who(name)).unwrap());
        assert_eq!(roster.ask(&who("gus")), Err(RosterError::Full));
        roster.went(&who("eve"));
        roster.ask(&who("gus")).unwrap();
        assert_eq!(roster.ask(&who("eve")), Err(RosterError::Full), "her place is taken");
        assert_eq!(roster.present(), JOINT_LIMIT);
    }

    #[test]
    fn all_come_to_the_same_in_whatever_order_they_hear_it() {
        let mut ana = call_of_ana();
        ana.ask(&who("ben")).unwrap();
        let mut ben = ana.clone();
        ben.came(&who("ben")).unwrap();
        let early = ana.clone();
        ana.ask(&who("cleo")).unwrap();
        assert_eq!(ana.merge(&ben, &who("ben"), &who("ana")), Ok(true));
        assert_eq!(ben.merge(&ana, &who("ana"), &who("ben")), Ok(true));
        assert_eq!(ana, ben);
        assert_eq!(ben.merge(&early, &who("ana"), &who("ben")), Ok(false), "what is old changes nothing");
        assert_eq!(ben.place(&who("ben")), Some(Place::Here));
    }

    #[test]
    fn nobody_is_told_by_others_where_they_are_themselves() {
        let mut ana = call_of_ana();
        ana.ask(&who("ben")).unwrap();
        let mut lie = ana.clone();
        lie.went(&who("ana"));
        assert_eq!(ana.merge(&lie, &who("ben"), &who("ana")), Ok(false));
        assert_eq!(ana.place(&who("ana")), Some(Place::Here));
    }

    #[test]
    fn only_a_participant_says_who_takes_part() {
        let mut ana = call_of_ana();
        ana.ask(&who("ben")).unwrap();
        let mut forged = ana.clone();
        forged.ask(&who("mallory")).unwrap();
        assert_eq!(ana.merge(&forged, &who("mallory"), &who("ana")), Err(RosterError::NotAParticipant));
        assert!(!ana.has(&who("mallory")));
        ana.went(&who("ben"));
        assert_eq!(ana.merge(&forged, &who("ben"), &who("ana")), Err(RosterError::NotAParticipant), "he left");
        let other = Roster::new(JointId::parse("BBBBBBBBBBBBBBBBBBBBBB").unwrap(), &who("ben"));
        assert_eq!(ana.merge(&other, &who("ben"), &who("ana")), Err(RosterError::OtherCall));
    }

    #[test]
    fn a_roster_of_a_thousand_and_other_nonsense_is_refused() {
        let people: BTreeMap<String, u32> = (0..1_000).map(|n| (format!("user://a.localhost/p{n}"), 1)).collect();
        assert_eq!(Roster::parse(&json!({ "id": ID, "people": people })), Err(RosterError::Full));
        for nonsense in [
            json!(null),
            json!({}),
            json!({ "id": ID, "people": {} }),
            json!({ "id": ID, "people": [] }),
            json!({ "id": "short", "people": { "user://a.localhost/ana": 1 } }),
            json!({ "id": ID, "people": { "user://a.localhost/ana": 0 } }),
            json!({ "id": ID, "people": { "user://a.localhost/ana": 4_000_000_000_u32 } }),
            json!({ "id": ID, "people": { "user://a.localhost/ana": -1 } }),
            json!({ "id": ID, "people": { "comm://a.localhost/x": 1 } }),
            json!({ "id": ID, "people": { "user://a.localhost/ana": 1 }, "admin": true }),
        ] {
            assert_eq!(Roster::parse(&nonsense), Err(RosterError::Malformed), "{nonsense}");
        }
    }

    #[test]
    fn two_who_add_one_each_to_a_call_of_five_do_not_make_seven() {
        let mut ana = call_of_ana();
        ["ben", "cleo", "dan", "eve"].iter().for_each(|name| ana.ask(&who(name)).unwrap());
        let mut ben = ana.clone();
        ana.ask(&who("finn")).unwrap();
        ben.ask(&who("gus")).unwrap();
        assert_eq!(ana.merge(&ben, &who("ben"), &who("ana")), Err(RosterError::Full));
        assert_eq!(ana.present(), JOINT_LIMIT);
    }

    #[test]
    fn of_two_exactly_one_calls() {
        assert!(calls_first(&who("ana"), &who("ben")));
        assert!(!calls_first(&who("ben"), &who("ana")));
    }

    #[test]
    fn whoever_comes_and_goes_without_end_is_not_asked_any_more() {
        let mut ana = call_of_ana();
        let mut asked = 0;
        while ana.ask(&who("ben")).is_ok() && asked < 1_000 {
            ana.went(&who("ben"));
            asked += 1;
        }
        assert_eq!(asked, 20);
    }
}
