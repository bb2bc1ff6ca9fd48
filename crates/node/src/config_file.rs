//! The node's config file (TOML): what stands on the command line may stand there too, and the command line wins.

use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::config::{Registration, Wire};
use crate::limits::Limits;

/// Largest config file that is read.
const LIMIT: u64 = 64 * 1024;

/// Why a config file is not used.
#[derive(Debug, thiserror::Error)]
pub enum ConfigFileError {
    /// It cannot be read.
    #[error("{path}: {source}")]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// It says something this program does not know.
    #[error("{path}: {source}")]
    Parse {
        /// Which.
        path: PathBuf,
        /// What.
        source: toml::de::Error,
    },
}

/// What a config file may say; every word is optional.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct ConfigFile {
    /// The domain.
    pub domain: Option<String>,
    /// The network address to listen on.
    pub listen: Option<IpAddr>,
    /// The port.
    pub port: Option<u16>,
    /// The protocol at the first start.
    pub wire: Option<Wire>,
    /// Who may have an account.
    pub registration: Option<Registration>,
    /// What people read as the domain's name.
    pub name: Option<String>,
    /// The origin as the world sees it.
    pub origin: Option<String>,
    /// Folder of built packages to publish.
    pub packages: Option<PathBuf>,
    /// Where health and metrics are asked for.
    pub watch: Option<SocketAddr>,
    /// Whether members whose network reaches only this node are brought to other domains.
    pub gate: Option<bool>,
    /// Other nodes of the domain.
    pub nats: NatsPart,
    /// TLS on the public port.
    pub tls: TlsPart,
    /// The relays of its people's calls.
    pub relays: RelaysPart,
    /// Rates and counts.
    pub limits: LimitsPart,
}

/// `[nats]`: the servers that make several nodes one domain.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct NatsPart {
    /// `nats://[user:password@]host:port`.
    pub servers: Vec<String>,
    /// How many of them keep each row.
    pub replicas: Option<usize>,
}

/// `[tls]`: a certificate and its key, or ACME.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct TlsPart {
    /// The chain, PEM.
    pub certificate: Option<PathBuf>,
    /// Its key, PEM.
    pub key: Option<PathBuf>,
    /// The mail address an ACME server may write to; asks for ACME.
    pub acme_contact: Option<String>,
    /// Directory of the ACME server.
    pub acme_directory: Option<String>,
    /// The authority behind the directory's own certificate, PEM.
    pub acme_root: Option<PathBuf>,
}

/// `[relays]`: where they are, and the secret they know.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct RelaysPart {
    /// As `turn:host:port?transport=udp` or `turns:host:port`.
    pub uris: Vec<String>,
    /// The file with the secret (coturn: `static-auth-secret`).
    pub secret_file: Option<PathBuf>,
}

/// `[limits]`: the rates and counts of [`Limits`].
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "kebab-case")]
pub struct LimitsPart {
    sessions: Option<usize>,
    connects_per_minute: Option<u32>,
    messages_per_second: Option<f64>,
    message_burst: Option<f64>,
    bytes_per_second: Option<f64>,
    byte_burst: Option<f64>,
    registry_reads_per_minute: Option<u32>,
    linking_per_minute: Option<u32>,
    blob_bytes_per_account: Option<u64>,
    failures_per_peer: Option<u32>,
    sign_ups_per_hour: Option<u32>,
}

impl ConfigFile {
    /// Reads a file; one that does not parse is refused as a whole.
    pub fn read(path: &Path) -> Result<Self, ConfigFileError> {
        use std::io::Read;
        let mut text = String::new();
        std::fs::File::open(path)
            .and_then(|file| file.take(LIMIT).read_to_string(&mut text))
            .map_err(|source| ConfigFileError::Read { path: path.to_owned(), source })?;
        toml::from_str(&text).map_err(|source| ConfigFileError::Parse { path: path.to_owned(), source })
    }
}

impl RelaysPart {
    /// This, or the other where this says nothing.
    pub fn or(self, other: Self) -> Self {
        let unsaid = self.uris.is_empty() && self.secret_file.is_none();
        if unsaid { other } else { self }
    }
}

impl LimitsPart {
    /// The limits with what the file says of them.
    pub fn over(&self, limits: Limits) -> Limits {
        Limits {
            sessions: self.sessions.unwrap_or(limits.sessions),
            connects_per_minute: self.connects_per_minute.unwrap_or(limits.connects_per_minute),
            messages_per_second: self.messages_per_second.unwrap_or(limits.messages_per_second),
            message_burst: self.message_burst.unwrap_or(limits.message_burst),
            bytes_per_second: self.bytes_per_second.unwrap_or(limits.bytes_per_second),
            byte_burst: self.byte_burst.unwrap_or(limits.byte_burst),
            registry_reads_per_minute: self.registry_reads_per_minute.unwrap_or(limits.registry_reads_per_minute),
            blob_bytes_per_account: self.blob_bytes_per_account.unwrap_or(limits.blob_bytes_per_account),
            linking_per_minute: self.linking_per_minute.unwrap_or(limits.linking_per_minute),
            failures_per_peer: self.failures_per_peer.unwrap_or(limits.failures_per_peer),
            sign_ups_per_hour: self.sign_ups_per_hour.unwrap_or(limits.sign_ups_per_hour),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ConfigFile, ConfigFileError> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("node.toml");
        std::fs::write(&path, text).unwrap();
        ConfigFile::read(&path)
    }

    #[test]
    fn the_file_in_the_manual_is_one_the_node_reads() {
        let manual = include_str!("../../../docs/operating.md");
        let text = manual.split_once("```toml\n").unwrap().1.split_once("```").unwrap().0;
        let file = read(text).unwrap();
        assert_eq!(file.domain.as_deref(), Some("example.org"));
        assert_eq!(file.tls.acme_contact.as_deref(), Some("ops@example.org"));
        assert_eq!(file.relays.uris.len(), 2);
        assert_eq!(file.limits.over(Limits::default()).sessions, 20_000);
        assert_eq!(file.limits.over(Limits::default()).sign_ups_per_hour, Limits::default().sign_ups_per_hour);
    }

    #[test]
    fn a_word_the_node_does_not_know_is_told() {
        let error = read("domain = 'a.localhost'\nlisten-port = 1\n").unwrap_err().to_string();
        assert!(error.contains("listen-port"), "{error}");
        assert!(matches!(read("limits = 7"), Err(ConfigFileError::Parse { .. })));
    }
}
