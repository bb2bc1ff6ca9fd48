//! Many members in one commit, many messages in one go, and what travels with a commit.

use std::cell::{Cell, RefCell};

use super::people::*;
use crate::*;

fn invites_all(ana: &Person, people: &[Person], aad: &[u8]) -> Invitation {
    let packages: Vec<Vec<u8>> = people.iter().map(Person::package).collect();
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    invite_many(&ana.vault, &ana.device, &chat(), &packages, aad, &mut trusting()).unwrap()
}

#[test]
fn many_are_invited_and_removed_in_one_commit_each() {
    let (ana, ben) = ana_and_ben();
    let others: Vec<Person> = (0..5).map(|n| Person::new(&format!("number {n}"))).collect();
    let invited = invites_all(&ana, &others, b"");
    let What::Commit { added, epoch, .. } = ben.opens(&invited.commit).unwrap().what else { panic!("no commit") };
    assert_eq!((added.len(), epoch), (5, 2));
    assert_eq!(added, members(&ben.vault, &chat()).unwrap()[2..], "each is told with the leaf it has");
    others.iter().for_each(|one| one.joins(&invited.welcome));
    assert_eq!(members(&others[4].vault, &chat()).unwrap(), members(&ana.vault, &chat()).unwrap());
    assert_eq!(others[3].reads(&others[0].writes("hello")), "hello");

    let removal = ana.removes(&[2, 4, 6]);
    let What::Commit { removed, epoch, .. } = ben.opens(&removal).unwrap().what else { panic!("no commit") };
    assert_eq!((removed.iter().map(|member| member.leaf).collect::<Vec<_>>(), epoch), (vec![2, 4, 6], 3));
    assert_eq!(members(&ben.vault, &chat()).unwrap().len(), 4);
}

#[test]
fn of_many_all_come_or_none() {
    let (ana, ben) = ana_and_ben();
    let (carl, dora) = (Person::new("Carl"), Person::new("Dora"));
    let attempt = |packages: &[&[u8]]| {
        invite_many(&ana.vault, &ana.device, &chat(), packages, b"", &mut |member| {
            if member.dsk == dora.key() { Err("revoked".into()) } else { Ok(()) }
        })
        .unwrap_err()
    };
    let nth = |at, reason| InviteError::Nth { at, reason: Box::new(reason) };
    let package = carl.package();
    assert_eq!(attempt(&[]), InviteError::Nobody);
    assert_eq!(attempt(&[&package, &dora.package()]), nth(1, InviteError::Unverified("revoked".into())));
    assert_eq!(attempt(&[&package, &package]), nth(1, InviteError::AlreadyMember));
    assert_eq!(attempt(&[&package, &ben.package()]), nth(1, InviteError::AlreadyMember));
    assert!(matches!(attempt(&[b"rubbish"]), InviteError::Nth { at: 0, .. }));
    assert_eq!(remove(&ana.vault, &ana.device, &chat(), &[], b"").unwrap_err(), InviteError::Nobody);
    assert_eq!(members(&ana.vault, &chat()).unwrap().len(), 2);
    assert_eq!(epoch(&ana.vault, &chat()).unwrap(), 1);
}

