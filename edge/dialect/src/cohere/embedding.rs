//! Texts that become vectors, as `/v2/embed` has them: read from a client, written for Cohere, and back.
//!
//! Owns that Cohere wants to be told what the vectors are for, and gives each type of number that it is asked for.
//! Pictures are not read here: no other family has them.

use std::borrow::Cow;

use payload::{
    object::{self, Misfit, Object},
    writer::Writer,
};

use crate::{
    cohere::{own, usage},
    neutral::{
        Dropped, EmbeddingInput, EmbeddingRequest, Embeddings, Encoded, Encoding, Json, Seed, Task,
        Unsupported, Vector,
    },
};

const FLOAT: &str = "float";
const BASE64: &str = "base64";
const TYPES: &str = "embedding_types";
const PURPOSE: &str = "input_type";
const SHAPE: &str = "response_type";
/// The answer's shape when no types were asked for: an array of vectors, without their type.
const BARE: &str = "\"embeddings_floats\"";
const PREFIX: &str = "embeddings.";

/// For whom a request is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Target<'a> {
    /// The model, as Cohere calls it.
    pub model: &'a str,
    /// What the vectors are for where the client does not say it: Cohere refuses to guess.
    pub input_type: &'a str,
}

/// Reads what a client asks.
pub fn decode(body: &str) -> Result<EmbeddingRequest, Misfit> {
    let mut body = Object::parse(body)?;
    let model = body
        .text("model")?
        .ok_or_else(|| Misfit::new("is missing").within("model"))?;
    for pictures in ["images", "inputs"] {
        if body.raw(pictures)?.is_some() {
            return Err(Misfit::new("is not taken here: send texts").within(pictures));
        }
    }
    let texts = body
        .array("texts")?
        .ok_or_else(|| Misfit::new("is missing").within("texts"))?;
    let mut request = EmbeddingRequest {
        model: model.into_owned(),
        dimensions: body.count("output_dimension")?,
        ..EmbeddingRequest::default()
    };
    for (at, raw) in texts.into_iter().enumerate() {
        let text = object::text(raw).map_err(|misfit| misfit.within_element(at).within("texts"))?;
        request.inputs.push(EmbeddingInput::Text(text.into_owned()));
    }
    if let Some(raw) = body.raw(PURPOSE)? {
        let word = object::text(raw).map_err(|misfit| misfit.within(PURPOSE))?;
        request.task = task(&word);
        if request.task.is_none() {
            request.extra.push(own::extra(PURPOSE, raw));
        }
    }
    if let Some(raw) = body.raw(TYPES)? {
        let types = object::elements(raw).map_err(|misfit| misfit.within(TYPES))?;
        match types.as_slice() {
            ["\"float\""] => {}
            ["\"base64\""] => request.encoding = Encoding::Base64,
            // Types of numbers that no other family has.
            _ => request.extra.push(own::extra(TYPES, raw)),
        }
    }
    request.extra.extend(own::kept("", body));
    Ok(request)
}

/// Writes what Cohere is asked.
pub fn encode(request: &EmbeddingRequest, target: &Target<'_>) -> Result<Encoded, Unsupported> {
    let mut dropped = Dropped::default();
    let mut writer = Writer::with_capacity(256);
    writer.open().key("model").text(target.model);
    writer.key("texts").open_array();
    for (at, input) in request.inputs.iter().enumerate() {
        let EmbeddingInput::Text(text) = input else {
            return Err(Unsupported {
                at: format!("input[{at}]"),
                why: "tokens are not taken by this model's API: send text".to_owned(),
            });
        };
        writer.text(text);
    }
    writer.close_array();
    if own::raw(&request.extra, PURPOSE).is_none() {
        let purpose = match request.task {
            Some(task) => purpose(task),
            None => target.input_type,
        };
        writer.key(PURPOSE).text(purpose);
    }
    if own::raw(&request.extra, TYPES).is_none() {
        writer.key(TYPES).open_array().text(kind(request.encoding));
        writer.close_array();
    }
    if let Some(dimensions) = request.dimensions {
        writer.key("output_dimension").number(dimensions);
    }
    own::write(&mut writer, &request.extra, "", &[]);
    own::note(&mut dropped, &request.extra, "");
    writer.close();
    Ok(Encoded {
        body: writer.into_bytes(),
        dropped,
    })
}

