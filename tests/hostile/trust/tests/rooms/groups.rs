//! Attacks on sealed groups, by members, by those who were members, and by strangers.
//!
//! Honest people use `seal`. Eve speaks MLS with the library below it, and so without any of our rules.

use keys::SigningKey;
use openmls::prelude::{
    KeyPackage, KeyPackageIn, LeafNodeIndex, LeafNodeParameters, MIXED_PLAINTEXT_WIRE_FORMAT_POLICY, MlsGroup,
    MlsMessageBodyIn, MlsMessageIn, OpenMlsProvider, PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, ProtocolVersion,
    WireFormatPolicy,
};
use seal::*;
use tls_codec::{DeserializeBytes, Serialize};

use crate::eve::{Eve, capabilities, join_config};

/// One honest device with its own vault.
struct Person {
    vault: MemoryVault,
    device: Device,
    dsk: SigningKey,
}

impl Person {
    fn new(name: &str) -> Self {
        let dsk = SigningKey::generate();
        Self { vault: MemoryVault::new(), device: Device::new(&dsk, name.as_bytes().to_vec()), dsk }
    }

    fn reporting(name: &str) -> Self {
        let person = Self::new(name);
        create(&person.vault, &person.device, &chat(), NOW).unwrap();
        person
    }

    fn package(&self) -> Vec<u8> {
        key_package(&self.vault, &self.device, false).unwrap()
    }

    fn writes(&self, text: &str) -> Vec<u8> {
        seal(&self.vault, &self.device, &chat(), text.as_bytes()).unwrap()
    }

    fn opens(&self, sealed: &[u8]) -> Result<Opened, OpenError> {
        open(&self.vault, &self.device, sealed, &mut |_| Ok(()))
    }

    fn reads(&self, sealed: &[u8]) -> String {
        match self.opens(sealed).unwrap().what {
            What::Application(text) => String::from_utf8(text).unwrap(),
            other => panic!("not a text: {other:?}"),
        }
    }

    fn invites(&self, package: &[u8]) -> Invitation {
        invite(&self.vault, &self.device, &chat(), package, &mut |_| Ok(())).unwrap()
    }

    fn joins(&self, welcome: &[u8]) {
        let pending = inspect_welcome(&self.vault, &self.device, welcome).unwrap();
        pending.join(&self.vault, &mut |_| Ok(())).unwrap();
    }

    /// Whether this device's own rules keep it from changing the members.
    fn commits_nothing(&self) -> bool {
        let package = Person::new("somebody").package();
        invite(&self.vault, &self.device, &chat(), &package, &mut |_| Ok(()))
            .is_err_and(|e| e == InviteError::NotHolder)
    }

    fn epoch(&self) -> u64 {
        epoch(&self.vault, &chat()).unwrap()
    }

    /// The same device as it is now, going another way from here on.
    fn twin(&self) -> Self {
        Self { vault: self.vault.snapshot(), device: self.device.clone(), dsk: self.dsk.clone() }
    }
}

/// Now, in these stories.
const NOW: i64 = 1_800_000_000;

fn chat() -> GroupId {
    GroupId::new("comm://a.localhost/one").unwrap()
}

fn ana_and_ben() -> (Person, Person) {
    let (ana, ben) = (Person::reporting("Ana"), Person::new("Ben"));
    ben.joins(&ana.invites(&ben.package()).welcome);
    (ana, ben)
}

/// Ana reports, Ben and Eve observe.
fn with_eve(wire: WireFormatPolicy) -> (Person, Person, Eve, MlsGroup) {
    let (ana, ben) = ana_and_ben();
    let eve = Eve::new();
    let invitation = ana.invites(&eve.package().tls_serialize_detached().unwrap());
    ben.opens(&invitation.commit).unwrap();
    let group = eve.joins(&invitation.welcome, wire);
    (ana, ben, eve, group)
}

/// Attack: G-01
/// By: an observer with a program of her own
/// Does: commits: removes another, renews herself, and adds an accomplice
/// Holds: nobody merges it, it is named for what it is, and the group goes on
#[test]
fn an_observer_that_commits_changes_nothing() {
    let (ana, ben, eve, mut group) = with_eve(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY);
    let mut commits = Vec::new();
    let (removal, _, _) = group.remove_members(&eve.provider, &eve.key, &[LeafNodeIndex::new(1)]).unwrap();
    commits.push(removal.to_bytes().unwrap());
    group.clear_pending_commit(eve.provider.storage()).unwrap();
    let update = group.self_update(&eve.provider, &eve.key, LeafNodeParameters::default()).unwrap();
    commits.push(update.into_commit().to_bytes().unwrap());
    group.clear_pending_commit(eve.provider.storage()).unwrap();
    let (add, _, _) = group.add_members(&eve.provider, &eve.key, &[Eve::new().package()]).unwrap();
    commits.push(add.to_bytes().unwrap());
    for commit in &commits {
        for honest in [&ana, &ben] {
            assert_eq!(honest.opens(commit).unwrap_err(), OpenError::CommitFromObserver { leaf: 2 });
            assert_eq!((honest.epoch(), members(&honest.vault, &chat()).unwrap().len()), (2, 3));
        }
    }
    assert_eq!(ben.reads(&ana.writes("still here")), "still here");
}

