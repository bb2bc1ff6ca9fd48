//! Words of one person to another across two domains: how many a second, and how soon they are known to have arrived.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use api::Api;
use contract::{ChatMessage, ChatView, Content, DeliveryState, News, Question};
use lab::Domain;
use node::Wire;
use tokio::sync::broadcast::Receiver;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{Semaphore, mpsc};
use tokio::time::timeout;

use crate::conversation::{Conversation, Programs};
use crate::process::cpu_seconds;
use crate::report::{Figure, Goal, Report};
use crate::{Failed, wait_for};

/// Words of one run at full speed.
const WORDS: usize = 2_000;

/// Questions under way at once: somebody who pastes a book, or a program that writes.
const UNDER_WAY: usize = 512;

/// Runs at full speed.
const RUNS: usize = 3;

/// Words a second, offered whether the ones before arrived or not.
const OFFERED: usize = 1_000;

/// How long they are offered.
const OFFERED_S: usize = 5;

/// Words that are written alone: the next one when the one before is delivered.
const ALONE: usize = 100;

/// Longest a run is waited for.
const PATIENCE: Duration = Duration::from_secs(120);

/// How often it is looked whether all are delivered.
const LOOK: Duration = Duration::from_millis(20);

const NOTE: &str = "\
One process holds both nodes (a speaks over a WebSocket, b over Server-Sent Events), both runtimes and both profiles on disk
(SQLite; nothing leaves before it is there), each of the four with two threads of its own; everything between the four goes over loopback sockets and through the domains' own stubs in their
sandboxes. Each text has 100 characters. The way of one: the shell's question chat.send, the chat Hyperty in its sandbox, the
row and the sealed message in one transaction of Ana's, the stub of b, the node of b, the stub of Ben's app, opened, checked and
kept in one transaction of Ben's, Ben's chat Hyperty, and Ben's receipt back the same way over the node of a until Ana's shell is
told that the message is delivered.
  end_to_end_per_s    5,000 texts in one conversation, 512 questions under way at once: from the first question until the last is
                      delivered. Counted afterwards: each is at Ben's once, in its order, and delivered at Ana's.
  end_to_end_*_ms     1,000 questions a second for 5 s, whatever becomes of them: from a question until its text is delivered
  shown_*_ms          the same until Ben's shell is told of the text
  alone_*_ms          one text at a time, nothing else under way, until it is delivered
  cpu_us_per_message  time of all cores of this process, which is everything named above, for one text at full speed";

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let mut figures = Vec::new();
    let programs = Programs::new()?;
    let mut a = programs.a.block_on(Domain::unlogged("a.localhost", Wire::Ws));
    let mut b = programs.b.block_on(Domain::unlogged("b.localhost", Wire::Sse));
    wait_for(async {
        let mut talk = Conversation::begin(&programs, &a, &b).await?;
        measure(&mut talk, &mut figures).await?;
        talk.ana.close().await;
        talk.ben.close().await;
        a.stop().await;
        b.stop().await;
        Ok(())
    })?;
    Ok(Report::new(NOTE, figures))
}

async fn measure(talk: &mut Conversation, figures: &mut Vec<Figure>) -> Result<(), Failed> {
    // Stubs, caches and the conversation itself are warm before anything counts.
    talk.at_full_speed("warm", 200).await?;
    let alone = talk.alone().await?;
    let (mut rates, mut cpu) = (Vec::new(), Vec::new());
    for run in 0..RUNS {
        let (taken, used) = talk.at_full_speed(&format!("run {run}"), WORDS).await?;
        rates.push(WORDS as f64 / taken.as_secs_f64());
        cpu.push(used / WORDS as f64 * 1e6);
    }
    let (mut delivered, mut shown) = talk.offered().await?;
    let [p50, p99] = ends(&mut delivered);
    let [shown_p50, shown_p99] = ends(&mut shown);
    let mut alone = alone;
    let [alone_p50, alone_p99] = ends(&mut alone);
    figures.extend([
        Figure::new("end_to_end_per_s", "/s", rates)
            .with_goal(Goal::AtLeast(5_000.0), "promised; one conversation, one way"),
        Figure::new("end_to_end_p99_ms", "ms", vec![p99]).with_goal(Goal::AtMost(20.0), "promised, at 1,000 a second"),
        Figure::new("end_to_end_p50_ms", "ms", vec![p50]),
        Figure::new("shown_p50_ms", "ms", vec![shown_p50]),
        Figure::new("shown_p99_ms", "ms", vec![shown_p99]),
        Figure::new("alone_p50_ms", "ms", vec![alone_p50]),
        Figure::new("alone_p99_ms", "ms", vec![alone_p99]),
        Figure::new("cpu_us_per_message", "µs", cpu),
    ]);
    Ok(())
}

