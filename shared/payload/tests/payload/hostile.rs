//! Programs that would run for ever, or take all memory or all of the stack.
//!
//! Each of them must end in a fault, in bounded time, and leave the process as it was.

use std::{
    fmt::Write,
    time::{Duration, Instant},
};

use payload::jq::{Fault, PAYLOAD_STEPS_MAX, Program, Spent};

fn run(program: &str, input: &str) -> Result<Vec<u8>, Fault> {
    let began = Instant::now();
    let ran = Program::compile(program).and_then(|it| it.run(input.as_bytes()));
    let took = began.elapsed();
    eprintln!("{took:?} {program:.60}: {:?}", ran.as_ref().map(Vec::len));
    assert!(
        took < Duration::from_secs(20),
        "{program:.80} took {took:?}"
    );
    ran
}

#[test]
fn programs_that_loop_for_ever_end() {
    for program in [
        "repeat(.) | empty",
        "[repeat(.)]",
        "[repeat(.) | select(false)]",
        "last(repeat(1))",
        "first(repeat(1) | select(false))",
        "[range(0; 1; 0)]",
        "[range(1e18)]",
        "range(1e18) | empty",
        "[limit(1e18; repeat(1))]",
        "until(false; .)",
        "until(false; . + 1)",
        "[while(true; .)]",
        "[recurse(.)]",
        "[recurse(. + 1)]",
        "reduce range(1e18) as $x (0; .)",
        "[foreach range(1e18) as $x (0; 1)]",
        "reduce range(1e18) as $x (0; 0, 1)",
        "reduce (range(1e9) | try error(.) catch .) as $x (0; .)",
        "[range(1e9) | try error(.) catch empty]",
        "try repeat(1) catch 1 | empty",
        "label $a | repeat(1) | select(. == 2) | break $a",
        "skip(1e18; repeat(1))",
        "isempty(repeat(1) | select(false))",
        "any(repeat(1); . == 2)",
        "[combinations(1e9)]",
        "[1,2] | [combinations(1000)]",
        "{} | .a[1e9] = 1",
        "[range(3000)] | [combinations(2)]",
        "[range(200000)] | sort_by([range(100)])",
    ] {
        let ran = run(program, "1");
        assert!(matches!(ran, Err(Fault::Spent(_))), "{program}: {ran:?}");
    }
}

#[test]
fn programs_on_the_path_of_requests_end_sooner() {
    let digits = format!("[1{}]", "0".repeat(4 << 20));
    let numbers = format!("[{}1]", "1,".repeat(60_000));
    for (program, input) in [
        ("repeat(.) | empty", "1"),
        ("reduce range(1e18) as $x (0; .)", "1"),
        ("[range(200000)] | sort_by([range(100)])", "1"),
        (
            "reduce (range(1e9) | try error(.) catch .) as $x (0; .)",
            "1",
        ),
        ("reduce range(62) as $x (1; [., .]) | walk(.)", "1"),
        ("\"x\" * 100000 | [range(1e6) as $i | startswith(.)]", "1"),
        ("[range(100000) as $x | .[0] < $x]", &digits),
        ("[range(1e9) as $x | tojson]", &digits),
        ("[.[] | tostring] | sort | repeat(.) | empty", &numbers),
        ("repeat(unique) | empty", &numbers),
    ] {
        let program = Program::compile(program).unwrap();
        let began = Instant::now();
        let ran = program.run_within(PAYLOAD_STEPS_MAX, input.as_bytes());
        let took = began.elapsed();
        eprintln!("{took:?} {:.60}", program.text());
        assert!(matches!(ran, Err(Fault::Spent(_))), "{program:?}: {ran:?}");
        assert!(took < Duration::from_secs(2), "{program:?} took {took:?}");
    }
    let long = format!("[{}1]", "1,".repeat(200_000));
    let ran = Program::compile(".").unwrap();
    let ran = ran.run_within(PAYLOAD_STEPS_MAX, long.as_bytes());
    assert_eq!(ran, Err(Fault::InputTooLong));
}

