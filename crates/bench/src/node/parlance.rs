//! Clients of the Node: JSON over WebSockets, keys proven, messages to inboxes confirmed by their recipients.

use std::time::{Duration, Instant};

use futures_util::{SinkExt, StreamExt};
use identity::Sigchain;
use keys::SigningKey;
use message::{Address, Body, Code, Domain, Message, MessageType, Response};
use serde_json::{Value, json};
use tokio::net::TcpStream;
use tokio_tungstenite::tungstenite::Message as Frame;
use tokio_tungstenite::{MaybeTlsStream, WebSocketStream};

use super::{all_done, all_heard};
use crate::Failed;

const DOMAIN: &str = "a.localhost";

/// Logins at the same time.
const LOGINS: usize = 32;

/// One proven session.
pub(crate) struct Session {
    socket: WebSocketStream<MaybeTlsStream<TcpStream>>,
    address: Address,
    last_id: u64,
}

pub(crate) fn address(text: &str) -> Result<Address, Failed> {
    Address::parse(text).map_err(Into::into)
}

impl Session {
    async fn open(port: u16, role: node::Role, key: &SigningKey) -> Result<Self, Failed> {
        let (mut socket, _) = tokio_tungstenite::connect_async(format!("ws://127.0.0.1:{port}/wire/ws")).await?;
        if let MaybeTlsStream::Plain(tcp) = socket.get_ref() {
            tcp.set_nodelay(true)?;
        }
        let greeting = socket.next().await.ok_or("no greeting")??;
        let greeting: Value = serde_json::from_str(greeting.to_text()?)?;
        let challenge = greeting["challenge"].as_str().ok_or("no challenge")?;
        let signed = node::Proof::signed_bytes(&Domain::parse(DOMAIN)?, challenge, role);
        let body = json!({ "role": role.as_str(), "key": key.verifying_key(), "signature": key.sign(&signed) });
        let nobody = address("runtime://bench.localhost/x")?;
        let mut session = Self { socket, address: nobody, last_id: 0 };
        let opened = session.ask(MessageType::Open, "domain://msg-node.a.localhost/session", &body).await?;
        session.address = address(opened["address"].as_str().ok_or("no address")?)?;
        Ok(session)
    }

    /// Where its messages leave from.
    pub(crate) fn address(&self) -> &Address {
        &self.address
    }

    async fn visit(port: u16) -> Result<Self, Failed> {
        Self::open(port, node::Role::Visitor, &SigningKey::generate()).await
    }

    /// A member with an account of that name.
    pub(crate) async fn join(port: u16, name: &str) -> Result<Self, Failed> {
        let (root, device) = (SigningKey::generate(), SigningKey::generate());
        let now = i64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_secs())?;
        let mut chain = Sigchain::create(&root, None, now);
        chain.add_device(&root, device.verifying_key(), "bench", now + 86_400, now)?;
        let mut session = Self::open(port, node::Role::Member, &device).await?;
        let claim = json!({ "user": format!("user://{DOMAIN}/{name}"), "chain": chain.texts() });
        session.ask(MessageType::Create, "domain://registry.a.localhost/account", &claim).await?;
        Ok(session)
    }

    pub(crate) async fn allocate(&mut self, scheme: &str) -> Result<Address, Failed> {
        let wish = json!({ "scheme": scheme, "value": { "number": 1, "allocationKey": "bench" } });
        let got = self.ask(MessageType::Create, "domain://msg-node.a.localhost/address-allocation", &wish).await?;
        address(got["allocated"][0].as_str().ok_or("nothing allocated")?)
    }

    pub(crate) async fn ask(&mut self, kind: MessageType, to: &str, body: &Value) -> Result<Value, Failed> {
        let from = self.address.clone();
        let id = self.post(kind, from, address(to)?, Body::of(body)?).await?;
        loop {
            let message = self.next().await?;
            if message.kind == MessageType::Response && message.id == id {
                let answer: Response = message.body.parse()?;
                if answer.code != Code::OK {
                    return Err(format!("{to}: {:?}", answer).into());
                }
                return Ok(answer.value);
            }
        }
    }

    pub(crate) async fn post(
        &mut self,
        kind: MessageType,
        from: Address,
        to: Address,
        body: Body,
    ) -> Result<u64, Failed> {
        self.last_id += 1;
        let message = Message { id: self.last_id, kind, from, to, body };
        self.socket.send(Frame::text(message.to_json())).await?;
        Ok(self.last_id)
    }

    pub(crate) async fn next(&mut self) -> Result<Message, Failed> {
        loop {
            if let Frame::Text(text) = self.socket.next().await.ok_or("the session ended")?? {
                return Ok(Message::from_json(text.as_bytes())?);
            }
        }
    }
}