/// The middle, and what ninety-nine of a hundred do not exceed.
fn ends(times: &mut [f64]) -> [f64; 2] {
    times.sort_by(f64::total_cmp);
    let at = |part: f64| times[((times.len() - 1) as f64 * part) as usize];
    [at(0.5), at(0.99)]
}

impl Conversation {
    /// Writes as fast as it goes; how long until the last was delivered, and what it cost in seconds of a core.
    async fn at_full_speed(&mut self, run: &str, words: usize) -> Result<(Duration, f64), Failed> {
        let last = text(run, words - 1);
        let delivered = tokio::spawn(delivered(self.ana.app().hear(), last));
        let (cpu, begun) = (cpu_seconds(), Instant::now());
        let free = Arc::new(Semaphore::new(UNDER_WAY));
        let mut asked = Vec::with_capacity(words);
        for number in 0..words {
            let (app, chat, text) = (self.ana.app(), self.chat.clone(), text(run, number));
            let turn = free.clone().acquire_owned().await?;
            asked.push(tokio::spawn(async move {
                let said = app.ask(Question::ChatSend { chat, text, preview: None }).await;
                drop(turn);
                said.map(drop)
            }));
        }
        for one in asked {
            one.await??;
        }
        timeout(PATIENCE, delivered).await???;
        // Receipts of earlier ones may come after that of the last.
        while !self.are_delivered(run, words).await? {
            if begun.elapsed() > PATIENCE {
                return Err(format!("not all of {words} are delivered").into());
            }
            tokio::time::sleep(LOOK).await;
        }
        let (taken, used) = (begun.elapsed(), cpu_seconds() - cpu);
        self.count(run, words).await?;
        Ok((taken, used))
    }

    async fn are_delivered(&self, run: &str, words: usize) -> Result<bool, Failed> {
        let sent = all(&self.ana.app(), &self.chat, run, words).await?;
        let is_there = |message: &ChatMessage| matches!(message.state, DeliveryState::Delivered | DeliveryState::Read);
        Ok(sent.len() == words && sent.iter().all(is_there))
    }

    /// Whether all of a run is at the other side once, in the order of its author.
    async fn count(&self, run: &str, words: usize) -> Result<(), Failed> {
        let sent = all(&self.ana.app(), &self.chat, run, words).await?;
        let came = all(&self.ben.app(), &self.chat, run, words).await?;
        let ids = |list: &[ChatMessage]| list.iter().map(|message| message.id.clone()).collect::<Vec<_>>();
        if ids(&sent) != ids(&came) {
            return Err(format!("{} of {words} came to Ben, or in another order", came.len()).into());
        }
        Ok(())
    }

    /// One text after the other, in milliseconds.
    async fn alone(&mut self) -> Result<Vec<f64>, Failed> {
        let mut times = Vec::with_capacity(ALONE);
        for number in 0..ALONE {
            let text = text("alone", number);
            let delivered = tokio::spawn(delivered(self.ana.app().hear(), text.clone()));
            let begun = Instant::now();
            let chat = self.chat.clone();
            self.ana.app().ask(Question::ChatSend { chat, text, preview: None }).await?;
            let at: Instant = timeout(PATIENCE, delivered).await???;
            times.push(ms(begun, at));
        }
        Ok(times)
    }

