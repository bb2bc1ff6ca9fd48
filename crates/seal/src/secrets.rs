//! Lays the keys of messages in two parts: those of the present epoch, which every message changes, and those of
//! past epochs, which only their own late messages change.
//!
//! openmls keeps the members of each past epoch beside its keys. In a group of a thousand that is megabytes, and they
//! would be encoded, sealed and written with every single text.

use serde::Serialize;
use serde::ser::{Error as _, Impossible, SerializeStruct, Serializer};
use zeroize::Zeroizing;

/// The field of openmls that holds what is past.
const PAST: &str = "past_epoch_trees";

/// A value in two parts, each CBOR; [`join`] puts them together.
pub(crate) struct Parts {
    pub(crate) present: Zeroizing<Vec<u8>>,
    /// Missing if it was left out, or if the value has no such part.
    pub(crate) past: Option<Zeroizing<Vec<u8>>>,
}

type Fault = ciborium::ser::Error<std::io::Error>;

/// Takes a struct apart; without its past if `present_only`.
pub(crate) fn split<T: Serialize>(value: &T, present_only: bool) -> Result<Parts, Fault> {
    let mut parts = Parts { present: Zeroizing::new(Vec::new()), past: None };
    let fields = value.serialize(Splitter { parts: &mut parts, present_only })?;
    parts.present.insert(0, map_of(fields)?);
    Ok(parts)
}

/// The whole, as CBOR, of both parts.
pub(crate) fn join(present: &[u8], past: Option<&[u8]>) -> Option<Zeroizing<Vec<u8>>> {
    let (head, fields) = present.split_first()?;
    let Some(past) = past else { return Some(Zeroizing::new(present.to_vec())) };
    let mut whole = Zeroizing::new(Vec::with_capacity(present.len() + PAST.len() + 8 + past.len()));
    whole.push(map_of(usize::from(head & MAP_FIELDS) + 1).ok()?);
    whole.extend_from_slice(fields);
    ciborium::into_writer(PAST, &mut *whole).ok()?;
    whole.extend_from_slice(past);
    Some(whole)
}

/// The first byte of a map with fewer than 24 members (RFC 8949, section 3.1).
const MAP: u8 = 0xa0;
const MAP_FIELDS: u8 = 0x1f;

fn map_of(fields: usize) -> Result<u8, Fault> {
    match u8::try_from(fields) {
        Ok(fields @ 0..24) => Ok(MAP | fields),
        _ => Err(Fault::custom("too many fields")),
    }
}

/// Takes the fields of one struct apart. Answers how many stayed together.
struct Splitter<'p> {
    parts: &'p mut Parts,
    present_only: bool,
}

struct Fields<'p> {
    to: Splitter<'p>,
    count: usize,
}

impl SerializeStruct for Fields<'_> {
    type Ok = usize;
    type Error = Fault;

    fn serialize_field<T: Serialize + ?Sized>(&mut self, name: &'static str, value: &T) -> Result<(), Fault> {
        let Splitter { parts, present_only } = &mut self.to;
        if name != PAST {
            self.count += 1;
            ciborium::into_writer(name, &mut *parts.present)?;
            return ciborium::into_writer(value, &mut *parts.present);
        }
        if !*present_only {
            let past = parts.past.insert(Zeroizing::new(Vec::new()));
            ciborium::into_writer(value, &mut **past)?;
        }
        Ok(())
    }

    fn end(self) -> Result<usize, Fault> {
        Ok(self.count)
    }
}

/// Everything but a struct is refused: what openmls keeps here is one.
macro_rules! refuse {
    ($($name:ident($($kind:ty),*);)*) => {
        $(fn $name(self, $(_: $kind),*) -> Result<usize, Fault> { Err(Fault::custom("not a struct")) })*
    };
}

type No = Impossible<usize, Fault>;

