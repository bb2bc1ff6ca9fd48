//! The whole story: two people of two domains meet, write and talk.

use std::path::Path;
use std::time::{Duration, Instant};

use thirtyfour::By;

use crate::hearing::compare;
use crate::stage::{ANA, BEN, Person, Stage, Through, Vouches};
use crate::transcript::Transcript;
use crate::window::{Window, id};
use crate::{Outcome, StageError};

/// How long the two talk at least.
const TALK: Duration = Duration::from_secs(5);

/// What is left to play after the last word was spoken into the microphone.
const ECHO: Duration = Duration::from_millis(1500);

const ANA_WRITES: &str = "Hello Ben, this is Ana from the other domain.";
const BEN_WRITES: &str = "Hello Ana! I can read you, across both domains.";
const ANA_ANSWERS: &str = "Shall we talk?";
const ANA_SAYS: &str = "Good morning Ben. Can you hear me clearly on your side of the world?";
const BEN_SAYS: &str = "Yes Ana, loud and clear. It is very nice to hear your voice again.";

/// Tells the whole story; pictures and logs go into the folder.
pub async fn tell(folder: &Path) -> Outcome<()> {
    let mut tale = Transcript::new(folder)?;
    tale.tell("the stage is set: a screen, sound devices, two domains, an issuer, a browser");
    let stage = Stage::raise(&folder.join("logs")).await?;
    let mut ana = Window::open(&stage, &ANA, Through::WebKit).await?;
    let mut ben = Window::open(&stage, &BEN, Through::WebKit).await?;
    let result = scenes(&stage, &mut tale, &mut ana, &mut ben).await;
    if let Err(error) = &result {
        tale.broke(error, &stage, &[&ana, &ben]).await;
    }
    result
}

async fn scenes(stage: &Stage, tale: &mut Transcript, ana: &mut Window, ben: &mut Window) -> Outcome<()> {
    first_run(stage, tale, ana, &ANA).await?;
    first_run(stage, tale, ben, &BEN).await?;
    first_contact(tale, ana, ben).await?;
    chat(tale, ana, ben).await?;
    looks(tale, ana, ben).await?;
    call(stage, tale, ana, ben).await?;
    tale.tell("the end");
    Ok(())
}

/// From nothing to an account: keys, welcome, issuer, sign-in, name, ready.
pub(crate) async fn first_run(
    stage: &Stage,
    tale: &mut Transcript,
    window: &mut Window,
    person: &Person,
) -> Outcome<()> {
    let name = person.name;
    protect(tale, window, person).await?;
    window.see(id("welcome-screen")).await?;
    tale.step(&format!("{name} is welcomed"), &[window]).await?;
    window.click(id("welcome-start")).await?;
    choose_issuer(stage, tale, window, person).await?;
    sign_in(stage, tale, window, person).await?;
    take_address(tale, window, person).await
}

async fn protect(tale: &mut Transcript, window: &Window, person: &Person) -> Outcome<()> {
    window.see(id("protect-screen")).await?;
    window.write(id("protect-passphrase"), &person.passphrase()).await?;
    window.write(id("protect-passphrase-again"), &person.passphrase()).await?;
    tale.step(&format!("{} protects the keys with a passphrase", person.name), &[window]).await?;
    window.click(id("protect-submit")).await
}

async fn choose_issuer(stage: &Stage, tale: &mut Transcript, window: &Window, person: &Person) -> Outcome<()> {
    window.see(id("issuer-list")).await?;
    let issuer = match person.vouches {
        Vouches::Domain => format!("http://{}", person.domain),
        Vouches::Independent => stage.world.issuer().to_owned(),
    };
    window.click(By::Css(format!("[data-testid=\"issuer-card\"][data-issuer^=\"{issuer}\"]"))).await?;
    tale.step(&format!("{} chooses who vouches", person.name), &[window]).await?;
    window.click(id("issuer-sign-in")).await
}

async fn sign_in(stage: &Stage, tale: &mut Transcript, window: &mut Window, person: &Person) -> Outcome<()> {
    let address = window.opened_address().await?;
    window.see(id("signin-waiting")).await?;
    let page = stage.browser.visit(person, &address).await?;
    let signed_in = async {
        page.sign_in(person).await?;
        tale.step(&format!("{} signs in with the browser", person.name), &[&*window, &page.window]).await?;
        page.back_to_the_app().await?;
        tale.step(&format!("the browser sends {} back", person.name), &[&page.window]).await
    }
    .await;
    if let Err(error) = signed_in {
        tale.broke(&error, stage, &[&page.window]).await;
        return Err(error);
    }
    page.close().await;
    window.see(id("profile-screen")).await.map(drop)
}

