//! Tools that a model may call, and whether it must: `tools` and `toolConfig`.
//!
//! Owns both shapes. A schema in Google's subset of `OpenAPI` is read as JSON Schema, and kept as an extra for the way
//! back; whatever else is written is JSON Schema, which has no subset to fall out of.

use std::borrow::Cow;

use payload::{
    object::{self, Misfit},
    writer::Writer,
};

use crate::{
    gemini::{member::Members, own, schema},
    neutral::{Dropped, Extra, Family, Json, Request, Tool, ToolChoice, Unsupported},
};

const PARAMETERS: &str = "parameters";
const MODE: &str = "toolConfig.functionCallingConfig.mode";
const CALLING: &str = "toolConfig.functionCallingConfig.";
const CONFIG: &str = "toolConfig.";

/// Reads the elements of `tools`.
pub(crate) fn read(elements: &[&str]) -> Result<Vec<Tool>, Misfit> {
    let mut tools = Vec::new();
    for (index, raw) in elements.iter().enumerate() {
        element(raw, &mut tools).map_err(|misfit| misfit.within_element(index))?;
    }
    Ok(tools)
}

fn element(raw: &str, tools: &mut Vec<Tool>) -> Result<(), Misfit> {
    let mut members = Members::parse(raw)?;
    let declarations = members.list("functionDeclarations")?.unwrap_or_default();
    for (index, raw) in declarations.into_iter().enumerate() {
        let tool = declaration(raw);
        let within = |misfit: Misfit| misfit.within_element(index).within("functionDeclarations");
        tools.push(tool.map_err(within)?);
    }
    let mut providers = Vec::new();
    members.rest("", &mut providers)?;
    tools.extend(providers.into_iter().map(|extra| Tool {
        name: String::new(),
        description: None,
        parameters: None,
        strict: None,
        cache: None,
        extra: vec![extra],
    }));
    Ok(())
}

fn declaration(raw: &str) -> Result<Tool, Misfit> {
    let mut members = Members::parse(raw)?;
    let name = members.text("name")?.filter(|name| !name.is_empty());
    let name = name.ok_or_else(|| Misfit::new("must be there").within("name"))?;
    let description = members.text("description")?.map(Cow::into_owned);
    let mut extra = Vec::new();
    let mut parameters = members.raw("parametersJsonSchema")?.map(Json::of);
    if let Some(raw) = members.raw(PARAMETERS)? {
        let schema = schema::json_schema(raw).map_err(|misfit| misfit.within(PARAMETERS))?;
        parameters.get_or_insert(schema);
        extra.push(own::extra(PARAMETERS, raw));
    }
    members.rest("", &mut extra)?;
    Ok(Tool {
        name: name.into_owned(),
        description,
        parameters,
        strict: None,
        cache: None,
        extra,
    })
}

/// Reads `toolConfig`.
pub(crate) fn read_config(mut config: Members<'_>, request: &mut Request) -> Result<(), Misfit> {
    if let Some(calling) = config.members("functionCallingConfig")? {
        read_calling(calling, request).map_err(|misfit| misfit.within("functionCallingConfig"))?;
    }
    config.rest(CONFIG, &mut request.extra)
}

fn read_calling(mut calling: Members<'_>, request: &mut Request) -> Result<(), Misfit> {
    let mode = calling.raw("mode")?;
    let mut names = Vec::new();
    for (index, raw) in calling
        .list("allowedFunctionNames")?
        .unwrap_or_default()
        .iter()
        .enumerate()
    {
        let name = object::text(raw)
            .map_err(|misfit| misfit.within_element(index).within("allowedFunctionNames"))?;
        names.push(name.into_owned());
    }
    let choice = match mode.and_then(mode_name) {
        Some("NONE") => Some(ToolChoice::None),
        Some("ANY") if names.is_empty() => Some(ToolChoice::Required),
        Some("ANY") => Some(one_or_several(std::mem::take(&mut names))),
        Some("VALIDATED") if !names.is_empty() => Some(ToolChoice::Allowed {
            names: std::mem::take(&mut names),
            required: false,
        }),
        Some(_) => Some(ToolChoice::Auto),
        None => None,
    };
    let written = choice
        .as_ref()
        .map(|choice| format!("\"{}\"", mode_of(choice)));
    if let Some(mode) = mode.filter(|mode| written.as_deref() != Some(mode)) {
        request.extra.push(own::extra(MODE, mode));
    }
    if !names.is_empty() {
        let mut writer = Writer::default();
        write_names(&mut writer, &names);
        let raw = String::from_utf8(writer.into_bytes()).unwrap_or_default();
        let name = format!("{CALLING}allowedFunctionNames");
        request.extra.push(own::extra(&name, &raw));
    }
    request.tool_choice = choice;
    calling.rest(CALLING, &mut request.extra)
}

