//! Which issuers are believed, for which clients, and about whom.

use std::borrow::Cow;

use message::UserAddress;
use serde::{Deserialize, Serialize};

use crate::jws::Algorithm;

/// The client id of this app at every issuer.
pub const CLIENT_ID: &str = "parlance";

const ISSUER_LIMIT: usize = 512;
const LIST_LIMIT: usize = 64;
const KEY_BINDING_TYP_LIMIT: usize = 64;
const ENTRIES_LIMIT: usize = 1024;
const ENTRA_PREFIX: &str = "https://login.microsoftonline.com/";

/// Why an entry does not enter the table.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum IssuerTableError {
    /// Not an issuer identifier: `https://…`, or `http://` on loopback, without query and fragment.
    #[error("an issuer is an https address without ? and #; http only on this machine")]
    BadIssuer,
    /// No client id, or lists and words longer than anyone needs.
    #[error("an issuer needs at least one client id and lists of at most {LIST_LIMIT}")]
    BadLists,
    /// The issuer, or an alias of it, stands in the table.
    #[error("the issuer is in the table already")]
    Known,
    /// The table is full.
    #[error("the table holds at most {ENTRIES_LIMIT} issuers")]
    Full,
}

/// What is believed of one issuer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct IssuerEntry {
    /// Exactly as in its tokens.
    pub issuer: String,
    /// Other spellings its tokens use, as `accounts.google.com`.
    #[serde(default)]
    pub aliases: Vec<String>,
    /// Clients whose tokens count: native loopback clients only.
    pub client_ids: Vec<String>,
    /// Algorithms it signs with.
    pub algorithms: Vec<Algorithm>,
    /// Oldest token that counts from it, whoever shows it.
    #[serde(default)]
    pub max_age_s: Option<i64>,
    /// How long before the token the person may have authenticated.
    #[serde(default)]
    pub max_auth_age_s: Option<i64>,
    /// One of these must be the token's `acr`, if any stands here.
    #[serde(default)]
    pub acr: Vec<String>,
    /// All of these must be in the token's `amr`.
    #[serde(default)]
    pub amr: Vec<String>,
    /// Domains whose e-mail addresses it can speak for.
    #[serde(default)]
    pub email_domains: Vec<String>,
    /// Whether its `hd` claim names a domain it can speak for.
    #[serde(default)]
    pub trusts_hd: bool,
    /// Whether `sub` depends on the client.
    #[serde(default)]
    pub pairwise: bool,
    /// How it spells the header `typ` of a token it bound to a key, as `dpop+id_token`.
    #[serde(default)]
    pub key_binding_typ: Option<String>,
}

impl IssuerEntry {
    /// An issuer with this app's own client id and every algorithm.
    pub fn new(issuer: &str) -> Self {
        Self {
            issuer: issuer.to_owned(),
            aliases: Vec::new(),
            client_ids: vec![CLIENT_ID.to_owned()],
            algorithms: Algorithm::ALL.to_vec(),
            max_age_s: None,
            max_auth_age_s: None,
            acr: Vec::new(),
            amr: Vec::new(),
            email_domains: Vec::new(),
            trusts_hd: false,
            pairwise: false,
            key_binding_typ: None,
        }
    }

    fn check(&self) -> Result<(), IssuerTableError> {
        if !is_issuer(&self.issuer) {
            return Err(IssuerTableError::BadIssuer);
        }
        if self.key_binding_typ.as_ref().is_some_and(|typ| !(1..=KEY_BINDING_TYP_LIMIT).contains(&typ.len())) {
            return Err(IssuerTableError::BadLists);
        }
        let lists = [&self.aliases, &self.client_ids, &self.acr, &self.amr, &self.email_domains];
        let fits = |list: &Vec<String>| {
            list.len() <= LIST_LIMIT && list.iter().all(|one| (1..=ISSUER_LIMIT).contains(&one.len()))
        };
        let algorithms_fit = !self.algorithms.is_empty() && self.algorithms.len() <= LIST_LIMIT;
        if self.client_ids.is_empty() || !algorithms_fit || !lists.into_iter().all(fits) {
            return Err(IssuerTableError::BadLists);
        }
        Ok(())
    }

    pub(crate) fn answers_to(&self, iss: &str) -> bool {
        self.issuer == iss || self.aliases.iter().any(|alias| alias == iss)
    }
}

/// An issuer identifier: https, or http for a name or number of this machine only.
fn is_issuer(text: &str) -> bool {
    let Ok(url) = url::Url::parse(text) else { return false };
    let loopback = match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(number)) => number.is_loopback(),
        Some(url::Host::Ipv6(number)) => number.is_loopback(),
        None => return false,
    };
    let bare =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    text.len() <= ISSUER_LIMIT && bare && (url.scheme() == "https" || (url.scheme() == "http" && loopback))
}

/// The tenant of an Entra issuer: its tokens must name the same one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EntraTenant<'a>(pub &'a str);

/// An issuer that may speak about somebody.
#[derive(Debug, Clone)]
pub struct Admission<'a> {
    /// What is believed of it.
    pub entry: Cow<'a, IssuerEntry>,
    /// Whether it is the issuer of the person's own domain: then `sub` must be the name before the `@`.
    pub own_domain: bool,
}

impl Admission<'_> {
    /// The tenant, if it is an Entra issuer.
    pub fn tenant(&self) -> Option<EntraTenant<'_>> {
        self.entry.issuer.strip_prefix(ENTRA_PREFIX).map(|rest| EntraTenant(rest.split('/').next().unwrap_or_default()))
    }
}

