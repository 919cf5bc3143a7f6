//! What a request demands of whoever answers it: pictures that are read, tools that are called, a form that is kept.
//!
//! Read in the pass that reads the body, of its members and of the types of its parts. Knows how each API says it; knows nothing of
//! models. What is not seen is not demanded: it is for the provider to judge.

use payload::{
    json::{self, Fault},
    scalar,
    sought::Sought,
};

use crate::{neutral::Family, request::Endpoint};

/// One demand. The numbers are those of the abilities of models.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Demand {
    /// Pictures are read.
    ImageInput = 1,
    /// Sound is heard.
    AudioInput = 2,
    /// Files are read.
    FileInput = 3,
    /// Films are seen.
    VideoInput = 4,
    /// Tools are called.
    Tools = 5,
    /// Several of them at once.
    ParallelTools = 6,
    /// The answer keeps a schema.
    JsonSchema = 7,
    /// The answer is JSON.
    JsonMode = 8,
    /// The model thinks first.
    Reasoning = 9,
    /// The answer is streamed.
    Streaming = 10,
    /// Texts are embedded.
    Embeddings = 11,
    /// Text is generated.
    TextOutput = 12,
    /// Pictures are generated.
    ImageOutput = 13,
    /// Sound is generated.
    AudioOutput = 14,
}

/// Some of them: bits, the lowest that of number 1.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Demands(u16);

/// What stands as the `type` of something.
const TYPES: Sought = Sought {
    names: &["type"],
    words: &[
        "image_url",
        "input_image",
        "image",
        "input_audio",
        "file",
        "input_file",
        "document",
        "video_url",
        "base64",
        "url",
        "json_schema",
        "json_object",
        "enabled",
        "adaptive",
    ],
};
const IMAGES: u32 = 0b111;
const SOUND: u32 = 1 << 3;
const FILES: u32 = 0b11 << 4;
const DOCUMENT: u32 = 1 << 6;
const FILM: u32 = 1 << 7;
/// Where a document comes from that is no plain text: its bytes, an address, or what was uploaded.
const SOURCES: u32 = 0b11 << 8 | 1 << 4;
const SCHEMA: u32 = 1 << 10;
const OBJECT: u32 = 1 << 11;
const THINKS: u32 = 0b11 << 12;

/// What stands as the media type of something, in Gemini's API. A slash may be escaped.
const MEDIA: Sought = Sought {
    names: &["mimeType", "mime_type"],
    words: &[
        "image*",
        "audio*",
        "video*",
        "application/pdf",
        "application\\/pdf",
    ],
};

/// What is to be looked for in a body of this endpoint.
pub(super) fn sought(endpoint: Endpoint) -> Sought {
    match endpoint.family() {
        _ if endpoint.counts() => Sought::NOTHING,
        Some(Family::Gemini) => MEDIA,
        Some(_) => TYPES,
        None => Sought::NOTHING,
    }
}

/// Whether an array holds anything.
fn is_filled(raw: &str) -> bool {
    let inside = raw.strip_prefix('[');
    inside.is_some_and(|it| !it.trim_start().starts_with(']'))
}

/// Whether an object says an effort other than none.
fn tries(raw: &str) -> bool {
    let mut tries = false;
    // Every byte was read before: what fails here is no object.
    let _walked = json::members(raw, |key, value| {
        tries |= key == "\"effort\"" && is_effort(&raw[value]);
        Ok::<_, Fault>(())
    });
    tries
}

fn is_effort(raw: &str) -> bool {
    raw.starts_with('"') && raw != "\"none\""
}

// === impl Demands ===

impl Demands {
    /// None.
    pub const NONE: Self = Self(0);

    /// Their bits.
    pub const fn bits(self) -> u16 {
        self.0
    }

    /// Whether this one is among them.
    pub const fn holds(self, one: Demand) -> bool {
        self.0 & (1 << (one as u8 - 1)) != 0
    }

    fn add(&mut self, one: Demand, is_made: bool) {
        if is_made {
            self.0 |= 1 << (one as u8 - 1);
        }
    }

    /// Notes what a member of a body demands in which these words were found.
    pub(super) fn note(&mut self, family: Family, key: &str, raw: &str, found: u32) {
        match key {
            "messages" | "input" | "contents" | "system" => self.note_parts(family, found),
            "tools" | "functions" => self.add(Demand::Tools, is_filled(raw)),
            "parallel_tool_calls" => self.add(Demand::ParallelTools, raw == "true"),
            "response_format" | "text" | "output_format" | "output_config" => {
                self.add(Demand::JsonSchema, found & SCHEMA != 0);
                self.add(Demand::JsonMode, found & OBJECT != 0);
            }
            "thinking" => self.add(Demand::Reasoning, found & THINKS != 0),
            "reasoning_effort" => self.add(Demand::Reasoning, is_effort(raw)),
            "reasoning" => self.add(Demand::Reasoning, tries(raw)),
            "modalities" => self.note_outputs(raw),
            _ => {}
        }
    }

    fn note_parts(&mut self, family: Family, found: u32) {
        if family == Family::Gemini {
            self.add(Demand::ImageInput, found & 1 != 0);
            self.add(Demand::AudioInput, found & 2 != 0);
            self.add(Demand::VideoInput, found & 4 != 0);
            self.add(Demand::FileInput, found & 0b1_1000 != 0);
            return;
        }
        let is_document = found & DOCUMENT != 0 && found & SOURCES != 0;
        self.add(Demand::ImageInput, found & IMAGES != 0);
        self.add(Demand::AudioInput, found & SOUND != 0);
        self.add(
            Demand::FileInput,
            family != Family::Messages && found & FILES != 0,
        );
        self.add(Demand::FileInput, is_document);
        self.add(Demand::VideoInput, found & FILM != 0);
    }

    /// What is to come out, as words of any letter case.
    fn note_outputs(&mut self, raw: &str) {
        let raw = raw.to_ascii_lowercase();
        let asks = |word: &str| raw.contains(word);
        self.add(Demand::TextOutput, asks("\"text\""));
        self.add(Demand::ImageOutput, asks("\"image\""));
        self.add(Demand::AudioOutput, asks("\"audio\""));
    }

    /// Notes what a member of Gemini's `generationConfig` demands.
    pub(super) fn note_generation(&mut self, key: &str, raw: &str) {
        match key {
            "responseMimeType" | "response_mime_type" => {
                let mime = scalar::string(raw);
                self.add(
                    Demand::JsonMode,
                    mime.as_deref() == Some("application/json"),
                );
            }
            "responseSchema"
            | "response_schema"
            | "responseJsonSchema"
            | "response_json_schema" => {
                self.add(Demand::JsonSchema, raw.starts_with('{'));
            }
            "responseModalities" | "response_modalities" => self.note_outputs(raw),
            _ => {}
        }
    }

    /// The demands of a whole request.
    pub(super) fn of(mut self, endpoint: Endpoint, stream: bool) -> Self {
        if endpoint.counts() {
            return Self::NONE;
        }
        self.add(Demand::Streaming, stream || endpoint.streams());
        self.add(Demand::Embeddings, endpoint == Endpoint::Embeddings);
        let says_output = self.holds(Demand::ImageOutput) || self.holds(Demand::AudioOutput);
        let generates = endpoint.family().is_some() || endpoint == Endpoint::Completions;
        self.add(Demand::TextOutput, generates && !says_output);
        // A schema is more than JSON of any form.
        if self.holds(Demand::JsonSchema) {
            self.0 &= !(1 << (Demand::JsonMode as u8 - 1));
        }
        self
    }
}
