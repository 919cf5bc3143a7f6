//! A program, compiled once and run for every payload.
//!
//! Owns how a run begins and ends: one value goes in, one comes out, whatever the program does.

use std::{fmt, sync::Arc, thread};

use jaq_core::{Ctx, Error, Filter, Vars};

use crate::{
    jq::{
        allowance::{self, STEPS_MAX, Spent, Stopped},
        fault::{Fault, RAISED_BYTES_MAX},
        library::{Kind, Running},
        read, source,
        value::Value,
        write,
    },
    json,
};

/// The most bytes of an input. Full: it is refused.
pub const INPUT_BYTES_MAX: usize = 32 << 20;

/// The stack of the parser, in bytes: four times what the most deeply nested program takes that is let through to it.
/// Memory is only taken for what is used of it.
const PARSER_STACK_BYTES: usize = 32 << 20;

/// A program that compiles. Copies of it share what was compiled.
#[derive(Clone)]
pub struct Program {
    text: Arc<str>,
    filter: Arc<Filter<Kind>>,
}

// === impl Program ===

impl Program {
    /// Compiles a program. The fault says where it is wrong and why. Takes some milliseconds: not for the path of a
    /// request.
    pub fn compile(text: &str) -> Result<Self, Fault> {
        let compile = || allowance::within(STEPS_MAX, || source::compile(text));
        // The parser uses up more stack for each level than a caller may have, so it gets a stack of its own.
        let filter = thread::scope(|scope| {
            let parser = thread::Builder::new().stack_size(PARSER_STACK_BYTES);
            let compiled = parser.spawn_scoped(scope, compile).ok()?.join().ok()?;
            Some(compiled)
        });
        let filter = filter.ok_or(Fault::Broken)???;
        Ok(Self {
            text: text.into(),
            filter: Arc::new(filter),
        })
    }

    /// Its text.
    pub fn text(&self) -> &str {
        &self.text
    }

    /// What it makes of one JSON value: one other, written without white space.
    pub fn run(&self, input: &[u8]) -> Result<Vec<u8>, Fault> {
        self.run_within(STEPS_MAX, input)
    }

    /// The same within so many steps, for reading the input and again for the program.
    pub fn run_within(&self, steps: u64, input: &[u8]) -> Result<Vec<u8>, Fault> {
        if input.len() > INPUT_BYTES_MAX {
            return Err(Fault::InputTooLong);
        }
        let input = str::from_utf8(input).map_err(|error| {
            let at = error.valid_up_to();
            Fault::NotJson(json::Fault::Malformed { at })
        })?;
        // The input has an allowance of its own, so that a long one leaves the program as many steps as a short one.
        let input = match allowance::within(steps, || read::value(input)) {
            Ok(read) => read.map_err(Fault::NotJson)?,
            Err(Stopped::Spent(Spent::Steps | Spent::Members)) => return Err(Fault::InputTooLong),
            Err(stopped) => return Err(stopped.into()),
        };
        allowance::within(steps, || self.only_output(input))?
    }

    fn only_output(&self, input: Value) -> Result<Vec<u8>, Fault> {
        let context = Ctx::<Kind>::new(Running(&self.filter.lut), Vars::new([]));
        let mut outputs = self.filter.id.run((context, input)).map(|output| {
            // What is no error of the program's own must not leave the interpreter.
            output.map_err(|thrown| thrown.get_err().map_or(Fault::Broken, raised))
        });
        let only = outputs.next().ok_or(Fault::NoOutput)??;
        match outputs.next() {
            None => write::bytes(&only),
            Some(Ok(_)) => Err(Fault::SeveralOutputs),
            Some(Err(fault)) => Err(fault),
        }
    }
}

impl fmt::Debug for Program {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Program").field(&self.text).finish()
    }
}

impl PartialEq for Program {
    /// The same text is the same program.
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Program {}

fn raised(error: Error<Value>) -> Fault {
    let mut what = match error.into_val() {
        Value::Text(said) => String::clone(&said),
        other => other.to_string(),
    };
    what.truncate(what.floor_char_boundary(RAISED_BYTES_MAX));
    Fault::Raised(what)
}
