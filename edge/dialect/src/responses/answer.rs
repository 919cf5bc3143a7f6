//! A whole answer.
//!
//! Owns what a response object says, as neutral parts and a reason to stop. Must never know how it came: a stream is
//! put together elsewhere, and gives the same parts.

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    Tokens,
    neutral::{Answer, Choice, Content, Extra, Family, Part, Seed, Source, Stop},
    responses::{
        content::{self, MESSAGE},
        echo::Echo,
        item::{self, Item, OTHER, REDACTED},
        output::{self, Call, Words},
        own,
        snapshot::{self, Progress, Snapshot},
        usage,
    },
    tokens::Tier,
};

/// Reads what a provider answered.
pub fn decode(body: &str, seed: &Seed) -> Result<Answer, Misfit> {
    let mut object = Object::parse(body)?;
    let mut answer = Answer {
        id: object.text("id")?.unwrap_or_default().into(),
        model: object.text("model")?.unwrap_or_default().into(),
        created_seconds: object.count("created_at")?,
        ..Answer::default()
    };
    object.raw("object")?;
    let items = object.array("output")?;
    let items = items.ok_or_else(|| Misfit::new("must be an array").within("output"))?;
    let parts = read_parts(&items, seed).map_err(|misfit| misfit.within("output"))?;
    let (stop, tokens) = read_end(&mut object, &parts, &mut answer.extra)?;
    answer.tokens = tokens;
    own::keep(object, "", &mut answer.extra);
    // Something must say whose answer it is, even if the response says no more than it must.
    if answer.extra.is_empty() {
        answer.extra.push(own::extra("object", "\"response\""));
    }
    answer.choices.push(Choice {
        parts,
        stop,
        extra: Vec::new(),
    });
    Ok(answer)
}

fn read_parts(items: &[&str], seed: &Seed) -> Result<Vec<Part>, Misfit> {
    let mut parts = Vec::new();
    let mut calls = 0;
    for (at, raw) in items.iter().enumerate() {
        let call_id = seed.tool_call_id(calls);
        let item = item::read(raw, Some(&call_id)).map_err(|misfit| misfit.within_element(at))?;
        match item {
            Item::Message(_, mut said) => parts.append(&mut said),
            // Thoughts that say nothing and prove nothing are for their own family only.
            Item::Model(part) if is_hollow(&part) => {
                parts.push(Part::other(own::extra(OTHER, raw)));
            }
            Item::Model(part) | Item::Reply(part) => {
                calls += u32::from(matches!(part.content, Content::ToolCall { .. }));
                parts.push(part);
            }
        }
    }
    Ok(parts)
}

fn is_hollow(part: &Part) -> bool {
    matches!(&part.content, Content::Reasoning { text, signature: None } if text.is_empty())
}

/// Why a response ended and what it used, taken from its members. What they do not say in common is kept.
pub(crate) fn read_end(
    object: &mut Object<'_>,
    parts: &[Part],
    extra: &mut Vec<Extra>,
) -> Result<(Option<Stop>, Option<Tokens>), Misfit> {
    let declined = |part: &Part| matches!(part.content, Content::Refusal(_));
    let called = |part: &Part| matches!(part.content, Content::ToolCall { .. });
    let seen = Seen {
        declined: parts.iter().any(declined),
        called: parts.iter().any(called),
    };
    let stop = read_stop(object, seen, extra)?;
    let tokens = object.raw("usage")?.and_then(|raw| usage::read(raw, extra));
    let tier = Tier::told(object.peek("service_tier"));
    Ok((stop, tokens.map(|it| it.served(tier))))
}

/// What was among the parts of an answer.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Seen {
    /// A refusal.
    pub(crate) declined: bool,
    /// A call.
    pub(crate) called: bool,
}

// === impl Seen ===

impl Seen {
    /// Why a response ended that is complete.
    pub(crate) const fn completed(self) -> Stop {
        if self.declined {
            Stop::Refused(None)
        } else if self.called {
            Stop::ToolCalls
        } else {
            Stop::End
        }
    }
}

/// Why a response ended. A cut goes before everything else, because what was cut off is not to be used.
pub(crate) fn read_stop(
    object: &mut Object<'_>,
    seen: Seen,
    extra: &mut Vec<Extra>,
) -> Result<Option<Stop>, Misfit> {
    let status = object.raw("status")?.unwrap_or("\"completed\"");
    let details = object.raw("incomplete_details")?;
    let error = object.raw("error")?;
    let stop = match object::text(status)?.as_ref() {
        "completed" => seen.completed(),
        "incomplete" => {
            let reason = details.map(Object::parse).transpose()?;
            let reason = match reason {
                Some(mut reason) => reason.text("reason")?,
                None => None,
            };
            match reason.as_deref() {
                Some("content_filter") => Stop::Filtered,
                Some("max_output_tokens") => Stop::Length,
                _ => {
                    extra.extend(details.map(|raw| own::extra("incomplete_details", raw)));
                    Stop::Length
                }
            }
        }
        "failed" => {
            let said = error.and_then(|raw| crate::responses::error::said(0, raw));
            extra.extend(error.map(|raw| own::extra("error", raw)));
            Stop::Failed(said.map_or_else(|| "failed".to_owned(), |it| it.message))
        }
        other => {
            extra.push(own::extra("status", status));
            return Ok((other == "cancelled").then(|| Stop::Failed("cancelled".to_owned())));
        }
    };
    Ok(Some(stop))
}

