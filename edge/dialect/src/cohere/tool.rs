//! Tools, and whether one must be called.
//!
//! Owns that Cohere can only force some tool, and holds all to their schema or none. One tool is forced by offering
//! no other.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::own,
    neutral::{Dropped, Extra, Family, Json, Request, Tool, ToolChoice, Unsupported},
};

/// The schema of a tool that takes no arguments.
const NO_ARGUMENTS: &str = r#"{"type":"object","properties":{}}"#;

/// Reads `tools`, `strict_tools` and `tool_choice`.
pub(crate) fn decode(body: &mut Object<'_>, request: &mut Request) -> Result<(), Misfit> {
    for (index, raw) in body.array("tools")?.into_iter().flatten().enumerate() {
        let tool = tool(raw).map_err(|misfit| misfit.within_element(index).within("tools"))?;
        request.tools.push(tool);
    }
    if let Some(strict) = body.flag("strict_tools")? {
        if request.tools.is_empty() {
            let raw = if strict { "true" } else { "false" };
            request.extra.push(own::extra("strict_tools", raw));
        }
        for tool in &mut request.tools {
            tool.strict = Some(strict);
        }
    }
    request.tool_choice = match body.text("tool_choice")?.as_deref() {
        None => None,
        Some("REQUIRED") => Some(ToolChoice::Required),
        Some("NONE") => Some(ToolChoice::None),
        Some(_) => return Err(Misfit::new("must be REQUIRED or NONE").within("tool_choice")),
    };
    Ok(())
}

/// Writes `tools`, `strict_tools` and `tool_choice`.
pub(crate) fn encode(
    writer: &mut Writer,
    request: &Request,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    let choice = Choice::of(request)?;
    let offered: Vec<&Tool> = request
        .tools
        .iter()
        .filter(|tool| choice.offers(&tool.name))
        .collect();
    if !offered.is_empty() {
        writer.key("tools").open_array();
        for (index, tool) in offered.iter().enumerate() {
            encode_tool(writer, tool, &format!("tools[{index}]"), dropped)?;
        }
        writer.close_array();
        encode_strict(writer, &offered, dropped);
    }
    if let Some(word) = choice.word {
        writer.key("tool_choice").text(word);
    }
    Ok(())
}

/// What is offered, and the word for whether it must be called.
struct Choice<'a> {
    only: Option<&'a [String]>,
    word: Option<&'static str>,
}

fn tool(raw: &str) -> Result<Tool, Misfit> {
    let mut outer = Object::parse(raw)?;
    let kind = outer.text("type")?;
    if let Some(kind) = kind.filter(|kind| kind != "function") {
        return Ok(bare(String::new(), vec![own::extra(&kind, raw)]));
    }
    let mut function = outer
        .object("function")?
        .ok_or_else(|| Misfit::new("is missing").within("function"))?;
    let read = (|| {
        let name = function
            .text("name")?
            .ok_or_else(|| Misfit::new("is missing").within("name"))?;
        let mut tool = bare(name.into_owned(), Vec::new());
        tool.description = function
            .text("description")?
            .map(std::borrow::Cow::into_owned);
        tool.parameters = function.raw("parameters")?.map(Json::of);
        Ok(tool)
    })();
    let mut tool = read.map_err(|misfit: Misfit| misfit.within("function"))?;
    tool.extra = own::kept("function.", function);
    tool.extra.extend(own::kept("", outer));
    Ok(tool)
}

fn bare(name: String, extra: Vec<Extra>) -> Tool {
    Tool {
        name,
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        extra,
    }
}

fn encode_tool(
    writer: &mut Writer,
    tool: &Tool,
    at: &str,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    if tool.name.is_empty() {
        return match tool.extra.first() {
            Some(extra) if extra.family == Family::Cohere => {
                writer.raw(extra.value.as_str());
                Ok(())
            }
            _ => Err(Unsupported {
                at: at.to_owned(),
                why: "only functions are taken as tools".to_owned(),
            }),
        };
    }
    if tool.cache.is_some() {
        dropped.note(format!("{at}.cache_control"));
    }
    own::note(dropped, &tool.extra, &format!("{at}."));
    writer.open().key("type").text("function");
    writer.key("function").open().key("name").text(&tool.name);
    if let Some(description) = &tool.description {
        writer.key("description").text(description);
    }
    let parameters = tool.parameters.as_ref().map_or(NO_ARGUMENTS, Json::as_str);
    writer.key("parameters").raw(parameters);
    own::write(writer, &tool.extra, "function.", &[]);
    writer.close();
    own::write(writer, &tool.extra, "", &[]);
    writer.close();
    Ok(())
}

/// All tools are held to their schema, or it is noted that some are not.
fn encode_strict(writer: &mut Writer, offered: &[&Tool], dropped: &mut Dropped) {
    let all = |strict| offered.iter().all(|tool| tool.strict == Some(strict));
    if all(true) || all(false) {
        writer.key("strict_tools").flag(all(true));
        return;
    }
    for (index, tool) in offered.iter().enumerate() {
        if tool.strict == Some(true) {
            dropped.note(format!("tools[{index}].function.strict"));
        }
    }
}

// === impl Choice ===

impl<'a> Choice<'a> {
    fn of(request: &'a Request) -> Result<Self, Unsupported> {
        let (only, word) = match &request.tool_choice {
            None | Some(ToolChoice::Auto) => (None, None),
            Some(ToolChoice::None) => (None, Some("NONE")),
            Some(ToolChoice::Required) => (None, Some("REQUIRED")),
            Some(ToolChoice::Named(name)) => (Some(std::slice::from_ref(name)), Some("REQUIRED")),
            Some(ToolChoice::Allowed { names, required }) => {
                (Some(names.as_slice()), required.then_some("REQUIRED"))
            }
        };
        let known = |name: &String| request.tools.iter().any(|tool| tool.name == *name);
        match only.into_iter().flatten().find(|name| !known(name)) {
            None => Ok(Self { only, word }),
            Some(name) => Err(Unsupported {
                at: "tool_choice".to_owned(),
                why: format!("there is no tool called {name}"),
            }),
        }
    }

    fn offers(&self, name: &String) -> bool {
        self.only.is_none_or(|only| only.contains(name))
    }
}
