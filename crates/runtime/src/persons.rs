//! Other people: found by address, introduced, verified and accepted.

use contract::{ContactState, FoundPerson, IdentityLine, News, PersonCard, TrustState};
use message::{Address, Body, Code, MessageType, UserAddress};
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};

use crate::asking;
use crate::gate::{self, Entry};
use crate::home::{Home, Ready, State, body, detail, now_ms, now_u64};
use crate::inbox::{WaitingEvidence, hyperty_of, identity_of, release_held};
use crate::objects::{
    Follow, acceptance_message, below, child_message, get_object, get_person, inner_message, put_object, put_person,
    seal_and_queue,
};
use crate::patience::{dice, pause_after, pause_when_back};
use crate::records::{ChildValue, Object, ObjectUse, Person, Side, Standing, kind};
use crate::trouble::{Failure, Outcome};

/// An issuer's keys are used this long without asking again (trust.md, 2.4).
const KEYS_FRESH_MS: i64 = 60 * 60 * 1000;

/// While an issuer may not be asked for a stranger, its keys are used this long (trust.md, 2.4).
const KEYS_GOOD_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// An unknown key makes us ask the issuer again, but not more often than this.
const KEYS_REFETCH_MS: i64 = 5_000;

/// The one record of pins.
const PINS: &str = "pins";

/// Failed attempts to reach an issuer after which the person is told that the check takes longer.
const SHOWN_AFTER: u32 = 2;

/// What a registry says of a person.
pub(crate) struct RegistryEntry {
    pub(crate) persona: String,
    pub(crate) inbox: Address,
    pub(crate) key_package: Vec<u8>,
    pub(crate) chain: identity::Sigchain,
}

#[derive(Deserialize)]
struct RegistryValue {
    user: UserAddress,
    persona: String,
    inbox: Address,
    #[serde(rename = "keyPackage")]
    key_package: String,
    chain: Vec<String>,
}

impl Home {
    /// Looks a person up in their domain's registry, through their domain's stub.
    pub(crate) async fn look_up(&self, user: &UserAddress) -> Outcome<RegistryEntry> {
        let domain = user.domain();
        let from = self.domain_ready(&domain, Some(user.handle())).await?;
        let registry =
            Address::parse(&format!("domain://registry.{domain}")).map_err(|e| Failure::new("bad-address", e))?;
        let answer = self.request(MessageType::Read, from, registry, body(&json!({ "resource": user }))).await;
        match answer.code {
            Code::OK => {}
            Code::NOT_FOUND => return Err(Failure::new("not-found", "nobody has this address")),
            code => return Err(Failure::new("domain-unreachable", format!("the registry answered {}", code.0))),
        }
        let value: RegistryValue = serde_json::from_value(answer.value).map_err(|e| Failure::new("malformed", e))?;
        if value.user != *user || value.inbox.domain() != domain {
            return Err(Failure::new("malformed", "the registry answered for somebody else"));
        }
        let key_package = keys::from_b64url(&value.key_package).map_err(|e| Failure::new("malformed", e))?;
        let chain = identity::Sigchain::parse(&value.chain).map_err(|e| Failure::new("bad-chain", e))?;
        Ok(RegistryEntry { persona: value.persona, inbox: value.inbox, key_package, chain })
    }

    /// Question `person.find`.
    pub(crate) async fn find(&self, text: &str) -> Outcome<FoundPerson> {
        let user = UserAddress::parse(text).map_err(|e| Failure::new("bad-address", e))?;
        if self.state().me()?.record.user == user {
            return Err(Failure::new("yourself", "this is your own address"));
        }
        self.look_up(&user).await?;
        let state = self.state();
        let person: Option<Person> =
            state.store()?.read(|tx| tx.get(kind::PERSON, user.address().as_str())).map_err(Failure::store)?;
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
            let person: Option<Person> =
                state.store()?.read(|tx| tx.get(kind::PERSON, user.address().as_str())).map_err(Failure::store)?;
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
        let entry = self.look_up(user).await?;
        if Some(&entry.persona) != persona.as_ref() {
            return Err(Failure::new("wrong-person", "the address belongs to somebody else at its domain"));
        }
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let follow = store.write(|tx| open_as_observer(tx, me, &chat, now_ms()))?;
        self.follow_up(state, follow);
        Ok(())
    }

