//! The words about a conversation: what the list shows of it, what stands in it, and how far a message is.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::{
    ChatDevice, FileView, GroupCount, GroupLine, GroupView, ImportedLine, KeyChange, LinkPreview, MentionView,
    PollView, Quote, Reaction, Refusal, TrustMark,
};

/// A conversation in the list.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ChatSummary {
    /// The conversation's address (`comm://…`).
    pub chat: String,
    /// The other person.
    pub user: String,
    /// How they are called; the address until they are verified.
    pub name: String,
    /// Their domain.
    pub domain: String,
    /// Where the contact stands.
    pub contact: ContactState,
    /// The last message.
    pub last: Option<ChatMessage>,
    /// How many are unread.
    pub unread: i32,
    /// What was typed and not sent.
    pub draft: String,
    /// A change of their keys that one should know of, or that waits for a decision.
    pub change: Option<KeyChange>,
    /// How sure one can be of the whole conversation now.
    pub mark: TrustMark,
    /// Unix milliseconds of the last thing that happened.
    #[ts(type = "number")]
    pub at: i64,
    /// Until when it is quiet, in Unix milliseconds; [`crate::MUTED_FOR_EVER`] if nothing ends that.
    #[ts(type = "number | null")]
    pub muted_until: Option<i64>,
    /// Of a conversation of several people: then `user` is its owner, and `name` how it is called.
    pub group: Option<Box<GroupLine>>,
    /// Whether something unread names us.
    pub mentions_me: bool,
    /// Of a conversation that was read from a file: from which. Nothing can be said in it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub imported: Option<Box<ImportedLine>>,
}

/// Where a contact stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum ContactState {
    /// We asked, they have not answered.
    Asked,
    /// They asked, we have not answered.
    Request,
    /// Both agreed.
    Accepted,
    /// They said no.
    Declined,
    /// We blocked them.
    Blocked,
    /// We know them from a group and have nothing else with them.
    Met,
}

/// A conversation, opened.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ChatView {
    /// As in the list.
    pub summary: ChatSummary,
    /// Who vouches for the other side.
    pub identity: Option<IdentityLine>,
    /// The other devices in it, as its sealed group knows them; never from what somebody says.
    pub devices: Vec<ChatDevice>,
    /// What was refused in it.
    pub refusals: Vec<Refusal>,
    /// The newest messages, oldest first.
    pub messages: Vec<ChatMessage>,
    /// Whether there are older ones.
    pub more: bool,
    /// Pinned messages, the newest pin first.
    pub pinned: Vec<ChatMessage>,
    /// After how many seconds messages end; 0 for never.
    pub timer: u32,
    /// Of a conversation of several people: who is in it.
    pub group: Option<GroupView>,
}

/// One line about trust: "Vouched for by accounts.example.org · checked 14:02".
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct IdentityLine {
    /// The issuer's host name.
    pub vouched_by: String,
    /// The issuer's whole URL.
    pub issuer: String,
    /// Unix milliseconds of the check.
    #[ts(type = "number")]
    pub checked_at: i64,
    /// Unix milliseconds of the issuer's statement.
    #[ts(type = "number")]
    pub attested_at: i64,
    /// Whether that is recent enough to count as fresh.
    pub fresh: bool,
    /// How sure.
    pub state: TrustState,
}

/// How sure we are of an identity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum TrustState {
    /// The issuer vouches; not compared in person.
    Introduced,
    /// Compared by words or QR.
    Verified,
    /// The keys changed without an explanation.
    Changed,
}

/// One message, or a line about what happened.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ChatMessage {
    /// Unique.
    pub id: String,
    /// Which conversation.
    pub chat: String,
    /// Place in the conversation on this device.
    pub ordinal: i32,
    /// Whether I wrote it.
    pub mine: bool,
    /// The author's address.
    pub author: String,
    /// What it is.
    pub content: Content,
    /// Unix milliseconds.
    #[ts(type = "number")]
    pub at: i64,
    /// How far it got.
    pub state: DeliveryState,
    /// How sure one could be when it came or left.
    pub mark: TrustMark,
    /// What it answers.
    pub reply: Option<Box<Quote>>,
    /// Whether its author said it anew.
    pub edited: bool,
    /// Whether it comes from another conversation.
    pub forwarded: bool,
    /// Whether somebody pinned it.
    pub pinned: bool,
    /// How people felt about it, in the order in which that began.
    pub reactions: Vec<Reaction>,
    /// When it ends, in Unix milliseconds.
    #[ts(type = "number | null")]
    pub ends: Option<i64>,
    /// In a group, of a message of ours: how many have it and how many read it.
    pub reach: Option<GroupCount>,
    /// In a group: whom it names.
    pub mentions: Vec<MentionView>,
    /// Whether it names us: then one wants to know of it even where all else is quiet.
    pub mentions_me: bool,
    /// The card of a link in it, made by its author.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub preview: Option<Box<LinkPreview>>,
}

/// What a message is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "type", rename_all = "kebab-case")]
pub enum Content {
    /// Words.
    Text {
        /// The words.
        text: String,
    },
    /// A file, and what is said with it.
    File {
        /// What it is.
        file: FileView,
        /// What is said with it; may be empty.
        text: String,
    },
    /// A question with answers to choose from.
    Poll {
        /// How it stands.
        poll: PollView,
    },
    /// A line about the conversation; its words come from the UI's catalogue.
    System {
        /// A stable word: `contact-asked`, `contact-accepted`, `identity-checked`, `call-ended`, `call-missed` ….
        code: String,
        /// What the sentence needs: a host name, a duration in seconds ….
        detail: String,
        /// In a group: who did it; nobody if we did.
        by: Option<String>,
    },
    /// Its author took it back.
    Deleted,
    /// Something this version cannot show.
    Unsupported,
}

/// How far a message got.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum DeliveryState {
    /// Kept here, on its way ("Sending when you are back").
    Queued,
    /// The other domain's node has it.
    Sent,
    /// The other device has it.
    Delivered,
    /// The other person has read it, and lets us know.
    Read,
    /// It could not be sent; Retry and Delete are offered.
    Failed,
    /// From the other side.
    Received,
}
