//! Fetches packages from honest and hostile catalogues over real sockets.

use std::sync::Arc;
use std::time::Duration;

use crate::shelf::{NOW, Served, Shelf, domain, publisher, stub};
use catalogue::{Draft, File, Memory, PackageKind, PackageName, Part, paths};
use guests::{CatalogueMemory, DiskCache, Fetcher, PackageRef, ShortMemory, StartGuestError};
use keys::SigningKey;
use message::{Grants, Origin};
use semver::Version;

fn fetcher(shelf: &Shelf) -> Fetcher {
    Fetcher::new(shelf.net()).with_deadlines(Duration::from_secs(5), Duration::from_secs(5))
}

fn package() -> PackageRef {
    PackageRef::default_stub(domain())
}

async fn fetch(shelf: &Shelf, memory: &Memory) -> Result<guests::VerifiedPackage, StartGuestError> {
    fetcher(shelf).fetch(&package(), memory, NOW).await
}

async fn refused(shelf: &Shelf, memory: &Memory) -> StartGuestError {
    fetch(shelf, memory).await.unwrap_err()
}

fn source_path() -> String {
    paths::source(&PackageName::default_stub())
}

fn descriptor_path() -> String {
    paths::descriptor(&PackageName::default_stub())
}

#[tokio::test]
async fn an_honest_package_is_fetched() {
    let shelf = Shelf::of(publisher()).await;
    let verified = fetch(&shelf, &Memory::default()).await.unwrap();
    assert_eq!(verified.source, crate::shelf::SOURCE);
    assert_eq!(verified.version(), &Version::new(1, 0, 0));
    assert!(verified.grants().timers);

    let mut memory = ShortMemory::default();
    memory.save(verified.domain(), &verified.memory);
    let known = memory.load(&domain()).unwrap();
    assert_eq!(fetch(&shelf, &known).await.unwrap().memory, known);
}

#[tokio::test]
async fn a_tampered_source_is_refused() {
    let shelf = Shelf::of(publisher()).await;
    shelf.serve(&source_path(), Served::Bytes(crate::shelf::SOURCE.replace("activate", "ectivate").into_bytes()));
    let error = refused(&shelf, &Memory::default()).await;
    assert_eq!(error, StartGuestError::TamperedSource { package: package() });
    assert_eq!(error.code(), "package-tampered");
    assert_eq!(
        error.to_string(),
        "the code of protocolstub/default@b.localhost was changed after b.localhost signed it"
    );
}

#[tokio::test]
async fn a_tampered_descriptor_is_refused() {
    let mut publisher = publisher();
    let shelf = Shelf::of(publisher.clone_for_test()).await;
    // Genuine signatures over another payload: those of the next version.
    publisher.0.publish(stub("1.0.1"), crate::shelf::SOURCE, NOW).unwrap();
    let honest = String::from_utf8(shelf.bytes(&descriptor_path())).unwrap();
    let other = String::from_utf8(publisher.0.file(&descriptor_path()).unwrap().bytes).unwrap();
    let mixed = format!(
        "{}{}",
        other.split(",\"signatures\"").next().unwrap(),
        &honest[honest.find(",\"signatures\"").unwrap()..]
    );
    shelf.serve(&descriptor_path(), Served::Bytes(mixed.into_bytes()));
    let error = refused(&shelf, &Memory::default()).await;
    assert_eq!(error, StartGuestError::Tampered { package: package(), part: Part::Descriptor });
}

#[tokio::test]
async fn a_wrong_signature_is_refused() {
    let shelf = Shelf::of(publisher()).await;
    let stranger = publisher();
    shelf.serve(&descriptor_path(), Served::Bytes(stranger.0.file(&descriptor_path()).unwrap().bytes));
    let error = refused(&shelf, &Memory::default()).await;
    assert_eq!(error, StartGuestError::WrongSignature { package: package(), part: Part::Descriptor });
}

#[tokio::test]
async fn an_unsigned_snapshot_is_refused() {
    let shelf = Shelf::of(publisher()).await;
    let mut snapshot: serde_json::Value = serde_json::from_slice(&shelf.bytes(&paths::snapshot())).unwrap();
    snapshot["signatures"] = serde_json::json!([]);
    shelf.serve(&paths::snapshot(), Served::Bytes(serde_json::to_vec(&snapshot).unwrap()));
    let error = refused(&shelf, &Memory::default()).await;
    assert_eq!(error, StartGuestError::NotSigned { package: package(), part: Part::Snapshot });
}

