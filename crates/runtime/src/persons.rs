//! Other people: found by address, introduced, verified and accepted.

use contract::{ContactState, FoundPerson, IdentityLine, News, PersonCard, TrustMark, TrustState};
use message::{Address, Body, Code, MessageType, UserAddress};
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};

use crate::brought;
use crate::comparing::{may_send, restate};
use crate::doors;
use crate::gate::{self, Entry};
use crate::histories::{devices_of, groups_of, saw_chain};
use crate::home::{Home, Ready, State, body, detail, now_ms, now_u64};
use crate::inbox::{WaitingEvidence, hyperty_of, identity_of, release_held};
use crate::key_changes;
use crate::members::{Author, Chains, Named, row_author};
use crate::objects::Follow;
use crate::records::{ChildValue, Object, ObjectUse, Person, Side, Standing, kind};
use crate::registry::Packages;
use crate::sending::{
    Introduction, acceptance_message, below, child_message, find_person, get_object, get_person, inner_message,
    own_tag, pumps, put_object, put_person, seal_and_queue,
};
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// The one record of pins.
pub(crate) const PINS: &str = "pins";

impl Home {
    /// Question `person.find`.
    pub(crate) async fn find(&self, text: &str) -> Outcome<FoundPerson> {
        let (user, code) = brought::read(text)?;
        if self.state().me()?.record.user == user {
            return Err(Failure::new("yourself", "this is your own address"));
        }
        self.look_up(&user, &Packages::None).await?;
        let mut state = self.state();
        if let Some(code) = code {
            state.pasted.keep(&user, code);
        }
        let person: Option<Person> = state.store()?.read(|tx| find_person(tx, &user)).map_err(Failure::store)?;
        Ok(FoundPerson {
            user: user.handle(),
            reached_by: state.links.reached_by(&user.domain()).unwrap_or_default(),
            chat: person.and_then(|p| p.chat).map(|chat| chat.to_string()),
        })
    }

    /// Question `person.request`: the chat Hyperty creates the conversation. Returns its address.
    pub(crate) async fn request_contact(&self, user: &UserAddress) -> Outcome<Address> {
        let existing = {
            let state = self.state();
            let person: Option<Person> = state.store()?.read(|tx| find_person(tx, user)).map_err(Failure::store)?;
            person
                .filter(|p| matches!(p.contact, ContactState::Asked | ContactState::Request | ContactState::Accepted))
                .and_then(|p| p.chat)
        };
        if let Some(chat) = existing {
            return Ok(chat);
        }
        let value = self.execute_chat("create", json!({ "user": user })).await?;
        let chat = value.get("conversation").and_then(Value::as_str).unwrap_or_default();
        let chat = Address::parse(chat).map_err(|e| Failure::new("stub-crashed", e))?;
        self.system_line(&chat, "contact-asked", &[])?;
        Ok(chat)
    }

