//! An introduction before anybody believes it: the issuer's key set in the first line, the evidence below.
#![no_main]

use fuzz::NOW;
use identity::{
    Context, EVIDENCE_LIMIT, Evidence, IssuerEntry, IssuerTable, Jwks, JwksBook, PinBook, Policy, TOKENS_LIMIT, verify,
};
use libfuzzer_sys::fuzz_target;
use message::Domain;

const ISSUER: &str = "https://issuer.example";

fuzz_target!(|data: &[u8]| {
    let Some((jwks, evidence)) = fuzz::text(data).and_then(|text| text.split_once('\n')) else { return };
    let Ok(evidence) = Evidence::parse(evidence) else { return };
    assert!((1..=TOKENS_LIMIT).contains(&evidence.tokens.len()));
    assert!(serde_json::to_string(&evidence).is_ok_and(|text| text.len() <= 2 * EVIDENCE_LIMIT));
    assert!(Evidence::from_value(&evidence.to_value()).is_ok_and(|again| again == evidence));

    let mut table = IssuerTable::new();
    table.add(IssuerEntry::new(ISSUER)).expect("an issuer of our own");
    let domain_issuer = |domain: &Domain| format!("http://{domain}:7102");
    for asked in evidence.issuers(&table, &domain_issuer) {
        assert!(asked == ISSUER || asked == domain_issuer(&evidence.user.domain()), "a stranger chose whom we ask");
    }
    let mut book = JwksBook::default();
    if let Ok(jwks) = Jwks::parse(jwks) {
        book.learn(ISSUER, &jwks, NOW);
    }
    let context = Context {
        now: NOW,
        table: &table,
        domain_issuer: &domain_issuer,
        jwks: &book,
        pins: &PinBook::new(),
        policy: &Policy::default(),
        leaf: None,
    };
    let again = verify(&evidence, &context).map(|found| format!("{found:?}")).map_err(|error| error.step());
    assert_eq!(again, verify(&evidence, &context).map(|found| format!("{found:?}")).map_err(|error| error.step()));
});