/// Attack: G-02
/// By: a stranger with a leaked description of the group
/// Does: commits herself in from outside
/// Holds: refused before it touches the group
#[test]
fn nobody_commits_in_from_outside() {
    let (ana, _, eve, group) = with_eve(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY);
    let leaked = group.export_group_info(eve.provider.crypto(), &eve.key, true).unwrap();
    let info = MlsMessageIn::tls_deserialize_exact_bytes(&leaked.tls_serialize_detached().unwrap()).unwrap();
    let MlsMessageBodyIn::GroupInfo(info) = info.extract() else { panic!("no group info") };
    let stranger = Eve::new();
    let leaf = LeafNodeParameters::builder().with_capabilities(capabilities()).build();
    let (_, bundle) = MlsGroup::external_commit_builder()
        .with_config(join_config(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY))
        .build_group(&stranger.provider, info, stranger.credential())
        .unwrap()
        .leaf_node_parameters(leaf)
        .load_psks(stranger.provider.storage())
        .unwrap()
        .build(stranger.provider.rand(), stranger.provider.crypto(), &stranger.key, |_| true)
        .unwrap()
        .finalize(&stranger.provider)
        .unwrap();
    let commit = bundle.into_commit().to_bytes().unwrap();
    assert_eq!(ana.opens(&commit).unwrap_err(), OpenError::ExternalCommit);
    assert_eq!(ana.epoch(), 2);
}

/// Attack: G-03
/// By: an observer who was removed, and takes no notice of it
/// Does: reads what follows with the keys she had, and writes with them
/// Holds: she reads nothing and is not heard
#[test]
fn who_was_removed_reads_nothing_and_is_not_heard() {
    let (ana, ben, eve, mut group) = with_eve(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY);
    let before = ana.writes("while Eve is here");
    let commit = remove(&ana.vault, &ana.device, &chat(), &[2], b"").unwrap();
    ben.opens(&commit).unwrap();
    let after = ana.writes("without Eve");
    assert_eq!(ben.reads(&after), "without Eve");
    let mut reads = |sealed: &[u8]| {
        let message = MlsMessageIn::tls_deserialize_exact_bytes(sealed).unwrap();
        let message = message.try_into_protocol_message().unwrap();
        group.process_message(&eve.provider, message).is_ok()
    };
    assert!(reads(&before) && !reads(&after));
    let late = group.create_message(&eve.provider, &eve.key, b"I am still here").unwrap().to_bytes().unwrap();
    assert_eq!(ben.opens(&late).unwrap_err(), OpenError::NotAMember);
    assert_eq!(ana.opens(&late).unwrap_err(), OpenError::NotAMember);
}

/// Attack: G-04
/// By: a Reporter, or a Node that plays one
/// Does: invites into a group in which somebody sits whom nobody vouches for
/// Holds: not joined, and nothing is left of it
#[test]
fn a_group_with_an_unverified_member_is_not_entered() {
    let (ana, _) = ana_and_ben();
    let carl = Person::new("Carl");
    let welcome = ana.invites(&carl.package()).welcome;
    let pending = inspect_welcome(&carl.vault, &carl.device, &welcome).unwrap();
    let mut check = |member: &Candidate<'_>| if member.credential == b"Ben" { Err("no chain".into()) } else { Ok(()) };
    assert!(matches!(pending.join(&carl.vault, &mut check), Err(JoinError::Unverified { leaf: 1, .. })));
    assert!(!is_member(&carl.vault, &chat()).unwrap());
}

/// Attack: G-05
/// By: a Reporter
/// Does: adds somebody whom nobody vouches for to a group that exists
/// Holds: the commit is not merged, the newcomer is no member for us
#[test]
fn an_unverified_member_is_not_added() {
    let (ana, ben) = ana_and_ben();
    let commit = ana.invites(&Person::new("Mallory").package()).commit;
    let refused = open(&ben.vault, &ben.device, &commit, &mut |_| Err("no chain".into()));
    assert!(matches!(refused, Err(OpenError::Unverified { leaf: 2, .. })), "{refused:?}");
    assert_eq!((ben.epoch(), members(&ben.vault, &chat()).unwrap().len()), (1, 2));
}

