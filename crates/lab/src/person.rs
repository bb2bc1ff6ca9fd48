//! A person with a profile on disk and a runtime, who does what people do in the app.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use api::Api;
use contract::{
    ApiError, CallStage, CallView, ChatMessage, ChatSummary, Consent, Content, DeliveryState, LinkState, News,
    PictureWish, Question,
};
use media::{AudioConfig, CameraChoice, H264, Microphone, NetworkConfig, ScreenChoice, Speaker};
use runtime::{Browser, IssuerLanguage, ListedIssuer, NetConfig, OrganisationSource, RuntimeConfig};
use serde_json::Value;
use tempfile::TempDir;
use tokio::sync::broadcast;

use crate::{Domain, Issuer, browser};

/// Longest a person of a story waits for anything; generous, because test machines are slow.
const PATIENCE: Duration = Duration::from_secs(60);

/// How a person's runtime is set up.
#[derive(Clone)]
pub struct Setup {
    /// Ports of the domains.
    pub ports: BTreeMap<message::Domain, u16>,
    /// Issuers everybody knows.
    pub issuers: Vec<String>,
    /// Issuers with something special about how they are reached.
    pub special: Vec<ListedIssuer>,
    /// Whoever has a say on their device.
    pub organisation: Option<OrganisationSource>,
    /// Where their voice comes from.
    pub microphone: Microphone,
    /// Where the others' voices go.
    pub speaker: Speaker,
    /// Where their picture comes from, once they switch the camera on.
    pub camera: CameraChoice,
    /// How H.264 stands beside VP8.
    pub h264: H264,
    /// Which screens they can show.
    pub screen: ScreenChoice,
    /// Where their calls may go.
    pub network: NetworkConfig,
}

impl Setup {
    /// Knows these domains, speaks silence and hears nothing.
    pub fn with(domains: &[&Domain]) -> Self {
        Self {
            ports: domains.iter().map(|domain| (domain.name.clone(), domain.port)).collect(),
            issuers: Vec::new(),
            special: Vec::new(),
            organisation: None,
            microphone: Microphone::Silence,
            speaker: Speaker::Null,
            camera: CameraChoice::Counter { width: 640, height: 360 },
            h264: H264::default(),
            screen: ScreenChoice::Counter { width: 1_280, height: 720 },
            network: NetworkConfig::loopback_only(),
        }
    }

    /// The same, knowing an issuer whose language the package `domain/package` speaks.
    pub fn reaching(mut self, issuer: &str, domain: &Domain, package: &str) -> Self {
        self.special.push(ListedIssuer {
            issuer: issuer.to_owned(),
            name: "Pass office".into(),
            client_id: "parlance".into(),
            client_secret: None,
            redirect_ports: Vec::new(),
            language: IssuerLanguage::Proxy { domain: domain.name.clone(), package: package.to_owned() },
        });
        self
    }

    /// The same, knowing an issuer that leads back only to the ports it lists.
    pub fn knowing_with_ports(mut self, issuer: &Issuer) -> Self {
        self.special.push(ListedIssuer {
            issuer: issuer.url.clone(),
            name: "Another independent issuer".into(),
            client_id: "parlance".into(),
            client_secret: None,
            redirect_ports: issuer.ports.clone(),
            language: IssuerLanguage::OpenId,
        });
        self
    }

    /// The same, knowing this issuer.
    pub fn knowing(mut self, issuer: &str) -> Self {
        self.issuers.push(issuer.to_owned());
        self
    }
}

/// Somebody with the app.
pub struct Person {
    name: String,
    setup: Setup,
    folder: TempDir,
    pages: Arc<AtomicUsize>,
    api: Option<Api>,
    news: Option<broadcast::Receiver<News>>,
}

impl Person {
    /// Opens the app for the first time, choosing no protection for the keys.
    pub async fn new(name: &str, setup: Setup) -> Self {
        let (folder, pages) = (TempDir::new().unwrap(), Arc::default());
        let mut person = Self { name: name.to_owned(), setup, folder, pages, api: None, news: None };
        person.open().await;
        person.ask::<Value>(Question::Protect(contract::Protect::Unprotected)).await.unwrap();
        person
    }

