//! Whether somebody is who they say: the issuers' keys, the checks of trust.md 2.3, and what waits for them.

use contract::News;
use message::Address;
use tokio::sync::Notify;

use crate::asking;
use crate::config::IssuerLanguage;
use crate::gate;
use crate::home::{Home, Ready, State, now_ms, now_u64};
use crate::inbox::WaitingEvidence;
use crate::objects::Follow;
use crate::patience::{dice, pause_after, pause_when_back};
use crate::persons::{PINS, is_accepted, system_row};
use crate::records::{Object, ObjectUse, Side, Standing, kind};
use crate::sending::{get_object, inner_message, put_object, queue_sealed, sealing};
use crate::trouble::{Failure, Outcome};

/// An issuer's keys are used this long without asking again (trust.md, 2.4).
const KEYS_FRESH_MS: i64 = 60 * 60 * 1000;

/// While an issuer may not be asked for a stranger, its keys are used this long (trust.md, 2.4).
const KEYS_GOOD_MS: i64 = 7 * 24 * 60 * 60 * 1000;

/// An unknown key makes us ask the issuer again, but not more often than this.
const KEYS_REFETCH_MS: i64 = 5_000;

/// Failed attempts to reach an issuer after which the person is told that the check takes longer.
const SHOWN_AFTER: u32 = 2;

impl Home {
    /// Checks the evidence of an object's other side in a task of its own, for as long as it takes.
    pub(crate) fn verify_later(&self, state: &mut State, url: Address) {
        // Of a thousand people some are shown again and again while the first are being checked.
        let Some(wake) = state.upkeep.checking.begin(&url) else { return };
        let home = self.clone();
        self.rooms.tasks.start("verify", async move {
            loop {
                home.verify_until_known(&url, &wake).await;
                if home.state().upkeep.checking.end(&url) {
                    return;
                }
            }
        });
    }

    async fn verify_until_known(&self, url: &Address, wake: &Notify) {
        let mut failures = 0;
        loop {
            let back = self.rooms.network.notified();
            tokio::pin!(back);
            back.as_mut().enable();
            match self.verify(url).await {
                Ok(()) => return,
                Err(failure) if is_temporary(&failure) => {
                    failures += 1;
                    tracing::info!(code = failure.code, failures, "an identity is not checked yet");
                    if failures == SHOWN_AFTER || failure.code == "issuer-not-asked" {
                        self.show_unchecked(url, &failure);
                    }
                }
                // Known by name, with other keys: a person decides, and nothing is lost meanwhile.
                Err(failure) if failure.code == "key-change" && self.hold_other_keys(url) => return,
                Err(failure) => {
                    tracing::info!(code = failure.code, "an identity was refused");
                    self.refuse(url, &failure);
                    return;
                }
            }
            tokio::select! {
                () = tokio::time::sleep(pause_after(failures, dice())) => {}
                () = back => tokio::time::sleep(pause_when_back(dice())).await,
                // More was shown.
                () = wake.notified() => {}
            }
        }
    }

