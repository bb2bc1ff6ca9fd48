//! Attacks on the direct way of files: somebody asks a device for what was not sent to them.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use contract::{ChatMessage, ChatView, Content, FileTicket, Question, Upload};
use media::{AudioConfig, DirectError, Frame, MediaEngine, NetworkConfig, Pieces, Refusal};
use message::MessageType;
use serde_json::{Value, json};

use crate::mallory::{Mallory, Object};
use crate::stage::{Street, befriends, is_refused};

const SOON: Duration = Duration::from_secs(20);

/// Ben sends a file; gives its message, and the name of its blob.
async fn sends(street: &Street, chat: &str, bytes: &[u8]) -> (String, String) {
    let ben = &street.ben;
    let (name, size) = ("will.pdf".to_owned(), bytes.len() as u64);
    let begin = Question::FileBegin { chat: chat.to_owned(), name, media: String::new(), size };
    let FileTicket { file, .. } = ben.ask(begin).await.unwrap();
    let part = Question::FilePart { file: file.clone(), data: STANDARD.encode(bytes) };
    ben.ask::<Value>(part).await.unwrap();
    let upload: Upload = ben.ask(Question::FileSend { file, text: String::new(), reply: None }).await.unwrap();
    let is_file = |message: &ChatMessage| matches!(message.content, Content::File { .. });
    let message = ben
        .until("the message with the file", async |ben| {
            let view: ChatView = ben.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap();
            view.messages.into_iter().find(is_file)
        })
        .await;
    (message.id, upload.file)
}

/// Offers to fetch a file.
async fn offers(who: &mut Mallory, object: &Object, message: &str, file: &str, description: &str) {
    let offer = json!({
        "say": "offer", "attempt": "now", "message": message, "file": file, "description": description,
    });
    assert!(who.says(object, MessageType::Event, "/direct", offer).await.is_success());
}

/// The next word about a direct connection.
async fn hears(who: &mut Mallory) -> Value {
    loop {
        let message = who.session.next().await;
        if message.kind != MessageType::Event {
            continue;
        }
        let body: Value = message.body.parse().unwrap();
        let sealed = keys::from_b64url(body["sealed"].as_str().unwrap()).unwrap();
        let opened = seal::open(&who.vault, &who.device, &sealed, &mut |_| Ok(())).unwrap();
        let seal::What::Application(text) = opened.what else { continue };
        let inner: Value = serde_json::from_slice(&text).unwrap();
        if inner["to"].as_str().unwrap().ends_with("/direct") {
            return inner["body"].clone();
        }
    }
}

/// Attack: P-23
/// By: a contact, who knows the message of a file in another conversation and the name under which it is kept
/// Does: asks Ben's device for the file; somebody to whom it was sent asks with a wrong name, and goes on when it is taken back
/// Holds: refused, and no connection is opened; a piece goes to whom it was sent alone, and only while the message stands
#[tokio::test(flavor = "multi_thread")]
async fn a_file_is_given_directly_to_whom_it_was_sent_alone() {
    let mut street = Street::new().await;
    let hers = street.contact().await;
    let mut carol = Mallory::join(&street.a, "carol").await;
    let object = befriends(&street.ben, &mut carol).await;
    let plain = vec![7; 1_000];
    let (message, file) = sends(&street, &object.url, &plain).await;
    let network = NetworkConfig::loopback_only();
    let engine = MediaEngine::new(AudioConfig { network, ..AudioConfig::default() });

    let (_unanswered, description) = engine.offer_direct().await.unwrap();
    offers(&mut street.mallory, &hers, &message, &file, &description).await;
    is_refused("not-theirs").await;
    assert_eq!(hears(&mut street.mallory).await["say"], "refused");
    offers(&mut carol, &object, &message, &keys::b64url(&[0; 32]), &description).await;
    assert_eq!(hears(&mut carol).await["say"], "refused", "who does not know its name has not read the message");

    let (offer, description) = engine.offer_direct().await.unwrap();
    offers(&mut carol, &object, &message, &file, &description).await;
    let answer = hears(&mut carol).await;
    assert_eq!(answer["say"], "answer");
    let mut channel = offer.settle(answer["description"].as_str().unwrap()).await.unwrap();
    let mut pieces = Pieces::default();
    let length = plain.len() + 16;
    channel.say(&pieces.ask(0, length).unwrap()).await.unwrap();
    let (piece, sealed) = pieces.take(channel.hear(SOON).await.unwrap()).unwrap().unwrap();
    assert_eq!((piece, sealed.len()), (0, length));

    street.ben.ask::<ChatMessage>(Question::ChatDelete { message }).await.unwrap();
    channel.say(&pieces.ask(0, length).unwrap()).await.unwrap();
    let refused: Result<_, DirectError> = pieces.take(channel.hear(SOON).await.unwrap());
    assert_eq!(refused, Err(DirectError::Refused(Refusal::NotForYou)));
    // One who asks for what there never was learns no more.
    channel.say(&Frame::Ask { piece: u32::MAX }).await.unwrap();
    assert!(channel.hear(SOON).await.is_err());
    street.close().await;
}
