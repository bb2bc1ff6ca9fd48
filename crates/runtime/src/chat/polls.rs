//! Questions with answers to choose from: how they are read, and which votes count. Pure.
//!
//! A vote is a word about the message that asks, by a person and not by a device: of several by one person the last
//! counts, so nobody votes twice. Each word carries the time at which it was said; what was said after the poll was
//! closed does not count, in whatever order the words come, so the counts are the same for everybody.
//!
//! A poll that shows no names still tells every app who voted: votes are signed, as all that is sealed. It is the app
//! that does not show it.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::after::{Stamp, Void};

/// Characters of the question.
pub(crate) const QUESTION_LIMIT: usize = 300;

/// Characters of one answer.
pub(crate) const OPTION_LIMIT: usize = 100;

/// Answers of one poll.
pub(crate) const OPTIONS_LIMIT: usize = 12;

/// Votes of one person that are remembered: a later close may make an earlier one count.
const CHANGES_LIMIT: usize = 8;

/// People whose votes are kept.
const VOTERS_LIMIT: usize = 1000;

/// What is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Poll {
    pub(crate) question: String,
    pub(crate) options: Vec<String>,
    /// Whether one may choose more than one answer.
    pub(crate) several: bool,
    /// Whether apps leave out who chose what.
    pub(crate) hidden: bool,
}

impl Poll {
    /// Reads what is asked; `None` if that is no poll within its bounds.
    pub(crate) fn parse(value: &Value) -> Option<Self> {
        let line = |value: &Value, limit: usize| {
            let text = value.as_str().filter(|text| text.len() <= 4 * limit)?;
            let clean = text.trim() == text && !text.is_empty() && text.chars().count() <= limit;
            (clean && !text.chars().any(char::is_control)).then(|| text.to_owned())
        };
        let options = value.get("options")?.as_array().filter(|all| (2..=OPTIONS_LIMIT).contains(&all.len()))?;
        let options: Vec<String> = options.iter().map(|one| line(one, OPTION_LIMIT)).collect::<Option<_>>()?;
        let twice = options.iter().enumerate().any(|(at, one)| options[..at].contains(one));
        let flag = |name: &str| value.get(name).and_then(Value::as_bool).unwrap_or(false);
        let question = line(value.get("question")?, QUESTION_LIMIT)?;
        (!twice).then(|| Self { question, options, several: flag("several"), hidden: flag("hidden") })
    }

    /// Whether a vote is one for this poll.
    pub(crate) fn takes(&self, choices: &[u8]) -> bool {
        choices.iter().all(|choice| usize::from(*choice) < self.options.len()) && (self.several || choices.len() <= 1)
    }

    /// What is searched for and quoted.
    pub(crate) fn words(&self) -> String {
        let mut words = self.question.clone();
        for option in &self.options {
            words.push('\n');
            words.push_str(option);
        }
        words
    }
}

/// Reads which answers are chosen, in order and each once; none takes a vote back.
pub(crate) fn choices_in(value: Option<&Value>) -> Option<Vec<u8>> {
    let all = value?.as_array().filter(|all| all.len() <= OPTIONS_LIMIT)?;
    let numbers = all.iter().map(|one| one.as_u64().and_then(|one| u8::try_from(one).ok()));
    let mut choices = numbers.collect::<Option<Vec<u8>>>()?;
    choices.sort_unstable();
    let before = choices.len();
    choices.dedup();
    (choices.len() == before).then_some(choices)
}

/// The votes about one poll.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Votes {
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    all: Vec<Voter>,
    /// When its author closed it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    closed: Option<Stamp>,
}

/// One person's votes, the oldest first.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Voter {
    who: String,
    said: Vec<(Stamp, Vec<u8>)>,
}

impl Votes {
    /// Takes a vote. Says whether the counts changed.
    pub(crate) fn vote(&mut self, who: &str, choices: &[u8], stamp: Stamp) -> Result<bool, Void> {
        if self.is_late(&stamp) {
            return Err(Void::Closed);
        }
        let before = self.choice_of(who).map(<[u8]>::to_vec).unwrap_or_default();
        let at = match self.all.iter().position(|voter| voter.who == who) {
            Some(at) => at,
            None if self.all.len() >= VOTERS_LIMIT => return Err(Void::TooMany),
            None => {
                self.all.push(Voter { who: who.to_owned(), said: Vec::new() });
                self.all.len() - 1
            }
        };
        let said = &mut self.all[at].said;
        match said.binary_search_by(|(known, _)| known.cmp(&stamp)) {
            Ok(_) => return Ok(false),
            Err(place) => said.insert(place, (stamp, choices.to_vec())),
        }
        if said.len() > CHANGES_LIMIT {
            said.remove(0);
        }
        Ok(self.choice_of(who).unwrap_or_default() != before)
    }

    /// Its author closes it; of several times the first counts.
    pub(crate) fn close(&mut self, stamp: Stamp) -> bool {
        if self.closed.as_ref().is_some_and(|closed| *closed <= stamp) {
            return false;
        }
        self.closed = Some(stamp);
        true
    }

    pub(crate) fn is_closed(&self) -> bool {
        self.closed.is_some()
    }

    pub(crate) fn is_nothing(&self) -> bool {
        *self == Self::default()
    }

    fn is_late(&self, stamp: &Stamp) -> bool {
        self.closed.as_ref().is_some_and(|closed| stamp > closed)
    }

