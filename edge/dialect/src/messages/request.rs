//! A request: `POST /v1/messages`.
//!
//! Owns what a client of this dialect may send, and what a model of this family gets, wherever it is hosted. Must
//! never leave out what changes the meaning: that is refused, and what else is left out is told.

mod read;
mod turns;
mod tools;
mod form;
mod sampling;
mod envelope;

use payload::object::Misfit;

use crate::{
    messages::{
        draft::{Draft, Purpose},
        target::Target,
        thinking::{self, Obstacles},
    },
    neutral::{Encoded, Request, Unsupported},
};

/// Reads what a client sends.
pub fn decode(body: &str) -> Result<Request, Misfit> {
    read::request(body)
}

/// Writes what the provider gets. An answer to it is to be unwrapped if [`crate::messages::structured::by_tool`].
pub fn encode(request: &Request, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    write(request, target, Purpose::Answer)
}

/// Writes a request for an answer, or for a count of its tokens: the same conversation with less around it.
pub(crate) fn write(
    request: &Request,
    target: &Target<'_>,
    purpose: Purpose,
) -> Result<Encoded, Unsupported> {
    let mut draft = Draft::new(target, purpose);
    sampling::check(request)?;
    let laid = turns::lay_out(request, &mut draft)?;
    let obstacles = Obstacles {
        forced: tools::is_forced(request),
        thoughtless: laid.is_thoughtless(),
    };
    let limit = envelope::output_tokens_max(request, &draft)?;
    let reasoning = request.reasoning.as_ref();
    let plan = thinking::plan(reasoning, limit, obstacles, &mut draft);
    let choice = tools::choose(request, target, plan.is_on())?;

    draft.writer.open();
    envelope::write_head(request, plan.output_tokens_max, &mut draft);
    laid.write_system(choice.instruction(), &mut draft)?;
    laid.write_messages(&mut draft)?;
    tools::write(request, &mut draft)?;
    choice.write(request, &mut draft);
    plan.write(reasoning, &mut draft);
    form::write(request, plan.effort(), &mut draft);
    if purpose == Purpose::Answer {
        sampling::write(request, plan.is_on(), &mut draft);
    }
    envelope::write_tail(request, &mut draft);
    draft.writer.close();
    Ok(Encoded {
        body: draft.writer.into_bytes(),
        dropped: draft.dropped,
    })
}