/// The name of a mode, given as it is or as the number that stands for it.
fn mode_name(raw: &str) -> Option<&'static str> {
    let text = object::text(raw).ok();
    Some(match text.as_deref().unwrap_or(raw) {
        "MODE_UNSPECIFIED" | "0" => return None,
        "ANY" | "2" => "ANY",
        "NONE" | "3" => "NONE",
        "VALIDATED" => "VALIDATED",
        _ => "AUTO",
    })
}

fn one_or_several(mut names: Vec<String>) -> ToolChoice {
    match names.pop() {
        Some(name) if names.is_empty() => ToolChoice::Named(name),
        last => {
            names.extend(last);
            let required = true;
            ToolChoice::Allowed { names, required }
        }
    }
}

const fn mode_of(choice: &ToolChoice) -> &'static str {
    match choice {
        ToolChoice::None => "NONE",
        ToolChoice::Auto => "AUTO",
        ToolChoice::Required
        | ToolChoice::Named(_)
        | ToolChoice::Allowed { required: true, .. } => "ANY",
        // Names without a must are understood in this mode only.
        ToolChoice::Allowed {
            required: false, ..
        } => "VALIDATED",
    }
}

/// Writes `tools` and `toolConfig`.
pub(crate) fn write(
    writer: &mut Writer,
    request: &Request,
    dropped: &mut Dropped,
) -> Result<(), Unsupported> {
    if !request.tools.is_empty() {
        writer.key("tools").open_array();
        write_declarations(writer, &request.tools, dropped);
        for (index, tool) in request.tools.iter().enumerate() {
            if tool.name.is_empty() {
                write_providers(writer, tool, index)?;
            }
        }
        writer.close_array();
    }
    if request.parallel_tools == Some(false) {
        // Google has no switch for it: all calls come, and the client is told.
        dropped.note("parallel_tool_calls");
    }
    write_config(writer, request);
    Ok(())
}

fn write_declarations(writer: &mut Writer, tools: &[Tool], dropped: &mut Dropped) {
    let declared = || {
        tools
            .iter()
            .enumerate()
            .filter(|(_, tool)| !tool.name.is_empty())
    };
    if declared().next().is_none() {
        return;
    }
    writer.open().key("functionDeclarations").open_array();
    for (index, tool) in declared() {
        let at = format!("tools[{index}]");
        own::note_foreign(&tool.extra, &format!("{at}."), dropped);
        if tool.strict.is_some() {
            dropped.note(format!("{at}.function.strict"));
        }
        if tool.cache.is_some() {
            dropped.note(format!("{at}.cache_control"));
        }
        writer.open().key("name").text(&tool.name);
        if let Some(description) = &tool.description {
            writer.key("description").text(description);
        }
        match &tool.parameters {
            _ if own::own(&tool.extra, PARAMETERS).is_some() => {}
            // A tool that takes nothing has no schema: an empty one is refused.
            Some(schema) if schema.as_str() != "{}" => {
                writer.key("parametersJsonSchema").raw(schema.as_str());
            }
            _ => {}
        }
        own::write(writer, &tool.extra, "", &[]);
        writer.close();
    }
    writer.close_array().close();
}

/// Writes a tool of Google's own, such as its search.
fn write_providers(writer: &mut Writer, tool: &Tool, index: usize) -> Result<(), Unsupported> {
    let foreign = tool
        .extra
        .iter()
        .find(|extra| extra.family != Family::Gemini);
    if let Some(Extra { name, .. }) = foreign {
        return Err(Unsupported {
            at: format!("tools[{index}]"),
            why: format!("a tool of another provider's own is not there at Gemini: {name}"),
        });
    }
    if own::any(&tool.extra, "", &[]) {
        writer.open();
        own::write(writer, &tool.extra, "", &[]);
        writer.close();
    }
    Ok(())
}

fn write_config(writer: &mut Writer, request: &Request) {
    let mode = own::own(&request.extra, MODE);
    let calling = request.tool_choice.is_some() || own::any(&request.extra, CALLING, &[]);
    if !calling && !own::any(&request.extra, CONFIG, &[]) {
        return;
    }
    writer.key("toolConfig").open();
    if calling {
        writer.key("functionCallingConfig").open();
        match (mode, &request.tool_choice) {
            (None, Some(choice)) => {
                writer.key("mode").text(mode_of(choice));
            }
            (Some(mode), _) => {
                writer.key("mode").raw(mode);
            }
            (None, None) => {}
        }
        match &request.tool_choice {
            Some(ToolChoice::Named(name)) => {
                writer.key("allowedFunctionNames");
                write_names(writer, std::slice::from_ref(name));
            }
            Some(ToolChoice::Allowed { names, .. }) => {
                writer.key("allowedFunctionNames");
                write_names(writer, names);
            }
            _ => {}
        }
        own::write(writer, &request.extra, CALLING, &["mode"]);
        writer.close();
    }
    own::write(writer, &request.extra, CONFIG, &[]);
    writer.close();
}

fn write_names(writer: &mut Writer, names: &[String]) {
    writer.open_array();
    for name in names {
        writer.text(name);
    }
    writer.close_array();
}
