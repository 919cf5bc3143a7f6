//! An answer while it comes: chunks of Gemini in, neutral events out.
//!
//! Owns the grammar of events: what is open, which part is next, how each candidate ended. A finish reason is kept until
//! the stream ends, because more may come behind it. Must never know how chunks are framed.

use payload::object::Misfit;

use crate::{
    Tokens,
    gemini::{
        answer, call,
        candidate::FINISH_REASON,
        error,
        member::Members,
        own,
        part::{self, OTHER, Said},
        plain::Plain,
        stop::{self, Seen},
        usage,
    },
    neutral::{Class, Content, Delta, Error, Event, Extra, Kind, Part, Seed, Source, Stop},
};

/// How many candidates are followed. Full: the stream is given up, because no client could ask for as many.
const CANDIDATES_MAX: u32 = 64;

/// How many extras are kept for the end, and how many bytes of them. Full: the next ones are left out.
const EXTRAS_MAX: usize = 256;
const EXTRAS_BYTES_MAX: usize = 1 << 20;

/// What has come of an answer.
#[derive(Debug)]
pub(crate) struct Progress {
    seed: Seed,
    started: bool,
    done: bool,
    candidates: Vec<Candidate>,
    tokens: Option<Tokens>,
    /// What was used, as it came last; empty where `tokens` are newer. Read once, at the end.
    usage: String,
    extra: Vec<Extra>,
}

/// What has come of one candidate.
#[derive(Debug)]
struct Candidate {
    index: u32,
    open: Option<Open>,
    /// How many parts there were.
    parts: u32,
    calls: u32,
    seen: Seen,
    /// The finish reason, raw.
    finish: Option<String>,
}

/// A part that may go on in the next chunk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Open {
    Text,
    Reasoning,
}

// === impl Progress ===

impl Progress {
    pub(crate) fn new(seed: &Seed) -> Self {
        Self {
            seed: seed.clone(),
            started: false,
            done: false,
            candidates: Vec::new(),
            tokens: None,
            usage: String::new(),
            extra: Vec::new(),
        }
    }

    /// Takes one chunk, which is whole.
    pub(crate) fn chunk(&mut self, datum: &[u8], out: &mut Vec<Event>) {
        let datum = datum.trim_ascii();
        if self.done || datum.is_empty() || datum.starts_with(b"[DONE]") {
            return;
        }
        let Ok(text) = str::from_utf8(datum) else {
            self.fail(unreadable("a chunk is not text"), out);
            return;
        };
        if self.started
            && let Some(plain) = Plain::read(text).filter(|it| it.index < CANDIDATES_MAX)
        {
            self.plain(plain, out);
        } else if let Some(error) = error::find(0, text) {
            self.fail(error, out);
        } else if let Err(misfit) = self.read(text, out) {
            self.fail(unreadable(&misfit.to_string()), out);
        }
    }

    /// Takes what the stream ended with, which may be the first half of a chunk.
    pub(crate) fn last(&mut self, datum: &[u8], out: &mut Vec<Event>) {
        let whole = str::from_utf8(datum).is_ok_and(|text| Members::parse(text).is_ok());
        if whole {
            self.chunk(datum, out);
        } else if !datum.trim_ascii().is_empty() {
            self.fail(broken("the stream broke off"), out);
        }
    }

    /// The stream is over.
    pub(crate) fn finish(&mut self, out: &mut Vec<Event>) {
        if self.done {
            return;
        }
        let blocked = answer::is_blocked(&self.extra);
        let unfinished = self
            .candidates
            .iter()
            .any(|candidate| candidate.finish.is_none());
        if !blocked && (unfinished || self.candidates.is_empty()) {
            self.fail(broken("the stream ended before the answer did"), out);
            return;
        }
        if self.candidates.is_empty() {
            self.candidates.push(Candidate::new(0));
        }
        self.candidates.sort_by_key(|candidate| candidate.index);
        let mut stops = Vec::new();
        for candidate in &mut self.candidates {
            candidate.close(out);
            let stop = match &candidate.finish {
                None => Stop::Filtered,
                Some(raw) => {
                    let stop = stop::read(raw, candidate.seen);
                    if !stop::is_plain(raw, &stop) {
                        let name = format!("candidates[{}].{FINISH_REASON}", candidate.index);
                        self.extra.push(own::extra(&name, raw));
                    }
                    stop
                }
            };
            let choice = candidate.index;
            stops.push(Event::Stop { choice, stop });
        }
        out.extend(self.extra.drain(..).map(Event::Extra));
        out.extend(stops);
        self.end(Event::End, out);
    }

    /// Gives the stream up.
    pub(crate) fn fail(&mut self, error: Error, out: &mut Vec<Event>) {
        if self.done {
            return;
        }
        for candidate in &mut self.candidates {
            candidate.close(out);
        }
        self.end(Event::Error(error), out);
    }

    fn end(&mut self, end: Event, out: &mut Vec<Event>) {
        let last = usage::tokens(&self.usage).or(self.tokens);
        out.extend(last.map(Event::Usage));
        out.push(end);
        self.done = true;
    }

