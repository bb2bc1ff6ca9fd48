//! The Node as a server of its own: throughput, fan-out and idle sessions, beside mosquitto, prosody and Synapse.

mod growth;
mod matrix;
mod mqtt;
pub(crate) mod parlance;
pub(crate) mod servers;
mod xmpp;

use std::future::Future;
use std::time::{Duration, Instant};

use tokio::sync::mpsc::UnboundedReceiver;
use tokio::task::JoinHandle;

use crate::report::{Figure, Goal, Report};
use crate::{Failed, wait_for};
use servers::{Mosquitto, Node, Prosody, Synapse, memory};

/// Pairs of a sender and a recipient.
const PAIRS: usize = 8;

/// Messages of one pair in one run.
const MESSAGES: usize = 2_000;

/// Messages a sender has under way at once.
const WINDOW: usize = 64;

/// Runs of each job.
const RUNS: usize = 5;

/// Synapse does one message where the others do a hundred: fewer, so that each run takes about as long.
const SYNAPSE_PART: usize = 40;

/// Changes sent to all subscribers.
const CHANGES: usize = 50;

const NOTE: &str = "\
Each server is a process of its own on loopback without TLS; the clients are this process, written alike for all of them, on two
threads. Everybody is authenticated: a key proven to the Node, a password to mosquitto, prosody and Synapse (with SQLite, as it
comes; a room for each pair, the recipient in a long /sync).
  *_small_per_s, *_large_per_s  8 senders to 8 recipients, 100 bytes and 10 KB each, 64 under way per sender. At the Node the
                     recipient confirms and the sender hears so (at least once, a mailbox behind it); at mosquitto QoS 1 both
                     ways; prosody has no confirmation: counted is what arrives. Synapse keeps each message and says so.
  *_fanout_*_ms      one change of 100 bytes until the last of 200 and 1,000 subscribers has it, each with a socket of its own;
                     p50 and p99 of 50. prosody has no such thing without a room, and is left out; Synapse: a room with
                     200 people, 10 messages.
  *_at_N_us          time of a core the server takes for each small message of those 8 pairs while N more sessions are open
                     that do nothing; the same is drawn in target/figures/node-growth.svg.
  *_idle_bytes       resident memory of the server for each of 10,000 proven sessions that do nothing, TCP buffers of the
                     kernel not included. prosody is measured with 1,000, Synapse with 200 that wait in /sync.";

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let mut figures = Vec::new();
    wait_for(async {
        throughput(&mut figures).await?;
        fan_out(&mut figures).await?;
        growth::grow(&mut figures).await?;
        idle(&mut figures).await
    })?;
    Ok(Report::new(NOTE, figures))
}

async fn throughput(figures: &mut Vec<Figure>) -> Result<(), Failed> {
    let (node, mosquitto) = (Node::start()?, Mosquitto::start()?);
    let (prosody, synapse) = (Prosody::start(PAIRS)?, Synapse::start()?);
    let mut missing = 0;
    let keys = [
        (100, ["node_small_per_s", "mosquitto_small_per_s", "prosody_small_per_s", "synapse_small_per_s"]),
        (10_000, ["node_large_per_s", "mosquitto_large_per_s", "prosody_large_per_s", "synapse_large_per_s"]),
    ];
    for (size, [ours, mqtt, xmpp, matrix]) in keys {
        // Large messages: fewer, so that each run takes about as long.
        let each = if size > 1_000 { MESSAGES / 8 } else { MESSAGES };
        let mut rates = [Vec::new(), Vec::new(), Vec::new(), Vec::new()];
        // Taking turns: what else the machine does hits all alike.
        for _ in 0..RUNS {
            rates[0].push(rate(each, parlance::pairs(node.port, PAIRS, each, size, WINDOW)).await?);
            rates[1].push(rate(each, mqtt::pairs(mosquitto.port, PAIRS, each, size, WINDOW)).await?);
            rates[2].push(rate(each, xmpp::pairs(prosody.port, PAIRS, each, size)).await?);
            let few = MESSAGES / SYNAPSE_PART;
            let (took, came) = matrix::pairs(synapse.port, PAIRS, few, size, WINDOW).await?;
            rates[3].push(came as f64 / took.as_secs_f64());
            missing += PAIRS * few - came;
        }
        let [first, second, third, fourth] = rates;
        let best = second.iter().chain(&third).chain(&fourth).copied().fold(0.0, f64::max);
        figures.push(
            Figure::new(ours, "/s", first).with_goal(
                Goal::AtLeast(best),
                "ahead of the other three in the same run; 670 to 785 in the reference",
            ),
        );
        figures.push(Figure::new(mqtt, "/s", second));
        figures.push(Figure::new(xmpp, "/s", third));
        figures.push(Figure::new(matrix, "/s", fourth));
    }
    figures
        .push(Figure::new("synapse_missing", "", vec![missing as f64]).with_reference("messages that did not arrive"));
    Ok(())
}

