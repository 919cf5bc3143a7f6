//! What is brought across: our own fixtures, and recordings where there are any.

use std::{env, fs, path::Path};

use dialect::neutral::Family;
use serde_json::Value;

/// One body.
pub(crate) struct Material {
    pub(crate) name: String,
    pub(crate) family: Family,
    pub(crate) body: Body,
}

/// What it is.
pub(crate) enum Body {
    Request(String),
    Answer(String),
    Stream(Vec<u8>),
}

const FOLDERS: [(&str, Family); 6] = [
    ("chat", Family::Chat),
    ("responses", Family::Responses),
    ("messages", Family::Messages),
    ("gemini", Family::Gemini),
    ("converse", Family::Converse),
    ("cohere", Family::Cohere),
];

/// Our own fixtures, in the order of their names.
pub(crate) fn own() -> Vec<Material> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/fixtures");
    let mut all = Vec::new();
    for (name, family) in FOLDERS {
        let files = fs::read_dir(folder.join(name)).expect("fixtures of every family");
        for file in files {
            let path = file.expect("a file").path();
            let stem = path
                .file_stem()
                .and_then(|stem| stem.to_str())
                .unwrap_or_default();
            let text = || fs::read_to_string(&path).expect("text");
            let event = path.extension().is_some_and(|it| it == "sse");
            let body = if stem.starts_with("request") {
                Body::Request(text())
            } else if stem.starts_with("answer") {
                Body::Answer(text())
            } else if stem.starts_with("stream") && event {
                Body::Stream(fs::read(&path).expect("bytes"))
            } else {
                continue;
            };
            all.push(Material {
                name: format!("{name}/{stem}"),
                family,
                body,
            });
        }
    }
    all.sort_by(|one, other| one.name.cmp(&other.name));
    all
}

/// Answers and streams of the recordings, if a folder of them is named.
pub(crate) fn recorded() -> Vec<Material> {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("no recordings, because SLUICE_RECORDINGS names no folder");
        return Vec::new();
    };
    let mut all = Vec::new();
    for folder in fs::read_dir(folder)
        .expect("a folder of recordings")
        .flatten()
    {
        for file in fs::read_dir(folder.path()).into_iter().flatten().flatten() {
            let path = file.path();
            if path.extension().is_none_or(|it| it != "json") {
                continue;
            }
            let bytes = fs::read(&path).expect("a file");
            let Ok(recording) = serde_json::from_slice::<Value>(&bytes) else {
                continue;
            };
            let name = path.display().to_string();
            for interaction in recording["interactions"].as_array().into_iter().flatten() {
                all.extend(interaction_of(&name, interaction));
            }
        }
    }
    all
}

fn interaction_of(name: &str, interaction: &Value) -> Option<Material> {
    let url = interaction["url"].as_str()?.split('?').next()?;
    if interaction["status"].as_u64()? != 200 {
        return None;
    }
    let family = match url {
        _ if url.ends_with("/chat/completions") => Family::Chat,
        _ if url.ends_with("/responses") => Family::Responses,
        _ if url.ends_with("/v1/messages") => Family::Messages,
        _ if url.contains("enerateContent") => Family::Gemini,
        _ if url.ends_with("/converse") => Family::Converse,
        _ if url.ends_with("/v2/chat") => Family::Cohere,
        _ => return None,
    };
    let body = match &interaction["response_body"] {
        Value::String(text) if interaction["framing"] == "sse" => {
            Body::Stream(text.clone().into_bytes())
        }
        body @ Value::Object(_) => Body::Answer(body.to_string()),
        _ => return None,
    };
    Some(Material {
        name: name.to_owned(),
        family,
        body,
    })
}
