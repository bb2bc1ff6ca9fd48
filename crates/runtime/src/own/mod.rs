//! What the devices of one person tell each other: who we are, what was said so far, and what was decided.
//!
//! One data object (`ctxt://`), sealed like every other, with the own devices as its members. A new device gets
//! contacts and conversations here, page by page: it says how far it is, and gets what follows. Nothing is
//! remembered about it by the one that sends, so either side may start again at any time.

mod copy;

use keys::sealed_box::{BoxKey, BoxPublic};
use message::{Address, Message, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use store::Tx;
use zeroize::Zeroizing;

use crate::chat::{self, Marks};
use crate::home::{Home, Ready, State, now_ms};
use crate::members::{Author, Chains, Named, persona_of};
use crate::muting;
use crate::objects::Follow;
use crate::records::{Me, Object, ObjectUse, Person, Side, Standing, kind};
use crate::sending::{
    Introduced, find_object, find_person, get_object, inner_message, pumps, put_object, put_person, seal_and_queue,
};
use crate::settling;
use crate::trouble::{Failure, Outcome};

pub(crate) use copy::Cursor;
use copy::{on_page, send_packages, send_page};

/// The one record of how far a copy is.
pub(crate) const COPY: &str = "copy";

/// Work about the own devices that follows a committed change.
pub(crate) enum OwnStep {
    /// New devices are in the object of the own devices: they are told who we are.
    Joined,
    /// A device has what it needs to be invited into conversations.
    Packages { device: String, packages: Vec<Vec<u8>> },
    /// A device has the whole history: conversations may follow.
    Copied { device: String },
    /// How far a copy is, for the person.
    Progress { done: u32, total: u32 },
    /// On a new device: everything is here.
    Arrived,
    /// Our other devices hear what we decided about a person.
    Person(UserAddress),
    /// Our other devices hear of a new contact link.
    ContactCode,
    /// Another device of ours looked at missed calls, up to this moment.
    SeenThere { until: i64 },
    /// Our other devices hear that missed calls were looked at, up to this moment.
    CallsSeen { until: i64 },
    /// Our other devices hear how long a conversation is quiet.
    Mute(Address),
    /// Our other devices hear that we read a conversation.
    Read { chat: Address, have: Marks },
}

/// Who we are, for a new device of ours.
#[derive(Serialize, Deserialize)]
pub(crate) struct Bundle {
    pub(crate) user: UserAddress,
    pub(crate) name: String,
    pub(crate) issuer: String,
    /// [`Secrets`] of a device that may use them, sealed to it alone: others of ours may read the rest.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) secrets: Option<String>,
    pub(crate) chain: Vec<String>,
    pub(crate) tokens: Vec<String>,
    #[serde(default)]
    pub(crate) renewals: Vec<String>,
    /// What the person allowed and forbade, so that they are not asked again.
    #[serde(default)]
    pub(crate) rules: policy::Rules,
    /// The code of our contact link.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) contact: Option<crate::brought::Code>,
}

/// What only a device gets that may add and revoke others.
#[derive(Default, Serialize, Deserialize)]
pub(crate) struct Secrets {
    pub(crate) irk: Option<String>,
    pub(crate) recovery: Option<crate::records::Recovery>,
}

/// Binds sealed secrets to what they are.
const SECRETS: &[u8] = b"parlance-device-secrets-v1";

impl Bundle {
    /// The secrets, if they are for whoever holds this key.
    pub(crate) fn secrets_for(&self, key: &BoxKey) -> Option<Secrets> {
        let sealed = keys::from_b64url(self.secrets.as_deref()?).ok()?;
        let plain = Zeroizing::new(key.open(&sealed, SECRETS, self.user.to_string().as_bytes()).ok()?.to_vec());
        serde_json::from_slice(&plain).ok()
    }
}

/// A message of the object of the own devices.
pub(crate) fn on_own(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    part: &str,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    author.own(me, now / 1000)?;
    let malformed = |e: message::MessageError| Failure::new("malformed", e);
    match (inner.kind, part) {
        // A device of ours says where it is.
        (MessageType::Subscribe, "subscription") => {
            let said: Named = inner.body.parse().map_err(malformed)?;
            let chains = Chains::of(tx, me, object)?;
            let named = Named { device: author.device.clone(), user: me.record.user.clone(), inbox: said.inbox };
            object.set_members(tx, me, &chains, &[named], now / 1000)?;
            put_object(tx, object)?;
            Ok(Vec::new())
        }
        (MessageType::Create, "subscription") => introduced_again(tx, me, object, author, inner, now),
        (MessageType::Update, "identity") => {
            #[derive(Deserialize)]
            struct Told {
                entries: Vec<String>,
            }
            let told: Told = inner.body.parse().map_err(malformed)?;
            crate::histories::on_own_chain(tx, me, &told.entries)
        }
        (MessageType::Update, "me") => on_bundle(tx, me, &inner.body.parse().map_err(malformed)?),
        // All of us hear what a new device says; who holds the object answers.
        (MessageType::Read, "copy") | (MessageType::Update, "packages")
            if !matches!(object.side, Side::Reporter(_)) =>
        {
            Ok(Vec::new())
        }
        (MessageType::Read, "copy") => send_page(tx, me, object, &inner.body.parse().map_err(malformed)?, author),
        (MessageType::Update, "copy") => on_page(tx, me, object, inner.body.parse().map_err(malformed)?),
        (MessageType::Read, "packages") => send_packages(tx, me, object, &inner.body.parse().map_err(malformed)?),
        (MessageType::Update, "packages") => {
            #[derive(Deserialize)]
            struct Given {
                packages: Vec<String>,
            }
            let given: Given = inner.body.parse().map_err(malformed)?;
            let packages = given.packages.iter().take(PACKAGES_LIMIT).map(|text| keys::from_b64url(text));
            let packages = packages.collect::<Result<_, _>>().map_err(|e| Failure::new("malformed", e))?;
            Ok(vec![Follow::Own(OwnStep::Packages { device: author.device.clone(), packages })])
        }
        (MessageType::Update, "lease") => crate::leases::on_lease(tx, me, object, author, inner, now),
        (MessageType::Update, "contact-code") => {
            crate::brought::hear_code(tx, &inner.body.parse().map_err(malformed)?)?;
            Ok(Vec::new())
        }
        (MessageType::Update, "person") => on_person(tx, &inner.body.parse().map_err(malformed)?),
        (MessageType::Event, "calls-seen") => {
            Ok(crate::call_book::seen_elsewhere(&inner.body.parse().map_err(malformed)?))
        }
        (MessageType::Update, "mute") => muting::hear_told(tx, &inner.body.parse().map_err(malformed)?),
        (MessageType::Event, "read") => {
            #[derive(Deserialize)]
            struct Read {
                chat: Address,
                have: Marks,
            }
            let read: Read = inner.body.parse().map_err(malformed)?;
            chat::read_elsewhere(tx, &read.chat, &read.have, now)?;
            Ok(vec![Follow::ChatShown(read.chat)])
        }
        (MessageType::Event, "behind") => crate::commits::on_behind(tx, me, object, author, inner, now),
        (MessageType::Read, "") | (MessageType::Event, "epoch") => Ok(Vec::new()),
        _ => Err(Failure::new("malformed", "no such message among own devices")),
    }
}

/// Our history as a device of ours introduces itself with it: one that came with the object is in the speaker's before
/// it is in ours.
fn hear_speaker(tx: &Tx<'_>, me: &Ready, said: &Introduced, now: i64) -> Outcome<(Me, Chains<'static>, Vec<Follow>)> {
    let follow = crate::histories::on_own_chain(tx, me, &said.introduction.evidence.chain)?;
    let record: Me = tx.get(kind::ME, "me")?.ok_or_else(Failure::not_ready)?;
    let own = settling::own(&record, now / 1000).map_err(|e| Failure::new("database-damaged", e))?;
    let chains = Chains::one(&record.user, own);
    Ok((record, chains, follow))
}

/// Whoever holds the object says who is in it and how it holds it: for a device that was brought back, too.
fn introduced_again(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if !author.is_holder {
        return Ok(Vec::new());
    }
    let said: Introduced = crate::members::said(inner)?;
    let (_, chains, follow) = hear_speaker(tx, me, &said, now)?;
    object.set_members(tx, me, &chains, &said.members, now / 1000)?;
    crate::leases::adopt_again(tx, &object.url, said.lease.as_ref())?;
    put_object(tx, object)?;
    Ok(follow)
}

/// Key packages one device gives another at once.
const PACKAGES_LIMIT: usize = 256;

/// An object of the own devices is introduced: it takes the place of the one before.
pub(crate) fn first_word(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    author: &Author,
    said: &Introduced,
    now: i64,
) -> Outcome<Vec<Follow>> {
    author.own(me, now / 1000)?;
    if said.introduction.evidence.user != me.record.user || url.domain() != me.domain() {
        return Err(Failure::new("wrong-author", "an object of own devices by somebody else"));
    }
    if let Some(lease) = &said.lease {
        crate::leases::adopt(tx, url, lease)?;
    }
    let snapshot = sync::Snapshot { version: said.version, value: said.value.clone() };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    let side = Side::Standby(observer);
    let user = me.record.user.clone();
    let mut object = Object::new(url.clone(), ObjectUse::Own, said.schema.clone(), user, Standing::Open, side, now);
    let (mut record, chains, mut follow) = hear_speaker(tx, me, said, now)?;
    let speaker = Named {
        device: author.device.clone(),
        user: me.record.user.clone(),
        inbox: said.introduction.evidence.inbox.clone(),
    };
    let named: Vec<Named> = std::iter::once(speaker).chain(said.members.iter().cloned()).collect();
    object.set_members(tx, me, &chains, &named, now / 1000)?;
    put_object(tx, &object)?;
    record.own = Some(url.clone());
    tx.put(kind::ME, "me", &record).map_err(Failure::store)?;
    follow.extend([Follow::Listen(url.clone()), Follow::MyselfChanged]);
    Ok(follow)
}

/// Another device of ours tells who we are: history and tokens may have grown.
fn on_bundle(tx: &Tx<'_>, me: &Ready, bundle: &Bundle) -> Outcome<Vec<Follow>> {
    if bundle.user != me.record.user {
        return Err(Failure::new("wrong-author", "another person's keys"));
    }
    let mut follow = crate::histories::on_own_chain(tx, me, &bundle.chain)?;
    let mut record: Me = tx.get(kind::ME, "me")?.ok_or_else(Failure::not_ready)?;
    let newer = bundle.tokens != record.tokens || bundle.renewals != record.renewals;
    // Tokens count only with the history that names them.
    let chain = settling::own(&record, now_ms() / 1000).map_err(|e| Failure::new("database-damaged", e))?;
    let named =
        |text: &String| identity::PkToken::parse(text).is_ok_and(|token| chain.attestation(&token.hash()).is_some());
    if newer && bundle.tokens.iter().all(named) && bundle.tokens.len() <= identity::TOKENS_LIMIT {
        record.tokens.clone_from(&bundle.tokens);
        record.renewals.clone_from(&bundle.renewals);
        tx.put(kind::ME, "me", &record).map_err(Failure::store)?;
        follow.push(Follow::MyselfChanged);
    }
    Ok(follow)
}

/// What another device of ours decided about a person.
fn on_person(tx: &Tx<'_>, told: &Person) -> Outcome<Vec<Follow>> {
    let mut person = crate::persons::get_or_new(tx, &told.user)?;
    let waits = person.next.as_ref().is_some_and(|next| Some(&next.persona) == told.persona.as_ref());
    if person.persona.is_some() && told.persona.is_some() && person.persona != told.persona && !waits {
        return Err(Failure::new("key-change", "our other device knows other keys of that person"));
    }
    let mut decided = Vec::new();
    if told.change.is_none() && person.change.is_some() {
        // Our other device decided about the keys that wait here, too.
        decided = crate::key_changes::take_next(tx, &mut person)?;
    }
    person.contact = told.contact;
    person.before_block = told.before_block;
    person.compared_at = told.compared_at;
    person.change.clone_from(&told.change);
    if person.name.is_empty() {
        person.name.clone_from(&told.name);
    }
    if let (Some(persona), Some(at)) = (&told.persona, told.compared_at)
        && person.persona.as_ref() == Some(persona)
    {
        crate::comparing::pin_compared(tx, persona, at)?;
    }
    crate::comparing::restate(&mut person);
    put_person(tx, &person)?;
    let mut follow = decided;
    follow.push(Follow::PersonShown(person.user.clone()));
    follow.extend(person.chat.map(Follow::ChatShown));
    Ok(follow)
}

/// The object of the own devices, if there is one.
pub(crate) fn own_object(tx: &Tx<'_>, me: &Ready) -> Outcome<Option<Object>> {
    match &me.record.own {
        Some(url) => find_object(tx, url).map_err(Failure::store),
        None => Ok(None),
    }
}

/// The persona whose leaf is in a group of ours beside our own devices.
pub(crate) fn leaves_of_peer(tx: &Tx<'_>, me: &Ready, object: &Object) -> Outcome<Option<String>> {
    let leaves = seal::members(tx, &object.group()?).map_err(|e| Failure::new(e.code(), e))?;
    let own = me.chain.persona();
    let personas = leaves.iter().filter_map(persona_of).filter(|one| *one != own);
    let mut personas: Vec<String> = personas.map(|one| one.to_string()).collect();
    personas.sort_unstable();
    personas.dedup();
    match personas.as_slice() {
        [one] => Ok(Some(one.clone())),
        [] => Ok(None),
        _ => Err(Failure::new("unverified-leaf", "more people are in the group than it is for")),
    }
}

impl Home {
    /// Does what follows among the own devices.
    pub(crate) fn own_step(&self, state: &mut State, step: OwnStep) {
        let done = match step {
            OwnStep::Joined => {
                let (full, rules) = (state.linking.admits_fully().copied(), state.policy.rules().clone());
                self.tell_own(state, move |me, tx| {
                    Ok(Some(("me", MessageType::Update, bundle_of(tx, me, full.as_ref(), rules)?)))
                })
            }
            OwnStep::Person(user) => self.tell_own(state, move |_, tx| {
                let person = find_person(tx, &user)?;
                Ok(person.map(|person| ("person", MessageType::Update, json!(person))))
            }),
            OwnStep::ContactCode => self.tell_own(state, move |_, tx| {
                Ok(crate::brought::own_code(tx)?.map(|code| ("contact-code", MessageType::Update, json!(code))))
            }),
            OwnStep::CallsSeen { until } => self
                .tell_own(state, move |_, _| Ok(Some(("calls-seen", MessageType::Event, json!({ "until": until }))))),
            OwnStep::SeenThere { until } => self.see_calls(state, until).map(|_| ()),
            OwnStep::Mute(chat) => self.tell_own(state, move |_, tx| {
                let told = muting::told(tx, &chat)?;
                Ok(told.map(|told| ("mute", MessageType::Update, json!(told))))
            }),
            OwnStep::Read { chat, have } => self.tell_own(state, move |_, _| {
                Ok(Some(("read", MessageType::Event, json!({ "chat": chat, "have": have }))))
            }),
            OwnStep::Copied { device } => self.on_copied(state, &device),
            OwnStep::Packages { device, packages } => self.invite_own_device(state, &device, packages),
            OwnStep::Arrived => {
                self.linking_done(state);
                Ok(())
            }
            OwnStep::Progress { done, total } => {
                self.link_progress(done, total);
                Ok(())
            }
        };
        if let Err(failure) = done {
            tracing::info!(code = failure.code, "our other devices could not be told");
        }
    }

    /// Tells our other devices something, if there are any.
    fn tell_own(
        &self,
        state: &mut State,
        say: impl FnOnce(&Ready, &Tx<'_>) -> Outcome<Option<(&'static str, MessageType, Value)>>,
    ) -> Outcome<()> {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let follow = store.write(|tx| {
            let Some(object) = own_object(tx, me)? else { return Ok(Vec::new()) };
            let Some((part, kind, value)) = say(me, tx)? else { return Ok(Vec::new()) };
            let inner = inner_message(kind, &object.url, part, &value)?;
            seal_and_queue(tx, me, &object, &inner, None)?;
            Ok::<_, Failure>(pumps(&object).collect::<Vec<_>>())
        })?;
        self.follow_up(state, follow);
        Ok(())
    }

    /// A new device has the history: it is asked for what it is invited with, and everybody hears of it.
    fn on_copied(&self, state: &mut State, device: &str) -> Outcome<()> {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let follow = store.write(|tx| {
            let Some(object) = own_object(tx, me)? else { return Ok(Vec::new()) };
            let count = conversations_without(tx, device)?.len();
            let mut follow = crate::histories::tell_all(tx, me)?;
            if count > 0 {
                let inner = inner_message(
                    MessageType::Read,
                    &object.url,
                    "packages",
                    &json!({ "count": count, "device": device }),
                )?;
                seal_and_queue(tx, me, &object, &inner, None)?;
                follow.extend(pumps(&object));
            }
            Ok::<_, Failure>(follow)
        })?;
        // The conversations we hold follow with the packages; asking the registry for each would drain it.
        let follow = follow.into_iter().filter(|step| !matches!(step, Follow::Reconcile(_))).collect();
        self.follow_up(state, follow);
        self.linking_done(state);
        Ok(())
    }

    /// Invites a device of ours into every conversation that we hold and that it is not in.
    fn invite_own_device(&self, state: &mut State, device: &str, packages: Vec<Vec<u8>>) -> Outcome<()> {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let mut all = Vec::new();
        let mut packages = packages.into_iter();
        let lacking = store.read(|tx| conversations_without(tx, device))?;
        for url in lacking {
            let Some(package) = packages.next() else { break };
            // One transaction each: a conversation that cannot be changed must not hold up the others.
            let invited = store.write(|tx| {
                let mut object = get_object(tx, &url)?;
                let inbox = own_object(tx, me)?.and_then(|own| own.member(device).and_then(|one| one.inbox.clone()));
                let inbox = inbox.ok_or_else(|| Failure::new("not-found", "where the device receives is not known"))?;
                let key = keys::VerifyingKey::parse(device).map_err(|e| Failure::new("malformed", e))?;
                let one = crate::registry::RegistryDevice {
                    device: device.to_owned(),
                    key,
                    inbox,
                    key_package: Some(package),
                };
                crate::histories::relay_chain(tx, me, &object, &me.record.user)?;
                crate::objects::invite_devices(tx, me, &mut object, std::iter::once(&one), now_ms())?;
                put_object(tx, &object)?;
                Ok::<_, Failure>(pumps(&object).collect::<Vec<_>>())
            });
            match invited {
                Ok(follow) => all.extend(follow),
                Err(failure) => tracing::info!(code = failure.code, "our new device was not let into a conversation"),
            }
        }
        self.follow_up(state, all);
        Ok(())
    }
}

/// Conversations that this device holds and that another device of ours is not in.
fn conversations_without(tx: &Tx<'_>, device: &str) -> Outcome<Vec<Address>> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    let lacks = |object: &Object| {
        object.purpose == ObjectUse::Chat
            && matches!(object.side, Side::Reporter(_))
            && matches!(object.standing, Standing::Open | Standing::Invited)
            && object.member(device).is_none()
    };
    Ok(objects.into_iter().map(|(_, object)| object).filter(lacks).map(|object| object.url).collect())
}

/// Who we are, for a new device; the root key only for those that may use it.
fn bundle_of(tx: &Tx<'_>, me: &Ready, full: Option<&BoxPublic>, rules: policy::Rules) -> Outcome<Value> {
    let secrets = full.map(|key| {
        let secrets = Secrets { irk: me.record.irk.clone(), recovery: me.record.recovery.clone() };
        let plain = Zeroizing::new(serde_json::to_vec(&secrets).unwrap_or_default());
        key.seal(&plain, SECRETS, me.record.user.to_string().as_bytes())
    });
    let secrets = secrets.transpose().map_err(|e| Failure::new("sealing-failed", e))?;
    let bundle = Bundle {
        user: me.record.user.clone(),
        name: me.record.name.clone(),
        issuer: me.record.issuer.clone(),
        secrets: secrets.map(|sealed| keys::b64url(&sealed)),
        chain: me.record.chain.clone(),
        tokens: me.record.tokens.clone(),
        renewals: me.record.renewals.clone(),
        rules,
        contact: crate::brought::own_code(tx)?,
    };
    Ok(json!(bundle))
}
