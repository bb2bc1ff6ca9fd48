//! Attacks by code that was fetched: what it may say, to whom, and as whom.

use bus::{Action, Bus, Party, Place, PortKind};
use message::{Address, AddressPattern, Body, Domain, Grants, Message, MessageType, UserAddress, Verdict};
use policy::{Assurance, Case, Consent, Identity, ModuleName, ModuleWish, Peer, Policy, Rules, Wish};
use sandbox::{GuestSpec, MemoryShelf, Shelf};
use serde_json::json;

use crate::guest_story::{Actor, GUEST, engine, on_message, talkative};

const NOW: u64 = 1_000_000;
const CHAT: &str = "hyperty://a.example/chat";

fn domain(text: &str) -> Domain {
    Domain::parse(text).unwrap()
}

fn address(text: &str) -> Address {
    Address::parse(text).unwrap()
}

fn policy() -> Policy {
    Policy::new(domain("a.example"), Rules::default())
}

/// A module that was granted everything it can ask for in words.
fn greedy() -> Grants {
    Grants { speak_to: vec![AddressPattern::parse("*").unwrap()], ..Grants::none() }
}

fn chat() -> Party {
    Party::Guest { address: address(CHAT), grants: greedy().into() }
}

fn core() -> Party {
    Party::Core { name: "sm".into() }
}

fn remote() -> Party {
    Party::Remote { domain: domain("b.example") }
}

fn judge(kind: MessageType, from: (&str, Party), to: (&str, Party), peer: Option<&Peer>) -> String {
    let message = Message { id: 1, kind, from: address(from.0), to: address(to.0), body: Body::empty() };
    let case = Case { message: &message, from: &from.1, to: &[to.1], answers: None, peer };
    code(policy().judge(NOW, &case))
}

fn code(verdict: Verdict) -> String {
    match verdict {
        Verdict::Allow => "allow".into(),
        Verdict::Ask { .. } => "ask".into(),
        Verdict::Deny { because } => because.code,
    }
}

/// Attack: H-01
/// By: a Hyperty
/// Does: writes somebody else into `from`: a person, the core, another Hyperty
/// Holds: it is heard as itself
#[tokio::test]
async fn a_guest_is_heard_as_itself() {
    for claimed in ["user://b.localhost/ben", "runtime://a.localhost/sm", "hyperty://a.localhost/other"] {
        let source = on_message(&format!(
            "bus.postMessage({{type: 'event', from: '{claimed}', to: 'comm://a.localhost/1', body: {{identity: 'Ben'}}}})"
        ));
        let mut guest = Actor::ready(&engine(), &source).await;
        guest.post("{}");
        assert_eq!(guest.message().await.from, address(GUEST), "{claimed}");
    }
}

/// Attack: H-02
/// By: a Hyperty without grants
/// Does: speaks to the identity module, to a contact's inbox and to its Node, and opens sockets
/// Holds: each is refused, counted, and said to it
#[tokio::test]
async fn a_guest_without_grants_reaches_nobody() {
    for to in ["runtime://a.localhost/idm", "hyperty://b.localhost/inbox", "domain://registry.a.localhost"] {
        let source = on_message(&format!(
            "bus.postMessage({{type: 'execute', to: '{to}', body: {{method: 'proveSession'}}}},
                             (answer) => reply({{code: 200, value: answer.body.code}}))"
        ));
        let mut guest = Actor::ready_with(&engine(), GuestSpec::new("test", address(GUEST), source)).await;
        assert_eq!(guest.ask("{}").await, json!({"code": 200, "value": 403}), "{to}");
        assert_eq!(guest.guest.stats().refused, 1);
    }
    let source = on_message(
        "const open = [];
         for (const name of ['fetch', 'WebSocket', 'XMLHttpRequest', 'require', 'process', 'Deno', 'std', 'os'])
           if (typeof globalThis[name] !== 'undefined') open.push(name);
         reply({code: 200, value: open})",
    );
    let mut guest = Actor::ready_with(&engine(), GuestSpec::new("test", address(GUEST), source)).await;
    let found = guest.ask("{}").await["value"].clone();
    for name in found.as_array().unwrap() {
        assert!(["fetch", "WebSocket"].contains(&name.as_str().unwrap()), "{name}");
    }
}

