//! Who vouches for the person: further issuers are linked and unlinked, and their words are renewed in time.

use contract::{MyIssuer, News, SignInState, Trouble};
use identity::{Cic, Enrolled, Evidence, IdpLink, PkToken};
use message::Private;
use serde::{Deserialize, Serialize};
use signin::{Expected, RenewError, RootKey, SignIn};
use tokio_util::sync::CancellationToken;

use crate::first_run::ready;
use crate::home::{Home, Ready, State, now_ms};
use crate::linking::DEVICE_LIFE_S;
use crate::objects::Follow;
use crate::own::OwnStep;
use crate::persons::host_of;
use crate::proxies::package_of;
use crate::records::{Me, Object, ObjectUse, Side, Standing, kind};
use crate::sending::{introduction_message, pumps, seal_and_queue};
use crate::trouble::{Failure, Outcome};

/// The first pause after a renewal that failed for now; each further one doubles it.
const FIRST_PAUSE_MS: i64 = 60_000;

/// The longest one.
const LONGEST_PAUSE_MS: i64 = 6 * 60 * 60 * 1000;

/// What is kept of an issuer to ask it again without the person.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Renewing {
    /// A secret of the person at this issuer.
    refresh_token: Option<String>,
    /// Why the last attempt failed: code and detail.
    trouble: Option<(String, String)>,
    /// No attempt before this, in Unix milliseconds.
    not_before: i64,
    /// Attempts in a row that failed for now.
    failures: u32,
}

impl Renewing {
    pub(crate) fn with(refresh_token: Option<Private<String>>) -> Self {
        Self { refresh_token: refresh_token.map(|token| token.0), ..Self::default() }
    }

    /// An attempt failed: for now, or until the person signs in again.
    fn failed(&mut self, error: &RenewError, now: i64) {
        if error.needs_browser() {
            self.refresh_token = None;
            self.trouble = Some(("renewal-refused".into(), error.to_string()));
            return;
        }
        self.failures = self.failures.saturating_add(1);
        self.trouble = Some((error.code().into(), error.to_string()));
        self.not_before = now + FIRST_PAUSE_MS.saturating_mul(1 << self.failures.min(12)).min(LONGEST_PAUSE_MS);
    }
}

/// A token of ours with what is said about it.
struct Mine {
    token: PkToken,
    issuer: String,
    subject: String,
    /// Unix seconds of the issuer's last word.
    attested_at: i64,
    /// Unix seconds until when it introduces us to strangers.
    until: i64,
}

/// Our tokens, those that cannot be read left out.
fn mine(me: &Ready) -> Vec<Mine> {
    let of = |text: &String| {
        let token = PkToken::parse(text).ok()?;
        let (issuer, subject) = (token.claimed_issuer()?.to_owned(), token.claimed_subject()?.to_owned());
        let renewed = me.record.renewals.iter().filter_map(|text| renewed_at(text));
        let renewed = renewed.filter(|(hash, _)| *hash == token.hash().to_string()).map(|(_, at)| at).max();
        let attested_at = token.claimed_time()?.max(renewed.unwrap_or(0));
        let records = me.chain.attestations().iter().filter(|record| record.pkt_hash == token.hash());
        let until = records.map(|record| record.until).max().unwrap_or(0);
        Some(Mine { token, issuer, subject, attested_at, until })
    };
    me.record.tokens.iter().filter_map(of).collect()
}

/// Which token a renewal of ours renews, and when the issuer spoke.
fn renewed_at(renewal: &str) -> Option<(String, i64)> {
    let mut parts = renewal.split('.');
    let (hash, _, claims) = (parts.next()?, parts.next()?, parts.next()?);
    let claims: serde_json::Value = serde_json::from_slice(&keys::from_b64url(claims).ok()?).ok()?;
    Some((hash.to_owned(), claims.get("iat")?.as_f64()? as i64))
}

/// Whether a word given at `attested_at` is to be renewed: before two thirds of the time for which it counts,
/// and not with everybody at once. `dice` is any number, the same one each time.
fn is_due(attested_at: i64, now_s: i64, limit_s: i64, dice: u32) -> bool {
    let latest = limit_s.saturating_mul(2) / 3;
    let jitter = i64::from(dice) * (latest / 10) / i64::from(u32::MAX);
    now_s.saturating_sub(attested_at) >= latest - jitter
}

