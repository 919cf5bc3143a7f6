//! The settings while they are put together: what the file says, with variables laid over it.
//!
//! Knows names and where a value came from; what a value means is its reader's to say. A variable replaces
//! one field and never a section, and no error quotes a value that stands where a section should.

use std::collections::BTreeMap;

use serde::de::{
    DeserializeOwned, Deserializer, Error as _, IntoDeserializer, Visitor, value::MapDeserializer,
};
use toml::{Table, Value, de::Error};

use crate::variable::Text;

/// What the name of every variable of ours begins with.
pub(crate) const PREFIX: &str = "SLUICE_";

/// The settings, not yet typed.
#[derive(Default)]
pub(crate) struct Layers {
    root: Section,
    /// The variable that set a field or brought a section, by its path.
    variables: BTreeMap<String, String>,
}

/// Why the layers do not make settings.
#[derive(Debug)]
pub(crate) enum Refused {
    /// The file is not TOML. Lines are counted from one.
    Syntax { line: usize, why: String },
    /// A setting is unknown, missing, or of another type; `path` is empty for the whole.
    Field {
        path: String,
        why: String,
        variable: Option<String>,
    },
    /// A variable cannot name a setting.
    Variable { name: String, why: &'static str },
}

type Section = BTreeMap<String, Node>;

enum Node {
    Section(Section),
    Value(Value),
    Variable(Text),
}

// === impl Layers ===

impl Layers {
    /// The settings of a file.
    pub(crate) fn parse(text: &str) -> Result<Self, Refused> {
        let table: Table = text.parse().map_err(|error: Error| {
            // Not the error's own text: it quotes the line, and the line may hold a secret.
            let at = error.span().map_or(0, |span| span.start);
            let line = 1 + text.bytes().take(at).filter(|byte| *byte == b'\n').count();
            Refused::Syntax {
                line,
                why: error.message().to_owned(),
            }
        })?;
        Ok(Self {
            root: section(table),
            variables: BTreeMap::new(),
        })
    }

    /// Lays a variable over the settings.
    pub(crate) fn overlay(&mut self, name: &str, value: String) -> Result<(), Refused> {
        let refuse = |why| Refused::Variable {
            name: name.to_owned(),
            why,
        };
        let upper = |byte: u8| byte.is_ascii_uppercase() || byte.is_ascii_digit() || byte == b'_';
        let rest = name
            .strip_prefix(PREFIX)
            .filter(|rest| rest.bytes().all(upper));
        let path: Vec<String> = rest
            .unwrap_or_default()
            .split("__")
            .map(str::to_ascii_lowercase)
            .collect();
        let ([sections @ .., field], false) = (path.as_slice(), path.iter().any(String::is_empty))
        else {
            return Err(refuse(
                "unknown variable, a setting is SLUICE_SECTION__FIELD",
            ));
        };
        if sections.is_empty() {
            return Err(refuse(
                "unknown variable, a setting is SLUICE_SECTION__FIELD with two underscores between",
            ));
        }
        let mut place = &mut self.root;
        for (depth, section) in sections.iter().enumerate() {
            let node = place.entry(section.clone()).or_insert_with(|| {
                // A section that the file does not have is there because of this variable.
                self.variables
                    .insert(path[..=depth].join("."), name.to_owned());
                Node::Section(Section::new())
            });
            let Node::Section(inner) = node else {
                return Err(refuse("names a field inside a setting that is no section"));
            };
            place = inner;
        }
        if let Some(Node::Section(_)) = place.insert(field.clone(), Node::Variable(Text(value))) {
            return Err(refuse("names a section, set its fields one by one"));
        }
        self.variables.insert(path.join("."), name.to_owned());
        Ok(())
    }

    /// The settings, typed.
    pub(crate) fn settings<T: DeserializeOwned>(self) -> Result<T, Refused> {
        let Self { root, variables } = self;
        serde_path_to_error::deserialize(Node::Section(root)).map_err(|error| {
            let path = match error.path().to_string() {
                whole if whole == "." => String::new(),
                path => path,
            };
            let why = error.into_inner().message().to_owned();
            // An element of a list was set by the variable that set the list; what is missing, by none.
            let variable = variables
                .get(path.split('[').next().unwrap_or_default())
                .filter(|_| !why.starts_with("missing field"))
                .cloned();
            Refused::Field {
                path,
                why,
                variable,
            }
        })
    }
}

fn section(table: Table) -> Section {
    let node = |value| match value {
        Value::Table(inner) => Node::Section(section(inner)),
        value => Node::Value(value),
    };
    table
        .into_iter()
        .map(|(name, value)| (name, node(value)))
        .collect()
}

// === impl Node ===

impl IntoDeserializer<'_, Error> for Node {
    type Deserializer = Self;

    fn into_deserializer(self) -> Self {
        self
    }
}

macro_rules! to_what_it_is {
    ($($method:ident($($argument:ident: $type:ty),*))*) => {$(
        fn $method<V: Visitor<'de>>(self, $($argument: $type,)* visitor: V) -> Result<V::Value, Error> {
            match self {
                Self::Section(section) => {
                    MapDeserializer::new(section.into_iter()).$method($($argument,)* visitor)
                }
                Self::Value(value) => value.$method($($argument,)* visitor),
                Self::Variable(text) => text.$method($($argument,)* visitor),
            }
        }
    )*};
}

impl<'de> Deserializer<'de> for Node {
    type Error = Error;

    to_what_it_is! {
        deserialize_any() deserialize_bool() deserialize_i8() deserialize_i16() deserialize_i32()
        deserialize_i64() deserialize_u8() deserialize_u16() deserialize_u32() deserialize_u64()
        deserialize_f32() deserialize_f64() deserialize_char() deserialize_str() deserialize_string()
        deserialize_bytes() deserialize_byte_buf() deserialize_unit() deserialize_seq() deserialize_map()
        deserialize_identifier() deserialize_ignored_any()
        deserialize_tuple(length: usize)
        deserialize_unit_struct(name: &'static str)
        deserialize_tuple_struct(name: &'static str, length: usize)
        deserialize_enum(name: &'static str, variants: &'static [&'static str])
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Error> {
        visitor.visit_some(self)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Error> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Error> {
        match self {
            Self::Section(section) => visitor.visit_map(MapDeserializer::new(section.into_iter())),
            // The usual error quotes the value, and it may be a secret set one level too high.
            Self::Value(_) | Self::Variable(_) => Err(Error::custom("expected a section")),
        }
    }
}
