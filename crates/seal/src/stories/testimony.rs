//! What members say of their epochs, and a Reporter that gives each another one.

use super::people::*;
use crate::*;

fn says(person: &Person) -> Vec<u8> {
    testify(&person.vault, &person.device, &chat()).unwrap().unwrap()
}

fn hears(person: &Person, said: &[u8]) -> Testimony {
    hear_testimony(&person.vault, &chat(), said).unwrap()
}

fn renews(ana: &Person, all: &[&Person]) {
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
    for one in all {
        one.opens(&renewal.commit).unwrap();
    }
}

#[test]
fn who_went_the_same_way_says_so_and_a_joiner_has_nothing_to_say_yet() {
    let (ana, ben, eve) = ana_ben_and_eve();
    assert_eq!(testify(&eve.vault, &eve.device, &chat()).unwrap(), None, "Eve knows no epoch before");
    renews(&ana, &[&ben, &eve]);
    for (one, other) in [(&ana, &ben), (&ben, &eve), (&eve, &ana)] {
        assert_eq!(hears(one, &says(other)), Testimony::Same { by: other.key() });
    }
    assert_ne!(says(&ben), says(&ben), "nobody on the way can tell that both are of one sender");
}

#[test]
fn members_whom_a_reporter_gave_different_commits_notice_it() {
    let (ana, ben, eve) = ana_ben_and_eve();
    renews(&ana, &[&ben, &eve]);
    let other = ana.snapshot();
    renews(&ana, &[&ben]);
    renews(&other, &[&eve]);
    let epoch = epoch(&ben.vault, &chat()).unwrap();
    assert_eq!(ben.opens(&eve.writes("do you hear me?")).unwrap_err(), OpenError::Tampered);
    assert_eq!(hears(&ben, &says(&eve)), Testimony::Forked { epoch, by: eve.key() });
    assert_eq!(hears(&eve, &says(&ben)), Testimony::Forked { epoch, by: ben.key() });
    assert_eq!(hears(&ana, &says(&eve)), Testimony::Forked { epoch, by: eve.key() });
    // It is still noticed some epochs later, and not by who has no epoch in common any more.
    let said = says(&eve);
    for _ in 0..7 {
        renews(&ana, &[&ben]);
    }
    assert_eq!(hears(&ben, &said), Testimony::Forked { epoch, by: eve.key() });
    renews(&ana, &[&ben]);
    assert_eq!(hears(&ben, &said), Testimony::Unknown);
}

#[test]
fn a_testimony_that_nobody_signed_or_that_was_changed_says_nothing() {
    let (ana, ben, eve) = ana_ben_and_eve();
    renews(&ana, &[&ben, &eve]);
    let said = says(&eve);
    for at in 0..said.len() {
        let mut changed = said.clone();
        changed[at] ^= 1;
        assert_eq!(hears(&ben, &changed), Testimony::Unknown, "byte {at}");
    }
    assert_eq!(hears(&ben, &vec![0; TESTIMONY_LIMIT + 1]), Testimony::Unknown);
    let removal = ana.removes(&[leaf(&ana, &eve)]);
    ben.opens(&removal).unwrap();
    assert_eq!(hears(&ben, &said), Testimony::Unknown, "who was put out has no say");
    // One member cannot speak in the name of another.
    let forger =
        Person { vault: ben.vault.snapshot(), device: Device::new(&ben.dsk, b"x".to_vec()), dsk: ben.dsk.clone() };
    assert_eq!(hears(&ana, &says(&forger)), Testimony::Same { by: ben.key() });
}

fn leaf(at: &Person, who: &Person) -> u32 {
    members(&at.vault, &chat()).unwrap().iter().find(|member| member.dsk == who.key()).unwrap().leaf
}