async fn take_address(tale: &mut Transcript, window: &Window, person: &Person) -> Outcome<()> {
    window.write(id("profile-name"), person.called).await?;
    window.write(id("profile-address"), person.name).await?;
    tale.step(&format!("{} takes a name and an address", person.name), &[window]).await?;
    window.click(id("profile-create")).await?;
    window.read(id("ready-address"), &person.address()).await?;
    tale.step(&format!("{} is ready", person.name), &[window]).await?;
    window.click(id("ready-done")).await?;
    window.see(By::Css("[data-testid=\"network\"][data-online=\"true\"]")).await.map(drop)
}

/// Ana finds Ben by his address and asks; he sees who vouches for her, and accepts.
pub(crate) async fn first_contact(tale: &mut Transcript, ana: &Window, ben: &Window) -> Outcome<()> {
    ana.click(id("empty-find")).await?;
    ana.write(id("find-address"), &BEN.address()).await?;
    tale.step("ana looks for ben by his address", &[ana]).await?;
    ana.click(id("find-submit")).await?;
    permit(tale, ana, BEN.domain).await?;
    ana.see(id("find-found")).await?;
    tale.step("ana has found ben", &[ana]).await?;
    ana.click(id("find-request")).await?;
    ana.see(id("conversation-asked")).await?;
    // Written before Ben accepted: it is kept, and must not be seen before.
    say(ana, ANA_WRITES).await?;
    tale.step("ana has asked for contact and writes already", &[ana]).await?;

    ben.click(row(&ANA)).await?;
    ben.see(id("contact-request")).await?;
    ben.read(id("contact-request-identity"), &format!("Vouched for by {}", ANA.vouched_by)).await?;
    if ben.shows(text_message()).await? {
        return Err(StageError::Seen { who: "ben".into(), what: "a message before he accepted".into() });
    }
    tale.step("ben sees who asks and who vouches", &[ben]).await?;
    ben.click(id("contact-accept")).await?;
    permit(tale, ben, ANA.domain).await?;
    ben.gone(id("contact-request")).await?;
    ana.gone(id("conversation-asked")).await?;
    ana.read(id("conversation-identity"), &format!("Vouched for by {}", BEN.vouched_by)).await?;
    tale.step("both know who the other is", &[ana, ben]).await
}

/// Screen S10: the other domain's protocol may run.
async fn permit(tale: &mut Transcript, window: &Window, domain: &str) -> Outcome<()> {
    window.see(id("consent-dialog")).await?;
    window.read(id("consent-why"), domain).await?;
    tale.step(&format!("{} is asked whether the protocol of {domain} may run", window.who()), &[window]).await?;
    window.click(id("consent-always")).await?;
    window.gone(id("consent-dialog")).await
}

/// Both write, and both read both.
pub(crate) async fn chat(tale: &mut Transcript, ana: &Window, ben: &Window) -> Outcome<()> {
    ben.read(text_message(), ANA_WRITES).await?;
    say(ben, BEN_WRITES).await?;
    ana.read(text_message(), BEN_WRITES).await?;
    say(ana, ANA_ANSWERS).await?;
    for window in [ana, ben] {
        for words in [ANA_WRITES, BEN_WRITES, ANA_ANSWERS] {
            window.read(text_message(), words).await?;
        }
        window.gone(By::Css("[data-testid=\"message\"][data-mine=\"true\"]:not([data-state=\"delivered\"]):not([data-state=\"read\"])")).await?;
    }
    tale.step("both have written, and both have read it", &[ana, ben]).await
}

async fn say(window: &Window, words: &str) -> Outcome<()> {
    window.write(id("composer"), words).await?;
    window.click(id("composer-send")).await
}

