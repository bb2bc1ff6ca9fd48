//! Three people at three domains talk in one conversation; one comes later, one is taken out, one leaves.

use contract::{
    ChatSummary, ChatView, ConsentChoice, ContactState, Content, DeliveryState, GroupDone, GroupRole, GroupStanding,
    GroupView, Question,
};
use lab::person::Setup;
use lab::{Domain, Person};
use node::Wire;
use serde_json::Value;

use crate::common;

pub(crate) const ANA: &str = "ana@a.localhost";
pub(crate) const BEN: &str = "ben@b.localhost";
pub(crate) const CLEO: &str = "cleo@c.localhost";
pub(crate) const DAN: &str = "dan@a.localhost";

/// Ana and Dan at a domain with WebSockets, Ben and Cleo at two with other protocols. Ana knows everybody; nobody else
/// knows anybody.
pub(crate) struct Stage {
    pub(crate) domains: [Domain; 3],
    pub(crate) setup: Setup,
    pub(crate) ana: Person,
    pub(crate) ben: Person,
    pub(crate) cleo: Person,
    pub(crate) dan: Person,
}

impl Stage {
    pub(crate) async fn friends_of_ana() -> Self {
        common::logs();
        let domains = [
            Domain::start("a.localhost", Wire::Ws).await,
            Domain::start("b.localhost", Wire::Sse).await,
            Domain::start("c.localhost", Wire::Sse2).await,
        ];
        let [a, b, c] = &domains;
        let setup = Setup::with(&[a, b, c]);
        let mut people = Vec::new();
        for (name, domain) in [("ana", a), ("ben", b), ("cleo", c), ("dan", a)] {
            let mut person = Person::new(name, setup.clone()).await;
            person.signs_up(domain, None).await;
            people.push(person);
        }
        let [ana, ben, cleo, dan] = <[Person; 4]>::try_from(people).ok().unwrap();
        let mut stage = Self { domains, setup, ana, ben, cleo, dan };
        stage.ana.asks_for_contact(BEN).await;
        stage.ben.accepts(ANA).await;
        stage.ana.asks_for_contact(CLEO).await;
        stage.cleo.accepts(ANA).await;
        // The protocol of their own domain runs already: nobody is asked.
        let _: Value = stage.ana.ask(Question::PersonFind { address: DAN.into() }).await.unwrap();
        let _: Value = stage.ana.ask(Question::PersonRequest { user: DAN.into() }).await.unwrap();
        stage.dan.sees_contact(ANA, ContactState::Request).await;
        let _: Value = stage.dan.ask(Question::PersonAccept { user: ANA.into() }).await.unwrap();
        for user in [BEN, CLEO, DAN] {
            stage.ana.sees_contact(user, ContactState::Accepted).await;
        }
        stage
    }

    /// Ana begins a group with Ben and Cleo; both see it.
    pub(crate) async fn choir(&mut self) -> String {
        let people = vec![BEN.to_owned(), CLEO.to_owned()];
        let chat: ChatSummary = self.ana.ask(Question::GroupCreate { name: "Choir".into(), people }).await.unwrap();
        for person in [&self.ben, &self.cleo] {
            sees_group(person, "Choir").await;
        }
        chat.chat
    }

    /// Ben and Cleo let each other's protocol run, and Dan lets theirs.
    pub(crate) fn agree(&self) -> Vec<tokio::task::JoinHandle<()>> {
        [&self.ben, &self.cleo, &self.dan].map(|person| tokio::spawn(allows_all(person.app()))).into()
    }

    pub(crate) async fn close(self) {
        for mut person in [self.ana, self.ben, self.cleo, self.dan] {
            person.close().await;
        }
        for mut domain in self.domains {
            domain.stop().await;
        }
    }
}

/// Says yes to every package.
pub(crate) async fn allows_all(app: api::Api) {
    loop {
        let open = app.ask(Question::ConsentList).await.unwrap_or_default();
        let open: Vec<contract::Consent> = serde_json::from_value(open).unwrap_or_default();
        for consent in open {
            let _ = app.ask(Question::ConsentAnswer { id: consent.id, answer: ConsentChoice::Always }).await;
        }
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
    }
}

pub(crate) async fn sees_group(person: &Person, name: &str) -> String {
    person
        .until(&format!("the group {name}"), async |person| {
            let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
            chats.into_iter().find(|chat| chat.group.is_some() && chat.name == name).map(|chat| chat.chat)
        })
        .await
}

