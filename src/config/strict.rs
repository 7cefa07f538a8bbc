//! The merged layers as a serde deserializer that does not convert types.
//!
//! The `config` crate's own would take `"100"` for a number and `1234` for a string. Here a value
//! of the file must have the type of its key. A value of the environment has no type; it is read
//! as the type that the key asks for, so a string stays one whatever it looks like, and a list is what
//! stands between commas.

use ::config::{Value, ValueKind};
pub(super) use serde::de::value::Error;
use serde::de::value::{MapDeserializer, SeqDeserializer};
use serde::de::{Deserializer, Error as _, IntoDeserializer, Visitor};
use serde::forward_to_deserialize_any;

/// One value of the merged configuration.
pub(super) struct Strict(Value);

impl Strict {
    pub(super) fn new(value: Value) -> Self {
        Self(value)
    }

    /// The text of a value that came from the environment; the file's values have no origin.
    fn untyped(&self) -> Option<&str> {
        match (&self.0.kind, self.0.origin()) {
            (ValueKind::String(text), Some(_)) => Some(text),
            _ => None,
        }
    }
}

impl IntoDeserializer<'_, Error> for Strict {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

/// Numbers from the environment; all our numbers are whole.
macro_rules! whole_numbers {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
            let Some(text) = self.untyped() else { return self.deserialize_any(visitor) };
            if let Ok(number) = text.parse() {
                return visitor.visit_u64(number);
            }
            match text.parse() {
                Ok(number) => visitor.visit_i64(number),
                Err(_) => Err(Error::custom(format!("expected a whole number, found `{text}`"))),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Strict {
    type Error = Error;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::Nil => visitor.visit_unit(),
            ValueKind::Boolean(value) => visitor.visit_bool(value),
            ValueKind::I64(value) => visitor.visit_i64(value),
            ValueKind::I128(value) => visitor.visit_i128(value),
            ValueKind::U64(value) => visitor.visit_u64(value),
            ValueKind::U128(value) => visitor.visit_u128(value),
            ValueKind::Float(value) => visitor.visit_f64(value),
            ValueKind::String(value) => visitor.visit_string(value),
            ValueKind::Table(table) => visitor
                .visit_map(MapDeserializer::new(table.into_iter().map(|(key, value)| (key, Self(value))))),
            ValueKind::Array(values) => visitor.visit_seq(SeqDeserializer::new(values.into_iter().map(Self))),
        }
    }

    whole_numbers! {
        deserialize_u8 deserialize_u16 deserialize_u32 deserialize_u64
        deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.untyped() {
            None => self.deserialize_any(visitor),
            Some("true") => visitor.visit_bool(true),
            Some("false") => visitor.visit_bool(false),
            Some(text) => Err(Error::custom(format!("expected true or false, found `{text}`"))),
        }
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        match self.untyped() {
            None => self.deserialize_any(visitor),
            Some(text) => {
                let origin = self.0.origin().map(str::to_owned);
                let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
                let parts = parts
                    .map(|part| Self(Value::new(origin.as_ref(), ValueKind::String(part.into()))))
                    .collect::<Vec<_>>();
                visitor.visit_seq(SeqDeserializer::new(parts.into_iter()))
            }
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self.0.kind {
            ValueKind::String(text) => visitor.visit_enum(text.into_deserializer()),
            _ => Err(Error::custom(format!("expected one of \"{}\"", variants.join("\", \"")))),
        }
    }

    forward_to_deserialize_any! {
        i128 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        tuple tuple_struct map struct identifier ignored_any
    }
}
