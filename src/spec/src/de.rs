//! Turns a [`Node`] into a typed value; every error knows the position and the path of what it is about.
//! Unaware of stages; the types decide what is allowed.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use crate::error::{Problem, suggest};
use crate::node::{Key, Node, Pos, Value};

/// Reads a `T` from a node.
///
/// A name alone stands for a variant with fields when all of them have defaults: `until: converged`.
pub(crate) fn from_node<'n, T: de::Deserialize<'n>>(node: &'n Node) -> Result<T, Problem> {
    T::deserialize(NodeDe(node)).map_err(|e| e.at(node.pos).0)
}

/// The field names of the struct `T`, as its `Deserialize` announces them.
pub(crate) fn fields_of<'de, T: de::Deserialize<'de>>() -> &'static [&'static str] {
    let mut fields: &'static [&'static str] = &[];
    // The probe always answers with an error: what it was asked for is all that is wanted.
    let _ = T::deserialize(FieldProbe(&mut fields)).map(drop);
    fields
}

#[derive(Debug)]
struct DeError(Problem);

impl DeError {
    /// Gives the error a position unless one closer to the cause was given before. Values of `--set` have no line, but
    /// a source of their own.
    fn at(mut self, pos: Pos) -> Self {
        if self.0.pos == Pos::default() {
            self.0.pos = pos;
        }
        self
    }

    fn under(self, step: &str) -> Self {
        Self(self.0.under(step))
    }
}

impl std::fmt::Display for DeError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl std::error::Error for DeError {}

impl de::Error for DeError {
    fn custom<T: std::fmt::Display>(message: T) -> Self {
        Self(Problem::new(Pos::default(), "", message.to_string()))
    }

    fn invalid_type(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let found = match unexpected {
            Unexpected::Str(s) => format!("`{s}`"),
            Unexpected::Signed(i) => format!("the number `{i}`"),
            Unexpected::Float(x) => format!("the number `{x}`"),
            Unexpected::Bool(b) => format!("`{b}`"),
            Unexpected::Unit => "nothing".into(),
            Unexpected::Seq => "a list".into(),
            Unexpected::Map => "a mapping".into(),
            other => other.to_string(),
        };
        Self::custom(format!("expected {}, found {found}", plain(expected)))
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        Self::invalid_type(unexpected, expected)
    }

    fn invalid_length(length: usize, expected: &dyn de::Expected) -> Self {
        Self::custom(format!("expected {}, found {length}", plain(expected)))
    }

    fn unknown_variant(variant: &str, expected: &'static [&'static str]) -> Self {
        let problem = Problem::new(Pos::default(), "", format!("unknown name `{variant}`"));
        Self(problem.hint(suggest(variant, expected, "names")))
    }

    fn unknown_field(field: &str, expected: &'static [&'static str]) -> Self {
        let problem = Problem::new(Pos::default(), "", format!("unknown field `{field}`"));
        Self(problem.hint(suggest(field, expected, "fields")))
    }

    fn missing_field(field: &'static str) -> Self {
        let problem = Problem::new(
            Pos::default(),
            "",
            format!("the field `{field}` is missing"),
        );
        Self(problem.hint(format!("add `{field}: …`")))
    }
}

/// What serde expects, without the words of a programming language.
fn plain(expected: &dyn de::Expected) -> String {
    let text = expected.to_string();
    match text.as_str() {
        "u8" | "u16" | "u32" | "u64" | "usize" => "a whole number, not below 0".into(),
        "f64" => "a number".into(),
        "a boolean" => "`true` or `false`".into(),
        "a string" => "a text".into(),
        "path string" => "a path".into(),
        "a sequence" => "a list".into(),
        _ if text.starts_with("struct ") => "a mapping".into(),
        _ => match text.strip_prefix("an array of length ") {
            Some(length) => format!("a list of {length} values"),
            None => text,
        },
    }
}

struct NodeDe<'n>(&'n Node);

impl<'n> NodeDe<'n> {
    fn visit<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        let result = match &self.0.value {
            Value::Null | Value::Gone => visitor.visit_unit(),
            Value::Bool(b) => visitor.visit_bool(*b),
            Value::Int(i) => visitor.visit_i64(*i),
            Value::Float(x) => visitor.visit_f64(*x),
            Value::Str(s) => visitor.visit_borrowed_str(s),
            Value::Seq(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        };
        result.map_err(|e: DeError| e.at(self.0.pos))
    }
}