/// A number that stays the same for this device.
fn dice_of(me: &Ready) -> u32 {
    let hash = keys::sha256(me.dsk.verifying_key().to_string().as_bytes());
    u32::from_le_bytes([hash[0], hash[1], hash[2], hash[3]])
}

impl State {
    fn renewing(&self, issuer: &str) -> Outcome<Renewing> {
        Ok(self.store()?.read(|tx| tx.get(kind::RENEWING, issuer)).map_err(Failure::store)?.unwrap_or_default())
    }

    pub(crate) fn keep_renewing(&self, issuer: &str, renewing: &Renewing) -> Outcome<()> {
        // What was kept before may be a secret that still counts: it leaves the disk at once.
        self.store()?.erase(|tx| tx.put(kind::RENEWING, issuer, renewing)).map_err(Failure::store)
    }

    /// The time within which an issuer's word has to be renewed, as far as our own rules say.
    fn age_limit_s(&self) -> i64 {
        let rules = self.policy.rules();
        let people = [&rules.organisation.people, &rules.user.people];
        let limits = people.into_iter().filter_map(|people| people.max_age_s);
        limits.chain([rules.first_contact_age_s()]).min().unwrap_or(policy::FIRST_CONTACT_AGE_S)
    }

    /// The issuers whose words are to be renewed now.
    fn due(&self, now: i64) -> Vec<String> {
        let Some(me) = self.me.as_ref().filter(|me| me.record.irk.is_some()) else { return Vec::new() };
        let (limit, dice) = (self.age_limit_s(), dice_of(me));
        let due = mine(me).into_iter().filter(|one| is_due(one.attested_at, now / 1000, limit, dice));
        due.map(|one| one.issuer)
            .filter(|issuer| {
                self.renewing(issuer).is_ok_and(|one| one.refresh_token.is_some() && one.not_before <= now)
            })
            .collect()
    }
}

impl Home {
    /// Question `identity.issuers`.
    pub(crate) fn identity_issuers(&self) -> Outcome<Vec<MyIssuer>> {
        let state = self.state();
        let shown = |one: Mine| {
            let renewing = state.renewing(&one.issuer)?;
            let trouble = renewing.trouble.map(|(code, detail)| Trouble { code, detail });
            Ok(MyIssuer {
                vouched_by: host_of(&one.issuer),
                attested_at: one.attested_at * 1000,
                until: one.until * 1000,
                silent: renewing.refresh_token.is_some(),
                trouble,
                issuer: one.issuer,
            })
        };
        mine(state.me()?).into_iter().map(shown).collect()
    }

    /// Question `identity.link`.
    pub(crate) fn identity_link(&self, issuer: &str) -> Outcome<()> {
        let issuer = issuer.trim().trim_end_matches('/').to_owned();
        let mut state = self.state();
        self.may_sign_in_at(&state, &issuer)?;
        let me = state.me()?;
        me.irk()?;
        let known = mine(me).iter().any(|one| one.issuer == issuer);
        if !known && me.record.tokens.len() >= identity::TOKENS_LIMIT {
            return Err(Failure::new("too-many", "four issuers vouch already"));
        }
        let (attempt, cancel) = state.first_run.begin_attempt();
        drop(state);
        let home = self.clone();
        self.rooms.tasks.start("link issuer", async move {
            home.tell(News::SignIn(SignInState::Finding));
            let news = match home.link_issuer(&issuer, attempt, cancel).await {
                Ok(name) => SignInState::Done { name, suggested: None },
                Err(failure) => SignInState::Failed { trouble: Trouble::from(&failure) },
            };
            home.tell(News::SignIn(news));
        });
        Ok(())
    }