    /// Checks the evidence of an object's other side in a task of its own, for as long as it takes.
    pub(crate) fn verify_later(&self, url: Address) {
        let home = self.clone();
        self.rooms.tasks.start("verify", async move {
            let mut failures = 0;
            loop {
                let back = home.rooms.network.notified();
                tokio::pin!(back);
                back.as_mut().enable();
                match home.verify(&url).await {
                    Ok(()) => return,
                    Err(failure) if is_temporary(&failure) => {
                        failures += 1;
                        tracing::info!(code = failure.code, failures, "an identity is not checked yet");
                        if failures == SHOWN_AFTER || failure.code == "issuer-not-asked" {
                            home.show_unchecked(&url, &failure);
                        }
                    }
                    Err(failure) => {
                        tracing::info!(code = failure.code, "an identity was refused");
                        home.refuse(&url, &failure);
                        return;
                    }
                }
                tokio::select! {
                    () = tokio::time::sleep(pause_after(failures, dice())) => {}
                    () = back => tokio::time::sleep(pause_when_back(dice())).await,
                }
            }
        });
    }

    /// The check takes longer than a moment: the person sees that, and why.
    fn show_unchecked(&self, url: &Address, failure: &Failure) {
        let mut state = self.state();
        let shown = state.store().and_then(|store| {
            store.write(|tx| {
                let mut object = get_object(tx, url)?;
                let Standing::Verifying { evidence } = &object.standing else { return Ok(Vec::new()) };
                if object.purpose != ObjectUse::Chat || object.unchecked.is_some() {
                    return Ok(Vec::new());
                }
                let waiting: WaitingEvidence =
                    serde_json::from_str(evidence).map_err(|e| Failure::new("malformed", e))?;
                if waiting.invited_us && is_accepted(tx, &object.peer)? {
                    // A contact's next object; nothing of it is a request.
                    return Ok(Vec::new());
                }
                object.unchecked = Some(failure.code.clone());
                let id = system_row(tx, &mut object, "identity-waiting", &[], now_ms())?;
                put_object(tx, &object)?;
                Ok(vec![Follow::ChildShown(id), Follow::ChatShown(url.clone())])
            })
        });
        match shown {
            Ok(follow) => self.follow_up(&mut state, follow),
            Err(failure) => tracing::warn!(code = failure.code, "what waits could not be shown"),
        }
    }

    /// All of trust.md 2.3 for the other side of an object.
    async fn verify(&self, url: &Address) -> Outcome<()> {
        let (waiting, device, persona, pins) = {
            let state = self.state();
            let store = state.store()?;
            let object = store.read(|tx| get_object(tx, url))?;
            let Standing::Verifying { evidence } = &object.standing else { return Ok(()) };
            let waiting: WaitingEvidence = serde_json::from_str(evidence).map_err(|e| Failure::new("malformed", e))?;
            let pins: identity::PinBook = store.read(|tx| tx.get(kind::PINS, PINS))?.unwrap_or_default();
            (waiting, object.peer_device, object.peer_persona, pins)
        };
        let device = device.and_then(|text| keys::VerifyingKey::parse(&text).ok());
        let device = device.ok_or_else(|| Failure::new("wrong-author", "the group names no device"))?;
        let table = self.issuer_table();
        // Whoever came to us chose this domain.
        let stranger = waiting.invited_us.then(|| waiting.evidence.user.domain());
        if stranger.as_ref().is_some_and(|domain| !asking::is_reachable(domain, &self.rooms.config.net.localhost)) {
            return Err(Failure::new("private-address", "the domain is on this machine, and nobody set it up here"));
        }
        let verified = self.verify_evidence(&waiting.evidence, &table, Some(&device), &pins, stranger.as_ref()).await?;
        if persona.is_some_and(|persona| persona != verified.persona().to_string()) {
            return Err(Failure::new("wrong-person", "another persona answered than the one that was invited"));
        }
        self.verified(url, &waiting, &verified)
    }

