//! A package as its maker writes it: what a node publishes, a visitor takes.
#![no_main]

use catalogue::{Memory, Publisher, paths, verify_descriptor, verify_root, verify_snapshot, verify_source};
use libfuzzer_sys::fuzz_target;
use message::Domain;
use node::{Package, Places};

const NOW_MS: u64 = 1_800_000_000_000;
const SOURCE: &str = "function activate() {}";

fuzz_target!(|data: &[u8]| {
    let Some(package) = fuzz::text(data).and_then(|text| Package::new(text, SOURCE).ok()) else { return };
    let domain = Domain::parse("b.localhost").expect("a host name");
    let again = Package::new(package.descriptor(), package.source()).expect("what was read can be read again");
    assert_eq!((again.name(), again.version()), (package.name(), package.version()));
    let places = Places { domain: domain.clone(), origin: "http://b.localhost:7102".into() };
    let Ok(draft) = package.draft(&places) else { return };
    let mut publisher = Publisher::new(domain.clone(), fuzz::key(1), NOW_MS);
    if publisher.publish(draft, SOURCE, NOW_MS).is_err() {
        return;
    }
    let file = |path: &str| publisher.file(path).expect("it is published").bytes;
    let memory = verify_root(&file(&paths::root()), &domain, &Memory::default()).expect("our root");
    let (snapshot, memory) = verify_snapshot(&file(&paths::snapshot()), &domain, &memory, NOW_MS).expect("our list");
    let name = package.name();
    let descriptor = file(&paths::descriptor(name));
    let (descriptor, _) = verify_descriptor(&descriptor, name, &snapshot, &memory).expect("our descriptor");
    assert_eq!(verify_source(&file(&paths::source(name)), &descriptor).as_deref(), Ok(SOURCE));
});
