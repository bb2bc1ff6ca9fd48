//! Who may have which name, and what strangers are told.

use crate::common::{House, Person, Session, now_s, oidc};
use identity::Cic;
use keys::SigningKey;
use message::{Code, MessageType};
use node::{Node, Registration, Role};
use serde_json::json;

const ACCOUNT: &str = "domain://registry.a.localhost/account";
const REGISTRY: &str = "domain://registry.a.localhost";

#[tokio::test]
async fn a_name_is_bound_to_the_first_persona_that_takes_it() {
    let house = House::new().await;
    let ana = Person::new("ana");
    ana.join(&house).await;
    ana.join(&house).await; // again: the same
    let impostor = Person::new("ana");
    let mut session = Session::open(&house, Role::Member, &impostor.device).await;
    assert_eq!(session.ask(MessageType::Create, ACCOUNT, impostor.claim()).await.code, Code::CONFLICT);
}

#[tokio::test]
async fn an_unregistered_device_may_only_create_an_account() {
    let house = House::new().await;
    let mut session = Session::open(&house, Role::Member, &SigningKey::generate()).await;
    assert!(!session.registered);
    let answer = session.ask(MessageType::Read, REGISTRY, json!({ "resource": "user://a.localhost/ana" })).await;
    assert_eq!(answer.code, Code::FORBIDDEN);
}

#[tokio::test]
async fn a_device_that_is_not_of_the_chain_gets_no_account() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let mut stranger = Session::open(&house, Role::Member, &SigningKey::generate()).await;
    assert_eq!(stranger.ask(MessageType::Create, ACCOUNT, ana.claim()).await.code, Code::FORBIDDEN);
    let mut visitor = Session::visit(&house).await;
    assert_eq!(visitor.ask(MessageType::Create, ACCOUNT, ana.claim()).await.code, Code::FORBIDDEN);
}

#[tokio::test]
async fn a_chain_that_does_not_hold_gets_no_account() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let mut session = Session::open(&house, Role::Member, &ana.device).await;
    let mut texts = ana.chain.texts();
    texts.remove(0);
    for chain in [json!(texts), json!([]), json!(["x.y"])] {
        let answer = session.ask(MessageType::Create, ACCOUNT, json!({ "user": ana.user(), "chain": chain })).await;
        assert_eq!(answer.code, Code::BAD_REQUEST);
    }
}

#[tokio::test]
async fn a_name_of_the_issuer_goes_only_to_whom_the_issuer_vouches_for() {
    let house = House::new().await;
    house.node.add_user("ana", "correct horse").await.unwrap();
    let ana = Person::new("ana");
    let cic = Cic::new(ana.irk.verifying_key(), ana.chain.genesis_hash());
    let mut session = Session::open(&house, Role::Member, &ana.device).await;
    let claim = |chain: &identity::Sigchain, cic: &Cic| json!({ "user": ana.user(), "chain": chain.texts(), "cic": cic.text() });

    assert_eq!(session.ask(MessageType::Create, ACCOUNT, ana.claim()).await.code, Code::FORBIDDEN, "without claims");
    assert_eq!(
        session.ask(MessageType::Create, ACCOUNT, claim(&ana.chain, &cic)).await.code,
        Code::FORBIDDEN,
        "before signing in"
    );

    oidc::sign_in(&house.node, "sign-in", "ana", "correct horse", &cic.nonce()).await;

    // A contact of Ana's has seen her claims and tries them with his own chain.
    let thief = Person::new("ana");
    let mut stolen = Session::open(&house, Role::Member, &thief.device).await;
    assert_eq!(stolen.ask(MessageType::Create, ACCOUNT, claim(&thief.chain, &cic)).await.code, Code::FORBIDDEN);

    assert_eq!(session.ask(MessageType::Create, ACCOUNT, claim(&ana.chain, &cic)).await.code, Code::OK);
}

#[tokio::test]
async fn a_name_somebody_holds_cannot_be_taken_at_the_login_page() {
    let house = House::new().await;
    Person::new("ana").join(&house).await;
    let login = oidc::Login::new(&house.node, "nonce");
    let page = login.show().await;
    let (status, _, html) = login.submit(&page, "create", "ana", "correct horse").await;
    assert_eq!(status, 409);
    assert!(html.contains("taken"));
}

#[tokio::test]
async fn an_invitation_works_once() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::common::config(&folder);
    config.registration = Registration::Invite;
    let house = House { node: Node::start(config).await.unwrap(), folder };
    let invite = house.node.admin().invite().unwrap();
    let mut codes = Vec::new();
    for (name, invite) in [("ana", "wrong"), ("ana", invite.as_str()), ("ben", invite.as_str())] {
        let person = Person::new(name);
        let mut session = Session::open(&house, Role::Member, &person.device).await;
        let mut claim = person.claim();
        claim["invite"] = json!(invite);
        codes.push(session.ask(MessageType::Create, ACCOUNT, claim).await.code);
    }
    assert_eq!(codes, [Code::FORBIDDEN, Code::OK, Code::FORBIDDEN]);
}