    async fn link_issuer(&self, issuer: &str, attempt: u64, cancel: CancellationToken) -> Outcome<Option<String>> {
        let (irk, genesis) = {
            let state = self.state();
            let me = state.me()?;
            (me.irk()?, me.chain.genesis_hash())
        };
        let cic = Cic::new(irk.verifying_key(), genesis);
        let signed_in = self.sign_in_with(issuer, &cic.nonce(), &irk, attempt, cancel).await?;
        let (record, token) = self.state().me()?.linked(&cic, &signed_in.id_token, now_ms() / 1000)?;
        let name = self.check_new_token(&record, &token, issuer).await?;
        {
            let mut state = self.state();
            // The history may have grown meanwhile, so it goes on from where it is now.
            let (record, _) = state.me()?.linked(&cic, &signed_in.id_token, now_ms() / 1000)?;
            state.keep_renewing(issuer, &Renewing::with(signed_in.refresh_token))?;
            self.put_me(&mut state, record)?;
            self.tell_of_myself(&mut state)?;
        }
        self.publish_chain_soon().await;
        Ok(name)
    }

    /// Leads the person to an issuer's page and back, for a token that commits to this nonce.
    pub(crate) async fn sign_in_with(
        &self,
        issuer: &str,
        nonce: &str,
        irk: &keys::SigningKey,
        attempt: u64,
        cancel: CancellationToken,
    ) -> Outcome<signin::SignedIn> {
        let mut config = self.issuer_config(issuer);
        if let Some(package) = package_of(&self.language_of(issuer)) {
            return self.sign_in_by_proxy(&package, config, nonce.to_owned(), attempt, cancel).await;
        }
        config.silent_renewal = true;
        let signer = irk.clone();
        config.root_key = Some(RootKey::new(irk.verifying_key(), move |text| signer.sign(text)));
        let begun = SignIn::begin(&self.rooms.net, config, nonce.to_owned()).await;
        let pending = begun.map_err(|e| Failure::new(e.code(), e))?;
        self.lead_to(pending.authorize_url(), attempt).await?;
        pending.finish(cancel).await.map_err(|e| Failure::new(e.code(), e))
    }

    /// Checks a further token as a stranger would.
    async fn check_new_token(&self, record: &Me, token: &PkToken, issuer: &str) -> Outcome<Option<String>> {
        let evidence = Evidence {
            user: record.user.clone(),
            inbox: None,
            tokens: vec![token.text().to_owned()],
            chain: record.chain.clone(),
            device: ready(record.clone())?.dsk.verifying_key(),
            renewals: Vec::new(),
        };
        let mut table = self.issuer_table();
        let own = self.own_issuer(&record.user.domain());
        if issuer != own && !table.entries().iter().any(|entry| entry.issuer == issuer) {
            // The person chose this issuer for themselves; contacts decide for themselves.
            table.add(identity::IssuerEntry::new(issuer)).map_err(|e| Failure::new("bad-issuer", e))?;
        }
        let pins = identity::PinBook::new();
        let verified = self.verify_evidence(&evidence, &table, None, &pins, None).await?;
        Ok(verified.display().name.clone())
    }

    /// Question `identity.unlink`.
    pub(crate) async fn identity_unlink(&self, issuer: &str) -> Outcome<Vec<MyIssuer>> {
        let forgotten = {
            let mut state = self.state();
            let record = state.me()?.unlinked(issuer, now_ms() / 1000)?;
            let renewing = state.renewing(issuer)?;
            state.store()?.erase(|tx| tx.delete(kind::RENEWING, issuer)).map_err(Failure::store)?;
            self.put_me(&mut state, record)?;
            self.tell_of_myself(&mut state)?;
            renewing.refresh_token
        };
        self.publish_chain_soon().await;
        if let Some(token) = forgotten {
            let (home, config) = (self.clone(), self.issuer_config(issuer));
            self.rooms.tasks.start("forget", async move {
                if let Err(error) = signin::forget(&home.rooms.net, &config, &Private(token)).await {
                    tracing::info!(code = error.code(), "the issuer did not take its refresh token back");
                }
            });
        }
        self.identity_issuers()
    }

    /// Renews what is due: words of issuers, and the time of our devices.
    pub(crate) fn renew_due(&self, now: i64) {
        let due = {
            let mut state = self.state();
            if let Err(failure) = self.renew_devices(&mut state, now / 1000) {
                tracing::warn!(code = failure.code, "a device was not renewed");
            }
            if state.upkeep.renewing { Vec::new() } else { state.due(now) }
        };
        if due.is_empty() {
            return;
        }
        self.state().upkeep.renewing = true;
        let home = self.clone();
        self.rooms.tasks.start("renewal", async move {
            for issuer in due {
                if let Err(failure) = home.renew_word(&issuer).await {
                    tracing::info!(code = failure.code, "an issuer's word was not renewed");
                }
            }
            home.state().upkeep.renewing = false;
        });
    }