/// The issuers a verifier believes. A domain's own issuer is believed without standing here, about its own
/// names only.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Vec<IssuerEntry>", into = "Vec<IssuerEntry>")]
pub struct IssuerTable {
    entries: Vec<IssuerEntry>,
}

impl IssuerTable {
    /// A table with no entry.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds an issuer.
    pub fn add(&mut self, entry: IssuerEntry) -> Result<(), IssuerTableError> {
        entry.check()?;
        if self.entries.len() >= ENTRIES_LIMIT {
            return Err(IssuerTableError::Full);
        }
        let mut names = std::iter::once(&entry.issuer).chain(&entry.aliases);
        if names.any(|name| self.find(name).is_some()) {
            return Err(IssuerTableError::Known);
        }
        self.entries.push(entry);
        Ok(())
    }

    /// Takes an issuer out; says whether it was there.
    pub fn remove(&mut self, issuer: &str) -> bool {
        let before = self.entries.len();
        self.entries.retain(|entry| entry.issuer != issuer);
        self.entries.len() < before
    }

    /// Its entries.
    pub fn entries(&self) -> &[IssuerEntry] {
        &self.entries
    }

    fn find(&self, iss: &str) -> Option<&IssuerEntry> {
        self.entries.iter().find(|entry| entry.answers_to(iss))
    }

    /// Whether `iss` may speak about `user`, whose domain's own issuer is `domain_issuer`.
    pub fn admit(&self, iss: &str, user: &UserAddress, domain_issuer: &str) -> Option<Admission<'_>> {
        let own_domain = iss == domain_issuer && speaks_for(domain_issuer, user);
        match self.find(iss) {
            Some(entry) => Some(Admission { entry: Cow::Borrowed(entry), own_domain }),
            None if own_domain => Some(Admission { entry: Cow::Owned(IssuerEntry::new(iss)), own_domain }),
            None => None,
        }
    }
}

/// Whether the host of `domain_issuer` is the person's domain: a mistaken caller must not widen the rule.
fn speaks_for(domain_issuer: &str, user: &UserAddress) -> bool {
    let host_is_domain =
        url::Url::parse(domain_issuer).is_ok_and(|url| url.host_str() == Some(user.address().domain_str()));
    host_is_domain && is_issuer(domain_issuer)
}

impl TryFrom<Vec<IssuerEntry>> for IssuerTable {
    type Error = IssuerTableError;
    fn try_from(entries: Vec<IssuerEntry>) -> Result<Self, IssuerTableError> {
        let mut table = Self::new();
        entries.into_iter().try_for_each(|entry| table.add(entry))?;
        Ok(table)
    }
}

impl From<IssuerTable> for Vec<IssuerEntry> {
    fn from(table: IssuerTable) -> Self {
        table.entries
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ben() -> UserAddress {
        UserAddress::parse("ben@b.localhost").unwrap()
    }

    #[test]
    fn a_domains_own_issuer_speaks_for_its_own_names_only() {
        let table = IssuerTable::new();
        assert!(
            table.admit("http://b.localhost:7102", &ben(), "http://b.localhost:7102").is_some_and(|one| one.own_domain)
        );
        assert!(table.admit("http://a.localhost:7101", &ben(), "http://b.localhost:7102").is_none());
        assert!(table.admit("http://a.localhost:7101", &ben(), "http://a.localhost:7101").is_none());
    }

    #[test]
    fn an_issuer_is_known_by_its_exact_spelling_and_its_aliases() {
        let mut table = IssuerTable::new();
        let aliases = vec!["accounts.google.com".to_owned()];
        table.add(IssuerEntry { aliases, ..IssuerEntry::new("https://accounts.google.com") }).unwrap();
        for (iss, admitted) in [
            ("https://accounts.google.com", true),
            ("accounts.google.com", true),
            ("https://accounts.google.com/", false),
            ("https://ACCOUNTS.google.com", false),
        ] {
            assert_eq!(table.admit(iss, &ben(), "http://b.localhost:7102").is_some(), admitted, "{iss}");
        }
        assert_eq!(table.add(IssuerEntry::new("https://accounts.google.com")), Err(IssuerTableError::Known));
    }

    #[test]
    fn what_is_no_issuer_does_not_enter_the_table() {
        for issuer in [
            "",
            "x",
            "http://example.org",
            "https://example.org?x",
            "https://example.org#x",
            "https://u@example.org",
            "ftp://localhost",
        ] {
            assert_eq!(IssuerTable::new().add(IssuerEntry::new(issuer)), Err(IssuerTableError::BadIssuer), "{issuer}");
        }
        for issuer in
            ["https://example.org/realms/x", "http://127.0.0.1:16001", "http://[::1]:1", "http://a.localhost:7101"]
        {
            assert_eq!(IssuerTable::new().add(IssuerEntry::new(issuer)), Ok(()), "{issuer}");
        }
    }

    #[test]
    fn a_table_is_kept_and_read_again() {
        let mut table = IssuerTable::new();
        table.add(IssuerEntry::new("https://login.microsoftonline.com/t1/v2.0")).unwrap();
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<IssuerTable>(&text).unwrap(), table);
        let admission = table.admit("https://login.microsoftonline.com/t1/v2.0", &ben(), "x").unwrap();
        assert_eq!(admission.tenant(), Some(EntraTenant("t1")));
    }
}
