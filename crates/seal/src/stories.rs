//! Stories of people who write in one group, and of those who try to break in.

use openmls::prelude::{LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider};
use proptest::prelude::*;
use tls_codec::{DeserializeBytes, Serialize};

use crate::*;
use people::*;

mod contest;
mod lease;
mod many;
mod membership;
mod past;
mod people;
mod rejoin;
mod testimony;

#[test]
fn two_people_write_to_each_other() {
    let (ana, ben) = ana_and_ben();
    assert_eq!(ben.reads(&ana.writes("hello Ben")), "hello Ben");
    assert_eq!(ana.reads(&ben.writes("hello Ana")), "hello Ana");
    let sealed = ana.writes("who am I?");
    assert_eq!(group_of(&sealed).unwrap(), chat());
    let opened = ben.opens(&sealed).unwrap();
    assert_eq!(opened.sender.dsk, ana.dsk.verifying_key());
    assert_eq!(opened.sender.credential, b"credential of Ana");
    assert_eq!(members(&ana.vault, &chat()).unwrap(), members(&ben.vault, &chat()).unwrap());
    assert!(ana.may_commit() && !ben.may_commit());
}

#[test]
fn a_welcome_shows_who_invites_before_it_is_joined() {
    let (ana, ben) = (Person::new("Ana"), Person::new("Ben"));
    create(&ana.vault, &ana.device, &chat(), NOW).unwrap();
    let welcome = ana.invites(&ben.package()).welcome;
    assert_eq!(peek(&welcome), Ok(Sealed::Welcome));
    let pending = inspect_welcome(&ben.vault, &ben.device, &welcome).unwrap();
    assert_eq!(pending.group(), &chat());
    assert_eq!(pending.members().len(), 2);
    assert_eq!(pending.inviter().dsk, ana.dsk.verifying_key());
    assert!(!is_member(&ben.vault, &chat()).unwrap());
}

#[test]
fn short_texts_of_different_length_look_alike() {
    let (ana, _) = ana_and_ben();
    assert_eq!(ana.writes("yes").len(), ana.writes("no, by no means").len());
    assert!(ana.writes("yes").len() < 700);
}

#[test]
fn a_message_is_opened_once() {
    let (ana, ben) = ana_and_ben();
    let sealed = ana.writes("pay 10");
    ben.reads(&sealed);
    assert_eq!(ben.opens(&sealed).unwrap_err(), OpenError::Replayed);
}

#[test]
fn a_message_that_is_changed_anywhere_is_refused() {
    let (ana, ben) = ana_and_ben();
    let sealed = ana.writes("pay 10");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(ben.opens(&changed).is_err(), "byte {at}");
    }
    assert_eq!(ben.reads(&sealed), "pay 10");
}

#[test]
fn messages_may_overtake_each_other_but_not_without_end() {
    let (ana, ben) = ana_and_ben();
    let all: Vec<_> = (0..70).map(|n| ana.writes(&n.to_string())).collect();
    for n in (6..70).rev() {
        assert_eq!(ben.reads(&all[n]), n.to_string());
    }
    assert_eq!(ben.opens(&all[0]).unwrap_err(), OpenError::TooOld { epoch: 1, ours: 1 });
    assert_eq!(ben.reads(&ana.writes("next")), "next");
}

#[test]
fn an_own_message_that_comes_back_is_no_message() {
    let (ana, _) = ana_and_ben();
    assert_eq!(ana.opens(&ana.writes("echo")).unwrap_err(), OpenError::Own);
}

#[test]
fn an_observer_that_commits_is_refused_and_changes_nothing() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let provider = eve.provider();
    let mut group = eve.mls();
    let (removal, _, _) = group.remove_members(&provider, &eve.device, &[LeafNodeIndex::new(1)]).unwrap();
    let mut group = eve.mls();
    group.clear_pending_commit(provider.storage()).unwrap();
    let update = group.self_update(&provider, &eve.device, LeafNodeParameters::default()).unwrap().into_commit();
    for commit in [removal.to_bytes().unwrap(), update.to_bytes().unwrap()] {
        for honest in [&ana, &ben] {
            assert_eq!(honest.opens(&commit).unwrap_err(), OpenError::CommitFromObserver { leaf: 2 });
            assert_eq!(epoch(&honest.vault, &chat()).unwrap(), 2);
        }
    }
    assert_eq!(ben.reads(&ana.writes("still here")), "still here");
}

#[test]
fn a_stranger_with_a_leaked_group_info_cannot_commit_itself_in() {
    let (ana, ben) = ana_and_ben();
    let info = ben.mls().export_group_info(ben.provider().crypto(), &ben.device, true).unwrap();
    let info = MlsMessageIn::tls_deserialize_exact_bytes(&info.tls_serialize_detached().unwrap()).unwrap();
    let MlsMessageBodyIn::GroupInfo(info) = info.extract() else { panic!("no group info") };
    let eve = Person::new("Eve");
    let provider = eve.provider();
    let leaf = LeafNodeParameters::builder().with_capabilities(crate::config::capabilities()).build();
    let (_, bundle) = MlsGroup::external_commit_builder()
        .with_config(crate::config::join_config())
        .build_group(&provider, info, eve.device.credential_with_key())
        .unwrap()
        .leaf_node_parameters(leaf)
        .load_psks(provider.storage())
        .unwrap()
        .build(provider.rand(), provider.crypto(), &eve.device, |_| true)
        .unwrap()
        .finalize(&provider)
        .unwrap();
    let commit = bundle.into_commit().to_bytes().unwrap();
    assert_eq!(ana.opens(&commit).unwrap_err(), OpenError::ExternalCommit);
    assert_eq!(peek(&commit).unwrap_err(), OpenError::ExternalCommit);
}

