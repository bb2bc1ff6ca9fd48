//! Opus, 48 kHz mono, 20 ms, with forward error correction.

use bytes::Bytes;

use crate::{FRAME, SAMPLE_RATE};

/// Clear speech needs no more.
const BITRATE: i32 = 32_000;
/// The loss the encoder prepares for; at 0 it would send no correction data.
const EXPECTED_LOSS_PERCENT: i32 = 10;
/// The largest packet Opus can make from one frame (RFC 6716, 3.4).
pub(crate) const PACKET_BYTES: usize = 1_275;
/// The longest packet Opus knows: 120 ms.
const LONGEST_PACKET: usize = 5_760;

pub(crate) struct Encoder {
    opus: opus::Encoder,
    packet: [u8; PACKET_BYTES],
}

impl Encoder {
    pub(crate) fn new() -> Result<Self, opus::Error> {
        let mut opus = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Voip)?;
        opus.set_bitrate(opus::Bitrate::Bits(BITRATE))?;
        opus.set_inband_fec(true)?;
        opus.set_packet_loss_perc(EXPECTED_LOSS_PERCENT)?;
        opus.set_signal(opus::Signal::Voice)?;
        Ok(Self { opus, packet: [0; PACKET_BYTES] })
    }

    pub(crate) fn encode(&mut self, frame: &[f32; FRAME]) -> Option<Bytes> {
        let length = self.opus.encode_float(frame, &mut self.packet).ok()?;
        self.packet.get(..length).map(Bytes::copy_from_slice)
    }
}

pub(crate) struct Decoder {
    opus: opus::Decoder,
    pcm: Vec<f32>,
}

impl Decoder {
    pub(crate) fn new() -> Result<Self, opus::Error> {
        let opus = opus::Decoder::new(SAMPLE_RATE, opus::Channels::Mono)?;
        Ok(Self { opus, pcm: vec![0.0; LONGEST_PACKET] })
    }

    /// The sound of a packet; nothing if the packet is not Opus.
    pub(crate) fn decode(&mut self, packet: &[u8]) -> Option<&[f32]> {
        if packet.is_empty() || packet.len() > PACKET_BYTES {
            return None;
        }
        let samples = self.opus.decode_float(packet, &mut self.pcm, false).ok()?;
        self.pcm.get(..samples).filter(|pcm| !pcm.is_empty())
    }

    /// The frame before `following`, from the correction data in there.
    pub(crate) fn recover(&mut self, following: &[u8]) -> Option<&[f32]> {
        if following.is_empty() || following.len() > PACKET_BYTES {
            return None;
        }
        let samples = self.opus.decode_float(following, &mut self.pcm[..FRAME], true).ok()?;
        self.pcm.get(..samples).filter(|pcm| !pcm.is_empty())
    }

    /// A guess at a lost frame.
    pub(crate) fn conceal(&mut self) -> &[f32] {
        match self.opus.decode_float(&[], &mut self.pcm[..FRAME], false) {
            Ok(samples) if samples > 0 => &self.pcm[..samples],
            _ => {
                self.pcm[..FRAME].fill(0.0);
                &self.pcm[..FRAME]
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frames(count: usize) -> Vec<[f32; FRAME]> {
        let tone = |n: usize| (n as f32 * 300.0 * std::f32::consts::TAU / SAMPLE_RATE as f32).sin() * 0.5;
        (0..count).map(|frame| std::array::from_fn(|n| tone(frame * FRAME + n))).collect()
    }

    #[test]
    fn a_frame_survives_the_codec() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let mut loudest: f32 = 0.0;
        for frame in frames(20) {
            let packet = encoder.encode(&frame).unwrap();
            assert!(packet.len() < 400);
            loudest = loudest.max(crate::level::rms(decoder.decode(&packet).unwrap()));
        }
        assert!((loudest - 0.35).abs() < 0.1, "{loudest}");
    }

    #[test]
    fn a_lost_frame_is_recovered_from_the_next() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let packets: Vec<_> = frames(30).iter().map(|frame| encoder.encode(frame).unwrap()).collect();
        for packet in &packets[..28] {
            decoder.decode(packet).unwrap();
        }
        let recovered = decoder.recover(&packets[29]).unwrap();
        assert_eq!(recovered.len(), FRAME);
        assert!(crate::level::rms(recovered) > 0.2);
    }

    #[test]
    fn what_is_not_opus_is_nothing() {
        let mut decoder = Decoder::new().unwrap();
        assert!(decoder.decode(&[]).is_none());
        assert!(decoder.decode(&[0xff; 4_000]).is_none());
        assert!(decoder.decode(&[0xff, 0xff, 0xff]).is_none());
        assert_eq!(decoder.conceal().len(), FRAME);
    }
}
