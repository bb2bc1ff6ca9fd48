//! Finds the links of a text, and says which of them may be visited.

use url::{Host, Url};

use crate::error::LinkError;
use crate::limits::{LINKS_LIMIT, URL_LIMIT};
use crate::near::is_near;

/// How a link begins that has a card.
const BEGINS: &str = "https://";

/// Names that belong to one machine, one network or nobody (RFC 6761, 6762, 7686, 8375, 9476 and their neighbours).
const NOT_PUBLIC: [&str; 14] = [
    "localhost",
    "local",
    "internal",
    "intranet",
    "private",
    "corp",
    "home",
    "lan",
    "home.arpa",
    "onion",
    "test",
    "invalid",
    "example",
    "alt",
];

/// A link that may be visited: over TLS, at the usual port of a public name, without a name or a password.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Link(Url);

impl Link {
    /// Reads a link.
    pub fn parse(text: &str) -> Result<Self, LinkError> {
        if text.len() > URL_LIMIT {
            return Err(LinkError::NotALink);
        }
        Self::of(Url::parse(text).map_err(|_| LinkError::NotALink)?)
    }

    /// The link that an answer from this one names.
    pub(crate) fn join(&self, text: &str) -> Result<Self, LinkError> {
        if text.len() > URL_LIMIT {
            return Err(LinkError::NotALink);
        }
        Self::of(self.0.join(text).map_err(|_| LinkError::NotALink)?)
    }

    fn of(url: Url) -> Result<Self, LinkError> {
        if url.as_str().len() > URL_LIMIT || !matches!(url.scheme(), "https" | "http") {
            return Err(LinkError::NotALink);
        }
        if url.scheme() != "https" {
            return Err(LinkError::NotEncrypted);
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(LinkError::Credentials);
        }
        if is_near(&url) {
            return Ok(Self(url));
        }
        if url.port().is_some() {
            return Err(LinkError::Port);
        }
        match url.host() {
            Some(Host::Domain(name)) if is_public_name(name) => Ok(Self(url)),
            _ => Err(LinkError::Host),
        }
    }

    /// The links of a text that may be visited, in their order.
    pub fn all_in(text: &str) -> impl Iterator<Item = Self> {
        starts(text).take(LINKS_LIMIT).filter_map(|at| Self::parse(written_at(text, at)).ok())
    }

    /// Whether a text holds this very link.
    pub fn stands_in(&self, text: &str) -> bool {
        Self::all_in(text).any(|link| link == *self)
    }

    /// The whole link.
    pub fn as_str(&self) -> &str {
        self.0.as_str()
    }

    /// Whose page it is. Letters beyond ASCII are written as `xn--`, so that no name looks like another.
    pub fn host(&self) -> &str {
        self.0.host_str().unwrap_or_default()
    }

    pub(crate) fn url(&self) -> &Url {
        &self.0
    }
}

fn is_public_name(name: &str) -> bool {
    let of = |end: &str| name.strip_suffix(end).is_some_and(|rest| rest.is_empty() || rest.ends_with('.'));
    name.contains('.') && !name.ends_with('.') && !NOT_PUBLIC.iter().any(|end| of(end))
}

/// Where links begin: not in the middle of a word.
fn starts(text: &str) -> impl Iterator<Item = usize> {
    text.char_indices().filter(|(at, c)| c.eq_ignore_ascii_case(&'h') && begins_at(text, *at)).map(|(at, _)| at)
}

fn begins_at(text: &str, at: usize) -> bool {
    let begins = text.get(at..at + BEGINS.len()).is_some_and(|head| head.eq_ignore_ascii_case(BEGINS));
    begins && !text[..at].chars().next_back().is_some_and(char::is_alphanumeric)
}

