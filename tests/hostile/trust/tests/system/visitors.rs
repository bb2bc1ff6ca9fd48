//! Attacks by those who come to a Node with a program of their own.

use identity::{Cic, Sigchain, Signer};
use keys::SigningKey;
use lab::Domain;
use message::{Address, Code, MessageType};
use node::{Role, Wire};
use serde_json::{Value, json};

use crate::mallory::{Mallory, Session, now, opening, proof, said};
use crate::wires::{Heard, Link};

async fn domain() -> Domain {
    Domain::start("a.localhost", Wire::Ws).await
}

/// What the Node says to somebody who opens a session with this proof.
async fn knocks(domain: &Domain, body: impl FnOnce(&str) -> Value) -> Code {
    let mut link = Link::connect(domain.node().port(), Wire::Ws).await.unwrap();
    let body = body(&link.challenge.clone());
    link.send(opening(&domain.name, &body));
    let Heard::Message(answer) = link.hear().await else { panic!("no answer") };
    said(&answer).code
}

/// Attack: N-20
/// By: a visitor
/// Does: replays an older proof, promotes herself to a member, signs with another key, proves for another domain
/// Holds: each is refused and counted
#[tokio::test]
async fn a_session_belongs_to_who_proves_its_key_now() {
    let domain = domain().await;
    let (key, other) = (SigningKey::generate(), SigningKey::generate());
    let elsewhere = message::Domain::parse("b.localhost").unwrap();
    assert_eq!(knocks(&domain, |challenge| proof(&domain.name, Role::Visitor, &key, challenge)).await, Code::OK);
    let old = proof(&domain.name, Role::Visitor, &key, "an older challenge");
    assert_eq!(knocks(&domain, |_| old).await, Code::UNAUTHORIZED);
    let promoted = |challenge: &str| {
        let mut body = proof(&domain.name, Role::Visitor, &key, challenge);
        body["role"] = json!("member");
        body
    };
    assert_eq!(knocks(&domain, promoted).await, Code::UNAUTHORIZED);
    let borrowed = |challenge: &str| {
        let mut body = proof(&domain.name, Role::Visitor, &key, challenge);
        body["key"] = json!(other.verifying_key());
        body
    };
    assert_eq!(knocks(&domain, borrowed).await, Code::UNAUTHORIZED);
    assert_eq!(
        knocks(&domain, |challenge| proof(&elsewhere, Role::Visitor, &key, challenge)).await,
        Code::UNAUTHORIZED
    );
    assert_eq!(domain.node().stats().await.bad_proofs, 4);
}

/// Attack: N-21
/// By: a visitor
/// Does: forges `from`: another's session, another's inbox, a person
/// Holds: refused and counted, nothing is delivered
#[tokio::test]
async fn a_forged_sender_brings_nothing() {
    let domain = domain().await;
    let mut ana = Mallory::join(&domain, "ana").await;
    let mut visitor = Session::visit(&domain).await;
    let inbox = ana.inbox.clone();
    let body = json!({ "v": 1, "sealed": "aGk" });
    for from in [ana.session.address.clone(), inbox.clone(), Address::parse("user://a.localhost/ana").unwrap()] {
        let answer = visitor.ask_as(&from, MessageType::Create, inbox.as_str(), body.clone()).await;
        assert_eq!(answer.code, Code::FORBIDDEN, "{}", from.scheme());
    }
    assert_eq!(domain.node().stats().await.forged, 3);
    assert!(ana.session.link.is_quiet().await);
}

