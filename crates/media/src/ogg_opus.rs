//! Voice notes as files: Opus in Ogg (RFC 7845), written and read within bounds.

use std::io::Cursor;

use ogg::{PacketReader, PacketWriteEndInfo, PacketWriter};

use crate::codec::{Decoder, PACKET_BYTES};
use crate::{FRAME, SAMPLE_RATE};

/// Longest voice note in milliseconds.
pub const NOTE_LIMIT_MS: u32 = 10 * 60 * 1000;

/// Samples of the longest note.
pub(crate) const NOTE_LIMIT_SAMPLES: usize = NOTE_LIMIT_MS as usize / 1000 * SAMPLE_RATE as usize;

/// Samples an Opus encoder needs to begin (RFC 7845, 4.2); ours looks ahead by 6.5 ms.
const PRE_SKIP: u16 = 312;

/// Packets on one page: half a second.
const PACKETS_PER_PAGE: usize = 25;

/// The only stream in the file.
const SERIAL: u32 = 1;

/// Writes packets of 20 ms each as a file.
pub(crate) fn write(packets: &[bytes::Bytes]) -> Option<Vec<u8>> {
    let mut out = Vec::new();
    {
        let mut writer = PacketWriter::new(&mut out);
        writer.write_packet(head(), SERIAL, PacketWriteEndInfo::EndPage, 0).ok()?;
        writer.write_packet(tags(), SERIAL, PacketWriteEndInfo::EndPage, 0).ok()?;
        for (at, packet) in packets.iter().enumerate() {
            let end = if at + 1 == packets.len() {
                PacketWriteEndInfo::EndStream
            } else if (at + 1) % PACKETS_PER_PAGE == 0 {
                PacketWriteEndInfo::EndPage
            } else {
                PacketWriteEndInfo::NormalPacket
            };
            let reached = u64::from(PRE_SKIP) + ((at + 1) * FRAME) as u64;
            writer.write_packet(packet.to_vec(), SERIAL, end, reached).ok()?;
        }
    }
    Some(out)
}

/// The sound of a file: 48 kHz, one channel. Nothing if it is no voice note, or longer than one may be.
pub(crate) fn read(file: &[u8]) -> Option<Vec<f32>> {
    let mut reader = PacketReader::new(Cursor::new(file));
    let head = reader.read_packet().ok()??;
    let channels = *head.data.get(9)?;
    if !head.data.starts_with(b"OpusHead") || head.data.len() < 19 || channels != 1 {
        return None;
    }
    let skip = usize::from(u16::from_le_bytes([head.data[10], head.data[11]]));
    let tags = reader.read_packet().ok()??;
    if !tags.data.starts_with(b"OpusTags") {
        return None;
    }
    let mut decoder = Decoder::new().ok()?;
    let mut sound = Vec::new();
    while let Some(packet) = reader.read_packet().ok()? {
        if packet.data.len() > PACKET_BYTES {
            return None;
        }
        sound.extend_from_slice(decoder.decode(&packet.data)?);
        if sound.len() > NOTE_LIMIT_SAMPLES + SAMPLE_RATE as usize {
            return None;
        }
    }
    sound.drain(..skip.min(sound.len()));
    Some(sound)
}

/// The identification header (RFC 7845, 5.1): version 1, one channel, 48 kHz, no gain, mapping family 0.
fn head() -> Vec<u8> {
    let mut head = b"OpusHead\x01\x01".to_vec();
    head.extend_from_slice(&PRE_SKIP.to_le_bytes());
    head.extend_from_slice(&SAMPLE_RATE.to_le_bytes());
    head.extend_from_slice(&[0, 0, 0]);
    head
}

/// The comment header (RFC 7845, 5.2), with nothing in it that tells of anybody.
fn tags() -> Vec<u8> {
    let mut tags = b"OpusTags".to_vec();
    tags.extend_from_slice(&4u32.to_le_bytes());
    tags.extend_from_slice(b"opus");
    tags.extend_from_slice(&0u32.to_le_bytes());
    tags
}
