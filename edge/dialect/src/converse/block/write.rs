//! From parts to blocks.

use payload::{object::Object, writer::Writer};

use crate::{
    converse::{
        block::redacted,
        extras, mark,
        media::{self, Medium},
        names,
        target::{CachePoints, Target, Thoughts},
    },
    neutral::{Cache, Content, Dropped, Extra, Family, Media, Part, Unsupported},
};

/// Where blocks stand.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Place {
    /// Among the instructions, which are words.
    System,
    /// In a message.
    Message,
    /// In what a tool said.
    Result,
}

/// A part that is written.
#[derive(Debug, Clone)]
pub(crate) struct Piece<'a> {
    /// The part.
    pub(crate) part: &'a Part,
    /// Where it stands, as its client sees it.
    pub(crate) at: String,
    /// Whether a prompt cache ends here: the part's own mark, or that of one behind it that was left out.
    pub(crate) cache: Option<&'a Cache>,
}

/// Writes parts for one model, and keeps what it left out.
#[derive(Debug)]
pub(crate) struct Scribe<'t> {
    /// The model.
    pub(crate) target: &'t Target<'t>,
    /// What was left out.
    pub(crate) dropped: Dropped,
    /// The names of documents so far, which must differ.
    documents: Vec<String>,
}

/// The longest name of a document.
const DOCUMENT_NAME_CHARS_MAX: usize = 200;

// === impl Scribe ===

impl<'t> Scribe<'t> {
    /// Nothing is written yet.
    pub(crate) fn new(target: &'t Target<'t>) -> Self {
        Self {
            target,
            dropped: Dropped::default(),
            documents: Vec::new(),
        }
    }

    /// Those of the parts that are written. Blank words are refused by Bedrock and say nothing; a mark behind them
    /// goes to what stands before.
    pub(crate) fn pieces<'a>(&mut self, parts: &'a [Part], at: &str) -> Vec<Piece<'a>> {
        let mut pieces: Vec<Piece<'a>> = Vec::with_capacity(parts.len());
        for (index, part) in parts.iter().enumerate() {
            let at = format!("{at}.content[{index}]");
            if self.keeps(part, &at) {
                let cache = part.cache.as_ref();
                pieces.push(Piece { part, at, cache });
            } else if let (Some(last), Some(cache)) = (pieces.last_mut(), &part.cache) {
                last.cache = Some(cache);
            }
        }
        pieces
    }

    fn keeps(&mut self, part: &Part, at: &str) -> bool {
        let is_kept = match &part.content {
            Content::Text(text) | Content::Refusal(text) => return !text.trim().is_empty(),
            Content::Reasoning { signature, .. } => match self.target.thoughts {
                Thoughts::Never => false,
                Thoughts::Signed => signature.is_some(),
                Thoughts::All => true,
            },
            Content::RedactedReasoning(_) => self.target.thoughts != Thoughts::Never,
            _ => true,
        };
        if !is_kept {
            self.dropped.note(at);
        }
        is_kept
    }

    /// Writes blocks into the array that is open.
    pub(crate) fn write(
        &mut self,
        writer: &mut Writer,
        pieces: &[Piece<'_>],
        place: Place,
    ) -> Result<(), Unsupported> {
        for piece in pieces {
            let fits = match piece.part.content {
                Content::Text(_) | Content::Refusal(_) | Content::Other => true,
                Content::Image(_) | Content::Document(_) => place != Place::System,
                _ => place == Place::Message,
            };
            if !fits {
                return Err(unsupported(&piece.at, "Bedrock takes no such content here"));
            }
            writer.open();
            self.inside(writer, piece.part, &piece.at)?;
            writer.close();
            self.mark(writer, piece, place);
        }
        Ok(())
    }

    fn mark(&mut self, writer: &mut Writer, piece: &Piece<'_>, place: Place) {
        let Some(cache) = piece.cache else {
            return;
        };
        if self.target.cache_points >= CachePoints::Messages && place != Place::Result {
            mark::write(writer, cache, self.target, &mut self.dropped, &piece.at);
        } else {
            self.dropped.note(format!("{}.cache_control", piece.at));
        }
    }

    fn inside(&mut self, writer: &mut Writer, part: &Part, at: &str) -> Result<(), Unsupported> {
        match &part.content {
            Content::Text(text) => self::text(writer, text, &part.extra),
            Content::Refusal(text) => drop(writer.key("text").text(text)),
            Content::Image(it) => self.medium(writer, (Medium::Image, it), &part.extra, at)?,
            Content::Audio(it) => self.medium(writer, (Medium::Audio, it), &part.extra, at)?,
            Content::Document(it) => {
                self.medium(writer, (Medium::Document, it), &part.extra, at)?;
            }
            Content::ToolCall {
                id,
                name,
                arguments,
            } => call(writer, [id, name, arguments], &part.extra, at)?,
            Content::ToolResult {
                id, parts, failed, ..
            } => self.result(writer, (id, parts, *failed), &part.extra, at)?,
            Content::Reasoning { text, signature } => {
                reasoning(writer, text, signature.as_deref(), &part.extra);
            }
            Content::RedactedReasoning(text) => {
                writer.key("reasoningContent").open();
                writer.key("redactedContent").text(&redacted::wrap(text));
                extras::write(writer, &part.extra, "reasoningContent", &[]);
                writer.close();
            }
            Content::Other => return other(writer, part, at),
        }
        extras::write(writer, &part.extra, "", &WRITTEN_INSIDE);
        extras::note(&mut self.dropped, at, &part.extra);
        Ok(())
    }

    fn medium(
        &mut self,
        writer: &mut Writer,
        (medium, media): (Medium, &Media),
        extra: &[Extra],
        at: &str,
    ) -> Result<(), Unsupported> {
        let name = match medium {
            Medium::Document => Some(self.document_name(media.name.as_deref())),
            Medium::Image | Medium::Audio => None,
        };
        if media.name.is_some() && name.is_none() {
            self.dropped.note(format!("{at}.name"));
        }
        if media.detail.is_some() {
            self.dropped.note(format!("{at}.detail"));
        }
        writer.key(medium.word());
        media::write(writer, medium, media, name.as_deref(), extra)
            .map_err(|why| unsupported(at, why))
    }

    /// A name that Bedrock takes: letters, digits and a few signs, no two spaces in a row, and no two alike.
    fn document_name(&mut self, given: Option<&str>) -> String {
        let mut name = String::new();
        for letter in given
            .unwrap_or("Document")
            .chars()
            .take(DOCUMENT_NAME_CHARS_MAX)
        {
            let letter = match letter {
                'a'..='z' | 'A'..='Z' | '0'..='9' | '(' | ')' | '[' | ']' | '-' => letter,
                letter if letter.is_whitespace() => ' ',
                _ => '-',
            };
            if letter != ' ' || !name.ends_with(' ') {
                name.push(letter);
            }
        }
        if name.trim().is_empty() {
            "Document".clone_into(&mut name);
        }
        let mut number = 1_u32;
        let mut unique = name.clone();
        while self.documents.contains(&unique) {
            number = number.saturating_add(1);
            let start: String = name.chars().take(DOCUMENT_NAME_CHARS_MAX - 11).collect();
            unique = format!("{} {number}", start.trim_end());
        }
        self.documents.push(unique.clone());
        unique
    }

    fn result(
        &mut self,
        writer: &mut Writer,
        (id, parts, failed): (&str, &[Part], bool),
        extra: &[Extra],
        at: &str,
    ) -> Result<(), Unsupported> {
        writer.key("toolResult").open();
        writer.key("toolUseId").text(&names::id(id));
        writer.key("content").open_array();
        let pieces = self.pieces(parts, at);
        self.write(writer, &pieces, Place::Result)?;
        writer.close_array();
        if failed {
            writer.key("status").text("error");
        }
        let written = if failed { "status" } else { "" };
        extras::write(writer, extra, "toolResult", &[written]);
        writer.close();
        Ok(())
    }
}

