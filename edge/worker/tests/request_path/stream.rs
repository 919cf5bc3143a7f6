//! What a stream of each API looks like, as its provider sends it and as its client reads it.

use policy::provider::ProviderKind;
use tokio::io::AsyncWriteExt;

use crate::provider::Peer;

/// What goes wrong in a stream.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// The provider says that it failed.
    Error,
    /// It says nothing more.
    Stall,
    /// It sends something that nobody can read.
    Malformed,
    /// It closes the connection.
    Cut,
}

pub const FAULTS: [Fault; 4] = [Fault::Error, Fault::Stall, Fault::Malformed, Fault::Cut];

impl Fault {
    /// Happens in a stream that says `error` where it fails, and `torn` where it makes no sense.
    pub async fn happen(self, peer: &mut Peer, error: &[u8], torn: &[u8]) {
        match self {
            Self::Error => peer.chunk(error).await,
            Self::Malformed => peer.chunk(torn).await,
            Self::Stall => {}
            Self::Cut => peer.stream.shutdown().await.unwrap(),
        }
    }

    pub const fn code(self) -> &'static str {
        match self {
            Self::Error => "upstream_error",
            Self::Stall => "upstream_timeout",
            Self::Malformed => "upstream_unreadable",
            Self::Cut => "upstream_broken",
        }
    }
}

/// An event that nobody can read.
pub const TORN: &str = "data: {\"torn\": \n\n";

/// A stream of one API in pieces: a beginning that says nothing yet, something that was said, and the rest.
#[derive(Clone, Copy)]
pub struct Api {
    pub kind: ProviderKind,
    pub path: &'static str,
    pub body: &'static str,
    pub beginning: &'static str,
    pub delta: &'static str,
    pub rest: &'static str,
    /// An error of the provider's own, in a stream.
    pub error: &'static str,
    /// What every error of a stream has in it, for the client, and only errors have.
    pub mark: &'static str,
    /// The status of a provider that is overloaded.
    pub overloaded: u16,
    /// Tokens that the beginning says were used.
    pub reported: u64,
}

/// What the delta says, in all of them.
pub const SAID: &str = "hello";

pub const CHAT: Api = Api {
    kind: ProviderKind::OpenAi,
    path: "/v1/chat/completions",
    body: r#"{"model":"chat","stream":true,"stream_options":{"include_usage":true},"messages":[{"role":"user","content":"hi"}]}"#,
    beginning: ": comment\n\ndata: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"role\":\"assistant\",\"content\":\"\"}}]}\n\n",
    delta: "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"hello\"}}]}\n\n",
    rest: "data: {\"id\":\"c\",\"choices\":[{\"index\":0,\"delta\":{},\"finish_reason\":\"stop\"}]}\n\n\
           data: {\"id\":\"c\",\"choices\":[],\"usage\":{\"prompt_tokens\":3,\"completion_tokens\":2,\"total_tokens\":5}}\n\n\
           data: [DONE]\n\n",
    error: "data: {\"error\":{\"message\":\"Overloaded.\",\"type\":\"server_error\",\"param\":null,\"code\":\"overloaded\"}}\n\n",
    mark: "data: {\"error\":",
    overloaded: 503,
    reported: 0,
};

pub const RESPONSES: Api = Api {
    kind: ProviderKind::OpenAi,
    path: "/v1/responses",
    body: r#"{"model":"chat","stream":true,"input":"hi"}"#,
    beginning: "event: response.created\ndata: {\"type\":\"response.created\",\"sequence_number\":0,\"response\":{\"id\":\"r\",\"object\":\"response\",\"status\":\"in_progress\",\"model\":\"m\",\"output\":[]}}\n\n\
                event: response.output_item.added\ndata: {\"type\":\"response.output_item.added\",\"sequence_number\":1,\"output_index\":0,\"item\":{\"id\":\"i\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"in_progress\",\"content\":[]}}\n\n",
    delta: "event: response.output_text.delta\ndata: {\"type\":\"response.output_text.delta\",\"sequence_number\":2,\"item_id\":\"i\",\"output_index\":0,\"content_index\":0,\"delta\":\"hello\"}\n\n",
    rest: "event: response.completed\ndata: {\"type\":\"response.completed\",\"sequence_number\":3,\"response\":{\"id\":\"r\",\"object\":\"response\",\"status\":\"completed\",\"model\":\"m\",\"output\":[{\"id\":\"i\",\"type\":\"message\",\"role\":\"assistant\",\"status\":\"completed\",\"content\":[{\"type\":\"output_text\",\"text\":\"hello\",\"annotations\":[]}]}],\"usage\":{\"input_tokens\":3,\"output_tokens\":2,\"total_tokens\":5}}}\n\n",
    error: "event: error\ndata: {\"type\":\"error\",\"sequence_number\":3,\"code\":\"server_is_overloaded\",\"message\":\"Overloaded.\",\"param\":null}\n\n",
    mark: "event: error\n",
    overloaded: 503,
    reported: 0,
};

