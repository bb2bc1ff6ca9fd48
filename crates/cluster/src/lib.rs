//! What the Nodes of one domain share, over NATS with JetStream.
//!
//! Three things travel here, and this room understands none of them: *frames* between nodes (quick, may be
//! lost), *rows* that a majority of the servers has on disk before anybody is told so, and *claims*, of which
//! the first one wins.

mod claims;
mod frames;
mod names;
mod rows;
mod spread;

use std::time::Duration;

use async_nats::ConnectOptions;
use async_nats::jetstream::Context;
use async_nats::jetstream::context::ContextBuilder;
use async_nats::jetstream::stream::{Config, DiscardPolicy, StorageType};

pub use claims::Claimed;
pub use frames::{FRAME_LIMIT, To};
pub use rows::{Followed, Kind};

use names::Names;
use rows::Shelves;

/// How long one server may take to confirm a row before another stream is tried.
const ACK: Duration = Duration::from_millis(700);

/// How long JetStream may take for questions about itself.
const ASK: Duration = Duration::from_secs(2);

/// How long the servers may take at the start, when they may still look for their own leader.
const START: Duration = Duration::from_secs(60);

/// Servers must take messages this large: a message of a runtime, and what stands around it.
const PAYLOAD: usize = 2 * 1024 * 1024;

/// How long mail may live, and a little longer, so that what the nodes deleted is forgotten after it.
const MAIL_AGE: Duration = Duration::from_secs(31 * 24 * 3600);

/// Why the other nodes cannot be reached.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// No server takes us.
    #[error("no NATS server can be reached: {0}")]
    Connect(#[from] async_nats::ConnectError),
    /// JetStream does not do what it should.
    #[error("JetStream: {0}")]
    JetStream(String),
    /// Larger than what the servers take.
    #[error("the servers take {found} bytes at most; set max_payload to {PAYLOAD} or more")]
    Payload {
        /// What they take.
        found: usize,
    },
    /// Nobody answered in time.
    #[error("the servers did not answer in time")]
    Unavailable,
}

/// How to reach the servers.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `nats://[user:password@]host:port`, at least one.
    pub servers: Vec<String>,
    /// The domain; nodes of other domains may use the same servers.
    pub domain: String,
    /// How many servers keep each row: 3, or 1 for a single server.
    pub replicas: usize,
}

/// The link to the other nodes; cheap to clone.
#[derive(Clone)]
pub struct Link {
    client: async_nats::Client,
    jetstream: Context,
    names: Names,
    shelves: Shelves,
}

impl Link {
    /// Connects, and makes the streams that are not there.
    pub async fn open(settings: &Settings) -> Result<Self, LinkError> {
        let servers: Vec<async_nats::ServerAddr> =
            settings.servers.iter().map(|text| text.parse()).collect::<Result<_, _>>().map_err(
                |error: std::io::Error| LinkError::JetStream(format!("not the address of a server: {error}")),
            )?;
        let client = ConnectOptions::new()
            .name("parlance-node")
            .no_echo()
            .connection_timeout(Duration::from_secs(1))
            // A server that died without a word is noticed by this.
            .ping_interval(Duration::from_secs(2))
            .reconnect_delay_callback(|attempts| Duration::from_millis(50 * attempts.min(20) as u64))
            .connect(servers)
            .await?;
        let found = client.server_info().max_payload;
        if found < PAYLOAD {
            return Err(LinkError::Payload { found });
        }
        let jetstream = ContextBuilder::new().timeout(ASK).ack_timeout(ACK).build(client.clone());
        let names = Names::of(&settings.domain);
        let link = Self { client, jetstream, names, shelves: Shelves::default() };
        link.make_streams(settings.replicas).await?;
        Ok(link)
    }

    async fn make_streams(&self, replicas: usize) -> Result<(), LinkError> {
        let mut all = vec![self.config(self.names.claims_stream(), self.names.claims_subjects(), replicas, None)];
        for kind in [Kind::Mail, Kind::Book] {
            let age = matches!(kind, Kind::Mail).then_some(MAIL_AGE);
            for shelf in 0..kind.shelves() {
                let (stream, subjects) = (self.names.stream(kind, shelf), self.names.subjects(kind, shelf));
                all.push(self.config(stream, subjects, replicas, age));
            }
        }
        let begun = tokio::time::Instant::now();
        for config in all {
            while let Err(error) = self.jetstream.get_or_create_stream(config.clone()).await {
                if begun.elapsed() > START {
                    return Err(LinkError::JetStream(error.to_string()));
                }
                tokio::time::sleep(Duration::from_millis(250)).await;
            }
        }
        Ok(())
    }

    /// A stream that keeps the last word on each subject.
    fn config(&self, name: String, subjects: String, replicas: usize, age: Option<Duration>) -> Config {
        Config {
            name,
            subjects: vec![subjects],
            max_messages_per_subject: 1,
            storage: StorageType::File,
            num_replicas: replicas,
            discard: DiscardPolicy::Old,
            max_age: age.unwrap_or_default(),
            ..Config::default()
        }
    }
}
