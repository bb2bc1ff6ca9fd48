//! Notices on `org.freedesktop.Notifications`: shown, replaced and closed by the server's numbers.

use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::{Stream, StreamExt};
use notices::{Answer, Button, Key, Notice, Urgency};
use tokio::sync::mpsc;
use zbus::zvariant::Value;
use zbus::{Connection, MatchRule, Message, MessageStream};

use crate::action::{DEFAULT, bounded, button_of, word_of};
use crate::{ANSWERS_LIMIT, BusError, NotifierError};

const SERVICE: &str = "org.freedesktop.Notifications";
const PATH: &str = "/org/freedesktop/Notifications";
const INTERFACE: &str = "org.freedesktop.Notifications";

/// A server that takes longer is not waited for.
const PATIENCE: Duration = Duration::from_secs(5);

/// Signals of the bus that may wait for us.
const SIGNALS_LIMIT: usize = 64;

/// The action of KDE's inline reply, and the capability of who has it.
const INLINE_REPLY: &str = "inline-reply";

/// The desktop of the session. Dropping it leaves on the desktop what is there.
pub struct Desktop {
    connection: Connection,
    app: String,
    known: Arc<Mutex<Known>>,
    listening: tokio::task::JoinHandle<()>,
}

/// What is known of the server that runs now.
#[derive(Default)]
struct Known {
    /// The server's number of each notice.
    ids: BTreeMap<Key, u32>,
    /// What it can do, once it was asked.
    can: Option<Can>,
}

/// What a server can do that matters here (specification, "GetCapabilities").
#[derive(Debug, Clone, Copy, Default)]
struct Can {
    actions: bool,
    markup: bool,
    reply: bool,
}

impl Drop for Desktop {
    fn drop(&mut self) {
        self.listening.abort();
    }
}

impl Desktop {
    /// Joins the session's bus; `app` is the name of the app's desktop entry. What people do with notices comes out
    /// of the receiver.
    pub async fn connect(app: &str) -> Result<(Self, mpsc::Receiver<(Key, Answer)>), NotifierError> {
        Self::on(zbus::connection::Builder::session(), app).await
    }

    /// The same with the bus at an address (D-Bus Specification, "Server Addresses").
    pub async fn connect_to(address: &str, app: &str) -> Result<(Self, mpsc::Receiver<(Key, Answer)>), NotifierError> {
        Self::on(zbus::connection::Builder::address(address), app).await
    }

    async fn on(
        builder: zbus::Result<zbus::connection::Builder<'_>>,
        app: &str,
    ) -> Result<(Self, mpsc::Receiver<(Key, Answer)>), NotifierError> {
        let joined = async {
            let connection = builder?.method_timeout(PATIENCE).build().await?;
            let signals = signals(&connection, SERVICE, INTERFACE, None).await?;
            let owners = signals_of_bus(&connection).await?;
            Ok::<_, zbus::Error>((connection, signals, owners))
        };
        let (connection, signals, owners) =
            joined.await.map_err(|error| NotifierError::NoBus { source: Some(error.into()) })?;
        let known = Arc::new(Mutex::new(Known::default()));
        let (sender, receiver) = mpsc::channel(ANSWERS_LIMIT);
        let listening = tokio::spawn(listen(signals, owners, known.clone(), sender));
        Ok((Self { connection, app: app.to_owned(), known, listening }, receiver))
    }

    /// Shows a notice, in the place of the one about the same.
    pub async fn show(&self, notice: &Notice) -> Result<(), NotifierError> {
        let can = self.can().await?;
        let replaces = lock(&self.known).ids.get(&notice.key).copied().unwrap_or(0);
        let body = if can.markup { escaped(&notice.body) } else { notice.body.clone() };
        let timeout = -1i32;
        let arguments = (
            "Parlance",
            replaces,
            self.app.as_str(),
            notice.title.as_str(),
            body,
            actions(notice, can),
            hints(notice, can, &self.app),
            timeout,
        );
        let id: u32 = self.call("Notify", &arguments).await?.body().deserialize().map_err(refused)?;
        lock(&self.known).ids.insert(notice.key.clone(), id);
        Ok(())
    }

    /// Takes a notice away, if it is still there.
    pub async fn withdraw(&self, key: &Key) -> Result<(), NotifierError> {
        let id = lock(&self.known).ids.remove(key);
        match id {
            Some(id) => self.call("CloseNotification", &(id,)).await.map(|_| ()),
            None => Ok(()),
        }
    }

    async fn can(&self) -> Result<Can, NotifierError> {
        if let Some(can) = lock(&self.known).can {
            return Ok(can);
        }
        let words: Vec<String> = self.call("GetCapabilities", &()).await?.body().deserialize().map_err(refused)?;
        let has = |word: &str| words.iter().any(|one| one == word);
        let can = Can { actions: has("actions"), markup: has("body-markup"), reply: has(INLINE_REPLY) };
        lock(&self.known).can = Some(can);
        Ok(can)
    }

