//! The one place where the rooms meet: state of the runtime and the loop that moves messages.
//!
//! All state stands behind one lock that is only ever held for short,
//! synchronous work. What waits (the network, a person, a guest) is a task that
//! takes the lock again when it goes on. The bus, the sync machines and the MLS
//! groups are therefore never seen half changed.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::atomic::{AtomicU32, AtomicUsize};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use bus::{Action, Bus, Place, PortId, PortKind};
pub(crate) use clock::now_ms;
use contract::News;
use message::{Address, Body, Code, Domain, Message, MessageId, MessageType, Response, Verdict};
use policy::{Case, Rules};
use serde::Serialize;
use store::Store;
use tokio::sync::{broadcast, oneshot};
use zeroize::Zeroize;

use crate::asking::Asking;
use crate::calls::Calls;
use crate::chat::Typing;
use crate::config::RuntimeConfig;
use crate::consent::Consents;
use crate::doubts::Doubts;
use crate::files::Files;
use crate::first_run::FirstRun;
use crate::held::Held;
use crate::linking::Linking;
use crate::links::Links;
use crate::locking::Presence;
use crate::modules::Modules;
use crate::records::{Me, kind};
use crate::refusing::Refusing;
use crate::rules::Organisation;
use crate::tasks::Tasks;
use crate::together::Together;
use crate::trouble::{Failure, Outcome};
use crate::upkeep::Upkeep;
use crate::verdicts::Policy;

/// News a slow shell may leave unread before it has to ask for everything again.
const NEWS_LIMIT: usize = 1024;

/// A runtime; cheap to clone.
#[derive(Clone)]
pub(crate) struct Home {
    pub(crate) rooms: Arc<Rooms>,
}

/// What never changes after the start.
pub(crate) struct Rooms {
    pub(crate) config: RuntimeConfig,
    pub(crate) net: transport::Net,
    pub(crate) fetcher: guests::Fetcher,
    pub(crate) media: Arc<media::MediaEngine>,
    pub(crate) tasks: Tasks,
    pub(crate) news: broadcast::Sender<News>,
    /// States of the app that were told.
    pub(crate) turns: AtomicU32,
    /// Wakes what waits for the network: a domain was reached.
    pub(crate) network: tokio::sync::Notify,
    /// Loads whose answer is waited for.
    pub(crate) under_way: Arc<AtomicUsize>,
    /// Wakes what brings changes to disk: something waits for that.
    pub(crate) flushing: tokio::sync::Notify,
    /// Held while the profile is opened again.
    pub(crate) opening: tokio::sync::Mutex<()>,
    /// Held while key packages are published, so that nobody publishes the same lack twice.
    pub(crate) publishing: tokio::sync::Mutex<()>,
    state: Mutex<State>,
}

/// Everything that changes.
pub(crate) struct State {
    pub(crate) bus: Bus,
    pub(crate) core: PortId,
    pub(crate) store: Option<Store>,
    /// What the store is sealed with, to keep it in another way.
    pub(crate) master: Option<store::MasterKey>,
    pub(crate) protection: Option<contract::Protection>,
    pub(crate) keyring_trouble: Option<String>,
    /// Why the profile cannot be opened or read.
    pub(crate) damaged: Option<Failure>,
    pub(crate) me: Option<Ready>,
    pub(crate) first_run: FirstRun,
    /// A device that is being linked, here or with this one.
    pub(crate) linking: Linking,
    pub(crate) links: Links,
    pub(crate) modules: Modules,
    pub(crate) policy: Policy,
    /// What is known of the organisation's document beside its rules.
    pub(crate) organisation: Organisation,
    pub(crate) presence: Presence,
    pub(crate) upkeep: Upkeep,
    /// Whether this device still counts.
    pub(crate) doubts: Doubts,
    /// Somebody begins our identity anew.
    pub(crate) refusing: Refusing,
    pub(crate) consents: Consents,
    pub(crate) calls: Calls,
    /// The figures of the calls that go on.
    pub(crate) gathering: crate::call_book::Gathering,
    /// How often strangers made us ask issuers.
    pub(crate) asking: Asking,
    /// Who types where, and to whom we said so.
    pub(crate) typing: Typing,
    /// Cards of links that were made and not sent yet.
    pub(crate) previews: crate::previews::Previews,
    pub(crate) tried: crate::sound::Tried,
    pub(crate) gates: crate::gates::Gates,
    /// Files that are handed over, and those under way.
    pub(crate) files: Files,
    /// A history that is written or read.
    pub(crate) moving: crate::archives::Moving,
    /// Codes of contact links that were pasted.
    pub(crate) pasted: crate::brought::Pasted,
    /// Welcomes that used key packages up since the registry was asked how many it has.
    pub(crate) joins: u32,
    /// What guests bring in one moment.
    pub(crate) together: Together,
    /// What guests are given once it is on disk.
    pub(crate) held: Held,
    /// Invitations that are being shown.
    pub(crate) inviting: crate::inviting::Inviting,
    waiting: HashMap<MessageId, oneshot::Sender<Message>>,
    next_id: MessageId,
}

