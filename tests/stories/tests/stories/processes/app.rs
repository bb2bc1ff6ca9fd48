//! A person whose app is a process of its own, with a profile that a passphrase protects.

use std::path::PathBuf;
use std::time::Duration;

use contract::{
    AppState, ChatMessage, ChatSummary, ChatView, Consent, ConsentChoice, ContactState, ModuleView, Protect, Question,
    SignInState, Stage,
};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::Command;

use super::Process;
use super::node::NodeProcess;
use super::shell::Shell;

/// Longest a person waits for anything; generous, because test machines are slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// What opens the database after each start.
pub const PASSPHRASE: &str = "a phrase of six plain words";

/// Somebody with the app.
pub struct AppProcess {
    pub name: &'static str,
    localhost: String,
    folder: TempDir,
    running: Option<(Process, Shell)>,
}

impl AppProcess {
    /// Starts the app for the first time, protects it, signs in and takes an account at `home`.
    pub async fn sign_up(name: &'static str, home: &NodeProcess, nodes: &[&NodeProcess]) -> Self {
        let ports: Vec<String> = nodes.iter().map(|node| format!("{}={}", node.domain, node.port)).collect();
        let mut app = Self { name, localhost: ports.join(","), folder: TempDir::new().unwrap(), running: None };
        let shell = app.open().await;
        let passphrase = PASSPHRASE.to_owned();
        shell.ask::<AppState>(Question::Protect(Protect::Passphrase { passphrase })).await;
        let mut sign_in = shell.sign_in.clone();
        let (domain, issuer) = (home.domain.to_owned(), home.origin.clone());
        shell.ask::<Value>(Question::SignInStart { domain: domain.clone(), issuer }).await;
        let is_waiting = |state: &Option<SignInState>| matches!(state, Some(SignInState::Waiting { .. }));
        let page = app.patiently("the sign-in page", sign_in.wait_for(is_waiting)).await.unwrap().clone();
        let Some(SignInState::Waiting { url }) = page else { panic!("{name} was shown no page") };
        lab::browser::sign_in(url::Url::parse(&url).unwrap(), name.to_owned()).await;
        let is_done = |state: &Option<SignInState>| matches!(state, Some(SignInState::Done { .. }));
        app.patiently("the issuer's word", sign_in.wait_for(is_done)).await.unwrap();
        shell.ask::<Value>(Question::ProfileCreate { name: name.to_owned(), user: format!("{name}@{domain}") }).await;
        app.can_write().await;
        app
    }

    /// Starts the app again on the same profile and unlocks it.
    pub async fn unlock(&mut self) {
        let shell = self.open().await;
        assert_eq!(shell.ask::<AppState>(Question::AppState).await.stage, Stage::Locked, "{}", self.said());
        let state: AppState = shell.ask(Question::Unlock { passphrase: PASSPHRASE.into() }).await;
        assert_eq!(state.stage, Stage::Ready, "{} cannot open the database: {}", self.name, self.said());
    }

    /// The same, and waits until the chat runs.
    pub async fn resume(&mut self) {
        self.unlock().await;
        self.can_write().await;
    }

    /// Starts the app again, unlocks it, and kills it after that time, wherever it is then.
    pub async fn resume_in_vain(&mut self, life: Duration) {
        let mut process = self.start();
        let begun = async {
            let shell = Shell::connect(&process.line().await).await;
            let _ = shell.try_ask::<AppState>(Question::Unlock { passphrase: PASSPHRASE.into() }).await;
            std::future::pending::<()>().await;
        };
        let _ = tokio::time::timeout(life, begun).await;
        process.kill().await;
    }

    /// Kills the app.
    pub async fn kill(&mut self) {
        let (process, _) = self.running.take().expect("the app runs");
        process.kill().await;
    }

    /// The connection to the running app.
    pub fn shell(&self) -> Shell {
        self.running.as_ref().expect("the app runs").1.clone()
    }

    fn start(&self) -> Process {
        let mut command = Command::new(env!("CARGO_BIN_EXE_story-app"));
        command
            .args(["--profile", self.name, "serve"])
            .env("PARLANCE_HOME", self.folder.path())
            .env("PARLANCE_LOCALHOST", &self.localhost)
            .env("PARLANCE_KEYRING", "off")
            .env("PARLANCE_MICROPHONE", "none")
            .env("PARLANCE_SPEAKER", "none")
            // The story itself is the person before the browser.
            .env("PARLANCE_BROWSER", "true");
        Process::start(command, &self.complaints())
    }

