//! A bounded JSON value and the one way to change it, the same on both sides.

use std::io;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::{Map, Value};

use crate::attribute::{Attribute, check_name};
use crate::change::{Change, ChangeError, Operation};
use crate::limits::{KEYS_LIMIT, VALUE_DEPTH, VALUE_LIMIT};

/// Checks that a value may be the value of a data object: an object, bounded, without reserved names.
pub fn check_value(value: &Value) -> Result<(), ChangeError> {
    if !value.is_object() {
        return Err(ChangeError::NotAnObject);
    }
    Weight::of(value).and_then(Weight::check)
}

/// How heavy a value is.
#[derive(Debug, Clone, Copy, Default)]
struct Weight {
    bytes: usize,
    keys: usize,
    depth: usize,
}

impl Weight {
    fn of(value: &Value) -> Result<Self, ChangeError> {
        let mut weight = Self::default();
        weight.walk(value, 1)?;
        let mut counter = Counter(0);
        // Writing to a counter fails only when it is full.
        serde_json::to_writer(&mut counter, value).map_err(|_| ChangeError::TooLarge)?;
        weight.bytes = counter.0;
        Ok(weight)
    }

    fn walk(&mut self, value: &Value, depth: usize) -> Result<(), ChangeError> {
        match value {
            Value::Object(map) => {
                self.enter(depth, map.len())?;
                for (key, value) in map {
                    check_name(key)?;
                    self.walk(value, depth + 1)?;
                }
            }
            Value::Array(items) => {
                self.enter(depth, items.len())?;
                for item in items {
                    self.walk(item, depth + 1)?;
                }
            }
            _ => {}
        }
        Ok(())
    }

    fn enter(&mut self, depth: usize, keys: usize) -> Result<(), ChangeError> {
        if depth > VALUE_DEPTH {
            return Err(ChangeError::TooDeep);
        }
        self.depth = self.depth.max(depth);
        self.keys += keys;
        if self.keys > KEYS_LIMIT { Err(ChangeError::TooManyKeys) } else { Ok(()) }
    }

    fn check(self) -> Result<(), ChangeError> {
        if self.bytes > VALUE_LIMIT { Err(ChangeError::TooLarge) } else { Ok(()) }
    }
}

/// Counts bytes, and stops far behind the limit.
struct Counter(usize);

impl io::Write for Counter {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0 += bytes.len();
        if self.0 > 4 * VALUE_LIMIT { Err(io::ErrorKind::FileTooLarge.into()) } else { Ok(bytes.len()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A value within its bounds, with an upper bound of its weight.
#[derive(Clone)]
pub(crate) struct Document {
    value: Value,
    /// Never less than the value's bytes and keys, so that most changes need no measuring.
    most: Weight,
}

impl Document {
    pub fn new(value: Value) -> Result<Self, ChangeError> {
        check_value(&value)?;
        let most = Weight::of(&value)?;
        Ok(Self { value, most })
    }

    pub fn value(&self) -> &Value {
        &self.value
    }

    /// Applies a change, or leaves everything as it was.
    pub fn apply(&mut self, change: &Change) -> Result<(), ChangeError> {
        let path = Attribute::parse(&change.attribute)?;
        let added = match &change.value {
            None => Weight::default(),
            Some(value) => Weight::of(value)?,
        };
        let inside_array = usize::from(change.operation == Some(Operation::Add));
        if path.parts().len() + inside_array + added.depth > VALUE_DEPTH {
            return Err(ChangeError::TooDeep);
        }
        let most = Weight {
            // Each name may be new: its quotes, colon, comma and braces, and escapes of up to six bytes a byte.
            bytes: self.most.bytes + added.bytes + 6 * change.attribute.len() + 8 * path.parts().len(),
            keys: self.most.keys + added.keys + path.parts().len() + inside_array,
            depth: 0,
        };
        if most.bytes <= VALUE_LIMIT && most.keys <= KEYS_LIMIT {
            edit(&mut self.value, &path, change)?;
            self.most = most;
            return Ok(());
        }
        // Near the limit: try it on a copy, and measure exactly.
        let mut tried = self.value.clone();
        edit(&mut tried, &path, change)?;
        *self = Self::new(tried)?;
        Ok(())
    }
}

/// Changes a value; on an error nothing has changed.
fn edit(root: &mut Value, path: &Attribute<'_>, change: &Change) -> Result<(), ChangeError> {
    check_way(root, path, change)?;
    let Some((last, way)) = path.parts().split_last() else { return Err(ChangeError::NoSuchPlace) };
    let sets = change.value.is_some() && change.operation != Some(Operation::Remove);
    let mut at = root;
    for part in way {
        at = match step(at, part, sets) {
            Some(next) => next,
            // Nothing to remove there.
            None => return Ok(()),
        };
    }
    match (change.operation, &change.value) {
        (None, Some(value)) => {
            if let Some(place) = step(at, last, true) {
                *place = value.clone();
            }
        }
        (None, None) => remove(at, last),
        (Some(Operation::Add), Some(value)) => {
            if let Some(place) = step(at, last, true) {
                match place {
                    Value::Array(items) => items.push(value.clone()),
                    place => *place = Value::Array(vec![value.clone()]),
                }
            }
        }
        (Some(Operation::Remove), Some(value)) => {
            if let Some(Value::Array(items)) = step(at, last, false) {
                items.retain(|item| item != value);
            }
        }
        (Some(_), None) => return Err(ChangeError::NoValue),
    }
    Ok(())
}

/// Checks that a change can be made, before anything is changed.
fn check_way(root: &Value, path: &Attribute<'_>, change: &Change) -> Result<(), ChangeError> {
    if change.operation.is_some() && change.value.is_none() {
        return Err(ChangeError::NoValue);
    }
    let mut at = root;
    for (depth, part) in path.parts().iter().enumerate() {
        let next = match at {
            Value::Object(map) => map.get(*part),
            Value::Array(items) => {
                let index = index(part).filter(|index| *index <= items.len()).ok_or(ChangeError::NoSuchPlace)?;
                items.get(index)
            }
            // An empty place becomes an object, but only below the root.
            Value::Null if depth > 0 => None,
            _ => return Err(ChangeError::NoSuchPlace),
        };
        match next {
            Some(value) => at = value,
            None => return Ok(()),
        }
    }
    match change.operation {
        Some(_) if !at.is_array() && !at.is_null() => Err(ChangeError::NotAnArray),
        _ => Ok(()),
    }
}

/// One step down; `make` creates what is not there.
fn step<'v>(at: &'v mut Value, part: &str, make: bool) -> Option<&'v mut Value> {
    if make && at.is_null() {
        *at = Value::Object(Map::new());
    }
    match at {
        Value::Object(map) => {
            if make {
                Some(map.entry(part).or_insert(Value::Null))
            } else {
                map.get_mut(part)
            }
        }
        Value::Array(items) => {
            let index = index(part)?;
            if make && index == items.len() {
                items.push(Value::Null);
            }
            items.get_mut(index)
        }
        _ => None,
    }
}

fn remove(at: &mut Value, part: &str) {
    match at {
        Value::Object(map) => {
            map.remove(part);
        }
        Value::Array(items) => {
            if let Some(index) = index(part).filter(|index| *index < items.len()) {
                items.remove(index);
            }
        }
        _ => {}
    }
}

/// A canonical array index: `0`, `12`, never `01` or `+1`.
fn index(part: &str) -> Option<usize> {
    part.parse::<usize>().ok().filter(|number| number.to_string() == part)
}

impl Serialize for Document {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.value.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Document {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn change(attribute: &str, value: Option<Value>, operation: Option<Operation>) -> Change {
        Change { version: 1, attribute: attribute.into(), value, operation }
    }