    /// Question `person.accept`.
    pub(crate) async fn accept(&self, user: &UserAddress) -> Outcome<()> {
        let (chat, persona) = {
            let state = self.state();
            if state.store()?.read(|tx| Ok::<_, Failure>(unchecked_request(tx, user)?.is_some()))? {
                return Err(Failure::new("not-checked-yet", "who asks could not be checked yet"));
            }
            let person = state.store()?.read(|tx| get_person(tx, user))?;
            if person.contact != ContactState::Request {
                return Err(Failure::new("no-request", "there is no open request of this person"));
            }
            let chat = person.chat.clone().ok_or_else(|| Failure::unknown("conversation"))?;
            let object = state.store()?.read(|tx| get_object(tx, &chat))?;
            (chat, object.peer_persona)
        };
        // Their domain must name the same persona for this address, or somebody borrowed the name.
        let entry = self.look_up(user, &Packages::None).await?;
        if Some(&entry.persona) != persona.as_ref() {
            return Err(Failure::new("wrong-person", "the address belongs to somebody else at its domain"));
        }
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| open_as_observer(tx, me, &chat, Accepting::Here, now_ms()))?;
        self.follow_up(state, follow);
        Ok(())
    }

    pub(crate) fn verified(
        &self,
        url: &Address,
        waiting: &WaitingEvidence,
        verified: &identity::VerifiedIdentity,
    ) -> Outcome<()> {
        let now = now_ms();
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let policy = &mut state.policy;
        let follow = store.write(|tx| {
            let mut object = get_object(tx, url)?;
            if !matches!(object.standing, Standing::Verifying { .. }) {
                return Ok(Vec::new());
            }
            let known = find_person(tx, verified.user())?;
            let keys = gate::keys_of(known.as_ref());
            let persona = verified.persona().to_string();
            let mut brought = waiting.brought.judged(tx, me, verified.user(), &persona, url)?;
            brought.group_link = object.purpose == ObjectUse::Door
                && doors::has_link(tx, me, &waiting.brought, &persona, url, object.value())?;
            let came = waiting.invited_us.then_some(brought);
            let entry = gate::admit_verified(policy, now_u64(), verified, object.purpose, came, keys)?;
            let mut pins = settling::pins(tx)?;
            let mut told = key_changes::resets(&pins, verified);
            pins.remember(verified, now / 1000);
            let chain = settling::theirs(&waiting.evidence.chain, &pins, now / 1000)
                .map_err(|e| Failure::new("bad-chain", e))?;
            object.peer_persona = Some(verified.persona().to_string());
            object.unchecked = None;
            // Every device in the group belongs to one of the two, or nobody comes in.
            let chains = Chains::one(&me.record.user, me.chain.clone()).and(verified.user(), &chain);
            let speaker = Named {
                device: waiting.device.clone(),
                user: verified.user().clone(),
                inbox: waiting.evidence.inbox.clone(),
            };
            let named: Vec<Named> = std::iter::once(speaker).chain(waiting.members.iter().cloned()).collect();
            object.set_members(tx, me, &chains, &named, now / 1000)?;
            let mut person = get_or_new(tx, verified.user())?;
            let shown = Shown { name: &waiting.name, evidence: &waiting.evidence, chain };
            let grew = shown.to(tx, &mut pins, &mut person, (verified, &mut told), now)?;
            tx.put(kind::PINS, PINS, &pins)?;
            let mut follow = key_changes::verdicts(&person, &told);
            for (code, detail) in told.iter().map(key_changes::Told::line) {
                // It stands where the two speak from now on.
                if object.purpose == ObjectUse::Chat {
                    follow.push(key_changes::line_in(tx, &mut object, code, &detail, now)?);
                } else {
                    follow.extend(key_changes::line(tx, &person, code, &detail, now)?);
                }
            }
            follow.extend(after_verification(tx, me, &mut object, &mut person, (waiting.invited_us, entry), now)?);
            if grew {
                follow.extend(groups_of(tx, verified.user())?);
            }
            Ok::<_, Failure>(follow)
        })?;
        self.follow_up(state, follow);
        Ok(())
    }

    pub(crate) fn show_person(&self, state: &State, user: &UserAddress) {
        if let Ok(card) = self.person_card(state, user) {
            self.tell(News::Person(card));
        }
    }

    /// Question `person.card`.
    pub(crate) fn person_card(&self, state: &State, user: &UserAddress) -> Outcome<PersonCard> {
        let person = state.store()?.read(|tx| match unchecked_request(tx, user)? {
            Some(object) => Ok(claimed_person(&object)),
            None => get_person(tx, user),
        })?;
        Ok(card_of(state, &person))
    }

    /// Question `person.list`.
    pub(crate) fn person_list(&self) -> Outcome<Vec<PersonCard>> {
        let state = self.state();
        let persons: Vec<(String, Person)> = state.store()?.read(|tx| tx.list(kind::PERSON)).map_err(Failure::store)?;
        // Who is only in a group with us is shown there.
        let known = persons.iter().filter(|(_, person)| person.contact != ContactState::Met);
        Ok(known.map(|(_, person)| card_of(&state, person)).collect())
    }
}

