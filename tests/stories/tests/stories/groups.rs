//! Conversations whose devices were cut from each other, or missed what nobody keeps, come together again.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex};

use crate::common;
use crate::common::{headers, spoils};
use contract::{ChatView, ContactState, DeviceView, Question};
use lab::person::Setup;
use lab::{Crooked, Domain, Person, Way};
use serde_json::Value;

/// Ana at a domain whose Node can cut devices from each other, Ben at another; they are contacts.
struct Stage {
    a: Crooked,
    _b: Domain,
    setup: Setup,
    laptop: Person,
    ben: Person,
    chat: String,
}

impl Stage {
    async fn contacts() -> Self {
        common::logs();
        let a = Crooked::start("a.localhost").await;
        let b = Domain::start("b.localhost", node::Wire::Sse).await;
        let setup = Setup::with(&[&a.domain, &b]);
        let (mut laptop, mut ben) = (Person::new("ana", setup.clone()).await, Person::new("ben", setup.clone()).await);
        laptop.signs_up(&a.domain, None).await;
        ben.signs_up(&b, None).await;
        let chat = laptop.asks_for_contact("ben@b.localhost").await;
        ben.accepts("ana@a.localhost").await;
        laptop.sees_contact("ben@b.localhost", ContactState::Accepted).await;
        Self { a, _b: b, setup, laptop, ben, chat }
    }

    /// Another full device of Ana's, and where it receives.
    async fn links(&mut self, name: &str) -> (Person, String) {
        let before = inboxes(&self.a, &self.chat);
        let mut device = Person::new(name, self.setup.clone()).await;
        device.becomes_a_device_of(&mut self.laptop, true).await;
        let others =
            devices(&self.laptop).await.iter().filter(|one| one.state == contract::DeviceState::Active).count();
        device.sees_members(&self.chat, others).await;
        self.ben.writes(&self.chat, &format!("hello {name}")).await;
        let inbox = device
            .until("its inbox", async |_| {
                inboxes(&self.a, &self.chat).into_iter().find(|inbox| !before.contains(inbox))
            })
            .await;
        (device, inbox)
    }
}

/// Where messages of a conversation went, at the crooked domain.
fn inboxes(a: &Crooked, chat: &str) -> Vec<String> {
    let seen = a.seen();
    let mut all: Vec<String> = seen
        .iter()
        .filter(|(way, message)| *way == Way::ToApp && headers(message).iter().any(|header| header.group == chat))
        .filter_map(|(_, message)| message["to"].as_str().map(str::to_owned))
        .collect();
    all.sort();
    all.dedup();
    all
}

async fn devices(person: &Person) -> Vec<DeviceView> {
    person.ask(Question::DeviceList).await.unwrap()
}

async fn view(person: &Person, chat: &str) -> ChatView {
    person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap()
}

