//! Shorter ways over the same stage: through another driver, and by keyboard alone.

use std::path::Path;

use thirtyfour::Key;

use crate::stage::{ANA, Person, Stage, Through};
use crate::transcript::Transcript;
use crate::window::{Window, id};
use crate::{Outcome, StageError, story};

/// The most steps with Tab until something has the focus.
const TABS: usize = 40;

/// One person comes from nothing to an account, driven by this program.
pub async fn first_half(folder: &Path, through: Through) -> Outcome<()> {
    let mut tale = Transcript::new(folder)?;
    let stage = Stage::raise(&folder.join("logs")).await?;
    let mut ana = Window::open(&stage, &ANA, through).await?;
    let result = story::first_run(&stage, &mut tale, &mut ana, &ANA).await;
    if let Err(error) = &result {
        tale.broke(error, &stage, &[&ana]).await;
    }
    result
}

/// One person comes as far as the sign-in without a mouse.
pub async fn keyboard(folder: &Path) -> Outcome<()> {
    let mut tale = Transcript::new(folder)?;
    let stage = Stage::raise(&folder.join("logs")).await?;
    let mut ana = Window::open(&stage, &ANA, Through::WebKit).await?;
    let result = by_keyboard(&mut tale, &mut ana, &ANA).await;
    if let Err(error) = &result {
        tale.broke(error, &stage, &[&ana]).await;
    }
    result
}

async fn by_keyboard(tale: &mut Transcript, window: &mut Window, person: &Person) -> Outcome<()> {
    window.see(id("protect-screen")).await?;
    for field in ["protect-passphrase", "protect-passphrase-again"] {
        go_to(window, field).await?;
        window.type_blindly(&person.passphrase()).await?;
    }
    tale.step("the keys are protected without a mouse", &[window]).await?;
    window.press(&[Key::Enter]).await?;
    window.see(id("welcome-screen")).await?;
    go_to(window, "welcome-start").await?;
    window.press(&[Key::Enter]).await?;
    window.see(id("issuer-list")).await?;
    tale.step("the issuers are listed without a mouse", &[window]).await?;
    go_to(window, "issuer-card").await?;
    window.press(&[Key::Down]).await?;
    window.press(&[Key::Up]).await?;
    go_to(window, "issuer-sign-in").await?;
    window.press(&[Key::Enter]).await?;
    window.see(id("signin-waiting")).await?;
    let address = window.opened_address().await?;
    tale.step("the browser is opened without a mouse", &[window]).await?;
    go_to(window, "signin-cancel").await?;
    window.press(&[Key::Enter]).await?;
    window.see(id("issuer-screen")).await?;
    if address.starts_with(&format!("http://{}", person.domain)) {
        Ok(())
    } else {
        Err(StageError::Seen { who: person.name.into(), what: "another issuer than the chosen one".into() })
    }
}

/// Presses Tab until something has the focus, as far as a patient person would.
async fn go_to(window: &Window, testid: &str) -> Outcome<()> {
    let mut on_the_way = Vec::new();
    for _ in 0..TABS {
        let focused = window.focused().await?;
        if focused == testid {
            return Ok(());
        }
        on_the_way.push(focused);
        window.press(&[Key::Tab]).await?;
    }
    let what = format!("no way to {testid} by Tab, only to {}", on_the_way.join(", "));
    Err(StageError::Seen { who: window.who().to_owned(), what })
}
