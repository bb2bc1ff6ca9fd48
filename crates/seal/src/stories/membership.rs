//! Who comes, who goes, and who only tries to decide it.

use openmls::prelude::LeafNodeIndex;

use super::people::*;
use crate::*;

#[test]
fn only_the_holder_of_the_lease_invites_and_removes() {
    let (_, ben, eve) = ana_ben_and_eve();
    let carl = Person::new("Carl");
    let refused = invite(&ben.vault, &ben.device, &chat(), &carl.package(), &mut trusting());
    assert_eq!(refused.unwrap_err(), InviteError::NotHolder);
    assert_eq!(remove(&eve.vault, &eve.device, &chat(), &[1], b"").unwrap_err(), InviteError::NotHolder);
}

#[test]
fn a_removed_member_reads_nothing_that_follows_and_is_not_heard() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let commit = remove(&ana.vault, &ana.device, &chat(), &[2], b"").unwrap();
    let before = eve.snapshot();
    let (What::Commit { removed, removed_us, .. }, What::Commit { removed_us: us, .. }) =
        (ben.opens(&commit).unwrap().what, eve.opens(&commit).unwrap().what)
    else {
        panic!("no commit")
    };
    assert_eq!((removed[0].dsk, removed_us, us), (eve.dsk.verifying_key(), false, true));
    let secret = ana.writes("without Eve");
    assert_eq!(ben.reads(&secret), "without Eve");
    assert_eq!(eve.opens(&secret).unwrap_err(), OpenError::Removed);
    assert_eq!(seal(&eve.vault, &eve.device, &chat(), b"x").unwrap_err(), SealError::Removed);
    // An Eve that ignores the commit has the old keys only.
    assert!(matches!(before.opens(&secret), Err(OpenError::FromTheFuture { .. })));
    assert_eq!(ben.opens(&before.writes("I am still here")).unwrap_err(), OpenError::NotAMember);
}

#[test]
fn nobody_is_mistaken_for_the_one_who_sat_there_before() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let late = eve.writes("from Eve");
    ben.opens(&remove(&ana.vault, &ana.device, &chat(), &[2], b"").unwrap()).unwrap();
    let carl = Person::new("Carl");
    let invitation = ana.invites(&carl.package());
    let What::Commit { added, .. } = ben.opens(&invitation.commit).unwrap().what else { panic!("no commit") };
    assert_eq!((added[0].leaf, added[0].dsk), (2, carl.dsk.verifying_key()));
    assert_eq!(members(&ben.vault, &chat()).unwrap()[2].dsk, carl.dsk.verifying_key());
    assert_eq!(ben.opens(&late).unwrap_err(), OpenError::NotAMember);
}

#[test]
fn a_message_that_crossed_a_commit_is_still_read() {
    let (ana, ben) = ana_and_ben();
    let crossing = ben.writes("on its way");
    ana.invites(&Person::new("Carl").package());
    assert_eq!(ana.reads(&crossing), "on its way");
}

#[test]
fn a_commit_is_merged_once_and_a_later_message_waits_for_it() {
    let (ana, ben) = ana_and_ben();
    let invitation = ana.invites(&Person::new("Carl").package());
    let early = ana.writes("to all three");
    assert_eq!(ben.opens(&early).unwrap_err(), OpenError::FromTheFuture { epoch: 2, ours: 1 });
    ben.opens(&invitation.commit).unwrap();
    assert_eq!(ben.opens(&invitation.commit).unwrap_err(), OpenError::Replayed);
    assert_eq!(ben.reads(&early), "to all three");
}

#[test]
fn a_welcome_with_a_member_that_cannot_be_verified_is_not_joined() {
    let (ana, _) = ana_and_ben();
    let carl = Person::new("Carl");
    let invitation = ana.invites(&carl.package());
    let before = carl.vault.snapshot();
    let pending = inspect_welcome(&carl.vault, &carl.device, &invitation.welcome).unwrap();
    let refused = pending.join(&carl.vault, &mut |member| match member.credential.as_slice() {
        b"credential of Ben" => Err("revoked".into()),
        _ => Ok(()),
    });
    assert_eq!(refused.unwrap_err(), JoinError::Unverified { leaf: 1, reason: "revoked".into() });
    assert!(!is_member(&carl.vault, &chat()).unwrap());
    // Rolled back, the same Welcome can be looked at again.
    inspect_welcome(&before, &carl.device, &invitation.welcome).unwrap().join(&before, &mut trusting()).unwrap();
}

