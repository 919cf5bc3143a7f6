//! Whether programs compile, and what they make of the samples that come with them.
//!
//! Owns what each program must give. Tries with the bound that edges hold to.

use payload::{
    counts,
    jq::{PAYLOAD_STEPS_MAX, Program},
    json,
    object::Object,
};
use policy::mapping::Programs;

use crate::{mapping::Samples, violation::Violations};

/// One program, its sample, and what its output must be.
struct Trial<'a> {
    field: &'static str,
    program: &'a str,
    sample: &'a str,
    must: fn(&str) -> Result<(), String>,
}

/// Compiles the programs and tries them; notes what is wrong.
pub(super) fn check(
    programs: &Programs,
    samples: &Samples,
    chat: bool,
    violations: &mut Violations,
) {
    for (field, sample) in [
        ("provider.custom.sample_request", &samples.request),
        ("provider.custom.sample_answer", &samples.answer),
        ("provider.custom.sample_error", &samples.error),
    ] {
        if !sample.is_empty() && !is_json(sample) {
            violations.add(field, "must be one JSON value, or empty");
        }
    }
    for trial in [
        Trial {
            field: "provider.custom.request_program",
            program: &programs.request,
            sample: &samples.request,
            must: anything,
        },
        Trial {
            field: "provider.custom.response_program",
            program: &programs.response,
            sample: &samples.answer,
            must: if chat { completion } else { anything },
        },
        Trial {
            field: "provider.custom.error_program",
            program: &programs.error,
            sample: &samples.error,
            must: error,
        },
        Trial {
            field: "provider.custom.usage_program",
            program: &programs.usage,
            sample: &samples.answer,
            must: usage,
        },
    ] {
        if let Err(why) = trial.check() {
            violations.add(trial.field, why);
        }
    }
}

// === impl Trial ===

impl Trial<'_> {
    fn check(&self) -> Result<(), String> {
        if self.program.is_empty() {
            return Ok(());
        }
        let program = Program::compile(self.program).map_err(|why| why.to_string())?;
        // A sample that is no JSON is named by itself.
        if self.sample.is_empty() || !is_json(self.sample) {
            return Ok(());
        }
        let output = program.run_within(PAYLOAD_STEPS_MAX, self.sample.as_bytes());
        let output = output.map_err(|why| format!("on its sample: {why}"))?;
        (self.must)(&String::from_utf8_lossy(&output))
            .map_err(|why| format!("on its sample, what it gives {why}"))
    }
}

fn is_json(text: &str) -> bool {
    let rest = json::value(text, 0)
        .ok()
        .and_then(|place| text.get(place.end..));
    rest.is_some_and(|rest| rest.trim().is_empty())
}

#[expect(
    clippy::unnecessary_wraps,
    reason = "it stands where others find something wrong"
)]
fn anything(_: &str) -> Result<(), String> {
    Ok(())
}

fn completion(output: &str) -> Result<(), String> {
    let choices = Object::parse(output).and_then(|mut it| it.array("choices"));
    match choices {
        Ok(Some(choices)) if !choices.is_empty() => Ok(()),
        _ => Err("is no chat completion: an object with `choices`".to_owned()),
    }
}

fn error(output: &str) -> Result<(), String> {
    let told = Object::parse(output).and_then(|mut it| {
        it.text("code")?;
        it.text("message")
    });
    let told = told.map_err(|why| {
        if why.at.is_empty() {
            "must be an object".to_owned()
        } else {
            format!("is wrong: {why}")
        }
    });
    told.map(drop)
}

fn usage(output: &str) -> Result<(), String> {
    match counts::read(output) {
        Ok(_) => Ok(()),
        Err(why) if why.at.is_empty() => Err(why.wants.into_owned()),
        Err(why) => Err(format!("is no usage: {why}")),
    }
}
