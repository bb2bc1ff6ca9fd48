//! What travels as `sealed`: one sealed message or several together, with or without what their sender says of its epoch;
//! and what was sealed, one inner message or a bundle of children.
#![no_main]

use std::cell::RefCell;

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use message::Address;
use seal::parcel::{TOGETHER_LIMIT, join, pack, split, unpack};
use seal::{Device, GroupId, MemoryVault, create, inspect_welcome, invite, key_package, open, peek};
use sync::bundle::{self, BUNDLE_LIMIT};

const OBJECT: &str = "comm://a.localhost/one";

#[derive(Debug, Arbitrary)]
enum Input<'a> {
    Load(&'a [u8]),
    Together(Vec<&'a [u8]>),
    /// What is said before the true messages, and what becomes of some bytes of them all.
    Changed(Vec<Option<&'a [u8]>>, Vec<(u16, u8)>),
    Bundle(&'a [u8]),
}

struct Person {
    vault: MemoryVault,
    device: Device,
}

fn person(number: u8) -> Person {
    Person { vault: MemoryVault::new(), device: Device::new(&fuzz::key(number), vec![number; 64]) }
}

/// Ben, and what Ana sealed for him; he never opens the true ones.
struct World {
    ben: Person,
    texts: Vec<Vec<u8>>,
}

impl World {
    fn new() -> Self {
        let (ana, ben) = (person(1), person(2));
        let group = GroupId::new(OBJECT).expect("a short name");
        create(&ana.vault, &ana.device, &group, 0).expect("a group");
        let package = key_package(&ben.vault, &ben.device, false).expect("a key package");
        let invitation = invite(&ana.vault, &ana.device, &group, &package, &mut |_| Ok(())).expect("an invitation");
        let pending = inspect_welcome(&ben.vault, &ben.device, &invitation.welcome).expect("a welcome");
        pending.join(&ben.vault, &mut |_| Ok(())).expect("a member");
        let text = |text: &[u8]| seal::seal(&ana.vault, &ana.device, &group, text).expect("a text");
        Self { ben, texts: [b"one".as_slice(), b"two", b"three"].map(text).into() }
    }

    /// What arrived is taken apart, and nothing in it is believed that Ana did not seal.
    fn take(&self, load: &[u8]) {
        let Ok(parts) = split(load) else { return };
        assert!((1..=TOGETHER_LIMIT).contains(&parts.len()));
        if parts.len() > 1 {
            let owned: Vec<Vec<u8>> = parts.iter().map(|part| part.to_vec()).collect();
            assert_eq!(join(&owned), load, "together they are what came");
        }
        for part in parts {
            let (sealed, said) = unpack(part);
            assert_eq!(pack(sealed, said), part, "packed again it is what came");
            let _ = peek(sealed);
            if !self.texts.iter().any(|text| text == sealed) {
                let opened = open(&self.ben.vault, &self.ben.device, sealed, &mut |_| Ok(()));
                assert!(opened.is_err(), "nobody sealed this");
            }
        }
    }
}

thread_local! {
    static WORLD: RefCell<World> = RefCell::new(World::new());
}

fuzz_target!(|input: Input<'_>| WORLD.with_borrow(|world| run(world, input)));

fn run(world: &World, input: Input<'_>) {
    match input {
        Input::Load(bytes) => world.take(bytes),
        Input::Together(parts) => {
            let parts: Vec<Vec<u8>> = parts.into_iter().map(<[u8]>::to_vec).collect();
            let load = join(&parts);
            if parts.len() > 1 {
                let fits = parts.len() <= TOGETHER_LIMIT && parts.iter().all(|part| !part.is_empty());
                assert_eq!(split(&load).is_ok(), fits);
            }
            world.take(&load);
        }
        Input::Changed(said, changes) => {
            let packed = |(text, said): (&Vec<u8>, &Option<&[u8]>)| pack(text, *said);
            let parts: Vec<Vec<u8>> = world.texts.iter().cycle().zip(&said).map(packed).collect();
            let mut load = join(&parts);
            for (at, by) in changes {
                let at = usize::from(at) % load.len();
                load[at] ^= by;
            }
            world.take(&load);
        }
        Input::Bundle(plaintext) => {
            let url = Address::parse(OBJECT).expect("an address");
            match bundle::read(plaintext, &url) {
                Err(_) => {}
                Ok(bundle::Sealed::One(one)) => {
                    assert_eq!(one.to.base(), url);
                    let again = bundle::write(std::slice::from_ref(&one));
                    assert!(
                        matches!(bundle::read(again.as_bytes(), &url), Ok(bundle::Sealed::One(same)) if same == one)
                    );
                }
                Ok(bundle::Sealed::Many(children, refused)) => {
                    assert!((2..=BUNDLE_LIMIT).contains(&(children.len() + refused.len())));
                    let beneath = format!("{OBJECT}/children");
                    assert!(children.iter().all(|child| child.to.as_str().starts_with(&beneath)));
                    if children.len() > 1 {
                        let again = bundle::write(&children);
                        let read = bundle::read(again.as_bytes(), &url);
                        assert!(
                            matches!(read, Ok(bundle::Sealed::Many(same, none)) if same == children && none.is_empty())
                        );
                    }
                }
            }
        }
    }
}
