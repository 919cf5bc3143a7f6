//! Recorded traffic of Bedrock, from the folder that `SLUICE_RECORDINGS` names and never kept here.

use std::{env, fs, path::Path};

use dialect::{
    base64,
    converse::{
        answer, error,
        request::{self, Target},
    },
    neutral::Event,
};
use fastrand::Rng;
use serde_json::Value;

use crate::converse::{cases, grammar};

#[derive(Debug, Default)]
struct Exercised {
    files: u32,
    requests: u32,
    answers: u32,
    streams: u32,
    errors: u32,
}

#[test]
fn recordings_are_read_and_go_back_without_loss() {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return;
    };
    let mut exercised = Exercised::default();
    for recording in fs::read_dir(Path::new(&folder).join("bedrock")).unwrap() {
        let recording = recording.unwrap().path();
        println!("{}", recording.display());
        let recording: Value = serde_json::from_slice(&fs::read(recording).unwrap()).unwrap();
        let interactions = recording["interactions"].as_array().unwrap();
        for interaction in interactions.iter().filter(|it| is_converse(it)) {
            exercise(interaction, &mut exercised);
        }
        exercised.files += 1;
    }
    println!("{exercised:?}");
    let Exercised {
        requests,
        answers,
        streams,
        errors,
        ..
    } = exercised;
    assert!(
        requests > 0 && answers > 0 && streams > 0 && errors > 0,
        "{folder} holds too little"
    );
}

fn is_converse(interaction: &Value) -> bool {
    let url = interaction["url"].as_str().unwrap_or_default();
    url.ends_with("/converse") || url.ends_with("/converse-stream")
}

fn exercise(interaction: &Value, exercised: &mut Exercised) {
    let url = interaction["url"].as_str().unwrap();
    let (model, act) = url
        .rsplit_once("/model/")
        .unwrap()
        .1
        .rsplit_once('/')
        .unwrap();
    let model = model.replace("%3A", ":").replace("%2F", "/");
    let body = &interaction["request_body"];
    let read = request::decode(&body.to_string(), &model, act == "converse-stream").unwrap();
    let encoded = request::encode(&read, &Target::new(&model)).unwrap();
    assert_eq!(
        serde_json::from_slice::<Value>(&encoded.body).unwrap(),
        *body
    );
    assert!(encoded.dropped.is_empty(), "{:?}", encoded.dropped);
    exercised.requests += 1;
    let status = u16::try_from(interaction["status"].as_u64().unwrap()).unwrap();
    let said = &interaction["response_body"];
    if status >= 400 {
        check_error(
            status,
            &interaction["response_headers"]["x-amzn-errortype"],
            said,
        );
        exercised.errors += 1;
    } else if interaction["framing"] == "aws-eventstream" {
        check_stream(interaction);
        exercised.streams += 1;
    } else {
        let read = answer::decode(&said.to_string(), &cases::seed()).unwrap();
        let again = answer::encode(&read, &cases::seed());
        assert_eq!(serde_json::from_slice::<Value>(&again).unwrap(), *said);
        check_total(read.tokens, &said["usage"]);
        exercised.answers += 1;
    }
}

fn check_error(status: u16, name: &Value, said: &Value) {
    let body = said.to_string();
    let unnamed = error::decode(status, body.as_bytes());
    let named = error::decode_named(name.as_str().unwrap(), status, body.as_bytes());
    assert_eq!(unnamed.class, named.class, "{said}");
    assert_eq!(named.message, said["message"]);
}

fn check_stream(interaction: &Value) {
    let bytes = base64::decode(interaction["response_body_b64"].as_str().unwrap()).unwrap();
    let whole = cases::decode(&bytes, &[]);
    grammar::check(&whole);
    assert_eq!(whole.last(), Some(&Event::End));
    let mut rng = Rng::with_seed(11);
    for _ in 0..200 {
        let mut cuts: Vec<_> = (0..rng.usize(1..80))
            .map(|_| rng.usize(..=bytes.len()))
            .collect();
        cuts.sort_unstable();
        assert_eq!(cases::decode(&bytes, &cuts), whole, "cut at {cuts:?}");
    }
    let each: Vec<_> = (0..bytes.len()).collect();
    assert_eq!(cases::decode(&bytes, &each), whole);
    let recorded: Vec<Value> = interaction["events"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| serde_json::json!({"event": it["headers"][":event-type"], "payload": it["payload"]}))
        .collect();
    let again = cases::events(&cases::encode(&whole));
    assert_eq!(cases::plain(&again), cases::plain(&recorded));
    let usage = recorded
        .iter()
        .find_map(|it| it["payload"].get("usage"))
        .unwrap();
    check_total(grammar::fold(&whole).tokens, usage);
}

fn check_total(tokens: Option<dialect::Tokens>, usage: &Value) {
    let tokens = tokens.unwrap();
    assert_eq!(Some(tokens.total()), usage["totalTokens"].as_u64());
    assert_eq!(Some(tokens.output_total()), usage["outputTokens"].as_u64());
}
