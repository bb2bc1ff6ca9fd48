//! Lays what openmls must remember on the shelves of a vault, as CBOR.

use std::cell::{Cell, RefCell};

use openmls_traits::storage::{CURRENT_VERSION as V, StorageProvider, traits};
use serde::Serialize;
use serde::de::DeserializeOwned;
use zeroize::Zeroizing;

use crate::{Vault, VaultError};

/// The table of our key packages with their private halves.
pub(crate) const KEY_PACKAGES: &str = "key_package";

/// Under which name the private half of a key package is kept.
pub(crate) fn name_of_key_package(reference: &impl Serialize) -> Result<Vec<u8>, VaultError> {
    Ok(encode(KEY_PACKAGES, reference)?.to_vec())
}

/// A vault as openmls sees it.
pub(crate) struct Shelf<'v> {
    vault: &'v dyn Vault,
    hide_proposals: bool,
    puts_off: Cell<bool>,
    owes: Cell<bool>,
    failure: RefCell<Option<VaultError>>,
}

impl<'v> Shelf<'v> {
    pub(crate) fn new(vault: &'v dyn Vault) -> Self {
        Self {
            vault,
            hide_proposals: false,
            puts_off: Cell::new(false),
            owes: Cell::new(false),
            failure: RefCell::new(None),
        }
    }

    pub(crate) fn blind_to_proposals(vault: &'v dyn Vault) -> Self {
        Self { hide_proposals: true, ..Self::new(vault) }
    }

    /// From now on the keys of messages are written only when this is taken back: between two
    /// messages of one transaction nobody reads them, and to encode them costs more than a step.
    pub(crate) fn put_off(&self, puts_off: bool) {
        self.puts_off.set(puts_off);
    }

    /// Whether the last keys of messages are in memory only.
    pub(crate) fn owes(&self) -> bool {
        self.owes.get()
    }

    /// The first failure of the vault itself; openmls hides it in its own errors.
    pub(crate) fn take_failure(&self) -> Option<VaultError> {
        self.failure.borrow_mut().take()
    }

    fn write<K: Serialize, T: Serialize>(&self, table: &str, key: &K, value: &T) -> Result<(), VaultError> {
        let value = encode(table, value)?;
        self.noting(self.vault.put(table, &encode(table, key)?, &value))
    }

    fn read<K: Serialize, T: DeserializeOwned>(&self, table: &str, key: &K) -> Result<Option<T>, VaultError> {
        let Some(bytes) = self.noting(self.vault.get(table, &encode(table, key)?))? else {
            return Ok(None);
        };
        let bytes = Zeroizing::new(bytes);
        self.noting(ciborium::from_reader(bytes.as_slice()).map_err(|_| damaged(table))).map(Some)
    }

    fn delete<K: Serialize>(&self, table: &str, key: &K) -> Result<(), VaultError> {
        self.noting(self.vault.delete(table, &encode(table, key)?))
    }

    fn read_list<T: DeserializeOwned>(&self, table: &str, key: &impl Serialize) -> Result<Vec<T>, VaultError> {
        Ok(self.read(table, key)?.unwrap_or_default())
    }

    fn proposal_refs<T: DeserializeOwned>(&self, group: &impl Serialize) -> Result<Vec<T>, VaultError> {
        if self.hide_proposals { Ok(Vec::new()) } else { self.read_list("proposal_refs", group) }
    }

    fn append<T: Serialize>(&self, table: &str, key: &impl Serialize, item: &T) -> Result<(), VaultError> {
        let mut list: Vec<ciborium::Value> = self.read_list(table, key)?;
        list.push(to_value(table, item)?);
        self.write(table, key, &list)
    }

    fn remove_item<T: Serialize>(&self, table: &str, key: &impl Serialize, item: &T) -> Result<(), VaultError> {
        let gone = to_value(table, item)?;
        let mut list: Vec<ciborium::Value> = self.read_list(table, key)?;
        list.retain(|one| *one != gone);
        self.write(table, key, &list)
    }

    fn noting<T>(&self, result: Result<T, VaultError>) -> Result<T, VaultError> {
        if let Err(error) = &result {
            self.failure.borrow_mut().get_or_insert_with(|| error.clone());
        }
        result
    }
}

