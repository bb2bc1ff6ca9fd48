//! One update of a Reporter until every Observer has it: each has a session, a socket and a subscription of its own.

use std::time::{Duration, Instant};

use futures_util::StreamExt;
use message::{Address, Body, MessageType};
use seal::{Device, GroupId, Kept, MemoryVault, What, create, inspect_welcome, invite_many, key_package};
use serde::Deserialize;
use serde_json::json;

use crate::node::parlance::{Session, address, idle};
use crate::node::percentile;
use crate::node::servers::{Node, memory};
use crate::process::memory_mb;
use crate::report::{Figure, Goal, Report};
use crate::trust::ground::{NOW, TEXT, device, trusting};
use crate::trust::update::on_threads;
use crate::{Failed, THREADS, wait_for};

/// Updates of one run.
const UPDATES: usize = 30;

/// Subscriptions that are made at the same time.
const AT_ONCE: usize = 64;

const NOTE: &str = "\
The Node is a process of its own; Reporter and Observers are this one, each with a session of its own over a WebSocket on
loopback and a subscription at the Reporter's Node, which passes on what the Reporter says once. Measured is from the moment at
which the Reporter begins to seal an update of 300 bytes until the last of all Observers has it, as a text it compared; 30 updates.
  sync_200_ms, sync_1000_ms  sealed: one MLS group of all, every Observer opens, checks and steps its own ratchet (its state is
                             in memory: a thousand profiles of one machine would measure its disk)
  sync_10000_ms              the same unsealed: the trees of ten thousand members in one process would not fit
  *_node_mb                  memory of the Node with all sessions; *_observers_mb of this process, which is all the others
What the app itself sends goes to inboxes instead (decision 3); that way is measured by messages.";

#[derive(Deserialize)]
struct Update {
    sealed: String,
}

/// A member of the sealed group.
struct Member {
    device: Device,
    vault: MemoryVault,
    kept: Box<Kept>,
}

/// How an Observer reads.
enum Reader {
    Sealed(Box<Member>),
    Plain,
}

/// How the Reporter writes.
enum Writer {
    Sealed(Box<Member>),
    Plain,
}