    /// Opens the app again.
    pub async fn open(&mut self) {
        let name = self.name.clone();
        let hand = tokio::runtime::Handle::current();
        let pages = self.pages.clone();
        let config = RuntimeConfig {
            profile_dir: self.folder.path().to_owned(),
            net: NetConfig { localhost: self.setup.ports.clone() },
            suggested_domain: None,
            issuers: self
                .setup
                .issuers
                .iter()
                .map(|issuer| ListedIssuer {
                    issuer: issuer.clone(),
                    name: "Independent issuer".into(),
                    client_id: "parlance".into(),
                    client_secret: None,
                    redirect_ports: Vec::new(),
                    language: IssuerLanguage::OpenId,
                })
                .chain(self.setup.special.clone())
                .collect(),
            audio: AudioConfig {
                microphone: self.setup.microphone.clone(),
                speaker: self.setup.speaker.clone(),
                ring: None,
                processing: Default::default(),
                camera: self.setup.camera.clone(),
                h264: self.setup.h264,
                openh264: Vec::new(),
                screen: self.setup.screen.clone(),
                record: None,
                network: self.setup.network.clone(),
            },
            organisation: self.setup.organisation.clone(),
            use_keyring: false,
            device_name: format!("{name}'s computer"),
            browser: Some(Browser::new(move |url| {
                pages.fetch_add(1, Ordering::SeqCst);
                hand.spawn(browser::sign_in(url.clone(), name.clone()));
            })),
        };
        let api = Api::with_config(config).await.unwrap();
        self.news = Some(api.hear());
        self.api = Some(api);
    }

    /// Closes the app.
    pub async fn close(&mut self) {
        self.news = None;
        if let Some(api) = self.api.take() {
            api.close().await;
        }
    }

    /// How many sign-in pages the app has opened.
    pub fn pages_opened(&self) -> usize {
        self.pages.load(Ordering::SeqCst)
    }

    /// The folder of the profile.
    pub fn folder(&self) -> &std::path::Path {
        self.folder.path()
    }

    /// The app itself, for what is asked and heard at the same time.
    pub fn app(&self) -> Api {
        self.api.clone().expect("the app is open")
    }

    /// Asks the app for the newest picture of a call.
    pub async fn picture(&self, wish: PictureWish) -> Result<Vec<u8>, ApiError> {
        self.api.as_ref().expect("the app is open").picture(wish).await
    }

    /// Asks the app; fails as it does.
    pub async fn ask<T: serde::de::DeserializeOwned>(&self, question: Question) -> Result<T, ApiError> {
        let answer = self.api.as_ref().expect("the app is open").ask(question).await?;
        Ok(serde_json::from_value(answer).unwrap())
    }

