//! Attacks by a person with a true account and a program of her own, on somebody with the app.

use contract::{CallView, ChatView, ContactState, Content, PersonCard, Question};
use keys::SigningKey;
use message::{Code, MessageType};
use seal::Device;
use serde_json::{Value, json};

use crate::mallory::{Mallory, Session, now};
use crate::stage::{BEN, Street, befriends, is_refused, refusals};
use crate::wires::Heard;

/// Attack: P-01
/// By: a stranger
/// Does: introduces herself with her own tokens under the address of Ana
/// Holds: refused; neither the address nor a word of it is shown or kept
#[tokio::test(flavor = "multi_thread")]
async fn nobody_is_asked_in_the_name_of_somebody_else() {
    let mut street = Street::new().await;
    let object = street.mallory.welcomes("comm", &street.target).await;
    let mut introduction = street.mallory.introduction();
    introduction["user"] = json!("user://a.localhost/ana");
    introduction["name"] = json!("Ana");
    street.mallory.introduces(&object, introduction).await;
    street.mallory.writes(&object, 1, "I am Ana, believe me").await;
    is_refused("not-their-name").await;
    assert!(street.is_empty().await);
    street.close().await;
}

/// Attack: P-02
/// By: a contact of Ana's
/// Does: shows Ana's whole evidence, as she got it, from a leaf of her own
/// Holds: refused, the leaf is not Ana's device
#[tokio::test(flavor = "multi_thread")]
async fn evidence_of_another_is_refused_at_the_door() {
    let mut street = Street::new().await;
    let ana = Mallory::join(&street.a, "ana").await;
    let object = street.mallory.welcomes("comm", &street.target).await;
    street.mallory.introduces(&object, ana.introduction()).await;
    is_refused("wrong-author").await;
    assert!(street.is_empty().await);
    street.close().await;
}

/// Attack: P-03
/// By: a stranger
/// Does: sits in her group with Ana's credential at her own leaf, and with one that nobody signed
/// Holds: the group is not entered
#[tokio::test(flavor = "multi_thread")]
async fn a_group_with_a_borrowed_leaf_is_not_entered() {
    let mut street = Street::new().await;
    let ana = Mallory::join(&street.a, "ana").await;
    let borrowed = Device::new(&street.mallory.me.device, ana.device.credential().to_vec());
    let nobody = Device::new(&SigningKey::generate(), b"I am Ana".to_vec());
    for device in [&borrowed, &nobody] {
        let url = street.mallory.session.allocate("comm").await;
        let object = street.mallory.object_of(device, url.as_str(), &street.target);
        street.mallory.session.delivers(&object.inbox, &object.welcome).await;
    }
    assert_eq!(refusals("unverified"), 2);
    assert!(street.is_empty().await);
    street.close().await;
}

/// Attack: P-04
/// By: a stranger
/// Does: gives herself a name that turns text around, hides, or is a page long
/// Holds: shown plain and short, beside the address that was checked
#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_shown_plain_and_short() {
    let mut street = Street::new().await;
    let object = street.mallory.welcomes("comm", &street.target).await;
    let mut introduction = street.mallory.introduction();
    introduction["name"] = json!(format!("\u{202e}anA\u{200b}\n\u{feff}{}", "x".repeat(5000)));
    street.mallory.introduces(&object, introduction).await;
    street.ben.sees_contact("mallory@a.localhost", ContactState::Request).await;
    let card: PersonCard = street.ben.ask(Question::PersonCard { user: "mallory@a.localhost".into() }).await.unwrap();
    assert!(card.name.starts_with("anA") && card.name.chars().count() <= 64, "{}", card.name);
    assert!(card.name.chars().all(|c| c.is_ascii_alphabetic() || c == ' '), "{:?}", card.name);
    street.close().await;
}

/// Attack: P-05
/// By: a stranger
/// Does: writes before she was accepted
/// Holds: not a word of it is shown, and no receipt tells her that somebody is there
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_is_not_heard_before_she_is_accepted() {
    let mut street = Street::new().await;
    let object = street.mallory.welcomes("comm", &street.target).await;
    let introduction = street.mallory.introduction();
    street.mallory.introduces(&object, introduction).await;
    street.mallory.writes(&object, 1, "read this").await;
    let chat = street.ben.sees_contact("mallory@a.localhost", ContactState::Request).await;
    assert!(street.ben.texts(&chat).await.is_empty());
    assert!(street.mallory.session.link.is_quiet().await);
    street.ben.ask::<Value>(Question::PersonAccept { user: "mallory@a.localhost".into() }).await.unwrap();
    street.ben.reads(&chat, &["read this"]).await;
    street.close().await;
}

/// Attack: P-06
/// By: a stranger
/// Does: calls, without being a contact
/// Holds: it does not ring
#[tokio::test(flavor = "multi_thread")]
async fn a_stranger_does_not_make_it_ring() {
    let mut street = Street::new().await;
    let object = street.mallory.welcomes("connection", &street.target).await;
    let introduction = street.mallory.introduction();
    let body = json!({ "introduction": introduction, "schema": "connection", "version": 0, "value": { "state": "ringing", "offer": { "sdp": "v=0" } } });
    street.mallory.says(&object, MessageType::Create, "/subscription", body).await;
    is_refused("not-a-contact").await;
    let calls: Vec<CallView> = street.ben.ask(Question::CallList).await.unwrap();
    assert!(calls.is_empty() && street.is_empty().await);
    street.close().await;
}