/// Writes an answer to a request of which nothing is known.
pub fn encode(answer: &Answer, seed: &Seed) -> Vec<u8> {
    encode_for(answer, seed, &Echo::default())
}

/// Writes an answer, with what it repeats of its request. The first of several choices is the answer: this dialect has
/// no more.
pub fn encode_for(answer: &Answer, seed: &Seed, echo: &Echo) -> Vec<u8> {
    let choice = answer.choices.first();
    let status = Progress::of(choice.and_then(|choice| choice.stop.as_ref()));
    let mut items = Items {
        writer: Writer::default(),
        next: 0,
        seed,
        echo,
        last: status.last_item(),
    };
    items.write(choice.map_or(&[], |choice| &choice.parts));
    let output = String::from_utf8(items.writer.into_bytes()).unwrap_or_default();
    let mut writer = Writer::with_capacity(1_024 + output.len());
    let response = Snapshot {
        id: &snapshot::id_of(answer, seed),
        model: &answer.model,
        created_seconds: answer.created_seconds.unwrap_or(seed.now_seconds),
        status,
        output: &output,
        tokens: answer.tokens.as_ref(),
    };
    response.write(&mut writer, echo, &answer.extra);
    writer.into_bytes()
}

struct Items<'a> {
    writer: Writer,
    next: u64,
    seed: &'a Seed,
    echo: &'a Echo,
    last: &'a str,
}

// === impl Items ===

impl Items<'_> {
    fn write(&mut self, parts: &[Part]) {
        let mut rest = parts;
        while let Some((first, behind)) = rest.split_first() {
            if content::is_content(first) && !matches!(first.content, Content::Image(_)) {
                let goes_on =
                    |part: &&Part| content::is_content(part) && !own::any(&part.extra, MESSAGE);
                let more = behind.iter().take_while(goes_on).count();
                let (message, behind) = rest.split_at(1 + more);
                self.message(message, behind.is_empty());
                rest = behind;
            } else {
                self.item(first, behind.is_empty());
                rest = behind;
            }
        }
    }

    fn message(&mut self, parts: &[Part], last: bool) {
        let status = self.status(last);
        let members = parts.first().map_or(&[][..], |part| &part.extra);
        let id = self.id("msg");
        output::begin_message(&mut self.writer, &id, status, members);
        let empty = own::find(members, &format!("{MESSAGE}content")).is_some();
        for part in parts.iter().filter(|_| !empty) {
            let (text, refusal) = match &part.content {
                Content::Text(text) => (text, false),
                Content::Refusal(text) => (text, true),
                _ => {
                    if let Some(raw) = own::find(&part.extra, "content") {
                        self.writer.raw(raw);
                    }
                    continue;
                }
            };
            let words = Words {
                text,
                refusal,
                extra: &part.extra,
            };
            output::write_words(&mut self.writer, &words);
        }
        output::end_message(&mut self.writer, members);
    }

    fn item(&mut self, part: &Part, last: bool) {
        let status = self.status(last);
        let extra = &part.extra;
        match &part.content {
            Content::ToolCall {
                id,
                name,
                arguments,
            } => {
                let custom = own::find(extra, "type").is_some() || self.echo.is_custom(name);
                let call = Call {
                    id,
                    name,
                    arguments: if arguments.is_empty() {
                        "{}"
                    } else {
                        arguments
                    },
                    custom,
                };
                let id = self.id(if custom { "ctc" } else { "fc" });
                output::write_call(&mut self.writer, &call, &id, status, extra);
            }
            Content::Reasoning { text, signature } => {
                if text.is_empty() && signature.is_none() && own::ours(extra).next().is_none() {
                    return;
                }
                let id = self.id("rs");
                let sealed = signature.as_deref();
                output::write_reasoning(&mut self.writer, &id, text, sealed, extra);
            }
            Content::RedactedReasoning(data) => {
                let id = self.id("rs");
                let sealed = format!("{REDACTED}{data}");
                output::write_reasoning(&mut self.writer, &id, "", Some(&sealed), extra);
            }
            Content::Image(media) => {
                if let Source::Base64(data) = &media.source {
                    let id = self.id("ig");
                    let writer = self.writer.open().key("id").text(&id);
                    writer.key("type").text("image_generation_call");
                    let writer = writer.key("status").text("completed");
                    writer.key("result").text(data).close();
                }
            }
            Content::Other => {
                if let Some(extra) = extra.first().filter(|it| it.family == Family::Responses) {
                    self.writer.raw(extra.value.as_str());
                    self.next += 1;
                }
            }
            // What only stands in a request.
            _ => {}
        }
    }

    fn status(&self, last: bool) -> &'static str {
        if last && self.last != "completed" {
            "incomplete"
        } else {
            "completed"
        }
    }

    fn id(&mut self, prefix: &str) -> String {
        let id = output::item_id(prefix, self.seed, self.next);
        self.next += 1;
        id
    }
}