/// Attack: G-06
/// By: anybody
/// Does: sends a Welcome of 10 MB, of random bytes, cut short, and with each part bent
/// Holds: refused, the large one unread
#[test]
fn a_malicious_welcome_is_refused() {
    let (ana, ben) = (Person::reporting("Ana"), Person::new("Ben"));
    let good = ana.invites(&ben.package()).welcome;
    let look = |welcome: &[u8]| {
        let trial = ben.twin();
        inspect_welcome(&trial.vault, &trial.device, welcome).map(drop)
    };
    assert_eq!(look(&good), Ok(()));
    let mut huge = good.clone();
    huge.resize(10 * 1024 * 1024, 0);
    assert_eq!(look(&huge), Err(JoinError::TooLarge));
    assert_eq!(look(&[0xa5; 5000]), Err(JoinError::Malformed));
    // A length that promises 1 GiB behind a few bytes.
    let mut promising = good[..4].to_vec();
    promising.extend([0x00, 0x01, 0xbf, 0xff, 0xff, 0xff]);
    assert_eq!(look(&promising), Err(JoinError::Malformed));
    for at in (0..good.len()).step_by(7) {
        let mut bent = good.clone();
        bent[at] ^= 0x20;
        assert!(look(&bent).is_err(), "byte {at}");
        assert!(look(&good[..at]).is_err(), "cut at {at}");
    }
}

/// Attack: G-07
/// By: a stranger
/// Does: invites into a group of 1,001 members
/// Holds: refused by the count, before anybody is checked
#[test]
fn a_crowd_is_not_entered() {
    let (eve, ben) = (Eve::new(), Person::new("Ben"));
    let mut group = eve.group(&chat());
    let mut packages: Vec<KeyPackage> = (1..MEMBER_LIMIT).map(|_| Eve::new().package()).collect();
    let bens = KeyPackageIn::tls_deserialize_exact_bytes(&ben.package()).unwrap();
    packages.push(bens.validate(eve.provider.crypto(), ProtocolVersion::Mls10).unwrap());
    let (_, welcome, _) = group.add_members_without_update(&eve.provider, &eve.key, &packages).unwrap();
    let welcome = welcome.to_bytes().unwrap();
    assert!(welcome.len() < WELCOME_LIMIT, "small enough to be read");
    assert_eq!(inspect_welcome(&ben.vault, &ben.device, &welcome).map(drop), Err(JoinError::Full));
}

/// Attack: G-08
/// By: an observer
/// Does: welcomes somebody in the place of who holds the lease
/// Holds: nobody else takes her commit: who comes that way is alone with her, and knows who invited
#[test]
fn an_observer_invites_nobody_into_the_conversation() {
    let (ana, ben, eve, mut group) = with_eve(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY);
    let carl = Person::new("Carl");
    let carls = KeyPackageIn::tls_deserialize_exact_bytes(&carl.package()).unwrap();
    let carls = carls.validate(eve.provider.crypto(), ProtocolVersion::Mls10).unwrap();
    let (commit, welcome, _) = group.add_members(&eve.provider, &eve.key, &[carls]).unwrap();
    let pending = inspect_welcome(&carl.vault, &carl.device, &welcome.to_bytes().unwrap()).unwrap();
    assert_eq!(pending.inviter().credential, b"Eve");
    pending.join(&carl.vault, &mut |_| Ok(())).unwrap();
    for honest in [&ana, &ben] {
        let refused = honest.opens(&commit.to_bytes().unwrap()).unwrap_err();
        assert_eq!(refused, OpenError::CommitFromObserver { leaf: 2 });
        assert!(honest.opens(&carl.writes("am I among you?")).is_err());
    }
    assert!(carl.opens(&ana.writes("for Ben and Eve")).is_err());
}

/// Attack: G-09
/// By: a stranger who knows a group's name
/// Does: makes a group of the same name and invites a member of the true one
/// Holds: refused, the true one goes on
#[test]
fn a_group_is_not_replaced_by_its_namesake() {
    let (ana, ben) = ana_and_ben();
    let mallory = Person::reporting("Mallory");
    let welcome = mallory.invites(&ben.package()).welcome;
    assert_eq!(inspect_welcome(&ben.vault, &ben.device, &welcome).map(drop), Err(JoinError::AlreadyJoined));
    assert_eq!(ben.reads(&ana.writes("still ours")), "still ours");
    assert!(ben.opens(&mallory.writes("I am Ana")).is_err());
}

