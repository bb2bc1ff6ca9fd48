//! Says where the domains of this machine (`*.localhost`) listen.

use std::collections::BTreeMap;

use message::Domain;

/// The variable that [`NetConfig::from_env`] reads: `a.localhost=7101,b.localhost=7102`.
pub const LOCALHOST_VARIABLE: &str = "PARLANCE_LOCALHOST";

/// The port of a `*.localhost` domain that the table does not name.
pub const DEFAULT_LOCALHOST_PORT: u16 = 7780;

/// Most entries of the table; a machine that plays more domains is a test gone wrong.
const LOCALHOST_ENTRIES: usize = 64;

/// Why the table of local domains cannot be read.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not of the form `name.localhost=port`.
    #[error("{LOCALHOST_VARIABLE} looks like a.localhost=7101,b.localhost=7102; this part does not: {part}")]
    BadEntry {
        /// The part that could not be read.
        part: String,
    },
    /// Not a name for the loopback interface.
    #[error("{LOCALHOST_VARIABLE} may only name *.localhost, not {domain}")]
    NotLocal {
        /// The name.
        domain: Domain,
    },
    /// More than a machine has.
    #[error("{LOCALHOST_VARIABLE} has more than {LOCALHOST_ENTRIES} entries")]
    TooMany,
}

/// What the network of this process should know.
#[derive(Debug, Clone, Default)]
pub struct NetConfig {
    /// Ports of the domains that live on this machine.
    pub localhost: BTreeMap<Domain, u16>,
}

impl NetConfig {
    /// Reads [`LOCALHOST_VARIABLE`]; an absent variable is an empty table.
    pub fn from_env() -> Result<Self, ConfigError> {
        match std::env::var(LOCALHOST_VARIABLE) {
            Ok(text) => Self::parse(&text),
            Err(_) => Ok(Self::default()),
        }
    }

    /// Reads a table such as `a.localhost=7101,b.localhost=7102`.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let mut localhost = BTreeMap::new();
        for part in text.split(',').map(str::trim).filter(|part| !part.is_empty()) {
            if localhost.len() == LOCALHOST_ENTRIES {
                return Err(ConfigError::TooMany);
            }
            let bad = || ConfigError::BadEntry { part: part.chars().take(80).collect() };
            let (name, port) = part.split_once('=').ok_or_else(bad)?;
            let domain = Domain::parse(name.trim()).map_err(|_| bad())?;
            let port = port.trim().parse().map_err(|_| bad())?;
            if !domain.is_loopback() {
                return Err(ConfigError::NotLocal { domain });
            }
            localhost.insert(domain, port);
        }
        Ok(Self { localhost })
    }

    /// The port on which a `*.localhost` domain listens.
    pub fn port(&self, domain: &Domain) -> u16 {
        self.localhost.get(domain).copied().unwrap_or(DEFAULT_LOCALHOST_PORT)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_names_the_ports_of_local_domains() {
        let config = NetConfig::parse("a.localhost=7101, b.localhost=7102,").unwrap();
        let port = |name: &str| config.port(&Domain::parse(name).unwrap());
        assert_eq!((port("a.localhost"), port("b.localhost")), (7101, 7102));
        assert_eq!(port("c.localhost"), DEFAULT_LOCALHOST_PORT);
    }

    #[test]
    fn a_table_cannot_move_a_public_domain_here() {
        assert!(matches!(NetConfig::parse("bank.example=80"), Err(ConfigError::NotLocal { .. })));
        assert!(matches!(NetConfig::parse("a.localhost"), Err(ConfigError::BadEntry { .. })));
        assert!(matches!(NetConfig::parse("a.localhost=99999"), Err(ConfigError::BadEntry { .. })));
    }
}