fn damaged(table: &str) -> VaultError {
    VaultError::Damaged { table: table.to_owned() }
}

fn encode<T: Serialize + ?Sized>(table: &str, value: &T) -> Result<Zeroizing<Vec<u8>>, VaultError> {
    let mut bytes = Zeroizing::new(Vec::new());
    ciborium::into_writer(value, &mut *bytes).map_err(|_| damaged(table))?;
    Ok(bytes)
}

fn to_value<T: Serialize>(table: &str, item: &T) -> Result<ciborium::Value, VaultError> {
    ciborium::Value::serialized(item).map_err(|_| damaged(table))
}

/// One line for each thing openmls remembers; the names are its own.
impl StorageProvider<V> for Shelf<'_> {
    type Error = VaultError;

    fn write_mls_join_config<A: traits::GroupId<V>, B: traits::MlsGroupJoinConfig<V>>(
        &self,
        group_id: &A,
        config: &B,
    ) -> Result<(), VaultError> {
        self.write("config", group_id, config)
    }

    fn append_own_leaf_node<A: traits::GroupId<V>, B: traits::LeafNode<V>>(
        &self,
        group_id: &A,
        leaf_node: &B,
    ) -> Result<(), VaultError> {
        self.append("own_leaves", group_id, leaf_node)
    }

    fn queue_proposal<A: traits::GroupId<V>, B: traits::ProposalRef<V>, C: traits::QueuedProposal<V>>(
        &self,
        group_id: &A,
        proposal_ref: &B,
        proposal: &C,
    ) -> Result<(), VaultError> {
        self.write("proposal", &(group_id, proposal_ref), proposal)?;
        self.append("proposal_refs", group_id, proposal_ref)
    }

    fn write_tree<A: traits::GroupId<V>, B: traits::TreeSync<V>>(
        &self,
        group_id: &A,
        tree: &B,
    ) -> Result<(), VaultError> {
        self.write("tree", group_id, tree)
    }

    fn write_interim_transcript_hash<A: traits::GroupId<V>, B: traits::InterimTranscriptHash<V>>(
        &self,
        group_id: &A,
        interim_transcript_hash: &B,
    ) -> Result<(), VaultError> {
        self.write("interim_transcript_hash", group_id, interim_transcript_hash)
    }

    fn write_context<A: traits::GroupId<V>, B: traits::GroupContext<V>>(
        &self,
        group_id: &A,
        group_context: &B,
    ) -> Result<(), VaultError> {
        self.write("context", group_id, group_context)
    }

    fn write_confirmation_tag<A: traits::GroupId<V>, B: traits::ConfirmationTag<V>>(
        &self,
        group_id: &A,
        confirmation_tag: &B,
    ) -> Result<(), VaultError> {
        self.write("confirmation_tag", group_id, confirmation_tag)
    }

    fn write_group_state<A: traits::GroupState<V>, B: traits::GroupId<V>>(
        &self,
        group_id: &B,
        group_state: &A,
    ) -> Result<(), VaultError> {
        self.write("group_state", group_id, group_state)
    }

    fn write_message_secrets<A: traits::GroupId<V>, B: traits::MessageSecrets<V>>(
        &self,
        group_id: &A,
        message_secrets: &B,
    ) -> Result<(), VaultError> {
        self.owes.set(self.puts_off.get());
        if self.owes() { Ok(()) } else { self.write("message_secrets", group_id, message_secrets) }
    }

    fn write_resumption_psk_store<A: traits::GroupId<V>, B: traits::ResumptionPskStore<V>>(
        &self,
        group_id: &A,
        resumption_psk_store: &B,
    ) -> Result<(), VaultError> {
        self.write("resumption", group_id, resumption_psk_store)
    }

    fn write_own_leaf_index<A: traits::GroupId<V>, B: traits::LeafNodeIndex<V>>(
        &self,
        group_id: &A,
        own_leaf_index: &B,
    ) -> Result<(), VaultError> {
        self.write("own_leaf_index", group_id, own_leaf_index)
    }

    fn write_group_epoch_secrets<A: traits::GroupId<V>, B: traits::GroupEpochSecrets<V>>(
        &self,
        group_id: &A,
        group_epoch_secrets: &B,
    ) -> Result<(), VaultError> {
        self.write("group_epoch_secrets", group_id, group_epoch_secrets)
    }

    fn write_signature_key_pair<A: traits::SignaturePublicKey<V>, B: traits::SignatureKeyPair<V>>(
        &self,
        public_key: &A,
        signature_key_pair: &B,
    ) -> Result<(), VaultError> {
        self.write("signature_key_pair", public_key, signature_key_pair)
    }

    fn write_encryption_key_pair<A: traits::EncryptionKey<V>, B: traits::HpkeKeyPair<V>>(
        &self,
        public_key: &A,
        key_pair: &B,
    ) -> Result<(), VaultError> {
        self.write("encryption_key_pair", public_key, key_pair)
    }

    fn write_encryption_epoch_key_pairs<A: traits::GroupId<V>, B: traits::EpochKey<V>, C: traits::HpkeKeyPair<V>>(
        &self,
        group_id: &A,
        epoch: &B,
        leaf_index: u32,
        key_pairs: &[C],
    ) -> Result<(), VaultError> {
        self.write("epoch_key_pairs", &(group_id, epoch, leaf_index), &key_pairs)
    }

    fn write_key_package<A: traits::HashReference<V>, B: traits::KeyPackage<V>>(
        &self,
        hash_ref: &A,
        key_package: &B,
    ) -> Result<(), VaultError> {
        self.write(KEY_PACKAGES, hash_ref, key_package)
    }

    fn write_psk<A: traits::PskId<V>, B: traits::PskBundle<V>>(&self, psk_id: &A, psk: &B) -> Result<(), VaultError> {
        self.write("psk", psk_id, psk)
    }

    fn mls_group_join_config<A: traits::GroupId<V>, B: traits::MlsGroupJoinConfig<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("config", group_id)
    }

    fn own_leaf_nodes<A: traits::GroupId<V>, B: traits::LeafNode<V>>(
        &self,
        group_id: &A,
    ) -> Result<Vec<B>, VaultError> {
        self.read_list("own_leaves", group_id)
    }

    fn queued_proposal_refs<A: traits::GroupId<V>, B: traits::ProposalRef<V>>(
        &self,
        group_id: &A,
    ) -> Result<Vec<B>, VaultError> {
        self.proposal_refs(group_id)
    }

    fn queued_proposals<A: traits::GroupId<V>, B: traits::ProposalRef<V>, C: traits::QueuedProposal<V>>(
        &self,
        group_id: &A,
    ) -> Result<Vec<(B, C)>, VaultError> {
        let refs: Vec<B> = self.proposal_refs(group_id)?;
        refs.into_iter()
            .map(|one| {
                let proposal = self.read("proposal", &(group_id, &one))?;
                Ok((one, proposal.ok_or_else(|| damaged("proposal"))?))
            })
            .collect()
    }

    fn tree<A: traits::GroupId<V>, B: traits::TreeSync<V>>(&self, group_id: &A) -> Result<Option<B>, VaultError> {
        self.read("tree", group_id)
    }

    fn group_context<A: traits::GroupId<V>, B: traits::GroupContext<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("context", group_id)
    }

    fn interim_transcript_hash<A: traits::GroupId<V>, B: traits::InterimTranscriptHash<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("interim_transcript_hash", group_id)
    }

    fn confirmation_tag<A: traits::GroupId<V>, B: traits::ConfirmationTag<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("confirmation_tag", group_id)
    }

    fn group_state<A: traits::GroupState<V>, B: traits::GroupId<V>>(
        &self,
        group_id: &B,
    ) -> Result<Option<A>, VaultError> {
        self.read("group_state", group_id)
    }

    fn message_secrets<A: traits::GroupId<V>, B: traits::MessageSecrets<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("message_secrets", group_id)
    }

    fn resumption_psk_store<A: traits::GroupId<V>, B: traits::ResumptionPskStore<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("resumption", group_id)
    }

    fn own_leaf_index<A: traits::GroupId<V>, B: traits::LeafNodeIndex<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("own_leaf_index", group_id)
    }

    fn group_epoch_secrets<A: traits::GroupId<V>, B: traits::GroupEpochSecrets<V>>(
        &self,
        group_id: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("group_epoch_secrets", group_id)
    }

    fn signature_key_pair<A: traits::SignaturePublicKey<V>, B: traits::SignatureKeyPair<V>>(
        &self,
        public_key: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read("signature_key_pair", public_key)
    }

    fn encryption_key_pair<A: traits::HpkeKeyPair<V>, B: traits::EncryptionKey<V>>(
        &self,
        public_key: &B,
    ) -> Result<Option<A>, VaultError> {
        self.read("encryption_key_pair", public_key)
    }

    fn encryption_epoch_key_pairs<A: traits::GroupId<V>, B: traits::EpochKey<V>, C: traits::HpkeKeyPair<V>>(
        &self,
        group_id: &A,
        epoch: &B,
        leaf_index: u32,
    ) -> Result<Vec<C>, VaultError> {
        Ok(self.read("epoch_key_pairs", &(group_id, epoch, leaf_index))?.unwrap_or_default())
    }

    fn key_package<A: traits::HashReference<V>, B: traits::KeyPackage<V>>(
        &self,
        hash_ref: &A,
    ) -> Result<Option<B>, VaultError> {
        self.read(KEY_PACKAGES, hash_ref)
    }

    fn psk<A: traits::PskBundle<V>, B: traits::PskId<V>>(&self, psk_id: &B) -> Result<Option<A>, VaultError> {
        self.read("psk", psk_id)
    }

    fn remove_proposal<A: traits::GroupId<V>, B: traits::ProposalRef<V>>(
        &self,
        group_id: &A,
        proposal_ref: &B,
    ) -> Result<(), VaultError> {
        self.delete("proposal", &(group_id, proposal_ref))?;
        self.remove_item("proposal_refs", group_id, proposal_ref)
    }

    fn delete_own_leaf_nodes<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("own_leaves", group_id)
    }

    fn delete_group_config<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("config", group_id)
    }

    fn delete_tree<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("tree", group_id)
    }

    fn delete_confirmation_tag<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("confirmation_tag", group_id)
    }

    fn delete_group_state<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("group_state", group_id)
    }

    fn delete_context<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("context", group_id)
    }

    fn delete_interim_transcript_hash<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("interim_transcript_hash", group_id)
    }

    fn delete_message_secrets<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("message_secrets", group_id)
    }

    fn delete_all_resumption_psk_secrets<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("resumption", group_id)
    }

    fn delete_own_leaf_index<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("own_leaf_index", group_id)
    }

    fn delete_group_epoch_secrets<A: traits::GroupId<V>>(&self, group_id: &A) -> Result<(), VaultError> {
        self.delete("group_epoch_secrets", group_id)
    }

    fn clear_proposal_queue<A: traits::GroupId<V>, B: traits::ProposalRef<V>>(
        &self,
        group_id: &A,
    ) -> Result<(), VaultError> {
        for one in self.read_list::<B>("proposal_refs", group_id)? {
            self.delete("proposal", &(group_id, &one))?;
        }
        self.delete("proposal_refs", group_id)
    }

    fn delete_signature_key_pair<A: traits::SignaturePublicKey<V>>(&self, public_key: &A) -> Result<(), VaultError> {
        self.delete("signature_key_pair", public_key)
    }

    fn delete_encryption_key_pair<A: traits::EncryptionKey<V>>(&self, public_key: &A) -> Result<(), VaultError> {
        self.delete("encryption_key_pair", public_key)
    }

    fn delete_encryption_epoch_key_pairs<A: traits::GroupId<V>, B: traits::EpochKey<V>>(
        &self,
        group_id: &A,
        epoch: &B,
        leaf_index: u32,
    ) -> Result<(), VaultError> {
        self.delete("epoch_key_pairs", &(group_id, epoch, leaf_index))
    }

    fn delete_key_package<A: traits::HashReference<V>>(&self, hash_ref: &A) -> Result<(), VaultError> {
        self.delete(KEY_PACKAGES, hash_ref)
    }

    fn delete_psk<A: traits::PskId<V>>(&self, psk_id: &A) -> Result<(), VaultError> {
        self.delete("psk", psk_id)
    }
}