#[test]
fn programs_that_branch_without_end_end() {
    let branches = vec!["(.,.)"; 60].join("|");
    assert_eq!(run(&branches, "1"), Err(Fault::SeveralOutputs));
    for program in [
        format!("{branches} | empty"),
        format!("reduce ({branches}) as $x (0; 1)"),
        format!("[{branches}] | length"),
        format!("({branches} | try error(.) catch empty)"),
        format!("[{}]", vec!["(.,.)"; 60].join("+")),
        format!(".{}", "[(0,1)]".repeat(60)),
        format!(".{}", "[(0,1)]?".repeat(24)),
    ] {
        let ran = run(&program, "1");
        assert!(
            matches!(ran, Err(Fault::Spent(_) | Fault::Raised(_))),
            "{program}: {ran:?}"
        );
    }
}

#[test]
fn programs_that_grow_without_end_end() {
    for program in [
        "reduce range(100) as $x (\"x\"; . + .)",
        "reduce range(100) as $x ([1]; . + .)",
        "reduce range(100) as $x (1; [., .])",
        "reduce range(62) as $x (1; [., .]) | tojson",
        "reduce range(62) as $x (1; [., .]) | . == .",
        "reduce range(62) as $x (1; [., .]) | [..] | length",
        "reduce range(62) as $x (1; [., .]) | flatten",
        "reduce range(62) as $x (1; [., .]) | contains(. + [3])",
        "reduce range(62) as $x (1; [., .]) | \"\\(.)\" | length",
        "reduce range(62) as $x (1; [., .]) | walk(.)",
        "reduce range(62) as $x (1; [., .]) | [paths] | length",
        "\"x\" * 1e18",
        "\"x\" * 1e8 | length",
        "[range(1e5) | \"xxxxxxxx\" * 100000]",
        "reduce range(1e6) as $x ({}; .[\"\\($x)\"] = $x)",
        "reduce range(1e9) as $x ([]; . + [$x])",
        "reduce range(1e6) as $x (1; [.])",
        "reduce range(1e6) as $x (1; {a: .})",
        "reduce range(1e6) as $x (null; .a)",
        "[path(repeat(.a))]",
        "first(path(recurse(.a)) | select(false))",
        "path(reduce range(1e6) as $x (.; .a))",
        "[limit(3; path(reduce range(1e6) as $x (.; .[0:])))]",
        "getpath([range(1e6) | \"a\"])",
        "setpath([range(1e6) | \"a\"]; 1)",
        "[1] | path(until(false; .[0:]))",
        "\"x\" * 100000 | [range(1e6) as $i | startswith(.)]",
        "\"x\" * 1000000 | split(\"\") | length",
    ] {
        let ran = run(program, "null");
        assert!(matches!(ran, Err(Fault::Spent(_))), "{program}: {ran:?}");
    }
}