    async fn open(&mut self) -> Shell {
        let mut process = self.start();
        let line = self.patiently("the app", process.line()).await;
        assert!(line.starts_with("http://"), "{}'s app starts: {}", self.name, self.said());
        let shell = Shell::connect(&line).await;
        self.running = Some((process, shell.clone()));
        shell
    }

    /// Waits until the own domain is reached.
    pub async fn is_online(&self) {
        let shell = self.shell();
        let look = async || shell.ask::<AppState>(Question::AppState).await.online.then_some(());
        self.patiently("the own domain", shell.until(look)).await;
    }

    async fn can_write(&self) {
        let shell = self.shell();
        let look = async || {
            let modules: Vec<ModuleView> = shell.ask(Question::ModuleList).await;
            modules.iter().any(|module| module.name == "chat" && module.state == "running").then_some(())
        };
        self.patiently("the chat", shell.until(look)).await;
    }

    /// Finds somebody and asks them for contact, allowing their domain's stub.
    pub async fn asks_for_contact(&self, user: &str) -> String {
        let shell = self.shell();
        let find = shell.try_ask::<Value>(Question::PersonFind { address: user.to_owned() });
        let (found, ()) = tokio::join!(find, self.allows());
        found.unwrap().unwrap();
        shell.ask::<ChatSummary>(Question::PersonRequest { user: user.to_owned() }).await.chat
    }

    /// Waits for a contact request and accepts it, allowing the asker's domain's stub.
    pub async fn accepts(&self, user: &str) -> String {
        let chat = self.sees_contact(user, ContactState::Request).await;
        let shell = self.shell();
        let accept = shell.try_ask::<Value>(Question::PersonAccept { user: user.to_owned() });
        let (accepted, ()) = tokio::join!(accept, self.allows());
        accepted.unwrap().unwrap();
        chat
    }

    async fn allows(&self) {
        let shell = self.shell();
        let look = async || shell.ask::<Vec<Consent>>(Question::ConsentList).await.pop();
        let consent = self.patiently("a question about a package", shell.until(look)).await;
        shell.ask::<Value>(Question::ConsentAnswer { id: consent.id, answer: ConsentChoice::Always }).await;
    }

    /// Waits until the contact stands so; gives the conversation.
    pub async fn sees_contact(&self, user: &str, state: ContactState) -> String {
        let shell = self.shell();
        let look = async || {
            let chats: Vec<ChatSummary> = shell.ask(Question::ChatList).await;
            chats.into_iter().find(|chat| chat.user == user && chat.contact == state).map(|chat| chat.chat)
        };
        self.patiently(&format!("{user} to be {state:?}"), shell.until(look)).await
    }

    /// The whole conversation, oldest first.
    pub async fn history(&self, chat: &str) -> Vec<ChatMessage> {
        let shell = self.shell();
        let view: ChatView = shell.ask(Question::ChatOpen { chat: chat.to_owned() }).await;
        let mut pages = vec![view.messages];
        while let Some(first) = pages.last().and_then(|page| page.first()) {
            let question = Question::ChatOlder { chat: chat.to_owned(), before: first.ordinal };
            pages.push(shell.ask(question).await);
        }
        pages.into_iter().rev().flatten().collect()
    }

    /// Waits for something, but not for ever.
    pub async fn patiently<T>(&self, what: &str, wait: impl Future<Output = T>) -> T {
        let found = tokio::time::timeout(PATIENCE, wait).await;
        found.unwrap_or_else(|_| panic!("{} waited in vain for {what}; the app said: {}", self.name, self.said()))
    }

    /// The folder of the profile.
    pub fn profile(&self) -> PathBuf {
        self.folder.path().join("profiles").join(self.name)
    }

    /// What the app wrote to standard error in all its lives.
    pub fn said(&self) -> String {
        std::fs::read_to_string(self.complaints()).unwrap_or_default()
    }

    fn complaints(&self) -> PathBuf {
        self.folder.path().join("errors.log")
    }
}
