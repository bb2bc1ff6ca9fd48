//! Fetches a file from a device of its author: asks whether one is there, and then for piece after piece.

use std::time::Duration;

use blob::Descriptor;
use media::{DirectChannel, DirectError, Pieces};
use message::UserAddress;
use store::ChildRow;

use super::super::is_at_node;
use super::super::taking::Taking;
use super::word::{Word, is_contact};
use super::{Chat, DIRECT_FROM, attempt};
use crate::comparing;
use crate::home::{Home, now_ms};
use crate::members::author_user;
use crate::records::Person;
use crate::sending::{get_object, get_person};
use crate::trouble::{Failure, Outcome};

/// How long is waited for a device of the author to answer; whoever is there answers within a round trip or two, or
/// when it has reached our domain, which it may not have done since it started.
const ANSWERING: Duration = Duration::from_secs(5);

/// How long is waited for the next part of a piece: what was lost on the way is sent again after one second, two and four.
const SILENCE: Duration = Duration::from_secs(8);

/// The one connection with a person; the place is free again when this is dropped.
struct Turn {
    home: Home,
    user: UserAddress,
    chat: Chat,
}

impl Drop for Turn {
    fn drop(&mut self) {
        let mut state = self.home.state();
        state.files.direct.end_asking(&self.user);
        // Another file of the same person may have waited for it.
        state.files.wake();
    }
}

impl Home {
    /// Fetches directly what is missing of a file. What came stays, however it ends.
    pub(in crate::files) async fn fetch_directly(
        &self,
        row: &ChildRow,
        file: &Descriptor,
        taking: &mut Taking,
    ) -> Outcome<()> {
        if is_at_node(file) && file.shape.size() <= DIRECT_FROM {
            return Err(Failure::new("direct-small", "the way through the Node is as quick"));
        }
        let turn = self.take_turn(row)?;
        let user = &turn.user;
        let connected = self.connect_directly(&turn, row, taking).await;
        let mut channel = match connected {
            Ok(channel) => channel,
            Err(failure) => {
                self.state().files.direct.is_quiet(user, now_ms());
                return Err(failure);
            }
        };
        self.ask_for_pieces(&mut channel, row, taking).await
    }

    /// Whether this person may be asked, and nothing else comes from them.
    fn take_turn(&self, row: &ChildRow) -> Outcome<Turn> {
        let (user, chat) = self.author_of(row)?;
        self.state().files.direct.begin_asking(&user, now_ms())?;
        Ok(Turn { home: self.clone(), user, chat })
    }

    /// The author of a file, an accepted contact, and the conversation of the two of us.
    fn author_of(&self, row: &ChildRow) -> Outcome<(UserAddress, Chat)> {
        let no_way = || Failure::new("no-direct-way", "files come directly from contacts");
        let user = UserAddress::parse(author_user(&row.author)).map_err(|_| no_way())?;
        let state = self.state();
        if row.mine || !is_contact(&state, &user) {
            return Err(no_way());
        }
        let chat = state.store()?.read(|tx| {
            comparing::may_send_to(tx, &user)?;
            let person: Person = get_person(tx, &user)?;
            let object = get_object(tx, &person.chat.ok_or_else(no_way)?)?;
            if object.is_open() && object.circle.is_none() { Ok(object.url) } else { Err(no_way()) }
        })?;
        Ok((user, chat))
    }

    async fn connect_directly(&self, turn: &Turn, row: &ChildRow, taking: &Taking) -> Outcome<DirectChannel> {
        let away = || Failure::new("author-away", "no device of this person answers");
        // Their devices receive at their own domain.
        let domain = turn.user.domain();
        let ready = self.domain_ready(&domain, None);
        tokio::time::timeout(ANSWERING, ready).await.map_err(|_| away())??;
        self.renew_relays().await;
        let (offer, description) = self.rooms.media.offer_direct().await.map_err(no_connection)?;
        let attempt = attempt();
        let answer = {
            let mut state = self.state();
            let (message, file) = (row.id.clone(), taking.blob().to_owned());
            let word = Word::Offer { attempt: attempt.clone(), message, file, description };
            let devices = self.say_directly(&mut state, &turn.chat, None, &word);
            if devices == 0 {
                return Err(away());
            }
            state.files.direct.offer(&attempt, &turn.user, devices)
        };
        let answered = tokio::time::timeout(ANSWERING, answer).await;
        self.state().files.direct.take_back(&attempt);
        let answer = answered.map_err(|_| away())?.map_err(|_| away())??;
        offer.settle(&answer).await.map_err(no_connection)
    }

    async fn ask_for_pieces(&self, channel: &mut DirectChannel, row: &ChildRow, taking: &mut Taking) -> Outcome<()> {
        let (mut pieces, mut asked) = (Pieces::default(), taking.next());
        while !taking.is_whole() {
            while pieces.has_room()
                && let Some(length) = taking.shape().sealed_length(asked)
            {
                let ask = pieces.ask(asked, length).map_err(DirectError::from).map_err(no_connection)?;
                channel.say(&ask).await.map_err(no_connection)?;
                asked += 1;
            }
            let frame = channel.hear(SILENCE).await.map_err(no_connection)?;
            if let Some((piece, sealed)) = pieces.take(frame).map_err(no_connection)? {
                taking.take(piece, &sealed)?;
                self.file_moved(row, taking.done(), true);
            }
        }
        Ok(())
    }

    /// Neither way is open now: the author is asked to say when they are there.
    pub(in crate::files) fn wait_for_author(&self, row: &ChildRow) {
        if let Ok((user, chat)) = self.author_of(row) {
            self.ask_back(&mut self.state(), &chat, &user);
        }
    }
}

fn no_connection(error: DirectError) -> Failure {
    tracing::debug!(%error, "a file does not come directly");
    let code = if matches!(error, DirectError::Refused(_)) { "direct-refused" } else { "direct-lost" };
    Failure::new(code, error)
}
