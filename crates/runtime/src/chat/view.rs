//! Messages as a shell sees them: as they stand after all that was said about them.

use contract::{ChatMessage, Content, DeliveryState, MentionView, PollOption, PollView, Quote, Reaction, TrustMark};
use message::{Address, UserAddress};
use serde_json::Value;
use store::{ChildRow, ChildState, Tx};

use super::After;
use super::body::{Body, Text};
use super::extra::extra_of;
use super::mentions::Mention;
use super::polls::Poll;
use crate::circle::Counts;
use crate::files::file_view;
use crate::members::author_user;
use crate::previews::card_view;
use crate::records::{ChildValue, kind};
use crate::trouble::{Failure, Outcome};

/// Characters of a message that are shown where it is answered.
const QUOTE_LIMIT: usize = 200;

/// Rows as a shell sees them, in their order.
pub(crate) fn messages_of(tx: &Tx<'_>, rows: &[ChildRow]) -> Outcome<Vec<ChatMessage>> {
    let mut known = Known::default();
    rows.iter().map(|row| message_with(tx, row, &mut known)).collect()
}

pub(crate) fn message_of(tx: &Tx<'_>, row: &ChildRow) -> Outcome<ChatMessage> {
    message_with(tx, row, &mut Known::default())
}

/// What several messages share, read once.
#[derive(Default)]
struct Known {
    counts: Counts,
    own: Option<String>,
}

/// Of our own record who we are.
#[derive(Clone, serde::Deserialize)]
struct Own {
    user: UserAddress,
}

impl Known {
    /// Who we are, as authors are named.
    fn own(&mut self, tx: &Tx<'_>) -> Outcome<String> {
        if let Some(own) = &self.own {
            return Ok(own.clone());
        }
        let own: Option<Own> = tx.recall(kind::ME, "me").map_err(Failure::store)?;
        Ok(self.own.insert(own.map(|own| own.user.to_string()).unwrap_or_default()).clone())
    }
}

fn message_with(tx: &Tx<'_>, row: &ChildRow, known: &mut Known) -> Outcome<ChatMessage> {
    let child = serde_json::from_str::<ChildValue>(&row.value).ok();
    let body = body_of(row, child.as_ref());
    let none = Text::default();
    let said = match &body {
        Body::Text(said) => said,
        Body::File(attached) => &attached.said,
        _ => &none,
    };
    let card = child.as_ref().and_then(|child| standing(said, &child.after));
    let (reply, forwarded) = (said.reply.clone(), said.forwarded);
    let after = child.as_ref().map(|child| child.after.clone()).unwrap_or_default();
    let named = if after.is_deleted() { &[] } else { said.mentions.as_slice() };
    let personal = !after.is_nothing() || !named.is_empty();
    let own = if personal { known.own(tx)? } else { String::new() };
    let me = |who: &str| who == own || (row.mine && who == author_user(&row.author));
    let reactions = after.reactions().into_iter().map(|(emoji, who)| Reaction {
        emoji: emoji.to_owned(),
        mine: who.iter().any(|who| me(who)),
        who: who.into_iter().map(handle).collect(),
    });
    Ok(ChatMessage {
        id: row.id.clone(),
        chat: row.object.clone(),
        ordinal: i32::try_from(row.ordinal).unwrap_or(i32::MAX),
        mine: row.mine,
        author: handle(author_user(&row.author)),
        content: content_of(child.as_ref(), &body, &me),
        at: row.at,
        state: match row.state {
            ChildState::Queued => DeliveryState::Queued,
            ChildState::Sent => DeliveryState::Sent,
            ChildState::Delivered => DeliveryState::Delivered,
            ChildState::Read => DeliveryState::Read,
            ChildState::Failed => DeliveryState::Failed,
            ChildState::Received => DeliveryState::Received,
        },
        mark: child.as_ref().map_or(TrustMark::Introduced, |child| child.mark),
        reply: reply.map(|id| quote(tx, &row.object, id).map(Box::new)).transpose()?,
        edited: after.words().is_some(),
        forwarded,
        pinned: after.is_pinned(),
        reactions: reactions.collect(),
        ends: row.ends,
        reach: known.counts.of(tx, row)?,
        mentions_me: named.iter().any(|one| me(&one.user.to_string())),
        mentions: named.iter().map(mention).collect(),
        preview: card.map(|card| Box::new(card_view(card))),
    })
}

/// The card of words, as long as they are there and its link stands in them.
fn standing<'a>(said: &'a Text, after: &After) -> Option<&'a preview::Card> {
    let card = said.card.as_deref().filter(|_| !after.is_deleted())?;
    after.words().is_none_or(|now| card.stands_in(now)).then_some(card)
}

