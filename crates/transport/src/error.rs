//! Tells why something could not be fetched.

use std::error::Error;

use crate::resolve::Refusal;

/// Why a request got no usable answer.
///
/// Hosts are named because a person must be able to see who could not be
/// reached; paths, queries and bodies never are.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FetchError {
    /// The answer is longer than the caller allowed.
    #[error("the answer is larger than {limit} bytes")]
    TooLarge {
        /// The bound in bytes.
        limit: u64,
    },
    /// The answer did not come, or not completely, in time.
    #[error("no complete answer after {after_ms} ms")]
    TooSlow {
        /// The deadline that passed, in milliseconds.
        after_ms: u64,
    },
    /// The name leads to an address that this request must not reach.
    #[error("{host} leads into a private network")]
    PrivateAddress {
        /// The host that was asked for.
        host: String,
    },
    /// The server sent us elsewhere, and the caller does not follow there.
    #[error("{from} redirects to {to}, which is not followed")]
    Redirect {
        /// The host that answered.
        from: String,
        /// The host it names, or `?` if it names none.
        to: String,
    },
    /// The server answered, but not with a success.
    #[error("the server answered {0}")]
    Status(u16),
    /// There is no way to the server, or it broke off.
    #[error("unreachable: {0}")]
    Unreachable(String),
    /// The server could not prove who it is, or spoke no TLS we accept.
    #[error("no secure connection: {0}")]
    Tls(String),
    /// A public host is only asked over TLS.
    #[error("{host} would be asked without encryption")]
    NotEncrypted {
        /// The host.
        host: String,
    },
    /// Not a URL that can be fetched.
    #[error("not a URL that can be fetched")]
    BadUrl,
}

impl FetchError {
    /// Whether another attempt may go better without anyone changing anything.
    pub fn may_pass(&self) -> bool {
        match self {
            Self::TooSlow { .. } | Self::Unreachable(_) => true,
            Self::Status(code) => *code >= 500 || *code == 429,
            _ => false,
        }
    }

    pub(crate) fn of_io(error: &std::io::Error) -> Self {
        if let Some(inner) = error.get_ref() {
            if let Some(tls) = inner.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            if let Some(refusal) = inner.downcast_ref::<Refusal>() {
                return refusal.clone().into();
            }
        }
        // The kind alone: the system's text may hold names and paths.
        Self::Unreachable(error.kind().to_string())
    }

    fn of_tls(error: &rustls::Error) -> Self {
        let text = match error {
            // The long form lists the names in the certificate; a stranger chose them.
            rustls::Error::InvalidCertificate(rustls::CertificateError::NotValidForNameContext { .. }) => {
                "the certificate is for another name".into()
            }
            other => other.to_string().chars().take(120).collect(),
        };
        Self::Tls(text)
    }

    /// Finds the cause that matters in a chain of library errors.
    pub(crate) fn of_chain(error: &(dyn Error + 'static), deadline_ms: u64) -> Self {
        let mut link = Some(error);
        let mut by_io = None;
        let mut hops = 0;
        while let Some(now) = link {
            if let Some(refusal) = now.downcast_ref::<Refusal>() {
                return refusal.clone().into();
            }
            if let Some(tls) = now.downcast_ref::<rustls::Error>() {
                return Self::of_tls(tls);
            }
            if let Some(io) = now.downcast_ref::<std::io::Error>() {
                match Self::of_io(io) {
                    Self::Unreachable(text) => by_io = Some(Self::Unreachable(text)),
                    plain => return plain,
                }
            }
            hops += 1;
            link = if hops < 16 { now.source() } else { None };
        }
        if let Some(request) = error.downcast_ref::<reqwest::Error>() {
            if request.is_timeout() {
                return Self::TooSlow { after_ms: deadline_ms };
            }
            if request.is_builder() {
                return Self::BadUrl;
            }
        }
        by_io.unwrap_or_else(|| Self::Unreachable("the server broke off or did not speak HTTP".into()))
    }
}
