//! Opus, 48 kHz mono, 20 or 10 ms, with forward error correction, and hardly anything while nobody speaks (DTX).

use bytes::Bytes;

use crate::{FRAME, SAMPLE_RATE};

/// Clear speech needs no more.
const BITRATE: i32 = 32_000;
/// What a frame says about itself it says twice as often in packets of 10 ms.
const SHORT_BITRATE: i32 = 36_000;
/// The loss the encoder prepares for; at 0 it would send no correction data.
const EXPECTED_LOSS_PERCENT: i32 = 10;
/// The largest packet Opus can make from one frame (RFC 6716, 3.4).
pub(crate) const PACKET_BYTES: usize = 1_275;
/// A packet as short as this says that nobody speaks (RFC 6716, 3.2.1: no frame, or an empty one).
pub(crate) const RESTING_BYTES: usize = 2;
/// The longest packet Opus knows: 120 ms.
pub(crate) const LONGEST_PACKET: usize = 5_760;

/// What a frame of our voice becomes.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Encoded {
    Packet(Bytes),
    /// Nobody speaks and the peer knows; nothing need be sent.
    Rest,
}

/// Whether the peer's description wishes that we send nothing while nobody speaks (RFC 7587, 6.1).
pub(crate) fn wishes_rests(description: &str) -> bool {
    parameters(description).any(|parameter| parameter == "usedtx=1")
}

/// Whether the peer's description allows packets as short as 10 ms (RFC 7587, 6.1; without a word it does).
pub(crate) fn allows_short(description: &str) -> bool {
    let mut least = parameters(description).filter_map(|parameter| parameter.strip_prefix("minptime="));
    // What is no number is no leave.
    least.all(|ms| ms.parse::<u32>().is_ok_and(|ms| ms <= 10))
}

/// What a description says of its formats, one `name=value` after the other.
fn parameters(description: &str) -> impl Iterator<Item = &str> {
    let formats = description.lines().filter_map(|line| line.trim().strip_prefix("a=fmtp:"));
    formats.filter_map(|format| Some(format.split_once(' ')?.1)).flat_map(|all| all.split(';')).map(str::trim)
}

/// The samples a packet holds, as it says itself; nothing if it is not Opus.
pub(crate) fn samples_of(packet: &[u8]) -> Option<usize> {
    let samples = opus::packet::get_nb_samples(packet, SAMPLE_RATE).ok()?;
    (1..=LONGEST_PACKET).contains(&samples).then_some(samples)
}

pub(crate) struct Encoder {
    opus: opus::Encoder,
    packet: [u8; PACKET_BYTES],
    short: bool,
    rests: bool,
    resting: bool,
}

impl Encoder {
    pub(crate) fn new() -> Result<Self, opus::Error> {
        let mut opus = opus::Encoder::new(SAMPLE_RATE, opus::Channels::Mono, opus::Application::Voip)?;
        opus.set_bitrate(opus::Bitrate::Bits(BITRATE))?;
        opus.set_inband_fec(true)?;
        opus.set_packet_loss_perc(EXPECTED_LOSS_PERCENT)?;
        opus.set_signal(opus::Signal::Voice)?;
        Ok(Self { opus, packet: [0; PACKET_BYTES], short: false, rests: false, resting: false })
    }

    /// Sends hardly anything while nobody speaks, if the peer can live with that.
    pub(crate) fn allow_rests(&mut self, rests: bool) {
        if rests != self.rests && self.opus.set_dtx(rests).is_ok() {
            self.rests = rests;
        }
    }

