//! A new device of ours: the code that lets it ask, the yes of a device that is there, and its first steps.
//!
//! The code names the person, the persona, an inbox and a secret that works once. Whoever has the code can ask;
//! only a person who sees the same six digits on both screens lets the device in. Then the chain names it, its
//! domain admits it, and everything else comes sealed in the object of the own devices.

use std::sync::Arc;

use contract::{DeviceView, LinkCode, LinkState, News, Trouble};
use keys::sealed_box::{BoxKey, BoxPublic};
use message::{Address, MessageType, UserAddress};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};

use crate::first_run::ready;
use crate::histories::state_of;
use crate::home::{Home, Ready, State, body, now_ms};
use crate::key_packages::Publisher;
use crate::members::{Named, check_alone};
use crate::objects::{Follow, new_object_address};
use crate::own::{Bundle, COPY, Cursor};
use crate::records::{Me, Member, Object, ObjectUse, Side, Standing, kind};
use crate::registry::{Packages, RegistryDevice};
use crate::sending::{inner_message, pumps, put_object, seal_and_queue};
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// How long a code works.
const CODE_LIFE_MS: i64 = 10 * 60 * 1000;

/// Wrong attempts after which a code is void.
const WRONG_LIMIT: u32 = 5;

/// What a code begins with.
const CODE_PREFIX: &str = "PARLANCE-LINK-1:";

/// Longest code that is read.
const CODE_LIMIT: usize = 2048;

/// What a sealed request to be linked begins with; no MLS message does.
const REQUEST_MARK: &[u8] = b"PLNK1";

/// A device counts this long before it renews itself, in seconds.
pub(crate) const DEVICE_LIFE_S: i64 = 365 * 86_400;

/// Longest name of a device in characters.
const NAME_LIMIT: usize = 64;

/// The pause between two looks whether we were let in.
const LOOK: std::time::Duration = std::time::Duration::from_secs(1);

/// The linking of a device, on either side.
#[derive(Default)]
pub(crate) struct Linking {
    offer: Option<Offer>,
    /// What secrets are sealed to for the device that was let in last, if it may use the root key.
    full: Option<BoxPublic>,
    /// On a new device.
    pub(crate) joining: Option<Joining>,
}

/// A code that is shown here.
struct Offer {
    secret: [u8; 32],
    until: i64,
    wrong: u32,
    request: Option<Request>,
}

/// What a new device says of itself.
#[derive(Clone, Serialize, Deserialize)]
struct Request {
    dsk: keys::VerifyingKey,
    name: String,
    /// What is for this device alone is sealed to this key.
    secrets: BoxPublic,
}

/// A new device that asks.
pub(crate) struct Joining {
    code: Code,
    /// What the person calls this device.
    name: String,
    pub(crate) dsk: keys::SigningKey,
    /// Opens what the other device seals for us alone.
    secrets: Arc<BoxKey>,
    attempt: u64,
    /// Known once the domain let us in.
    seated: Option<Seat>,
    /// Who else is in the object of the own devices, as the device with the code says.
    others: Vec<Named>,
}

/// Where a new device receives, and what it can open.
#[derive(Clone)]
struct Seat {
    device: seal::Device,
    chain: identity::Sigchain,
    inbox: Address,
    chat: Address,
    connector: Address,
}

/// What a code says.
#[derive(Clone, Serialize, Deserialize)]
struct Code {
    user: UserAddress,
    persona: String,
    inbox: Address,
    device: keys::VerifyingKey,
    secret: String,
}

impl Code {
    fn text(&self) -> String {
        format!("{CODE_PREFIX}{}", keys::b64url(serde_json::to_string(self).unwrap_or_default().as_bytes()))
    }