    /// Asks an issuer for a later word, without the person.
    async fn renew_word(&self, issuer: &str) -> Outcome<()> {
        let (mut renewing, one) = {
            let state = self.state();
            let one = mine(state.me()?).into_iter().find(|one| one.issuer == issuer);
            (state.renewing(issuer)?, one.ok_or_else(|| Failure::unknown("issuer"))?)
        };
        let Some(refresh) = renewing.refresh_token.clone().map(Private) else { return Ok(()) };
        let config = self.issuer_config(issuer);
        let expected = Expected {
            issuer: issuer.to_owned(),
            subject: one.subject,
            audience: config.client_id.clone(),
            nonce: None,
        };
        let renewed = match signin::renew(&self.rooms.net, &config, &refresh, &expected).await {
            Ok(renewed) => renewed,
            Err(error) => {
                renewing.failed(&error, now_ms());
                self.state().keep_renewing(issuer, &renewing)?;
                self.tell(News::Mine);
                return Err(Failure::new(error.code(), error));
            }
        };
        // The old token may be of no use any more, so the new one is kept before anything else.
        let next = renewed.refresh_token.unwrap_or(refresh);
        let not_before = now_ms() + FIRST_PAUSE_MS / 6;
        let renewing = Renewing { refresh_token: Some(next.0), not_before, ..Renewing::default() };
        self.state().keep_renewing(issuer, &renewing)?;
        {
            let mut state = self.state();
            let record = state.me()?.renewed(&one.token, &renewed.id_token, now_ms() / 1000)?;
            self.put_me(&mut state, record)?;
            self.tell_of_myself(&mut state)?;
        }
        self.publish_chain_soon().await;
        Ok(())
    }

    /// Our devices count for a year at most: whoever has the root key renews those that are there in time.
    fn renew_devices(&self, state: &mut State, now_s: i64) -> Outcome<()> {
        let Ok(me) = state.me() else { return Ok(()) };
        let Ok(irk) = me.irk() else { return Ok(()) };
        let Some(chain) = devices_renewed(&me.chain, &irk, now_s, dice_of(me))? else { return Ok(()) };
        let record = Me { chain: chain.texts(), ..me.record.clone() };
        self.put_me(state, record)?;
        self.tell_of_myself(state)?;
        self.publish_later();
        Ok(())
    }

    /// Contacts and our other devices hear how our history goes on. Whoever has not answered us yet may have
    /// refused us for lack of what we can show now: we introduce ourselves once more.
    fn tell_of_myself(&self, state: &mut State) -> Outcome<()> {
        self.tell_everybody(state)?;
        let follow = {
            let (me, store) = (state.me()?, state.store()?);
            store.write(|tx| {
                let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
                let mut follow = Vec::new();
                for (_, object) in objects.into_iter().filter(|(_, object)| waits_for_an_answer(object)) {
                    seal_and_queue(tx, me, &object, &introduction_message(tx, me, &object)?, None)?;
                    follow.extend(pumps(&object));
                }
                Ok::<_, Failure>(follow)
            })?
        };
        self.follow_up(state, follow);
        self.follow_up(state, vec![Follow::Own(OwnStep::Joined)]);
        Ok(())
    }

    /// The domain hears how our history goes on, now or with the next session.
    async fn publish_chain_soon(&self) {
        if let Err(failure) = self.publish_chain().await {
            tracing::info!(code = failure.code, "the domain hears of the new history later");
        }
    }
}

