//! The honest people of the attacks, and what their apps say about what they refused.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use contract::{ChatSummary, ContactState, PersonCard, Question};
use lab::person::Setup;
use lab::{Crooked, Domain, Person};
use message::MessageType;
use node::{Package, Wire};
use serde_json::{Value, json};

use crate::mallory::{Entry, Mallory, Object};

/// What the apps of this process log about refusals.
static LOG: Mutex<String> = Mutex::new(String::new());

struct Log;

impl Write for Log {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        LOG.lock().unwrap_or_else(PoisonError::into_inner).push_str(&String::from_utf8_lossy(bytes));
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// Keeps what the apps log from now on.
fn listen() {
    let log = tracing_subscriber::fmt().with_env_filter("runtime=debug").with_ansi(false).with_writer(|| Log);
    // Another test of this process may have been first.
    let _ = log.try_init();
}

/// How often an app said that it refused something for this reason.
pub fn refusals(code: &str) -> usize {
    LOG.lock().unwrap_or_else(PoisonError::into_inner).matches(&format!("code=\"{code}\"")).count()
}

/// Waits until an app says that it refused something for this reason.
pub async fn is_refused(code: &str) {
    let found = async {
        while refusals(code) == 0 {
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    if tokio::time::timeout(Duration::from_secs(60), found).await.is_err() {
        panic!("nothing was refused as {code}: {}", LOG.lock().unwrap_or_else(PoisonError::into_inner));
    }
}

/// Ben's address.
pub const BEN: &str = "user://a.localhost/ben";

/// Ben with the app, and Mallory with her program, at one honest domain.
pub struct Street {
    pub a: Domain,
    pub ben: Person,
    pub mallory: Mallory,
    pub target: Entry,
}

impl Street {
    pub async fn new() -> Self {
        listen();
        let a = Domain::start("a.localhost", Wire::Ws).await;
        let mut ben = Person::new("ben", Setup::with(&[&a])).await;
        ben.signs_up(&a, None).await;
        let mut mallory = Mallory::join(&a, "mallory").await;
        let target = mallory.looks_up(BEN).await;
        Self { a, ben, mallory, target }
    }

    /// What Ben sees of contacts, requests and people.
    pub async fn is_empty(&self) -> bool {
        let chats: Vec<ChatSummary> = self.ben.ask(Question::ChatList).await.unwrap();
        let people: Vec<PersonCard> = self.ben.ask(Question::PersonList).await.unwrap();
        chats.is_empty() && people.is_empty()
    }

    /// Mallory asks, honestly, and Ben accepts: she is a contact like any other.
    pub async fn contact(&mut self) -> Object {
        befriends(&self.ben, &mut self.mallory).await
    }

    /// Ben asks, and Mallory accepts: she observes his conversation like any other contact.
    pub async fn observes(&mut self) -> Object {
        let (asking, mallory) = (self.ben.app(), &mut self.mallory);
        let question = Question::PersonRequest { user: "mallory@a.localhost".into() };
        let asked = tokio::spawn(async move { asking.ask(question).await });
        let welcome = mallory.takes().await;
        let pending = seal::inspect_welcome(&mallory.vault, &mallory.device, &welcome).unwrap();
        let group = pending.join(&mallory.vault, &mut |_| Ok(())).unwrap();
        asked.await.unwrap().unwrap();
        let object = mallory.observed(group, &self.target);
        let introduction = json!({ "introduction": mallory.introduction() });
        mallory.says(&object, MessageType::Subscribe, "/subscription", introduction).await;
        self.ben.sees_contact("mallory@a.localhost", ContactState::Accepted).await;
        object
    }

    pub async fn close(mut self) {
        self.ben.close().await;
        self.a.stop().await;
    }
}

/// Somebody with a program of their own asks, honestly, and Ben accepts.
pub async fn befriends(ben: &Person, who: &mut Mallory) -> Object {
    is_answered(ben, who).await.0
}

/// The same, with what Ben shows of himself.
pub async fn is_answered(ben: &Person, who: &mut Mallory) -> (Object, Value) {
    let target = who.looks_up(BEN).await;
    let object = who.welcomes("comm", &target).await;
    let introduction = who.introduction();
    who.introduces(&object, introduction).await;
    let handle = who.handle();
    assert_eq!(ben.sees_contact(&handle, ContactState::Request).await, object.url);
    ben.ask::<Value>(Question::PersonAccept { user: handle }).await.unwrap();
    loop {
        let sealed = who.takes().await;
        let opened = seal::open(&who.vault, &who.device, &sealed, &mut |_| Ok(())).unwrap();
        let seal::What::Application(text) = opened.what else { continue };
        let inner: Value = serde_json::from_slice(&text).unwrap();
        if inner["type"] == "subscribe" {
            return (object, inner["body"]["introduction"].clone());
        }
    }
}

/// Ana at an honest domain; Ben at one whose Node is crooked.
pub struct Road {
    pub a: Domain,
    pub b: Crooked,
    pub ana: Person,
    pub ben: Person,
}

impl Road {
    pub async fn strangers() -> Self {
        Self::with(&[]).await
    }

    /// The same, where the crooked domain publishes these packages to its people.
    async fn with(packages: &[Package]) -> Self {
        listen();
        let a = Domain::start("a.localhost", Wire::Ws).await;
        let b = Crooked::start("b.localhost").await;
        packages.iter().for_each(|package| b.domain.node().publish(package).unwrap());
        let setup = Setup::with(&[&a, &b.domain]);
        let mut ana = Person::new("ana", setup.clone()).await;
        let mut ben = Person::new("ben", setup).await;
        ana.signs_up(&a, None).await;
        ben.signs_up(&b.domain, None).await;
        Self { a, b, ana, ben }
    }

    /// Both know each other, by way of a Node that was honest so far.
    pub async fn contacts() -> (Self, String) {
        Self::contacts_with(&[]).await
    }

    /// The same, where the crooked domain publishes these packages to its people.
    pub async fn contacts_with(packages: &[Package]) -> (Self, String) {
        let mut road = Self::with(packages).await;
        let chat = road.ana.asks_for_contact("ben@b.localhost").await;
        assert_eq!(road.ben.accepts("ana@a.localhost").await, chat);
        road.ana.sees_contact("ben@b.localhost", ContactState::Accepted).await;
        road.ana.writes(&chat, "hello").await;
        road.ben.reads(&chat, &["hello"]).await;
        road.ana.sees_all_delivered(&chat).await;
        (road, chat)
    }

    pub async fn close(mut self) {
        self.ana.close().await;
        self.ben.close().await;
        self.a.stop().await;
        self.b.domain.stop().await;
    }
}
