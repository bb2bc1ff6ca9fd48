//! The guests of this runtime: which package runs where on the bus, with which rights.

use std::collections::HashMap;

use bus::{Action, Place, PortId, PortKind};
use contract::{ModuleView, News, Trouble};
use guests::{GuestId, GuestNews, GuestPlan, PackageKind, PackageRef, PostError, Supervisor, VerifiedPackage};
use message::{Address, AddressPattern, Domain, Grants, Message};
use policy::ModuleName;
use serde_json::{Value, json};
use tokio::sync::mpsc;

use crate::consent::hosts;
use crate::home::{Home, State};
use crate::links::LinkStage;
use crate::trouble::{Failure, Outcome};

/// How long a person's wish waits for a Hyperty that is still being fetched.
const HYPERTY_LIMIT: std::time::Duration = std::time::Duration::from_secs(15);

/// What guests say in one moment, at most: it is done together.
const MOMENT: usize = 64;

/// The guests and their ports.
pub(crate) struct Modules {
    supervisor: Supervisor,
    by_guest: HashMap<GuestId, Module>,
    by_port: HashMap<PortId, GuestId>,
    /// Rights given until the app is closed.
    once: HashMap<String, Grants>,
}

/// One running package.
struct Module {
    package: PackageRef,
    address: Address,
    version: String,
    grants: Grants,
    port: PortId,
    state: &'static str,
    trouble: Option<Trouble>,
}

impl Modules {
    pub(crate) fn new(supervisor: Supervisor) -> Self {
        Self { supervisor, by_guest: HashMap::new(), by_port: HashMap::new(), once: HashMap::new() }
    }

    pub(crate) fn is_granted_once(&self, key: &str, grants: &Grants) -> bool {
        self.once.get(key).is_some_and(|given| grants.is_within(given))
    }

    pub(crate) fn grant_once(&mut self, key: &str, grants: Grants) {
        self.once.insert(key.to_owned(), grants);
    }

    pub(crate) fn forget_all_once(&mut self) {
        self.once.clear();
    }

    pub(crate) fn forget_once(&mut self, key: &str) {
        self.once.remove(key);
    }

    pub(crate) fn stub_port(&self, domain: &Domain) -> Option<PortId> {
        let is_stub =
            |module: &&Module| module.package.kind == PackageKind::ProtoStub && module.package.domain == *domain;
        self.by_guest.values().find(is_stub).map(|module| module.port)
    }

    /// Whether a guest with this address is there, if only about to start.
    pub(crate) fn is_running(&self, address: &Address) -> bool {
        self.by_guest.values().any(|module| module.address == *address && module.state != "parked")
    }

    fn running(&self, package: &PackageRef) -> Option<GuestId> {
        self.by_guest.iter().find(|(_, module)| module.package == *package).map(|(id, _)| *id)
    }

    fn view(module: &Module) -> ModuleView {
        ModuleView {
            module: module.package.to_string(),
            domain: module.package.domain.to_string(),
            kind: module.package.kind.to_string(),
            name: module.package.name.clone(),
            version: module.version.clone(),
            state: module.state.to_owned(),
            trouble: module.trouble.clone(),
            may_talk_to: hosts(&module.grants),
        }
    }
}

impl State {
    /// The rights of a package here: its own ∩ consent ∩ organisation ∩ user.
    fn rights_of(&self, package: &VerifiedPackage) -> Grants {
        let (reference, wanted) = (&package.reference, package.grants());
        if self.modules.is_granted_once(&reference.to_string(), wanted) {
            return self.policy.within_ceilings(wanted);
        }
        let name =
            ModuleName { domain: reference.domain.clone(), package: format!("{}/{}", reference.kind, reference.name) };
        self.policy.effective_grants(&name, wanted)
    }
}

