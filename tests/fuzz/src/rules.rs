//! The rules of a version, and the programs in jq among them. An input is a rule or a program, a line end, and a body.

use dialect::neutral::Family;
use payload::{
    jq::Program,
    transform::{Rule, Transform, headers::HeaderRule},
};
use serde_json::value::RawValue;

use crate::cuts;

/// Rules on a body. The first byte picks the family.
pub fn transform(input: &[u8]) {
    let (how, rest) = cuts::first(input);
    let family = Family::ALL[usize::from(how) % Family::ALL.len()];
    let Some((rules, body)) = parted(rest) else {
        return;
    };
    let _ = HeaderRule::parse_all(rules);
    let Ok(rules) = Rule::parse_all(rules) else {
        return;
    };
    let again = Rule::parse_all(&Rule::write_all(&rules));
    assert_eq!(again.as_ref(), Ok(&rules), "rules that were written");
    let Ok(transform) = Transform::compile(&rules) else {
        return;
    };
    let object = serde_json::from_slice::<&RawValue>(body);
    match transform.apply(family, body) {
        Ok(changed) => {
            assert!(object.is_ok(), "a body that is no JSON was taken");
            let valid = serde_json::from_slice::<&RawValue>(&changed);
            assert!(valid.is_ok(), "{}", String::from_utf8_lossy(&changed));
        }
        Err(fault) => assert!(!fault.to_string().is_empty()),
    }
}

/// A program on a value.
pub fn program(input: &[u8]) {
    let Some((program, value)) = parted(input) else {
        return;
    };
    let Ok(program) = Program::compile(program) else {
        return;
    };
    if let Ok(output) = program.run(value) {
        let valid = serde_json::from_slice::<&RawValue>(&output);
        assert!(valid.is_ok(), "{}", String::from_utf8_lossy(&output));
    }
}

fn parted(input: &[u8]) -> Option<(&str, &[u8])> {
    let at = input.iter().position(|byte| *byte == b'\n')?;
    let (before, behind) = input.split_at_checked(at)?;
    Some((str::from_utf8(before).ok()?, behind.get(1..)?))
}
