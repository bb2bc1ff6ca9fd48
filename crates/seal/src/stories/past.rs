//! What is kept of epochs that are over, and how rarely it is written.

use std::cell::RefCell;
use std::collections::HashSet;

use super::people::*;
use crate::shelf::PIECE;
use crate::*;

/// A vault that remembers what was written to which table.
struct Watched<'v> {
    vault: &'v MemoryVault,
    written: RefCell<Vec<(String, usize)>>,
    kept: RefCell<HashSet<(String, Vec<u8>)>>,
}

impl<'v> Watched<'v> {
    fn new(vault: &'v MemoryVault) -> Self {
        Self { vault, written: RefCell::default(), kept: RefCell::default() }
    }

    fn bytes(&self) -> usize {
        self.written.borrow().iter().map(|(_, bytes)| bytes).sum()
    }

    /// How many values of past epochs are kept.
    fn past(&self) -> usize {
        self.kept.borrow().iter().filter(|(table, _)| table.starts_with("past")).count()
    }

    fn wrote_past(&self) -> bool {
        self.written.borrow().iter().any(|(table, _)| table.starts_with("past"))
    }
}

impl Vault for Watched<'_> {
    fn get(&self, table: &str, key: &[u8]) -> Result<Option<Vec<u8>>, VaultError> {
        self.vault.get(table, key)
    }

    fn put(&self, table: &str, key: &[u8], value: &[u8]) -> Result<(), VaultError> {
        self.written.borrow_mut().push((table.to_owned(), value.len()));
        self.kept.borrow_mut().insert((table.to_owned(), key.to_vec()));
        self.vault.put(table, key, value)
    }

    fn delete(&self, table: &str, key: &[u8]) -> Result<(), VaultError> {
        self.kept.borrow_mut().remove(&(table.to_owned(), key.to_vec()));
        self.vault.delete(table, key)
    }
}

/// Ana and Ben, in a group whose members have changed a few times among many others.
fn after_changes(others: usize) -> (Person, Person) {
    let (ana, ben) = ana_and_ben();
    let others: Vec<Person> = (0..others).map(|n| Person::new(&format!("number {n}"))).collect();
    let packages: Vec<Vec<u8>> = others.iter().map(Person::package).collect();
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    let invited = invite_many(&ana.vault, &ana.device, &chat(), &packages, b"", &mut trusting()).unwrap();
    ben.opens(&invited.commit).unwrap();
    ben.opens(&ana.removes(&[2])).unwrap();
    (ana, ben)
}

#[test]
fn a_text_costs_the_same_however_many_were_members_in_the_past() {
    let costs = |others| {
        let (ana, ben) = after_changes(others);
        let (to, from) = (Watched::new(&ana.vault), Watched::new(&ben.vault));
        let sealed = seal(&to, &ana.device, &chat(), b"hello").unwrap();
        open(&from, &ben.device, &sealed, &mut trusting()).unwrap();
        assert!(!to.wrote_past() && !from.wrote_past());
        (to.bytes(), from.bytes())
    };
    let (few, many) = (costs(2), costs(40));
    // The tree of keys grows with its depth; the lists of members, with 38 more of them, would bring kilobytes each.
    assert!(many.0 < few.0 + 4_000 && many.1 < few.1 + 4_000, "{few:?} {many:?}");
}

#[test]
fn a_late_text_is_read_once_and_its_key_is_gone_from_the_vault() {
    let (ana, ben) = ana_and_ben();
    let late = [ana.writes("one"), ana.writes("two")];
    let carl = Person::new("Carl");
    ben.opens(&ana.invites(&carl.package()).commit).unwrap();
    ben.reads(&ana.writes("of the present"));
    assert_eq!(ben.reads(&late[1]), "two");
    ben.reads(&ana.writes("of the present again"));
    assert_eq!(ben.opens(&late[1]).unwrap_err(), OpenError::Replayed);
    assert_eq!(ben.reads(&late[0]), "one");
    assert_eq!(ben.opens(&late[0]).unwrap_err(), OpenError::Replayed);
}

#[test]
fn what_is_past_is_kept_in_pieces_that_every_vault_takes_and_goes_with_the_group() {
    let (ana, ben) = ana_and_ben();
    let others: Vec<Person> = (0..5).map(|_| Person::with_credential(vec![7; CREDENTIAL_LIMIT])).collect();
    let packages: Vec<Vec<u8>> = others.iter().map(Person::package).collect();
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    let invited = invite_many(&ana.vault, &ana.device, &chat(), &packages, b"", &mut trusting()).unwrap();
    ben.opens(&invited.commit).unwrap();
    let late = ana.writes("late");
    let watched = Watched::new(&ben.vault);
    for leaf in 2..6 {
        open(&watched, &ben.device, &ana.removes(&[leaf]), &mut trusting()).unwrap();
    }
    assert!(watched.written.borrow().iter().all(|(_, bytes)| *bytes <= PIECE), "{:?}", watched.written);
    assert!(watched.past() > 2, "more than one piece, and their number");
    let opened = open(&watched, &ben.device, &late, &mut trusting()).unwrap();
    assert!(matches!(opened.what, What::Application(text) if text == b"late"));

    forget(&watched, &chat()).unwrap();
    assert_eq!(watched.past(), 0);
}