    fn parse(text: &str) -> Outcome<Self> {
        let wrong = || Failure::new("wrong-code", "this is no code of another device");
        let text: String = text.chars().take(CODE_LIMIT + 1).filter(|c| !c.is_whitespace()).collect();
        let rest = text.strip_prefix(CODE_PREFIX).filter(|rest| rest.len() <= CODE_LIMIT).ok_or_else(wrong)?;
        let json = keys::from_b64url(rest).map_err(|_| wrong())?;
        let code: Self = serde_json::from_slice(&json).map_err(|_| wrong())?;
        let of_one_domain = code.inbox.domain() == code.user.domain() && code.inbox.scheme() == "hyperty";
        if of_one_domain && secret_of(&code.secret).is_some() { Ok(code) } else { Err(wrong()) }
    }
}

fn secret_of(text: &str) -> Option<[u8; 32]> {
    keys::from_b64url(text).ok()?.try_into().ok()
}

/// Six digits that only the two who know the secret can tell, and that name the asking key.
fn check_digits(secret: &[u8; 32], dsk: &keys::VerifyingKey) -> String {
    let hash = keys::sha256(&[b"parlance-link-check-v1\n".as_slice(), secret, dsk.as_bytes()].concat());
    let number = u32::from_be_bytes([hash[0], hash[1], hash[2], hash[3]]) % 1_000_000;
    format!("{:03} {:03}", number / 1000, number % 1000)
}

fn request_key(secret: &[u8; 32]) -> keys::SealKey {
    keys::SealKey::from_bytes(&keys::sha256(&[b"parlance-link-request-v1\n".as_slice(), secret].concat()))
}

/// Whether sealed bytes are a new device that asks to be linked.
pub(crate) fn is_link_request(bytes: &[u8]) -> bool {
    bytes.starts_with(REQUEST_MARK)
}

impl Linking {
    pub(crate) fn admits_fully(&self) -> Option<&BoxPublic> {
        self.full.as_ref()
    }

    pub(crate) fn inbox(&self) -> Option<&Address> {
        self.joining.as_ref()?.seated.as_ref().map(|seat| &seat.inbox)
    }

    pub(crate) fn home_domain(&self) -> Option<message::Domain> {
        self.joining.as_ref().map(|joining| joining.code.user.domain())
    }
}

impl Home {
    /// Question `device.list`.
    pub(crate) fn device_list(&self) -> Outcome<Vec<DeviceView>> {
        let state = self.state();
        let me = state.me()?;
        let own = me.dsk.verifying_key();
        let mut devices: Vec<DeviceView> = me
            .chain
            .devices()
            .map(|device| DeviceView {
                device: device.dsk.to_string(),
                name: device.name.clone(),
                this: device.dsk == own,
                added_at: device.added * 1000,
                expires_at: device.expires * 1000,
                state: state_of(&me.chain, device, now_ms() / 1000),
            })
            .collect();
        devices.sort_by_key(|device| (!device.this, device.added_at));
        Ok(devices)
    }

    /// Question `device.offer`.
    pub(crate) fn device_offer(&self) -> Outcome<LinkCode> {
        let mut state = self.state();
        let me = state.me()?;
        me.irk()?;
        let secret = keys::random::<32>();
        let code = Code {
            user: me.record.user.clone(),
            persona: me.chain.persona().to_string(),
            inbox: me.record.inbox.clone(),
            device: me.dsk.verifying_key(),
            secret: keys::b64url(&secret),
        };
        let until = now_ms() + CODE_LIFE_MS;
        state.linking.offer = Some(Offer { secret, until, wrong: 0, request: None });
        drop(state);
        self.tell(News::Link(LinkState::Offered));
        Ok(LinkCode { code: code.text(), expires_at: until })
    }

    /// Question `device.withdraw`.
    pub(crate) fn device_withdraw(&self) {
        self.state().linking.offer = None;
    }