/// Attack: G-10
/// By: a Node
/// Does: puts another group's name on a sealed message of the same people
/// Holds: refused, the name is signed
#[test]
fn a_message_belongs_to_its_group() {
    let (ana, ben) = ana_and_ben();
    let other = GroupId::new("comm://a.localhost/two").unwrap();
    create(&ana.vault, &ana.device, &other, NOW).unwrap();
    let welcome = invite(&ana.vault, &ana.device, &other, &ben.package(), &mut |_| Ok(())).unwrap().welcome;
    ben.joins(&welcome);
    let mut sealed = ana.writes("in the first");
    let at = sealed.windows(chat().as_bytes().len()).position(|part| part == chat().as_bytes()).unwrap();
    sealed[at..at + other.as_bytes().len()].copy_from_slice(other.as_bytes());
    assert_eq!(group_of(&sealed).unwrap(), other);
    assert_eq!(ben.opens(&sealed).unwrap_err(), OpenError::Tampered);
}

/// Attack: G-11
/// By: a Node
/// Does: delivers a message twice, later again, and with each byte changed
/// Holds: opened once, unchanged
#[test]
fn a_message_is_opened_once_and_unchanged() {
    let (ana, ben) = ana_and_ben();
    let sealed = ana.writes("pay 10");
    for at in 0..sealed.len() {
        let mut changed = sealed.clone();
        changed[at] ^= 1;
        assert!(ben.opens(&changed).is_err(), "byte {at}");
    }
    assert_eq!(ben.reads(&sealed), "pay 10");
    assert_eq!(ben.opens(&sealed).unwrap_err(), OpenError::Replayed);
    ben.opens(&ana.invites(&Person::new("Carl").package()).commit).unwrap();
    assert_eq!(ben.opens(&sealed).unwrap_err(), OpenError::Replayed);
}

/// Attack: G-12
/// By: a member
/// Does: sends a message numbered far ahead, to make others compute keys for ever
/// Holds: refused, and the nearer ones are still read
#[test]
fn a_number_far_ahead_is_refused() {
    let (ana, ben) = ana_and_ben();
    let next = ana.writes("next");
    for _ in 0..1001 {
        ana.writes("unsent");
    }
    assert_eq!(ben.opens(&ana.writes("far")).unwrap_err(), OpenError::TooFarAhead);
    assert_eq!(ben.reads(&next), "next");
}

/// Attack: G-13
/// By: an observer
/// Does: proposes what is the Reporter's: to remove another, to add an accomplice
/// Holds: refused, nothing waits for the next commit
#[test]
fn an_observer_proposes_nothing_about_others() {
    let (ana, ben, eve, mut group) = with_eve(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY);
    let (removal, _) = group.propose_remove_member(&eve.provider, &eve.key, LeafNodeIndex::new(1)).unwrap();
    let (add, _) = group.propose_add_member(&eve.provider, &eve.key, &Eve::new().package()).unwrap();
    for proposal in [removal.to_bytes().unwrap(), add.to_bytes().unwrap()] {
        for honest in [&ana, &ben] {
            assert!(matches!(honest.opens(&proposal), Err(OpenError::Forbidden(_))));
        }
    }
    commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut |_| Ok(())).unwrap();
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 3);
}

/// Attack: G-14
/// By: an observer
/// Does: sends handshakes signed but not sealed, for every Node to read
/// Holds: refused
#[test]
fn what_is_not_sealed_is_not_taken() {
    let (ana, ben, eve, mut group) = with_eve(MIXED_PLAINTEXT_WIRE_FORMAT_POLICY);
    let (update, _) = group.propose_self_update(&eve.provider, &eve.key, LeafNodeParameters::default()).unwrap();
    let leave = group.leave_group(&eve.provider, &eve.key).unwrap();
    for open in [update.to_bytes().unwrap(), leave.to_bytes().unwrap()] {
        for honest in [&ana, &ben] {
            assert_eq!(honest.opens(&open).unwrap_err(), OpenError::NotSealed);
        }
    }
}

