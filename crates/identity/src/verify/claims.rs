//! Steps 10 and 11: whom the token is about, and what may be shown of them.

use serde_json::Value;

use crate::error::VerifyError;
use crate::evidence::Evidence;
use crate::pins::SubjectKey;
use crate::token::word;
use crate::verified::{Display, Email};

use super::Admitted;

const SUBJECT_LIMIT: usize = 255;
const NAME_LIMIT: usize = 256;
const PICTURE_LIMIT: usize = 2048;
const EMAIL_LIMIT: usize = 254;

/// Step 10. A domain's own issuer can speak about the name before the `@` and no other.
pub(super) fn subject(evidence: &Evidence, one: &Admitted<'_>) -> Result<SubjectKey, VerifyError> {
    let key = subject_key(one).ok_or(VerifyError::BadSubject)?;
    if one.admission.own_domain && key.subject != evidence.user.name() {
        return Err(VerifyError::NotTheirName);
    }
    Ok(key)
}

/// E-mail is never part of the key: an issuer may let people choose it.
pub(super) fn subject_key(one: &Admitted<'_>) -> Option<SubjectKey> {
    let subject = word(&one.id.claims, "sub")?;
    let fits =
        (1..=SUBJECT_LIMIT).contains(&subject.len()) && subject.bytes().all(|b| b.is_ascii_graphic() || b == b' ');
    let entry = &one.admission.entry;
    fits.then(|| SubjectKey {
        issuer: entry.issuer.clone(),
        client: entry.pairwise.then(|| entry.client_ids[0].clone()),
        subject: subject.to_owned(),
    })
}

/// Entra's stable key beside the pairwise subject.
pub(super) fn entra(one: &Admitted<'_>) -> Option<(String, String)> {
    let tenant = one.admission.tenant()?;
    let object = word(&one.id.claims, "oid").filter(|oid| oid.len() <= SUBJECT_LIMIT)?;
    Some((tenant.0.to_owned(), object.to_owned()))
}

/// Step 11.
pub(super) fn display(evidence: &Evidence, one: &Admitted<'_>) -> Result<Display, VerifyError> {
    let name = text(one, "name", NAME_LIMIT)?.and_then(|name| plain::name(name, NAME_LIMIT));
    let picture = text(one, "picture", PICTURE_LIMIT)?.filter(|url| url.starts_with("https://")).map(str::to_owned);
    let email = match text(one, "email", EMAIL_LIMIT)? {
        Some(address) => Some(email(evidence, one, address)?),
        None => None,
    };
    Ok(Display { name, picture, email })
}

fn email(evidence: &Evidence, one: &Admitted<'_>, address: &str) -> Result<Email, VerifyError> {
    let (local, domain) = address.rsplit_once('@').ok_or(VerifyError::BadDisplayClaim("email"))?;
    let visible = address.bytes().all(|b| b.is_ascii_graphic());
    if local.is_empty() || domain.is_empty() || !visible {
        return Err(VerifyError::BadDisplayClaim("email"));
    }
    let checked = one.id.claims.get("email_verified") == Some(&Value::Bool(true));
    let authoritative = checked && speaks_for(evidence, one, &domain.to_ascii_lowercase());
    Ok(Email { address: address.to_owned(), authoritative })
}

fn speaks_for(evidence: &Evidence, one: &Admitted<'_>, domain: &str) -> bool {
    let entry = &one.admission.entry;
    let own = one.admission.own_domain && evidence.user.address().domain_str() == domain;
    let listed = entry.email_domains.iter().any(|listed| listed.eq_ignore_ascii_case(domain));
    let hosted = entry.trusts_hd && word(&one.id.claims, "hd").is_some_and(|hd| hd.eq_ignore_ascii_case(domain));
    own || listed || hosted
}

fn text<'a>(one: &'a Admitted<'_>, name: &'static str, limit: usize) -> Result<Option<&'a str>, VerifyError> {
    match one.id.claims.get(name) {
        None | Some(Value::Null) => Ok(None),
        Some(Value::String(text)) if text.len() <= limit => Ok(Some(text)),
        Some(_) => Err(VerifyError::BadDisplayClaim(name)),
    }
}
