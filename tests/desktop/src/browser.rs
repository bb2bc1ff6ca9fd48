//! The system browser: takes the address an app opens and goes through the real login pages.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use nix::sys::stat::Mode;
use serde_json::{Value, json};
use thirtyfour::{By, Capabilities, WebDriver};
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::net::unix::pipe;

use crate::process::{Crew, Program};
use crate::programs::system;
use crate::stage::{Person, Vouches, private_dir};
use crate::window::Window;
use crate::{Outcome, StageError};

const START: Duration = Duration::from_secs(60);

/// How long an app may take until it opens the browser.
const OPENS: Duration = Duration::from_secs(120);

const FLAGS: &[&str] = &[
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--window-size=900,900",
    // The story needs nobody else; a page that does must not make us wait.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE *.localhost , EXCLUDE 127.0.0.1",
];

/// Takes the addresses that one app opens: a command for `PARLANCE_BROWSER` that writes into a pipe.
pub(crate) struct Handover {
    command: PathBuf,
    addresses: BufReader<pipe::Receiver>,
}

impl Handover {
    pub(crate) fn new(home: &Path) -> Outcome<Self> {
        private_dir(home)?;
        let (command, fifo) = (home.join("browser"), home.join("addresses"));
        if !fifo.exists() {
            let made = nix::unistd::mkfifo(&fifo, Mode::S_IRWXU);
            made.map_err(|error| StageError::file(&fifo)(error.into()))?;
            // Short writes into a pipe are whole, so two openings cannot mix.
            let script = format!("#!/bin/sh\nprintf '%s\\n' \"$1\" > '{}'\n", fifo.display());
            std::fs::write(&command, script).map_err(StageError::file(&command))?;
            std::fs::set_permissions(&command, PermissionsExt::from_mode(0o700)).map_err(StageError::file(&command))?;
        }
        // Open for both, so that the pipe does not end between two writers.
        let receiver =
            pipe::OpenOptions::new().read_write(true).open_receiver(&fifo).map_err(StageError::file(&fifo))?;
        Ok(Self { command, addresses: BufReader::new(receiver) })
    }

    pub(crate) fn command(&self) -> &Path {
        &self.command
    }

    /// The next address the app opens.
    pub(crate) async fn next(&mut self, who: &str) -> Outcome<String> {
        let mut line = String::new();
        match tokio::time::timeout(OPENS, self.addresses.read_line(&mut line)).await {
            Ok(Ok(_)) => Ok(line.trim().to_owned()),
            Ok(Err(source)) => Err(StageError::File { path: self.command.clone(), source }),
            Err(_) => Err(StageError::NotSeen {
                who: who.to_owned(),
                what: "the browser opening".into(),
                after: OPENS,
                also: String::new(),
            }),
        }
    }
}

/// Chromium and what drives it.
pub(crate) struct SystemBrowser {
    url: String,
    folder: PathBuf,
    _program: Program,
}

impl SystemBrowser {
    pub(crate) async fn start(crew: &Crew, folder: &Path) -> Outcome<Self> {
        let folder = folder.join("browser");
        private_dir(&folder)?;
        let mut command = Command::new(system("chromedriver", "chromium-driver")?);
        command.arg("--port=0").env("HOME", &folder);
        let mut program = crew.start("browser", command)?;
        let port: u16 = program
            .says(START, |line| line.split_once("successfully on port ")?.1.trim_end_matches('.').trim().parse().ok())
            .await?;
        Ok(Self { url: format!("http://127.0.0.1:{port}"), folder, _program: program })
    }