/// Attack: P-07
/// By: a stranger
/// Does: invites to an object that is named as another domain's, or as no object at all
/// Holds: refused
#[tokio::test(flavor = "multi_thread")]
async fn an_object_is_of_the_domain_of_its_reporter() {
    let mut street = Street::new().await;
    for (url, code) in [("comm://b.localhost/one", "wrong-domain"), ("hyperty://a.localhost/one", "malformed")] {
        // A Welcome uses a key package up, whatever becomes of what follows.
        let target = street.mallory.looks_up(BEN).await;
        let object = street.mallory.object(url, &target);
        street.mallory.session.delivers(&object.inbox, &object.welcome).await;
        let introduction = street.mallory.introduction();
        street.mallory.introduces(&object, introduction).await;
        is_refused(code).await;
    }
    assert!(street.is_empty().await);
    street.close().await;
}

/// Attack: P-08
/// By: anybody
/// Does: fills an inbox with garbage, with bent Welcomes and with what is larger than a message may be
/// Holds: the app lives on, and the next honest request is shown
#[tokio::test(flavor = "multi_thread")]
async fn garbage_in_an_inbox_harms_nobody() {
    let mut street = Street::new().await;
    let url = street.mallory.session.allocate("comm").await;
    let good = street.mallory.object(url.as_str(), &street.target);
    let mut bent = good.welcome.clone();
    let middle = bent.len() / 2;
    bent[middle] ^= 1;
    for garbage in [vec![0xff; 100_000], Vec::new(), bent, good.welcome[..40].to_vec()] {
        street.mallory.session.delivers(&good.inbox, &garbage).await;
    }
    let mut flood = Session::visit(&street.a).await;
    flood.link.send_bytes(vec![b'x'; message::MESSAGE_LIMIT + 1]);
    assert!(matches!(flood.link.hear().await, Heard::Closed(_)), "a connection that sends too much is ended");
    street.contact().await;
    street.close().await;
}

/// Attack: P-09
/// By: a contact
/// Does: writes, in her own group, into another conversation of Ben's, and under another person's `from`
/// Holds: the other conversation gets nothing, and what she writes is hers
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_writes_as_herself_in_her_own_conversation() {
    let mut street = Street::new().await;
    let mine = street.contact().await;
    let mut carl = Mallory::join(&street.a, "carl").await;
    let theirs = befriends(&street.ben, &mut carl).await;
    let into = format!("{}/children/", theirs.url);
    let named = street.mallory.child("", 1);
    let child = |url: &str, text: &str| {
        let resource = format!("{url}{named}");
        json!({ "resource": resource, "seq": 1, "value": { "type": "text", "text": text }, "at": 1 })
    };
    let (mallory, from) = (&mut street.mallory, "user://a.localhost/carl");
    for url in [&theirs.url, &mine.url] {
        let body = child(url, "smuggled");
        mallory.says_to(&mine, MessageType::Create, from, &into, body).await;
    }
    assert!(refusals("malformed") >= 2);
    let own = format!("{}/children/", mine.url);
    mallory.says_to(&mine, MessageType::Create, from, &own, child(&mine.url, "I am Carl")).await;
    street.ben.reads(&mine.url, &["I am Carl"]).await;
    let view: ChatView = street.ben.ask(Question::ChatOpen { chat: mine.url.clone() }).await.unwrap();
    let texts = view.messages.iter().filter(|message| matches!(message.content, Content::Text { .. }));
    assert!(texts.into_iter().all(|message| message.author.contains("mallory")));
    carl.writes(&theirs, 1, "from Carl").await;
    street.ben.reads(&theirs.url, &["from Carl"]).await;
    street.close().await;
}

/// Attack: P-10
/// By: a contact
/// Does: adds an accomplice nobody vouches for to the group, and goes on writing there
/// Holds: the commit is not merged, and nothing of what follows is read
#[tokio::test(flavor = "multi_thread")]
async fn nobody_slips_into_a_conversation() {
    let mut street = Street::new().await;
    let object = street.contact().await;
    street.mallory.writes(&object, 1, "before").await;
    street.ben.reads(&object.url, &["before"]).await;
    let accomplice = Device::new(&SigningKey::generate(), b"Eve".to_vec());
    let package = seal::key_package(&seal::MemoryVault::new(), &accomplice, false).unwrap();
    let (vault, device) = (&street.mallory.vault, &street.mallory.device);
    let commit = seal::invite(vault, device, &object.group, &package, &mut |_| Ok(())).unwrap().commit;
    assert_eq!(street.mallory.session.delivers(&object.inbox, &commit).await, Code::OK);
    assert_eq!(street.mallory.writes(&object, 2, "Eve reads this too").await, Code::OK);
    assert_eq!(street.ben.texts(&object.url).await, ["before"]);
    street.close().await;
}

