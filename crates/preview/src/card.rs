//! The card of a link, as it stands in a sealed message; hostile JSON until it is a [`Card`].

use serde_json::{Value, json};

use crate::limits::{DESCRIPTION_LIMIT, PICTURE_LIMIT, PICTURE_SIDE, TITLE_LIMIT, URL_LIMIT};
use crate::link::Link;
use plain::line;

/// What is shown of a link.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Card {
    pub(crate) link: Link,
    pub(crate) title: String,
    pub(crate) description: String,
    pub(crate) picture: Vec<u8>,
}

impl Card {
    /// Reads what stands beside a text. It is about a link of that text, or it is none; so is one that is wrong in any
    /// part, or longer than a card that an honest app makes.
    pub fn parse(value: &Value, text: &str) -> Option<Self> {
        // Looked at before it is copied, so that nothing long is.
        let part = |name: &str, limit: usize| match value.get(name) {
            None => Some(""),
            Some(Value::String(text)) if text.len() <= limit => Some(text.as_str()),
            Some(_) => None,
        };
        let words = |name: &str, most: usize| {
            let text = part(name, 4 * most)?;
            (text.chars().count() <= most).then(|| line(text, most))
        };
        let link = Link::parse(part("url", URL_LIMIT)?).ok()?;
        let title = words("title", TITLE_LIMIT).filter(|title| !title.is_empty())?;
        let description = words("description", DESCRIPTION_LIMIT)?;
        let picture = keys::from_b64url(part("picture", PICTURE_LIMIT.div_ceil(3) * 4)?).ok()?;
        let sound =
            picture.is_empty() || (picture.len() <= PICTURE_LIMIT && pictures::is_small_jpeg(&picture, PICTURE_SIDE));
        (sound && link.stands_in(text)).then_some(Self { link, title, description, picture })
    }

    /// Writes it as it stands in a message.
    pub fn to_value(&self) -> Value {
        let mut value = json!({ "url": self.link.as_str(), "title": self.title });
        if !self.description.is_empty() {
            value["description"] = json!(self.description);
        }
        if !self.picture.is_empty() {
            value["picture"] = json!(keys::b64url(&self.picture));
        }
        value
    }

    /// Whether a text, as it is now, holds its link.
    pub fn stands_in(&self, text: &str) -> bool {
        self.link.stands_in(text)
    }

    /// Where it leads.
    pub fn link(&self) -> &Link {
        &self.link
    }

    /// What the page is called.
    pub fn title(&self) -> &str {
        &self.title
    }

    /// What the page says of itself; may be empty.
    pub fn description(&self) -> &str {
        &self.description
    }

    /// A small JPEG; may be empty.
    pub fn picture(&self) -> &[u8] {
        &self.picture
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = "look: https://b.org/tea";

    fn jpeg(width: u32, height: u32) -> Vec<u8> {
        pictures::jpeg_of(width, height, vec![90; (width * height * 4) as usize]).unwrap()
    }

    fn example() -> Card {
        Card {
            link: Link::parse("https://b.org/tea").unwrap(),
            title: "Tea".into(),
            description: "How long?".into(),
            picture: jpeg(240, 126),
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let bare = Card { description: String::new(), picture: Vec::new(), ..example() };
        for card in [example(), bare] {
            assert_eq!(Card::parse(&card.to_value(), TEXT), Some(card));
        }
    }

    #[test]
    fn a_card_is_about_a_link_of_its_text() {
        for text in ["look: https://evil.org/tea", "", "b.org/tea", "https://b.org/te", "https://b.org.evil.org/tea"] {
            assert_eq!(Card::parse(&example().to_value(), text), None, "{text}");
        }
    }

    #[test]
    fn a_card_that_is_wrong_in_one_part_is_none() {
        let change = |part: &str, value: Value| {
            let mut all = example().to_value();
            all[part] = value;
            Card::parse(&all, TEXT)
        };
        for url in ["http://b.org/tea", "https://me:x@b.org/tea", "https://10.0.0.1/", "javascript:x"] {
            let card = example().to_value();
            let mut card = card.clone();
            card["url"] = json!(url);
            assert_eq!(Card::parse(&card, &format!("see {url}")), None, "{url}");
        }
        let noise = keys::b64url(&vec![7; PICTURE_LIMIT + 1]);
        let svg = keys::b64url(b"<svg xmlns='http://www.w3.org/2000/svg'><script>1</script></svg>");
        for (part, value) in [
            ("title", json!("")),
            ("title", json!("\u{202e}\n")),
            ("title", json!("x".repeat(TITLE_LIMIT + 1))),
            ("title", json!(7)),
            ("description", json!("x".repeat(DESCRIPTION_LIMIT + 1))),
            ("description", json!(["x"])),
            ("picture", json!(noise)),
            ("picture", json!(svg)),
            ("picture", json!("!!")),
            ("picture", json!(keys::b64url(&jpeg(PICTURE_SIDE + 1, 4)))),
            ("picture", json!({})),
            ("url", json!(null)),
        ] {
            assert_eq!(change(part, value.clone()), None, "{part}");
        }
        for odd in [json!(null), json!([]), json!("card"), json!({}), json!({ "title": "x" })] {
            assert_eq!(Card::parse(&odd, TEXT), None, "{odd}");
        }
    }

    #[test]
    fn words_of_a_card_turn_nothing() {
        let mut all = example().to_value();
        all["title"] = json!("a\u{202e}b\nc");
        assert_eq!(Card::parse(&all, TEXT).unwrap().title(), "ab c");
    }
}