/// The conversation in the dark and in high contrast.
async fn looks(tale: &mut Transcript, ana: &Window, ben: &Window) -> Outcome<()> {
    for (window, theme, other) in [(ana, "dark", &BEN), (ben, "contrast", &ANA)] {
        window.click(id("nav-settings")).await?;
        window.click(id(&format!("theme-{theme}"))).await?;
        window.see(By::Css(format!("html[data-theme=\"{theme}\"] body"))).await?;
        window.click(id("nav-chats")).await?;
        window.click(row(other)).await?;
        window.read(text_message(), BEN_WRITES).await?;
    }
    tale.step("ana likes it dark and ben in high contrast", &[ana, ben]).await
}

/// Ana calls, Ben answers, each hears what the other says.
pub(crate) async fn call(stage: &Stage, tale: &mut Transcript, ana: &Window, ben: &Window) -> Outcome<()> {
    let (ana_file, ana_said) = stage.sound.speak(ANA.name, "en-us", ANA_SAYS)?;
    let (ben_file, ben_said) = stage.sound.speak(BEN.name, "en-gb", BEN_SAYS)?;
    // Before the call: a virtual speaker changes its pace when somebody begins to listen to it.
    let (at_ana, at_ben) = (stage.sound.listen(ANA.name)?, stage.sound.listen(BEN.name)?);
    at_ana.begins(Duration::from_secs(20)).await?;
    at_ben.begins(Duration::from_secs(20)).await?;
    ana.click(id("conversation-call")).await?;
    ben.see(id("incoming-call")).await?;
    ben.read(id("incoming-identity"), "Vouched for by").await?;
    tale.step("it rings at ben's", &[ana, ben]).await?;
    stands_above(stage, &[ben], "a window above all others", true).await?;
    at_ben.sounds("ben", "that it rings", Duration::from_secs(20)).await?;
    at_ana.sounds("ana", "that it rings at ben's", Duration::from_secs(20)).await?;
    tale.step_on_screen("a window of its own rings above all others", stage)?;
    ben.click(id("call-accept")).await?;
    let connected = By::Css("[data-testid=\"call-screen\"][data-stage=\"connected\"]");
    ana.see(connected.clone()).await?;
    ben.see(connected).await?;
    // Two apps on one screen: at least one of them has not the focus.
    stands_above(stage, &[ana, ben], "a small window of the call", true).await?;
    tale.step_on_screen("who works elsewhere keeps the call in sight in a small window", stage)?;
    let began = Instant::now();
    let mut ana_speaks = stage.sound.say(ANA.name, &ana_file)?;
    let moving = By::Css("[data-testid=\"call-level-out\"][aria-valuenow]:not([aria-valuenow=\"0\"])");
    ben.see(moving).await?;
    tale.step("ana and ben are connected and ana speaks", &[ana, ben]).await?;
    ana_speaks.ends(Duration::from_secs(60)).await;
    for window in [ana, ben] {
        if window.shows(id("call-no-microphone")).await? {
            return Err(StageError::Seen { who: window.who().into(), what: "that a microphone is missing".into() });
        }
    }
    let mut ben_speaks = stage.sound.say(BEN.name, &ben_file)?;
    ben_speaks.ends(Duration::from_secs(60)).await;
    // Sound has a length: what was said last is still on its way, and the talk takes its time.
    tokio::time::sleep(ECHO.max(TALK.saturating_sub(began.elapsed()))).await;
    for (who, what, said, heard) in [("ben", "ana", &ana_said, at_ben.end()?), ("ana", "ben", &ben_said, at_ana.end()?)]
    {
        let likeness = compare(said, &heard);
        tale.keep(&format!("{what}-said"), said)?;
        tale.keep(&format!("{who}-heard"), &heard)?;
        tale.tell(&format!("{who} heard what {what} said: {likeness}"));
        if !likeness.is_same() {
            let found = format!("{likeness} in {} ms of sound", heard.milliseconds());
            return Err(StageError::NotHeard { who: who.into(), what: format!("what {what} said"), found });
        }
    }
    see_each_other(tale, ana, ben).await?;
    hang_up(tale, ana, ben).await?;
    stands_above(stage, &[ana, ben], "no small window after the call", false).await
}

/// Both switch their cameras on, which count: each reads the other's numbers out of what the own window shows.
async fn see_each_other(tale: &mut Transcript, ana: &Window, ben: &Window) -> Outcome<()> {
    for window in [ana, ben] {
        window.click(id("call-camera")).await?;
    }
    for window in [ana, ben] {
        window.see(id("call-view-theirs")).await?;
        let first = window.counted("call-view-theirs", None).await?;
        let next = window.counted("call-view-theirs", Some(first)).await?;
        tale.tell(&format!("{} sees the other's pictures {first} and {next} on the screen", window.who()));
    }
    tale.step("ana and ben see each other", &[ana, ben]).await
}