/// Waits until these words were read, whatever else was.
async fn has_read(person: &Person, chat: &str, text: &str) {
    person
        .until(&format!("the words {text}"), async |person| {
            person.texts(chat).await.iter().any(|read| read == text).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn two_devices_that_were_cut_from_each_other_and_both_took_over_come_together() {
    let mut stage = Stage::contacts().await;
    let (phone, to_phone) = stage.links("phone").await;
    let (tablet, to_tablet) = stage.links("tablet").await;
    let chat = stage.chat.clone();

    // From now on whatever is sent to either of them in the conversation is lost. That the laptop is put out they hear
    // elsewhere: from each other, in the object of Ana's devices.
    let lost = Arc::new(Mutex::new(BTreeSet::<String>::new()));
    let (watched, cut) = (chat.clone(), lost.clone());
    stage.a.tampers(move |way, mut message| {
        let to = message["to"].as_str().unwrap_or_default().to_owned();
        let is_ours = way == Way::ToNode && (to == to_phone || to == to_tablet);
        if is_ours && spoils(&mut message, |header| header.group == watched) {
            cut.lock().unwrap().insert(to);
        }
        vec![message]
    });
    stage.laptop.close().await;
    let laptop = devices(&phone).await.into_iter().find(|device| device.name.contains("ana")).unwrap();
    phone.ask::<Value>(Question::DeviceRevoke { device: laptop.device }).await.unwrap();

    // Each takes the conversation over and removes the laptop, knowing nothing of the other.
    for device in [&phone, &tablet] {
        device.sees_members(&chat, 2).await;
    }
    assert_eq!(lost.lock().unwrap().len(), 2, "each tried to tell the other");

    stage.a.is_honest();
    phone.writes(&chat, "from the phone").await;
    tablet.writes(&chat, "from the tablet").await;
    stage.ben.writes(&chat, "from Ben").await;
    for person in [&phone, &tablet, &stage.ben] {
        for text in ["from the phone", "from the tablet", "from Ben"] {
            has_read(person, &chat, text).await;
        }
        assert_eq!(view(person, &chat).await.summary.mark, contract::TrustMark::Introduced);
    }
    // All are in one group again, and stay there.
    phone.writes(&chat, "together").await;
    has_read(&tablet, &chat, "together").await;
    has_read(&stage.ben, &chat, "together").await;
    tablet.writes(&chat, "indeed").await;
    has_read(&phone, &chat, "indeed").await;
    has_read(&stage.ben, &chat, "indeed").await;
    let refused = view(&stage.ben, &chat).await.refusals;
    assert!(refused.iter().all(|one| one.code != "commit-from-observer" && one.code != "group-forked"), "{refused:?}");
    for mut person in [phone, tablet, stage.ben] {
        person.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_missed_a_change_that_nobody_keeps_is_brought_back_and_loses_nothing() {
    common::logs();
    let a = Crooked::start("a.localhost").await;
    let b = Domain::start("b.localhost", node::Wire::Sse).await;
    let setup = Setup::with(&[&a.domain, &b]);
    let (mut laptop, mut ana) = (Person::new("ben", setup.clone()).await, Person::new("ana", setup.clone()).await);
    laptop.signs_up(&b, None).await;
    ana.signs_up(&a.domain, None).await;
    // Ana, at the crooked domain, is the one who watches; the conversation is Ben's.
    let chat = laptop.asks_for_contact("ana@a.localhost").await;
    ana.accepts("ben@b.localhost").await;
    laptop.sees_contact("ana@a.localhost", ContactState::Accepted).await;
    let mut phone = Person::new("phone", setup.clone()).await;
    phone.becomes_a_device_of(&mut laptop, true).await;
    phone.sees_members(&chat, 2).await;
    laptop.writes(&chat, "before").await;
    has_read(&ana, &chat, "before").await;
    has_read(&phone, &chat, "before").await;

    // Ana's Node loses everything of the conversation, and says that it arrived; the device that could send it again is lost.
    let watched = chat.clone();
    a.tampers(move |way, mut message| {
        if way == Way::ToApp {
            spoils(&mut message, |header| header.group == watched);
        }
        vec![message]
    });
    let mut tablet = Person::new("tablet", setup).await;
    tablet.becomes_a_device_of(&mut laptop, true).await;
    tablet.sees_members(&chat, 3).await;
    laptop.close().await;
    let gone = devices(&phone).await.into_iter().find(|device| device.name.contains("ben")).unwrap();
    phone.ask::<Value>(Question::DeviceRevoke { device: gone.device }).await.unwrap();
    phone.sees_members(&chat, 2).await;
    tablet.sees_members(&chat, 2).await;
    phone.writes(&chat, "said while Ana was away").await;
    has_read(&tablet, &chat, "said while Ana was away").await;
    a.is_honest();
    phone.writes(&chat, "are you back?").await;
    ana.writes(&chat, "what did I miss?").await;

    for person in [&ana, &phone, &tablet] {
        for text in ["before", "said while Ana was away", "are you back?", "what did I miss?"] {
            has_read(person, &chat, text).await;
        }
    }
    assert!(view(&ana, &chat).await.refusals.iter().all(|one| one.code != "group-forked"));
    for mut person in [ana, phone, tablet] {
        person.close().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_whose_inviter_was_lost_before_it_spoke_is_let_in_by_the_next() {
    let mut stage = Stage::contacts().await;
    let (phone, _) = stage.links("phone").await;
    let chat = stage.chat.clone();

    // The tablet gets the Welcome into the conversation, and nothing that is said there: neither what it is for.
    let (known, watched) = (inboxes(&stage.a, &chat), chat.clone());
    let met = known.clone();
    stage.a.tampers(move |way, mut message| {
        let to = message["to"].as_str().unwrap_or_default().to_owned();
        if way == Way::ToApp && !known.contains(&to) {
            spoils(&mut message, |header| header.group == watched);
        }
        vec![message]
    });
    let mut tablet = Person::new("tablet", stage.setup.clone()).await;
    tablet.becomes_a_device_of(&mut stage.laptop, true).await;
    phone.sees_members(&chat, 3).await;
    stage.ben.sees_members(&chat, 3).await;
    phone
        .until("what the tablet never read", async |_| {
            inboxes(&stage.a, &chat).iter().any(|inbox| !met.contains(inbox)).then_some(())
        })
        .await;
    stage.laptop.close().await;
    stage.a.is_honest();
    let laptop = devices(&phone).await.into_iter().find(|device| device.name.contains("ana")).unwrap();
    phone.ask::<Value>(Question::DeviceRevoke { device: laptop.device }).await.unwrap();

    tablet.sees_members(&chat, 2).await;
    phone.writes(&chat, "welcome, tablet").await;
    has_read(&tablet, &chat, "welcome, tablet").await;
    tablet.writes(&chat, "glad to be here").await;
    has_read(&phone, &chat, "glad to be here").await;
    has_read(&stage.ben, &chat, "glad to be here").await;
    for mut person in [phone, tablet, stage.ben] {
        person.close().await;
    }
}
