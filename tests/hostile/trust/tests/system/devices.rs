//! Attacks with histories, devices and leases, by people with a true account.

use contract::Question;
use identity::{Digest, Signer};
use keys::SigningKey;
use message::{Code, MessageType};
use serde_json::{Value, json};

use crate::mallory::{Mallory, now};
use crate::stage::{BEN, Street, is_answered, is_refused, refusals};

/// The next entry of a history, signed by anybody.
fn forged(chain: &identity::Sigchain, key: &SigningKey) -> String {
    let head = chain.head();
    let body = json!({ "dsk": key.verifying_key(), "name": "mine", "expires": now() + 86_400 });
    let payload =
        json!({ "v": 1, "seq": head.seq + 1, "prev": head.hash, "type": "add_device", "iat": now(), "body": body });
    let payload = keys::b64url(payload.to_string().as_bytes());
    format!("{payload}.{}", key.sign(format!("parlance-sigchain-v1\n{payload}").as_bytes()))
}

/// Attack: P-13
/// By: a contact
/// Does: tells Ben how histories go on: his own and hers with a device that she did not sign, and Carl's
/// Holds: refused; what Ben shows of himself and keeps at his domain is what he wrote
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_adds_nothing_to_the_history_of_others() {
    let mut street = Street::new().await;
    let object = street.contact().await;
    let mut carl = Mallory::join(&street.a, "carl").await;
    let (key, honest) = (SigningKey::generate(), street.mallory.history(BEN).await);
    let (hers, carls) = (street.mallory.me.chain.clone(), carl.me.chain.clone());
    let user = street.mallory.user.clone();
    let mallory = &mut street.mallory;
    mallory.tells(&object, BEN, &[forged(&honest, &key)]).await;
    mallory.tells(&object, &user, &[forged(&hers, &key)]).await;
    assert_eq!(refusals("bad-chain"), 2);
    mallory.tells(&object, BEN, &hers.texts()).await;
    is_refused("equivocation").await;
    let before = refusals("malformed");
    mallory.tells(&object, "user://a.localhost/carl", &carls.texts()).await;
    assert_eq!(refusals("malformed"), before + 1);
    let (_, shown) = is_answered(&street.ben, &mut carl).await;
    assert_eq!(shown["chain"], json!(honest.texts()));
    assert_eq!(carl.history(BEN).await.head(), honest.head());
    street.close().await;
}

/// Attack: P-14
/// By: a contact, who needs no key of Ben's for it
/// Does: tells Ben's own device that somebody began his identity anew
/// Holds: without an issuer's word it is not taken into his history, and he still takes devices in
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_hangs_no_reset_on_bens_own_history() {
    let mut street = Street::new().await;
    let object = street.contact().await;
    let mut carl = Mallory::join(&street.a, "carl").await;
    let honest = street.mallory.history(BEN).await;
    let mut hung = honest.clone();
    hung.reset(&SigningKey::generate(), Digest([3; 32]), now()).unwrap();
    street.mallory.tells(&object, BEN, &hung.suffix(honest.head().seq + 1)).await;
    let (_, shown) = is_answered(&street.ben, &mut carl).await;
    assert_eq!(shown["chain"], json!(honest.texts()));
    street.close().await;
}

