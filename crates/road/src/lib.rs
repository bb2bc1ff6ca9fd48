//! A road between two peers on this machine, or from peers to a server, that loses, delays and limits packets, each
//! direction by itself: for benchmarks, for tests of the media and for stories.

mod to_server;

pub use to_server::RoadToServer;

use std::net::SocketAddr;
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use call::Candidate;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};

/// What waits in front of a narrow road before more is dropped.
const QUEUE: Duration = Duration::from_millis(300);
/// The largest packet that passes.
const PACKET: usize = 2_048;
/// Headers under each datagram: IPv4 and UDP.
const HEADERS: usize = 28;

/// How bad a road is.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Quality {
    /// Percent of the packets that are lost, at random.
    pub loss: u32,
    /// How long each packet takes at least.
    pub delay_ms: u32,
    /// Packets take up to so many milliseconds longer, at random.
    pub jitter_ms: u32,
    /// What passes in a second.
    pub mbit: f64,
}

/// Two sockets: each peer believes that the other listens there.
pub struct Road {
    for_ana: RoadPort,
    for_ben: RoadPort,
    lanes: [Arc<Mutex<Lane>>; 2],
    tasks: [tokio::task::JoinHandle<()>; 2],
}

/// One end of it.
#[derive(Clone)]
pub struct RoadPort {
    /// Where a peer is told that the other is.
    port: u16,
    /// Where the other truly is, once it said so.
    truly: Arc<AtomicU16>,
}

impl RoadPort {
    /// The candidate with the road's port in place of the true one; nothing for other kinds.
    pub fn instead_of(&self, candidate: &str) -> Option<String> {
        let mut candidate = Candidate::parse(candidate).ok()??;
        if !candidate.is_loopback() || candidate.address.is_ipv6() {
            return None;
        }
        self.truly.store(candidate.port, Ordering::Release);
        // candidate:FOUNDATION COMPONENT TRANSPORT PRIORITY ADDRESS PORT …
        let mut words: Vec<String> = candidate.line.split(' ').map(str::to_owned).collect();
        *words.get_mut(5)? = self.port.to_string();
        candidate.line = words.join(" ");
        Some(candidate.to_json())
    }
}

impl Road {
    /// Builds it; must be called on a tokio runtime.
    pub async fn build(quality: Quality, seed: u64) -> std::io::Result<Self> {
        let (at_ana, at_ben) = (Arc::new(bind().await?), Arc::new(bind().await?));
        let port = |socket: &UdpSocket| -> std::io::Result<RoadPort> {
            Ok(RoadPort { port: socket.local_addr()?.port(), truly: Arc::default() })
        };
        // Ana sends to `at_ana` what is for Ben, who sees it come from `at_ben`.
        let (for_ana, for_ben) = (port(&at_ana)?, port(&at_ben)?);
        let lanes = lanes(quality, seed);
        let [to_ben, to_ana] = lanes.clone();
        let tasks = [
            tokio::spawn(carry(Arc::clone(&at_ana), Arc::clone(&at_ben), Arc::clone(&for_ana.truly), to_ben)),
            tokio::spawn(carry(at_ben, at_ana, Arc::clone(&for_ben.truly), to_ana)),
        ];
        Ok(Self { for_ana, for_ben, lanes, tasks })
    }

    /// Becomes better or worse, from the next packet on.
    pub fn becomes(&self, quality: Quality) {
        become_all(&self.lanes, quality);
    }

    /// Loses, whatever its quality, what these pick: of what Ana sends, and of what Ben sends.
    pub fn loses(&self, of_ana: impl Picks, of_ben: impl Picks) {
        let [to_ben, to_ana] = &self.lanes;
        to_ben.lock().expect("no holder of this lock can panic").picks = Some(Box::new(of_ana));
        to_ana.lock().expect("no holder of this lock can panic").picks = Some(Box::new(of_ben));
    }

    /// What Ana is told of Ben.
    pub fn for_ana(&self) -> RoadPort {
        self.for_ana.clone()
    }

    /// What Ben is told of Ana.
    pub fn for_ben(&self) -> RoadPort {
        self.for_ben.clone()
    }
}

impl Drop for Road {
    fn drop(&mut self) {
        self.tasks.iter().for_each(tokio::task::JoinHandle::abort);
    }
}

