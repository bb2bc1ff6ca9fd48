//! Names who numbers children: one device of one person, so that two devices never use a number twice.

use serde::{Deserialize, Serialize};

/// Longest name of an author in bytes.
pub const AUTHOR_LIMIT: usize = 64;

/// Whoever numbers children. Opaque here; it never contains a blank.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Author(String);

/// A text that names no author.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an author is named by 1 to {AUTHOR_LIMIT} visible ASCII characters")]
pub struct NoAuthor;

impl Author {
    /// Reads a name.
    pub fn parse(text: &str) -> Result<Self, NoAuthor> {
        let fits = (1..=AUTHOR_LIMIT).contains(&text.len()) && text.bytes().all(|byte| byte.is_ascii_graphic());
        if fits { Ok(Self(text.to_owned())) } else { Err(NoAuthor) }
    }

    /// The name.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for Author {
    type Error = NoAuthor;
    fn try_from(text: String) -> Result<Self, NoAuthor> {
        Self::parse(&text)
    }
}

impl From<Author> for String {
    fn from(author: Author) -> Self {
        author.0
    }
}

impl std::fmt::Display for Author {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_author_is_a_short_word() {
        assert_eq!(Author::parse("abc-1").unwrap().as_str(), "abc-1");
        for text in ["", "a b", "\u{e4}", &"x".repeat(AUTHOR_LIMIT + 1)] {
            assert_eq!(Author::parse(text), Err(NoAuthor), "{text}");
        }
    }
}
