//! What a person hears of those who wait at the doors of their groups.

use contract::{GroupGuest, GroupGuestState, GroupInvite, GroupInviteState};

use super::*;

/// A link into the choir, and who waits at its door, the newest first.
fn door(id: &str, waiting: &[&str]) -> GroupInvite {
    let guest = |name: &&str| GroupGuest {
        user: format!("{name}@e.localhost"),
        name: (*name).to_owned(),
        identity: None,
        mark: TrustMark::Introduced,
        at: 0,
        state: GroupGuestState::Waits,
    };
    GroupInvite {
        id: id.into(),
        chat: CLEO.into(),
        link: String::new(),
        made_at: 0,
        until: 0,
        uses: None,
        used: 0,
        approval: true,
        state: GroupInviteState::Open,
        came: waiting.iter().map(guest).collect(),
    }
}

#[test]
fn who_waits_at_the_door_of_a_group_is_told_of_quietly_until_they_are_answered() {
    let mut evening = Evening::with(NoticeSettings::default(), &[chat(CLEO, "Choir", 0, None)]);
    let key = Key::Door(CLEO.into());
    evening.hears(News::GroupInvite(door("one", &["Eva"])));
    evening.passes(SECOND);
    let notice = evening.shown[&key].clone();
    assert_eq!((notice.title.as_str(), notice.body.as_str()), ("Choir", "Eva waits for your yes"));
    assert_eq!((notice.urgency, evening.sounds), (Urgency::Low, 0), "a stranger makes no noise");
    evening.hears(News::GroupInvite(door("two", &["Finn"])));
    evening.passes(SECOND);
    assert_eq!(evening.shown[&key].body, "2 people wait for your yes");
    evening.hears(News::GroupInvite(door("two", &[])));
    assert_eq!(evening.shown[&key].body, "Eva waits for your yes", "one was answered");
    let deeds = evening.does(&key, Answer::Opened);
    assert!(
        matches!(&deeds[..], [Deed::Go(place)] if place == "#/chats/comm%3A%2F%2Fc%2Elocalhost%2Fcleo"),
        "{deeds:?}"
    );

    let mut evening = Evening::with(NoticeSettings::default(), &[chat(CLEO, "Choir", 0, None)]);
    evening.hears(News::GroupInvite(door("one", &["Eva"])));
    evening.passes(SECOND);
    evening.hears(News::GroupInvite(door("one", &[])));
    assert!(evening.shown.is_empty());
    evening.hears(News::GroupInvite(door("one", &["Eva"])));
    evening.hears(News::GroupInvite(door("one", &[])));
    evening.passes(SECOND);
    assert!(evening.shown.is_empty(), "who is answered at once never flashes");
}

#[test]
fn a_door_tells_as_much_as_the_person_wants_told_and_nothing_of_a_muted_group() {
    let choir = chat(CLEO, "Choir", 0, None);
    let shown = |notices: NoticeSettings, choir: &ChatSummary| {
        let mut evening = Evening::with(notices, std::slice::from_ref(choir));
        evening.hears(News::GroupInvite(door("one", &["Eva"])));
        evening.passes(SECOND);
        evening.shown.into_values().map(|notice| format!("{}: {}", notice.title, notice.body)).collect::<Vec<_>>()
    };
    let nothing = NoticeSettings { detail: NoticeDetail::Nothing, ..NoticeSettings::default() };
    assert_eq!(shown(nothing, &choir), ["Parlance: Somebody waits to come into a group"]);
    let silent = NoticeSettings { requests: RequestNotices::Silent, ..NoticeSettings::default() };
    assert!(shown(silent, &choir).is_empty());
    let muted = ChatSummary { muted_until: Some(MUTED_FOR_EVER), ..choir.clone() };
    assert!(shown(NoticeSettings::default(), &muted).is_empty());

    // Muted afterwards, it goes; so it does with what is no more when news were missed.
    let mut evening = Evening::with(NoticeSettings::default(), std::slice::from_ref(&choir));
    evening.hears(News::GroupInvite(door("one", &["Eva"])));
    evening.passes(SECOND);
    assert_eq!(evening.shown.len(), 1);
    evening.hears(News::Chat(muted));
    assert!(evening.shown.is_empty());
    let mut evening = Evening::with(NoticeSettings::default(), std::slice::from_ref(&choir));
    evening.hears(News::GroupInvite(door("one", &["Eva"])));
    evening.passes(SECOND);
    let (now, settings) = (evening.now, Settings::default());
    let actions = evening.desk.catch_up(now, &settings, std::slice::from_ref(&choir), &[], &[door("one", &["Eva"])]);
    evening.follow(actions);
    assert_eq!(evening.shown.len(), 1, "she still waits");
    let actions = evening.desk.catch_up(now, &settings, &[choir], &[], &[]);
    evening.follow(actions);
    assert!(evening.shown.is_empty());
}