    /// Checks evidence with the issuers' keys, which are fetched from the issuers themselves;
    /// for a stranger only so often.
    pub(crate) async fn verify_evidence(
        &self,
        evidence: &identity::Evidence,
        table: &identity::IssuerTable,
        leaf: Option<&keys::VerifyingKey>,
        pins: &identity::PinBook,
        stranger: Option<&message::Domain>,
    ) -> Outcome<identity::VerifiedIdentity> {
        let net = self.rooms.net.clone();
        let domain_issuer =
            move |domain: &message::Domain| net.origin(domain).as_str().trim_end_matches('/').to_owned();
        for issuer in evidence.issuers(table, &domain_issuer) {
            self.learn_issuer_keys(&issuer, KEYS_FRESH_MS, stranger).await?;
        }
        let policy = identity::Policy::default();
        let mut asked_again = false;
        loop {
            let jwks = self.jwks_book()?;
            let checked = {
                let context = identity::Context {
                    now: now_ms() / 1000,
                    table,
                    domain_issuer: &domain_issuer,
                    jwks: &jwks,
                    pins,
                    policy: &policy,
                    leaf,
                };
                identity::verify(evidence, &context)
            };
            match checked {
                // The issuer may have new keys: ask once more.
                Err(identity::VerifyError::NeedsJwks { issuer }) if !asked_again => {
                    asked_again = true;
                    self.learn_issuer_keys(&issuer, KEYS_REFETCH_MS, stranger).await?;
                }
                result => return result.map_err(|e| Failure::new(e.code(), e)),
            }
        }
    }

    fn verified(&self, url: &Address, waiting: &WaitingEvidence, verified: &identity::VerifiedIdentity) -> Outcome<()> {
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
            let entry = gate::admit_verified(policy, now_u64(), verified.user(), object.purpose, waiting.invited_us)?;
            let mut pins: identity::PinBook = tx.get(kind::PINS, PINS)?.unwrap_or_default();
            pins.remember(verified, now / 1000);
            tx.put(kind::PINS, PINS, &pins)?;
            object.peer_persona = Some(verified.persona().to_string());
            object.unchecked = None;
            let mut person = get_or_new(tx, verified.user())?;
            person.name = display_name(&waiting.name, verified);
            person.persona = Some(verified.persona().to_string());
            person.inbox = waiting.evidence.inbox.clone();
            person.devices = vec![verified.device().name.clone()];
            person.identity = Some(identity_line(verified, now));
            after_verification(tx, me, &mut object, &mut person, (waiting.invited_us, entry), now)
        })?;
        self.follow_up(state, follow);
        Ok(())
    }

    /// An identity that does not hold, or that the policy does not let in: the object ends with the
    /// reason, and the person is told if they waited for it.
    fn refuse(&self, url: &Address, failure: &Failure) {
        let mut state = self.state();
        let state = &mut *state;
        let Some(store) = &state.store else { return };
        let done = store.write(|tx| {
            let mut object = get_object(tx, url)?;
            if !matches!(object.standing, Standing::Verifying { .. }) {
                // They were blocked meanwhile: nobody waits for this any more.
                return Ok(None);
            }
            object.standing = Standing::Closed { reason: failure.code.clone() };
            object.held.clear();
            put_object(tx, &object)?;
            // A stranger whom nobody asked for must not fill the window with their failures.
            let awaited = matches!(object.side, Side::Reporter(_)) || is_accepted(tx, &object.peer)?;
            Ok::<_, Failure>(Some((object, awaited)))
        });
        if let Ok(Some((object, awaited))) = done {
            if awaited {
                self.tell(News::Trouble(failure.into()));
            }
            self.follow_up(state, vec![Follow::ObjectClosed { url: object.url.clone(), reason: failure.code.clone() }]);
        }
    }

    /// The issuers that may speak for anybody; a domain's own speaks for its names besides.
    pub(crate) fn issuer_table(&self) -> identity::IssuerTable {
        let mut table = identity::IssuerTable::new();
        for listed in &self.rooms.config.issuers {
            let entry = identity::IssuerEntry {
                client_ids: vec![listed.client_id.clone()],
                ..identity::IssuerEntry::new(&listed.issuer)
            };
            if let Err(error) = table.add(entry) {
                tracing::warn!(%error, "a listed issuer is left out");
            }
        }
        table
    }

    fn jwks_book(&self) -> Outcome<identity::JwksBook> {
        let state = self.state();
        Ok(state.store()?.read(|tx| tx.get(kind::ISSUER_KEYS, "book"))?.unwrap_or_default())
    }

    /// Learns the keys of an issuer from the issuer itself, never from a peer.
    ///
    /// Keys once seen stay, so an issuer that is down changes nothing for those it vouched for (trust.md, 2.4).
    async fn learn_issuer_keys(&self, issuer: &str, fresh_ms: i64, stranger: Option<&message::Domain>) -> Outcome<()> {
        let last = self.jwks_book()?.last_seen(issuer);
        let younger = |than: i64| last.is_some_and(|seen| now_ms() - seen * 1000 < than);
        if younger(fresh_ms) {
            return Ok(());
        }
        if let Some(domain) = stranger
            && !self.state().asking.may_ask(domain, now_ms())
        {
            let good = fresh_ms == KEYS_FRESH_MS && younger(KEYS_GOOD_MS);
            let later = || Failure::new("issuer-not-asked", "too many strangers of that domain; it is asked later");
            return if good { Ok(()) } else { Err(later()) };
        }
        match signin::fetch_jwks(&self.rooms.net, issuer).await {
            Ok(keys) => {
                let state = self.state();
                state.store()?.write(|tx| {
                    let mut book: identity::JwksBook = tx.get(kind::ISSUER_KEYS, "book")?.unwrap_or_default();
                    book.learn(issuer, &keys.jwks, now_ms() / 1000);
                    tx.put(kind::ISSUER_KEYS, "book", &book)?;
                    Ok::<_, Failure>(())
                })
            }
            Err(_) if last.is_some() => Ok(()),
            Err(error) => Err(Failure::new("issuer-unreachable", error)),
        }
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
        Ok(persons.iter().map(|(_, person)| card_of(&state, person)).collect())
    }
}

