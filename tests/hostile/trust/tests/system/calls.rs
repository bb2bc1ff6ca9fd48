//! Attacks on a call by the package that negotiates it.

use contract::{CallStage, CallView, News, Question};
use node::Package;
use serde_json::{Value, json};

use crate::stage::Road;

/// The connector of a domain, altered in these places.
fn connector(changes: &[(&str, String)]) -> Package {
    let folder = lab::root().join("hyperties/dist");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut descriptor: Value = serde_json::from_str(&read("connector.json")).unwrap();
    descriptor["version"] = json!("99.0.0");
    let mut source = read("connector.js");
    for (honest, altered) in changes {
        assert!(source.contains(honest), "{honest}");
        source = source.replace(honest, altered);
    }
    Package::new(&descriptor.to_string(), &source).unwrap()
}

/// Each description it hands to the core passes through this.
fn describing(change: &str) -> Package {
    connector(&[
        (
            r#""acceptOffer", { call, sdp: offer }"#,
            format!(r#""acceptOffer", {{ call, sdp: ((sdp) => {change})(offer) }}"#),
        ),
        (r#""acceptAnswer", { call, sdp }"#, format!(r#""acceptAnswer", {{ call, sdp: {change} }}"#)),
    ])
}

/// Ana calls Ben, whose connector is this, and he accepts; how far Ben gets.
async fn calls(connector: Package) -> CallStage {
    let (mut road, _) = Road::contacts_with(&[connector]).await;
    road.ana.ask::<Value>(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    let ringing = road.ben.sees_call(&CallStage::Ringing).await;
    // What the core refuses ends the call; whether the question says so as well is not the point.
    let _ = road.ben.ask::<Value>(Question::CallAccept { call: ringing.call }).await;
    let far = |news| match news {
        News::Call(CallView { stage: stage @ (CallStage::Connected | CallStage::Ended { .. }), .. }) => Some(stage),
        _ => None,
    };
    let stage = road.ben.hears("the end of the call, or its begin", far).await;
    road.close().await;
    stage
}

/// Attack: M-08
/// By: the connector of the callee's own domain, altered
/// Does: answers a call that nobody accepted, to listen in the room
/// Holds: the core gives no answer and opens no microphone before its person accepts, and the call ends
#[tokio::test(flavor = "multi_thread")]
async fn a_call_is_answered_by_its_person_alone() {
    let ringing = r#"this.#write({ type: "ringing" });"#;
    let eager = connector(&[(ringing, format!("{ringing} this.answer().catch(() => undefined);"))]);
    let (mut road, _) = Road::contacts_with(&[eager]).await;
    road.ana.ask::<Value>(Question::CallStart { user: "ben@b.localhost".into() }).await.unwrap();
    for person in [&mut road.ben, &mut road.ana] {
        let far = |news| match news {
            News::Call(CallView { stage: stage @ (CallStage::Connected | CallStage::Ended { .. }), .. }) => Some(stage),
            _ => None,
        };
        let stage = person.hears("the end of the call", far).await;
        assert!(matches!(stage, CallStage::Ended { .. }), "{stage:?}");
    }
    road.close().await;
}

/// Attack: M-07
/// By: the connector of the callee's own domain, altered
/// Does: hands the core another description than the one that came sealed from the caller
/// Holds: the core compares them, and the call ends before a sound
#[tokio::test(flavor = "multi_thread")]
async fn a_description_counts_only_as_it_came_sealed() {
    // Only a name within it differs: whatever else is checked would let it pass.
    let changed = calls(describing("sdp.replace(/^s=-/m, 's=x')")).await;
    assert!(matches!(changed, CallStage::Ended { .. }), "{changed:?}");
    assert_eq!(calls(describing("sdp")).await, CallStage::Connected, "the honest case");
}
