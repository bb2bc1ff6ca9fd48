//! Clients of an MQTT 3.1.1 broker (OASIS standard), as much of it as the job needs: QoS 1 with a password.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};

use super::{all_done, all_heard};
use crate::Failed;

const CONNACK: u8 = 0x20;
const PUBLISH: u8 = 0x30;
const PUBACK: u8 = 0x40;
const SUBACK: u8 = 0x90;

/// Logins at the same time.
const LOGINS: usize = 32;

/// One connection.
pub(super) struct Client {
    reader: BufReader<OwnedReadHalf>,
    writer: OwnedWriteHalf,
    last_id: u16,
}

fn text(out: &mut Vec<u8>, text: &str) {
    // Every text here is a few bytes long.
    out.extend(u16::try_from(text.len()).unwrap_or(u16::MAX).to_be_bytes());
    out.extend(text.as_bytes());
}

/// A packet: its first byte, its length in groups of seven bits (section 2.2.3), its rest.
fn packet(first: u8, rest: &[u8]) -> Vec<u8> {
    let mut out = vec![first];
    let mut length = rest.len();
    loop {
        let group = (length % 128) as u8;
        length /= 128;
        out.push(if length > 0 { group | 0x80 } else { group });
        if length == 0 {
            break;
        }
    }
    out.extend(rest);
    out
}

impl Client {
    async fn open(port: u16) -> Result<Self, Failed> {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
        tcp.set_nodelay(true)?;
        let (reader, writer) = tcp.into_split();
        let mut client = Self { reader: BufReader::new(reader), writer, last_id: 0 };
        let mut connect = Vec::new();
        text(&mut connect, "MQTT");
        // Level 4; user name, password, clean session; no keep-alive.
        connect.extend([4, 0b1100_0010, 0, 0]);
        for part in [keys::base32(&keys::random::<10>()).as_str(), "bench", "bench"] {
            text(&mut connect, part);
        }
        client.writer.write_all(&packet(0x10, &connect)).await?;
        match client.next().await? {
            (CONNACK, rest) if rest.get(1) == Some(&0) => Ok(client),
            _ => Err("mosquitto refused the login".into()),
        }
    }

    fn next_id(&mut self) -> u16 {
        self.last_id = self.last_id.checked_add(1).unwrap_or(1);
        self.last_id
    }

    async fn subscribe(&mut self, topic: &str) -> Result<(), Failed> {
        let mut rest = self.next_id().to_be_bytes().to_vec();
        text(&mut rest, topic);
        rest.push(1);
        self.writer.write_all(&packet(0x82, &rest)).await?;
        if self.next().await?.0 == SUBACK { Ok(()) } else { Err("mosquitto refused the subscription".into()) }
    }

    async fn publish(&mut self, topic: &str, body: &[u8]) -> Result<(), Failed> {
        let mut rest = Vec::with_capacity(body.len() + 64);
        text(&mut rest, topic);
        rest.extend(self.next_id().to_be_bytes());
        rest.extend(body);
        self.writer.write_all(&packet(PUBLISH | 0b10, &rest)).await.map_err(Into::into)
    }

    /// The next packet: its kind and what follows its length.
    async fn next(&mut self) -> Result<(u8, Vec<u8>), Failed> {
        let first = self.reader.read_u8().await?;
        let (mut length, mut shift) = (0_usize, 0);
        loop {
            let byte = self.reader.read_u8().await?;
            length |= usize::from(byte & 0x7f) << shift;
            shift += 7;
            if byte & 0x80 == 0 || shift > 21 {
                break;
            }
        }
        let mut rest = vec![0; length];
        self.reader.read_exact(&mut rest).await?;
        Ok((first & 0xf0, rest))
    }

    /// Takes a message and confirms it.
    async fn take(&mut self) -> Result<(), Failed> {
        loop {
            let (kind, rest) = self.next().await?;
            if kind == PUBLISH {
                let topic = usize::from(u16::from_be_bytes([rest[0], rest[1]]));
                let id = rest.get(2 + topic..4 + topic).ok_or("a message without a number")?;
                self.writer.write_all(&packet(PUBACK, id)).await?;
                return Ok(());
            }
        }
    }
}

/// Senders to recipients at QoS 1; the time from the first message to the last confirmation.
pub(super) async fn pairs(
    port: u16,
    pairs: usize,
    each: usize,
    size: usize,
    window: usize,
) -> Result<Duration, Failed> {
    let mut ready = Vec::new();
    for at in 0..pairs {
        let topic = format!("inbox/{at}");
        let mut recipient = Client::open(port).await?;
        recipient.subscribe(&topic).await?;
        ready.push((recipient, Client::open(port).await?, topic));
    }
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for (mut recipient, mut sender, topic) in ready {
        tasks.push(tokio::spawn(async move {
            for _ in 0..each {
                recipient.take().await?;
            }
            Ok::<_, Failed>(())
        }));
        tasks.push(tokio::spawn(async move {
            let body = vec![b'A'; size];
            let (mut sent, mut answered) = (0, 0);
            while answered < each {
                while sent < each && sent - answered < window {
                    sender.publish(&topic, &body).await?;
                    sent += 1;
                }
                if sender.next().await?.0 == PUBACK {
                    answered += 1;
                }
            }
            Ok(())
        }));
    }
    all_done(begun, tasks).await
}

/// One topic, many who hear it; for each message the time until the last of them has it.
pub(super) async fn fan_out(port: u16, subscribers: usize, changes: usize) -> Result<Vec<Duration>, Failed> {
    let mut owner = Client::open(port).await?;
    let mut hearers = idle(port, subscribers).await?;
    for hearer in &mut hearers {
        hearer.subscribe("object/changes").await?;
    }
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    for mut hearer in hearers {
        let heard = heard.clone();
        tokio::spawn(async move {
            while hearer.take().await.is_ok() {
                let _ = heard.send(Instant::now());
            }
        });
    }
    let body = [b'A'; 100];
    let mut times = Vec::with_capacity(changes);
    for _ in 0..changes {
        let begun = Instant::now();
        owner.publish("object/changes", &body).await?;
        times.push(all_heard(begun, &mut hears, subscribers).await?);
        owner.next().await?;
    }
    Ok(times)
}

/// Connections that do nothing.
pub(super) async fn idle(port: u16, sessions: usize) -> Result<Vec<Client>, Failed> {
    let opening = futures_util::stream::iter((0..sessions).map(|_| Client::open(port))).buffer_unordered(LOGINS);
    opening.collect::<Vec<_>>().await.into_iter().collect()
}
