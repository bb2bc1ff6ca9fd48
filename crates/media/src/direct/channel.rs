//! An open direct connection: frames go out and come in, within limits of size and time.

use std::time::Duration;

use webrtc::data_channel::DataChannelEvent;
use webrtc::peer_connection::RTCPeerConnectionState;

use super::error::DirectError;
use super::frame::{BadFrame, Frame};
use super::opening::End;
use crate::supervisor::Signal;

/// How long the other side may take nothing while something waits to be sent.
const STALLED: Duration = Duration::from_secs(10);

/// An open direct connection, whose other end showed the certificate that was promised. It closes when it is dropped.
#[derive(Debug)]
pub struct DirectChannel {
    end: End,
}

impl DirectChannel {
    pub(super) fn new(end: End) -> Self {
        Self { end }
    }

    /// Sends a frame; waits while too much is on its way.
    pub async fn say(&mut self, frame: &Frame) -> Result<(), DirectError> {
        match tokio::time::timeout(STALLED, self.end.data.send(frame.write())).await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(_)) => Err(DirectError::Lost),
            Err(_) => Err(DirectError::Silent),
        }
    }

    /// The next frame of the other side, if it comes within this time.
    pub async fn hear(&mut self, within: Duration) -> Result<Frame, DirectError> {
        let silence = tokio::time::sleep(within);
        tokio::pin!(silence);
        loop {
            tokio::select! {
                biased;
                event = self.end.data.poll() => match event {
                    Some(DataChannelEvent::OnMessage(message)) if !message.is_string => {
                        return Ok(Frame::read(message.data)?);
                    }
                    Some(DataChannelEvent::OnMessage(_)) => return Err(BadFrame::Malformed.into()),
                    Some(DataChannelEvent::OnClosing | DataChannelEvent::OnClose) | None => {
                        return Err(DirectError::Lost);
                    }
                    Some(_) => {}
                },
                signal = self.end.signals.recv() => match signal {
                    Some(Signal::Connection(RTCPeerConnectionState::Failed | RTCPeerConnectionState::Closed))
                    | Some(Signal::EngineBroke) | None => return Err(DirectError::Lost),
                    Some(_) => {}
                },
                () = &mut silence => return Err(DirectError::Silent),
            }
        }
    }
}