    /// The check takes longer than a moment: the person sees that, and why.
    fn show_unchecked(&self, url: &Address, failure: &Failure) {
        let mut state = self.state();
        let shown = state.store().and_then(|store| {
            store.write(|tx| {
                let mut object = get_object(tx, url)?;
                let Standing::Verifying { evidence } = &object.standing else { return Ok(Vec::new()) };
                if object.purpose != ObjectUse::Chat || object.unchecked.is_some() || object.circle.is_some() {
                    return Ok(Vec::new());
                }
                let waiting = WaitingEvidence::parse(evidence)?;
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
        let object = self.state().store()?.read(|tx| get_object(tx, url))?;
        if object.circle.is_some() {
            return self.verify_circle(url).await;
        }
        let (waiting, persona, pins) = {
            let state = self.state();
            let store = state.store()?;
            let Standing::Verifying { evidence } = &object.standing else { return Ok(()) };
            let waiting = WaitingEvidence::parse(evidence)?;
            let pins: identity::PinBook = store.read(crate::settling::pins)?;
            (waiting, object.peer_persona, pins)
        };
        let device = keys::VerifyingKey::parse(&waiting.device).map_err(|e| Failure::new("wrong-author", e))?;
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
        let policy = self.state().policy.rules().strictness(identity::Policy::default());
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
                Err(identity::VerifyError::ResetPending(pending)) => {
                    // Contacts wait from when they saw it first, whatever date it bears.
                    self.saw_reset(&pending)?;
                    return Err(Failure::new("reset-pending", "a reset waits for its time"));
                }
                result => return result.map_err(|e| Failure::new(e.code(), e)),
            }
        }
    }

    fn saw_reset(&self, pending: &identity::PendingReset) -> Outcome<()> {
        let state = self.state();
        state.store()?.write(|tx| {
            let mut pins = crate::settling::pins(tx)?;
            pins.saw_reset(pending.persona, pending.reset, pending.first_seen);
            tx.put(kind::PINS, PINS, &pins).map_err(Failure::store)
        })
    }

    /// An identity that does not hold, or that the policy does not let in: the object ends with the
    /// reason, and the person is told if they waited for it.
    fn refuse(&self, url: &Address, failure: &Failure) {
        let mut state = self.state();
        let state = &mut *state;
        let (Some(store), Some(me)) = (&state.store, &state.me) else { return };
        let done = store.write(|tx| {
            let mut object = get_object(tx, url)?;
            if !matches!(object.standing, Standing::Verifying { .. }) {
                // They were blocked meanwhile: nobody waits for this any more.
                return Ok(None);
            }
            if let (Standing::Verifying { evidence }, true) = (&object.standing, gate::is_about_calling(&failure.code))
                && object.purpose == ObjectUse::Call
                && is_accepted(tx, &object.peer)?
            {
                tell_not_permitted(tx, me, &object, evidence)?;
            }
            object.standing = Standing::Closed { reason: failure.code.clone() };
            object.held.clear();
            put_object(tx, &object)?;
            // A stranger whom nobody asked for must not fill the window with their failures.
            // Nor is the person told each time that their own rule about calls was kept to.
            let awaited = matches!(object.side, Side::Reporter(_))
                || (is_accepted(tx, &object.peer)? && !gate::is_about_calling(&failure.code));
            Ok::<_, Failure>(Some((object, awaited)))
        });
        if let Ok(Some((object, awaited))) = done {
            if awaited {
                self.tell(News::Trouble(failure.into()));
            }
            if !gate::is_rule(&failure.code) {
                state.policy.note(now_u64(), gate::unverified(&object.peer, &failure.code));
            }
            let closed = Follow::ObjectClosed { url: object.url.clone(), reason: failure.code.clone() };
            self.follow_up(state, vec![closed, Follow::Pump(object.peer.domain())]);
        }
    }

    /// The issuers that may speak for anybody; a domain's own speaks for its names besides.
    pub(crate) fn issuer_table(&self) -> identity::IssuerTable {
        let listed = self.rooms.config.issuers.iter().map(|listed| identity::IssuerEntry {
            client_ids: vec![listed.client_id.clone()],
            ..identity::IssuerEntry::new(&listed.issuer)
        });
        let entries = self.state().policy.rules().issuer_entries(listed.collect());
        let mut table = identity::IssuerTable::new();
        for entry in entries {
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
        let kind = match self.language_of(issuer) {
            IssuerLanguage::OpenId => signin::IssuerKind::OpenId,
            IssuerLanguage::Proxy { .. } => signin::IssuerKind::Proxy,
        };
        match signin::fetch_jwks_of(&self.rooms.net, issuer, kind).await {
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
}

/// Tells a contact, who is verified by now, that they may not call.
fn tell_not_permitted(tx: &store::Tx<'_>, me: &Ready, object: &Object, evidence: &str) -> Outcome<()> {
    let waiting = WaitingEvidence::parse(evidence)?;
    let Some(inbox) = &waiting.evidence.inbox else { return Ok(()) };
    let over = serde_json::json!({ "code": 410, "reason": "not-permitted" });
    let inner = inner_message(message::MessageType::Event, &object.url, "subscription", &over)?;
    let sealed = seal::seal(tx, &me.device, &object.group()?, inner.to_json().as_bytes()).map_err(sealing)?;
    queue_sealed(tx, inbox, &sealed, true, None)
}

/// Whether trying again later may help. A reset has its time.
pub(crate) fn is_temporary(failure: &Failure) -> bool {
    matches!(failure.code.as_str(), "issuer-unreachable" | "issuer-not-asked" | "reset-pending")
}
