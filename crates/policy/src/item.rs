//! The names of all settings a policy is made of.

use serde::{Deserialize, Serialize};

macro_rules! items {
    ($($item:ident, $name:literal, $doc:literal;)*) => {
        /// A setting, by the name it has in an organisation's document.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum Item {
            $(#[doc = $doc] #[serde(rename = $name)] $item,)*
        }

        impl Item {
            /// All of them.
            pub const ALL: &[Self] = &[$(Self::$item),*];

            /// The name.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$item => $name),* }
            }
        }
    };
}

items! {
    WhoMayWrite, "whoMayWrite", "Who may write first.";
    WhoMayCall, "whoMayCall", "Who may call.";
    WhoMayShareScreen, "whoMayShareScreen", "Who may show their screen.";
    IssuersRequiredToWrite, "issuersRequiredToWrite", "How many issuers it takes to write.";
    IssuersRequiredToCall, "issuersRequiredToCall", "How many issuers it takes to call.";
    TrustedIssuers, "trustedIssuers", "Which issuers are believed.";
    FreshAge, "freshAgeS", "How old an attestation is shown as fresh.";
    FirstContactAge, "firstContactAgeS", "How old an attestation may introduce a stranger.";
    MaxAge, "maxAgeS", "How old an attestation may be at all.";
    StopOnKeyChange, "stopOnKeyChange", "Whether changed keys of a verified contact stop everything.";
    BlockExternal, "blockExternal", "Whether only the own domain is dealt with.";
    AllowedDomains, "allowedDomains", "Which other domains are dealt with.";
    AutoLockAfter, "autoLockAfterS", "When the app locks itself.";
    RequirePassphrase, "requirePassphrase", "Whether a passphrase is needed.";
    ForcedIssuer, "forcedIssuer", "Where the members of the organisation sign in.";
    RetentionDays, "retentionDays", "How long messages are kept.";
}

impl std::fmt::Display for Item {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}