/// Attack: H-03
/// By: a Hyperty
/// Does: looks for what another one of the same runtime keeps
/// Holds: it sees its own shelf only
#[tokio::test]
async fn a_guest_sees_its_own_shelf_only() {
    let theirs = std::sync::Arc::new(MemoryShelf::default());
    theirs.put("secret", "of another").unwrap();
    let source = on_message(
        "(async () => {
           const found = [];
           for (const key of ['secret', '../other/secret', '*']) {
             const text = await storage.get(key);
             if (text) found.push(text);
           }
           reply({code: 200, value: [...found, ...await storage.keys()]});
         })()",
    );
    let grants = Grants { storage: 1024, ..talkative() };
    let spec = |shelf: Option<std::sync::Arc<MemoryShelf>>| {
        let mut spec = GuestSpec::new("test", address(GUEST), source.clone()).with_grants(grants.clone());
        if let Some(shelf) = shelf {
            spec.shelf = shelf;
        }
        spec
    };
    let engine = engine();
    let mut owner = Actor::ready_with(&engine, spec(Some(theirs))).await;
    assert_eq!(owner.ask("{}").await["value"], json!(["of another", "secret"]), "the honest case");
    let mut thief = Actor::ready_with(&engine, spec(None)).await;
    assert_eq!(thief.ask("{}").await["value"], json!([]));
}

/// Attack: H-04
/// By: a ProtoStub
/// Does: brings messages in the name of this runtime, of another domain, and of a person there
/// Holds: it brings messages of its own domain only
#[test]
fn a_stub_brings_only_what_is_of_its_domain() {
    let mut bus = Bus::new(domain("a.example"));
    let core = bus.add_port(PortKind::Core { name: "sm".into() });
    bus.listen(core, &Place::At(address("hyperty://a.example/inbox"))).unwrap();
    let own = address("runtime://a.example/protostub/b.example");
    let stub = bus.add_port(PortKind::Stub { domain: domain("b.example"), address: own, grants: greedy() });
    let mut brings = |from: &str| {
        let to = address("hyperty://a.example/inbox");
        let message = Message { id: 7, kind: MessageType::Create, from: address(from), to, body: Body::empty() };
        let actions = bus.post(NOW, stub, message);
        actions.into_iter().find_map(|action| match action {
            Action::Judge { message, from, .. } => {
                Some((message.from.to_string(), matches!(from, Party::Remote { .. })))
            }
            Action::Deliver { port, .. } if port == core => panic!("it was delivered unjudged"),
            _ => None,
        })
    };
    let honest = "runtime://b.example/v-1";
    assert_eq!(brings(honest), Some((honest.into(), true)), "the honest case");
    for forged in ["runtime://a.example/sm", "runtime://a.example/ua", "user://c.example/carl", "hyperty://c.example/x"]
    {
        let heard = brings(forged);
        assert!(heard.as_ref().is_none_or(|(from, remote)| from != forged && !remote), "{forged}: {heard:?}");
    }
}

/// Attack: H-05
/// By: a Node, through its stub
/// Does: sends messages straight to the core and to Hyperties
/// Holds: from outside only inboxes are reached
#[test]
fn from_outside_only_inboxes_are_reached() {
    let from = || ("runtime://b.example/v-1", remote());
    for kind in [MessageType::Create, MessageType::Execute, MessageType::Read, MessageType::Update] {
        assert_eq!(judge(kind, from(), ("hyperty://a.example/inbox", core()), None), "allow");
        for part in ["sm", "idm", "ua", "media", "guests", "core"] {
            let to = format!("runtime://a.example/{part}");
            assert_eq!(judge(kind, from(), (&to, core()), None), "not-an-inbox");
        }
        assert_eq!(judge(kind, from(), (CHAT, chat()), None), "not-for-guests");
    }
}