/// The link that begins here, as windows read it: what follows a sentence is no part of it.
fn written_at(text: &str, at: usize) -> &str {
    let rest = &text[at..];
    let labelled = text[..at].ends_with("](");
    let ends = |c: char| c.is_whitespace() || "<>\"'`".contains(c) || (labelled && matches!(c, '(' | ')'));
    let link = rest.split(ends).next().unwrap_or_default();
    if labelled { link } else { link.trim_end_matches(|c| ".,;:!?)]}*_~".contains(c)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<String> {
        Link::all_in(text).map(|link| link.as_str().to_owned()).collect()
    }

    #[test]
    fn links_are_found_as_people_write_them() {
        for (text, links) in [
            ("see https://b.org/a_(b), or HTTPS://C.org!", vec!["https://b.org/a_(b", "https://c.org/"]),
            ("**https://b.org/**", vec!["https://b.org/"]),
            ("[there](https://b.org/x)y", vec!["https://b.org/x"]),
            ("<https://b.org/?a=1&b=2#c>", vec!["https://b.org/?a=1&b=2#c"]),
            ("xhttps://b.org http://b.org ftp://b.org b.org", vec![]),
            ("https://münchen.de/ü", vec!["https://xn--mnchen-3ya.de/%C3%BC"]),
        ] {
            assert_eq!(found(text), links, "{text}");
        }
    }

    #[test]
    fn a_link_stands_in_a_text_or_it_does_not() {
        let link = Link::parse("https://b.org/a").unwrap();
        assert!(link.stands_in("look: https://b.org/a."));
        for text in ["https://b.org/", "https://b.org/a/", "https://b.org.evil.org/a", "b.org/a", "", "https://"] {
            assert!(!link.stands_in(text), "{text}");
        }
    }

    #[test]
    fn only_public_pages_over_tls_are_visited() {
        for (text, why) in [
            ("http://b.org/", LinkError::NotEncrypted),
            ("https://me:secret@b.org/", LinkError::Credentials),
            ("https://me@b.org/", LinkError::Credentials),
            ("https://b.org:8443/", LinkError::Port),
            ("https://b.org:22/", LinkError::Port),
            ("https://127.0.0.1/", LinkError::Host),
            ("https://0x7f.1/", LinkError::Host),
            ("https://2130706433/", LinkError::Host),
            ("https://[::1]/", LinkError::Host),
            ("https://[::ffff:10.0.0.1]/", LinkError::Host),
            ("https://8.8.8.8/", LinkError::Host),
            ("https://router/", LinkError::Host),
            ("https://localhost/", LinkError::Host),
            ("https://a.localhost/", LinkError::Host),
            ("https://a.LOCALHOST./", LinkError::Host),
            ("https://printer.local/", LinkError::Host),
            ("https://db.prod.internal/", LinkError::Host),
            ("https://nas.home.arpa/", LinkError::Host),
            ("https://abc.onion/", LinkError::Host),
            ("file:///etc/passwd", LinkError::NotALink),
            ("data:text/html,x", LinkError::NotALink),
            ("javascript:alert(1)", LinkError::NotALink),
            ("https://", LinkError::NotALink),
            ("", LinkError::NotALink),
        ] {
            assert_eq!(Link::parse(text), Err(why), "{text}");
        }
        assert_eq!(Link::parse(&format!("https://b.org/{}", "x".repeat(URL_LIMIT))), Err(LinkError::NotALink));
        for text in ["https://b.org", "https://b.org:443/", "https://mylocal.org/", "https://home.arpanet.org/"] {
            assert!(Link::parse(text).is_ok(), "{text}");
        }
    }

    #[test]
    fn where_a_page_leads_is_judged_like_a_first_link() {
        let from = Link::parse("https://b.org/a/b").unwrap();
        assert_eq!(from.join("../c").unwrap().as_str(), "https://b.org/c");
        assert_eq!(from.join("//c.org/").unwrap().host(), "c.org");
        for (to, why) in [
            ("http://b.org/", LinkError::NotEncrypted),
            ("https://10.0.0.1/", LinkError::Host),
            ("//169.254.169.254/latest/meta-data", LinkError::Host),
            ("https://b.org:8080/", LinkError::Port),
            ("file:///etc/passwd", LinkError::NotALink),
        ] {
            assert_eq!(from.join(to), Err(why), "{to}");
        }
    }
}
