//! The tools, and whether one must be called.
//!
//! Must never leave a tool out: a model that lacks one answers something else.

use payload::{object::Object, writer::Writer};

use crate::{
    messages::{
        draft::Draft,
        extras, mark, structured,
        target::{Structured, Target},
    },
    neutral::{Format, Json, Request, Tool, ToolChoice, Unsupported},
};

/// What is said about calling tools.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Choice<'r> {
    /// Nothing.
    Unsaid,
    /// As the model likes.
    Auto,
    /// The same, and it is asked in words to answer by our own tool.
    Asked,
    /// Some tool.
    Any,
    /// None.
    None,
    /// This one.
    Named(&'r str),
}

/// Whether the client forces the model to call a tool.
pub(crate) fn is_forced(request: &Request) -> bool {
    matches!(
        request.tool_choice,
        Some(
            ToolChoice::Required
                | ToolChoice::Named(_)
                | ToolChoice::Allowed { required: true, .. }
        )
    )
}

/// Decides what is said. A model that thinks cannot be forced to answer by our tool: it is asked.
pub(crate) fn choose<'r>(
    request: &'r Request,
    target: &Target<'_>,
    thinks: bool,
) -> Result<Choice<'r>, Unsupported> {
    let by_tool = structured::by_tool(request, target);
    let own_tools = !allowed(request).is_empty();
    if by_tool
        && request
            .tools
            .iter()
            .any(|tool| tool.name == structured::TOOL)
    {
        return Err(unsupported(
            "tools",
            "`__structured_output` is our own tool",
        ));
    }
    if !own_tools && is_forced(request) {
        return Err(unsupported("tool_choice", "there is no tool to be called"));
    }
    Ok(match &request.tool_choice {
        Some(ToolChoice::Named(name)) => Choice::Named(name),
        choice if by_tool => match choice {
            _ if thinks => Choice::Asked,
            Some(ToolChoice::None) => Choice::Named(structured::TOOL),
            _ if own_tools => Choice::Any,
            _ => Choice::Named(structured::TOOL),
        },
        _ if !own_tools => Choice::Unsaid,
        Some(ToolChoice::Required | ToolChoice::Allowed { required: true, .. }) => Choice::Any,
        Some(ToolChoice::Auto | ToolChoice::Allowed { .. }) => Choice::Auto,
        Some(ToolChoice::None) => Choice::None,
        None if request.parallel_tools == Some(false) => Choice::Auto,
        None => Choice::Unsaid,
    })
}

/// Writes `tools`.
pub(crate) fn write(request: &Request, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let tools = allowed(request);
    let by_tool = structured::by_tool(request, draft.target);
    if tools.is_empty() && !by_tool {
        return Ok(());
    }
    draft.writer.key("tools").open_array();
    for (at, tool) in tools {
        write_tool(at, tool, draft)?;
    }
    if by_tool {
        write_own(&request.format, &mut draft.writer)?;
    }
    draft.writer.close_array();
    Ok(())
}

// === impl Choice ===

impl Choice<'_> {
    /// What must be said in words.
    pub(crate) const fn instruction(self) -> Option<&'static str> {
        match self {
            Self::Asked => Some(structured::INSTRUCTION),
            _ => None,
        }
    }

    /// Writes `tool_choice`.
    pub(crate) fn write(self, request: &Request, draft: &mut Draft<'_>) {
        let (kind, name) = match self {
            Self::Unsaid => {
                if request.parallel_tools == Some(false) {
                    draft.dropped.note("parallel_tool_calls");
                }
                return;
            }
            Self::Auto | Self::Asked => ("auto", None),
            Self::Any => ("any", None),
            Self::None => ("none", None),
            Self::Named(name) => ("tool", Some(name)),
        };
        let members = draft.under(&request.extra, "tool_choice.");
        let writer = &mut draft.writer;
        writer.key("tool_choice").open().key("type").text(kind);
        if let Some(name) = name {
            writer.key("name").text(name);
        }
        if let Some(parallel) = request.parallel_tools.filter(|_| self != Self::None) {
            writer.key("disable_parallel_tool_use").flag(!parallel);
        }
        extras::write(writer, members.into_iter());
        writer.close();
    }
}

/// The tools that may be called, and where they stand.
fn allowed(request: &Request) -> Vec<(usize, &Tool)> {
    let tools = request.tools.iter().enumerate();
    match &request.tool_choice {
        Some(ToolChoice::Allowed { names, .. }) => tools
            .filter(|(_, tool)| names.contains(&tool.name))
            .collect(),
        _ => tools.collect(),
    }
}

fn write_tool(at: usize, tool: &Tool, draft: &mut Draft<'_>) -> Result<(), Unsupported> {
    let place = format!("tools[{at}]");
    if tool.name.is_empty() && tool.parameters.is_none() {
        let Some(extra) = tool.extra.first().filter(|extra| extras::is_own(extra)) else {
            let why = "this tool is another provider's own, and this model's API does not have it";
            return Err(unsupported(&place, why));
        };
        draft.writer.raw(extra.value.as_str());
        return Ok(());
    }
    draft.writer.open().key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        draft.writer.key("description").text(description);
    }
    draft.writer.key("input_schema");
    write_schema(tool.parameters.as_ref(), &mut draft.writer)
        .ok_or_else(|| unsupported(&place, "the schema of its arguments must be an object"))?;
    if let Some(strict) = tool.strict {
        if draft.target.structured == Structured::Native {
            draft.writer.key("strict").flag(strict);
        } else {
            draft.dropped.note(format!("{place}.strict"));
        }
    }
    let members = draft.under(&tool.extra, mark::PREFIX);
    mark::write(&mut draft.writer, tool.cache.as_ref(), members.into_iter());
    for extra in &tool.extra {
        if draft.keeps(extra, &place) && !extra.name.starts_with(mark::PREFIX) {
            draft.writer.key(&extra.name).raw(extra.value.as_str());
        }
    }
    draft.writer.close();
    Ok(())
}

/// The tool whose arguments are the answer.
fn write_own(format: &Format, writer: &mut Writer) -> Result<(), Unsupported> {
    let (schema, description) = match format {
        Format::JsonSchema {
            schema,
            description,
            ..
        } => (Some(schema), description.as_deref()),
        Format::Free | Format::JsonObject => (None, None),
    };
    writer.open().key("name").text(structured::TOOL);
    let description = description.map_or_else(
        || structured::DESCRIPTION.to_owned(),
        |description| format!("{} {description}", structured::DESCRIPTION),
    );
    writer.key("description").text(&description);
    writer.key("input_schema");
    write_schema(schema, writer).ok_or_else(|| {
        let why = "this model answers by a schema only if that is of an object";
        unsupported("response_format", why)
    })?;
    writer.close();
    Ok(())
}

/// Writes a schema whose outermost value is an object that says so. `None` if it cannot be one.
fn write_schema(schema: Option<&Json>, writer: &mut Writer) -> Option<()> {
    let raw = schema.map_or("{}", Json::as_str);
    let mut object = Object::parse(raw).ok()?;
    if object.is_empty() {
        writer.raw(r#"{"type":"object","properties":{}}"#);
        return Some(());
    }
    match object.raw("type").ok()? {
        Some("\"object\"") => {
            writer.raw(raw);
        }
        Some(_) => return None,
        None => {
            writer.open().key("type").text("object");
            for (name, value) in object.rest() {
                writer.key(&name).raw(value);
            }
            writer.close();
        }
    }
    Some(())
}

fn unsupported(at: &str, why: &str) -> Unsupported {
    Unsupported {
        at: at.to_owned(),
        why: why.to_owned(),
    }
}
