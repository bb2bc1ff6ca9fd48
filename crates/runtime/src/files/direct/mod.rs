//! The direct way of files: from one device to the other, past every Node.
//!
//! Two sealed words in the conversation bring a connection about ([`word`]); on it one device asks for the pieces of
//! one file ([`asking`]) and the other gives them, judging each anew ([`giving`]). What bounds all this is [`Direct`].

mod asking;
mod giving;
mod word;

use std::collections::{HashMap, HashSet};

use message::{Address, UserAddress};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

use crate::trouble::{Failure, Outcome};

pub(crate) use word::{PART, Speaker, Word, on_word};

/// From this size on a file is asked for directly. A smaller one has come through the Node before two devices found
/// a path, and it may come without being asked for: no address is shown for that.
pub(super) const DIRECT_FROM: u64 = super::FETCH_LIMIT;

/// Connections on which we give, over all persons.
const GIVING_LIMIT: usize = 4;

/// Offers of one person that are looked at within [`OFFERS_WINDOW_MS`].
const OFFERS_LIMIT: u32 = 30;
const OFFERS_WINDOW_MS: i64 = 60_000;

/// How long a person is not asked who did not answer, at first and at most.
const QUIET_MS: (i64, i64) = (15_000, 600_000);

/// Words that were not answered, until something is heard again. Each one that is lost is a step the other side's
/// ratchet has to bridge, and it bridges a thousand.
const UNANSWERED_LIMIT: u32 = 200;

/// How often somebody is told that we are here.
const HERE_EVERY_MS: i64 = 300_000;

/// How often "I am here" is a reason to ask somebody at once.
const BELIEVED_EVERY_MS: i64 = 20_000;

/// How often somebody is asked to say when they are there, if they do not. Their Node keeps the question.
const ASK_BACK_EVERY_MS: i64 = 6 * 3_600_000;

/// Persons of whom something is remembered.
const PERSONS_LIMIT: usize = 256;

/// What an offer of ours came to: the other side's description.
type Answered = Result<String, Failure>;

/// The direct connections, and what bounds them.
#[derive(Default)]
pub(crate) struct Direct {
    /// Our offers that wait for an answer, by their name.
    offered: HashMap<String, Offered>,
    /// From whom we fetch now: one file at a time.
    asking: HashSet<UserAddress>,
    /// To whom we give now.
    giving: HashMap<UserAddress, Giving>,
    /// What is known of persons who were asked, or who ask.
    persons: HashMap<UserAddress, Known>,
    /// Connections that were ever given on.
    given: u64,
}

/// An offer of ours.
struct Offered {
    user: UserAddress,
    /// Devices that have not refused yet.
    devices: usize,
    answer: oneshot::Sender<Answered>,
}

/// A connection on which we give.
struct Giving {
    /// The device that asks.
    device: String,
    number: u64,
    stop: CancellationToken,
}

#[derive(Default, Clone)]
struct Known {
    /// They are not asked before this moment, and how long the next rest is.
    quiet: (i64, i64),
    unanswered: u32,
    /// When their offers began to be counted, and how many there were.
    offers: (i64, u32),
    /// When they were told last that we are here.
    told_here: Option<i64>,
    /// When it was believed last that they are here.
    there: Option<i64>,
    /// When they were asked last to tell that they are.
    asked_back: Option<i64>,
}

impl Direct {
    /// Takes the place of the one connection with a person, if it is free and they may be asked.
    fn begin_asking(&mut self, user: &UserAddress, now: i64) -> Outcome<()> {
        if self.asking.contains(user) {
            return Err(Failure::new("direct-busy", "another file of this person comes directly"));
        }
        let known = self.known(user);
        if known.quiet.0 > now || known.unanswered >= UNANSWERED_LIMIT {
            return Err(Failure::new("author-away", "this person did not answer lately"));
        }
        self.asking.insert(user.clone());
        Ok(())
    }

    fn end_asking(&mut self, user: &UserAddress) {
        self.asking.remove(user);
    }

    /// Remembers an offer of ours to so many devices; what comes of it is heard from the result.
    fn offer(&mut self, attempt: &str, user: &UserAddress, devices: usize) -> oneshot::Receiver<Answered> {
        self.known(user).unanswered += 1;
        let (answer, receiver) = oneshot::channel();
        self.offered.insert(attempt.to_owned(), Offered { user: user.clone(), devices, answer });
        receiver
    }