/// What somebody showed who is verified now, with their history as it stands.
struct Shown<'a> {
    name: &'a str,
    evidence: &'a identity::Evidence,
    chain: identity::Sigchain,
}

impl Shown<'_> {
    /// Becomes what is known of the person. Says whether their history grew.
    fn to(
        self,
        tx: &Tx<'_>,
        pins: &mut identity::PinBook,
        person: &mut Person,
        (verified, told): (&identity::VerifiedIdentity, &mut Vec<key_changes::Told>),
        now: i64,
    ) -> Outcome<bool> {
        person.name = display_name(self.name, verified);
        person.persona = Some(verified.persona().to_string());
        told.extend(key_changes::differences(&person.chain, &self.chain, pins, now / 1000));
        let grew = !person.chain.is_empty() && self.chain.entries().len() > person.chain.len();
        saw_chain(person, &self.chain)?;
        key_changes::mark(tx, person, told, now)?;
        if person.compared_at.is_some() {
            pins.compared(&verified.persona());
        }
        let state = trust_state(verified);
        person.identity = Some(identity_line(verified.primary(), verified, state, now));
        person.issuers = verified.attested().iter().map(|one| identity_line(one, verified, state, now)).collect();
        person.tokens.clone_from(&self.evidence.tokens);
        person.renewals.clone_from(&self.evidence.renewals);
        restate(person);
        Ok(grew)
    }
}

/// Somebody in a group is verified: what is known of them, and whether their history grew.
pub(crate) fn show_verified(
    tx: &Tx<'_>,
    pins: &mut identity::PinBook,
    person: &mut Person,
    verified: &identity::VerifiedIdentity,
    introduction: &Introduction,
    now: i64,
) -> Outcome<(Vec<key_changes::Told>, bool)> {
    let mut told = key_changes::resets(pins, verified);
    pins.remember(verified, now / 1000);
    let chain =
        settling::theirs(&introduction.evidence.chain, pins, now / 1000).map_err(|e| Failure::new("bad-chain", e))?;
    let shown = Shown { name: &introduction.name, evidence: &introduction.evidence, chain };
    let grew = shown.to(tx, pins, person, (verified, &mut told), now)?;
    Ok((told, grew))
}

fn card_of(state: &State, person: &Person) -> PersonCard {
    let pins = state.store().and_then(|store| store.read(settling::pins).map_err(Failure::store)).unwrap_or_default();
    PersonCard {
        user: person.user.handle(),
        name: name_of(person),
        contact: person.contact,
        identity: person.identity.clone(),
        issuers: person.issuers.clone(),
        devices: devices_of(&person.chain, &pins, now_ms() / 1000),
        compared_at: person.compared_at,
        change: person.change.clone(),
        reached_by: state.links.reached_by(&person.user.domain()),
        chat: person.chat.as_ref().map(ToString::to_string),
    }
}

/// The open request of somebody whose claim to be this user could not be checked yet.
pub(crate) fn unchecked_request(tx: &Tx<'_>, user: &UserAddress) -> Outcome<Option<Object>> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    Ok(objects.into_iter().map(|(_, object)| object).find(|o| o.peer == *user && o.is_unchecked_request()))
}

/// What is shown of somebody who is not checked: the address they claim, and nothing else.
pub(crate) fn claimed_person(object: &Object) -> Person {
    Person { contact: ContactState::Request, chat: Some(object.url.clone()), ..stranger(&object.peer) }
}

pub(crate) fn is_accepted(tx: &Tx<'_>, user: &UserAddress) -> Outcome<bool> {
    let known = find_person(tx, user)?;
    Ok(known.is_some_and(|person| person.contact == ContactState::Accepted))
}

/// How a person is called: their address until they are verified.
pub(crate) fn name_of(person: &Person) -> String {
    if person.name.is_empty() { person.user.handle() } else { person.name.clone() }
}