/// Who is not in the group yet.
type Arriving = Vec<(Device, MemoryVault)>;

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let mut figures = Vec::new();
    let rounds: [(usize, bool, Goal, [&'static str; 4]); 3] = [
        (
            200,
            true,
            Goal::AtMost(50.0),
            ["sync_200_ms", "sync_200_p99_ms", "sync_200_node_mb", "sync_200_observers_mb"],
        ),
        (
            1_000,
            true,
            Goal::AtMost(250.0),
            ["sync_1000_ms", "sync_1000_p99_ms", "sync_1000_node_mb", "sync_1000_observers_mb"],
        ),
        (
            10_000,
            false,
            Goal::None,
            ["sync_10000_ms", "sync_10000_p99_ms", "sync_10000_node_mb", "sync_10000_observers_mb"],
        ),
    ];
    for (observers, is_sealed, goal, [middle, p99, node_mb, observers_mb]) in rounds {
        let node = Node::start()?;
        let (times, here) = wait_for(measure(node.port, observers, is_sealed))?;
        let there = memory(node.pid())? as f64 / 1_048_576.0;
        let reference = "358 to 569 ms at 200 in the reference, which failed at 1,000";
        let all = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
        figures.extend([
            Figure::new(middle, "ms", all).with_goal(goal, reference),
            Figure::new(p99, "ms", vec![percentile(&times, 0.99)]),
            Figure::new(node_mb, "MB", vec![there]),
            Figure::new(observers_mb, "MB", vec![here]),
        ]);
    }
    Ok(Report::new(NOTE, figures))
}

/// Updates until the last Observer has each, and the memory of this process.
async fn measure(port: u16, observers: usize, is_sealed: bool) -> Result<(Vec<Duration>, f64), Failed> {
    let mut reporter = Session::join(port, &keys::base32(&keys::random::<10>())).await?;
    let object = reporter.allocate("comm").await?;
    let sessions = idle(port, observers).await?;
    let guests: Vec<&Address> = sessions.iter().map(Session::address).collect();
    let sm = "domain://msg-node.a.localhost/sm";
    reporter.ask(MessageType::Subscribe, sm, &json!({ "resources": [object], "allow": guests })).await?;
    let told = format!("{object}/changes");
    let wish = json!({ "resources": [told] });
    let subscribing = sessions.into_iter().map(|mut session| {
        let wish = wish.clone();
        async move {
            session.ask(MessageType::Subscribe, sm, &wish).await?;
            Ok::<_, Failed>(session)
        }
    });
    let sessions: Vec<_> = futures_util::stream::iter(subscribing).buffer_unordered(AT_ONCE).collect().await;
    let sessions = sessions.into_iter().collect::<Result<Vec<_>, _>>()?;
    let (mut writer, readers) = if is_sealed {
        group(&object, observers)?
    } else {
        (Writer::Plain, (0..observers).map(|_| Reader::Plain).collect())
    };
    let (heard, mut hears) = tokio::sync::mpsc::unbounded_channel();
    for (mut session, mut reader) in sessions.into_iter().zip(readers) {
        let heard = heard.clone();
        tokio::spawn(async move {
            while let Ok(message) = session.next().await {
                let read = reader.reads(&message.body).map(|()| Instant::now());
                let failed = read.is_err();
                if heard.send(read).is_err() || failed {
                    return;
                }
            }
        });
    }
    let mut times = Vec::with_capacity(UPDATES);
    for _ in 0..UPDATES {
        let begun = Instant::now();
        let body = Body::of(&json!({ "sealed": writer.writes()? }))?;
        reporter.post(MessageType::Update, object.clone(), address(&told)?, body).await?;
        let mut last = begun;
        for _ in 0..observers {
            last = last.max(hears.recv().await.ok_or("an Observer left")??);
        }
        times.push(last.duration_since(begun));
        // The Node's answer, how many it told.
        reporter.next().await?;
    }
    Ok((times, memory_mb()))
}

impl Writer {
    fn writes(&mut self) -> Result<String, Failed> {
        match self {
            Self::Plain => Ok(keys::b64url(&TEXT)),
            Self::Sealed(member) => {
                let Member { device, vault, kept } = &mut **member;
                let sealed = kept.seal_many(vault, device, &[TEXT.as_slice()])?;
                Ok(keys::b64url(sealed.first().ok_or("nothing was sealed")?))
            }
        }
    }
}

impl Reader {
    fn reads(&mut self, body: &Body) -> Result<(), Failed> {
        let bytes = keys::from_b64url(&body.parse::<Update>()?.sealed)?;
        let text = match self {
            Self::Plain => bytes,
            Self::Sealed(member) => {
                let Member { device, vault, kept } = &mut **member;
                let mut opened = kept.open_many(vault, device, &[bytes.as_slice()], &mut trusting())?;
                match opened.pop().ok_or("nothing was opened")??.what {
                    What::Application(text) => text,
                    _ => return Err("something else was opened".into()),
                }
            }
        };
        if text == TEXT { Ok(()) } else { Err("another text came".into()) }
    }
}

/// Everybody in one group; what it takes is not measured.
fn group(object: &Address, observers: usize) -> Result<(Writer, Vec<Reader>), Failed> {
    let group = GroupId::new(object.as_str()).ok_or("no group")?;
    let (reporter, vault) = (device(), MemoryVault::new());
    let arriving: Vec<(Device, MemoryVault)> = (0..observers).map(|_| (device(), MemoryVault::new())).collect();
    let packages = arriving.iter().map(|(device, vault)| key_package(vault, device, false));
    let packages = packages.collect::<Result<Vec<_>, _>>()?;
    let packages: Vec<&[u8]> = packages.iter().map(Vec::as_slice).collect();
    create(&vault, &reporter, &group, NOW)?;
    let welcome = invite_many(&vault, &reporter, &group, &packages, b"", &mut trusting())?.welcome;
    let kept = Box::new(Kept::load(&vault, &group)?);
    let each = observers.div_ceil(THREADS);
    let mut shares: Vec<(Arriving, Vec<Reader>)> = Vec::new();
    let mut arriving = arriving.into_iter().peekable();
    while arriving.peek().is_some() {
        shares.push((arriving.by_ref().take(each).collect(), Vec::new()));
    }
    on_threads(&mut shares, |(arriving, readers)| {
        for (device, vault) in arriving.drain(..) {
            let joined = inspect_welcome(&vault, &device, &welcome)?.join_and_keep(&vault, &mut trusting())?;
            readers.push(Reader::Sealed(Box::new(Member { device, vault, kept: Box::new(joined) })));
        }
        Ok(())
    })?;
    let readers = shares.into_iter().flat_map(|(_, readers)| readers).collect();
    Ok((Writer::Sealed(Box::new(Member { device: reporter, vault, kept })), readers))
}