/// Attack: G-15
/// By: a Reporter
/// Does: forks the group: other commits for Ben than for Carl
/// Holds: neither reads the other branch, and comparing shows it
#[test]
fn a_forked_group_is_seen_when_compared() {
    let (ana, ben) = ana_and_ben();
    let carl = Person::new("Carl");
    let invitation = ana.invites(&carl.package());
    ben.opens(&invitation.commit).unwrap();
    carl.joins(&invitation.welcome);
    let compare = |one: &Person, other: &Person| {
        epoch_authenticator(&one.vault, &chat()).unwrap() == epoch_authenticator(&other.vault, &chat()).unwrap()
    };
    assert!(compare(&ben, &carl));
    let other_ana = ana.twin();
    ben.opens(&ana.invites(&Person::new("One").package()).commit).unwrap();
    carl.opens(&other_ana.invites(&Person::new("Two").package()).commit).unwrap();
    assert!(!compare(&ben, &carl));
    assert_eq!(ben.opens(&other_ana.writes("for Carl")).unwrap_err(), OpenError::Tampered);
    assert_eq!(carl.opens(&ana.writes("for Ben")).unwrap_err(), OpenError::Tampered);
    assert!(carl.opens(&ben.writes("do you read me?")).is_err());
}

/// Attack: G-16
/// By: a member of one group
/// Does: exports secrets to predict those of another group, or of a later epoch
/// Holds: each epoch has its own
#[test]
fn a_secret_is_of_one_group_and_one_epoch() {
    let (ana, ben) = ana_and_ben();
    let (other_ana, _) = ana_and_ben();
    let secret = |person: &Person| export(&person.vault, &chat(), "dfi-sas", b"fingerprints", 32).unwrap();
    let first = secret(&ana);
    assert_eq!(first, secret(&ben));
    assert_ne!(first, secret(&other_ana));
    ana.invites(&Person::new("Carl").package());
    assert_ne!(first, secret(&ana));
}

/// Attack: G-17
/// By: a registry
/// Does: hands out key packages that are changed, too large, or of a credential too large
/// Holds: nobody is invited with them
#[test]
fn a_bad_key_package_invites_nobody() {
    let ana = Person::reporting("Ana");
    let good = Person::new("Ben").package();
    let mut refused = vec![vec![0; KEY_PACKAGE_LIMIT + 1], Vec::new(), [&good[..], &[0]].concat()];
    refused.extend((0..good.len()).step_by(11).map(|at| {
        let mut bent = good.clone();
        bent[at] ^= 4;
        bent
    }));
    for package in refused {
        assert!(invite(&ana.vault, &ana.device, &chat(), &package, &mut |_| Ok(())).is_err());
    }
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 1);
    let fat = Device::new(&SigningKey::generate(), vec![0; CREDENTIAL_LIMIT + 1]);
    assert_eq!(key_package(&MemoryVault::new(), &fat, false), Err(KeyPackageError::CredentialTooLarge));
}

/// Attack: G-18
/// By: a thief of a device's disk
/// Does: reads with it what was written before, from the sealed bytes he kept
/// Holds: the keys of what was read are gone
#[test]
fn a_stolen_device_does_not_read_the_past() {
    let (ana, ben) = ana_and_ben();
    let kept = ana.writes("last year");
    assert_eq!(ben.reads(&kept), "last year");
    let stolen = ben.twin();
    assert_eq!(stolen.opens(&kept).unwrap_err(), OpenError::Replayed);
    forget(&ben.vault, &chat()).unwrap();
    assert_eq!(ben.opens(&ana.writes("next year")).unwrap_err(), OpenError::UnknownGroup);
}

/// Devices are of one persona if their credentials begin alike: "Ana's phone", "Ana's laptop".
fn is_kin(one: &Member, other: &Member) -> bool {
    let persona = |member: &Member| member.credential.split(|byte| *byte == b'\'').next().map(<[u8]>::to_vec);
    persona(one) == persona(other)
}

/// What somebody makes of a step of the lease that `by` signed.
fn takes(at: &Person, step: &LeaseMove, by: &Person, now: i64) -> Result<Lease, LeaseError> {
    let judge = LeaseJudge { same_persona: &is_kin, is_dead: &|_| false, now };
    move_lease(&at.vault, &chat(), step, &by.device.verifying_key(), &judge).map(|moved| moved.lease)
}

fn step(to: &Person, seq: u64, hand_over: bool) -> LeaseMove {
    LeaseMove { holder: to.device.verifying_key(), seq, until: NOW + LEASE_LIFE_S, hand_over }
}

