//! What arrives sealed: opened, judged, numbered and kept before it is acknowledged.
//!
//! The answer to the node is sent only after the transaction is committed, so a
//! message is either still in the mailbox or whole in our store, never lost.

use std::collections::BTreeMap;

use contract::ContactState;
use message::{Address, Code, Message, MessageType, Response};
use policy::Contact;
use seal::parcel;
use serde::Deserialize;
use serde_json::{Value, json};
use store::{ChildRow, ChildState, Tx};
use sync::bundle;

use crate::circle::{self, Circle};
use crate::commits::After;
use crate::home::{Home, Ready, State, body, now_ms, now_u64};
use crate::members::{Author, Chains, check_alone, row_author, said, tag_of};
use crate::objects::Follow;
use crate::records::{Held, Object, ObjectUse, Person, Side, Standing, kind};
use crate::resync::{
    Resent, ask_author_for_missing, ask_for_missing, ask_where_they_are, hear_of_more, is_gone, on_resent, on_resync,
};
use crate::sending::{
    Introduced, below, child_json, get_object, get_person, inner_message, pumps, put_object, put_person,
    seal_and_queue, seal_to,
};
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Policy;
use crate::{behind, brought, chat, commits, comparing, doors, gate, histories, leases, linking, own, persons};

/// Sealed messages of one object that may wait for the check of their sender.
const HELD_LIMIT: usize = 256;

/// Contact requests of strangers that may be open at once; more are refused.
const REQUESTS_LIMIT: usize = 50;

#[derive(Deserialize)]
struct Sealed {
    v: u32,
    sealed: String,
}

#[derive(Deserialize)]
struct Child {
    resource: String,
    seq: u64,
    value: Value,
    #[serde(default)]
    at: i64,
}

#[derive(Deserialize)]
struct Receipt {
    /// The authors' children up to here are kept at the other side.
    #[serde(default)]
    delivered: BTreeMap<sync::Author, u64>,
    /// The authors' children up to here are read there.
    #[serde(default)]
    read: BTreeMap<sync::Author, u64>,
    /// How far a page of the other side's own children went.
    #[serde(default)]
    resent: BTreeMap<sync::Author, Resent>,
    /// Of who writes a large group: how far it has the children of others, where the one who asked has fewer.
    #[serde(default)]
    have: BTreeMap<sync::Author, u64>,
}

#[derive(Deserialize)]
struct Ended {
    code: u16,
    #[serde(default)]
    reason: Option<String>,
}

/// What `Object::peer` evidence looks like while it waits to be checked.
#[derive(serde::Serialize, Deserialize)]
pub(crate) struct WaitingEvidence {
    pub(crate) name: String,
    pub(crate) evidence: identity::Evidence,
    /// Whether we were invited by them (or they accepted our invitation).
    pub(crate) invited_us: bool,
    /// The device that says so.
    pub(crate) device: String,
    /// Of an invitation: who is said to be in the group.
    #[serde(default)]
    pub(crate) members: Vec<crate::members::Named>,
    /// Of an invitation: what a stranger brings along.
    #[serde(default)]
    pub(crate) brought: brought::Words,
}

impl WaitingEvidence {
    /// What waits to be checked, as [`Standing::Verifying`] keeps it.
    pub(crate) fn parse(evidence: &str) -> Outcome<Self> {
        serde_json::from_str(evidence).map_err(|e| Failure::new("malformed", e))
    }

    /// How an object stands while this is checked.
    pub(crate) fn standing(&self) -> Standing {
        Standing::Verifying { evidence: serde_json::to_string(self).unwrap_or_default() }
    }
}

impl Home {
    /// A message to an inbox of this device, or to a Hyperty that is not there.
    pub(crate) fn on_inbox(&self, state: &mut State, message: Message) {
        let ours = state.inbox() == Some(&message.to);
        if ours && message.kind == MessageType::Event {
            return self.on_passing_word(state, &message);
        }
        if !ours || message.kind != MessageType::Create {
            self.answer(state, &message, &Response::code(Code::NOT_FOUND));
            return;
        }
        let response = match self.open_sealed(state, &message) {
            Ok(follow) => {
                self.follow_up(state, follow);
                Response::code(Code::OK)
            }
            Err(failure) => {
                tracing::info!(code = failure.code, "a sealed message was refused");
                acknowledged(&failure)
            }
        };
        self.answer(state, &message, &response);
    }

    /// What is not taken together with others: what a new device asks, and what comes while this one is being linked.
    fn open_sealed(&self, state: &mut State, message: &Message) -> Outcome<Vec<Follow>> {
        let bytes = sealed_bytes(message)?;
        if linking::is_link_request(&bytes) {
            // Only a device that asks our own domain for a place may ask for one among ours.
            let from = &message.from;
            if from.scheme() != "runtime" || from.domain() != message.to.domain() || !from.path().starts_with("d-") {
                return Err(Failure::new("link-refused", "a device asks through our own domain"));
            }
            return self.on_link_request(state, &bytes);
        }
        let (mut follow, mut refused) = (Vec::new(), None);
        for one in parcel::split(&bytes)? {
            self.follow_up(state, std::mem::take(&mut follow));
            match self.open_while_linking(state, parcel::unpack(one).0) {
                Ok(more) => follow = more,
                Err(failure) if acknowledged(&failure).code != Code::OK => return Err(failure),
                // Each is refused alone.
                Err(failure) => refused = Some(failure),
            }
        }
        match refused {
            None => Ok(follow),
            Some(failure) => {
                self.follow_up(state, follow);
                Err(failure)
            }
        }
    }

