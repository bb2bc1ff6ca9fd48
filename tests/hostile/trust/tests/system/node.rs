//! Attacks by a message Node on the people it serves, and on those who come to visit.

use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use contract::{ChatSummary, ConsentChoice, ContactState, DeliveryState, News, Question};
use lab::person::Setup;
use lab::{Person, Way};
use message::Code;
use node::{Role, Wire};
use serde_json::{Value, json};

use crate::mallory::{Mallory, Session, opening, said};
use crate::stage::{Road, is_refused, refusals};
use crate::wires::{Heard, Link};

/// Whether this is a sealed message on its way to an inbox.
fn is_delivery(way: Way, message: &Value) -> bool {
    way == Way::ToApp && message["type"] == "create" && message["body"]["sealed"].is_string()
}

/// Whether this answers a question to the registry about somebody.
fn is_entry(way: Way, message: &Value) -> bool {
    way == Way::ToApp && message["type"] == "response" && message["body"]["value"]["keyPackage"].is_string()
}

/// Attack: N-01
/// By: a Node
/// Does: delivers each message twice, under a new number
/// Holds: each is read once
#[tokio::test(flavor = "multi_thread")]
async fn what_is_delivered_twice_is_read_once() {
    let (road, chat) = Road::contacts().await;
    road.b.tampers(|way, message| {
        let mut again = message.clone();
        if is_delivery(way, &message) {
            again["id"] = json!(message["id"].as_u64().unwrap() + 1_000_000);
            return vec![message, again];
        }
        vec![message]
    });
    road.ana.writes(&chat, "pay 10").await;
    road.ana.writes(&chat, "and no more").await;
    road.ben.reads(&chat, &["hello", "pay 10", "and no more"]).await;
    road.ana.sees_all_delivered(&chat).await;
    assert_eq!(road.ben.texts(&chat).await, ["hello", "pay 10", "and no more"]);
    road.close().await;
}

/// Attack: N-02
/// By: a Node
/// Does: delivers a later message before an earlier one
/// Holds: they are read in the order in which they were written
#[tokio::test(flavor = "multi_thread")]
async fn the_order_is_the_authors() {
    let (road, chat) = Road::contacts().await;
    let mut kept = None;
    road.b.tampers(move |way, message| {
        if !is_delivery(way, &message) {
            return vec![message];
        }
        match kept.take() {
            // The first is confirmed by nobody yet and waits for the second.
            None => {
                kept = Some(message);
                Vec::new()
            }
            Some(first) => vec![message, first],
        }
    });
    road.ana.writes(&chat, "one").await;
    road.ana.writes(&chat, "two").await;
    road.ben.reads(&chat, &["hello", "one", "two"]).await;
    road.close().await;
}

/// Attack: N-03
/// By: a Node
/// Does: drops a message, and tells its sender that it was delivered
/// Holds: it is missed and asked for when the next one comes; it is never shown as delivered before
#[tokio::test(flavor = "multi_thread")]
async fn what_is_dropped_is_missed() {
    let (road, chat) = Road::contacts().await;
    let dropped = Arc::new(AtomicUsize::new(0));
    let count = dropped.clone();
    road.b.tampers(move |way, message| {
        let visitor = message["from"].as_str().is_some_and(|from| from.contains("/v-"));
        if way == Way::ToNode && visitor && message["body"]["sealed"].is_string() && count.load(Ordering::SeqCst) == 0 {
            count.store(1, Ordering::SeqCst);
            // Swallowed; the node never sees it. It is answered below, on the next question of its sender.
            let mut harmless = message.clone();
            harmless["type"] = json!("open");
            harmless["to"] = json!("domain://msg-node.b.localhost/session");
            harmless["body"] = json!({});
            return vec![harmless];
        }
        vec![message]
    });
    let lost = road.ana.writes(&chat, "one").await;
    road.ana
        .until("the lost message to be called sent", async |ana| {
            let view: contract::ChatView = ana.ask(Question::ChatOpen { chat: chat.clone() }).await.unwrap();
            let message = view.messages.into_iter().find(|message| message.id == lost.id)?;
            assert_ne!(message.state, DeliveryState::Delivered, "nobody has it");
            (message.state == DeliveryState::Sent).then_some(())
        })
        .await;
    assert_eq!(dropped.load(Ordering::SeqCst), 1);
    road.ana.writes(&chat, "two").await;
    road.ben.reads(&chat, &["hello", "one", "two"]).await;
    road.ana.sees_all_delivered(&chat).await;
    road.close().await;
}

