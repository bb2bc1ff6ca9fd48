//! Domains that only our own node can reach: their stubs run there, and speak on our bus all the same.
//!
//! The bus judges what comes through a gate as it judges a stub of our own, and nothing of what is sealed opens on
//! the way: the node in between could as well be any router.

use std::collections::{HashMap, VecDeque};

use bus::{Action, Place, PortId, PortKind};
use contract::ModuleView;
use message::{Address, AddressPattern, Body, Domain, Grants, Message, MessageType};
use serde::Deserialize;
use serde_json::json;

use crate::home::{Home, State, body};
use crate::links::{LinkStage, comes_live};
use crate::trouble::{Failure, Outcome};

/// Words of stubs of which we do not know yet that they run: the answer that says so is on its way to a task.
const EARLY_LIMIT: usize = 64;

/// The stubs that run at our own node.
#[derive(Default)]
pub(crate) struct Gates {
    by_domain: HashMap<Domain, Gate>,
    early: VecDeque<Word>,
}

/// One of them.
struct Gate {
    id: u64,
    port: PortId,
    version: String,
    /// Who runs it.
    through: Domain,
}

/// What our node answers.
#[derive(Deserialize)]
struct Opened {
    gate: u64,
    version: String,
}

/// What it tells of a stub.
#[derive(Deserialize)]
struct Word {
    gate: u64,
    #[serde(default)]
    message: Option<String>,
    #[serde(default)]
    ended: Option<String>,
}

impl Gates {
    pub(crate) fn port(&self, domain: &Domain) -> Option<PortId> {
        self.by_domain.get(domain).map(|gate| gate.port)
    }

    fn by_port(&self, port: PortId) -> Option<&Gate> {
        self.by_domain.values().find(|gate| gate.port == port)
    }

    /// Which domain's stub a shell means.
    pub(crate) fn domain_of(&self, module: &str) -> Option<Domain> {
        self.by_domain.keys().find(|domain| module == format!("{domain}/protocolstub/default")).cloned()
    }

    /// How they are shown beside the guests that run here.
    pub(crate) fn views(&self) -> impl Iterator<Item = ModuleView> {
        self.by_domain.iter().map(|(domain, gate)| ModuleView {
            module: format!("{domain}/protocolstub/default"),
            domain: domain.to_string(),
            kind: "protocolstub".into(),
            name: "default".into(),
            version: gate.version.clone(),
            state: "running".into(),
            trouble: None,
            may_talk_to: vec![gate.through.to_string()],
        })
    }
}

impl State {
    /// Our session at a domain and its gate, between which its words and ours go; none while there is no session.
    fn ends_of_gate(&self, domain: &Domain) -> Option<(Address, Address)> {
        self.links.session(domain).zip(Address::parse(&gate_of(domain)).ok())
    }

    /// Where a domain's stub stands on the bus, wherever it runs.
    pub(crate) fn stub_port(&self, domain: &Domain) -> Option<PortId> {
        self.modules.stub_port(domain).or_else(|| self.gates.port(domain))
    }
}

impl Home {
    /// Asks our own node to run the stub of a domain that cannot be reached from here.
    pub(crate) async fn load_gated(&self, domain: &Domain) -> Outcome<()> {
        let (home, address, core) = {
            let mut state = self.state();
            self.end_gate(&mut state, domain, true);
            let home = state.home_domain().filter(|home| home != domain).ok_or_else(Failure::not_ready)?;
            if state.links.session(&home).is_none() {
                return Err(Failure::not_ready());
            }
            (home, state.core_address(&format!("protostub/{domain}"))?, state.core_address("core")?)
        };
        let wish = body(&json!({ "domain": domain, "address": address, "runtimeUrl": core }));
        let answer = self.ask_node(&home, MessageType::Create, &gate_of(&home), wish).await?;
        if !answer.code.is_success() {
            return Err(Failure::new(format!("node-{}", answer.code.0), "the own domain does not reach it either"));
        }
        let Opened { gate: id, version } =
            serde_json::from_value(answer.value).map_err(|error| Failure::new("malformed", error))?;
        let mut stage = {
            let mut state = self.state();
            self.add_gate(&mut state, domain, address, (id, version, home))?;
            let early = std::mem::take(&mut state.gates.early);
            let stage = state.links.watch_from_down(domain);
            early.into_iter().filter(|word| word.gate == id).for_each(|word| self.hear_gate(&mut state, word));
            stage
        };
        comes_live(&mut stage, "the stub at the own node did not reach its node in time").await
    }