/// What follows when the other side is who they say.
fn after_verification(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    person: &mut Person,
    (invited_us, entry): (bool, Entry),
    now: i64,
) -> Outcome<Vec<Follow>> {
    let url = object.url.clone();
    let mut follow = vec![Follow::PersonShown(person.user.clone())];
    match (invited_us, object.purpose, entry) {
        // They accepted our invitation: all that waited may flow.
        (false, purpose, _) => {
            object.standing = Standing::Open;
            put_object(tx, object)?;
            if purpose == ObjectUse::Chat {
                person.contact = ContactState::Accepted;
            }
            put_person(tx, person)?;
            if purpose == ObjectUse::Chat {
                system_row(tx, object, "contact-accepted", &[], now)?;
                identity_row(tx, object, person, now)?;
            }
            flush(tx, me, object)?;
            follow.extend(release_held(tx, me, &url, now)?);
            follow.extend(pumps(object));
            follow.push(Follow::Reconcile(url.clone()));
            follow.push(Follow::ChatShown(url));
        }
        // Another device of ours has said yes.
        (true, ObjectUse::Chat, Entry::Ask) if object.answered_by.is_some() => {
            put_object(tx, object)?;
            put_person(tx, person)?;
            follow.extend(open_as_observer(tx, me, &url, Accepting::Elsewhere, now)?);
        }
        // Somebody new wants to write to us: a person decides.
        (true, ObjectUse::Chat, Entry::Ask) => {
            object.standing = Standing::Request;
            person.contact = ContactState::Request;
            person.chat = Some(url.clone());
            put_object(tx, object)?;
            put_person(tx, person)?;
            identity_row(tx, object, person, now)?;
            follow.push(Follow::ChatShown(url));
        }
        // Somebody asks to be let into a group by a link of ours.
        (true, ObjectUse::Door, _) => follow.extend(doors::come_in(tx, me, object, person, now)?),
        // A known contact opens another object.
        (true, ..) => {
            put_object(tx, object)?;
            put_person(tx, person)?;
            follow.extend(open_as_observer(tx, me, &url, Accepting::Here, now)?);
        }
    }
    Ok(follow)
}

/// Which device of ours says that we observe an object.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Accepting {
    /// This one, with its own introduction.
    Here,
    /// Another one said it.
    Elsewhere,
}

/// Another device of ours accepted an invitation: it counts here as well.
pub(crate) fn accepted_elsewhere(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let device = keys::VerifyingKey::parse(&author.device).map_err(|e| Failure::new("malformed", e))?;
    me.chain.device(&device, now / 1000).map_err(|e| Failure::new("wrong-author", e))?;
    match &object.standing {
        Standing::Request => open_as_observer(tx, me, &object.url, Accepting::Elsewhere, now),
        Standing::Verifying { .. } if object.purpose == ObjectUse::Chat => {
            object.answered_by = Some(author.device.clone());
            put_object(tx, object)?;
            Ok(Vec::new())
        }
        _ => Ok(Vec::new()),
    }
}

/// We observe an object from now on, and say so with our own introduction.
fn open_as_observer(tx: &Tx<'_>, me: &Ready, url: &Address, accepting: Accepting, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    if object.circle.is_some() {
        return crate::circle::open(tx, me, url, accepting == Accepting::Here, now);
    }
    let mut person = get_person(tx, &object.peer)?;
    if accepting == Accepting::Here {
        seal_and_queue(tx, me, &object, &acceptance_message(me, url)?, None)?;
    }
    object.standing = Standing::Open;
    object.at = now;
    put_object(tx, &object)?;
    let mut follow = Vec::new();
    if object.purpose == ObjectUse::Chat {
        person.contact = ContactState::Accepted;
        person.chat = Some(url.clone());
        put_person(tx, &person)?;
        system_row(tx, &mut object, "contact-accepted", &[], now)?;
        put_object(tx, &object)?;
    }
    let Side::Observer(observer) = &object.side else {
        return Err(Failure::new("malformed", "the object is our own"));
    };
    let invitation = json!({
        "schema": object.schema, "value": observer.value(), "version": observer.version(),
        "source": object.peer, "identity": identity_of(&person),
    });
    follow.push(Follow::Tell {
        to: hyperty_of(me, object.purpose),
        kind: MessageType::Create,
        from: below(url, "subscription")?,
        body: body(&invitation),
    });
    flush(tx, me, &object)?;
    follow.extend(release_held(tx, me, url, now)?);
    follow.extend(pumps(&object));
    follow.push(Follow::PersonShown(person.user.clone()));
    follow.push(Follow::ChatShown(url.clone()));
    Ok(follow)
}

