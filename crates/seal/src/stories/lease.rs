//! A Reporter with several devices, one of which is lost, and those who would like its lease.

use super::people::*;
use crate::*;

/// Devices are of one persona if their credentials begin alike: "Ana's phone", "Ana's laptop".
fn same_persona(one: &Member, other: &Member) -> bool {
    let persona = |member: &Member| member.credential.split(|byte| *byte == b'\'').next().map(<[u8]>::to_vec);
    persona(one) == persona(other)
}

fn takes(at: &Person, step: &LeaseMove, by: &Person, dead: &[&Person], now: i64) -> Result<Lease, LeaseError> {
    let is_dead = |member: &Member| dead.iter().any(|person| person.key() == member.dsk);
    let judge = LeaseJudge { same_persona: &same_persona, is_dead: &is_dead, now };
    move_lease(&at.vault, &chat(), step, &by.key(), &judge).map(|moved| moved.lease)
}

fn step(to: &Person, seq: u64, now: i64) -> LeaseMove {
    LeaseMove { holder: to.key(), seq, until: now + LEASE_LIFE_S, hand_over: false }
}

fn holder(at: &Person) -> keys::VerifyingKey {
    lease(&at.vault, &chat()).unwrap().holder
}

/// Ana's phone created the chat; her laptop sits at leaf 1, Ben at leaf 2.
fn phone_laptop_and_ben() -> (Person, Person, Person) {
    let [phone, laptop, ben] = ["Ana's phone", "Ana's laptop", "Ben's phone"].map(Person::new);
    create(&phone.vault, &phone.device, &chat(), NOW).unwrap();
    let packages = [laptop.package(), ben.package()];
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    let invited = invite_many(&phone.vault, &phone.device, &chat(), &packages, b"", &mut trusting()).unwrap();
    let said = lease(&phone.vault, &chat()).unwrap();
    for joiner in [&laptop, &ben] {
        joiner.joins(&invited.welcome);
        adopt_lease(&joiner.vault, &chat(), &said, NOW).unwrap();
    }
    (phone, laptop, ben)
}

const OVER: i64 = NOW + LEASE_LIFE_S + LEASE_SKEW_S + 1;

#[test]
fn a_lease_begins_with_the_creator_and_is_the_same_for_who_joins() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let begun = Lease { holder: phone.key(), seq: 0, until: NOW + LEASE_LIFE_S };
    for person in [&phone, &laptop, &ben] {
        assert_eq!(lease(&person.vault, &chat()).unwrap(), begun);
        assert_eq!(person.may_commit(), person.key() == phone.key());
    }
}

#[test]
fn who_joins_believes_the_inviter_only_and_no_time_beyond_measure() {
    let (phone, _, ben) = phone_laptop_and_ben();
    let carl = Person::new("Carl's phone");
    carl.joins(&phone.invites(&carl.package()).welcome);
    let said = |holder, seq, until| Lease { holder, seq, until };
    let adopt = |lease: &Lease| adopt_lease(&carl.vault, &chat(), lease, NOW);
    assert_eq!(holder(&carl), phone.key());
    assert_eq!(adopt(&said(ben.key(), 9, NOW)), Err(LeaseError::NotHolder));
    assert_eq!(adopt(&said(phone.key(), 9, i64::MAX)), Err(LeaseError::TooLong));
    adopt(&said(phone.key(), 9, NOW)).unwrap();
    assert_eq!(adopt(&said(phone.key(), 8, NOW)), Err(LeaseError::Stale { seq: 8, ours: 9 }));
}

#[test]
fn a_lease_is_handed_to_another_own_device_which_then_commits() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let to_laptop = step(&laptop, 1, NOW);
    for person in [&phone, &laptop, &ben] {
        takes(person, &to_laptop, &phone, &[], NOW).unwrap();
    }
    assert!(laptop.may_commit() && !phone.may_commit());
    let refused = invite(&phone.vault, &phone.device, &chat(), &Person::new("Eve").package(), &mut trusting());
    assert_eq!(refused.unwrap_err(), InviteError::NotHolder);
    // The creator itself, at leaf 0, is removed by who holds the lease now.
    let removal = laptop.removes(&[0]);
    let What::Commit { removed, .. } = ben.opens(&removal).unwrap().what else { panic!("no commit") };
    assert_eq!(removed[0].dsk, phone.key());
    assert!(matches!(phone.opens(&removal).unwrap().what, What::Commit { removed_us: true, .. }));
    assert_eq!(ben.reads(&laptop.writes("the phone is lost")), "the phone is lost");
    // Who comes later takes the seat of the creator, and its lease does not come with it.
    let carl = Person::new("Carl's phone");
    let invited = laptop.invites(&carl.package());
    carl.joins(&invited.welcome);
    ben.opens(&invited.commit).unwrap();
    assert_eq!(members(&ben.vault, &chat()).unwrap()[0].dsk, carl.key());
    assert_eq!([holder(&carl), holder(&ben)], [laptop.key(); 2]);
    assert!(!carl.may_commit());
}

