//! Builds the stage and tells each person's app where it stands.

use std::ffi::OsString;
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use crate::browser::{Handover, SystemBrowser};
use crate::process::Crew;
use crate::screen::Screen;
use crate::sound::{Sound, microphone, speaker};
use crate::world::{DOMAIN_A, DOMAIN_B, Ports, World};
use crate::{Outcome, StageError};

/// Who vouches for a person.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Vouches {
    /// The issuer built into the domain.
    Domain,
    /// An issuer that belongs to no domain.
    Independent,
}

/// Somebody in the story.
#[derive(Debug, Clone, Copy)]
pub struct Person {
    /// The part before the `@`, and the name of the profile.
    pub name: &'static str,
    /// How people call them.
    pub called: &'static str,
    /// Where they have their account.
    pub domain: &'static str,
    /// Who vouches for them.
    pub vouches: Vouches,
    /// What the independent issuer or the domain's own reads as the host.
    pub vouched_by: &'static str,
    /// Where on the screen their window stands.
    pub(crate) place: i32,
}

/// Ana, whose domain vouches for her.
pub const ANA: Person = Person {
    name: "ana",
    called: "Ana Adams",
    domain: DOMAIN_A,
    vouches: Vouches::Domain,
    vouched_by: "a.localhost",
    place: 0,
};

/// Ben, for whom an issuer of his choice vouches.
pub const BEN: Person = Person {
    name: "ben",
    called: "Ben Brown",
    domain: DOMAIN_B,
    vouches: Vouches::Independent,
    vouched_by: "127.0.0.1",
    place: 1150,
};

impl Person {
    /// `ana@a.localhost`
    pub fn address(&self) -> String {
        format!("{}@{}", self.name, self.domain)
    }

    /// What they type to protect their keys, and at the login page.
    pub(crate) fn passphrase(&self) -> String {
        format!("{} likes long walks", self.name)
    }
}

/// Which program drives a window.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Through {
    /// The web view's own driver.
    WebKit,
    /// `tauri-driver`, as testers of other Tauri apps do.
    Tauri,
}

/// Everything around the windows. Fields are dropped in this order.
pub struct Stage {
    pub(crate) browser: SystemBrowser,
    pub(crate) world: World,
    pub(crate) sound: Sound,
    pub(crate) screen: Screen,
    pub(crate) crew: Crew,
    folder: tempfile::TempDir,
}

impl Stage {
    /// Starts all of it on free ports and a screen of its own; the programs' logs go into this folder.
    pub async fn raise(logs: &Path) -> Outcome<Self> {
        // Another library may have chosen differently; any provider does.
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::Builder::new()
            .prefix("parlance-stage-")
            .tempdir()
            .map_err(StageError::file(std::env::temp_dir()))?;
        let crew = Crew::new(logs.to_owned())?;
        let screen = Screen::start(&crew).await?;
        let sound = Sound::start(&crew, folder.path(), &[ANA.name, BEN.name]).await?;
        let world = World::start(&crew, folder.path(), Ports::default()).await?;
        let browser = SystemBrowser::start(&crew, folder.path()).await?;
        Ok(Self { browser, world, sound, screen, crew, folder })
    }

    /// A person's own folder.
    pub(crate) fn home(&self, person: &Person) -> PathBuf {
        self.folder.path().join(person.name)
    }

    /// What opens the sign-in page for a person's app.
    pub(crate) fn handover(&self, person: &Person) -> Outcome<Handover> {
        Handover::new(&self.home(person))
    }

    /// The environment of a person's app.
    pub(crate) fn environment(&self, person: &Person, handover: &Handover) -> Outcome<Vec<(&'static str, OsString)>> {
        let home = self.home(person);
        let run = home.join("run");
        private_dir(&run)?;
        let mut all = self.world.environment();
        all.extend([
            ("HOME", home.clone().into_os_string()),
            ("XDG_CONFIG_HOME", home.join("config").into()),
            ("XDG_DATA_HOME", home.join("share").into()),
            ("XDG_CACHE_HOME", home.join("cache").into()),
            ("XDG_RUNTIME_DIR", run.into()),
            ("DISPLAY", self.screen.display().into()),
            ("GDK_BACKEND", "x11".into()),
            ("NO_AT_BRIDGE", "1".into()),
            ("LIBGL_ALWAYS_SOFTWARE", "1".into()),
            ("WEBKIT_DISABLE_DMABUF_RENDERER", "1".into()),
            ("LANG", "C.UTF-8".into()),
            ("RUST_LOG", "info".into()),
            ("PULSE_SERVER", self.sound.server().into()),
            ("PULSE_COOKIE", self.sound.cookie().into()),
            ("PARLANCE_MICROPHONE", format!("device:pulseaudio:{}", microphone(person.name)).into()),
            ("PARLANCE_SPEAKER", format!("device:pulseaudio:{}", speaker(person.name)).into()),
            ("PARLANCE_CAMERA", "counter".into()),
            ("PARLANCE_HOME", home.join("parlance").into()),
            ("PARLANCE_PROFILE", person.name.into()),
            ("PARLANCE_DOMAIN", person.domain.into()),
            ("PARLANCE_KEYRING", "off".into()),
            ("PARLANCE_BROWSER", handover.command().into()),
        ]);
        Ok(all)
    }
}

/// Makes a folder, and those above it, that only we can read.
pub(crate) fn private_dir(path: &Path) -> Outcome<()> {
    std::fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(StageError::file(path))
}
