//! Texts of our own that come back the same: requests, answers, counts.

use dialect::{
    Tokens,
    gemini::{Target, Thinking, answer, count, request},
    neutral::{Content, Stop},
};

use super::{alike, fixture, fixtures, json, seed};

#[test]
fn requests_come_back_the_same() {
    for name in fixtures("request-") {
        let body = fixture(&name);
        let decoded = request::decode(&body, "gemini-2.5-flash", false);
        let decoded = decoded.unwrap_or_else(|misfit| panic!("{name}: {misfit}"));
        let mut target = Target::new("gemini-2.5-flash");
        target.result_media = true;
        if body.contains("thinkingLevel") {
            target.thinking = Thinking::Level;
        }
        let encoded = request::encode(&decoded, &target);
        let encoded = encoded.unwrap_or_else(|wrong| panic!("{name}: {wrong}"));
        let back = alike::request(json(&encoded.body));
        assert_eq!(back, alike::request(json(body.as_bytes())), "{name}");
        assert!(encoded.dropped.is_empty(), "{name}: {:?}", encoded.dropped);
        assert_eq!(decoded.model, "gemini-2.5-flash");
        // What was read again is what was read.
        let again = request::decode(
            str::from_utf8(&encoded.body).unwrap(),
            "models/gemini-2.5-flash",
            false,
        );
        assert_eq!(again.unwrap(), decoded, "{name}");
    }
}

#[test]
fn numbers_are_not_written_anew() {
    let body = fixture("request-plain.json");
    let decoded = request::decode(&body, "m", true).unwrap();
    assert!(decoded.stream && decoded.stream_usage);
    let encoded = request::encode(&decoded, &Target::new("m")).unwrap();
    let text = String::from_utf8(encoded.body).unwrap();
    assert!(text.contains("\"temperature\":0.20,"), "{text}");
}

#[test]
fn answers_come_back_the_same() {
    for name in fixtures("answer-") {
        let body = fixture(&name);
        let decoded = answer::decode(&body, &seed());
        let decoded = decoded.unwrap_or_else(|misfit| panic!("{name}: {misfit}"));
        let encoded = answer::encode(&decoded, &seed());
        let back = alike::answer(json(&encoded));
        assert_eq!(back, alike::answer(json(body.as_bytes())), "{name}");
        let again = answer::decode(str::from_utf8(&encoded).unwrap(), &seed());
        assert_eq!(again.unwrap(), decoded, "{name}");
    }
}

#[test]
fn answers_say_why_they_ended_and_what_they_used() {
    let cases = [
        ("answer-plain.json", Stop::End, [12, 0, 4, 0]),
        ("answer-tools.json", Stop::ToolCalls, [16, 64, 20, 30]),
        ("answer-zero-arguments.json", Stop::ToolCalls, [9, 0, 3, 0]),
        ("answer-length.json", Stop::Length, [9, 0, 0, 60]),
        ("answer-blocked.json", Stop::Filtered, [5, 0, 0, 0]),
        ("answer-filtered.json", Stop::Filtered, [5, 0, 5, 0]),
        ("answer-image.json", Stop::End, [5, 0, 1_290, 0]),
    ];
    for (name, stop, [input, cached_input, output, reasoning]) in cases {
        let answer = answer::decode(&fixture(name), &seed()).unwrap();
        assert_eq!(answer.choices[0].stop, Some(stop), "{name}");
        let tokens = Tokens {
            input,
            cached_input,
            output,
            reasoning,
            ..Tokens::default()
        };
        assert_eq!(answer.tokens, Some(tokens), "{name}");
    }
}

#[test]
fn an_answer_tells_its_calls_and_their_signatures() {
    let answer = answer::decode(&fixture("answer-tools.json"), &seed()).unwrap();
    let contents: Vec<_> = answer.choices[0]
        .parts
        .iter()
        .map(|part| &part.content)
        .collect();
    let [
        Content::Reasoning { text, signature },
        Content::ToolCall {
            id: made,
            arguments,
            ..
        },
        Content::ToolCall {
            id: given,
            arguments: nothing,
            ..
        },
    ] = contents.as_slice()
    else {
        panic!("{contents:?}");
    };
    assert_eq!(
        (text.as_str(), signature.as_deref()),
        ("Two look-ups.", Some("c2lnLW9zbG8="))
    );
    assert_eq!((made.as_str(), given.as_str()), ("call_req70", "fc-9"));
    assert_eq!(
        (arguments.as_str(), nothing.as_str()),
        (r#"{"city":"Oslo"}"#, "{}")
    );
}

#[test]
fn a_count_is_asked_and_answered() {
    let body = fixture("count-wrapped.json");
    let decoded = count::decode(&body, "gemini-2.5-flash").unwrap();
    let target = Target::new("gemini-2.5-flash");
    let encoded = count::encode(&decoded, &target).unwrap();
    assert_eq!(json(&encoded.body), json(body.as_bytes()));
    // Vertex takes the same flat.
    let flat = count::encode(&decoded, &target.on_vertex()).unwrap();
    assert_eq!(
        count::decode(str::from_utf8(&flat.body).unwrap(), "gemini-2.5-flash").unwrap(),
        decoded
    );
    assert!(json(&flat.body)["contents"].is_array());

    let plain = r#"{"contents":[{"role":"user","parts":[{"text":"Hi"}]}]}"#;
    let decoded = count::decode(plain, "m").unwrap();
    assert_eq!(
        count::encode(&decoded, &target).unwrap().body,
        plain.as_bytes()
    );

    let answer = r#"{"totalTokens":9,"cachedContentTokenCount":4,"promptTokensDetails":[{"modality":"TEXT","tokenCount":9}]}"#;
    let count = count::decode_answer(answer).unwrap();
    assert_eq!((count.tokens.input, count.tokens.cached_input), (5, 4));
    assert_eq!(count::encode_answer(&count), answer.as_bytes());
    assert!(count::decode_answer("{}").is_err());
}
