//! Claims: whoever comes first has it, on whatever node.

use async_nats::jetstream::context::PublishErrorKind;
use async_nats::jetstream::message::PublishMessage;
use bytes::Bytes;

use crate::{ASK, Link, LinkError};

/// Who has it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claimed {
    /// We do, now or since an earlier attempt.
    Ours,
    /// Somebody else, with this value.
    Theirs(Vec<u8>),
}

impl Link {
    /// Claims a key with a value; the same value again is ours again.
    pub async fn claim(&self, key: &str, value: &[u8]) -> Result<Claimed, LinkError> {
        let publish = PublishMessage::build()
            .payload(Bytes::copy_from_slice(value))
            // 0: nothing was ever said on this subject.
            .expected_last_subject_sequence(0);
        let said = async { self.jetstream.send_publish(self.names.claim(key), publish).await?.await };
        match tokio::time::timeout(ASK, said).await {
            Ok(Ok(_)) => Ok(Claimed::Ours),
            Ok(Err(error)) if error.kind() == PublishErrorKind::WrongLastSequence => {
                let known = self.claimed(key).await?.ok_or(LinkError::Unavailable)?;
                Ok(if known == value { Claimed::Ours } else { Claimed::Theirs(known) })
            }
            _ => Err(LinkError::Unavailable),
        }
    }

    /// The value of a claimed key, as the stream's leader knows it.
    pub async fn claimed(&self, key: &str) -> Result<Option<Vec<u8>>, LinkError> {
        use async_nats::jetstream::stream::LastRawMessageErrorKind as Kind;
        let ask = async {
            let stream = self.jetstream.get_stream_no_info(self.names.claims_stream()).await;
            let stream = stream.map_err(|error| LinkError::JetStream(error.to_string()))?;
            match stream.get_last_raw_message_by_subject(&self.names.claim(key)).await {
                Ok(message) => Ok(Some(message.payload.to_vec())),
                Err(error) if error.kind() == Kind::NoMessageFound => Ok(None),
                Err(error) => Err(LinkError::JetStream(error.to_string())),
            }
        };
        tokio::time::timeout(ASK, ask).await.unwrap_or(Err(LinkError::Unavailable))
    }
}
