//! Texts that become vectors: `:embedContent`, `:batchEmbedContents`, and Vertex's `:predict`.
//!
//! Owns the three shapes. Google lets every text have its own options; the neutral form has one set for all.

use std::borrow::Cow;

use payload::{
    object::{self, Misfit},
    writer::Writer,
};

use crate::{
    Tokens,
    gemini::{member::Members, own, target::Target, usage},
    neutral::{
        Dropped, EmbeddingInput, EmbeddingRequest, Embeddings, Encoded, Extra, Family, Json, Task,
        Unsupported, Vector,
    },
};

/// The most texts that one request may have. Full: it is refused. Google takes fewer.
pub const INPUTS_MAX: usize = 2_048;

/// Which method of the API a request is for. It stands in the path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Call {
    /// `:embedContent`, for one text.
    One,
    /// `:batchEmbedContents`, for several.
    Batch,
    /// `:predict`, which is Vertex's.
    Predict,
}

const TASKS: [(&str, Task); 8] = [
    ("RETRIEVAL_QUERY", Task::Query),
    ("RETRIEVAL_DOCUMENT", Task::Document),
    ("SEMANTIC_SIMILARITY", Task::Similarity),
    ("CLASSIFICATION", Task::Classification),
    ("CLUSTERING", Task::Clustering),
    ("QUESTION_ANSWERING", Task::Question),
    ("FACT_VERIFICATION", Task::Claim),
    ("CODE_RETRIEVAL_QUERY", Task::CodeQuery),
];

/// The method that a request needs.
pub fn call(request: &EmbeddingRequest, target: &Target<'_>) -> Call {
    if target.is_vertex() {
        Call::Predict
    } else if request.inputs.len() == 1 {
        Call::One
    } else {
        Call::Batch
    }
}

/// Reads the body of any of the three methods.
pub fn decode(body: &str, model: &str) -> Result<EmbeddingRequest, Misfit> {
    let mut members = Members::parse(body)?;
    let mut request = EmbeddingRequest {
        model: model.strip_prefix("models/").unwrap_or(model).to_owned(),
        ..EmbeddingRequest::default()
    };
    for name in ["requests", "instances"] {
        let Some(list) = members.list(name)? else {
            continue;
        };
        if list.len() > INPUTS_MAX {
            return Err(Misfit::new("holds too many texts").within(name));
        }
        for (index, raw) in list.into_iter().enumerate() {
            let input =
                Members::parse(raw).and_then(|input| read_input(input, index, &mut request));
            input.map_err(|misfit| misfit.within_element(index).within(name))?;
        }
        if let Some(mut parameters) = members.members("parameters")? {
            request.dimensions = parameters.count("outputDimensionality")?;
            parameters.rest("parameters.", &mut request.extra)?;
        }
        members.rest("", &mut request.extra)?;
        return Ok(request);
    }
    read_input(members, 0, &mut request)?;
    Ok(request)
}

fn read_input(
    mut members: Members<'_>,
    index: usize,
    request: &mut EmbeddingRequest,
) -> Result<(), Misfit> {
    members.raw("model")?;
    let content = members.raw("content")?;
    let content = content.ok_or_else(|| Misfit::new("must be there").within("content"))?;
    let text = text(content).map_err(|misfit| misfit.within("content"))?;
    request.inputs.push(EmbeddingInput::Text(text));
    let dimensions = members.count("outputDimensionality")?;
    let raw_task = members.raw("taskType")?;
    let named = |raw: &str| {
        TASKS
            .iter()
            .find(|(name, _)| raw.trim_matches('"') == *name)
    };
    let task = raw_task.and_then(named).map(|(_, task)| *task);
    if let (Some(raw), None) = (raw_task, task) {
        request
            .extra
            .push(own::extra(&format!("requests[{index}].taskType"), raw));
    }
    if index == 0 {
        request.dimensions = dimensions;
        request.task = task;
    } else if request.dimensions != dimensions || request.task != task {
        return Err(Misfit::new("must ask the same as the first"));
    }
    members.rest(&format!("requests[{index}]."), &mut request.extra)
}

