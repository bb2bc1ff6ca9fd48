//! The first run: who vouches, under which address, and the account at the domain.

use std::path::Path;

use contract::{AppState, IssuerCard, IssuerKind, News, Profile, Protect, SignInState, Trouble};
use identity::{DeviceCredential, Enrolled, Evidence, NewPersona};
use message::{Address, Code, Domain, MessageType, UserAddress};
use serde_json::{Value, json};
use signin::IssuerConfig;
use store::{KeyError, KeySource, KeyringPlace, MasterKey, Store, StoreError};
use tokio_util::sync::CancellationToken;
use url::Url;

use crate::circle::Circle;
use crate::config::IssuerLanguage;
use crate::home::{Home, Ready, State, body, now_ms};
use crate::linking::DEVICE_LIFE_S;
use crate::locking::{make_folders, protection_of};
use crate::objects::Follow;
use crate::persons::host_of;
use crate::records::{Me, Object, Recovery, Standing, kind};
use crate::renewals::Renewing;
use crate::sending::pumps;
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// Longest name of a person.
const NAME_LIMIT: usize = 64;

/// Nobody types a longer passphrase.
const PASSPHRASE_LIMIT: usize = 4096;

/// How often the registry is looked after while we are connected.
const PUBLISH_EVERY: std::time::Duration = std::time::Duration::from_secs(3600);

/// How often we look what our own domain says about us, besides at the start.
const LOOK_EVERY: std::time::Duration = std::time::Duration::from_secs(3600);

/// What is known before there is an account.
#[derive(Default)]
pub(crate) struct FirstRun {
    domain: Option<Domain>,
    attempt: u64,
    url: Option<Url>,
    cancel: Option<CancellationToken>,
    enrolled: Option<Signed>,
    locked: bool,
    /// The key of this device while an identity comes back with the recovery words.
    pub(crate) restoring: Option<keys::SigningKey>,
}

/// A persona that an issuer vouched for.
struct Signed {
    enrolled: Enrolled,
    /// What the issuer committed to; shows our node that its issuer signed for us.
    cic: String,
    issuer: String,
    /// With which the issuer can be asked again without the person.
    refresh_token: Option<message::Private<String>>,
    /// From which the recovery key is made; kept until the person has them.
    words: keys::recovery::RecoveryWords,
}

impl FirstRun {
    pub(crate) fn domain(&self) -> Option<Domain> {
        self.domain.clone()
    }

    /// Begins at a domain where the identity is known already.
    pub(crate) fn for_restoring(domain: Domain) -> Self {
        Self { domain: Some(domain), ..Self::default() }
    }

    pub(crate) fn is_signed_in(&self) -> bool {
        self.enrolled.is_some()
    }

    /// A sign-in begins; the one before is given up.
    pub(crate) fn begin_attempt(&mut self) -> (u64, CancellationToken) {
        if let Some(cancel) = self.cancel.take() {
            cancel.cancel();
        }
        let cancel = CancellationToken::new();
        (self.attempt, self.url, self.cancel) = (self.attempt + 1, None, Some(cancel.clone()));
        (self.attempt, cancel)
    }

    /// A sign-in begins at a domain; nothing is left of what was begun before.
    pub(crate) fn begin_at(&mut self, domain: Domain) -> (u64, CancellationToken) {
        let (attempt, cancel) = self.begin_attempt();
        *self = Self { domain: Some(domain), attempt, cancel: Some(cancel.clone()), ..Self::default() };
        (attempt, cancel)
    }

    /// Whether no other sign-in was begun meanwhile.
    pub(crate) fn is_attempt(&self, attempt: u64) -> bool {
        self.attempt == attempt
    }

    /// A passphrase is needed from now on; what was begun is given up.
    pub(crate) fn lock(&mut self) {
        if let Some(cancel) = self.cancel.take() {
            cancel.cancel();
        }
        *self = Self { attempt: self.attempt + 1, locked: true, ..Self::default() };
    }
}

impl State {
    pub(crate) fn locked(&self) -> bool {
        self.first_run.locked
    }

