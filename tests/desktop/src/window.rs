//! A window a person uses: sees, clicks and types, through WebDriver and without knowing the code.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, Instant};

use serde_json::{Value, json};
use thirtyfour::error::{WebDriverErrorInner, WebDriverResult};
use thirtyfour::prelude::ElementQueryable;
use thirtyfour::{By, Capabilities, Key, WebDriver, WebElement};

use video::read_counter;

use crate::browser::Handover;
use crate::pixels::{Pixels, Place};
use crate::process::Program;
use crate::programs::{ours, system, tauri_driver};
use crate::stage::{Person, Stage, Through};
use crate::{Outcome, StageError};

/// How long a person waits for something on a slow machine before they give up.
pub(crate) const PATIENCE: Duration = Duration::from_secs(90);

/// How often is looked again.
const LOOK: Duration = Duration::from_millis(120);

/// A command of the web driver; the first one starts the app.
const COMMAND: Duration = Duration::from_secs(180);

/// How long the app has to end after its window was closed.
const ENDS: Duration = Duration::from_secs(30);

/// A window of the app, or a page of the browser.
pub struct Window {
    who: String,
    driver: WebDriver,
    app: Option<App>,
}

/// The app behind a window.
struct App {
    handover: Handover,
    program: Program,
    id: u32,
    process: u32,
    display: String,
}

impl Window {
    /// Starts a person's app.
    pub async fn open(stage: &Stage, person: &Person, through: Through) -> Outcome<Self> {
        let who = person.name.to_owned();
        let handover = stage.handover(person)?;
        let before = stage.screen.windows()?;
        let (command, [port, behind], capabilities) = driver_of(through)?;
        let mut command = command;
        command.envs(stage.environment(person, &handover)?).env_remove("DBUS_SESSION_BUS_ADDRESS");
        let mut program = stage.crew.start(&format!("app-{who}"), command)?;
        // `tauri-driver` listens before the driver that it hands everything to, and drops what comes in between.
        program.listens(behind, COMMAND).await?;
        program.listens(port, COMMAND).await?;
        let driver = WebDriver::builder(format!("http://127.0.0.1:{port}"), capabilities)
            .request_timeout(COMMAND)
            .await
            .map_err(StageError::driver(&who))?;
        let until = Instant::now() + PATIENCE;
        let seen = loop {
            let mut new = stage.screen.windows()?.into_iter().filter(|one| before.iter().all(|old| old.id != one.id));
            if let Some(seen) = new.next() {
                break seen;
            }
            if Instant::now() > until {
                return Err(not_seen(&who, "a window", String::new()));
            }
            tokio::time::sleep(LOOK).await;
        };
        stage.screen.place(seen.id, person.place)?;
        let display = stage.screen.display().to_owned();
        let app = App { handover, program, id: seen.id, process: seen.process, display };
        Ok(Self { who, driver, app: Some(app) })
    }

    pub(crate) fn of_browser(who: String, driver: WebDriver) -> Self {
        Self { who, driver, app: None }
    }

    pub(crate) fn who(&self) -> &str {
        &self.who
    }

    pub(crate) fn driver(&self) -> &WebDriver {
        &self.driver
    }

    /// The process of the app, as its windows tell.
    pub(crate) fn process(&self) -> Option<u32> {
        self.app.as_ref().map(|app| app.process)
    }

    /// The next address the app opens in the browser.
    pub(crate) async fn opened_address(&mut self) -> Outcome<String> {
        match &mut self.app {
            Some(app) => app.handover.next(&self.who).await,
            None => Err(not_seen(&self.who, "an address", String::new())),
        }
    }

    /// Looks until `look` finds something.
    pub(crate) async fn wait<T>(
        &self,
        what: &str,
        look: impl AsyncFnMut() -> WebDriverResult<Option<T>>,
    ) -> Outcome<T> {
        self.wait_long(what, PATIENCE, look).await
    }