impl Home {
    /// Starts a domain's stub, or exchanges it for another version.
    pub(crate) fn run_stub(
        &self,
        state: &mut State,
        domain: &Domain,
        address: Address,
        package: VerifiedPackage,
        config: Value,
    ) -> Outcome<()> {
        let grants = package.grants().clone();
        let kind = PortKind::Stub { domain: domain.clone(), address: address.clone(), grants };
        self.run(state, package, address, config, kind)
    }

    /// Starts an IdP proxy: it may fetch and wait, and has nothing to say to anybody.
    pub(crate) fn run_proxy(
        &self,
        state: &mut State,
        package: VerifiedPackage,
        address: Address,
        config: Value,
    ) -> Outcome<()> {
        let kind = PortKind::Guest { speak_as: vec![address.clone()], grants: Grants::none() };
        self.run(state, package, address, config, kind)
    }

    /// Ends the guest with this address, if it is there.
    pub(crate) fn end_module_at(&self, address: &Address) {
        let mut state = self.state();
        let found = state.modules.by_guest.iter().find(|(_, module)| module.address == *address).map(|(id, _)| *id);
        if let Some(id) = found {
            self.end_module(&mut state, id);
        }
    }

    fn run(
        &self,
        state: &mut State,
        package: VerifiedPackage,
        address: Address,
        config: Value,
        kind: PortKind,
    ) -> Outcome<()> {
        if let Some(old) = state.modules.running(&package.reference) {
            self.end_module(state, old);
        }
        let (reference, version) = (package.reference.clone(), package.version().to_string());
        let grants = state.rights_of(&package);
        // As `guests::GuestPlan::idp_proxy` says: whatever else such a package asks for, it does not get.
        let grants = if reference.kind == PackageKind::IdpProxy {
            Grants { fetch: grants.fetch, timers: grants.timers, ..Grants::none() }
        } else {
            grants
        };
        let kind = match kind {
            PortKind::Stub { domain, address, .. } => PortKind::Stub { domain, address, grants: grants.clone() },
            PortKind::Guest { speak_as, .. } => PortKind::Guest { speak_as, grants: grants.clone() },
            other => other,
        };
        let port = state.bus.add_port(kind);
        if let Err(error) = state.bus.listen(port, &Place::Below(address.clone())) {
            return Err(Failure::new("stub-crashed", error));
        }
        // A stub brings what its domain's node sends; the bus checks whose words those may be.
        let is_stub = reference.kind == PackageKind::ProtoStub;
        let everyone = AddressPattern::parse("*").into_iter().filter(|_| is_stub).collect();
        let plan = GuestPlan::new(package, address.clone())
            .with_grants(grants.clone())
            .with_config(config)
            .speaking_as(everyone);
        let id = match state.modules.supervisor.start(plan) {
            Ok(id) => id,
            Err(error) => {
                let actions = state.bus.remove_port(port);
                self.follow(state, actions);
                return Err(Failure::new("stub-crashed", error));
            }
        };
        let module = Module { package: reference, address, version, grants, port, state: "starting", trouble: None };
        self.tell(News::Module(Modules::view(&module)));
        state.modules.by_port.insert(port, id);
        state.modules.by_guest.insert(id, module);
        Ok(())
    }

    fn end_module(&self, state: &mut State, id: GuestId) {
        state.modules.supervisor.stop(id);
        if let Some(mut module) = state.modules.by_guest.remove(&id) {
            state.modules.by_port.remove(&module.port);
            module.state = "stopped";
            self.tell(News::Module(Modules::view(&module)));
            let actions = state.bus.remove_port(module.port);
            self.follow(state, actions);
        }
    }

    /// Hands a message to a guest, once what it follows from is on disk.
    pub(crate) fn to_guest(&self, state: &mut State, port: PortId, message: Message) -> Vec<Action> {
        match self.hold_back(state, port, message) {
            Some(message) => self.give_to_guest(state, port, message),
            None => Vec::new(),
        }
    }

