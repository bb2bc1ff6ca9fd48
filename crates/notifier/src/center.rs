//! Keeps the notices of a notification centre: which stand there, under which numbers, and whose answers come back.
//!
//! A [`Center`] is the system's own part, one for each; all that can be decided without it is decided here, so that
//! it runs in the tests of every system.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use notices::{Answer, Key, Notice};
use tokio::sync::mpsc;

use crate::action::answer_of;
use crate::{ANSWERS_LIMIT, NotifierError};

/// A system that takes longer is not waited for: the app has other things to show.
const PATIENCE: Duration = Duration::from_secs(5);

/// A system's own notification centre.
pub trait Center: Send + Sync + 'static {
    /// Begins, with where answers go. Asks the person once whether notices may be shown, where a system wants that,
    /// without waiting for them; and takes away what an earlier run of the app left behind.
    fn begin(&self, answers: Answers) -> Result<(), NotifierError>;

    /// Shows a notice under a number, in the place of the one that has it.
    fn post(&self, id: &str, notice: &Notice) -> impl Future<Output = Result<(), NotifierError>> + Send;

    /// Takes a notice away; one that is not there is none.
    fn remove(&self, id: &str) -> Result<(), NotifierError>;
}

/// The notices of a centre.
pub struct Desktop<C> {
    center: C,
    known: Arc<Mutex<Known>>,
}

/// Which number each notice has.
struct Known {
    /// This run of the app: what is left of another one is not ours.
    run: u32,
    last: u64,
    ids: BTreeMap<Key, String>,
}

impl<C: Center> Desktop<C> {
    /// Begins with a centre. What people do with notices comes out of the receiver.
    pub fn on(center: C) -> Result<(Self, mpsc::Receiver<(Key, Answer)>), NotifierError> {
        let known = Arc::new(Mutex::new(Known { run: run(), last: 0, ids: BTreeMap::new() }));
        let (sender, receiver) = mpsc::channel(ANSWERS_LIMIT);
        center.begin(Answers { known: known.clone(), sender })?;
        Ok((Self { center, known }, receiver))
    }

    /// Shows a notice, in the place of the one about the same.
    ///
    /// Nothing is tried again here: a person who wants no notices is not asked by each of them.
    pub async fn show(&self, notice: &Notice) -> Result<(), NotifierError> {
        // Known before it is shown, since a person can be quicker than the system's answer.
        let id = lock(&self.known).id(&notice.key);
        let posted = tokio::time::timeout(PATIENCE, self.center.post(&id, notice)).await;
        let posted = posted.unwrap_or_else(|late| Err(NotifierError::Server(late.into())));
        if matches!(posted, Err(NotifierError::NotAllowed | NotifierError::NotInstalled)) {
            lock(&self.known).ids.remove(&notice.key);
        }
        posted
    }

    /// Takes a notice away, if it is still there.
    pub async fn withdraw(&self, key: &Key) -> Result<(), NotifierError> {
        let id = lock(&self.known).ids.remove(key);
        match id {
            Some(id) => self.center.remove(&id),
            None => Ok(()),
        }
    }
}

impl Known {
    fn id(&mut self, key: &Key) -> String {
        if let Some(id) = self.ids.get(key) {
            return id.clone();
        }
        self.last += 1;
        // Says nothing of whom it is about, for systems keep it; and as short as early Windows 10 wants it (16).
        let id = format!("{:08x}-{}", self.run, self.last);
        self.ids.insert(key.clone(), id.clone());
        id
    }
}

/// Where a system tells what people do with notices, from whichever thread.
#[derive(Clone)]
pub struct Answers {
    known: Arc<Mutex<Known>>,
    sender: mpsc::Sender<(Key, Answer)>,
}

impl Answers {
    /// A person chose an action of a notice, and perhaps wrote something.
    pub fn chose(&self, id: &str, action: &str, text: Option<&str>) {
        if let Some(answer) = answer_of(action, text) {
            self.tell(id, answer);
        }
    }

    /// A person put a notice away, or the system never showed it.
    pub fn closed(&self, id: &str) {
        self.tell(id, Answer::Closed);
    }

    /// Whether a notice stands under a number, as far as is known.
    #[cfg_attr(not(target_os = "windows"), allow(dead_code, reason = "only Windows wants its notices kept"))]
    pub fn knows(&self, id: &str) -> bool {
        lock(&self.known).ids.values().any(|one| one == id)
    }

    /// Systems tell also of what is long withdrawn, or was left by a run before this one; nothing comes of that.
    fn tell(&self, id: &str, answer: Answer) {
        let Some(key) = self.key(id, answer == Answer::Closed) else { return };
        if self.sender.try_send((key, answer)).is_err() {
            tracing::debug!("an answer to a notice was not heard");
        }
    }

    fn key(&self, id: &str, forget: bool) -> Option<Key> {
        let mut known = lock(&self.known);
        let key = known.ids.iter().find(|(_, one)| *one == id).map(|(key, _)| key.clone())?;
        if forget {
            known.ids.remove(&key);
        }
        Some(key)
    }
}

fn lock(known: &Mutex<Known>) -> MutexGuard<'_, Known> {
    // Whoever panicked with the lock left whole entries behind.
    known.lock().unwrap_or_else(PoisonError::into_inner)
}

/// A number that an earlier run and one beside this did not have, as far as chance allows.
fn run() -> u32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    let seconds = u32::try_from(since.as_secs() & 0xffff_ffff).unwrap_or_default();
    seconds ^ since.subsec_nanos() ^ std::process::id().rotate_left(16)
}