/// Reads what Cohere answered. Where it gave several types of numbers, the floats are the vectors.
pub fn decode_answer(body: &str) -> Result<Embeddings, Misfit> {
    let mut body = Object::parse(body)?;
    let raw = body
        .raw("embeddings")?
        .ok_or_else(|| Misfit::new("is missing").within("embeddings"))?;
    let mut answer = Embeddings::default();
    if raw.starts_with('[') {
        answer.vectors = vectors(raw).map_err(|misfit| misfit.within("embeddings"))?;
    } else {
        by_type(raw, &mut answer).map_err(|misfit| misfit.within("embeddings"))?;
    }
    if let Some(raw) = body.raw("meta")? {
        answer.tokens = usage::tokens(raw);
        answer.extra.push(own::extra("meta", raw));
    }
    answer.extra.extend(own::kept("", body));
    Ok(answer)
}

/// Writes an answer for a client that asked for this form. `None` if a vector cannot be given in it, because its
/// provider sent something else than floats. The seed names the answer if its provider does not.
pub fn encode_answer(answer: &Embeddings, encoding: Encoding, seed: &Seed) -> Option<Vec<u8>> {
    let mut writer = Writer::with_capacity(1_024);
    writer.open();
    if own::raw(&answer.extra, "id").is_none() {
        writer.key("id").text(&seed.request_id);
    }
    writer.key("embeddings");
    if own::raw(&answer.extra, SHAPE) == Some(BARE) {
        write_vectors(&mut writer, &answer.vectors, Encoding::Floats)?;
    } else {
        writer.open();
        if !answer.vectors.is_empty() || !own::any(&answer.extra, PREFIX) {
            writer.key(kind(encoding));
            write_vectors(&mut writer, &answer.vectors, encoding)?;
        }
        own::write(&mut writer, &answer.extra, PREFIX, &[kind(encoding)]);
        writer.close();
    }
    let came = own::raw(&answer.extra, "meta");
    usage::write_member(&mut writer, "meta", came, answer.tokens.as_ref());
    if own::raw(&answer.extra, SHAPE).is_none() {
        writer.key(SHAPE).text("embeddings_by_type");
    }
    own::write(&mut writer, &answer.extra, "", &["meta"]);
    writer.close();
    Some(writer.into_bytes())
}

fn by_type(raw: &str, answer: &mut Embeddings) -> Result<(), Misfit> {
    let mut types = Object::parse(raw)?;
    for kind in [FLOAT, BASE64] {
        if !answer.vectors.is_empty() {
            break;
        }
        if let Some(raw) = types.raw(kind)? {
            answer.vectors = vectors(raw).map_err(|misfit| misfit.within(kind))?;
        }
    }
    answer.extra = own::kept(PREFIX, types);
    Ok(())
}

fn vectors(raw: &str) -> Result<Vec<Vector>, Misfit> {
    let each = object::elements(raw)?.into_iter().enumerate();
    each.map(|(at, raw)| vector(raw).map_err(|misfit| misfit.within_element(at)))
        .collect()
}

fn vector(raw: &str) -> Result<Vector, Misfit> {
    if raw.starts_with('[') {
        return Ok(Vector::Numbers(Json::of(raw)));
    }
    let packed = object::text(raw).map_err(|_| Misfit::new("must be an array or a string"))?;
    Ok(Vector::Packed(Cow::into_owned(packed)))
}

fn write_vectors(writer: &mut Writer, vectors: &[Vector], encoding: Encoding) -> Option<()> {
    writer.open_array();
    for vector in vectors {
        match encoding {
            Encoding::Floats => writer.raw(vector.to_numbers()?.as_str()),
            Encoding::Base64 => writer.text(&vector.to_packed()?),
        };
    }
    writer.close_array();
    Some(())
}

fn task(word: &str) -> Option<Task> {
    match word {
        "search_query" => Some(Task::Query),
        "search_document" => Some(Task::Document),
        "classification" => Some(Task::Classification),
        "clustering" => Some(Task::Clustering),
        _ => None,
    }
}

/// Cohere's word for a task, or for the one that is most like it.
const fn purpose(task: Task) -> &'static str {
    match task {
        Task::Query | Task::Question | Task::Claim | Task::CodeQuery => "search_query",
        Task::Document => "search_document",
        Task::Classification => "classification",
        Task::Clustering | Task::Similarity => "clustering",
    }
}

const fn kind(encoding: Encoding) -> &'static str {
    match encoding {
        Encoding::Floats => FLOAT,
        Encoding::Base64 => BASE64,
    }
}

// === impl Target ===

impl<'a> Target<'a> {
    /// Vectors of texts that are to be found, where the client does not say it.
    pub const fn new(model: &'a str) -> Self {
        Self {
            model,
            input_type: "search_document",
        }
    }
}
