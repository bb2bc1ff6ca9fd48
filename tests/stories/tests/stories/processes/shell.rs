//! A shell at the browser edition's socket: asks, is answered, and notices that something changed.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};

use contract::{ApiError, News, Question, SignInState};
use futures_util::{SinkExt, StreamExt};
use serde::de::DeserializeOwned;
use serde_json::{Value, json};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_tungstenite::tungstenite::Message;

type Answer = Result<Value, ApiError>;

/// The app ended before it answered.
#[derive(Debug)]
pub struct Gone;

/// Those who wait for an answer; nobody any more once the app is gone.
type Waiting = Arc<Mutex<Option<HashMap<u64, oneshot::Sender<Answer>>>>>;

/// A connection to a running app; cheap to clone.
#[derive(Clone)]
pub struct Shell {
    out: mpsc::UnboundedSender<Message>,
    waiting: Waiting,
    /// How much news there was.
    news: watch::Receiver<u64>,
    /// How the sign-in stands.
    pub sign_in: watch::Receiver<Option<SignInState>>,
}

impl Shell {
    /// Connects to the address a browser would open: `http://HOST/#token=…`.
    pub async fn connect(address: &str) -> Self {
        let socket = address.replace("http:", "ws:").replace("/#token=", "/shell?token=");
        let (stream, _) = tokio_tungstenite::connect_async(socket).await.unwrap();
        let (mut to_app, mut from_app) = stream.split();
        let (out, mut queue) = mpsc::unbounded_channel::<Message>();
        let (count, news) = watch::channel(0);
        let (signing, sign_in) = watch::channel(None);
        let waiting: Waiting = Arc::new(Mutex::new(Some(HashMap::new())));
        tokio::spawn(async move {
            while let Some(message) = queue.recv().await {
                // When the app is gone, whoever waits hears it from the other half.
                let _ = to_app.send(message).await;
            }
        });
        let answered = waiting.clone();
        tokio::spawn(async move {
            while let Some(Ok(message)) = from_app.next().await {
                let Message::Text(text) = message else { continue };
                let value: Value = serde_json::from_str(&text).unwrap();
                let Some(id) = value.get("id").and_then(Value::as_u64) else {
                    if let News::SignIn(state) = serde_json::from_value(value).unwrap() {
                        signing.send_replace(Some(state));
                    }
                    count.send_modify(|count| *count += 1);
                    continue;
                };
                let waits = answered.lock().unwrap().as_mut().unwrap().remove(&id);
                let answer = match value.get("error") {
                    Some(error) => Err(serde_json::from_value(error.clone()).unwrap()),
                    None => Ok(value["answer"].clone()),
                };
                let _ = waits.unwrap().send(answer);
            }
            answered.lock().unwrap().take();
        });
        Self { out, waiting, news, sign_in }
    }

    /// Asks the app; it may be killed before it answers.
    pub async fn try_ask<T: DeserializeOwned>(&self, question: Question) -> Result<Result<T, ApiError>, Gone> {
        static LAST: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let id = LAST.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let (sender, receiver) = oneshot::channel();
        self.waiting.lock().unwrap().as_mut().ok_or(Gone)?.insert(id, sender);
        let text = json!({ "id": id, "question": question }).to_string();
        self.out.send(Message::text(text)).map_err(|_| Gone)?;
        let answer = receiver.await.map_err(|_| Gone)?;
        Ok(answer.map(|value| serde_json::from_value(value).unwrap()))
    }

    /// Asks the app, which is there and has an answer.
    pub async fn ask<T: DeserializeOwned>(&self, question: Question) -> T {
        self.try_ask(question).await.unwrap().unwrap()
    }

    /// Looks now, and again whenever the app has news, until there is what is looked for.
    pub async fn until<T>(&self, look: impl AsyncFn() -> Option<T>) -> T {
        let mut news = self.news.clone();
        loop {
            news.mark_unchanged();
            if let Some(found) = look().await {
                return found;
            }
            news.changed().await.expect("the app runs");
        }
    }
}
