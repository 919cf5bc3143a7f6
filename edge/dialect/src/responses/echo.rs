//! What an answer repeats of its request, which clients read from every response.
//!
//! Owns the members that stand in a response whatever was answered. Must never know the answer.

use payload::writer::Writer;

use crate::{
    neutral::{Dropped, Format, Request},
    responses::{own, page::Page, request, settings, target::Target, tool},
};

/// The members of a response that its request decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Echo {
    model: String,
    members: Vec<(&'static str, String)>,
    custom: Vec<String>,
}

/// Members that are repeated as they came, and what they are where they did not come. Nothing is ever stored, whatever
/// was asked.
const REPEATED: [(&str, &str); 9] = [
    ("background", "false"),
    ("max_tool_calls", "null"),
    ("metadata", "{}"),
    ("previous_response_id", "null"),
    ("prompt_cache_key", "null"),
    ("safety_identifier", "null"),
    ("truncation", "\"disabled\""),
    ("prompt_cache_retention", "null"),
    ("prompt_cache_options", "null"),
];

// === impl Echo ===

impl Default for Echo {
    fn default() -> Self {
        Self::of(&Request::default())
    }
}

impl Echo {
    /// What an answer to this request repeats.
    pub fn of(request: &Request) -> Self {
        let mut echo = Self {
            model: request.model.clone(),
            members: Vec::new(),
            custom: Vec::new(),
        };
        let instructions = request::instructions_of(&request.turns);
        echo.add("instructions", |out| nullable(out, instructions));
        echo.add("max_output_tokens", |out| match request.output_tokens_max {
            Some(most) => out.number(most),
            None => out.null(),
        });
        let parallel = request.parallel_tools.unwrap_or(true);
        echo.add("parallel_tool_calls", |out| out.flag(parallel));
        echo.add_tools(request);
        echo.add_settings(request);
        let tier = request.service_tier.as_deref();
        echo.add("service_tier", |out| nullable(out, tier));
        echo.add("store", |out| out.flag(false));
        let user = request.end_user.as_deref();
        echo.add("user", |out| nullable(out, user));
        for (name, default) in REPEATED {
            let raw = own::find(&request.extra, name).unwrap_or(default);
            echo.add(name, |out| out.raw(raw));
        }
        echo
    }

    fn add_tools(&mut self, request: &Request) {
        self.add("tool_choice", |out| {
            match (
                &request.tool_choice,
                own::find(&request.extra, "tool_choice"),
            ) {
                (Some(choice), _) => tool::write_choice(out, choice, &request.tools),
                (None, Some(raw)) => {
                    out.raw(raw);
                }
                (None, None) => {
                    out.text("auto");
                }
            }
            out
        });
        let mut target = Target::new("");
        // As another family's request, so that every member is there.
        target.crossing = true;
        let mut page = Page {
            writer: Writer::default(),
            dropped: Dropped::default(),
            target: &target,
        };
        // A tool that has no place in this dialect was not this dialect's client's.
        let tools = match tool::write(&mut page, &request.tools) {
            Ok(()) => page.writer.into_bytes(),
            Err(_) => b"[]".to_vec(),
        };
        self.members.push(("tools", text(tools)));
        let custom = request.tools.iter().filter(|it| tool::is_custom(it));
        self.custom = custom.map(|it| it.name.clone()).collect();
    }

    fn add_settings(&mut self, request: &Request) {
        let sampling = &request.sampling;
        for (name, value) in [
            ("temperature", &sampling.temperature),
            ("top_p", &sampling.top_p),
        ] {
            let raw = value.as_ref().map_or("null", |value| value.as_str());
            self.add(name, |out| out.raw(raw));
        }
        let likely = sampling.top_logprobs.unwrap_or(0);
        self.add("top_logprobs", |out| out.number(likely));
        let format: &Format = &request.format;
        let mut out = Writer::default();
        settings::write_text(&mut out, format, &request.extra, true);
        self.take("text", out, "{}");
        let mut out = Writer::default();
        if let Some(reasoning) = &request.reasoning {
            settings::write_reasoning(&mut out, reasoning, true);
        }
        self.take("reasoning", out, r#"{"effort":null,"summary":null}"#);
    }

    /// Takes a member that was written with its name.
    fn take(&mut self, name: &'static str, out: Writer, default: &str) {
        let written = text(out.into_bytes());
        let value = written.split_once(':').map_or(default, |(_, value)| value);
        self.members.push((name, value.to_owned()));
    }

    fn add(&mut self, name: &'static str, write: impl FnOnce(&mut Writer) -> &mut Writer) {
        let mut out = Writer::default();
        write(&mut out);
        self.members.push((name, text(out.into_bytes())));
    }

    /// The model that was asked for.
    pub(crate) fn model(&self) -> &str {
        &self.model
    }

    /// The members and their raw values.
    pub(crate) fn members(&self) -> impl Iterator<Item = (&'static str, &str)> {
        self.members.iter().map(|(name, raw)| (*name, raw.as_str()))
    }

    /// Whether this tool takes any text, by a call of its own kind.
    pub(crate) fn is_custom(&self, tool: &str) -> bool {
        self.custom.iter().any(|name| name == tool)
    }
}

fn nullable<'a>(out: &'a mut Writer, text: Option<&str>) -> &'a mut Writer {
    match text {
        Some(text) => out.text(text),
        None => out.null(),
    }
}

fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_default()
}