    /// A new device asks, with the secret of our code.
    pub(crate) fn on_link_request(&self, state: &mut State, bytes: &[u8]) -> Outcome<Vec<Follow>> {
        let refused = |why: &str| Failure::new("link-refused", why);
        let offer = state.linking.offer.as_mut().ok_or_else(|| refused("no code is shown here"))?;
        if offer.until < now_ms() || offer.wrong >= WRONG_LIMIT {
            state.linking.offer = None;
            return Err(refused("the code is void"));
        }
        if offer.request.is_some() {
            return Err(refused("another device used the code"));
        }
        let opened = request_key(&offer.secret).open(&bytes[REQUEST_MARK.len()..], REQUEST_MARK);
        let request = opened.ok().and_then(|plain| serde_json::from_slice::<Request>(&plain).ok());
        let Some(mut request) = request else {
            offer.wrong += 1;
            return Err(refused("the secret is another"));
        };
        request.name = clean_name(&request.name);
        let check = check_digits(&offer.secret, &request.dsk);
        let name = request.name.clone();
        offer.request = Some(request);
        self.tell(News::Link(LinkState::Asked { name, check }));
        Ok(Vec::new())
    }

    /// Question `device.admit`.
    pub(crate) async fn device_admit(&self, full: bool) -> Outcome<()> {
        let now = now_ms();
        let (request, chain) = {
            let state = self.state();
            let offer = state.linking.offer.as_ref().filter(|offer| offer.until >= now);
            let request = offer.and_then(|offer| offer.request.clone());
            let request = request.ok_or_else(|| Failure::new("link-expired", "no device asks any more"))?;
            let me = state.me()?;
            let mut chain = me.chain.clone();
            chain
                .add_device(&me.irk()?, request.dsk, &request.name, now / 1000 + DEVICE_LIFE_S, now / 1000)
                .map_err(|e| Failure::new("link-refused", e))?;
            (request, chain)
        };
        // The domain must know the device before it can receive anything; if it is away, one may say yes again.
        self.publish_as_ours(&chain).await?;
        {
            let mut state = self.state();
            let state = &mut *state;
            state.linking.offer = None;
            state.linking.full = full.then_some(request.secrets);
            let mut record: Me = state.me()?.record.clone();
            record.chain = chain.texts();
            self.put_me(state, record)?;
        }
        let url = self.make_own_object()?;
        self.reconcile_later(&mut self.state(), url);
        Ok(())
    }

    /// The object of the own devices is made anew by whoever lets a device in: it holds it.
    fn make_own_object(&self) -> Outcome<Address> {
        let mut state = self.state();
        let state = &mut *state;
        let me = state.me()?;
        let url = new_object_address(me, ObjectUse::Own)?;
        let reporter = sync::Reporter::new(url.clone(), "own", json!({})).map_err(|e| Failure::new("bad-object", e))?;
        let (user, side) = (me.record.user.clone(), Side::Reporter(reporter));
        let object = Object::new(url.clone(), ObjectUse::Own, "own".into(), user, Standing::Open, side, now_ms());
        let record = Me { own: Some(url.clone()), ..me.record.clone() };
        let store = state.store()?;
        store.write(|tx| {
            seal::create(tx, &me.device, &object.group()?, now_ms() / 1000).map_err(|e| Failure::new(e.code(), e))?;
            put_object(tx, &object)
        })?;
        self.put_me(state, record)?;
        self.follow_up(state, vec![Follow::Listen(url.clone())]);
        Ok(url)
    }

    /// Question `device.revoke`: the chain says so, the domain closes its sessions, and every group removes it.
    pub(crate) async fn device_revoke(&self, device: &str) -> Outcome<()> {
        let dsk = keys::VerifyingKey::parse(device).map_err(|e| Failure::new("unknown", e))?;
        {
            let mut state = self.state();
            let state = &mut *state;
            let me = state.me()?;
            if dsk == me.dsk.verifying_key() {
                return Err(Failure::new("this-device", "this device is erased, not revoked"));
            }
            let (irk, now_s) = (me.irk()?, now_ms() / 1000);
            me.chain.device(&dsk, now_s).map_err(|e| Failure::new("unknown", e))?;
            let mut record: Me = me.record.clone();
            let mut chain = me.chain.clone();
            chain.revoke_device(&irk, identity::Signer::Irk, dsk, now_s).map_err(|e| Failure::new("bad-chain", e))?;
            record.chain = chain.texts();
            self.put_me(state, record)?;
            self.tell_everybody(state)?;
        }
        self.tidy_groups();
        // Sessions of the device end when the domain hears of it; the groups do not wait for that.
        if let Err(failure) = self.publish_chain().await {
            tracing::info!(code = failure.code, "the domain hears of the revocation later");
        }
        Ok(())
    }

