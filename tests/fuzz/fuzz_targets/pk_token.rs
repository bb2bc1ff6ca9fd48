//! PK tokens and client claims: read, not yet believed.
#![no_main]

use identity::{Cic, Digest, PKT_LIMIT, PersonaId, PkToken, RENEWAL_LIMIT, Renewal};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|data: &[u8]| {
    let Some(text) = fuzz::text(data) else { return };
    if let Ok(token) = PkToken::parse(text) {
        assert!(token.text() == text && text.len() <= PKT_LIMIT);
        assert_eq!(token.hash(), Digest::of(data));
        let _ = (token.claimed_issuer(), token.claimed_subject(), token.claimed_time());
    }
    if let Ok(cic) = Cic::parse(text) {
        assert_eq!(cic.text(), text);
        let _ = PkToken::assemble("e30.e30.e30", &cic, &fuzz::key(1));
    }
    let cic = Cic::new(fuzz::key(1).verifying_key(), Digest::of(b"genesis"));
    if let Ok(token) = PkToken::assemble(text, &cic, &fuzz::key(1)) {
        assert!(PkToken::parse(token.text()).is_ok());
    }
    if let Ok(renewal) = Renewal::parse(text) {
        assert!(renewal.text() == text && text.len() <= RENEWAL_LIMIT);
    }
    if let Ok(digest) = Digest::parse(text) {
        assert_eq!(digest.to_string(), text);
    }
    if let Ok(persona) = PersonaId::parse(text) {
        assert_eq!(persona.to_string(), text);
    }
});