/// Attack: N-22
/// By: a visitor
/// Does: subscribes to another's inbox, session and object, and lets herself in
/// Holds: refused, she hears nothing
#[tokio::test]
async fn nobody_subscribes_to_what_is_anothers() {
    let domain = domain().await;
    let mut ana = Mallory::join(&domain, "ana").await;
    let object = ana.session.allocate("comm").await;
    let mut visitor = Session::visit(&domain).await;
    let sm = "domain://msg-node.a.localhost/sm";
    let changes = format!("{object}/changes");
    for foreign in [ana.inbox.as_str(), ana.session.address.as_str(), object.as_str(), &changes] {
        let own = json!({ "resources": [foreign], "allow": [visitor.address] });
        for body in [json!({ "resources": [foreign] }), own] {
            assert_eq!(visitor.ask(MessageType::Subscribe, sm, body).await.code, Code::FORBIDDEN, "{foreign}");
        }
    }
    let heard = ana.session.ask_as(&object, MessageType::Update, &changes, json!({ "value": 1 })).await;
    assert_eq!(heard.value["heard"], 0);
    assert!(visitor.link.is_quiet().await);
}

/// Attack: N-23
/// By: a member of the same domain
/// Does: changes another's entry in the registry, and names another's inbox as hers
/// Holds: refused, the entry stays
#[tokio::test]
async fn a_registry_entry_is_its_owners() {
    let domain = domain().await;
    let ana = Mallory::join(&domain, "ana").await;
    let mut mallory = Mallory::join(&domain, "mallory").await;
    let before = mallory.looks_up("user://a.localhost/ana").await.inbox;
    for value in [
        json!({ "user": ana.user, "keyPackages": [keys::b64url(b"mine")] }),
        json!({ "user": ana.user, "inbox": mallory.inbox }),
        json!({ "user": ana.user, "chain": mallory.me.chain.texts() }),
        json!({ "user": mallory.user, "inbox": ana.inbox }),
    ] {
        let answer = mallory.session.registry(MessageType::Update, json!({ "value": value })).await;
        assert!(!answer.code.is_success(), "{value}");
    }
    let taken = json!({ "user": ana.user, "chain": mallory.me.chain.texts() });
    let account = mallory.session.ask(MessageType::Create, "domain://registry.a.localhost/account", taken).await;
    assert!(!account.code.is_success());
    assert_eq!(mallory.looks_up("user://a.localhost/ana").await.inbox, before);
}

/// Attack: N-24
/// By: a thief of a device, or a registry's own operator
/// Does: puts a shorter or a forked history in the place of the one that is known
/// Holds: refused, a history only grows
#[tokio::test]
async fn a_registry_keeps_the_longer_history() {
    let domain = domain().await;
    let mut ana = Mallory::join(&domain, "ana").await;
    let texts = ana.me.chain.texts();
    let longer = {
        let mut chain = ana.me.chain.clone();
        let key = SigningKey::generate().verifying_key();
        chain.add_device(&ana.me.irk, key, "a phone", now() + 86_400, now()).unwrap();
        chain.texts()
    };
    let forked = {
        let mut chain = Sigchain::parse(&texts[..2]).unwrap();
        let key = SigningKey::generate().verifying_key();
        chain.add_device(&ana.me.irk, key, "hidden", now() + 86_400, now()).unwrap();
        chain.add_device(&ana.me.irk, key, "hidden", now() + 86_401, now()).unwrap();
        chain.add_device(&ana.me.irk, key, "hidden", now() + 86_402, now()).unwrap();
        chain.texts()
    };
    let user = ana.user.clone();
    let update = |chain: &[String]| json!({ "value": { "user": user, "chain": chain } });
    assert_eq!(ana.session.registry(MessageType::Update, update(&longer)).await.code, Code::OK);
    for worse in [&texts[..], &texts[..2], &forked] {
        let answer = ana.session.registry(MessageType::Update, update(worse)).await;
        assert!(!answer.code.is_success(), "{} entries", worse.len());
    }
    let mut visitor = Session::visit(&domain).await;
    let entry = visitor.registry(MessageType::Read, json!({ "resource": ana.user })).await;
    assert_eq!(entry.value["chain"], json!(longer));
}

