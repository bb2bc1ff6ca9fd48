//! What the streams and subjects of a domain are called.

use crate::rows::Kind;

/// The names of one domain. Host names have no underscore, so two domains never share one.
#[derive(Clone)]
pub(crate) struct Names {
    domain: String,
}

impl Names {
    pub(crate) fn of(domain: &str) -> Self {
        Self { domain: domain.replace('.', "_") }
    }

    pub(crate) fn stream(&self, kind: Kind, shelf: usize) -> String {
        format!("PARLANCE_{}_{}_{shelf}", self.domain, kind.word().to_uppercase())
    }

    pub(crate) fn subjects(&self, kind: Kind, shelf: usize) -> String {
        format!("parlance.{}.{}.{shelf}.>", self.domain, kind.word())
    }

    pub(crate) fn row(&self, kind: Kind, shelf: usize, key: &str) -> String {
        format!("parlance.{}.{}.{shelf}.{}", self.domain, kind.word(), token(key))
    }

    pub(crate) fn claims_stream(&self) -> String {
        format!("PARLANCE_{}_CLAIMS", self.domain)
    }

    pub(crate) fn claims_subjects(&self) -> String {
        format!("parlance.{}.claim.>", self.domain)
    }

    pub(crate) fn claim(&self, key: &str) -> String {
        format!("parlance.{}.claim.{}", self.domain, token(key))
    }

    pub(crate) fn everybody(&self) -> String {
        format!("parlance.{}.everybody", self.domain)
    }

    pub(crate) fn node(&self, slot: u8) -> String {
        format!("parlance.{}.node.{slot}", self.domain)
    }
}

/// A key as one token of a subject: keys hold what strangers chose, subjects must not.
fn token(key: &str) -> String {
    keys::base32(&keys::sha256(key.as_bytes())[..20])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_cannot_leave_its_place_in_the_subject() {
        let names = Names::of("a.example.org");
        let subject = names.row(Kind::Book, 1, "accounts/ana.>.*");
        assert!(subject.starts_with("parlance.a_example_org.book.1."));
        assert_eq!(subject.matches('.').count(), 4);
        assert!(!subject.contains(['*', '>']));
        assert_ne!(names.claim("a"), names.claim("b"));
    }
}
