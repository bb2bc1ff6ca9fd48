//! Members that lost the group are brought back, and nobody is brought where they should not be.

use super::people::*;
use crate::*;

fn brings_back(holder: &Person, lost: &Person) -> Invitation {
    let leaf = members(&holder.vault, &chat()).unwrap().iter().find(|one| one.dsk == lost.key()).unwrap().leaf;
    readmit(&holder.vault, &holder.device, &chat(), &[leaf], &[&lost.package()], b"", &mut trusting()).unwrap()
}

fn returns(person: &Person, welcome: &[u8]) -> Result<GroupId, JoinError> {
    returns_if(person, welcome, &|_, _| false)
}

fn returns_if(
    person: &Person,
    welcome: &[u8],
    may_lead: &dyn Fn(Option<&Member>, &Member) -> bool,
) -> Result<GroupId, JoinError> {
    let tried = person.vault.snapshot();
    let pending = inspect_return(&tried, &person.device, welcome)?;
    pending.rejoin(&tried, &mut trusting(), may_lead)?;
    let pending = inspect_return(&person.vault, &person.device, welcome)?;
    pending.rejoin(&person.vault, &mut trusting(), may_lead)
}

#[test]
fn who_missed_everything_is_brought_back_in_one_commit_and_reads_what_follows() {
    let (ana, ben, eve) = ana_ben_and_eve();
    for _ in 0..80 {
        let renewal = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
        eve.opens(&renewal.commit).unwrap();
    }
    let word = ana.writes("what did you miss?");
    assert!(matches!(ben.opens(&word), Err(OpenError::FromTheFuture { .. })));
    let back = brings_back(&ana, &ben);
    let What::Commit { added, removed, .. } = eve.opens(&back.commit).unwrap().what else { panic!("no commit") };
    assert_eq!((added[0].dsk, removed[0].dsk), (ben.key(), ben.key()));
    assert_eq!(
        inspect_welcome(&ben.vault.snapshot(), &ben.device, &back.welcome).unwrap_err(),
        JoinError::AlreadyJoined
    );
    returns(&ben, &back.welcome).unwrap();
    assert_eq!(ben.reads(&ana.writes("now you hear me")), "now you hear me");
    assert_eq!(eve.reads(&ben.writes("and you me")), "and you me");
    let all = [&ana, &ben, &eve].map(|person| epoch_authenticator(&person.vault, &chat()).unwrap());
    assert!(all[0] == all[1] && all[1] == all[2]);
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 3);
}

#[test]
fn nobody_but_who_leads_the_group_brings_anybody_back() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let leaf = |one: &Person| members(&ana.vault, &chat()).unwrap().iter().find(|m| m.dsk == one.key()).unwrap().leaf;
    let refused = readmit(&eve.vault, &eve.device, &chat(), &[leaf(&ben)], &[&ben.package()], b"", &mut trusting());
    assert_eq!(refused.unwrap_err(), InviteError::NotHolder);
    // Eve makes a group of the same name in which she leads.
    let fake = Person { vault: MemoryVault::new(), device: eve.device.clone(), dsk: eve.dsk.clone() };
    create(&fake.vault, &fake.device, &chat(), NOW).unwrap();
    for _ in 0..9 {
        commit_pending(&fake.vault, &fake.device, &chat(), b"", &mut trusting()).unwrap();
    }
    let lure = fake.invites(&ben.package());
    assert_eq!(returns(&ben, &lure.welcome), Err(JoinError::NotEntitled));
    let ana_says_who = |_: Option<&Member>, inviter: &Member| inviter.dsk == ana.key();
    assert_eq!(returns_if(&ben, &lure.welcome, &ana_says_who), Err(JoinError::NotEntitled));
    assert_eq!(ben.reads(&ana.writes("unharmed")), "unharmed");
}

#[test]
fn a_leaf_that_cannot_be_verified_stops_a_return_and_nothing_is_lost() {
    let (ana, ben, _) = ana_ben_and_eve();
    let back = brings_back(&ana, &ben);
    let tried = ben.vault.snapshot();
    let pending = inspect_return(&tried, &ben.device, &back.welcome).unwrap();
    let refused = pending.rejoin(
        &tried,
        &mut |member| match member.credential.as_slice() {
            b"credential of Eve" => Err("revoked".into()),
            _ => Ok(()),
        },
        &|_, _| false,
    );
    assert!(matches!(refused, Err(JoinError::Unverified { .. })));
    assert!(is_member(&tried, &chat()).unwrap());
    returns(&ben, &back.welcome).unwrap();
}

#[test]
fn nobody_is_brought_back_to_where_they_have_been() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let last = key_package(&ben.vault, &ben.device, true).unwrap();
    let leaf = members(&ana.vault, &chat()).unwrap().iter().find(|one| one.dsk == ben.key()).unwrap().leaf;
    let back = readmit(&ana.vault, &ana.device, &chat(), &[leaf], &[&last], b"", &mut trusting()).unwrap();
    eve.opens(&back.commit).unwrap();
    returns(&ben, &back.welcome).unwrap();
    // The key package is the last resort, so the Welcome could be opened for ever.
    assert_eq!(returns(&ben, &back.welcome), Err(JoinError::Old));
    let mut commits = Vec::new();
    for n in 0..10 {
        let renewal = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
        ben.opens(&renewal.commit).unwrap();
        commits.push(renewal.commit);
        assert_eq!(returns(&ben, &back.welcome), Err(JoinError::Old), "{n}");
    }
    assert_eq!(ben.reads(&ana.writes("still in step")), "still in step");
}

#[test]
fn only_a_device_that_was_there_comes_back_this_way() {
    let (ana, ben, _) = ana_ben_and_eve();
    let leaf = members(&ana.vault, &chat()).unwrap().iter().find(|one| one.dsk == ben.key()).unwrap().leaf;
    let readmits = |leaves: &[u32], package: &[u8]| {
        readmit(&ana.vault, &ana.device, &chat(), leaves, &[package], b"", &mut trusting()).unwrap_err()
    };
    assert!(matches!(readmits(&[leaf], &Person::new("Mallory").package()), InviteError::Nth { .. }));
    assert_eq!(readmits(&[0], &ana.package()), InviteError::NoSuchMember(0));
    assert_eq!(readmits(&[99], &ben.package()), InviteError::NoSuchMember(99));
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 3);
}

#[test]
fn of_two_that_hold_a_lease_the_lower_key_brings_the_other_back() {
    let (ana, ben, _) = ana_ben_and_eve();
    // Two groups that were one: in each another device thinks that it leads.
    let step = |to: &Person| LeaseMove { holder: to.key(), seq: 1, until: NOW, hand_over: true };
    let judge = LeaseJudge { same_persona: &|_, _| true, is_dead: &|_| false, now: NOW };
    move_lease(&ben.vault, &chat(), &step(&ben), &ana.key(), &judge).unwrap();
    assert!(ana.may_commit() && ben.may_commit());
    let (low, high) = if ana.key().as_bytes() < ben.key().as_bytes() { (&ana, &ben) } else { (&ben, &ana) };
    let (to_high, to_low) = (brings_back(&low.snapshot(), high), brings_back(&high.snapshot(), low));
    assert_eq!(returns_if(low, &to_low.welcome, &|_, _| true), Err(JoinError::NotEntitled));
    assert_eq!(returns(high, &to_high.welcome), Err(JoinError::NotEntitled), "a stranger to the lease never");
    returns_if(high, &to_high.welcome, &|_, _| true).unwrap();
    assert!(!high.may_commit());
}
