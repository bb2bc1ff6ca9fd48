//! The way to each domain: its protocol stub, from the catalogue to a live session.

use std::collections::HashMap;
use std::time::Duration;

use bus::Place;
use contract::{ConsentChoice, News};
use guests::{PackageKind, PackageRef, VerifiedPackage};
use message::{Address, Body, Code, Domain, Message, Response, Verdict};
use policy::{ModuleName, ModuleWish};
use serde::Deserialize;
use tokio::sync::watch;

use crate::consent::ModuleQuestion;
use crate::gate;
use crate::home::{Home, State, now_ms, now_u64};
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

/// A stub that is not live after this long has failed.
const LIVE_LIMIT: Duration = Duration::from_secs(10);

/// After a failure, how long before the next attempt that nobody asked for.
const REST_MS: i64 = 2_000;

/// The links of a runtime, by domain.
#[derive(Default)]
pub(crate) struct Links {
    by_domain: HashMap<Domain, Link>,
}

/// One domain.
pub(crate) struct Link {
    /// How far we are; watched by those who wait.
    stage: watch::Sender<LinkStage>,
    /// Whether a task is bringing it up.
    working: bool,
    /// Whether a task is emptying the outbox.
    pub(crate) pumping: bool,
    /// Whether something was queued meanwhile.
    pub(crate) pump_again: bool,
    /// Ends the pause of the outbox early.
    pub(crate) wake: std::sync::Arc<tokio::sync::Notify>,
    /// No attempt of our own before this.
    resting_until: i64,
    /// The version that runs.
    pub(crate) version: Option<String>,
    /// Key of our session at this domain: the device's at home, a fresh one elsewhere.
    pub(crate) visitor: keys::SigningKey,
    /// For whose sake it is needed, to say so when a person is asked.
    for_whom: Option<String>,
}

/// How far a link is.
#[derive(Debug, Clone, PartialEq)]
pub(crate) enum LinkStage {
    /// Nothing was tried, or a session ended and the stub tries again by itself.
    Down,
    /// The stub speaks with its node; messages may leave from this address.
    Live(Address),
    /// It did not work.
    Failed(Failure),
}

impl Links {
    pub(crate) fn get_or_add(&mut self, domain: &Domain) -> &mut Link {
        self.by_domain.entry(domain.clone()).or_insert_with(|| Link {
            stage: watch::Sender::new(LinkStage::Down),
            working: false,
            pumping: false,
            pump_again: false,
            wake: std::sync::Arc::default(),
            resting_until: 0,
            version: None,
            visitor: keys::SigningKey::generate(),
            for_whom: None,
        })
    }

    /// Where messages to this domain leave from, while its stub is live.
    pub(crate) fn session(&self, domain: &Domain) -> Option<Address> {
        match &*self.by_domain.get(domain)?.stage.borrow() {
            LinkStage::Live(address) => Some(address.clone()),
            _ => None,
        }
    }

    pub(crate) fn set_stage(&mut self, domain: &Domain, stage: LinkStage) {
        self.get_or_add(domain).stage.send_replace(stage);
    }

    /// Watches how a link comes up from nothing.
    pub(crate) fn watch_from_down(&mut self, domain: &Domain) -> watch::Receiver<LinkStage> {
        let link = self.get_or_add(domain);
        link.stage.send_replace(LinkStage::Down);
        link.stage.subscribe()
    }

    /// What reaches this domain: `b.localhost 1.0.0`.
    pub(crate) fn reached_by(&self, domain: &Domain) -> Option<String> {
        let version = self.by_domain.get(domain)?.version.as_ref()?;
        Some(format!("{domain} {version}"))
    }
}

/// What a stub says of itself.
#[derive(Deserialize)]
struct Status {
    status: String,
    #[serde(default)]
    code: Option<u16>,
    #[serde(default)]
    address: Option<Address>,
}

