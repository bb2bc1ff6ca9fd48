//! Rows: the last word on each key, on the disks of a majority of the servers.
//!
//! Each kind has several streams ("shelves"), and any of them may take any row: a stream whose leader has
//! just died finds a new one only after 4 to 9 s (Raft's election time in the server), and nobody shall wait
//! for that. So the order between two words on one key is not the stream's; the rows carry it themselves.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use async_nats::jetstream::consumer::{AckPolicy, DeliverPolicy, ReplayPolicy, pull};
use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{ACK, Link, LinkError};

/// How long a stream that did not confirm in time is left alone.
const REST: Duration = Duration::from_secs(3);

/// How long a row is tried at all.
const PATIENCE: Duration = Duration::from_secs(30);

/// Rows fetched at once.
const FETCH: usize = 512;

/// How often a follower hears that there is nothing new; two missing ones mean that its server is gone.
const HEARTBEAT: Duration = Duration::from_millis(750);

/// What a row is about; each kind has streams of its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Mail, which has an age.
    Mail,
    /// Everything else, which stays.
    Book,
}

impl Kind {
    /// How many streams it has.
    pub fn shelves(self) -> usize {
        match self {
            Self::Mail => 3,
            Self::Book => 2,
        }
    }

    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Mail => "mail",
            Self::Book => "book",
        }
    }

    fn first(self) -> usize {
        match self {
            Self::Mail => 0,
            Self::Book => 3,
        }
    }
}

/// When each stream may be tried again, in milliseconds of our own clock.
#[derive(Clone)]
pub(crate) struct Shelves(Arc<([AtomicU64; 5], Instant)>);

impl Default for Shelves {
    fn default() -> Self {
        Self(Arc::new((Default::default(), Instant::now())))
    }
}

impl Shelves {
    fn now(&self) -> u64 {
        u64::try_from(self.0.1.elapsed().as_millis()).unwrap_or(u64::MAX)
    }

    fn rests(&self, index: usize) -> bool {
        self.0.0[index].load(Ordering::Relaxed) > self.now()
    }

    fn let_rest(&self, index: usize) {
        let until = self.now() + u64::try_from(REST.as_millis()).unwrap_or(u64::MAX);
        self.0.0[index].store(until, Ordering::Relaxed);
    }
}

/// A row that somebody put.
#[derive(Debug, Clone)]
pub struct Followed {
    /// The stream it stands in; a name for [`Link::follow`]'s positions.
    pub stream: String,
    /// Where it stands there.
    pub sequence: u64,
    /// Whether nothing more was waiting behind it when this node began to follow.
    pub caught_up: bool,
    /// What was put; nothing when the stream had nothing for us at all.
    pub row: Option<Bytes>,
}

impl Link {
    /// Puts a row; returns when a majority of the servers has it.
    pub async fn put(&self, kind: Kind, key: &str, row: Bytes) -> Result<(), LinkError> {
        let home = usize::from(keys::sha256(key.as_bytes())[0]);
        let begun = Instant::now();
        let mut attempt = 0;
        while begun.elapsed() < PATIENCE {
            let shelf = (home + attempt) % kind.shelves();
            let index = kind.first() + shelf;
            attempt += 1;
            // When all of them rest, the one whose turn it is is tried all the same.
            let others_work = (0..kind.shelves()).any(|one| !self.shelves.rests(kind.first() + one));
            if self.shelves.rests(index) && others_work {
                continue;
            }
            let subject = self.names.row(kind, shelf, key);
            let put = async { self.jetstream.publish(subject, row.clone()).await?.await };
            match tokio::time::timeout(ACK, put).await {
                Ok(Ok(_)) => return Ok(()),
                Ok(Err(error)) => {
                    tracing::debug!(%error, shelf, "a row was not confirmed");
                    self.shelves.let_rest(index);
                    tokio::time::sleep(Duration::from_millis(20)).await;
                }
                Err(_) => self.shelves.let_rest(index),
            }
        }
        Err(LinkError::Unavailable)
    }

    /// Every stream of rows.
    pub fn streams(&self) -> Vec<String> {
        let of = |kind: Kind| (0..kind.shelves()).map(move |shelf| (kind, shelf));
        of(Kind::Mail).chain(of(Kind::Book)).map(|(kind, shelf)| self.names.stream(kind, shelf)).collect()
    }

    /// Follows a stream from behind a position until the token fires.
    pub fn follow(&self, stream: String, after: u64, out: mpsc::Sender<Followed>, stop: CancellationToken) {
        let link = self.clone();
        tokio::spawn(async move {
            let mut position = after;
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    () = link.follow_once(&stream, &mut position, &out) => {}
                }
                if out.is_closed() {
                    return;
                }
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
        });
    }

    /// Follows until the consumer is lost; consumers are small and are made anew then.
    async fn follow_once(&self, stream: &str, position: &mut u64, out: &mpsc::Sender<Followed>) {
        let config = pull::Config {
            deliver_policy: DeliverPolicy::ByStartSequence { start_sequence: *position + 1 },
            ack_policy: AckPolicy::None,
            replay_policy: ReplayPolicy::Instant,
            inactive_threshold: Duration::from_secs(30),
            memory_storage: true,
            num_replicas: 1,
            ..pull::Config::default()
        };
        let consumer = match self.jetstream.create_consumer_on_stream(config, stream).await {
            Ok(consumer) => consumer,
            Err(error) => return tracing::debug!(%error, stream, "nothing to follow with yet"),
        };
        if consumer.cached_info().num_pending == 0 {
            let nothing = Followed { stream: stream.to_owned(), sequence: *position, caught_up: true, row: None };
            if out.send(nothing).await.is_err() {
                return;
            }
        }
        let asked = consumer.stream().max_messages_per_batch(FETCH).heartbeat(HEARTBEAT).expires(HEARTBEAT * 8);
        let mut rows = match asked.messages().await {
            Ok(rows) => rows,
            Err(error) => return tracing::debug!(%error, stream, "a stream cannot be followed"),
        };
        while let Some(row) = rows.next().await {
            let Ok(row) = row else { return };
            let Ok(info) = row.info() else { return };
            let (sequence, caught_up) = (info.stream_sequence, info.pending == 0);
            *position = sequence;
            let followed = Followed { stream: stream.to_owned(), sequence, caught_up, row: Some(row.payload.clone()) };
            if out.send(followed).await.is_err() {
                return;
            }
        }
    }
}