    /// Our own record changed: it is kept, and everything that is made of it is made anew.
    pub(crate) fn put_me(&self, state: &mut State, record: Me) -> Outcome<()> {
        let me = ready(record)?;
        state.store()?.write(|tx| tx.put(kind::ME, "me", &me.record)).map_err(Failure::store)?;
        state.me = Some(me);
        self.tell(News::Mine);
        Ok(())
    }

    /// Everybody we share something with hears how our chain goes on.
    pub(crate) fn tell_everybody(&self, state: &mut State) -> Outcome<()> {
        let (Some(me), Some(store)) = (&state.me, &state.store) else { return Ok(()) };
        let follow = store.write(|tx| crate::histories::tell_all(tx, me))?;
        self.follow_up(state, follow);
        Ok(())
    }

    /// Our record in the store is newer than what we work with: another device of ours told of it.
    pub(crate) fn myself_changed(&self, state: &mut State) {
        let record = state.store().and_then(|store| {
            store.read(|tx| tx.get::<Me>(kind::ME, "me")).map_err(Failure::store)?.ok_or_else(Failure::not_ready)
        });
        match record.and_then(ready) {
            Ok(me) => {
                state.me = Some(me);
                self.publish_later();
                self.consider_resets(state);
                self.tell(News::Mine);
                let home = self.clone();
                self.rooms.tasks.start("groups", async move { home.tidy_groups() });
            }
            Err(failure) => {
                tracing::warn!(code = failure.code, "this device does not count any more");
                state.damaged = Some(failure);
                self.tell(News::App(self.app_state(state)));
            }
        }
    }

    pub(crate) fn link_progress(&self, done: u32, total: u32) {
        self.tell(News::Link(LinkState::Transferring { done, total }));
    }

    pub(crate) fn linking_done(&self, state: &mut State) {
        state.linking.full = None;
        self.tell(News::Link(LinkState::Done));
    }
}

/// The name of a device without tricks.
fn clean_name(said: &str) -> String {
    plain::name(said, NAME_LIMIT).unwrap_or_else(|| "A new device".into())
}

impl Home {
    /// Question `link.join`.
    pub(crate) fn link_join(&self, code: &str, name: Option<&str>) -> Outcome<()> {
        let code = Code::parse(code)?;
        let name = name.map(str::trim).filter(|name| !name.is_empty()).unwrap_or(&self.rooms.config.device_name);
        let name = clean_name(name);
        let mut state = self.state();
        if state.me.is_some() {
            return Err(Failure::new("already-set-up", "this profile has an account already"));
        }
        state.nothing_restarts()?;
        state.set_home_domain(&code.user.domain())?;
        let attempt = state.linking.joining.as_ref().map_or(1, |joining| joining.attempt + 1);
        let (dsk, secrets) = (keys::SigningKey::generate(), Arc::new(BoxKey::generate()));
        state.linking.joining = Some(Joining { code, name, dsk, secrets, attempt, seated: None, others: Vec::new() });
        drop(state);
        self.tell(News::Link(LinkState::Reaching));
        let home = self.clone();
        self.rooms.tasks.start("linking", async move {
            if let Err(failure) = home.join_person(attempt).await {
                let mut state = home.state();
                if state.linking.joining.as_ref().is_some_and(|joining| joining.attempt == attempt) {
                    state.linking.joining = None;
                    home.tell(News::Link(LinkState::Failed { trouble: Trouble::from(&failure) }));
                }
            }
        });
        Ok(())
    }

    /// Question `link.cancel`.
    pub(crate) fn link_cancel(&self) {
        self.state().linking.joining = None;
    }

    /// What the attempt works with, while it is not given up.
    fn joining(&self, attempt: u64) -> Outcome<(Code, String, keys::SigningKey, BoxPublic)> {
        let state = self.state();
        let joining = state.linking.joining.as_ref().filter(|joining| joining.attempt == attempt);
        let joining = joining.ok_or_else(|| Failure::new("link-refused", "it was given up"))?;
        Ok((joining.code.clone(), joining.name.clone(), joining.dsk.clone(), joining.secrets.public()))
    }

