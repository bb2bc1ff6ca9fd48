//! Says in a compositor's name that it could give pictures in a graphics card's memory, on machines that have none.
//!
//! xdg-desktop-portal-wlr shows nothing at all unless the compositor names such a format, even where everything goes through shared memory as it
//! does here (its issue 289). So this stands between the two, hands every byte and every file on as it came, and adds one message.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::net::{UnixListener, UnixStream};
use std::path::{Path, PathBuf};

use rustix::net::{
    RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    recvmsg, sendmsg,
};

/// How many files come along with one message at most, as libwayland has it.
const FILES: usize = 28;
/// The events `buffer` and `linux_dmabuf` of `zwlr_screencopy_frame_v1`.
const BUFFER: u32 = 0;
const DMABUF: u32 = 5;
/// The format XRGB8888 in a graphics card's words.
const XR24: u32 = 0x3432_5258;

/// Listens at `before` and speaks with the compositor at `behind`, until nobody connects any more.
pub fn stand_before(behind: &Path, before: &Path) {
    let listener = UnixListener::bind(before).unwrap();
    let behind: PathBuf = behind.to_owned();
    std::thread::spawn(move || {
        while let Ok((program, _)) = listener.accept() {
            let Ok(compositor) = UnixStream::connect(&behind) else { return };
            let (back, forth) = (program.try_clone().unwrap(), compositor.try_clone().unwrap());
            std::thread::spawn(move || hand_on(&program, &compositor, |bytes| bytes));
            std::thread::spawn(move || {
                let mut rest = Vec::new();
                hand_on(&forth, &back, move |bytes| with_card(&mut rest, bytes));
            });
        }
    });
}

/// Hands on until one side closes, and then closes the other.
fn hand_on(from: &UnixStream, to: &UnixStream, mut change: impl FnMut(Vec<u8>) -> Vec<u8>) {
    let mut bytes = vec![0; 65_536];
    while let Some((length, files)) = receive(from, &mut bytes).filter(|(length, _)| *length > 0) {
        let out = change(bytes[..length].to_vec());
        if send(to, &out, &files).is_none() {
            break;
        }
    }
    let _ = to.shutdown(std::net::Shutdown::Both);
    let _ = from.shutdown(std::net::Shutdown::Both);
}

fn receive(from: &UnixStream, bytes: &mut [u8]) -> Option<(usize, Vec<OwnedFd>)> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut beside = RecvAncillaryBuffer::new(&mut space);
    let got = recvmsg(from, &mut [IoSliceMut::new(bytes)], &mut beside, RecvFlags::CMSG_CLOEXEC).ok()?;
    let files = beside.drain().filter_map(|message| match message {
        RecvAncillaryMessage::ScmRights(files) => Some(files),
        _ => None,
    });
    Some((got.bytes, files.flatten().collect()))
}

fn send(to: &UnixStream, mut bytes: &[u8], files: &[OwnedFd]) -> Option<()> {
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(FILES))];
    let mut beside = SendAncillaryBuffer::new(&mut space);
    let borrowed: Vec<_> = files.iter().map(AsFd::as_fd).collect();
    if !borrowed.is_empty() {
        beside.push(SendAncillaryMessage::ScmRights(&borrowed)).then_some(())?;
    }
    while !bytes.is_empty() {
        let sent = sendmsg(to, &[IoSlice::new(bytes)], &mut beside, SendFlags::NOSIGNAL).ok()?;
        bytes = &bytes[sent..];
        beside.clear();
    }
    Some(())
}

/// Adds the message behind each that names a picture in shared memory. What is no whole message yet waits.
fn with_card(rest: &mut Vec<u8>, bytes: Vec<u8>) -> Vec<u8> {
    rest.extend(bytes);
    let mut out = Vec::with_capacity(rest.len() + 64);
    let word = |bytes: &[u8], at: usize| u32::from_ne_bytes(bytes[at * 4..at * 4 + 4].try_into().unwrap());
    while rest.len() >= 8 {
        let (object, head) = (word(rest, 0), word(rest, 1));
        let (length, event) = ((head >> 16) as usize, head & 0xffff);
        if rest.len() < length.max(8) {
            break;
        }
        let message: Vec<u8> = rest.drain(..length.max(8)).collect();
        out.extend(&message);
        // Format, width, height and bytes of a row: no other event looks like this.
        if event == BUFFER && length == 24 && word(&message, 2) <= 1 && word(&message, 5) == word(&message, 3) * 4 {
            let added = [object, 20 << 16 | DMABUF, XR24, word(&message, 3), word(&message, 4)];
            out.extend(added.iter().flat_map(|word| word.to_ne_bytes()));
        }
    }
    out
}
