//! What arrives sealed: opened, judged, numbered and kept before it is acknowledged.
//!
//! The answer to the node is sent only after the transaction is committed, so a
//! message is either still in the mailbox or whole in our store, never lost.

mod children;
mod inner;
mod introductions;

use message::{Address, Code, Message, MessageType, Response};
use seal::parcel;
use serde::Deserialize;
use store::Tx;
use sync::bundle;

use children::on_children;
use introductions::first_word;

use crate::circle;
use crate::commits::After;
use crate::home::{Home, Ready, State, now_ms, now_u64};
use crate::members::{Author, Chains, check_alone};
use crate::objects::Follow;
use crate::records::{ObjectUse, Standing};
use crate::resync::ask_where_they_are;
use crate::sending::{find_object, get_object};
use crate::trouble::{Failure, Outcome};
use crate::verdicts::Policy;
use crate::{behind, commits, gate, leases, linking};

pub(crate) use inner::{on_inner, release_held};
pub(crate) use introductions::{WaitingEvidence, hyperty_of, identity_of};

#[derive(Deserialize)]
struct Sealed {
    v: u32,
    sealed: String,
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
    let known = find_object(tx, &url)?;
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