/// A profile whose first run is over.
pub(crate) struct Ready {
    pub(crate) record: Me,
    pub(crate) chain: identity::Sigchain,
    pub(crate) device: seal::Device,
    pub(crate) dsk: keys::SigningKey,
    /// Histories of others that were read already.
    pub(crate) parsed: crate::parsed::Parsed,
}

/// The secrets of the record are texts, which do not wipe themselves.
impl Drop for Ready {
    fn drop(&mut self) {
        self.record.dsk.zeroize();
        self.record.irk.zeroize();
        if let Some(recovery) = &mut self.record.recovery {
            recovery.words.zeroize();
        }
    }
}

impl Ready {
    pub(crate) fn domain(&self) -> Domain {
        self.record.user.domain()
    }
}

impl Home {
    /// Builds the rooms; must be called inside the async runtime whose tasks they use.
    pub(crate) fn new(config: RuntimeConfig) -> Outcome<Self> {
        let net = transport::Net::new(config.net.clone()).map_err(|e| Failure::new("no-network", e))?;
        let mut audio = config.audio.clone();
        audio.network.net.get_or_insert_with(|| net.clone());
        let media = media::MediaEngine::new(audio);
        let engine = sandbox::Engine::new().map_err(|e| Failure::new("no-sandbox", e))?;
        let (supervisor, supervision, guest_news) =
            guests::Supervisor::new(engine, net.clone(), tokio::runtime::Handle::current());
        store::create_private_dir(&config.profile_dir).map_err(|e| Failure::new("no-directory", e))?;
        let cache = guests::DiskCache::open(&config.profile_dir.join("packages"))
            .map_err(|e| Failure::new("no-directory", e))?;
        let fetcher = guests::Fetcher::new(net.clone()).with_cache(Arc::new(cache));
        let mut bus = Bus::new(no_domain());
        let core = bus.add_port(PortKind::Core { name: "core".into() });
        let (news, _) = broadcast::channel(NEWS_LIMIT);
        let state = State {
            bus,
            core,
            store: None,
            master: None,
            protection: None,
            keyring_trouble: None,
            damaged: None,
            me: None,
            first_run: FirstRun::default(),
            linking: Linking::default(),
            links: Links::default(),
            modules: Modules::new(supervisor),
            policy: Policy::new(no_domain(), Rules::default()),
            organisation: Organisation::default(),
            presence: Presence::default(),
            upkeep: Upkeep::default(),
            doubts: Doubts::default(),
            refusing: Refusing::default(),
            consents: Consents::default(),
            calls: Calls::default(),
            gathering: Default::default(),
            asking: Asking::default(),
            typing: Typing::default(),
            previews: Default::default(),
            tried: Default::default(),
            gates: Default::default(),
            pasted: Default::default(),
            files: Files::default(),
            moving: Default::default(),
            joins: 0,
            together: Together::default(),
            held: Held::default(),
            inviting: Default::default(),
            waiting: HashMap::new(),
            next_id: 1,
        };
        let rooms = Rooms {
            config,
            net,
            fetcher,
            media,
            tasks: Tasks::default(),
            news,
            turns: AtomicU32::new(0),
            network: tokio::sync::Notify::new(),
            under_way: Arc::default(),
            flushing: tokio::sync::Notify::new(),
            opening: tokio::sync::Mutex::default(),
            publishing: tokio::sync::Mutex::default(),
            state: Mutex::new(state),
        };
        let home = Self { rooms: Arc::new(rooms) };
        home.rooms.tasks.start_lasting("supervision", supervision.run());
        home.rooms.tasks.start_lasting("disk", home.clone().keep_on_disk());
        home.rooms.tasks.start_lasting("guests", home.clone().hear_guests(guest_news));
        Ok(home)
    }

    /// Takes the lock. Never hold it over an `await`.
    pub(crate) fn state(&self) -> MutexGuard<'_, State> {
        // A panic while the lock was held is a broken proof; the data behind it is
        // still whole, since every change to disk is one transaction.
        self.rooms.state.lock().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    pub(crate) fn tell(&self, news: News) {
        // Nobody listening is fine: a shell asks for all there is when it starts.
        let _ = self.rooms.news.send(news);
    }