pub const MESSAGES: Api = Api {
    kind: ProviderKind::Anthropic,
    path: "/v1/messages",
    body: r#"{"model":"chat","stream":true,"max_tokens":9,"messages":[{"role":"user","content":"hi"}]}"#,
    beginning: "event: message_start\ndata: {\"type\":\"message_start\",\"message\":{\"id\":\"m\",\"type\":\"message\",\"role\":\"assistant\",\"model\":\"c\",\"content\":[],\"stop_reason\":null,\"stop_sequence\":null,\"usage\":{\"input_tokens\":3,\"output_tokens\":1}}}\n\n\
                event: ping\ndata: {\"type\":\"ping\"}\n\n\
                event: content_block_start\ndata: {\"type\":\"content_block_start\",\"index\":0,\"content_block\":{\"type\":\"text\",\"text\":\"\"}}\n\n",
    delta: "event: content_block_delta\ndata: {\"type\":\"content_block_delta\",\"index\":0,\"delta\":{\"type\":\"text_delta\",\"text\":\"hello\"}}\n\n",
    rest: "event: content_block_stop\ndata: {\"type\":\"content_block_stop\",\"index\":0}\n\n\
           event: message_delta\ndata: {\"type\":\"message_delta\",\"delta\":{\"stop_reason\":\"end_turn\",\"stop_sequence\":null},\"usage\":{\"output_tokens\":2}}\n\n\
           event: message_stop\ndata: {\"type\":\"message_stop\"}\n\n",
    error: "event: error\ndata: {\"type\":\"error\",\"error\":{\"type\":\"overloaded_error\",\"message\":\"Overloaded.\"}}\n\n",
    mark: "event: error\n",
    overloaded: 529,
    reported: 4,
};

pub const GEMINI: Api = Api {
    kind: ProviderKind::Gemini,
    path: "/v1beta/models/chat:streamGenerateContent?alt=sse",
    body: r#"{"contents":[{"role":"user","parts":[{"text":"hi"}]}]}"#,
    beginning: "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"\"}]},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3,\"totalTokenCount\":3},\"responseId\":\"r\"}\r\n\r\n",
    delta: "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"hello\"}]},\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2,\"totalTokenCount\":5},\"responseId\":\"r\"}\r\n\r\n",
    rest: "data: {\"candidates\":[{\"content\":{\"role\":\"model\",\"parts\":[{\"text\":\"\"}]},\"finishReason\":\"STOP\",\"index\":0}],\"usageMetadata\":{\"promptTokenCount\":3,\"candidatesTokenCount\":2,\"totalTokenCount\":5},\"responseId\":\"r\"}\r\n\r\n",
    error: "data: {\"error\":{\"code\":503,\"message\":\"Overloaded.\",\"status\":\"UNAVAILABLE\"}}\r\n\r\n",
    mark: "data: {\"error\":",
    overloaded: 503,
    reported: 3,
};

pub const ALL: [Api; 4] = [CHAT, RESPONSES, MESSAGES, GEMINI];

/// Who answers a client of each: a provider that speaks its API, and one that speaks another.
pub const PAIRS: [(Api, Api); 8] = [
    (CHAT, CHAT),
    (RESPONSES, RESPONSES),
    (MESSAGES, MESSAGES),
    (GEMINI, GEMINI),
    (CHAT, MESSAGES),
    (RESPONSES, GEMINI),
    (MESSAGES, CHAT),
    (GEMINI, MESSAGES),
];

impl Api {
    /// The whole of it.
    pub fn whole(&self) -> String {
        [self.beginning, self.delta, self.rest].concat()
    }

    /// How often a client hears of a failure in this.
    pub fn failures(&self, text: &str) -> usize {
        text.matches(self.mark).count()
    }

    /// The code that the API's clients find in an error.
    pub fn named(&self, body: &str) -> String {
        let body: serde_json::Value = serde_json::from_str(body).unwrap();
        let error = &body["error"];
        match self.kind {
            ProviderKind::Anthropic => {
                assert_eq!(body["type"], "error", "{body}");
                error["type"].as_str().unwrap().to_owned()
            }
            ProviderKind::Gemini => error["status"].as_str().unwrap().to_owned(),
            _ => {
                for member in ["message", "type", "param", "code"] {
                    assert!(error.get(member).is_some(), "{body}");
                }
                error["code"].as_str().unwrap_or_default().to_owned()
            }
        }
    }
}