    fn add_gate(
        &self,
        state: &mut State,
        domain: &Domain,
        address: Address,
        (id, version, through): (u64, String, Domain),
    ) -> Outcome<()> {
        let grants = state.policy.within_ceilings(&rights_of(domain));
        let port = state.bus.add_port(PortKind::Stub { domain: domain.clone(), address: address.clone(), grants });
        state.bus.listen(port, &Place::Below(address)).map_err(|error| Failure::new("stub-crashed", error))?;
        state.links.get_or_add(domain).version = Some(version.clone());
        state.gates.by_domain.insert(domain.clone(), Gate { id, port, version, through });
        tracing::info!(%domain, "a domain is reached through the own one");
        Ok(())
    }

    /// Whether a message is our own node's word about a stub; then it is heard.
    pub(crate) fn on_gate_word(&self, state: &mut State, message: &Message) -> bool {
        let Some(home) = state.home_domain() else { return false };
        let is_theirs = state
            .ends_of_gate(&home)
            .is_some_and(|(us, gate)| (us, gate) == (message.to.clone(), message.from.clone()));
        if message.kind != MessageType::Event || !is_theirs {
            return false;
        }
        let Ok(word) = message.body.parse::<Word>() else { return true };
        if state.gates.by_domain.values().any(|gate| gate.id == word.gate) {
            self.hear_gate(state, word);
        } else if state.gates.early.len() < EARLY_LIMIT {
            state.gates.early.push_back(word);
        }
        true
    }

    fn hear_gate(&self, state: &mut State, word: Word) {
        let found = state.gates.by_domain.iter().find(|(_, gate)| gate.id == word.gate);
        let Some((domain, port)) = found.map(|(domain, gate)| (domain.clone(), gate.port)) else { return };
        match (word.message, word.ended) {
            (Some(text), None) => match Message::from_json(text.as_bytes()) {
                Ok(message) => self.post(state, port, message),
                Err(error) => tracing::info!(%domain, %error, "what came through the gate is no message"),
            },
            _ => {
                tracing::info!(%domain, "a stub at the own node ended");
                self.end_gate(state, &domain, false);
            }
        }
    }

    /// Hands a message to a stub that runs at our own node; `None` when this is not one of those.
    pub(crate) fn to_gate(&self, state: &mut State, port: PortId, message: &Message) -> Option<Vec<Action>> {
        let (id, home) = state.gates.by_port(port).map(|gate| (gate.id, gate.through.clone()))?;
        let wrapped = Body::of(&json!({ "gate": id, "message": message.to_json() })).ok();
        let (Some(body), Some((from, to))) = (wrapped, state.ends_of_gate(&home)) else {
            return Some(state.bus.undelivered(port, message.clone()));
        };
        self.send(state, MessageType::Event, from, to, body);
        Some(Vec::new())
    }

    /// Lets go of a domain's stub at our own node; `told` says whether the node still has to hear of it.
    pub(crate) fn end_gate(&self, state: &mut State, domain: &Domain, told: bool) {
        let Some(gate) = state.gates.by_domain.remove(domain) else { return };
        if let Some((from, to)) = state.ends_of_gate(&gate.through).filter(|_| told) {
            self.send(state, MessageType::Delete, from, to, body(&json!({ "gate": gate.id })));
        }
        let actions = state.bus.remove_port(gate.port);
        self.follow(state, actions);
        state.bus.route_lost(domain);
        state.links.set_stage(domain, LinkStage::Down);
    }

    /// Our session at home ended, and the stubs that ran for it.
    pub(crate) fn end_gates(&self, state: &mut State) {
        state.gates.early.clear();
        let all: Vec<Domain> = state.gates.by_domain.keys().cloned().collect();
        all.iter().for_each(|domain| self.end_gate(state, domain, false));
    }
}

fn gate_of(domain: &Domain) -> String {
    format!("domain://gate.{domain}")
}

/// What a stub may say for itself, as those say that run here: nobody is asked, because no code comes to this device.
fn rights_of(domain: &Domain) -> Grants {
    let own = ["runtime://*".to_owned()];
    let theirs = ["hyperty", "comm", "connection"].map(|scheme| format!("{scheme}://{domain}/*"));
    let patterns = own.iter().chain(&theirs);
    Grants { speak_to: patterns.flat_map(|text| AddressPattern::parse(text)).collect(), ..Grants::none() }
}