    /// Asks somebody on the bus and waits for the final answer.
    pub(crate) async fn request(&self, kind: MessageType, from: Address, to: Address, body: Body) -> Response {
        self.ask_at_once(kind, from, to, body).await
    }

    /// The same; the question is on its way when this returns, so questions keep their order.
    pub(crate) fn ask_at_once(
        &self,
        kind: MessageType,
        from: Address,
        to: Address,
        body: Body,
    ) -> impl Future<Output = Response> + Send + use<> {
        let (sender, receiver) = oneshot::channel();
        {
            let mut state = self.state();
            let id = state.take_id();
            state.waiting.insert(id, sender);
            let core = state.core;
            self.post(&mut state, core, Message { id, kind, from, to, body });
        }
        async move {
            match receiver.await {
                Ok(answer) => answer
                    .body
                    .parse::<Response>()
                    .unwrap_or_else(|_| Response::because(Code::FAILED, "the answer has no code")),
                Err(_) => Response::because(Code::UNAVAILABLE, "the runtime is closing"),
            }
        }
    }

    /// Tells somebody on the bus, without waiting.
    pub(crate) fn send(&self, state: &mut State, kind: MessageType, from: Address, to: Address, body: Body) {
        let id = state.take_id();
        let core = state.core;
        self.post(state, core, Message { id, kind, from, to, body });
    }

    /// Answers a message.
    pub(crate) fn answer(&self, state: &mut State, to: &Message, response: &Response) {
        let core = state.core;
        self.post(state, core, to.response(response));
    }

    /// Puts a message on the bus and does all that follows from it.
    pub(crate) fn post(&self, state: &mut State, from: PortId, message: Message) {
        let actions = state.bus.post(now_u64(), from, message);
        self.follow(state, actions);
    }

    /// Does what the bus asks for, until it asks for nothing more.
    pub(crate) fn follow(&self, state: &mut State, actions: Vec<Action>) {
        let mut todo: VecDeque<Action> = actions.into();
        while let Some(action) = todo.pop_front() {
            match action {
                Action::Deliver { port, message, .. } if port == state.core => self.on_core(state, message),
                Action::Deliver { port, message, .. } => todo.extend(self.to_guest(state, port, message)),
                Action::Judge { ticket, message, from, to, answers } => {
                    let case = Case { message: &message, from: &from, to: &to, answers, peer: None };
                    let verdict = state.policy.judge(now_u64(), &case);
                    if let Verdict::Deny { because } = &verdict {
                        tracing::info!(code = because.code, kind = message.kind.as_str(), "a message was not allowed");
                    }
                    todo.extend(state.bus.verdict(now_u64(), ticket, verdict));
                }
                Action::NeedRoute { domain } => self.route_wanted(state, domain),
                Action::Refused { message, response, .. } => {
                    tracing::debug!(kind = message.kind.as_str(), code = response.code.0, "a message went nowhere");
                }
            }
        }
    }

    /// Something for the core itself.
    fn on_core(&self, state: &mut State, message: Message) {
        if message.kind == MessageType::Response {
            let provisional = message.response_code().is_some_and(Code::is_provisional);
            if !provisional && let Some(waiting) = state.waiting.remove(&message.id) {
                let _ = waiting.send(message);
            }
            return;
        }
        let Some(message) = self.join_others(state, message) else { return };
        let path = message.to.path().to_owned();
        match (message.to.scheme(), path.as_str()) {
            ("runtime", "sm") => self.on_sync_manager(state, message),
            ("runtime", "idm") => self.on_identity_module(state, message),
            ("runtime", "ua") => self.on_app_event(state, &message),
            ("runtime", "media") => self.on_media_request(state, message),
            ("runtime", "guests") => self.on_stub_status(state, &message),
            ("runtime", _) if self.on_gate_word(state, &message) => {}
            ("runtime", _) if is_word_of_our_domain(state, &message) => self.on_account_word(&message),
            ("comm" | "connection" | "ctxt", _) => self.on_object(state, message),
            ("hyperty", _) => self.on_inbox(state, message),
            _ => self.answer(state, &message, &Response::code(Code::NOT_FOUND)),
        }
    }

    /// Lets the bus notice the time: deadlines and late answers.
    pub(crate) fn tick(&self) {
        let mut state = self.state();
        let actions = state.bus.tick(now_u64());
        self.follow(&mut state, actions);
    }

