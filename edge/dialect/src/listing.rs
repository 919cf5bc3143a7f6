//! The list of models, and one of them, as Anthropic's and Gemini's APIs give them, in pages.
//!
//! Knows nothing of which models there are or who may see them. `OpenAI`'s own form has no pages and stands with the
//! rest of its dialect.

use payload::writer::Writer;

use crate::gemini::created;

/// The most models on one page, in both APIs.
pub const PAGE_MAX: usize = 1_000;

/// A model as it is listed.
#[derive(Debug, Clone, Copy)]
pub struct Shown<'a> {
    /// What clients ask for.
    pub name: &'a str,
    /// The name of the version that serves.
    pub version: &'a str,
    /// When it was made, in seconds since 1970.
    pub created_seconds: u64,
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// How many; `None` means: as many as the API gives by itself.
    pub size: Option<usize>,
    /// Those whose names follow this one.
    pub after: Option<String>,
    /// Those whose names come before this one.
    pub before: Option<String>,
}

/// A page in Anthropic's form, of models in the order of their names.
pub fn messages(models: &[Shown<'_>], page: &Page) -> Vec<u8> {
    let (shown, more) = page.of(models, 20);
    let mut writer = Writer::with_capacity(64 + shown.len() * 160);
    writer.open().key("data").open_array();
    for model in shown {
        write_messages(&mut writer, model);
    }
    writer.close_array().key("has_more").flag(more);
    for (key, model) in [("first_id", shown.first()), ("last_id", shown.last())] {
        writer.key(key);
        match model {
            Some(model) => writer.text(model.name),
            None => writer.null(),
        };
    }
    writer.close();
    writer.into_bytes()
}

/// One model in Anthropic's form.
pub fn messages_one(model: &Shown<'_>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(160);
    write_messages(&mut writer, model);
    writer.into_bytes()
}

/// A page in Gemini's form, of models in the order of their names.
pub fn gemini(models: &[Shown<'_>], page: &Page) -> Vec<u8> {
    let (shown, more) = page.of(models, 50);
    let mut writer = Writer::with_capacity(64 + shown.len() * 200);
    writer.open().key("models").open_array();
    for model in shown {
        write_gemini(&mut writer, model);
    }
    writer.close_array();
    if let Some(last) = shown.last().filter(|_| more) {
        writer.key("nextPageToken").text(last.name);
    }
    writer.close();
    writer.into_bytes()
}

/// One model in Gemini's form.
pub fn gemini_one(model: &Shown<'_>) -> Vec<u8> {
    let mut writer = Writer::with_capacity(200);
    write_gemini(&mut writer, model);
    writer.into_bytes()
}

fn write_messages(writer: &mut Writer, model: &Shown<'_>) {
    writer.open().key("type").text("model");
    writer.key("id").text(model.name);
    writer.key("display_name").text(model.name);
    writer
        .key("created_at")
        .text(&created::text(model.created_seconds));
    writer.key("lifecycle").text("active").close();
}

fn write_gemini(writer: &mut Writer, model: &Shown<'_>) {
    writer
        .open()
        .key("name")
        .text(&format!("models/{}", model.name));
    writer.key("version").text(model.version);
    writer.key("displayName").text(model.name);
    writer.key("supportedGenerationMethods").open_array();
    writer.text("generateContent").text("countTokens");
    writer.close_array().close();
}

// === impl Page ===

impl Page {
    /// The models of this page, and whether there are more in the direction in which it was turned.
    fn of<'m, 'n>(&self, models: &'m [Shown<'n>], usual: usize) -> (&'m [Shown<'n>], bool) {
        let size = self.size.unwrap_or(usual).clamp(1, PAGE_MAX);
        if let Some(before) = &self.before {
            let end = models.partition_point(|it| it.name < before.as_str());
            let start = end.saturating_sub(size);
            return (&models[start..end], start > 0);
        }
        let after = self.after.as_deref().unwrap_or_default();
        let start = models.partition_point(|it| it.name <= after && !after.is_empty());
        let end = (start + size).min(models.len());
        (&models[start..end], end < models.len())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn shown(name: &str) -> Shown<'_> {
        Shown {
            name,
            version: "v1",
            created_seconds: 1_700_000_000,
        }
    }

    fn read(bytes: &[u8]) -> Value {
        serde_json::from_slice(bytes).unwrap()
    }

    #[test]
    fn pages_turn_both_ways_until_there_is_no_more() {
        let models = ["a", "b", "c"].map(shown);
        let page = |size, after: Option<&str>, before: Option<&str>| {
            let page = Page {
                size: Some(size),
                after: after.map(str::to_owned),
                before: before.map(str::to_owned),
            };
            let list = read(&messages(&models, &page));
            let ids: Vec<_> = list["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|it| it["id"].clone())
                .collect();
            (
                json!(ids),
                list["has_more"].clone(),
                list["last_id"].clone(),
            )
        };
        assert_eq!(
            page(2, None, None),
            (json!(["a", "b"]), json!(true), json!("b"))
        );
        assert_eq!(
            page(2, Some("b"), None),
            (json!(["c"]), json!(false), json!("c"))
        );
        assert_eq!(
            page(2, None, Some("c")),
            (json!(["a", "b"]), json!(false), json!("b"))
        );
        assert_eq!(
            page(1, None, Some("c")),
            (json!(["b"]), json!(true), json!("b"))
        );
        assert_eq!(
            page(1, Some("c"), None),
            (json!([]), json!(false), Value::Null)
        );
    }

    #[test]
    fn both_forms_have_what_their_clients_read() {
        let models = ["a", "b"].map(shown);
        let one = read(&messages_one(&models[0]));
        assert_eq!(
            one,
            json!({"type": "model", "id": "a", "display_name": "a", "created_at": "2023-11-14T22:13:20Z",
                "lifecycle": "active"})
        );
        let page = Page {
            size: Some(1),
            ..Page::default()
        };
        let list = read(&gemini(&models, &page));
        assert_eq!(list["nextPageToken"], "a");
        assert_eq!(list["models"][0], read(&gemini_one(&models[0])));
        assert_eq!(list["models"][0]["name"], "models/a");
        let all = read(&gemini(&models, &Page::default()));
        assert_eq!(
            (
                all["models"].as_array().unwrap().len(),
                all.get("nextPageToken")
            ),
            (2, None)
        );
    }
}
