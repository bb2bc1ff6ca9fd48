//! Whom words name: found where they are written, and read where they come. Pure.
//!
//! The one who writes knows everybody by some name, the one who reads perhaps by another; so a mention travels with the
//! person and with the very letters that name them.

use message::UserAddress;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// People whom one message names; of more the rest are words only.
const MENTIONS_LIMIT: usize = 32;

/// Characters of a name or an address that is written after the sign.
const NAME_LIMIT: usize = 128;

/// Somebody, and how they are called in the words, without the sign before it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Mention {
    pub(crate) user: UserAddress,
    pub(crate) name: String,
}

/// Reads whom words name; who is not named in them is left out.
pub(crate) fn mentions_in(value: Option<&Value>, words: &str) -> Vec<Mention> {
    let Some(all) = value.and_then(Value::as_array) else { return Vec::new() };
    let read = all.iter().take(MENTIONS_LIMIT).filter_map(|one| serde_json::from_value::<Mention>(one.clone()).ok());
    read.filter(|one| one.name.chars().count() <= NAME_LIMIT && names(words, &one.name)).collect()
}

/// Whether the sign and this name stand in the words, as a name and not as a part of another word.
fn names(words: &str, name: &str) -> bool {
    !name.is_empty() && words.match_indices('@').any(|(at, _)| stands_at(words, at, name))
}

fn stands_at(words: &str, at: usize, name: &str) -> bool {
    let begins = words[..at].chars().next_back().is_none_or(|before| !before.is_alphanumeric());
    let after = words[at + 1..].strip_prefix(name);
    begins && after.is_some_and(|after| after.chars().next().is_none_or(|next| !next.is_alphanumeric()))
}

/// Finds whom words name among these people; of names that begin alike the longest counts.
///
/// Who is called alike is named alike: whoever writes can say the address instead.
pub(crate) fn find(words: &str, people: &[(UserAddress, String)]) -> Vec<Mention> {
    let mut found: Vec<Mention> = Vec::new();
    for (at, _) in words.match_indices('@') {
        let called = people.iter().flat_map(|(user, name)| [(user, name.clone()), (user, user.handle())]);
        let here: Vec<_> = called.filter(|(_, name)| !name.is_empty() && stands_at(words, at, name)).collect();
        let longest = here.iter().map(|(_, name)| name.len()).max().unwrap_or(0);
        for (user, name) in here.into_iter().filter(|(_, name)| name.len() == longest) {
            if found.iter().all(|known| known.user != *user) && found.len() < MENTIONS_LIMIT {
                found.push(Mention { user: user.clone(), name });
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn user(name: &str) -> UserAddress {
        UserAddress::parse(&format!("{name}@a.localhost")).unwrap()
    }

    fn named(words: &str) -> Vec<String> {
        let people = [("ben", "Ben"), ("bea", "Ben Okafor"), ("cleo", "Cleo"), ("cleo2", "Cleo")];
        let people = people.map(|(handle, name)| (user(handle), name.to_owned()));
        find(words, &people).into_iter().map(|one| one.user.handle()).collect()
    }

    #[test]
    fn names_after_the_sign_are_found_and_the_longest_counts() {
        assert_eq!(named("@Ben, are you there?"), ["ben@a.localhost"]);
        assert_eq!(named("@Ben Okafor and (@Ben)"), ["bea@a.localhost", "ben@a.localhost"]);
        assert_eq!(named("ask @cleo@a.localhost"), ["cleo@a.localhost"]);
        assert_eq!(named("@Cleo"), ["cleo@a.localhost", "cleo2@a.localhost"], "both are called so");
        for words in ["Ben", "@Benno", "mail@Ben", "@ Ben", "@ben", "@", ""] {
            assert!(named(words).is_empty(), "{words}");
        }
    }

    #[test]
    fn who_is_not_named_in_the_words_is_not_named() {
        let said = |name: &str| json!([{ "user": "user://a.localhost/ben", "name": name }]);
        assert_eq!(mentions_in(Some(&said("Ben")), "hello @Ben!").len(), 1);
        for (name, words) in [("Ben", "hello Ben"), ("Ben", "hello @Bennet"), ("", "hello @"), ("Cleo", "hello @Ben")] {
            assert!(mentions_in(Some(&said(name)), words).is_empty(), "{name} {words}");
        }
        let many = json!(vec![json!({ "user": "user://a.localhost/ben", "name": "Ben" }); 1000]);
        assert_eq!(mentions_in(Some(&many), "@Ben").len(), MENTIONS_LIMIT);
        for wrong in [json!(null), json!("Ben"), json!([7]), json!([{ "user": "Ben", "name": "Ben" }])] {
            assert!(mentions_in(Some(&wrong), "@Ben").is_empty(), "{wrong}");
        }
    }
}
