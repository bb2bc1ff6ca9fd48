//! Notices on real buses: a server of the tests' own that can do all, and Debian's dunst that nobody here wrote.

#![allow(clippy::unwrap_used, reason = "a test may")]
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use from_ben::from_ben;
use notices::{Answer, Button, Key, Notice};
use notifier::Desktop;
use tokio::sync::mpsc;
use zbus::zvariant::OwnedValue;

#[path = "common/from_ben.rs"]
mod from_ben;

const APP: &str = "app.parlance.desktop";
const PATIENCE: Duration = Duration::from_secs(20);

/// A program that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// A session bus of the test's own.
struct Bus {
    _daemon: Running,
    address: String,
}

impl Bus {
    fn start() -> Self {
        let mut daemon = Command::new("dbus-daemon")
            .args(["--session", "--nofork", "--nopidfile", "--print-address=1"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("dbus-daemon starts (Debian: dbus)");
        let mut address = String::new();
        BufReader::new(daemon.stdout.take().unwrap()).read_line(&mut address).unwrap();
        Self { _daemon: Running(daemon), address: address.trim().to_owned() }
    }

    async fn join(&self) -> (Desktop, mpsc::Receiver<(Key, Answer)>) {
        Desktop::connect_to(&self.address, APP).await.unwrap()
    }
}

/// What a server was asked to show.
#[derive(Debug, Clone)]
struct Asked {
    replaces: u32,
    title: String,
    body: String,
    actions: Vec<String>,
    hints: Vec<String>,
}

#[derive(Default)]
struct Records {
    asked: Vec<Asked>,
    closed: Vec<u32>,
    last: u32,
}

/// A notification server as the specification describes it, with the inline replies of KDE.
struct Server {
    can: Vec<&'static str>,
    records: Arc<Mutex<Records>>,
}

#[zbus::interface(name = "org.freedesktop.Notifications")]
impl Server {
    fn get_capabilities(&self) -> Vec<&'static str> {
        self.can.clone()
    }

    #[allow(clippy::too_many_arguments, reason = "the specification has eight")]
    fn notify(
        &self,
        _app: String,
        replaces: u32,
        _icon: String,
        title: String,
        body: String,
        actions: Vec<String>,
        hints: std::collections::HashMap<String, OwnedValue>,
        _timeout: i32,
    ) -> u32 {
        let mut records = self.records.lock().unwrap();
        let hints = hints.into_keys().collect();
        records.asked.push(Asked { replaces, title, body, actions, hints });
        if replaces != 0 {
            return replaces;
        }
        records.last += 1;
        records.last
    }

    fn close_notification(&self, id: u32) {
        self.records.lock().unwrap().closed.push(id);
    }
}

/// The server's end of the bus.
struct Served {
    connection: zbus::Connection,
    records: Arc<Mutex<Records>>,
}

impl Served {
    async fn on(bus: &Bus, can: &[&'static str]) -> Self {
        let records = Arc::new(Mutex::new(Records::default()));
        let server = Server { can: can.to_vec(), records: records.clone() };
        let connection = zbus::connection::Builder::address(bus.address.as_str())
            .unwrap()
            .serve_at("/org/freedesktop/Notifications", server)
            .unwrap()
            .name("org.freedesktop.Notifications")
            .unwrap()
            .build()
            .await
            .unwrap();
        Self { connection, records }
    }

    async fn says<B: serde::Serialize + zbus::zvariant::DynamicType>(&self, signal: &str, body: &B) {
        let (path, interface) = ("/org/freedesktop/Notifications", "org.freedesktop.Notifications");
        self.connection.emit_signal(None::<&str>, path, interface, signal, body).await.unwrap();
    }

    fn asked(&self) -> Vec<Asked> {
        self.records.lock().unwrap().asked.clone()
    }

    fn closed(&self) -> Vec<u32> {
        self.records.lock().unwrap().closed.clone()
    }
}

async fn next(answers: &mut mpsc::Receiver<(Key, Answer)>) -> (Key, Answer) {
    tokio::time::timeout(PATIENCE, answers.recv()).await.expect("an answer comes").expect("the desktop listens")
}

const ALL: &[&str] = &["actions", "body", "body-markup", "inline-reply", "sound"];

#[tokio::test]
async fn a_notice_is_shown_replaced_and_closed_by_its_number() {
    let bus = Bus::start();
    let server = Served::on(&bus, ALL).await;
    let (desktop, _answers) = bus.join().await;
    desktop.show(&from_ben("one")).await.unwrap();
    desktop.show(&from_ben("two")).await.unwrap();
    let other = Notice { key: Key::Missed("7".into()), buttons: Vec::new(), sounds: false, ..from_ben("") };
    desktop.show(&other).await.unwrap();
    desktop.withdraw(&other.key).await.unwrap();
    desktop.withdraw(&other.key).await.unwrap();
    let asked = server.asked();
    let replaced: Vec<u32> = asked.iter().map(|one| one.replaces).collect();
    assert_eq!(replaced, [0, 1, 0], "the second message takes the place of the first");
    assert_eq!(asked[0].actions, ["default", "Open Parlance", "inline-reply", "Reply", "read", "Mark as read"]);
    assert!(asked[0].hints.contains(&"sound-name".to_owned()));
    assert!(asked[2].hints.contains(&"suppress-sound".to_owned()));
    assert_eq!(server.closed(), [2], "closed once, and nothing else");
}

#[tokio::test]
async fn nothing_a_person_wrote_is_markup_and_a_server_without_it_gets_the_plain_words() {
    let tricky = "<a href=\"http://x\">pay</a> & go";
    let bus = Bus::start();
    let server = Served::on(&bus, ALL).await;
    let (desktop, _answers) = bus.join().await;
    desktop.show(&from_ben(tricky)).await.unwrap();
    assert_eq!(server.asked()[0].body, "&lt;a href=\"http://x\"&gt;pay&lt;/a&gt; &amp; go");

    let bus = Bus::start();
    let server = Served::on(&bus, &["body"]).await;
    let (desktop, _answers) = bus.join().await;
    desktop.show(&from_ben(tricky)).await.unwrap();
    assert_eq!(server.asked()[0].body, tricky);
    assert!(server.asked()[0].actions.is_empty(), "a server without actions is given none");
}

#[tokio::test]
async fn what_a_person_does_with_a_notice_comes_back_and_what_they_do_with_others_does_not() {
    let bus = Bus::start();
    let server = Served::on(&bus, ALL).await;
    let (desktop, mut answers) = bus.join().await;
    let key = from_ben("").key;
    desktop.show(&from_ben("Dinner?")).await.unwrap();
    server.says("ActionInvoked", &(99u32, "default")).await;
    server.says("NotificationReplied", &(99u32, "of another app")).await;
    server.says("ActionInvoked", &(1u32, "no-such-action")).await;
    server.says("NotificationReplied", &(1u32, "Gladly")).await;
    assert_eq!(next(&mut answers).await, (key.clone(), Answer::Wrote("Gladly".into())));
    server.says("ActionInvoked", &(1u32, "read")).await;
    assert_eq!(next(&mut answers).await, (key.clone(), Answer::Pressed(Button::Read)));
    server.says("ActionInvoked", &(1u32, "default")).await;
    assert_eq!(next(&mut answers).await, (key.clone(), Answer::Opened));
    server.says("NotificationClosed", &(1u32, 2u32)).await;
    assert_eq!(next(&mut answers).await, (key, Answer::Closed));
    desktop.show(&from_ben("again")).await.unwrap();
    assert_eq!(server.asked()[1].replaces, 0, "what is closed is not replaced");
}

#[tokio::test]
async fn a_server_that_starts_anew_is_asked_anew_what_it_can_do() {
    let bus = Bus::start();
    let first = Served::on(&bus, &["body"]).await;
    let (desktop, mut answers) = bus.join().await;
    desktop.show(&from_ben("one")).await.unwrap();
    first.connection.close().await.unwrap();
    assert_eq!(next(&mut answers).await, (from_ben("").key, Answer::Closed), "its notices went with it");
    assert!(desktop.show(&from_ben("into nothing")).await.is_err(), "without a server nothing is shown");
    let second = Served::on(&bus, ALL).await;
    desktop.show(&from_ben("two")).await.unwrap();
    let asked = second.asked();
    assert_eq!((asked[0].title.as_str(), asked[0].replaces), ("Ben", 0));
    assert!(!asked[0].actions.is_empty());
}

/// dunst on a screen that nobody looks at.
struct Dunst {
    _daemon: Running,
    _screen: Running,
    bus: Bus,
}

impl Dunst {
    fn start() -> Self {
        let bus = Bus::start();
        let mut screen = Command::new("Xvfb")
            .args(["-displayfd", "1", "-screen", "0", "800x600x24", "-nolisten", "tcp"])
            .stdout(Stdio::piped())
            .stderr(Stdio::null())
            .spawn()
            .expect("Xvfb starts (Debian: xvfb)");
        let mut number = String::new();
        BufReader::new(screen.stdout.take().unwrap()).read_line(&mut number).unwrap();
        let daemon = Command::new("dunst")
            .env("DISPLAY", format!(":{}", number.trim()))
            .env("DBUS_SESSION_BUS_ADDRESS", &bus.address)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("dunst starts (Debian: dunst)");
        Self { _daemon: Running(daemon), _screen: Running(screen), bus }
    }