#[tokio::test]
async fn an_older_version_is_refused() {
    let mut publisher = publisher();
    let old: Vec<File> = publisher.0.files();
    publisher.0.publish(stub("1.1.0"), crate::shelf::SOURCE, NOW).unwrap();
    let shelf = Shelf::of(publisher).await;
    let known = fetch(&shelf, &Memory::default()).await.unwrap().memory;
    for file in old {
        shelf.serve(&file.path, Served::Bytes(file.bytes));
    }
    let error = refused(&shelf, &known).await;
    assert!(matches!(error, StartGuestError::Older { part: Part::Snapshot, .. }), "{error}");
    assert_eq!(error.code(), "package-older");
}

#[tokio::test]
async fn an_expired_catalogue_is_refused() {
    let shelf = Shelf::of(publisher()).await;
    let late = NOW + catalogue::SNAPSHOT_LIFE_MS + 1;
    let error = fetcher(&shelf).fetch(&package(), &Memory::default(), late).await.unwrap_err();
    assert_eq!(error, StartGuestError::Expired { package: package(), part: Part::Snapshot });
}

#[tokio::test]
async fn an_oversized_source_is_refused() {
    let shelf = Shelf::of(publisher()).await;
    shelf.serve(&source_path(), Served::Bytes(vec![b' '; catalogue::SOURCE_LIMIT + 1]));
    let error = refused(&shelf, &Memory::default()).await;
    assert!(matches!(error, StartGuestError::TooLarge { part: Part::Source, .. }), "{error}");
}

#[tokio::test]
async fn an_oversized_descriptor_is_refused() {
    let shelf = Shelf::of(publisher()).await;
    shelf.serve(&descriptor_path(), Served::Bytes(vec![b' '; catalogue::DESCRIPTOR_LIMIT + 1]));
    let error = refused(&shelf, &Memory::default()).await;
    assert!(matches!(error, StartGuestError::TooLarge { part: Part::Descriptor, limit: 65_536, .. }), "{error}");
}

#[tokio::test]
async fn an_endless_download_is_cut() {
    let shelf = Shelf::of(publisher()).await;
    shelf.serve(&source_path(), Served::Endless);
    let error = refused(&shelf, &Memory::default()).await;
    assert!(matches!(error, StartGuestError::TooLarge { part: Part::Source, .. }), "{error}");
}

#[tokio::test]
async fn a_download_in_drops_is_cut() {
    let shelf = Shelf::of(publisher()).await;
    shelf.serve(&paths::snapshot(), Served::Drops);
    let fetcher = fetcher(&shelf).with_deadlines(Duration::from_millis(300), Duration::from_millis(300));
    let error = fetcher.fetch(&package(), &Memory::default(), NOW).await.unwrap_err();
    assert_eq!(error, StartGuestError::TooSlow { package: package(), part: Part::Snapshot, after_ms: 300 });
    assert!(error.may_pass());
}

#[tokio::test]
async fn a_redirect_to_a_private_address_is_refused() {
    for path in [paths::root(), paths::snapshot(), descriptor_path(), source_path()] {
        let shelf = Shelf::of(publisher()).await;
        shelf.serve(&path, Served::Redirect("http://169.254.169.254/latest".into()));
        let error = refused(&shelf, &Memory::default()).await;
        assert_eq!(error, StartGuestError::PrivateNetwork { package: package(), host: "169.254.169.254".into() });
    }
}

#[tokio::test]
async fn a_redirect_to_another_server_is_refused() {
    let (shelf, other) = (Shelf::of(publisher()).await, Shelf::of(publisher()).await);
    shelf.serve(&source_path(), Served::Redirect(other.url(&source_path())));
    let error = refused(&shelf, &Memory::default()).await;
    assert!(matches!(error, StartGuestError::Elsewhere { .. }), "{error}");
}

#[tokio::test]
async fn a_missing_package_is_not_found() {
    let shelf = Shelf::of(publisher()).await;
    let other = PackageRef::new(domain(), PackageKind::Hyperty, "chat");
    let error = fetcher(&shelf).fetch(&other, &Memory::default(), NOW).await.unwrap_err();
    assert_eq!(error, StartGuestError::NotFound { package: other });
    shelf.serve(&descriptor_path(), Served::Missing);
    assert_eq!(refused(&shelf, &Memory::default()).await.code(), "package-not-found");
}