impl<'de> Deserializer<'de> for NodeDe<'de> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.0.value {
            Value::Null | Value::Gone => visitor.visit_none(),
            _ => visitor.visit_some(self),
        }
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match self.0.value {
            // `graph:` with nothing behind it means the defaults.
            Value::Null | Value::Gone => visitor.visit_map(Entries {
                entries: &[],
                next: 0,
            }),
            _ => self.visit(visitor),
        }
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let pos = self.0.pos;
        let access = match &self.0.value {
            Value::Str(name) => Choice {
                name,
                pos,
                content: None,
            },
            Value::Map(entries) if entries.len() == 1 => {
                let (key, content) = &entries[0];
                Choice {
                    name: &key.text,
                    pos: key.pos,
                    content: Some(content),
                }
            }
            _ => {
                let found = self.0.describe();
                return Err(DeError(Problem::new(
                    pos,
                    "",
                    format!("expected one name, found {found}"),
                )));
            }
        };
        visitor.visit_enum(access)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf unit unit_struct
        seq tuple tuple_struct map identifier ignored_any
    }
}

struct Items<'n> {
    items: &'n [Node],
    next: usize,
}

impl<'n> SeqAccess<'n> for Items<'n> {
    type Error = DeError;

    fn next_element_seed<T: DeserializeSeed<'n>>(
        &mut self,
        seed: T,
    ) -> Result<Option<T::Value>, DeError> {
        let Some(item) = self.items.get(self.next) else {
            return Ok(None);
        };
        let index = self.next.to_string();
        self.next += 1;
        seed.deserialize(NodeDe(item))
            .map(Some)
            .map_err(|e| e.at(item.pos).under(&index))
    }
}

struct Entries<'n> {
    entries: &'n [(Key, Node)],
    next: usize,
}

impl<'n> MapAccess<'n> for Entries<'n> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'n>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeError> {
        let Some((key, _)) = self.entries.get(self.next) else {
            return Ok(None);
        };
        let text: StrDeserializer<'_, DeError> = key.text.as_str().into_deserializer();
        seed.deserialize(text).map(Some).map_err(|e| e.at(key.pos))
    }

    fn next_value_seed<V: DeserializeSeed<'n>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        let (key, node) = &self.entries[self.next];
        self.next += 1;
        seed.deserialize(NodeDe(node))
            .map_err(|e| e.at(node.pos).under(&key.text))
    }
}

struct Choice<'n> {
    name: &'n str,
    pos: Pos,
    content: Option<&'n Node>,
}

impl<'n> EnumAccess<'n> for Choice<'n> {
    type Error = DeError;
    type Variant = Self;

    fn variant_seed<V: DeserializeSeed<'n>>(self, seed: V) -> Result<(V::Value, Self), DeError> {
        let name: StrDeserializer<'_, DeError> = self.name.into_deserializer();
        let variant = seed.deserialize(name).map_err(|e| e.at(self.pos))?;
        Ok((variant, self))
    }
}

impl<'n> VariantAccess<'n> for Choice<'n> {
    type Error = DeError;

    fn unit_variant(self) -> Result<(), DeError> {
        match self.content {
            None => Ok(()),
            Some(node) if matches!(node.value, Value::Null) => Ok(()),
            Some(node) => {
                let message = format!("`{}` takes no value, found {}", self.name, node.describe());
                Err(DeError(Problem::new(node.pos, self.name, message)))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, DeError> {
        let empty = Node {
            value: Value::Null,
            pos: self.pos,
        };
        match self.content {
            Some(node) => seed
                .deserialize(NodeDe(node))
                .map_err(|e| e.at(node.pos).under(self.name)),
            None => seed.deserialize(OwnedDe(empty)).map_err(|e| e.at(self.pos)),
        }
    }

    fn tuple_variant<V: Visitor<'n>>(self, _len: usize, visitor: V) -> Result<V::Value, DeError> {
        self.struct_variant(&[], visitor)
    }

    fn struct_variant<V: Visitor<'n>>(
        self,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        match self.content {
            Some(node) => NodeDe(node)
                .deserialize_struct("", &[], visitor)
                .map_err(|e| e.at(node.pos).under(self.name)),
            None => visitor
                .visit_map(Entries {
                    entries: &[],
                    next: 0,
                })
                .map_err(|e: DeError| e.at(self.pos)),
        }
    }
}

/// Nothing at all: what a bare variant name has for its content.
struct OwnedDe(Node);

impl<'de> Deserializer<'de> for OwnedDe {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_unit().map_err(|e: DeError| e.at(self.0.pos))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor
            .visit_map(Entries {
                entries: &[],
                next: 0,
            })
            .map_err(|e: DeError| e.at(self.0.pos))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

struct FieldProbe<'a>(&'a mut &'static [&'static str]);

impl<'de> Deserializer<'de> for FieldProbe<'_> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DeError> {
        Err(de::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        fields: &'static [&'static str],
        _visitor: V,
    ) -> Result<V::Value, DeError> {
        *self.0 = fields;
        Err(de::Error::custom("a probe"))
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}