/// Attack: N-04
/// By: a Node
/// Does: changes a byte of each sealed message
/// Holds: nothing of it is shown, and what comes whole afterwards is
#[tokio::test(flavor = "multi_thread")]
async fn a_changed_message_is_not_shown() {
    let (road, chat) = Road::contacts().await;
    road.b.tampers(|way, mut message| {
        if is_delivery(way, &message) {
            let mut sealed = keys::from_b64url(message["body"]["sealed"].as_str().unwrap()).unwrap();
            let last = sealed.len() - 1;
            sealed[last] ^= 1;
            message["body"]["sealed"] = json!(keys::b64url(&sealed));
        }
        vec![message]
    });
    road.ana.writes(&chat, "one").await;
    is_refused("tampered").await;
    assert_eq!(road.ben.texts(&chat).await, ["hello"]);
    road.b.is_honest();
    road.ana.writes(&chat, "two").await;
    road.ben.reads(&chat, &["hello", "one", "two"]).await;
    road.close().await;
}

/// Attack: N-05
/// By: a Node
/// Does: writes another sender into `from`, and brings words in the clear in Ana's name
/// Holds: the author is who sealed it, and what is not sealed is not read
#[tokio::test(flavor = "multi_thread")]
async fn from_is_not_believed() {
    let (road, chat) = Road::contacts().await;
    let inbox = Arc::new(Mutex::new(String::new()));
    let noted = inbox.clone();
    road.b.tampers(move |way, mut message| {
        if is_delivery(way, &message) {
            *noted.lock().unwrap() = message["to"].as_str().unwrap().to_owned();
            message["from"] = json!("runtime://b.localhost/d-somebody-else");
        }
        vec![message]
    });
    road.ana.writes(&chat, "by Ana").await;
    road.ben.reads(&chat, &["hello", "by Ana"]).await;
    let inbox = inbox.lock().unwrap().clone();
    for from in
        ["runtime://b.localhost/v-x", "user://b.localhost/ana", "user://a.localhost/ana", "runtime://b.localhost/sm"]
    {
        for body in [json!({ "text": "in the clear" }), json!({ "v": 1, "sealed": "aGk", "text": "in the clear" })] {
            road.b.says(&json!({ "id": 77, "type": "create", "from": from, "to": inbox, "body": body }));
        }
    }
    road.ana.writes(&chat, "still by Ana").await;
    road.ben.reads(&chat, &["hello", "by Ana", "still by Ana"]).await;
    assert!(refusals("malformed") > 0);
    road.close().await;
}

