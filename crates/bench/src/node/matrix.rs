//! Clients of a Matrix homeserver (client-server API 1.11), as much of it as the job needs: accounts, rooms, messages, sync.

use std::time::{Duration, Instant};

use futures_util::{StreamExt, TryStreamExt};
use hmac::{Hmac, Mac};
use serde_json::{Value, json};
use sha1::Sha1;

use super::{all_done, all_heard};
use crate::Failed;

/// What the server's own registration of accounts is proven with.
pub(super) const SECRET: &str = "bench";

/// Logins at the same time.
const LOGINS: usize = 8;

/// A message that is not confirmed for so long is sent once more with the number it had, as clients do.
const CONFIRMED: Duration = Duration::from_secs(15);

/// Who was told nothing for so long is told nothing more.
const QUIET_MS: u32 = 10_000;

/// What all hearers of one change may take.
const PATIENCE: Duration = Duration::from_secs(180);

/// One session.
pub(super) struct Client {
    http: reqwest::Client,
    base: String,
    user: String,
    token: String,
    /// Which events it is told of.
    filter: String,
    /// How far it has been told.
    since: String,
}

impl Client {
    /// Makes an account, whose first session this is.
    async fn register(port: u16) -> Result<Self, Failed> {
        let http = http()?;
        let base = format!("http://127.0.0.1:{port}");
        let path = format!("{base}/_synapse/admin/v1/register");
        let nonce: Value = http.get(&path).send().await?.error_for_status()?.json().await?;
        let nonce = nonce["nonce"].as_str().ok_or("no nonce")?;
        let name = keys::base32(&keys::random::<10>()).to_lowercase();
        let mut mac = Hmac::<Sha1>::new_from_slice(SECRET.as_bytes())?;
        mac.update(format!("{nonce}\0{name}\0bench\0notadmin").as_bytes());
        let mac: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
        let asked = json!({ "nonce": nonce, "username": name, "password": "bench", "admin": false, "mac": mac });
        let made: Value = http.post(&path).json(&asked).send().await?.error_for_status()?.json().await?;
        Self::begin(http, base, &made).await
    }

    /// One more session of the same person.
    async fn again(&self) -> Result<Self, Failed> {
        let asked = json!({
            "type": "m.login.password", "password": "bench",
            "identifier": { "type": "m.id.user", "user": self.user },
        });
        let path = format!("{}/_matrix/client/v3/login", self.base);
        // Each with a socket of its own, as at the others.
        let http = http()?;
        let made: Value = http.post(path).json(&asked).send().await?.error_for_status()?.json().await?;
        Self::begin(http, self.base.clone(), &made).await
    }

    async fn begin(http: reqwest::Client, base: String, made: &Value) -> Result<Self, Failed> {
        let text = |key: &str| made[key].as_str().map(str::to_owned).ok_or("no login");
        let (user, token) = (text("user_id")?, text("access_token")?);
        let mut client = Self { http, base, user, token, filter: String::new(), since: String::new() };
        let filter = json!({ "presence": { "types": [] }, "room": { "timeline": { "limit": 1_000 } } });
        let filter = client.post(&format!("user/{}/filter", client.user), &filter).await?;
        filter["filter_id"].as_str().ok_or("no filter")?.clone_into(&mut client.filter);
        Ok(client)
    }

    async fn post(&self, path: &str, body: &Value) -> Result<Value, Failed> {
        let path = format!("{}/_matrix/client/v3/{path}", self.base);
        Ok(self.http.post(path).bearer_auth(&self.token).json(body).send().await?.error_for_status()?.json().await?)
    }

    async fn room(&self) -> Result<String, Failed> {
        let made = self.post("createRoom", &json!({ "preset": "public_chat" })).await?;
        Ok(made["room_id"].as_str().ok_or("no room")?.to_owned())
    }

    async fn join(&self, room: &str) -> Result<(), Failed> {
        self.post(&format!("join/{room}"), &json!({})).await.map(drop)
    }

    async fn say(&self, room: &str, number: usize, text: &str) -> Result<(), Failed> {
        let path = format!("{}/_matrix/client/v3/rooms/{room}/send/m.room.message/{number}", self.base);
        let body = json!({ "msgtype": "m.text", "body": text });
        for _ in 0..2 {
            let put = self.http.put(&path).bearer_auth(&self.token).json(&body).timeout(CONFIRMED);
            match put.send().await {
                Err(error) if error.is_timeout() => {}
                said => return Ok(said?.error_for_status().map(drop)?),
            }
        }
        // What counts is what arrives.
        Ok(())
    }

