//! Begins an identity anew when every device and the recovery words are lost.
//!
//! The issuer that vouched before vouches for a new root key. That is announced, and waits for three days, in which
//! every device of before may say no. What is needed afterwards is kept, so that the app may be closed meanwhile.

use std::time::Duration;

use contract::{News, RestartView, SignInState, Trouble};
use identity::{Digest, Enrolled, Evidence, RESET_DELAY_S, Restart, Sigchain};
use message::{Code, Domain, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::json;
use tokio_util::sync::CancellationToken;
use zeroize::Zeroize;

use crate::first_run::{FirstRun, ready, signing_key};
use crate::home::{Home, State, body, now_ms};
use crate::linking::DEVICE_LIFE_S;
use crate::patience::{dice, pause_after};
use crate::records::{Me, kind};
use crate::registry::Packages;
use crate::renewals::Renewing;
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// The one record of an identity that is begun anew.
const RESTART: &str = "restart";

/// How often it is looked whether the time has come, or somebody said no: they may sit side by side.
const LOOK_EVERY: Duration = Duration::from_secs(10);

/// The longest pause while the domain cannot be asked.
const LOOK_LIMIT: Duration = Duration::from_secs(60);

/// What is kept while a reset waits.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Restarting {
    user: UserAddress,
    issuer: String,
    /// The new root key (secret).
    irk: String,
    /// This device's key (secret).
    dsk: String,
    token: String,
    /// With the reset, this device and the issuer's word behind it.
    chain: Vec<String>,
    /// What the issuer committed to.
    cic: String,
    /// The entry that asks.
    reset: Digest,
    /// When it counts at the earliest, in Unix seconds.
    until: i64,
    /// The domain has it.
    announced: bool,
    /// With which the issuer can be asked again without the person (secret).
    #[serde(default)]
    refresh_token: Option<String>,
}

impl Drop for Restarting {
    fn drop(&mut self) {
        self.irk.zeroize();
        self.dsk.zeroize();
        self.refresh_token.zeroize();
    }
}

impl Restarting {
    fn of(user: &UserAddress, issuer: &str, enrolled: &Enrolled, cic: &str) -> Outcome<Self> {
        let reset = enrolled.chain.resets().last().ok_or_else(|| Failure::new("bad-chain", "there is no reset"))?;
        if enrolled.chain.reset_issuer(reset) != Some(issuer) {
            return Err(Failure::new("wrong-account", "the issuer vouches for another account than before"));
        }
        Ok(Self {
            user: user.clone(),
            issuer: issuer.to_owned(),
            irk: keys::b64url(enrolled.irk.to_bytes().as_ref()),
            dsk: keys::b64url(enrolled.device.to_bytes().as_ref()),
            token: enrolled.token.text().to_owned(),
            chain: enrolled.chain.texts(),
            cic: cic.to_owned(),
            reset: reset.hash,
            until: reset.iat.saturating_add(RESET_DELAY_S),
            announced: false,
            refresh_token: None,
        })
    }

    fn keys(&self) -> Outcome<(keys::SigningKey, keys::SigningKey)> {
        let damaged = || Failure::new("database-damaged", "the keys of a restart cannot be read");
        Ok((signing_key(&self.irk).ok_or_else(damaged)?, signing_key(&self.dsk).ok_or_else(damaged)?))
    }

    /// The history as the domain has it, once this device counts in it, and one entry more: with that, no veto can
    /// be dated back into the days that are over.
    fn come_back(&self, mut chain: Sigchain, name: &str, now_s: i64) -> Outcome<Sigchain> {
        let (irk, dsk) = self.keys()?;
        let seen = settling::dated(&chain);
        settling::settle_own(&mut chain, &seen, now_s);
        let device = dsk.verifying_key();
        chain.device(&device, now_s).map_err(|e| Failure::new("not-yet", e))?;
        chain.add_device(&irk, device, name, now_s + DEVICE_LIFE_S, now_s).map_err(|e| Failure::new("bad-chain", e))?;
        Ok(chain)
    }
}