/// Attack: N-06
/// By: a Node
/// Does: sends orders to the core, to the identity module and to the chat of its people, in its own name, the core's and the person's
/// Holds: none is carried out; from outside only the inbox is reached
#[tokio::test(flavor = "multi_thread")]
async fn a_node_gives_no_orders() {
    let (road, chat) = Road::contacts().await;
    let answers = Arc::new(Mutex::new(Vec::new()));
    let heard = answers.clone();
    road.b.tampers(move |way, message| {
        if way == Way::ToNode
            && message["type"] == "response"
            && message["id"].as_u64().is_some_and(|id| (900_000..901_000).contains(&id))
        {
            heard.lock().unwrap().push(message);
            return Vec::new();
        }
        vec![message]
    });
    let prove = json!({ "method": "proveSession", "params": { "domain": "b.localhost", "challenge": "x" } });
    let send = json!({ "method": "send", "params": { "conversation": chat, "text": "I was made to say this" } });
    let mut id = 900_000;
    for from in
        ["runtime://b.localhost/v-x", "runtime://b.localhost/ua", "runtime://b.localhost/sm", "user://b.localhost/ben"]
    {
        for (kind, to, body) in [
            ("execute", "runtime://b.localhost/idm", &prove),
            ("execute", "runtime://b.localhost/ua", &send),
            (
                "create",
                "runtime://b.localhost/sm",
                &json!({ "schema": "comm", "authorise": ["user://b.localhost/eve"], "value": {} }),
            ),
            ("read", "runtime://b.localhost/sm", &json!({ "scheme": "comm" })),
            (
                "create",
                &format!("{chat}/children/"),
                &json!({ "value": { "type": "text", "text": "I was made to say this" } }),
            ),
        ] {
            id += 1;
            road.b.says(&json!({ "id": id, "type": kind, "from": from, "to": to, "body": body }));
        }
    }
    road.ana.writes(&chat, "are you yourself?").await;
    road.ben.reads(&chat, &["hello", "are you yourself?"]).await;
    road.ben.writes(&chat, "I am").await;
    road.ana.reads(&chat, &["hello", "are you yourself?", "I am"]).await;
    assert!(!answers.lock().unwrap().is_empty(), "the orders arrived");
    for answer in answers.lock().unwrap().iter() {
        let code = answer["body"]["code"].as_u64().unwrap();
        assert!(code >= 400, "{answer}");
    }
    road.close().await;
}

/// Attack: N-07
/// By: a registry
/// Does: hands out a key package of its own beside Ben's history
/// Holds: nobody is invited, and not a byte is sealed for it
#[tokio::test(flavor = "multi_thread")]
async fn a_key_package_of_somebody_else_is_noticed() {
    let mut road = Road::strangers().await;
    let mallory = Mallory::join(&road.b.domain, "mallory").await;
    let package = keys::b64url(&seal::key_package(&mallory.vault, &mallory.device, true).unwrap());
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            message["body"]["value"]["keyPackage"] = json!(package);
        }
        vec![message]
    });
    assert!(asks(&mut road.ana, "ben@b.localhost").await.is_err());
    assert!(!was_sealed(&road), "nothing left Ana's device");
    road.b.is_honest();
    road.close().await;
}

/// Attack: N-08
/// By: a registry
/// Does: answers with Carl, whole and genuine, when Ben is looked up; Carl plays along
/// Holds: Carl cannot accept in Ben's place, and reads nothing that was meant for Ben
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_for_somebody_else_reaches_nobody() {
    let mut road = Road::strangers().await;
    let mut carl = Mallory::join(&road.b.domain, "carl").await;
    let entry = carl.session.registry(message::MessageType::Read, json!({ "resource": carl.user })).await.value;
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            let mut of_carl = entry.clone();
            of_carl["user"] = message["body"]["value"]["user"].clone();
            message["body"]["value"] = of_carl;
        }
        vec![message]
    });
    let chat = asks(&mut road.ana, "ben@b.localhost").await.unwrap();
    road.ana.writes(&chat, "for Ben alone").await;
    let welcome = carl.takes().await;
    let pending = seal::inspect_welcome(&carl.vault, &carl.device, &welcome).unwrap();
    let group = pending.join(&carl.vault, &mut |_| Ok(())).unwrap();
    let introduced = carl.takes().await;
    let opened = seal::open(&carl.vault, &carl.device, &introduced, &mut |_| Ok(())).unwrap();
    let seal::What::Application(text) = opened.what else { panic!("no introduction") };
    let inner: Value = serde_json::from_slice(&text).unwrap();
    let inbox = inner["body"]["introduction"]["inbox"].as_str().unwrap().to_owned();
    let object = crate::mallory::Object { url: chat.clone(), group, welcome: Vec::new(), inbox };
    for user in ["user://b.localhost/carl", "user://b.localhost/ben"] {
        let mut introduction = carl.introduction();
        introduction["user"] = json!(user);
        carl.accepts_at(&road.a, &object, introduction).await;
    }
    is_refused("wrong-author").await;
    is_refused("not-their-name").await;
    let chats: Vec<ChatSummary> = road.ana.ask(Question::ChatList).await.unwrap();
    assert!(chats.iter().all(|chat| chat.contact != ContactState::Accepted));
    assert!(carl.session.link.is_quiet().await, "what was for Ben alone was sealed for nobody");
    road.close().await;
}

