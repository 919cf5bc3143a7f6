//! One expression in CEL, over the claims of a token or over other values.
//!
//! Bounded on purpose, because operators write expressions and issuers fill in the claims: its text, how deep it nests, and
//! that no loop stands in a loop; of the claims how many values there are. Knows nothing of what a result means.

use std::{
    collections::HashMap,
    fmt,
    panic::{AssertUnwindSafe, catch_unwind},
    sync::{Arc, LazyLock},
};

use cel::{
    Context, Env, IdedExpr,
    common::ast::{EntryExpr, Expr},
    parser::PrattParser,
};
use serde_json::{Map, Value};

/// The longest expression, in bytes.
// Full: it is none.
pub const BYTES_MAX: usize = 1_024;

/// How deep an expression may nest.
// Full: it is none.
const DEPTH_MAX: u16 = 24;

/// How deep its tree may be, which loops make deeper.
// Full: it is none.
const TREE_DEPTH_MAX: usize = 64;

/// How many nodes its tree may have.
// Full: it is none.
const NODES_MAX: usize = 400;

/// How many values the claims may hold that expressions are asked about.
// Full: no expression has a result.
pub const VALUES_MAX: usize = 1_024;

/// What expressions are about.
const CLAIMS: &str = "claims";

/// The functions that an expression may call, beside operators and the macros `has`, `all`, `exists`, `exists_one`, `map`
/// and `filter`.
const FUNCTIONS: [&str; 9] = [
    "size",
    "contains",
    "startsWith",
    "endsWith",
    "string",
    "int",
    "double",
    "bool",
    "type",
];

/// The functions of the standard environment, compiled once.
static STANDARD: LazyLock<Arc<Env>> = LazyLock::new(|| Arc::new(Env::stdlib()));

/// A compiled expression.
#[derive(Debug)]
pub struct Expression(IdedExpr);

/// Why a text is no expression. Holds words about the text, which is the operator's own.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidExpression(String);

/// The expression has no result for these claims.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct NoResult;

/// Claims as expressions see them. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Subject(cel::Value);

// === impl Subject ===

impl Subject {
    /// Takes claims.
    pub fn of(claims: &Map<String, Value>) -> Result<Self, NoResult> {
        let mut left = VALUES_MAX;
        Ok(Self(object(claims, &mut left)?))
    }

    pub(crate) fn value(self) -> cel::Value {
        self.0
    }

    /// The claim of this name, where it is a text.
    pub fn text(&self, name: &str) -> Option<&str> {
        let cel::Value::Map(claims) = &self.0 else {
            return None;
        };
        match claims.map.get(&cel::objects::Key::from(name))? {
            cel::Value::String(it) => Some(it),
            _ => None,
        }
    }
}

fn object(claims: &Map<String, Value>, left: &mut usize) -> Result<cel::Value, NoResult> {
    let entries = claims
        .iter()
        .map(|(name, it)| Ok((name.clone(), value(it, left)?)));
    let entries: HashMap<String, cel::Value> = entries.collect::<Result<_, NoResult>>()?;
    Ok(entries.into())
}

fn value(it: &Value, left: &mut usize) -> Result<cel::Value, NoResult> {
    *left = left.checked_sub(1).ok_or(NoResult)?;
    Ok(match it {
        Value::Null => cel::Value::Null,
        Value::Bool(it) => cel::Value::Bool(*it),
        // Numbers that are written in claims are compared with those that are written in expressions, which are signed.
        Value::Number(it) => it.as_i64().map_or_else(
            || cel::Value::Float(it.as_f64().unwrap_or(f64::NAN)),
            cel::Value::Int,
        ),
        Value::String(it) => cel::Value::String(Arc::new(it.clone())),
        Value::Array(all) => {
            let all = all.iter().map(|it| value(it, left));
            cel::Value::List(Arc::new(all.collect::<Result<_, _>>()?))
        }
        Value::Object(it) => object(it, left)?,
    })
}

// === impl Expression ===

impl Expression {
    /// Compiles a text over claims.
    pub fn compile(text: &str) -> Result<Self, InvalidExpression> {
        Self::over(text, &[CLAIMS])
    }

