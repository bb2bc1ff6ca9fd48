//! Ties the exchange of one node to the other nodes of its domain.
//!
//! The exchange's thread hands over what is to be said, claimed and made safe; tasks here do it and bring
//! back how it went, and what others said.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use cluster::{Claimed, FRAME_LIMIT, Followed, Kind, Link, LinkError, To};
use futures_util::StreamExt;
use message::Domain;
use serde::{Deserialize, Serialize};
use serde_json::value::{RawValue, to_raw_value};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::exchange::{Claim, Frame, Outcome, Word};
use crate::issuer;
use crate::records::{Change, Records, RecordsError, Replica, Stamps, is_mail};
use crate::secret_file;
use crate::shelf::{self, Shelf};

/// Slots there are: delivery numbers have four bits for them, and 0 is a node alone.
const SLOTS: u8 = 15;

/// Rows on their way to the servers at once.
const SHIPPING: usize = 256;

/// Rows taken into the tables at once.
const GATHER: usize = 512;

/// How long rows gather before they are taken in.
const GATHER_TIME: Duration = Duration::from_millis(5);

/// How long a node waits to know what the others know before it serves all the same.
const CATCH_UP: Duration = Duration::from_secs(60);

/// Why a node does not become one of several.
#[derive(Debug, thiserror::Error)]
pub enum FleetError {
    /// The servers.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The database.
    #[error(transparent)]
    Records(#[from] RecordsError),
    /// The data folder.
    #[error("the data folder cannot be used: {0}")]
    Disk(#[from] std::io::Error),
    /// A key could not be made.
    #[error("no key could be made: {0}")]
    Secret(String),
    /// All slots are taken.
    #[error("the domain has had {SLOTS} nodes, and may not have more")]
    TooMany,
}

/// What the exchange hears of the others.
pub enum News {
    /// A frame.
    Frame(Frame),
    /// Rows, and up to where the streams are read with them.
    Rows(Vec<Change>, Vec<(String, u64)>),
    /// The rows of a ticket are safe.
    Safe(u64),
    /// A claim was decided.
    Claimed(Claim, Outcome),
}

/// A frame as it travels. Words this program does not know are passed over.
#[derive(Serialize, Deserialize)]
struct Written {
    slot: u8,
    start: u64,
    count: u64,
    sent: Vec<(u8, u64)>,
    direct: bool,
    words: Vec<Box<RawValue>>,
}

impl Written {
    fn read(self) -> Frame {
        let Self { slot, start, count, sent, direct, words } = self;
        let words = words.iter().filter_map(|word| serde_json::from_str(word.get()).ok()).collect();
        Frame { slot, start, count, sent, direct, words }
    }
}

/// The exchange's end.
pub struct Fleet {
    /// This node's slot.
    pub slot: u8,
    /// When it started, in Unix milliseconds.
    pub start: u64,
    /// What the others said.
    pub news: mpsc::Receiver<News>,
    /// What the tables take in.
    pub replica: Replica,
    /// The moments of changes.
    pub stamps: Stamps,
    words: mpsc::Sender<(To, Bytes)>,
    tickets: mpsc::UnboundedSender<(u64, Vec<Change>)>,
    claims: mpsc::UnboundedSender<Claim>,
    count: u64,
    sent: std::collections::BTreeMap<u8, u64>,
}

impl Fleet {
    /// Says words to others; frames may be lost, and who misses one asks.
    pub fn say(&mut self, words: Vec<(To, Word)>) {
        let mut by_ear: Vec<(To, Vec<Box<RawValue>>, usize)> = Vec::new();
        for (to, word) in words {
            let Ok(word) = to_raw_value(&word) else { continue };
            let size = word.get().len();
            match by_ear.iter_mut().rfind(|(ear, ..)| *ear == to) {
                Some((_, words, bytes)) if *bytes + size < FRAME_LIMIT => {
                    words.push(word);
                    *bytes += size;
                }
                _ => by_ear.push((to, vec![word], size)),
            }
        }
        for (to, words, _) in by_ear {
            match to {
                To::Everybody => self.count += 1,
                To::Node(slot) => *self.sent.entry(slot).or_default() += 1,
            }
            let written = Written {
                slot: self.slot,
                start: self.start,
                count: self.count,
                sent: self.sent.iter().map(|(slot, sent)| (*slot, *sent)).collect(),
                direct: to != To::Everybody,
                words,
            };
            if let Ok(text) = serde_json::to_vec(&written)
                && self.words.try_send((to, text.into())).is_err()
            {
                tracing::warn!("the servers are slow; a frame to other nodes was left out");
            }
        }
    }

    /// Makes rows safe; [`News::Safe`] says when they are.
    pub fn ship(&self, ticket: u64, rows: Vec<Change>) {
        // The tasks end with the node.
        let _ = self.tickets.send((ticket, rows));
    }

    /// Claims; [`News::Claimed`] says how it went.
    pub fn claim(&self, claim: Claim) {
        let _ = self.claims.send(claim);
    }
}

/// The slot of a node: the same one at every start, since its name is kept with its data.
async fn slot_of(link: &Link, records: &Records) -> Result<u8, FleetError> {
    let name = match records.setting("node-name")? {
        Some(name) => name,
        None => {
            let name = keys::base32(&keys::random::<16>());
            records.set_setting("node-name", &name)?;
            name
        }
    };
    for slot in 1..=SLOTS {
        if link.claim(&format!("slot/{slot}"), name.as_bytes()).await? == Claimed::Ours {
            return Ok(slot);
        }
    }
    Err(FleetError::TooMany)
}

/// Lets all nodes sign with the same keys: those of whichever node was first.
pub async fn share_secrets(link: &Link, data_dir: &Path, domain: &Domain) -> Result<(), FleetError> {
    let catalogue = || Shelf::open(data_dir, shelf::places(domain, "")).map(drop).map_err(|error| error.to_string());
    let issuer = || issuer::make_key(data_dir).map_err(|error| error.to_string());
    share_secret(link, "catalogue", &data_dir.join(shelf::STATE), catalogue).await?;
    share_secret(link, "issuer-key", &data_dir.join(issuer::KEY), issuer).await
}

async fn share_secret(
    link: &Link,
    name: &str,
    file: &Path,
    make: impl Fn() -> Result<(), String>,
) -> Result<(), FleetError> {
    let key = format!("secret/{name}");
    let ours = secret_file::read(file)?;
    if let Some(known) = link.claimed(&key).await? {
        // Who has one already keeps it: a catalogue has grown since.
        return if ours.is_none() { Ok(secret_file::write(file, &known)?) } else { Ok(()) };
    }
    if ours.is_none() {
        make().map_err(FleetError::Secret)?;
    }
    let ours = secret_file::read(file)?.unwrap_or_default();
    match link.claim(&key, &ours).await? {
        Claimed::Ours => Ok(()),
        Claimed::Theirs(known) => Ok(secret_file::write(file, &known)?),
    }
}

/// Becomes one of several nodes, and learns what the others know before it serves.
pub async fn join(
    link: Link,
    database: &Path,
    records: &Records,
    now_ms: i64,
    stop: &CancellationToken,
) -> Result<Fleet, FleetError> {
    let slot = slot_of(&link, records).await?;
    records.share()?;
    let replica = Replica::open(database)?;
    let frames = link.hear(slot, stop.clone()).await?;
    let (followed, mut rows) = mpsc::channel(GATHER * 2);
    let known = records.followed()?;
    for stream in link.streams() {
        let after = known.iter().find(|(name, _)| *name == stream).map_or(0, |(_, sequence)| *sequence);
        link.follow(stream, after, followed.clone(), stop.clone());
    }
    let mut stamps = Stamps::default();
    link.keep_spread(stop.clone());
    catch_up(&mut rows, &replica, &mut stamps, link.streams().len()).await?;
    let (tell, news) = mpsc::channel(GATHER);
    let (words, said) = mpsc::channel(4_096);
    let (tickets, ticketed) = mpsc::unbounded_channel();
    let (claims, claimed) = mpsc::unbounded_channel();
    tokio::spawn(hear(frames, tell.clone()));
    tokio::spawn(take_in(rows, tell.clone()));
    tokio::spawn(speak(link.clone(), said));
    tokio::spawn(ship(link.clone(), ticketed, tell.clone()));
    tokio::spawn(decide(link, claimed, tell));
    let start = now_ms.unsigned_abs();
    tracing::info!(slot, "one of several nodes");
    Ok(Fleet { slot, start, news, replica, stamps, words, tickets, claims, count: 0, sent: Default::default() })
}

/// Takes in what the streams hold, until each has said that there is no more.
async fn catch_up(
    rows: &mut mpsc::Receiver<Followed>,
    replica: &Replica,
    stamps: &mut Stamps,
    streams: usize,
) -> Result<(), FleetError> {
    let mut complete = std::collections::HashSet::new();
    let until = tokio::time::Instant::now() + CATCH_UP;
    while complete.len() < streams {
        let mut batch = Vec::new();
        let taken = tokio::time::timeout_at(until, rows.recv_many(&mut batch, GATHER)).await;
        if !matches!(taken, Ok(1..)) {
            return Err(LinkError::Unavailable.into());
        }
        complete.extend(batch.iter().filter(|one| one.caught_up).map(|one| one.stream.clone()));
        let (changes, positions) = read(batch);
        replica.apply(changes, &positions, stamps)?;
    }
    Ok(())
}

fn read(batch: Vec<Followed>) -> (Vec<Change>, Vec<(String, u64)>) {
    let (mut changes, mut positions) = (Vec::new(), Vec::new());
    for one in batch {
        let Some(row) = one.row else { continue };
        match serde_json::from_slice(&row) {
            Ok(change) => changes.push(change),
            Err(error) => tracing::warn!(%error, stream = one.stream, "a shared row does not read"),
        }
        positions.push((one.stream, one.sequence));
    }
    (changes, positions)
}

async fn take_in(mut rows: mpsc::Receiver<Followed>, tell: mpsc::Sender<News>) {
    let mut batch = Vec::new();
    while rows.recv_many(&mut batch, GATHER).await > 0 {
        let (changes, positions) = read(std::mem::take(&mut batch));
        if !positions.is_empty() && tell.send(News::Rows(changes, positions)).await.is_err() {
            return;
        }
        tokio::time::sleep(GATHER_TIME).await;
    }
}

async fn hear(mut frames: mpsc::Receiver<Bytes>, tell: mpsc::Sender<News>) {
    while let Some(bytes) = frames.recv().await {
        let Ok(mut frame) = serde_json::from_slice::<Written>(&bytes).map(Written::read) else {
            tracing::warn!("a frame of another node does not read");
            continue;
        };
        let mut rows = Vec::new();
        for word in &mut frame.words {
            if let Word::Rows(changes) = word {
                rows.append(changes);
            }
        }
        // The rows first: a message may be about what they bring.
        if !rows.is_empty() && tell.send(News::Rows(rows, Vec::new())).await.is_err() {
            return;
        }
        if tell.send(News::Frame(frame)).await.is_err() {
            return;
        }
    }
}

async fn speak(link: Link, mut said: mpsc::Receiver<(To, Bytes)>) {
    while let Some((to, frame)) = said.recv().await {
        if let Err(error) = link.send(to, frame).await {
            tracing::warn!(%error, "a frame to other nodes was lost");
        }
    }
}

/// Makes the rows of each ticket safe, many at a time; tickets become safe in their order.
async fn ship(link: Link, mut tickets: mpsc::UnboundedReceiver<(u64, Vec<Change>)>, tell: mpsc::Sender<News>) {
    let mut waiting = Vec::new();
    while tickets.recv_many(&mut waiting, 64).await > 0 {
        let mut last = 0;
        let mut rows = Vec::new();
        for (ticket, changes) in waiting.drain(..) {
            last = ticket;
            rows.extend(changes);
        }
        let put = |change: Change| {
            let link = link.clone();
            async move { put_until_safe(&link, &change).await }
        };
        futures_util::stream::iter(rows.into_iter().map(put)).buffer_unordered(SHIPPING).for_each(|()| async {}).await;
        if tell.send(News::Safe(last)).await.is_err() {
            return;
        }
    }
}

async fn put_until_safe(link: &Link, change: &Change) {
    let kind = if is_mail(change) { Kind::Mail } else { Kind::Book };
    let Ok(row) = serde_json::to_vec(change) else { return };
    let row = Bytes::from(row);
    // Nothing is answered until this ends; a node that cannot reach the servers has nothing to promise.
    while let Err(error) = link.put(kind, &change.name(), row.clone()).await {
        tracing::error!(%error, "rows are not safe; nothing is answered until they are");
    }
}

async fn decide(link: Link, mut claims: mpsc::UnboundedReceiver<Claim>, tell: mpsc::Sender<News>) {
    let link = Arc::new(link);
    while let Some(claim) = claims.recv().await {
        let (link, tell) = (link.clone(), tell.clone());
        tokio::spawn(async move {
            let mut outcome = Outcome::Won;
            for key in &claim.keys {
                outcome = match link.claim(key, claim.value.as_bytes()).await {
                    Ok(Claimed::Ours) => continue,
                    Ok(Claimed::Theirs(_)) => Outcome::Lost,
                    Err(_) => Outcome::Unavailable,
                };
                break;
            }
            // The tasks end with the node.
            let _ = tell.send(News::Claimed(claim, outcome)).await;
        });
    }
}
