//! A condition that is a few plain comparisons, all of which must be true: what most conditions are. It is kept in one small piece
//! and needs no evaluation of a tree, so that among a thousand models each has its conditions at hand.
//!
//! Knows comparisons; where a condition is anything else, it is none of these. Which of the two it is changes nothing of what it
//! means: where all parts must be true, one that has no result is as one that is false.

use std::borrow::Cow;

use cel::{
    IdedExpr,
    common::ast::{Expr, LiteralValue, operators},
};

use crate::condition::fact::{
    DATA_CLASS, END_USER, ENDPOINT, Fact, HEADERS, INPUT_TOKENS, KEY, Known, LABELS, PROJECT,
    SESSION, STREAM,
};

/// The names that stand for one text.
const TEXTS: [&str; 6] = [KEY, PROJECT, DATA_CLASS, END_USER, SESSION, ENDPOINT];

/// The names that stand for texts by name.
const MAPS: [&str; 2] = [HEADERS, LABELS];

/// One comparison.
#[derive(Debug)]
pub(super) enum Comparison {
    /// Of a text.
    Text(Place, Test),
    /// Of a number, which is known under this name.
    Number(&'static str, Order, i64),
    /// Of a yes or no: whether it is this.
    Truth(&'static str, bool),
}

/// Where a text stands: under a name, or there under a member's.
#[derive(Debug)]
pub(super) struct Place(&'static str, Option<Box<str>>);

/// What a text is compared with.
#[derive(Debug)]
pub(super) enum Test {
    Is(Box<str>),
    IsNot(Box<str>),
    Begins(Box<str>),
    Ends(Box<str>),
    Holds(Box<str>),
    OneOf(Box<[Box<str>]>),
}

/// How a number stands to another.
#[derive(Debug)]
pub(super) enum Order {
    Is,
    IsNot,
    Above,
    AtLeast,
    Below,
    AtMost,
}

/// The comparisons of a tree, all of which must be true; `None` where it is anything else.
pub(super) fn read(tree: &IdedExpr) -> Option<Vec<Comparison>> {
    match &tree.expr {
        Expr::Call(call) if call.func_name == operators::LOGICAL_AND => {
            let parts = call.args.iter().map(read);
            let parts: Vec<Vec<Comparison>> = parts.collect::<Option<_>>()?;
            Some(parts.into_iter().flatten().collect())
        }
        _ => comparison(tree).map(|it| vec![it]),
    }
}

fn comparison(tree: &IdedExpr) -> Option<Comparison> {
    let call = match &tree.expr {
        Expr::Ident(name) => return Some(Comparison::Truth(one_of(name, &[STREAM])?, true)),
        Expr::Call(call) => call,
        _ => return None,
    };
    match (call.target.as_deref(), &call.args[..]) {
        (Some(target), [with]) => {
            let (place, with) = (place(target)?, text(with)?);
            let test = match call.func_name.as_str() {
                "startsWith" => Test::Begins(with),
                "endsWith" => Test::Ends(with),
                "contains" => Test::Holds(with),
                _ => return None,
            };
            Some(Comparison::Text(place, test))
        }
        (None, [only]) if call.func_name == operators::LOGICAL_NOT => match &only.expr {
            Expr::Ident(name) => Some(Comparison::Truth(one_of(name, &[STREAM])?, false)),
            _ => None,
        },
        (None, [left, right]) => match &left.expr {
            Expr::Ident(name) if name == INPUT_TOKENS => {
                let order = order(&call.func_name)?;
                Some(Comparison::Number(INPUT_TOKENS, order, number(right)?))
            }
            _ => {
                let test = test(&call.func_name, right)?;
                Some(Comparison::Text(place(left)?, test))
            }
        },
        _ => None,
    }
}

fn order(operator: &str) -> Option<Order> {
    Some(match operator {
        operators::EQUALS => Order::Is,
        operators::NOT_EQUALS => Order::IsNot,
        operators::GREATER => Order::Above,
        operators::GREATER_EQUALS => Order::AtLeast,
        operators::LESS => Order::Below,
        operators::LESS_EQUALS => Order::AtMost,
        _ => return None,
    })
}

fn test(operator: &str, right: &IdedExpr) -> Option<Test> {
    match (operator, &right.expr) {
        (operators::EQUALS, _) => Some(Test::Is(text(right)?)),
        (operators::NOT_EQUALS, _) => Some(Test::IsNot(text(right)?)),
        (operators::IN, Expr::List(list)) if list.optional_indices.is_empty() => {
            let all = list.elements.iter().map(text);
            Some(Test::OneOf(all.collect::<Option<_>>()?))
        }
        _ => None,
    }
}

fn place(tree: &IdedExpr) -> Option<Place> {
    let (of, member) = match &tree.expr {
        Expr::Ident(name) => return Some(Place(one_of(name, &TEXTS)?, None)),
        Expr::Select(select) if !select.test => (&*select.operand, select.field.as_str().into()),
        Expr::Call(call) if call.func_name == operators::INDEX => match &call.args[..] {
            [of, member] => (of, text(member)?),
            _ => return None,
        },
        _ => return None,
    };
    match &of.expr {
        Expr::Ident(name) => Some(Place(one_of(name, &MAPS)?, Some(member))),
        _ => None,
    }
}

fn one_of(name: &str, names: &[&'static str]) -> Option<&'static str> {
    names.iter().copied().find(|it| *it == name)
}

fn text(tree: &IdedExpr) -> Option<Box<str>> {
    match &tree.expr {
        Expr::Literal(LiteralValue::String(it)) => Some(it.inner().into()),
        _ => None,
    }
}

fn number(tree: &IdedExpr) -> Option<i64> {
    match &tree.expr {
        Expr::Literal(LiteralValue::Int(it)) => Some(*it.inner()),
        _ => None,
    }
}

// === impl Comparison ===

impl Comparison {
    /// Whether it is true; what is not known makes none true.
    pub(super) fn is_true(&self, known: &impl Known) -> bool {
        match self {
            Self::Text(place, test) => place.text(known).is_some_and(|it| test.is_met(&it)),
            Self::Number(name, order, with) => match known.fact(name) {
                Some(Fact::Number(it)) => order.is_met(signed(it), *with),
                _ => false,
            },
            Self::Truth(name, wanted) => {
                matches!(known.fact(name), Some(Fact::Truth(it)) if it == *wanted)
            }
        }
    }
}

/// A number as conditions see it, whose numbers are signed.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

// === impl Place ===

impl Place {
    fn text<'a>(&self, known: &'a impl Known) -> Option<Cow<'a, str>> {
        if let Some(member) = &self.1 {
            return known.member(self.0, member);
        }
        match known.fact(self.0)? {
            Fact::Text(it) => Some(Cow::Owned(it)),
            _ => None,
        }
    }
}

// === impl Test ===

impl Test {
    fn is_met(&self, text: &str) -> bool {
        match self {
            Self::Is(it) => text == &**it,
            Self::IsNot(it) => text != &**it,
            Self::Begins(it) => text.starts_with(&**it),
            Self::Ends(it) => text.ends_with(&**it),
            Self::Holds(it) => text.contains(&**it),
            Self::OneOf(all) => all.iter().any(|it| text == &**it),
        }
    }
}

// === impl Order ===

impl Order {
    const fn is_met(&self, number: i64, with: i64) -> bool {
        match self {
            Self::Is => number == with,
            Self::IsNot => number != with,
            Self::Above => number > with,
            Self::AtLeast => number >= with,
            Self::Below => number < with,
            Self::AtMost => number <= with,
        }
    }
}