    /// The key that speaks for us at a domain: the device's at home, a fresh one elsewhere.
    pub(crate) fn session_key(&mut self, domain: &Domain) -> (keys::SigningKey, bool) {
        if self.home_domain().as_ref() == Some(domain) {
            if let Some(me) = self.me.as_ref().filter(|_| !self.doubts.speaks_as_stranger()) {
                return (me.dsk.clone(), true);
            }
            if let Some(signed) = &self.first_run.enrolled {
                return (signed.enrolled.device.clone(), true);
            }
            if let Some(dsk) = &self.first_run.restoring {
                return (dsk.clone(), true);
            }
            if let Some(joining) = &self.linking.joining {
                return (joining.dsk.clone(), true);
            }
        }
        (self.links.get_or_add(domain).visitor.clone(), false)
    }
}

impl Home {
    /// Opens the store at the start, as far as that is possible without a person.
    pub(crate) async fn open_store(&self) {
        let dir = self.rooms.config.profile_dir.clone();
        let keyring = self.rooms.config.use_keyring;
        let opened = tokio::task::spawn_blocking(move || open_at_start(&dir, keyring)).await;
        self.store_opened(opened.unwrap_or_else(|error| Err(OpenTrouble::Failed(Failure::store(error))))).await;
    }

    /// Tries once more when another instance had the profile.
    pub(crate) async fn open_again(&self) {
        let in_use = || self.state().damaged.as_ref().is_some_and(|failure| failure.code == IN_USE);
        if !in_use() {
            return;
        }
        let _one_at_a_time = self.rooms.opening.lock().await;
        if in_use() {
            self.open_store().await;
            self.begin();
        }
    }

    /// Question `app.unlock`.
    pub(crate) async fn unlock(&self, passphrase: String) -> Outcome<AppState> {
        let _one_at_a_time = self.rooms.opening.lock().await;
        if self.state().store.is_some() {
            return Ok(self.app_state(&self.state()));
        }
        if passphrase.len() > PASSPHRASE_LIMIT {
            return Err(Failure::new("wrong-passphrase", "the passphrase is wrong"));
        }
        let dir = self.rooms.config.profile_dir.clone();
        let opened = tokio::task::spawn_blocking(move || open_with_passphrase(&dir, &passphrase))
            .await
            .map_err(Failure::store)?;
        match opened {
            Err(OpenTrouble::WrongPassphrase) => Err(Failure::new("wrong-passphrase", "the passphrase is wrong")),
            Err(OpenTrouble::TooSoon { wait_s }) => Err(Failure::new("too-soon", wait_s)),
            other => {
                self.store_opened(other).await;
                self.begin();
                Ok(self.app_state(&self.state()))
            }
        }
    }

    /// Question `app.protect`.
    pub(crate) async fn protect(&self, how: Protect) -> Outcome<AppState> {
        if let Protect::Passphrase { passphrase } = &how
            && passphrase.chars().count() < store::PASSPHRASE_MINIMUM
        {
            return Err(Failure::new("passphrase-too-short", "a passphrase has at least eight characters"));
        }
        let dir = self.rooms.config.profile_dir.clone();
        let open = move || match &how {
            Protect::Passphrase { passphrase } => open_profile(&dir, KeySource::Passphrase(passphrase)),
            Protect::Unprotected => open_profile(&dir, KeySource::Unprotected),
        };
        let _one_at_a_time = self.rooms.opening.lock().await;
        if self.state().store.is_some() {
            return Err(Failure::new("already-set-up", "this profile has keys already"));
        }
        let opened = tokio::task::spawn_blocking(open).await.map_err(Failure::store)?;
        self.store_opened(opened).await;
        self.begin();
        Ok(self.app_state(&self.state()))
    }

    async fn store_opened(&self, opened: Result<(Store, MasterKey), OpenTrouble>) {
        let document = self.read_organisation().await;
        let mut state = self.state();
        state.first_run.locked = false;
        state.damaged = None;
        match opened {
            Ok((store, master)) => {
                state.store = Some(store);
                state.protection = Some(protection_of(&master));
                state.master = Some(master);
                state.keyring_trouble = None;
                state.presence.seen(now_ms());
                state.load_rules();
                self.hear_organisation(&mut state, document);
            }
            Err(OpenTrouble::NeedsPassphrase | OpenTrouble::WrongPassphrase | OpenTrouble::TooSoon { .. }) => {
                state.first_run.locked = true
            }
            Err(OpenTrouble::NoKeyring(why)) => state.keyring_trouble = Some(why),
            Err(OpenTrouble::Failed(failure)) => {
                tracing::error!(code = failure.code, why = failure.detail, "the profile cannot be opened");
                state.damaged = Some(failure);
            }
        }
        self.tell(News::App(self.app_state(&state)));
    }