    /// Hands a message to a guest.
    pub(crate) fn give_to_guest(&self, state: &mut State, port: PortId, message: Message) -> Vec<Action> {
        let Some(id) = state.modules.by_port.get(&port) else {
            return self.to_gate(state, port, &message).unwrap_or_default();
        };
        match state.modules.supervisor.post(*id, message) {
            Ok(()) => Vec::new(),
            Err(PostError::Full(message) | PostError::Parked(message) | PostError::Gone(message)) => {
                if let Some(child) = crate::objects::child_told(&message) {
                    // Shells hear of it all the same.
                    state.together.show(child);
                    self.show_what_waits(state);
                }
                state.bus.undelivered(port, message)
            }
        }
    }

    /// Hears what guests say, until the runtime closes.
    pub(crate) async fn hear_guests(self, mut events: mpsc::Receiver<(GuestId, GuestNews)>) {
        let mut moment = Vec::with_capacity(MOMENT);
        while events.recv_many(&mut moment, MOMENT).await > 0 {
            let mut state = self.state();
            self.begin_together(&mut state);
            for (id, event) in moment.drain(..) {
                self.on_guest(&mut state, id, event);
            }
            self.end_together(&mut state);
        }
    }

    fn on_guest(&self, state: &mut State, id: GuestId, event: GuestNews) {
        let Some(module) = state.modules.by_guest.get_mut(&id) else { return };
        let mut undelivered = Vec::new();
        match event {
            GuestNews::Message(message) => {
                let port = module.port;
                self.post(state, port, message);
                return;
            }
            GuestNews::Log { level, text } => {
                tracing::trace!(package = %module.package, ?level, length = text.len(), "a guest wrote a line");
                return;
            }
            GuestNews::Ready => {
                module.state = "running";
                module.trouble = None;
            }
            GuestNews::Restarting { .. } => module.state = "starting",
            GuestNews::Parked { reason, undelivered: waiting, .. } => {
                module.state = "parked";
                module.trouble = Some(Trouble { code: "stub-crashed".into(), detail: reason.to_string() });
                undelivered = waiting;
            }
        }
        let view = Modules::view(module);
        let (package, port, parked) = (module.package.clone(), module.port, module.state == "parked");
        self.tell(News::Module(view));
        for message in undelivered {
            let actions = state.bus.undelivered(port, message);
            self.follow(state, actions);
        }
        if parked && package.kind == PackageKind::ProtoStub {
            let failure = Failure::new("stub-crashed", "the domain's stub crashed too often");
            state.links.set_stage(&package.domain, LinkStage::Failed(failure));
            state.bus.route_lost(&package.domain);
        }
        tracing::info!(package = %package, parked, "a guest changed");
    }

    /// Question `module.list`.
    pub(crate) fn module_list(&self) -> Vec<ModuleView> {
        let state = self.state();
        let here = state.modules.by_guest.values().map(Modules::view);
        let mut views: Vec<ModuleView> = here.chain(state.gates.views()).collect();
        views.sort_by(|a, b| a.module.cmp(&b.module));
        views
    }

    /// Question `module.revoke`.
    pub(crate) fn module_revoke(&self, name: &str) -> Outcome<()> {
        let mut state = self.state();
        let state = &mut *state;
        let gated = state.gates.domain_of(name);
        if let Some(domain) = gated {
            self.end_gate(state, &domain, true);
            return Ok(());
        }
        let found = state.modules.by_guest.iter().find(|(_, module)| module.package.to_string() == name);
        let (id, package) =
            found.map(|(id, module)| (*id, module.package.clone())).ok_or_else(|| Failure::unknown("module"))?;
        if state.home_domain().as_ref() == Some(&package.domain) {
            return Err(Failure::new("own-domain", "the own domain's packages are needed for everything"));
        }
        state.modules.forget_once(name);
        let rule = ModuleName { domain: package.domain.clone(), package: format!("{}/{}", package.kind, package.name) };
        state.policy.set_module(&rule, None);
        state.keep_rules()?;
        self.end_module(state, id);
        state.links.set_stage(&package.domain, LinkStage::Down);
        Ok(())
    }

