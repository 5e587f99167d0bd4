//! Turns a [`Node`] into a typed value; every error knows the position and the path of what it is about.
//! Unaware of stages; the types decide what is allowed.

use serde::de::value::StrDeserializer;
use serde::de::{
    self, DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess,
    Unexpected, VariantAccess, Visitor,
};

use crate::error::{Problem, suggest};
use crate::node::{Key, Node, Pos, Value};
use crate::scalar::{Meaning, meaning};

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

    /// The same about the number as it is written, which serde has as it is computed.
    fn written_as(mut self, text: &str) -> Self {
        if let Some(at) = self.0.message.rfind("found the number `") {
            let kept = at + "found the number `".len();
            self.0.message.truncate(kept);
            self.0.message += text;
            self.0.message.push('`');
        }
        self
    }

    /// The same about a text in quotes that would be what is expected without them: YAML reads `"4"` as a text.
    fn quoted(mut self, text: &str) -> Self {
        let is_typed = !matches!(meaning(text), Meaning::Text | Meaning::Null);
        let message = &self.0.message;
        let expects = ["number", "`true` or `false`"]
            .iter()
            .any(|word| message.contains(word));
        if let Some(before) = message.strip_suffix(&format!("found `{text}`"))
            && is_typed
            && expects
        {
            let message = format!("{before}found the text `\"{text}\"`");
            self.0.message = message;
            return Self(self.0.hint(format!(
                "quotes make it a text: write `{text}` without them"
            )));
        }
        self
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
            Unexpected::Unsigned(i) => format!("the number `{i}`"),
            Unexpected::Float(x) => format!("the number `{x}`"),
            Unexpected::Bool(b) => format!("`{b}`"),
            Unexpected::Unit => "nothing".into(),
            Unexpected::Seq => "a list".into(),
            Unexpected::Map => "a mapping".into(),
            other => other.to_string(),
        };
        let expected = plain(expected);
        let error = Self::custom(format!("expected {expected}, found {found}"));
        match unexpected {
            Unexpected::Str(text) if expected == "a list" => {
                Self(error.0.hint(format!("write `[{text}]`")))
            }
            _ => error,
        }
    }

    fn invalid_value(unexpected: Unexpected<'_>, expected: &dyn de::Expected) -> Self {
        let most = match expected.to_string().as_str() {
            "u8" => u64::from(u8::MAX),
            "u16" => u64::from(u16::MAX),
            "u32" => u64::from(u32::MAX),
            _ => return Self::invalid_type(unexpected, expected),
        };
        match unexpected {
            Unexpected::Unsigned(number) => Self::custom(format!(
                "expected a whole number up to {most}, found the number `{number}`"
            )),
            other => Self::invalid_type(other, expected),
        }
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

/// Whether the field of the struct `T` takes a number.
pub(crate) fn takes_number<'de, T: de::Deserialize<'de>>(field: &'static str) -> bool {
    let mut found = false;
    // It ends with an error as soon as the field's type is known.
    let _ = T::deserialize(TypeProbe {
        field,
        found: &mut found,
    })
    .map(drop);
    found
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
        "a map" => "a mapping".into(),
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
            Value::Null(_) | Value::Gone => visitor.visit_unit(),
            Value::Plain(text) => return self.plain(text, visitor),
            Value::Str(s) => visitor
                .visit_borrowed_str(s)
                .map_err(|e: DeError| e.quoted(s)),
            Value::Seq(items) => visitor.visit_seq(Items { items, next: 0 }),
            Value::Map(entries) => visitor.visit_map(Entries { entries, next: 0 }),
        };
        result.map_err(|e: DeError| e.at(self.0.pos))
    }

    /// A plain scalar where a type of its own is not asked for: what YAML reads in it.
    fn plain<V: Visitor<'n>>(self, text: &'n str, visitor: V) -> Result<V::Value, DeError> {
        let result = match meaning(text) {
            Meaning::Bool(b) => visitor.visit_bool(b),
            Meaning::Whole(number) => return self.whole(text, number, visitor),
            Meaning::Fraction(number) => visitor.visit_f64(number),
            Meaning::Null | Meaning::Text => visitor.visit_borrowed_str(text),
        };
        result.map_err(|e: DeError| e.written_as(text).at(self.0.pos))
    }

    fn whole<V: Visitor<'n>>(
        self,
        text: &str,
        number: i128,
        visitor: V,
    ) -> Result<V::Value, DeError> {
        let result = match (u64::try_from(number), i64::try_from(number)) {
            (Ok(number), _) => visitor.visit_u64(number),
            (_, Ok(number)) => visitor.visit_i64(number),
            _ => Err(de::Error::invalid_type(
                Unexpected::Other("the number ``"),
                &visitor,
            )),
        };
        result.map_err(|e: DeError| e.written_as(text).at(self.0.pos))
    }

    /// A number for a field that takes fractions.
    fn fraction<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        let pos = self.0.pos;
        let Value::Plain(text) = &self.0.value else {
            return self.visit(visitor);
        };
        let number = match meaning(text) {
            Meaning::Whole(number) => text.parse().unwrap_or(number as f64),
            Meaning::Fraction(number) => number,
            _ => return self.visit(visitor),
        };
        visitor
            .visit_f64(number)
            .map_err(|e: DeError| e.written_as(text).at(pos))
    }

    /// The text of a plain scalar, whatever else it may mean.
    fn text<V: Visitor<'n>>(self, visitor: V) -> Result<V::Value, DeError> {
        match &self.0.value {
            Value::Plain(text) => visitor
                .visit_borrowed_str(text)
                .map_err(|e: DeError| e.at(self.0.pos)),
            _ => self.visit(visitor),
        }
    }
}