    /// So many a second, whatever becomes of them: until delivered, and until shown at the other side.
    async fn offered(&mut self) -> Result<(Vec<f64>, Vec<f64>), Failed> {
        let words = OFFERED * OFFERED_S;
        let (told, mut tells) = mpsc::unbounded_channel();
        let watchers = [
            tokio::spawn(watch(self.ana.app().hear(), told.clone(), |message| {
                message.mine && matches!(message.state, DeliveryState::Delivered | DeliveryState::Read)
            })),
            tokio::spawn(watch(self.ben.app().hear(), told, |message| !message.mine)),
        ];
        let mut begun = HashMap::with_capacity(words);
        let start = Instant::now();
        for number in 0..words {
            let due = start + Duration::from_micros(1_000_000 * number as u64 / OFFERED as u64);
            tokio::time::sleep_until(due.into()).await;
            let (app, chat, text) = (self.ana.app(), self.chat.clone(), text("offered", number));
            // From when it was due: a machine that comes late to its own questions does not flatter itself.
            begun.insert(text.clone(), due);
            tokio::spawn(async move { app.ask(Question::ChatSend { chat, text, preview: None }).await.map(drop) });
        }
        let (mut delivered, mut shown) = (HashMap::new(), HashMap::new());
        while delivered.len() < words || shown.len() < words {
            let (mine, text, at) = timeout(PATIENCE, tells.recv()).await?.ok_or("nobody tells any more")?;
            let Some(begun) = begun.get(&text) else { continue };
            let times = if mine { &mut delivered } else { &mut shown };
            times.entry(text).or_insert_with(|| ms(*begun, at));
        }
        watchers.iter().for_each(tokio::task::JoinHandle::abort);
        Ok((delivered.into_values().collect(), shown.into_values().collect()))
    }
}

/// A text of 100 characters that is written once.
fn text(run: &str, number: usize) -> String {
    format!("{:-<100}", format!("{run} {number:06} "))
}

fn ms(from: Instant, to: Instant) -> f64 {
    to.duration_since(from).as_secs_f64() * 1000.0
}

fn words_of(message: &ChatMessage) -> Option<&str> {
    match &message.content {
        Content::Text { text } => Some(text),
        _ => None,
    }
}

/// When the app says that this text of ours is delivered.
async fn delivered(mut news: Receiver<News>, text: String) -> Result<Instant, Failed> {
    loop {
        match news.recv().await {
            Ok(News::Message(message))
                if words_of(&message) == Some(&text)
                    && matches!(message.state, DeliveryState::Delivered | DeliveryState::Read) =>
            {
                return Ok(Instant::now());
            }
            // The last of many is told with the last news, so nothing is lost with those that were missed.
            Ok(_) | Err(RecvError::Lagged(_)) => {}
            Err(RecvError::Closed) => return Err("the app closed".into()),
        }
    }
}

/// Tells of every message that this picks: whether it is ours, its text, and when.
async fn watch(
    mut news: Receiver<News>,
    told: mpsc::UnboundedSender<(bool, String, Instant)>,
    picks: fn(&ChatMessage) -> bool,
) -> Result<(), Failed> {
    loop {
        match news.recv().await {
            Ok(News::Message(message)) if picks(&message) => {
                let text = words_of(&message).unwrap_or_default().to_owned();
                if told.send((message.mine, text, Instant::now())).is_err() {
                    return Ok(());
                }
            }
            Ok(_) => {}
            Err(RecvError::Lagged(missed)) => return Err(format!("{missed} news were missed").into()),
            Err(RecvError::Closed) => return Ok(()),
        }
    }
}

/// The messages of a run, oldest first, looked for as far back as they can be.
async fn all(app: &Api, chat: &str, run: &str, words: usize) -> Result<Vec<ChatMessage>, Failed> {
    let view: ChatView = serde_json::from_value(app.ask(Question::ChatOpen { chat: chat.to_owned() }).await?)?;
    let mut found: Vec<ChatMessage> = view.messages;
    while found.len() < words {
        let Some(first) = found.first() else { break };
        let question = Question::ChatOlder { chat: chat.to_owned(), before: first.ordinal };
        let mut older: Vec<ChatMessage> = serde_json::from_value(app.ask(question).await?)?;
        if older.is_empty() {
            break;
        }
        older.append(&mut found);
        found = older;
    }
    let begins = format!("{run} ");
    found.retain(|message| words_of(message).is_some_and(|text| text.starts_with(&begins)));
    Ok(found)
}
