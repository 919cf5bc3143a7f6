//! JSON without a tree: ours takes what another reader takes, and finds the same members; and a body in which we splice.

use bytes::Bytes;
use dialect::{
    preferences,
    request::{self, Endpoint, Refused, Rewrite},
};
use payload::{
    json::{self, Fault},
    object::Object,
    scalar,
};
use serde_json::value::RawValue;

use crate::cuts;

const ENDPOINTS: [Endpoint; 3] = [
    Endpoint::ChatCompletions,
    Endpoint::Completions,
    Endpoint::Embeddings,
];

/// Scans a text, and compares with another reader.
pub fn scan(input: &[u8]) {
    let Ok(text) = str::from_utf8(input) else {
        return;
    };
    let other = serde_json::from_str::<&RawValue>(text);
    let mut members = Vec::new();
    let ours = json::members(text, |key, value| {
        members.push((key, &text[value]));
        Ok::<_, Fault>(())
    });
    match ours {
        Ok(brace) => {
            assert!(other.is_ok(), "not JSON to another reader");
            assert!(text[brace..].starts_with('}'), "the brace is elsewhere");
            for (key, raw) in members {
                value(key);
                value(raw);
            }
            preferred(text);
        }
        Err(Fault::Malformed { .. }) => {
            let object = text
                .trim_start_matches([' ', '\n', '\t', '\r'])
                .starts_with('{');
            // A number of any size is JSON; readers that make numbers of it may refuse it.
            assert!(!object || other.is_err(), "JSON to another reader");
        }
        Err(Fault::TooDeep { .. }) => {}
    }
    let mut elements = 0;
    let walked = json::elements(text, |place| {
        elements += 1;
        value(&text[place]);
        Ok::<_, Fault>(())
    });
    if walked.is_ok() {
        let all = serde_json::from_str::<Vec<&RawValue>>(text);
        assert_eq!(all.map(|all| all.len()).ok(), Some(elements));
    }
    if let Ok(object) = Object::parse(text) {
        object.rest().for_each(|(_, raw)| value(raw));
    }
}

/// What a client prefers is taken out of any body, and the rest is JSON without it.
fn preferred(text: &str) {
    let _ = preferences::read(text);
    if let Ok((_, rest)) = preferences::take(text) {
        assert!(serde_json::from_str::<&RawValue>(&rest).is_ok(), "{rest}");
    }
}

/// A value that was found is one value to another reader, and text says the same to both.
fn value(raw: &str) {
    let other = serde_json::from_str::<&RawValue>(raw);
    assert_eq!(other.map(RawValue::get).ok(), Some(raw), "another value");
    let _ = scalar::whole_number(raw);
    let ours = scalar::string(raw);
    let other = serde_json::from_str::<String>(raw);
    if let (Some(ours), true) = (&ours, raw.starts_with('"')) {
        assert_eq!(Some(&**ours), other.as_deref().ok(), "another text: {raw}");
        let mut quoted = Vec::new();
        scalar::quote(&mut quoted, ours);
        let again = serde_json::from_slice::<String>(&quoted);
        assert_eq!(again.ok().as_deref(), Some(&**ours), "quoted: {ours:?}");
    }
}

/// Reads the facts of a body and splices a name and a question into it. The first byte says for which endpoint.
pub fn splice(input: &[u8]) {
    let (how, body) = cuts::first(input);
    let endpoint = ENDPOINTS[usize::from(how) % ENDPOINTS.len()];
    let body = Bytes::copy_from_slice(body);
    let _ = dialect::openai::answer::tokens(endpoint, &body);
    let scanned = match request::scan(endpoint, &body) {
        Ok(scanned) => scanned,
        Err(Refused::NotJson(Fault::Malformed { .. })) => {
            let other = serde_json::from_slice::<&RawValue>(&body);
            let object = body.trim_ascii_start().starts_with(b"{");
            assert!(!object || other.is_err(), "JSON to another reader");
            return;
        }
        Err(_) => return,
    };
    let same = Rewrite {
        model: &scanned.model,
        ask_usage: false,
    };
    assert_eq!(request::rewrite(&body, &scanned, &same), body);
    let rewrite = Rewrite {
        model: "b\"\\\u{1}",
        ask_usage: how & 128 != 0,
    };
    let rewritten = request::rewrite(&body, &scanned, &rewrite);
    let again = request::scan(endpoint, &rewritten).map(|again| again.model);
    assert_eq!(again.as_deref().ok(), Some(rewrite.model));
    assert!(serde_json::from_slice::<&RawValue>(&rewritten).is_ok());
}