#[test]
fn payloads_that_make_innocent_programs_slow_end() {
    let digits = format!("[1{}]", "0".repeat(4 << 20));
    for program in [
        "[range(100000) as $x | .[0] < $x]",
        "[range(100000) as $x | .[0] + $x]",
        "[range(100000) as $x | try .[0].a catch .] | length",
    ] {
        let ran = run(program, &digits);
        let shown = program.contains("catch");
        assert!(
            matches!(ran, Err(Fault::Spent(Spent::Steps))) || shown && ran.is_ok(),
            "{program}: {ran:?}"
        );
    }
    let same = format!("[\"{}\",\"{}b\"]", "a".repeat(4 << 20), "a".repeat(2 << 20));
    assert_eq!(
        run("[. as [$x, $y] | $x | indices($y)] | length", &same),
        Ok(b"1".to_vec())
    );
    let ran = run(".[0][:600000] | indices(.[:300000]) | length", &same);
    assert!(matches!(ran, Err(Fault::Spent(Spent::Steps))), "{ran:?}");
    let prefix = "n".repeat(4_000);
    let names: Vec<_> = (0..4_000)
        .map(|at| format!("\"{prefix}{at:05}\":1"))
        .collect();
    let names = format!("{{{}}}", names.join(","));
    for program in ["with_entries(.)", ". == (. + {})", "keys | length"] {
        let ran = run(program, &names);
        let ended = matches!(ran, Ok(_) | Err(Fault::Spent(_) | Fault::InputTooLong));
        assert!(ended, "{program}: {ran:?}");
    }
    let many: Vec<_> = (0..5_000).map(|at| format!("\"{at}\":1")).collect();
    assert_eq!(
        run(".", &format!("{{{}}}", many.join(","))),
        Err(Fault::InputTooLong)
    );
    assert_eq!(
        run(".", &format!("[{}1]", "1,".repeat(1_000_000))),
        Err(Fault::InputTooLong)
    );
    let deep = format!("{}{}", "[".repeat(65), "]".repeat(65));
    assert!(matches!(run(".", &deep), Err(Fault::NotJson(_))));
}

#[test]
fn programs_that_call_deeply_end() {
    let mut doubling = "def a0(f): f | f;\n".to_owned();
    for at in 1..40 {
        let before = at - 1;
        writeln!(doubling, "def a{at}(f): a{before}(a{before}(f));").unwrap();
    }
    assert!(matches!(
        run(&format!("{doubling} a39(.)"), "1"),
        Err(Fault::Spent(_))
    ));
    assert!(matches!(
        run(&format!("{doubling} a39(. + 1)"), "1"),
        Err(Fault::Spent(_))
    ));
    assert!(matches!(
        run(&format!("{doubling} [a39(.)] | length"), "1"),
        Err(Fault::Spent(_))
    ));
    assert!(matches!(
        run(&format!("{doubling} path(a39(.))"), "1"),
        Err(Fault::Spent(_))
    ));
    assert!(matches!(
        run(&format!("{doubling} a39(.) |= 2"), "1"),
        Err(Fault::Spent(_))
    ));
    let walked = format!("{}.{}", "walk(".repeat(80), ")".repeat(80));
    let deep = format!("{}1{}", "[".repeat(60), "]".repeat(60));
    let ran = run(&walked, &deep);
    assert!(
        ran.is_ok() || matches!(ran, Err(Fault::Spent(_))),
        "{ran:?}"
    );
    for program in [
        "(recurse(.) |= .)",
        "(foreach range(1e6) as $x (.; .)) |= 1",
        "(reduce range(1e6) as $x (.; .)) |= 1",
        "(reduce range(1e6) as $x (.; .a?)) |= 1",
        "last(recurse(.)) |= 1",
    ] {
        let ran = run(program, "null");
        assert!(
            matches!(ran, Err(Fault::Spent(_) | Fault::Raised(_))),
            "{program}: {ran:?}"
        );
    }
    assert_eq!(
        run(".", "1"),
        Ok(b"1".to_vec()),
        "the next run has its own allowance"
    );
}

#[test]
fn programs_that_call_themselves_are_refused() {
    for program in [
        "def f: f; f",
        "def f(g): f(g + 1); f(0)",
        "def f: def g: f; g; f",
        "def f: [.[] | \"\\(f)\"]; f",
        "def f: def g: 1; {a: (1 | f)}; f",
        "def a: 1; def b: def c: 1; def d: b; d; b",
        "def @x: @x; .",
        "def f: {(f): 1}; f",
        "def f: f({}); f",
    ] {
        let fault = Program::compile(program).unwrap_err();
        assert!(
            fault.to_string().contains("calls itself"),
            "{program}: {fault}"
        );
    }
    for fine in [
        "def f: 1; def g: f; g",
        "def f: 1; def f: 2; f",
        "def f: {f: .f}; f",
        "def f: range(0; 1); f",
    ] {
        assert!(
            Program::compile(fine).is_ok(),
            "{fine}: {:?}",
            Program::compile(fine)
        );
    }
}

