//! A client's own request, put into the envelope of another host: Bedrock's `InvokeModel` and Vertex's `rawPredict`.
//!
//! Owns which members a host wants elsewhere. Every other byte of the body stays as it is; nothing is written anew. Must
//! never judge a request: what a host does not take, it says itself, save betas, which it would refuse as a whole.

use std::ops::Range;

use payload::{
    json::{self, Fault},
    object, scalar,
    writer::Writer,
};

use crate::{
    messages::{target::Hosting, version},
    neutral::Dropped,
};

/// How many betas one request may ask for.
// Full: the others are left out, and named.
const BETAS_MAX: usize = 64;

/// What a request is put into.
#[derive(Debug, Clone, Copy)]
pub struct Envelope<'a> {
    /// Whose.
    pub hosting: Hosting<'a>,
    /// The betas of the client's header, with commas between them.
    pub betas: &'a str,
    /// The betas that the host knows, whatever their dates: it refuses a request that asks for another.
    pub known: &'a [&'a str],
    /// The provider's name for the model, where the body says it and not the path: when tokens are counted on Vertex.
    pub model: Option<&'a str>,
}

/// A request in its envelope.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enclosed {
    /// The body.
    pub body: Vec<u8>,
    /// The betas that the host wants in a header, with commas between them; empty where it wants them in the body.
    pub betas: String,
    /// What was left out.
    pub dropped: Dropped,
}

/// Puts a client's body into an envelope.
pub fn enclose(body: &str, envelope: &Envelope<'_>) -> Result<Enclosed, Fault> {
    let mut cut = Vec::new();
    let mut own_betas = Vec::new();
    let mut before = body.find('{').map_or(0, |at| at + 1);
    let streams_in_path = matches!(envelope.hosting, Hosting::Bedrock { .. });
    json::members(body, |key, value| {
        let place = before..value.end;
        before = value.end;
        let key = scalar::string(key).unwrap_or_default();
        let leaves = match &*key {
            "model" | "anthropic_version" => true,
            "stream" => streams_in_path,
            "anthropic_beta" => {
                own_betas = texts(&body[value]);
                true
            }
            _ => false,
        };
        cut.push((place, leaves));
        Ok::<_, Fault>(())
    })?;
    let version = match envelope.hosting {
        Hosting::Bedrock { version, .. } | Hosting::Vertex { version } => version,
        Hosting::Anthropic => version::FIRST,
    };
    let mut dropped = Dropped::default();
    let asked = envelope.betas.split(',').map(|beta| beta.trim().to_owned());
    let betas = chosen(asked.chain(own_betas), envelope.known, &mut dropped);
    let mut head = Writer::with_capacity(128);
    head.open().key("anthropic_version").text(version);
    if let Some(model) = envelope.model {
        head.key("model").text(model);
    }
    if streams_in_path && !betas.is_empty() {
        head.key("anthropic_beta").open_array();
        for beta in &betas {
            head.text(beta);
        }
        head.close_array();
    }
    let betas = if streams_in_path {
        String::new()
    } else {
        betas.join(",")
    };
    let body = joined(head.into_bytes(), body, &cut, before);
    Ok(Enclosed {
        body,
        betas,
        dropped,
    })
}

/// The betas that a host is asked for in a header where the body was written anew, with commas between them: of those of
/// the client's `header` and of its `body` those that are `known`. The others are noted.
pub fn betas(body: &str, header: &str, known: &[&str], dropped: &mut Dropped) -> String {
    let mut object = object::Object::parse(body).unwrap_or_default();
    let own = object.raw("anthropic_beta").ok().flatten().map(texts);
    let asked = header.split(',').map(|beta| beta.trim().to_owned());
    chosen(asked.chain(own.unwrap_or_default()), known, dropped).join(",")
}

/// Whether an error is said in this dialect already, as a host passes on what the model's maker said.
pub fn is_own_error(body: &[u8]) -> bool {
    str::from_utf8(body)
        .ok()
        .and_then(|text| object::Object::parse(text).ok())
        .and_then(|mut outer| outer.text("type").ok().flatten())
        .is_some_and(|kind| kind == "error")
}

/// The head, and behind it every member that does not leave, with the comma that stood before it.
fn joined(head: Vec<u8>, body: &str, members: &[(Range<usize>, bool)], end: usize) -> Vec<u8> {
    let mut out = head;
    out.reserve(body.len());
    for (at, (place, leaves)) in members.iter().enumerate() {
        if *leaves {
            continue;
        }
        if at == 0 {
            out.push(b',');
        }
        out.extend_from_slice(&body.as_bytes()[place.clone()]);
    }
    out.extend_from_slice(&body.as_bytes()[end..]);
    out
}