/// Attack: P-11
/// By: a contact who observes
/// Does: changes the object of the other as if she were its Reporter, and commits in its group
/// Holds: refused; the conversation goes on as it was
#[tokio::test(flavor = "multi_thread")]
async fn an_observer_does_not_report() {
    let mut street = Street::new().await;
    let object = street.observes().await;
    street.mallory.writes(&object, 1, "hello").await;
    street.ben.reads(&object.url, &["hello"]).await;

    let change = json!({ "version": 1, "attribute": "title", "value": "Mallory's" });
    street.mallory.says(&object, MessageType::Update, "/changes", change).await;
    let snapshot = json!({ "version": 9, "value": { "type": "chat", "title": "Mallory's" } });
    street.mallory.says(&object, MessageType::Update, "", snapshot).await;
    is_refused("not-reporter").await;
    let (vault, device) = (&street.mallory.vault, &street.mallory.device);
    assert!(seal::remove(vault, device, &object.group, &[0], b"").is_err());
    street.mallory.writes(&object, 2, "still only a guest here").await;
    street.ben.reads(&object.url, &["hello", "still only a guest here"]).await;
    street.close().await;
}

/// Attack: P-12
/// By: a contact
/// Does: numbers her messages from far ahead, dates them into the future, and names their resource elsewhere
/// Holds: nothing of it is shown, and the honest next one is
#[tokio::test(flavor = "multi_thread")]
async fn odd_numbers_and_names_of_messages_are_refused() {
    let mut street = Street::new().await;
    let object = street.contact().await;
    let child = |seq: u64, resource: String, text: &str| json!({ "resource": resource, "seq": seq, "value": { "type": "text", "text": text }, "at": i64::MAX });
    let names: Vec<String> = (0..10).map(|seq| street.mallory.child(&object.url, seq)).collect();
    let own = |seq: usize| names[seq].clone();
    for odd in [
        child(u64::MAX, own(9), "far"),
        child(5_000_000, own(8), "far"),
        child(1, "comm://a.localhost/elsewhere/children/1".into(), "elsewhere"),
        child(0, own(0), "zero"),
    ] {
        street.mallory.says(&object, MessageType::Create, "/children/", odd).await;
    }
    street.mallory.says(&object, MessageType::Create, "/children/", child(1, own(1), "first")).await;
    street.ben.reads(&object.url, &["first"]).await;
    let view: ChatView = street.ben.ask(Question::ChatOpen { chat: object.url.clone() }).await.unwrap();
    let latest = now() * 1000 + 60_000;
    assert!(view.messages.iter().all(|message| message.at <= latest), "nothing is dated into the future");
    street.close().await;
}

/// Attack: P-22
/// By: a contact
/// Does: sends forged cards of links: of a host that is not in the text, with a huge picture or a program for one, with endless words, and with a link into a private network
/// Holds: the words are shown, without a card; an honest card beside them is shown, and its letters turn nothing
#[tokio::test(flavor = "multi_thread")]
async fn a_forged_card_is_not_shown() {
    let mut street = Street::new().await;
    let object = street.contact().await;
    let text = "look: https://b.org/tea and https://10.0.0.1/";
    let honest = json!({ "url": "https://b.org/tea", "title": "Tea\u{202e}", "description": "How long?" });
    let with = |part: &str, value: Value| {
        let mut card = honest.clone();
        card[part] = value;
        card
    };
    let cards = [
        honest.clone(),
        with("url", json!("https://bank.org/tea")),
        with("url", json!("https://b.org.evil.org/tea")),
        with("url", json!("https://10.0.0.1/")),
        with("url", json!("javascript:alert(1)")),
        with("picture", json!(keys::b64url(&vec![0xff; 200_000]))),
        with("picture", json!(keys::b64url(b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>"))),
        with("title", json!("x".repeat(200_000))),
        with("description", json!("x".repeat(200_000))),
        with("title", json!({ "html": "<b>" })),
        json!([honest]),
    ];
    for (seq, card) in (1u64..).zip(&cards) {
        let value = json!({ "type": "text", "text": text, "preview": card });
        let resource = street.mallory.child(&object.url, seq);
        let child = json!({ "resource": resource, "seq": seq, "value": value, "at": now() * 1000 });
        street.mallory.says(&object, MessageType::Create, "/children/", child).await;
    }
    street.ben.reads(&object.url, &[text; 11]).await;
    let view: ChatView = street.ben.ask(Question::ChatOpen { chat: object.url.clone() }).await.unwrap();
    let mut shown = view.messages.iter().filter(|one| matches!(one.content, Content::Text { .. }));
    let first = shown.next().unwrap().preview.as_deref().expect("the honest case");
    assert_eq!((first.title.as_str(), first.host.as_str()), ("Tea", "b.org"));
    for (message, card) in shown.zip(&cards[1..]) {
        assert_eq!(message.preview, None, "{:.120}", card.to_string());
    }
    street.close().await;
}