/// The text of a content, or of Vertex's string.
fn text(raw: &str) -> Result<String, Misfit> {
    if object::is_text(raw) {
        return object::text(raw).map(Cow::into_owned);
    }
    let mut texts = Vec::new();
    let parts = Members::parse(raw)?.list("parts")?.unwrap_or_default();
    for (index, raw) in parts.into_iter().enumerate() {
        let text = Members::parse(raw)?.text("text")?;
        let wanted = || {
            Misfit::new("must be text")
                .within_element(index)
                .within("parts")
        };
        texts.push(text.ok_or_else(wanted)?);
    }
    Ok(texts.join("\n"))
}

/// Writes the body for the method that [`call`] says.
pub fn encode(request: &EmbeddingRequest, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut dropped = Dropped::default();
    for extra in &request.extra {
        if extra.family != Family::Gemini {
            dropped.note(extra.name.as_str());
        }
    }
    let call = call(request, target);
    let mut writer = Writer::with_capacity(256);
    match call {
        Call::One => {}
        Call::Batch => {
            writer.open().key("requests").open_array();
        }
        Call::Predict => {
            writer.open().key("instances").open_array();
        }
    }
    for (index, input) in request.inputs.iter().enumerate() {
        write_input(&mut writer, request, (index, input), target)?;
    }
    if call != Call::One {
        writer.close_array();
        write_parameters(&mut writer, request, call);
        own::write(&mut writer, &request.extra, "", &[]);
        writer.close();
    }
    let body = writer.into_bytes();
    Ok(Encoded { body, dropped })
}

fn write_input(
    writer: &mut Writer,
    request: &EmbeddingRequest,
    (index, input): (usize, &EmbeddingInput),
    target: &Target<'_>,
) -> Result<(), Unsupported> {
    let EmbeddingInput::Text(text) = input else {
        return Err(Unsupported {
            at: format!("input[{index}]"),
            why: "Gemini does not take tokens: send text".to_owned(),
        });
    };
    let path = format!("requests[{index}].");
    let task = request
        .task
        .and_then(|task| TASKS.iter().find(|(_, it)| *it == task));
    writer.open();
    if target.is_vertex() {
        writer.key("content").text(text);
        if let Some((task, _)) = task {
            writer.key("task_type").text(task);
        }
    } else {
        let name = target.model.strip_prefix("models/").unwrap_or(target.model);
        writer.key("model").text(&format!("models/{name}"));
        writer.key("content").open().key("parts").open_array();
        writer.open().key("text").text(text).close();
        writer.close_array().close();
        if let Some((task, _)) = task {
            writer.key("taskType").text(task);
        }
        if let Some(dimensions) = request.dimensions {
            writer.key("outputDimensionality").number(dimensions);
        }
    }
    own::write(writer, &request.extra, &path, &[]);
    writer.close();
    Ok(())
}

fn write_parameters(writer: &mut Writer, request: &EmbeddingRequest, call: Call) {
    let any = request.dimensions.is_some() || own::any(&request.extra, "parameters.", &[]);
    if call != Call::Predict || !any {
        return;
    }
    writer.key("parameters").open();
    if let Some(dimensions) = request.dimensions {
        writer.key("outputDimensionality").number(dimensions);
    }
    own::write(writer, &request.extra, "parameters.", &[]);
    writer.close();
}

