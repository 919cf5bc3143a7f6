//! `sluice usage content`: what one request and its answer said, where its project keeps that.
//!
//! Prints what came, byte by byte, where that is asked for; else texts with what cannot be shown replaced.

use std::io::Write;

use clap::Args;
use proto::admin::{GetUsageContentRequest, UsageContent};

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    output::{self, Format},
    session::Session,
};

/// Which request, and what of it.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// Its id, as x-sluice-request-id told it
    #[arg(value_name = "ID")]
    id: String,
    /// Print the request's body as it came, and nothing else
    #[arg(long, conflicts_with = "answer")]
    request: bool,
    /// Print the answer's body as the client got it, and nothing else
    #[arg(long)]
    answer: bool,
}

/// Shows it. Reading it stands in the audit trail.
pub async fn run(arguments: &Arguments, session: &mut Session) -> Result<(), Failure> {
    let request = GetUsageContentRequest {
        parent: session.place.organization()?,
        record_id: arguments.id.clone(),
    };
    let path = "UsageService/GetUsageContent";
    let content: UsageContent = session
        .connection
        .call_for(path, &request, ANSWER_WITHIN)
        .await?;
    let raw = match (arguments.request, arguments.answer) {
        (true, _) => Some(&content.request),
        (_, true) => Some(&content.answer),
        _ => None,
    };
    if let Some(raw) = raw {
        let written = std::io::stdout().lock().write_all(raw);
        return written.map_err(|error| Failure::system("write what was said", &error));
    }
    match session.format {
        Format::Json => session.show_typed("UsageContent", &content),
        Format::Table => output::line(text(&content)),
    }
}

fn text(content: &UsageContent) -> String {
    let part = |name: &str, bytes: &[u8], truncated| {
        let more = if truncated { " (cut)" } else { "" };
        let said = String::from_utf8_lossy(bytes);
        // What a terminal would act on is not shown.
        let plain = said.replace(
            |it: char| it.is_control() && !"\n\t".contains(it),
            "\u{fffd}",
        );
        format!("--- {name}{more}\n{}\n", plain.trim_end())
    };
    let request = part("request", &content.request, content.request_truncated);
    let answer = part("answer", &content.answer, content.answer_truncated);
    format!("{request}{answer}--- kept until {}", content.kept_until)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_terminal_would_act_on_is_not_shown() {
        let content = UsageContent {
            request: b"hi\x1b[2J".to_vec(),
            answer_truncated: true,
            ..UsageContent::default()
        };
        let text = text(&content);
        assert!(
            text.contains("hi\u{fffd}[2J") && text.contains("answer (cut)"),
            "{text}"
        );
    }
}