/// Methods that read one way for several types.
macro_rules! read_by {
    ($way:ident: $($method:ident)+) => {
        $(fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
            self.$way(visitor)
        })+
    };
}

impl<'de> Deserializer<'de> for NodeDe<'de> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        self.visit(visitor)
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        match self.0.value {
            Value::Null(_) | Value::Gone => visitor.visit_none(),
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
            Value::Null(_) | Value::Gone => visitor.visit_map(Entries {
                entries: &[],
                next: 0,
            }),
            // A list would be taken for the fields in their order.
            Value::Seq(_) => {
                let error: DeError = de::Error::invalid_type(Unexpected::Seq, &visitor);
                Err(error.at(self.0.pos))
            }
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

    read_by! { fraction: deserialize_f32 deserialize_f64 }
    read_by! { text: deserialize_char deserialize_str deserialize_string deserialize_bytes deserialize_byte_buf }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 unit unit_struct seq tuple tuple_struct map identifier
        ignored_any
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
            Some(node) if matches!(node.value, Value::Null(_)) => Ok(()),
            Some(node) => {
                let message = format!("`{}` takes no value, found {}", self.name, node.describe());
                Err(DeError(Problem::new(node.pos, self.name, message)))
            }
        }
    }

    fn newtype_variant_seed<T: DeserializeSeed<'n>>(self, seed: T) -> Result<T::Value, DeError> {
        let empty = Node {
            value: Value::Null(""),
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

/// A mapping of one field, which looks at what its type asks for.
struct TypeProbe<'a> {
    field: &'static str,
    found: &'a mut bool,
}

impl<'de> Deserializer<'de> for TypeProbe<'_> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DeError> {
        Err(de::Error::custom("not a struct"))
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _name: &'static str,
        _fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, DeError> {
        visitor.visit_map(self)
    }

    serde::forward_to_deserialize_any! {
        bool i8 i16 i32 i64 i128 u8 u16 u32 u64 u128 f32 f64 char str string bytes byte_buf option unit
        unit_struct newtype_struct seq tuple tuple_struct map enum identifier ignored_any
    }
}

impl<'de> MapAccess<'de> for TypeProbe<'_> {
    type Error = DeError;

    fn next_key_seed<K: DeserializeSeed<'de>>(
        &mut self,
        seed: K,
    ) -> Result<Option<K::Value>, DeError> {
        let name: StrDeserializer<'_, DeError> = self.field.into_deserializer();
        seed.deserialize(name).map(Some)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, DeError> {
        seed.deserialize(ValueProbe(self.found))
    }
}

struct ValueProbe<'a>(&'a mut bool);

impl ValueProbe<'_> {
    fn number<'de, V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DeError> {
        *self.0 = true;
        Err(de::Error::custom("a probe"))
    }
}

impl<'de> Deserializer<'de> for ValueProbe<'_> {
    type Error = DeError;

    fn deserialize_any<V: Visitor<'de>>(self, _visitor: V) -> Result<V::Value, DeError> {
        Err(de::Error::custom("a probe"))
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, DeError> {
        visitor.visit_some(self)
    }

    read_by! {
        number: deserialize_i8 deserialize_i16 deserialize_i32 deserialize_i64 deserialize_u8 deserialize_u16
        deserialize_u32 deserialize_u64 deserialize_f32 deserialize_f64
    }

    serde::forward_to_deserialize_any! {
        bool i128 u128 char str string bytes byte_buf unit unit_struct newtype_struct seq tuple tuple_struct map
        struct enum identifier ignored_any
    }
}
