//! Who waits at the doors of groups, as far as this device is asked.

use std::collections::BTreeMap;

use contract::{GroupGuestState, GroupInvite};

/// Links that are remembered with somebody waiting; a device has far fewer groups with ten links each.
const LINKS_LIMIT: usize = 1_000;

/// Who waits, by the link they came by.
#[derive(Debug, Default)]
pub(crate) struct Doors {
    links: BTreeMap<String, Door>,
}

#[derive(Debug)]
struct Door {
    chat: String,
    /// Address and name, the newest first.
    waiting: Vec<(String, String)>,
}

impl Doors {
    /// How a link stands now; says whether somebody waits who did not before.
    pub(crate) fn take(&mut self, invite: &GroupInvite) -> bool {
        let before = self.links.remove(&invite.id);
        let waits = invite.came.iter().filter(|guest| guest.state == GroupGuestState::Waits);
        let waiting: Vec<(String, String)> = waits.map(|guest| (guest.user.clone(), guest.name.clone())).collect();
        let known = |user: &String| before.iter().any(|door| door.waiting.iter().any(|(known, _)| known == user));
        let is_new = waiting.iter().any(|(user, _)| !known(user));
        if !waiting.is_empty() && self.links.len() < LINKS_LIMIT {
            self.links.insert(invite.id.clone(), Door { chat: invite.chat.clone(), waiting });
        }
        is_new
    }

    /// The names of those who wait to come into a group.
    pub(crate) fn waiting(&self, chat: &str) -> Vec<String> {
        let doors = self.links.values().filter(|door| door.chat == chat);
        doors.flat_map(|door| &door.waiting).map(|(_, name)| name.clone()).collect()
    }

    /// Forgets the links that are not among these; gives their groups.
    pub(crate) fn keep_only(&mut self, invites: &[GroupInvite]) -> Vec<String> {
        let (kept, gone) = std::mem::take(&mut self.links)
            .into_iter()
            .partition::<BTreeMap<_, _>, _>(|(id, _)| invites.iter().any(|invite| invite.id == *id));
        self.links = kept;
        gone.into_values().map(|door| door.chat).collect()
    }

    pub(crate) fn clear(&mut self) {
        self.links.clear();
    }
}
