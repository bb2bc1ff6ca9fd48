//! Sigchains: once as a stranger sends them, once with every entry signed, so that the rules are reached.
#![no_main]

use fuzz::NOW;
use identity::{DeviceCredential, Entry, Equivocation, Sigchain, Standing};
use keys::SigningKey;
use libfuzzer_sys::fuzz_target;
use serde_json::{Map, Value, json};

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    let lines: Vec<&str> = text.lines().collect();
    if let Ok(chain) = Sigchain::parse(&lines) {
        check(&chain);
    }
    if let Some(chain) = sign(&lines) {
        check(&chain);
        let mut grown = chain.clone();
        if grown.extend(&lines).is_ok() {
            check(&grown);
        }
    }
    if let Ok(proof) = Equivocation::parse(text) {
        assert!(Equivocation::parse(&proof.to_json()).is_ok_and(|again| again == proof));
        let _ = proof.verify();
    }
});

/// Each line is the payload of an entry; its number and its link are filled in where they are missing.
fn sign(lines: &[&str]) -> Option<Sigchain> {
    let mut chain = Sigchain::create(&fuzz::key(1), Some(fuzz::key(2).verifying_key()), NOW);
    for line in lines {
        let mut payload: Value = serde_json::from_str(line).ok()?;
        let (members, head) = (payload.as_object_mut()?, chain.head());
        members.entry("v").or_insert(json!(1));
        members.entry("seq").or_insert(json!(head.seq + 1));
        members.entry("prev").or_insert(json!(head.hash));
        let key = signer(members, &chain);
        let payload = keys::b64url(payload.to_string().as_bytes());
        let signature = key.sign(format!("parlance-sigchain-v1\n{payload}").as_bytes());
        let before = chain.head();
        match Entry::parse(&format!("{payload}.{signature}")).and_then(|entry| chain.append(entry)) {
            Ok(()) => assert!(matches!(chain.compare(&before), Standing::Ahead { by: 1 })),
            Err(_) => assert_eq!(chain.head(), before, "what is refused changes nothing"),
        }
    }
    Some(chain)
}

/// The key that has to sign a payload, if it is one of the first few.
fn signer(payload: &Map<String, Value>, chain: &Sigchain) -> SigningKey {
    let named = match (payload.get("type").and_then(Value::as_str), payload.get("by")) {
        (_, Some(Value::String(by))) if by == "rk" => return fuzz::key(2),
        (_, Some(Value::Object(by))) => by.get("device"),
        (Some("reset"), _) => payload.get("body").and_then(|body| body.get("irk")),
        _ => None,
    };
    let wanted = named.and_then(Value::as_str).map_or_else(|| chain.irk().to_string(), str::to_owned);
    let key = (1..=8).map(fuzz::key).find(|key| key.verifying_key().to_string() == wanted);
    key.unwrap_or_else(|| fuzz::key(1))
}

fn check(chain: &Sigchain) {
    let again = Sigchain::parse(&chain.texts()).expect("what was accepted is accepted again");
    assert_eq!((again.head(), again.persona(), again.irk()), (chain.head(), chain.persona(), chain.irk()));
    assert_eq!(again.compare(&chain.head()), Standing::Same);
    assert_eq!(chain.clone().extend(&chain.texts()), Ok(0));
    // Read by whoever sees no issuer behind a reset, and by whoever saw all of them at once.
    let mut settled = chain.clone();
    for seen in [None, Some(0), Some(NOW)] {
        settled.settle(NOW, &|_| seen);
        assert!(settled.was_root_key(&settled.irk()));
        assert!(settled.settled_head().seq <= settled.head().seq);
        devices(&settled);
    }
}

fn devices(chain: &Sigchain) {
    for device in chain.devices() {
        let Ok(credential) = DeviceCredential::of(chain, &device.dsk, &[], NOW) else { continue };
        assert!(!device.revoked && !device.replaced && device.expires > NOW);
        assert!(DeviceCredential::decode(&credential.encode()).is_ok_and(|again| again == credential));
        assert_eq!(credential.check(chain, &device.dsk, NOW), Ok(()));
    }
}