/// Ana's phone holds the lease; her laptop and Ben's are in the group as well.
fn phone_laptop_and_ben() -> (Person, Person, Person) {
    let (phone, laptop, ben) = (Person::reporting("Ana's phone"), Person::new("Ana's laptop"), Person::new("Ben's"));
    let packages = [laptop.package(), ben.package()];
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    let invited = invite_many(&phone.vault, &phone.device, &chat(), &packages, b"", &mut |_| Ok(())).unwrap();
    let said = lease(&phone.vault, &chat()).unwrap();
    for joiner in [&laptop, &ben] {
        joiner.joins(&invited.welcome);
        adopt_lease(&joiner.vault, &chat(), &said, NOW).unwrap();
    }
    (phone, laptop, ben)
}

/// Attack: G-20
/// By: a member of another persona, and a stranger
/// Does: takes the lease for themselves while it lasts and after it ran out, and gives it to an accomplice
/// Holds: refused by everybody; the holder commits as before
#[test]
fn a_lease_is_not_stolen_by_another_persona() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let stranger = Person::new("Ana's brother's");
    let before = lease(&laptop.vault, &chat()).unwrap();
    for now in [NOW, NOW + LEASE_LIFE_S + LEASE_SKEW_S + 1, NOW + 50 * LEASE_LIFE_S] {
        for honest in [&phone, &laptop] {
            assert_eq!(takes(honest, &step(&ben, 1, false), &ben, now), Err(LeaseError::OtherPersona));
            assert_eq!(takes(honest, &step(&ben, 1, true), &ben, now), Err(LeaseError::OtherPersona));
            assert_eq!(takes(honest, &step(&stranger, 1, true), &stranger, now), Err(LeaseError::NotAMember));
            assert_eq!(takes(honest, &step(&stranger, 1, true), &phone, now), Err(LeaseError::NotAMember));
        }
    }
    assert_eq!(lease(&laptop.vault, &chat()).unwrap(), before);
    laptop.opens(&phone.invites(&Person::new("Carl's").package()).commit).unwrap();
}

/// Attack: G-21
/// By: a Node, and a holder of before
/// Does: replays a step of the lease, skips one, and holds it for a hundred years
/// Holds: refused; steps are made in turn, once, and for a week
#[test]
fn a_lease_moves_in_turn_and_for_a_week() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let handed = step(&laptop, 1, false);
    takes(&ben, &handed, &phone, NOW).unwrap();
    let back = step(&phone, 2, false);
    takes(&ben, &back, &laptop, NOW).unwrap();
    let ours = lease(&ben.vault, &chat()).unwrap();
    for by in [&phone, &laptop] {
        assert_eq!(takes(&ben, &handed, by, NOW), Err(LeaseError::Stale { seq: 1, ours: 2 }));
        // The very step that was made is over; the same said by somebody else is a claim that they cannot make.
        let again = takes(&ben, &back, by, NOW);
        assert!(
            matches!(again, Err(LeaseError::Stale { seq: 2, ours: 2 } | LeaseError::StillHeld { .. })),
            "{again:?}"
        );
    }
    assert_eq!(takes(&ben, &step(&phone, 4, false), &phone, NOW), Err(LeaseError::Ahead { seq: 4, ours: 2 }));
    let last = LeaseMove { until: i64::MAX, ..step(&phone, 3, false) };
    assert_eq!(takes(&ben, &last, &phone, NOW), Err(LeaseError::TooLong));
    let never = LeaseMove { seq: u64::MAX, ..last };
    assert!(takes(&ben, &never, &phone, NOW).is_err());
    assert_eq!(lease(&ben.vault, &chat()).unwrap(), ours);
}

/// Attack: G-22
/// By: another device of the holder's persona, perhaps a stolen one
/// Does: takes the lease before it ran out
/// Holds: refused until it ran out by the clock of whoever judges, and two minutes more
#[test]
fn a_lease_that_lasts_is_not_taken() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let until = NOW + LEASE_LIFE_S;
    for now in [NOW - LEASE_LIFE_S, NOW, until, until + LEASE_SKEW_S] {
        let early = LeaseMove { until: now + LEASE_LIFE_S, ..step(&laptop, 1, false) };
        for honest in [&phone, &ben] {
            assert_eq!(takes(honest, &early, &laptop, now), Err(LeaseError::StillHeld { until }));
        }
    }
    assert!(takes(&ben, &step(&laptop, 1, false), &laptop, until + LEASE_SKEW_S + 1).is_ok(), "the honest case");
}