    /// Starts what an open profile needs: guests, the way home, what was left undone.
    pub(crate) fn begin(&self) {
        let mut state = self.state();
        let state = &mut *state;
        let Some(store) = &state.store else { return };
        let record: Option<Me> = match store.read(|tx| tx.get(kind::ME, "me")) {
            Ok(record) => record,
            Err(error) => {
                tracing::error!(%error, "the profile cannot be read");
                state.damaged = Some(not_opened(&error));
                None
            }
        };
        let Some(record) = record else {
            self.go_on_restarting(state);
            return;
        };
        match ready(record) {
            Ok(me) => {
                let domain = me.domain();
                if let Err(failure) = state.set_home_domain(&domain) {
                    tracing::error!(code = failure.code, "the profile cannot be used");
                    return;
                }
                state.me = Some(me);
                self.resume(state);
            }
            Err(failure) => {
                tracing::error!(code = failure.code, "the profile cannot be used");
                state.damaged = Some(failure);
            }
        }
    }

    /// Listens to all objects, starts the Hyperties, and goes on with what waits.
    pub(crate) fn resume(&self, state: &mut State) {
        self.policy_learns(state);
        let Ok(me) = state.me() else { return };
        let (inbox, home_domain) = (me.record.inbox.clone(), me.domain());
        state.hear(&bus::Place::At(inbox));
        let objects: Vec<(String, Object)> = match state.store().map(|store| store.read(|tx| tx.list(kind::OBJECT))) {
            Ok(Ok(objects)) => objects,
            _ => Vec::new(),
        };
        let mut follow = Vec::new();
        for (_, object) in objects {
            follow.push(Follow::Listen(object.url.clone()));
            // In a group what came early may wait for somebody who was checked just before the app ended.
            let is_waiting = |circle: &Circle| circle.awaits_somebody() || !object.early.is_empty();
            if matches!(object.standing, Standing::Verifying { .. }) || object.circle.as_ref().is_some_and(is_waiting) {
                follow.push(Follow::Verify(object.url.clone()));
            }
            follow.extend(pumps(&object));
        }
        follow.push(Follow::Pump(home_domain.clone()));
        self.follow_up(state, follow);
        let groups = self.clone();
        self.use_sound_soon();
        self.rooms.tasks.start("groups", async move { groups.tidy_groups() });
        self.start_hyperties();
        let home = self.clone();
        self.rooms.tasks.start("home domain", async move { home.stay_home(home_domain).await });
        self.tell(News::App(self.app_state(state)));
    }

    /// Keeps the link to the own domain up, for what others send us.
    async fn stay_home(self, domain: Domain) {
        let mut pause = 1;
        let mut published = tokio::time::Instant::now();
        let mut looked: Option<tokio::time::Instant> = None;
        loop {
            match self.domain_ready(&domain, None).await {
                Ok(_) => {
                    pause = 1;
                    if looked.is_none_or(|at| at.elapsed() >= LOOK_EVERY) {
                        looked = Some(tokio::time::Instant::now());
                        self.look_at_ourselves();
                    }
                    if published.elapsed() >= PUBLISH_EVERY {
                        published = tokio::time::Instant::now();
                        self.publish_later();
                        self.tidy_groups();
                    }
                }
                Err(failure) => {
                    tracing::info!(code = failure.code, "the own domain cannot be reached");
                    pause = (pause * 2).min(30);
                }
            }
            tokio::time::sleep(std::time::Duration::from_secs(pause)).await;
        }
    }

