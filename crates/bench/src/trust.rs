//! What trust costs: recognising a stranger, adding a device, and sealing for one, for 200 and for 1,000.

mod device;
pub(crate) mod ground;
mod pairwise;
mod stranger;
mod stream;
pub(crate) mod update;

use crate::Failed;
use crate::report::{Figure, Goal, Report};

const NOTE: &str = "\
verify             processor time of one thread for everything a first contact costs the one who is contacted: the
                   evidence is parsed, and token (ES256), client claims, sigchain (genesis, three devices,
                   attestation) and the credential of the MLS leaf are verified. Beside it: one X25519 agreement and
                   one Ed25519 signature, as a scheme does that knows keys and no people.
device_to_100      one device is added to 100 conversations of two: 100 commits and Welcomes, then the device joins
                   all and the contact takes all commits; each of the three has one store on disk and one
                   transaction. Beside it: the device agrees on a pairwise key with 100 contacts, kept the same way.
sealed             texts of 300 bytes in one conversation, sealed by one side and opened by the other, each on a
                   thread of its own with its own store on disk, in transactions of 64; the sealed text and the
                   opened one are kept as well, as an outbox and a history would.
update_N           one update of 300 bytes by the Reporter of a group with N observers until every observer has opened
                   it, all in one process on two threads: sealed and kept in the Reporter's store, opened by each
                   observer, whose group is held in memory and whose state is kept. The observers of a thread share
                   one SQLite file and one transaction. Pairwise: a key per observer (X25519 once, then ratcheted
                   for each message), XChaCha20-Poly1305, the new keys of both sides kept in the same way.
Stores are SQLite files (WAL, synchronous=FULL) with every value sealed.";

/// Measures.
pub(crate) fn run() -> Result<Report, Failed> {
    let verify = stranger::verify_ms()?;
    let plain = stranger::keys_only_ms()?;
    let devices = device::to_100_groups()?;
    let pairs = pairwise::device_to_100_contacts_ms()?;
    let sealed = stream::sealed_per_s()?;
    let sealed_pairwise = pairwise::sealed_per_s()?;
    let (at_200, at_200_pairwise) = (update::update_ms(200)?, pairwise::update_ms(200)?);
    let (at_1000, at_1000_pairwise) = (update::update_ms(1000)?, pairwise::update_ms(1000)?);
    let budget = "budget of the design";
    Ok(Report::new(
        NOTE,
        vec![
            Figure::new("verify_ms", "ms", verify).with_goal(Goal::AtMost(2.0), budget),
            Figure::new("verify_keys_only_ms", "ms", plain),
            Figure::new("device_to_100_groups_ms", "ms", devices).with_goal(Goal::AtMost(1000.0), budget),
            Figure::new("device_to_100_pairwise_ms", "ms", pairs),
            Figure::new("sealed_per_s", "/s", sealed).with_goal(Goal::AtLeast(5000.0), budget),
            Figure::new("sealed_pairwise_per_s", "/s", sealed_pairwise),
            Figure::new("update_200_ms", "ms", at_200).with_goal(Goal::AtMost(50.0), budget),
            Figure::new("update_200_pairwise_ms", "ms", at_200_pairwise),
            Figure::new("update_1000_ms", "ms", at_1000).with_goal(Goal::AtMost(250.0), budget),
            Figure::new("update_1000_pairwise_ms", "ms", at_1000_pairwise),
        ],
    ))
}
