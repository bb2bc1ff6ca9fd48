//! What is said of a file inside a sealed message; hostile JSON until it is a [`Descriptor`].

use message::Domain;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::chunks::{Digest, FileKey, Shape};
use crate::limits::{
    DURATION_LIMIT_MS, NAME_LIMIT, PLACES_LIMIT, PREVIEW_LIMIT, SIDE_LIMIT, SIZE_LIMIT, TYPE_LIMIT, WAVE_LIMIT,
};
use crate::name::FileName;

/// What a file is when nothing better is known.
const ANY_TYPE: &str = "application/octet-stream";

/// Where the chunks of a file may be found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// In the blob store of a domain's Node, under a name nobody can guess.
    Node {
        /// The domain.
        domain: Domain,
        /// The name: 32 random bytes.
        blob: [u8; 32],
    },
    /// Only on the devices of its author: no Node took it.
    Author {
        /// The author's domain.
        domain: Domain,
        /// The name under which it is asked for: 32 random bytes.
        blob: [u8; 32],
    },
}

/// All that is known of a file before it is here.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Descriptor {
    /// What opens it.
    pub key: FileKey,
    /// How it is cut.
    pub shape: Shape,
    /// What it is, once it is put together.
    pub digest: Digest,
    /// What its sender says it is, such as `image/png`; never believed without looking.
    pub media_type: String,
    /// Its name.
    pub name: FileName,
    /// Width and height in pixels, of a picture.
    pub pixels: Option<(u32, u32)>,
    /// How long it sounds, in milliseconds.
    pub duration_ms: Option<u32>,
    /// How loud it is from beginning to end, of a voice note; 0 to 255 each.
    pub wave: Vec<u8>,
    /// A small picture, as the bytes of a JPEG.
    pub preview: Vec<u8>,
    /// Where it may be found. Places of kinds that are not known here are left out.
    pub places: Vec<Place>,
}

/// Why something is no description of a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum DescriptorError {
    /// Another version, or no description at all.
    #[error("this is no description of a file that is known here")]
    Form,
    /// A part that must be there is missing, too long or malformed.
    #[error("the {0} of the file is malformed")]
    Part(&'static str),
}

#[derive(Serialize, Deserialize)]
struct Written {
    v: u32,
    key: String,
    size: u64,
    digest: String,
    #[serde(rename = "type")]
    media_type: String,
    name: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pixels: Option<(u32, u32)>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    duration: Option<u32>,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    wave: String,
    #[serde(default, skip_serializing_if = "String::is_empty")]
    preview: String,
    at: Vec<Value>,
}

#[derive(Serialize, Deserialize)]
struct AtNode {
    node: Domain,
    blob: String,
}

#[derive(Serialize, Deserialize)]
struct AtAuthor {
    author: Domain,
    blob: String,
}

