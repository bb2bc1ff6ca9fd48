//! Attacks on the linking of a new device, and on what an account keeps at its domain.

use contract::{LinkCode, LinkState, News, Question};
use identity::{Cic, Digest};
use keys::{SealKey, SigningKey};
use lab::Domain;
use message::{Code, MessageType};
use node::{Role, Wire};
use serde_json::{Value, json};

use crate::mallory::{Mallory, Session, now};
use crate::stage::{BEN, Street, refusals};

const MARK: &[u8] = b"PLNK1";

/// What a new device sends, sealed with a secret that it may only guess.
fn request(secret: &[u8], dsk: &SigningKey) -> Vec<u8> {
    let key = keys::sha256(&[b"parlance-link-request-v1\n".as_slice(), secret].concat());
    let secrets = keys::sealed_box::BoxKey::generate().public();
    let plain = json!({ "dsk": dsk.verifying_key(), "name": "a phone", "secrets": secrets }).to_string();
    let sealed = SealKey::from_bytes(&key).seal(plain.as_bytes(), MARK).unwrap();
    [MARK, sealed.as_slice()].concat()
}

/// A device without an account.
async fn newcomer(domain: &Domain) -> (Session, SigningKey) {
    let key = SigningKey::generate();
    (Session::open(domain, Role::Member, &key).await, key)
}

async fn knocks(session: &mut Session, inbox: &str, sealed: &[u8]) -> Code {
    let to = format!("domain://linking.{}", session.domain);
    let body = json!({ "to": inbox, "sealed": keys::b64url(sealed) });
    session.ask(MessageType::Create, &to, body).await.code
}

/// The secret in a code that Ben shows now.
async fn shows_a_code(street: &Street) -> Vec<u8> {
    let code: LinkCode = street.ben.ask(Question::DeviceOffer).await.unwrap();
    let text = code.code.strip_prefix("PARLANCE-LINK-1:").unwrap();
    let said: Value = serde_json::from_slice(&keys::from_b64url(text).unwrap()).unwrap();
    keys::from_b64url(said["secret"].as_str().unwrap()).unwrap()
}

