//! Runs real guests that crash, come back, are given up, and are exchanged.

use std::time::Duration;

use crate::shelf::{NOW, Shelf, TestPublisher, domain, stub};
use catalogue::{Draft, Memory, Publisher};
use guests::{
    Crash, Fetcher, GuestId, GuestLife, GuestNews, GuestPlan, PackageRef, PostError, Restarts, StartGuestError,
    Supervisor, VerifiedPackage,
};
use keys::SigningKey;
use message::{Address, AddressPattern, Body, Grants, Message, MessageType};
use sandbox::{Budget, Engine};
use semver::Version;
use tokio::runtime::Handle;
use tokio::sync::mpsc::Receiver;
use tokio::task::JoinHandle;

const GUEST: &str = "runtime://a.localhost/protostub/b.localhost";
const APP: &str = "runtime://a.localhost/ua";

/// Answers with its version; told to die, it loops for ever. The sandbox interrupts that, and stops whoever does it again and again.
fn mortal(version: &str) -> String {
    format!(
        "function activate(url, bus, config) {{
           bus.addListener(url, (message, reply) => {{
             if (message.body.die) for (;;) {{}}
             reply({{ code: 200, value: '{version} ' + message.body.say + ' ' + (config.home ?? '') }});
           }});
           return {{ name: 'mortal', instance: {{}} }};
         }}"
    )
}

const STILLBORN: &str = "function activate() { throw new Error('not today'); }";

fn grants() -> Grants {
    Grants { speak_to: vec![AddressPattern::parse("runtime://a.localhost/*").unwrap()], timers: true, ..Grants::none() }
}

fn draft(version: &str) -> Draft {
    Draft { grants: grants(), ..stub(version) }
}

/// A supervisor, and a shelf where packages for it are published.
struct Stage {
    shelf: Shelf,
    publisher: TestPublisher,
    supervisor: Supervisor,
    news: Receiver<(GuestId, GuestNews)>,
    task: JoinHandle<()>,
}

impl Stage {
    async fn set() -> Self {
        Self::set_with_pauses([1, 2, 3]).await
    }

    async fn set_with_pauses(pauses: [u64; 3]) -> Self {
        let publisher = TestPublisher(Publisher::new(domain(), SigningKey::generate(), NOW));
        let shelf = Shelf::of(publisher.clone_for_test()).await;
        let rule = Restarts { pauses: pauses.map(Duration::from_millis), ..Restarts::default() };
        let (supervisor, supervision, news) =
            Supervisor::restarting(Engine::new().unwrap(), shelf.net(), Handle::current(), rule);
        let task = tokio::spawn(supervision.run());
        Self { shelf, publisher, supervisor, news, task }
    }

    /// Publishes a version and fetches it, verified, over a socket.
    async fn package(&mut self, version: &str, source: &str) -> VerifiedPackage {
        self.publisher.0.publish(draft(version), source, NOW).unwrap();
        self.shelf.publish(&self.publisher);
        let package = PackageRef::default_stub(domain());
        Fetcher::new(self.shelf.net()).fetch(&package, &Memory::default(), NOW).await.unwrap()
    }

    async fn plan(&mut self, version: &str, source: &str) -> GuestPlan {
        let package = self.package(version, source).await;
        GuestPlan::new(package, Address::parse(GUEST).unwrap())
            .with_grants(grants())
            .with_config(serde_json::json!({ "home": "a" }))
    }

    async fn start(&mut self, source: &str) -> GuestId {
        let plan = self.plan("1.0.0", source).await;
        self.supervisor.start(plan).unwrap()
    }

    /// The next news that is no log line.
    async fn next(&mut self) -> GuestNews {
        loop {
            match self.news.recv().await.expect("the supervisor is gone").1 {
                GuestNews::Log { .. } => {}
                news => return news,
            }
        }
    }

    fn say(&self, id: GuestId, body: serde_json::Value) -> Result<(), PostError> {
        self.supervisor.post(id, message(body))
    }

    async fn answer(&mut self) -> String {
        match self.next().await {
            GuestNews::Message(message) => {
                assert_eq!(message.from.as_str(), GUEST);
                let body: serde_json::Value = message.body.parse().unwrap();
                body["value"].as_str().unwrap().to_owned()
            }
            other => panic!("{other:?} instead of an answer"),
        }
    }
}

fn message(body: serde_json::Value) -> Message {
    let address = |text| Address::parse(text).unwrap();
    Message {
        id: 7,
        kind: MessageType::Execute,
        from: address(APP),
        to: address(GUEST),
        body: Body::of(&body).unwrap(),
    }
}

fn hello(text: &str) -> serde_json::Value {
    serde_json::json!({ "say": text })
}

#[tokio::test]
async fn a_guest_starts_with_its_configuration_and_answers() {
    let mut stage = Stage::set().await;
    let id = stage.start(&mortal("one")).await;
    assert_eq!(stage.next().await, GuestNews::Ready);
    stage.say(id, hello("hi")).unwrap();
    assert_eq!(stage.answer().await, "one hi a");
    let status = stage.supervisor.status(id).unwrap();
    assert_eq!((status.version, status.restarts), (Version::new(1, 0, 0), 0));
}