/// What stands inside of a block's member, and not beside it.
const WRITTEN_INSIDE: [&str; 8] = [
    "json",
    "image",
    "audio",
    "document",
    "toolUse",
    "toolResult",
    "reasoningContent",
    "citationsContent",
];

fn text(writer: &mut Writer, text: &str, extra: &[Extra]) {
    let is_json = extras::get(extra, "json").is_some();
    // What a tool said as an object is that still; a text that was changed since may be none.
    if is_json && payload::json::value(text, 0).is_ok_and(|place| place.end == text.len()) {
        writer.key("json").raw(text);
        return;
    }
    let Some(citations) = extras::get(extra, "citationsContent.citations") else {
        writer.key("text").text(text);
        return;
    };
    writer.key("citationsContent").open().key("content");
    if let Some(pieces) = extras::get(extra, "citationsContent.content") {
        writer.raw(pieces);
    } else {
        writer.open_array().open().key("text").text(text);
        writer.close().close_array();
    }
    if citations != "null" {
        writer.key("citations").raw(citations);
    }
    extras::write(writer, extra, "citationsContent", &["content", "citations"]);
    writer.close();
}

fn call(
    writer: &mut Writer,
    [id, name, arguments]: [&str; 3],
    extra: &[Extra],
    at: &str,
) -> Result<(), Unsupported> {
    let own = extras::get(extra, "toolUse.input");
    let input = match (own, arguments.trim()) {
        (Some(raw), _) => raw,
        (None, "") => "{}",
        (None, object) if Object::parse(object).is_ok() => object,
        (None, _) => {
            return Err(unsupported(
                &format!("{at}.arguments"),
                "the arguments of a call must be an object of JSON",
            ));
        }
    };
    writer.key("toolUse").open();
    writer.key("toolUseId").text(&names::id(id));
    writer.key("name").text(&names::tool(name));
    writer.key("input").raw(input);
    extras::write(writer, extra, "toolUse", &["input"]);
    writer.close();
    Ok(())
}

fn reasoning(writer: &mut Writer, text: &str, signature: Option<&str>, extra: &[Extra]) {
    writer.key("reasoningContent").open();
    writer.key("reasoningText").open().key("text").text(text);
    if let Some(signature) = signature {
        writer.key("signature").text(signature);
    }
    extras::write(writer, extra, "reasoningContent.reasoningText", &[]);
    writer.close();
    extras::write(writer, extra, "reasoningContent", &["reasoningText"]);
    writer.close();
}

fn other(writer: &mut Writer, part: &Part, at: &str) -> Result<(), Unsupported> {
    let own = part.extra.iter().find(|it| it.family == Family::Converse);
    let own = own.ok_or_else(|| unsupported(at, "Bedrock has no such content"))?;
    writer.key(&own.name).raw(own.value.as_str());
    Ok(())
}

fn unsupported(at: &str, why: impl Into<String>) -> Unsupported {
    Unsupported {
        at: at.to_owned(),
        why: why.into(),
    }
}
