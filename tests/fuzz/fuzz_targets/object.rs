//! The value of a data object: the first line is its beginning, each other one a change.
#![no_main]

use libfuzzer_sys::fuzz_target;
use message::Address;
use serde::Deserialize;
use serde_json::Value;
use sync::{Attribute, Change, Observer, Operation, Outcome, Reporter, Resync, Since, check_value};

#[derive(Deserialize)]
struct Wish {
    attribute: String,
    #[serde(default)]
    value: Option<Value>,
    #[serde(default)]
    operation: Option<Operation>,
}

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    let _ = (Attribute::parse(text), serde_json::from_str::<Resync>(text));
    let mut lines = text.lines();
    let Some(Ok(value)) = lines.next().map(serde_json::from_str::<Value>) else { return };
    let url = Address::parse("comm://a.localhost/1").expect("an address");
    let Ok(mut reporter) = Reporter::new(url.clone(), "chat", value) else { return };
    let mut observer = Observer::new(url, "chat", travelled(&reporter.snapshot())).expect("the same value");
    let early = observer.clone();
    for line in lines {
        let Ok(wish) = serde_json::from_str::<Wish>(line) else { continue };
        let before = reporter.snapshot();
        match reporter.change(&wish.attribute, wish.value, wish.operation) {
            Ok(change) => {
                let change: Change = travelled(&change);
                assert_eq!(observer.on_change(&change), Ok(Outcome::Applied));
                assert_eq!(observer.on_change(&change), Ok(Outcome::Duplicate));
            }
            Err(_) => assert_eq!(reporter.snapshot(), before, "what is refused changes nothing"),
        }
        assert_eq!(check_value(reporter.value()), Ok(()));
        assert_eq!(observer.value(), reporter.value());
    }
    let mut late = early;
    match reporter.since(late.version()) {
        Since::Nothing => {}
        Since::Changes(changes) => {
            for change in &changes {
                assert_eq!(late.on_change(&travelled(change)), Ok(Outcome::Applied));
            }
        }
        Since::Snapshot(snapshot) => assert_eq!(late.on_snapshot(travelled(&snapshot)), Ok(Outcome::Applied)),
    }
    assert_eq!(late.value(), reporter.value());
});

/// What comes out at the other end of a wire.
fn travelled<T: serde::Serialize + serde::de::DeserializeOwned>(value: &T) -> T {
    let text = serde_json::to_string(value).expect("it can be written");
    serde_json::from_str(&text).expect("it can be read")
}
