//! The documents of a domain's catalogue: the first byte says which, and whether they come with our signature.
#![no_main]

use std::collections::BTreeMap;

use catalogue::{
    DESCRIPTOR_LIMIT, KEY_LIMIT, KeyId, Listed, Memory, PACKAGE_LIMIT, PackageName, Snapshot, TrustedRoot,
    verify_descriptor, verify_root, verify_snapshot, verify_source, wants_more,
};
use keys::{b64url, sha256};
use libfuzzer_sys::fuzz_target;
use message::{Domain, Grants};
use semver::Version;
use serde_json::{Value, json};

const NOW_MS: u64 = 1_800_000_000_000;

fuzz_target!(|data: &[u8]| {
    let Some((kind, rest)) = data.split_first() else { return };
    match kind {
        b'r' => root(&sign("root", rest)),
        b's' => snapshot(&sign("snapshot", rest)),
        b'd' => descriptor(&sign("descriptor", rest), rest),
        b'R' => root(rest),
        b'S' => snapshot(rest),
        b'D' => descriptor(rest, rest),
        _ => {
            if let Some(Ok(name)) = fuzz::text(rest).map(PackageName::parse) {
                fuzz::same_as_json(&name);
            }
        }
    }
});

/// The payload with the signature of the catalogue's own key: its reader must stand whatever the owner signs.
fn sign(part: &str, payload: &[u8]) -> Vec<u8> {
    let key = fuzz::key(1);
    let signed = [format!("parlance-{part}-v1\n").as_bytes(), payload].concat();
    let signature = json!({ "keyid": KeyId::of(&key.verifying_key()), "sig": key.sign(&signed) });
    json!({ "payload": b64url(payload), "signatures": [signature] }).to_string().into_bytes()
}

fn domain() -> Domain {
    Domain::parse("b.localhost").expect("a host name")
}

fn memory() -> Memory {
    let keys = vec![fuzz::key(1).verifying_key()];
    let root = TrustedRoot { version: 1, keys, threshold: 1, expires: NOW_MS + 1 };
    Memory { root: Some(root), ..Memory::default() }
}

fn root(bytes: &[u8]) {
    for known in [Memory::default(), memory()] {
        let Ok(next) = verify_root(bytes, &domain(), &known) else { continue };
        fuzz::same_as_json(&next);
        let root = next.root.expect("a root that was accepted");
        assert!((1..=KEY_LIMIT).contains(&root.keys.len()) && (1..=root.keys.len()).contains(&root.threshold));
        assert!(known.root.is_none_or(|before| root.version == before.version + 1));
    }
}

fn snapshot(bytes: &[u8]) {
    let Ok((snapshot, memory)) = verify_snapshot(bytes, &domain(), &memory(), NOW_MS) else { return };
    assert!(snapshot.packages.len() <= PACKAGE_LIMIT && snapshot.expires > NOW_MS);
    assert_eq!((&snapshot.domain, snapshot.version), (&domain(), memory.snapshot_version));
    fuzz::same_as_json(&snapshot);
}

fn descriptor(bytes: &[u8], payload: &[u8]) {
    let said: Value = serde_json::from_slice(payload).unwrap_or_default();
    let version = said["version"].as_str().and_then(|text| Version::parse(text).ok()).unwrap_or(Version::new(1, 0, 0));
    let package = PackageName::default_stub();
    let listed = Listed { version, descriptor_sha256: b64url(&sha256(bytes)) };
    let packages = BTreeMap::from([(package.clone(), listed)]);
    let snapshot = Snapshot { domain: domain(), version: 1, expires: NOW_MS + 1, packages };
    let Ok((descriptor, memory)) = verify_descriptor(bytes, &package, &snapshot, &memory()) else { return };
    assert!(bytes.len() <= DESCRIPTOR_LIMIT && memory.packages.contains_key(&package));
    assert!(!wants_more(&descriptor.grants, &descriptor.grants) && !wants_more(&descriptor.grants, &Grants::none()));
    for origin in descriptor.grants.fetch.iter().chain(&descriptor.grants.web_socket) {
        let host = catalogue::origin_host(origin);
        assert!(host == "localhost" || host.ends_with(".localhost"), "a local stub stays on this machine: {origin}");
    }
    let _ = verify_source(payload, &descriptor);
    fuzz::same_as_json(&descriptor.grants);
}
