//! Reads JSON from strangers: bounded in size and depth, without duplicate members.

use std::cell::Cell;
use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

/// Why a text is refused before anything in it is looked at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum JsonError {
    /// More bytes than allowed.
    #[error("more than {limit} bytes")]
    TooLarge {
        /// The bound.
        limit: usize,
    },
    /// Nested deeper than allowed.
    #[error("nested deeper than {limit} levels")]
    TooDeep {
        /// The bound.
        limit: usize,
    },
    /// A member stands twice in one object: two readers would see two different texts.
    #[error("a member stands twice in one object")]
    Duplicate,
    /// Not JSON.
    #[error("not JSON")]
    NotJson,
    /// JSON, but not an object.
    #[error("not a JSON object")]
    NotAnObject,
}

/// How much a text may hold.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    pub bytes: usize,
    pub depth: usize,
}

/// Reads one object and nothing after it.
pub(crate) fn object(text: &[u8], bounds: Bounds) -> Result<Map<String, Value>, JsonError> {
    if text.len() > bounds.bytes {
        return Err(JsonError::TooLarge { limit: bounds.bytes });
    }
    let fault = Cell::new(None);
    let mut reader = serde_json::Deserializer::from_slice(text);
    let seed = Strict { limit: bounds.depth, left: bounds.depth, fault: &fault };
    let read = seed.deserialize(&mut reader).and_then(|value| reader.end().map(|()| value));
    match read {
        Ok(Value::Object(members)) => Ok(members),
        Ok(_) => Err(JsonError::NotAnObject),
        Err(_) => Err(fault.take().unwrap_or(JsonError::NotJson)),
    }
}

struct Strict<'a> {
    limit: usize,
    left: usize,
    fault: &'a Cell<Option<JsonError>>,
}

impl Strict<'_> {
    fn inner<E: Error>(&self) -> Result<Self, E> {
        match self.left.checked_sub(1) {
            Some(left) => Ok(Self { limit: self.limit, left, fault: self.fault }),
            None => Err(self.refuse(JsonError::TooDeep { limit: self.limit })),
        }
    }

    fn refuse<E: Error>(&self, fault: JsonError) -> E {
        self.fault.set(Some(fault));
        E::custom(fault)
    }
}

impl<'de> DeserializeSeed<'de> for Strict<'_> {
    type Value = Value;
    fn deserialize<D: Deserializer<'de>>(self, reader: D) -> Result<Value, D::Error> {
        reader.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Strict<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_unit<E: Error>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }

    fn visit_bool<E: Error>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E: Error>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E: Error>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E: Error>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E: Error>(self, value: &str) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self.inner()?)? {
            list.push(item);
        }
        Ok(Value::Array(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<Value, A::Error> {
        self.inner::<A::Error>()?;
        let mut object = Map::new();
        while let Some(name) = members.next_key::<String>()? {
            let value = members.next_value_seed(self.inner()?)?;
            if object.insert(name, value).is_some() {
                return Err(self.refuse(JsonError::Duplicate));
            }
        }
        Ok(Value::Object(object))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SMALL: Bounds = Bounds { bytes: 64, depth: 3 };

    #[test]
    fn a_plain_object_is_read() {
        let members = object(br#"{"a":[1,-2,0.5,null,true,"x"],"b":{"c":{}}}"#, SMALL).unwrap();
        assert_eq!(members["a"], serde_json::json!([1, -2, 0.5, null, true, "x"]));
    }

    #[test]
    fn each_bound_has_its_own_name() {
        for (text, error) in [
            (r#"{"a":1,"a":2}"#, JsonError::Duplicate),
            (r#"{"x":{"a":1,"\u0061":2}}"#, JsonError::Duplicate),
            (r#"{"a":{"b":{"c":{}}}}"#, JsonError::TooDeep { limit: 3 }),
            (r#"{"a":[[[]]]}"#, JsonError::TooDeep { limit: 3 }),
            (r#"{"a":1} x"#, JsonError::NotJson),
            (r#"{"a":1"#, JsonError::NotJson),
            ("[1]", JsonError::NotAnObject),
        ] {
            assert_eq!(object(text.as_bytes(), SMALL), Err(error), "{text}");
        }
        assert_eq!(object(&[b' '; 65], SMALL), Err(JsonError::TooLarge { limit: 64 }));
    }

    #[test]
    fn a_tower_of_brackets_does_not_topple_the_reader() {
        let tower = "[".repeat(100_000);
        let bounds = Bounds { bytes: 200_000, depth: 8 };
        assert_eq!(object(tower.as_bytes(), bounds), Err(JsonError::TooDeep { limit: 8 }));
    }
}