    fn take_back(&mut self, attempt: &str) {
        self.offered.remove(attempt);
    }

    /// A device of the person whom we asked says what comes of an offer; anybody else has no word in it. That one device
    /// does not give the file says nothing of the others.
    fn answered(&mut self, attempt: &str, user: &UserAddress, answer: Answered) {
        let Some(offered) = self.offered.get_mut(attempt).filter(|offered| offered.user == *user) else { return };
        if answer.is_err() {
            offered.devices = offered.devices.saturating_sub(1);
            if offered.devices > 0 {
                return;
            }
        }
        if let Some(offered) = self.offered.remove(attempt) {
            // Who offered may have given up.
            let _ = offered.answer.send(answer);
        }
    }

    /// They did not answer, or no path was found: the next try waits, longer each time.
    fn is_quiet(&mut self, user: &UserAddress, now: i64) {
        let known = self.known(user);
        let pause = known.quiet.1.clamp(QUIET_MS.0, QUIET_MS.1);
        known.quiet = (now + pause, pause * 2);
    }

    /// The person here wants something of theirs now: that is a reason to try at once.
    pub(super) fn is_wanted(&mut self, user: &UserAddress) {
        self.known(user).quiet = (0, 0);
    }

    /// Something of theirs came, which is a reason to ask at once.
    fn is_heard(&mut self, user: &UserAddress) {
        let known = self.known(user);
        (known.quiet, known.unanswered) = ((0, 0), 0);
    }

    /// They say that they are there. Whether that is a reason to ask them now: we wanted to know, and it is not said
    /// again and again.
    fn is_there(&mut self, user: &UserAddress, now: i64) -> bool {
        let known = self.known(user);
        let wanted = known.asked_back.is_some() && is_due(&mut known.there, now, BELIEVED_EVERY_MS);
        if wanted {
            known.asked_back = None;
            self.is_heard(user);
        }
        wanted
    }

    /// Whether an offer of theirs is looked at.
    fn may_offer(&mut self, user: &UserAddress, now: i64) -> bool {
        let known = self.known(user);
        if (now - known.offers.0).abs() >= OFFERS_WINDOW_MS {
            known.offers = (now, 0);
        }
        known.offers.1 = known.offers.1.saturating_add(1);
        known.offers.1 <= OFFERS_LIMIT
    }

    /// Takes a place to give on. A device that asks again has lost its connection; another device waits.
    fn begin_giving(&mut self, user: &UserAddress, device: &str) -> Option<(u64, CancellationToken)> {
        match self.giving.get(user) {
            Some(giving) if giving.device != device => return None,
            Some(giving) => giving.stop.cancel(),
            None if self.giving.len() >= GIVING_LIMIT => return None,
            None => {}
        }
        self.given += 1;
        let (number, stop) = (self.given, CancellationToken::new());
        self.giving.insert(user.clone(), Giving { device: device.to_owned(), number, stop: stop.clone() });
        Some((number, stop))
    }

    fn end_giving(&mut self, user: &UserAddress, number: u64) {
        if self.giving.get(user).is_some_and(|giving| giving.number == number) {
            self.giving.remove(user);
        }
    }

    /// Whether they are told now that we are here.
    fn may_tell_here(&mut self, user: &UserAddress, now: i64) -> bool {
        is_due(&mut self.known(user).told_here, now, HERE_EVERY_MS)
    }

    /// Whether they are asked now to say when they are there.
    fn may_ask_back(&mut self, user: &UserAddress, now: i64) -> bool {
        is_due(&mut self.known(user).asked_back, now, ASK_BACK_EVERY_MS)
    }

    fn known(&mut self, user: &UserAddress) -> &mut Known {
        if self.persons.len() >= PERSONS_LIMIT && !self.persons.contains_key(user) {
            self.persons.clear();
        }
        self.persons.entry(user.clone()).or_default()
    }
}

fn is_due(last: &mut Option<i64>, now: i64, every: i64) -> bool {
    let due = last.is_none_or(|last| (now - last).abs() >= every);
    if due {
        *last = Some(now);
    }
    due
}

/// What names an offer.
fn attempt() -> String {
    keys::b64url(&keys::random::<16>())
}

/// The conversation in which two persons say such words.
type Chat = Address;

#[cfg(test)]
mod tests {
    use super::*;

