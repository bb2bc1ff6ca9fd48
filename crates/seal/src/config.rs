//! The one way our groups are set up, and the bounds of everything a stranger can fill.

use openmls::prelude::{
    Capabilities, Ciphersuite, CredentialType, ExtensionType, MlsGroupCreateConfig, MlsGroupJoinConfig,
    PURE_CIPHERTEXT_WIRE_FORMAT_POLICY, SenderRatchetConfiguration,
};

/// The cipher suite of every group.
pub(crate) const SUITE: Ciphersuite = Ciphersuite::MLS_128_DHKEMX25519_AES128GCM_SHA256_Ed25519;

/// The MLS credential type of ours, in the private range.
pub const CREDENTIAL_TYPE: u16 = 0xF1A7;

/// Every plaintext is padded to a multiple of this, so that a node cannot tell "yes" from "no".
pub const PADDING: usize = 256;

/// Largest Welcome we read: a group of about 1,000 members with its tree.
pub const WELCOME_LIMIT: usize = 1024 * 1024;

/// Largest sealed message or commit we read.
pub const MESSAGE_LIMIT: usize = 1024 * 1024;

/// Largest text that can be sealed at once.
pub const PLAINTEXT_LIMIT: usize = 512 * 1024;

/// Largest key package we read.
pub const KEY_PACKAGE_LIMIT: usize = 8 * 1024;

/// Largest credential of a leaf; one of ours has about 350 bytes.
pub const CREDENTIAL_LIMIT: usize = 4 * 1024;

/// Longest group id; it is the address of the object.
pub const GROUP_ID_LIMIT: usize = message::ADDRESS_LIMIT;

/// Most members of a group: a thousand beside the Reporter. A path commit is linear in it.
pub const MEMBER_LIMIT: usize = 1001;

/// Largest note that travels with a commit: heads of chains, or the entries that justify a leaf.
pub const AAD_LIMIT: usize = 4 * 1024;

/// Most proposals of one member kept for one epoch; the holder of the lease keeps only the first.
pub const PROPOSAL_LIMIT: usize = 16;

/// Epochs that stay readable after a commit, for messages that crossed it on the way.
const PAST_EPOCHS: usize = 4;

/// How many messages of one sender may be late, and how many may be missing.
const LATE_MESSAGES: u32 = 64;
const MISSING_MESSAGES: u32 = 1000;

/// What our leaves can do; a key package that cannot do the same is refused by openmls.
pub(crate) fn capabilities() -> Capabilities {
    Capabilities::new(
        None,
        Some(&[SUITE]),
        Some(&[ExtensionType::LastResort]),
        None,
        Some(&[CredentialType::Other(CREDENTIAL_TYPE)]),
    )
}

/// How a group is set up.
pub(crate) fn create_config() -> MlsGroupCreateConfig {
    MlsGroupCreateConfig::builder()
        .ciphersuite(SUITE)
        .capabilities(capabilities())
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(PAST_EPOCHS)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(sender_ratchet())
        .build()
}

/// How others take part in one.
pub(crate) fn join_config() -> MlsGroupJoinConfig {
    MlsGroupJoinConfig::builder()
        .wire_format_policy(PURE_CIPHERTEXT_WIRE_FORMAT_POLICY)
        .padding_size(PADDING)
        .max_past_epochs(PAST_EPOCHS)
        .number_of_resumption_psks(0)
        .use_ratchet_tree_extension(true)
        .sender_ratchet_configuration(sender_ratchet())
        .build()
}

fn sender_ratchet() -> SenderRatchetConfiguration {
    SenderRatchetConfiguration::new(LATE_MESSAGES, MISSING_MESSAGES)
}
