//! Tells what a visitor believes of a catalogue, honest or not.
#![allow(clippy::unwrap_used, reason = "a test that cannot go on fails here")]

use catalogue::*;
use keys::SigningKey;
use message::{Domain, Grants, Origin};
use semver::Version;

const NOW: u64 = 1_790_000_000_000;
const SOURCE: &str = "function activate() {}";

fn domain() -> Domain {
    Domain::parse("b.localhost").unwrap()
}

fn stub(version: &str) -> Draft {
    let grants =
        Grants { web_socket: vec![Origin::parse("ws://b.localhost:7102").unwrap()], timers: true, ..Grants::none() };
    Draft { grants, ..Draft::new(PackageKind::ProtoStub, "default", Version::parse(version).unwrap()) }
}

fn publisher() -> Publisher {
    let mut publisher = Publisher::new(domain(), SigningKey::generate(), NOW);
    publisher.publish(stub("1.0.0"), SOURCE, NOW).unwrap();
    publisher
}

fn bytes(publisher: &Publisher, path: &str) -> Vec<u8> {
    publisher.file(path).unwrap_or_else(|| panic!("{path} is published")).bytes
}

/// What a visitor does: roots forward, snapshot, descriptor, source.
fn visit(publisher: &Publisher, memory: &Memory, now: u64) -> Result<(Descriptor, Memory), VerifyError> {
    let mut memory = memory.clone();
    if memory.root.is_none() {
        memory = verify_root(&bytes(publisher, &paths::root()), &domain(), &memory)?;
    }
    while let Some(next) = publisher.file(&paths::root_version(memory.root.as_ref().unwrap().version + 1)) {
        memory = verify_root(&next.bytes, &domain(), &memory)?;
    }
    let (snapshot, memory) = verify_snapshot(&bytes(publisher, &paths::snapshot()), &domain(), &memory, now)?;
    let package = PackageName::default_stub();
    let descriptor = bytes(publisher, &paths::descriptor(&package));
    let (descriptor, memory) = verify_descriptor(&descriptor, &package, &snapshot, &memory)?;
    verify_source(&bytes(publisher, &paths::source(&package)), &descriptor)?;
    Ok((descriptor, memory))
}

fn first_visit(publisher: &Publisher) -> Memory {
    visit(publisher, &Memory::default(), NOW).unwrap().1
}

#[test]
fn an_honest_package_is_believed() {
    let (descriptor, memory) = visit(&publisher(), &Memory::default(), NOW).unwrap();
    assert_eq!(descriptor.version, Version::new(1, 0, 0));
    assert_eq!(memory.packages[&PackageName::default_stub()], Version::new(1, 0, 0));
    let json = serde_json::to_string(&memory).unwrap();
    assert_eq!(serde_json::from_str::<Memory>(&json).unwrap(), memory);
}

#[test]
fn a_changed_source_is_refused() {
    let publisher = publisher();
    let (descriptor, _) = visit(&publisher, &Memory::default(), NOW).unwrap();
    let same_length = SOURCE.replace("activate", "ectivate");
    assert_eq!(verify_source(same_length.as_bytes(), &descriptor), Err(VerifyError::Tampered { part: Part::Source }));
    assert_eq!(verify_source(b"", &descriptor), Err(VerifyError::Tampered { part: Part::Source }));
}

#[test]
fn a_strangers_catalogue_is_refused_after_the_first_visit() {
    let memory = first_visit(&publisher());
    assert_eq!(visit(&publisher(), &memory, NOW), Err(VerifyError::WrongKey { part: Part::Snapshot }));
}

#[test]
fn a_new_version_is_believed_and_an_older_one_is_not() {
    let mut publisher = publisher();
    let first = first_visit(&publisher);
    let old_snapshot = bytes(&publisher, &paths::snapshot());
    let old_descriptor = bytes(&publisher, &paths::descriptor(&PackageName::default_stub()));
    publisher.publish(stub("1.1.0"), SOURCE, NOW).unwrap();
    let (_, second) = visit(&publisher, &first, NOW).unwrap();

    let rollback = verify_snapshot(&old_snapshot, &domain(), &second, NOW).unwrap_err();
    assert!(matches!(rollback, VerifyError::Older { part: Part::Snapshot, .. }));

    let snapshot = bytes(&publisher, &paths::snapshot());
    let (snapshot, _) = verify_snapshot(&snapshot, &domain(), &second, NOW).unwrap();
    let mixed = verify_descriptor(&old_descriptor, &PackageName::default_stub(), &snapshot, &second).unwrap_err();
    assert!(matches!(mixed, VerifyError::Older { part: Part::Descriptor, .. }));
}

