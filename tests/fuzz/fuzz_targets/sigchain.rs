//! Sigchains: once as a stranger sends them, once with every entry signed, so that the rules are reached.
#![no_main]

use fuzz::NOW;
use identity::{DeviceCredential, Entry, Sigchain, Standing};
use libfuzzer_sys::fuzz_target;
use serde_json::{Value, json};

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    let lines: Vec<&str> = text.lines().collect();
    if let Ok(chain) = Sigchain::parse(&lines) {
        check(&chain);
    }
    if let Some(chain) = sign(&lines) {
        check(&chain);
    }
});

/// Each line is the payload of an entry; its number and its link are filled in where they are missing.
fn sign(lines: &[&str]) -> Option<Sigchain> {
    let irk = fuzz::key(1);
    let mut chain = Sigchain::create(&irk, Some(fuzz::key(2).verifying_key()), NOW);
    for line in lines {
        let mut payload: Value = serde_json::from_str(line).ok()?;
        let (members, head) = (payload.as_object_mut()?, chain.head());
        members.entry("v").or_insert(json!(1));
        members.entry("seq").or_insert(json!(head.seq + 1));
        members.entry("prev").or_insert(json!(head.hash));
        let by_recovery = members.get("by").is_some_and(|by| by == "rk");
        let payload = keys::b64url(payload.to_string().as_bytes());
        let key = if by_recovery { fuzz::key(2) } else { irk.clone() };
        let signature = key.sign(format!("parlance-sigchain-v1\n{payload}").as_bytes());
        let before = chain.head();
        match Entry::parse(&format!("{payload}.{signature}")).and_then(|entry| chain.append(entry)) {
            Ok(()) => assert!(matches!(chain.compare(&before), Standing::Ahead { by: 1 })),
            Err(_) => assert_eq!(chain.head(), before, "what is refused changes nothing"),
        }
    }
    Some(chain)
}

fn check(chain: &Sigchain) {
    let again = Sigchain::parse(&chain.texts()).expect("what was accepted is accepted again");
    assert_eq!((again.head(), again.persona(), again.irk()), (chain.head(), chain.persona(), chain.irk()));
    assert_eq!(again.compare(&chain.head()), Standing::Same);
    for device in chain.devices() {
        let Ok(credential) = DeviceCredential::of(chain, &device.dsk, &[], NOW) else { continue };
        assert!(!device.revoked && device.expires > NOW);
        assert!(DeviceCredential::decode(&credential.encode()).is_ok_and(|again| again == credential));
        assert_eq!(credential.check(chain, &device.dsk, NOW), Ok(()));
    }
}