#[test]
fn what_travels_with_a_commit_is_known_before_a_leaf_is_judged_and_hidden_from_the_way() {
    let (ana, ben) = ana_and_ben();
    let carl = Person::new("Carl");
    let note = b"entry 7 of Carl's chain";
    let package = carl.package();
    let invited = invite_many(&ana.vault, &ana.device, &chat(), &[&package], note, &mut |candidate| {
        if candidate.aad() == note { Ok(()) } else { Err("nothing came along".into()) }
    })
    .unwrap();
    assert!(!invited.commit.windows(note.len()).any(|part| part == note), "the node reads nothing of it");
    let seen = RefCell::new(Vec::new());
    let mut check = |candidate: &Candidate<'_>| {
        seen.borrow_mut().push((candidate.dsk, candidate.aad().to_vec()));
        Ok(())
    };
    let opened = open(&ben.vault, &ben.device, &invited.commit, &mut check).unwrap();
    let What::Commit { aad, .. } = opened.what else { panic!("no commit") };
    assert_eq!(aad, note);
    assert_eq!(seen.into_inner(), [(carl.key(), note.to_vec())]);
    carl.joins(&invited.welcome);

    let removal = remove(&ana.vault, &ana.device, &chat(), &[2], b"heads").unwrap();
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), &[7; AAD_LIMIT], &mut trusting()).unwrap();
    for (commit, expected) in [(removal, b"heads".to_vec()), (renewal.commit, vec![7; AAD_LIMIT])] {
        let What::Commit { aad, .. } = ben.opens(&commit).unwrap().what else { panic!("no commit") };
        assert_eq!(aad, expected);
    }
    let large = commit_pending(&ana.vault, &ana.device, &chat(), &[7; AAD_LIMIT + 1], &mut trusting());
    assert_eq!(large.unwrap_err(), InviteError::AadTooLarge);
    assert_eq!(ben.reads(&ana.writes("no note sticks to a text")), "no note sticks to a text");
}

#[test]
fn many_messages_are_sealed_and_opened_in_one_go() {
    let (ana, ben) = ana_and_ben();
    let texts: Vec<String> = (0..50).map(|n| format!("number {n}")).collect();
    let plain: Vec<&[u8]> = texts.iter().map(|text| text.as_bytes()).collect();
    let ana_writes = Counting::new(&ana.vault);
    let sealed = seal_many(&ana_writes, &ana.device, &chat(), &plain).unwrap();
    let bytes: Vec<&[u8]> = sealed.iter().map(Vec::as_slice).collect();
    let ben_writes = Counting::new(&ben.vault);
    let opened = open_many(&ben_writes, &ben.device, &bytes, &mut trusting()).unwrap();
    for (one, text) in opened.into_iter().zip(&texts) {
        assert!(matches!(one.unwrap().what, What::Application(read) if read == text.as_bytes()));
    }
    assert_eq!((ana_writes.writes.get(), ben_writes.writes.get()), (1, 1), "one write each, not fifty");
    assert_eq!(ben.opens(&sealed[49]).unwrap_err(), OpenError::Replayed);
    assert_eq!(ben.reads(&ana.writes("one more")), "one more");
}

#[test]
fn one_that_is_refused_among_many_is_refused_alone() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let attack = eve.commits_without_a_lease(1);
    let (first, second) = (ana.writes("first"), ana.writes("second"));
    let invited = ana.invites(&Person::new("Carl").package());
    let after = ana.writes("to all four");
    let bytes: Vec<&[u8]> = vec![&first, b"rubbish", &attack, &first, &invited.commit, &after, &second, &attack];
    let opened = open_many(&ben.vault, &ben.device, &bytes, &mut trusting()).unwrap();
    let said: Vec<_> = opened
        .iter()
        .map(|one| match one {
            Ok(Opened { what: What::Application(text), .. }) => String::from_utf8_lossy(text).into_owned(),
            Ok(_) => "a commit".into(),
            Err(error) => error.code().into(),
        })
        .collect();
    assert_eq!(
        said,
        ["first", "malformed", "commit-from-observer", "replayed", "a commit", "to all four", "second", "replayed"]
    );
    assert_eq!(epoch(&ben.vault, &chat()).unwrap(), 3);
    assert_eq!(ben.reads(&ana.writes("and on")), "and on");
}

