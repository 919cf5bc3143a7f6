//! The items of a stream, event by event, as parts.
//!
//! Owns which events belong to which part, and what is made up for when a provider leaves some of them out: an item is
//! told at least by its last event. Must never know how a stream begins or ends.

use payload::{
    object::{self, Misfit, Object},
    scalar,
};

use crate::{
    neutral::{Content, Delta, Event, Kind, Part, Seed},
    responses::{
        answer::Seen,
        item::{self, Item},
        own,
        queue::{Full, Key, Queue},
    },
};

/// The most items and parts of messages in one stream. Full: the stream is given up.
pub(crate) const PARTS_MAX: usize = 4_096;

/// Why a stream cannot be read on.
#[derive(Debug)]
pub(crate) enum Trouble {
    /// Too much waits or is open.
    Full,
    /// An event is not what it should be.
    Misfit(Misfit),
}

/// Reads items.
#[derive(Debug)]
pub(crate) struct Reader {
    seed: Seed,
    queue: Queue,
    /// All that were begun. A list of few, looked through from its end.
    parts: Vec<Begun>,
    /// The items that are whole.
    done: Vec<u64>,
    calls: u32,
    seen: Seen,
    /// The item that was told of last, where an event does not say its own.
    latest: u64,
}

#[derive(Debug)]
struct Begun {
    key: Key,
    /// Anything was said of it.
    said: bool,
    open: bool,
    form: Form,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Words,
    Call,
    /// A call whose text becomes the `input` of an object, piece by piece.
    Custom,
    /// Thoughts, of which this part of the summary was told last; `raw` where it is no summary.
    Thoughts {
        section: u64,
        raw: bool,
    },
}

type Read = Result<(), Trouble>;

// === impl Reader ===