/// Waits until Ben's app has refused so many requests to be linked.
async fn were_refused(count: usize) {
    let refused = async {
        while refusals("link-refused") < count {
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::WAIT, refused).await.unwrap();
}

/// Attack: P-20
/// By: a stranger at Ben's domain
/// Does: guesses the secret of the code that Ben shows
/// Holds: after five wrong ones the code is void, for the right secret too; nobody is let in
#[tokio::test(flavor = "multi_thread")]
async fn a_link_code_is_not_guessed() {
    let mut street = Street::new().await;
    let secret = shows_a_code(&street).await;
    let honest = street.mallory.history(BEN).await.head();
    let mut guessed = 0;
    for _ in 0..2 {
        let (mut session, key) = newcomer(&street.a).await;
        for _ in 0..node::limits::LINKING_PER_SESSION.min(5 - guessed) {
            guessed += 1;
            let wrong = request(format!("guess {guessed}").as_bytes(), &key);
            knocks(&mut session, &street.target.inbox, &wrong).await;
        }
    }
    were_refused(5).await;
    let (mut late, key) = newcomer(&street.a).await;
    knocks(&mut late, &street.target.inbox, &request(&secret, &key)).await;
    were_refused(6).await;
    let admitted = street.ben.ask::<Value>(Question::DeviceAdmit { full: true }).await;
    assert_eq!(admitted.unwrap_err().code, "link-expired");
    assert_eq!(street.mallory.history(BEN).await.head(), honest);
    street.close().await;
}

/// Attack: P-21
/// By: somebody who saw the code as well, and comes second; or comes when it was taken back
/// Does: asks with the right secret
/// Holds: a code works once and while it is shown; what Ben admits is the device that he compared
#[tokio::test(flavor = "multi_thread")]
async fn a_link_code_works_once() {
    let mut street = Street::new().await;
    let secret = shows_a_code(&street).await;
    let ((mut first, phone), (mut second, thief)) = (newcomer(&street.a).await, newcomer(&street.a).await);
    knocks(&mut first, &street.target.inbox, &request(&secret, &phone)).await;
    let asked = |news| match news {
        News::Link(LinkState::Asked { .. }) => Some(()),
        _ => None,
    };
    street.ben.hears("a device that asks", asked).await;
    knocks(&mut second, &street.target.inbox, &request(&secret, &thief)).await;
    were_refused(1).await;
    street.ben.ask::<Value>(Question::DeviceAdmit { full: false }).await.unwrap();
    let chain = street.mallory.history(BEN).await;
    assert!(chain.device(&phone.verifying_key(), now()).is_ok(), "the honest case");
    assert!(chain.device(&thief.verifying_key(), now()).is_err());
    // The code was used; another one was taken back.
    let secret_of_another = shows_a_code(&street).await;
    street.ben.ask::<Value>(Question::DeviceWithdraw).await.unwrap();
    knocks(&mut second, &street.target.inbox, &request(&secret, &thief)).await;
    knocks(&mut second, &street.target.inbox, &request(&secret_of_another, &thief)).await;
    were_refused(3).await;
    assert!(street.ben.ask::<Value>(Question::DeviceAdmit { full: true }).await.is_err());
    assert_eq!(street.mallory.history(BEN).await.head(), chain.head());
    street.close().await;
}

/// Attack: N-28
/// By: a member with an account, a visitor, and a device without an account that does not stop
/// Does: uses the way by which new devices ask, to reach an inbox or to look for one
/// Holds: it is for devices without an account, to an inbox that is there, three times
#[tokio::test]
async fn the_way_of_new_devices_is_for_new_devices() {
    let domain = Domain::start("a.localhost", Wire::Ws).await;
    let mut ana = Mallory::join(&domain, "ana").await;
    let mut mallory = Mallory::join(&domain, "mallory").await;
    let inbox = ana.inbox.to_string();
    assert_eq!(knocks(&mut mallory.session, &inbox, b"hello").await, Code::FORBIDDEN);
    let mut visitor = Session::visit(&domain).await;
    assert_eq!(knocks(&mut visitor, &inbox, b"hello").await, Code::FORBIDDEN);
    let (mut new, _) = newcomer(&domain).await;
    for foreign in ["hyperty://a.localhost/nobody", "hyperty://b.localhost/inbox"] {
        assert_eq!(knocks(&mut new, foreign, b"hello").await, Code::NOT_FOUND);
    }
    let large = vec![0; 64 * 1024];
    assert_eq!(knocks(&mut new, &inbox, &large).await, Code::BAD_REQUEST);
    assert!(ana.session.link.is_quiet().await);
    for _ in 0..10 {
        knocks(&mut new, "hyperty://a.localhost/nobody", b"hello").await;
    }
    assert_eq!(knocks(&mut new, &inbox, b"hello").await, Code::TOO_MANY);
}

/// Attack: N-29
/// By: a thief of nothing, who knows Ana's history; and Ana's own device, which is perhaps stolen
/// Does: announces that Ana begins anew: without an issuer's word, with one of an own account, as a longer history
/// Holds: refused, her history stays and nobody is put out
#[tokio::test]
async fn a_reset_is_announced_with_proof_only() {
    let domain = Domain::start("a.localhost", Wire::Ws).await;
    let mut ana = Mallory::join(&domain, "ana").await;
    let mut mallory = Mallory::join(&domain, "mallory").await;
    let before = ana.me.chain.head();
    let (mut thief, phone) = newcomer(&domain).await;
    let irk = SigningKey::generate();
    let mut chain = ana.me.chain.clone();
    chain.reset(&irk, Digest([3; 32]), now()).unwrap();
    chain.add_device(&irk, phone.verifying_key(), "mine", now() + 86_400, now()).unwrap();
    let own = Cic::new(irk.verifying_key(), chain.genesis_hash());
    let mallorys = Cic::new(mallory.me.irk.verifying_key(), mallory.me.chain.genesis_hash());
    let account = "domain://account.a.localhost";
    for cic in [None, Some(own.text()), Some(mallorys.text())] {
        let mut claim = json!({ "user": ana.user, "chain": chain.texts() });
        if let Some(cic) = cic {
            claim["cic"] = json!(cic);
        }
        assert_eq!(thief.ask(MessageType::Update, account, claim.clone()).await.code, Code::FORBIDDEN);
        let registry = "domain://registry.a.localhost/account";
        assert!(!thief.ask(MessageType::Create, registry, claim).await.code.is_success());
    }
    let longer = json!({ "value": { "user": ana.user, "chain": chain.texts() } });
    assert_eq!(ana.session.registry(MessageType::Update, longer).await.code, Code::FORBIDDEN);
    let user = ana.user.clone();
    assert_eq!(mallory.history(&user).await.head(), before);
    assert_eq!(mallory.history(&user).await.head(), ana.history(&user).await.head());
}

/// Attack: N-30
/// By: a device of Ana's, and a member of her domain
/// Does: changes where another device of hers receives, and with which key packages it is invited
/// Holds: a device speaks for itself alone
#[tokio::test]
async fn a_device_changes_no_other_devices_entry() {
    let domain = Domain::start("a.localhost", Wire::Ws).await;
    let mut ana = Mallory::join(&domain, "ana").await;
    let laptop = ana.me.device.verifying_key().to_string();
    let phone = ana.another_device("phone");
    let chain = json!({ "value": { "user": ana.user, "chain": ana.me.chain.texts() } });
    assert_eq!(ana.session.registry(MessageType::Update, chain).await.code, Code::OK);
    let entry = |answer: &Value| {
        let devices = answer["devices"].as_array().unwrap();
        devices.iter().find(|one| one["device"] == json!(laptop)).cloned().unwrap()
    };
    let look = json!({ "resource": ana.user, "packages": false });
    let before = entry(&ana.session.registry(MessageType::Read, look.clone()).await.value);
    let mut thief = Session::open(&domain, Role::Member, &phone.key).await;
    let inbox = thief.allocate("hyperty").await;
    let package = keys::b64url(&seal::key_package(&phone.vault, &phone.device, true).unwrap());
    for value in [
        json!({ "user": ana.user, "inbox": ana.inbox }),
        json!({ "user": ana.user, "device": laptop, "inbox": inbox, "keyPackages": [package] }),
        json!({ "user": ana.user, "inbox": inbox, "keyPackages": [package] }),
    ] {
        thief.registry(MessageType::Update, json!({ "value": value })).await;
        assert_eq!(entry(&ana.session.registry(MessageType::Read, look.clone()).await.value), before, "{value}");
    }
    let taken = ana.session.registry(MessageType::Read, json!({ "resource": ana.user, "only": [laptop] })).await;
    assert_ne!(entry(&taken.value)["keyPackage"], json!(package));
}