#[test]
fn programs_that_nest_deeply_are_refused_before_they_are_parsed() {
    let many = |one: &str, times: usize| one.repeat(times);
    for program in [
        many("(", 5_000),
        many("[", 900) + &many("]", 900),
        many("(", 900) + "." + &many(")", 900),
        many("{a:", 900) + "1" + &many("}", 900),
        many("\"\\(", 900) + "1" + &many(")\"", 900),
        many("- ", 2_000) + "1",
        many("try ", 2_000) + "1",
        many("reduce ", 1_500) + "1",
        many("if ", 2_000),
        many("if . then ", 1_000) + "1" + &many(" end", 1_000),
        many("label $a|", 1_500) + ".",
        many(". as $x|", 1_500) + ".",
        many(".|", 4_000) + ".",
        many("1,", 4_000) + "1",
        many("1+", 4_000) + "1",
        many("1//", 4_000) + "1",
        many("1*1+", 2_000) + "1",
        many("def f: ", 1_500),
        many("def a: def b: .; ", 900),
        many("def a: ", 900) + "." + &many(";.", 900),
        many(". as [", 900),
        many(". as {a:", 900),
        many(".a", 1_000),
        many(".[0]", 100),
        format!(".{}", many("[0]", 100)),
        many(".a?", 1_000),
    ] {
        eprintln!("{program:.60}");
        assert!(Program::compile(&program).is_err(), "{program:.60}");
    }
}

#[test]
fn programs_that_nest_as_deeply_as_they_may_fit_the_stack() {
    let many = |one: &str, times: usize| one.repeat(times);
    let fits = |program: String| {
        let compiled = Program::compile(&program);
        assert!(compiled.is_ok(), "{program:.60}: {compiled:?}");
        let ran = run(&program, "1");
        assert!(
            ran.is_ok()
                || matches!(
                    ran,
                    Err(Fault::Spent(Spent::Stack | Spent::Depth)
                        | Fault::SeveralOutputs
                        | Fault::NoOutput
                        | Fault::Raised(_))
                ),
            "{program:.60}: {ran:?}"
        );
    };
    fits(many("(", 250) + "." + &many(")", 250));
    fits(many("[", 60) + "." + &many("]", 60));
    fits(many("{a:", 250) + "." + &many("}", 250));
    fits(many("\"\\(", 250) + "." + &many(")\"", 250));
    fits(many("-", 250) + ".");
    fits(many("- ", 250) + ".");
    fits(many("try ", 250) + ".");
    fits(many("if . then ", 250) + "." + &many(" else . end", 250));
    fits(many("label $a|", 125) + ".");
    fits(many(". as $x|", 120) + ".");
    fits(many(".|", 250) + ".");
    fits(many(".,", 250) + ".");
    fits(many(".+", 250) + ".");
    fits(many(".//", 250) + ".");
    fits(many("map(", 120) + "." + &many(")", 120));
    fits(many("def a: ", 120) + "." + &many(";.", 120));
    for members in [50, 100, 200, 300] {
        fits(format!(
            "{{{}}}",
            (0..members)
                .map(|at| format!("a{at}:."))
                .collect::<Vec<_>>()
                .join(",")
        ));
    }
    fits(format!("\"{}\"", "x\\(.)".repeat(300)));
    fits(many(".a", 500));
    fits(many(".a?", 500));
    fits(many(".[0]", 60));
    fits(format!("path({})", many(".[0]?", 60)));
    fits(format!("{} |= 1", many(".[0]?", 60)));
    fits(format!("{} |= 1", many(".[0]?|", 50) + "."));
    fits(format!("[{}]", many(".a?", 500)));
    fits(many("def a: .;", 200) + "a");
}
