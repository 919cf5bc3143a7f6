//! Showing what is minted: a text that nobody can show again.

use clap::Args;
use prost_reflect::DynamicMessage;

use crate::{
    failure::Failure,
    output::{self, Format},
    session::Session,
    verb::Write,
    wording,
};

/// How a minted text is shown.
#[derive(Debug, Clone, Copy, Args)]
pub struct Shown {
    /// Print nothing but the text, for a program to keep
    #[arg(long, conflicts_with = "validate_only")]
    text_only: bool,
}

impl Shown {
    /// Shows the reply of a mint and waits if that was asked.
    pub async fn finish(
        self,
        reply: &DynamicMessage,
        write: &Write,
        session: &mut Session,
    ) -> Result<(), Failure> {
        if self.text_only {
            output::line(wording::field(reply, "text"))?;
            return session.settle(reply, write).await;
        }
        if session.format == Format::Json {
            return session.finish(reply, write).await;
        }
        session.show(reply)?;
        output::remark(if write.validate_only {
            "nothing was written: it was only checked"
        } else {
            "the text is shown this once; keep it now, nobody can show it again"
        });
        session.settle(reply, write).await
    }
}