    /// What somebody chose, as far as it counts.
    pub(crate) fn choice_of(&self, who: &str) -> Option<&[u8]> {
        let said = &self.all.iter().find(|voter| voter.who == who)?.said;
        let last = said.iter().rev().find(|(stamp, _)| !self.is_late(stamp));
        last.map(|(_, choices)| choices.as_slice()).filter(|choices| !choices.is_empty())
    }

    /// Who chose what, in the order in which people voted first.
    pub(crate) fn all(&self) -> impl Iterator<Item = (&str, &[u8])> {
        self.all.iter().filter_map(|voter| Some((voter.who.as_str(), self.choice_of(&voter.who)?)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn at(at: i64, tag: &str) -> Stamp {
        Stamp { at, tag: tag.into(), seq: 1 }
    }

    fn choices(votes: &Votes) -> Vec<(String, Vec<u8>)> {
        let mut all: Vec<_> = votes.all().map(|(who, choices)| (who.to_owned(), choices.to_vec())).collect();
        all.sort();
        all
    }

    #[test]
    fn a_person_has_one_vote_whichever_device_casts_it_and_changes_it() {
        let mut votes = Votes::default();
        assert_eq!(votes.vote("ben", &[0], at(1, "laptop")), Ok(true));
        assert_eq!(votes.vote("ben", &[1], at(2, "phone")), Ok(true));
        assert_eq!(votes.vote("ben", &[2], at(1, "old")), Ok(false), "an older word came later");
        assert_eq!(votes.vote("ben", &[1], at(3, "phone")), Ok(false), "the same again");
        assert_eq!(choices(&votes), [("ben".to_owned(), vec![1])]);
        assert_eq!(votes.vote("ben", &[], at(4, "phone")), Ok(true));
        assert!(choices(&votes).is_empty(), "it was taken back");
    }

    #[test]
    fn the_counts_are_the_same_in_whatever_order_the_words_come() {
        let words: [(&str, Option<&[u8]>, i64); 5] = [
            ("ben", Some(&[0]), 1),
            ("ben", Some(&[1]), 9),
            ("cleo", Some(&[1]), 3),
            ("dan", Some(&[0]), 8),
            ("ana", None, 5),
        ];
        let mut orders = vec![Vec::<usize>::new()];
        for n in 0..words.len() {
            let longer = orders.into_iter().flat_map(|order| {
                (0..=order.len()).map(move |place| [&order[..place], &[n], &order[place..]].concat())
            });
            orders = longer.collect();
        }
        for order in orders {
            let mut votes = Votes::default();
            for n in &order {
                let (who, vote, when) = words[*n];
                match vote {
                    Some(choices) => drop(votes.vote(who, choices, at(when, who))),
                    None => drop(votes.close(at(when, who))),
                }
            }
            let counted = [("ben".to_owned(), vec![0]), ("cleo".to_owned(), vec![1])];
            assert_eq!(choices(&votes), counted, "{order:?}");
        }
    }

    #[test]
    fn a_flood_of_votes_stays_small() {
        let mut votes = Votes::default();
        for n in 0..1000 {
            let _ = votes.vote("ben", &[u8::from(n % 2 == 0)], at(n, "b"));
        }
        assert_eq!(votes.all[0].said.len(), CHANGES_LIMIT);
        for n in 0..2 * VOTERS_LIMIT {
            let _ = votes.vote(&format!("p{n}"), &[0], at(1, "p"));
        }
        assert_eq!(votes.all.len(), VOTERS_LIMIT);
    }

    #[test]
    fn a_poll_is_read_within_its_bounds_or_not_at_all() {
        let poll = json!({ "question": "When?", "options": ["Saturday", "Sunday"], "several": true });
        let read = Poll::parse(&poll).unwrap();
        assert_eq!((read.options.len(), read.several, read.hidden), (2, true, false));
        assert_eq!(read.words(), "When?\nSaturday\nSunday");
        let many: Vec<String> = (0..=OPTIONS_LIMIT).map(|n| n.to_string()).collect();
        for (name, value) in [
            ("question", json!("")),
            ("question", json!("x".repeat(QUESTION_LIMIT + 1))),
            ("question", json!("two\nlines")),
            ("question", json!(7)),
            ("options", json!(["one"])),
            ("options", json!(["same", "same"])),
            ("options", json!(["a", ""])),
            ("options", json!(["a", "x".repeat(OPTION_LIMIT + 1)])),
            ("options", json!(many)),
            ("options", json!("a")),
        ] {
            let mut wrong = poll.clone();
            wrong[name] = value;
            assert_eq!(Poll::parse(&wrong), None, "{wrong}");
        }
    }

    #[test]
    fn a_vote_names_answers_that_there_are_each_once() {
        let single =
            Poll { question: "?".into(), options: vec!["a".into(), "b".into()], several: false, hidden: false };
        let several = Poll { several: true, ..single.clone() };
        assert!(single.takes(&[1]) && single.takes(&[]) && !single.takes(&[0, 1]) && !single.takes(&[2]));
        assert!(several.takes(&[0, 1]) && !several.takes(&[0, 2]));
        assert_eq!(choices_in(Some(&json!([2, 0]))), Some(vec![0, 2]));
        for wrong in [json!([1, 1]), json!([-1]), json!([256]), json!(["a"]), json!(1), json!(vec![0; 13])] {
            assert_eq!(choices_in(Some(&wrong)), None, "{wrong}");
        }
        assert_eq!(choices_in(None), None);
    }
}