/// Attack: G-23
/// By: a member who holds one object of hers
/// Does: shows a genuine step of that object's lease in another one
/// Holds: each object has a lease of its own; the step is judged by the other one and refused
#[test]
fn a_lease_is_of_one_object() {
    let (_, laptop, ben) = phone_laptop_and_ben();
    let hers = GroupId::new("comm://b.localhost/hers").unwrap();
    create(&ben.vault, &ben.device, &hers, NOW).unwrap();
    let welcome = invite(&ben.vault, &ben.device, &hers, &laptop.package(), &mut |_| Ok(())).unwrap().welcome;
    laptop.joins(&welcome);
    let genuine = renew(&ben.vault, &ben.device, &hers, NOW).unwrap();
    let judge = LeaseJudge { same_persona: &is_kin, is_dead: &|_| false, now: NOW };
    let by = ben.device.verifying_key();
    assert_eq!(move_lease(&laptop.vault, &chat(), &genuine, &by, &judge), Err(LeaseError::OtherPersona));
    assert!(move_lease(&laptop.vault, &hers, &genuine, &by, &judge).is_ok(), "the honest case");
    assert!(ben.commits_nothing());
}

/// Attack: G-24
/// By: an observer
/// Does: signs a hand-over of the lease: to herself, to another, and with the holder's name in it
/// Holds: refused; the holder alone hands it over, and what counts is who signed
#[test]
fn an_observer_hands_nothing_over() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let carl = Person::new("Carl's");
    let invited = phone.invites(&carl.package());
    for member in [&laptop, &ben] {
        member.opens(&invited.commit).unwrap();
    }
    for hand_over in [false, true] {
        assert_eq!(takes(&laptop, &step(&ben, 1, hand_over), &ben, NOW), Err(LeaseError::OtherPersona));
        assert_eq!(takes(&laptop, &step(&carl, 1, hand_over), &ben, NOW), Err(LeaseError::NotHolder));
        assert_eq!(takes(&laptop, &step(&laptop, 1, hand_over), &ben, NOW), Err(LeaseError::NotHolder));
        assert_eq!(takes(&laptop, &step(&phone, 1, hand_over), &ben, NOW), Err(LeaseError::NotHolder));
    }
    assert!(takes(&laptop, &step(&ben, 1, true), &phone, NOW).is_ok(), "the honest case");
}

/// Attack: G-25
/// By: a holder of before, and one that was removed
/// Does: commits all the same: adds an accomplice, removes the new holder
/// Holds: refused by everybody who knows that the lease went on
#[test]
fn who_lost_the_lease_commits_nothing() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let thief = phone.twin();
    let handed = step(&laptop, 1, false);
    for honest in [&phone, &laptop, &ben] {
        takes(honest, &handed, &phone, NOW).unwrap();
    }
    assert!(phone.commits_nothing());
    let accomplice = thief.invites(&Person::new("Eve's").package()).commit;
    let removal = remove(&phone.twin().vault, &phone.device, &chat(), &[1], b"");
    assert_eq!(removal.unwrap_err(), InviteError::NotHolder);
    for honest in [&laptop, &ben] {
        assert_eq!(honest.opens(&accomplice).unwrap_err(), OpenError::CommitFromObserver { leaf: 0 });
    }
    let before = phone.twin();
    ben.opens(&remove(&laptop.vault, &laptop.device, &chat(), &[0], b"").unwrap()).unwrap();
    let late = seal(&before.vault, &before.device, &chat(), b"I hold it").unwrap();
    for honest in [&laptop, &ben] {
        assert_eq!(honest.opens(&late).unwrap_err(), OpenError::NotAMember);
        assert_eq!(takes(honest, &step(&phone, 2, false), &phone, NOW), Err(LeaseError::NotAMember));
        assert!(honest.opens(&accomplice).is_err());
    }
}

/// What one says of its epoch to another, who may be on another branch.
fn testifies(one: &Person, to: &Person) -> Testimony {
    let said = testify(&one.vault, &one.device, &chat()).unwrap().unwrap();
    hear_testimony(&to.vault, &chat(), &said).unwrap()
}