/// Attack: N-25
/// By: a contact of Ana's, and a stranger
/// Does: takes Ana's name at the domain with a chain of her own: without, with Ana's, and with her own commitment
/// Holds: the name goes only to whom the issuer vouched for
#[tokio::test]
async fn a_name_is_not_taken_with_a_borrowed_commitment() {
    let domain = domain().await;
    domain.node().add_user("ana", "correct horse battery").await.unwrap();
    let thief = identity::NewPersona::create("laptop", now() + 86_400, None, now()).unwrap();
    let anas = identity::NewPersona::create("laptop", now() + 86_400, None, now()).unwrap();
    crate::oidc::sign_in(domain.node(), "sign-in", "ana", "correct horse battery", &anas.nonce()).await;
    let mut session = Session::open(&domain, Role::Member, &thief.device).await;
    let account = "domain://registry.a.localhost/account";
    let own = Cic::new(thief.irk.verifying_key(), thief.chain.genesis_hash());
    let claim = json!({ "user": "user://a.localhost/ana", "chain": thief.chain.texts() });
    for cic in [None, Some(anas.cic.text()), Some(own.text())] {
        let mut claim = claim.clone();
        if let Some(cic) = cic {
            claim["cic"] = json!(cic);
        }
        assert_eq!(session.ask(MessageType::Create, account, claim).await.code, Code::FORBIDDEN);
    }
    let mut anas_session = Session::open(&domain, Role::Member, &anas.device).await;
    let claim = json!({ "user": "user://a.localhost/ana", "chain": anas.chain.texts(), "cic": anas.cic.text() });
    assert_eq!(anas_session.ask(MessageType::Create, account, claim).await.code, Code::OK, "the honest case");
}

/// Attack: N-26
/// By: a thief of a device
/// Does: stays connected, and connects again, after the device was revoked
/// Holds: put out at once, and never let in again
#[tokio::test]
async fn a_revoked_device_is_put_out() {
    let domain = domain().await;
    let mut ana = Mallory::join(&domain, "ana").await;
    let (phone, laptop) = (SigningKey::generate(), ana.me.device.verifying_key());
    ana.me.chain.add_device(&ana.me.irk, phone.verifying_key(), "phone", now() + 86_400, now()).unwrap();
    let update = |ana: &Mallory| json!({ "value": { "user": ana.user, "chain": ana.me.chain.texts() } });
    let first = update(&ana);
    assert_eq!(ana.session.registry(MessageType::Update, first).await.code, Code::OK);
    let mut owner = Session::open(&domain, Role::Member, &phone).await;
    ana.me.chain.revoke_device(&ana.me.irk, Signer::Irk, laptop, now()).unwrap();
    let second = update(&ana);
    assert_eq!(owner.registry(MessageType::Update, second).await.code, Code::OK);
    assert!(matches!(ana.session.link.hear().await, Heard::Closed(403)), "the thief is put out");
    let mut again = Session::open(&domain, Role::Member, &ana.me.device).await;
    let answer = again.registry(MessageType::Read, json!({ "resource": ana.user })).await;
    assert_eq!(answer.code, Code::FORBIDDEN);
}

/// Attack: N-27
/// By: a visitor
/// Does: reads the registry name by name, and fills an inbox with what is not sealed
/// Holds: she is slowed down, and an inbox takes nothing in the clear
#[tokio::test]
async fn a_registry_is_not_copied_and_an_inbox_not_filled() {
    let domain = domain().await;
    let ana = Mallory::join(&domain, "ana").await;
    let mut visitor = Session::visit(&domain).await;
    let mut refused = 0;
    for n in 0..200 {
        let read = json!({ "resource": format!("user://a.localhost/name{n}") });
        refused += usize::from(visitor.registry(MessageType::Read, read).await.code == Code::TOO_MANY);
    }
    assert!(refused >= 50, "{refused} of 200 were refused");
    for open in [
        json!({ "text": "hello" }),
        json!({ "v": 1, "sealed": "aGk", "text": "hello" }),
        json!({ "v": 2, "sealed": "aGk" }),
        json!({ "v": 1, "sealed": "not sealed at all" }),
    ] {
        let answer = visitor.ask(MessageType::Create, ana.inbox.as_str(), open).await;
        assert_eq!(answer.code, Code::BAD_REQUEST);
    }
}
