//! A road from whoever comes to one server on this machine, such as a relay.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use tokio::net::UdpSocket;
use tokio::sync::mpsc::{UnboundedReceiver, UnboundedSender, unbounded_channel};
use tokio::task::{JoinHandle, JoinSet};
use tokio::time::{Instant, sleep_until};

use crate::{Lane, PACKET, Quality, become_all, bind, lanes};

/// A port that stands for the server's; it is gone with its owner.
pub struct RoadToServer {
    port: u16,
    lanes: [Arc<Mutex<Lane>>; 2],
    task: JoinHandle<()>,
}

impl RoadToServer {
    /// Builds it; must be called on a tokio runtime.
    pub async fn build(server: u16, quality: Quality, seed: u64) -> std::io::Result<Self> {
        let near = Arc::new(bind().await?);
        let port = near.local_addr()?.port();
        let lanes = lanes(quality, seed);
        let task = tokio::spawn(carry_all(near, server, lanes.clone()));
        Ok(Self { port, lanes, task })
    }

    /// Where it begins.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Becomes better or worse, from the next packet on.
    pub fn becomes(&self, quality: Quality) {
        become_all(&self.lanes, quality);
    }
}

impl Drop for RoadToServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A packet under way: when it comes out, from which socket, and to which port.
type Packet = (Instant, Vec<u8>, Arc<UdpSocket>, u16);

/// One direction. What is not lost comes out in its order, as on most roads.
#[derive(Clone)]
struct Way {
    lane: Arc<Mutex<Lane>>,
    under_way: UnboundedSender<Packet>,
}

impl Way {
    fn pass(&self, bytes: &[u8], from: &Arc<UdpSocket>, port: u16) {
        let out = self.lane.lock().expect("no holder of this lock can panic").passes(Instant::now(), bytes);
        if let Some(out) = out {
            let _ = self.under_way.send((out, bytes.to_vec(), Arc::clone(from), port));
        }
    }
}

/// Carries there what comes, from a socket for each who comes, and carries back to each what is for them.
async fn carry_all(near: Arc<UdpSocket>, server: u16, lanes: [Arc<Mutex<Lane>>; 2]) {
    let (mut guests, mut tasks) = (HashMap::new(), JoinSet::new());
    let [there, back] = lanes.map(|lane| {
        let (under_way, packets) = unbounded_channel();
        tasks.spawn(deliver(packets));
        Way { lane, under_way }
    });
    let mut packet = vec![0; PACKET];
    while let Ok((length, guest)) = near.recv_from(&mut packet).await {
        let far = match guests.entry(guest) {
            Entry::Occupied(known) => known.into_mut(),
            Entry::Vacant(place) => {
                let Ok(far) = bind().await.map(Arc::new) else { return };
                tasks.spawn(carry_back(Arc::clone(&far), Arc::clone(&near), guest.port(), back.clone()));
                place.insert(far)
            }
        };
        let Some(bytes) = packet.get(..length) else { continue };
        there.pass(bytes, far, server);
    }
}

async fn carry_back(far: Arc<UdpSocket>, near: Arc<UdpSocket>, guest: u16, back: Way) {
    let mut packet = vec![0; PACKET];
    while let Ok(length) = far.recv(&mut packet).await {
        if let Some(bytes) = packet.get(..length) {
            back.pass(bytes, &near, guest);
        }
    }
}

async fn deliver(mut packets: UnboundedReceiver<Packet>) {
    while let Some((out, bytes, from, port)) = packets.recv().await {
        sleep_until(out).await;
        let _ = from.send_to(&bytes, SocketAddr::from(([127, 0, 0, 1], port))).await;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn each_who_comes_hears_what_is_for_them_after_the_time_of_both_ways() {
        let server = bind().await.unwrap();
        let quality = Quality { loss: 0, delay_ms: 15, jitter_ms: 0, mbit: 100.0 };
        let road = RoadToServer::build(server.local_addr().unwrap().port(), quality, 7).await.unwrap();
        let guests = [bind().await.unwrap(), bind().await.unwrap()];
        let begun = Instant::now();
        for (guest, word) in guests.iter().zip([b"a", b"b"]) {
            guest.send_to(word, ("127.0.0.1", road.port())).await.unwrap();
        }
        let mut word = [0; 8];
        for _ in &guests {
            let (length, from) = server.recv_from(&mut word).await.unwrap();
            server.send_to(&word[..length], from).await.unwrap();
        }
        for (guest, said) in guests.iter().zip([b"a", b"b"]) {
            let length = guest.recv(&mut word).await.unwrap();
            assert_eq!(&word[..length], said);
        }
        assert!(begun.elapsed() >= Duration::from_millis(30));
    }
}