/// Messages a second of all pairs; the job says how long its messages took, without its logins.
async fn rate(each: usize, job: impl Future<Output = Result<Duration, Failed>>) -> Result<f64, Failed> {
    Ok((PAIRS * each) as f64 / job.await?.as_secs_f64())
}

async fn fan_out(figures: &mut Vec<Figure>) -> Result<(), Failed> {
    let (node, mosquitto) = (Node::start()?, Mosquitto::start()?);
    let keys = [
        (
            200,
            [
                "node_fanout_200_p50_ms",
                "node_fanout_200_p99_ms",
                "mosquitto_fanout_200_p50_ms",
                "mosquitto_fanout_200_p99_ms",
            ],
        ),
        (
            1_000,
            [
                "node_fanout_1000_p50_ms",
                "node_fanout_1000_p99_ms",
                "mosquitto_fanout_1000_p50_ms",
                "mosquitto_fanout_1000_p99_ms",
            ],
        ),
    ];
    for (subscribers, [p50, p99, theirs_p50, theirs_p99]) in keys {
        let ours = parlance::fan_out(node.port, subscribers, CHANGES).await?;
        let theirs = mqtt::fan_out(mosquitto.port, subscribers, CHANGES).await?;
        let goal = if subscribers == 200 { 50.0 } else { 250.0 };
        figures.push(
            Figure::new(p50, "ms", vec![percentile(&ours, 0.5)])
                .with_goal(Goal::AtMost(goal), "358 to 569 ms at 200 in the reference, none at 1,000"),
        );
        figures.push(Figure::new(p99, "ms", vec![percentile(&ours, 0.99)]));
        figures.push(Figure::new(theirs_p50, "ms", vec![percentile(&theirs, 0.5)]));
        figures.push(Figure::new(theirs_p99, "ms", vec![percentile(&theirs, 0.99)]));
    }
    drop((node, mosquitto));
    let synapse = Synapse::start()?;
    let theirs = matrix::fan_out(synapse.port, 200, CHANGES / 5).await?;
    figures.push(Figure::new("synapse_fanout_200_p50_ms", "ms", vec![percentile(&theirs, 0.5)]));
    figures.push(Figure::new("synapse_fanout_200_p99_ms", "ms", vec![percentile(&theirs, 0.99)]));
    Ok(())
}

/// Waits for the senders and recipients of a job; gives the time it took.
async fn all_done(begun: Instant, tasks: Vec<JoinHandle<Result<(), Failed>>>) -> Result<Duration, Failed> {
    // Whoever fails is heard at once, also while others wait for what will never come.
    futures_util::future::try_join_all(tasks.into_iter().map(|task| async { task.await? })).await?;
    Ok(begun.elapsed())
}

/// The time until the last of the subscribers heard a change.
async fn all_heard(
    begun: Instant,
    hears: &mut UnboundedReceiver<Instant>,
    subscribers: usize,
) -> Result<Duration, Failed> {
    let mut last = begun;
    for _ in 0..subscribers {
        last = last.max(hears.recv().await.ok_or("a subscriber left")?);
    }
    Ok(last.duration_since(begun))
}

pub(crate) fn percentile(times: &[Duration], part: f64) -> f64 {
    let mut sorted: Vec<f64> = times.iter().map(|time| time.as_secs_f64() * 1000.0).collect();
    sorted.sort_by(f64::total_cmp);
    let at = ((sorted.len() as f64 * part).ceil() as usize).clamp(1, sorted.len());
    sorted[at - 1]
}

async fn idle(figures: &mut Vec<Figure>) -> Result<(), Failed> {
    let prosody = Prosody::start(1)?;
    let theirs = bytes_each(prosody.pid(), 1_000, xmpp::idle(prosody.port, 1_000)).await?;
    figures.push(Figure::new("prosody_idle_bytes", "bytes", vec![theirs]));
    drop(prosody);
    let synapse = Synapse::start()?;
    // What its first sessions make it load for good is no cost of a session.
    drop(matrix::idle(synapse.port, 10).await?);
    let theirs = bytes_each(synapse.pid(), 200, matrix::idle(synapse.port, 200)).await?;
    figures.push(Figure::new("synapse_idle_bytes", "bytes", vec![theirs]));
    Ok(())
}

/// What each of many sessions costs a server while they are there.
async fn bytes_each<T>(
    pid: u32,
    sessions: usize,
    opened: impl Future<Output = Result<T, Failed>>,
) -> Result<f64, Failed> {
    let before = memory(pid)?;
    let held = opened.await?;
    // Servers tidy up after many logins.
    tokio::time::sleep(Duration::from_secs(2)).await;
    let after = memory(pid)?;
    drop(held);
    Ok((after.saturating_sub(before)) as f64 / sessions as f64)
}

/// Waits until a server takes connections.
fn wait_for_port(port: u16) -> Result<(), Failed> {
    let begun = Instant::now();
    while std::net::TcpStream::connect(("127.0.0.1", port)).is_err() {
        if begun.elapsed() > Duration::from_secs(30) {
            return Err(format!("nobody listens at port {port}").into());
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    Ok(())
}