/// Attack: P-15
/// By: a device of a contact's that she has revoked
/// Does: writes, commits, and takes the lease of the conversation, before anybody has put it out of the group
/// Holds: nothing of it counts once the history says that it was revoked
#[tokio::test(flavor = "multi_thread")]
async fn a_revoked_device_is_not_heard() {
    let mut street = Street::new().await;
    let object = street.contact().await;
    let phone = street.mallory.another_device("phone");
    let user = street.mallory.user.clone();
    let texts = street.mallory.me.chain.texts();
    assert_eq!(street.mallory.tells(&object, &user, &texts).await, Code::OK);
    let package = seal::key_package(&phone.vault, &phone.device, false).unwrap();
    let named = json!([{ "device": phone.key.verifying_key(), "user": user, "inbox": street.mallory.inbox }]);
    let (vault, device) = (&street.mallory.vault, &street.mallory.device);
    let aad = named.to_string().into_bytes();
    let invited = seal::invite_many(vault, device, &object.group, &[&package], &aad, &mut |_| Ok(())).unwrap();
    assert_eq!(street.mallory.session.delivers(&object.inbox, &invited.commit).await, Code::OK);
    let pending = seal::inspect_welcome(&phone.vault, &phone.device, &invited.welcome).unwrap();
    pending.join(&phone.vault, &mut |_| Ok(())).unwrap();
    let said = seal::lease(vault, &object.group).unwrap();
    seal::adopt_lease(&phone.vault, &object.group, &said, now()).unwrap();
    let honest = phone.writes(&object, &user, 1, "from the phone");
    assert_eq!(street.mallory.session.delivers(&object.inbox, &honest).await, Code::OK);
    street.ben.reads(&object.url, &["from the phone"]).await;

    let gone = phone.key.verifying_key();
    street.mallory.me.chain.revoke_device(&street.mallory.me.irk, Signer::Irk, gone, now()).unwrap();
    let texts = street.mallory.me.chain.texts();
    assert_eq!(street.mallory.tells(&object, &user, &texts).await, Code::OK);
    let step = json!({ "holder": gone, "seq": 1, "until": now() + 86_400 });
    let step = phone.says(&object, &user, MessageType::Update, "/lease", &step);
    street.mallory.session.delivers(&object.inbox, &step).await;
    is_refused("device-revoked").await;
    let late = phone.writes(&object, &user, 2, "it was not lost at all");
    street.mallory.session.delivers(&object.inbox, &late).await;
    assert_eq!(street.mallory.writes(&object, 1, "from the laptop").await, Code::OK);
    street.ben.reads(&object.url, &["from the phone", "from the laptop"]).await;
    street.close().await;
}

/// Attack: P-16
/// By: a contact who observes
/// Does: takes the lease of Ben's conversation, by one step and by another, and changes it as its holder
/// Holds: refused; the conversation stays Ben's and goes on
#[tokio::test(flavor = "multi_thread")]
async fn an_observer_does_not_take_the_lease() {
    let mut street = Street::new().await;
    let object = street.observes().await;
    let own = street.mallory.me.device.verifying_key();
    for (holder, seq, hand_over) in
        [(json!(own), 1, false), (json!(own), 1, true), (json!(own), 2, true), (json!(street.target.device), 1, true)]
    {
        let step = json!({ "holder": holder, "seq": seq, "until": now() + 86_400, "hand_over": hand_over });
        street.mallory.says(&object, MessageType::Update, "/lease", step).await;
    }
    let mine = json!({ "introduction": street.mallory.introduction(), "schema": "comm", "version": 0,
        "value": { "type": "chat" }, "lease": { "holder": own, "seq": 9, "until": now() + 86_400 } });
    street.mallory.says(&object, MessageType::Create, "/subscription", mine).await;
    let snapshot = json!({ "version": 9, "value": { "type": "chat", "title": "Mallory's" } });
    street.mallory.says(&object, MessageType::Update, "", snapshot).await;
    is_refused("not-reporter").await;
    street.mallory.writes(&object, 1, "may I?").await;
    street.ben.reads(&object.url, &["may I?"]).await;
    // Ben's device still commits: it lets another device of his in, and Mallory's program takes the commit as the holder's.
    let lines = street.ben.lines().await;
    assert!(lines.iter().all(|line| line != "removed"), "{lines:?}");
    let answer: Value = street
        .ben
        .ask(Question::ChatSend { chat: object.url.clone(), text: "no".into(), preview: None })
        .await
        .unwrap();
    assert!(answer.is_object());
    street.close().await;
}
