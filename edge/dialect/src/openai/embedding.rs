//! Texts that become vectors, as `/v1/embeddings` has them: read from a client, written for a provider, and back.
//!
//! Owns the four forms of `input` and both of a vector. One input alone and a list of one are the same, and so are
//! `float` and no `encoding_format`. Must never guess what was used: an answer that does not say it is written so.

use std::borrow::Cow;

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    Tokens,
    neutral::{
        Dropped, EmbeddingInput, EmbeddingRequest, Embeddings, Encoded, Encoding, Extra, Family,
        Json, Unsupported, Vector,
    },
    openai::usage,
};

/// How the names of members begin that stand beside a vector.
const BESIDE: &str = "data[";

/// One vector of an answer, its place among the others, and what else stands beside it.
struct Item {
    index: usize,
    vector: Vector,
    extra: Vec<(String, Json)>,
}

/// Reads what a client asks.
pub fn decode(body: &str) -> Result<EmbeddingRequest, Misfit> {
    let mut body = Object::parse(body)?;
    let model = needed(&mut body, "model", Object::text)?;
    let input = needed(&mut body, "input", Object::raw)?;
    let encoding = match body.text("encoding_format")?.as_deref() {
        None | Some("float") => Encoding::Floats,
        Some("base64") => Encoding::Base64,
        Some(_) => return Err(Misfit::new("must be float or base64").within("encoding_format")),
    };
    Ok(EmbeddingRequest {
        model: model.into_owned(),
        inputs: inputs(input).map_err(|misfit| misfit.within("input"))?,
        dimensions: body.count("dimensions")?,
        encoding,
        task: None,
        extra: kept(body),
    })
}

/// Writes what the provider is asked, for this model of its.
pub fn encode(request: &EmbeddingRequest, model: &str) -> Result<Encoded, Unsupported> {
    let mut dropped = Dropped::default();
    let mut writer = Writer::with_capacity(256);
    writer.open().key("model").text(model);
    writer.key("input").open_array();
    for input in &request.inputs {
        match input {
            EmbeddingInput::Text(text) => {
                writer.text(text);
            }
            EmbeddingInput::Tokens(tokens) => {
                writer.open_array();
                for token in tokens {
                    writer.number(*token);
                }
                writer.close_array();
            }
        }
    }
    writer.close_array();
    if let Some(dimensions) = request.dimensions {
        writer.key("dimensions").number(dimensions);
    }
    if request.encoding == Encoding::Base64 {
        writer.key("encoding_format").text("base64");
    }
    if request.task.is_some() {
        dropped.note("input_type");
    }
    for extra in &request.extra {
        if extra.family == Family::Chat {
            writer.key(&extra.name).raw(extra.value.as_str());
        } else {
            dropped.note(&extra.name);
        }
    }
    writer.close();
    Ok(Encoded {
        body: writer.into_bytes(),
        dropped,
    })
}

/// Reads what the provider answered. The vectors are put in the order of the inputs.
pub fn decode_answer(body: &str) -> Result<Embeddings, Misfit> {
    let mut body = Object::parse(body)?;
    let data = needed(&mut body, "data", Object::array)?;
    let mut items = Vec::with_capacity(data.len());
    for (at, raw) in data.into_iter().enumerate() {
        let item = item(raw, at).map_err(|misfit| misfit.within_element(at).within("data"))?;
        items.push(item);
    }
    items.sort_by_key(|item| item.index);
    let mut answer = Embeddings {
        model: body.text("model")?.map(Cow::into_owned).unwrap_or_default(),
        ..Embeddings::default()
    };
    for (at, item) in items.into_iter().enumerate() {
        if item.index != at {
            return Err(Misfit::new("must have one vector for each input").within("data"));
        }
        answer.vectors.push(item.vector);
        for (name, value) in item.extra {
            let name = beside(at, &name);
            answer
                .extra
                .push(Extra::new(Family::Chat, name, value.as_str()));
        }
    }
    body.raw("object")?;
    if let Some(raw) = body.raw("usage")? {
        answer.tokens = tokens(raw);
        answer.extra.push(Extra::new(Family::Chat, "usage", raw));
    }
    answer.extra.extend(kept(body));
    Ok(answer)
}

/// Writes an answer for a client that asked for this form. `None` if a vector cannot be given in it, because its
/// provider sent something else than floats.
pub fn encode_answer(answer: &Embeddings, encoding: Encoding) -> Option<Vec<u8>> {
    let mut writer = Writer::with_capacity(1_024);
    writer.open().key("object").text("list");
    // In the order of the vectors, as they were read.
    let mut rest = own(answer, true).peekable();
    writer.key("data").open_array();
    for (at, vector) in answer.vectors.iter().enumerate() {
        writer.open().key("object").text("embedding");
        writer.key("index").number(at as u64).key("embedding");
        match encoding {
            Encoding::Floats => writer.raw(vector.to_numbers()?.as_str()),
            Encoding::Base64 => writer.text(&vector.to_packed()?),
        };
        let place = beside(at, "");
        while let Some(extra) = rest.next_if(|extra| extra.name.starts_with(&place)) {
            let name = extra.name.strip_prefix(&place).unwrap_or_default();
            writer.key(name).raw(extra.value.as_str());
        }
        writer.close();
    }
    writer.close_array();
    writer.key("model").text(&answer.model);
    write_usage(&mut writer, answer);
    for extra in own(answer, false) {
        writer.key(&extra.name).raw(extra.value.as_str());
    }
    writer.close();
    Some(writer.into_bytes())
}

