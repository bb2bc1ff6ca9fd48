//! The words about the app as a whole: where it stands, whose profile it is, and how they sign in.

use serde::{Deserialize, Serialize};
use ts_rs::TS;

use crate::Trouble;

/// How the keys on this device are kept from now on.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Keep {
    /// In the system's keyring alone.
    Keyring,
    /// In the system's keyring, and behind a passphrase on top.
    KeyringAndPassphrase {
        /// At least eight characters.
        passphrase: String,
    },
    /// By a passphrase.
    Passphrase {
        /// At least eight characters.
        passphrase: String,
    },
}

/// How the keys on this device are kept.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Protect {
    /// By a passphrase, asked at each start.
    Passphrase {
        /// At least eight characters.
        passphrase: String,
    },
    /// Not at all; a red banner says so.
    Unprotected,
}

/// Where the app stands.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct AppState {
    /// Counts the states that were told: an answer may come after news that is younger than it is.
    pub turn: u32,
    /// What to show.
    pub stage: Stage,
    /// Who the person is, once that is known.
    pub profile: Option<Profile>,
    /// How the keys are kept.
    pub protection: Option<Protection>,
    /// Why there is no keyring, in words, when the stage is `protect`.
    pub keyring_trouble: Option<String>,
    /// Why the data cannot be opened, when the stage is `damaged`: `profile-in-use`, `database-damaged` ….
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub open_trouble: Option<Trouble>,
    /// Domain suggested at first run (from the installation or the environment).
    pub suggested_domain: Option<String>,
    /// The app's version.
    pub version: String,
    /// Whether the own domain's node is connected.
    pub online: bool,
    /// The identity that is begun anew and waits for its time; the stage is `welcome` meanwhile.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub restart: Option<RestartView>,
    /// Somebody signed in at our issuer and asks for our address back.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[ts(optional)]
    pub reset_asked: Option<ResetAsked>,
    /// The organisation wants a passphrase and the keys are kept without one; the stage is `protect` until there is one.
    #[serde(default)]
    pub passphrase_required: bool,
}

/// Somebody began our identity anew, and waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct ResetAsked {
    /// From when this device counts no more, in Unix milliseconds, if nobody says no.
    #[ts(type = "number")]
    pub until: i64,
    /// When this device says no by itself, in Unix milliseconds; none after the person said that it is them.
    #[ts(type = "number | null")]
    pub refused_at: Option<i64>,
}

/// An identity that comes back after the loss of every device and of the recovery words.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct RestartView {
    /// The address that comes back.
    pub user: String,
    /// When, in Unix milliseconds, if no device of before says no.
    #[ts(type = "number")]
    pub until: i64,
}

/// What to show first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum Stage {
    /// No keyring on this system: choose a passphrase.
    Protect,
    /// A passphrase is needed.
    Locked,
    /// First run.
    Welcome,
    /// Signed in, no account yet: name and address are to be chosen.
    Profile,
    /// All is set.
    Ready,
    /// The data cannot be opened; `openTrouble` says why.
    Damaged,
}

/// How the keys on this device are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum Protection {
    /// In the system's keyring.
    Keyring,
    /// In the system's keyring, and behind a passphrase on top.
    KeyringAndPassphrase,
    /// By a passphrase.
    Passphrase,
    /// Not at all.
    Unprotected,
}

/// The person who uses the app.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct Profile {
    /// `name@domain`.
    pub user: String,
    /// How the person is called.
    pub name: String,
    /// Who vouches, as host name (`a.localhost`) for people to read.
    pub vouched_by: String,
}

/// An issuer that could vouch.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "camelCase")]
pub struct IssuerCard {
    /// Its URL.
    pub issuer: String,
    /// Its name for people.
    pub name: String,
    /// Where it comes from.
    pub kind: IssuerKind,
}

/// Where an issuer card comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(rename_all = "kebab-case")]
pub enum IssuerKind {
    /// The organisation says so.
    Managed,
    /// Built into the domain.
    Domain,
    /// Well known.
    Listed,
    /// Reached by a package of its own domain, for it does not speak OpenID Connect.
    Proxy,
}

/// How a sign-in goes.
#[derive(Debug, Clone, Serialize, Deserialize, TS)]
#[ts(export)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum SignInState {
    /// The issuer is being looked up.
    Finding,
    /// The browser is open.
    Waiting {
        /// To open again or copy.
        url: String,
    },
    /// The issuer vouches.
    Done {
        /// Name claim, if the issuer gave one.
        name: Option<String>,
        /// A suggestion for the part before the `@`.
        suggested: Option<String>,
    },
    /// It did not work.
    Failed {
        /// What and what to do.
        trouble: Trouble,
    },
}
