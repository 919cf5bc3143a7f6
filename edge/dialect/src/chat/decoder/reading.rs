//! What the chunks of a stream mean.
//!
//! Owns when a stream is whole: at `[DONE]`, or at its end once every answer has said why it ended. Must never take a
//! broken stream for a whole one, nor count usage twice: the last report wins.

use crate::{
    Tokens,
    chat::{
        call,
        decoder::choice::{Choice, Piece, Shape},
        error, extras, part, stop, thoughts, usage,
    },
    neutral::{Class, Content, Error, Event, Seed, Stop},
    object::{Misfit, Object},
};

/// How many answers one stream may have. Full: the stream is given up.
const CHOICES_MAX: usize = 128;
/// How many members of chunks are told of, each once. Full: the rest is left out.
const MEMBERS_MAX: usize = 16;
/// Members that are there to fill space.
const PADDING: [&str; 2] = ["obfuscation", "p"];

/// Where a stream stands.
#[derive(Debug)]
pub(crate) struct Reading {
    seed: Seed,
    started: bool,
    done: bool,
    choices: Vec<Choice>,
    calls: u32,
    tokens: Option<Tokens>,
    told: Vec<String>,
}

// === impl Reading ===

impl Reading {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            seed: seed.clone(),
            started: false,
            done: false,
            choices: Vec::new(),
            calls: 0,
            tokens: None,
            told: Vec::new(),
        }
    }

    pub(crate) const fn is_done(&self) -> bool {
        self.done
    }

    /// One event.
    pub(crate) fn data(&mut self, name: Option<&[u8]>, data: &[u8], out: &mut Vec<Event>) {
        if self.done {
            return;
        }
        if data.starts_with(b"[DONE]") {
            return self.conclude(out);
        }
        if name == Some(b"error") {
            return self.fail(error::decode(200, data), out);
        }
        let taken = match str::from_utf8(data) {
            Ok(data) => self.chunk(data, out),
            Err(_) => Err(Misfit::new("must be UTF-8")),
        };
        if let Err(misfit) = taken {
            let message = format!("the provider's stream cannot be read: {misfit}");
            self.fail(Error::new(Class::Provider, message), out);
        }
    }

    /// Ends the stream in an error.
    pub(crate) fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        if self.done {
            return;
        }
        for choice in &mut self.choices {
            choice.flush(out);
        }
        out.extend(self.tokens.filter(|_| self.started).map(Event::Usage));
        out.push(Event::Error(error));
        self.done = true;
    }

    /// Nothing more comes.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        if self.done {
            return;
        }
        let ended = |choice: &Choice| choice.finish.is_some();
        if !self.choices.is_empty() && self.choices.iter().all(ended) {
            self.conclude(out);
        } else {
            let message = "the provider's stream broke off";
            self.fail(Error::new(Class::Provider, message), out);
        }
    }

    fn chunk(&mut self, data: &str, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let mut chunk = Object::parse(data)?;
        let object = chunk.text("object")?;
        let failed = chunk
            .raw("error")?
            .is_some_and(|raw| !matches!(raw, "false" | "\"\"" | "{}"));
        if failed || object.as_deref() == Some("error") {
            self.fail(error::decode(200, data.as_bytes()), out);
            return Ok(());
        }
        self.usage(&mut chunk)?;
        let id = chunk.text("id")?.unwrap_or_default();
        let model = chunk.text("model")?.unwrap_or_default();
        let created_seconds = chunk.count("created")?;
        let choices = chunk.array("choices")?.unwrap_or_default();
        // Some begin with a chunk that says nothing, not even who speaks.
        if !self.started && choices.is_empty() && id.is_empty() {
            return Ok(());
        }
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start {
                id: id.into(),
                model: model.into(),
                created_seconds,
            });
        }
        for (index, raw) in choices.into_iter().enumerate() {
            self.choice(raw, index, out)
                .map_err(|misfit| misfit.within_element(index).within("choices"))?;
        }
        for (name, raw) in chunk.rest() {
            if raw == "null" || PADDING.contains(&&*name) {
                continue;
            }
            if self.told.len() < MEMBERS_MAX && !self.told.iter().any(|told| *told == name) {
                self.told.push(name.clone().into_owned());
                out.push(Event::Extra(extras::extra(name, raw)));
            }
        }
        Ok(())
    }

    /// What was used so far: in any chunk, or in Groq's own member.
    fn usage(&mut self, chunk: &mut Object<'_>) -> Result<(), Misfit> {
        let mut said = chunk.raw("usage")?.and_then(usage::tokens);
        if said.is_none() && chunk.has("x_groq") {
            let groq = chunk.raw("x_groq")?.map(Object::parse);
            if let Some(Ok(mut groq)) = groq {
                said = groq.raw("usage")?.and_then(usage::tokens);
            }
        }
        self.tokens = said.or(self.tokens);
        Ok(())
    }

    fn choice(&mut self, raw: &str, place: usize, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let mut object = Object::parse(raw)?;
        let index = object.count("index")?.unwrap_or(place as u64);
        let index =
            u32::try_from(index).map_err(|_| Misfit::new("is too large").within("index"))?;
        let at = match self.choices.iter().position(|choice| choice.index == index) {
            Some(at) => at,
            None if self.choices.len() < CHOICES_MAX => {
                self.choices.push(Choice::new(index));
                self.choices.len() - 1
            }
            None => return Err(Misfit::new("is one too many")),
        };
        let Some(choice) = self.choices.get_mut(at) else {
            return Ok(());
        };
        if let Some(mut delta) = object.object("delta")? {
            delta.raw("role")?;
            let told = take(choice, &mut delta, &self.seed, &mut self.calls, out);
            told.map_err(|misfit| misfit.within("delta"))?;
            keep(delta, &format!("choices[{index}].delta."), out);
        }
        if let Some(word) = object.text("finish_reason")? {
            choice.finish = Some(word.into());
            choice.flush(out);
        }
        for padding in ["token_id", "text", "seed"] {
            object.raw(padding)?;
        }
        keep(object, &format!("choices[{index}]."), out);
        Ok(())
    }

    fn conclude(&mut self, out: &mut Vec<Event>) {
        let mut stops = Vec::new();
        for choice in &mut self.choices {
            choice.flush(out);
            let word = choice.finish.as_deref();
            // An end without a reason is one if anything was said.
            let word = word.unwrap_or(if choice.said.spoken { "stop" } else { "" });
            let (stop, _) = stop::read(word, choice.said);
            if let Stop::Failed(word) = &stop {
                let message = format!("the provider's answer failed: {word:?}");
                return self.fail(Error::new(Class::Provider, message), out);
            }
            stops.push((choice.index, stop));
        }
        if stops.is_empty() {
            let message = "the provider's stream has no answer in it";
            return self.fail(Error::new(Class::Provider, message), out);
        }
        for (choice, stop) in stops {
            out.push(Event::Stop { choice, stop });
        }
        out.extend(self.tokens.map(Event::Usage));
        out.push(Event::End);
        self.done = true;
    }
}

