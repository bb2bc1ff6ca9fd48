//! What an operator does: packages, wires, people, the log of routed messages.

use crate::common::oidc::http;
use crate::common::wires::{Heard, Link};
use crate::common::{House, Person, Session, config, domain, sealed};
use catalogue::{Memory, PackageName, VerifyError, verify_descriptor, verify_root, verify_snapshot, verify_source};
use message::MessageType;
use node::{AdminError, Command, Node, Package, Wire, ask_running};
use serde_json::{Value, json};

async fn bytes(house: &House, path: &str) -> Vec<u8> {
    let response = http().get(format!("http://127.0.0.1:{}{path}", house.node.port())).send().await.unwrap();
    assert_eq!(response.status(), 200, "{path}");
    response.bytes().await.unwrap().to_vec()
}

/// Fetches and verifies a package the way a visiting runtime does; says its version.
async fn fetch(house: &House, package: &PackageName, memory: &mut Memory) -> Result<(String, String), VerifyError> {
    let now = u64::try_from(crate::common::now_s()).unwrap() * 1000;
    if memory.root.is_none() {
        *memory = verify_root(&bytes(house, &catalogue::paths::root()).await, &domain(), memory)?;
    }
    let snapshot = bytes(house, &catalogue::paths::snapshot()).await;
    let (snapshot, next) = verify_snapshot(&snapshot, &domain(), memory, now)?;
    let descriptor = bytes(house, &catalogue::paths::descriptor(package)).await;
    let (descriptor, next) = verify_descriptor(&descriptor, package, &snapshot, &next)?;
    let source = verify_source(&bytes(house, &catalogue::paths::source(package)).await, &descriptor)?;
    *memory = next;
    Ok((descriptor.version.to_string(), source))
}

#[tokio::test]
async fn the_domain_document_says_what_a_runtime_must_know() {
    let house = House::with_wire(Wire::Sse).await;
    let document: Value = serde_json::from_slice(&bytes(&house, "/.well-known/parlance").await).unwrap();
    assert_eq!(document["domain"], json!("a.localhost"));
    assert_eq!(document["issuer"], json!({ "issuer": house.node.origin(), "clientId": "parlance" }));
    assert_eq!((&document["registration"], &document["wire"]), (&json!("open"), &json!("sse")));
    assert_eq!(house.node.origin(), format!("http://a.localhost:{}", house.node.port()));
}

#[tokio::test]
async fn a_change_of_protocol_publishes_its_stub_and_ends_old_sessions() {
    let house = House::with_wire(Wire::Sse).await;
    let mut memory = Memory::default();
    let stub = PackageName::default_stub();
    let (version, source) = fetch(&house, &stub, &mut memory).await.unwrap();
    assert_eq!(version, "1.0.0");
    assert!(source.contains("/wire/sse/"));
    let mut ben = Session::visit(&house).await;
    house.node.set_wire(Wire::Sse2).await.unwrap();
    assert!(matches!(ben.link.hear().await, Heard::Closed(426)));
    for old in [Wire::Sse, Wire::Ws] {
        assert_eq!(Link::connect(house.node.port(), old).await.err(), Some(426));
    }
    let (version, source) = fetch(&house, &stub, &mut memory).await.unwrap();
    assert_eq!(version, "2.0.0");
    assert!(source.contains("/wire/2/"));
    Session::visit(&house).await;
    let back = house.node.set_wire(Wire::Ws).await;
    assert!(matches!(back, Err(AdminError::StubNotNewer { .. })), "visitors would refuse the older stub");
    let house = house.restart().await;
    assert_eq!(house.wire(), Wire::Sse2, "a restart keeps it");
    assert_eq!(fetch(&house, &stub, &mut memory).await.unwrap().0, "2.0.0");
}

#[tokio::test]
async fn sessions_of_a_websocket_end_with_426_as_well() {
    let house = House::new().await;
    let mut ben = Session::visit(&house).await;
    house.node.set_wire(Wire::Sse2).await.unwrap();
    assert!(matches!(ben.link.hear().await, Heard::Closed(426)));
}