/// Seals and queues what was written before both sides were verified.
pub(crate) fn flush(tx: &Tx<'_>, me: &Ready, object: &Object) -> Outcome<()> {
    if may_send(tx, object).is_err() {
        // It stays queued until the person has decided.
        return Ok(());
    }
    let author = row_author(&me.record.user, &own_tag(me));
    for row in tx.children_in(object.url.as_str(), ChildState::Queued)?.iter().filter(|row| row.author == author) {
        let child: ChildValue = serde_json::from_str(&row.value).map_err(|e| Failure::new("malformed", e))?;
        let value = crate::chat::sent_again(tx, child.value)?;
        let inner = child_message(me, object, &row.id, row.seq.unsigned_abs(), row.at, &value)?;
        seal_and_queue(tx, me, object, &inner, Some(&row.id))?;
    }
    // The invitation carried version 0; what was changed since goes now.
    if let Side::Reporter(reporter) = &object.side
        && let sync::Since::Changes(changes) = reporter.since(0)
    {
        for change in changes {
            let inner = inner_message(MessageType::Update, &object.url, "changes", &change)?;
            seal_and_queue(tx, me, object, &inner, None)?;
        }
    }
    Ok(())
}

/// A line about what happened, kept as a child of nobody.
pub(crate) fn system_row(
    tx: &Tx<'_>,
    object: &mut Object,
    code: &str,
    details: &[(&str, &str)],
    now: i64,
) -> Outcome<String> {
    object.system_lines += 1;
    let seq = object.system_lines;
    let id = format!("{}/system/{seq}", object.url);
    let value = ChildValue {
        value: json!({ "type": "system", "code": code }),
        detail: detail(details),
        mark: TrustMark::Introduced,
        after: Default::default(),
    };
    let row = ChildRow {
        id: id.clone(),
        object: object.url.to_string(),
        author: SYSTEM.into(),
        seq: seq as i64,
        at: now,
        state: ChildState::Received,
        value: serde_json::to_string(&value).unwrap_or_default(),
        mine: false,
        unread: code == CALL_MISSED || code == GUEST_WAITS,
        ..ChildRow::default()
    };
    tx.add_child(&row).map_err(Failure::store)?;
    Ok(id)
}

/// A line about what happened that waits to be read.
pub(crate) const CALL_MISSED: &str = "call-missed";

/// Another one: somebody wants into a group, and a person has to say so.
pub(crate) const GUEST_WAITS: &str = "group-guest-waits";

/// The author of lines about what happened.
pub(crate) const SYSTEM: &str = "system";

fn identity_row(tx: &Tx<'_>, object: &mut Object, person: &Person, now: i64) -> Outcome<()> {
    let host = person.identity.as_ref().map_or("", |line| line.vouched_by.as_str());
    system_row(tx, object, "identity-checked", &[("detail", host)], now)?;
    put_object(tx, object)
}

impl Home {
    /// Adds a line about what happened and shows it.
    pub(crate) fn system_line(&self, url: &Address, code: &str, details: &[(&str, &str)]) -> Outcome<()> {
        let mut state = self.state();
        let id = state.store()?.write(|tx| {
            let mut object = get_object(tx, url)?;
            let id = system_row(tx, &mut object, code, details, now_ms())?;
            object.at = now_ms();
            put_object(tx, &object)?;
            Ok::<_, Failure>(id)
        })?;
        self.follow_up(&mut state, vec![Follow::ChildShown(id), Follow::ChatShown(url.clone())]);
        Ok(())
    }