/// Attack: G-26
/// By: a Reporter, and a Node that helps
/// Does: gives two observers different commits, passes their words on, and forges what they say of their epochs
/// Holds: each learns from the other's signed word that the group is forked; a forged or a foreign one says nothing
#[test]
fn a_forked_group_shows_without_anybody_comparing() {
    let (ana, ben) = ana_and_ben();
    let carl = Person::new("Carl");
    let invitation = ana.invites(&carl.package());
    ben.opens(&invitation.commit).unwrap();
    carl.joins(&invitation.welcome);
    let all = ana.invites(&Person::new("Dora").package());
    for person in [&ben, &carl] {
        person.opens(&all.commit).unwrap();
    }
    assert_eq!(testifies(&carl, &ben), Testimony::Same { by: carl.dsk.verifying_key() });
    let honest = testify(&carl.vault, &carl.device, &chat()).unwrap().unwrap();

    let other_ana = ana.twin();
    ben.opens(&ana.invites(&Person::new("One").package()).commit).unwrap();
    carl.opens(&other_ana.invites(&Person::new("Two").package()).commit).unwrap();
    assert_eq!(ben.opens(&carl.writes("do you read me?")).unwrap_err(), OpenError::Tampered);
    let epoch = ben.epoch();
    assert_eq!(testifies(&carl, &ben), Testimony::Forked { epoch, by: carl.dsk.verifying_key() });
    assert_eq!(testifies(&ben, &carl), Testimony::Forked { epoch, by: ben.dsk.verifying_key() });

    // An older word is no lie about now, and nobody else's word is taken for Carl's.
    assert_eq!(hear_testimony(&ben.vault, &chat(), &honest).unwrap(), Testimony::Same { by: carl.dsk.verifying_key() });
    let stranger = Person::reporting("Mallory");
    stranger.invites(&Person::new("Nobody").package());
    assert_eq!(testifies(&stranger, &ben), Testimony::Unknown);
    for forged in [vec![], vec![0; 40], vec![7; TESTIMONY_LIMIT + 1], honest[..honest.len() - 1].to_vec()] {
        assert_eq!(hear_testimony(&ben.vault, &chat(), &forged).unwrap(), Testimony::Unknown);
    }
}

/// Attack: G-27
/// By: a member that leads nothing, and a Node that kept a Welcome
/// Does: welcomes an honest device into another group of the same name, and back into an epoch that is over
/// Holds: refused; it stays in its group, and reads on
#[test]
fn nobody_is_lured_or_thrown_back_by_a_welcome() {
    let (ana, ben) = ana_and_ben();
    let eve = Person::reporting("Eve");
    let lure = eve.invites(&ben.package()).welcome;
    let last = key_package(&ben.vault, &ben.device, true).unwrap();
    let back = readmit(&ana.vault, &ana.device, &chat(), &[1], &[&last], b"", &mut |_| Ok(())).unwrap();
    let returns = |welcome: &[u8]| {
        let tried = ben.twin();
        let pending = inspect_return(&tried.vault, &tried.device, welcome)?;
        pending.rejoin(&tried.vault, &mut |_| Ok(()), &|_, _| false).map(|_| tried)
    };
    assert_eq!(returns(&lure).err(), Some(JoinError::NotEntitled));
    let ben = returns(&back.welcome).unwrap();
    assert_eq!(ben.reads(&ana.writes("welcome back")), "welcome back");
    let again = inspect_return(&ben.vault, &ben.device, &back.welcome).unwrap();
    assert_eq!(again.rejoin(&ben.vault, &mut |_| Ok(()), &|_, _| true), Err(JoinError::Old));
    assert_eq!(ben.reads(&ana.writes("still here")), "still here");
}

/// Attack: G-28
/// By: an own device that lost the lease to another one, and a member that never could have it
/// Does: commits on under its claim, and claims what was given to somebody else
/// Holds: everybody who heard both claims follows the same one; the other's commits are refused or taken back
#[test]
fn a_claim_that_lost_changes_nothing() {
    let (phone, laptop, ben) = phone_laptop_and_ben();
    let over = NOW + LEASE_LIFE_S + LEASE_SKEW_S + 1;
    // The phone came back too late, and the laptop took over: the lower key counts.
    let claim = |by: &Person| LeaseMove { until: over + LEASE_LIFE_S, ..step(by, 1, false) };
    let (low, high) = if phone.device.verifying_key().as_bytes() < laptop.device.verifying_key().as_bytes() {
        (&phone, &laptop)
    } else {
        (&laptop, &phone)
    };
    for person in [low, high] {
        takes(person, &claim(person), person, over).unwrap();
    }
    takes(&ben, &claim(high), high, over).unwrap();
    let lost = high.invites(&Person::new("Mallory's").package()).commit;
    ben.opens(&lost).unwrap();
    assert_eq!(members(&ben.vault, &chat()).unwrap().len(), 4);
    assert_eq!(takes(&ben, &claim(low), low, over).unwrap().holder, low.device.verifying_key());
    assert_eq!(members(&ben.vault, &chat()).unwrap().len(), 3, "who was let in by the loser is not there");
    assert!(ben.opens(&lost).is_err(), "and it does not come back");
    assert!(ben.opens(&high.writes("but I lead")).is_err());
    assert_eq!(takes(&ben, &claim(&ben), &ben, over), Err(LeaseError::OtherPersona));
    ben.opens(&low.invites(&Person::new("Carl's").package()).commit).unwrap();
}