    /// Question `issuer.list`.
    pub(crate) fn issuer_list(&self, domain: &str) -> Outcome<Vec<IssuerCard>> {
        let domain = parse_domain(domain)?;
        if let Some(issuer) = self.forced_issuer(&self.state()) {
            let listed = self.rooms.config.issuers.iter().find(|listed| listed.issuer == issuer);
            let name = listed.map_or_else(|| host_of(&issuer), |listed| listed.name.clone());
            return Ok(vec![IssuerCard { issuer, name, kind: IssuerKind::Managed }]);
        }
        let own = IssuerCard { issuer: self.own_issuer(&domain), name: domain.to_string(), kind: IssuerKind::Domain };
        let listed = self.rooms.config.issuers.iter().map(|listed| IssuerCard {
            issuer: listed.issuer.clone(),
            name: listed.name.clone(),
            kind: match listed.language {
                IssuerLanguage::OpenId => IssuerKind::Listed,
                IssuerLanguage::Proxy { .. } => IssuerKind::Proxy,
            },
        });
        Ok(std::iter::once(own).chain(listed).collect())
    }

    pub(crate) fn own_issuer(&self, domain: &Domain) -> String {
        self.rooms.net.origin(domain).as_str().trim_end_matches('/').to_owned()
    }

    /// Question `signin.start`.
    pub(crate) fn sign_in_start(&self, domain: &str, issuer: &str) -> Outcome<()> {
        let domain = parse_domain(domain)?;
        let issuer = issuer.trim().trim_end_matches('/').to_owned();
        let mut state = self.state();
        if state.me.is_some() {
            return Err(Failure::new("already-set-up", "this profile has an account already"));
        }
        state.nothing_restarts()?;
        self.may_sign_in_at(&state, &issuer)?;
        state.set_home_domain(&domain)?;
        let (attempt, cancel) = state.first_run.begin_at(domain);
        drop(state);
        let home = self.clone();
        self.rooms.tasks.start("sign-in", async move {
            home.tell(News::SignIn(SignInState::Finding));
            let result = home.sign_in(&issuer, attempt, cancel).await;
            let news = match result {
                Ok((name, suggested)) => SignInState::Done { name, suggested },
                Err(failure) => SignInState::Failed { trouble: Trouble::from(&failure) },
            };
            home.tell(News::SignIn(news));
            let state = home.app_state(&home.state());
            home.tell(News::App(state));
        });
        Ok(())
    }

    async fn sign_in(
        &self,
        issuer: &str,
        attempt: u64,
        cancel: CancellationToken,
    ) -> Outcome<(Option<String>, Option<String>)> {
        let now = now_ms() / 1000;
        let words = keys::recovery::RecoveryWords::generate();
        let rk = Some(words.rk().verifying_key());
        let persona = NewPersona::create(&self.rooms.config.device_name, now + DEVICE_LIFE_S, rk, now)
            .map_err(|e| Failure::new("enrol-failed", e))?;
        let signed_in = self.sign_in_with(issuer, &persona.nonce(), &persona.irk, attempt, cancel).await?;
        let now = now_ms() / 1000;
        let cic = persona.cic.text().to_owned();
        let enrolled = persona.finish(&signed_in.id_token, now).map_err(|e| Failure::new("bad-token", e))?;
        let (name, suggested) = self.check_own_token(&enrolled, issuer).await?;
        let mut state = self.state();
        if state.first_run.attempt != attempt {
            return Err(Failure::new("signin-cancelled", "another sign-in was started"));
        }
        state.first_run.cancel = None;
        state.first_run.enrolled =
            Some(Signed { enrolled, cic, issuer: issuer.to_owned(), refresh_token: signed_in.refresh_token, words });
        Ok((name, suggested))
    }

    /// Opens a page for the person, of the sign-in that goes on.
    pub(crate) async fn lead_to(&self, url: &Url, attempt: u64) -> Outcome<()> {
        {
            let mut state = self.state();
            if state.first_run.attempt != attempt {
                return Err(Failure::new("signin-cancelled", "another sign-in was started"));
            }
            state.first_run.url = Some(url.clone());
        }
        self.tell(News::SignIn(SignInState::Waiting { url: url.to_string() }));
        // Without a browser the person can still copy the address.
        if let Err(failure) = self.open_browser(url).await {
            tracing::info!(code = failure.code, "no browser opened");
        }
        Ok(())
    }

