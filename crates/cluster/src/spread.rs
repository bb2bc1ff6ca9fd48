//! Keeps the leaders of the streams at different servers, so that one death does not stop all of a kind.

use std::collections::HashSet;
use std::time::Duration;

use tokio_util::sync::CancellationToken;

use crate::{Kind, Link};

/// How often the leaders are looked at.
const LOOK: Duration = Duration::from_secs(20);

impl Link {
    /// Looks at the leaders now and then until the token fires.
    pub fn keep_spread(&self, stop: CancellationToken) {
        let link = self.clone();
        tokio::spawn(async move {
            let mut look = tokio::time::interval(LOOK);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    _ = look.tick() => {}
                }
                for kind in [Kind::Mail, Kind::Book] {
                    link.spread(kind).await;
                }
            }
        });
    }

    /// Lets one stream of a kind look for another leader when one server leads them all.
    async fn spread(&self, kind: Kind) {
        let mut leaders = HashSet::new();
        for shelf in 0..kind.shelves() {
            let Some(leader) = self.leader(&self.names.stream(kind, shelf)).await else { return };
            leaders.insert(leader);
        }
        if leaders.len() > 1 {
            return;
        }
        // Which of them is chance: two nodes that look at once should not move the same one forth and back.
        let shelf = usize::from(keys::random::<1>()[0]) % kind.shelves();
        let subject = format!("$JS.API.STREAM.LEADER.STEPDOWN.{}", self.names.stream(kind, shelf));
        if let Err(error) = self.client.request(subject, Default::default()).await {
            tracing::debug!(%error, "a stream keeps its leader");
        }
    }

    /// The server that leads a stream; nothing when the servers are no cluster or have no leader now.
    async fn leader(&self, stream: &str) -> Option<String> {
        let stream = self.jetstream.get_stream_no_info(stream).await.ok()?;
        let info = stream.get_info().await.ok()?;
        info.cluster.filter(|cluster| !cluster.replicas.is_empty())?.leader
    }
}