impl<'p> Serializer for Splitter<'p> {
    type Ok = usize;
    type Error = Fault;
    type SerializeSeq = No;
    type SerializeTuple = No;
    type SerializeTupleStruct = No;
    type SerializeTupleVariant = No;
    type SerializeMap = No;
    type SerializeStruct = Fields<'p>;
    type SerializeStructVariant = No;

    fn serialize_struct(self, _name: &'static str, _len: usize) -> Result<Fields<'p>, Fault> {
        Ok(Fields { to: self, count: 0 })
    }

    refuse! {
        serialize_bool(bool);
        serialize_i8(i8);
        serialize_i16(i16);
        serialize_i32(i32);
        serialize_i64(i64);
        serialize_u8(u8);
        serialize_u16(u16);
        serialize_u32(u32);
        serialize_u64(u64);
        serialize_f32(f32);
        serialize_f64(f64);
        serialize_char(char);
        serialize_str(&str);
        serialize_bytes(&[u8]);
        serialize_none();
        serialize_unit();
        serialize_unit_struct(&'static str);
        serialize_unit_variant(&'static str, u32, &'static str);
    }

    fn serialize_some<T: Serialize + ?Sized>(self, _: &T) -> Result<usize, Fault> {
        Err(Fault::custom("not a struct"))
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(self, _: &'static str, inner: &T) -> Result<usize, Fault> {
        inner.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<usize, Fault> {
        Err(Fault::custom("not a struct"))
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<No, Fault> {
        Err(Fault::custom("not a struct"))
    }

    fn serialize_tuple(self, _: usize) -> Result<No, Fault> {
        Err(Fault::custom("not a struct"))
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<No, Fault> {
        Err(Fault::custom("not a struct"))
    }

    fn serialize_tuple_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<No, Fault> {
        Err(Fault::custom("not a struct"))
    }

    fn serialize_map(self, _: Option<usize>) -> Result<No, Fault> {
        Err(Fault::custom("not a struct"))
    }

    fn serialize_struct_variant(self, _: &'static str, _: u32, _: &'static str, _: usize) -> Result<No, Fault> {
        Err(Fault::custom("not a struct"))
    }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Keys {
        max: usize,
        past_epoch_trees: Vec<String>,
        present: Vec<u8>,
    }

    #[derive(Serialize, Deserialize, PartialEq, Debug)]
    struct Otherwise {
        present: Vec<u8>,
    }

    #[test]
    fn what_was_taken_apart_is_put_together() {
        let keys = Keys { max: 4, past_epoch_trees: vec!["one".into(), "two".into()], present: vec![1, 200] };
        let parts = split(&keys, false).unwrap();
        let past = parts.past.unwrap();
        let whole = join(&parts.present, Some(&past)).unwrap();
        assert_eq!(ciborium::from_reader::<Keys, _>(whole.as_slice()).unwrap(), keys);
        assert!(!String::from_utf8_lossy(&parts.present).contains("one"));
    }

    #[test]
    fn what_is_past_may_stay_as_it_was() {
        let before = Keys { max: 4, past_epoch_trees: vec!["one".into()], present: vec![1] };
        let past = split(&before, false).unwrap().past.unwrap();
        let now = Keys { present: vec![2], ..before };
        let parts = split(&now, true).unwrap();
        assert!(parts.past.is_none());
        let whole = join(&parts.present, Some(&past)).unwrap();
        assert_eq!(ciborium::from_reader::<Keys, _>(whole.as_slice()).unwrap(), now);
    }

    #[test]
    fn a_struct_without_a_past_is_whole_and_nothing_else_is_taken() {
        let keys = Otherwise { present: vec![1] };
        let parts = split(&keys, false).unwrap();
        assert!(parts.past.is_none());
        let whole = join(&parts.present, None).unwrap();
        assert_eq!(ciborium::from_reader::<Otherwise, _>(whole.as_slice()).unwrap(), keys);
        assert!(split(&vec![1u8], false).is_err() && split(&"text", false).is_err() && join(&[], None).is_none());
    }
}
