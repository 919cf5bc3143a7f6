//! Which members of a body are read, at each endpoint.
//!
//! Knows names; knows nothing of what is made of them.

use crate::request::Endpoint;

/// What a member tells.
#[derive(Clone, Copy)]
pub(super) enum Field {
    GenerationConfig,
    Model,
    Stream,
    StreamOptions,
    OutputMax,
    Choices,
    Prompt,
    Usage,
    Preference,
}

/// The members that we read, and that may therefore stand there only once.
pub(super) const fn fields(endpoint: Endpoint) -> &'static [(&'static str, Field)] {
    match endpoint {
        Endpoint::ChatCompletions => &[
            ("model", Field::Model),
            ("stream", Field::Stream),
            ("stream_options", Field::StreamOptions),
            ("max_tokens", Field::OutputMax),
            ("max_completion_tokens", Field::OutputMax),
            ("n", Field::Choices),
            ("usage", Field::Usage),
            ("models", Field::Preference),
            ("provider", Field::Preference),
            ("session_id", Field::Preference),
        ],
        Endpoint::Completions => &[
            ("model", Field::Model),
            ("stream", Field::Stream),
            ("stream_options", Field::StreamOptions),
            ("max_tokens", Field::OutputMax),
            ("max_completion_tokens", Field::OutputMax),
            ("n", Field::Choices),
            ("best_of", Field::Choices),
            ("prompt", Field::Prompt),
            ("models", Field::Preference),
            ("provider", Field::Preference),
            ("session_id", Field::Preference),
        ],
        Endpoint::Embeddings => &[
            ("model", Field::Model),
            ("models", Field::Preference),
            ("provider", Field::Preference),
            ("session_id", Field::Preference),
        ],
        Endpoint::CountMessages => &[("model", Field::Model)],
        Endpoint::CountGenerate | Endpoint::Infer | Endpoint::InferMetadata | Endpoint::Invoke => {
            &[]
        }
        Endpoint::Responses => &[
            ("model", Field::Model),
            ("stream", Field::Stream),
            ("max_output_tokens", Field::OutputMax),
            ("models", Field::Preference),
            ("provider", Field::Preference),
            ("session_id", Field::Preference),
        ],
        Endpoint::Messages => &[
            ("model", Field::Model),
            ("stream", Field::Stream),
            ("max_tokens", Field::OutputMax),
        ],
        // Google's reader minds no difference between `generationConfig` and `generation_config`; names here are
        // in small letters, and so only what differs from them in case is told apart below.
        Endpoint::Generate | Endpoint::GenerateStream => &[
            ("generationconfig", Field::GenerationConfig),
            ("generation_config", Field::GenerationConfig),
        ],
    }
}