impl Reader {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            seed: seed.clone(),
            queue: Queue::default(),
            parts: Vec::new(),
            done: Vec::new(),
            calls: 0,
            seen: Seen::default(),
            latest: 0,
        }
    }

    /// What was among the parts.
    pub(crate) const fn seen(&self) -> Seen {
        self.seen
    }

    /// Reads an event of an item; events that say nothing more than others are left out.
    pub(crate) fn read(
        &mut self,
        kind: &str,
        event: &mut Object<'_>,
        out: &mut Vec<Event>,
    ) -> Read {
        let index = event.count("output_index")?.unwrap_or(self.latest);
        self.latest = index;
        match kind {
            "response.output_item.added" => self.added(index, event, out),
            "response.output_item.done" => match event.raw("item")? {
                Some(raw) => self.item_done(index, raw, out),
                None => Ok(()),
            },
            "response.content_part.added" => self.part_added(index, event, out),
            "response.output_text.delta" => self.words(index, event, Kind::Text, out),
            "response.refusal.delta" => self.words(index, event, Kind::Refusal, out),
            "response.output_text.done" => self.words_done(index, event, Kind::Text, out),
            "response.refusal.done" => self.words_done(index, event, Kind::Refusal, out),
            "response.output_text.annotation.added" => self.annotation(index, event, out),
            "response.function_call_arguments.delta" | "response.custom_tool_call_input.delta" => {
                self.arguments((index, 0), event, out)
            }
            "response.reasoning_summary_text.delta" => self.thoughts(index, event, false, out),
            "response.reasoning_text.delta" => self.thoughts(index, event, true, out),
            _ => Ok(()),
        }
    }

    /// No more events of items come. `output` is what the response says of all of them.
    pub(crate) fn finish(&mut self, output: &[&str], out: &mut Vec<Event>) -> Read {
        let nothing = self.parts.is_empty() && self.done.is_empty();
        for (index, raw) in (0_u64..).zip(output) {
            if nothing || self.parts.iter().any(|it| it.key.0 == index && it.open) {
                self.item_done(index, raw, out)?;
            }
        }
        let cut = self
            .parts
            .iter()
            .filter(|it| it.open && it.said && it.form == Form::Custom);
        let cut: Vec<Key> = cut.map(|it| it.key).collect();
        for key in cut {
            self.queue
                .delta(key, Delta::Arguments("\"}".to_owned()), out)?;
        }
        self.abandon(out);
        Ok(())
    }

    /// The stream broke off: what is open ends as it is.
    pub(crate) fn abandon(&mut self, out: &mut Vec<Event>) {
        self.queue.flush(out);
    }

    fn added(&mut self, index: u64, event: &mut Object<'_>, out: &mut Vec<Event>) -> Read {
        let Some(raw) = event.raw("item")? else {
            return Ok(());
        };
        self.forget(index, out);
        let fallback = self.seed.tool_call_id(self.calls);
        // What cannot be read yet is told by its last event.
        if let Ok(Item::Model(part)) = item::read(raw, Some(&fallback))
            && let Content::ToolCall { .. } = part.content
        {
            self.begin_call(index, &part, out)?;
        }
        Ok(())
    }

    /// Some servers give one number to several items: the one before ends where the next begins.
    fn forget(&mut self, index: u64, out: &mut Vec<Event>) {
        self.close_all(index, out);
        self.done.retain(|it| *it != index);
        for part in self.parts.iter_mut().filter(|part| part.key.0 == index) {
            part.key = (u64::MAX, u64::MAX);
        }
    }

    fn begin_call(&mut self, index: u64, part: &Part, out: &mut Vec<Event>) -> Read {
        let Content::ToolCall { id, name, .. } = &part.content else {
            return Ok(());
        };
        let custom = own::find(&part.extra, "type").is_some();
        let form = if custom { Form::Custom } else { Form::Call };
        let (id, name) = (id.clone(), name.clone());
        if self.begin((index, 0), form, Kind::ToolCall { id, name }, out)? {
            self.calls += 1;
            self.seen.called = true;
        }
        Ok(())
    }

    /// Begins a part, unless it has begun. Tells whether it did now.
    fn begin(
        &mut self,
        key: Key,
        form: Form,
        kind: Kind,
        out: &mut Vec<Event>,
    ) -> Result<bool, Trouble> {
        if self.part(key).is_some() || self.done.contains(&key.0) {
            return Ok(false);
        }
        if self.parts.len() == PARTS_MAX {
            return Err(Trouble::Full);
        }
        self.seen.declined |= kind == Kind::Refusal;
        self.queue.open(key, kind, out)?;
        self.parts.push(Begun {
            key,
            said: false,
            open: true,
            form,
        });
        Ok(true)
    }

    fn part(&mut self, key: Key) -> Option<&mut Begun> {
        self.parts.iter_mut().rev().find(|part| part.key == key)
    }

    fn say(&mut self, key: Key, delta: Delta, out: &mut Vec<Event>) -> Read {
        if let Some(part) = self.part(key).filter(|part| part.open) {
            part.said = true;
            self.queue.delta(key, delta, out)?;
        }
        Ok(())
    }

    fn close(&mut self, key: Key, out: &mut Vec<Event>) {
        if let Some(part) = self.part(key).filter(|part| part.open) {
            part.open = false;
            self.queue.close(key, out);
        }
    }

    fn close_all(&mut self, index: u64, out: &mut Vec<Event>) {
        let open = self.parts.iter().filter(|it| it.key.0 == index && it.open);
        let open: Vec<Key> = open.map(|it| it.key).collect();
        for key in open {
            self.close(key, out);
        }
    }

    fn part_added(&mut self, index: u64, event: &mut Object<'_>, out: &mut Vec<Event>) -> Read {
        let key = (index, event.count("content_index")?.unwrap_or(0));
        let Some(mut part) = event.object("part")? else {
            return Ok(());
        };
        let (kind, name) = match part.text("type")?.as_deref() {
            Some("output_text") => (Kind::Text, "text"),
            Some("refusal") => (Kind::Refusal, "refusal"),
            _ => return Ok(()),
        };
        self.begin(key, Form::Words, kind, out)?;
        match part.text(name)? {
            Some(text) if !text.is_empty() => self.say(key, Delta::Text(text.into()), out),
            _ => Ok(()),
        }
    }

    fn words(
        &mut self,
        index: u64,
        event: &mut Object<'_>,
        kind: Kind,
        out: &mut Vec<Event>,
    ) -> Read {
        let key = (index, event.count("content_index")?.unwrap_or(0));
        match event.text("delta")? {
            Some(text) if !text.is_empty() => {
                self.begin(key, Form::Words, kind, out)?;
                self.say(key, Delta::Text(text.into()), out)
            }
            _ => Ok(()),
        }
    }

    fn words_done(
        &mut self,
        index: u64,
        event: &mut Object<'_>,
        kind: Kind,
        out: &mut Vec<Event>,
    ) -> Read {
        let key = (index, event.count("content_index")?.unwrap_or(0));
        let text = match kind {
            Kind::Refusal => event.text("refusal")?,
            _ => event.text("text")?,
        };
        self.whole_words(key, kind, text.unwrap_or_default().into(), out)
    }

    /// All of a part's words. What was said of it before is not said again.
    fn whole_words(&mut self, key: Key, kind: Kind, text: String, out: &mut Vec<Event>) -> Read {
        self.begin(key, Form::Words, kind, out)?;
        if !text.is_empty() && self.part(key).is_some_and(|part| !part.said) {
            self.say(key, Delta::Text(text), out)?;
        }
        self.close(key, out);
        Ok(())
    }

    /// A note on the words that are open goes on beside them; one that comes late is in the item itself.
    fn annotation(&mut self, index: u64, event: &mut Object<'_>, out: &mut Vec<Event>) -> Read {
        let key = (index, event.count("content_index")?.unwrap_or(0));
        if let Some(raw) = event.raw("annotation")?
            && self.queue.is_open(key)
        {
            out.push(Event::Extra(own::extra("annotation", raw)));
        }
        Ok(())
    }

    fn arguments(&mut self, key: Key, event: &mut Object<'_>, out: &mut Vec<Event>) -> Read {
        let delta = event.text("delta")?.unwrap_or_default();
        let Some(part) = self.part(key) else {
            return Ok(());
        };
        if delta.is_empty() {
            return Ok(());
        }
        let piece = match (part.form, part.said) {
            (Form::Custom, said) => {
                let mut quoted = Vec::new();
                scalar::quote(&mut quoted, &delta);
                let quoted = String::from_utf8(quoted).unwrap_or_default();
                let inner = quoted
                    .get(1..quoted.len().saturating_sub(1))
                    .unwrap_or_default();
                let head = if said { "" } else { "{\"input\":\"" };
                format!("{head}{inner}")
            }
            _ => delta.into_owned(),
        };
        self.say(key, Delta::Arguments(piece), out)
    }

    /// What is thought. Its sections are told apart by an empty line. A server that tells both the thoughts and their
    /// summary is believed in what it tells first.
    fn thoughts(
        &mut self,
        index: u64,
        event: &mut Object<'_>,
        raw: bool,
        out: &mut Vec<Event>,
    ) -> Read {
        let name = if raw {
            "content_index"
        } else {
            "summary_index"
        };
        let section = event.count(name)?.unwrap_or(0);
        let delta = event.text("delta")?.unwrap_or_default();
        if delta.is_empty() {
            return Ok(());
        }
        let key = (index, 0);
        self.begin(key, Form::Thoughts { section, raw }, Kind::Reasoning, out)?;
        let mut gap = "";
        if let Some(part) = self.part(key)
            && let Form::Thoughts {
                section: last,
                raw: before,
            } = part.form
        {
            if before != raw {
                return Ok(());
            }
            if last != section {
                gap = "\n\n";
            }
            part.form = Form::Thoughts { section, raw };
        }
        self.say(key, Delta::Text(format!("{gap}{delta}")), out)
    }

    /// An item is whole: whatever of it was not told before is told now.
    fn item_done(&mut self, index: u64, raw: &str, out: &mut Vec<Event>) -> Read {
        if self.done.contains(&index) {
            return Ok(());
        }
        let fallback = self.seed.tool_call_id(self.calls);
        match item::read(raw, Some(&fallback))? {
            Item::Message(_, parts) => self.message_done(index, parts, out)?,
            Item::Model(part) | Item::Reply(part) => self.part_done(index, &part, raw, out)?,
        }
        self.close_all(index, out);
        if self.done.len() == PARTS_MAX {
            return Err(Trouble::Full);
        }
        self.done.push(index);
        Ok(())
    }

    /// The parts of a message stand in the order in which they began, whatever numbers their events gave them.
    fn message_done(&mut self, index: u64, parts: Vec<Part>, out: &mut Vec<Event>) -> Read {
        let begun = self.parts.iter().map(|it| it.key);
        let begun: Vec<Key> = begun.filter(|key| key.0 == index).collect();
        for (at, part) in parts.into_iter().enumerate() {
            if own::find(&part.extra, "message.content").is_some() {
                continue;
            }
            let unheard = u64::MAX - u64::try_from(at).unwrap_or(0);
            let key = begun.get(at).copied().unwrap_or((index, unheard));
            match part.content {
                Content::Text(text) => self.whole_words(key, Kind::Text, text, out)?,
                Content::Refusal(text) => self.whole_words(key, Kind::Refusal, text, out)?,
                _ => {}
            }
        }
        Ok(())
    }

    fn part_done(&mut self, index: u64, part: &Part, raw: &str, out: &mut Vec<Event>) -> Read {
        let key = (index, 0);
        match &part.content {
            Content::ToolCall { arguments, .. } => {
                self.begin_call(index, part, out)?;
                let begun = self.part(key).map(|it| (it.form, it.said));
                match begun {
                    Some((Form::Custom, true)) => {
                        self.say(key, Delta::Arguments("\"}".to_owned()), out)
                    }
                    Some((_, false)) => self.say(key, Delta::Arguments(arguments.clone()), out),
                    _ => Ok(()),
                }
            }
            Content::Reasoning { text, signature } => {
                let text = Some(text.clone()).filter(|text| !text.is_empty());
                let proof = signature.clone().map(Delta::Signature);
                self.thoughts_done(key, text, proof, out)
            }
            Content::RedactedReasoning(data) => {
                self.thoughts_done(key, None, Some(Delta::Redacted(data.clone())), out)
            }
            Content::Other => Ok(self.queue.extra(own::extra("output_item", raw), out)?),
            _ => Ok(()),
        }
    }

    fn thoughts_done(
        &mut self,
        key: Key,
        text: Option<String>,
        proof: Option<Delta>,
        out: &mut Vec<Event>,
    ) -> Read {
        if text.is_none() && proof.is_none() {
            return Ok(());
        }
        let form = Form::Thoughts {
            section: 0,
            raw: false,
        };
        self.begin(key, form, Kind::Reasoning, out)?;
        if let Some(text) = text
            && self.part(key).is_some_and(|part| !part.said)
        {
            self.say(key, Delta::Text(text), out)?;
        }
        match proof {
            Some(proof) => self.say(key, proof, out),
            None => Ok(()),
        }
    }
}

/// The items of a response, if it lists any.
pub(crate) fn output_of<'a>(response: &mut Object<'a>) -> Vec<&'a str> {
    let raw = response.raw("output").ok().flatten();
    raw.and_then(|raw| object::elements(raw).ok())
        .unwrap_or_default()
}

// === impl Trouble ===

impl From<Full> for Trouble {
    fn from(_: Full) -> Self {
        Self::Full
    }
}

impl From<Misfit> for Trouble {
    fn from(misfit: Misfit) -> Self {
        Self::Misfit(misfit)
    }
}