pub(crate) async fn group(person: &Person, chat: &str) -> GroupView {
    person.ask(Question::GroupLook { chat: chat.to_owned() }).await.unwrap()
}

/// Waits until the group looks like this to a person.
pub(crate) async fn sees(person: &Person, chat: &str, what: &str, looks: impl Fn(&GroupView) -> bool) -> GroupView {
    person
        .until(what, async |person| {
            let view = person.ask::<GroupView>(Question::GroupLook { chat: chat.to_owned() }).await.ok()?;
            looks(&view).then_some(view)
        })
        .await
}

/// Waits until exactly these people are in the group, each with a device of theirs.
pub(crate) async fn sees_people(person: &Person, chat: &str, people: &[&str]) -> GroupView {
    let mut people = people.to_vec();
    people.sort_unstable();
    sees(person, chat, &format!("{people:?} in the group"), |view| {
        let mut there: Vec<&str> =
            view.people.iter().filter(|one| one.devices > 0).map(|one| one.user.as_str()).collect();
        there.sort_unstable();
        there == people && view.people.len() == people.len()
    })
    .await
}

/// Waits until these words were read, whatever else was.
pub(crate) async fn reads_all(person: &Person, chat: &str, texts: &[&str]) {
    person
        .until(&format!("{texts:?}"), async |person| {
            let all = person.texts(chat).await;
            texts.iter().all(|text| all.iter().any(|one| one == text)).then_some(())
        })
        .await;
}

pub(crate) async fn view(person: &Person, chat: &str) -> ChatView {
    person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap()
}

/// The epochs of what was said in a conversation and passed through a domain.
fn epochs(domain: &Domain, chat: &str) -> std::collections::BTreeSet<u64> {
    let routed = domain.routed();
    let messages = routed.lines().filter_map(|line| serde_json::from_str::<Value>(line).ok());
    let headers = messages.flat_map(|line| common::headers(&line["message"]));
    headers.filter(|header| header.group == chat).map(|header| header.epoch).collect()
}

/// What a line says: its code, who did it, to whom.
async fn lines(person: &Person, chat: &str) -> Vec<(String, Option<String>, String)> {
    let messages = view(person, chat).await.messages;
    let line = |message: contract::ChatMessage| match message.content {
        Content::System { code, detail, by } => Some((code, by, detail)),
        _ => None,
    };
    messages.into_iter().filter_map(line).collect()
}

