//! Brings the desktop what the desk of `notices` decides: notices, the badge and the tray.

use std::time::Duration;

use api::Api;
use api::contract::{
    ApiError, CallStage, CallView, ChatSummary, GroupInvite, GroupRole, News, PastCalls, Question, Settings,
};
use notices::{Action, Answer, Badge, Deed, Desk, Key};
use notifier::Desktop;
use serde::de::DeserializeOwned;
use tauri::{AppHandle, Emitter, Manager};
use tokio::sync::{broadcast, mpsc, oneshot};

use crate::aside::Aside;
use crate::tray::{self, Pressed};
use crate::windows;

/// The event that leads the main window to a place of the interface.
const GO: &str = "go";

/// Wishes of windows and tray that may wait.
const WISHES_LIMIT: usize = 64;

/// Far enough that nothing is missed by waking then.
const NEVER: Duration = Duration::from_secs(3_600);

/// How long the app stays at its end to take its notices away.
const FAREWELL: Duration = Duration::from_secs(1);

/// What windows and tray tell.
pub enum Wish {
    /// The person looks at the main window, or away.
    Look(bool),
    /// The person closed the small window of a call.
    Closed,
    /// Something was chosen in the tray's menu.
    Tray(Pressed),
    /// The app ends.
    Leave(oneshot::Sender<()>),
}

/// Where windows and tray tell it.
pub struct Notices {
    wishes: mpsc::Sender<Wish>,
}

impl Notices {
    /// Begins to keep the desktop for a profile that comes out of `opened`.
    pub fn begin(app: &AppHandle) -> (Self, mpsc::Receiver<Wish>) {
        let (wishes, receiver) = mpsc::channel(WISHES_LIMIT);
        tray::open(app);
        (Self { wishes }, receiver)
    }

    /// Tells something; who is that far behind has lost the desktop anyway.
    pub fn tell(&self, wish: Wish) {
        if self.wishes.try_send(wish).is_err() {
            tracing::debug!("the desktop is not kept");
        }
    }

    /// Takes everything away; the app ends.
    pub fn leave(&self) {
        let (done, left) = oneshot::channel();
        self.tell(Wish::Leave(done));
        let waited = tauri::async_runtime::block_on(async { tokio::time::timeout(FAREWELL, left).await });
        if waited.is_err() {
            tracing::debug!("the desktop did not take its notices away in time");
        }
    }
}

/// Keeps the desktop until the app ends.
pub async fn keep(app: AppHandle, api: Api, mut wishes: mpsc::Receiver<Wish>) {
    let mut news = api.hear();
    let (desktop, mut answers) = match Desktop::connect(&app.config().identifier).await {
        Ok((desktop, answers)) => (Some(desktop), answers),
        Err(error) => {
            tracing::info!(%error, "this desktop shows no notices");
            // Nothing comes out of it, and it never ends.
            let (never, none) = mpsc::channel(1);
            std::mem::forget(never);
            (None, none)
        }
    };
    let mut keeper = Keeper { app, api, desktop, desk: Desk::new(&system_language()), aside: Aside::default() };
    keeper.look_around().await;
    loop {
        let wake = keeper.desk.next_wake().map_or(NEVER, |at| Duration::from_millis(since(at)).min(NEVER));
        tokio::select! {
            one = news.recv() => match one {
                Ok(one) => {
                    match &one {
                        News::Call(call) => {
                            keeper.aside.hear(call);
                            keeper.stand_aside();
                        }
                        News::Settings(settings) => keeper.set_aside(settings),
                        _ => {}
                    }
                    let actions = keeper.desk.hear(now(), &one);
                    keeper.follow(actions).await;
                }
                Err(broadcast::error::RecvError::Lagged(_)) => keeper.look_around().await,
                Err(broadcast::error::RecvError::Closed) => return,
            },
            Some((key, answer)) = answers.recv() => keeper.answered(key, answer).await,
            Some(wish) = wishes.recv() => match wish {
                Wish::Look(focused) => {
                    keeper.aside.look(focused);
                    keeper.stand_aside();
                    let actions = keeper.desk.look(focused);
                    keeper.follow(actions).await;
                }
                Wish::Closed => keeper.aside.closed(),
                Wish::Tray(pressed) => keeper.pressed(pressed).await,
                Wish::Leave(done) => {
                    let actions = keeper.desk.look(true);
                    keeper.follow(actions).await;
                    // Whoever waited too long is gone.
                    let _ = done.send(());
                    return;
                }
            },
            () = tokio::time::sleep(wake) => {
                let actions = keeper.desk.tick(now());
                keeper.follow(actions).await;
            }
        }
    }
}

struct Keeper {
    app: AppHandle,
    api: Api,
    desktop: Option<Desktop>,
    desk: Desk,
    aside: Aside,
}

impl Keeper {
    /// Asks where things stand, as at the start and when news were missed.
    async fn look_around(&mut self) {
        if let Ok(state) = self.ask(Question::AppState).await {
            let actions = self.desk.hear(now(), &News::App(state));
            self.follow(actions).await;
        }
        self.aside.forget();
        for call in self.ask::<Vec<CallView>>(Question::CallList).await.unwrap_or_default() {
            self.aside.hear(&call);
        }
        self.stand_aside();
        self.catch_up().await;
    }

    /// Who works elsewhere keeps the call in sight.
    fn stand_aside(&self) {
        if self.aside.wanted() { windows::open_small(&self.app) } else { windows::close_small(&self.app) }
    }