/// Attack: N-09
/// By: the registry of a contact's domain
/// Does: names another persona for Ben's address from now on, to get the next call
/// Holds: the call does not begin, as a changed key, and not a byte is sealed for the other
#[tokio::test(flavor = "multi_thread")]
async fn a_contact_is_not_replaced_by_its_registry() {
    let (mut road, chat) = Road::contacts().await;
    let mut eve = Mallory::join(&road.b.domain, "eve").await;
    let entry = eve.session.registry(message::MessageType::Read, json!({ "resource": eve.user })).await.value;
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            let mut of_eve = entry.clone();
            of_eve["user"] = message["body"]["value"]["user"].clone();
            message["body"]["value"] = of_eve;
        }
        vec![message]
    });
    let started = road.ana.ask::<Value>(Question::CallStart { user: "ben@b.localhost".into() }).await;
    if started.is_ok() {
        let ended = |news| match news {
            News::Call(call) => match call.stage {
                contract::CallStage::Ended { reason, .. } => Some(reason),
                _ => None,
            },
            _ => None,
        };
        road.ana.hears("the end of the call", ended).await;
    }
    assert!(eve.session.link.is_quiet().await, "Eve got no invitation");
    road.b.is_honest();
    road.ana.writes(&chat, "the conversation goes on").await;
    road.ben.reads(&chat, &["hello", "the conversation goes on"]).await;
    road.close().await;
}

/// Attack: N-10
/// By: a registry
/// Does: cuts Ben's history short, sends him to an inbox of another domain, or answers nonsense
/// Holds: nobody is invited
#[tokio::test(flavor = "multi_thread")]
async fn a_wounded_registry_entry_invites_nobody() {
    let mut road = Road::strangers().await;
    let turn = Arc::new(AtomicUsize::new(0));
    let now = turn.clone();
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) {
            let value = &mut message["body"]["value"];
            match now.load(Ordering::SeqCst) {
                0 => value["chain"] = json!([value["chain"][0].clone()]),
                1 => value["inbox"] = json!("hyperty://evil.localhost/inbox"),
                2 => value["user"] = json!("user://b.localhost/ana"),
                3 => value["persona"] = json!("aaaa"),
                4 => value["keyPackage"] = json!("not a key package"),
                _ => *value = json!([]),
            }
        }
        vec![message]
    });
    for at in 0..6 {
        turn.store(at, Ordering::SeqCst);
        assert!(asks(&mut road.ana, "ben@b.localhost").await.is_err(), "case {at}");
    }
    assert!(!was_sealed(&road));
    road.close().await;
}

