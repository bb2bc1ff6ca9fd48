//! What is said about trust: devices, comparing, key changes, recovery, locks, policies and their trail.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Trouble;

/// A device of the person who uses the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct DeviceView {
    /// Names it in questions.
    pub device: String,
    /// What its owner calls it.
    pub name: String,
    /// Whether it is the one that is asked.
    pub this: bool,
    /// Unix milliseconds of when it was added.
    #[ts(type = "number")]
    pub added_at: i64,
    /// Unix milliseconds until when it counts; it renews itself before.
    #[ts(type = "number")]
    pub expires_at: i64,
    /// Where it stands.
    pub state: DeviceState,
}

/// Where a device stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum DeviceState {
    /// May speak for the person.
    Active,
    /// Was taken out.
    Revoked,
    /// Was not renewed in time.
    Expired,
}

/// A device of another person, as their history names it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PersonDevice {
    /// What they call it.
    pub name: String,
    /// Unix milliseconds of when they added it.
    #[ts(type = "number")]
    pub added_at: i64,
    /// Where it stands.
    pub state: DeviceState,
}

/// A device that takes part in a conversation.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ChatDevice {
    /// Whose it is.
    pub user: String,
    /// What its owner calls it.
    pub name: String,
}

/// What a new device is told to be linked with this one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct LinkCode {
    /// To be scanned, or copied and pasted there. Works once.
    pub code: String,
    /// Unix milliseconds.
    #[ts(type = "number")]
    pub expires_at: i64,
}

/// How far the linking of a device is, on either of the two.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum LinkState {
    /// Here: the code is shown, nobody used it yet.
    Offered,
    /// Here: a device used the code and asks to be let in.
    Asked {
        /// What it calls itself.
        name: String,
        /// Six digits that must be the same on both screens.
        check: String,
    },
    /// On the new device: the domain is being reached.
    Reaching,
    /// On the new device: the other one has to say yes.
    Waiting {
        /// Six digits that must be the same on both screens.
        check: String,
    },
    /// Conversations and contacts are on their way.
    Transferring {
        /// Items that arrived.
        done: u32,
        /// Items in all.
        total: u32,
    },
    /// The new device has everything.
    Done,
    /// It was given up or did not work.
    Failed {
        /// What and what to do.
        trouble: Trouble,
    },
}

/// What two people compare to be sure of each other.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct SafetyCode {
    /// Twelve groups of five digits.
    pub digits: Vec<String>,
    /// Twelve words that say the same.
    pub words: Vec<String>,
    /// What the QR code holds.
    pub qr: String,
}

/// What came of a scanned code.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum ScanOutcome {
    /// It is them.
    Match,
    /// Do not continue: somebody is in between, or it is the code of somebody else.
    Mismatch,
    /// Not a code of this app.
    NoCode,
}

/// Why somebody's keys are not what they were.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum KeyChangeKind {
    /// They replaced their root key themselves; their old key says so.
    Rotated,
    /// They used their recovery key.
    Recovered,
    /// They lost every key and began anew through their issuer, after the public delay.
    Reset,
    /// Nobody who was known before confirms it.
    Unexplained,
    /// The codes were compared and did not match.
    Mismatch,
}

/// A change of somebody's keys that waits for a decision, or that one should know of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct KeyChange {
    /// Why.
    pub kind: KeyChangeKind,
    /// Unix milliseconds of when it was noticed.
    #[ts(type = "number")]
    pub at: i64,
    /// The issuer that vouched for the new keys, as host name.
    pub issuer: Option<String>,
    /// Whether nothing is sent until the person decides.
    pub stops: bool,
}

/// How sure one could be of a message when it came or left.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum TrustMark {
    /// Every device in the conversation belonged to people who were compared.
    Verified,
    /// Vouched for, not compared.
    Introduced,
    /// Written under keys that had changed without an explanation.
    Changed,
    /// Read from a file: nothing shows that its author wrote it.
    Imported,
}

/// Something of this conversation was refused.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Refusal {
    /// Why, as a stable word: `commit-from-observer`, `wrong-author`, `unverified` ….
    pub code: String,
    /// How often.
    pub count: u32,
    /// Unix milliseconds of the last one.
    #[ts(type = "number")]
    pub last_at: i64,
}

/// What the two read to each other in a call; equal only if nobody is in between.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct SpokenCode {
    /// Six digits.
    pub digits: String,
    /// Four names of pictures.
    pub emoji: Vec<String>,
}

/// Whether one can come back after losing every device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct RecoveryState {
    /// Whether the person has shown that they kept the words.
    pub kept: bool,
    /// Where the sheet with the words was written, while it is not confirmed.
    pub sheet: Option<String>,
    /// Which words are asked for to confirm, from 1 to 24.
    pub asked: Vec<u8>,
    /// Unix milliseconds of the last backup.
    #[ts(type = "number | null")]
    pub backup_at: Option<i64>,
}

