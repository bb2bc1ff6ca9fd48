//! Frames between nodes: quick, at most once, in the order of each sender.

use bytes::Bytes;
use futures_util::StreamExt;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use crate::{Link, LinkError};

/// Largest frame.
pub const FRAME_LIMIT: usize = crate::PAYLOAD - 64 * 1024;

/// Frames that wait for the node.
const WAITING: usize = 4_096;

/// Whom a frame is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum To {
    /// Every other node.
    Everybody,
    /// The node of this slot.
    Node(u8),
}

impl Link {
    /// Sends a frame; it may be lost when a server dies.
    pub async fn send(&self, to: To, frame: Bytes) -> Result<(), LinkError> {
        let subject = match to {
            To::Everybody => self.names.everybody(),
            To::Node(slot) => self.names.node(slot),
        };
        self.client.publish(subject, frame).await.map_err(|_| LinkError::Unavailable)
    }

    /// Hears the frames for the node of this slot until the token fires.
    pub async fn hear(&self, slot: u8, stop: CancellationToken) -> Result<mpsc::Receiver<Bytes>, LinkError> {
        let fault = |error: async_nats::SubscribeError| LinkError::JetStream(error.to_string());
        let everybody = self.client.subscribe(self.names.everybody()).await.map_err(fault)?;
        let own = self.client.subscribe(self.names.node(slot)).await.map_err(fault)?;
        // Without this a frame could be answered before we listen.
        self.client.flush().await.map_err(|_| LinkError::Unavailable)?;
        let (out, heard) = mpsc::channel(WAITING);
        tokio::spawn(async move {
            let mut frames = futures_util::stream::select(everybody, own);
            loop {
                tokio::select! {
                    () = stop.cancelled() => return,
                    frame = frames.next() => match frame {
                        Some(frame) => if out.send(frame.payload).await.is_err() { return },
                        None => return,
                    },
                }
            }
        });
        Ok(heard)
    }
}
