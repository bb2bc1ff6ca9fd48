//! Several nodes are one domain: people meet across them, and any node or server may die.

use std::collections::{BTreeMap, HashSet};
use std::process::Child;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::common::nats::Servers;
use crate::common::{Heard, House, Person, Session, config, read_answer, sealed, unsealed};
use keys::SigningKey;
use message::{Address, Code, MessageType};
use node::{Node, Role, Wire};
use serde_json::json;

/// Nodes of one domain in this process.
async fn houses(servers: &Servers, number: usize) -> Vec<House> {
    let mut houses = Vec::new();
    for _ in 0..number {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        config.nats = Some(servers.settings());
        houses.push(House { node: Node::start(config).await.unwrap(), folder });
    }
    houses
}

const SM: &str = "domain://msg-node.a.localhost/sm";
const REGISTRY: &str = "domain://registry.a.localhost";

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn people_at_different_nodes_are_at_one_domain() {
    let servers = Servers::start();
    let houses = houses(&servers, 3).await;
    let ana = Person::new("ana");
    let (mut session, inbox) = ana.settle(&houses[0]).await;
    let mut ben = Session::visit(&houses[1]).await;
    let mut carl = Session::visit(&houses[2]).await;

    // The registry is one.
    let entry = carl.ask(MessageType::Read, REGISTRY, json!({ "resource": ana.user() })).await;
    assert_eq!((entry.code, entry.value["devices"][0]["inbox"].as_str()), (Code::OK, Some(inbox.as_str())));

    // A message goes from node to node, and its sender hears that it was taken.
    let from = ben.address.clone();
    let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("hello"));
    let message = session.take().await;
    assert_eq!((unsealed(&message).as_str(), &message.from), ("hello", &from));
    assert_eq!(ben.answer_to(id).await.code, Code::OK);

    // Any other request too, and its answer comes back.
    let own = session.address.clone();
    let id = ben.post(MessageType::Read, &from, own.as_str(), json!({ "what": "time" }));
    let question = session.next().await;
    session.respond(&question, 200);
    assert_eq!(ben.answer_to(id).await.code, Code::OK);

    // Nobody speaks or listens as somebody else, on whatever node.
    let answer = ben.ask_as(&inbox, MessageType::Create, inbox.as_str(), sealed("I am Ana")).await;
    assert_eq!(answer.code, Code::FORBIDDEN);
    let object = session.allocate("comm", "object").await;
    let changes = format!("{object}/changes");
    let answer = ben.ask(MessageType::Subscribe, SM, json!({ "resources": [changes] })).await;
    assert_eq!(answer.code, Code::FORBIDDEN);

    // Whom she lets in hears her object's changes.
    let body = json!({ "resources": [object], "allow": [ben.address] });
    assert_eq!(session.ask(MessageType::Subscribe, SM, body).await.code, Code::OK);
    let asked = json!({ "resources": [changes] });
    while ben.ask(MessageType::Subscribe, SM, asked.clone()).await.code != Code::OK {}
    while session.ask_as(&object, MessageType::Update, &changes, json!({ "v": 1 })).await.value["heard"] != 1 {}
    assert_eq!(ben.next().await.body.as_str(), r#"{"v":1}"#);

    // Mail that one node keeps waits at every other.
    drop(session);
    while ben.deliver(&inbox, "while you were away").await.code != Code::ACCEPTED {}
    let mut again = Session::open(&houses[2], Role::Member, &ana.device).await;
    assert!(again.registered);
    assert_eq!(unsealed(&again.take().await), "while you were away");
    again.settled().await;

    // A device that comes to another node leaves the one where it was.
    let _third = Session::open(&houses[1], Role::Member, &ana.device).await;
    assert!(matches!(again.link.hear().await, Heard::Closed(409)));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_name_goes_to_one_persona_however_many_ask_at_once() {
    let servers = Servers::start();
    let houses = houses(&servers, 2).await;
    for round in 0..5 {
        let rivals = [Person::new(&format!("ana{round}")), Person::new(&format!("ana{round}"))];
        let mut one = Session::open(&houses[0], Role::Member, &rivals[0].device).await;
        let mut other = Session::open(&houses[1], Role::Member, &rivals[1].device).await;
        let to = "domain://registry.a.localhost/account";
        let (first, second) = tokio::join!(
            one.ask(MessageType::Create, to, rivals[0].claim()),
            other.ask(MessageType::Create, to, rivals[1].claim())
        );
        let mut codes = [first.code.0, second.code.0];
        codes.sort_unstable();
        assert_eq!(codes, [200, 409]);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_node_that_joins_later_or_was_away_learns_what_it_missed() {
    let servers = Servers::start();
    let mut first = houses(&servers, 1).await;
    let ana = Person::new("ana");
    let (session, inbox) = ana.settle(&first[0]).await;
    drop(session);
    let mut ben = Session::visit(&first[0]).await;
    while ben.deliver(&inbox, "one").await.code != Code::ACCEPTED {}
    let later = houses(&servers, 1).await;
    let House { node, folder } = first.remove(0);
    node.shutdown().await;
    let mut carl = Session::visit(&later[0]).await;
    assert_eq!(carl.deliver(&inbox, "two").await.code, Code::ACCEPTED);
    let mut settings = config(&folder);
    settings.nats = Some(servers.settings());
    let back = House { node: Node::start(settings).await.unwrap(), folder };
    let mut session = Session::open(&back, Role::Member, &ana.device).await;
    assert_eq!(unsealed(&session.take().await), "one");
    assert_eq!(unsealed(&session.take().await), "two");
}

/// `parlance-node` as a process of its own.
struct Program {
    child: Option<Child>,
    folder: tempfile::TempDir,
    port: u16,
    nats: String,
}

impl Program {
    fn start(servers: &Servers) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut program =
            Self { child: None, folder, port: crate::common::nats::free_port(), nats: servers.urls().join(",") };
        program.run();
        program
    }

    fn run(&mut self) {
        self.child = Some(crate::common::program::start(self.folder.path(), self.port, &["--nats", &self.nats]));
    }

    /// `kill -9`.
    fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        self.kill();
    }
}

/// A session at whatever node takes it, beginning with one of them.
async fn at_any(ports: &[u16], first: usize, role: Role, key: &SigningKey) -> Session {
    for at in first.. {
        if let Some(session) = Session::open_at(ports[at % ports.len()], Wire::Ws, role, key).await {
            return session;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    unreachable!()
}

/// What a recipient saw, by its text, and how often.
type Seen = Arc<Mutex<BTreeMap<String, usize>>>;

/// Confirms whatever comes, and comes again when its node dies.
async fn receive(ports: Vec<u16>, first: usize, key: SigningKey, seen: Seen) {
    for attempt in first.. {
        let mut session = at_any(&ports, attempt, Role::Member, &key).await;
        while let Ok(Heard::Message(message)) =
            tokio::time::timeout(Duration::from_secs(600), session.link.hear_or_end()).await
        {
            if message.kind == MessageType::Create {
                *seen.lock().unwrap().entry(unsealed(&message)).or_default() += 1;
                session.respond(&message, 200);
            }
        }
    }
}

/// Sends message after message, each until somebody says that it is delivered or kept; gives those, and the
/// longest time without such a word.
async fn send(ports: Vec<u16>, name: usize, inboxes: Vec<Address>, over: Arc<AtomicBool>) -> (Vec<String>, Duration) {
    let key = SigningKey::generate();
    let mut session = at_any(&ports, name, Role::Visitor, &key).await;
    let (mut taken, mut longest, mut last) = (Vec::new(), Duration::ZERO, Instant::now());
    let mut number = 0;
    while !over.load(Ordering::Relaxed) {
        number += 1;
        let text = format!("{name}-{number}");
        loop {
            let from = session.address.clone();
            let to = &inboxes[number % inboxes.len()];
            let id = session.post(MessageType::Create, &from, to.as_str(), sealed(&text));
            let answer = tokio::time::timeout(Duration::from_secs(8), session.link.answer_or_end(id)).await;
            match answer {
                Ok(Some(message)) if matches!(read_answer(&message).code, Code::OK | Code::ACCEPTED) => break,
                Ok(Some(message)) => assert_eq!(read_answer(&message).code, Code::UNAVAILABLE, "{text}"),
                Err(_) => {}
                Ok(None) => session = at_any(&ports, name + number, Role::Visitor, &key).await,
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        longest = longest.max(last.elapsed());
        last = Instant::now();
        taken.push(text);
    }
    (taken, longest)
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_acknowledged_is_lost_when_nodes_and_servers_are_killed_under_load() {
    let mut servers = Servers::start();
    let mut nodes: Vec<Program> = (0..3).map(|_| Program::start(&servers)).collect();
    let ports: Vec<u16> = nodes.iter().map(|node| node.port).collect();

    let people = [Person::new("ana"), Person::new("ben"), Person::new("carl")];
    let mut inboxes = Vec::new();
    let seen: Seen = Arc::default();
    let mut tasks = Vec::new();
    for (at, person) in people.into_iter().enumerate() {
        let mut session = Session::open_at(ports[at], Wire::Ws, Role::Member, &person.device).await.unwrap();
        let answer = session.ask(MessageType::Create, "domain://registry.a.localhost/account", person.claim()).await;
        assert_eq!(answer.code, Code::OK, "{:?}", answer.description);
        inboxes.push(session.allocate("hyperty", "inbox").await);
        drop(session);
        tasks.push(tokio::spawn(receive(ports.clone(), at, person.device, seen.clone())));
    }
    let over = Arc::<AtomicBool>::default();
    let senders: Vec<_> =
        (0..6).map(|name| tokio::spawn(send(ports.clone(), name, inboxes.clone(), over.clone()))).collect();

    let breath = || tokio::time::sleep(Duration::from_secs(4));
    breath().await;
    nodes[0].kill();
    breath().await;
    servers.kill(0);
    breath().await;
    breath().await;
    nodes[0].run();
    servers.run(0);
    breath().await;
    breath().await;
    servers.kill(1);
    nodes[1].kill();
    breath().await;
    breath().await;
    over.store(true, Ordering::Relaxed);
    let mut taken = Vec::new();
    for sender in senders {
        let (texts, longest) = sender.await.unwrap();
        println!("{} acknowledged, longest silence {longest:?}", texts.len());
        taken.extend(texts);
    }
    assert!(taken.len() > 100, "there was a load");

    let missing = |seen: &Seen| {
        let seen = seen.lock().unwrap();
        taken.iter().filter(|text| !seen.contains_key(*text)).cloned().collect::<HashSet<_>>()
    };
    let begun = Instant::now();
    while !missing(&seen).is_empty() {
        assert!(begun.elapsed() < Duration::from_secs(60), "acknowledged and lost: {:?}", missing(&seen));
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let twice = seen.lock().unwrap().values().filter(|times| **times > 1).count();
    println!("{} messages, {twice} came again and are known by their id", taken.len());
    tasks.iter().for_each(tokio::task::JoinHandle::abort);
}
