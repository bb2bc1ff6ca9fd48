//! Stories of people who write in one group, and of those who try to break in.

use keys::SigningKey;
use openmls::prelude::{LeafNodeIndex, LeafNodeParameters, MlsGroup, MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider};
use proptest::prelude::*;
use tls_codec::{DeserializeBytes, Serialize};

use crate::provider::Provider;
use crate::*;

/// One device with its own vault.
struct Person {
    vault: MemoryVault,
    device: Device,
    dsk: SigningKey,
}

impl Person {
    fn new(name: &str) -> Self {
        let dsk = SigningKey::generate();
        let device = Device::new(&dsk, format!("credential of {name}").into_bytes());
        Self { vault: MemoryVault::new(), device, dsk }
    }

    fn package(&self) -> Vec<u8> {
        key_package(&self.vault, &self.device, false).unwrap()
    }

    fn writes(&self, text: &str) -> Vec<u8> {
        seal(&self.vault, &self.device, &chat(), text.as_bytes()).unwrap()
    }

    fn opens(&self, sealed: &[u8]) -> Result<Opened, OpenError> {
        open(&self.vault, &self.device, sealed, &mut trusting())
    }

    fn reads(&self, sealed: &[u8]) -> String {
        match self.opens(sealed).unwrap().what {
            What::Application(text) => String::from_utf8(text).unwrap(),
            other => panic!("not a text: {other:?}"),
        }
    }

    fn invites(&self, package: &[u8]) -> Invitation {
        invite(&self.vault, &self.device, &chat(), package, &mut trusting()).unwrap()
    }

    fn joins(&self, welcome: &[u8]) {
        let pending = inspect_welcome(&self.vault, &self.device, welcome).unwrap();
        pending.join(&self.vault, &mut trusting()).unwrap();
    }

    fn provider(&self) -> Provider<'_> {
        Provider::new(&self.vault)
    }

    fn mls(&self) -> MlsGroup {
        self.provider().load(&chat()).unwrap().unwrap()
    }
}

fn chat() -> GroupId {
    GroupId::new("comm://a.localhost/one").unwrap()
}

fn trusting() -> impl FnMut(&Member) -> Result<(), String> {
    |_: &Member| Ok(())
}

/// Ana is the Reporter, Ben her observer.
fn ana_and_ben() -> (Person, Person) {
    let (ana, ben) = (Person::new("Ana"), Person::new("Ben"));
    create(&ana.vault, &ana.device, &chat()).unwrap();
    ben.joins(&ana.invites(&ben.package()).welcome);
    (ana, ben)
}

fn ana_ben_and_eve() -> (Person, Person, Person) {
    let (ana, ben) = ana_and_ben();
    let eve = Person::new("Eve");
    let invitation = ana.invites(&eve.package());
    ben.opens(&invitation.commit).unwrap();
    eve.joins(&invitation.welcome);
    (ana, ben, eve)
}

#[test]
fn two_people_write_to_each_other() {
    let (ana, ben) = ana_and_ben();
    assert_eq!(ben.reads(&ana.writes("hello Ben")), "hello Ben");
    assert_eq!(ana.reads(&ben.writes("hello Ana")), "hello Ana");
    let sealed = ana.writes("who am I?");
    assert_eq!(group_of(&sealed).unwrap(), chat());
    let opened = ben.opens(&sealed).unwrap();
    assert!(opened.sender.is_reporter());
    assert_eq!(opened.sender.dsk, ana.dsk.verifying_key());
    assert_eq!(opened.sender.credential, b"credential of Ana");
    assert_eq!(members(&ana.vault, &chat()).unwrap(), members(&ben.vault, &chat()).unwrap());
    assert!(is_reporter(&ana.vault, &chat()).unwrap() && !is_reporter(&ben.vault, &chat()).unwrap());
}

