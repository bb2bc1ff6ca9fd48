//! Words of issuers and the time of our devices are renewed before they run out, without the person.

use contract::News;
use message::Private;
use serde::{Deserialize, Serialize};
use signin::{Expected, RenewError};

use crate::home::{Home, Ready, State, now_ms};
use crate::issuers::mine;
use crate::linking::DEVICE_LIFE_S;
use crate::records::{Me, kind};
use crate::trouble::{Failure, Outcome};

/// The first pause after a renewal that failed for now; each further one doubles it.
const FIRST_PAUSE_MS: i64 = 60_000;

/// The longest one.
const LONGEST_PAUSE_MS: i64 = 6 * 60 * 60 * 1000;

/// What is kept of an issuer to ask it again without the person.
#[derive(Clone, Default, Serialize, Deserialize)]
pub(crate) struct Renewing {
    /// A secret of the person at this issuer.
    pub(crate) refresh_token: Option<String>,
    /// Why the last attempt failed: code and detail.
    pub(crate) trouble: Option<(String, String)>,
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
    pub(crate) fn renewing(&self, issuer: &str) -> Outcome<Renewing> {
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
}