    /// From the code to a seat in the person's domain.
    async fn join_person(&self, attempt: u64) -> Outcome<()> {
        let (code, name, dsk, secrets) = self.joining(attempt)?;
        let secret = secret_of(&code.secret).ok_or_else(|| Failure::new("wrong-code", "no secret"))?;
        let request = Request { dsk: dsk.verifying_key(), name, secrets };
        let plain = serde_json::to_vec(&request).map_err(|e| Failure::new("malformed", e))?;
        let sealed = request_key(&secret).seal(&plain, REQUEST_MARK).map_err(|e| Failure::new("sealing-failed", e))?;
        let sealed = [REQUEST_MARK, sealed.as_slice()].concat();
        let domain = code.user.domain();
        let ask = json!({ "to": code.inbox, "sealed": keys::b64url(&sealed) });
        let answer =
            self.ask_node(&domain, MessageType::Create, &format!("domain://linking.{domain}"), body(&ask)).await?;
        if !answer.code.is_success() {
            return Err(Failure::new("link-refused", format!("the domain answered {}", answer.code.0)));
        }
        self.tell(News::Link(LinkState::Waiting { check: check_digits(&secret, &dsk.verifying_key()) }));
        self.wait_until_admitted(&code, attempt).await?;
        let chain = self.own_chain(&code, &dsk).await?;
        let mut addresses = Vec::new();
        for part in ["inbox", "chat", "connector"] {
            addresses.push(self.allocate(&domain, part).await?);
        }
        let [inbox, chat, connector] = addresses.try_into().map_err(|_| Failure::not_ready())?;
        let credential = identity::DeviceCredential::of(&chain, &dsk.verifying_key(), &[], now_ms() / 1000)
            .map_err(|e| Failure::new("link-refused", e))?;
        let device = seal::Device::new(&dsk, credential.encode());
        let seat = Seat { device, chain, inbox, chat, connector };
        let publisher = {
            let mut state = self.state();
            let joining = state.linking.joining.as_mut().ok_or_else(|| Failure::new("link-refused", "given up"))?;
            joining.seated = Some(seat.clone());
            state.hear(&bus::Place::At(seat.inbox.clone()));
            Publisher {
                user: code.user.clone(),
                inbox: seat.inbox.clone(),
                chain: seat.chain.texts(),
                device: seat.device,
            }
        };
        self.publish_as(&publisher).await
    }

    /// Waits for the yes on the other device; the domain tells.
    async fn wait_until_admitted(&self, code: &Code, attempt: u64) -> Outcome<()> {
        let domain = code.user.domain();
        let until = now_ms() + CODE_LIFE_MS;
        while now_ms() < until {
            self.joining(attempt)?;
            if let Ok(true) = self.is_admitted(&domain).await {
                return Ok(());
            }
            tokio::time::sleep(LOOK).await;
        }
        Err(Failure::new("link-expired", "nobody let this device in"))
    }

    /// Whether our domain counts this device as somebody's.
    pub(crate) async fn is_admitted(&self, domain: &message::Domain) -> Outcome<bool> {
        let to = format!("domain://account.{domain}");
        let answer = self.ask_node(domain, MessageType::Read, &to, body(&json!({}))).await?;
        Ok(answer.value.get("admitted").and_then(Value::as_bool) == Some(true))
    }

    /// The chain that names us; it must be that of the code's persona.
    async fn own_chain(&self, code: &Code, dsk: &keys::SigningKey) -> Outcome<identity::Sigchain> {
        let entry = self.look_up(&code.user, &Packages::None).await?;
        if entry.persona != code.persona {
            return Err(Failure::new("wrong-person", "the domain names another persona than the code"));
        }
        entry.chain.device(&dsk.verifying_key(), now_ms() / 1000).map_err(|e| Failure::new("link-refused", e))?;
        Ok(entry.chain)
    }

