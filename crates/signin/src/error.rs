//! Why an issuer cannot be used, and why a sign-in did not succeed.

use identity::JwksError;
use transport::FetchError;

/// Why an issuer cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Not an issuer identifier: https, or http on this machine, without query and fragment.
    #[error("an issuer is an https address without ? and #; http only on this machine")]
    BadName,
    /// No answer, or none that may be used.
    #[error("the issuer cannot be reached: {0}")]
    Unreachable(FetchError),
    /// What it says of itself cannot be read.
    #[error("the issuer does not speak OpenID Connect: {0}")]
    Malformed(&'static str),
    /// It calls itself differently.
    #[error("the issuer calls itself differently")]
    OtherName,
    /// One of its addresses would be asked without encryption, or leads onto this machine.
    #[error("the issuer names an unsafe {0}")]
    UnsafeEndpoint(&'static str),
    /// It does not support proof keys (PKCE S256).
    #[error("the issuer does not support PKCE with S256")]
    NoPkce,
    /// Its keys cannot be read.
    #[error(transparent)]
    Keys(JwksError),
}

impl IssuerError {
    /// A stable word for logs and the user interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Unreachable(_) => "issuer-unreachable",
            Self::OtherName => "issuer-mismatch",
            _ => "bad-issuer",
        }
    }
}

/// Why a sign-in did not succeed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignInError {
    /// No answer from the issuer, or none that may be used; later it may go better.
    #[error("the issuer cannot be reached: {0}")]
    IssuerUnreachable(FetchError),
    /// The issuer cannot be used.
    #[error(transparent)]
    BadIssuer(IssuerError),
    /// No listener on the loopback interface.
    #[error("this machine gives no loopback port: {0}")]
    NoListener(std::io::ErrorKind),
    /// The person said no at the issuer.
    #[error("the person said no")]
    Declined,
    /// The issuer said no.
    #[error("the issuer refused: {error}")]
    Refused {
        /// OAuth's error code, as `invalid_client`.
        error: String,
    },
    /// The browser came back with another sign-in's state.
    #[error("the answer belongs to another sign-in")]
    WrongState,
    /// The answer names another issuer (RFC 9207).
    #[error("the answer comes from another issuer")]
    WrongIssuer,
    /// Nobody came back in time.
    #[error("nobody signed in in time")]
    TimedOut,
    /// The caller cancelled.
    #[error("cancelled")]
    Cancelled,
    /// This machine's clock and the issuer's differ too much.
    #[error("this machine's clock and the issuer's differ by {by_s} s")]
    ClockWrong {
        /// How far this machine is ahead; negative: behind.
        by_s: i64,
    },
    /// The issuer's answer holds no proper id_token for this sign-in.
    #[error("the issuer gave no proper id_token: {0}")]
    BadToken(&'static str),
}

impl SignInError {
    /// A stable word for logs and the user interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::IssuerUnreachable(_) => "issuer-unreachable",
            Self::BadIssuer(error) => error.code(),
            Self::NoListener(_) => "no-listener",
            Self::Declined => "signin-declined",
            Self::Refused { .. } => "refused",
            Self::WrongState => "wrong-state",
            Self::WrongIssuer => "wrong-issuer",
            Self::TimedOut => "timed-out",
            Self::Cancelled => "cancelled",
            Self::ClockWrong { .. } => "clock-wrong",
            Self::BadToken(_) => "bad-token",
        }
    }
}

impl From<IssuerError> for SignInError {
    fn from(error: IssuerError) -> Self {
        match error {
            IssuerError::Unreachable(cause) => Self::IssuerUnreachable(cause),
            other => Self::BadIssuer(other),
        }
    }
}

/// Why an attestation was not renewed without a login.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RenewError {
    /// The issuer does not renew any more: the person signs in again, in the browser.
    #[error("the issuer refused: {error}")]
    Refused {
        /// OAuth's error code, as `invalid_grant`; empty if it renews, but gives no id_token.
        error: String,
    },
    /// No answer from the issuer now; later it may go better.
    #[error("the issuer cannot be reached: {0}")]
    Unreachable(FetchError),
    /// The answer is about somebody else, or for another app. Forget the refresh token.
    #[error("the renewed token has another {0}")]
    Mismatch(&'static str),
    /// The issuer cannot be used.
    #[error(transparent)]
    BadIssuer(IssuerError),
    /// This machine's clock and the issuer's differ too much.
    #[error("this machine's clock and the issuer's differ by {by_s} s")]
    ClockWrong {
        /// How far this machine is ahead; negative: behind.
        by_s: i64,
    },
    /// The answer holds no proper id_token.
    #[error("the issuer gave no proper id_token: {0}")]
    BadToken(&'static str),
}

impl RenewError {
    /// A stable word for logs and the user interface.
    pub fn code(&self) -> &'static str {
        match self {
            Self::Refused { .. } => "refused",
            Self::Unreachable(_) => "issuer-unreachable",
            Self::Mismatch(_) => "renewal-mismatch",
            Self::BadIssuer(error) => error.code(),
            Self::ClockWrong { .. } => "clock-wrong",
            Self::BadToken(_) => "bad-token",
        }
    }

    /// Whether the refresh token is of no more use, so that the person must sign in again.
    pub fn needs_browser(&self) -> bool {
        matches!(self, Self::Refused { .. } | Self::Mismatch(_) | Self::BadToken(_))
    }
}

impl From<IssuerError> for RenewError {
    fn from(error: IssuerError) -> Self {
        SignInError::from(error).into()
    }
}

impl From<SignInError> for RenewError {
    fn from(error: SignInError) -> Self {
        match error {
            SignInError::IssuerUnreachable(cause) => Self::Unreachable(cause),
            SignInError::BadIssuer(error) => Self::BadIssuer(error),
            SignInError::ClockWrong { by_s } => Self::ClockWrong { by_s },
            SignInError::BadToken(reason) => Self::BadToken(reason),
            SignInError::Refused { error } => Self::Refused { error },
            SignInError::Declined => Self::Refused { error: "access_denied".into() },
            // Only a browser leads to the others, and there is none here.
            other => Self::Refused { error: other.code().into() },
        }
    }
}
