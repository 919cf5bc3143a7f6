//! A whole response object, as it stands in an answer and in the first and last events of a stream.
//!
//! Owns which members are always there: clients with types read them without asking. Must never know what its items
//! say: they are given as they are written.

use payload::writer::Writer;

use crate::{
    Tokens,
    neutral::{Answer, Error, Extra, Seed, Stop},
    responses::{echo::Echo, error, own, usage},
};

/// What a response says of itself beside what its request decides.
#[derive(Debug)]
pub(crate) struct Snapshot<'a> {
    pub(crate) id: &'a str,
    pub(crate) model: &'a str,
    pub(crate) created_seconds: u64,
    pub(crate) status: Progress<'a>,
    /// Its items, commas between them.
    pub(crate) output: &'a str,
    pub(crate) tokens: Option<&'a Tokens>,
}

/// How far a response has come.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Progress<'a> {
    /// It goes on.
    Running,
    /// It is whole.
    Completed,
    /// It was cut off, and why.
    Incomplete(&'static str),
    /// It broke: a code and a message.
    Failed(&'a str, &'a str),
}

/// The id of a response. Every client of this family looks for its beginning.
pub(crate) fn id(said: &str, seed: &Seed) -> String {
    if said.starts_with("resp_") {
        return said.to_owned();
    }
    let bare = ["chatcmpl-", "msg_", "gen-"]
        .iter()
        .find_map(|prefix| said.strip_prefix(prefix))
        .unwrap_or(said);
    let of = if bare.is_empty() {
        &seed.request_id
    } else {
        bare
    };
    let letters = of
        .chars()
        .filter(|it| it.is_ascii_alphanumeric() || matches!(it, '-' | '_'));
    format!("resp_{}", letters.collect::<String>())
}

// === impl Progress ===

impl<'a> Progress<'a> {
    /// What a reason to stop makes of a response.
    pub(crate) fn of(stop: Option<&'a Stop>) -> Self {
        match stop {
            Some(Stop::Length | Stop::ContextFull) => Self::Incomplete("max_output_tokens"),
            Some(Stop::Filtered) => Self::Incomplete("content_filter"),
            Some(Stop::Failed(why)) => Self::Failed("server_error", why),
            _ => Self::Completed,
        }
    }

    /// The word for it.
    pub(crate) const fn word(self) -> &'static str {
        match self {
            Self::Running => "in_progress",
            Self::Completed => "completed",
            Self::Incomplete(_) => "incomplete",
            Self::Failed(..) => "failed",
        }
    }

    /// The word for the last item of such a response.
    pub(crate) const fn last_item(self) -> &'static str {
        match self {
            Self::Completed => "completed",
            _ => "incomplete",
        }
    }

    fn error(self) -> String {
        let mut out = Writer::default();
        match self {
            Self::Failed(code, message) => {
                let out = out.open().key("code").text(code);
                out.key("message").text(message).close();
            }
            _ => {
                out.null();
            }
        }
        String::from_utf8(out.into_bytes()).unwrap_or_default()
    }

    fn incomplete_details(self) -> String {
        match self {
            Self::Incomplete(reason) => format!("{{\"reason\":\"{reason}\"}}"),
            _ => "null".to_owned(),
        }
    }
}

/// The status of a response that failed this way.
pub(crate) fn failed(error: &Error) -> Progress<'_> {
    Progress::Failed(error::code(error), &error.message)
}

// === impl Snapshot ===

impl Snapshot<'_> {
    /// Writes it. `extras` are the answer's own: where there are some, a provider of this family has said what its
    /// request decides.
    pub(crate) fn write(&self, writer: &mut Writer, echo: &Echo, extras: &[Extra]) {
        let said = own::ours(extras).next().is_some();
        let model = if self.model.is_empty() {
            echo.model()
        } else {
            self.model
        };
        writer.open().key("id").text(self.id);
        writer.key("object").text("response");
        writer.key("created_at").number(self.created_seconds);
        let own =
            |name: &str, default: String| own::find(extras, name).map_or(default, str::to_owned);
        let status = own("status", format!("\"{}\"", self.status.word()));
        writer.key("status").raw(&status);
        writer.key("error").raw(&own("error", self.status.error()));
        let details = own("incomplete_details", self.status.incomplete_details());
        writer.key("incomplete_details").raw(&details);
        writer.key("model").text(model);
        writer.key("output").open_array();
        if !self.output.is_empty() {
            writer.raw(self.output);
        }
        writer.close_array();
        if !said {
            for (name, raw) in echo.members() {
                writer.key(name).raw(raw);
            }
        }
        writer.key("usage");
        match self.tokens {
            Some(tokens) => usage::write_with(writer, tokens, extras),
            None => {
                writer.null();
            }
        }
        let written = ["object", "status", "error", "incomplete_details", "usage."];
        own::write_except(writer, extras, "", &written);
        writer.close();
    }
}

/// The id of an answer: one that came from a provider of this family stays what it is.
pub(crate) fn id_of(answer: &Answer, seed: &Seed) -> String {
    let ours = own::ours(&answer.extra).next().is_some();
    if ours && !answer.id.is_empty() {
        answer.id.clone()
    } else {
        id(&answer.id, seed)
    }
}
