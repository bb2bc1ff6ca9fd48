//! Chains grow by what others hand over, and two stories of one owner become a proof.

use crate::common::{DAY, NOW};
use identity::*;
use keys::SigningKey;

fn ben() -> (SigningKey, Sigchain) {
    let irk = SigningKey::generate();
    let mut chain = Sigchain::create(&irk, None, NOW);
    for name in ["laptop", "phone", "tablet"] {
        add(&mut chain, &irk, name);
    }
    (irk, chain)
}

fn add(chain: &mut Sigchain, irk: &SigningKey, name: &str) {
    chain.add_device(irk, SigningKey::generate().verifying_key(), name, NOW + DAY, NOW).unwrap();
}

#[test]
fn a_suffix_brings_a_chain_up_to_date_however_often_it_comes() {
    let (irk, mut chain) = ben();
    let mut old = chain.clone();
    add(&mut chain, &irk, "watch");
    add(&mut chain, &irk, "car");
    assert_eq!(chain.suffix(4), chain.texts()[4..]);
    assert_eq!(old.extend(&chain.suffix(4)), Ok(2));
    assert_eq!(old, chain);
    assert_eq!(old.extend(&chain.suffix(0)), Ok(0));
    assert_eq!(old.extend(&chain.suffix(2)), Ok(0));
    assert_eq!((chain.suffix(6), chain.suffix(u64::MAX)), (vec![], vec![]));
    assert_eq!(old.extend::<String>(&[]), Ok(0));
}

#[test]
fn a_suffix_with_a_fault_changes_nothing() {
    let (irk, mut chain) = ben();
    let mut old = chain.clone();
    let before = old.clone();
    for name in ["watch", "car"] {
        add(&mut chain, &irk, name);
    }
    let gap = old.extend(&chain.suffix(5));
    assert_eq!(gap, Err(ExtendError::Chain(ChainError::WrongNumber { expected: 4, got: 5 })));
    let mut texts = chain.suffix(4);
    texts.push("x".into());
    assert!(matches!(old.extend(&texts), Err(ExtendError::Chain(ChainError::Malformed(_)))));
    let many = vec![chain.suffix(4).remove(0); CHAIN_LIMIT + 1];
    assert_eq!(old.extend(&many), Err(ExtendError::Chain(ChainError::TooManyEntries)));
    let stranger = SigningKey::generate();
    let mut foreign = Sigchain::create(&stranger, None, NOW);
    add(&mut foreign, &stranger, "spy");
    assert!(matches!(old.extend(&foreign.suffix(1)), Err(ExtendError::Contradiction { seq: 1 })));
    assert_eq!(old, before);
}

#[test]
fn two_stories_of_one_owner_are_proof_for_anybody() {
    let (irk, chain) = ben();
    let (mut one, mut other) = (chain.clone(), chain);
    add(&mut one, &irk, "shown to Ana");
    add(&mut other, &irk, "shown to Eve");
    let Err(ExtendError::Equivocation(proof)) = one.extend(&other.suffix(4)) else { panic!("no proof") };
    let text = proof.to_json();
    let read = Equivocation::parse(&text).unwrap();
    assert_eq!(read, *proof);
    assert_eq!((read.verify(), read.seq), (Ok(one.persona()), 4));
    let Standing::Forked(compared) = other.compare(&one.head()) else { panic!("no fork") };
    assert_eq!(compared.verify(), Ok(one.persona()));
    assert!(!format!("{read:?}").contains(&read.shown.0));
}

#[test]
fn what_proves_nothing_is_no_proof() {
    let (irk, chain) = ben();
    let (mut one, mut other) = (chain.clone(), chain.clone());
    add(&mut one, &irk, "a");
    add(&mut other, &irk, "b");
    let Err(ExtendError::Equivocation(proof)) = one.extend(&other.suffix(4)) else { panic!("no proof") };
    let bent = |bend: &dyn Fn(&mut Equivocation)| {
        let mut bent = (*proof).clone();
        bend(&mut bent);
        bent.verify()
    };
    assert_eq!(bent(&|it| it.shown = it.seen.clone()), Err(EquivocationError::NoContradiction));
    assert_eq!(bent(&|it| it.seq = 3), Err(EquivocationError::NoContradiction));
    assert_eq!(bent(&|it| drop(it.before.pop())), Err(EquivocationError::NoContradiction));
    assert_eq!(bent(&|it| it.before.clear()), Err(EquivocationError::Malformed));
    assert_eq!(bent(&|it| it.seen = String::new().into()), Err(EquivocationError::Malformed));
    // Mallory's entry beside Ben's: signed, but not by Ben.
    let mallory = SigningKey::generate();
    let mut foreign = Sigchain::create(&mallory, None, NOW);
    (0..4).for_each(|_| add(&mut foreign, &mallory, "x"));
    let text = foreign.head().entry;
    assert_eq!(bent(&|it| it.shown = text.clone()), Err(EquivocationError::NotTheOwners));
    assert_eq!(Equivocation::parse("{}"), Err(EquivocationError::Malformed));
    assert_eq!(Equivocation::parse(&" ".repeat(EQUIVOCATION_LIMIT + 1)), Err(EquivocationError::TooLarge));
}

#[test]
fn a_reset_anybody_can_sign_does_not_accuse_the_owner() {
    let (irk, mut chain) = ben();
    let word = Attest { pkt_hash: Digest([1; 32]), iss: "https://i.example".into(), sub: "b".into(), until: NOW + DAY };
    chain.attest(&irk, word, NOW).unwrap();
    let mut hung = chain.clone();
    let mallory = SigningKey::generate();
    let reset = hung.reset(&mallory, Digest([2; 32]), NOW).unwrap().hash();
    add(&mut chain, &irk, "watch");
    assert_eq!(chain.extend(&hung.suffix(5)), Err(ExtendError::Contradiction { seq: 5 }));
    // Nor do a veto and what the reset's key wrote at the same place.
    let mut vetoed = hung.clone();
    vetoed.veto(&irk, Signer::Irk, reset, NOW).unwrap();
    add(&mut hung, &mallory, "spy");
    assert_eq!(vetoed.extend(&hung.suffix(6)), Err(ExtendError::Contradiction { seq: 6 }));
}