fn card_of(state: &State, person: &Person) -> PersonCard {
    PersonCard {
        user: person.user.handle(),
        name: name_of(person),
        contact: person.contact,
        identity: person.identity.clone(),
        devices: person.devices.clone(),
        reached_by: state.links.reached_by(&person.user.domain()),
        chat: person.chat.as_ref().map(ToString::to_string),
    }
}

/// Whether trying again later may help.
fn is_temporary(failure: &Failure) -> bool {
    matches!(failure.code.as_str(), "issuer-unreachable" | "issuer-not-asked")
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

fn is_accepted(tx: &Tx<'_>, user: &UserAddress) -> Outcome<bool> {
    let known: Option<Person> = tx.get(kind::PERSON, user.address().as_str()).map_err(Failure::store)?;
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
            flush(tx, me, object, person)?;
            follow.extend(release_held(tx, me, &url, now)?);
            follow.push(Follow::Pump(person.user.domain()));
            follow.push(Follow::ChatShown(url));
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
        // A known contact opens another object.
        (true, ..) => {
            put_object(tx, object)?;
            put_person(tx, person)?;
            follow.extend(open_as_observer(tx, me, &url, now)?);
        }
    }
    Ok(follow)
}

/// We observe an object from now on, and say so with our own introduction.
fn open_as_observer(tx: &Tx<'_>, me: &Ready, url: &Address, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let mut person = get_person(tx, &object.peer)?;
    seal_and_queue(tx, me, &object, &person, &acceptance_message(me, url)?, None)?;
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
    flush(tx, me, &object, &person)?;
    follow.extend(release_held(tx, me, url, now)?);
    follow.push(Follow::Pump(person.user.domain()));
    follow.push(Follow::PersonShown(person.user.clone()));
    follow.push(Follow::ChatShown(url.clone()));
    Ok(follow)
}