impl Ready {
    /// Our record with a further issuer, or with a new word of a known one.
    fn linked(&self, cic: &Cic, id_token: &str, now_s: i64) -> Outcome<(Me, PkToken)> {
        let irk = self.irk()?;
        let first = self.record.tokens.first().ok_or_else(|| Failure::new("database-damaged", "there is no token"))?;
        let first = PkToken::parse(first).map_err(|e| Failure::new("database-damaged", e))?;
        let token = PkToken::assemble(id_token, cic, &irk).map_err(|e| Failure::new("bad-token", e))?;
        let (issuer, subject) =
            (token.claimed_issuer().unwrap_or_default(), token.claimed_subject().unwrap_or_default());
        let known: Vec<Mine> = mine(self).into_iter().filter(|one| one.issuer == issuer).collect();
        if known.iter().any(|one| one.subject != subject) {
            return Err(Failure::new("other-account", "the issuer vouches for another account of yours already"));
        }
        let mut chain = self.chain.clone();
        if known.is_empty() {
            let link = IdpLink { iss: issuer.to_owned(), sub: subject.to_owned() };
            chain.link_idp(&irk, link, now_s).map_err(|e| Failure::new("bad-chain", e))?;
        }
        let mut enrolled = Enrolled { irk, device: self.dsk.clone(), chain, token: first };
        let token = enrolled.renew(cic, id_token, now_s).map_err(|e| Failure::new("bad-token", e))?;
        let mut record = self.record.clone();
        record.chain = enrolled.chain.texts();
        let place = known.first().and_then(|one| record.tokens.iter().position(|text| *text == one.token.text()));
        match place {
            Some(place) => record.tokens[place] = token.text().to_owned(),
            None => record.tokens.push(token.text().to_owned()),
        }
        for one in &known {
            forget_renewals(&mut record, &one.token);
        }
        if record.tokens.len() > identity::TOKENS_LIMIT {
            return Err(Failure::new("too-many", "four issuers vouch already"));
        }
        Ok((record, token))
    }

    /// Our record without an issuer.
    fn unlinked(&self, issuer: &str, now_s: i64) -> Outcome<Me> {
        let irk = self.irk()?;
        let all = mine(self);
        let one = all.iter().find(|one| one.issuer == issuer).ok_or_else(|| Failure::unknown("issuer"))?;
        let Some(other) = all.iter().find(|other| other.issuer != issuer) else {
            return Err(Failure::new("last-issuer", "nobody else vouches for you"));
        };
        let mut chain = self.chain.clone();
        let link = IdpLink { iss: issuer.to_owned(), sub: one.subject.clone() };
        chain.unlink_idp(&irk, link, now_s).map_err(|e| Failure::new("bad-chain", e))?;
        let mut record = self.record.clone();
        record.chain = chain.texts();
        record.tokens.retain(|text| *text != one.token.text());
        forget_renewals(&mut record, &one.token);
        if record.issuer == issuer {
            record.issuer.clone_from(&other.issuer);
        }
        Ok(record)
    }

    /// Our record with a later word of the issuer of `token`.
    fn renewed(&self, token: &PkToken, id_token: &str, now_s: i64) -> Outcome<Me> {
        let irk = self.irk()?;
        let renewal = identity::Renewal::sign(token, id_token, &irk).map_err(|e| Failure::new(e.code(), e))?;
        let (_, at) = renewed_at(renewal.text()).ok_or_else(|| Failure::new("bad-token", "it has no time"))?;
        let (iss, sub) = (token.claimed_issuer().unwrap_or_default(), token.claimed_subject().unwrap_or_default());
        let attest = identity::Attest {
            pkt_hash: token.hash(),
            iss: iss.to_owned(),
            sub: sub.to_owned(),
            until: at.saturating_add(identity::ATTESTATION_LIFE_S),
        };
        let mut chain = self.chain.clone();
        chain.attest(&irk, attest, now_s).map_err(|e| Failure::new("bad-chain", e))?;
        let mut record = self.record.clone();
        record.chain = chain.texts();
        forget_renewals(&mut record, token);
        record.renewals.push(renewal.text().to_owned());
        Ok(record)
    }
}

fn waits_for_an_answer(object: &Object) -> bool {
    object.purpose == ObjectUse::Chat
        && matches!(object.standing, Standing::Invited)
        && matches!(object.side, Side::Reporter(_))
}

fn forget_renewals(record: &mut Me, token: &PkToken) {
    let hash = token.hash().to_string();
    record.renewals.retain(|text| text.split('.').next() != Some(hash.as_str()));
}

