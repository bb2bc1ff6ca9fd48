//! What the node counts for those who watch over it, in the text format of Prometheus (OpenMetrics 1.0).

use message::Code;
use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::encoding::text::encode;
use prometheus_client::metrics::counter::{ConstCounter, Counter};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};

use crate::exchange::Stats;
use crate::records::Depths;

/// Why something was refused: the answer's code and its sentence, of which the program has a fixed number.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Refusal {
    code: u16,
    reason: &'static str,
}

/// Counters and clocks that the node keeps running; clones count together.
#[derive(Clone)]
pub struct Meters {
    refused: Family<Refusal, Counter>,
    delivery: Histogram,
    batch: Histogram,
    commit: Histogram,
}

impl Default for Meters {
    fn default() -> Self {
        // 0.25 ms to 16 s: from one loopback round trip to beyond every deadline of a delivery.
        let seconds = || Histogram::new(exponential_buckets(0.000_25, 2.0, 17));
        Self {
            refused: Family::default(),
            delivery: seconds(),
            batch: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            commit: seconds(),
        }
    }
}

impl Meters {
    /// Counts a refusal.
    pub fn refused(&self, code: Code, reason: &'static str) {
        self.refused.get_or_create(&Refusal { code: code.0, reason }).inc();
    }

    /// A recipient confirmed a message so long after it was sent to it.
    pub fn delivered(&self, after_ms: i64) {
        self.delivery.observe(after_ms.max(0) as f64 / 1000.0);
    }

    /// So many commands were done in one transaction, whose end took so long.
    pub fn committed(&self, commands: usize, took: std::time::Duration) {
        self.batch.observe(commands as f64);
        self.commit.observe(took.as_secs_f64());
    }

    /// The page that Prometheus reads.
    pub fn page(&self, stats: &Stats, depths: &Depths) -> String {
        let mut all = Registry::with_prefix("parlance_node");
        gauges(&mut all, stats, depths);
        counters(&mut all, stats);
        all.register("refused", "Requests refused, by code and reason", self.refused.clone());
        all.register_with_unit(
            "delivery_duration",
            "From sending a message to a live inbox until its confirmation",
            Unit::Seconds,
            self.delivery.clone(),
        );
        all.register("batch_commands", "Commands done in one transaction", self.batch.clone());
        all.register_with_unit(
            "commit_duration",
            "Until a transaction was safe: on disk, and with several nodes at a majority of the servers",
            Unit::Seconds,
            self.commit.clone(),
        );
        let mut text = String::new();
        // Writing into a String does not fail.
        let _ = encode(&mut text, &all);
        text
    }
}

fn gauges(all: &mut Registry, stats: &Stats, depths: &Depths) {
    let rows: [(&str, &str, u64); 11] = [
        ("peers", "Other nodes of the domain that are there", stats.peers as u64),
        ("sessions", "Sessions open now, proven or not", stats.sessions as u64),
        ("mailboxes", "Inboxes in which mail waits", depths.mailboxes),
        ("mailbox_messages", "Messages that wait in mailboxes", depths.messages),
        ("mailbox_bytes", "Bytes that wait in mailboxes", depths.bytes),
        ("accounts", "Names bound to personas", depths.accounts),
        ("devices", "Devices the accounts name", depths.devices),
        ("registered_inboxes", "Devices the registry knows an inbox of", depths.inboxes),
        ("blobs", "Files in the blob store, whole or not", depths.blobs),
        ("blob_bytes", "Bytes the blob store is reserved for", depths.blob_bytes),
        ("key_packages", "Key packages in the registry", depths.key_packages),
    ];
    for (name, help, value) in rows {
        all.register(name, help, ConstGauge::<u64>::new(value));
    }
}

fn counters(all: &mut Registry, stats: &Stats) {
    let rows: [(&str, &str, u64); 13] = [
        ("received", "Messages taken in", stats.received),
        ("routed", "Messages sent out, answers included", stats.sent),
        ("kept", "Messages put into a mailbox", stats.kept),
        ("confirmed", "Messages a recipient confirmed", stats.confirmed),
        ("forged", "Messages whose sender was not who they said", stats.forged),
        ("bad_proofs", "Proofs of a key that did not hold", stats.bad_proofs),
        ("limited", "Messages beyond a session's rate", stats.limited),
        ("malformed", "Bytes that were no message", stats.malformed),
        ("slow_readers", "Sessions ended because they read more slowly than others write", stats.slow),
        ("blob_chunks_put", "Chunks of files put into the blob store", stats.blob_chunks_put),
        ("blob_chunks_got", "Chunks of files given out", stats.blob_chunks_got),
        ("forwarded", "Messages passed on to other nodes", stats.forwarded),
        ("unanswered", "Messages passed on that went into mailboxes for want of an answer", stats.unanswered),
    ];
    for (name, help, value) in rows {
        all.register(name, help, ConstCounter::<u64>::new(value));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_what_was_counted_and_how_long_it_took() {
        let meters = Meters::default();
        meters.refused(Code::FORBIDDEN, "that address belongs to somebody else");
        meters.delivered(3);
        let stats = Stats { sessions: 2, sent: 7, slow: 1, ..Stats::default() };
        let page = meters.page(&stats, &Depths { messages: 5, ..Depths::default() });
        for line in [
            "parlance_node_sessions 2",
            "parlance_node_routed_total 7",
            "parlance_node_slow_readers_total 1",
            "parlance_node_mailbox_messages 5",
            r#"parlance_node_refused_total{code="403",reason="that address belongs to somebody else"} 1"#,
            "parlance_node_delivery_duration_seconds_sum 0.003",
            r#"parlance_node_delivery_duration_seconds_bucket{le="0.004"} 1"#,
        ] {
            assert!(page.lines().any(|one| one == line), "{line} is not in:\n{page}");
        }
        assert!(page.ends_with("# EOF\n"));
    }
}