/// Attack: N-11
/// By: the Node of the domain that vouches
/// Does: names somebody else for Ana's address when Ben is about to accept her
/// Holds: Ben does not accept; two words must agree
#[tokio::test(flavor = "multi_thread")]
async fn an_acceptance_is_checked_against_the_registry() {
    let mut road = Road::strangers().await;
    let eve = Mallory::join(&road.b.domain, "eve").await;
    let persona = json!(eve.me.chain.persona());
    let armed = Arc::new(AtomicBool::new(true));
    let on = armed.clone();
    // Here Ben asks Ana, so that the crooked domain is the one that is asked back.
    road.b.tampers(move |way, mut message| {
        if is_entry(way, &message) && on.load(Ordering::SeqCst) {
            message["body"]["value"]["persona"] = persona.clone();
        }
        vec![message]
    });
    let chat = asks(&mut road.ben, "ana@a.localhost").await.unwrap();
    assert_eq!(road.ana.sees_contact("ben@b.localhost", ContactState::Request).await, chat);
    let app = road.ana.app();
    let accepting =
        tokio::spawn(async move { app.ask(Question::PersonAccept { user: "ben@b.localhost".into() }).await });
    road.ana.allows(ConsentChoice::Always).await;
    assert_eq!(accepting.await.unwrap().unwrap_err().code, "wrong-person");
    road.ana.sees_contact("ben@b.localhost", ContactState::Request).await;
    armed.store(false, Ordering::SeqCst);
    road.ana.ask::<Value>(Question::PersonAccept { user: "ben@b.localhost".into() }).await.unwrap();
    road.close().await;
}

/// Attack: N-12
/// By: a Node
/// Does: lets a visitor sign the challenge of another domain's Node, and shows the proof there
/// Holds: refused, a proof names its domain and its role
#[tokio::test(flavor = "multi_thread")]
async fn a_proof_is_worth_nothing_at_another_domain() {
    let mut road = Road::strangers().await;
    let mut there = Link::connect(road.a.node().port(), Wire::Ws).await.unwrap();
    let (challenge, proof) = (there.challenge.clone(), Arc::new(Mutex::new(None)));
    let caught = proof.clone();
    road.b.tampers(move |way, mut message| {
        if way == Way::ToApp && message["challenge"].is_string() {
            message["challenge"] = json!(challenge);
        }
        if way == Way::ToNode && message["type"] == "open" && message["body"]["signature"].is_string() {
            *caught.lock().unwrap() = Some(message["body"].clone());
        }
        vec![message]
    });
    let finding = asks(&mut road.ana, "ben@b.localhost");
    // The true node refuses the proof, so nobody is found.
    let _ = tokio::time::timeout(std::time::Duration::from_secs(20), finding).await;
    let proof = proof.lock().unwrap().clone().expect("Ana's app signed it for b");
    assert_eq!(proof["role"], Role::Visitor.as_str());
    there.send(opening(&road.a.name, &proof));
    let Heard::Message(answer) = there.hear().await else { panic!("no answer") };
    assert_eq!(said(&answer).code, Code::UNAUTHORIZED);
    road.close().await;
}

/// Attack: N-13
/// By: a Node
/// Does: puts what Ana wrote to Ben into Carl's inbox
/// Holds: Carl reads nothing of it and sees nobody; Ben still reads it
#[tokio::test(flavor = "multi_thread")]
async fn a_message_in_the_wrong_inbox_is_nobodys() {
    let (road, chat) = Road::contacts().await;
    let mut carl = Person::new("carl", Setup::with(&[&road.a, &road.b.domain])).await;
    let kept = Arc::new(Mutex::new(Vec::new()));
    carl.signs_up(&road.b.domain, None).await;
    let keep = kept.clone();
    road.b.tampers(move |way, message| {
        if is_delivery(way, &message) {
            keep.lock().unwrap().push(message.clone());
        }
        vec![message]
    });
    road.ana.writes(&chat, "for Ben").await;
    road.ben.reads(&chat, &["hello", "for Ben"]).await;
    let inbox = carl_inbox(&road).await;
    let mut wrong = kept.lock().unwrap()[0].clone();
    (wrong["to"], wrong["id"]) = (json!(inbox), json!(990_000));
    road.b.says(&wrong);
    is_refused("unknown-group").await;
    let chats: Vec<ChatSummary> = carl.ask(Question::ChatList).await.unwrap();
    assert!(chats.is_empty());
    carl.close().await;
    road.close().await;
}