#[test]
fn a_commit_that_was_refused_for_want_of_proof_is_taken_once_there_is_proof() {
    let (ana, ben) = ana_and_ben();
    let mut kept = Kept::load(&ben.vault, &chat()).unwrap();
    let (before, invited) = (ana.writes("before"), ana.invites(&Person::new("Carl").package()));
    let proven = Cell::new(false);
    let mut check = |_: &Candidate<'_>| if proven.get() { Ok(()) } else { Err("no chain yet".into()) };
    let mut go = |bytes: &[&[u8]]| kept.open_many(&ben.vault, &ben.device, bytes, &mut check).unwrap();
    let refused = go(&[&before, &invited.commit, &before]);
    let codes = refused.iter().map(|one| one.as_ref().err().map(OpenError::code));
    assert_eq!(codes.collect::<Vec<_>>(), [None, Some("unverified"), Some("replayed")]);
    proven.set(true);
    assert!(go(&[&invited.commit])[0].is_ok());
    assert_eq!(ben.reads(&ana.writes("three of us")), "three of us");
}

#[test]
fn a_group_that_is_kept_in_memory_leaves_the_same_in_the_vault() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let mut kept = Kept::load(&ben.vault, &chat()).unwrap();
    let mut opens =
        |bytes: &[u8]| kept.open_many(&ben.vault, &ben.device, &[bytes], &mut trusting()).unwrap().remove(0);
    opens(&ana.writes("one")).unwrap();
    opens(&propose_refresh(&eve.vault, &eve.device, &chat()).unwrap()).unwrap();
    opens(&ana.invites(&Person::new("Carl").package()).commit).unwrap();
    let last = ana.writes("two");
    opens(&last).unwrap();
    assert_eq!(opens(&last).unwrap_err(), OpenError::Replayed);
    assert_eq!(ben.opens(&last).unwrap_err(), OpenError::Replayed, "the vault knows it too");
    opens(&propose_refresh(&eve.vault, &eve.device, &chat()).unwrap_or_default()).unwrap_err();
    let sealed = kept.seal_many(&ben.vault, &ben.device, &[b"from Ben"]).unwrap().remove(0);
    assert_eq!(ana.reads(&sealed), "from Ben");
}

/// Keys are laid into the vault late; whatever comes between, those that were used are gone from it.
#[test]
fn what_was_opened_among_others_is_used_up_in_the_vault_whatever_follows() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let attack = eve.commits_without_a_lease(1);
    let (crossed, texts) = (eve.writes("crossed"), ["a", "b", "c"].map(|text| ana.writes(text)));
    let invited = ana.invites(&Person::new("Carl").package());
    let later = ana.writes("d");
    let refused: [&[&[u8]]; 5] = [&[], &[b"rubbish"], &[&texts[2]], &[&attack], &[&attack, &attack, b"rubbish"]];
    let commit: [&[&[u8]]; 3] = [&[&invited.commit], &[&invited.commit, &later], &[&invited.commit, &crossed, &later]];
    for end in refused.into_iter().chain(commit) {
        let messages: Vec<&[u8]> = texts.iter().map(Vec::as_slice).chain(end.iter().copied()).collect();
        for in_memory in [false, true] {
            let ben = ben.snapshot();
            let opened = if in_memory {
                let mut kept = Kept::load(&ben.vault, &chat()).unwrap();
                kept.open_many(&ben.vault, &ben.device, &messages, &mut trusting()).unwrap()
            } else {
                open_many(&ben.vault, &ben.device, &messages, &mut trusting()).unwrap()
            };
            for (one, message) in opened.iter().zip(&messages) {
                if let Ok(Opened { what: What::Application(_), .. }) = one {
                    assert_eq!(ben.opens(message).unwrap_err(), OpenError::Replayed);
                }
            }
            assert!(opened[..3].iter().all(Result::is_ok));
        }
    }
}

