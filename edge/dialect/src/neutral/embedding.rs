//! Texts to be turned into vectors, and the vectors.
//!
//! Knows nothing of how any dialect spells them.

use crate::{
    Tokens,
    neutral::{Extra, Vector},
};

/// What a client asks to be turned into vectors.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct EmbeddingRequest {
    /// The model, as whoever wrote the request calls it.
    pub model: String,
    /// What to turn into vectors, in the order of the answer.
    pub inputs: Vec<EmbeddingInput>,
    /// How long each vector should be; absent is as the model likes.
    pub dimensions: Option<u64>,
    /// In what form the client wants the vectors.
    pub encoding: Encoding,
    /// What the vectors are for, where the client says it.
    pub task: Option<Task>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}

/// One thing to be turned into one vector.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum EmbeddingInput {
    /// Words.
    Text(String),
    /// Tokens of the model's own, which only `OpenAI`'s dialect takes.
    Tokens(Vec<u64>),
}

/// In what form vectors are wanted.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash)]
pub enum Encoding {
    /// Arrays of numbers.
    #[default]
    Floats,
    /// 32-bit floats in base64.
    Base64,
}

/// What vectors are for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Task {
    /// To find texts: this is what is looked for.
    Query,
    /// To find texts: this is one of them.
    Document,
    /// To tell how alike two texts are.
    Similarity,
    /// To tell of what kind a text is.
    Classification,
    /// To put like texts together.
    Clustering,
    /// To find answers: this is the question.
    Question,
    /// To find evidence: this is the claim.
    Claim,
    /// To find code: this is what is looked for.
    CodeQuery,
}

/// The vectors, in the order of the inputs.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Embeddings {
    /// The model, as the provider calls it; empty where it does not say.
    pub model: String,
    /// One for each input.
    pub vectors: Vec<Vector>,
    /// What was used, where the provider says it.
    pub tokens: Option<Tokens>,
    /// What only one family understands.
    pub extra: Vec<Extra>,
}