impl Descriptor {
    /// Reads what stands in a message.
    pub fn parse(value: &Value) -> Result<Self, DescriptorError> {
        // The parts are looked at before they are copied, so that nothing long is.
        let text = |part: &'static str, limit: usize| match value.get(part) {
            None => Ok(()),
            Some(Value::String(text)) if text.len() <= limit => Ok(()),
            Some(_) => Err(DescriptorError::Part(part)),
        };
        text("key", 43)?;
        text("digest", 43)?;
        text("type", TYPE_LIMIT)?;
        text("name", 4 * NAME_LIMIT)?;
        text("wave", WAVE_LIMIT.div_ceil(3) * 4)?;
        text("preview", PREVIEW_LIMIT.div_ceil(3) * 4)?;
        if value.get("at").and_then(Value::as_array).is_some_and(|at| at.len() > PLACES_LIMIT) {
            return Err(DescriptorError::Part("at"));
        }
        let written = Written::deserialize(value).map_err(|_| DescriptorError::Form)?;
        if written.v != 1 {
            return Err(DescriptorError::Form);
        }
        let pixels = match written.pixels {
            Some((width, height)) if !(1..=SIDE_LIMIT).contains(&width) || !(1..=SIDE_LIMIT).contains(&height) => {
                return Err(DescriptorError::Part("pixels"));
            }
            pixels => pixels,
        };
        if written.duration.is_some_and(|duration| duration > DURATION_LIMIT_MS) {
            return Err(DescriptorError::Part("duration"));
        }
        Ok(Self {
            key: FileKey::from_bytes(&fixed(&written.key, "key")?),
            shape: Shape::of(written.size).map_err(|_| DescriptorError::Part("size"))?,
            digest: Digest(fixed(&written.digest, "digest")?),
            media_type: media_type(&written.media_type),
            name: FileName::of(&written.name),
            pixels,
            duration_ms: written.duration,
            wave: bytes(&written.wave, WAVE_LIMIT, "wave")?,
            preview: bytes(&written.preview, PREVIEW_LIMIT, "preview")?,
            places: written.at.iter().filter_map(place).collect(),
        })
    }

    /// Writes it as it stands in a message.
    pub fn to_value(&self) -> Value {
        let at = self.places.iter().map(|place| {
            let at = match place {
                Place::Node { domain, blob } => {
                    serde_json::to_value(AtNode { node: domain.clone(), blob: keys::b64url(blob) })
                }
                Place::Author { domain, blob } => {
                    serde_json::to_value(AtAuthor { author: domain.clone(), blob: keys::b64url(blob) })
                }
            };
            at.unwrap_or(Value::Null)
        });
        let written = Written {
            v: 1,
            key: keys::b64url(self.key.as_bytes()),
            size: self.shape.size(),
            digest: keys::b64url(&self.digest.0),
            media_type: media_type(&self.media_type),
            name: self.name.as_str().to_owned(),
            pixels: self.pixels,
            duration: self.duration_ms,
            wave: keys::b64url(&self.wave),
            preview: keys::b64url(&self.preview),
            at: at.collect(),
        };
        serde_json::to_value(written).unwrap_or(Value::Null)
    }
}

fn place(value: &Value) -> Option<Place> {
    if let Ok(AtNode { node, blob }) = AtNode::deserialize(value) {
        return Some(Place::Node { domain: node, blob: fixed(&blob, "blob").ok()? });
    }
    let AtAuthor { author, blob } = AtAuthor::deserialize(value).ok()?;
    Some(Place::Author { domain: author, blob: fixed(&blob, "blob").ok()? })
}

fn fixed(text: &str, part: &'static str) -> Result<[u8; 32], DescriptorError> {
    if text.len() > 43 {
        return Err(DescriptorError::Part(part));
    }
    keys::from_b64url(text).ok().and_then(|bytes| bytes.try_into().ok()).ok_or(DescriptorError::Part(part))
}

fn bytes(text: &str, limit: usize, part: &'static str) -> Result<Vec<u8>, DescriptorError> {
    keys::from_b64url(text).ok().filter(|bytes| bytes.len() <= limit).ok_or(DescriptorError::Part(part))
}

/// A media type in small letters without parameters (RFC 6838, 4.2); anything else is "some bytes".
fn media_type(text: &str) -> String {
    let plain = text.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let half = |half: &str| {
        half.starts_with(|c: char| c.is_ascii_alphanumeric())
            && half.bytes().all(|b| b.is_ascii_alphanumeric() || b"!#$&-^_.+".contains(&b))
    };
    let sound = plain.len() <= TYPE_LIMIT && plain.split_once('/').is_some_and(|(a, b)| half(a) && half(b));
    if sound { plain } else { ANY_TYPE.to_owned() }
}