#[test]
fn a_commit_that_adds_somebody_unverified_is_not_merged() {
    let (ana, ben) = ana_and_ben();
    let invitation = ana.invites(&Person::new("Mallory").package());
    let refused = open(&ben.vault, &ben.device, &invitation.commit, &mut |_| Err("no chain".into()));
    assert_eq!(refused.unwrap_err(), OpenError::Unverified { leaf: 2, reason: "no chain".into() });
    assert_eq!(members(&ben.vault, &chat()).unwrap().len(), 2);
}

#[test]
fn an_invitation_is_checked_before_it_is_made() {
    let (ana, ben) = ana_and_ben();
    let carl = Person::new("Carl");
    let refused = invite(&ana.vault, &ana.device, &chat(), &carl.package(), &mut |_| Err("no chain".into()));
    assert_eq!(refused.unwrap_err(), InviteError::Unverified("no chain".into()));
    let again = invite(&ana.vault, &ana.device, &chat(), &ben.package(), &mut trusting());
    assert_eq!(again.unwrap_err(), InviteError::AlreadyMember);
    let mut forged = carl.package();
    let middle = forged.len() / 2;
    forged[middle] ^= 1;
    let forged = invite(&ana.vault, &ana.device, &chat(), &forged, &mut trusting());
    assert!(matches!(forged, Err(InviteError::BadKeyPackage(_))));
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 2);
    assert_eq!(inspect_key_package(&carl.package()).unwrap().dsk, carl.dsk.verifying_key());
}

#[test]
fn a_key_package_invites_once_but_the_last_resort_again_and_again() {
    let (ana, bea) = (Person::new("Ana"), Person::new("Bea"));
    let ben = Person::new("Ben");
    let (once, last) = (ben.package(), key_package(&ben.vault, &ben.device, true).unwrap());
    let other = GroupId::new("comm://b.localhost/two").unwrap();
    for (person, group) in [(&ana, chat()), (&bea, other)] {
        create(&person.vault, &person.device, &group, NOW).unwrap();
    }
    let first = ana.invites(&once).welcome;
    ben.joins(&first);
    assert_eq!(inspect_welcome(&ben.vault, &ben.device, &first).unwrap_err(), JoinError::NotForUs);
    let other = GroupId::new("comm://b.localhost/two").unwrap();
    for (package, expected) in [(&once, false), (&last, true)] {
        let fresh = bea.vault.snapshot();
        let welcome = invite(&fresh, &bea.device, &other, package, &mut trusting()).unwrap().welcome;
        assert_eq!(inspect_welcome(&ben.vault, &ben.device, &welcome).is_ok(), expected);
    }
}

#[test]
fn the_same_group_cannot_be_entered_or_created_twice() {
    let (ana, ben) = ana_and_ben();
    assert_eq!(create(&ana.vault, &ana.device, &chat(), NOW).unwrap_err(), CreateError::AlreadyExists);
    let mallory = Person::new("Mallory");
    create(&mallory.vault, &mallory.device, &chat(), NOW).unwrap();
    let takeover = mallory.invites(&ben.package()).welcome;
    assert_eq!(inspect_welcome(&ben.vault, &ben.device, &takeover).unwrap_err(), JoinError::AlreadyJoined);
    assert_eq!(ben.reads(&ana.writes("still ours")), "still ours");
}