/// Reads the answer of any of the three methods.
pub fn decode_answer(body: &str) -> Result<Embeddings, Misfit> {
    let mut members = Members::parse(body)?;
    let mut answer = Embeddings::default();
    let mut counted = None;
    if let Some(raw) = members.raw("embedding")? {
        let vector = vector(raw, 0, &mut answer.extra);
        answer
            .vectors
            .push(vector.map_err(|misfit| misfit.within("embedding"))?);
    }
    for (index, raw) in members
        .list("embeddings")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let vector = vector(raw, index, &mut answer.extra);
        let within = |misfit: Misfit| misfit.within_element(index).within("embeddings");
        answer.vectors.push(vector.map_err(within)?);
    }
    for (index, raw) in members
        .list("predictions")?
        .unwrap_or_default()
        .into_iter()
        .enumerate()
    {
        let count = prediction(raw, index, &mut answer);
        let within = |misfit: Misfit| misfit.within_element(index).within("predictions");
        if let Some(count) = count.map_err(within)? {
            counted = Some(counted.unwrap_or(0_u64).saturating_add(count));
        }
    }
    answer.tokens = counted.map(|input| Tokens {
        input,
        ..Tokens::default()
    });
    if let Some(raw) = members.raw("usageMetadata")? {
        answer.tokens = usage::tokens(raw).or(answer.tokens);
        answer.extra.push(own::extra("usageMetadata", raw));
    }
    members.rest("", &mut answer.extra)?;
    if answer.vectors.is_empty() {
        return Err(Misfit::new("must be there").within("embeddings"));
    }
    Ok(answer)
}

fn vector(raw: &str, index: usize, extra: &mut Vec<Extra>) -> Result<Vector, Misfit> {
    let mut members = Members::parse(raw)?;
    let vector = values(&mut members)?;
    members.rest(&format!("embeddings[{index}]."), extra)?;
    Ok(vector)
}

fn values(members: &mut Members<'_>) -> Result<Vector, Misfit> {
    let values = members.raw("values")?.filter(|raw| raw.starts_with('['));
    let values = values.ok_or_else(|| Misfit::new("must be an array").within("values"))?;
    Ok(Vector::Numbers(Json::of(values)))
}

/// Reads one of Vertex's predictions. Gives how many tokens it says it had.
fn prediction(raw: &str, index: usize, answer: &mut Embeddings) -> Result<Option<u64>, Misfit> {
    let mut members = Members::parse(raw)?;
    let embeddings = members.members("embeddings")?;
    let mut embeddings =
        embeddings.ok_or_else(|| Misfit::new("must be there").within("embeddings"))?;
    answer.vectors.push(values(&mut embeddings)?);
    let Some(raw) = embeddings.raw("statistics")? else {
        return Ok(None);
    };
    answer
        .extra
        .push(own::extra(&format!("predictions[{index}].statistics"), raw));
    Members::parse(raw)?.count("tokenCount")
}

/// Writes the answer for a client that used this method. `None` if a vector is not of numbers.
pub fn encode_answer(answer: &Embeddings, call: Call) -> Option<Vec<u8>> {
    let mut writer = Writer::with_capacity(256);
    let name = match call {
        Call::One => "embedding",
        Call::Batch => "embeddings",
        Call::Predict => "predictions",
    };
    writer.open().key(name);
    if call != Call::One {
        writer.open_array();
    }
    for (index, vector) in answer.vectors.iter().enumerate() {
        let values = vector.to_numbers()?;
        writer.open();
        if call == Call::Predict {
            writer
                .key("embeddings")
                .open()
                .key("values")
                .raw(values.as_str());
            own::write(
                &mut writer,
                &answer.extra,
                &format!("predictions[{index}]."),
                &[],
            );
            writer.close();
        } else {
            writer.key("values").raw(values.as_str());
            let path = format!("embeddings[{index}].");
            own::write(&mut writer, &answer.extra, &path, &[]);
        }
        writer.close();
    }
    if call != Call::One {
        writer.close_array();
    }
    match (own::own(&answer.extra, "usageMetadata"), &answer.tokens) {
        (Some(raw), _) => {
            writer.key("usageMetadata").raw(raw);
        }
        (None, Some(tokens)) if call != Call::Predict => {
            writer.key("usageMetadata");
            usage::write(&mut writer, tokens);
        }
        _ => {}
    }
    own::write(&mut writer, &answer.extra, "", &["usageMetadata"]);
    writer.close();
    Some(writer.into_bytes())
}