/// The card that a row shows now.
pub(super) fn card_in(row: &ChildRow) -> Option<preview::Card> {
    let child = serde_json::from_str::<ChildValue>(&row.value).ok()?;
    match body_of(row, Some(&child)) {
        Body::Text(said) => standing(&said, &child.after).cloned(),
        _ => None,
    }
}

fn mention(one: &Mention) -> MentionView {
    MentionView { user: one.user.handle(), name: one.name.clone() }
}

/// A poll as it stands. Of one that hides names only our own choice is told.
fn poll_view(poll: &Poll, after: &After, me: &dyn Fn(&str) -> bool) -> PollView {
    let votes: Vec<(&str, &[u8])> = after.votes().all().collect();
    let options = poll.options.iter().enumerate().map(|(at, text)| {
        let chose = votes.iter().filter(|(_, choices)| choices.iter().any(|choice| usize::from(*choice) == at));
        let who: Vec<&str> = chose.map(|(who, _)| *who).collect();
        PollOption {
            text: text.clone(),
            votes: u32::try_from(who.len()).unwrap_or(u32::MAX),
            mine: who.iter().any(|who| me(who)),
            who: if poll.hidden { Vec::new() } else { who.into_iter().filter(|who| !me(who)).map(handle).collect() },
        }
    });
    PollView {
        question: poll.question.clone(),
        options: options.collect(),
        several: poll.several,
        hidden: poll.hidden,
        closed: after.votes().is_closed(),
        voters: u32::try_from(votes.len()).unwrap_or(u32::MAX),
    }
}

fn handle(user: &str) -> String {
    UserAddress::parse(user).map_or_else(|_| user.to_owned(), |user| user.handle())
}

fn body_of(row: &ChildRow, child: Option<&ChildValue>) -> Body {
    let parsed = child.zip(Address::parse(&row.object).ok());
    parsed.map_or(Body::Unknown, |(child, url)| Body::parse(&child.value, &url))
}

/// What a row says now, if it is words.
pub(super) fn words_of(row: &ChildRow) -> Option<String> {
    let child = serde_json::from_str::<ChildValue>(&row.value).ok()?;
    match body_of(row, Some(&child)) {
        Body::Text(said) => Some(child.after.words().map_or(said.text, str::to_owned)),
        Body::File(attached) => Some(child.after.words().unwrap_or(attached.words()).to_owned()),
        Body::Poll { poll, .. } => Some(poll.words()),
        _ => None,
    }
}

fn content_of(child: Option<&ChildValue>, body: &Body, me: &dyn Fn(&str) -> bool) -> Content {
    let Some(child) = child else { return Content::Unsupported };
    if child.after.is_deleted() {
        return Content::Deleted;
    }
    match body {
        Body::Text(said) => Content::Text { text: child.after.words().unwrap_or(&said.text).to_owned() },
        Body::File(attached) => Content::File {
            file: file_view(&attached.file),
            text: child.after.words().unwrap_or(&attached.said.text).to_owned(),
        },
        Body::Poll { poll, .. } => Content::Poll { poll: poll_view(poll, &child.after, me) },
        Body::Timer { seconds } => Content::System { code: "timer-set".into(), detail: seconds.to_string(), by: None },
        Body::Act { .. } | Body::Unknown => {
            let text = |name: &str| child.value.get(name).and_then(Value::as_str).map(str::to_owned);
            if text("type").as_deref() != Some("system") {
                return Content::Unsupported;
            }
            Content::System {
                code: text("code").unwrap_or_default(),
                detail: child.detail.get("detail").cloned().unwrap_or_default(),
                by: child.detail.get("by").filter(|by| !by.is_empty()).cloned(),
            }
        }
    }
}

/// What is answered: never more than one step, so an answer to itself is no circle.
fn quote(tx: &Tx<'_>, chat: &str, id: String) -> Outcome<Quote> {
    let row = tx.child(&id).map_err(Failure::store)?.filter(|row| row.object == chat && !row.hidden);
    let Some(row) = row else { return Ok(Quote { id, author: None, mine: false, text: None }) };
    let text = words_of(&row).map(|words| words.chars().take(QUOTE_LIMIT).collect());
    Ok(Quote { id, author: Some(handle(author_user(&row.author))), mine: row.mine, text })
}

/// The pinned messages of a conversation, the newest pin first.
pub(crate) fn pinned(tx: &Tx<'_>, chat: &Address) -> Outcome<Vec<ChatMessage>> {
    let mut shown = Vec::new();
    for id in extra_of(tx, chat)?.pins {
        let row = tx.child(&id).map_err(Failure::store)?.filter(|row| !row.hidden);
        if let Some(row) = row {
            shown.push(message_of(tx, &row)?);
        }
    }
    Ok(shown)
}
