//! A large file of one person to another: from device to device, and through the Node, beside other programs that copy as much.

mod peers;

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::{Duration, Instant};

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{ChatView, Content, FileNews, FileState, FileTicket, News, Question, SavedFile, Upload};
use lab::{Domain, Person};
use node::Wire;
use serde_json::Value;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::timeout;

use crate::conversation::{Conversation, Programs};
use crate::process::{cpu_seconds, forget_peak, memory_mb, peak_memory_mb};
use crate::report::{Figure, Report};
use crate::{Failed, wait_for};
use peers::Copies;

/// Bytes of the file: as many as a Node takes of one.
const BYTES: usize = 64 * 1024 * 1024;
const MEGABYTES: f64 = BYTES as f64 / 1e6;

/// Times that it goes each way.
const RUNS: usize = 3;

/// Longest a file is waited for.
const PATIENCE: Duration = Duration::from_secs(180);

/// What Ana's Node keeps of files: nothing, so that all has to come from her device, or everything.
const NOTHING: u64 = 1;
const EVERYTHING: u64 = 1 << 40;

const NOTE: &str = "\
One process holds both nodes, both runtimes and both profiles on disk, each of the four with two threads of its own; all goes over
loopback. The file has 67 MB. It is sealed when it is handed over, which is not measured; what is measured opens, checks and writes it.
  direct_*            no Node keeps it: Ben's app asks for each sealed piece on a data channel (SCTP in DTLS in UDP), Ana's reads it
                      from her disk and gives it; from the first piece until the whole file is checked and on Ben's disk
  direct_first_ms     from Ben's wish until his first piece: two sealed words through both Nodes, a path, two handshakes
  node_*              Ana's app is closed: each piece is text in a message of her Node's
  *_cpu_ms_per_mb     time of all cores of this process, from the wish until the file is there
  *_growth_mb         the most memory of this process meanwhile, above what it had before
  chromium_*          as many bytes on a data channel of two peer connections of one page, in messages as long as ours, from memory
                      into nothing; the time of all cores of the whole browser
  http_*              curl from Python's static server, neither sealed nor checked; the time of both programs";

/// What it took to get the file, time after time.
#[derive(Default)]
struct Gets {
    first_ms: Vec<f64>,
    mb_per_s: Vec<f64>,
    cpu_ms_per_mb: Vec<f64>,
    growth_mb: Vec<f64>,
}

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let programs = Programs::new()?;
    let mut a = programs.a.block_on(Domain::unlogged("a.localhost", Wire::Ws));
    let mut b = programs.b.block_on(Domain::unlogged("b.localhost", Wire::Sse));
    programs.a.block_on(a.keeps_of_files(NOTHING));
    let mut talk = wait_for(Conversation::begin(&programs, &a, &b))?;
    let direct = wait_for(talk.directly())?;
    programs.a.block_on(a.keeps_of_files(EVERYTHING));
    let through_node = wait_for(talk.through_node())?;
    wait_for(async {
        talk.ben.close().await;
        a.stop().await;
        b.stop().await;
        Ok(())
    })?;
    let [chromium, http] = [("Chromium", peers::chromium(BYTES, RUNS)), ("curl", peers::http(BYTES, RUNS))]
        .map(|(name, copies)| copies.inspect_err(|error| eprintln!("  {name} could not be measured: {error}")).ok());
    Ok(Report::new(NOTE, figures(direct, through_node, chromium, http)))
}

fn figures(direct: Gets, node: Gets, chromium: Option<Copies>, http: Option<Copies>) -> Vec<Figure> {
    let peer = chromium.as_ref();
    let mut figures = vec![
        Figure::new("direct_mb_per_s", "MB/s", direct.mb_per_s)
            .with_peer(peer.map(|peer| &*peer.mb_per_s))
            .with_reference("peer: chromium_mb_per_s"),
        Figure::new("direct_cpu_ms_per_mb", "ms", direct.cpu_ms_per_mb)
            .with_peer(peer.map(|peer| &*peer.cpu_ms_per_mb))
            .with_reference("both devices; peer: chromium_cpu_ms_per_mb"),
        Figure::new("direct_first_ms", "ms", direct.first_ms),
        Figure::new("direct_growth_mb", "MB", direct.growth_mb).with_reference("both devices"),
        Figure::new("node_mb_per_s", "MB/s", node.mb_per_s),
        Figure::new("node_cpu_ms_per_mb", "ms", node.cpu_ms_per_mb).with_reference("the device and the Node"),
        Figure::new("node_growth_mb", "MB", node.growth_mb).with_reference("the device and the Node"),
    ];
    let keys = [("chromium_mb_per_s", "chromium_cpu_ms_per_mb"), ("http_mb_per_s", "http_cpu_ms_per_mb")];
    for ((rate, cpu), copies) in keys.into_iter().zip([chromium, http]) {
        let Some(copies) = copies else { continue };
        figures.push(Figure::new(rate, "MB/s", copies.mb_per_s));
        figures.push(Figure::new(cpu, "ms", copies.cpu_ms_per_mb));
    }
    figures
}