#[tokio::test]
async fn a_name_that_leaves_its_folder_is_not_even_asked_for() {
    let shelf = Shelf::of(publisher()).await;
    let evil = PackageRef::new(domain(), PackageKind::Hyperty, "../../secret");
    let error = fetcher(&shelf).fetch(&evil, &Memory::default(), NOW).await.unwrap_err();
    assert_eq!(error.code(), "package-malformed");
    assert_eq!(shelf.requests(), 0);
}

#[tokio::test]
async fn a_domain_that_is_away_is_unreachable() {
    let shelf = Shelf::of(publisher()).await;
    shelf.serve(&paths::root(), Served::Failing);
    let error = refused(&shelf, &Memory::default()).await;
    assert!(
        matches!(&error, StartGuestError::Unreachable { reason, .. } if reason == "its server answered 503"),
        "{error}"
    );
    let net = Shelf::nowhere();
    let error = Fetcher::new(net).fetch(&package(), &Memory::default(), NOW).await.unwrap_err();
    assert_eq!(error.code(), "domain-unreachable");
}

#[tokio::test]
async fn a_package_beyond_its_grants_is_refused() {
    // No honest publisher signs such a descriptor, so that it is forged with the domain's own key.
    let grants = Grants { web_socket: vec![Origin::parse("wss://evil.example").unwrap()], ..Grants::none() };
    let shelf = Shelf::of_forged(Draft { grants, ..stub("1.0.0") }).await;
    let error = refused(&shelf, &Memory::default()).await;
    assert_eq!(error, StartGuestError::GrantBeyond { package: package(), grant: "wss://evil.example".into() });
}

#[tokio::test]
async fn a_rotated_key_is_accepted_and_the_old_one_no_more() {
    let mut publisher = publisher();
    let old = publisher.0.file(&paths::snapshot()).unwrap().bytes;
    let shelf = Shelf::of(publisher.clone_for_test()).await;
    let known = fetch(&shelf, &Memory::default()).await.unwrap().memory;
    publisher.0.rotate_key(SigningKey::generate(), NOW);
    publisher.0.publish(stub("1.1.0"), crate::shelf::SOURCE, NOW).unwrap();
    shelf.publish(&publisher);
    let known = fetch(&shelf, &known).await.unwrap().memory;
    assert_eq!(known.root.as_ref().unwrap().version, 2);
    shelf.serve(&paths::snapshot(), Served::Bytes(old));
    assert_eq!(refused(&shelf, &known).await.code(), "package-wrong-signature");
}

#[tokio::test]
async fn a_stolen_domain_name_does_not_bring_its_own_keys() {
    let shelf = Shelf::of(publisher()).await;
    let known = fetch(&shelf, &Memory::default()).await.unwrap().memory;
    let mut thief = publisher();
    thief.0.rotate_key(SigningKey::generate(), NOW);
    shelf.publish(&thief);
    let error = refused(&shelf, &known).await;
    assert_eq!(error, StartGuestError::WrongSignature { package: package(), part: Part::Root });
}

#[tokio::test]
async fn a_kept_source_is_not_fetched_again_and_a_spoiled_one_is() {
    let folder = tempfile::tempdir().unwrap();
    let shelf = Shelf::of(publisher()).await;
    let fetcher = fetcher(&shelf).with_cache(Arc::new(DiskCache::open(folder.path()).unwrap()));
    fetcher.fetch(&package(), &Memory::default(), NOW).await.unwrap();
    shelf.serve(&source_path(), Served::Missing);
    assert!(fetcher.fetch(&package(), &Memory::default(), NOW).await.is_ok());

    let kept = std::fs::read_dir(folder.path()).unwrap().next().unwrap().unwrap().path();
    std::fs::write(kept, "evil()").unwrap();
    let error = fetcher.fetch(&package(), &Memory::default(), NOW).await.unwrap_err();
    assert_eq!(error.code(), "package-not-found");
}

#[tokio::test]
async fn a_newer_version_is_noticed_without_fetching_it() {
    let mut publisher = publisher();
    publisher.0.publish(stub("1.2.0"), crate::shelf::SOURCE, NOW).unwrap();
    let shelf = Shelf::of(publisher).await;
    let newer = |running: Version| {
        let fetcher = fetcher(&shelf);
        async move { fetcher.is_newer(&package(), &running, &Memory::default(), NOW).await.unwrap() }
    };
    assert!(newer(Version::new(1, 0, 0)).await);
    assert!(!newer(Version::new(1, 2, 0)).await);
}
