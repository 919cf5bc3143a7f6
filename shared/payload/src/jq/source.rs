//! The text of a program: whether it is one that we run, and where it is wrong.
//!
//! Owns the bounds on it. The interpreter's parser uses up the stack with every level that a program nests, so that is
//! looked at before it is parsed; what a program does when it runs is no matter here.

use jaq_core::{
    Filter, compile,
    load::{
        self, Arena, File, Loader,
        lex::{Lexer, StrPart, Tok, Token},
    },
};

use crate::jq::{
    fault::Fault,
    library::{self, Kind},
};

/// The most bytes of a program. Full: it is refused.
pub const SOURCE_BYTES_MAX: usize = 16 << 10;

/// The most brackets that a program may open. Full: it is refused.
pub const BRACKETS_MAX: usize = 1_000;

/// How deep a program may nest: brackets, and the operators, keywords and steps of paths that stand in a row between two
/// of them. Full: it is refused.
pub const NESTING_MAX: usize = 512;

/// How many levels a computed step of a path counts: the interpreter copies the whole path for each combination of them.
const PATH_STEP: usize = 8;

/// Compiles a program.
pub(crate) fn compile(text: &str) -> Result<Filter<Kind>, Fault> {
    if text.len() > SOURCE_BYTES_MAX {
        return Err(Fault::SourceTooLong);
    }
    let mut brackets = text
        .char_indices()
        .filter(|(_, it)| matches!(it, '(' | '[' | '{'));
    if let Some((at, _)) = brackets.nth(BRACKETS_MAX) {
        return Err(wrong(text, at, "there are too many brackets"));
    }
    // What is no token at all is told by the parser.
    if let Ok(tokens) = Lexer::new(text).lex() {
        nesting(&tokens, false).map_err(|near| {
            wrong(
                text,
                place(text, near),
                "this is nested too deeply: use fewer operators in a row",
            )
        })?;
        calls_itself(&tokens, false, &mut Vec::new()).map_err(|name| {
            wrong(
                text,
                place(text, name),
                &format!("`{name}` calls itself: use `recurse`, `until` or `reduce`"),
            )
        })?;
    }
    let arena = Arena::default();
    let program = File {
        code: text,
        path: (),
    };
    let modules = Loader::new(library::definitions())
        .load(&arena, program)
        .map_err(|errors| not_loaded(text, &errors))?;
    jaq_core::Compiler::default()
        .with_funs(library::functions())
        .compile(modules)
        .map_err(|errors| not_compiled(text, &errors))
}

/// How many levels of the parser these tokens take. The error is about where they become too many.
fn nesting<'a>(tokens: &[Token<&'a str>], in_object: bool) -> Result<usize, &'a str> {
    let (mut definitions, mut deepest, mut row, mut below) = (0, 0, 0, 0);
    let mut before = "";
    for Token(text, kind) in tokens {
        match kind {
            Tok::Block(inner) => {
                below = below.max(1 + nesting(inner, text.starts_with('{'))?);
                if text.starts_with('[') {
                    row += if is_value(before) { PATH_STEP } else { 1 };
                }
            }
            Tok::Str(parts) => {
                row += usize::from(before == ".");
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(inner))) = part {
                        below = below.max(1 + nesting(inner, false)?);
                    }
                }
            }
            Tok::Sym if *text == ";" || in_object && *text == "," => (row, below) = (0, 0),
            Tok::Sym if *text == "." => {}
            Tok::Sym if text.starts_with(|it| "|=!<>+-*/%,.".contains(it)) => row += 1,
            Tok::Word if *text == "def" => definitions += 1,
            Tok::Word => row += usize::from(nests(text)),
            Tok::Sym | Tok::Var | Tok::Fmt | Tok::Num => {}
        }
        before = text;
        deepest = deepest.max(row + below);
        if definitions + deepest > NESTING_MAX {
            return Err(text);
        }
    }
    Ok(definitions + deepest)
}

/// Whether what stands before a bracket is a value, so that the bracket looks something up in it.
fn is_value(before: &str) -> bool {
    let letter = |it: char| it.is_ascii_alphanumeric() || "_.$@([{\"?".contains(it);
    before.starts_with(letter) && !nests(before) && !matches!(before, "then" | "else")
}

fn nests(word: &str) -> bool {
    matches!(
        word,
        "and" | "or" | "as" | "try" | "catch" | "if" | "elif" | "reduce" | "foreach" | "label"
    )
}

/// Looks for a definition that calls itself; `open` are those that have not ended yet. The error is the call.
///
/// The interpreter keeps what such calls hand on as a list, which uses up the stack when it goes.
fn calls_itself<'a>(
    tokens: &[Token<&'a str>],
    in_object: bool,
    open: &mut Vec<&'a str>,
) -> Result<(), &'a str> {
    let outside = open.len();
    let mut before = if in_object { "," } else { "" };
    for Token(text, kind) in tokens {
        let is_key = in_object && before == ",";
        match kind {
            Tok::Block(inner) => calls_itself(inner, text.starts_with('{'), open)?,
            Tok::Str(parts) => {
                for part in parts {
                    if let StrPart::Term(Token(_, Tok::Block(inner))) = part {
                        calls_itself(inner, false, open)?;
                    }
                }
            }
            Tok::Word | Tok::Fmt if before == "def" => open.push(text),
            Tok::Word | Tok::Fmt if !is_key && open.contains(text) => return Err(text),
            Tok::Sym if *text == ";" && open.len() > outside => {
                open.pop();
            }
            _ => {}
        }
        before = text;
    }
    open.truncate(outside);
    Ok(())
}

fn not_loaded(text: &str, errors: &load::Errors<&str, ()>) -> Fault {
    let (near, what) = match errors.first().map(|(_, error)| error) {
        Some(load::Error::Lex(errors)) => errors.first().map_or((text, String::new()), |error| {
            (error.1, format!("there should be a {}", error.0.as_str()))
        }),
        Some(load::Error::Parse(errors)) => errors.first().map_or((text, String::new()), |error| {
            let wants = error.0.as_str();
            let wants = if wants.is_empty() {
                "something else"
            } else {
                wants
            };
            (error.1, format!("there should be {wants}"))
        }),
        Some(load::Error::Io(errors)) => {
            let near = errors.first().map_or(text, |(path, _)| *path);
            (near, "there are no modules here".to_owned())
        }
        None => (text, String::new()),
    };
    wrong(text, place(text, near), &what)
}

fn not_compiled(text: &str, errors: &compile::Errors<&str, ()>) -> Fault {
    let first = errors.first().and_then(|(_, errors)| errors.first());
    let Some((name, kind)) = first else {
        return wrong(text, 0, "this is no program");
    };
    let what = match kind {
        compile::Undefined::Filter(0) => format!("there is no `{name}`"),
        compile::Undefined::Filter(arguments) => {
            format!("there is no `{name}` that takes {arguments} arguments")
        }
        kind => format!("there is no {} `{name}`", kind.as_str()),
    };
    wrong(text, place(text, name), &what)
}

/// Where a part of the text stands in it; its beginning for what is none.
fn place(text: &str, part: &str) -> usize {
    let distance = part.as_ptr().addr().checked_sub(text.as_ptr().addr());
    distance.filter(|at| *at <= text.len()).unwrap_or(0)
}

fn wrong(text: &str, at: usize, what: &str) -> Fault {
    let before = text.get(..at).unwrap_or(text);
    let line = before.rsplit('\n').next().unwrap_or(before);
    Fault::Source {
        line: before.matches('\n').count() + 1,
        column: line.chars().count() + 1,
        what: what.to_owned(),
    }
}