    /// Opens sealed bytes that waited. What comes ahead of a commit waits again; what is refused is counted and shown.
    pub(crate) fn take_sealed(&self, state: &mut State, bytes: &[u8], after: After) -> Outcome<Vec<Follow>> {
        let me = state.me.as_ref().ok_or_else(Failure::not_ready)?;
        let store = state.store.as_ref().ok_or_else(Failure::not_ready)?;
        let policy = &mut state.policy;
        let Taken { follow, refused } = store.write(|tx| take(tx, me, policy, bytes, after, now_ms()))?;
        match refused {
            None => Ok(follow),
            Some(failure) => {
                self.follow_up(state, follow);
                Err(failure)
            }
        }
    }
}

/// What the bringer of something that was not taken is told.
pub(crate) fn acknowledged(failure: &Failure) -> Response {
    match failure.code.as_str() {
        // Kept by the node until our store works again.
        "store-failed" | "not-ready" => Response::code(Code::UNAVAILABLE),
        // Hostile or stale: acknowledged, so that it is not sent for ever.
        code => Response::because(Code::OK, code),
    }
}

/// What became of sealed bytes.
pub(crate) struct Taken {
    /// What follows.
    pub(crate) follow: Vec<Follow>,
    /// Why they were not believed, if they were not.
    pub(crate) refused: Option<Failure>,
}

/// Opens sealed bytes, or says what is done about those that cannot be opened; fails only with the store.
///
/// What it does is a part of the caller's transaction: of what is refused nothing is kept but what is said about it.
pub(crate) fn take(
    tx: &Tx<'_>,
    me: &Ready,
    policy: &mut Policy,
    bytes: &[u8],
    after: After,
    now: i64,
) -> Outcome<Taken> {
    match open_or_help(tx, me, policy, bytes, after, now) {
        Err(failure) if failure.code != "store-failed" => Ok(Taken { follow: Vec::new(), refused: Some(failure) }),
        taken => taken,
    }
}

fn open_or_help(tx: &Tx<'_>, me: &Ready, policy: &mut Policy, bytes: &[u8], after: After, now: i64) -> Outcome<Taken> {
    let mark = keys::b64url(&keys::sha256(bytes));
    let opened = tx.part(|| {
        if tx.seen(&mark).map_err(Failure::store)? {
            return Ok(Vec::new());
        }
        open_one(tx, me, policy, bytes, now)
    });
    let failure = match opened {
        Ok(follow) => return Ok(Taken { follow, refused: None }),
        Err(failure) if failure.code == "store-failed" => return Err(failure),
        Err(failure) => failure,
    };
    let refused = |follow| Taken { follow, refused: Some(failure.clone()) };
    let waits = |url: &Address| tx.part(|| commits::keep_early(tx, me, url, bytes));
    let Some(url) = seal::group_of(bytes).ok().and_then(|group| group.address()) else {
        // A Welcome that would bring us back waits as well for who vouches for a new device.
        let back = Some(()).filter(|()| failure.code == "unverified");
        return match back.and_then(|()| behind::object_of_return(tx, me, bytes)) {
            Some(url) => Ok(Taken { follow: waits(&url)?, refused: None }),
            None => Ok(refused(Vec::new())),
        };
    };
    tracing::debug!(why = failure.code, "a sealed message is not opened now");
    let helped = match failure.code.as_str() {
        // A commit is on its way, or who vouches for a new device is not known here yet.
        "from-the-future" | "unverified" => waits(&url),
        "too-old" => tx.part(|| commits::sender_is_behind(tx, me, &url, bytes, now)),
        // It may be of the other branch, while two devices claim the lease.
        "tampered" if is_contested(tx, &url) => {
            let kept = tx.part(|| commits::keep_contested(tx, &url, bytes));
            return kept.map(|()| refused(Vec::new()));
        }
        "lease-held" if after == After::News => tx.part(|| commits::keep_claim(tx, me, &url, bytes)),
        "commit-from-observer" if tx.part(|| commits::keep_behind_claim(tx, &url, bytes))? => Ok(Vec::new()),
        // Twice is harmless, and nobody's fault; so is what was done under a claim to the lease that lost.
        "replayed" | "outranked" | "unknown-group" | "unknown-object" => return Ok(refused(Vec::new())),
        code => return tx.part(|| commits::count_refusal(tx, &url, code, now)).map(refused),
    };
    helped.map(|follow| Taken { follow, refused: None })
}

fn is_contested(tx: &Tx<'_>, url: &Address) -> bool {
    seal::is_contested(tx, &seal::GroupId::of(url)).unwrap_or(false)
}

/// What an inbox receives: bytes, sealed.
pub(crate) fn sealed_bytes(message: &Message) -> Outcome<Vec<u8>> {
    let sealed: Sealed = message.body.parse().map_err(|e| Failure::new("malformed", e))?;
    if sealed.v != 1 {
        return Err(Failure::new("newer-version", "the sealed message is of a newer version"));
    }
    keys::from_b64url(&sealed.sealed).map_err(|e| Failure::new("malformed", e))
}