    /// Compiles a text that may name these.
    pub(crate) fn over(text: &str, names: &[&'static str]) -> Result<Self, InvalidExpression> {
        if text.len() > BYTES_MAX {
            return Err(invalid(format!("is longer than {BYTES_MAX} bytes")));
        }
        // A fault of the parser must cost the expression, not the process. Of the two parsers that there are this one goes
        // no deeper than it is told, and needs little of the stack for that.
        let parsed = catch_unwind(AssertUnwindSafe(|| {
            let parser = PrattParser::new().max_recursion_depth(DEPTH_MAX);
            parser.max_expression_node_count(NODES_MAX).parse(text)
        }));
        let tree = match parsed {
            Ok(Ok(tree)) => tree,
            Ok(Err(errors)) => {
                let first = errors.errors.first();
                let first = first.map_or_else(String::new, |it| {
                    format!("{}:{}: {}", it.pos.0, it.pos.1, it.msg)
                });
                return Err(invalid(format!("is no expression: {first}")));
            }
            Err(_) => return Err(invalid("is no expression".to_owned())),
        };
        let mut known = names.to_vec();
        judge(&tree, &mut known, (0, false))?;
        Ok(Self(tree))
    }

    pub(crate) const fn tree(&self) -> &IdedExpr {
        &self.0
    }

    /// Whether it is true of these values.
    pub(crate) fn holds(
        &self,
        values: impl Iterator<Item = (&'static str, cel::Value)>,
    ) -> Result<bool, NoResult> {
        match self.result_of(values)? {
            cel::Value::Bool(it) => Ok(it),
            _ => Err(NoResult),
        }
    }

    /// The result for these claims.
    fn result(&self, subject: &Subject) -> Result<cel::Value, NoResult> {
        self.result_of([(CLAIMS, subject.0.clone())].into_iter())
    }

    fn result_of(
        &self,
        values: impl Iterator<Item = (&'static str, cel::Value)>,
    ) -> Result<cel::Value, NoResult> {
        let mut context = Context::with_env(Arc::clone(&STANDARD));
        for (name, value) in values {
            context.add_variable_from_value(name, value);
        }
        let result = catch_unwind(AssertUnwindSafe(|| context.resolve(&self.0)));
        result.map_err(|_| NoResult)?.map_err(|_| NoResult)
    }

    /// Whether it is true.
    pub fn is_true(&self, subject: &Subject) -> Result<bool, NoResult> {
        match self.result(subject)? {
            cel::Value::Bool(it) => Ok(it),
            _ => Err(NoResult),
        }
    }

    /// Its text; `None` where it is null.
    pub fn text(&self, subject: &Subject) -> Result<Option<String>, NoResult> {
        match self.result(subject)? {
            cel::Value::Null => Ok(None),
            cel::Value::String(it) => Ok(Some(it.as_str().to_owned())),
            _ => Err(NoResult),
        }
    }

    /// Its list of texts; `None` where it is null.
    pub fn texts(&self, subject: &Subject) -> Result<Option<Vec<String>>, NoResult> {
        let all = match self.result(subject)? {
            cel::Value::Null => return Ok(None),
            cel::Value::List(all) => all,
            _ => return Err(NoResult),
        };
        let text = |it: &cel::Value| match it {
            cel::Value::String(it) => Ok(it.as_str().to_owned()),
            _ => Err(NoResult),
        };
        all.iter().map(text).collect::<Result<_, _>>().map(Some)
    }

    /// Its number; `None` where it is null.
    pub fn number(&self, subject: &Subject) -> Result<Option<u64>, NoResult> {
        match self.result(subject)? {
            cel::Value::Null => Ok(None),
            cel::Value::Int(it) => u64::try_from(it).map(Some).map_err(|_| NoResult),
            cel::Value::UInt(it) => Ok(Some(it)),
            _ => Err(NoResult),
        }
    }
}

/// Judges a tree: it names what it knows, and no loop stands in a loop.
fn judge<'a>(
    it: &'a IdedExpr,
    known: &mut Vec<&'a str>,
    (depth, looping): (usize, bool),
) -> Result<(), InvalidExpression> {
    if depth > TREE_DEPTH_MAX {
        return Err(invalid(format!("nests deeper than {TREE_DEPTH_MAX}")));
    }
    let at = (depth + 1, looping);
    match &it.expr {
        Expr::Unspecified | Expr::Literal(_) => Ok(()),
        Expr::Ident(name) if known.contains(&name.as_str()) => Ok(()),
        Expr::Ident(name) => Err(invalid(format!(
            "names `{name}`, which there is not: there is `{}`",
            known.join("`, `")
        ))),
        Expr::Call(call) if is_foreign(&call.func_name) => Err(invalid(format!(
            "calls `{}`, which there is not",
            call.func_name
        ))),
        Expr::Call(call) => {
            let parts = call.target.as_deref().into_iter().chain(&call.args);
            parts.into_iter().try_for_each(|it| judge(it, known, at))
        }
        Expr::Select(select) => judge(&select.operand, known, at),
        Expr::List(list) => list.elements.iter().try_for_each(|it| judge(it, known, at)),
        Expr::Map(map) => map.entries.iter().try_for_each(|entry| match &entry.expr {
            EntryExpr::MapEntry(it) => {
                judge(&it.key, known, at)?;
                judge(&it.value, known, at)
            }
            EntryExpr::StructField(_) => Err(invalid("makes a message".to_owned())),
        }),
        Expr::Struct(_) => Err(invalid("makes a message".to_owned())),
        Expr::Comprehension(_) if looping => Err(invalid("has a loop in a loop".to_owned())),
        Expr::Comprehension(it) => {
            judge(&it.iter_range, known, at)?;
            judge(&it.accu_init, known, at)?;
            let before = known.len();
            known.push(&it.iter_var);
            known.extend(it.iter_var2.as_deref());
            known.push(&it.accu_var);
            let inside = (depth + 1, true);
            let parts = [&it.loop_cond, &it.loop_step, &it.result];
            let judged = parts
                .into_iter()
                .try_for_each(|it| judge(it, known, inside));
            known.truncate(before);
            judged
        }
    }
}

/// Whether this is the name of a function, and of none that there is; operators have names without letters alone.
fn is_foreign(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric()) && !FUNCTIONS.contains(&name)
}

const fn invalid(why: String) -> InvalidExpression {
    InvalidExpression(why)
}

impl fmt::Display for InvalidExpression {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for InvalidExpression {}