#[test]
fn who_joins_may_keep_the_group_in_memory_at_once() {
    let (ana, _) = ana_and_ben();
    let carl = Person::new("Carl");
    let invited = ana.invites(&carl.package());
    let pending = inspect_welcome(&carl.vault, &carl.device, &invited.welcome).unwrap();
    let mut kept = pending.join_and_keep(&carl.vault, &mut trusting()).unwrap();
    assert_eq!(kept.group(), &chat());
    let hello = ana.writes("hello Carl");
    let opened = kept.open_many(&carl.vault, &carl.device, &[&hello], &mut trusting()).unwrap().remove(0).unwrap();
    assert!(matches!(opened.what, What::Application(text) if text == b"hello Carl"));
    assert_eq!(carl.opens(&hello).unwrap_err(), OpenError::Replayed);
    assert_eq!(lease(&carl.vault, &chat()).unwrap().holder, ana.key());
}

#[test]
fn a_wish_that_waits_silences_nobody_who_keeps_the_group_in_memory() {
    let (ana, ben, eve) = ana_ben_and_eve();
    let wish = propose_refresh(&eve.vault, &eve.device, &chat()).unwrap();
    let mut kept = Kept::load(&ben.vault, &chat()).unwrap();
    kept.open_many(&ben.vault, &ben.device, &[&wish], &mut trusting()).unwrap().remove(0).unwrap();
    let sealed = kept.seal_many(&ben.vault, &ben.device, &[b"a", b"b"]).unwrap();
    assert_eq!([ana.reads(&sealed[0]), ana.reads(&sealed[1])], ["a", "b"]);
    ana.opens(&wish).unwrap();
    let renewal = commit_pending(&ana.vault, &ana.device, &chat(), b"", &mut trusting()).unwrap();
    kept.open_many(&ben.vault, &ben.device, &[&renewal.commit], &mut trusting()).unwrap().remove(0).unwrap();
}

#[test]
fn if_the_vault_fails_nothing_was_opened() {
    let (ana, ben) = ana_and_ben();
    let broken = Counting::new(&ben.vault);
    broken.fails.set(true);
    let sealed = ana.writes("hello");
    let failed = open_many(&broken, &ben.device, &[&sealed], &mut trusting());
    assert_eq!(failed.unwrap_err(), VaultError::Failed("full".into()));
    assert_eq!(ben.reads(&sealed), "hello");
}

/// A group of a thousand fits into what we send and read, with credentials as large as ours.
#[test]
fn a_thousand_members_fit() {
    let ana = Person::with_credential(vec![7; 400]);
    create(&ana.vault, &ana.device, &chat(), NOW).unwrap();
    let others: Vec<Person> = (1..MEMBER_LIMIT).map(|_| Person::with_credential(vec![7; 400])).collect();
    let invited = invites_all(&ana, &others, b"");
    assert!(invited.welcome.len() < WELCOME_LIMIT && invited.commit.len() < MESSAGE_LIMIT, "{invited:?}");
    others[500].joins(&invited.welcome);
    assert_eq!(members(&others[500].vault, &chat()).unwrap().len(), MEMBER_LIMIT);
    assert_eq!(others[500].reads(&ana.writes("to all")), "to all");
    let one_more = invite(&ana.vault, &ana.device, &chat(), &Person::new("Zoe").package(), &mut trusting());
    assert_eq!(one_more.unwrap_err(), InviteError::Full);
    let removal = ana.removes(&[3]);
    assert!(removal.len() < MESSAGE_LIMIT);
    others[500].opens(&removal).unwrap();
}

/// Counts what is written, and can be full.
struct Counting<'v> {
    vault: &'v MemoryVault,
    writes: Cell<usize>,
    fails: Cell<bool>,
}

impl<'v> Counting<'v> {
    fn new(vault: &'v MemoryVault) -> Self {
        Self { vault, writes: Cell::new(0), fails: Cell::new(false) }
    }
}

impl Vault for Counting<'_> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.vault.get(table, key)
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), VaultError> {
        if self.fails.get() {
            return Err(VaultError::Failed("full".into()));
        }
        self.writes.set(self.writes.get() + 1);
        self.vault.put(table, key, value)
    }

    fn delete(&self, table: &str, key: &[u8]) -> Result<(), VaultError> {
        self.writes.set(self.writes.get() + 1);
        self.vault.delete(table, key)
    }
}
