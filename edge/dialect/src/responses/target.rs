//! What a provider that speaks this dialect does differently from the next one.

/// Which model gets a request, and what it minds.
#[expect(
    clippy::struct_excessive_bools,
    reason = "each is a fact of its own about a provider, and none decides another"
)]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target<'a> {
    /// The provider's name for the model.
    pub model: &'a str,
    /// The request was another family's: what its silence means there is said here, because it means something else
    /// in this dialect. Tools are not strict, nothing is stored, reasoning comes with what proves it. And what other
    /// families fill with nothing is left out.
    pub crossing: bool,
    /// The provider takes `instructions`. Otherwise they are the first item of the input.
    pub instructions: bool,
    /// The model takes `temperature` and `top_p`; those that reason often do not.
    pub sampling: bool,
    /// The model knows the effort `minimal`. Otherwise it is `low`.
    pub minimal_effort: bool,
    /// The model knows marks that a prompt cache should end somewhere. Only asked when crossing.
    pub cache_marks: bool,
    /// The fewest tokens that may be asked for; fewer are raised to it. 0 is no bound; `OpenAI` wants 16.
    pub output_tokens_min: u64,
}

// === impl Target ===

impl<'a> Target<'a> {
    /// A model that minds nothing, asked by a client of the same family.
    pub const fn new(model: &'a str) -> Self {
        Self {
            model,
            crossing: false,
            instructions: true,
            sampling: true,
            minimal_effort: true,
            cache_marks: false,
            output_tokens_min: 0,
        }
    }
}
