//! What strangers and members seal: as bytes, and as a true message of which somebody changed a few.
#![no_main]

use std::cell::RefCell;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use seal::{
    Device, GroupId, MemoryVault, Sealed, create, inspect_key_package, inspect_welcome, invite, key_package, open, peek,
};

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Peek(&'a [u8]),
    KeyPackage(&'a [u8]),
    Welcome(&'a [u8]),
    Open(&'a [u8]),
    ChangedText(Vec<(u16, u8)>),
    ChangedWelcome(Vec<(u16, u8)>),
    ChangedKeyPackage(Vec<(u16, u8)>),
}

struct Person {
    vault: MemoryVault,
    device: Device,
}

/// Ana's group with Ben in it, and what she sealed for him and for Eve.
struct World {
    ben: Person,
    eve: Person,
    text: Vec<u8>,
    welcome: Vec<u8>,
    package: Vec<u8>,
}

fn person(number: u8) -> Person {
    Person { vault: MemoryVault::new(), device: Device::new(&fuzz::key(number), vec![number; 64]) }
}

impl World {
    fn new() -> Self {
        let (ana, ben, eve) = (person(1), person(2), person(3));
        let group = GroupId::new("comm://a.localhost/one").expect("a short name");
        let package = |person: &Person| key_package(&person.vault, &person.device, false).expect("a key package");
        let invited = |person: &Person| {
            let package = package(person);
            let invitation = invite(&ana.vault, &ana.device, &group, &package, &mut |_| Ok(())).expect("an invitation");
            invitation.welcome
        };
        create(&ana.vault, &ana.device, &group, 0).expect("a group");
        let welcome = invited(&ben);
        let pending = inspect_welcome(&ben.vault, &ben.device, &welcome).expect("a welcome");
        pending.join(&ben.vault, &mut |_| Ok(())).expect("a member");
        let text = seal::seal(&ana.vault, &ana.device, &group, b"hello").expect("a text");
        let welcome = invited(&eve);
        let package = package(&eve);
        Self { ben, eve, text, welcome, package }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|input: Input<'_>| WORLD.with_borrow(|world| run(world, input)));

fn run(world: &World, input: Input<'_>) {
    let World { ben, eve, .. } = world;
    match input {
        Input::Peek(bytes) => {
            if let Ok(Sealed::Message { group, .. }) = peek(bytes) {
                assert!((1..=seal::GROUP_ID_LIMIT).contains(&group.as_bytes().len()));
            }
        }
        Input::KeyPackage(bytes) => drop(inspect_key_package(bytes)),
        Input::Welcome(bytes) => drop(inspect_welcome(&eve.vault, &eve.device, bytes)),
        Input::Open(bytes) => {
            assert!(open(&ben.vault, &ben.device, bytes, &mut |_| Ok(())).is_err(), "nobody sealed this")
        }
        Input::ChangedText(changes) => {
            if let Some(bytes) = changed(&world.text, &changes) {
                let opened = open(&ben.vault, &ben.device, &bytes, &mut |_| Ok(()));
                assert!(opened.is_err(), "a changed text was opened");
            }
        }
        Input::ChangedWelcome(changes) => {
            if let Some(bytes) = changed(&world.welcome, &changes) {
                drop(inspect_welcome(&eve.vault, &eve.device, &bytes));
            }
        }
        Input::ChangedKeyPackage(changes) => {
            if let Some(bytes) = changed(&world.package, &changes) {
                assert!(inspect_key_package(&bytes).is_err(), "a changed key package was believed");
            }
        }
    }
}

fn changed(bytes: &[u8], changes: &[(u16, u8)]) -> Option<Vec<u8>> {
    let mut out = bytes.to_vec();
    for (at, by) in changes {
        let at = usize::from(*at) % out.len();
        out[at] ^= by;
    }
    (out != bytes).then_some(out)
}