    fn ctl(&self, arguments: &[&str]) -> String {
        let output = Command::new("dunstctl")
            .args(arguments)
            .env("DBUS_SESSION_BUS_ADDRESS", &self.bus.address)
            .output()
            .expect("dunstctl starts (Debian: dunst)");
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    }

    async fn displays(&self, count: &str) {
        let until = Instant::now() + PATIENCE;
        while self.ctl(&["count", "displayed"]) != count {
            assert!(Instant::now() < until, "dunst displays {}, not {count}", self.ctl(&["count"]));
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

#[tokio::test]
async fn dunst_displays_replaces_opens_and_closes() {
    let dunst = Dunst::start();
    let (desktop, mut answers) = dunst.bus.join().await;
    let until = Instant::now() + PATIENCE;
    // It takes its name on the bus a moment after it started.
    while let Err(error) = desktop.show(&from_ben("one <b>bold</b> & more")).await {
        assert!(Instant::now() < until, "{error:?}");
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    dunst.displays("1").await;
    desktop.show(&from_ben("two")).await.unwrap();
    dunst.displays("1").await;
    let other = Notice { key: Key::Missed("7".into()), buttons: Vec::new(), ..from_ben("") };
    desktop.show(&other).await.unwrap();
    dunst.displays("2").await;
    // The one that was read elsewhere goes, the other stays.
    desktop.withdraw(&other.key).await.unwrap();
    dunst.displays("1").await;
    dunst.ctl(&["action", "0"]);
    assert_eq!(next(&mut answers).await, (from_ben("").key, Answer::Opened));
    desktop.withdraw(&from_ben("").key).await.unwrap();
    dunst.displays("0").await;
    let history = dunst.ctl(&["history"]);
    assert!(history.contains("one &lt;b&gt;bold") || history.contains("two"), "{history}");
}
