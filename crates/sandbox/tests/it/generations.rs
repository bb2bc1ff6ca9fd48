//! Packages of all three generations of the reference system load as they are.

use crate::support::{Actor, engine, spec};
use sandbox::Entry;
use serde_json::{Value, json};

async fn answer_of(source: &str, entry: Entry) -> Value {
    let mut spec = spec(source);
    spec.entry = entry;
    spec.config = json!({"runtimeURL": "runtime://a.localhost/r"});
    Actor::ready_with(&engine(), spec).await.ask("{}").await["value"].clone()
}

#[tokio::test]
async fn the_first_generation_loads() {
    let source = include_str!("fixtures/g1-umd.js");
    assert_eq!(answer_of(source, Entry::Auto).await, json!(["g1", "runtime://a.localhost/r", "function"]));
    let source = include_str!("fixtures/g1-default.js");
    assert_eq!(answer_of(source, Entry::Umd).await, json!(["g1", "runtime://a.localhost/r", "function"]));
}

#[tokio::test]
async fn the_second_generation_loads() {
    let source = include_str!("fixtures/g2-webpack.js");
    for entry in [Entry::Auto, Entry::Umd] {
        assert_eq!(answer_of(source, entry).await, json!(["g2", "runtime://a.localhost/r", "a.localhost"]));
    }
}

#[tokio::test]
async fn the_third_generation_loads() {
    let source = include_str!("fixtures/g3-class.js");
    for entry in [Entry::Auto, Entry::Class] {
        assert_eq!(answer_of(source, entry).await, json!(["g3", "runtime://a.localhost/r", "a.localhost"]));
    }
    let source = include_str!("fixtures/g3-system.js");
    for entry in [Entry::Auto, Entry::SystemJs] {
        assert_eq!(answer_of(source, entry).await, json!(["system", "runtime://a.localhost/r", "a.localhost"]));
    }
}