/// Seals and queues what was written before both sides were verified.
fn flush(tx: &Tx<'_>, me: &Ready, object: &Object, person: &Person) -> Outcome<()> {
    for row in tx.children_in(object.url.as_str(), ChildState::Queued)?.iter().filter(|row| row.mine) {
        let child: ChildValue = serde_json::from_str(&row.value).map_err(|e| Failure::new("malformed", e))?;
        let inner = child_message(me, object, &row.id, row.seq.unsigned_abs(), row.at, &child.value)?;
        seal_and_queue(tx, me, object, person, &inner, Some(&row.id))?;
    }
    // The invitation carried version 0; what was changed since goes now.
    if let Side::Reporter(reporter) = &object.side
        && let sync::Since::Changes(changes) = reporter.since(0)
    {
        for change in changes {
            let inner = inner_message(MessageType::Update, &object.url, "changes", &change)?;
            seal_and_queue(tx, me, object, person, &inner, None)?;
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
    let value = ChildValue { value: json!({ "type": "system", "code": code }), detail: detail(details) };
    let row = ChildRow {
        id: id.clone(),
        object: object.url.to_string(),
        author: SYSTEM.into(),
        seq: seq as i64,
        at: now,
        state: ChildState::Received,
        value: serde_json::to_string(&value).unwrap_or_default(),
        mine: false,
        unread: code == CALL_MISSED,
        ..ChildRow::default()
    };
    tx.add_child(&row).map_err(Failure::store)?;
    Ok(id)
}

/// The only line about what happened that waits to be read.
pub(crate) const CALL_MISSED: &str = "call-missed";

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
    let known = tx.get(kind::PERSON, user.address().as_str()).map_err(Failure::store)?;
    Ok(known.unwrap_or_else(|| stranger(user)))
}

fn stranger(user: &UserAddress) -> Person {
    Person {
        user: user.clone(),
        name: String::new(),
        contact: ContactState::Asked,
        persona: None,
        identity: None,
        inbox: None,
        devices: Vec::new(),
        chat: None,
        before_block: None,
    }
}

/// How many strangers wait for an answer.
pub(crate) fn open_requests(tx: &Tx<'_>) -> Outcome<usize> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    let waits = |object: &Object| {
        matches!(object.standing, Standing::Verifying { .. } | Standing::Request)
            && matches!(object.side, Side::Observer(_))
    };
    Ok(objects.iter().filter(|(_, object)| waits(object)).count())
}

/// A leaf's credential holds by itself: its device is named by its persona's chain.
///
/// Who the persona is, is checked with the introduction; here only that the key
/// that signs in the group belongs to it. Returns the device key.
pub(crate) fn check_leaf(
    member: &seal::Member,
    known: Option<(&str, &identity::Sigchain)>,
    now: i64,
) -> Result<String, String> {
    let credential = identity::DeviceCredential::decode(&member.credential).map_err(|e| e.to_string())?;
    match known {
        Some((persona, chain)) => {
            credential.check(chain, &member.dsk, now / 1000).map_err(|e| e.to_string())?;
            if credential.persona().to_string() != persona {
                return Err("the key package is of another persona".into());
            }
        }
        None => {
            let device = credential.device();
            if *device.dsk() != member.dsk || device.expires() <= now / 1000 {
                return Err("the leaf is not the device its certificate names".into());
            }
        }
    }
    Ok(member.dsk.to_string())
}

/// What I show of myself.
pub(crate) fn my_evidence(me: &Ready) -> identity::Evidence {
    identity::Evidence {
        user: me.record.user.clone(),
        inbox: Some(me.record.inbox.clone()),
        tokens: me.record.tokens.clone(),
        chain: me.record.chain.clone(),
        device: me.dsk.verifying_key(),
    }
}

fn identity_line(verified: &identity::VerifiedIdentity, now: i64) -> IdentityLine {
    let issuer = verified.issuer().to_owned();
    let host = url::Url::parse(&issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    IdentityLine {
        vouched_by: host.unwrap_or_else(|| issuer.clone()),
        issuer,
        checked_at: now,
        attested_at: verified.attested_at() * 1000,
        state: TrustState::Introduced,
    }
}

/// The name a person gave themselves, bounded and without tricks of direction or lines.
fn display_name(said: &str, verified: &identity::VerifiedIdentity) -> String {
    let clean: String = said.chars().filter(|c| !c.is_control() && !is_invisible(*c)).take(64).collect();
    let clean = clean.trim().to_owned();
    if clean.is_empty() { verified.display().name.clone().unwrap_or_default() } else { clean }
}

/// Characters that change the direction of text or take no room, used to imitate other names.
fn is_invisible(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
}
