//! Attacks by a message Node on the people it serves, and on those who come to visit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use contract::{ChatSummary, DeliveryState, Question};
use lab::person::Setup;
use lab::{Person, Way};
use message::Code;
use node::{Role, Wire};
use serde_json::{Value, json};

use crate::mallory::{Session, opening, said};
use crate::registry::asks;
use crate::stage::{Road, is_refused, refusals};
use crate::wires::{Heard, Link};

/// Whether this is a sealed message on its way to an inbox.
fn is_delivery(way: Way, message: &Value) -> bool {
    way == Way::ToApp && message["type"] == "create" && message["body"]["sealed"].is_string()
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
            assert!(!matches!(message.state, DeliveryState::Delivered | DeliveryState::Read), "nobody has it");
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
    entry.value["devices"][0]["inbox"].as_str().unwrap().to_owned()
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