impl Home {
    /// Makes sure a domain can be spoken to, asking the person where that is needed.
    ///
    /// Returns the address our messages to that domain leave from.
    pub(crate) async fn domain_ready(&self, domain: &Domain, for_whom: Option<String>) -> Outcome<Address> {
        let (mut stage, working) = {
            let mut state = self.state();
            let has_stub = state.stub_port(domain).is_some();
            let link = state.links.get_or_add(domain);
            if for_whom.is_some() {
                link.for_whom = for_whom;
            }
            let now = link.stage.borrow().clone();
            // A stub that lost its node tries again by itself; one that failed, or is not there, is fetched.
            let fetch = match now {
                LinkStage::Live(_) => false,
                LinkStage::Down => !has_stub,
                LinkStage::Failed(_) => true,
            };
            if fetch && !link.working {
                link.stage.send_replace(LinkStage::Down);
                self.bring_up(link, domain);
            }
            (link.stage.subscribe(), link.working)
        };
        let settled = stage.wait_for(|stage| *stage != LinkStage::Down);
        let settled = if working {
            // Has its own limits, and a person may be thinking.
            settled.await.map(|stage| stage.clone())
        } else {
            match tokio::time::timeout(LIVE_LIMIT, settled).await {
                Ok(settled) => settled.map(|stage| stage.clone()),
                Err(_) => return Err(Failure::new("domain-unreachable", "the domain's node does not answer")),
            }
        };
        match settled {
            Ok(LinkStage::Live(address)) => Ok(address),
            Ok(LinkStage::Failed(failure)) => Err(failure),
            Ok(LinkStage::Down) | Err(_) => Err(Failure::new("domain-unreachable", "the runtime is closing")),
        }
    }

    /// The bus has messages for a domain it knows no way to.
    pub(crate) fn route_wanted(&self, state: &mut State, domain: Domain) {
        let link = state.links.get_or_add(&domain);
        if link.working {
            return;
        }
        if link.resting_until > now_ms() {
            let answer = Response::because(Code::UNAVAILABLE, "the domain cannot be reached now");
            let actions = state.bus.route_failed(&domain, &answer);
            self.follow(state, actions);
            return;
        }
        self.bring_up(link, &domain);
    }

    fn bring_up(&self, link: &mut Link, domain: &Domain) {
        link.working = true;
        let (home, domain) = (self.clone(), domain.clone());
        self.rooms.tasks.start("link", async move {
            let result = home.load_stub(&domain).await;
            home.link_done(&domain, result);
        });
    }

    fn link_done(&self, domain: &Domain, result: Outcome<()>) {
        let mut state = self.state();
        let link = state.links.get_or_add(domain);
        link.working = false;
        if let Err(failure) = result {
            tracing::info!(%domain, code = failure.code, "a domain cannot be reached");
            link.resting_until = now_ms() + REST_MS;
            link.stage.send_replace(LinkStage::Failed(failure.clone()));
            let answer = Response::because(Code::UNAVAILABLE, failure.code);
            let actions = state.bus.route_failed(domain, &answer);
            self.follow(&mut state, actions);
        }
    }

    /// Brings a domain's stub up: here, or at our own node if the domain cannot be reached from here.
    async fn load_stub(&self, domain: &Domain) -> Outcome<()> {
        match self.load_own_stub(domain).await {
            Err(failure) if failure.code == "domain-unreachable" => {
                self.end_stub(&mut self.state(), domain);
                match self.load_gated(domain).await {
                    Ok(()) => Ok(()),
                    Err(second) => {
                        tracing::debug!(%domain, code = second.code, "the own domain is no way to it");
                        Err(failure)
                    }
                }
            }
            done => done,
        }
    }

