//! Attacks on a call by the package that negotiates it.

use contract::{CallStage, CallView, News, Question};
use node::Package;
use serde_json::{Value, json};

use crate::stage::Road;

/// The connector of a domain, with each description it hands to the core passed through this.
fn connector(change: &str) -> Package {
    let folder = lab::root().join("hyperties/dist");
    let read = |name: &str| std::fs::read_to_string(folder.join(name)).unwrap();
    let mut descriptor: Value = serde_json::from_str(&read("connector.json")).unwrap();
    descriptor["version"] = json!("1.1.1");
    let mut source = read("connector.js");
    for method in ["acceptOffer", "acceptAnswer"] {
        let honest = format!("\"{method}\", {{ call, sdp }}");
        assert!(source.contains(&honest));
        source = source.replace(&honest, &format!("\"{method}\", {{ call, sdp: {change} }}"));
    }
    Package::new(&descriptor.to_string(), &source).unwrap()
}

/// Ana calls Ben, whose connector does this; how far Ben gets.
async fn calls(change: &str) -> CallStage {
    let (mut road, _) = Road::contacts_with(&[connector(change)]).await;
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

/// Attack: M-07
/// By: the connector of the callee's own domain, altered
/// Does: hands the core another description than the one that came sealed from the caller
/// Holds: the core compares them, and the call ends before a sound
#[tokio::test(flavor = "multi_thread")]
async fn a_description_counts_only_as_it_came_sealed() {
    // Only a name within it differs: whatever else is checked would let it pass.
    let changed = calls("sdp.replace(/^s=-/m, 's=x')").await;
    assert!(matches!(changed, CallStage::Ended { .. }), "{changed:?}");
    assert_eq!(calls("sdp").await, CallStage::Connected, "the honest case");
}
