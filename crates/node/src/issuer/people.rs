//! Who can sign in: adding people, checking their passwords, slowing down guessing.

use std::net::IpAddr;

use message::{Domain, Private, UserAddress};

use super::Issuer;
use super::passwords::{Busy, Hashed};
use crate::exchange::Windows;
use crate::limits::{FAILURE_WINDOW_MS, FAILURES_PER_NAME, PASSWORD_MAX, PASSWORD_MIN};
use crate::records::{Person, RecordsError};
use clock::now_ms;

/// Why somebody was not added.
#[derive(Debug, thiserror::Error)]
pub enum AddPersonError {
    /// Not a name.
    #[error("a name has 1 to 64 of a-z, 0-9, dot, underscore, plus and hyphen")]
    Name,
    /// Too short or too long.
    #[error("a password has at least {PASSWORD_MIN} characters")]
    Password,
    /// Somebody has that name.
    #[error("that name is taken")]
    Taken,
    /// Too many hashes under way.
    #[error("the node is busy; try again")]
    Busy,
    /// The disk failed.
    #[error(transparent)]
    Records(#[from] RecordsError),
}

impl From<Busy> for AddPersonError {
    fn from(_: Busy) -> Self {
        Self::Busy
    }
}

/// How a sign-in ended.
pub(super) enum SignIn {
    Welcome(String),
    Wrong,
    TooOften,
}

/// Counts failures per name and network address, and accounts made per network address.
pub(super) struct Throttle {
    names: Windows<String>,
    peers: Windows<IpAddr>,
    sign_ups: Windows<IpAddr>,
}

impl Throttle {
    pub(super) fn new() -> Self {
        Self {
            names: Windows::of(FAILURE_WINDOW_MS),
            peers: Windows::of(FAILURE_WINDOW_MS),
            sign_ups: Windows::of(3_600_000),
        }
    }
}

/// Reads a name as people type it.
pub(super) fn plain_name(text: &str) -> Option<String> {
    let text = text.trim().to_ascii_lowercase();
    let domain = Domain::parse("name.invalid").ok()?;
    let user = UserAddress::parse(&format!("user://{domain}/{text}")).ok()?;
    (user.name() == text).then_some(text)
}

impl Issuer {
    /// Adds somebody who can sign in; says her name as it is kept.
    pub async fn add_person(&self, name: &str, password: Private<String>) -> Result<String, AddPersonError> {
        let shown: String = name.trim().chars().take(64).collect();
        let name = plain_name(name).ok_or(AddPersonError::Name)?;
        check_password(&password)?;
        if self.records().is_person(&name)? || self.records().account(&name)?.is_some() {
            return Err(AddPersonError::Taken);
        }
        let Hashed { params, hash } = self.0.passwords.hash(password).await?;
        let person = Person { name: name.clone(), shown, params, hash };
        if self.records().add_person(&person, now_ms())? { Ok(name) } else { Err(AddPersonError::Taken) }
    }

    /// Gives somebody another password.
    pub async fn set_password(&self, name: &str, password: Private<String>) -> Result<(), AddPersonError> {
        let name = plain_name(name).ok_or(AddPersonError::Name)?;
        check_password(&password)?;
        let known = self.records().person(&name)?.ok_or(AddPersonError::Name)?;
        let Hashed { params, hash } = self.0.passwords.hash(password).await?;
        Ok(self.records().set_password(&Person { params, hash, ..known })?)
    }

    /// Adds somebody from the login page.
    pub(super) async fn sign_up(
        &self,
        name: &str,
        password: Private<String>,
        peer: IpAddr,
    ) -> Result<String, AddPersonError> {
        if !self.throttle().sign_ups.count(peer, self.0.limits.sign_ups_per_hour, now_ms()) {
            return Err(AddPersonError::Busy);
        }
        self.add_person(name, password).await
    }

    /// Checks a name and a password.
    pub(super) async fn sign_in(
        &self,
        name: &str,
        password: Private<String>,
        peer: IpAddr,
    ) -> Result<SignIn, AddPersonError> {
        let now = now_ms();
        let Some(name) = plain_name(name) else { return Ok(SignIn::Wrong) };
        {
            // Counted before the check, so that guesses made at the same time all count.
            let mut throttle = self.throttle();
            let name_free = throttle.names.count(name.clone(), FAILURES_PER_NAME, now);
            let peer_free = throttle.peers.count(peer, self.0.limits.failures_per_peer, now);
            if !(name_free && peer_free) {
                return Ok(SignIn::TooOften);
            }
        }
        if password.0.len() > PASSWORD_MAX {
            return Ok(SignIn::Wrong);
        }
        let stored = self.records().person(&name)?.map(|person| Hashed { params: person.params, hash: person.hash });
        if !self.0.passwords.check(password, stored).await? {
            return Ok(SignIn::Wrong);
        }
        let mut throttle = self.throttle();
        throttle.names.forget(&name);
        throttle.peers.forget(&peer);
        Ok(SignIn::Welcome(name))
    }
}

fn check_password(password: &Private<String>) -> Result<(), AddPersonError> {
    let sound = password.0.chars().count() >= PASSWORD_MIN && password.0.len() <= PASSWORD_MAX;
    if sound { Ok(()) } else { Err(AddPersonError::Password) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_what_an_address_can_hold() {
        assert_eq!(plain_name(" Ana ").as_deref(), Some("ana"));
        for bad in ["", "a/b", "a b", "añа", "ana@b.example", "user://x/y"] {
            assert_eq!(plain_name(bad), None, "{bad}");
        }
    }
}
