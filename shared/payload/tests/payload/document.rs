//! What `docs/transforms.md` shows is what happens.

use payload::{
    family::Family,
    jq::Program,
    transform::{
        PROGRAMS_MAX, RULES_MAX, Rule, Sample, Transform,
        headers::{HEADERS_MAX, HeaderRule, Headers},
    },
};

const DOCUMENT: &str = include_str!("../../../../docs/transforms.md");

/// The texts between three backquotes and `json`.
fn blocks() -> Vec<&'static str> {
    let behind = DOCUMENT.split("```json\n").skip(1);
    behind
        .filter_map(|it| it.split_once("```"))
        .map(|it| it.0)
        .collect()
}

#[test]
fn every_row_of_the_table_of_rules_is_true() {
    let rows: Vec<Vec<&str>> = DOCUMENT
        .lines()
        .filter(|line| line.starts_with("| `"))
        .map(|line| line.trim_matches(['|', ' ']).split(" | ").collect())
        .collect();
    assert_eq!(rows.len(), 8);
    for row in rows {
        let cells: Vec<_> = row.iter().map(|it| it.trim_matches('`')).collect();
        let [kind, rule, body, becomes] = cells[..] else {
            panic!("{row:?}")
        };
        assert!(rule.starts_with(&format!("{{\"{kind}\":")), "{rule}");
        let rules = Rule::parse_all(&format!("[{rule}]")).unwrap();
        let transform = Transform::compile(&rules).unwrap();
        let became = transform.apply(Family::Chat, body.as_bytes()).unwrap();
        assert_eq!(String::from_utf8(became).unwrap(), becomes, "{rule}");
    }
}

#[test]
fn every_example_of_a_file_is_read() {
    let [rules, headers, samples] = blocks()[..] else {
        panic!("the document has other examples")
    };
    let transform = Transform::compile(&Rule::parse_all(rules).unwrap()).unwrap();
    Headers::compile(&HeaderRule::parse_all(headers).unwrap()).unwrap();
    let samples = Sample::parse_all(samples).unwrap();
    assert!(transform.check(&samples).is_ok());
}

/// The programs that a paragraph names.
fn programs(begins: &str) -> Vec<&'static str> {
    let paragraph = DOCUMENT.split("\n\n").find(|it| it.starts_with(begins));
    let mut parts = paragraph.unwrap().split('`').skip(1);
    let mut programs = Vec::new();
    while let Some(program) = parts.next() {
        programs.push(program);
        parts.next();
    }
    programs
}

#[test]
fn the_programs_that_are_named_compile_or_do_not() {
    let there = programs("There are:");
    let not = programs("There are not,");
    assert!(there.len() > 30 && not.len() > 8);
    for program in there {
        let compiled = Program::compile(program);
        assert!(compiled.is_ok(), "{program}: {compiled:?}");
    }
    for program in not {
        assert!(Program::compile(program).is_err(), "{program}");
    }
}

#[test]
fn the_bounds_are_those_that_are_told() {
    let row = format!("| {RULES_MAX}, {PROGRAMS_MAX}, {HEADERS_MAX} |");
    assert!(DOCUMENT.contains(&row), "{row}");
}
