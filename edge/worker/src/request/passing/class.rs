//! What records call a path that is passed through: a closed set of words, never what a client made up.

/// The known first segments, and the words for them.
const CLASSES: [(&str, &str); 28] = [
    ("assistants", "/passthrough/assistants"),
    ("audio", "/passthrough/audio"),
    ("batches", "/passthrough/batches"),
    ("cachedContents", "/passthrough/cachedContents"),
    ("chat", "/passthrough/chat"),
    ("completions", "/passthrough/completions"),
    ("containers", "/passthrough/containers"),
    ("conversations", "/passthrough/conversations"),
    ("embed", "/passthrough/embed"),
    ("embeddings", "/passthrough/embeddings"),
    ("evals", "/passthrough/evals"),
    ("files", "/passthrough/files"),
    ("fine_tuning", "/passthrough/fine_tuning"),
    ("images", "/passthrough/images"),
    ("messages", "/passthrough/messages"),
    ("model", "/passthrough/model"),
    ("models", "/passthrough/models"),
    ("moderations", "/passthrough/moderations"),
    ("ocr", "/passthrough/ocr"),
    ("realtime", "/passthrough/realtime"),
    ("rerank", "/passthrough/rerank"),
    ("responses", "/passthrough/responses"),
    ("skills", "/passthrough/skills"),
    ("threads", "/passthrough/threads"),
    ("uploads", "/passthrough/uploads"),
    ("vector_stores", "/passthrough/vector_stores"),
    ("videos", "/passthrough/videos"),
    ("tokenize", "/passthrough/tokenize"),
];

/// The word for a path, which begins with a slash.
pub(crate) fn of(path: &str) -> &'static str {
    let first = path.split(['/', ':']).find(|it| !it.is_empty());
    let known = CLASSES.iter().find(|(name, _)| Some(*name) == first);
    known.map_or("/passthrough/other", |(_, class)| class)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_is_called_by_its_first_segment_if_that_is_known() {
        assert_eq!(of("/files/f-1/content"), "/passthrough/files");
        assert_eq!(of("/models/gemini:embedText"), "/passthrough/models");
        assert_eq!(of("/anything/files"), "/passthrough/other");
        for (name, class) in CLASSES {
            assert_eq!(class.strip_prefix("/passthrough/"), Some(name));
        }
    }
}
