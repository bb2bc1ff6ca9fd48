//! Why a direct connection does not come about, or ends.

use call::SdpError;

use super::frame::{BadFrame, Refusal};

/// Why a direct connection does not come about, or ends.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DirectError {
    /// More than [`super::DIRECT_CONNECTIONS`] at once.
    #[error("{limit} direct connections are open already")]
    TooMany {
        /// How many may be.
        limit: usize,
    },
    /// The peer's description was refused.
    #[error(transparent)]
    Description(#[from] SdpError),
    /// An answer that leaves open who begins, or a description that is longer than any of ours.
    #[error("the description is none of a direct connection")]
    Unfit,
    /// The engine refused. Its own words may hold addresses, so they stay inside.
    #[error("the engine could not {0}")]
    Engine(&'static str),
    /// No path between the two devices was found in time.
    #[error("no path to the other device was found")]
    NoPath,
    /// The peer showed a certificate that is not in its sealed description.
    #[error("the other device showed another certificate than it promised")]
    OtherCertificate,
    /// The peer left, or the path is lost.
    #[error("the connection is lost")]
    Lost,
    /// The peer says nothing more, or takes nothing more.
    #[error("nothing more comes from the other device")]
    Silent,
    /// What came is no frame, or not what was asked for.
    #[error(transparent)]
    Frame(#[from] BadFrame),
    /// The peer does not give the piece.
    #[error("the other device does not give the piece")]
    Refused(Refusal),
}