/// Opens one sealed message, in its transaction.
pub(crate) fn open_one(tx: &Tx<'_>, me: &Ready, policy: &mut Policy, bytes: &[u8], now: i64) -> Outcome<Vec<Follow>> {
    let (group, epoch) = match seal::peek(bytes).map_err(|e| Failure::new("malformed", e))? {
        seal::Sealed::Welcome => return join(tx, me, bytes, now),
        seal::Sealed::Message { group, epoch } => (group, epoch),
    };
    let url = group.address().ok_or_else(|| Failure::new("malformed", "the group is not named by an address"))?;
    let known: Option<Object> = tx.get(kind::OBJECT, url.as_str()).map_err(Failure::store)?;
    let chains = match &known {
        Some(object) => {
            if object.purpose != ObjectUse::Own {
                gate::admit_sealed(policy, now_u64(), object)?;
            }
            Some(Chains::of(tx, me, object)?)
        }
        None => None,
    };
    let opened = seal::open(tx, &me.device, bytes, &mut |leaf: &seal::Candidate<'_>| match &chains {
        Some(chains) => chains.owner_of(leaf, now / 1000).map(|_| ()),
        None => check_alone(leaf, now / 1000),
    })
    .map_err(|e| Failure::new(e.code(), e))?;
    if chains.as_ref().is_some_and(|chains| chains.is_put_out(&opened.sender, now / 1000)) {
        // Its leaf may still be in the group for a moment; its word is not.
        return Err(Failure::new("device-revoked", "the device was put out by its owner"));
    }
    if known.is_some() {
        behind::heard(tx, &url, &opened.sender.dsk.to_string(), epoch)?;
    }
    let author = Author {
        device: opened.sender.dsk.to_string(),
        is_holder: seal::lease(tx, &group).map_err(|e| Failure::new(e.code(), e))?.holder == opened.sender.dsk,
    };
    let plaintext = match opened.what {
        seal::What::Application(plaintext) => plaintext,
        seal::What::Commit { added, removed, renewed, removed_us, aad, .. } => {
            // Where new devices receive comes with the commit that lets them in, so nothing misses them.
            let named = serde_json::from_slice(&aad).unwrap_or_default();
            let done = commits::Merged { added: added.len(), named, removed, renewed, removed_us };
            return commits::merged(tx, me, &url, known, done, now);
        }
        seal::What::Proposal => return Ok(vec![Follow::Reconcile(url)]),
    };
    let inner = bundle::read(&plaintext, &url)?;
    let hands_over = matches!(&inner, bundle::Sealed::One(one) if leases::is_hand_over(one));
    let mut follow = match (known, inner) {
        (Some(object), bundle::Sealed::One(one))
            if matches!(object.standing, Standing::Copied) || gate::may_be_judged_again(&object, &one) =>
        {
            first_word(tx, me, policy, Some(object), &url, &author, &one, now)?
        }
        (Some(_), bundle::Sealed::One(one)) => on_inner(tx, me, &url, &author, one, now)?,
        (None, bundle::Sealed::One(one)) => first_word(tx, me, policy, None, &url, &author, &one, now)?,
        (Some(object), bundle::Sealed::Many(children, refused)) if !matches!(object.standing, Standing::Copied) => {
            let refused = refused.into_iter().map(Failure::from).collect();
            on_bundle(tx, me, &url, &author, &children, refused, now)?
        }
        (_, bundle::Sealed::Many(..)) => {
            return Err(Failure::new("unknown-object", "a message before its introduction"));
        }
    };
    if hands_over {
        follow.extend(circle::pass_on(tx, me, &url, epoch, bytes)?);
    }
    follow.extend(commits::author_is_behind(tx, me, &url, &author, epoch, now)?);
    Ok(follow)
}

