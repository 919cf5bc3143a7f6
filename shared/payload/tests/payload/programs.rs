//! What programs make of payloads, and how they are refused.

use payload::jq::{Fault, Program, SOURCE_BYTES_MAX};

use crate::cases::cases;

fn run(program: &str, input: &str) -> Result<String, Fault> {
    let program = Program::compile(program).unwrap_or_else(|fault| panic!("{program}: {fault}"));
    let output = program.run(input.as_bytes())?;
    Ok(String::from_utf8(output).unwrap())
}

#[test]
fn programs_say_what_the_language_says() {
    for case in cases(include_str!("../fixtures/programs.txt")) {
        let [program, input, gives] = case.lines(["program", "input", "gives"]);
        let output = run(&program, &input);
        assert_eq!(
            output.as_deref(),
            Ok(gives.as_str()),
            "{program} of {input}"
        );
    }
}

#[test]
fn a_program_gives_exactly_one_output_or_a_fault_that_says_so() {
    assert_eq!(run("empty", "1"), Err(Fault::NoOutput));
    assert_eq!(run(".[]", "[]"), Err(Fault::NoOutput));
    assert_eq!(run("., .", "1"), Err(Fault::SeveralOutputs));
    assert_eq!(
        run("1, error(\"late\")", "1"),
        Err(Fault::Raised("late".to_owned()))
    );
    assert_eq!(
        run("error", r#"{"a":1}"#),
        Err(Fault::Raised(r#"{"a":1}"#.to_owned()))
    );
    let fault = run(".a", "[1]").unwrap_err();
    assert_eq!(
        fault.to_string(),
        r#"the program raised an error: cannot index [1] with "a""#
    );
    assert!(matches!(run(".", "{"), Err(Fault::NotJson(_))));
    assert!(matches!(run(".", "1 2"), Err(Fault::NotJson(_))));
    let long = format!("[{}]", "\"x\",".repeat(1_000) + "1");
    let Err(Fault::Raised(what)) = run("error(.) | tojson", &long) else {
        panic!("raised")
    };
    assert!(what.len() < 600, "{what}");
}

#[test]
fn a_program_that_is_wrong_says_where() {
    let fault = |program: &str| Program::compile(program).unwrap_err().to_string();
    assert_eq!(
        fault(".a |\n  foo(1)"),
        "line 2, column 3: there is no `foo` that takes 1 arguments"
    );
    assert_eq!(fault("env.PATH"), "line 1, column 1: there is no `env`");
    assert_eq!(fault("$x"), "line 1, column 1: there is no variable `$x`");
    assert_eq!(
        fault(".a | {"),
        "line 1, column 7: there should be a closing brace"
    );
    assert_eq!(fault(".a |"), "line 1, column 5: there should be term");
    assert_eq!(
        fault("include \"x\"; ."),
        "line 1, column 10: there are no modules here"
    );
    assert_eq!(
        fault("def f: f; f"),
        "line 1, column 8: `f` calls itself: use `recurse`, `until` or `reduce`"
    );
    for name in [
        "now",
        "input",
        "inputs",
        "debug",
        "halt",
        "halt(1)",
        "halt_error",
        "env",
        "$ENV",
        "input_filename",
        "stderr",
        "localtime",
        "test(\"a\")",
        "@sh",
    ] {
        assert!(Program::compile(name).is_err(), "{name}");
    }
    assert_eq!(
        Program::compile(&" ".repeat(SOURCE_BYTES_MAX + 1)),
        Err(Fault::SourceTooLong)
    );
}

#[test]
fn halves_of_surrogate_pairs_and_members_that_stand_twice_are_read_as_every_jq_does() {
    let read = run(
        ".",
        r#"["\ud83d","a\ude00\\ud83db","\ud83d\ude00","\ud83d\u0041"]"#,
    )
    .unwrap();
    assert_eq!(
        read,
        "[\"\u{fffd}\",\"a\u{fffd}\\\\ud83db\",\"😀\",\"\u{fffd}A\"]"
    );
    assert_eq!(
        run(".", r#"{"a":1,"b":2,"a":3}"#).as_deref(),
        Ok(r#"{"a":3,"b":2}"#)
    );
}