    fn after(start: Value, change: &Change) -> Result<Value, ChangeError> {
        let mut document = Document::new(start).unwrap();
        document.apply(change).map(|()| document.value().clone())
    }

    #[test]
    fn a_path_is_set_made_and_removed() {
        assert_eq!(after(json!({}), &change("a.b", Some(json!(1)), None)).unwrap(), json!({"a":{"b":1}}));
        assert_eq!(after(json!({"a":{"b":1}}), &change("a.b", None, None)).unwrap(), json!({"a":{}}));
        assert_eq!(after(json!({"a":1}), &change("b.c", None, None)).unwrap(), json!({"a":1}));
        assert_eq!(
            after(json!({"a":[{"x":1}]}), &change("a.0.x", Some(json!(2)), None)).unwrap(),
            json!({"a":[{"x":2}]})
        );
        assert_eq!(after(json!({"a":[1,2]}), &change("a.0", None, None)).unwrap(), json!({"a":[2]}));
    }

    #[test]
    fn arrays_are_added_to_and_removed_from() {
        let add = change("m", Some(json!("ben")), Some(Operation::Add));
        assert_eq!(after(json!({}), &add).unwrap(), json!({"m":["ben"]}));
        assert_eq!(after(json!({"m":["ana"]}), &add).unwrap(), json!({"m":["ana","ben"]}));
        assert_eq!(after(json!({"m":"ana"}), &add), Err(ChangeError::NotAnArray));
        let gone = change("m", Some(json!("ana")), Some(Operation::Remove));
        assert_eq!(after(json!({"m":["ana","ben","ana"]}), &gone).unwrap(), json!({"m":["ben"]}));
        assert_eq!(after(json!({}), &change("m", None, Some(Operation::Add))), Err(ChangeError::NoValue));
    }

    #[test]
    fn a_refused_change_changes_nothing() {
        let start = json!({"a":"text","list":[1]});
        for bad in [
            change("a.b", Some(json!(1)), None),
            change("list.5", Some(json!(1)), None),
            change("list.01", Some(json!(1)), None),
            change("list.x", Some(json!(1)), None),
            change("x", Some(json!({"__proto__":1})), None),
            change("__proto__.x", Some(json!(1)), None),
            change("new.deep", Some(json!("x".repeat(VALUE_LIMIT))), None),
        ] {
            let mut document = Document::new(start.clone()).unwrap();
            assert!(document.apply(&bad).is_err(), "{}", bad.attribute);
            assert_eq!(document.value(), &start);
        }
    }

    #[test]
    fn a_large_value_may_be_replaced_by_another_large_one() {
        let large = |letter: &str| json!(letter.repeat(200 * 1024));
        let mut document = Document::new(json!({"a": large("x")})).unwrap();
        document.apply(&change("a", Some(large("y")), None)).unwrap();
        assert_eq!(document.apply(&change("b", Some(large("z")), None)), Err(ChangeError::TooLarge));
    }

    #[test]
    fn a_value_is_bounded() {
        assert_eq!(check_value(&json!([])), Err(ChangeError::NotAnObject));
        let deep = (0..20).fold(json!(1), |inner, _| json!({"a": inner}));
        assert_eq!(check_value(&deep), Err(ChangeError::TooDeep));
        let wide = json!({"a": vec![0; KEYS_LIMIT + 1]});
        assert_eq!(check_value(&wide), Err(ChangeError::TooManyKeys));
        assert_eq!(check_value(&json!({"a": "x".repeat(VALUE_LIMIT)})), Err(ChangeError::TooLarge));
    }
}
