//! On the new device: it asks to be let in with the code, waits, and becomes one of the person's devices.

use std::sync::Arc;

use contract::{LinkState, News, Trouble};
use keys::sealed_box::{BoxKey, BoxPublic};
use message::{Address, MessageType};
use serde_json::{Value, json};

use super::code::{CODE_LIFE_MS, Code, REQUEST_MARK, check_digits, request_key, secret_of};
use super::{LOOK, Request, clean_name};
use crate::first_run::ready;
use crate::home::{Home, State, body, now_ms};
use crate::key_packages::Publisher;
use crate::members::{Named, check_alone};
use crate::objects::Follow;
use crate::own::{Bundle, COPY, Cursor};
use crate::records::{Me, Member, Object, ObjectUse, Side, Standing, kind};
use crate::registry::{Packages, RegistryDevice};
use crate::sending::{inner_message, pumps, put_object, seal_and_queue};
use crate::settling;
use crate::trouble::{Failure, Outcome};

/// A new device that asks.
pub(crate) struct Joining {
    pub(super) code: Code,
    /// What the person calls this device.
    pub(super) name: String,
    pub(crate) dsk: keys::SigningKey,
    /// Opens what the other device seals for us alone.
    pub(super) secrets: Arc<BoxKey>,
    pub(super) attempt: u64,
    /// Known once the domain let us in.
    pub(super) seated: Option<Seat>,
    /// Who else is in the object of the own devices, as the device with the code says.
    pub(super) others: Vec<Named>,
}

/// Where a new device receives, and what it can open.
#[derive(Clone)]
pub(super) struct Seat {
    pub(super) device: seal::Device,
    pub(super) chain: identity::Sigchain,
    pub(super) inbox: Address,
    pub(super) chat: Address,
    pub(super) connector: Address,
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::linking::code::tests::code;

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
}