/// What a delta adds to an answer.
fn take(
    choice: &mut Choice,
    delta: &mut Object<'_>,
    seed: &Seed,
    calls: &mut u32,
    out: &mut Vec<Event>,
) -> Result<(), Misfit> {
    let full = Misfit::new;
    let mut parts = thoughts::take(delta)?;
    if let Some(raw) = delta.raw("content")? {
        parts.extend(part::read_all(raw).map_err(|misfit| misfit.within("content"))?);
    }
    for part in parts {
        match part.content {
            Content::Text(text) => choice.words(Shape::Text, &text, out).map_err(full)?,
            Content::Reasoning { text, signature } => {
                choice.words(Shape::Reasoning, &text, out).map_err(full)?;
                let proof = signature.unwrap_or_default();
                choice.sign(&proof, out).map_err(full)?;
            }
            Content::RedactedReasoning(data) => choice.redacted(data, out).map_err(full)?,
            Content::Refusal(text) => choice.words(Shape::Refusal, &text, out).map_err(full)?,
            _ => {}
        }
    }
    if let Some(text) = delta.text("refusal")? {
        choice.words(Shape::Refusal, &text, out).map_err(full)?;
    }
    for raw in delta.array("tool_calls")?.unwrap_or_default() {
        let mut object = Object::parse(raw)?;
        let function = object.object("function")?.unwrap_or_default();
        let index = object.count("index")?;
        let id = object.text("id")?.unwrap_or_default().into();
        let piece = piece(index, id, function)?;
        choice.call(&piece, seed, calls, out).map_err(full)?;
    }
    if let Some(function) = delta.object("function_call")? {
        let piece = piece(Some(0), String::new(), function)?;
        choice.call(&piece, seed, calls, out).map_err(full)?;
    }
    Ok(())
}

fn piece(index: Option<u64>, id: String, mut function: Object<'_>) -> Result<Piece, Misfit> {
    let name = function.text("name")?.unwrap_or_default().into();
    let arguments = call::piece(&mut function)?;
    Ok(Piece {
        index,
        id,
        name,
        arguments,
    })
}

fn keep(object: Object<'_>, prefix: &str, out: &mut Vec<Event>) {
    for (name, raw) in object.rest().filter(|(_, raw)| *raw != "null") {
        out.push(Event::Extra(extras::extra(format!("{prefix}{name}"), raw)));
    }
}
