//! What is known of a request's tensors.
//!
//! Knows how the Open Inference Protocol parts JSON and data; knows nothing of models.

use dialect::inference;
use http::HeaderValue;
use payload::object::Misfit;

use crate::request::refusal::Refusal;

/// What is known of a request's tensors.
pub struct Tensors {
    /// The version that the path names.
    pub version: Option<Box<str>>,
    /// The rows of the first input; none where a model is only described.
    pub rows: u64,
    /// Where the JSON ends, where data stands behind it.
    pub json_bytes: Option<Box<HeaderValue>>,
}

/// The rows of a request for inference, whose tensors must hold together.
pub fn count_rows(body: &[u8], json_bytes: Option<&HeaderValue>) -> Result<u64, Refusal> {
    let said = json_bytes.map(|value| {
        let read = value.to_str().ok().and_then(inference::request::json_bytes);
        read.ok_or_else(|| {
            let misfit = Misfit::new("must be a whole number of bytes");
            Refusal::Tensors(Box::new(misfit.within("Inference-Header-Content-Length")))
        })
    });
    let scanned = inference::request::scan(body, said.transpose()?);
    let scanned = scanned.map_err(|misfit| Refusal::Tensors(Box::new(misfit)))?;
    Ok(inference::usage::units(&scanned).rows)
}
