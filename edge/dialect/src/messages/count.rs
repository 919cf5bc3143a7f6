//! How many tokens a request has: `POST /v1/messages/count_tokens`, and the same on Bedrock and Vertex.
//!
//! Owns the question and its answer in each host's shape. Must never ask for a limit or a way to choose words: nothing
//! is generated.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    base64,
    messages::{
        draft::Purpose,
        request,
        target::{Hosting, Target},
    },
    neutral::{Encoded, Request, Unsupported},
};

/// Reads what a client asks to have counted: a request without a limit.
pub fn decode(body: &str) -> Result<Request, Misfit> {
    request::decode(body)
}

/// Writes what the provider is asked to count. Bedrock wants the whole request for an answer, wrapped.
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    if !matches!(target.hosting, Hosting::Bedrock { .. }) {
        return request::write(request, target, Purpose::Count);
    }
    // Nothing is generated, but Bedrock refuses a body without a limit.
    let target = Target {
        output_tokens_default: target.output_tokens_default.or(Some(1)),
        ..target.clone()
    };
    let Encoded { body, dropped } = request::write(request, &target, Purpose::Answer)?;
    let mut writer = Writer::default();
    writer.open().key("input").open().key("invokeModel").open();
    writer.key("body").text(&base64::encode(&body));
    writer.close().close().close();
    Ok(Encoded {
        body: writer.into_bytes(),
        dropped,
    })
}

/// Reads the count, in the words of Anthropic and Vertex or in Bedrock's.
pub fn decode_answer(body: &str) -> Result<u64, Misfit> {
    let mut answer = Object::parse(body)?;
    let count = match answer.count("input_tokens")? {
        None => answer.count("inputTokens")?,
        count => count,
    };
    count.ok_or_else(|| Misfit::new("is required").within("input_tokens"))
}

/// Writes the count for a client.
pub fn encode_answer(input_tokens: u64) -> Vec<u8> {
    let mut writer = Writer::default();
    writer.open().key("input_tokens").number(input_tokens);
    writer.close();
    writer.into_bytes()
}