    async fn call<B>(&self, method: &str, body: &B) -> Result<Message, NotifierError>
    where
        B: serde::ser::Serialize + zbus::zvariant::DynamicType,
    {
        self.connection.call_method(Some(SERVICE), PATH, Some(INTERFACE), method, body).await.map_err(refused)
    }
}

fn refused(error: zbus::Error) -> NotifierError {
    NotifierError::Server(BusError::from(error))
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    // Whoever panicked with the lock left whole entries behind.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Pairs of an action and its label (specification, "Notify").
fn actions(notice: &Notice, can: Can) -> Vec<&str> {
    if !can.actions {
        return Vec::new();
    }
    let mut pairs = vec![DEFAULT, notice.open.as_str()];
    for (button, label) in &notice.buttons {
        let action = match button {
            Button::Reply if can.reply => INLINE_REPLY,
            button => word_of(*button),
        };
        pairs.extend([action, label.as_str()]);
    }
    pairs
}

fn hints<'a>(notice: &'a Notice, can: Can, app: &'a str) -> HashMap<&'static str, Value<'a>> {
    let urgency: u8 = match notice.urgency {
        Urgency::Low => 0,
        Urgency::Normal => 1,
    };
    let (category, sound) = match notice.key {
        Key::Missed(_) => ("call.unanswered", "phone-failure"),
        _ => ("im.received", "message-new-instant"),
    };
    let mut hints = HashMap::from([
        ("urgency", Value::from(urgency)),
        ("category", Value::from(category)),
        ("desktop-entry", Value::from(app)),
    ]);
    if notice.sounds {
        hints.insert("sound-name", Value::from(sound));
    } else {
        hints.insert("suppress-sound", Value::from(true));
    }
    let reply = notice.buttons.iter().find(|(button, _)| *button == Button::Reply);
    if let Some((_, label)) = reply.filter(|_| can.reply) {
        hints.insert("x-kde-reply-placeholder-text", Value::from(label.as_str()));
    }
    hints
}

/// A server that reads markup in a body must not find any in what others wrote.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

async fn signals(
    connection: &Connection,
    sender: &str,
    interface: &str,
    member: Option<&str>,
) -> zbus::Result<MessageStream> {
    let rule = MatchRule::builder().msg_type(zbus::message::Type::Signal).sender(sender)?.interface(interface)?;
    let rule = match member {
        Some(member) => rule.member(member)?.arg(0, SERVICE)?,
        None => rule.path(PATH)?,
    };
    MessageStream::for_match_rule(rule.build(), connection, Some(SIGNALS_LIMIT)).await
}

/// Another server takes the place of the one before.
async fn signals_of_bus(connection: &Connection) -> zbus::Result<MessageStream> {
    signals(connection, "org.freedesktop.DBus", "org.freedesktop.DBus", Some("NameOwnerChanged")).await
}

/// Hears what people do with notices, until the bus or whoever hears it is gone.
async fn listen(
    mut signals: impl Stream<Item = zbus::Result<Message>> + Unpin,
    mut owners: impl Stream<Item = zbus::Result<Message>> + Unpin,
    known: Arc<Mutex<Known>>,
    answers: mpsc::Sender<(Key, Answer)>,
) {
    loop {
        tokio::select! {
            signal = signals.next() => match signal {
                Some(Ok(signal)) => {
                    let Some((key, answer)) = answer_of(&signal, &known) else { continue };
                    if answers.send((key, answer)).await.is_err() {
                        return;
                    }
                }
                Some(Err(error)) => tracing::debug!(%error, "a signal of the notification server was not read"),
                None => return,
            },
            owner = owners.next() => match owner {
                Some(_) => {
                    // Its numbers went with it, and the next one may be able to do other things.
                    let gone = std::mem::take(&mut *lock(&known)).ids;
                    for key in gone.into_keys() {
                        if answers.send((key, Answer::Closed)).await.is_err() {
                            return;
                        }
                    }
                }
                None => return,
            },
        }
    }
}

/// What a signal says of a notice of ours; the bus tells everybody of everybody's.
fn answer_of(signal: &Message, known: &Mutex<Known>) -> Option<(Key, Answer)> {
    let header = signal.header();
    let body = signal.body();
    let (id, answer) = match header.member()?.as_str() {
        "ActionInvoked" => {
            let (id, action): (u32, String) = body.deserialize().ok()?;
            let answer = if action == DEFAULT { Answer::Opened } else { Answer::Pressed(button_of(&action)?) };
            (id, answer)
        }
        "NotificationReplied" => {
            let (id, text): (u32, String) = body.deserialize().ok()?;
            (id, Answer::Wrote(bounded(&text)))
        }
        "NotificationClosed" => {
            let (id, _why): (u32, u32) = body.deserialize().ok()?;
            (id, Answer::Closed)
        }
        _ => return None,
    };
    let mut known = lock(known);
    let key = known.ids.iter().find(|(_, one)| **one == id).map(|(key, _)| key.clone())?;
    if answer == Answer::Closed {
        known.ids.remove(&key);
    }
    Some((key, answer))
}
