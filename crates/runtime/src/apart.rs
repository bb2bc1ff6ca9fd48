//! Counts what is sealed for a group and brought to some of it only.
//!
//! Each such message is a step of our ratchet that the others do not see, and they bridge only so many of them (`seal`,
//! a thousand). So after some a word goes to everybody, which takes all along. Few words are for some only in a small
//! group; in a large one there are many, and a word to all is dear.

use message::Address;
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::records::kind;
use crate::sending::sealing;
use crate::trouble::{Failure, Outcome};

/// Messages for some only, after which everybody is taken along.
const APART_LIMIT: u32 = 400;

/// What was brought to some only since all heard something of us.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug, Serialize, Deserialize)]
struct Apart {
    /// The ratchet begins anew with each epoch.
    epoch: u64,
    count: u32,
}

impl Apart {
    /// One more for some only; says whether everybody has to be taken along now.
    fn one_more(&mut self, epoch: u64) -> bool {
        if self.epoch != epoch {
            *self = Self { epoch, count: 0 };
        }
        self.count += 1;
        let far = self.count >= APART_LIMIT;
        if far {
            self.count = 0;
        }
        far
    }
}

/// Something was sealed for some only; says whether everybody has to be taken along now.
pub(crate) fn for_some(tx: &Tx<'_>, url: &Address, group: &seal::GroupId) -> Outcome<bool> {
    let epoch = seal::epoch(tx, group).map_err(sealing)?;
    let mut apart: Apart = tx.get(kind::APART, url.as_str()).map_err(Failure::store)?.unwrap_or_default();
    let far = apart.one_more(epoch);
    tx.put(kind::APART, url.as_str(), &apart).map_err(Failure::store)?;
    Ok(far)
}

/// All of them heard something.
pub(crate) fn for_all(tx: &Tx<'_>, url: &Address) -> Outcome<()> {
    tx.delete(kind::APART, url.as_str()).map_err(Failure::store)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_is_taken_along_before_the_ratchets_are_too_far_apart() {
        let mut apart = Apart::default();
        let far: Vec<u32> = (1..=1000).filter(|_| apart.one_more(3)).collect();
        assert_eq!(far, [APART_LIMIT, 2 * APART_LIMIT]);
        assert_eq!(apart, Apart { epoch: 3, count: 200 });
        assert!(!apart.one_more(4) && apart == Apart { epoch: 4, count: 1 }, "an epoch begins anew");
    }
}