#[test]
fn a_dead_or_silent_holder_is_replaced_by_its_own_persona_only() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let take = step(&laptop, 1, NOW);
    let held = Err(LeaseError::StillHeld { until: NOW + LEASE_LIFE_S });
    assert_eq!(takes(&ben, &take, &laptop, &[], NOW), held);
    assert_eq!(takes(&ben, &take, &laptop, &[], OVER - 1), held);
    assert_eq!(takes(&ben, &step(&ben, 1, OVER), &ben, &[], OVER), Err(LeaseError::OtherPersona));
    assert_eq!(takes(&ben, &step(&ben, 1, NOW), &ben, &[&phone], NOW), Err(LeaseError::OtherPersona));
    let mut forced = step(&ben, 1, OVER);
    forced.hand_over = true;
    assert_eq!(takes(&ben, &forced, &ben, &[], OVER), Err(LeaseError::OtherPersona));
    assert_eq!(takes(&ben, &take, &ben, &[], OVER), Err(LeaseError::NotHolder));
    assert_eq!(holder(&ben), phone.key(), "one that ran out stays where it is");

    takes(&ben, &step(&laptop, 1, OVER), &laptop, &[], OVER).unwrap();
    takes(&laptop, &take, &laptop, &[&phone], NOW).unwrap();
    assert_eq!([holder(&ben), holder(&laptop)], [laptop.key(); 2]);
    assert_eq!(ben.opens(&laptop.removes(&[0])).unwrap().sender.dsk, laptop.key());
}

#[test]
fn a_revoked_device_neither_keeps_nor_gives_nor_gets_a_lease() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let dead = |result| assert_eq!(result, Err(LeaseError::Dead));
    dead(takes(&ben, &step(&phone, 1, NOW), &phone, &[&phone], NOW));
    dead(takes(&ben, &step(&laptop, 1, NOW), &phone, &[&phone], NOW));
    dead(takes(&ben, &step(&laptop, 1, NOW), &phone, &[&laptop], NOW));
    dead(takes(&ben, &step(&laptop, 1, OVER), &laptop, &[&laptop], OVER));
}

#[test]
fn a_lease_goes_to_another_persona_only_if_its_holder_says_so() {
    let (phone, _, ben) = phone_laptop_and_ben();
    let mut to_ben = step(&ben, 1, NOW);
    assert_eq!(takes(&ben, &to_ben, &phone, &[], NOW), Err(LeaseError::OtherPersona));
    to_ben.hand_over = true;
    for person in [&phone, &ben] {
        takes(person, &to_ben, &phone, &[], NOW).unwrap();
    }
    assert!(ben.may_commit() && !phone.may_commit());
    let carl = Person::new("Carl's phone");
    let invited = ben.invites(&carl.package());
    phone.opens(&invited.commit).unwrap();
    carl.joins(&invited.welcome);
    assert_eq!(holder(&carl), ben.key());
}

#[test]
fn the_steps_of_a_lease_are_made_in_turn() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let judge = |seq| takes(&ben, &step(&laptop, seq, NOW), &phone, &[], NOW);
    assert_eq!(judge(0), Err(LeaseError::Stale { seq: 0, ours: 0 }));
    assert_eq!(judge(2), Err(LeaseError::Ahead { seq: 2, ours: 0 }));
    judge(1).unwrap();
    // Said twice, or said by who held it before.
    assert_eq!(judge(1), Err(LeaseError::Stale { seq: 1, ours: 1 }));
    assert_eq!(judge(2), Err(LeaseError::NotHolder));
    let mut long = step(&laptop, 2, NOW);
    long.until = i64::MAX;
    assert_eq!(takes(&ben, &long, &laptop, &[], NOW), Err(LeaseError::TooLong));
    let stranger = Person::new("Ana's old phone");
    assert_eq!(takes(&ben, &step(&stranger, 2, NOW), &laptop, &[], NOW), Err(LeaseError::NotAMember));
    assert_eq!(takes(&ben, &step(&stranger, 2, OVER), &stranger, &[], OVER), Err(LeaseError::NotAMember));
}

#[test]
fn a_holder_renews_its_lease_and_nobody_else_does() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let later = NOW + LEASE_LIFE_S / 2;
    assert_eq!(renew(&laptop.vault, &laptop.device, &chat(), later), Err(LeaseError::NotHolder));
    let renewed = renew(&phone.vault, &phone.device, &chat(), later).unwrap();
    takes(&ben, &renewed, &phone, &[], later).unwrap();
    assert_eq!(lease(&ben.vault, &chat()).unwrap(), lease(&phone.vault, &chat()).unwrap());
    assert!(matches!(takes(&ben, &step(&laptop, 2, OVER), &laptop, &[], OVER), Err(LeaseError::StillHeld { .. })));
}

