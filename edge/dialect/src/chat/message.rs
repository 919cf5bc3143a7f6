//! What an assistant says, in a conversation and in an answer alike.
//!
//! Owns the order of its parts: what was thought, what was said, what was called.

use crate::{
    chat::{call, part, thoughts},
    neutral::{Content, Part},
    object::{Misfit, Object},
};

/// Takes the parts of a message. `id` makes one for the call of this number that has none.
pub(crate) fn take(
    message: &mut Object<'_>,
    id: impl Fn(u32) -> String,
) -> Result<Vec<Part>, Misfit> {
    let mut parts = thoughts::take(message)?;
    if let Some(raw) = message.raw("content")? {
        parts.extend(part::read_all(raw).map_err(|misfit| misfit.within("content"))?);
    }
    let refusal = message.text("refusal")?.filter(|said| !said.is_empty());
    parts.extend(refusal.map(|said| Part::new(Content::Refusal(said.into()))));
    let calls = message.array("tool_calls")?.unwrap_or_default();
    for (index, raw) in (0_u32..).zip(calls) {
        let call = call::read(raw, || id(index)).map_err(|misfit| {
            let index = usize::try_from(index).unwrap_or(usize::MAX);
            misfit.within_element(index).within("tool_calls")
        })?;
        parts.push(call);
    }
    if let Some(raw) = message.raw("function_call")? {
        let call = call::read_old(raw, id(0));
        parts.push(call.map_err(|misfit| misfit.within("function_call"))?);
    }
    Ok(parts)
}