#[test]
fn a_welcome_shows_who_invites_before_it_is_joined() {
    let (ana, ben) = (Person::new("Ana"), Person::new("Ben"));
    create(&ana.vault, &ana.device, &chat()).unwrap();
    let welcome = ana.invites(&ben.package()).welcome;
    assert_eq!(peek(&welcome), Ok(Sealed::Welcome));
    let pending = inspect_welcome(&ben.vault, &ben.device, &welcome).unwrap();
    assert_eq!(pending.group(), &chat());
    assert_eq!(pending.members().len(), 2);
    assert_eq!(pending.reporter().unwrap().dsk, ana.dsk.verifying_key());
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
    assert_eq!(ben.opens(&all[0]).unwrap_err(), OpenError::TooOld);
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
fn only_the_reporter_invites_and_removes() {
    let (_, ben, eve) = ana_ben_and_eve();
    let carl = Person::new("Carl");
    let refused = invite(&ben.vault, &ben.device, &chat(), &carl.package(), &mut trusting());
    assert_eq!(refused.unwrap_err(), InviteError::NotReporter);
    assert_eq!(remove(&eve.vault, &eve.device, &chat(), &[1]).unwrap_err(), InviteError::NotReporter);
}

#[test]
fn a_removed_member_reads_nothing_that_follows_and_is_not_heard() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let commit = remove(&ana.vault, &ana.device, &chat(), &[2]).unwrap();
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
    ben.opens(&remove(&ana.vault, &ana.device, &chat(), &[2]).unwrap()).unwrap();
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
    let refused = pending.join(&carl.vault, &mut |member: &Member| match member.credential.as_slice() {
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
    let refused = open(&ben.vault, &ben.device, &invitation.commit, &mut |_: &Member| Err("no chain".into()));
    assert_eq!(refused.unwrap_err(), OpenError::Unverified { leaf: 2, reason: "no chain".into() });
    assert_eq!(members(&ben.vault, &chat()).unwrap().len(), 2);
}

#[test]
fn an_invitation_is_checked_before_it_is_made() {
    let (ana, ben) = ana_and_ben();
    let carl = Person::new("Carl");
    let refused = invite(&ana.vault, &ana.device, &chat(), &carl.package(), &mut |_: &Member| Err("no chain".into()));
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
        create(&person.vault, &person.device, &group).unwrap();
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
    assert_eq!(create(&ana.vault, &ana.device, &chat()).unwrap_err(), CreateError::AlreadyExists);
    let mallory = Person::new("Mallory");
    create(&mallory.vault, &mallory.device, &chat()).unwrap();
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
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), &mut trusting()).unwrap();
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
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), &mut trusting()).unwrap();
    let What::Commit { removed_us, .. } = ben.opens(&renewal.commit).unwrap().what else { panic!("no commit") };
    assert!(removed_us);
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 2);
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

impl Person {
    /// The same device as it was at this moment.
    fn snapshot(&self) -> Self {
        Self { vault: self.vault.snapshot(), device: self.device.clone(), dsk: self.dsk.clone() }
    }
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
        create(&ana.vault, &ana.device, &chat()).unwrap();
        let mut welcome = ana.invites(&ben.package()).welcome;
        let at = at % welcome.len();
        if cut { welcome.truncate(at) } else { welcome[at] ^= 1 << bit };
        prop_assert!(inspect_welcome(&ben.vault, &ben.device, &welcome).is_err());
    }
}

#[test]
fn a_key_package_is_gone_once_it_was_used_and_the_last_resort_once_it_is_forgotten() {
    let (ana, ben) = (Person::new("Ana"), Person::new("Ben"));
    create(&ana.vault, &ana.device, &chat()).unwrap();
    let once = make_key_package(&ben.vault, &ben.device, false).unwrap();
    let last = make_key_package(&ben.vault, &ben.device, true).unwrap();
    let has = |made: &OwnKeyPackage| has_key_package(&ben.vault, &made.name).unwrap();
    assert!(has(&once) && has(&last) && once.not_after > 0);

    ben.joins(&ana.invites(&once.bytes).welcome);
    assert!(!has(&once), "a Welcome uses it up");
    let other = GroupId::new("comm://a.localhost/two").unwrap();
    create(&ana.vault, &ana.device, &other).unwrap();
    let welcome = invite(&ana.vault, &ana.device, &other, &last.bytes, &mut trusting()).unwrap().welcome;
    forget_key_package(&ben.vault, &last.name).unwrap();
    assert!(!has(&last));
    assert!(matches!(inspect_welcome(&ben.vault, &ben.device, &welcome), Err(JoinError::NotForUs)));
}