#[tokio::test]
async fn a_published_package_goes_forward_only_and_survives_a_restart() {
    let house = House::new().await;
    let package = |version: &str, source: &str| {
        let descriptor = json!({ "type": "hyperty", "name": "chat", "version": version, "entry": "class", "dataObjects": ["comm"], "grants": { "speakTo": ["comm://*"], "timers": true } });
        Package::new(&descriptor.to_string(), source).unwrap()
    };
    house.node.publish(&package("1.1.0", "export default class A { _start() {} }")).unwrap();
    let back = house.node.publish(&package("1.0.0", "export default class B { _start() {} }"));
    assert!(back.is_err());
    let mut memory = Memory::default();
    let name = PackageName::parse("hyperty/chat").unwrap();
    assert_eq!(fetch(&house, &name, &mut memory).await.unwrap().0, "1.1.0");
    let house = house.restart().await;
    assert_eq!(fetch(&house, &name, &mut memory).await.unwrap().0, "1.1.0");
    house.node.admin().rotate_catalogue_key().unwrap();
    let next = bytes(&house, &catalogue::paths::root_version(2)).await;
    memory = verify_root(&next, &domain(), &memory).unwrap();
    assert_eq!(fetch(&house, &name, &mut memory).await.unwrap().0, "1.1.0");
}

#[tokio::test]
async fn packages_of_a_folder_are_published_at_the_start() {
    let (folder, packages) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    std::fs::write(packages.path().join("connector.js"), "export default class C { _start() {} }").unwrap();
    std::fs::write(
        packages.path().join("connector.json"),
        r#"{"name":"connector","version":"1.0.0","grants":{"media":true}}"#,
    )
    .unwrap();
    let mut config = config(&folder);
    config.packages_dir = Some(packages.path().into());
    let house = House { node: Node::start(config).await.unwrap(), folder };
    let name = PackageName::parse("hyperty/connector").unwrap();
    assert_eq!(fetch(&house, &name, &mut Memory::default()).await.unwrap().0, "1.0.0");
}

#[tokio::test]
async fn a_running_node_takes_an_operators_wishes_with_the_token_of_its_folder() {
    let house = House::new().await;
    let folder = house.folder.path();
    let add = Command::AddUser { name: "ana".into(), password: "correct horse".into() };
    assert_eq!(ask_running(folder, &add).await.unwrap(), Some(String::new()));
    assert!(matches!(ask_running(folder, &add).await, Err(AdminError::Refused(_))), "the name is taken");
    crate::common::oidc::sign_in(&house.node, "sign-in", "ana", "correct horse", "nonce").await;
    let stats = ask_running(folder, &Command::Stats).await.unwrap().unwrap();
    assert!(stats.contains("\"sessions\":0"));
    let file = folder.join("admin.json");
    let mut door: Value = serde_json::from_slice(&std::fs::read(&file).unwrap()).unwrap();
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt;
        assert_eq!(std::fs::metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
    }
    door["token"] = json!("wrong");
    std::fs::write(&file, door.to_string()).unwrap();
    assert!(ask_running(folder, &Command::Stats).await.is_err(), "a wrong token gets no answer");
}

#[tokio::test]
async fn two_nodes_do_not_share_a_folder() {
    let house = House::new().await;
    assert!(matches!(Node::start(config(&house.folder)).await, Err(node::StartError::InUse)));
}

#[tokio::test]
async fn the_log_of_routed_messages_holds_what_the_node_saw() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("routed.jsonl");
    let mut config = config(&folder);
    config.log_routed = Some(log.clone());
    let house = House { node: Node::start(config).await.unwrap(), folder };
    let (mut ana, inbox) = Person::new("ana").settle(&house).await;
    let mut ben = Session::visit(&house).await;
    let from = ben.address.clone();
    let id = ben.post(MessageType::Create, &from, inbox.as_str(), sealed("a secret"));
    ana.take().await;
    ben.answer_to(id).await;
    let text = std::fs::read_to_string(log).unwrap();
    assert!(text.contains(&keys::b64url(b"a secret")), "what was sealed passed here");
    assert!(!text.contains("a secret"));
    for line in text.lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        assert!(["in", "out"].contains(&line["way"].as_str().unwrap()));
    }
}

#[tokio::test]
async fn an_operator_sees_accounts_and_frees_the_name_of_one() {
    let house = House::new().await;
    let ana = Person::new("ana");
    let (mut session, _) = ana.settle(&house).await;
    let list = ask_running(house.folder.path(), &Command::Accounts).await.unwrap().unwrap();
    let line: Value = serde_json::from_str(&list).unwrap();
    assert_eq!(line, json!({ "name": "ana", "persona": ana.chain.persona(), "devices": 1 }));
    let reset = Command::AllowReset { name: "ana".into() };
    assert_eq!(ask_running(house.folder.path(), &reset).await.unwrap(), Some(String::new()));
    let forget = Command::ForgetAccount { name: "ana".into() };
    assert_eq!(ask_running(house.folder.path(), &forget).await.unwrap(), Some(String::new()));
    assert!(matches!(session.link.hear().await, Heard::Closed(403)));
    assert!(matches!(ask_running(house.folder.path(), &forget).await, Err(AdminError::Refused(_))), "it is gone");
    Person::new("ana").join(&house).await;
}