/// The chain with every live device renewed that is in the last third of its year; none if all have time.
fn devices_renewed(
    chain: &identity::Sigchain,
    irk: &keys::SigningKey,
    now_s: i64,
    dice: u32,
) -> Outcome<Option<identity::Sigchain>> {
    let late = |device: &&identity::Device| {
        let begun = device.expires.saturating_sub(DEVICE_LIFE_S);
        chain.device(&device.dsk, now_s).is_ok() && is_due(begun, now_s, DEVICE_LIFE_S, dice)
    };
    let due: Vec<identity::Device> = chain.devices().filter(late).cloned().collect();
    if due.is_empty() {
        return Ok(None);
    }
    let mut chain = chain.clone();
    for device in due {
        chain
            .add_device(irk, device.dsk, &device.name, now_s + DEVICE_LIFE_S, now_s)
            .map_err(|e| Failure::new("bad-chain", e))?;
    }
    Ok(Some(chain))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DAY: i64 = 86_400;

    #[test]
    fn a_word_is_renewed_before_two_thirds_of_its_time_and_not_with_everybody_at_once() {
        let limit = 90 * DAY;
        assert!(!is_due(0, 53 * DAY, limit, u32::MAX));
        assert!(is_due(0, 54 * DAY, limit, u32::MAX), "the first ones begin here");
        assert!(!is_due(0, 59 * DAY, limit, 0));
        assert!(is_due(0, 60 * DAY, limit, 0), "and the last ones here");
        assert!(!is_due(100 * DAY, 0, limit, 0), "a clock that was set back renews nothing");
    }

    #[test]
    fn a_device_is_renewed_in_time_and_a_revoked_or_expired_one_never_is() {
        let irk = keys::SigningKey::generate();
        let mut chain = identity::Sigchain::create(&irk, None, 0);
        let devices = [(); 3].map(|()| keys::SigningKey::generate().verifying_key());
        for (device, expires) in devices.iter().zip([DEVICE_LIFE_S, DEVICE_LIFE_S, 10 * DAY]) {
            chain.add_device(&irk, *device, "one", expires, 0).unwrap();
        }
        chain.revoke_device(&irk, identity::Signer::Irk, devices[1], 1).unwrap();
        assert!(devices_renewed(&chain, &irk, 200 * DAY, 0).unwrap().is_none(), "there is time");
        let now = 244 * DAY;
        let renewed = devices_renewed(&chain, &irk, now, 0).unwrap().unwrap();
        assert_eq!(renewed.device(&devices[0], now).unwrap().expires, now + DEVICE_LIFE_S);
        assert_eq!(renewed.device(&devices[0], now).unwrap().added, 0, "it is the same device");
        assert!(renewed.device(&devices[1], now).is_err() && renewed.device(&devices[2], now).is_err());
        assert_eq!(renewed.entries().len(), chain.entries().len() + 1);
        assert!(devices_renewed(&renewed, &irk, now, 0).unwrap().is_none(), "once is enough");
    }

    #[test]
    fn who_is_refused_waits_for_the_person_and_who_finds_nobody_tries_again() {
        let mut renewing = Renewing::with(Some(Private("secret".into())));
        renewing.failed(&RenewError::ClockWrong { by_s: 9 }, 1_000);
        assert!(renewing.refresh_token.is_some() && renewing.not_before > 1_000);
        assert_eq!(renewing.trouble.clone().unwrap().0, "clock-wrong");
        for _ in 0..100 {
            renewing.failed(&RenewError::ClockWrong { by_s: 9 }, 0);
        }
        assert_eq!(renewing.not_before, LONGEST_PAUSE_MS);
        renewing.failed(&RenewError::Refused { error: "invalid_grant".into() }, 0);
        assert!(renewing.refresh_token.is_none());
        assert_eq!(renewing.trouble.unwrap().0, "renewal-refused");
    }

    #[test]
    fn a_renewal_says_what_it_renews_and_when() {
        let claims = keys::b64url(br#"{"iat":7}"#);
        assert_eq!(renewed_at(&format!("hash.header.{claims}.sig.own")), Some(("hash".into(), 7)));
        for bad in ["", "a.b", "a.b.%.c", "a.b.e30.c.d"] {
            assert_eq!(renewed_at(bad), None, "{bad}");
        }
    }
}
