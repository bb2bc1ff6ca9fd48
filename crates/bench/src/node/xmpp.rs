//! Clients of an XMPP server (RFC 6120), as much of it as the job needs: a login with a password, and messages.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use super::all_done;
use crate::Failed;

const HOST: &str = "xmpp.localhost";

/// Logins at the same time.
const LOGINS: usize = 16;

/// One connection.
pub(super) struct Client {
    tcp: TcpStream,
    /// What was read and not used yet.
    heard: Vec<u8>,
}

impl Client {
    async fn open(port: u16, name: &str) -> Result<Self, Failed> {
        let tcp = TcpStream::connect(("127.0.0.1", port)).await?;
        tcp.set_nodelay(true)?;
        let mut client = Self { tcp, heard: Vec::new() };
        client.begin().await?;
        let login = keys::b64url(format!("\0{name}\0bench").as_bytes()).replace('-', "+").replace('_', "/");
        let login = format!("{login}{}", "=".repeat((4 - login.len() % 4) % 4));
        client.say(&format!("<auth xmlns='urn:ietf:params:xml:ns:xmpp-sasl' mechanism='PLAIN'>{login}</auth>")).await?;
        client.until(b"<success").await?;
        client.begin().await?;
        client.say("<iq type='set' id='b'><bind xmlns='urn:ietf:params:xml:ns:xmpp-bind'/></iq>").await?;
        client.until(b"</iq>").await?;
        client.say("<presence/>").await?;
        // Its own presence comes back when the server has seen it.
        client.until(b"<presence").await?;
        Ok(client)
    }

    async fn begin(&mut self) -> Result<(), Failed> {
        let stream = format!(
            "<stream:stream xmlns='jabber:client' xmlns:stream='http://etherx.jabber.org/streams' to='{HOST}' version='1.0'>"
        );
        self.say(&stream).await?;
        self.until(b"</stream:features>").await
    }

    async fn say(&mut self, text: &str) -> Result<(), Failed> {
        self.tcp.write_all(text.as_bytes()).await.map_err(Into::into)
    }

    /// Reads until these bytes came, and forgets what stands before their end.
    async fn until(&mut self, end: &[u8]) -> Result<(), Failed> {
        let mut from = 0;
        loop {
            if let Some(at) = self.heard[from..].windows(end.len()).position(|window| window == end) {
                self.heard.drain(..from + at + end.len());
                return Ok(());
            }
            from = self.heard.len().saturating_sub(end.len());
            if self.tcp.read_buf(&mut self.heard).await? == 0 {
                return Err("prosody ended the connection".into());
            }
        }
    }
}

/// Senders to recipients; the time from the first message to the last arrival.
pub(super) async fn pairs(port: u16, pairs: usize, each: usize, size: usize) -> Result<Duration, Failed> {
    let mut ready = Vec::new();
    for at in 0..pairs {
        let recipient = Client::open(port, &format!("r{at}")).await?;
        ready.push((recipient, Client::open(port, &format!("s{at}")).await?, at));
    }
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for (mut recipient, mut sender, at) in ready {
        tasks.push(tokio::spawn(async move {
            for _ in 0..each {
                recipient.until(b"</message>").await?;
            }
            Ok::<_, Failed>(())
        }));
        tasks.push(tokio::spawn(async move {
            let body = "A".repeat(size);
            let stanza = format!("<message to='r{at}@{HOST}' type='chat'><body>{body}</body></message>");
            for _ in 0..each {
                sender.say(&stanza).await?;
            }
            // The connection stays until the other side has everything.
            Ok(())
        }));
    }
    all_done(begun, tasks).await
}

/// Connections of one account that do nothing.
pub(super) async fn idle(port: u16, sessions: usize) -> Result<Vec<Client>, Failed> {
    let opening = futures_util::stream::iter((0..sessions).map(|_| Client::open(port, "s0"))).buffer_unordered(LOGINS);
    opening.collect::<Vec<_>>().await.into_iter().collect()
}