    /// Waits for the first piece of news that this picks.
    pub async fn hears<T>(&mut self, what: &str, mut pick: impl FnMut(News) -> Option<T>) -> T {
        let news = self.news.as_mut().expect("the app is open");
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                match news.recv().await {
                    Ok(one) => {
                        if let Some(found) = pick(one) {
                            return found;
                        }
                    }
                    Err(broadcast::error::RecvError::Lagged(_)) => {}
                    Err(broadcast::error::RecvError::Closed) => panic!("the app closed"),
                }
            }
        });
        found.await.unwrap_or_else(|_| panic!("{} waited in vain for {what}", self.name))
    }

    /// Signs in and takes an account: `name@domain`.
    pub async fn signs_up(&mut self, domain: &Domain, issuer: Option<&str>) {
        let domain_name = domain.name.to_string();
        let issuer = issuer.map_or_else(|| domain.node().origin().to_owned(), str::to_owned);
        self.ask::<Value>(Question::SignInStart { domain: domain_name.clone(), issuer }).await.unwrap();
        self.hears("the end of the sign-in", |news| match news {
            News::SignIn(contract::SignInState::Done { .. }) => Some(()),
            News::SignIn(contract::SignInState::Failed { trouble }) => panic!("sign-in failed: {trouble:?}"),
            _ => None,
        })
        .await;
        let user = format!("{}@{domain_name}", self.name);
        self.ask::<Value>(Question::ProfileCreate { name: capital(&self.name), user }).await.unwrap();
        self.waits_until_online().await;
    }

    /// Waits until the own domain is reached.
    pub async fn waits_until_online(&mut self) {
        self.until("the own domain", async |person| {
            let state: contract::AppState = person.ask(Question::AppState).await.unwrap();
            let modules: Vec<contract::ModuleView> = person.ask(Question::ModuleList).await.unwrap();
            let running = modules.iter().filter(|module| module.kind == "hyperty" && module.state == "running").count();
            (state.online && running == 2).then_some(())
        })
        .await;
    }

    /// Becomes another device of somebody: uses their code, is let in, and waits until everything is here.
    ///
    /// Gives the digits that both screens showed.
    pub async fn becomes_a_device_of(&mut self, other: &mut Self, full: bool) -> String {
        self.becomes_a_named_device_of(other, full, None).await
    }

    /// The same, under a name that the person chooses.
    pub async fn becomes_a_named_device_of(&mut self, other: &mut Self, full: bool, name: Option<&str>) -> String {
        let offered: contract::LinkCode = other.ask(Question::DeviceOffer).await.unwrap();
        let name = name.map(str::to_owned);
        self.ask::<Value>(Question::LinkJoin { code: offered.code, name }).await.unwrap();
        let asked = other
            .hears("a device that asks", |news| match news {
                News::Link(LinkState::Asked { check, .. }) => Some(check),
                _ => None,
            })
            .await;
        let waits = self
            .hears("the digits to compare", |news| match news {
                News::Link(LinkState::Waiting { check }) => Some(check),
                News::Link(LinkState::Failed { trouble }) => panic!("linking failed: {trouble:?}"),
                _ => None,
            })
            .await;
        assert_eq!(asked, waits, "both screens show the same digits");
        other.ask::<Value>(Question::DeviceAdmit { full }).await.unwrap();
        self.hears("the end of the linking", |news| match news {
            News::Link(LinkState::Done) => Some(()),
            News::Link(LinkState::Failed { trouble }) => panic!("linking failed: {trouble:?}"),
            _ => None,
        })
        .await;
        self.waits_until_online().await;
        asked
    }

    /// Asks again and again until there is an answer.
    pub async fn until<T>(&self, what: &str, look: impl AsyncFn(&Person) -> Option<T>) -> T {
        let found = tokio::time::timeout(PATIENCE, async {
            loop {
                if let Some(found) = look(self).await {
                    return found;
                }
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        found.await.unwrap_or_else(|_| panic!("{} waited in vain for {what}", self.name))
    }

    /// Answers the next question about a package.
    pub async fn allows(&mut self, choice: contract::ConsentChoice) -> Consent {
        let consent = self
            .until("a question about a package", async |person| {
                let open: Vec<Consent> = person.ask(Question::ConsentList).await.unwrap();
                open.into_iter().next()
            })
            .await;
        self.ask::<Value>(Question::ConsentAnswer { id: consent.id.clone(), answer: choice }).await.unwrap();
        consent
    }

    /// Finds somebody by address, allowing their domain's stub, and asks them for contact.
    pub async fn asks_for_contact(&mut self, user: &str) -> String {
        self.asks_by(user, user).await
    }

    /// The same with what they gave out: their address, or a contact link.
    pub async fn asks_by(&mut self, text: &str, user: &str) -> String {
        let api = self.api.clone().expect("the app is open");
        let question = Question::PersonFind { address: text.to_owned() };
        let finding = tokio::spawn(async move { api.ask(question).await });
        self.allows(contract::ConsentChoice::Always).await;
        finding.await.unwrap().unwrap();
        let chat: ChatSummary = self.ask(Question::PersonRequest { user: user.to_owned() }).await.unwrap();
        chat.chat
    }

    /// Waits for a contact request of this person and accepts it, allowing their domain's stub.
    pub async fn accepts(&mut self, user: &str) -> String {
        let chat = self.sees_contact(user, contract::ContactState::Request).await;
        let api = self.api.clone().expect("the app is open");
        let question = Question::PersonAccept { user: user.to_owned() };
        let accepting = tokio::spawn(async move { api.ask(question).await });
        self.allows(contract::ConsentChoice::Always).await;
        accepting.await.unwrap().unwrap();
        chat
    }

    /// Waits until the contact stands so; gives the conversation.
    pub async fn sees_contact(&self, user: &str, state: contract::ContactState) -> String {
        self.until(&format!("{user} to be {state:?}"), async |person| {
            let chats: Vec<ChatSummary> = person.ask(Question::ChatList).await.unwrap();
            chats.into_iter().find(|chat| chat.user == user && chat.contact == state).map(|chat| chat.chat)
        })
        .await
    }

    /// Writes.
    pub async fn writes(&self, chat: &str, text: &str) -> ChatMessage {
        self.ask(Question::ChatSend { chat: chat.to_owned(), text: text.to_owned(), preview: None }).await.unwrap()
    }

    /// The texts of a conversation, oldest first.
    pub async fn texts(&self, chat: &str) -> Vec<String> {
        let view: contract::ChatView = self.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap();
        let text = |message: ChatMessage| match message.content {
            Content::Text { text } => Some(text),
            _ => None,
        };
        view.messages.into_iter().filter_map(text).collect()
    }

    /// Waits until a conversation holds these texts and no others.
    pub async fn reads(&self, chat: &str, texts: &[&str]) {
        self.until(&format!("{texts:?}"), async |person| (person.texts(chat).await == texts).then_some(())).await;
    }

    /// The codes of the lines about what happened in all conversations, oldest first in each.
    pub async fn lines(&self) -> Vec<String> {
        let chats: Vec<ChatSummary> = self.ask(Question::ChatList).await.unwrap();
        let mut lines = Vec::new();
        for chat in chats {
            let view: contract::ChatView = self.ask(Question::ChatOpen { chat: chat.chat }).await.unwrap();
            lines.extend(view.messages.into_iter().filter_map(|message| match message.content {
                Content::System { code, .. } => Some(code),
                _ => None,
            }));
        }
        lines
    }

    /// Waits until a line with this code stands in some conversation.
    pub async fn sees_line(&self, code: &str) {
        self.until(code, async |person| person.lines().await.iter().any(|line| line == code).then_some(())).await;
    }

    /// What the app knows of somebody.
    pub async fn card(&self, user: &str) -> contract::PersonCard {
        self.ask(Question::PersonCard { user: user.to_owned() }).await.unwrap()
    }

    /// Says that the codes were compared.
    pub async fn compared(&self, user: &str, same: bool) -> contract::PersonCard {
        self.ask(Question::VerifyCompared { user: user.to_owned(), same }).await.unwrap()
    }

    /// Waits until all own messages of a conversation are delivered.
    pub async fn sees_all_delivered(&self, chat: &str) {
        self.until("all to be delivered", async |person| {
            let view: contract::ChatView = person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap();
            let mine = view.messages.iter().filter(|message| message.mine);
            mine.into_iter()
                .all(|message| matches!(message.state, DeliveryState::Delivered | DeliveryState::Read))
                .then_some(())
        })
        .await;
    }

    /// Waits until a conversation's group has so many devices beside this one.
    pub async fn sees_members(&self, chat: &str, others: usize) {
        self.until(&format!("{others} other devices in the conversation"), async |person| {
            let view: contract::ChatView = person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.ok()?;
            (view.devices.len() == others).then_some(())
        })
        .await;
    }

    /// Waits until a call is at this stage.
    pub async fn sees_call(&self, stage: &CallStage) -> CallView {
        self.until(&format!("a call at {stage:?}"), async |person| {
            let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
            calls.into_iter().find(|call| call.stage == *stage)
        })
        .await
    }

    /// Waits until a call ends; gives why.
    pub async fn hears_end_of_call(&mut self) -> String {
        self.hears("the end of the call", |news| match news {
            News::Call(CallView { stage: CallStage::Ended { reason, .. }, .. }) => Some(reason),
            _ => None,
        })
        .await
    }

    /// Waits until no call is left.
    pub async fn is_in_no_call(&self) {
        self.until("the end of the call", async |person| {
            let calls: Vec<CallView> = person.ask(Question::CallList).await.unwrap();
            calls.is_empty().then_some(())
        })
        .await;
    }
}

fn capital(name: &str) -> String {
    let mut letters = name.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}
