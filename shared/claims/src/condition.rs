//! A condition in CEL over what is known of a request, which decides which version of a model serves it.
//!
//! Bounded as every expression is. What is asked of a request that does not have it has no result, and a condition without a
//! result is not true. Only what a condition names is made ready for it.

mod fact;
mod plain;

use std::{collections::HashMap, sync::Arc};

use crate::expression::{Expression, InvalidExpression};

pub use self::fact::{
    CLAIMS, DATA_CLASS, END_USER, ENDPOINT, Fact, HEADERS, HEADERS_MAX, INPUT_TOKENS, KEY, Known,
    LABELS, NAMES, PROJECT, SESSION, STREAM,
};

use self::plain::Comparison;

/// A compiled condition.
#[derive(Debug)]
pub struct Condition(Form);

#[derive(Debug)]
enum Form {
    /// All of them must be true.
    Plain(Box<[Comparison]>),
    /// Anything else, and what it names.
    Whole(Expression, Vec<&'static str>),
}

/// Whether this text names this, as far as that can be told without reading it as an expression.
pub fn may_name(text: &str, name: &str) -> bool {
    text.contains(name)
}

// === impl Condition ===

impl Condition {
    /// Compiles a text.
    pub fn compile(text: &str) -> Result<Self, InvalidExpression> {
        let expression = Expression::over(text, &NAMES)?;
        Ok(Self(match plain::read(expression.tree()) {
            Some(comparisons) => Form::Plain(comparisons.into()),
            None => whole(text, expression),
        }))
    }

    /// Whether it is true of a request of which this is known.
    pub fn is_true(&self, known: &impl Known) -> bool {
        match &self.0 {
            Form::Plain(all) => all.iter().all(|it| it.is_true(known)),
            Form::Whole(expression, names) => {
                let values = names.iter().copied();
                let values = values.filter_map(|name| Some((name, value(known.fact(name)?))));
                expression.holds(values) == Ok(true)
            }
        }
    }
}

fn whole(text: &str, expression: Expression) -> Form {
    let names = NAMES.into_iter().filter(|name| may_name(text, name));
    Form::Whole(expression, names.collect())
}

fn value(fact: Fact) -> cel::Value {
    match fact {
        Fact::Text(it) => cel::Value::String(Arc::new(it)),
        Fact::Texts(all) => {
            let all = all.into_iter().take(HEADERS_MAX);
            let all: HashMap<String, cel::Value> = all
                .map(|(name, it)| (name, cel::Value::String(Arc::new(it))))
                .collect();
            all.into()
        }
        Fact::Claims(it) => it.value(),
        Fact::Number(it) => cel::Value::Int(plain::signed(it)),
        Fact::Truth(it) => cel::Value::Bool(it),
    }
}

#[cfg(test)]
#[path = "condition_test.rs"]
mod tests;