    /// Opens an address for a person who has not been there before.
    pub(crate) async fn visit(&self, person: &Person, address: &str) -> Outcome<Page> {
        let who = format!("{}'s browser", person.name);
        let profile = self.folder.join(person.name);
        let mut arguments: Vec<String> = FLAGS.iter().map(|flag| (*flag).to_owned()).collect();
        arguments.push(format!("--user-data-dir={}", profile.display()));
        let options = json!({ "args": arguments, "binary": system("chromium", "chromium")? });
        let capabilities = [
            ("browserName".to_owned(), json!("chrome")),
            ("goog:chromeOptions".to_owned(), options),
            ("pageLoadStrategy".to_owned(), json!("eager")),
        ];
        let capabilities = Capabilities::from(capabilities.into_iter().collect::<serde_json::Map<String, Value>>());
        let driver = WebDriver::new(self.url.as_str(), capabilities).await.map_err(StageError::driver(&who))?;
        driver.goto(address).await.map_err(StageError::driver(&who))?;
        Ok(Page { window: Window::of_browser(who, driver) })
    }
}

/// A page in the browser.
pub(crate) struct Page {
    pub(crate) window: Window,
}

impl Page {
    /// Goes through the login pages of whoever vouches for this person, as far as the last button.
    pub(crate) async fn sign_in(&self, person: &Person) -> Outcome<()> {
        match person.vouches {
            Vouches::Domain => self.create_account(person).await,
            Vouches::Independent => self.log_in_and_agree(person).await,
        }
    }

    /// The page of the issuer that is built into a domain: a new account there.
    async fn create_account(&self, person: &Person) -> Outcome<()> {
        let page = &self.window;
        page.see(By::Css("input#name")).await?;
        if page.shows(By::LinkText("Create an account")).await? {
            page.click(By::LinkText("Create an account")).await?;
        }
        page.see(By::Css("input[name=action][value=create] ~ button, form button")).await?;
        page.write(By::Css("input#name"), person.name).await?;
        page.write(By::Css("input#password"), &person.passphrase()).await
    }

    /// The development pages of the independent issuer: any name and password, then consent.
    async fn log_in_and_agree(&self, person: &Person) -> Outcome<()> {
        let page = &self.window;
        page.write(By::Css("input[name=login]"), person.name).await?;
        page.write(By::Css("input[name=password]"), &person.passphrase()).await?;
        page.click(By::Css("button[type=submit]")).await?;
        page.see(By::XPath("//button[@type='submit' and contains(., 'Continue')]")).await.map(drop)
    }

    /// Presses the last button, and waits until the browser was sent back to the app on this computer.
    pub(crate) async fn back_to_the_app(&self) -> Outcome<()> {
        self.window.click(By::Css("button[type=submit]")).await?;
        self.window
            .wait("the way back to the app", async || {
                let url = self.window.driver().current_url().await?;
                // The app's page takes its one-time address out of the bar at once.
                let signed_in = self.window.driver().title().await?.contains("signed in");
                let sent_back = url.host_str() == Some("127.0.0.1") && url.path() == "/cb";
                Ok((signed_in || sent_back).then_some(()))
            })
            .await
    }

    pub(crate) async fn close(self) {
        self.window.quit().await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stage::{ANA, BEN};
    use crate::world::{Ports, World};

    /// Where an app would wait for the browser to come back; here nobody does.
    const BACK: &str = "http://127.0.0.1:49151/cb";

    #[tokio::test(flavor = "multi_thread")]
    async fn a_person_gets_through_the_pages_of_both_issuers_and_is_sent_back() {
        let _ = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let crew = Crew::new(folder.path().join("logs")).unwrap();
        let world = World::start(&crew, folder.path(), Ports::default()).await.unwrap();
        let browser = SystemBrowser::start(&crew, folder.path()).await.unwrap();
        let asked = format!(
            "client_id=parlance&redirect_uri={BACK}&response_type=code&scope=openid&state=s&nonce=n&code_challenge_method=S256&code_challenge={}",
            "A".repeat(43)
        );
        let own = format!("{}/oidc/authorize?{asked}", world.origin(ANA.domain));
        let other = format!("{}/auth?{asked}", world.issuer());
        for (person, address) in [(ANA, own), (BEN, other)] {
            let page = browser.visit(&person, &address).await.unwrap();
            page.sign_in(&person).await.unwrap();
            page.back_to_the_app().await.unwrap();
            page.close().await;
        }
    }
}