const _: () = assert!(SIZE_LIMIT < (u32::MAX as u64) * 1024, "chunks are numbered with 32 bits");

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use serde_json::json;

    fn example() -> Descriptor {
        Descriptor {
            key: FileKey::from_bytes(&[1; 32]),
            shape: Shape::of(300_000).unwrap(),
            digest: Digest([2; 32]),
            media_type: "image/png".into(),
            name: FileName::of("cat.png"),
            pixels: Some((640, 480)),
            duration_ms: None,
            wave: Vec::new(),
            preview: vec![7; 100],
            places: vec![Place::Node { domain: Domain::parse("a.localhost").unwrap(), blob: [3; 32] }],
        }
    }

    #[test]
    fn what_was_written_is_read() {
        let voice = Descriptor { duration_ms: Some(9_000), wave: vec![0, 99, 255], pixels: None, ..example() };
        let at_author = Place::Author { domain: Domain::parse("a.localhost").unwrap(), blob: [3; 32] };
        let large = Descriptor { places: vec![at_author], shape: Shape::of(SIZE_LIMIT).unwrap(), ..example() };
        for one in [example(), voice, large] {
            assert_eq!(Descriptor::parse(&one.to_value()), Ok(one));
        }
        assert!(!format!("{:?}", example()).contains(&keys::b64url(&[1; 32])), "the key does not print");
    }

    #[test]
    fn what_is_too_long_or_malformed_is_refused() {
        let change = |part: &str, value: Value| {
            let mut all = example().to_value();
            all[part] = value;
            Descriptor::parse(&all).err()
        };
        assert_eq!(change("v", json!(2)), Some(DescriptorError::Form));
        assert_eq!(change("size", json!(SIZE_LIMIT + 1)), Some(DescriptorError::Part("size")));
        assert_eq!(change("size", json!(-1)), Some(DescriptorError::Form));
        assert_eq!(change("key", json!("AAAA")), Some(DescriptorError::Part("key")));
        assert_eq!(change("name", json!("n".repeat(4 * NAME_LIMIT + 1))), Some(DescriptorError::Part("name")));
        let long = keys::b64url(&vec![0; PREVIEW_LIMIT + 1]);
        assert_eq!(change("preview", json!(long)), Some(DescriptorError::Part("preview")));
        assert_eq!(change("wave", json!(keys::b64url(&[0; 65]))), Some(DescriptorError::Part("wave")));
        assert_eq!(change("pixels", json!([0, 5])), Some(DescriptorError::Part("pixels")));
        assert_eq!(change("pixels", json!([100_000, 5])), Some(DescriptorError::Part("pixels")));
        assert_eq!(change("duration", json!(u32::MAX)), Some(DescriptorError::Part("duration")));
        assert_eq!(change("at", json!([{}, {}, {}, {}, {}])), Some(DescriptorError::Part("at")));
        for odd in [json!(null), json!([]), json!("file"), json!({ "v": 1 })] {
            assert!(Descriptor::parse(&odd).is_err(), "{odd}");
        }
    }

    #[test]
    fn a_name_is_clean_and_a_type_is_one() {
        let mut all = example().to_value();
        all["name"] = json!("../../x\u{202e}gnp.exe");
        all["type"] = json!("Text/HTML; charset=utf-8");
        all["at"] = json!([{ "channel": 7 }, { "node": "a.localhost", "blob": keys::b64url(&[3; 32]) }]);
        let read = Descriptor::parse(&all).unwrap();
        assert_eq!((read.name.as_str(), read.media_type.as_str()), ("xgnp.exe", "text/html"));
        assert_eq!(read.places, example().places, "a kind of place that is not known is left out");
        for odd in ["", "image", "image/", "/png", "image/png\"><script>", "a/b/c"] {
            assert_eq!(media_type(odd), ANY_TYPE, "{odd}");
        }
    }

    proptest! {
        #[test]
        fn no_text_is_too_odd(text in "\\PC{0,200}", name in "[a-z]{0,8}") {
            let mut all = example().to_value();
            all[name.as_str()] = json!(text);
            if let Ok(read) = Descriptor::parse(&all) {
                prop_assert_eq!(Descriptor::parse(&read.to_value()), Ok(read));
            }
        }
    }
}
