//! What a provider gets whose own program reads chat completions, from a client of chat: its body as it sent it.
//!
//! Owns what is changed in it: the model's name, and that no stream is asked for, because such a provider answers whole.
//! Must never know the program.

use payload::{
    json::{self, Fault},
    object::Misfit,
    scalar,
};

/// A client's own body, for a provider.
pub(crate) struct Mapped {
    /// The body.
    pub(crate) body: Vec<u8>,
    /// Whether the client asked for a stream.
    pub(crate) stream: bool,
}

/// The body with this model, and without what asks for a stream.
pub(crate) fn chat(body: &str, model: &str) -> Result<Mapped, Misfit> {
    let mut out = Vec::with_capacity(body.len() + model.len());
    let mut stream = false;
    let walked = json::members(body, |key, value| {
        let raw = body.get(value).unwrap_or_default();
        let name = scalar::string(key).unwrap_or_default();
        match name.as_ref() {
            "stream" => stream = raw == "true",
            "stream_options" => {}
            name => {
                out.push(if out.is_empty() { b'{' } else { b',' });
                out.extend_from_slice(key.as_bytes());
                out.push(b':');
                if name == "model" {
                    scalar::quote(&mut out, model);
                } else {
                    out.extend_from_slice(raw.as_bytes());
                }
            }
        }
        Ok::<_, Fault>(())
    });
    walked.map_err(|_| Misfit::new("must be an object"))?;
    if out.is_empty() {
        out.push(b'{');
    }
    out.push(b'}');
    Ok(Mapped { body: out, stream })
}
