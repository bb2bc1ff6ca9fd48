//! Tells why a link has no card.

use transport::FetchError;

/// Why a link is not visited.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum LinkError {
    /// No URL, or one that is too long.
    #[error("this is no link")]
    NotALink,
    /// Everybody on the way would read along.
    #[error("only pages that are asked for over TLS have previews")]
    NotEncrypted,
    /// It says a name or a password.
    #[error("the link holds a name or a password")]
    Credentials,
    /// Not the port of web pages.
    #[error("the link names a port of its own")]
    Port,
    /// No name of the public Internet: an address, a name without a dot, or one of a local network.
    #[error("the link names no host of the public Internet")]
    Host,
}

/// Why a link has no card.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PreviewError {
    /// The link itself, or one that it led to, is not visited.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The site cannot be reached, or must not be.
    #[error(transparent)]
    Fetch(#[from] FetchError),
    /// The site answered, but not with a success.
    #[error("the site answered {0}")]
    Status(u16),
    /// It sent us on too often, or nowhere.
    #[error("the site leads ever further")]
    Hops,
    /// It took too long.
    #[error("the site takes too long")]
    TooSlow,
    /// What came is no page.
    #[error("there is no page behind the link")]
    NotAPage,
    /// The page does not say what it is.
    #[error("the page has no title")]
    Nameless,
}

impl PreviewError {
    /// A stable word for a shell.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Link(_) | Self::Fetch(FetchError::BadUrl | FetchError::NotEncrypted { .. }) => "link-not-visited",
            Self::Fetch(FetchError::PrivateAddress { .. }) => "link-private",
            Self::TooSlow | Self::Fetch(_) => "site-unreachable",
            Self::Status(_) | Self::Hops | Self::NotAPage | Self::Nameless => "no-preview",
        }
    }
}