impl Conversation {
    /// The file from Ana's device, which alone has it.
    async fn directly(&mut self) -> Result<Gets, Failed> {
        self.ana.waits_until_online().await;
        let mut gets = Gets::default();
        for run in 0..RUNS {
            let message = self.sends(&format!("direct {run}")).await?;
            gets.add(&self.ben, &message, true).await?;
        }
        Ok(gets)
    }

    /// The file from her Node, while her app is closed.
    async fn through_node(&mut self) -> Result<Gets, Failed> {
        self.ana.waits_until_online().await;
        let mut messages = Vec::new();
        for run in 0..RUNS {
            messages.push(self.sends(&format!("node {run}")).await?);
        }
        self.ana.close().await;
        let mut gets = Gets::default();
        for message in messages {
            gets.add(&self.ben, &message, false).await?;
        }
        Ok(gets)
    }

    /// Ana hands a file over and sends it; gives the message in which Ben finds it.
    async fn sends(&self, name: &str) -> Result<String, Failed> {
        let (chat, media, size) = (self.chat.clone(), "video/mp4".to_owned(), BYTES as u64);
        let ticket: FileTicket = self.ana.ask(Question::FileBegin { chat, name: name.to_owned(), media, size }).await?;
        let mut from = 0;
        while from < BYTES {
            let part = bytes(from, BYTES.min(from + ticket.part_bytes as usize));
            from += part.len();
            let data = STANDARD.encode(part);
            self.ana.ask::<Value>(Question::FilePart { file: ticket.file.clone(), data }).await?;
        }
        self.ana.ask::<Upload>(Question::FileSend { file: ticket.file, text: String::new(), reply: None }).await?;
        let finds = self.ben.until("the file", async |ben| {
            let view: ChatView = ben.ask(Question::ChatOpen { chat: self.chat.clone() }).await.ok()?;
            let is_it = |content: &Content| matches!(content, Content::File { file, .. } if file.name == name);
            view.messages.into_iter().find(|message| is_it(&message.content)).map(|message| message.id)
        });
        Ok(finds.await)
    }
}

impl Gets {
    /// Ben wants the file of a message, and it comes this way.
    async fn add(&mut self, ben: &Person, message: &str, directly: bool) -> Result<(), Failed> {
        let mut news = ben.app().hear();
        let memory = memory_mb();
        forget_peak()?;
        let (cpu, wished) = (cpu_seconds(), Instant::now());
        ben.ask::<FileState>(Question::FileGet { message: message.to_owned() }).await?;
        let (first, had) = timeout(PATIENCE, begins(&mut news, directly)).await??;
        let whole = timeout(PATIENCE, ends(&mut news, directly)).await??;
        let used = cpu_seconds() - cpu;
        self.growth_mb.push(peak_memory_mb() - memory);
        self.first_ms.push((first - wished).as_secs_f64() * 1e3);
        self.mb_per_s.push((BYTES as u64 - had) as f64 / 1e6 / (whole - first).as_secs_f64());
        self.cpu_ms_per_mb.push(used * 1e3 / MEGABYTES);
        let folder = tempfile::tempdir()?;
        let to = Some(folder.path().display().to_string());
        let saved: SavedFile = ben.ask(Question::FileSave { message: message.to_owned(), folder: to }).await?;
        is_as_sent(Path::new(&saved.path))
    }
}

/// When the first piece came, and how many bytes were there then.
async fn begins(news: &mut Receiver<News>, directly: bool) -> Result<(Instant, u64), Failed> {
    loop {
        match state(news).await? {
            FileState::Coming { done, directly: way } if done > 0 && way == directly => {
                return Ok((Instant::now(), done));
            }
            FileState::Here { .. } => return Err("the file came otherwise than it was to".into()),
            _ => {}
        }
    }
}

/// When all of it was there.
async fn ends(news: &mut Receiver<News>, directly: bool) -> Result<Instant, Failed> {
    loop {
        match state(news).await? {
            FileState::Here { .. } => return Ok(Instant::now()),
            FileState::Coming { directly: way, .. } if way != directly => {
                return Err("the rest of the file came another way".into());
            }
            _ => {}
        }
    }
}

/// The next news of a file.
async fn state(news: &mut Receiver<News>) -> Result<FileState, Failed> {
    loop {
        match news.recv().await {
            Ok(News::File(FileNews { state: FileState::Failed { code }, .. })) => return Err(code.into()),
            Ok(News::File(FileNews { state, .. })) => return Ok(state),
            // How far it is is told again and again.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Err("the app closed".into()),
        }
    }
}

/// Some of the bytes of the file, which hold no pattern.
fn bytes(from: usize, to: usize) -> Vec<u8> {
    (from as u64..to as u64).map(|at| (at.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32) as u8).collect()
}

fn is_as_sent(path: &Path) -> Result<(), Failed> {
    let mut all = Vec::with_capacity(BYTES);
    File::open(path)?.read_to_end(&mut all)?;
    if all == bytes(0, BYTES) { Ok(()) } else { Err("what came is not what went".into()) }
}