/// Whether somebody said no to the reset; nothing if the history does not hold it.
fn was_refused(chain: &Sigchain, reset: &Digest) -> Option<bool> {
    chain.resets().find(|one| one.hash == *reset).map(|one| one.vetoed_at.is_some())
}

/// Whether waiting on makes no sense.
fn is_final(failure: &Failure) -> bool {
    matches!(failure.code.as_str(), "reset-vetoed" | "reset-refused" | "reset-lost" | "database-damaged")
}

impl State {
    fn restarting(&self) -> Outcome<Option<Restarting>> {
        self.store()?.read(|tx| tx.get(kind::RESTART, RESTART)).map_err(Failure::store)
    }

    /// What is shown of an identity that comes back.
    pub(crate) fn restart_view(&self) -> Option<RestartView> {
        let one = self.restarting().ok().flatten().filter(|one| one.announced)?;
        Some(RestartView { user: one.user.handle(), until: one.until.saturating_mul(1000) })
    }

    /// A profile in which an identity comes back begins nothing else; nor does one that is not open.
    pub(crate) fn nothing_restarts(&self) -> Outcome<()> {
        match self.restarting()? {
            Some(_) => Err(Failure::new("restart-waits", "an identity comes back on this device")),
            None => Ok(()),
        }
    }
}

impl Home {
    /// Question `identity.restart`.
    pub(crate) fn identity_restart(&self, user: &UserAddress, issuer: &str) -> Outcome<()> {
        let (user, issuer) = (user.clone(), issuer.trim().trim_end_matches('/').to_owned());
        let (attempt, cancel) = {
            let mut state = self.state();
            let state = &mut *state;
            if state.me.is_some() {
                return Err(Failure::new("already-set-up", "this profile has an account already"));
            }
            state.nothing_restarts()?;
            self.may_sign_in_at(state, &issuer)?;
            state.set_home_domain(&user.domain())?;
            self.end_stub(state, &user.domain());
            state.first_run.begin_at(user.domain())
        };
        let home = self.clone();
        self.rooms.tasks.start("restart", async move {
            home.tell(News::SignIn(SignInState::Finding));
            let news = match home.restart(&user, &issuer, attempt, cancel).await {
                Ok(()) => SignInState::Done { name: None, suggested: None },
                Err(failure) => SignInState::Failed { trouble: Trouble::from(&failure) },
            };
            home.tell(News::SignIn(news));
            let state = home.app_state(&home.state());
            home.tell(News::App(state));
        });
        Ok(())
    }

    async fn restart(&self, user: &UserAddress, issuer: &str, attempt: u64, cancel: CancellationToken) -> Outcome<()> {
        // Who has no account yet is told of the history as a stranger is.
        let chain = self.look_up(user, &Packages::None).await?.chain;
        if !chain.attestations().iter().any(|one| !one.withdrawn && one.iss == issuer) {
            return Err(Failure::new("other-issuer", "this issuer did not vouch for the address before"));
        }
        let restart = Restart::begin(chain);
        let (irk, cic) = (restart.irk.clone(), restart.cic.text().to_owned());
        let signed_in = self.sign_in_with(issuer, &restart.nonce(), &irk, attempt, cancel).await?;
        let (name, now_s) = (&self.rooms.config.device_name, now_ms() / 1000);
        let enrolled = restart.finish(&signed_in.id_token, name, now_s + DEVICE_LIFE_S, now_s);
        let enrolled = enrolled.map_err(|e| Failure::new("bad-token", e))?;
        let mut record = Restarting::of(user, issuer, &enrolled, &cic)?;
        record.refresh_token = signed_in.refresh_token.map(|token| token.0);
        self.check_restart(&record, &enrolled).await?;
        {
            let state = self.state();
            if !state.first_run.is_attempt(attempt) || state.me.is_some() {
                return Err(Failure::new("signin-cancelled", "another sign-in was started"));
            }
            state.store()?.write(|tx| tx.put(kind::RESTART, RESTART, &record)).map_err(Failure::store)?;
        }
        match self.announce(&record).await {
            Err(failure) if is_final(&failure) => {
                self.forget_restart();
                return Err(failure);
            }
            Err(failure) => tracing::info!(code = failure.code, "the domain hears of the reset later"),
            Ok(()) => {}
        }
        self.wait_for_restart();
        Ok(())
    }

