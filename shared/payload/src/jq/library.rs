//! What a program may call.
//!
//! Owns the list: what is not in it does not compile. Nothing in it reads a file, the environment or the clock, writes a
//! message or ends the process, and all of it works on values that count what is done with them.

use std::iter;

use jaq_core::{
    DataT, Error, Lut, RunPtr,
    data::HasLut,
    load::{self, parse::Def},
    native::{Filter, Fun, bome, run, unary, v},
};
use memchr::memmem;

use crate::jq::{
    allowance::{charge, charge_for_bytes},
    arithmetic::ValueR,
    read,
    value::Value,
    write,
};

/// The kind of data that our programs work on.
#[derive(Debug)]
pub(crate) struct Kind;

/// The program that runs.
#[derive(Clone, Copy)]
pub(crate) struct Running<'a>(pub(crate) &'a Lut<Kind>);

/// Which definitions of the interpreter's library work without what we leave out: a name, and how many arguments.
const STANDARD: [(&str, usize); 38] = [
    ("null", 0),
    ("isboolean", 0),
    ("isnumber", 0),
    ("isstring", 0),
    ("isarray", 0),
    ("isobject", 0),
    ("nan", 0),
    ("infinite", 0),
    ("isnan", 0),
    ("isinfinite", 0),
    ("isfinite", 0),
    ("isnormal", 0),
    ("abs", 0),
    ("type", 0),
    ("values", 0),
    ("nulls", 0),
    ("booleans", 0),
    ("numbers", 0),
    ("finites", 0),
    ("normals", 0),
    ("strings", 0),
    ("arrays", 0),
    ("objects", 0),
    ("iterables", 0),
    ("scalars", 0),
    ("add", 1),
    ("add", 0),
    ("min_by", 1),
    ("max_by", 1),
    ("min", 0),
    ("max", 0),
    ("unique_by", 1),
    ("unique", 0),
    ("pick", 1),
    ("keys", 0),
    ("flatten", 0),
    ("flatten", 1),
    ("split", 1),
];

/// Definitions of our own.
const OURS: &str = r#"
def index($part): indices($part) | .[0];
def rindex($part): indices($part) | .[-1];
def inside($whole): . as $part | $whole | contains($part);
def in($whole): . as $name | $whole | has($name);
def parsed($kind): fromjson | if type == $kind then . else error("cannot be read as a \($kind)") end;
def tonumber: if type == "number" then . else parsed("number") end;
def toboolean: if type == "boolean" then . else parsed("boolean") end;
def @text: tostring;
def @json: tojson;
"#;

/// All definitions, in the order in which they may call one another.
pub(crate) fn definitions() -> impl Iterator<Item = Def<&'static str>> {
    let standard = jaq_std::defs().filter(|def| STANDARD.contains(&(def.name, def.args.len())));
    let ours = load::parse(OURS, |parser| parser.defs()).unwrap_or_default();
    jaq_core::defs().chain(standard).chain(ours)
}

/// All functions.
pub(crate) fn functions() -> impl Iterator<Item = Fun<Kind>> {
    // The one that ends a program early can end a process as well.
    let standard = jaq_std::base_funs().filter(|(name, ..)| *name != "halt");
    jaq_core::funs()
        .chain(standard)
        .chain(ours().into_iter().map(run::<Kind>))
}

fn ours() -> [Filter<RunPtr<Kind>>; 6] {
    [
        ("length", v(0), |cv| bome(length(&cv.1))),
        ("has", v(1), |cv| unary(cv, |value, key| has(&value, &key))),
        ("contains", v(1), |cv| {
            unary(cv, |whole, part| Ok(contains(&whole, &part).into()))
        }),
        ("indices", v(1), |cv| {
            unary(cv, |whole, part| indices(&whole, &part))
        }),
        ("tojson", v(0), |cv| bome(json(&cv.1))),
        ("fromjson", v(0), |cv| bome(parsed(&cv.1))),
    ]
}