fn texts(raw: &str) -> Vec<String> {
    let elements = object::elements(raw).unwrap_or_default();
    let text = |raw| object::text(raw).ok().map(std::borrow::Cow::into_owned);
    elements.into_iter().filter_map(text).collect()
}

/// Those that may be asked for, each once; the others are noted.
fn chosen(
    asked: impl Iterator<Item = String>,
    allowed: &[&str],
    dropped: &mut Dropped,
) -> Vec<String> {
    let mut betas: Vec<String> = Vec::new();
    for beta in asked.filter(|beta| !beta.is_empty()) {
        if !version::is_allowed(&beta, allowed) || betas.len() == BETAS_MAX {
            dropped.note(format!("anthropic-beta:{beta}"));
        } else if !betas.contains(&beta) {
            betas.push(beta);
        }
    }
    betas
}

#[cfg(test)]
mod tests {
    use super::*;

    const BEDROCK: Hosting<'_> = Hosting::Bedrock {
        version: version::BEDROCK,
        betas: &[],
    };
    const VERTEX: Hosting<'_> = Hosting::Vertex {
        version: version::VERTEX,
    };
    const KNOWN: [&str; 2] = ["context-1m-2025-08-07", "computer-use"];

    fn put(body: &str, hosting: Hosting<'_>, betas: &str, model: Option<&str>) -> Enclosed {
        let envelope = Envelope {
            hosting,
            betas,
            known: &KNOWN,
            model,
        };
        enclose(body, &envelope).unwrap()
    }

    fn text(enclosed: &Enclosed) -> &str {
        str::from_utf8(&enclosed.body).unwrap()
    }

    #[test]
    fn what_a_host_wants_elsewhere_leaves_and_the_rest_stays_to_the_byte() {
        let body = "{ \"model\" : \"claude\",\n \"max_tokens\":1.0e1 , \"stream\": true, \"x\":{\"model\":1}}\n";
        let enclosed = put(body, BEDROCK, "", None);
        assert_eq!(
            text(&enclosed),
            "{\"anthropic_version\":\"bedrock-2023-05-31\",\n \"max_tokens\":1.0e1, \"x\":{\"model\":1}}\n"
        );
        let enclosed = put(body, VERTEX, "", None);
        assert_eq!(
            text(&enclosed),
            "{\"anthropic_version\":\"vertex-2023-10-16\",\n \"max_tokens\":1.0e1 , \"stream\": true, \"x\":{\"model\":1}}\n"
        );
        let enclosed = put(body, VERTEX, "", Some("c@1"));
        assert!(text(&enclosed).starts_with(
            "{\"anthropic_version\":\"vertex-2023-10-16\",\"model\":\"c@1\",\n \"max_tokens\""
        ));
    }

    #[test]
    fn a_body_is_one_object_whichever_members_leave() {
        for body in [
            "{}",
            "{\"model\":\"a\"}",
            "{\"x\":1,\"model\":\"a\"}",
            "{\"model\":\"a\",\"anthropic_version\":\"z\",\"stream\":true}",
            "{\"mod\\u0065l\":\"a\",\"y\":[1,2]}",
            " {\n\"x\":1\n,\"stream\":false,\"y\":2}",
        ] {
            for hosting in [BEDROCK, VERTEX] {
                let enclosed = put(body, hosting, "", None);
                let mut object = object::Object::parse(text(&enclosed)).unwrap();
                assert!(object.text("anthropic_version").unwrap().is_some());
                assert!(!object.has("model"), "{body}");
            }
        }
    }

    #[test]
    fn betas_of_header_and_body_are_asked_for_where_the_host_knows_them() {
        let body = r#"{"anthropic_beta":["computer-use-2025-01-24","odd-1"],"max_tokens":1}"#;
        let header = "context-1m-2099-01-01, new-thing-2026-01-01";
        let enclosed = put(body, BEDROCK, header, None);
        assert_eq!(
            text(&enclosed),
            r#"{"anthropic_version":"bedrock-2023-05-31","anthropic_beta":["context-1m-2099-01-01","computer-use-2025-01-24"],"max_tokens":1}"#
        );
        assert_eq!(enclosed.betas, "");
        assert_eq!(
            enclosed.dropped.paths(),
            [
                "anthropic-beta:new-thing-2026-01-01",
                "anthropic-beta:odd-1"
            ]
        );
        let enclosed = put(body, VERTEX, header, None);
        assert_eq!(
            enclosed.betas,
            "context-1m-2099-01-01,computer-use-2025-01-24"
        );
        assert!(!text(&enclosed).contains("anthropic_beta"));
        let mut dropped = Dropped::default();
        let anew = betas(body, header, &KNOWN, &mut dropped);
        assert_eq!((anew, dropped), (enclosed.betas, enclosed.dropped));
    }
}
