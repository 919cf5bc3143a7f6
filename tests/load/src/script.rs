//! What is asked and what must be answered, byte for byte. The client and the provider both read it here.
//!
//! Knows shapes of bodies; knows nothing of sockets. The question says what the provider shall do, in a field
//! that every proxy must leave alone.

use bytes::Bytes;
use memchr::memmem;

/// What clients call the model.
pub const MODEL: &str = "chat";
/// What clients call the model of a provider that speaks Anthropic's dialect.
pub const MODEL_ACROSS: &str = "across";
/// What the provider calls it. Only Sluice knows both names.
pub const PROVIDER_MODEL: &str = "provider-chat";
/// Where questions go.
pub const PATH: &str = "/v1/chat/completions";

/// What stands for any digit in an expected answer: the time at which a translated answer was made.
pub const ANY_DIGIT: u8 = b'#';

/// The most chunks of one stream.
pub const CHUNKS_MAX: usize = 1_000;

/// How far into a question the provider looks for what it shall do.
const MARK_WITHIN: usize = 256;

/// What a provider shall do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Answer at once and whole.
    Whole,
    /// Send so many chunks, one in each interval of so many milliseconds.
    Stream(usize, u64),
    /// The same in Anthropic's dialect; the client hears the dialect that it asked in.
    Across(usize, u64),
    /// Send one chunk and then nothing, until the other side leaves.
    Silent,
}

/// Every event that a stream may have, made once.
#[derive(Debug, Clone)]
pub struct Events {
    chunks: Vec<Bytes>,
    across: Vec<Bytes>,
}

/// The body of a question of about `bytes`, and never less than its frame.
pub fn question(kind: Kind, bytes: usize) -> String {
    let (user, stream) = match kind {
        Kind::Whole => ("whole".to_owned(), false),
        Kind::Stream(chunks, interval_ms) => (format!("stream {chunks} {interval_ms}"), true),
        Kind::Across(chunks, interval_ms) => (format!("across {chunks} {interval_ms}"), true),
        Kind::Silent => ("silent".to_owned(), true),
    };
    let model = match kind {
        Kind::Across(..) => MODEL_ACROSS,
        _ => MODEL,
    };
    let mut body = format!(
        r#"{{"model":"{model}","user":"{user}","stream":{stream},"max_tokens":64,"temperature":0.2,"messages":[{{"role":"system","content":"You are a careful assistant."}},{{"role":"user","content":""#
    );
    let end = "\"}]}";
    // Escapes among it, as real prompts have, so that no scan can leap over all of it.
    let line = r#"The sluice opens, the water runs, and \"nobody\" waits for the keeper.\n"#;
    while body.len() + line.len() + end.len() <= bytes {
        body.push_str(line);
    }
    body.push_str(end);
    body
}

