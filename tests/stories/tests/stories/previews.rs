//! Cards of links: who sends a link makes its card, and who receives it asks nobody.

use contract::{ChatMessage, ChatView, Content, LinkPreview, LinkPreviews, Question, Settings};
use lab::Person;
use lab::pages::{Answer, Pages};
use serde_json::Value;

use crate::common::Stage;

const PAGE: &str = "<title>Plain</title><meta property='og:title' content='Tea &amp; time'>
    <meta property='og:description' content='How long?'><meta property='og:image' content='/tea.png'>";

async fn site() -> Pages {
    let mut png = std::io::Cursor::new(Vec::new());
    image::DynamicImage::new_rgb8(600, 300).write_to(&mut png, image::ImageFormat::Png).unwrap();
    let png = png.into_inner();
    Pages::open(move |path| match path {
        "/tea" => Answer::page(PAGE),
        "/tea.png" => Answer::of("image/png", &png),
        _ => Answer::nothing(),
    })
    .await
}

/// The message with these words, once it is here.
async fn said(person: &Person, chat: &str, text: &str) -> ChatMessage {
    person
        .until(&format!("the words {text:?}"), async |person| {
            let view: ChatView = person.ask(Question::ChatOpen { chat: chat.to_owned() }).await.unwrap();
            view.messages.into_iter().find(|one| matches!(&one.content, Content::Text { text: said } if said == text))
        })
        .await
}

async fn made(person: &Person, url: &str) -> Result<LinkPreview, String> {
    person.ask(Question::LinkPreview { url: url.to_owned() }).await.map_err(|error| error.code)
}

async fn sends(person: &Person, chat: &str, text: &str, preview: &str) -> ChatMessage {
    let question =
        Question::ChatSend { chat: chat.to_owned(), text: text.to_owned(), preview: Some(preview.to_owned()) };
    person.ask(question).await.unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_sender_visits_the_page_once_and_the_receiver_never() {
    let (site, mut stage) = (site().await, Stage::strangers().await);
    let chat = stage.become_contacts().await;
    let link = site.link("/tea");
    let card = made(&stage.ana, &link).await.unwrap();
    assert_eq!((card.title.as_str(), card.description.as_str()), ("Tea & time", "How long?"));
    assert_eq!((card.url.as_str(), card.host.as_str()), (link.as_str(), "site.localhost"));
    assert!(card.picture.is_some());
    assert_eq!(site.paths(), ["/tea", "/tea.png"]);

    let text = format!("Shall we? {link}");
    let sent = sends(&stage.ana, &chat, &text, &link).await;
    assert_eq!(sent.preview.as_deref(), Some(&card));
    let seen = said(&stage.ben, &chat, &text).await;
    assert_eq!(seen.preview.as_deref(), Some(&card), "Ben sees what Ana saw");
    stage.ana.sees_all_delivered(&chat).await;

    // What else is done with it asks nobody either: forwarding it, and saying it anew with and without the link.
    let forwarded: ChatMessage =
        stage.ben.ask(Question::ChatForward { message: seen.id.clone(), to: chat.clone() }).await.unwrap();
    assert_eq!(forwarded.preview.as_deref(), Some(&card));
    let edit = async |text: &str| -> ChatMessage {
        stage.ana.ask(Question::ChatEdit { message: sent.id.clone(), text: text.to_owned() }).await.unwrap()
    };
    assert_eq!(edit(&format!("Tomorrow? {link}")).await.preview.as_deref(), Some(&card));
    assert_eq!(edit("Never mind").await.preview, None);
    assert_eq!(said(&stage.ben, &chat, "Never mind").await.preview, None);
    assert_eq!(site.paths(), ["/tea", "/tea.png"], "one visit, and that was Ana's");
    stage.close().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn who_wants_no_cards_makes_none_and_words_without_the_link_carry_none() {
    let (site, mut stage) = (site().await, Stage::strangers().await);
    let chat = stage.become_contacts().await;
    let link = site.link("/tea");
    let set = async |link_previews| {
        let settings: Settings = stage.ana.ask(Question::SettingsGet).await.unwrap();
        stage.ana.ask::<Value>(Question::SettingsSet(Settings { link_previews, ..settings })).await.unwrap();
    };
    let settings: Settings = stage.ana.ask(Question::SettingsGet).await.unwrap();
    assert_eq!(settings.link_previews, LinkPreviews::Ask, "nobody is visited before the person says so");
    set(LinkPreviews::Never).await;
    assert_eq!(made(&stage.ana, &link).await, Err("previews-off".into()));
    assert!(site.paths().is_empty());

    set(LinkPreviews::Always).await;
    made(&stage.ana, &link).await.unwrap();
    made(&stage.ana, &link).await.unwrap();
    assert_eq!(site.paths().len(), 2, "a card that is here is not made again");
    assert_eq!(sends(&stage.ana, &chat, "another day", &link).await.preview, None);
    assert_eq!(sends(&stage.ana, &chat, &link, "https://never.org/made").await.preview, None);
    set(LinkPreviews::Never).await;
    assert_eq!(sends(&stage.ana, &chat, &format!("so: {link}"), &link).await.preview, None);

    set(LinkPreviews::Always).await;
    for (url, code) in [
        (site.link("/gone").as_str(), "no-preview"),
        ("https://10.0.0.1/", "link-not-visited"),
        ("http://b.org/", "link-not-visited"),
        ("no link", "link-not-visited"),
    ] {
        assert_eq!(made(&stage.ana, url).await, Err(code.into()), "{url}");
    }
    stage.close().await;
}