    /// Calls a method of the chat Hyperty.
    pub(crate) async fn execute_chat(&self, method: &str, params: Value) -> Outcome<Value> {
        let to = self.state().me()?.record.chat.clone();
        self.execute(to, method, params).await
    }

    /// Calls a method of a Hyperty and waits for its value.
    pub(crate) async fn execute(&self, to: Address, method: &str, params: Value) -> Outcome<Value> {
        self.hyperty_there(&to).await?;
        let from = self.state().core_address("ua")?;
        let call = json!({ "method": method, "params": params });
        let answer = self
            .request(MessageType::Execute, from, to, Body::of(&call).map_err(|e| Failure::new("malformed", e))?)
            .await;
        if answer.code.is_success() {
            return Ok(answer.value);
        }
        let code = answer.value.get("trouble").and_then(Value::as_str).map(str::to_owned);
        let code = code.unwrap_or_else(|| match answer.code {
            Code::TIMEOUT | Code::NOT_FOUND | Code::UNAVAILABLE | Code::TOO_MANY => "stub-crashed".into(),
            code => format!("hyperty-{}", code.0),
        });
        Err(Failure::new(code, answer.description.unwrap_or_default()))
    }
}

pub(crate) fn get_or_new(tx: &Tx<'_>, user: &UserAddress) -> Outcome<Person> {
    let known = find_person(tx, user)?;
    Ok(known.unwrap_or_else(|| stranger(user)))
}

fn stranger(user: &UserAddress) -> Person {
    Person {
        user: user.clone(),
        name: String::new(),
        contact: ContactState::Asked,
        persona: None,
        identity: None,
        issuers: Vec::new(),
        chain: Vec::new(),
        tokens: Vec::new(),
        renewals: Vec::new(),
        compared_at: None,
        change: None,
        next: None,
        chat: None,
        before_block: None,
    }
}

/// How many strangers wait for an answer.
pub(crate) fn open_requests(tx: &Tx<'_>) -> Outcome<usize> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    // Who waits at the door of a group is counted with the link by which they came.
    let waits = |object: &Object| {
        let asks = matches!(object.standing, Standing::Request) && object.purpose != ObjectUse::Door;
        (asks || matches!(object.standing, Standing::Verifying { .. })) && matches!(object.side, Side::Observer(_))
    };
    Ok(objects.iter().filter(|(_, object)| waits(object)).count())
}

/// What I show of myself.
pub(crate) fn my_evidence(me: &Ready) -> identity::Evidence {
    identity::Evidence {
        user: me.record.user.clone(),
        inbox: Some(me.record.inbox.clone()),
        tokens: me.record.tokens.clone(),
        chain: me.record.chain.clone(),
        device: me.dsk.verifying_key(),
        renewals: me.record.renewals.clone(),
    }
}

pub(crate) fn trust_state(verified: &identity::VerifiedIdentity) -> TrustState {
    match verified.pin_state() {
        identity::PinState::Verified => TrustState::Verified,
        identity::PinState::New | identity::PinState::Introduced => TrustState::Introduced,
    }
}

pub(crate) fn identity_line(
    word: &identity::Attested,
    verified: &identity::VerifiedIdentity,
    state: TrustState,
    now: i64,
) -> IdentityLine {
    let issuer = word.subject.issuer.clone();
    IdentityLine {
        vouched_by: host_of(&issuer),
        issuer,
        checked_at: now,
        attested_at: word.at * 1000,
        fresh: verified.is_fresh(),
        state,
    }
}

/// An issuer as people read it: its host name.
pub(crate) fn host_of(issuer: &str) -> String {
    let host = url::Url::parse(issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    host.unwrap_or_else(|| issuer.to_owned())
}

/// The name a person gave themselves, bounded and without tricks of direction or lines.
fn display_name(said: &str, verified: &identity::VerifiedIdentity) -> String {
    plain::name(said, 64).or_else(|| verified.display().name.clone()).unwrap_or_default()
}