    /// Makes a packet of 20 or 10 ms; they may follow each other in any order.
    pub(crate) fn encode(&mut self, frame: &[f32]) -> Option<Encoded> {
        let short = frame.len() < FRAME;
        if short != self.short {
            let bitrate = if short { SHORT_BITRATE } else { BITRATE };
            self.opus.set_bitrate(opus::Bitrate::Bits(bitrate)).ok()?;
            self.short = short;
        }
        let length = self.opus.encode_float(frame, &mut self.packet).ok()?;
        let resting = self.rests && length <= RESTING_BYTES;
        // The first packet of a rest is sent, so that the peer does not take the rest for a loss.
        if std::mem::replace(&mut self.resting, resting) && resting {
            return Some(Encoded::Rest);
        }
        self.packet.get(..length).map(|packet| Encoded::Packet(Bytes::copy_from_slice(packet)))
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

    /// The `samples` before `following`, from the correction data in there.
    pub(crate) fn recover(&mut self, following: &[u8], samples: usize) -> Option<&[f32]> {
        if following.is_empty() || following.len() > PACKET_BYTES {
            return None;
        }
        let room = self.pcm.get_mut(..samples)?;
        let samples = self.opus.decode_float(following, room, true).ok()?;
        self.pcm.get(..samples).filter(|pcm| !pcm.is_empty())
    }

    /// A guess at so many lost samples; during a rest, the noise of the place.
    pub(crate) fn conceal(&mut self, samples: usize) -> &[f32] {
        let room = &mut self.pcm[..samples.min(LONGEST_PACKET)];
        match self.opus.decode_float(&[], room, false) {
            Ok(guessed) if guessed > 0 => &room[..guessed],
            _ => {
                room.fill(0.0);
                room
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::BLOCK;

    fn frames(count: usize) -> Vec<[f32; FRAME]> {
        let tone = |n: usize| (n as f32 * 300.0 * std::f32::consts::TAU / SAMPLE_RATE as f32).sin() * 0.5;
        (0..count).map(|frame| std::array::from_fn(|n| tone(frame * FRAME + n))).collect()
    }

    fn packet(encoder: &mut Encoder, frame: &[f32; FRAME]) -> Bytes {
        match encoder.encode(frame) {
            Some(Encoded::Packet(packet)) => packet,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_silent_person_costs_hardly_anything_and_is_heard_at_once_when_speaking_again() {
        let mut encoder = Encoder::new().unwrap();
        encoder.allow_rests(true);
        frames(50).iter().for_each(|frame| drop(packet(&mut encoder, frame)));
        let mut sent = 0;
        for _ in 0..500 {
            sent += usize::from(encoder.encode(&[0.0; FRAME]) != Some(Encoded::Rest));
        }
        assert!(sent < 80, "{sent} packets for ten seconds of silence");
        assert!(frames(3).iter().all(|frame| matches!(encoder.encode(frame), Some(Encoded::Packet(_)))));
        encoder.allow_rests(false);
        assert!((0..100).all(|_| matches!(encoder.encode(&[0.0; FRAME]), Some(Encoded::Packet(_)))));
    }

    #[test]
    fn whether_a_peer_likes_rests_stands_in_its_description() {
        assert!(wishes_rests("v=0\r\na=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"));
        assert!(wishes_rests("a=fmtp:96 usedtx=1; stereo=0"));
        assert!(!wishes_rests("a=fmtp:111 minptime=10;useinbandfec=1\r\na=x:usedtx=1\r\n"));
        assert!(!wishes_rests("a=fmtp:111 usedtx=10"));
    }

    #[test]
    fn whether_a_peer_allows_short_packets_stands_in_its_description() {
        assert!(allows_short("v=0\r\na=fmtp:111 minptime=10;useinbandfec=1;usedtx=1\r\n"));
        assert!(allows_short("v=0\r\na=fmtp:111 useinbandfec=1\r\n"));
        assert!(!allows_short("v=0\r\na=fmtp:111 useinbandfec=1; minptime=20\r\n"));
        assert!(!allows_short("a=fmtp:111 minptime=ten"));
    }

    #[test]
    fn packets_of_both_lengths_follow_each_other_and_a_short_one_that_is_lost_is_recovered() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let whole = frames(40).concat();
        let (long, short) = whole.split_at(20 * FRAME);
        let mut packets = Vec::new();
        for frame in long.chunks_exact(FRAME).chain(short.chunks_exact(BLOCK)) {
            let Some(Encoded::Packet(packet)) = encoder.encode(frame) else { panic!("nobody rests") };
            assert_eq!(samples_of(&packet), Some(frame.len()));
            packets.push(packet);
        }
        let (lost, last) = (packets.len() - 2, packets.len() - 1);
        let decoded: usize = packets[..lost].iter().map(|packet| decoder.decode(packet).unwrap().len()).sum();
        assert_eq!(decoded, whole.len() - 2 * BLOCK);
        let recovered = decoder.recover(&packets[last], BLOCK).unwrap();
        assert_eq!(recovered.len(), BLOCK);
        assert!(crate::level::rms(recovered) > 0.2);
        // The one before the change, from the first of the other length: a guess, and of the right length.
        let mut decoder = Decoder::new().unwrap();
        packets[..19].iter().for_each(|packet| assert!(decoder.decode(packet).is_some()));
        assert_eq!(decoder.recover(&packets[20], FRAME).unwrap().len(), FRAME);
    }

    #[test]
    fn a_frame_survives_the_codec() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let mut loudest: f32 = 0.0;
        for frame in frames(20) {
            let packet = packet(&mut encoder, &frame);
            assert!(packet.len() < 400);
            loudest = loudest.max(crate::level::rms(decoder.decode(&packet).unwrap()));
        }
        assert!((loudest - 0.35).abs() < 0.1, "{loudest}");
    }

    #[test]
    fn a_lost_frame_is_recovered_from_the_next() {
        let (mut encoder, mut decoder) = (Encoder::new().unwrap(), Decoder::new().unwrap());
        let packets: Vec<_> = frames(30).iter().map(|frame| packet(&mut encoder, frame)).collect();
        for packet in &packets[..28] {
            decoder.decode(packet).unwrap();
        }
        let recovered = decoder.recover(&packets[29], FRAME).unwrap();
        assert_eq!(recovered.len(), FRAME);
        assert!(crate::level::rms(recovered) > 0.2);
    }

    #[test]
    fn what_is_not_opus_is_nothing() {
        let mut decoder = Decoder::new().unwrap();
        assert!(decoder.decode(&[]).is_none());
        assert!(decoder.decode(&[0xff; 4_000]).is_none());
        assert!(decoder.decode(&[0xff, 0xff, 0xff]).is_none());
        assert_eq!((decoder.conceal(FRAME).len(), decoder.conceal(BLOCK).len()), (FRAME, BLOCK));
        assert_eq!((samples_of(&[]), samples_of(&[0xff, 0xff, 0xff])), (None, None));
    }
}