#[test]
fn a_domain_cannot_take_back_a_package_version() {
    let key = SigningKey::generate();
    let mut newer = Publisher::new(domain(), key.clone(), NOW);
    newer.publish(stub("2.0.0"), SOURCE, NOW).unwrap();
    let memory = first_visit(&newer);
    let mut older = Publisher::new(domain(), key, NOW);
    older.publish(stub("1.9.9"), SOURCE, NOW + 60_000).unwrap();
    assert!(matches!(visit(&older, &memory, NOW), Err(VerifyError::Older { part: Part::Descriptor, .. })));
}

#[test]
fn a_frozen_catalogue_expires() {
    let publisher = publisher();
    let memory = first_visit(&publisher);
    let late = NOW + SNAPSHOT_LIFE_MS;
    assert!(matches!(visit(&publisher, &memory, late), Err(VerifyError::Expired { part: Part::Snapshot, .. })));
}

#[test]
fn a_node_that_refreshes_never_expires() {
    let mut publisher = publisher();
    let mut memory = first_visit(&publisher);
    for day in 1..=800 {
        let now = NOW + day * 86_400_000;
        publisher.refresh(now);
        memory = visit(&publisher, &memory, now).unwrap().1;
    }
    assert!(memory.root.unwrap().version > 1);
}

#[test]
fn a_rotated_key_is_followed_by_old_and_new_visitors() {
    let mut publisher = publisher();
    let memory = first_visit(&publisher);
    publisher.rotate_key(SigningKey::generate(), NOW);
    publisher.rotate_key(SigningKey::generate(), NOW);
    let (_, memory) = visit(&publisher, &memory, NOW).unwrap();
    assert_eq!(memory.root.unwrap().version, 3);
    assert!(visit(&publisher, &Memory::default(), NOW).is_ok());
}

#[test]
fn a_root_that_the_old_key_did_not_sign_is_refused() {
    let memory = first_visit(&publisher());
    let mut stranger = publisher();
    stranger.rotate_key(SigningKey::generate(), NOW);
    assert_eq!(visit(&stranger, &memory, NOW), Err(VerifyError::WrongKey { part: Part::Root }));
}

#[test]
fn roots_neither_go_back_nor_skip() {
    let mut publisher = publisher();
    let memory = first_visit(&publisher);
    publisher.rotate_key(SigningKey::generate(), NOW);
    publisher.rotate_key(SigningKey::generate(), NOW);
    let third = bytes(&publisher, &paths::root_version(3));
    assert_eq!(verify_root(&third, &domain(), &memory), Err(VerifyError::Skipped { have: 1, got: 3 }));
    let (_, memory) = visit(&publisher, &memory, NOW).unwrap();
    let first = bytes(&publisher, &paths::root_version(1));
    assert!(matches!(verify_root(&first, &domain(), &memory), Err(VerifyError::Older { part: Part::Root, .. })));
}

#[test]
fn a_retired_key_signs_nothing_any_more() {
    let mut publisher = publisher();
    let old_snapshot = bytes(&publisher, &paths::snapshot());
    publisher.rotate_key(SigningKey::generate(), NOW);
    let memory = first_visit(&publisher);
    assert_eq!(
        verify_snapshot(&old_snapshot, &domain(), &memory, NOW),
        Err(VerifyError::WrongKey { part: Part::Snapshot })
    );
}