fn length(value: &Value) -> ValueR {
    Ok(match value {
        Value::Null(_) => Value::from(0_usize),
        Value::Number(number) if number.float() < 0.0 => Value::Number(number.negated()),
        Value::Number(_) => value.clone(),
        Value::Text(text) => {
            charge_for_bytes(text.len());
            Value::from(text.chars().count())
        }
        Value::Array(array) => Value::from(array.items().len()),
        Value::Object(object) => Value::from(object.members().len()),
        Value::Flag(_) => return Err(Error::str(format_args!("{value} has no length"))),
    })
}

fn has(value: &Value, key: &Value) -> ValueR {
    match (value, key) {
        (Value::Object(object), Value::Text(name)) => Ok(object.get(name).is_some().into()),
        (Value::Array(array), Value::Number(at)) => {
            let at = at.floor();
            Ok((at >= 0 && array.place(at).is_some()).into())
        }
        _ => Err(Error::index(value.clone(), key.clone())),
    }
}

/// Whether a text is in another, every element in some element, every member in the member of its name.
fn contains(whole: &Value, part: &Value) -> bool {
    charge(1);
    match (whole, part) {
        (Value::Text(whole), Value::Text(part)) => {
            charge_for_bytes(whole.len());
            whole.contains(part.as_str())
        }
        (Value::Array(whole), Value::Array(part)) => {
            let mut parts = part.items().iter();
            parts.all(|part| whole.items().iter().any(|whole| contains(whole, part)))
        }
        (Value::Object(whole), Value::Object(part)) => {
            let mut parts = part.members().iter();
            parts.all(|(name, part)| whole.get(name).is_some_and(|whole| contains(whole, part)))
        }
        _ => whole == part,
    }
}

/// Where a text begins in another, in characters; or an element, or a run of them, in an array.
fn indices(whole: &Value, part: &Value) -> ValueR {
    match (whole, part) {
        (Value::Null(_), _) => Ok(Value::NULL),
        (Value::Text(_), Value::Text(part)) if part.is_empty() => Ok(Value::NULL),
        (Value::Text(whole), Value::Text(part)) => {
            charge_for_bytes(whole.len().saturating_mul(2));
            Ok(places(whole, part).collect())
        }
        (Value::Array(_), Value::Array(part)) if part.items().is_empty() => Ok(Value::NULL),
        (Value::Array(whole), Value::Array(part)) => {
            let runs = whole.items().windows(part.items().len()).enumerate();
            let found = runs.filter(|(_, run)| *run == part.items());
            Ok(found.map(|(at, _)| Value::from(at)).collect())
        }
        (Value::Array(whole), part) => {
            let items = whole.items().iter().enumerate();
            let found = items.filter(|(_, item)| *item == part);
            Ok(found.map(|(at, _)| Value::from(at)).collect())
        }
        _ => Err(Error::index(whole.clone(), part.clone())),
    }
}

/// Where a text begins in another, in characters. Places may overlap.
fn places(whole: &str, part: &str) -> impl Iterator<Item = Value> {
    let finder = memmem::Finder::new(part);
    let (mut from, mut counted, mut characters) = (0, 0, 0);
    iter::from_fn(move || {
        let at = from + finder.find(whole.as_bytes().get(from..)?)?;
        charge_for_bytes(part.len());
        characters += whole.get(counted..at).map_or(0, |it| it.chars().count());
        (from, counted) = (at + 1, at);
        Some(Value::from(characters))
    })
}

fn json(value: &Value) -> ValueR {
    let bytes = write::bytes(value).map_err(|fault| Error::str(fault.to_string()))?;
    Ok(Value::from(String::from_utf8(bytes).unwrap_or_default()))
}

fn parsed(value: &Value) -> ValueR {
    match value {
        Value::Text(text) => {
            charge_for_bytes(text.len());
            read::value(text)
                .map_err(|fault| Error::str(format_args!("{value} is not JSON: {fault}")))
        }
        other => Err(Error::typ(other.clone(), "string")),
    }
}

// === impl Kind ===

impl DataT for Kind {
    type V<'a> = Value;
    type Data<'a> = Running<'a>;
}

// === impl Running ===

impl<'a> HasLut<'a, Kind> for Running<'a> {
    /// The interpreter asks for this before it evaluates a term, so this is where terms are counted.
    fn lut(&self) -> &'a Lut<Kind> {
        charge(1);
        self.0
    }
}
