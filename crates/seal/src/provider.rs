//! What openmls works with: RustCrypto, the system's randomness and one vault.

use openmls::prelude::{MlsGroup, OpenMlsProvider};
use openmls_rust_crypto::RustCrypto;

use crate::shelf::Shelf;
use crate::{GroupId, Vault, VaultError};

/// One vault for the length of one call.
pub(crate) struct Provider<'v> {
    crypto: RustCrypto,
    shelf: Shelf<'v>,
}

impl<'v> Provider<'v> {
    pub(crate) fn new(vault: &'v dyn Vault) -> Self {
        Self { crypto: RustCrypto::default(), shelf: Shelf::new(vault) }
    }

    /// As `new`, but a group loaded through it does not see pending proposals.
    ///
    /// openmls sends nothing while a proposal waits for a commit. With a single committer that
    /// would let one observer's proposal silence everybody until the Reporter is back, so texts
    /// are sealed in the current epoch whatever waits.
    pub(crate) fn blind_to_proposals(vault: &'v dyn Vault) -> Self {
        Self { crypto: RustCrypto::default(), shelf: Shelf::blind_to_proposals(vault) }
    }

    /// Whether to put off writing the keys of messages; see [`Shelf::put_off`].
    pub(crate) fn put_off(&self, puts_off: bool) {
        self.shelf.put_off(puts_off);
    }

    /// Whether what happens touches no past epoch; see [`Shelf::present_only`].
    pub(crate) fn present_only(&self, present_only: bool) {
        self.shelf.present_only(present_only);
    }

    /// Whether the last keys of messages are in memory only.
    pub(crate) fn owes(&self) -> bool {
        self.shelf.owes()
    }

    /// The group, if we have it.
    pub(crate) fn load(&self, group: &GroupId) -> Result<Option<MlsGroup>, VaultError> {
        MlsGroup::load(&self.shelf, &group.to_mls())
    }

    /// The vault's own failure, when that is why openmls gave up.
    pub(crate) fn failure(&self) -> Option<VaultError> {
        self.shelf.take_failure()
    }
}

impl<'v> OpenMlsProvider for Provider<'v> {
    type CryptoProvider = RustCrypto;
    type RandProvider = RustCrypto;
    type StorageProvider = Shelf<'v>;

    fn storage(&self) -> &Shelf<'v> {
        &self.shelf
    }

    fn crypto(&self) -> &RustCrypto {
        &self.crypto
    }

    fn rand(&self) -> &RustCrypto {
        &self.crypto
    }
}