    /// Waits for what is new; says how many messages of the room are in it.
    async fn sync(&mut self, room: &str, wait_ms: u32) -> Result<usize, Failed> {
        let first = self.since.is_empty();
        let since = if first { String::new() } else { format!("&since={}", self.since) };
        let path = format!("{}/_matrix/client/v3/sync?filter={}&timeout={wait_ms}{since}", self.base, self.filter);
        let news: Value = self.http.get(path).bearer_auth(&self.token).send().await?.error_for_status()?.json().await?;
        news["next_batch"].as_str().ok_or("no place to go on from")?.clone_into(&mut self.since);
        let timeline = &news["rooms"]["join"][room]["timeline"];
        // The first answer always says that more was before it.
        if !first && timeline["limited"] == json!(true) {
            return Err("synapse left messages out".into());
        }
        let events = timeline["events"].as_array().map(Vec::as_slice).unwrap_or_default();
        Ok(events.iter().filter(|event| event["type"] == "m.room.message").count())
    }
}

fn http() -> Result<reqwest::Client, Failed> {
    // Asked for even where nothing is encrypted; another part of this process may have been first.
    let _ = rustls::crypto::ring::default_provider().install_default();
    Ok(reqwest::Client::builder().no_proxy().tcp_nodelay(true).build()?)
}

/// Senders to recipients, a room for each pair; the time from the first message to the last arrival, and how many arrived: now
/// and then it answers nobody about one of them and tells nobody of it.
pub(super) async fn pairs(
    port: u16,
    pairs: usize,
    each: usize,
    size: usize,
    window: usize,
) -> Result<(Duration, usize), Failed> {
    let mut ready = Vec::new();
    for _ in 0..pairs {
        let (mut recipient, sender) = (Client::register(port).await?, Client::register(port).await?);
        let room = recipient.room().await?;
        sender.join(&room).await?;
        recipient.sync(&room, 0).await?;
        ready.push((recipient, sender, room));
    }
    let begun = Instant::now();
    let (mut recipients, mut senders) = (Vec::new(), Vec::new());
    for (mut recipient, sender, room) in ready {
        let heard_in = room.clone();
        recipients.push(tokio::spawn(async move {
            let (mut heard, mut last) = (0, begun);
            while heard < each {
                match recipient.sync(&heard_in, QUIET_MS).await? {
                    0 => break,
                    some => (heard, last) = (heard + some, Instant::now()),
                }
            }
            Ok::<_, Failed>((last, heard))
        }));
        senders.push(tokio::spawn(async move {
            let body = "A".repeat(size);
            let sending = (0..each).map(|number| sender.say(&room, number, &body));
            futures_util::stream::iter(sending).buffer_unordered(window).try_collect::<Vec<_>>().await.map(drop)
        }));
    }
    let (mut last, mut all) = (begun, 0);
    for recipient in recipients {
        let (at, heard) = recipient.await??;
        (last, all) = (last.max(at), all + heard);
    }
    all_done(begun, senders).await?;
    Ok((last.duration_since(begun), all))
}

/// One room, many who hear it; for each message the time until the last of them has it.
pub(super) async fn fan_out(port: u16, subscribers: usize, changes: usize) -> Result<Vec<Duration>, Failed> {
    let owner = Client::register(port).await?;
    let room = owner.room().await?;
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    // All are in before anybody listens, or each would hear of all who come later.
    let mut hearers = Vec::new();
    for _ in 0..subscribers {
        let hearer = Client::register(port).await?;
        hearer.join(&room).await?;
        hearers.push(hearer);
    }
    for mut hearer in hearers {
        hearer.sync(&room, 0).await?;
        let (heard, room) = (heard.clone(), room.clone());
        tokio::spawn(async move {
            while let Ok(count) = hearer.sync(&room, 30_000).await {
                for _ in 0..count {
                    let _ = heard.send(Instant::now());
                }
            }
        });
    }
    let body = "A".repeat(100);
    let mut times = Vec::with_capacity(changes);
    for change in 0..changes {
        let begun = Instant::now();
        owner.say(&room, change, &body).await?;
        times.push(tokio::time::timeout(PATIENCE, all_heard(begun, &mut hears, subscribers)).await??);
    }
    Ok(times)
}

/// Sessions of one person that wait for news and hear none.
pub(super) async fn idle(port: u16, sessions: usize) -> Result<Vec<Waiting>, Failed> {
    let person = Client::register(port).await?;
    let opening = futures_util::stream::iter((0..sessions).map(|_| async {
        let mut client = person.again().await?;
        client.sync("", 0).await?;
        Ok::<_, Failed>(Waiting(tokio::spawn(async move { while client.sync("", 60_000).await.is_ok() {} })))
    }));
    opening.buffer_unordered(LOGINS).collect::<Vec<_>>().await.into_iter().collect()
}

/// A session that waits until it is dropped.
pub(super) struct Waiting(tokio::task::JoinHandle<()>);

impl Drop for Waiting {
    fn drop(&mut self) {
        self.0.abort();
    }
}