/// The bytes of a whole request.
pub fn request(authority: &str, key: &str, body: &str) -> Bytes {
    let length = body.len();
    Bytes::from(format!(
        "POST {PATH} HTTP/1.1\r\nhost: {authority}\r\nauthorization: Bearer {key}\r\n\
         content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

/// What the provider shall do, as its question says. `None` means that the question is not one of ours.
pub fn kind(body: &[u8]) -> Option<Kind> {
    let head = &body[..body.len().min(MARK_WITHIN)];
    // Where it was translated, it stands at the end.
    let tail = &body[body.len().saturating_sub(MARK_WITHIN)..];
    let marked = [(head, "\"user\":\""), (tail, "\"user_id\":\"")].into_iter();
    let mut marked = marked.filter_map(|(part, mark)| {
        let start = memmem::find(part, mark.as_bytes())? + mark.len();
        part[start..].split(|byte| *byte == b'"').next()
    });
    let text = str::from_utf8(marked.next()?).ok()?;
    let mut words = text.split(' ');
    match (words.next()?, words.next(), words.next()) {
        ("whole", None, None) => Some(Kind::Whole),
        ("silent", None, None) => Some(Kind::Silent),
        (how @ ("stream" | "across"), Some(chunks), Some(interval_ms)) => {
            let chunks = chunks.parse().ok().filter(|chunks| *chunks <= CHUNKS_MAX)?;
            let interval_ms = interval_ms.parse().ok()?;
            Some(if how == "stream" {
                Kind::Stream(chunks, interval_ms)
            } else {
                Kind::Across(chunks, interval_ms)
            })
        }
        _ => None,
    }
}

/// Whether the question names the model as only the provider knows it.
pub fn names_provider_model(body: &[u8]) -> bool {
    let head = &body[..body.len().min(MARK_WITHIN)];
    memmem::find(head, format!("\"model\":\"{PROVIDER_MODEL}\"").as_bytes()).is_some()
}

/// Whether the question asks for usage in its stream.
pub fn asks_usage(body: &[u8]) -> bool {
    memmem::find(body, b"\"include_usage\":true").is_some()
}

/// The whole answer, some 580 bytes.
pub fn whole_answer() -> Bytes {
    let content = "The keeper opens the sluice by a hand's breadth, reads the gauge, and writes both \
                   numbers down before the water has settled. ";
    Bytes::from(format!(
        r#"{{"id":"chatcmpl-load","object":"chat.completion","created":1700000000,"model":"provider-chat-2026","choices":[{{"index":0,"message":{{"role":"assistant","content":"{}","refusal":null}},"logprobs":null,"finish_reason":"stop"}}],"usage":{USAGE},"service_tier":"default"}}"#,
        content.repeat(2)
    ))
}

/// What Anthropic says before the first word.
const ACROSS_START: &str = concat!(
    "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"msg_load\",\"type\":\"message\",",
    "\"role\":\"assistant\",\"model\":\"provider-chat-2026\",\"content\":[],\"stop_reason\":null,",
    "\"stop_sequence\":null,\"usage\":{\"input_tokens\":19,\"output_tokens\":1}}}\n\n",
    "event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,",
    "\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
);

/// What Anthropic says after the last word.
const ACROSS_END: &str = concat!(
    "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n",
    "event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",",
    "\"stop_sequence\":null},\"usage\":{\"output_tokens\":41}}\n\n",
    "event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
);

/// How many tokens an answer that is no stream says that it used.
pub const WHOLE_TOKENS: u64 = 60;
const USAGE: &str = r#"{"prompt_tokens":19,"completion_tokens":41,"total_tokens":60}"#;

// === impl Events ===

impl Default for Events {
    fn default() -> Self {
        let chunk = |at| {
            let delta = format!(r#"{{"content":" word{at}"}}"#);
            event(&choice(&delta, "null"), None)
        };
        let across = |at| {
            let delta = format!(
                r#"{{"type":"content_block_delta","index":0,"delta":{{"type":"text_delta","text":" word{at}"}}}}"#
            );
            let start = if at == 0 { ACROSS_START } else { "" };
            Bytes::from(format!(
                "{start}event: content_block_delta\ndata: {delta}\n\n"
            ))
        };
        Self {
            chunks: (0..CHUNKS_MAX).map(chunk).collect(),
            across: (0..CHUNKS_MAX).map(across).collect(),
        }
    }
}

impl Events {
    /// The chunk at this place; places beyond the last are the last.
    pub fn chunk(&self, at: usize) -> Bytes {
        self.chunks[at.min(self.chunks.len() - 1)].clone()
    }

    /// The same in Anthropic's dialect; the first holds what comes before it, too.
    pub fn across(&self, at: usize) -> Bytes {
        self.across[at.min(self.across.len() - 1)].clone()
    }

    /// What follows the last chunk in Anthropic's dialect.
    pub const fn across_end() -> Bytes {
        Bytes::from_static(ACROSS_END.as_bytes())
    }

    /// All that a client gets of a stream in Anthropic's dialect: the same as of any other, behind a chunk that says whose
    /// words they are, and made now.
    pub fn whole_across(&self, chunks: usize) -> Bytes {
        let role = choice(
            r#"{"role":"assistant","content":"","refusal":null}"#,
            "null",
        );
        let all = [event(&role, None), self.whole(chunks)].concat();
        let text = String::from_utf8_lossy(&all).replace("1700000000", "##########");
        text.into_bytes().into()
    }

    /// What follows the last chunk, in one piece.
    pub fn end(usage: bool) -> Bytes {
        let mut end = Vec::new();
        end.extend_from_slice(&event(&choice("{}", "\"stop\""), None));
        if usage {
            end.extend_from_slice(&event("[]", Some(USAGE)));
        }
        end.extend_from_slice(b"data: [DONE]\n\n");
        end.into()
    }

    /// All that a client gets of a stream, which has not asked for usage.
    pub fn whole(&self, chunks: usize) -> Bytes {
        let mut all: Vec<u8> = (0..chunks).flat_map(|at| self.chunk(at)).collect();
        all.extend_from_slice(&Self::end(false));
        all.into()
    }
}

fn choice(delta: &str, finish: &str) -> String {
    format!(r#"[{{"index":0,"delta":{delta},"logprobs":null,"finish_reason":{finish}}}]"#)
}

fn event(choices: &str, usage: Option<&str>) -> Bytes {
    let usage = usage
        .map(|usage| format!(r#","usage":{usage}"#))
        .unwrap_or_default();
    Bytes::from(format!(
        "data: {{\"id\":\"chatcmpl-load\",\"object\":\"chat.completion.chunk\",\"created\":1700000000,\
         \"model\":\"provider-chat-2026\",\"choices\":{choices}{usage}}}\n\n"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_provider_understands_every_question() {
        for kind in [
            Kind::Whole,
            Kind::Stream(50, 100),
            Kind::Across(50, 100),
            Kind::Silent,
        ] {
            let body = question(kind, 1_024);
            assert_eq!(super::kind(body.as_bytes()), Some(kind));
            assert!(body.len() <= 1_024 && body.len() > 900, "{}", body.len());
            serde_json::from_str::<serde_json::Value>(&body).unwrap();
        }
        assert_eq!(super::kind(br#"{"user":"stream 1001 1"}"#), None);
        let translated = br#"{"model":"m","metadata":{"user_id":"across 3 1"}}"#;
        assert_eq!(super::kind(translated), Some(Kind::Across(3, 1)));
    }

    #[test]
    fn answers_and_events_are_json_and_the_answer_is_as_long_as_said() {
        let answer = whole_answer();
        assert!((560..600).contains(&answer.len()), "{}", answer.len());
        serde_json::from_slice::<serde_json::Value>(&answer).unwrap();
        let stream = [
            Events::default().whole(3).to_vec(),
            Events::end(true).to_vec(),
        ]
        .concat();
        for event in String::from_utf8(stream).unwrap().split_terminator("\n\n") {
            let data = event.strip_prefix("data: ").unwrap();
            assert!(data == "[DONE]" || serde_json::from_str::<serde_json::Value>(data).is_ok());
        }
    }

    #[test]
    fn usage_is_found_only_where_it_is_asked_for() {
        let body = question(Kind::Stream(1, 1), 400);
        assert!(!asks_usage(body.as_bytes()) && !names_provider_model(body.as_bytes()));
        let sent = body.replace("\"chat\"", "\"provider-chat\"");
        assert!(names_provider_model(sent.as_bytes()));
        assert!(asks_usage(br#"{"stream_options":{"include_usage":true}}"#));
    }
}
