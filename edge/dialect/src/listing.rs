//! The list of models, and one of them, as `OpenAI`'s API gives them, whole, and as Anthropic's and Gemini's do, in pages.
//!
//! Knows nothing of which models there are or who may see them: the caller gives what is to be shown.

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
    /// When it ends, if that is known.
    pub ending: Option<Ending<'a>>,
    /// The most tokens of a conversation and of an answer, as far as they are known.
    pub tokens_max: (Option<u32>, Option<u32>),
    /// What it can and cannot do, as far as that is known.
    pub abilities: &'a [(&'static str, bool)],
}

/// When a model ends, and what takes its place.
#[derive(Debug, Clone, Copy)]
pub struct Ending<'a> {
    /// From when nothing new is to use it, in seconds since 1970.
    pub from_seconds: u64,
    /// Whether that is over.
    pub has_begun: bool,
    /// From when nothing may use it, if that is known, in seconds since 1970.
    pub sunset_seconds: Option<u64>,
    /// What takes its place; may be empty.
    pub successor: &'a str,
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

/// A list in `OpenAI`'s form, and whose they are.
pub fn openai(models: &[Shown<'_>], owner: &str) -> Vec<u8> {
    let mut writer = Writer::with_capacity(64 + models.len() * 120);
    writer.open().key("object").text("list");
    writer.key("data").open_array();
    for model in models {
        write_openai(&mut writer, model, owner);
    }
    writer.close_array().close();
    writer.into_bytes()
}

/// One model in `OpenAI`'s form, and whose it is.
pub fn openai_one(model: &Shown<'_>, owner: &str) -> Vec<u8> {
    let mut writer = Writer::with_capacity(120);
    write_openai(&mut writer, model, owner);
    writer.into_bytes()
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

fn write_openai(writer: &mut Writer, model: &Shown<'_>, owner: &str) {
    writer.open().key("id").text(model.name);
    writer.key("object").text("model");
    writer.key("created").number(model.created_seconds);
    writer.key("owned_by").text(owner);
    if let Some(ending) = model.ending {
        if let Some(sunset) = ending.sunset_seconds {
            // `OpenAI`'s own word, which is a day.
            let at = created::text(sunset);
            let (day, _) = at.split_once('T').unwrap_or((&at, ""));
            writer.key("shutdown_date").text(day);
            writer.key("sunset_at").text(&at);
        }
        let from = created::text(ending.from_seconds);
        writer.key("deprecated_at").text(&from);
        if !ending.successor.is_empty() {
            writer.key("successor").text(ending.successor);
        }
    }
    write_tokens(writer, model, ["context_length", "max_output_tokens"]);
    if !model.abilities.is_empty() {
        writer.key("capabilities").open();
        for (ability, is_there) in model.abilities {
            writer.key(ability).flag(*is_there);
        }
        writer.close();
    }
    writer.close();
}

fn write_messages(writer: &mut Writer, model: &Shown<'_>) {
    writer.open().key("type").text("model");
    writer.key("id").text(model.name);
    writer.key("display_name").text(model.name);
    writer
        .key("created_at")
        .text(&created::text(model.created_seconds));
    // Until it is deprecated this API has no word for that it will be.
    if let Some(ending) = model.ending.filter(|it| it.has_begun) {
        let from = created::text(ending.from_seconds);
        writer.key("lifecycle").text("deprecated");
        writer.key("deprecated_at").text(&from);
        if let Some(sunset) = ending.sunset_seconds {
            writer.key("retires_at").text(&created::text(sunset));
        }
    } else {
        writer.key("lifecycle").text("active");
    }
    write_tokens(writer, model, ["max_input_tokens", "max_tokens"]);
    writer.close();
}

fn write_gemini(writer: &mut Writer, model: &Shown<'_>) {
    writer
        .open()
        .key("name")
        .text(&format!("models/{}", model.name));
    writer.key("version").text(model.version);
    writer.key("displayName").text(model.name);
    write_tokens(writer, model, ["inputTokenLimit", "outputTokenLimit"]);
    writer.key("supportedGenerationMethods").open_array();
    writer.text("generateContent").text("countTokens");
    writer.close_array().close();
}

/// The most tokens that go in and come out, under the names of an API, where they are known.
fn write_tokens(writer: &mut Writer, model: &Shown<'_>, names: [&str; 2]) {
    let (input, output) = model.tokens_max;
    for (name, tokens) in names.into_iter().zip([input, output]) {
        if let Some(tokens) = tokens {
            writer.key(name).number(tokens.into());
        }
    }
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
            ending: None,
            tokens_max: (None, None),
            abilities: &[],
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
    fn openais_form_lists_all_in_the_order_given() {
        let models = ["fast", "a\"b"].map(shown);
        let list = read(&openai(&models, "acme"));
        assert_eq!(list["object"], "list");
        assert_eq!(list["data"][0]["created"], 1_700_000_000);
        assert_eq!(list["data"][1]["id"], "a\"b");
        assert_eq!(list["data"][1], read(&openai_one(&models[1], "acme")));
        assert_eq!(openai(&[], "acme"), br#"{"object":"list","data":[]}"#);
    }

    #[test]
    fn a_model_that_ends_says_when_and_what_takes_its_place() {
        let model = Shown {
            ending: Some(Ending {
                from_seconds: 1_700_000_000,
                has_begun: false,
                sunset_seconds: Some(1_800_000_000),
                successor: "new",
            }),
            ..shown("old")
        };
        assert_eq!(
            read(&openai_one(&model, "acme")),
            json!({"id": "old", "object": "model", "created": 1_700_000_000, "owned_by": "acme",
                "shutdown_date": "2027-01-15", "sunset_at": "2027-01-15T08:00:00Z",
                "deprecated_at": "2023-11-14T22:13:20Z", "successor": "new"})
        );
    }

    #[test]
    fn a_model_that_ends_says_so_in_anthropics_words_once_it_is_deprecated() {
        let ending = Ending {
            from_seconds: 1_700_000_000,
            has_begun: true,
            sunset_seconds: Some(1_800_000_000),
            successor: "b",
        };
        let at = |ending| {
            let model = Shown {
                ending: Some(ending),
                ..shown("a")
            };
            read(&messages_one(&model))
        };
        let told = at(ending);
        assert_eq!(told["lifecycle"], "deprecated");
        assert_eq!(told["deprecated_at"], "2023-11-14T22:13:20Z");
        assert_eq!(told["retires_at"], "2027-01-15T08:00:00Z");
        let early = at(Ending {
            has_begun: false,
            ..ending
        });
        assert_eq!(early["lifecycle"], "active");
        assert!(early.get("retires_at").is_none());
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