    /// Whether there is a small window at all is the person's to say.
    fn set_aside(&mut self, settings: &Settings) {
        self.aside.set(settings.small_window);
        self.stand_aside();
    }

    async fn catch_up(&mut self) {
        // A locked profile says no; the desk hears when that changes.
        let Ok(settings) = self.ask::<Settings>(Question::SettingsGet).await else { return };
        self.set_aside(&settings);
        let Ok(chats) = self.ask::<Vec<ChatSummary>>(Question::ChatList).await else { return };
        let book = Question::CallBook { missed: true, before: None };
        let Ok(PastCalls { calls, .. }) = self.ask(book).await else { return };
        let invites = self.invites(&chats).await;
        let actions = self.desk.catch_up(now(), &settings, &chats, &calls, &invites);
        // A catch-up never asks for another one.
        Box::pin(self.follow(actions)).await;
    }

    /// The links into groups that this device made.
    async fn invites(&self, chats: &[ChatSummary]) -> Vec<GroupInvite> {
        let mut all = Vec::new();
        for chat in chats {
            if chat.group.as_ref().is_some_and(|group| group.role >= GroupRole::Admin) {
                let links = Question::GroupInviteList { chat: chat.chat.clone() };
                all.extend(self.ask::<Vec<GroupInvite>>(links).await.unwrap_or_default());
            }
        }
        all
    }

    async fn ask<T: DeserializeOwned>(&self, question: Question) -> Result<T, ApiError> {
        let answer = self.api.ask(question).await?;
        serde_json::from_value(answer).map_err(|error| ApiError { code: "malformed".into(), detail: error.to_string() })
    }

    async fn follow(&mut self, actions: Vec<Action>) {
        for action in actions {
            match (action, &self.desktop) {
                (Action::Show(notice), Some(desktop)) => {
                    if let Err(error) = desktop.show(&notice).await {
                        tracing::info!(%error, "a notice was not shown");
                    }
                }
                (Action::Withdraw(key), Some(desktop)) => withdraw(desktop, &key).await,
                (Action::Show(_) | Action::Withdraw(_), None) => {}
                (Action::Badge(badge), _) => self.show_badge(badge),
                (Action::CatchUp, _) => self.catch_up().await,
            }
        }
    }

    fn show_badge(&self, badge: Badge) {
        tray::show(&self.app, self.desk.words(), badge);
        let count = i64::from(badge.unread.saturating_add(badge.missed));
        if let Some(window) = self.app.get_webview_window("main")
            && let Err(error) = window.set_badge_count((count > 0).then_some(count))
        {
            tracing::debug!(%error, "this desktop shows no badge");
        }
    }

    async fn answered(&mut self, key: Key, answer: Answer) {
        let closed = answer == Answer::Closed;
        let deeds = self.desk.answer(&key, answer);
        if let Some(desktop) = self.desktop.as_ref().filter(|_| !closed) {
            // Most desktops take a notice away that was pressed; all are to.
            withdraw(desktop, &key).await;
        }
        for deed in deeds {
            match deed {
                Deed::Ask(question) => {
                    if let Err(error) = self.api.ask(question).await {
                        tracing::info!(code = error.code, "what a notice was answered with came to nothing");
                        // Where things stand is said by the window.
                        go(&self.app, "#/chats");
                    }
                }
                Deed::Go(place) => go(&self.app, &place),
            }
        }
    }

    async fn pressed(&mut self, pressed: Pressed) {
        match pressed {
            Pressed::Open => return windows::show_main(&self.app),
            Pressed::Quit => return self.app.exit(0),
            Pressed::Mute | Pressed::HangUp => {}
        }
        let calls: Vec<CallView> = self.ask(Question::CallList).await.unwrap_or_default();
        for call in calls.into_iter().filter(is_going) {
            let question = match pressed {
                Pressed::HangUp => Question::CallHangup { call: call.call },
                _ => Question::CallMute { call: call.call, muted: !call.muted },
            };
            if let Err(error) = self.api.ask(question).await {
                tracing::info!(code = error.code, "the call did not hear the tray");
            }
        }
    }
}

/// Shows the main window at a place of the interface.
pub fn go(app: &AppHandle, place: &str) {
    windows::show_main(app);
    if let Err(error) = app.emit_to("main", GO, place) {
        tracing::warn!(%error, "the window was not led anywhere");
    }
}

async fn withdraw(desktop: &Desktop, key: &Key) {
    if let Err(error) = desktop.withdraw(key).await {
        tracing::debug!(%error, "a notice was gone already");
    }
}

/// Whether one is in a call, or makes it.
fn is_going(call: &CallView) -> bool {
    let rings_here = call.incoming && call.stage == CallStage::Ringing;
    !rings_here && !matches!(call.stage, CallStage::Ended { .. })
}

/// Unix milliseconds.
fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
    i64::try_from(since.as_millis()).unwrap_or(i64::MAX)
}

fn since(at: i64) -> u64 {
    u64::try_from(at.saturating_sub(now())).unwrap_or(0)
}

/// The language of the session (POSIX, "Environment Variables", 8.2); empty where systems say it otherwise.
fn system_language() -> String {
    let set = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    set("LC_ALL").or_else(|| set("LC_MESSAGES")).or_else(|| set("LANG")).unwrap_or_default()
}
