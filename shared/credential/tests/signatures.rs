//! Signatures against the vectors that their makers publish, from the folder that `SLUICE_RECORDINGS` names. Our own are
//! beside the code.

#![cfg(test)]

use std::{env, fs, path::PathBuf};

use credential::sigv4::{Body, Credentials, Path, Request, Scope, encode_segment, sign, stamp};
use serde_json::Value as Json;

fn vectors(name: &str) -> Option<PathBuf> {
    let Ok(folder) = env::var("SLUICE_RECORDINGS") else {
        println!("skipped, because SLUICE_RECORDINGS names no folder");
        return None;
    };
    Some(PathBuf::from(folder).join("vectors").join(name))
}

/// One request of the suite: its first line, its headers and its body.
struct Sent {
    method: String,
    path: String,
    query: String,
    headers: Vec<(String, String)>,
    body: String,
}

fn sent(text: &str) -> Sent {
    let text = text.trim_start().replace("\r\n", "\n");
    let (head, body) = text.split_once("\n\n").unwrap_or((&text, ""));
    let mut lines = head.lines();
    let (method, rest) = lines.next().unwrap().split_once(' ').unwrap();
    let url = rest.strip_suffix(" HTTP/1.1").unwrap();
    let (path, query) = url.split_once('?').unwrap_or((url, ""));
    let mut headers: Vec<(String, String)> = Vec::new();
    for line in lines.filter(|line| !line.is_empty()) {
        match (line.starts_with(' '), line.split_once(':')) {
            (false, Some((name, value))) => headers.push((name.to_owned(), value.to_owned())),
            // A value that goes on in the next line.
            _ => headers.last_mut().unwrap().1 += line,
        }
    }
    Sent {
        method: method.to_owned(),
        path: path.to_owned(),
        query: query.to_owned(),
        headers,
        body: body.to_owned(),
    }
}

#[test]
fn requests_of_the_suite_have_its_signatures() {
    let Some(folder) = vectors("sigv4") else {
        return;
    };
    let mut seen = 0;
    for case in fs::read_dir(folder).unwrap() {
        let case = case.unwrap().path();
        let read = |name: &str| fs::read_to_string(case.join(name)).unwrap();
        // Its secret is not published, and its parts are of two dates: what it shows, that a path is encoded once more,
        // is tried beside the code.
        if case.ends_with("double-encode-path") {
            continue;
        }
        let expected = read("header-signed-request.txt");
        let expected = expected
            .lines()
            .find_map(|line| line.strip_prefix("Authorization:"))
            .map(|value| value.trim().to_owned());
        let Some(expected) = expected else {
            continue;
        };
        println!("{}", case.display());
        let context = fs::read_to_string(case.join("context.json"));
        let context: Json = context.map_or(Json::Null, |it| serde_json::from_str(&it).unwrap());
        let mut request = sent(&read("request.txt"));
        // Signed for a service that encodes a path once and no more, which Bedrock is not: what is encoded in the
        // request is not yet in what was signed.
        if case.ends_with("get-space-normalized") {
            request.path = request.path.replace("%20", " ");
        }
        check(
            &request,
            &context,
            &read("header-canonical-request.txt"),
            &expected,
        );
        seen += 1;
    }
    println!("{seen} signatures");
    assert!(seen >= 15, "only {seen}");
}

fn check(request: &Sent, context: &Json, canonical: &str, expected: &str) {
    // Where there is no context, the expected signature says for whom and when it was made.
    let scope = expected.split("Credential=").nth(1).unwrap();
    let mut scope = scope.split(',').next().unwrap().split('/');
    let (access_key_id, _, region, service) = (
        scope.next().unwrap(),
        scope.next().unwrap(),
        scope.next().unwrap(),
        scope.next().unwrap(),
    );
    let date = canonical.split("x-amz-date:").nth(1).unwrap();
    let date = date.lines().next().unwrap();
    let text = |name: &str| context["credentials"][name].as_str();
    let credentials = Credentials {
        access_key_id,
        secret_access_key: text("secret_access_key")
            .unwrap_or("wJalrXUtnFEMI/K7MDENG+bPxRfiCYEXAMPLEKEY"),
        session_token: text("token"),
    };
    let scope = Scope {
        region,
        service,
        path: if context["normalize"] == false {
            Path::AsSent
        } else {
            Path::Normalized
        },
        body: if context["sign_body"] == true {
            Body::Told
        } else {
            Body::Silent
        },
    };
    let headers: Vec<(&str, &str)> = request
        .headers
        .iter()
        .map(|(name, value)| (name.as_str(), value.as_str()))
        .collect();
    let request = Request {
        method: &request.method,
        path: &request.path,
        query: &request.query,
        headers: &headers,
        body: request.body.as_bytes(),
    };
    let signed = sign(&request, &credentials, &scope, seconds(date));
    assert_eq!(signed.last().unwrap().1, expected);
}

#[test]
fn requests_to_bedrock_have_the_signatures_of_its_own_client() {
    let Some(file) = vectors("bedrock-sigv4-botocore.json") else {
        return;
    };
    let cases: Vec<Json> = serde_json::from_slice(&fs::read(file).unwrap()).unwrap();
    for case in &cases {
        let text = |name: &str| case[name].as_str();
        let (_, rest) = text("url").unwrap().split_once("://").unwrap();
        let (host, path) = rest.split_once('/').unwrap();
        let path = format!("/{path}");
        let model = encode_segment(text("model_id").unwrap());
        assert!(path.starts_with(&format!("/model/{model}/")), "{path}");
        let request = Request {
            method: "POST",
            path: &path,
            query: "",
            headers: &[("Host", host), ("Content-Type", "application/json")],
            body: text("body").unwrap().as_bytes(),
        };
        let credentials = Credentials {
            access_key_id: text("access_key").unwrap(),
            secret_access_key: text("secret_key").unwrap(),
            session_token: text("session_token"),
        };
        let scope = Scope::bedrock(text("region").unwrap());
        let now = seconds(text("amz_date").unwrap());
        let signed = sign(&request, &credentials, &scope, now);
        assert_eq!(signed.last().unwrap().1, text("authorization").unwrap());
    }
    println!("{} signatures", cases.len());
    assert!(cases.len() >= 4);
}

/// The time that is written so, found by trying: the code under test only writes times.
fn seconds(stamped: &str) -> u64 {
    let (mut low, mut high) = (0, 1 << 33);
    while low < high {
        let middle = low + (high - low) / 2;
        if stamp(middle).as_str() < stamped {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    assert_eq!(stamp(low), stamped);
    low
}