async fn hang_up(tale: &mut Transcript, ana: &Window, ben: &Window) -> Outcome<()> {
    ana.click(id("call-hangup")).await?;
    for window in [ana, ben] {
        window.see(By::Css("[data-testid=\"call-end\"][data-reason=\"hung-up\"]")).await?;
    }
    tale.step("ana hangs up", &[ana, ben]).await?;
    for window in [ana, ben] {
        window.click(id("call-close")).await?;
        window.see(By::Css("[data-testid=\"system-line\"][data-code=\"call-ended\"]")).await?;
        let rows = window.count(id("chat-row")).await?;
        if rows != 1 {
            return Err(StageError::Seen { who: window.who().into(), what: format!("{rows} conversations for one") });
        }
    }
    tale.step("the call is a line of the conversation", &[ana, ben]).await
}

/// Waits until a window that is kept above all others belongs to one of these apps, or none does any more.
async fn stands_above(stage: &Stage, apps: &[&Window], what: &str, there: bool) -> Outcome<()> {
    let ours: Vec<Option<u32>> = apps.iter().map(|app| app.process()).collect();
    let Some(first) = apps.first() else { return Ok(()) };
    first
        .wait(what, async || {
            let windows = stage.screen.windows().unwrap_or_default();
            let stands = windows.iter().any(|one| one.above && ours.contains(&Some(one.process)));
            Ok((stands == there).then_some(()))
        })
        .await
}

/// Both apps are closed and started again: the conversation is there, and goes on.
pub async fn restart(folder: &Path) -> Outcome<()> {
    let mut tale = Transcript::new(folder)?;
    let stage = Stage::raise(&folder.join("logs")).await?;
    let mut ana = Window::open(&stage, &ANA, Through::WebKit).await?;
    let mut ben = Window::open(&stage, &BEN, Through::WebKit).await?;
    let met = async {
        first_run(&stage, &mut tale, &mut ana, &ANA).await?;
        first_run(&stage, &mut tale, &mut ben, &BEN).await?;
        first_contact(&mut tale, &ana, &ben).await?;
        chat(&mut tale, &ana, &ben).await
    }
    .await;
    if let Err(error) = met {
        tale.broke(&error, &stage, &[&ana, &ben]).await;
        return Err(error);
    }
    ana.close(&stage).await?;
    ben.close(&stage).await?;
    tale.tell("both windows are closed and both apps have ended");
    let ana = Window::open(&stage, &ANA, Through::WebKit).await?;
    let ben = Window::open(&stage, &BEN, Through::WebKit).await?;
    let result = again(&stage, &mut tale, &ana, &ben).await;
    if let Err(error) = &result {
        tale.broke(error, &stage, &[&ana, &ben]).await;
    }
    result
}

async fn again(stage: &Stage, tale: &mut Transcript, ana: &Window, ben: &Window) -> Outcome<()> {
    for (window, person, other) in [(ana, &ANA, &BEN), (ben, &BEN, &ANA)] {
        window.see(id("unlock-screen")).await?;
        window.write(id("unlock-passphrase"), "not the passphrase").await?;
        window.click(id("unlock-submit")).await?;
        window.see(id("unlock-passphrase-fault")).await?;
        window.write(id("unlock-passphrase"), &person.passphrase()).await?;
        window.click(id("unlock-submit")).await?;
        window.click(row(other)).await?;
        for words in [ANA_WRITES, BEN_WRITES, ANA_ANSWERS] {
            window.read(text_message(), words).await?;
        }
        window.see(By::Css("[data-testid=\"network\"][data-online=\"true\"]")).await?;
    }
    tale.step("both read their history again", &[ana, ben]).await?;
    say(ben, "And here I am again.").await?;
    ana.read(text_message(), "And here I am again.").await?;
    tale.step("the conversation goes on after the restart", &[ana, ben]).await?;
    call(stage, tale, ana, ben).await
}

fn row(person: &Person) -> By {
    By::Css(format!("[data-testid=\"chat-row\"][data-user=\"{}\"]", person.address()))
}

fn text_message() -> By {
    id("message-text")
}
