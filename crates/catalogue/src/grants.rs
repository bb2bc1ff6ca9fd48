//! Bounds what a package may ask for by what it is.

use message::{Domain, Grants, Origin};

use crate::descriptor::Descriptor;
use crate::error::VerifyError;
use crate::limits::{GRANT_LIMIT, STORAGE_GRANT_LIMIT};
use crate::package::PackageKind;

/// Whether a new version asks for something that was not granted before; only then a person is asked again.
pub fn wants_more(granted: &Grants, wanted: &Grants) -> bool {
    !wanted.is_within(granted)
}

/// The host of an origin, without scheme and port.
pub fn origin_host(origin: &Origin) -> &str {
    let rest = origin.as_str().split_once("://").map_or(origin.as_str(), |(_, rest)| rest);
    rest.split_once(':').map_or(rest, |(host, _)| host)
}

/// Refuses grants that no package of this kind and domain may have, whoever would agree to them.
///
/// A ProtoStub or IdP proxy speaks with its own domain alone, so that consenting
/// to it means consenting to that domain. Hyperties and interworking stubs may
/// name others, which the person is shown; but code of a public domain never
/// reaches this machine, and nothing goes to a public host unencrypted.
pub(crate) fn check_grants(descriptor: &Descriptor) -> Result<(), VerifyError> {
    let grants = &descriptor.grants;
    let lengths = [grants.speak_to.len(), grants.fetch.len(), grants.web_socket.len()];
    if lengths.iter().any(|length| *length > GRANT_LIMIT) {
        return Err(beyond(&format!("more than {GRANT_LIMIT} entries in one list")));
    }
    if grants.storage > STORAGE_GRANT_LIMIT {
        return Err(beyond(&format!("{} bytes of storage", grants.storage)));
    }
    let own_only = descriptor.kind != PackageKind::Hyperty && !descriptor.interworking;
    for (origin, schemes) in origins(grants) {
        check_origin(origin, schemes, &descriptor.domain, own_only)?;
    }
    Ok(())
}

fn origins(grants: &Grants) -> impl Iterator<Item = (&Origin, [&'static str; 2])> {
    let fetch = grants.fetch.iter().map(|origin| (origin, ["https", "http"]));
    fetch.chain(grants.web_socket.iter().map(|origin| (origin, ["wss", "ws"])))
}

fn check_origin(
    origin: &Origin,
    [secure, plain]: [&str; 2],
    domain: &Domain,
    own_only: bool,
) -> Result<(), VerifyError> {
    let refused = || Err(beyond(origin.as_str()));
    let host = origin_host(origin);
    if is_number(host) || (own_only && !belongs_to(host, domain)) {
        return refused();
    }
    let host_is_local = host == "localhost" || host.ends_with(".localhost");
    // A domain of this machine lives on this machine; every other one outside it.
    if host_is_local != domain.is_loopback() && (host_is_local || own_only) {
        return refused();
    }
    let scheme = origin.as_str().split_once("://").map_or("", |(scheme, _)| scheme);
    if scheme == secure || (scheme == plain && host_is_local) { Ok(()) } else { refused() }
}

/// Whether a URL parser would read the host as an IP address: its last label begins with a digit
/// and is a number. A person cannot judge an address, and it might be of this machine.
fn is_number(host: &str) -> bool {
    let last = host.rsplit('.').next().unwrap_or(host);
    let hex = last.strip_prefix("0x").is_some_and(|rest| rest.bytes().all(|b| b.is_ascii_hexdigit()));
    hex || last.bytes().all(|b| b.is_ascii_digit())
}

/// Whether a host is the domain or below it.
///
/// Below a name of one label (`localhost`) live strangers, not departments.
pub fn belongs_to(host: &str, domain: &Domain) -> bool {
    let domain = domain.as_str();
    let below = domain.contains('.') && host.strip_suffix(domain).is_some_and(|front| front.ends_with('.'));
    host == domain || below
}

fn beyond(grant: &str) -> VerifyError {
    VerifyError::GrantBeyond { grant: grant.into() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_department_belongs_to_its_domain_and_a_namesake_does_not() {
        let domain = Domain::parse("b.example").unwrap();
        assert!(belongs_to("b.example", &domain) && belongs_to("wire.b.example", &domain));
        assert!(!belongs_to("evilb.example", &domain) && !belongs_to("b.example.evil.example", &domain));
        assert!(!belongs_to("a.localhost", &Domain::parse("localhost").unwrap()));
    }

    #[test]
    fn an_address_is_no_name() {
        for host in ["127.0.0.1", "127.1", "2130706433", "0x7f.1", "0x7f000001", "1.2.3.0x4"] {
            assert!(is_number(host), "{host}");
        }
        assert!(!is_number("b.example") && !is_number("1.example") && !is_number("b.x0"));
    }

    #[test]
    fn a_person_is_asked_again_only_for_more() {
        let old = Grants { timers: true, ..Grants::none() };
        let more = Grants { media: true, ..old.clone() };
        assert!(!wants_more(&more, &old) && wants_more(&old, &more));
    }
}
