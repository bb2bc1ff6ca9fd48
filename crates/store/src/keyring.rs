//! The system's keyring: asked on a thread of its own, since it may hang or wait for a person.

use std::sync::Arc;
use std::sync::mpsc::{RecvTimeoutError, sync_channel};
use std::time::Duration;

use keyring_core::{CredentialStore, Entry, Error};
use keys::{b64url, random};
use zeroize::Zeroizing;

/// Long enough for a person to type the password of a locked keyring.
const PATIENCE: Duration = Duration::from_secs(60);

/// Which corner of the keyring is ours.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyringPlace {
    /// The name other programs see, such as `org.parlance.Parlance`.
    pub service: String,
    /// How long an answer is waited for.
    pub patience: Duration,
}

impl Default for KeyringPlace {
    fn default() -> Self {
        Self { service: "org.parlance.Parlance".into(), patience: PATIENCE }
    }
}

/// Why the keyring cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyringTrouble {
    /// This system has none, or it does not run.
    #[error("there is no keyring on this system: {0}")]
    Absent(String),
    /// It is there but locked, or refuses us.
    #[error("the keyring is locked or refuses access: {0}")]
    Locked(String),
    /// It did not answer.
    #[error("the keyring did not answer within {after_ms} ms")]
    Silent {
        /// How long it was waited for.
        after_ms: u64,
    },
    /// What was written was not what was read.
    #[error("the keyring does not keep what is written to it")]
    Forgetful,
    /// Something else.
    #[error("the keyring failed: {0}")]
    Failed(String),
}

impl KeyringPlace {
    /// Writes, reads and deletes a random value: constructing an entry proves nothing.
    pub fn probe(&self) -> Result<(), KeyringTrouble> {
        self.ask(|service| {
            let value = Zeroizing::new(b64url(&random::<16>()));
            let entry = entry(service, &format!("probe-{}", b64url(&random::<8>())))?;
            entry.set_password(&value).map_err(trouble)?;
            let read = entry.get_password().map(Zeroizing::new).map_err(trouble);
            entry.delete_credential().map_err(trouble)?;
            if *read? == *value { Ok(()) } else { Err(KeyringTrouble::Forgetful) }
        })
    }

    /// What is under `name`, if anything.
    pub(crate) fn get(&self, name: &str) -> Result<Option<Zeroizing<String>>, KeyringTrouble> {
        let name = name.to_owned();
        self.ask(move |service| match entry(service, &name)?.get_password() {
            Ok(value) => Ok(Some(Zeroizing::new(value))),
            Err(Error::NoEntry) => Ok(None),
            Err(error) => Err(trouble(error)),
        })
    }

    /// Keeps `value` under `name` and reads it back.
    pub(crate) fn set(&self, name: &str, value: Zeroizing<String>) -> Result<(), KeyringTrouble> {
        let name = name.to_owned();
        self.ask(move |service| {
            let entry = entry(service, &name)?;
            entry.set_password(&value).map_err(trouble)?;
            let read = entry.get_password().map(Zeroizing::new).map_err(trouble)?;
            if *read == *value { Ok(()) } else { Err(KeyringTrouble::Forgetful) }
        })
    }

    /// Takes `name` out; not there is no error.
    pub(crate) fn delete(&self, name: &str) -> Result<(), KeyringTrouble> {
        let name = name.to_owned();
        self.ask(move |service| match entry(service, &name)?.delete_credential() {
            Ok(()) | Err(Error::NoEntry) => Ok(()),
            Err(error) => Err(trouble(error)),
        })
    }

    /// Runs `work` on its own thread. One that never comes back is left behind.
    fn ask<R: Send + 'static>(
        &self,
        work: impl FnOnce(&str) -> Result<R, KeyringTrouble> + Send + 'static,
    ) -> Result<R, KeyringTrouble> {
        let (tell, told) = sync_channel(1);
        let service = self.service.clone();
        std::thread::Builder::new()
            .name("keyring".into())
            .spawn(move || {
                let _ = tell.send(work(&service));
            })
            .map_err(|error| KeyringTrouble::Failed(error.kind().to_string()))?;
        match told.recv_timeout(self.patience) {
            Ok(answer) => answer,
            Err(RecvTimeoutError::Timeout) => {
                let after_ms = u64::try_from(self.patience.as_millis()).unwrap_or(u64::MAX);
                Err(KeyringTrouble::Silent { after_ms })
            }
            Err(RecvTimeoutError::Disconnected) => Err(KeyringTrouble::Failed("it crashed".into())),
        }
    }
}

fn entry(service: &str, name: &str) -> Result<Entry, KeyringTrouble> {
    native().and_then(|store| store.build(service, name, None)).map_err(|error| match error {
        Error::PlatformFailure(reason) => KeyringTrouble::Absent(reason.to_string()),
        other => trouble(other),
    })
}

/// In the tests of this room: a keyring in memory, one for the whole test program.
#[cfg(test)]
fn native() -> keyring_core::Result<Arc<CredentialStore>> {
    static MEMORY: std::sync::OnceLock<Arc<CredentialStore>> = std::sync::OnceLock::new();
    if let Some(store) = MEMORY.get() {
        return Ok(Arc::clone(store));
    }
    let store: Arc<CredentialStore> = keyring_core::mock::Store::new()?;
    Ok(Arc::clone(MEMORY.get_or_init(|| store)))
}

#[cfg(all(not(test), target_os = "linux"))]
fn native() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(zbus_secret_service_keyring_store::Store::new()?)
}

#[cfg(all(not(test), target_os = "macos"))]
fn native() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(apple_native_keyring_store::keychain::Store::new()?)
}

#[cfg(all(not(test), target_os = "windows"))]
fn native() -> keyring_core::Result<Arc<CredentialStore>> {
    Ok(windows_native_keyring_store::Store::new()?)
}

#[cfg(not(any(test, target_os = "linux", target_os = "macos", target_os = "windows")))]
fn native() -> keyring_core::Result<Arc<CredentialStore>> {
    Err(Error::NoDefaultStore)
}

/// Takes only the reasons that hold no data of an entry.
fn trouble(error: Error) -> KeyringTrouble {
    match error {
        Error::NoStorageAccess(reason) => KeyringTrouble::Locked(reason.to_string()),
        Error::PlatformFailure(reason) => KeyringTrouble::Failed(reason.to_string()),
        Error::NoDefaultStore => KeyringTrouble::Absent("none is known for this platform".into()),
        Error::NoEntry => KeyringTrouble::Forgetful,
        _ => KeyringTrouble::Failed("it answered with something unexpected".into()),
    }
}