async fn carl_inbox(road: &Road) -> String {
    let mut visitor = Session::visit(&road.b.domain).await;
    let read = json!({ "resource": "user://b.localhost/carl" });
    let entry = visitor.registry(message::MessageType::Read, read).await;
    entry.value["inbox"].as_str().unwrap().to_owned()
}

/// Attack: N-14
/// By: a Node
/// Does: says nonsense: no JSON objects, messages that are too deep, a million brackets, answers to nothing
/// Holds: the app lives on and reads what comes after
#[tokio::test(flavor = "multi_thread")]
async fn nonsense_on_the_wire_harms_nobody() {
    let (road, chat) = Road::contacts().await;
    let deep: Value = (0..100).fold(json!(1), |inner, _| json!([inner]));
    for nonsense in [
        json!(null),
        json!([1, 2, 3]),
        json!({ "id": -1, "type": "teleport" }),
        json!({ "id": 1, "type": "create", "from": "x", "to": "y", "body": {} }),
        json!({ "id": 5_000, "type": "response", "from": "domain://registry.b.localhost", "to": "runtime://b.localhost/sm", "body": { "code": 200 } }),
        json!({ "id": 1, "type": "create", "from": "runtime://b.localhost/v-x", "to": "hyperty://b.localhost/x", "body": deep }),
        json!({ "id": 1, "type": "create", "from": "runtime://b.localhost/v-x", "to": "hyperty://b.localhost/x", "body": { "x": "y".repeat(900_000) } }),
    ] {
        road.b.says(&nonsense);
    }
    road.ana.writes(&chat, "are you well?").await;
    road.ben.reads(&chat, &["hello", "are you well?"]).await;
    road.close().await;
}

/// Attack: N-15
/// By: a Node
/// Does: reads everything that passes, and what it was asked
/// Holds: no word, no name of a visitor and no token stands there
#[tokio::test(flavor = "multi_thread")]
async fn a_node_that_reads_everything_learns_little() {
    let (road, chat) = Road::contacts().await;
    road.ana.writes(&chat, "the only secret of a whole night").await;
    road.ben.reads(&chat, &["hello", "the only secret of a whole night"]).await;
    road.ana.sees_all_delivered(&chat).await;
    let visited: Vec<String> =
        road.b.seen().iter().map(|(_, message)| message.to_string()).filter(|text| text.contains("/v-")).collect();
    assert!(visited.len() > 5, "Ana visited");
    for text in &visited {
        for private in ["secret", "user://a.localhost", "ana@", "eyJhbGciOi", &chat] {
            assert!(!text.contains(private), "{private} in {text}");
        }
    }
    road.close().await;
}

/// Asks somebody for contact, allowing the stub of their domain if that is asked.
async fn asks(person: &mut Person, user: &str) -> Result<String, contract::ApiError> {
    let app = person.app();
    let question = Question::PersonRequest { user: user.to_owned() };
    let mut asking = tokio::spawn(async move { app.ask(question).await });
    let allowing = async {
        loop {
            let open: Vec<contract::Consent> = person.ask(Question::ConsentList).await.unwrap();
            for consent in open {
                let answer = Question::ConsentAnswer { id: consent.id, answer: ConsentChoice::Always };
                person.ask::<Value>(answer).await.unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    let asked = tokio::select! {
        asked = &mut asking => asked.unwrap(),
        () = allowing => unreachable!(),
    };
    let chat: ChatSummary = serde_json::from_value(asked?).unwrap();
    Ok(chat.chat)
}

/// Whether anything sealed was brought to the crooked Node.
fn was_sealed(road: &Road) -> bool {
    road.b.seen().iter().any(|(way, message)| *way == Way::ToNode && message["body"]["sealed"].is_string())
}