    /// Catalogue → verified package → consent → running stub → live session.
    async fn load_own_stub(&self, domain: &Domain) -> Outcome<()> {
        let package = PackageRef { domain: domain.clone(), kind: PackageKind::ProtoStub, name: "default".into() };
        let verified = self.fetch_package(&package).await?;
        let for_whom = self.state().links.get_or_add(domain).for_whom.clone();
        self.may_run(&package, &verified, for_whom).await?;
        let mut stage = {
            let mut state = self.state();
            let address = state.core_address(&format!("protostub/{domain}"))?;
            let config = serde_json::json!({
                "url": self.rooms.net.origin(domain).as_str().trim_end_matches('/'),
                "domain": domain,
                "runtimeURL": state.core_address("core")?,
            });
            state.links.get_or_add(domain).version = Some(verified.version().to_string());
            self.end_gate(&mut state, domain, true);
            let stage = state.links.watch_from_down(domain);
            self.run_stub(&mut state, domain, address, verified, config)?;
            stage
        };
        comes_live(&mut stage, "the stub did not reach its node in time").await
    }

    /// Fetches and verifies a package, and remembers what must never go backwards.
    pub(crate) async fn fetch_package(&self, package: &PackageRef) -> Outcome<VerifiedPackage> {
        let key = package.domain.to_string();
        let memory: catalogue::Memory = {
            let state = self.state();
            match &state.store {
                Some(store) => {
                    store.read(|tx| tx.get(kind::CATALOGUE, &key)).map_err(Failure::store)?.unwrap_or_default()
                }
                None => catalogue::Memory::default(),
            }
        };
        let fetched = self
            .rooms
            .fetcher
            .fetch(package, &memory, now_u64())
            .await
            .map_err(|error| Failure::new(error.code(), &error))?;
        if let Some(store) = &self.state().store {
            store.write(|tx| tx.put(kind::CATALOGUE, &key, &fetched.memory)).map_err(Failure::store)?;
        }
        Ok(fetched)
    }

    /// Asks the policy whether a package may run, and the person where the policy says so.
    pub(crate) async fn may_run(
        &self,
        package: &PackageRef,
        verified: &VerifiedPackage,
        for_whom: Option<String>,
    ) -> Outcome<()> {
        let name = ModuleName { domain: package.domain.clone(), package: format!("{}/{}", package.kind, package.name) };
        let wish = ModuleWish {
            name: name.clone(),
            version: verified.version().to_string(),
            grants: verified.grants().clone(),
            by_user: for_whom.is_some(),
        };
        let verdict = {
            let mut state = self.state();
            if state.modules.is_granted_once(&package.to_string(), verified.grants()) {
                return Ok(());
            }
            let verdict = state.policy.judge_module(now_u64(), &wish);
            if matches!(verdict, Verdict::Ask { .. }) {
                // Those who wait for this domain are told that a person is being asked.
                let actions = state.bus.route_asking(&package.domain);
                self.follow(&mut state, actions);
            }
            verdict
        };
        match verdict {
            Verdict::Allow => return Ok(()),
            Verdict::Deny { because } => return Err(Failure::new(denial(&because.code), because.text)),
            Verdict::Ask { .. } => {}
        }
        let question = ModuleQuestion {
            domain: &package.domain,
            package: &name.package,
            version: wish.version,
            grants: verified.grants(),
            for_whom,
        };
        let choice = self.ask_about_module(question).await?;
        let mut state = self.state();
        state.policy.note(now_u64(), gate::answered(&name, choice));
        let grants = verified.grants().clone();
        match choice {
            ConsentChoice::Once => {
                state.policy.set_module(&name, None);
                state.modules.grant_once(&package.to_string(), grants);
                Ok(())
            }
            ConsentChoice::Always => {
                state.policy.set_module(&name, Some(policy::Consent::Granted { grants }));
                state.keep_rules()
            }
            ConsentChoice::Deny => {
                state.policy.set_module(&name, Some(policy::Consent::Refused));
                state.keep_rules()?;
                Err(Failure::new("denied", "the package was not allowed to run"))
            }
        }
    }

