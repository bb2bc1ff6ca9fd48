//! Who is in a group: a leaf, its device key, and a credential that others judge.

use std::fmt;
use std::ops::Deref;

use keys::VerifyingKey;
use openmls::prelude::{Credential, CredentialType, LeafNode, LeafNodeIndex, MlsGroup};

use crate::config::{CREDENTIAL_LIMIT, CREDENTIAL_TYPE, GROUP_ID_LIMIT};

/// Judges a leaf that wants in; the text of a refusal says why, without private data.
///
/// A [`Candidate`] reads as the [`Member`] it would be, so a check that only needs that may be
/// written as if it were given one.
pub type Check<'a> = &'a mut dyn FnMut(&Candidate<'_>) -> Result<(), String>;

/// A leaf that wants in or is renewed, with what came along to justify it.
#[derive(Clone, Copy)]
pub struct Candidate<'a> {
    member: &'a Member,
    aad: &'a [u8],
}

impl<'a> Candidate<'a> {
    pub(crate) fn new(member: &'a Member, aad: &'a [u8]) -> Self {
        Self { member, aad }
    }

    /// The member it would be.
    pub fn member(&self) -> &'a Member {
        self.member
    }

    /// What the committer put into the commit; empty where there is no commit, as in a Welcome.
    pub fn aad(&self) -> &'a [u8] {
        self.aad
    }
}

impl Deref for Candidate<'_> {
    type Target = Member;

    fn deref(&self) -> &Member {
        self.member
    }
}

impl fmt::Debug for Candidate<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Candidate(leaf {}, {} bytes along)", self.member.leaf, self.aad.len())
    }
}

/// The id of a group: the bytes of the object's address.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct GroupId(Vec<u8>);

impl GroupId {
    /// The id for an object's address; `None` if it is empty or longer than [`GROUP_ID_LIMIT`].
    pub fn new(bytes: impl AsRef<[u8]>) -> Option<Self> {
        let bytes = bytes.as_ref();
        (!bytes.is_empty() && bytes.len() <= GROUP_ID_LIMIT).then(|| Self(bytes.to_vec()))
    }

    /// The id of an object's group; an address is never empty and never too long.
    pub fn of(object: &message::Address) -> Self {
        Self(object.as_str().as_bytes().to_vec())
    }

    /// The address of the object, if this is one.
    pub fn address(&self) -> Option<message::Address> {
        self.as_str().and_then(|text| message::Address::parse(text).ok())
    }

    /// The bytes.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// The address it was made from, if it is text.
    pub fn as_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0).ok()
    }

    pub(crate) fn to_mls(&self) -> openmls::group::GroupId {
        openmls::group::GroupId::from_slice(&self.0)
    }
}

impl AsRef<[u8]> for GroupId {
    fn as_ref(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for GroupId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("GroupId(…)")
    }
}

/// One device in a group.
#[derive(Clone, PartialEq, Eq)]
pub struct Member {
    /// Its place in the tree.
    pub leaf: u32,
    /// What it says of itself; opaque here.
    pub credential: Vec<u8>,
    /// The key that signs everything it sends.
    pub dsk: VerifyingKey,
}

impl Member {
    /// Reads a leaf; the reason if it cannot be one of ours.
    pub(crate) fn read(leaf: u32, credential: &Credential, signature_key: &[u8]) -> Result<Self, String> {
        if credential.credential_type() != CredentialType::Other(CREDENTIAL_TYPE) {
            return Err("its credential is of another kind".into());
        }
        let content = credential.serialized_content();
        if content.len() > CREDENTIAL_LIMIT {
            return Err("its credential is too large".into());
        }
        let dsk = VerifyingKey::from_bytes(signature_key).map_err(|error| error.to_string())?;
        Ok(Self { leaf, credential: content.to_vec(), dsk })
    }

    pub(crate) fn of_leaf_node(leaf: u32, node: &LeafNode) -> Result<Self, String> {
        Self::read(leaf, node.credential(), node.signature_key().as_slice())
    }

    pub(crate) fn of_mls(member: &openmls::group::Member) -> Result<Self, String> {
        Self::read(member.index.u32(), &member.credential, &member.signature_key)
    }

    /// Whether [`Member::of_mls`] would read this one.
    pub(crate) fn is(&self, member: &openmls::group::Member) -> bool {
        self.leaf == member.index.u32()
            && self.dsk.as_bytes().as_slice() == member.signature_key
            && member.credential.credential_type() == CredentialType::Other(CREDENTIAL_TYPE)
            && self.credential == member.credential.serialized_content()
    }
}

impl fmt::Debug for Member {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Member(leaf {})", self.leaf)
    }
}

/// The member at a leaf; the reason if there is none of ours.
pub(crate) fn at(group: &MlsGroup, leaf: u32) -> Result<Member, String> {
    let member = group.member_at(LeafNodeIndex::new(leaf)).ok_or_else(|| "nobody sits there".to_owned())?;
    Member::of_mls(&member)
}

/// All members of a group, by leaf.
pub(crate) fn all(group: &MlsGroup) -> Result<Vec<Member>, String> {
    group.members().map(|member| Member::of_mls(&member)).collect()
}

/// The leaves the next `count` new members will get once `removed` are gone: the leftmost free.
pub(crate) fn next_leaves(group: &MlsGroup, removed: &[u32], count: usize) -> Vec<u32> {
    let taken: std::collections::BTreeSet<u32> =
        group.members().map(|member| member.index.u32()).filter(|leaf| !removed.contains(leaf)).collect();
    (0..).filter(|leaf| !taken.contains(leaf)).take(count).collect()
}