    pub(crate) fn issuer_config(&self, issuer: &str) -> IssuerConfig {
        let listed = self.rooms.config.issuers.iter().find(|listed| listed.issuer == issuer);
        let entry = self.issuer_table().entries().iter().find(|entry| entry.issuer == issuer).cloned();
        let client_id = entry.and_then(|entry| entry.client_ids.first().cloned());
        IssuerConfig {
            client_id: client_id.unwrap_or_else(|| identity::CLIENT_ID.to_owned()),
            client_secret: listed.and_then(|listed| listed.client_secret.clone()).map(message::Private),
            redirect_ports: listed.map(|listed| listed.redirect_ports.clone()).unwrap_or_default(),
            ..IssuerConfig::new(issuer)
        }
    }

    /// Checks the new token's signature as a stranger would, so that a bad issuer is found now and not by a contact.
    async fn check_own_token(&self, enrolled: &Enrolled, issuer: &str) -> Outcome<(Option<String>, Option<String>)> {
        let domain = self.state().first_run.domain().ok_or_else(Failure::not_ready)?;
        let subject = enrolled.token.claimed_subject().unwrap_or_default().to_owned();
        let is_domains_own = issuer == self.own_issuer(&domain);
        // With an issuer of one's own choice the name before the @ is free; any will do for the check.
        let name = if is_domains_own { subject.as_str() } else { "someone" };
        let user = UserAddress::parse(&format!("{name}@{domain}")).map_err(|e| Failure::new("bad-token", e))?;
        let evidence = Evidence {
            user: user.clone(),
            inbox: None,
            tokens: vec![enrolled.token.text().to_owned()],
            chain: enrolled.chain.texts(),
            device: enrolled.device.verifying_key(),
            renewals: Vec::new(),
        };
        let mut table = self.issuer_table();
        if !is_domains_own && !table.entries().iter().any(|entry| entry.issuer == issuer) {
            // The person chose this issuer for themselves; contacts decide for themselves.
            table.add(identity::IssuerEntry::new(issuer)).map_err(|e| Failure::new("bad-issuer", e))?;
        }
        let verified = self.verify_evidence(&evidence, &table, None, &identity::PinBook::new(), None).await?;
        let display = verified.display().name.clone();
        let suggested = UserAddress::parse(&format!("{}@{domain}", subject.to_ascii_lowercase())).ok();
        Ok((display, suggested.map(|user| user.name().to_owned())))
    }

    pub(crate) async fn open_browser(&self, url: &Url) -> Outcome<()> {
        match &self.rooms.config.browser {
            Some(browser) => {
                browser.open(url);
                Ok(())
            }
            None => signin::open_in_browser(url).await.map_err(|e| Failure::new("no-browser", e)),
        }
    }

    /// Question `signin.again`.
    pub(crate) async fn sign_in_again(&self) -> Outcome<()> {
        let url = self.state().first_run.url.clone().ok_or_else(|| Failure::unknown("sign-in"))?;
        self.open_browser(&url).await
    }

    /// Question `signin.cancel`.
    pub(crate) fn sign_in_cancel(&self) {
        if let Some(cancel) = self.state().first_run.cancel.take() {
            cancel.cancel();
        }
    }