    /// Takes a chunk of the usual form.
    fn plain(&mut self, chunk: Plain<'_>, out: &mut Vec<Event>) {
        if let Some(usage) = chunk.usage {
            self.usage.clear();
            self.usage.push_str(usage);
        }
        let text = chunk.text.into_owned();
        let content = if chunk.thought {
            let signature = None;
            Content::Reasoning { text, signature }
        } else {
            Content::Text(text)
        };
        let said = Said {
            part: Part::new(content),
            signature: None,
        };
        let place = self.place(chunk.index);
        self.part(place, said, "", out);
    }

    fn read(&mut self, text: &str, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let mut chunk = Members::parse(text)?;
        let id = chunk.text("responseId")?.unwrap_or_default();
        let model = chunk.text("modelVersion")?.unwrap_or_default();
        let created = chunk.raw(answer::CREATED)?;
        if !std::mem::replace(&mut self.started, true) {
            out.push(Event::Start {
                id: id.into_owned(),
                model: model.into_owned(),
                created_seconds: created.and_then(answer::created_seconds),
            });
        }
        if let Some(raw) = chunk.raw("usageMetadata")?
            && let Some(tokens) = usage::tokens(raw)
        {
            self.tokens = Some(tokens);
            self.usage.clear();
        }
        for raw in chunk.list("candidates")?.unwrap_or_default() {
            self.candidate(raw, out)
                .map_err(|misfit| misfit.within("candidates"))?;
        }
        let mut rest = Vec::new();
        chunk.rest("", &mut rest)?;
        self.keep(rest);
        Ok(())
    }

    fn candidate(&mut self, raw: &str, out: &mut Vec<Event>) -> Result<(), Misfit> {
        let mut members = Members::parse(raw)?;
        let index = members.count("index")?.unwrap_or(0);
        let index = u32::try_from(index)
            .ok()
            .filter(|index| *index < CANDIDATES_MAX);
        let few = || Misfit::new(format!("must be below {CANDIDATES_MAX}")).within("index");
        let index = index.ok_or_else(few)?;
        let place = self.place(index);
        if let Some(mut content) = members.members("content")? {
            for raw in content.list("parts")?.unwrap_or_default() {
                let said = part::read(raw).map_err(|misfit| misfit.within("parts"))?;
                self.part(place, said, raw, out);
            }
        }
        let finish = members.raw(FINISH_REASON)?;
        if let Some(candidate) = self.candidates.get_mut(place) {
            let finish = finish.filter(|raw| !stop::is_unsaid(raw));
            candidate.finish = finish.map(str::to_owned).or(candidate.finish.take());
        }
        if !members.is_empty() {
            let mut rest = Vec::new();
            members.rest(&format!("candidates[{index}]."), &mut rest)?;
            self.keep(rest);
        }
        Ok(())
    }

    /// Where a candidate stands among those that are followed.
    fn place(&mut self, index: u32) -> usize {
        let known = self.candidates.iter().position(|it| it.index == index);
        known.unwrap_or_else(|| {
            self.candidates.push(Candidate::new(index));
            self.candidates.len() - 1
        })
    }

    fn part(&mut self, place: usize, said: Said, raw: &str, out: &mut Vec<Event>) {
        if is_whole(&said.part.content) {
            // It becomes an extra, which stands between parts, whichever candidate they are of.
            self.candidates.iter_mut().for_each(|it| it.close(out));
        }
        if let Some(candidate) = self.candidates.get_mut(place) {
            candidate.part(said, raw, &self.seed, out);
        }
    }

    /// Keeps extras for the end. Of several with one name the last one counts.
    fn keep(&mut self, extras: impl IntoIterator<Item = Extra>) {
        for extra in extras {
            self.extra.retain(|kept| kept.name != extra.name);
            let bytes = |extra: &Extra| extra.name.len() + extra.value.as_str().len();
            let kept: usize = self.extra.iter().map(bytes).sum();
            if self.extra.len() < EXTRAS_MAX && kept + bytes(&extra) <= EXTRAS_BYTES_MAX {
                self.extra.push(extra);
            }
        }
    }
}

fn unreadable(what: &str) -> Error {
    Error::unreadable(format!("the provider's stream cannot be read: {what}"))
}

fn broken(what: &str) -> Error {
    Error::new(
        Class::Provider,
        format!("the provider's stream is broken: {what}"),
    )
}

// === impl Candidate ===

impl Candidate {
    const fn new(index: u32) -> Self {
        Self {
            index,
            open: None,
            parts: 0,
            calls: 0,
            seen: Seen {
                calls: false,
                content: false,
            },
            finish: None,
        }
    }

