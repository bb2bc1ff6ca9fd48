//! Whatever a guest posts, the host does not panic and the guest can go on.

use crate::support::{Actor, engine, on_message};
use proptest::prelude::*;
use proptest::test_runner::{Config, TestRunner};
use sandbox::GuestEvent;
use serde_json::{Value, json};

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        "\\PC{0,20}".prop_map(Value::from),
        "(hyperty|comm|user)://[a-z.]{0,8}/[a-z0-9/]{0,8}".prop_map(Value::from),
        "(create|response|event|execute|dance)".prop_map(Value::from),
        "[\\x00-\\x1f\u{7f}]{0,5}".prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            proptest::collection::vec(inner.clone(), 0..4).prop_map(Value::from),
            proptest::collection::btree_map("[a-z]{0,4}|code|id", inner, 0..4).prop_map(|map| json!(map)),
        ]
    })
}

fn message() -> impl Strategy<Value = Value> {
    proptest::collection::btree_map("id|type|from|to|body|more", value(), 0..6).prop_map(|map| json!(map))
}

#[tokio::test]
async fn whatever_a_guest_posts_the_host_is_unharmed() {
    let source = on_message(
        "for (const one of message.body.posts) { try { bus.postMessage(one, () => {}, 1) } catch (error) {} }
         bus.postMessage({type: 'event', to: 'comm://end.localhost/1', body: {}})",
    );
    let mut guest = Actor::ready(&engine(), &source).await;
    let mut runner = TestRunner::new(Config { cases: 150, ..Config::default() });
    let posts = proptest::collection::vec(message(), 0..10);
    for _ in 0..runner.config().cases {
        let tree = posts.new_tree(&mut runner).unwrap();
        guest.post(&json!({ "posts": proptest::strategy::ValueTree::current(&tree) }).to_string());
        loop {
            match guest.next().await {
                GuestEvent::Message(message) if message.to.as_str() == "comm://end.localhost/1" => break,
                GuestEvent::Message(message) => assert!(message.from.is_within(guest.guest.address())),
                other => panic!("{other:?}"),
            }
        }
    }
}