/// One text, several, one of tokens, or several of tokens.
fn inputs(raw: &str) -> Result<Vec<EmbeddingInput>, Misfit> {
    if object::is_text(raw) {
        return Ok(vec![EmbeddingInput::Text(object::text(raw)?.into_owned())]);
    }
    let elements =
        object::elements(raw).map_err(|_| Misfit::new("must be a string or an array"))?;
    let first = elements
        .first()
        .ok_or_else(|| Misfit::new("must not be empty"))?;
    if first.starts_with(|first: char| first.is_ascii_digit()) {
        return Ok(vec![input(raw)?]);
    }
    let each = elements.into_iter().enumerate();
    each.map(|(at, raw)| input(raw).map_err(|misfit| misfit.within_element(at)))
        .collect()
}

fn input(raw: &str) -> Result<EmbeddingInput, Misfit> {
    if object::is_text(raw) {
        return Ok(EmbeddingInput::Text(object::text(raw)?.into_owned()));
    }
    let elements =
        object::elements(raw).map_err(|_| Misfit::new("must be a string or an array of tokens"))?;
    let each = elements.into_iter().enumerate();
    each.map(|(at, raw)| {
        let token = raw.parse().ok();
        token.ok_or_else(|| Misfit::new("must be a token's number").within_element(at))
    })
    .collect::<Result<_, _>>()
    .map(EmbeddingInput::Tokens)
}

fn item(raw: &str, at: usize) -> Result<Item, Misfit> {
    let mut item = Object::parse(raw)?;
    let raw = needed(&mut item, "embedding", Object::raw)?;
    let vector = if object::is_text(raw) {
        Vector::Packed(object::text(raw)?.into_owned())
    } else if raw.starts_with('[') {
        Vector::Numbers(Json::of(raw))
    } else {
        return Err(Misfit::new("must be an array or a string").within("embedding"));
    };
    item.raw("object")?;
    let index = item.count("index")?;
    Ok(Item {
        index: index.map_or(at, |index| usize::try_from(index).unwrap_or(usize::MAX)),
        vector,
        extra: item
            .rest()
            .map(|(name, raw)| (name.into_owned(), Json::of(raw)))
            .collect(),
    })
}

/// What was used. Nothing is generated: whatever is counted beside the prompt was read, too.
fn tokens(raw: &str) -> Option<Tokens> {
    let tokens = usage::tokens(raw)?;
    Some(Tokens {
        input: tokens.total().saturating_sub(tokens.cached_input),
        cached_input: tokens.cached_input,
        ..Tokens::default()
    })
}

/// Writes the usage as it came while it still says so, or anew.
fn write_usage(writer: &mut Writer, answer: &Embeddings) {
    let came = answer
        .extra
        .iter()
        .find(|extra| extra.family == Family::Chat && extra.name == "usage")
        .map(|extra| extra.value.as_str())
        .filter(|raw| tokens(raw) == answer.tokens);
    match (came, answer.tokens) {
        (Some(raw), _) => {
            writer.key("usage").raw(raw);
        }
        (None, Some(tokens)) => {
            writer.key("usage").open();
            writer.key("prompt_tokens").number(tokens.total());
            writer.key("total_tokens").number(tokens.total());
            writer.close();
        }
        (None, None) => {}
    }
}

/// What only this family understands: beside a vector, or in the answer itself.
fn own(answer: &Embeddings, beside_vectors: bool) -> impl Iterator<Item = &Extra> {
    answer.extra.iter().filter(move |extra| {
        extra.family == Family::Chat
            && extra.name != "usage"
            && extra.name.starts_with(BESIDE) == beside_vectors
    })
}

fn beside(at: usize, name: &str) -> String {
    format!("{BESIDE}{at}].{name}")
}

fn kept(object: Object<'_>) -> Vec<Extra> {
    object
        .rest()
        .map(|(name, raw)| Extra::new(Family::Chat, name, raw))
        .collect()
}

fn needed<'a, T>(
    object: &mut Object<'a>,
    name: &str,
    take: impl FnOnce(&mut Object<'a>, &str) -> Result<Option<T>, Misfit>,
) -> Result<T, Misfit> {
    take(object, name)?.ok_or_else(|| Misfit::new("is missing").within(name))
}