    /// A stub tells how its connection goes.
    pub(crate) fn on_stub_status(&self, state: &mut State, message: &Message) {
        let Ok(status) = message.body.parse::<Status>() else { return };
        let Some(domain) = message.from.path().strip_prefix("protostub/").and_then(|d| Domain::parse(d).ok()) else {
            return;
        };
        tracing::debug!(%domain, status = status.status, code = status.code, "stub status");
        let at_home = state.home_domain().as_ref() == Some(&domain);
        match (status.status.as_str(), status.code, status.address) {
            ("live", _, Some(address)) if address.domain() == domain => {
                state.hear(&Place::At(address.clone()));
                if let Some(port) = state.stub_port(&domain) {
                    let actions = state.bus.route_ready(now_u64(), &domain, port);
                    self.follow(state, actions);
                }
                state.links.get_or_add(&domain).stage.send_replace(LinkStage::Live(address));
                self.on_live(state, &domain, at_home);
            }
            ("failed", Some(426), _) => self.protocol_changed(state, &domain),
            ("failed", code, _) => {
                let code = code.map_or_else(|| "domain-unreachable".to_owned(), |c| format!("node-{c}"));
                let failure = Failure::new(code, "the domain's node refused the session");
                state.links.get_or_add(&domain).stage.send_replace(LinkStage::Failed(failure));
            }
            ("disconnected", ..) => {
                state.bus.route_lost(&domain);
                state.links.get_or_add(&domain).stage.send_replace(LinkStage::Down);
            }
            _ => return,
        }
        if at_home && state.links.session(&domain).is_none() {
            self.end_gates(state);
        }
        if at_home {
            self.tell(News::App(self.app_state(state)));
        }
    }

    /// The domain speaks another protocol now: its new stub is fetched, and nobody updates.
    fn protocol_changed(&self, state: &mut State, domain: &Domain) {
        let link = state.links.get_or_add(domain);
        link.stage.send_replace(LinkStage::Down);
        if link.working {
            // The attempt under way was made with the old stub; it will fail and be made again.
            return;
        }
        self.bring_up(link, domain);
    }

    /// What a session makes possible.
    fn on_live(&self, state: &mut State, domain: &Domain, at_home: bool) {
        if at_home && state.me.is_some() {
            self.publish_later();
            // A session that ended may have been ended because this device counts no more.
            self.look_at_ourselves();
        }
        if let Some(store) = &state.store
            && let Err(error) = store.write(|tx| tx.outbox_hurry(domain.as_str()))
        {
            tracing::warn!(%error, "the outbox could not be hurried");
        }
        self.pump(state, domain);
        state.links.get_or_add(domain).wake.notify_one();
        self.rooms.network.notify_waiters();
    }

    /// Where the session's messages leave from, or why none can.
    pub(crate) async fn ask_node(
        &self,
        domain: &Domain,
        kind: message::MessageType,
        to: &str,
        body: Body,
    ) -> Outcome<Response> {
        let from = self.domain_ready(domain, None).await?;
        let to = Address::parse(to).map_err(|e| Failure::new("bad-address", e))?;
        Ok(self.request(kind, from, to, body).await)
    }
}

/// Waits until a stub that was started speaks with its node.
pub(crate) async fn comes_live(stage: &mut watch::Receiver<LinkStage>, late: &'static str) -> Outcome<()> {
    match tokio::time::timeout(LIVE_LIMIT, stage.wait_for(|stage| *stage != LinkStage::Down)).await {
        Ok(Ok(stage)) => match &*stage {
            LinkStage::Failed(failure) => Err(failure.clone()),
            _ => Ok(()),
        },
        _ => Err(Failure::new("domain-unreachable", late)),
    }
}

/// One word for every way in which a person or a rule said no to a module.
fn denial(code: &str) -> &str {
    if code == "module-refused" { "denied" } else { code }
}

impl State {
    /// Keeps what people decided.
    pub(crate) fn keep_rules(&self) -> Outcome<()> {
        self.store()?.write(|tx| tx.put(kind::RULES, "rules", self.policy.rules())).map_err(Failure::store)
    }

    /// The domain of the account, or of the one that is being made.
    pub(crate) fn home_domain(&self) -> Option<Domain> {
        self.me
            .as_ref()
            .map(crate::home::Ready::domain)
            .or_else(|| self.first_run.domain())
            .or_else(|| self.linking.home_domain())
    }
}