    /// Runs until the runtime closes: the bus's clock and the outboxes.
    pub(crate) async fn keep_time(self) {
        let mut beat = tokio::time::interval(Duration::from_millis(250));
        beat.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
        loop {
            beat.tick().await;
            self.tick();
            self.tick_calls();
            self.gather_figures();
            self.keep_house(now_ms()).await;
        }
    }
}

impl State {
    pub(crate) fn take_id(&mut self) -> MessageId {
        let id = self.next_id;
        self.next_id += 1;
        id
    }

    pub(crate) fn me(&self) -> Outcome<&Ready> {
        self.me.as_ref().ok_or_else(Failure::not_ready)
    }

    /// Where this device receives, once its domain gave it a place.
    pub(crate) fn inbox(&self) -> Option<&Address> {
        self.me.as_ref().map(|me| &me.record.inbox).or_else(|| self.linking.inbox())
    }

    pub(crate) fn store(&self) -> Outcome<&Store> {
        self.store.as_ref().ok_or_else(Failure::not_ready)
    }

    /// Begins with a bus for this domain; the guests of another one are gone by then.
    pub(crate) fn set_home_domain(&mut self, domain: &Domain) -> Outcome<()> {
        if self.bus.own_domain() == domain {
            return Ok(());
        }
        self.bus = Bus::new(domain.clone());
        let rules = self.store.as_ref().and_then(|store| store.read(|tx| tx.get(kind::RULES, "rules")).ok().flatten());
        self.policy.begin(domain.clone(), rules.unwrap_or_default());
        self.core = self.bus.add_port(PortKind::Core { name: "core".into() });
        for part in ["core", "sm", "idm", "ua", "media", "guests"] {
            let address = Address::new("runtime", domain, part).map_err(|e| Failure::new("bad-address", e))?;
            self.hear(&Place::At(address));
        }
        Ok(())
    }

    /// Forgets everything of the profile but how it is opened again; its file is closed by then.
    pub(crate) fn forget_profile(&mut self) {
        self.me = None;
        self.master = None;
        self.damaged = None;
        self.linking = Linking::default();
        self.links = Links::default();
        self.modules.forget_all_once();
        self.policy = Policy::new(no_domain(), Rules::default());
        self.organisation = Organisation::default();
        self.consents = Consents::default();
        self.calls = Calls::default();
        self.asking = Asking::default();
        self.typing = Typing::default();
        self.previews = Default::default();
        self.tried = Default::default();
        self.gates = Default::default();
        self.files = Files::default();
        self.moving.stop();
        self.joins = 0;
        self.upkeep = Upkeep::default();
        self.doubts = Doubts::default();
        self.refusing = Refusing::default();
        self.together = Together::default();
        self.held.forget();
        self.inviting = Default::default();
        // Who waits for an answer is told that there will be none.
        self.waiting.clear();
        self.bus = Bus::new(no_domain());
        self.core = self.bus.add_port(PortKind::Core { name: "core".into() });
    }

    /// Lets the core hear what is sent to a place.
    pub(crate) fn hear(&mut self, place: &Place) {
        if let Err(error) = self.bus.listen(self.core, place) {
            tracing::warn!(%error, "the core cannot listen");
        }
    }

    /// An address of the own core: `runtime://D/<part>`.
    pub(crate) fn core_address(&self, part: &str) -> Outcome<Address> {
        let early = || self.first_run.domain().or_else(|| self.linking.home_domain());
        let domain = self.me.as_ref().map(Ready::domain).or_else(early).ok_or_else(Failure::not_ready)?;
        Address::new("runtime", &domain, part).map_err(|e| Failure::new("bad-address", e))
    }
}

/// Whether our own domain tells our session something about the account.
fn is_word_of_our_domain(state: &State, message: &Message) -> bool {
    let Some(domain) = state.home_domain() else { return false };
    let account = Address::parse(&format!("domain://account.{domain}")).ok();
    message.kind == MessageType::Event
        && account.as_ref() == Some(&message.from)
        && state.links.session(&domain).as_ref() == Some(&message.to)
}

/// Stands in until the person has chosen a domain.
fn no_domain() -> Domain {
    Domain::parse("localhost").expect("a host name")
}

pub(crate) fn now_u64() -> u64 {
    u64::try_from(now_ms()).unwrap_or(0)
}

/// Writes a body from parts the runtime itself made.
pub(crate) fn body<T: Serialize>(value: &T) -> Body {
    Body::of(value).unwrap_or_else(|_| Body::empty())
}

/// A map from names to texts, for the details of a system line.
pub(crate) fn detail(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}