/// Joins a group; what it is for comes with the introduction.
fn join(tx: &Tx<'_>, me: &Ready, welcome: &[u8], now: i64) -> Outcome<Vec<Follow>> {
    let pending = match seal::inspect_welcome(tx, &me.device, welcome) {
        Err(seal::JoinError::AlreadyJoined) => return behind::come_back(tx, me, welcome, now),
        pending => pending.map_err(|e| Failure::new(e.code(), e))?,
    };
    pending
        .join(tx, &mut |leaf: &seal::Candidate<'_>| check_alone(leaf, now / 1000))
        .map_err(|e| Failure::new(e.code(), e))?;
    Ok(vec![Follow::KeyPackageUsed])
}

/// Takes several children by one author, in their transaction; what is wrong with one is no matter of the others.
fn on_bundle(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    author: &Author,
    children: &[Message],
    mut refused: Vec<Failure>,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut follow = match tx.part(|| on_good_bundle(tx, me, url, author, children, now)) {
        Ok(follow) => follow,
        Err(failure) if failure.code == "store-failed" => return Err(failure),
        Err(_) => {
            let mut follow = Vec::new();
            for one in children {
                match tx.part(|| on_inner(tx, me, url, author, one.clone(), now)) {
                    Ok(more) => follow.extend(more),
                    Err(failure) if failure.code == "store-failed" => return Err(failure),
                    Err(failure) => refused.push(failure),
                }
            }
            follow
        }
    };
    for failure in refused {
        tracing::info!(code = failure.code, "a child in a bundle was refused");
        follow.extend(commits::count_refusal(tx, url, &failure.code, now)?);
    }
    Ok(follow)
}

/// The same as long as nothing is wrong with any of them.
fn on_good_bundle(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    author: &Author,
    children: &[Message],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    if object.purpose != ObjectUse::Chat || !object.is_open() {
        // Waits, or is refused, as if each had come by itself.
        return Err(Failure::new("unknown-object", "each is looked at alone"));
    }
    let member = author.member(&object)?;
    if object.circle.is_some() && circle::is_blocked(tx, &member.user)? {
        return Ok(Vec::new());
    }
    let mut follow = ask_where_they_are(tx, me, &mut object, now)?;
    follow.extend(on_children(tx, me, &mut object, author, children, now)?);
    Ok(follow)
}

/// Takes one opened message of an object, in its transaction.
pub(crate) fn on_inner(
    tx: &Tx<'_>,
    me: &Ready,
    url: &Address,
    author: &Author,
    inner: Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let part = inner.to.as_str()[url.as_str().len()..].trim_matches('/').to_owned();
    let mut object = get_object(tx, url)?;
    if object.purpose == ObjectUse::Own {
        return own::on_own(tx, me, &mut object, author, &part, &inner, now);
    }
    match (inner.kind, part.as_str()) {
        (MessageType::Subscribe, "subscription") => return accepted(tx, me, &mut object, author, &inner),
        (MessageType::Create, "subscription") => return introduced_again(tx, me, object, author, &inner, now),
        (MessageType::Update, "identity") => return histories::on_identity(tx, me, &mut object, author, &inner, now),
        (MessageType::Update, "lease") => return leases::on_lease(tx, me, &mut object, author, &inner, now),
        _ => {}
    }
    if matches!(object.standing, Standing::Closed { .. }) {
        return Ok(Vec::new());
    }
    if (inner.kind, part.as_str()) == (MessageType::Update, "people") {
        return circle::hear_people(tx, me, &mut object, author, &inner, now);
    }
    let of_ours = author.is_of(&object, &me.record.user);
    let is_end = (inner.kind, part.as_str()) == (MessageType::Event, "subscription");
    if !object.is_open() && !of_ours && (!is_end || end_waits(&object)) {
        // Nothing of a person is shown or acted upon before they are verified.
        if object.held.len() >= HELD_LIMIT {
            return Err(Failure::new("too-many", "too much before the introduction was checked"));
        }
        object.held.push(Held { device: author.device.clone(), message: inner.to_json() });
        put_object(tx, &object)?;
        return Ok(Vec::new());
    }
    let mut follow = Vec::new();
    if object.is_open() {
        let member = author.member(&object)?;
        if object.circle.is_some() && is_words(&inner, &part) && circle::is_blocked(tx, &member.user)? {
            // Who is blocked is in the group all the same; what they say comes when that is taken back.
            return Ok(Vec::new());
        }
        follow.extend(ask_where_they_are(tx, me, &mut object, now)?);
    }
    follow.extend(on_word(tx, me, object, author, &part, &inner, now)?);
    Ok(follow)
}

/// Whether the end waits: who answered our invitation is being checked, and said things before they left, such as why.
fn end_waits(object: &Object) -> bool {
    matches!(object.standing, Standing::Verifying { .. })
        && matches!(object.side, Side::Reporter(_))
        && object.circle.is_none()
        && object.purpose != ObjectUse::Door
        && object.held.len() < HELD_LIMIT
}

/// Takes what is said in an object that is open, or by a device of our own.
fn on_word(
    tx: &Tx<'_>,
    me: &Ready,
    mut object: Object,
    author: &Author,
    part: &str,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    match (inner.kind, part) {
        (MessageType::Create, "children") => on_children(tx, me, &mut object, author, std::slice::from_ref(inner), now),
        (MessageType::Event, "introduces") if object.purpose == ObjectUse::Chat && object.circle.is_none() => {
            brought::on_introduces(tx, me, &mut object, author, inner)
        }
        (MessageType::Event, "behind") => commits::on_behind(tx, me, &object, author, inner, now),
        (MessageType::Event, "epoch") => behind::on_echo(tx, me, &mut object, author, inner),
        (MessageType::Event, "typing") if object.purpose == ObjectUse::Chat => {
            let user = object.member(&author.device).map(|member| member.user.clone());
            let theirs = user.filter(|user| object.is_with(user));
            Ok(theirs.map(|user| Follow::Typing { url: object.url.clone(), user: user.handle() }).into_iter().collect())
        }
        (MessageType::Event, crate::calls::PART) => crate::calls::on_word(&object, author, inner),
        (MessageType::Event, crate::files::PART) => crate::files::on_word(&object, author, inner),
        (MessageType::Event, "sas") => crate::spoken::on_word(&object, author, inner),
        (MessageType::Event, "children") => on_receipt(tx, me, &mut object, author, inner),
        (MessageType::Update, "changes") if author.is_holder => on_change(tx, me, &mut object, inner, now),
        (MessageType::Update, "") if author.is_holder => on_snapshot(tx, me, &mut object, inner, now),
        (MessageType::Update, _) => Err(Failure::new("not-reporter", "only the Reporter changes an object")),
        (MessageType::Event, "subscription") => on_ended(tx, me, &mut object, author, inner),
        (MessageType::Execute, "circle") if object.is_open() => {
            circle::on_wish(tx, me, &mut object, author, inner, now)
        }
        (MessageType::Read, "") => on_resync(tx, me, &object, author, inner),
        _ => Err(Failure::new("malformed", "no such inner message")),
    }
}

/// Whether it is something that a person said or did, and no word about the group itself.
fn is_words(inner: &Message, part: &str) -> bool {
    matches!((inner.kind, part), (MessageType::Create, "children") | (MessageType::Event, "typing"))
}

/// The first message of an object we do not know is the introduction of its Reporter, and nothing else.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
fn first_word(
    tx: &Tx<'_>,
    me: &Ready,
    policy: &mut Policy,
    copied: Option<Object>,
    url: &Address,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if inner.kind != MessageType::Create || !inner.to.as_str().ends_with("/subscription") || !author.is_holder {
        return Err(Failure::new("unknown-object", "a message before its introduction"));
    }
    let said: Introduced = said(inner)?;
    let purpose = match url.scheme() {
        "comm" => ObjectUse::Chat,
        "connection" => ObjectUse::Call,
        "door" => ObjectUse::Door,
        "ctxt" => return own::first_word(tx, me, url, author, &said, now),
        _ => return Err(Failure::new("malformed", "no Hyperty for this kind of object")),
    };
    let evidence = &said.introduction.evidence;
    if evidence.device.to_string() != author.device {
        return Err(Failure::new("wrong-author", "a device introduces another than itself"));
    }
    if let Some(lease) = &said.lease {
        leases::adopt(tx, url, lease)?;
    }
    let mut circle = match purpose {
        ObjectUse::Chat => Circle::of(&me.record.user, &said.value)?,
        ObjectUse::Call | ObjectUse::Own | ObjectUse::Door => None,
    };
    if evidence.user == me.record.user {
        if let Some(circle) = circle {
            return our_group_elsewhere(tx, me, copied, url, circle, author, said, now);
        }
        return ours_elsewhere(tx, me, copied, url, purpose, author, said, now);
    }
    let user = evidence.user.clone();
    let inbox_domain = evidence.inbox.as_ref().map(Address::domain);
    // A group keeps its address when it is handed over: its domain is where it began, and says nothing of who writes it.
    let wanders = circle.is_some();
    let foreign_object = !wanders && url.domain() != user.domain() && url.domain() != me.domain();
    if inbox_domain != Some(user.domain())
        || foreign_object
        || said.with.is_some_and(|with| with != me.record.user && with != user)
    {
        return Err(Failure::new("wrong-domain", "the address, the inbox and the object are of one domain"));
    }
    if url.domain() != user.domain() && copied.is_none() && !wanders {
        return Err(Failure::new("wrong-domain", "the object is of another domain than its Reporter"));
    }
    // Nothing is kept about the claimed person before the claim is checked: anybody can claim anything.
    let persona = brought::persona_of(tx, url, &author.device)?;
    let mut brings = said.brought.judged(tx, me, &user, &persona, url)?;
    brings.group_link = match &circle {
        Some(circle) => doors::asked_into(tx, url, Some(circle))?,
        None => purpose == ObjectUse::Door && doors::has_link(tx, me, &said.brought, &persona, url, &said.value)?,
    };
    gate::admit_claim(policy, now_u64(), &user, purpose, brings)?;
    if let (ObjectUse::Door, Some(inbox)) = (purpose, &evidence.inbox)
        && let Some(refused) = doors::knocked(tx, me, url, &user, inbox, &said.value, brings.group_link, now)?
    {
        return Ok(refused);
    }
    let contact = policy.rules().contacts.get(&user) == Some(&Contact::Accepted);
    if !contact && persons::open_requests(tx)? >= REQUESTS_LIMIT {
        return Err(Failure::new("too-many", "too many contact requests are open"));
    }
    let snapshot = sync::Snapshot { version: said.version, value: said.value };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    if let Some(circle) = &mut circle {
        circle::hear_reporter(tx, url, circle, &said.introduction)?;
    }
    let waiting = WaitingEvidence {
        name: said.introduction.name,
        evidence: said.introduction.evidence,
        invited_us: true,
        device: author.device.clone(),
        members: said.members,
        brought: said.brought,
    };
    let side = Side::Observer(observer);
    let is_new = copied.as_ref().is_none_or(|before| !matches!(before.standing, Standing::Copied));
    let mut object = begun(copied, Object::new(url.clone(), purpose, said.schema, user, waiting.standing(), side, now));
    object.circle = circle.map(|circle| circle.after(object.circle.take()));
    if object.circle.is_some() && is_new {
        // What was said before we came is not for us.
        object.children.adopt(&said.have);
    }
    put_object(tx, &object)?;
    Ok(vec![Follow::Listen(url.clone()), Follow::Verify(url.clone())])
}

/// New devices came: the object is introduced once more, and who is in it learns where they receive.
fn introduced_again(
    tx: &Tx<'_>,
    me: &Ready,
    mut object: Object,
    author: &Author,
    inner: &Message,
    now: i64,
) -> Outcome<Vec<Follow>> {
    let is_known = object.peer_persona.is_some() || object.circle.is_some();
    if !author.is_holder || !is_known || matches!(object.standing, Standing::Closed { .. }) {
        return Ok(Vec::new());
    }
    let said: Introduced = said(inner)?;
    if object.circle.is_some() && matches!(object.standing, Standing::Verifying { .. }) {
        return circle::named_meanwhile(tx, &mut object, said.members);
    }
    let chains = Chains::of(tx, me, &object)?;
    let reached = |object: &Object| object.members.iter().filter(|member| member.inbox.is_some()).count();
    let before = reached(&object);
    object.set_members(tx, me, &chains, &said.members, now / 1000)?;
    leases::adopt_again(tx, &object.url, said.lease.as_ref())?;
    let mut follow = behind::hear_have(tx, me, &mut object, &said.have, now)?;
    put_object(tx, &object)?;
    if reached(&object) > before {
        // Who could not be reached missed what we said; it hears now how much that was.
        follow.push(Follow::Echo(object.url));
    }
    Ok(follow)
}

/// An object begins here; what another device told of it before stays.
fn begun(copied: Option<Object>, new: Object) -> Object {
    let Some(before) = copied else { return new };
    Object {
        children: before.children,
        draft: before.draft,
        system_lines: before.system_lines,
        at: before.at,
        circle: before.circle,
        ..new
    }
}

/// Another device of ours made a group, or writes it: we stand by, and check its people ourselves.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
fn our_group_elsewhere(
    tx: &Tx<'_>,
    me: &Ready,
    copied: Option<Object>,
    url: &Address,
    mut circle: Circle,
    author: &Author,
    said: Introduced,
    now: i64,
) -> Outcome<Vec<Follow>> {
    author.own(me, now / 1000)?;
    circle::hear_reporter(tx, url, &mut circle, &said.introduction)?;
    let snapshot = sync::Snapshot { version: said.version, value: said.value };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    let is_new = copied.is_none();
    let waiting = WaitingEvidence {
        name: said.introduction.name,
        evidence: said.introduction.evidence,
        invited_us: false,
        brought: brought::Words::default(),
        device: author.device.clone(),
        members: said.members,
    };
    let (peer, side) = (me.record.user.clone(), Side::Standby(observer));
    let mut object =
        begun(copied, Object::new(url.clone(), ObjectUse::Chat, said.schema, peer, waiting.standing(), side, now));
    object.circle = Some(circle.ours().after(object.circle.take()));
    if is_new {
        object.children.adopt(&said.have);
    }
    put_object(tx, &object)?;
    Ok(vec![Follow::Listen(url.clone()), Follow::Verify(url.clone())])
}

/// Another device of ours made this object, or holds it: we stand by.
#[allow(clippy::too_many_arguments, reason = "all of it is judged together")]
fn ours_elsewhere(
    tx: &Tx<'_>,
    me: &Ready,
    copied: Option<Object>,
    url: &Address,
    purpose: ObjectUse,
    author: &Author,
    said: Introduced,
    now: i64,
) -> Outcome<Vec<Follow>> {
    author.own(me, now / 1000)?;
    let peer = said.with.filter(|with| *with != me.record.user);
    let peer = peer.ok_or_else(|| Failure::new("malformed", "an object with nobody"))?;
    let snapshot = sync::Snapshot { version: said.version, value: said.value };
    let observer =
        sync::Observer::new(url.clone(), &said.schema, snapshot).map_err(|e| Failure::new("bad-object", e))?;
    let side = Side::Standby(observer);
    let known: Option<Person> = tx.get(kind::PERSON, peer.address().as_str()).map_err(Failure::store)?;
    let accepted = known.as_ref().is_some_and(|person| person.contact == ContactState::Accepted);
    let was_copied = copied.is_some();
    let standing = if accepted && was_copied { Standing::Open } else { Standing::Invited };
    let mut object = begun(copied, Object::new(url.clone(), purpose, said.schema, peer.clone(), standing, side, now));
    let mut follow = vec![Follow::Listen(url.clone()), Follow::ChatShown(url.clone())];
    // Whom our other device invited is known by the persona of their leaves until they introduce themselves.
    object.peer_persona = own::leaves_of_peer(tx, me, &object)?;
    if object.is_open() {
        let chains = Chains::of(tx, me, &object)?;
        object.set_members(tx, me, &chains, &said.members, now / 1000)?;
        put_object(tx, &object)?;
        persons::flush(tx, me, &object)?;
        ask_for_missing(tx, me, &mut object)?;
        put_object(tx, &object)?;
        follow.extend(pumps(&object));
        return Ok(follow);
    }
    object.members = said
        .members
        .iter()
        .filter(|one| one.inbox.as_ref().is_some_and(|inbox| inbox.domain() == one.user.domain()))
        .filter(|one| one.user == peer || one.user == me.record.user)
        .map(|one| crate::records::Member {
            device: one.device.clone(),
            user: one.user.clone(),
            inbox: one.inbox.clone(),
        })
        .collect();
    if known.is_none() {
        let mut person = persons::get_or_new(tx, &peer)?;
        person.chat = Some(url.clone());
        put_person(tx, &person)?;
        follow.push(Follow::PersonShown(peer));
    }
    put_object(tx, &object)?;
    Ok(follow)
}

/// The person we invited introduces themselves, or another device of ours accepted for us.
fn accepted(tx: &Tx<'_>, me: &Ready, object: &mut Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    let said: Introduced = said(inner)?;
    let evidence = said.introduction.evidence;
    if evidence.device.to_string() != author.device {
        return Err(Failure::new("wrong-author", "a device introduces another than itself"));
    }
    if evidence.user == me.record.user {
        return persons::accepted_elsewhere(tx, me, object, author, now_ms());
    }
    if !matches!(object.standing, Standing::Invited) {
        return Ok(Vec::new());
    }
    if evidence.user != object.peer {
        return Err(Failure::new("wrong-author", "somebody else accepted"));
    }
    if !author.is_of(object, &object.peer) {
        return Err(Failure::new("wrong-author", "another device accepted than those that were invited"));
    }
    let waiting = WaitingEvidence {
        name: said.introduction.name,
        evidence,
        invited_us: false,
        device: author.device.clone(),
        members: Vec::new(),
        brought: brought::Words::default(),
    };
    object.standing = waiting.standing();
    put_object(tx, object)?;
    Ok(vec![Follow::Verify(object.url.clone())])
}

/// Children by another device: of the other side, or of our own. What came of them is acknowledged once.
fn on_children(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    inner: &[Message],
    now: i64,
) -> Outcome<Vec<Follow>> {
    let tag = tag_of(&author.device);
    let by_peer = object.member(&author.device).is_some_and(|member| object.is_with(&member.user));
    let mut follow = Vec::new();
    let (mut last, mut is_missing) = (None, false);
    for one in inner {
        let child: Child = said(one)?;
        if child.resource != format!("{}/children/{tag}-{}", object.url, child.seq) {
            return Err(Failure::new("malformed", "the child is not of this object and author"));
        }
        let held = json!({ "resource": child.resource, "seq": child.seq, "value": child.value, "at": child.at });
        match object.children.on_child(&tag, child.seq, held) {
            sync::ChildOutcome::Ready(ready) => {
                for (seq, value) in ready {
                    last = Some(seq);
                    let child: Child = serde_json::from_value(value).map_err(|e| Failure::new("malformed", e))?;
                    follow.extend(keep_child(tx, me, object, author, child, now)?);
                }
            }
            sync::ChildOutcome::Duplicate => {}
            sync::ChildOutcome::Held(missing) | sync::ChildOutcome::TooFar(missing) => {
                tracing::info!(first = missing.first, last = missing.last, "children are missing; asking for them");
                is_missing = true;
            }
            sync::ChildOutcome::Refused => return Err(Failure::new("malformed", "the child has no proper number")),
        }
    }
    if let Some(last) = last.filter(|_| object.purpose == ObjectUse::Chat && by_peer) {
        receipt(tx, me, object, author, last)?;
    }
    if is_missing {
        ask_author_for_missing(tx, me, object, &tag)?;
    }
    object.at = now;
    put_object(tx, object)?;
    follow.extend(pumps(object));
    Ok(follow)
}

fn keep_child(
    tx: &Tx<'_>,
    me: &Ready,
    object: &mut Object,
    author: &Author,
    child: Child,
    now: i64,
) -> Outcome<Vec<Follow>> {
    if object.circle.is_some() && circle::is_before(&child.value) {
        // Its number is taken; it was said to others.
        return Ok(Vec::new());
    }
    if is_gone(&child.value) {
        // Its number is taken; how many there were is told once the page is here.
        behind::was_gone(tx, &object.url)?;
        return Ok(Vec::new());
    }
    let user = object.member(&author.device).map_or_else(|| object.peer.clone(), |member| member.user.clone());
    let mine = user == me.record.user;
    let row = ChildRow {
        id: child.resource.clone(),
        object: object.url.to_string(),
        author: row_author(&user, &tag_of(&author.device)),
        seq: child.seq as i64,
        // The author's clock may be wrong or lie: never later than now.
        at: child.at.clamp(0, now),
        state: if mine { ChildState::Sent } else { ChildState::Received },
        value: child_json(&child.value, comparing::mark_of(tx, object)?),
        mine,
        unread: !mine,
        ..ChildRow::default()
    };
    let mut follow = Vec::new();
    if object.purpose == ObjectUse::Chat {
        follow = chat::heard(tx, object, row.clone(), &child.value, child.at)?;
        if !mine {
            follow.push(Follow::Wrote(object.url.clone()));
        }
    } else {
        match leases::call_child(object, author, mine, &child.value) {
            leases::CallChild::Heard => {}
            leases::CallChild::Ignored => return Ok(Vec::new()),
            leases::CallChild::TakenElsewhere => {
                let reason = "elsewhere".to_owned();
                object.standing = Standing::Closed { reason: reason.clone() };
                put_object(tx, object)?;
                let tell = Follow::Tell {
                    to: hyperty_of(me, object.purpose),
                    kind: MessageType::Delete,
                    from: below(&object.url, "subscription")?,
                    body: body(&json!({ "reason": reason })),
                };
                return Ok(vec![tell, Follow::ObjectClosed { url: object.url.clone(), reason }]);
            }
        }
    }
    let person = match &object.circle {
        Some(_) => persons::get_or_new(tx, &user)?,
        None => get_person(tx, &object.peer)?,
    };
    let tell = json!({
        "resource": child.resource, "seq": child.seq, "author": user, "value": child.value,
        "at": row.at, "identity": identity_of(&person),
    });
    follow.push(Follow::Tell {
        to: hyperty_of(me, object.purpose),
        kind: MessageType::Create,
        from: below(&object.url, "children/")?,
        body: body(&tell),
    });
    Ok(follow)
}

/// What a Hyperty is told about a verified person.
pub(crate) fn identity_of(person: &Person) -> Value {
    match &person.identity {
        Some(line) => json!({ "user": person.user, "name": person.name, "issuer": line.issuer, "state": line.state }),
        None => Value::Null,
    }
}

pub(crate) fn hyperty_of(me: &Ready, purpose: ObjectUse) -> Address {
    match purpose {
        ObjectUse::Call => me.record.connector.clone(),
        ObjectUse::Chat | ObjectUse::Own | ObjectUse::Door => me.record.chat.clone(),
    }
}

/// Tells all that the children of this author up to `seq` are kept here; in a large group some tell the author alone.
fn receipt(tx: &Tx<'_>, me: &Ready, object: &Object, author: &Author, seq: u64) -> Outcome<()> {
    let value = json!({ "delivered": { tag_of(&author.device).as_str(): seq } });
    let inner = inner_message(MessageType::Event, &object.url, "children/", &value)?;
    let Some(circle) = object.circle.as_ref().filter(|_| object.is_large()) else {
        return seal_and_queue(tx, me, object, &inner, None);
    };
    let user = &author.member(object)?.user;
    if !circle.said.is_witness(&me.record.user, user) {
        return Ok(());
    }
    seal_to(tx, me, object, &inner, &|member| member.user == *user)
}

fn on_receipt(tx: &Tx<'_>, me: &Ready, object: &mut Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    let receipt: Receipt = said(inner)?;
    let tag = tag_of(&author.device);
    if let Some(resent) = receipt.resent.get(&tag) {
        let mut follow = behind::tell_unreadable(tx, object, now_ms())?;
        follow.extend(on_resent(tx, me, object, &tag, resent)?);
        return Ok(follow);
    }
    if !receipt.have.is_empty() && author.is_holder {
        return hear_of_more(tx, me, object, &receipt.have);
    }
    if object.circle.is_some() {
        let user = author.member(object)?.user.clone();
        return circle::heard_of(tx, me, object, &user, (&receipt.delivered, &receipt.read));
    }
    if !author.is_of(object, &object.peer) {
        // Only the other side's word counts for "delivered".
        return Ok(Vec::new());
    }
    chat::on_receipt(tx, me, object, &receipt.delivered, &receipt.read)
}

/// The Reporter changed the object.
fn on_change(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message, now: i64) -> Outcome<Vec<Follow>> {
    let change: sync::Change = said(inner)?;
    let is_next = change.version == object.watched()?.version().saturating_add(1);
    // What is not believed is not applied, and nothing that builds on it.
    let judged = if is_next { circle::judge(object, &change)? } else { None };
    match object.watched()?.on_change(&change) {
        Ok(sync::Outcome::Applied) => {
            let mut follow = vec![Follow::Tell {
                to: hyperty_of(me, object.purpose),
                kind: MessageType::Update,
                from: below(&object.url, "changes")?,
                body: body(&change),
            }];
            if let Some((after, steps)) = judged {
                follow.extend(circle::took(tx, me, object, after, &steps, now)?);
                follow.extend([Follow::Verify(object.url.clone()), Follow::RetryEarly(object.url.clone())]);
            }
            put_object(tx, object)?;
            Ok(follow)
        }
        Ok(sync::Outcome::Duplicate) => Ok(Vec::new()),
        Ok(sync::Outcome::Gap { .. }) => {
            ask_for_missing(tx, me, object)?;
            put_object(tx, object)?;
            Ok(pumps(object).collect())
        }
        Err(error) => Err(Failure::new("bad-change", error)),
    }
}

/// The other side refused, left or ended the object.
fn on_ended(tx: &Tx<'_>, me: &Ready, object: &mut Object, author: &Author, inner: &Message) -> Outcome<Vec<Follow>> {
    let ended: Ended = said(inner)?;
    if object.circle.is_some() {
        return circle::left(tx, me, object, author, ended.reason.as_deref().unwrap_or_default(), now_ms());
    }
    if object.purpose == ObjectUse::Door {
        return doors::on_word(tx, object, author, ended.code, ended.reason.as_deref());
    }
    let reason = match ended.code {
        403 => "declined".to_owned(),
        486 => "busy".to_owned(),
        _ => ended.reason.unwrap_or_else(|| "left".into()),
    };
    let reason = object.bye.clone().filter(|_| object.purpose == ObjectUse::Call && reason == "left").unwrap_or(reason);
    if object.purpose == ObjectUse::Call && !leases::ends_call(me, object, author, &reason) {
        // One of several devices cannot take the call; the others still ring.
        put_object(tx, object)?;
        return Ok(Vec::new());
    }
    let was_asked = matches!(object.standing, Standing::Invited);
    object.standing = Standing::Closed { reason: reason.clone() };
    put_object(tx, object)?;
    let from = below(&object.url, "subscription")?;
    let (kind, said) = if was_asked {
        (MessageType::Event, json!({ "code": ended.code, "user": object.peer }))
    } else {
        (MessageType::Delete, json!({ "reason": reason }))
    };
    let tell = Follow::Tell { to: hyperty_of(me, object.purpose), kind, from, body: body(&said) };
    let mut follow = vec![tell, Follow::ObjectClosed { url: object.url.clone(), reason }];
    if object.purpose == ObjectUse::Chat && was_asked {
        let mut person = get_person(tx, &object.peer)?;
        person.contact = ContactState::Declined;
        put_person(tx, &person)?;
        follow.push(Follow::PersonShown(person.user.clone()));
        follow.push(Follow::ChatShown(object.url.clone()));
    }
    Ok(follow)
}

/// The Reporter sends its whole value, because we were too far behind.
fn on_snapshot(tx: &Tx<'_>, me: &Ready, object: &mut Object, inner: &Message, now: i64) -> Outcome<Vec<Follow>> {
    let snapshot: sync::Snapshot = said(inner)?;
    let outcome = object.watched()?.on_snapshot(snapshot).map_err(|e| Failure::new("bad-change", e))?;
    let mut follow = Vec::new();
    if outcome == sync::Outcome::Applied {
        follow = circle::recast(tx, me, object, now)?;
        follow.extend([Follow::Verify(object.url.clone()), Follow::RetryEarly(object.url.clone())]);
    }
    put_object(tx, object)?;
    Ok(follow)
}

/// Takes what was held while its sender was being verified.
pub(crate) fn release_held(tx: &Tx<'_>, me: &Ready, url: &Address, now: i64) -> Outcome<Vec<Follow>> {
    let mut object = get_object(tx, url)?;
    let held = std::mem::take(&mut object.held);
    put_object(tx, &object)?;
    let holder = seal::lease(tx, &object.group()?).map_err(|e| Failure::new(e.code(), e))?.holder.to_string();
    let mut follow = Vec::new();
    for one in held {
        let Ok(inner) = Message::from_json(one.message.as_bytes()) else { continue };
        let author = Author { is_holder: one.device == holder, device: one.device };
        match on_inner(tx, me, url, &author, inner, now) {
            Ok(more) => follow.extend(more),
            Err(failure) if failure.code == "store-failed" => return Err(failure),
            Err(failure) => tracing::info!(code = failure.code, "a held message was refused"),
        }
    }
    Ok(follow)
}