#[test]
fn a_commit_by_the_creator_is_refused_once_its_lease_went_on() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let unaware = phone.snapshot();
    for person in [&laptop, &ben] {
        takes(person, &step(&laptop, 1, NOW), &phone, &[], NOW).unwrap();
    }
    let stolen = unaware.removes(&[2]);
    for honest in [&laptop, &ben] {
        assert_eq!(honest.opens(&stolen).unwrap_err(), OpenError::CommitFromObserver { leaf: 0 });
        // It stays refused, and is not taken for one that was seen.
        assert_eq!(honest.opens(&stolen).unwrap_err(), OpenError::CommitFromObserver { leaf: 0 });
    }
    assert_eq!(ben.reads(&laptop.writes("unharmed")), "unharmed");
    ben.opens(&laptop.removes(&[0])).unwrap();
    assert_eq!(ben.reads(&laptop.writes("and rid of it")), "and rid of it");
}

#[test]
fn a_holder_neither_leaves_nor_removes_itself() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let own = remove(&phone.vault, &phone.device, &chat(), &[0], b"");
    assert_eq!(own.unwrap_err(), InviteError::NoSuchMember(0));
    let leave = propose_leave(&phone.vault, &phone.device, &chat());
    assert_eq!(leave.unwrap_err(), InviteError::NoSuchMember(0));
    for person in [&phone, &laptop, &ben] {
        takes(person, &step(&laptop, 1, NOW), &phone, &[], NOW).unwrap();
    }
    let wish = propose_leave(&phone.vault, &phone.device, &chat()).unwrap();
    laptop.opens(&wish).unwrap();
    let gone = commit_pending(&laptop.vault, &laptop.device, &chat(), b"", &mut trusting()).unwrap();
    ben.opens(&gone.wishes[0]).unwrap();
    ben.opens(&gone.commit).unwrap();
    assert_eq!(members(&ben.vault, &chat()).unwrap().len(), 2);
}

#[test]
fn a_wish_made_to_the_former_holder_does_not_hinder_the_new_one() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let wish = propose_refresh(&ben.vault, &ben.device, &chat()).unwrap();
    for person in [&phone, &laptop] {
        person.opens(&wish).unwrap();
    }
    for person in [&phone, &laptop, &ben] {
        takes(person, &step(&laptop, 1, NOW), &phone, &[], NOW).unwrap();
    }
    let renewal = commit_pending(&laptop.vault, &laptop.device, &chat(), b"", &mut trusting()).unwrap();
    assert!(renewal.wishes.is_empty());
    for person in [&phone, &ben] {
        person.opens(&renewal.commit).unwrap();
        assert_eq!(person.reads(&laptop.writes("go on")), "go on");
    }
}

#[test]
fn a_removed_device_does_not_come_back_without_a_welcome() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let old = laptop.snapshot();
    let removal = phone.removes(&[1]);
    for person in [&ben, &laptop] {
        person.opens(&removal).unwrap();
    }
    let later = phone.writes("without the laptop");
    assert!(matches!(old.opens(&later), Err(OpenError::FromTheFuture { .. })));
    assert!(matches!(ben.opens(&old.writes("still here?")), Err(OpenError::NotAMember)));
    assert_eq!(takes(&ben, &step(&laptop, 1, OVER), &laptop, &[], OVER), Err(LeaseError::NotAMember));
    assert!(matches!(export(&laptop.vault, &chat(), "dfi-sas", b"", 32), Err(GroupError::Removed)));
    assert_ne!(
        export(&old.vault, &chat(), "dfi-sas", b"", 32).unwrap(),
        export(&ben.vault, &chat(), "dfi-sas", b"", 32).unwrap()
    );
    assert!(matches!(export(&Person::new("Eve").vault, &chat(), "dfi-sas", b"", 32), Err(GroupError::UnknownGroup)));
    // Welcomed again, it begins anew.
    forget(&laptop.vault, &chat()).unwrap();
    let invited = phone.invites(&laptop.package());
    ben.opens(&invited.commit).unwrap();
    laptop.joins(&invited.welcome);
    assert_eq!(laptop.reads(&phone.writes("welcome back")), "welcome back");
}

#[test]
fn a_group_from_before_there_were_leases_is_led_by_its_creator() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    for person in [&phone, &ben] {
        person.vault.delete("lease", chat().as_bytes()).unwrap();
        assert_eq!(lease(&person.vault, &chat()).unwrap(), Lease { holder: phone.key(), seq: 0, until: 0 });
    }
    assert_eq!(ben.opens(&laptop.commits_without_a_lease(2)).unwrap_err(), OpenError::CommitFromObserver { leaf: 1 });
    ben.opens(&phone.removes(&[1])).unwrap();
}