#[tokio::test]
async fn what_is_said_to_a_crashed_guest_is_heard_in_its_next_life() {
    let mut stage = Stage::set_with_pauses([100; 3]).await;
    let plan = stage.plan("1.0.0", &mortal("one")).await;
    let budget = Budget { soft_ms: 20, hard_ms: 200, ..Budget::default() };
    let id = stage.supervisor.start(plan.with_budget(budget)).unwrap();
    assert_eq!(stage.next().await, GuestNews::Ready);
    for _ in 0..5 {
        stage.say(id, serde_json::json!({ "die": true })).unwrap();
    }
    let GuestNews::Restarting { crash: Crash::Time, .. } = stage.next().await else { panic!("it should have crashed") };
    stage.say(id, hello("are you there?")).unwrap();
    stage.say(id, hello("hello?")).unwrap();
    assert_eq!(stage.next().await, GuestNews::Ready);
    assert_eq!(stage.answer().await, "one are you there? a");
    assert_eq!(stage.answer().await, "one hello? a");
    assert_eq!(stage.supervisor.status(id).unwrap().restarts, 1);
}

#[tokio::test]
async fn a_guest_that_cannot_live_is_parked_and_can_be_wanted_back() {
    let mut stage = Stage::set().await;
    let plan = stage.plan("1.0.0", STILLBORN).await;
    let id = stage.supervisor.start(plan).unwrap();
    let mut pauses = Vec::new();
    let reason = loop {
        match stage.next().await {
            GuestNews::Restarting { after, .. } => {
                pauses.push(after.as_millis());
            }
            GuestNews::Parked { reason, .. } => break reason,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!(pauses, [1, 2, 3]);
    assert_eq!(reason.to_string(), "it stopped 4 times within 60 s; the last time it failed");
    assert_eq!(stage.supervisor.status(id).unwrap().life, GuestLife::Parked(reason));
    let refused = stage.say(id, hello("anyone?")).unwrap_err();
    assert!(matches!(refused, PostError::Parked(message) if message.id == 7));

    stage.supervisor.resume(id).unwrap();
    assert!(matches!(stage.next().await, GuestNews::Restarting { after, .. } if after.as_millis() == 1));
}

#[tokio::test]
async fn too_many_words_for_a_resting_guest_are_given_back() {
    let mut stage = Stage::set_with_pauses([60_000; 3]).await;
    let plan = stage.plan("1.0.0", STILLBORN).await;
    let id = stage.supervisor.start(plan).unwrap();
    let GuestNews::Restarting { .. } = stage.next().await else { panic!("it should have crashed") };
    let outcomes: Vec<_> = (0..300).map(|_| stage.say(id, hello("hi"))).collect();
    assert_eq!(outcomes.iter().filter(|outcome| outcome.is_ok()).count(), 256);
    assert!(matches!(outcomes.last(), Some(Err(PostError::Full(_)))));
}

#[tokio::test]
async fn a_new_version_takes_the_seat_of_the_old() {
    let mut stage = Stage::set().await;
    let id = stage.start(&mortal("one")).await;
    assert_eq!(stage.next().await, GuestNews::Ready);
    let two = stage.package("2.0.0", &mortal("two")).await;
    stage.supervisor.swap(id, two, grants()).unwrap();
    stage.say(id, hello("hi")).unwrap();
    assert_eq!(stage.next().await, GuestNews::Ready);
    assert_eq!(stage.answer().await, "two hi a");
    assert_eq!(stage.supervisor.status(id).unwrap().version, Version::new(2, 0, 0));
    assert_eq!(stage.supervisor.guests().len(), 1);
}

#[tokio::test]
async fn an_older_version_never_takes_a_seat() {
    let mut stage = Stage::set().await;
    let one = stage.package("1.0.0", &mortal("one")).await;
    let plan = stage.plan("2.0.0", &mortal("two")).await;
    let id = stage.supervisor.start(plan).unwrap();
    assert_eq!(stage.next().await, GuestNews::Ready);
    let refused = stage.supervisor.swap(id, one, grants()).unwrap_err();
    assert_eq!(refused.code(), "guest-not-started");
    stage.say(id, hello("hi")).unwrap();
    assert_eq!(stage.answer().await, "two hi a");
}

#[tokio::test]
async fn a_parked_guest_lives_again_in_its_next_version() {
    let mut stage = Stage::set().await;
    let plan = stage.plan("1.0.0", STILLBORN).await;
    let two = stage.package("2.0.0", &mortal("two")).await;
    let id = stage.supervisor.start(plan).unwrap();
    while !matches!(stage.next().await, GuestNews::Parked { .. }) {}
    stage.supervisor.swap(id, two, grants()).unwrap();
    assert_eq!(stage.next().await, GuestNews::Ready);
    stage.say(id, hello("hi")).unwrap();
    assert_eq!(stage.answer().await, "two hi a");
}

#[tokio::test]
async fn a_guest_is_not_given_more_than_it_asked_for() {
    let mut stage = Stage::set().await;
    let plan = stage.plan("1.0.0", &mortal("one")).await.with_grants(Grants { media: true, ..grants() });
    assert!(matches!(stage.supervisor.start(plan), Err(StartGuestError::GrantBeyond { .. })));
}

#[tokio::test]
async fn a_stopped_guest_is_gone() {
    let mut stage = Stage::set().await;
    let id = stage.start(&mortal("one")).await;
    assert_eq!(stage.next().await, GuestNews::Ready);
    stage.supervisor.stop(id);
    assert!(matches!(stage.say(id, hello("hi")), Err(PostError::Gone(_))));
    assert_eq!(stage.supervisor.status(id), None);
}

#[tokio::test]
async fn guests_end_with_their_supervision() {
    let mut stage = Stage::set().await;
    let id = stage.start(&mortal("one")).await;
    assert_eq!(stage.next().await, GuestNews::Ready);
    stage.task.abort();
    while stage.news.recv().await.is_some() {}
    assert!(matches!(stage.say(id, hello("hi")), Err(PostError::Gone(_))));
    let plan = stage.plan("1.0.0", &mortal("one")).await;
    assert_eq!(stage.supervisor.start(plan).unwrap_err().code(), "guest-not-started");
}