    fn part(&mut self, said: Said, raw: &str, seed: &Seed, out: &mut Vec<Event>) {
        let Said { part, signature } = said;
        if let Content::Reasoning { text, .. } = part.content {
            if !text.is_empty() || signature.is_some() {
                self.go_on(Open::Reasoning, text, out);
            }
            if let Some(signature) = signature {
                self.sign(signature, out);
            }
            return;
        }
        if let Some(signature) = signature {
            self.sign(signature, out);
        }
        match part.content {
            Content::Text(text) if text.is_empty() => {}
            Content::Text(text) => {
                self.seen.content = true;
                self.go_on(Open::Text, text, out);
            }
            Content::ToolCall {
                id,
                name,
                arguments,
            } => {
                self.seen = Seen {
                    calls: true,
                    content: true,
                };
                let made = call::made_in_answer(seed, self.index, self.calls);
                let id = if id.is_empty() { made } else { id };
                self.call(Kind::ToolCall { id, name }, arguments, out);
            }
            // Pictures and whatever is new: there are no pieces of them, and only Google's clients ask for them.
            content => {
                let kind = kind(&content, part.extra.first());
                self.seen.content = true;
                self.seen.calls |= kind == "functionCall";
                let name = part::name_in_stream(self.index, kind);
                out.push(Event::Extra(own::extra(&name, raw)));
            }
        }
    }

    fn call(&mut self, kind: Kind, arguments: String, out: &mut Vec<Event>) {
        self.close(out);
        self.calls = self.calls.saturating_add(1);
        self.open(kind, out);
        self.delta(Delta::Arguments(arguments), out);
        self.shut(out);
    }

    /// Signs the thought that is open, or one that is nothing but its signature.
    fn sign(&mut self, signature: String, out: &mut Vec<Event>) {
        if self.open != Some(Open::Reasoning) {
            self.close(out);
            self.open(Kind::Reasoning, out);
        }
        self.delta(Delta::Signature(signature), out);
        self.open = None;
        self.shut(out);
    }

    fn go_on(&mut self, open: Open, text: String, out: &mut Vec<Event>) {
        if self.open != Some(open) {
            self.close(out);
            let kind = match open {
                Open::Text => Kind::Text,
                Open::Reasoning => Kind::Reasoning,
            };
            self.open(kind, out);
            self.open = Some(open);
        }
        if !text.is_empty() {
            self.delta(Delta::Text(text), out);
        }
    }

    fn close(&mut self, out: &mut Vec<Event>) {
        if self.open.take().is_some() {
            self.shut(out);
        }
    }

    fn open(&self, kind: Kind, out: &mut Vec<Event>) {
        let (choice, part) = (self.index, self.parts);
        out.push(Event::Open { choice, part, kind });
    }

    fn delta(&self, delta: Delta, out: &mut Vec<Event>) {
        let (choice, part) = (self.index, self.parts);
        out.push(Event::Delta {
            choice,
            part,
            delta,
        });
    }

    fn shut(&mut self, out: &mut Vec<Event>) {
        let (choice, part) = (self.index, self.parts);
        out.push(Event::Close { choice, part });
        self.parts = part.saturating_add(1);
    }
}

/// Whether a part never comes in pieces, and has no kind among the events.
const fn is_whole(content: &Content) -> bool {
    !matches!(
        content,
        Content::Text(_) | Content::Reasoning { .. } | Content::ToolCall { .. }
    )
}

/// The member that makes a part what it is.
fn kind<'a>(content: &Content, extra: Option<&'a Extra>) -> &'a str {
    match content {
        Content::Image(media) | Content::Audio(media) | Content::Document(media) => {
            match media.source {
                Source::Url(_) => "fileData",
                _ => "inlineData",
            }
        }
        Content::ToolResult { .. } => "functionResponse",
        _ => extra
            .and_then(|extra| extra.name.strip_prefix(OTHER))
            .unwrap_or("unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seed() -> Seed {
        Seed {
            request_id: "r".to_owned(),
            now_seconds: 0,
        }
    }

    /// The chunks of the streams among the fixtures.
    fn chunks() -> Vec<Vec<String>> {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/fixtures/gemini");
        let files = std::fs::read_dir(folder)
            .unwrap()
            .map(|it| it.unwrap().path());
        let texts = files.filter_map(|path| std::fs::read_to_string(path).ok());
        let data = |text: String| {
            let lines = text.lines().filter_map(|line| line.strip_prefix("data: "));
            lines.map(str::to_owned).collect::<Vec<_>>()
        };
        texts.map(data).filter(|it| it.len() > 1).collect()
    }

    #[test]
    fn a_chunk_of_the_usual_form_is_read_as_any_other_is() {
        let mut plain = 0;
        let is_odd = |it: &String| error::find(0, it).is_some() || Members::parse(it).is_err();
        let fails = |stream: &Vec<String>| stream.iter().any(is_odd);
        for stream in chunks().into_iter().filter(|it| !fails(it)) {
            let (mut quick, mut slow) = (Progress::new(&seed()), Progress::new(&seed()));
            let (mut one, mut other) = (Vec::new(), Vec::new());
            for chunk in &stream {
                plain += usize::from(quick.started && Plain::read(chunk).is_some());
                quick.chunk(chunk.as_bytes(), &mut one);
                slow.read(chunk, &mut other).unwrap();
                assert_eq!(one, other, "{chunk}");
            }
            quick.finish(&mut one);
            slow.finish(&mut other);
            assert_eq!(one, other);
        }
        assert!(plain > 0);
    }
}