#[tokio::test]
async fn the_registry_gives_each_key_package_once_and_keeps_the_last() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let mut session = ana.join(&house).await;
    let inbox = session.allocate("hyperty", "inbox").await;
    let packages: Vec<String> = ["one", "two"].iter().map(|text| keys::b64url(text.as_bytes())).collect();
    let value = json!({ "user": ana.user(), "inbox": inbox, "keyPackages": packages, "chain": ana.chain.texts() });
    let answer = session.ask(MessageType::Update, REGISTRY, json!({ "value": value })).await;
    assert_eq!((answer.code, &answer.value["keyPackages"]), (Code::OK, &json!(2)));
    let mut ben = Session::visit(&house).await;
    let mut seen = Vec::new();
    for _ in 0..3 {
        let entry = ben.ask(MessageType::Read, REGISTRY, json!({ "resource": ana.user() })).await.value;
        assert_eq!(entry["persona"], json!(ana.chain.persona()));
        assert_eq!(entry["chain"], json!(ana.chain.texts()));
        assert_eq!(entry["devices"][0]["inbox"], json!(inbox));
        seen.push(entry["devices"][0]["keyPackage"].as_str().unwrap().to_owned());
    }
    assert_eq!(seen, [packages[0].clone(), packages[1].clone(), packages[1].clone()]);
}

#[tokio::test]
async fn nobody_else_updates_an_entry_or_names_another_inbox() {
    let house = House::new().await;
    let (_ana, inbox) = Person::new("ana").settle(&house).await;
    let ben = Person::new("ben");
    let (mut session, _) = ben.settle(&house).await;
    let of_ana = json!({ "value": { "user": "user://a.localhost/ana", "keyPackages": [keys::b64url(b"evil")] } });
    assert_eq!(session.ask(MessageType::Update, REGISTRY, of_ana).await.code, Code::FORBIDDEN);
    let to_ana = json!({ "value": { "user": ben.user(), "inbox": inbox } });
    assert_eq!(session.ask(MessageType::Update, REGISTRY, to_ana).await.code, Code::FORBIDDEN);
    let junk = json!({ "value": { "user": ben.user(), "keyPackages": ["not base64url!"] } });
    assert_eq!(session.ask(MessageType::Update, REGISTRY, junk).await.code, Code::BAD_REQUEST);
}

#[tokio::test]
async fn the_registry_answers_only_so_often() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = crate::common::config(&folder);
    config.limits.registry_reads_per_minute = 2;
    let house = House { node: Node::start(config).await.unwrap(), folder };
    let mut ben = Session::visit(&house).await;
    let mut codes = Vec::new();
    for name in ["a", "b", "c"] {
        codes.push(
            ben.ask(MessageType::Read, REGISTRY, json!({ "resource": format!("user://a.localhost/{name}") }))
                .await
                .code,
        );
    }
    assert_eq!(codes, [Code::NOT_FOUND, Code::NOT_FOUND, Code::TOO_MANY]);
}

#[tokio::test]
async fn a_revoked_device_is_put_out_at_once() {
    let house = House::new().await;
    let mut ana = Person::new("ana");
    let phone = SigningKey::generate();
    ana.chain.add_device(&ana.irk, phone.verifying_key(), "phone", now_s() + 86_400, now_s()).unwrap();
    let mut laptop = ana.join(&house).await;
    let mut lost = Session::open(&house, Role::Member, &phone).await;
    assert!(lost.registered);
    ana.chain.revoke_device(&ana.irk, identity::Signer::Irk, phone.verifying_key(), now_s()).unwrap();
    let value = json!({ "user": ana.user(), "chain": ana.chain.texts() });
    assert_eq!(laptop.ask(MessageType::Update, REGISTRY, json!({ "value": value })).await.code, Code::OK);
    assert!(matches!(lost.link.hear().await, crate::common::Heard::Closed(403)));
    assert!(!Session::open(&house, Role::Member, &phone).await.registered);
}

#[tokio::test]
async fn a_new_device_is_linked_and_admitted_while_it_is_connected() {
    for wire in [node::Wire::Ws, node::Wire::Sse, node::Wire::Sse2] {
        let house = House::with_wire(wire).await;
        let mut ana = Person::new("ana");
        let (mut laptop, inbox) = ana.settle(&house).await;
        let phone = SigningKey::generate();
        let mut new = Session::open(&house, Role::Member, &phone).await;
        let from = new.address.clone();
        let word = json!({ "to": inbox, "sealed": keys::b64url(b"it is me") });
        let id = new.post(MessageType::Create, &from, "domain://linking.a.localhost", word);
        let heard = laptop.take().await;
        assert_eq!((crate::common::unsealed(&heard).as_str(), &heard.from), ("it is me", &from));
        assert_eq!(new.answer_to(id).await.code, Code::OK, "{wire:?}");
        ana.chain.add_device(&ana.irk, phone.verifying_key(), "phone", now_s() + 86_400, now_s()).unwrap();
        let value = json!({ "user": ana.user(), "chain": ana.chain.texts() });
        assert_eq!(laptop.ask(MessageType::Update, REGISTRY, json!({ "value": value })).await.code, Code::OK);
        let told: serde_json::Value = new.next().await.body.parse().unwrap();
        assert_eq!(told, json!({ "code": "admitted", "user": ana.user() }));
        new.allocate("hyperty", "inbox").await;
        house.node.shutdown().await;
    }
}