#[test]
fn another_domains_catalogue_is_not_ours() {
    let mut other = Publisher::new(Domain::parse("c.localhost").unwrap(), SigningKey::generate(), NOW);
    other.publish(Draft::new(PackageKind::Hyperty, "chat", Version::new(1, 0, 0)), SOURCE, NOW).unwrap();
    let root = bytes(&other, &paths::root());
    assert!(matches!(verify_root(&root, &domain(), &Memory::default()), Err(VerifyError::WrongDomain { .. })));
}

#[test]
fn a_stub_that_asks_for_other_domains_is_neither_published_nor_believed() {
    for (kind, interworking, origin, fine) in [
        (PackageKind::ProtoStub, false, "ws://b.localhost:9", true),
        (PackageKind::ProtoStub, false, "wss://evil.example", false),
        (PackageKind::ProtoStub, false, "ws://a.localhost:7101", false),
        (PackageKind::IdpProxy, false, "wss://evil.example", false),
        (PackageKind::ProtoStub, true, "wss://sip.example", true),
        (PackageKind::ProtoStub, true, "ws://sip.example", false),
        (PackageKind::Hyperty, false, "wss://data.example", true),
        (PackageKind::Hyperty, false, "https://data.example", false),
    ] {
        let grants = Grants { web_socket: vec![Origin::parse(origin).unwrap()], ..Grants::none() };
        let draft = Draft { grants, interworking, ..Draft::new(kind, "x", Version::new(1, 0, 0)) };
        let outcome = Publisher::new(domain(), SigningKey::generate(), NOW).publish(draft, SOURCE, NOW);
        let beyond = matches!(outcome, Err(PublishError::Unacceptable(VerifyError::GrantBeyond { .. })));
        assert_eq!((outcome.is_ok(), beyond), (fine, !fine), "{kind} {origin}");
    }
}

#[test]
fn code_of_a_public_domain_never_asks_for_this_machine() {
    let mut publisher = Publisher::new(Domain::parse("b.example").unwrap(), SigningKey::generate(), NOW);
    let grants = Grants { fetch: vec![Origin::parse("http://localhost:631").unwrap()], ..Grants::none() };
    let draft = Draft { grants, ..Draft::new(PackageKind::Hyperty, "spy", Version::new(1, 0, 0)) };
    assert!(matches!(publisher.publish(draft, SOURCE, NOW), Err(PublishError::Unacceptable(_))));
}

#[test]
fn oversized_documents_are_not_even_parsed() {
    let big = vec![b' '; ROOT_LIMIT + 1];
    let refused = verify_root(&big, &domain(), &Memory::default());
    assert_eq!(refused, Err(VerifyError::TooLarge { part: Part::Root, limit: ROOT_LIMIT }));
    let mut publisher = publisher();
    let source = "x".repeat(SOURCE_LIMIT + 1);
    assert!(matches!(
        publisher.publish(stub("1.0.1"), &source, NOW),
        Err(PublishError::Unacceptable(VerifyError::TooLarge { .. }))
    ));
}

#[test]
fn every_flipped_byte_is_noticed() {
    let publisher = publisher();
    let memory = first_visit(&publisher);
    let (snapshot, _) = verify_snapshot(&bytes(&publisher, &paths::snapshot()), &domain(), &memory, NOW).unwrap();
    let package = PackageName::default_stub();
    let honest = bytes(&publisher, &paths::descriptor(&package));
    for index in 0..honest.len() {
        let mut changed = honest.clone();
        changed[index] ^= 1;
        assert!(verify_descriptor(&changed, &package, &snapshot, &memory).is_err(), "byte {index}");
    }
}

#[test]
fn a_publisher_goes_on_after_a_restart() {
    let mut publisher = publisher();
    publisher.rotate_key(SigningKey::generate(), NOW);
    let memory = first_visit(&publisher);
    let kept = serde_json::to_string(&publisher.state()).unwrap();
    let mut again = Publisher::restore(serde_json::from_str(&kept).unwrap(), NOW).unwrap();
    again.publish(stub("1.0.0"), SOURCE, NOW).unwrap();
    assert!(visit(&again, &memory, NOW).is_ok());
    assert_eq!(
        again.publish(stub("0.9.0"), SOURCE, NOW).unwrap_err().to_string(),
        "version 1.0.0 is already published, 0.9.0 would go back"
    );
}