    /// Something sealed arrived before we know who we are: the Welcome of the own devices, and their words.
    pub(crate) fn open_while_linking(&self, state: &mut State, bytes: &[u8]) -> Outcome<Vec<Follow>> {
        let seat = state.linking.joining.as_ref().and_then(|joining| joining.seated.clone());
        let (Some(seat), Some(store)) = (seat, &state.store) else { return Err(Failure::not_ready()) };
        let code = state.linking.joining.as_ref().map(|joining| joining.code.clone()).ok_or_else(Failure::not_ready)?;
        let mark = keys::b64url(&keys::sha256(bytes));
        let mut others = None;
        let bundle = store.write(|tx| {
            if tx.seen(&mark).map_err(Failure::store)? {
                return Ok(None);
            }
            let now_s = now_ms() / 1000;
            if seal::is_welcome(bytes) {
                let pending = seal::inspect_welcome(tx, &seat.device, bytes).map_err(|e| Failure::new(e.code(), e))?;
                pending
                    .join(tx, &mut |leaf: &seal::Candidate<'_>| check_alone(leaf, now_s))
                    .map_err(|e| Failure::new(e.code(), e))?;
                return Ok(None);
            }
            let opened =
                seal::open(tx, &seat.device, bytes, &mut |leaf: &seal::Candidate<'_>| check_alone(leaf, now_s))
                    .map_err(|e| Failure::new(e.code(), e))?;
            // Only the device whose code we used may tell us who we are.
            if opened.sender.dsk != code.device {
                return Err(Failure::new("wrong-author", "another device than the one with the code"));
            }
            let seal::What::Application(plain) = opened.what else { return Ok(None) };
            let inner = message::Message::from_json(&plain).map_err(|e| Failure::new("malformed", e))?;
            let url = inner.to.base();
            if opened.group.address().as_ref() != Some(&url) || url.scheme() != "ctxt" {
                return Err(Failure::new("malformed", "a message for another object than its group"));
            }
            if inner.kind == MessageType::Create && inner.to.path().ends_with("/subscription") {
                // Who holds the object, and until when: what is not known to be held would be taken.
                let said: crate::sending::Introduced = crate::members::said(&inner)?;
                crate::leases::adopt_again(tx, &url, said.lease.as_ref())?;
                others = Some(said.members);
                return Ok(None);
            }
            if inner.kind != MessageType::Update || !inner.to.path().ends_with("/me") {
                return Ok(None);
            }
            let bundle: Bundle = inner.body.parse().map_err(|e| Failure::new("malformed", e))?;
            Ok::<_, Failure>(Some((url, bundle)))
        })?;
        if let (Some(others), Some(joining)) = (others, &mut state.linking.joining) {
            joining.others = others;
        }
        if let Some((url, bundle)) = bundle {
            self.become_person(state, &code, &seat, url, bundle)?;
        }
        Ok(Vec::new())
    }

    /// We know who we are: the profile is complete, and the history is asked for.
    fn become_person(&self, state: &mut State, code: &Code, seat: &Seat, own: Address, bundle: Bundle) -> Outcome<()> {
        let mut chain = identity::Sigchain::parse(&bundle.chain).map_err(|e| Failure::new("bad-chain", e))?;
        let resets = settling::dated(&chain);
        settling::settle_own(&mut chain, &resets, now_ms() / 1000);
        let dsk = state.linking.joining.as_ref().map(|joining| joining.dsk.clone()).ok_or_else(Failure::not_ready)?;
        let now = now_ms();
        chain.device(&dsk.verifying_key(), now / 1000).map_err(|e| Failure::new("link-refused", e))?;
        chain.device(&code.device, now / 1000).map_err(|e| Failure::new("link-refused", e))?;
        let secrets = state.linking.joining.as_ref().and_then(|joining| bundle.secrets_for(&joining.secrets));
        let secrets = secrets.unwrap_or_default();
        let irk = secrets
            .irk
            .filter(|irk| crate::first_run::signing_key(irk).is_some_and(|key| key.verifying_key() == chain.irk()));
        if chain.persona().to_string() != code.persona || bundle.user != code.user {
            return Err(Failure::new("wrong-person", "the device told of another person than its code"));
        }
        let record = Me {
            user: bundle.user,
            name: bundle.name,
            issuer: bundle.issuer,
            irk,
            dsk: keys::b64url(dsk.to_bytes().as_ref()),
            chain: bundle.chain,
            resets,
            tokens: bundle.tokens,
            renewals: bundle.renewals,
            recovery: secrets.recovery,
            own: Some(own.clone()),
            inbox: seat.inbox.clone(),
            chat: seat.chat.clone(),
            connector: seat.connector.clone(),
        };
        let me = ready(record)?;
        let told = state.linking.joining.as_ref().map(|joining| joining.others.as_slice()).unwrap_or_default();
        let members = members_of_ours(&dsk.verifying_key(), &chain, code, told, now / 1000);
        let lease = state.store()?.write(|tx| {
            let snapshot = sync::Snapshot { version: 0, value: json!({}) };
            let observer =
                sync::Observer::new(own.clone(), "own", snapshot).map_err(|e| Failure::new("bad-object", e))?;
            let (user, side) = (me.record.user.clone(), Side::Standby(observer));
            let mut object = Object::new(own.clone(), ObjectUse::Own, "own".into(), user, Standing::Open, side, now);
            object.members = members;
            put_object(tx, &object)?;
            tx.put(kind::ME, "me", &me.record).map_err(Failure::store)?;
            let cursor = Cursor::default();
            tx.put(kind::SETTINGS, COPY, &cursor).map_err(Failure::store)?;
            let hello = Named {
                device: me.dsk.verifying_key().to_string(),
                user: me.record.user.clone(),
                inbox: Some(me.record.inbox.clone()),
            };
            let inner = inner_message(MessageType::Subscribe, &object.url, "subscription", &hello)?;
            seal_and_queue(tx, &me, &object, &inner, None)?;
            let inner = inner_message(MessageType::Read, &object.url, "copy", &cursor)?;
            seal_and_queue(tx, &me, &object, &inner, None)?;
            Ok::<_, Failure>(pumps(&object).collect::<Vec<_>>())
        })?;
        state.me = Some(me);
        state.linking.joining = None;
        state.take_rules_of_ours(bundle.rules)?;
        if let Some(code) = &bundle.contact {
            state.store()?.write(|tx| crate::brought::hear_code(tx, code))?;
        }
        self.tell(News::Link(LinkState::Transferring { done: 0, total: 0 }));
        self.resume(state);
        self.follow_up(state, lease);
        Ok(())
    }

    /// Our other devices with what they can be invited with, for an object of this kind.
    pub(crate) async fn own_others(&self, purpose: ObjectUse) -> Outcome<Vec<RegistryDevice>> {
        let (user, others) = {
            let state = self.state();
            let me = state.me()?;
            (me.record.user.clone(), me.live_others())
        };
        // A call is made from one device, and so is a question at a door.
        if others.is_empty() || purpose.is_brief() {
            return Ok(Vec::new());
        }
        let entry = self.look_up(&user, &Packages::Of(others.clone())).await?;
        Ok(entry.devices.into_iter().filter(|one| others.contains(&one.device)).collect())
    }
}

/// The device with the code, and those it names, as far as our history does: what we say is for all of them.
fn members_of_ours(
    own: &keys::VerifyingKey,
    chain: &identity::Sigchain,
    code: &Code,
    told: &[Named],
    now_s: i64,
) -> Vec<Member> {
    let (own, speaker, user) = (own.to_string(), code.device.to_string(), &code.user);
    let may_speak = |one: &&Named| {
        keys::VerifyingKey::parse(&one.device).is_ok_and(|key| chain.device(&key, now_s).is_ok())
            && one.inbox.as_ref().is_some_and(|inbox| inbox.domain() == user.domain())
    };
    let others = told.iter().filter(|one| one.device != own && one.device != speaker).filter(may_speak);
    let others = others.map(|one| Member { device: one.device.clone(), user: user.clone(), inbox: one.inbox.clone() });
    let speaker = Member { device: speaker.clone(), user: user.clone(), inbox: Some(code.inbox.clone()) };
    std::iter::once(speaker).chain(others).collect()
}

impl Ready {
    /// The identity root key, if this device has it.
    pub(crate) fn irk(&self) -> Outcome<keys::SigningKey> {
        let irk = self.record.irk.as_deref().and_then(crate::first_run::signing_key);
        // A key that another device of ours replaced signs nothing any more.
        let irk = irk.filter(|irk| irk.verifying_key() == self.chain.irk());
        irk.ok_or_else(|| Failure::new("not-full-device", "this device may not add or revoke devices"))
    }

    /// Our other devices that may speak now.
    pub(crate) fn live_others(&self) -> Vec<String> {
        let (own, now_s) = (self.dsk.verifying_key(), now_ms() / 1000);
        let others = self.chain.devices().filter(|device| device.dsk != own);
        others
            .filter(|device| self.chain.device(&device.dsk, now_s).is_ok())
            .map(|device| device.dsk.to_string())
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn code() -> Code {
        Code {
            user: UserAddress::parse("ana@a.localhost").unwrap(),
            persona: "p".into(),
            inbox: Address::parse("hyperty://a.localhost/inbox").unwrap(),
            device: keys::SigningKey::generate().verifying_key(),
            secret: keys::b64url(&[7; 32]),
        }
    }

    #[test]
    fn a_new_device_speaks_to_those_of_ours_that_the_history_names_and_to_nobody_else() {
        let (irk, code) = (keys::SigningKey::generate(), code());
        let mut chain = identity::Sigchain::create(&irk, None, 0);
        let [own, phone, stranger] = std::array::from_fn(|_| keys::SigningKey::generate().verifying_key());
        for device in [code.device, own, phone] {
            chain.add_device(&irk, device, "ours", 86_400, 1).unwrap();
        }
        let named = |device: keys::VerifyingKey, domain: &str| Named {
            device: device.to_string(),
            user: code.user.clone(),
            inbox: Address::parse(&format!("hyperty://{domain}/of-{}", &device.to_string()[..8])).ok(),
        };
        let told = [
            named(code.device, "a.localhost"),
            named(own, "a.localhost"),
            named(stranger, "a.localhost"),
            named(phone, "b.localhost"),
            named(phone, "a.localhost"),
        ];
        let members = members_of_ours(&own, &chain, &code, &told, 2);
        let devices: Vec<&str> = members.iter().map(|member| member.device.as_str()).collect();
        assert_eq!(devices, [code.device.to_string(), phone.to_string()]);
        assert_eq!(members[0].inbox.as_ref(), Some(&code.inbox), "the code says where its device receives");
        assert_eq!(members[1].inbox, told[4].inbox);
    }

    #[test]
    fn a_code_survives_being_copied_with_line_breaks() {
        let text = code().text();
        let (one, two) = text.split_at(text.len() / 2);
        let read = Code::parse(&format!("  {one}\n {two} \n")).unwrap();
        assert_eq!(read.text(), text);
    }

    #[test]
    fn what_is_no_code_is_refused_by_name() {
        let foreign = Code { inbox: Address::parse("hyperty://b.localhost/inbox").unwrap(), ..code() };
        let weak = Code { secret: keys::b64url(b"short"), ..code() };
        for text in ["", "hello", CODE_PREFIX, &foreign.text(), &weak.text(), &"x".repeat(10_000)] {
            assert_eq!(Code::parse(text).err().unwrap().code, "wrong-code");
        }
    }

    #[test]
    fn another_key_or_another_secret_shows_other_digits() {
        let (one, two) = (keys::SigningKey::generate().verifying_key(), keys::SigningKey::generate().verifying_key());
        let digits = check_digits(&[1; 32], &one);
        assert_eq!(digits.len(), 7);
        assert_eq!(digits, check_digits(&[1; 32], &one));
        assert_ne!(digits, check_digits(&[1; 32], &two));
        assert_ne!(digits, check_digits(&[2; 32], &one));
    }
}
