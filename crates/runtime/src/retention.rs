//! Removes what is older than the organisation lets this device keep.

use contract::News;
use message::Address;
use store::{ChildState, Tx};

use crate::home::{Home, State};
use crate::objects::Follow;
use crate::persons::SYSTEM;
use crate::records::{Object, ObjectUse, kind};
use crate::trouble::{Failure, Outcome};

/// How often it is looked, in milliseconds.
pub(crate) const LOOK_EVERY_MS: i64 = 60 * 60 * 1000;

/// Rows that are looked at together.
const PAGE_ROWS: usize = 100;

const DAY_MS: i64 = 24 * 60 * 60 * 1000;

/// A message that is gone, and its conversation.
struct Gone {
    chat: Address,
    id: String,
}

impl State {
    /// After how many days messages are removed, if the organisation says so.
    pub(crate) fn retention_days(&self) -> Option<u32> {
        self.policy.rules().charter.as_ref()?.retention_days
    }
}

impl Home {
    /// Removes the messages that are older than the organisation's document allows, from the disk too.
    pub(crate) fn remove_old_messages(&self, state: &mut State, now: i64) {
        let Some(days) = state.retention_days() else { return };
        let Ok(store) = state.store() else { return };
        let before = now.saturating_sub(i64::from(days).saturating_mul(DAY_MS));
        let gone = match store.erase(|tx| remove_before(tx, before)) {
            Ok(gone) => gone,
            Err(failure) => return tracing::warn!(code = failure.code, "old messages could not be removed"),
        };
        if gone.is_empty() {
            return;
        }
        tracing::info!(messages = gone.len(), "messages were removed because the organisation says so");
        let chats: std::collections::BTreeSet<Address> = gone.iter().map(|one| one.chat.clone()).collect();
        for Gone { chat, id } in gone {
            self.tell(News::MessageGone { chat: chat.to_string(), id });
        }
        self.follow_up(state, chats.into_iter().map(Follow::ChatShown).collect());
    }
}

/// Lines about keys and devices stay: they are about who one speaks with, and nobody wrote them. So does what has not
/// left yet.
fn remove_before(tx: &Tx<'_>, before: i64) -> Outcome<Vec<Gone>> {
    let objects: Vec<(String, Object)> = tx.list(kind::OBJECT).map_err(Failure::store)?;
    let chats =
        objects.into_iter().filter(|(_, object)| object.purpose == ObjectUse::Chat).map(|(_, object)| object.url);
    let mut gone = Vec::new();
    // What was brought in a file is kept no longer than what came otherwise.
    for chat in chats.chain(crate::archives::addresses(tx)?) {
        let mut after = 0;
        loop {
            let rows = tx.children_after(chat.as_str(), after, PAGE_ROWS).map_err(Failure::store)?;
            let Some(last) = rows.last() else { break };
            after = last.ordinal;
            // Rows lie in the order in which they came: once a whole page is younger, so is the rest. What was imported
            // came in any order.
            if !crate::archives::is_imported(chat.as_str()) && rows.iter().all(|row| row.at >= before) {
                break;
            }
            for row in rows {
                let waits = row.mine && row.state == ChildState::Queued;
                if row.at < before && row.author != SYSTEM && !waits {
                    crate::files::forget(tx, &row)?;
                    tx.delete_child(&row.id).map_err(Failure::store)?;
                    gone.push(Gone { chat: chat.clone(), id: row.id });
                }
            }
        }
    }
    Ok(gone)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::records::{Side, Standing};
    use crate::sending::put_object;
    use message::UserAddress;
    use store::{ChildRow, KeySource, MasterKey, Store};

    fn row(chat: &Address, seq: i64, at: i64, author: &str, state: ChildState) -> ChildRow {
        ChildRow {
            id: format!("{chat}/children/{author}-{seq}"),
            object: chat.to_string(),
            author: author.into(),
            seq,
            at,
            state,
            value: "{}".into(),
            mine: author == "me",
            ..ChildRow::default()
        }
    }

    #[test]
    fn what_is_too_old_goes_and_what_waits_or_tells_of_keys_stays() {
        let folder = tempfile::tempdir().unwrap();
        let key = MasterKey::open(folder.path(), KeySource::Unprotected).unwrap();
        let store = Store::open(&folder.path().join("parlance.db"), &key).unwrap();
        let chat = Address::parse("comm://a.localhost/one").unwrap();
        let peer = UserAddress::parse("ben@b.localhost").unwrap();
        let left = store.write(|tx| {
            let snapshot = sync::Snapshot { version: 0, value: serde_json::json!({}) };
            let observer = sync::Observer::new(chat.clone(), "chat", snapshot).unwrap();
            let side = Side::Observer(observer);
            put_object(tx, &Object::new(chat.clone(), ObjectUse::Chat, "chat".into(), peer, Standing::Open, side, 0))?;
            for one in [
                row(&chat, 1, 10, "ben", ChildState::Received),
                row(&chat, 2, 10, SYSTEM, ChildState::Received),
                row(&chat, 3, 20, "me", ChildState::Delivered),
                row(&chat, 4, 20, "me", ChildState::Queued),
                row(&chat, 5, 99, "ben", ChildState::Received),
            ] {
                tx.add_child(&one).map_err(Failure::store)?;
            }
            let gone: Vec<String> = remove_before(tx, 50)?.into_iter().map(|one| one.id).collect();
            assert_eq!(gone, [1, 3].map(|at| format!("{chat}/children/{}-{at}", ["", "ben", "", "me"][at])));
            assert!(remove_before(tx, 50)?.is_empty(), "once");
            let left = tx.children(chat.as_str(), None, 10).map_err(Failure::store)?;
            Ok::<_, Failure>(left.into_iter().map(|row| row.seq).collect::<Vec<_>>())
        });
        assert_eq!(left.unwrap(), [2, 4, 5]);
    }
}