/// Attack: H-06
/// By: a Hyperty with every grant
/// Does: writes to another person's inbox or object past the seal, and to a stub
/// Holds: refused, what leaves is sealed by the core
#[test]
fn a_guest_does_not_write_past_the_seal() {
    for to in [
        "hyperty://b.example/inbox",
        "comm://b.example/1/children/",
        "connection://b.example/1",
        "user://b.example/ben",
    ] {
        assert_eq!(judge(MessageType::Create, (CHAT, chat()), (to, remote()), None), "unsealed", "{to}");
    }
    let stub = Party::Stub {
        domain: domain("b.example"),
        address: address("runtime://a.example/protostub/b.example"),
        grants: Grants::none().into(),
    };
    let to = "runtime://a.example/protostub/b.example";
    assert_eq!(judge(MessageType::Execute, (CHAT, chat()), (to, stub), None), "stub-is-private");
}

/// Attack: H-07
/// By: a stub that was granted everything
/// Does: asks the core for more than a proof of its own session
/// Holds: it proves its session and tells how it goes, and no more
#[test]
fn a_stub_asks_for_a_proof_and_nothing_else() {
    let own = "runtime://a.example/protostub/b.example";
    let stub = || Party::Stub { domain: domain("b.example"), address: address(own), grants: greedy().into() };
    let says = |kind, to: &str| judge(kind, (own, stub()), (to, core()), None);
    assert_eq!(says(MessageType::Execute, "runtime://a.example/idm"), "allow");
    assert_eq!(says(MessageType::Event, "runtime://a.example/guests"), "allow");
    for (kind, part) in [
        (MessageType::Create, "idm"),
        (MessageType::Read, "idm"),
        (MessageType::Execute, "sm"),
        (MessageType::Create, "sm"),
        (MessageType::Execute, "media"),
        (MessageType::Execute, "guests"),
        (MessageType::Execute, "ua"),
    ] {
        assert_eq!(says(kind, &format!("runtime://a.example/{part}")), "not-granted", "{part}");
    }
}

/// Attack: H-08
/// By: a domain
/// Does: lets its module ask for something else each time, and many strangers knock
/// Holds: a person is asked a few times, then no more
#[test]
fn nobody_is_worn_out_by_questions() {
    let mut rules = policy();
    let name = ModuleName { domain: domain("b.example"), package: "protocolstub/default".into() };
    let asks = |storage| ModuleWish {
        name: name.clone(),
        version: "1.0.0".into(),
        grants: Grants { storage, ..Grants::none() },
        by_user: false,
    };
    let asked = (0..100).filter(|n| code(rules.judge_module(NOW, &asks(*n))) == "ask").count();
    assert_eq!(asked, policy::MODULE_PROMPTS_PER_DOMAIN);
    let knocks = |n: usize, identity| {
        let user = UserAddress::parse(&format!("u{n}@b.example")).unwrap();
        Peer::new(user, identity)
    };
    let mut rules = policy();
    let asked = (0..100)
        .filter(|n| {
            code(rules.judge_peer(NOW, &knocks(*n, Identity::Verified(Assurance::default())), Wish::Write)) == "ask"
        })
        .count();
    assert_eq!(asked, policy::CONTACT_PROMPTS_PER_DOMAIN);
    let mut rules = policy();
    let unproven =
        (0..100).filter(|n| code(rules.judge_peer(NOW, &knocks(*n, Identity::Failed), Wish::Write)) == "ask").count();
    assert_eq!(unproven, 0);
}

/// Attack: H-09
/// By: the maker of a module that runs with consent
/// Does: publishes a version that wants more, and waits for it to run
/// Holds: it is asked about again, and does not run with more before
#[test]
fn consent_is_for_what_was_asked() {
    let mut rules = policy();
    let name = ModuleName { domain: domain("b.example"), package: "protocolstub/default".into() };
    let wish = |version: &str, grants: &Grants| ModuleWish {
        name: name.clone(),
        version: version.into(),
        grants: grants.clone(),
        by_user: true,
    };
    let modest = Grants { timers: true, ..Grants::none() };
    rules.set_module(&name, Some(Consent::Granted { grants: modest.clone() }));
    assert_eq!(code(rules.judge_module(NOW, &wish("2.0.0", &modest))), "allow");
    for more in [Grants { storage: 1, ..modest.clone() }, Grants { speak_to: greedy().speak_to, ..modest.clone() }] {
        assert_eq!(code(rules.judge_module(NOW, &wish("2.0.0", &more))), "ask");
        assert_eq!(rules.effective_grants(&name, &more), modest);
    }
}
