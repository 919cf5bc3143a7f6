//! Vectors across families: `OpenAI`'s clients ask, and providers of other families answer.
//!
//! Owns which codec writes and which reads. Must never know sockets or policy.

use payload::object::Misfit;

use crate::{
    cohere, gemini,
    neutral::{Class, EmbeddingRequest, Embeddings, Encoded, Encoding, Error, Family, Unsupported},
    openai::embedding as client,
};

/// What Cohere is told that the vectors are for, where the client does not say: texts that will be looked through.
const INPUT_TYPE: &str = "search_document";

/// A provider's model that makes vectors.
#[derive(Debug, Clone, Copy)]
pub enum Maker<'a> {
    /// A model of Gemini's.
    Gemini(gemini::Target<'a>),
    /// A model of Cohere's, by its name.
    Cohere(&'a str),
}

/// A request on its way.
#[derive(Debug)]
pub(crate) struct Written {
    pub(crate) encoded: Encoded,
    pub(crate) back: Back,
}

/// What the way back needs to know.
#[derive(Debug, Clone)]
pub(crate) struct Back {
    provider: Family,
    encoding: Encoding,
    model: String,
}

/// Which method of Gemini's API a request needs: it stands in the path.
pub(crate) fn method(request: &EmbeddingRequest, maker: &Maker<'_>) -> Option<&'static str> {
    match maker {
        Maker::Gemini(target) => Some(match gemini::embedding::call(request, target) {
            gemini::embedding::Call::One => "embedContent",
            gemini::embedding::Call::Batch => "batchEmbedContents",
            gemini::embedding::Call::Predict => "predict",
        }),
        Maker::Cohere(_) => None,
    }
}

/// Reads what the client asks.
pub(crate) fn read(body: &str) -> Result<EmbeddingRequest, Misfit> {
    client::decode(body)
}

/// Writes it for a provider.
pub(crate) fn write(request: &EmbeddingRequest, maker: &Maker<'_>) -> Result<Written, Unsupported> {
    let (encoded, provider, model) = match maker {
        Maker::Gemini(target) => (
            gemini::embedding::encode(request, target)?,
            Family::Gemini,
            target.model,
        ),
        Maker::Cohere(model) => {
            let target = cohere::embedding::Target {
                model,
                input_type: INPUT_TYPE,
            };
            let encoded = cohere::embedding::encode(request, &target)?;
            (encoded, Family::Cohere, *model)
        }
    };
    let back = Back {
        provider,
        encoding: request.encoding,
        model: model.to_owned(),
    };
    Ok(Written { encoded, back })
}

// === impl Back ===

impl Back {
    /// Translates the vectors.
    pub(crate) fn whole(&self, body: &str) -> Result<(Vec<u8>, Embeddings), Error> {
        let read = match self.provider {
            Family::Gemini => gemini::embedding::decode_answer(body),
            _ => cohere::embedding::decode_answer(body),
        };
        let mut vectors = read.map_err(|why| Error::new(Class::Provider, why.to_string()))?;
        if vectors.model.is_empty() {
            vectors.model.clone_from(&self.model);
        }
        let written = client::encode_answer(&vectors, self.encoding);
        let written =
            written.ok_or_else(|| Error::new(Class::Provider, "a vector is no floats"))?;
        Ok((written, vectors))
    }
}