pub(crate) async fn sees_line(person: &Person, chat: &str, code: &str, by: Option<&str>, detail: &str) {
    person
        .until(&format!("the line {code}"), async |person| {
            let wanted = (code.to_owned(), by.map(str::to_owned), detail.to_owned());
            lines(person, chat).await.contains(&wanted).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn three_people_at_three_domains_talk_and_see_how_far_their_words_came() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[ANA, BEN, CLEO]).await;
    }
    // Ben knows Cleo by who vouches for her, which his own app checked.
    let seen = group(&stage.ben, &chat).await;
    let cleo = seen.people.iter().find(|one| one.user == CLEO).unwrap();
    assert_eq!((cleo.name.as_str(), cleo.contact), ("Cleo", false));
    assert_eq!(cleo.identity.as_ref().unwrap().vouched_by, "c.localhost");
    assert_eq!((seen.role, seen.owner.as_str()), (GroupRole::Member, ANA));
    let known: Vec<contract::PersonCard> = stage.ben.ask(Question::PersonList).await.unwrap();
    assert!(known.iter().all(|card| card.user != CLEO), "nobody becomes a contact by being in a group");

    stage.ana.writes(&chat, "from Ana").await;
    stage.ben.writes(&chat, "from Ben").await;
    stage.cleo.writes(&chat, "from Cleo").await;
    let all = ["from Ana", "from Ben", "from Cleo"];
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        reads_all(person, &chat, &all).await;
    }
    let at_ben = view(&stage.ben, &chat).await;
    let author = |text: &str| {
        let said =
            |message: &&contract::ChatMessage| matches!(&message.content, Content::Text { text: one } if one == text);
        at_ben.messages.iter().find(said).unwrap().author.clone()
    };
    assert_eq!((author("from Ana"), author("from Cleo")), (ANA.to_owned(), CLEO.to_owned()));

    // Delivered only when all have it, read only when all have read it.
    stage.ana.sees_all_delivered(&chat).await;
    let mine = async |person: &Person| {
        view(person, &chat)
            .await
            .messages
            .into_iter()
            .find(|message| message.mine && !matches!(message.content, Content::System { .. }))
    };
    let said = mine(&stage.ana).await.unwrap();
    let reach = said.reach.unwrap();
    assert_eq!((reach.of, reach.delivered), (2, 2), "{reach:?}");
    let _: Value = stage.ben.ask(Question::ChatRead { chat: chat.clone() }).await.unwrap();
    let read_by = async |person: &Person| {
        let reach: contract::GroupReach = person.ask(Question::GroupReach { message: said.id.clone() }).await.unwrap();
        reach.read
    };
    stage
        .ana
        .until("Ben to have read", async |person| read_by(person).await.contains(&BEN.to_owned()).then_some(()))
        .await;
    // Cleo may read at any moment; what is called read is read by both, who cannot take it back.
    if mine(&stage.ana).await.unwrap().state == DeliveryState::Read {
        assert!(read_by(&stage.ana).await.contains(&CLEO.to_owned()));
    }
    let _: Value = stage.cleo.ask(Question::ChatRead { chat: chat.clone() }).await.unwrap();
    stage
        .ana
        .until("all to have read", async |person| {
            (mine(person).await.unwrap().state == DeliveryState::Read).then_some(())
        })
        .await;
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_comes_later_reads_what_follows_and_who_is_taken_out_reads_nothing_more() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    stage.ana.writes(&chat, "before Dan").await;
    for person in [&stage.ben, &stage.cleo] {
        reads_all(person, &chat, &["before Dan"]).await;
    }
    stage.ben.writes(&chat, "Ben before Dan").await;
    reads_all(&stage.ana, &chat, &["Ben before Dan"]).await;

    let add = Question::GroupAdd { chat: chat.clone(), people: vec![DAN.into()] };
    assert_eq!(stage.ana.ask::<GroupDone>(add).await.unwrap(), GroupDone::Done);
    sees_group(&stage.dan, "Choir").await;
    for person in [&stage.ana, &stage.ben, &stage.cleo, &stage.dan] {
        sees_people(person, &chat, &[ANA, BEN, CLEO, DAN]).await;
    }
    sees_line(&stage.ben, &chat, "group-added", Some("Ana"), DAN).await;
    stage.ben.writes(&chat, "welcome, Dan").await;
    stage.dan.writes(&chat, "hello all").await;
    for person in [&stage.ana, &stage.ben, &stage.cleo, &stage.dan] {
        reads_all(person, &chat, &["welcome, Dan", "hello all"]).await;
    }
    let mut read = stage.dan.texts(&chat).await;
    read.sort();
    assert_eq!(read, ["hello all", "welcome, Dan"], "what was said before is not for him");

    let remove = Question::GroupRemove { chat: chat.clone(), user: BEN.into() };
    assert_eq!(stage.ana.ask::<GroupDone>(remove).await.unwrap(), GroupDone::Done);
    let out = sees(&stage.ben, &chat, "the end", |view| matches!(view.standing, GroupStanding::Over { .. })).await;
    assert_eq!(out.standing, GroupStanding::Over { reason: "group-removed".into() });
    sees_line(&stage.ben, &chat, "group-removed-you", Some("Ana"), "Ben").await;
    for person in [&stage.ana, &stage.cleo, &stage.dan] {
        sees_people(person, &chat, &[ANA, CLEO, DAN]).await;
    }
    stage.cleo.writes(&chat, "without Ben").await;
    stage.dan.writes(&chat, "without him, too").await;
    for person in [&stage.ana, &stage.cleo, &stage.dan] {
        reads_all(person, &chat, &["without Ben", "without him, too"]).await;
    }
    let said = stage
        .ben
        .ask::<Value>(Question::ChatSend { chat: chat.clone(), text: "let me in".into(), preview: None })
        .await;
    assert!(said.is_err(), "who is out says nothing");
    let (to_ben, to_cleo) = (epochs(&stage.domains[1], &chat), epochs(&stage.domains[2], &chat));
    assert!(to_ben.iter().max() < to_cleo.iter().max(), "nothing of what follows comes to his domain: {to_ben:?}");
    assert!(stage.ben.texts(&chat).await.iter().all(|text| !text.contains("without")));

    // Cleo leaves by herself; her app shows what was said until then.
    let _: Value = stage.cleo.ask(Question::GroupLeave { chat: chat.clone() }).await.unwrap();
    for person in [&stage.ana, &stage.dan] {
        sees_people(person, &chat, &[ANA, DAN]).await;
        sees_line(person, &chat, "group-left", Some("Cleo"), "Cleo").await;
    }
    assert_eq!(group(&stage.cleo, &chat).await.standing, GroupStanding::Over { reason: "left".into() });
    stage.dan.writes(&chat, "only the two of us").await;
    reads_all(&stage.ana, &chat, &["only the two of us"]).await;
    assert!(stage.cleo.texts(&chat).await.iter().all(|text| text != "only the two of us"));

    // Ana owns it: she cannot leave it to nobody, but she can end it.
    let leave = stage.ana.ask::<Value>(Question::GroupLeave { chat: chat.clone() }).await;
    assert_eq!(leave.unwrap_err().code, "owner-stays");
    let _: Value = stage.ana.ask(Question::GroupEnd { chat: chat.clone() }).await.unwrap();
    let over = sees(&stage.dan, &chat, "the end", |view| matches!(view.standing, GroupStanding::Over { .. })).await;
    assert_eq!(over.standing, GroupStanding::Over { reason: "group-ended".into() });
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_asks_the_owners_device_a_member_is_refused_and_a_restart_keeps_all() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[ANA, BEN, CLEO]).await;
    }
    let rename = |name: &str| Question::GroupRename { chat: chat.clone(), name: name.into() };
    let refused = stage.ben.ask::<GroupDone>(rename("Bens choir")).await;
    assert_eq!(refused.unwrap_err().code, "not-entitled");

    let role = Question::GroupRole { chat: chat.clone(), user: BEN.into(), role: GroupRole::Admin };
    assert_eq!(stage.ana.ask::<GroupDone>(role).await.unwrap(), GroupDone::Done);
    sees(&stage.ben, &chat, "the new role", |view| view.role == GroupRole::Admin).await;
    assert_eq!(stage.ben.ask::<GroupDone>(rename("Big choir")).await.unwrap(), GroupDone::Asked);
    for person in [&stage.ana, &stage.cleo] {
        sees_group(person, "Big choir").await;
        sees_line(person, &chat, "group-renamed", Some("Ben"), "Big choir").await;
    }
    sees_line(&stage.ben, &chat, "group-renamed", None, "Big choir").await;
    let remove = Question::GroupRemove { chat: chat.clone(), user: ANA.into() };
    assert_eq!(stage.ben.ask::<GroupDone>(remove).await.unwrap_err().code, "not-entitled");

    stage.ana.writes(&chat, "kept").await;
    for person in [&stage.ben, &stage.cleo] {
        reads_all(person, &chat, &["kept"]).await;
    }
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    for person in [&mut stage.ana, &mut stage.ben, &mut stage.cleo] {
        person.close().await;
        person.open().await;
        person.waits_until_online().await;
        assert_eq!(sees_group(person, "Big choir").await, chat);
        assert_eq!(group(person, &chat).await.people.len(), 3);
    }
    let agreeing = stage.agree();
    stage.cleo.writes(&chat, "and it goes on").await;
    for person in [&stage.ana, &stage.ben] {
        reads_all(person, &chat, &["kept", "and it goes on"]).await;
    }
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_devices_of_a_member_hear_all_and_a_blocked_one_is_not_shown() {
    let mut stage = Stage::friends_of_ana().await;
    let agreeing = stage.agree();
    let chat = stage.choir().await;
    for person in [&stage.ana, &stage.ben, &stage.cleo] {
        sees_people(person, &chat, &[ANA, BEN, CLEO]).await;
    }
    stage.cleo.writes(&chat, "before the phone").await;
    reads_all(&stage.ben, &chat, &["before the phone"]).await;
    let mut phone = Person::new("bens-phone", stage.setup.clone()).await;
    phone.becomes_a_device_of(&mut stage.ben, true).await;
    let phones = tokio::spawn(allows_all(phone.app()));
    for person in [&stage.ana, &stage.cleo] {
        sees(person, &chat, "Ben's other device", |view| {
            view.people.iter().any(|one| one.user == BEN && one.devices == 2)
        })
        .await;
    }
    stage.cleo.writes(&chat, "to both").await;
    for person in [&stage.ben, &phone] {
        reads_all(person, &chat, &["before the phone", "to both"]).await;
    }
    phone
        .until("its place in the group", async |phone| {
            let sent = phone
                .ask::<Value>(Question::ChatSend { chat: chat.clone(), text: "from the phone".into(), preview: None })
                .await;
            sent.is_ok().then_some(())
        })
        .await;
    for person in [&stage.ana, &stage.cleo, &stage.ben] {
        reads_all(person, &chat, &["from the phone"]).await;
    }

    // Ben blocks Cleo, whom he only knows from here: what she says is not shown, and comes when he takes it back.
    let _: Value = stage.ben.ask(Question::PersonBlock { user: CLEO.into() }).await.unwrap();
    stage.cleo.writes(&chat, "can you hear me?").await;
    stage.ana.writes(&chat, "I can").await;
    reads_all(&stage.ben, &chat, &["I can"]).await;
    reads_all(&stage.ana, &chat, &["can you hear me?"]).await;
    assert!(stage.ben.texts(&chat).await.iter().all(|text| text != "can you hear me?"));
    let _: Value = stage.ben.ask(Question::PersonUnblock { user: CLEO.into() }).await.unwrap();
    stage.cleo.writes(&chat, "and now?").await;
    reads_all(&stage.ben, &chat, &["can you hear me?", "and now?"]).await;
    phones.abort();
    agreeing.iter().for_each(tokio::task::JoinHandle::abort);
    phone.close().await;
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_admin_adds_whom_only_they_know_and_who_is_added_by_a_stranger_is_asked_first() {
    common::logs();
    let a = Domain::start("a.localhost", Wire::Ws).await;
    let b = Domain::start("b.localhost", Wire::Sse).await;
    let setup = Setup::with(&[&a, &b]);
    let (mut ana, mut ben) = (Person::new("ana", setup.clone()).await, Person::new("ben", setup.clone()).await);
    let mut dan = Person::new("dan", setup).await;
    ana.signs_up(&a, None).await;
    ben.signs_up(&b, None).await;
    dan.signs_up(&a, None).await;
    ana.asks_for_contact(BEN).await;
    ben.accepts(ANA).await;
    ana.sees_contact(BEN, ContactState::Accepted).await;
    // Ben's app knows the protocol of Dan's domain by now.
    let _: Value = ben.ask(Question::PersonFind { address: DAN.into() }).await.unwrap();
    let _: Value = ben.ask(Question::PersonRequest { user: DAN.into() }).await.unwrap();
    dan.accepts(BEN).await;
    ben.sees_contact(DAN, ContactState::Accepted).await;

    let question = Question::GroupCreate { name: "Choir".into(), people: vec![BEN.into()] };
    let chat = ana.ask::<ChatSummary>(question).await.unwrap().chat;
    sees_group(&ben, "Choir").await;
    let add = Question::GroupAdd { chat: chat.clone(), people: vec![DAN.into()] };
    assert_eq!(ben.ask::<GroupDone>(add.clone()).await.unwrap_err().code, "not-entitled");
    let role = Question::GroupRole { chat: chat.clone(), user: BEN.into(), role: GroupRole::Admin };
    let _: GroupDone = ana.ask(role).await.unwrap();
    sees(&ben, &chat, "the new role", |view| view.role == GroupRole::Admin).await;
    assert_eq!(ana.ask::<GroupDone>(add.clone()).await.unwrap_err().code, "unknown", "Ana does not know Dan");
    assert_eq!(ben.ask::<GroupDone>(add).await.unwrap(), GroupDone::Asked);

    // Dan knows Ben, and is asked all the same: the group is Ana's.
    dan.until("the question", async |dan| {
        let chats: Vec<ChatSummary> = dan.ask(Question::ChatList).await.unwrap();
        chats.iter().any(|one| one.chat == chat && one.contact == ContactState::Request).then_some(())
    })
    .await;
    sees_people(&ben, &chat, &[ANA, BEN, DAN]).await;
    ana.writes(&chat, "welcome").await;
    reads_all(&ben, &chat, &["welcome"]).await;
    assert!(dan.texts(&chat).await.is_empty(), "nothing is shown before he says yes");
    let joined: GroupView = dan.ask(Question::GroupJoin { chat: chat.clone() }).await.unwrap();
    assert_eq!(joined.standing, GroupStanding::Open);
    reads_all(&dan, &chat, &["welcome"]).await;
    dan.writes(&chat, "thank you").await;
    for person in [&ana, &ben] {
        reads_all(person, &chat, &["thank you"]).await;
    }
    let view = group(&ana, &chat).await;
    let seen = view.people.iter().find(|one| one.user == DAN).unwrap();
    assert_eq!((seen.name.as_str(), seen.contact), ("Dan", false));
    for mut person in [ana, ben, dan] {
        person.close().await;
    }
}