    /// Strangers must find all of it good but the time.
    async fn check_restart(&self, record: &Restarting, enrolled: &Enrolled) -> Outcome<()> {
        let evidence = Evidence {
            user: record.user.clone(),
            inbox: None,
            tokens: vec![record.token.clone()],
            chain: record.chain.clone(),
            device: enrolled.device.verifying_key(),
            renewals: Vec::new(),
        };
        let mut table = self.issuer_table();
        let own = self.own_issuer(&record.user.domain());
        if record.issuer != own && !table.entries().iter().any(|entry| entry.issuer == record.issuer) {
            // The person chose this issuer for themselves; contacts decide for themselves.
            table.add(identity::IssuerEntry::new(&record.issuer)).map_err(|e| Failure::new("bad-issuer", e))?;
        }
        match self.verify_evidence(&evidence, &table, None, &identity::PinBook::new(), None).await {
            Err(failure) if failure.code == "reset-pending" => Ok(()),
            Err(failure) => Err(failure),
            Ok(_) => Err(Failure::new("bad-chain", "the reset does not wait")),
        }
    }

    /// From now on this device speaks at its domain with the key that is to count, or else as a stranger does:
    /// a device of nobody is told nothing about anybody.
    fn speak_as(&self, state: &mut State, record: &Restarting, with_key: bool) -> Outcome<()> {
        let (_, dsk) = record.keys()?;
        let domain = record.user.domain();
        state.set_home_domain(&domain)?;
        if state.first_run.restoring.is_some() != with_key || state.first_run.domain() != Some(domain.clone()) {
            state.first_run = FirstRun::for_restoring(domain.clone());
            state.first_run.restoring = with_key.then_some(dsk);
            self.end_stub(state, &domain);
        }
        Ok(())
    }

    /// The domain is told; it alone says from when the days are counted.
    async fn announce(&self, record: &Restarting) -> Outcome<()> {
        self.speak_as(&mut self.state(), record, true)?;
        let domain = record.user.domain();
        let ask = json!({ "user": record.user, "chain": record.chain, "cic": record.cic });
        let to = format!("domain://account.{domain}");
        let answer = self.ask_node(&domain, MessageType::Update, &to, body(&ask)).await?;
        match answer.code {
            code if code.is_success() => {
                let until = record.until.max(now_ms() / 1000 + RESET_DELAY_S);
                let mut record = record.clone();
                (record.announced, record.until) = (true, until);
                let state = self.state();
                state.store()?.write(|tx| tx.put(kind::RESTART, RESTART, &record)).map_err(Failure::store)?;
                self.tell(News::App(self.app_state(&state)));
                Ok(())
            }
            Code::BAD_REQUEST | Code::FORBIDDEN | Code::NOT_FOUND | Code::CONFLICT | Code::TOO_MANY => {
                Err(Failure::new("reset-refused", format!("the domain answered {}", answer.code.0)))
            }
            code => Err(Failure::new(format!("node-{}", code.0), "the domain did not take the reset")),
        }
    }

    /// After the start: goes on with a restart, if there is one.
    pub(crate) fn go_on_restarting(&self, state: &mut State) {
        let record = match state.restarting() {
            Ok(Some(record)) => record,
            Ok(None) => return,
            Err(failure) => return tracing::error!(code = failure.code, "a restart cannot be read"),
        };
        match self.speak_as(state, &record, false) {
            Ok(()) => self.wait_for_restart(),
            Err(failure) => tracing::error!(code = failure.code, "a restart cannot go on"),
        }
    }