    /// Question `profile.create`.
    pub(crate) async fn profile_create(&self, name: &str, user: &str) -> Outcome<Profile> {
        let name = plain::name(name, NAME_LIMIT).ok_or_else(|| Failure::new("no-name", "a name is needed"))?;
        let user = UserAddress::parse(user).map_err(|e| Failure::new("bad-address", e))?;
        let domain = user.domain();
        {
            let state = self.state();
            if state.me.is_some() {
                return Err(Failure::new("already-set-up", "this profile has an account already"));
            }
            if state.first_run.domain() != Some(domain.clone()) || state.first_run.enrolled.is_none() {
                return Err(Failure::new("not-signed-in", "sign in first"));
            }
        }
        self.open_account(&user).await?;
        let mut addresses = Vec::new();
        for part in ["inbox", "chat", "connector"] {
            addresses.push(self.allocate(&domain, part).await?);
        }
        let [inbox, chat, connector] = addresses.try_into().map_err(|_| Failure::not_ready())?;
        let record = {
            let state = self.state();
            let signed = state.first_run.enrolled.as_ref().ok_or_else(Failure::not_ready)?;
            Me {
                user,
                name,
                issuer: signed.issuer.clone(),
                irk: Some(keys::b64url(signed.enrolled.irk.to_bytes().as_ref())),
                dsk: keys::b64url(signed.enrolled.device.to_bytes().as_ref()),
                chain: signed.enrolled.chain.texts(),
                resets: settling::OwnResets::new(),
                tokens: vec![signed.enrolled.token.text().to_owned()],
                renewals: Vec::new(),
                recovery: Some(Recovery::new(&signed.words)),
                own: None,
                inbox,
                chat,
                connector,
            }
        };
        let profile = profile_of(&record);
        let me = ready(record.clone())?;
        {
            let mut state = self.state();
            state.store()?.write(|tx| tx.put(kind::ME, "me", &record)).map_err(Failure::store)?;
            let refresh_token = state.first_run.enrolled.take().and_then(|signed| signed.refresh_token);
            state.keep_renewing(&record.issuer, &Renewing::with(refresh_token))?;
            state.me = Some(me);
            state.first_run = FirstRun::default();
        }
        self.publish_key_packages().await?;
        let mut state = self.state();
        self.resume(&mut state);
        Ok(profile)
    }

    async fn open_account(&self, user: &UserAddress) -> Outcome<()> {
        let domain = user.domain();
        let account = {
            let state = self.state();
            let signed = state.first_run.enrolled.as_ref().ok_or_else(Failure::not_ready)?;
            json!({
                "user": user,
                "chain": signed.enrolled.chain.texts(),
                "cic": signed.cic,
            })
        };
        let to = format!("domain://registry.{domain}/account");
        let answer = self.ask_node(&domain, MessageType::Create, &to, body(&account)).await?;
        match answer.code {
            code if code.is_success() => Ok(()),
            Code::CONFLICT => Err(Failure::new("name-taken", "the name belongs to somebody else")),
            Code::FORBIDDEN => Err(Failure::new("registration-refused", "the domain does not take this account")),
            code => Err(Failure::new(format!("node-{}", code.0), "the domain did not make the account")),
        }
    }

    pub(crate) async fn allocate(&self, domain: &Domain, part: &str) -> Outcome<Address> {
        let wish = json!({ "scheme": "hyperty", "value": { "number": 1, "allocationKey": part } });
        let to = format!("domain://msg-node.{domain}/address-allocation");
        let answer = self.ask_node(domain, MessageType::Create, &to, body(&wish)).await?;
        let address = answer.value.pointer("/allocated/0").and_then(Value::as_str).unwrap_or_default();
        Address::parse(address).map_err(|_| Failure::new(format!("node-{}", answer.code.0), "no address was allocated"))
    }
}

/// Why this device counts no more.
fn over(error: &identity::CredentialError) -> &'static str {
    use identity::{CredentialError::Device, DeviceError};
    match error {
        Device(DeviceError::Revoked) => "device-revoked",
        Device(DeviceError::BeforeReset) => "device-replaced",
        _ => "device-expired",
    }
}

/// Makes a record of the store usable.
pub(crate) fn ready(record: Me) -> Outcome<Ready> {
    let damaged = |what: &str| Failure::new("database-damaged", format!("{what} cannot be read"));
    let dsk = signing_key(&record.dsk).ok_or_else(|| damaged("the device key"))?;
    let chain = settling::own(&record, now_ms() / 1000).map_err(|_| damaged("the sigchain"))?;
    let hashes: Vec<identity::Digest> = record
        .tokens
        .iter()
        .map(|text| identity::PkToken::parse(text).map(|token| token.hash()).map_err(|_| damaged("a token")))
        .collect::<Outcome<_>>()?;
    let credential = DeviceCredential::of(&chain, &dsk.verifying_key(), &hashes, now_ms() / 1000)
        .map_err(|e| Failure::new(over(&e), e))?;
    let device = seal::Device::new(&dsk, credential.encode());
    Ok(Ready { record, chain, device, dsk, parsed: crate::parsed::Parsed::default() })
}