    async fn wait_long<T>(
        &self,
        what: &str,
        limit: Duration,
        mut look: impl AsyncFnMut() -> WebDriverResult<Option<T>>,
    ) -> Outcome<T> {
        let until = Instant::now() + limit;
        loop {
            match look().await {
                Ok(Some(found)) => return Ok(found),
                Ok(None) => {}
                // The page drew something anew between looking and acting; look again.
                Err(error) if is_passing(&error) => {}
                Err(error) => return Err(StageError::driver(&self.who)(error)),
            }
            if Instant::now() > until {
                return Err(not_seen(&self.who, what, self.visible().await));
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Waits until something is displayed.
    pub(crate) async fn see(&self, by: By) -> Outcome<WebElement> {
        let what = by.to_string();
        self.wait(&what, async || first_displayed(&self.driver, &by).await).await
    }

    /// Whether something is displayed now.
    pub(crate) async fn shows(&self, by: By) -> Outcome<bool> {
        match first_displayed(&self.driver, &by).await {
            Ok(found) => Ok(found.is_some()),
            Err(error) if is_passing(&error) => Ok(false),
            Err(error) => Err(StageError::driver(&self.who)(error)),
        }
    }

    /// How many of them there are.
    pub(crate) async fn count(&self, by: By) -> Outcome<usize> {
        self.driver.find_all(by).await.map(|all| all.len()).map_err(StageError::driver(&self.who))
    }

    /// Waits until something is not displayed any more.
    pub(crate) async fn gone(&self, by: By) -> Outcome<()> {
        let what = format!("the end of {by}");
        self.wait(&what, async || Ok(first_displayed(&self.driver, &by).await?.is_none().then_some(()))).await
    }

    /// Clicks something as soon as that is possible.
    pub(crate) async fn click(&self, by: By) -> Outcome<()> {
        let what = format!("{by} to click");
        self.wait(&what, async || {
            let Some(element) = first_displayed(&self.driver, &by).await? else { return Ok(None) };
            if !element.is_enabled().await? || element.attr("aria-disabled").await?.as_deref() == Some("true") {
                return Ok(None);
            }
            element.click().await.map(Some)
        })
        .await
    }

    /// Types into a field, replacing what is there.
    pub(crate) async fn write(&self, by: By, text: &str) -> Outcome<()> {
        let what = format!("{by} taking what was typed");
        self.wait(&what, async || {
            let Some(element) = first_displayed(&self.driver, &by).await? else { return Ok(None) };
            element.clear().await?;
            element.send_keys(text).await?;
            Ok((element.prop("value").await?.as_deref() == Some(text)).then_some(()))
        })
        .await
    }

    /// Waits until something displayed has all these words.
    pub(crate) async fn read(&self, by: By, words: &str) -> Outcome<String> {
        let what = format!("“{words}” in {by}");
        self.wait(&what, async || {
            for element in self.driver.find_all(by.clone()).await? {
                let text = element.text().await?;
                if text.contains(words) {
                    return Ok(Some(text));
                }
            }
            Ok(None)
        })
        .await
    }

    /// Presses keys, wherever the focus is.
    pub(crate) async fn press(&self, keys: &[Key]) -> Outcome<()> {
        let mut chain = self.driver.action_chain();
        for key in keys {
            chain = chain.key_down(key.clone()).key_up(key.clone());
        }
        chain.perform().await.map_err(StageError::driver(&self.who))
    }

    /// Types text, wherever the focus is.
    pub(crate) async fn type_blindly(&self, text: &str) -> Outcome<()> {
        self.driver.action_chain().send_keys(text).perform().await.map_err(StageError::driver(&self.who))
    }

    /// The test id of what has the focus.
    pub(crate) async fn focused(&self) -> Outcome<String> {
        let script = "const one = document.activeElement; return one?.dataset?.testid ?? one?.closest('[data-testid]')?.dataset.testid ?? '';";
        let answer = self.driver.execute(script, Vec::new()).await.map_err(StageError::driver(&self.who))?;
        Ok(answer.json().as_str().unwrap_or_default().to_owned())
    }

    /// Saves a picture of the window.
    ///
    /// Of the app's windows as they stand on the screen: the web driver would wait for the next frame, and a
    /// window in which nothing moves draws none.
    pub(crate) async fn picture(&self, path: &Path) -> Outcome<()> {
        let Some(app) = &self.app else {
            return self.driver.screenshot(path).await.map_err(StageError::driver(&self.who));
        };
        // What was just clicked is drawn within a few frames.
        tokio::time::sleep(Duration::from_millis(300)).await;
        let status = Command::new(system("import", "imagemagick")?)
            .args(["-window", &app.id.to_string()])
            .arg(path)
            .env("DISPLAY", &app.display)
            .status()
            .map_err(|source| StageError::DidNotStart { program: "import".into(), source })?;
        if status.success() { Ok(()) } else { Err(StageError::Screen(format!("no picture ({status})"))) }
    }

    /// The number that a counting camera drew, out of the pixels that this window shows of a canvas.
    pub(crate) async fn counted(&self, canvas: &str, after: Option<u32>) -> Outcome<u32> {
        let Some(app) = &self.app else { return Err(not_seen(&self.who, "a window of its own", String::new())) };
        let script = "const one = document.querySelector(`[data-testid=\"${arguments[0]}\"]`); if (!one) return null; \
            const box = one.getBoundingClientRect(); \
            const scale = Math.min(box.width / one.width, box.height / one.height); \
            const [width, height] = [one.width * scale, one.height * scale]; \
            const [x, y] = [box.x + (box.width - width) / 2, box.y + (box.height - height) / 2]; \
            return [x, y, width, height].map((side) => Math.round(side * devicePixelRatio));";
        self.wait(&format!("a number in the pixels of {canvas}, after {after:?}"), async || {
            let answer = self.driver.execute(script, vec![json!(canvas)]).await?;
            let place: Option<[i16; 4]> = serde_json::from_value(answer.json().clone()).ok();
            let Some([x, y, width, height]) = place else { return Ok(None) };
            let place = Place { x, y, width: width.unsigned_abs(), height: height.unsigned_abs() };
            let Ok(pixels) = Pixels::take(&app.display, app.id, place) else { return Ok(None) };
            let number = read_counter(|x, y| pixels.brightness(x, y));
            Ok(number.filter(|number| after.is_none_or(|after| *number > after)))
        })
        .await
    }

    /// The beginning of what the window shows, to explain why something is missing.
    async fn visible(&self) -> String {
        let script = "return `${location.hash} ${document.body.innerText}`.replace(/\\s+/g, ' ').slice(0, 400);";
        match self.driver.execute(script, Vec::new()).await {
            Ok(answer) => format!("; the window shows: {}", answer.json().as_str().unwrap_or_default()),
            Err(error) => format!("; the window does not answer: {error}"),
        }
    }

    /// Closes the window as a person does, with the button of the window manager, and waits until the app ended.
    pub(crate) async fn close(mut self, stage: &Stage) -> Outcome<()> {
        let Some(mut app) = self.app.take() else { return Ok(()) };
        stage.screen.close(app.id)?;
        let until = Instant::now() + ENDS;
        while Path::new(&format!("/proc/{}/exe", app.process)).read_link().is_ok() {
            if Instant::now() > until {
                return Err(StageError::Seen {
                    who: self.who,
                    what: "that the app did not end with its window".into(),
                });
            }
            tokio::time::sleep(LOOK).await;
        }
        let _ = self.driver.leak();
        app.program.stop();
        Ok(())
    }

    /// Ends the session; for pages of the browser.
    pub(crate) async fn quit(self) {
        // The browser may be gone already; it is ended with the stage in any case.
        let _ = self.driver.quit().await;
    }
}

/// Something by its test id.
pub(crate) fn id(testid: &str) -> By {
    By::Css(format!("[data-testid=\"{testid}\"]"))
}

async fn first_displayed(driver: &WebDriver, by: &By) -> WebDriverResult<Option<WebElement>> {
    driver.query(by.clone()).nowait().and_displayed().first_opt().await
}

fn is_passing(error: &thirtyfour::error::WebDriverError) -> bool {
    matches!(
        &**error,
        WebDriverErrorInner::StaleElementReference(_)
            | WebDriverErrorInner::ElementNotInteractable(_)
            | WebDriverErrorInner::ElementClickIntercepted(_)
            | WebDriverErrorInner::NoSuchElement(_)
            | WebDriverErrorInner::InvalidElementState(_)
    )
}

fn not_seen(who: &str, what: &str, also: String) -> StageError {
    StageError::NotSeen { who: who.to_owned(), what: what.to_owned(), after: PATIENCE, also }
}

/// The driver, where it listens and where the one behind it does, and what it is asked for.
fn driver_of(through: Through) -> Outcome<(Command, [u16; 2], Capabilities)> {
    let webkit = system("WebKitWebDriver", "webkit2gtk-driver")?;
    let app: PathBuf = ours("parlance")?;
    let [port, native] = free_ports()?;
    let (command, ports, capabilities) = match through {
        Through::WebKit => {
            let mut command = Command::new(webkit);
            command.arg(format!("--port={port}")).env("TAURI_WEBVIEW_AUTOMATION", "true");
            (command, [port, port], json!({ "webkitgtk:browserOptions": { "binary": app, "args": [] } }))
        }
        Through::Tauri => {
            let mut command = Command::new(tauri_driver()?);
            command
                .args(["--port", &port.to_string(), "--native-port", &native.to_string(), "--native-driver"])
                .arg(webkit);
            (
                command,
                [port, native],
                json!({ "browserName": "wry", "tauri:options": { "application": app, "args": [] } }),
            )
        }
    };
    let Value::Object(capabilities) = capabilities else { unreachable!("it was written as an object") };
    Ok((command, ports, Capabilities::from(capabilities)))
}

/// Two ports nobody listens on; both are held until both are known.
fn free_ports() -> Outcome<[u16; 2]> {
    let failed = |source| StageError::DidNotStart { program: "a web driver".into(), source };
    let listen = || std::net::TcpListener::bind("127.0.0.1:0").map_err(failed);
    let (one, two) = (listen()?, listen()?);
    let port = |listener: &std::net::TcpListener| listener.local_addr().map(|address| address.port()).map_err(failed);
    Ok([port(&one)?, port(&two)?])
}
