//! An answer in words: cut where the request says, whole or as the events of a stream.
//!
//! Knows the two forms that words take, chat and plain; knows nothing of what is said. One word is one token.

use serde_json::{Value, json};

use crate::demo::model;

/// The most words of an answer, so that no question makes an endless stream. Full: it ends with `length`.
const WORDS_MAX: u64 = 256;

/// How an answer looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// `chat.completion`.
    Chat,
    /// `text_completion`.
    Plain,
}

/// What was asked for.
#[derive(Debug, Clone)]
pub struct Wanted {
    /// How it looks.
    pub form: Form,
    /// How often it is given.
    pub choices: u64,
    /// The most tokens.
    pub tokens_max: Option<u64>,
    /// Where it ends.
    pub stops: Vec<String>,
    /// How many tokens the question has.
    pub prompt_tokens: u64,
    /// Whether it comes in pieces, and whether the last one tells the usage.
    pub stream: Option<Stream>,
}

/// How it comes in pieces.
#[derive(Debug, Clone, Copy, Default)]
pub struct Stream {
    /// Whether the last piece tells the usage.
    pub include_usage: bool,
}

/// An answer.
#[derive(Debug, Clone)]
pub struct Generation {
    wanted: Wanted,
    words: Vec<String>,
    finish: &'static str,
    id: String,
    created: u64,
}

/// One event of a stream.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Event {
    /// Its data.
    pub data: String,
    /// Whether it is a word, which takes a moment to come to mind.
    pub word: bool,
}

#[derive(Debug, Clone, Copy)]
enum Piece<'a> {
    Role,
    Word(&'a str),
    End,
}

/// How many tokens a text has.
pub fn tokens(text: &str) -> u64 {
    text.split_whitespace().count() as u64
}

// === impl Generation ===

impl Generation {
    /// `text`, as it is wanted.
    pub fn new(text: &str, wanted: Wanted, created: u64) -> Self {
        let end = wanted
            .stops
            .iter()
            .filter(|stop| !stop.is_empty())
            .filter_map(|stop| text.find(stop));
        let text = end.min().map_or(text, |end| &text[..end]);
        let most = wanted.tokens_max.unwrap_or(WORDS_MAX).min(WORDS_MAX);
        let mut words: Vec<String> = text.split_inclusive(' ').map(str::to_owned).collect();
        let whole = words.len() as u64 <= most;
        words.truncate(usize::try_from(most).unwrap_or(usize::MAX));
        let drawn: String = std::iter::repeat_with(fastrand::alphanumeric)
            .take(24)
            .collect();
        let id = match wanted.form {
            Form::Chat => format!("chatcmpl-{drawn}"),
            Form::Plain => format!("cmpl-{drawn}"),
        };
        Self {
            wanted,
            words,
            finish: if whole { "stop" } else { "length" },
            id,
            created,
        }
    }

    /// How it comes in pieces, if it does.
    pub const fn stream(&self) -> Option<Stream> {
        self.wanted.stream
    }

    /// The whole answer.
    pub fn whole(&self) -> Value {
        let text = self.words.concat();
        let choice = |index: u64| match self.wanted.form {
            Form::Chat => json!({
                "index": index,
                "message": {"role": "assistant", "content": text, "refusal": null},
                "logprobs": null,
                "finish_reason": self.finish,
            }),
            Form::Plain => {
                json!({"index": index, "text": text, "logprobs": null, "finish_reason": self.finish})
            }
        };
        let choices = (0..self.wanted.choices).map(choice).collect();
        let mut answer = self.object(choices, "chat.completion");
        answer["usage"] = self.usage();
        answer
    }

    /// The events of the stream, in order, the last one included.
    pub fn events(&self) -> Vec<Event> {
        let mut events = Vec::new();
        for index in 0..self.wanted.choices {
            if self.wanted.form == Form::Chat {
                events.push(self.chunk(index, Piece::Role));
            }
            events.extend(
                self.words
                    .iter()
                    .map(|word| self.chunk(index, Piece::Word(word))),
            );
            events.push(self.chunk(index, Piece::End));
        }
        if self.include_usage() {
            let mut last = self.object(json!([]), "chat.completion.chunk");
            last["usage"] = self.usage();
            events.push(Event {
                data: last.to_string(),
                word: false,
            });
        }
        events.push(Event {
            data: "[DONE]".to_owned(),
            word: false,
        });
        events
    }