/// A signing key as the store keeps it.
pub(crate) fn signing_key(text: &str) -> Option<keys::SigningKey> {
    let seed: [u8; 32] = keys::from_b64url(text).ok()?.try_into().ok()?;
    Some(keys::SigningKey::from_bytes(&seed))
}

pub(crate) fn profile_of(me: &Me) -> Profile {
    let host = url::Url::parse(&me.issuer).ok().and_then(|url| url.host_str().map(str::to_owned));
    Profile { user: me.user.handle(), name: me.name.clone(), vouched_by: host.unwrap_or_else(|| me.issuer.clone()) }
}

fn parse_domain(text: &str) -> Outcome<Domain> {
    Domain::parse(text.trim().to_ascii_lowercase().as_str()).map_err(|e| Failure::new("bad-domain", e))
}

/// Why a profile does not open.
enum OpenTrouble {
    NoKeyring(String),
    NeedsPassphrase,
    WrongPassphrase,
    TooSoon { wait_s: u64 },
    Failed(Failure),
}

/// Another instance of the app has the profile open.
const IN_USE: &str = "profile-in-use";

/// Why a store does not open, in a word a shell can act upon.
fn not_opened(error: &StoreError) -> Failure {
    let code = match error {
        StoreError::InUse => IN_USE,
        StoreError::Newer { .. } => "newer-version",
        StoreError::DiskFull => "disk-full",
        _ => "database-damaged",
    };
    Failure::new(code, error)
}

/// The same of the key.
fn no_key(error: &KeyError) -> OpenTrouble {
    OpenTrouble::Failed(Failure::new("database-damaged", error))
}

/// Opens a profile as far as that is possible without a person.
fn open_at_start(dir: &Path, keyring: bool) -> Result<(Store, MasterKey), OpenTrouble> {
    let known = match MasterKey::protection_of(dir) {
        // Somebody erased the profile, and the program ended in between.
        Err(KeyError::HalfErased) => {
            let failed = |error: &dyn std::fmt::Display| OpenTrouble::Failed(Failure::new("erase-incomplete", error));
            store::erase_profile(dir).map_err(|error| failed(&error))?;
            make_folders(dir).map_err(|error| failed(&error))?;
            None
        }
        known => known.map_err(|error| no_key(&error))?,
    };
    match known {
        Some(store::Protection::Passphrase | store::Protection::KeyringAndPassphrase) => {
            Err(OpenTrouble::NeedsPassphrase)
        }
        Some(store::Protection::Unprotected) => open_profile(dir, KeySource::Unprotected),
        Some(store::Protection::Keyring) => open_profile(dir, KeySource::Keyring(KeyringPlace::default())),
        None if keyring => open_profile(dir, KeySource::Keyring(KeyringPlace::default())),
        None => Err(OpenTrouble::NoKeyring("the system keyring is switched off".into())),
    }
}

/// Opens a profile with the passphrase that a person typed.
fn open_with_passphrase(dir: &Path, passphrase: &str) -> Result<(Store, MasterKey), OpenTrouble> {
    let known = MasterKey::protection_of(dir).map_err(|error| no_key(&error))?;
    let source = match known {
        Some(store::Protection::KeyringAndPassphrase) => {
            KeySource::KeyringAndPassphrase(KeyringPlace::default(), passphrase)
        }
        _ => KeySource::Passphrase(passphrase),
    };
    open_profile(dir, source)
}

/// Opens the master key and the database; may take a second (Argon2id, keyring).
fn open_profile(dir: &Path, source: KeySource<'_>) -> Result<(Store, MasterKey), OpenTrouble> {
    let key = MasterKey::open(dir, source).map_err(|error| match error {
        KeyError::Keyring(trouble) => OpenTrouble::NoKeyring(trouble.to_string()),
        KeyError::ProtectedBy(_) => OpenTrouble::NeedsPassphrase,
        KeyError::WrongPassphrase => OpenTrouble::WrongPassphrase,
        KeyError::TooSoon { wait_s } => OpenTrouble::TooSoon { wait_s },
        other => no_key(&other),
    })?;
    let store = Store::open(&dir.join("parlance.db"), &key).map_err(|error| OpenTrouble::Failed(not_opened(&error)))?;
    Ok((store, key))
}