/// A word of the recovery sheet.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct SheetWord {
    /// Its place, from 1 to 24.
    pub place: u8,
    /// The word.
    pub word: String,
}

/// A backup is being written or read.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum BackupState {
    /// It goes on.
    Running {
        /// Rows so far.
        done: u32,
        /// Rows in all.
        total: u32,
    },
    /// It is there.
    Done {
        /// The file.
        path: String,
    },
    /// It did not work.
    Failed {
        /// What and what to do.
        trouble: Trouble,
    },
}

/// An issuer that vouches for the person who uses the app.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct MyIssuer {
    /// Its URL.
    pub issuer: String,
    /// Its host name.
    pub vouched_by: String,
    /// Unix milliseconds of its last word.
    #[ts(type = "number")]
    pub attested_at: i64,
    /// Unix milliseconds until when it introduces the person to strangers.
    #[ts(type = "number")]
    pub until: i64,
    /// Whether it can be asked again without the person.
    pub silent: bool,
    /// Why the last attempt to renew failed.
    pub trouble: Option<Trouble>,
}

/// Another identity of the person on this computer, with keys of its own.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PersonaView {
    /// The profile that keeps it.
    pub profile: String,
    /// Whether it is the one that is asked.
    pub this: bool,
}

/// The link that one gives to people who are to find one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ContactLink {
    /// `parlance:name@domain?code=…`
    pub link: String,
    /// Unix milliseconds since when it is good.
    pub made_at: i64,
}

/// Who may do something.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "who", content = "which", rename_all = "kebab-case")]
pub enum WhoMay {
    /// Nobody.
    Nobody,
    /// Accepted contacts.
    Contacts,
    /// Contacts, and whom contacts introduced whose codes were compared.
    ContactsOfVerified,
    /// Whoever these issuers vouch for.
    Issuers(Vec<String>),
    /// Whoever is at these domains.
    Domains(Vec<String>),
    /// Anyone whose app did some work first; the person is asked.
    AnyoneWithWork,
    /// Anyone; the person is asked.
    Anyone,
}

/// The policies a person sets (settings, Privacy).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PolicySettings {
    /// Who may write to us for the first time.
    pub who_may_write: WhoMay,
    /// Who may call.
    pub who_may_call: WhoMay,
    /// How many issuers must vouch for somebody new; a compared code counts as enough.
    pub issuers_for_writing: u8,
    /// The same, before a call.
    pub issuers_for_calls: u8,
    /// Days for which an issuer's word is shown as fresh.
    pub fresh_days: u16,
    /// Days after which an issuer's word introduces nobody new.
    pub first_contact_days: u16,
    /// Whether nothing is sent to a compared contact whose keys changed.
    pub stop_on_key_change: bool,
    /// Minutes without use after which the app locks; 0 is never.
    pub auto_lock_minutes: u16,
}

/// The policies in force.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct PolicyView {
    /// What is in force.
    pub settings: PolicySettings,
    /// Names of settings that the organisation set: `whoMayCall`, `autoLockMinutes` ….
    pub locked: Vec<String>,
    /// Names of settings whose rule asks for what this app cannot check yet, so that it lets in contacts alone.
    pub unsupported: Vec<String>,
    /// The organisation, if there is one.
    pub organisation: Option<OrganisationView>,
}

/// An organisation that has a say on this device.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct OrganisationView {
    /// Its name.
    pub name: String,
    /// Version of its policy.
    pub version: u32,
    /// Unix milliseconds.
    #[ts(type = "number")]
    pub expires_at: i64,
    /// What it says about reading what people write, if it does.
    pub escrow: Option<String>,
    /// After how many days messages are removed from this device, if it says so.
    pub retention_days: Option<u32>,
    /// What is wrong with its policy, if something is.
    pub trouble: Option<Trouble>,
}

/// One verdict of the policy, as the trail keeps it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct TrailLine {
    /// Its number.
    pub seq: u32,
    /// Unix milliseconds.
    #[ts(type = "number")]
    pub at: i64,
    /// What was judged: `write`, `call`, `module`, `key-change` ….
    pub what: String,
    /// About whom or what.
    pub subject: String,
    /// `allow`, `ask` or `deny`.
    pub verdict: String,
    /// The reason as a stable word.
    pub because: String,
    /// Whose rule: `built-in`, `package`, `organisation`, `user`, `contact`.
    pub layer: String,
    /// How often in a row.
    pub count: u32,
}

/// A file that was written for the person.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
pub struct WrittenFile {
    /// Where it is.
    pub path: String,
}
