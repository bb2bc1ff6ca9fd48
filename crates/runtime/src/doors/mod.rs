//! Links into groups: one person makes a link, another asks at the door with it, and is let in by who may add people.
//!
//! Whoever has a link asks the device that made it, in a data object of their own (`door://`) that carries a tag made
//! with the link's code, as a contact link's first request does. They are verified like anybody who comes; only then
//! it is judged whether the link still holds, and a person is asked where the link says so. The group itself never
//! hears of links: who is let in is added by the one who made the link, under the rules that hold for every member.

mod answer;
mod ask;
mod link;
mod ours;

use contract::GroupJoiningState;
use message::{Address, UserAddress};
use serde::{Deserialize, Serialize};
use store::Tx;

use crate::circle::Circle;
use crate::objects::Follow;
use crate::records::kind;
use crate::trouble::{Failure, Outcome};

pub(crate) use answer::{come_in, has_link, knocked, on_word};
pub(crate) use ours::Wish;

/// A group we asked to be let into.
#[derive(Clone, Serialize, Deserialize)]
pub(crate) struct Joining {
    pub(crate) chat: Address,
    name: String,
    by: UserAddress,
    at: i64,
    state: GroupJoiningState,
    #[serde(default)]
    code: Option<String>,
    /// Where we asked.
    door: Address,
}

impl Joining {
    fn view(&self) -> contract::GroupJoining {
        contract::GroupJoining {
            chat: self.chat.to_string(),
            name: self.name.clone(),
            by: self.by.handle(),
            at: self.at,
            state: self.state,
            code: self.code.clone(),
        }
    }
}

fn joining(tx: &Tx<'_>, chat: &Address) -> Outcome<Option<Joining>> {
    tx.get(kind::GROUP_JOINING, chat.as_str()).map_err(Failure::store)
}

fn put_joining(tx: &Tx<'_>, joining: &Joining) -> Outcome<Follow> {
    tx.put(kind::GROUP_JOINING, joining.chat.as_str(), joining).map_err(Failure::store)?;
    Ok(Follow::Joining(joining.view()))
}

/// Whether the person asked to be let into this very group, by a link of somebody who is in it.
///
/// That was their yes: the group does not ask once more, and rules about strangers who write do not stop it.
pub(crate) fn asked_into(tx: &Tx<'_>, chat: &Address, circle: Option<&Circle>) -> Outcome<bool> {
    let Some(circle) = circle else { return Ok(false) };
    let asked = joining(tx, chat)?.filter(|asked| asked.state != GroupJoiningState::Refused);
    Ok(asked.is_some_and(|asked| circle.has(&asked.by)))
}

/// We are in a group: nothing is waited for any more.
pub(crate) fn entered(tx: &Tx<'_>, chat: &Address) -> Outcome<Option<Follow>> {
    let Some(mut asked) = joining(tx, chat)? else { return Ok(None) };
    tx.delete(kind::GROUP_JOINING, chat.as_str()).map_err(Failure::store)?;
    asked.state = GroupJoiningState::In;
    Ok(Some(Follow::Joining(asked.view())))
}
