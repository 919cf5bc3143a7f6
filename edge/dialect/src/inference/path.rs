//! The path of a request: what is asked, of which model, and of which version of it.
//!
//! Knows how names are written in a path. Must never decide which model that is.

use std::borrow::Cow;

/// The most bytes of a name in a path. Full: it is no path of ours.
const NAME_BYTES_MAX: usize = 1_024;

/// Whom a request is for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Addressee<'a> {
    /// The model.
    pub model: Cow<'a, str>,
    /// The version, where the path names one.
    pub version: Option<Cow<'a, str>>,
    /// What is asked of it.
    pub asks: Asks,
}

/// What is asked of a model.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Asks {
    /// Its tensors: what goes in and what comes out.
    Metadata,
    /// Whether it can be asked.
    Ready,
    /// An inference.
    Infer,
}

// === impl Addressee ===

impl<'a> Addressee<'a> {
    /// Reads `/v2/models/{model}` and `/v2/models/{model}/versions/{version}`, each alone or with `/ready` or `/infer`
    /// behind it.
    pub fn read(path: &'a str) -> Option<Self> {
        let mut segments = path.strip_prefix("/v2/models/")?.split('/');
        let model = name(segments.next()?)?;
        let mut next = segments.next();
        let mut version = None;
        if next == Some("versions") {
            version = Some(name(segments.next()?)?);
            next = segments.next();
        }
        let asks = match next {
            None => Asks::Metadata,
            Some("ready") => Asks::Ready,
            Some("infer") => Asks::Infer,
            Some(_) => return None,
        };
        segments.next().is_none().then_some(Self {
            model,
            version,
            asks,
        })
    }
}

/// A name as a segment says it. None where it is empty, too long, no text, or would lead elsewhere.
pub fn name(segment: &str) -> Option<Cow<'_, str>> {
    let said = if segment.contains('%') {
        Cow::Owned(unescaped(segment)?)
    } else {
        Cow::Borrowed(segment)
    };
    let fits = (1..=NAME_BYTES_MAX).contains(&said.len());
    (fits && said != "." && said != ".." && !said.contains(char::is_control)).then_some(said)
}

fn unescaped(segment: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(segment.len());
    let mut pieces = segment.split('%');
    bytes.extend_from_slice(pieces.next()?.as_bytes());
    for piece in pieces {
        let digits = piece
            .get(..2)
            .filter(|it| it.bytes().all(|it| it.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(piece.get(2..)?.as_bytes());
    }
    String::from_utf8(bytes).ok()
}
