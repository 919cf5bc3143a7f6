//! The Open Inference Protocol: what is read of tensors, what does not hold together, paths and errors.

use dialect::{
    inference::{
        Datatype,
        error::encode,
        path::{Addressee, Asks},
        request::{json_bytes, scan},
        usage::{Units, units},
    },
    neutral::{Class, Error},
};
use fastrand::Rng;

const REQUEST: &str = include_str!("../fixtures/inference/request.json");

#[test]
fn a_request_says_its_inputs_and_what_it_asks_for() {
    let scanned = scan(REQUEST.as_bytes(), None).unwrap();
    assert_eq!(scanned.id.as_deref(), Some("r-17"));
    assert_eq!(scanned.outputs, ["scores"]);
    let facts: Vec<_> = scanned
        .inputs
        .iter()
        .map(|input| {
            (
                input.name.as_str(),
                input.datatype.name(),
                &input.shape[..],
                input.elements,
            )
        })
        .collect();
    let expected: [(&str, &str, &[u64], u64); 4] = [
        ("pixels", "FP32", &[2, 3], 6),
        ("ids", "INT64", &[2], 2),
        ("text", "BYTES", &[1, 2], 2),
        ("flag", "BOOL", &[], 1),
    ];
    assert_eq!(facts, expected);
    assert_eq!(
        units(&scanned),
        Units {
            requests: 1,
            rows: 2
        }
    );
}

#[test]
fn data_may_stand_behind_the_json_and_every_byte_of_it_belongs_to_an_input() {
    let json = concat!(
        r#"{"inputs":[{"name":"a","shape":[2,2],"datatype":"FP32","parameters":{"binary_data_size":16}},"#,
        r#"{"name":"b","shape":[1],"datatype":"BYTES","parameters":{"binary_data_size":7}}],"#,
        r#""parameters":{"binary_data_output":true}}"#
    );
    let body = [json.as_bytes(), &[0xff; 23]].concat();
    let scanned = scan(&body, Some(json.len())).unwrap();
    let binary: Vec<_> = scanned.inputs.iter().map(|it| it.binary_bytes).collect();
    assert_eq!(binary, [Some(16), Some(7)]);
    assert_eq!(units(&scanned).rows, 2);
    for (body, json_bytes) in [
        (&body[..], None),
        (&body, Some(json.len() + 1)),
        (&body, Some(json.len() - 1)),
        (&body, Some(body.len() + 1)),
        (&body[..body.len() - 1], Some(json.len())),
    ] {
        assert!(scan(body, json_bytes).is_err(), "{json_bytes:?}");
    }
    let lengths = [
        "12",
        " 7 ",
        "",
        "-1",
        "+1",
        "1.5",
        "99999999999999999999999",
    ];
    assert_eq!(
        lengths.map(json_bytes),
        [Some(12), Some(7), None, None, None, None, None]
    );
}