    fn user(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    #[test]
    fn one_file_comes_from_a_person_at_a_time_and_who_does_not_answer_is_asked_seldom() {
        let (mut direct, ana) = (Direct::default(), user("ana"));
        direct.begin_asking(&ana, 0).unwrap();
        assert_eq!(direct.begin_asking(&ana, 0).unwrap_err().code, "direct-busy");
        assert!(direct.begin_asking(&user("ben"), 0).is_ok(), "of somebody else it may");
        direct.end_asking(&ana);
        let tries = (0..3_600_000 / 1_000).filter(|second| {
            let now = second * 1_000;
            let may = direct.begin_asking(&ana, now).is_ok();
            if may {
                direct.is_quiet(&ana, now);
                direct.end_asking(&ana);
            }
            may
        });
        assert!((5..=15).contains(&tries.count()), "a few times in an hour");
        assert!(direct.begin_asking(&ana, 3_600_000).is_err());
        direct.is_heard(&ana);
        assert!(direct.begin_asking(&ana, 3_600_000).is_ok(), "a sign of life is a reason to ask");
    }

    #[test]
    fn words_into_the_void_have_an_end() {
        let (mut direct, ana) = (Direct::default(), user("ana"));
        for n in 0..UNANSWERED_LIMIT {
            drop(direct.offer(&n.to_string(), &ana, 1));
            direct.take_back(&n.to_string());
        }
        assert!(direct.begin_asking(&ana, i64::MAX / 2).is_err());
        direct.is_heard(&ana);
        assert!(direct.begin_asking(&ana, 0).is_ok());
    }

    #[test]
    fn only_who_was_asked_answers() {
        let (mut direct, ana) = (Direct::default(), user("ana"));
        let mut answer = direct.offer("one", &ana, 2);
        direct.answered("one", &user("eve"), Ok("mine".into()));
        direct.answered("two", &ana, Ok("another".into()));
        let refused = || Err(Failure::new("direct-refused", ""));
        direct.answered("one", &ana, refused());
        assert!(answer.try_recv().is_err(), "her other device may have it");
        direct.answered("one", &ana, Ok("hers".into()));
        assert_eq!(answer.try_recv().unwrap().unwrap(), "hers");
        direct.answered("one", &ana, Ok("twice".into()));
        let mut answer = direct.offer("three", &ana, 1);
        direct.answered("three", &ana, refused());
        assert_eq!(answer.try_recv().unwrap().unwrap_err().code, "direct-refused");
        assert!(direct.offered.is_empty());
    }

    #[test]
    fn there_is_one_connection_with_a_person_and_a_few_in_all() {
        let (mut direct, ana) = (Direct::default(), user("ana"));
        let (first, stop) = direct.begin_giving(&ana, "phone").unwrap();
        assert!(direct.begin_giving(&ana, "laptop").is_none(), "her other device waits");
        let (second, _) = direct.begin_giving(&ana, "phone").unwrap();
        assert!(stop.is_cancelled(), "what was lost is not kept");
        direct.end_giving(&ana, first);
        assert!(direct.giving.contains_key(&ana), "the end of the first is not that of the second");
        let more = (0..10).filter(|n| direct.begin_giving(&user(&format!("u{n}")), "d").is_some()).count();
        assert_eq!(more, GIVING_LIMIT - 1);
        direct.end_giving(&ana, second);
        assert!(direct.begin_giving(&ana, "laptop").is_some());
    }

    #[test]
    fn who_floods_with_offers_is_not_heard_and_what_is_remembered_has_a_bound() {
        let (mut direct, eve) = (Direct::default(), user("eve"));
        let looked_at = (0..10_000).filter(|_| direct.may_offer(&eve, 5)).count();
        assert_eq!(looked_at, OFFERS_LIMIT as usize);
        assert!(direct.may_offer(&eve, 5 + OFFERS_WINDOW_MS));
        let told = (0..1_000).filter(|ms| direct.may_tell_here(&eve, *ms)).count();
        assert_eq!(told, 1);
        assert!(!direct.is_there(&eve, 0), "nobody wanted to know");
        let believed = (0..1_000).filter(|ms| direct.may_ask_back(&eve, *ms) | direct.is_there(&eve, *ms)).count();
        assert!(believed <= 3, "{believed}");
        (0..1_000).for_each(|n| assert!(direct.may_offer(&user(&format!("u{n}")), 0)));
        assert!(direct.persons.len() <= PERSONS_LIMIT);
    }
}
