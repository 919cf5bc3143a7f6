//! Schemas in Google's subset of `OpenAPI`, made into JSON Schema.
//!
//! Knows where the two differ. Must never be used for the way back: JSON Schema is what Google prefers.

use payload::{
    object::{self, Misfit, Object},
    scalar,
    writer::Writer,
};

use crate::{gemini::member, neutral::Json};

/// Names of types, in the order of the numbers that stand for them.
const TYPES: [&str; 7] = [
    "string", "number", "integer", "boolean", "array", "object", "null",
];

/// Members that are one schema, several, or schemas by name.
const ONE: [&str; 2] = ["items", "additionalProperties"];
const SEVERAL: [&str; 3] = ["anyOf", "prefixItems", "allOf"];
const NAMED: [&str; 2] = ["properties", "$defs"];

/// Counts that Google writes in quotes.
const COUNTS: [&str; 6] = [
    "minItems",
    "maxItems",
    "minLength",
    "maxLength",
    "minProperties",
    "maxProperties",
];

/// The same schema as JSON Schema. The nesting is bounded by the reader of JSON.
pub(crate) fn json_schema(raw: &str) -> Result<Json, Misfit> {
    let mut writer = Writer::with_capacity(raw.len() + 32);
    schema(&mut writer, raw)?;
    let bytes = writer.into_bytes();
    Ok(Json::of(str::from_utf8(&bytes).unwrap_or("{}")))
}

fn schema(writer: &mut Writer, raw: &str) -> Result<(), Misfit> {
    if !raw.starts_with('{') {
        // `additionalProperties: false`, and whatever else is no schema.
        writer.raw(raw);
        return Ok(());
    }
    let mut members = Object::parse(raw)?;
    let nullable = members.flag("nullable")?.unwrap_or(false);
    writer.open();
    if let Some(kind) = members.raw("type")?.and_then(type_name) {
        writer.key("type");
        if nullable {
            writer.open_array().text(&kind).text("null").close_array();
        } else {
            writer.text(&kind);
        }
    }
    for (name, raw) in members.rest() {
        let name = camel(&name);
        if name == "propertyOrdering" || raw == "null" {
            continue;
        }
        writer.key(&name);
        member_of(writer, &name, raw).map_err(|misfit| misfit.within(&name))?;
    }
    writer.close();
    Ok(())
}

fn member_of(writer: &mut Writer, name: &str, raw: &str) -> Result<(), Misfit> {
    if ONE.contains(&name) {
        return schema(writer, raw);
    }
    if SEVERAL.contains(&name) {
        writer.open_array();
        for element in object::elements(raw)? {
            schema(writer, element)?;
        }
        writer.close_array();
    } else if NAMED.contains(&name) {
        writer.open();
        for (property, raw) in Object::parse(raw)?.rest() {
            writer.key(&property);
            schema(writer, raw).map_err(|misfit| misfit.within(&property))?;
        }
        writer.close();
    } else if let Some(count) = member::whole(raw).filter(|_| COUNTS.contains(&name)) {
        writer.number(count);
    } else {
        writer.raw(raw);
    }
    Ok(())
}

/// The name of a type, given in capitals or as the number that stands for it. `None` if it says nothing.
fn type_name(raw: &str) -> Option<String> {
    if let Some(name) = scalar::string(raw) {
        return (name != "TYPE_UNSPECIFIED").then(|| name.to_ascii_lowercase());
    }
    let number = usize::try_from(scalar::whole_number(raw)?).ok()?;
    TYPES.get(number.checked_sub(1)?).map(ToString::to_string)
}

fn camel(name: &str) -> String {
    let mut words = name.split('_');
    let mut camel = words.next().unwrap_or_default().to_owned();
    for word in words {
        let mut letters = word.chars();
        camel.extend(letters.next().map(|first| first.to_ascii_uppercase()));
        camel.push_str(letters.as_str());
    }
    camel
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn types_lose_their_capitals_and_null_becomes_a_type() {
        let raw = r#"{"type":"OBJECT","properties":{"type":{"type":"STRING","nullable":true},
            "a_b":{"type":5,"items":{"type":"INTEGER"},"min_items":"2"}},"required":["type"],
            "propertyOrdering":["type"],"anyOf":[{"type":"NUMBER"}],"additionalProperties":false}"#;
        assert_eq!(
            json_schema(raw).unwrap().as_str(),
            r#"{"type":"object","properties":{"type":{"type":["string","null"]},"a_b":{"type":"array","items":{"type":"integer"},"minItems":2}},"required":["type"],"anyOf":[{"type":"number"}],"additionalProperties":false}"#
        );
        assert_eq!(json_schema("{}").unwrap().as_str(), "{}");
    }
}
