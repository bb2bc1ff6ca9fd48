//! The people of the stories: each has a device, a vault, and verbs.

use keys::SigningKey;
use openmls::prelude::{LeafNodeIndex, MlsGroup};

use crate::provider::Provider;
use crate::*;

/// When the stories begin.
pub(super) const NOW: i64 = 1_800_000_000;

/// One device with its own vault.
pub(super) struct Person {
    pub(super) vault: MemoryVault,
    pub(super) device: Device,
    pub(super) dsk: SigningKey,
}

impl Person {
    pub(super) fn new(name: &str) -> Self {
        let dsk = SigningKey::generate();
        let device = Device::new(&dsk, format!("credential of {name}").into_bytes());
        Self { vault: MemoryVault::new(), device, dsk }
    }

    pub(super) fn with_credential(credential: Vec<u8>) -> Self {
        let dsk = SigningKey::generate();
        Self { vault: MemoryVault::new(), device: Device::new(&dsk, credential), dsk }
    }

    pub(super) fn package(&self) -> Vec<u8> {
        key_package(&self.vault, &self.device, false).unwrap()
    }

    pub(super) fn writes(&self, text: &str) -> Vec<u8> {
        seal(&self.vault, &self.device, &chat(), text.as_bytes()).unwrap()
    }

    pub(super) fn opens(&self, sealed: &[u8]) -> Result<Opened, OpenError> {
        open(&self.vault, &self.device, sealed, &mut trusting())
    }

    pub(super) fn reads(&self, sealed: &[u8]) -> String {
        match self.opens(sealed).unwrap().what {
            What::Application(text) => String::from_utf8(text).unwrap(),
            other => panic!("not a text: {other:?}"),
        }
    }

    pub(super) fn invites(&self, package: &[u8]) -> Invitation {
        invite(&self.vault, &self.device, &chat(), package, &mut trusting()).unwrap()
    }

    pub(super) fn joins(&self, welcome: &[u8]) {
        let pending = inspect_welcome(&self.vault, &self.device, welcome).unwrap();
        pending.join(&self.vault, &mut trusting()).unwrap();
    }

    pub(super) fn provider(&self) -> Provider<'_> {
        Provider::new(&self.vault)
    }

    pub(super) fn mls(&self) -> MlsGroup {
        self.provider().load(&chat()).unwrap().unwrap()
    }
}

pub(super) fn chat() -> GroupId {
    GroupId::new("comm://a.localhost/one").unwrap()
}

pub(super) fn trusting() -> impl FnMut(&Candidate<'_>) -> Result<(), String> {
    |_: &Candidate<'_>| Ok(())
}

/// Ana is the Reporter, Ben her observer.
pub(super) fn ana_and_ben() -> (Person, Person) {
    let (ana, ben) = (Person::new("Ana"), Person::new("Ben"));
    create(&ana.vault, &ana.device, &chat(), NOW).unwrap();
    ben.joins(&ana.invites(&ben.package()).welcome);
    (ana, ben)
}

pub(super) fn ana_ben_and_eve() -> (Person, Person, Person) {
    let (ana, ben) = ana_and_ben();
    let eve = Person::new("Eve");
    let invitation = ana.invites(&eve.package());
    ben.opens(&invitation.commit).unwrap();
    eve.joins(&invitation.welcome);
    (ana, ben, eve)
}

impl Person {
    /// The same device as it was at this moment.
    pub(super) fn snapshot(&self) -> Self {
        Self { vault: self.vault.snapshot(), device: self.device.clone(), dsk: self.dsk.clone() }
    }

    pub(super) fn may_commit(&self) -> bool {
        holds_lease(&self.vault, &self.device, &chat()).unwrap()
    }

    pub(super) fn key(&self) -> keys::VerifyingKey {
        self.dsk.verifying_key()
    }

    /// A commit that removes a member, made without asking whether it is allowed.
    pub(super) fn commits_without_a_lease(&self, removed: u32) -> Vec<u8> {
        let before = self.vault.snapshot();
        let provider = Provider::new(&before);
        let mut group = provider.load(&chat()).unwrap().unwrap();
        let (commit, _, _) = group.remove_members(&provider, &self.device, &[LeafNodeIndex::new(removed)]).unwrap();
        commit.to_bytes().unwrap()
    }

    pub(super) fn removes(&self, leaves: &[u32]) -> Vec<u8> {
        remove(&self.vault, &self.device, &chat(), leaves, b"").unwrap()
    }
}