    fn chunk(&self, index: u64, piece: Piece<'_>) -> Event {
        let finish = matches!(piece, Piece::End).then_some(self.finish);
        let mut choice = json!({"index": index, "logprobs": null, "finish_reason": finish});
        match (self.wanted.form, piece) {
            (Form::Chat, Piece::Role) => {
                choice["delta"] = json!({"role": "assistant", "content": "", "refusal": null});
            }
            (Form::Chat, Piece::Word(word)) => choice["delta"] = json!({"content": word}),
            (Form::Chat, Piece::End) => choice["delta"] = json!({}),
            (Form::Plain, Piece::Word(word)) => choice["text"] = json!(word),
            (Form::Plain, Piece::Role | Piece::End) => choice["text"] = json!(""),
        }
        let mut chunk = self.object(json!([choice]), "chat.completion.chunk");
        if self.include_usage() {
            chunk["usage"] = Value::Null;
        }
        Event {
            data: chunk.to_string(),
            word: matches!(piece, Piece::Word(_)),
        }
    }

    fn object(&self, choices: Value, chat: &str) -> Value {
        let object = match self.wanted.form {
            Form::Chat => chat,
            Form::Plain => "text_completion",
        };
        let mut object = json!({
            "id": self.id,
            "object": object,
            "created": self.created,
            "model": model::CHAT,
            "system_fingerprint": "fp_demo",
        });
        object["choices"] = choices;
        object
    }

    fn include_usage(&self) -> bool {
        self.wanted
            .stream
            .is_some_and(|stream| stream.include_usage)
    }

    fn usage(&self) -> Value {
        let completion = self.words.len() as u64 * self.wanted.choices;
        json!({
            "prompt_tokens": self.wanted.prompt_tokens,
            "completion_tokens": completion,
            "total_tokens": self.wanted.prompt_tokens + completion,
            "prompt_tokens_details": {"cached_tokens": 0},
            "completion_tokens_details": {"reasoning_tokens": 0},
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(form: Form, tokens_max: Option<u64>, stops: &[&str]) -> Wanted {
        let stops = stops.iter().map(|stop| (*stop).to_owned()).collect();
        let stream = Some(Stream {
            include_usage: true,
        });
        Wanted {
            form,
            choices: 1,
            tokens_max,
            stops,
            prompt_tokens: 5,
            stream,
        }
    }

    #[test]
    fn an_answer_ends_at_its_stop_or_its_length() {
        for (tokens_max, stops, text, finish) in [
            (None, &[][..], "one two three", "stop"),
            (Some(2), &[], "one two ", "length"),
            (Some(3), &[], "one two three", "stop"),
            (None, &["three", "two"], "one ", "stop"),
            (Some(1), &["three"], "one ", "length"),
        ] {
            let answer =
                Generation::new("one two three", wanted(Form::Chat, tokens_max, stops), 0).whole();
            assert_eq!(answer["choices"][0]["message"]["content"], text);
            assert_eq!(answer["choices"][0]["finish_reason"], finish);
        }
    }

    #[test]
    fn the_pieces_of_a_stream_are_the_whole() {
        for (form, piece) in [
            (Form::Chat, "/choices/0/delta/content"),
            (Form::Plain, "/choices/0/text"),
        ] {
            let generation = Generation::new("one two three", wanted(form, None, &[]), 0);
            let events = generation.events();
            assert_eq!(events.last().unwrap().data, "[DONE]");
            let chunks: Vec<Value> = events[..events.len() - 1]
                .iter()
                .map(|event| serde_json::from_str(&event.data).unwrap())
                .collect();
            let text: String = chunks
                .iter()
                .filter_map(|it| it.pointer(piece)?.as_str())
                .collect();
            assert_eq!(text, "one two three");
            let (last, rest) = chunks.split_last().unwrap();
            assert_eq!(last["choices"], json!([]));
            assert_eq!(last["usage"], generation.whole()["usage"]);
            assert!(rest.iter().all(|it| it.get("usage") == Some(&Value::Null)));
            assert_eq!(events.iter().filter(|event| event.word).count(), 3);
        }
    }
}