    fn wait_for_restart(&self) {
        let home = self.clone();
        self.rooms.tasks.start("restart", async move {
            let mut failures = 0;
            loop {
                let back = home.rooms.network.notified();
                match home.look_whether_back().await {
                    Ok(true) => return,
                    Ok(false) => failures = 0,
                    Err(failure) if is_final(&failure) => {
                        home.forget_restart();
                        return home.tell(News::Trouble(Trouble::from(&failure)));
                    }
                    Err(failure) => {
                        failures += 1;
                        tracing::info!(code = failure.code, "the restart waits");
                    }
                }
                let pause = if failures == 0 { LOOK_EVERY } else { pause_after(failures, dice()).min(LOOK_LIMIT) };
                tokio::select! {
                    () = tokio::time::sleep(pause) => {}
                    () = back => tokio::time::sleep(Duration::from_millis(500)).await,
                }
            }
        });
    }

    /// Whether there is nothing left to wait for, because this device counts now.
    async fn look_whether_back(&self) -> Outcome<bool> {
        let Some(record) = self.state().restarting()? else { return Ok(true) };
        self.speak_as(&mut self.state(), &record, false)?;
        let chain = self.look_up(&record.user, &Packages::None).await?.chain;
        let over = now_ms() / 1000 >= record.until;
        match was_refused(&chain, &record.reset) {
            None if record.announced => Err(Failure::new("reset-lost", "the domain does not know the reset any more")),
            None => self.announce(&record).await.map(|()| false),
            Some(_) if over && self.counts(&record).await? => self.be_back(&record, chain).await.map(|()| true),
            Some(true) => Err(Failure::new("reset-vetoed", "a device of before said no")),
            Some(false) => Ok(false),
        }
    }

    /// Whether the domain counts this device now.
    async fn counts(&self, record: &Restarting) -> Outcome<bool> {
        self.speak_as(&mut self.state(), record, true)?;
        self.is_admitted(&record.user.domain()).await
    }

    /// The days are over: this device is the first one of the identity.
    async fn be_back(&self, record: &Restarting, chain: Sigchain) -> Outcome<()> {
        let chain = record.come_back(chain, &self.rooms.config.device_name, now_ms() / 1000)?;
        let domain = record.user.domain();
        let mut addresses = Vec::new();
        for part in ["inbox", "chat", "connector"] {
            addresses.push(self.allocate(&domain, part).await?);
        }
        let [inbox, chat, connector] = addresses.try_into().map_err(|_| Failure::not_ready())?;
        let me = ready(Me {
            user: record.user.clone(),
            name: record.user.name().to_owned(),
            issuer: record.issuer.clone(),
            irk: Some(record.irk.clone()),
            dsk: record.dsk.clone(),
            resets: settling::dated(&chain),
            chain: chain.texts(),
            tokens: vec![record.token.clone()],
            renewals: Vec::new(),
            // Its public half stands in the beginning of the history, and nobody has the words.
            recovery: None,
            own: None,
            inbox,
            chat,
            connector,
        })?;
        let mut state = self.state();
        state
            .store()?
            .erase(|tx| {
                tx.put(kind::ME, "me", &me.record)?;
                let renewing = Renewing::with(record.refresh_token.clone().map(message::Private));
                tx.put(kind::RENEWING, &record.issuer, &renewing)?;
                tx.delete(kind::RESTART, RESTART)
            })
            .map_err(Failure::store)?;
        (state.me, state.first_run) = (Some(me), FirstRun::default());
        self.resume(&mut state);
        self.publish_later();
        Ok(())
    }

    /// Question `identity.give-up`.
    pub(crate) fn identity_give_up(&self) -> Outcome<contract::AppState> {
        if self.state().restarting()?.is_none() {
            return Err(Failure::unknown("restart"));
        }
        self.forget_restart();
        Ok(self.app_state(&self.state()))
    }

    /// It did not come to it: nothing stays, and the person may begin otherwise.
    fn forget_restart(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let domain: Option<Domain> = state.first_run.domain();
        if let Err(error) =
            state.store().and_then(|store| store.erase(|tx| tx.delete(kind::RESTART, RESTART)).map_err(Failure::store))
        {
            tracing::warn!(code = error.code, "a restart could not be forgotten");
        }
        state.first_run = FirstRun::default();
        if let Some(domain) = domain {
            self.end_stub(state, &domain);
        }
        self.tell(News::App(self.app_state(state)));
    }
}

#[cfg(test)]
mod tests;
