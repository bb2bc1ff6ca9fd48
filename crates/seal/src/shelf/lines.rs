//! Tells openmls on which shelf each thing lies that it remembers.

use openmls_traits::storage::{CURRENT_VERSION as V, StorageProvider, traits};

use super::{KEY_PACKAGES, SECRETS, Shelf, damaged};
use crate::VaultError;

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
        if self.owes() { Ok(()) } else { self.write_secrets(group_id, message_secrets) }
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
        self.read_secrets(group_id)
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
        self.delete_past(group_id)?;
        self.delete(SECRETS, group_id)
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
