//! Calls of tools, in messages of a model: `tool_calls`, and the older `function_call`.
//!
//! Knows their members. A call of a kind that only this family has is kept whole.

use std::borrow::Cow;

use payload::object::{self, Misfit, Object};

use crate::{
    chat::{own, thoughts},
    neutral::{Content, Extra, Part},
};

/// The name under which a call of another kind is kept.
pub(crate) const OTHER: &str = "tool_calls";

/// One call, as it was written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Written<'a> {
    /// Its id, where there is one.
    pub(crate) id: Option<Cow<'a, str>>,
    /// The tool's name.
    pub(crate) name: Cow<'a, str>,
    /// The arguments.
    pub(crate) arguments: Cow<'a, str>,
    /// The proof of the thoughts that led to it, at Google.
    pub(crate) signature: Option<String>,
    /// What else is said of it.
    pub(crate) extra: Vec<Extra>,
}

/// What a call is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Call<'a> {
    /// Of a function.
    Function(Written<'a>),
    /// Of something else, kept as it is.
    Other(Part),
}

/// Reads one element of `tool_calls`.
pub(crate) fn read(raw: &str) -> Result<Call<'_>, Misfit> {
    let mut object = Object::parse(raw)?;
    let Some(mut function) = object.object("function")? else {
        return Ok(Call::Other(Part::other(own::extra(OTHER, raw))));
    };
    object.raw("type")?;
    object.raw("index")?;
    let mut extra = Vec::new();
    let id = object.text("id")?.filter(|id| !id.is_empty());
    let signature = thoughts::take_google(&mut object, &mut extra)?;
    let (name, arguments) =
        name_and_arguments(&mut function).map_err(|misfit| misfit.within("function"))?;
    own::keep(object, "", &mut extra);
    own::keep(function, "function.", &mut extra);
    Ok(Call::Function(Written {
        id,
        name,
        arguments,
        signature,
        extra,
    }))
}

/// Reads a `function_call`.
pub(crate) fn read_old(raw: &str) -> Result<Written<'_>, Misfit> {
    let mut function = Object::parse(raw)?;
    let (name, arguments) = name_and_arguments(&mut function)?;
    Ok(Written {
        id: None,
        name,
        arguments,
        signature: None,
        extra: Vec::new(),
    })
}

fn name_and_arguments<'a>(
    function: &mut Object<'a>,
) -> Result<(Cow<'a, str>, Cow<'a, str>), Misfit> {
    let name = function.text("name")?;
    let name = name.ok_or_else(|| Misfit::new("must be a string").within("name"))?;
    let arguments = match function.raw("arguments")? {
        None => Cow::Borrowed("{}"),
        // Some servers and clients forget that it is JSON in a string.
        Some(raw) if raw.starts_with('{') => Cow::Borrowed(raw),
        Some(raw) => object::text(raw).map_err(|misfit| misfit.within("arguments"))?,
    };
    let empty = arguments.trim().is_empty();
    Ok((
        name,
        if empty {
            Cow::Borrowed("{}")
        } else {
            arguments
        },
    ))
}

// === impl Written ===

impl Written<'_> {
    /// Adds the call, and before it the thought that is nothing but its proof.
    pub(crate) fn push(self, id: String, parts: &mut Vec<Part>) {
        if let Some(signature) = self.signature {
            parts.push(Part::new(Content::Reasoning {
                text: String::new(),
                signature: Some(signature),
            }));
        }
        parts.push(Part {
            content: Content::ToolCall {
                id,
                name: self.name.into_owned(),
                arguments: self.arguments.into_owned(),
            },
            cache: None,
            extra: self.extra,
        });
    }
}