#[test]
fn both_sides_export_the_same_secret_and_nobody_else_does() {
    let (ana, ben) = ana_and_ben();
    let one = export(&ana.vault, &chat(), "dfi-sas", b"fingerprints", 32).unwrap();
    assert_eq!(one, export(&ben.vault, &chat(), "dfi-sas", b"fingerprints", 32).unwrap());
    assert_ne!(one, export(&ben.vault, &chat(), "dfi-sas", b"others", 32).unwrap());
    ana.invites(&Person::new("Carl").package());
    assert_ne!(one, export(&ana.vault, &chat(), "dfi-sas", b"fingerprints", 32).unwrap());
}

#[test]
fn a_group_lives_on_in_a_copy_of_the_vault_and_dies_when_forgotten() {
    let (ana, ben) = ana_and_ben();
    let later = ben.snapshot();
    assert_eq!(later.reads(&ana.writes("after the restart")), "after the restart");
    forget(&later.vault, &chat()).unwrap();
    assert_eq!(later.opens(&ana.writes("gone")).unwrap_err(), OpenError::UnknownGroup);
    assert_eq!(later.vault.len(), 0, "a forgotten group leaves nothing behind");
}

#[test]
fn what_is_too_large_is_refused_unread() {
    let (ana, ben) = ana_and_ben();
    let huge = vec![0; MESSAGE_LIMIT + 1];
    assert_eq!(ben.opens(&huge).unwrap_err(), OpenError::TooLarge);
    assert_eq!(inspect_welcome(&ben.vault, &ben.device, &huge).unwrap_err(), JoinError::TooLarge);
    assert_eq!(seal(&ana.vault, &ana.device, &chat(), &huge).unwrap_err(), SealError::TooLarge);
    let fat = Device::new(&ana.dsk, vec![0; CREDENTIAL_LIMIT + 1]);
    assert_eq!(key_package(&ana.vault, &fat, false).unwrap_err(), KeyPackageError::CredentialTooLarge);
}

#[test]
fn nothing_shows_a_secret_or_a_text_in_a_log() {
    let (ana, ben) = ana_and_ben();
    let opened = ben.opens(&ana.writes("secret")).unwrap();
    let shown = format!("{opened:?} {:?} {:?} {:?}", ana.device, ana.vault, chat());
    for private in ["secret", "credential", "localhost", "Ana"] {
        assert!(!shown.contains(private), "{shown}");
    }
}

#[test]
fn a_key_package_that_is_cut_or_longer_than_it_should_be_is_refused() {
    let package = Person::new("Carl").package();
    for length in 0..package.len() {
        assert!(matches!(inspect_key_package(&package[..length]), Err(InviteError::BadKeyPackage(_))), "{length}");
    }
    let longer = [package.as_slice(), b"x"].concat();
    assert_eq!(inspect_key_package(&longer), Err(InviteError::BadKeyPackage("something follows it".into())));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn random_bytes_are_refused_without_a_panic(bytes in prop::collection::vec(any::<u8>(), 0..600)) {
        let ben = Person::new("Ben");
        prop_assert!(ben.opens(&bytes).is_err());
        prop_assert!(inspect_welcome(&ben.vault, &ben.device, &bytes).is_err());
        prop_assert!(inspect_key_package(&bytes).is_err());
    }

    #[test]
    fn a_mangled_welcome_or_message_is_refused_without_a_panic(at in 0usize..2000, bit in 0u8..8, cut in any::<bool>()) {
        let (ana, ben) = (Person::new("Ana"), Person::new("Ben"));
        create(&ana.vault, &ana.device, &chat(), NOW).unwrap();
        let mut welcome = ana.invites(&ben.package()).welcome;
        let at = at % welcome.len();
        if cut { welcome.truncate(at) } else { welcome[at] ^= 1 << bit };
        prop_assert!(inspect_welcome(&ben.vault, &ben.device, &welcome).is_err());
    }
}

#[test]
fn a_key_package_is_gone_once_it_was_used_and_the_last_resort_once_it_is_forgotten() {
    let (ana, ben) = (Person::new("Ana"), Person::new("Ben"));
    create(&ana.vault, &ana.device, &chat(), NOW).unwrap();
    let once = make_key_package(&ben.vault, &ben.device, false).unwrap();
    let last = make_key_package(&ben.vault, &ben.device, true).unwrap();
    let has = |made: &OwnKeyPackage| has_key_package(&ben.vault, &made.name).unwrap();
    assert!(has(&once) && has(&last) && once.not_after > 0);

    ben.joins(&ana.invites(&once.bytes).welcome);
    assert!(!has(&once), "a Welcome uses it up");
    let other = GroupId::new("comm://a.localhost/two").unwrap();
    create(&ana.vault, &ana.device, &other, NOW).unwrap();
    let welcome = invite(&ana.vault, &ana.device, &other, &last.bytes, &mut trusting()).unwrap().welcome;
    forget_key_package(&ben.vault, &last.name).unwrap();
    assert!(!has(&last));
    assert!(matches!(inspect_welcome(&ben.vault, &ben.device, &welcome), Err(JoinError::NotForUs)));
}
