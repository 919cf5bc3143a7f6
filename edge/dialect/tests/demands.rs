//! What a body demands of whoever answers it, in each API.

#![cfg(test)]

use dialect::request::{
    Endpoint, Scanned,
    demand::{
        Demand::{
            self, AudioInput, AudioOutput, Embeddings, FileInput, ImageInput, ImageOutput,
            JsonMode, JsonSchema, ParallelTools, Reasoning, Streaming, TextOutput, Tools,
            VideoInput,
        },
        Demands,
    },
    scan, scan_for,
};

const ALL: [Demand; 14] = [
    ImageInput,
    AudioInput,
    FileInput,
    VideoInput,
    Tools,
    ParallelTools,
    JsonSchema,
    JsonMode,
    Reasoning,
    Streaming,
    Embeddings,
    TextOutput,
    ImageOutput,
    AudioOutput,
];

fn demands(endpoint: Endpoint, members: &str) -> Vec<Demand> {
    let body = format!(r#"{{"model":"m",{members}}}"#);
    let scanned: Scanned = match endpoint {
        Endpoint::Generate | Endpoint::GenerateStream | Endpoint::CountGenerate => {
            scan_for(endpoint, "m", body.as_bytes()).expect("it is a body")
        }
        _ => scan(endpoint, body.as_bytes()).expect("it is a body"),
    };
    let found: Demands = scanned.demands;
    ALL.into_iter().filter(|it| found.holds(*it)).collect()
}

#[test]
fn chat_completions_say_what_they_demand() {
    let of = |members: &str| demands(Endpoint::ChatCompletions, members);
    for (members, expected) in [
        (
            r#""messages":[{"role":"user","content":"image"}]"#,
            vec![TextOutput],
        ),
        (
            r#""messages":[{"content":[{"type":"image_url","image_url":{"url":"x"}}]}]"#,
            vec![ImageInput, TextOutput],
        ),
        (
            r#""messages":[{"content":[{"type":"input_audio"},{"type":"file"},{"type":"video_url"}]}]"#,
            vec![AudioInput, FileInput, VideoInput, TextOutput],
        ),
        (
            r#""tools":[{"type":"function","function":{"parameters":{"properties":{"type":{"type":"image"}}}}}]"#,
            vec![Tools, TextOutput],
        ),
        (r#""tools":[ ],"functions":null"#, vec![TextOutput]),
        (
            r#""parallel_tool_calls":true"#,
            vec![ParallelTools, TextOutput],
        ),
        (
            r#""response_format":{"type":"json_schema","json_schema":{}}"#,
            vec![JsonSchema, TextOutput],
        ),
        (
            r#""response_format":{"type":"json_object"}"#,
            vec![JsonMode, TextOutput],
        ),
        (r#""response_format":{"type":"text"}"#, vec![TextOutput]),
        (
            r#""reasoning_effort":"low","stream":true"#,
            vec![Reasoning, Streaming, TextOutput],
        ),
        (r#""reasoning_effort":"none""#, vec![TextOutput]),
        (
            r#""modalities":["text","audio"]"#,
            vec![TextOutput, AudioOutput],
        ),
    ] {
        assert_eq!(of(members), expected, "{members}");
    }
}

#[test]
fn other_apis_say_the_same_in_their_words() {
    for (endpoint, members, expected) in [
        (
            Endpoint::Responses,
            r#""input":[{"content":[{"type":"input_image"},{"type":"input_file"}]}],"text":{"format":{"type":"json_schema"}},"reasoning":{"effort":"high"}"#,
            vec![ImageInput, FileInput, JsonSchema, Reasoning, TextOutput],
        ),
        (
            Endpoint::Responses,
            r#""input":"x","reasoning":{"effort":"none","summary":"auto"},"text":{"format":{"type":"text"}}"#,
            vec![TextOutput],
        ),
        (
            Endpoint::Messages,
            r#""messages":[{"content":[{"type":"image","source":{"type":"base64"}},{"type":"document","source":{"type":"base64"}}]}],"thinking":{"type":"enabled"},"tools":[{"name":"f"}]"#,
            vec![ImageInput, FileInput, Tools, Reasoning, TextOutput],
        ),
        (
            Endpoint::Messages,
            r#""messages":[{"content":[{"type":"document","source":{"type":"text"}}]}],"thinking":{"type":"disabled"}"#,
            vec![TextOutput],
        ),
        (
            Endpoint::GenerateStream,
            r#""contents":[{"parts":[{"inlineData":{"mimeType":"image\/png"}},{"fileData":{"mime_type":"application/pdf"}}]}],"generationConfig":{"responseMimeType":"application/json","responseModalities":["IMAGE"]}"#,
            vec![ImageInput, FileInput, JsonMode, Streaming, ImageOutput],
        ),
        (
            Endpoint::Generate,
            r#""contents":[{"parts":[{"inlineData":{"mimeType":"audio/wav"}},{"fileData":{"mimeType":"video/mp4"}}]}],"generationConfig":{"responseMimeType":"application/json","responseSchema":{}}"#,
            vec![AudioInput, VideoInput, JsonSchema, TextOutput],
        ),
        (
            Endpoint::Embeddings,
            r#""input":["image"]"#,
            vec![Embeddings],
        ),
        (Endpoint::Completions, r#""prompt":"x""#, vec![TextOutput]),
        (
            Endpoint::CountMessages,
            r#""messages":[{"content":[{"type":"image"}]}],"tools":[{}]"#,
            vec![],
        ),
    ] {
        assert_eq!(demands(endpoint, members), expected, "{members}");
    }
}