/// Both directions, each with a chance of its own.
fn lanes(quality: Quality, seed: u64) -> [Arc<Mutex<Lane>>; 2] {
    [seed, seed ^ 0xA5A5_A5A5].map(|seed| Arc::new(Lane::new(quality, seed)))
}

fn become_all(lanes: &[Arc<Mutex<Lane>>; 2], quality: Quality) {
    for lane in lanes {
        lane.lock().expect("no holder of this lock can panic").quality = quality;
    }
}

async fn bind() -> std::io::Result<UdpSocket> {
    UdpSocket::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await
}

/// Says of each packet in its order whether it is lost.
pub trait Picks: FnMut(&[u8]) -> bool + Send + 'static {}

impl<T: FnMut(&[u8]) -> bool + Send + 'static> Picks for T {}

/// One direction.
struct Lane {
    quality: Quality,
    chance: u64,
    free: Option<Instant>,
    picks: Option<Box<dyn Picks>>,
}

impl Lane {
    fn new(quality: Quality, seed: u64) -> Mutex<Self> {
        Mutex::new(Self { quality, chance: seed | 1, free: None, picks: None })
    }

    /// From 0 to 1, the same row in each run.
    fn chance(&mut self) -> f64 {
        self.chance ^= self.chance << 13;
        self.chance ^= self.chance >> 7;
        self.chance ^= self.chance << 17;
        (self.chance >> 11) as f64 / (1u64 << 53) as f64
    }

    /// When a packet comes out, if it does.
    fn passes(&mut self, now: Instant, packet: &[u8]) -> Option<Instant> {
        if self.picks.as_mut().is_some_and(|picks| picks(packet)) {
            return None;
        }
        if self.chance() * 100.0 < f64::from(self.quality.loss) {
            return None;
        }
        let begins = self.free.map_or(now, |free| free.max(now));
        if begins - now > QUEUE {
            return None;
        }
        let takes = Duration::from_secs_f64((packet.len() + HEADERS) as f64 * 8.0 / (self.quality.mbit * 1e6));
        let out = begins + takes;
        self.free = Some(out);
        let jitter = self.chance() * f64::from(self.quality.jitter_ms);
        Some(out + Duration::from_secs_f64((f64::from(self.quality.delay_ms) + jitter) / 1_000.0))
    }
}

async fn carry(from: Arc<UdpSocket>, to: Arc<UdpSocket>, truly: Arc<AtomicU16>, lane: Arc<Mutex<Lane>>) {
    let mut packet = vec![0; PACKET];
    while let Ok(length) = from.recv(&mut packet).await {
        let port = truly.load(Ordering::Acquire);
        let Some(bytes) = packet.get(..length).map(<[u8]>::to_vec) else { continue };
        let out = lane.lock().expect("no holder of this lock can panic").passes(Instant::now(), &bytes);
        let (Some(out), true) = (out, port != 0) else { continue };
        let to = Arc::clone(&to);
        tokio::spawn(async move {
            sleep_until(out).await;
            let _ = to.send_to(&bytes, SocketAddr::from(([127, 0, 0, 1], port))).await;
        });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_road_loses_and_narrows_what_it_was_told_to() {
        let now = Instant::now();
        let lane = Lane::new(Quality { loss: 20, delay_ms: 0, jitter_ms: 0, mbit: 1.0 }, 5);
        let mut lane = lane.into_inner().unwrap();
        let out = (0..1_000).filter(|n| lane.passes(now + Duration::from_millis(10 * n), &[0; 100]).is_some()).count();
        assert!((760..840).contains(&out), "{out}");
        let lane = Lane::new(Quality { loss: 0, delay_ms: 30, jitter_ms: 0, mbit: 1.0 }, 5);
        let took = lane.into_inner().unwrap().passes(now, &[0; 100]).unwrap() - now;
        assert!(took >= Duration::from_millis(30) && took < Duration::from_millis(32), "{took:?}");
        let lane = Lane::new(Quality { loss: 0, delay_ms: 0, jitter_ms: 0, mbit: 0.3 }, 5);
        let mut lane = lane.into_inner().unwrap();
        // Twice as much as fits: half of it, after the queue is full.
        let out = (0..1_000).filter(|n| lane.passes(now + Duration::from_millis(10 * n), &[0; 722]).is_some()).count();
        assert!((480..560).contains(&out), "{out}");
    }
}
