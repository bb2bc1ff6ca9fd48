//! A new device of ours: the code that lets it ask, the yes of a device that is there, and its first steps.
//!
//! The code names the person, the persona, an inbox and a secret that works once. Whoever has the code can ask;
//! only a person who sees the same six digits on both screens lets the device in. Then the chain names it, its
//! domain admits it, and everything else comes sealed in the object of the own devices.

mod code;
mod joining;

use contract::{DeviceView, LinkCode, LinkState, News};
use keys::sealed_box::BoxPublic;
use message::Address;
use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::first_run::ready;
use crate::histories::state_of;
use crate::home::{Home, Ready, State, now_ms};
use crate::objects::{Follow, new_object_address};
use crate::records::{Me, Object, ObjectUse, Side, Standing, kind};
use crate::sending::put_object;
use crate::trouble::{Failure, Outcome};

pub(crate) use code::is_link_request;
use code::{CODE_LIFE_MS, Code, REQUEST_MARK, check_digits, request_key};
pub(crate) use joining::Joining;

/// Wrong attempts after which a code is void.
const WRONG_LIMIT: u32 = 5;

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