#[test]
fn an_observer_is_renewed_when_the_reporter_commits() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let wish = propose_refresh(&ben.vault, &ben.device, &chat()).unwrap();
    assert!(matches!(ana.opens(&wish).unwrap().what, What::Proposal));
    // Eve was not told by Ben: the Reporter's renewal carries the wish.
    assert_eq!(ben.reads(&ana.writes("a wish silences nobody")), "a wish silences nobody");
    assert_eq!(ana.reads(&ben.writes("nor me")), "nor me");
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
    assert_eq!(renewal.wishes, std::slice::from_ref(&wish));
    assert_eq!(ben.opens(&wish).unwrap_err(), OpenError::Own);
    assert!(matches!(eve.opens(&wish).unwrap().what, What::Proposal));
    for observer in [&ben, &eve] {
        observer.opens(&renewal.commit).unwrap();
    }
    assert_eq!(eve.reads(&ben.writes("with new keys")), "with new keys");
    let all = [&ana, &ben, &eve].map(|person| epoch_authenticator(&person.vault, &chat()).unwrap());
    assert!(all[0] == all[1] && all[1] == all[2]);
}

#[test]
fn an_observer_may_leave_but_not_throw_others_out() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let provider = eve.provider();
    let (attack, _) = eve.mls().propose_remove_member(&provider, &eve.device, LeafNodeIndex::new(1)).unwrap();
    assert!(matches!(ana.opens(&attack.to_bytes().unwrap()), Err(OpenError::Forbidden(_))));
    let wish = propose_leave(&ben.vault, &ben.device, &chat()).unwrap();
    ana.opens(&wish).unwrap();
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
    let What::Commit { removed_us, .. } = ben.opens(&renewal.commit).unwrap().what else { panic!("no commit") };
    assert!(removed_us);
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 2);
}

#[test]
fn a_stolen_leaf_reads_nothing_once_its_owner_was_renewed() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let stolen = ben.snapshot();
    // A commit of the Reporter alone heals nothing: what is stolen follows it.
    let alone = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
    for person in [&ben, &eve, &stolen] {
        person.opens(&alone.commit).unwrap();
    }
    assert_eq!(stolen.reads(&ana.writes("the thief reads this")), "the thief reads this");

    let wish = propose_refresh(&ben.vault, &ben.device, &chat()).unwrap();
    ana.opens(&wish).unwrap();
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
    assert!(matches!(eve.opens(&renewal.wishes[0]).unwrap().what, What::Proposal));
    let key = |of: &Person| eve.mls().member_at(of.mls().own_leaf_index()).unwrap().encryption_key;
    let before = key(&ben);
    let What::Commit { renewed, .. } = eve.opens(&renewal.commit).unwrap().what else { panic!("no commit") };
    assert_eq!(renewed.iter().map(|member| member.dsk).collect::<Vec<_>>(), [ben.key(), ana.key()]);
    ben.opens(&renewal.commit).unwrap();
    assert_ne!(key(&ben), before, "the way to the new epoch is sealed to a key that nobody stole");
    assert!(stolen.opens(&renewal.wishes[0]).is_err());
    assert!(stolen.opens(&renewal.commit).is_err(), "the old leaf opens no way to the new epoch");
    let secret = ana.writes("only for us");
    assert!(stolen.opens(&secret).is_err());
    for person in [&ben, &eve] {
        assert_eq!(person.reads(&secret), "only for us");
    }
    assert_eq!(eve.reads(&ben.writes("healed")), "healed");
}

#[test]
fn nobody_is_renewed_by_somebody_else() {
    let (ana, ben, eve) = ana_ben_and_eve();
    // Eve's wish is about Eve's leaf, whatever key she writes into it.
    let provider = eve.provider();
    let forged = openmls::prelude::LeafNodeParameters::builder()
        .with_credential_with_key(ben.device.credential_with_key())
        .with_capabilities(crate::config::capabilities())
        .build();
    let wish = eve.mls().propose_self_update(&provider, &eve.device, forged);
    let Ok((wish, _)) = wish else { return };
    for person in [&ana, &ben] {
        assert!(person.opens(&wish.to_bytes().unwrap()).is_err());
    }
    let all = members(&ana.vault, &chat()).unwrap();
    assert_eq!(all.iter().filter(|member| member.dsk == ben.key()).count(), 1);
}