    /// Ends the stub of a domain, and its session with it: the next one is opened with the key that counts then.
    pub(crate) fn end_stub(&self, state: &mut State, domain: &Domain) {
        let is_stub =
            |module: &Module| module.package.kind == PackageKind::ProtoStub && module.package.domain == *domain;
        let stub = state.modules.by_guest.iter().find(|(_, module)| is_stub(module)).map(|(id, _)| *id);
        if let Some(id) = stub {
            self.end_module(state, id);
            state.links.set_stage(domain, LinkStage::Down);
        }
        self.end_gate(state, domain, true);
    }

    /// Starts the Hyperties of the own domain.
    pub(crate) fn start_hyperties(&self) {
        for name in ["chat", "connector"] {
            let home = self.clone();
            self.rooms.tasks.start("hyperty", async move { home.keep_hyperty(name).await });
        }
    }

    /// Fetches a Hyperty until that works, and starts it.
    async fn keep_hyperty(self, name: &'static str) {
        let mut pause = 1;
        loop {
            match self.load_hyperty(name).await {
                Ok(()) => return,
                Err(failure) => tracing::info!(name, code = failure.code, "a Hyperty did not start"),
            }
            tokio::time::sleep(std::time::Duration::from_secs(pause)).await;
            pause = (pause * 2).min(60);
        }
    }

    /// Waits until a Hyperty is there to be asked. Before that the bus would look for it at its domain, and show
    /// the node what is meant for the Hyperty alone.
    pub(crate) async fn hyperty_there(&self, address: &Address) -> Outcome<()> {
        let mut news = self.rooms.news.subscribe();
        let there = async {
            while !self.state().modules.is_running(address) {
                // Whatever the news is, and however much was missed: the next look says.
                let _ = news.recv().await;
            }
        };
        if tokio::time::timeout(HYPERTY_LIMIT, there).await.is_ok() {
            return Ok(());
        }
        let state = self.state();
        let is_online = state.home_domain().is_some_and(|domain| state.links.session(&domain).is_some());
        let code = if is_online { "stub-crashed" } else { "domain-unreachable" };
        Err(Failure::new(code, "the Hyperty does not run yet"))
    }

    async fn load_hyperty(&self, name: &str) -> Outcome<()> {
        let domain = self.state().me()?.domain();
        let package = PackageRef::new(domain.clone(), PackageKind::Hyperty, name);
        let verified = self.fetch_package(&package).await?;
        let mut state = self.state();
        let record = &state.me()?.record;
        let address = if name == "chat" { record.chat.clone() } else { record.connector.clone() };
        let config = json!({ "domain": domain, "runtimeURL": state.core_address("core")?, "user": record.user });
        let kind = PortKind::Guest { speak_as: vec![address.clone()], grants: verified.grants().clone() };
        self.run(&mut state, verified, address, config, kind)
    }

    /// Ends all guests.
    pub(crate) fn end_modules(&self) {
        let mut state = self.state();
        let all: Vec<GuestId> = state.modules.by_guest.keys().copied().collect();
        for id in all {
            self.end_module(&mut state, id);
        }
    }

    /// Ends calls, guests and tasks, and waits for the last one.
    pub(crate) async fn close(&self) {
        self.hang_up_all();
        self.state().moving.stop();
        // What the calls still have to say leaves with the outbox at the next start at the latest.
        tokio::time::sleep(std::time::Duration::from_millis(50)).await;
        self.rooms.tasks.shutdown().await;
        self.end_modules();
        if let Err(failure) = self.state().keep_trail(true) {
            tracing::warn!(code = failure.code, "the last verdicts are not in the trail");
        }
    }
}