/// Senders to recipients, each message confirmed; the time from the first message to the last confirmation.
pub(crate) async fn pairs(
    port: u16,
    pairs: usize,
    each: usize,
    size: usize,
    window: usize,
) -> Result<Duration, Failed> {
    let mut ready = Vec::new();
    for _ in 0..pairs {
        let name = keys::base32(&keys::random::<10>());
        let mut recipient = Session::join(port, &name).await?;
        let inbox = recipient.allocate("hyperty").await?;
        ready.push((recipient, Session::visit(port).await?, inbox));
    }
    let begun = Instant::now();
    let mut tasks = Vec::new();
    for (recipient, sender, inbox) in ready {
        tasks.push(tokio::spawn(confirm(recipient, each)));
        tasks.push(tokio::spawn(send(sender, inbox, each, size, window)));
    }
    all_done(begun, tasks).await
}

async fn confirm(mut recipient: Session, each: usize) -> Result<(), Failed> {
    for _ in 0..each {
        let message = recipient.next().await?;
        let answer = message.response(&Response::code(Code::OK)).to_json();
        recipient.socket.send(Frame::text(answer)).await?;
    }
    Ok(())
}

async fn send(mut sender: Session, inbox: Address, each: usize, size: usize, window: usize) -> Result<(), Failed> {
    let body = Body::of(&json!({ "v": 1, "sealed": "A".repeat(size) }))?;
    let (mut sent, mut answered) = (0, 0);
    while answered < each {
        while sent < each && sent - answered < window {
            let from = sender.address.clone();
            sender.post(MessageType::Create, from, inbox.clone(), body.clone()).await?;
            sent += 1;
        }
        let code = sender.next().await?.response_code();
        if !code.is_some_and(Code::is_success) {
            return Err(format!("a message was answered with {code:?}").into());
        }
        answered += 1;
    }
    Ok(())
}

/// One object, many who hear its changes; for each change the time until the last of them has it.
pub(crate) async fn fan_out(port: u16, subscribers: usize, changes: usize) -> Result<Vec<Duration>, Failed> {
    let mut owner = Session::join(port, &keys::base32(&keys::random::<10>())).await?;
    let object = owner.allocate("comm").await?;
    let mut hearers = idle(port, subscribers).await?;
    let guests: Vec<&Address> = hearers.iter().map(|session| &session.address).collect();
    let sm = "domain://msg-node.a.localhost/sm";
    owner.ask(MessageType::Subscribe, sm, &json!({ "resources": [object], "allow": guests })).await?;
    let told = format!("{object}/changes");
    for hearer in &mut hearers {
        hearer.ask(MessageType::Subscribe, sm, &json!({ "resources": [told] })).await?;
    }
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    for mut hearer in hearers {
        let heard = heard.clone();
        tokio::spawn(async move {
            while hearer.next().await.is_ok() {
                let _ = heard.send(Instant::now());
            }
        });
    }
    let body = Body::of(&json!({ "value": "A".repeat(100) }))?;
    let mut times = Vec::with_capacity(changes);
    for _ in 0..changes {
        let begun = Instant::now();
        owner.post(MessageType::Update, object.clone(), address(&told)?, body.clone()).await?;
        times.push(all_heard(begun, &mut hears, subscribers).await?);
        owner.next().await?;
    }
    Ok(times)
}

/// Sessions that do nothing.
pub(crate) async fn idle(port: u16, sessions: usize) -> Result<Vec<Session>, Failed> {
    let opening = futures_util::stream::iter((0..sessions).map(|_| Session::visit(port))).buffer_unordered(LOGINS);
    opening.collect::<Vec<_>>().await.into_iter().collect()
}