#[test]
fn a_request_whose_tensors_do_not_hold_together_is_refused() {
    let input = |tensor: &str| scan(format!("{{\"inputs\":[{tensor}]}}").as_bytes(), None);
    for (tensor, says) in cases(include_str!("../fixtures/inference/misfits.txt")) {
        assert_eq!(input(tensor).unwrap_err().to_string(), says, "{tensor}");
    }
    assert_eq!(
        scan(b"{}", None).unwrap_err().to_string(),
        "inputs is missing"
    );
    assert_eq!(
        scan(b"{\"inputs\":[]}", None).unwrap_err().to_string(),
        "inputs is missing"
    );
    assert_eq!(
        scan(b"[]", None).unwrap_err().to_string(),
        "the body must be an object"
    );
    let fine = r#"{"name":"a","shape":[1],"datatype":"FP32","data":[1]}"#;
    let asks = format!(r#"{{"inputs":[{fine}],"parameters":{{"shared_memory_region":"r"}}}}"#);
    assert!(scan(asks.as_bytes(), None).is_err());
    let many: Vec<_> = (0..257)
        .map(|at| fine.replace("\"a\"", &format!("\"a{at}\"")))
        .collect();
    assert_eq!(
        input(&many.join(",")).unwrap_err().to_string(),
        "inputs has more than 256 tensors"
    );
    let empty =
        input(r#"{"name":"a","shape":[4294967296,4294967296,0],"datatype":"FP32","data":[]}"#)
            .unwrap();
    assert_eq!(
        units(&empty),
        Units {
            requests: 1,
            rows: 1
        }
    );
}

#[test]
fn every_datatype_has_its_name() {
    for name in [
        "BOOL", "UINT8", "UINT16", "UINT32", "UINT64", "INT8", "INT16", "INT32", "INT64", "FP16",
        "FP32", "FP64", "BF16", "BYTES",
    ] {
        assert_eq!(Datatype::named(name).map(Datatype::name), Some(name));
    }
    assert_eq!(Datatype::named("fp32"), None);
}

#[test]
fn paths_name_a_model_and_perhaps_a_version() {
    for (path, model, version, asks) in [
        ("/v2/models/resnet/infer", "resnet", None, Asks::Infer),
        ("/v2/models/a%2Fb%20c/infer", "a/b c", None, Asks::Infer),
        (
            "/v2/models/resnet/versions/3/infer",
            "resnet",
            Some("3"),
            Asks::Infer,
        ),
        ("/v2/models/infer", "infer", None, Asks::Metadata),
        ("/v2/models/a/versions/1", "a", Some("1"), Asks::Metadata),
        ("/v2/models/a/ready", "a", None, Asks::Ready),
        ("/v2/models/a/versions/1/ready", "a", Some("1"), Asks::Ready),
    ] {
        let read = Addressee::read(path).unwrap();
        assert_eq!(
            (read.model.as_ref(), read.version.as_deref(), read.asks),
            (model, version, asks)
        );
    }
    for wrong in [
        "/v2/models/",
        "/v2/models//infer",
        "/v2/models/a/b/infer",
        "/v2/models/a/load",
        "/v2/models/a/versions",
        "/v2/models/../infer",
        "/v2/models/a/versions//infer",
        "/v2/models/%2e%2e/infer",
        "/v2/models/%zz/infer",
        "/v2/models/%/infer",
        "/v2/models/%ff/infer",
        "/v2/models/a%0a/infer",
        "/v2/models/a/infer/",
        "/v2/models/%+1/infer",
    ] {
        assert_eq!(Addressee::read(wrong), None, "{wrong}");
    }
}

#[test]
fn errors_are_one_string() {
    assert_eq!(
        encode(&Error::new(Class::Provider, "a\n")),
        b"{\"error\":\"a\\u000a\"}"
    );
}

#[test]
fn mutated_requests_never_panic_and_what_is_taken_holds_together() {
    let mut taken = 0;
    for seed in 0..8_000 {
        let mut rng = Rng::with_seed(seed);
        let body = mutated(&mut rng, REQUEST);
        let json_bytes = rng.bool().then(|| rng.usize(..body.len() + 2));
        if let Ok(scanned) = scan(&body, json_bytes) {
            taken += 1;
            for input in &scanned.inputs {
                assert_eq!(
                    input.elements,
                    input.shape.iter().product::<u64>(),
                    "seed {seed}"
                );
            }
        }
    }
    assert!(taken > 100, "only {taken} were taken");
}

/// Changes a few bytes.
fn mutated(rng: &mut Rng, text: &str) -> Vec<u8> {
    const BYTES: &[u8] = b"\"\\{}[]:,0-.eu\n \0\xc3\xff";
    let mut bytes = text.as_bytes().to_vec();
    for _ in 0..rng.usize(..4) {
        let at = rng.usize(..bytes.len());
        let byte = BYTES[rng.usize(..BYTES.len())];
        match rng.u8(..3) {
            0 => bytes.insert(at, byte),
            1 => bytes[at] = byte,
            _ => drop(bytes.remove(at)),
        }
    }
    bytes
}

/// The cases of a file: what a tensor is, and what is said of it.
fn cases(file: &str) -> impl Iterator<Item = (&str, &str)> {
    let cases = file.split("\n\n").filter(|case| !case.starts_with('#'));
    cases.map(|case| {
        let (tensor, says) = case.trim().split_once('\n').unwrap();
        (
            tensor.strip_prefix("tensor: ").unwrap(),
            says.strip_prefix("says: ").unwrap(),
        )
    })
}
