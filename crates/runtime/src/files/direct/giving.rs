//! Gives the pieces of our own files to those they were sent to, and to nobody else.

use std::time::Duration;

use media::{DirectError, Frame, Refusal, parts};
use message::{Address, UserAddress};

use super::super::{Carried, place_of};
use super::word::{Speaker, Word, is_contact};
use crate::comparing;
use crate::home::{Home, State, now_ms};
use crate::records::ObjectUse;
use crate::sending::get_object;
use crate::trouble::{Failure, Outcome};

/// How long a connection is kept on which nothing is asked for.
const IDLE: Duration = Duration::from_secs(20);

/// What is asked for on one connection: a file that a message of ours carries.
struct Wish {
    by: Speaker,
    message: String,
    file: String,
}

impl Home {
    /// Somebody wants a file directly. Nothing is opened before it is known that it is for them.
    pub(super) fn answer_offer(
        &self,
        state: &mut State,
        by: Speaker,
        attempt: String,
        message: String,
        file: String,
        offer: String,
    ) {
        if !state.files.direct.may_offer(&by.user, now_ms()) {
            return;
        }
        let wish = Wish { by, message, file };
        let begun = match self.may_have(state, &wish) {
            Ok(_) => state.files.direct.begin_giving(&wish.by.user, &wish.by.device),
            Err(failure) => {
                tracing::info!(code = failure.code, "a file was asked for directly and is not given");
                None
            }
        };
        let Some((number, stop)) = begun else {
            let device = wish.by.device.clone();
            let refused = Word::Refused { attempt, to: device.clone() };
            self.say_back(wish.by, Some(device), refused);
            return;
        };
        let home = self.clone();
        self.rooms.tasks.start("giving", async move {
            let gives = home.give(&wish, attempt, &offer);
            if let Some(Err(error)) = stop.run_until_cancelled(gives).await {
                tracing::debug!(%error, "a direct connection ended");
            }
            home.state().files.direct.end_giving(&wish.by.user, number);
        });
    }

    async fn give(&self, wish: &Wish, attempt: String, offer: &str) -> Result<(), DirectError> {
        self.renew_relays().await;
        let (answered, description) = self.rooms.media.answer_direct(offer).await?;
        let answer = Word::Answer { attempt, to: wish.by.device.clone(), description };
        if self.say_when_reached(&wish.by, Some(&wish.by.device), &answer).await == 0 {
            return Err(DirectError::Lost);
        }
        let mut channel = answered.settle().await?;
        loop {
            let Frame::Ask { piece } = channel.hear(IDLE).await? else {
                return Err(media::BadFrame::Unasked.into());
            };
            match self.piece_for(wish, piece) {
                Ok(sealed) => {
                    for part in parts(piece, sealed) {
                        channel.say(&part).await?;
                    }
                }
                Err(why) => {
                    channel.say(&Frame::Refused { piece, why }).await?;
                    // Whoever is refused has nothing more to ask here; they leave when they have heard it.
                    channel.hear(IDLE).await?;
                    return Err(DirectError::Refused(why));
                }
            }
        }
    }

    /// A piece, if the file is still for who asks: messages are taken back, and contacts blocked, in the meantime.
    fn piece_for(&self, wish: &Wish, piece: u32) -> Result<Vec<u8>, Refusal> {
        let carried = self.may_have(&self.state(), wish).map_err(|_| Refusal::NotForYou)?;
        self.shelf().chunk(&wish.file, carried.attached.file.shape, piece).map_err(|_| Refusal::NoPiece)
    }

    /// Whether a file is for the device that asks: a message of ours carries it, in a conversation that this device is
    /// in now, and its person is a contact to whom words may leave.
    fn may_have(&self, state: &State, wish: &Wish) -> Outcome<Carried> {
        let not_theirs = || Failure::new("not-theirs", "the file was not sent to who asks for it");
        let carried = state.carried(&wish.message)?;
        let file = &carried.attached.file;
        let named = place_of(file).is_some_and(|(_, blob)| blob == wish.file);
        if !carried.row.mine || !named || !is_contact(state, &wish.by.user) {
            return Err(not_theirs());
        }
        let url = Address::parse(&carried.row.object).map_err(|_| not_theirs())?;
        state.store()?.read(|tx| {
            comparing::may_send_to(tx, &wish.by.user)?;
            let object = get_object(tx, &url)?;
            let is_in = |user: &UserAddress| object.member(&wish.by.device).is_some_and(|member| member.user == *user);
            let theirs = object.purpose == ObjectUse::Chat && object.is_open() && is_in(&wish.by.user);
            if theirs { Ok(()) } else { Err(not_theirs()) }
        })?;
        if !self.shelf().has(&wish.file, file.shape) {
            return Err(Failure::new("file-away", "the file is not on this device"));
        }
        Ok(carried)
    }
}
