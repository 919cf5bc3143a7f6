//! The steps of a plan, written one by one, each onto what it was planned against.
//!
//! The first that is refused ends it: what was written stays, and the next run plans anew from there. Credentials come from
//! variables, all of which are read before anything is written.

use std::collections::BTreeMap;

use prost_reflect::{DynamicMessage, ReflectMessage, Value};
use zeroize::Zeroizing;

use crate::{
    admin::declarations::{
        difference::{self, CREDENTIAL},
        document::Declared,
        plan::{Action, Plan, Step},
    },
    failure::Failure,
    output::{self, Format},
    session::{Session, set},
    verb::Write,
    wording,
};

/// The longest credential that is taken; the API's own bound. Full: it is refused, since it is something else.
const CREDENTIAL_BYTES_MAX: usize = 16_384;

/// How many names of what was not done are told. Full: the others are counted.
const NAMES_MAX: usize = 20;

/// What the variables hold, by their names.
pub type Credentials = BTreeMap<String, Zeroizing<String>>;

/// What became of a plan.
pub struct Written {
    /// How many steps were taken.
    pub done: usize,
    /// The last answer.
    pub reply: Option<DynamicMessage>,
    /// Why the next step was not.
    pub failure: Option<Failure>,
}

/// Reads the variables that the plan needs.
pub fn credentials(plan: &Plan) -> Result<Credentials, Failure> {
    let needing = plan.steps.iter().filter(|step| writes_credential(step));
    let declared = needing.filter_map(|step| step.declared.as_ref());
    let mut read = Credentials::new();
    for it in declared {
        let Some(variable) = &it.credential_env else {
            continue;
        };
        let wrong = |why: &str| {
            let (at, name) = (&it.source, &it.name);
            Failure::usage(format!("{at}: {variable}, the credential of {name}, {why}"))
        };
        let text = std::env::var(variable).map(Zeroizing::new);
        let text = text.map_err(|_| wrong("is no variable here; set it and run this again"))?;
        match text.trim() {
            "" => return Err(wrong("is empty; set it and run this again")),
            text if text.len() > CREDENTIAL_BYTES_MAX => {
                return Err(wrong("is longer than 16 KiB, which no credential is"));
            }
            text => read.insert(variable.clone(), Zeroizing::new(text.to_owned())),
        };
    }
    Ok(read)
}

/// Takes the steps, in order, until one is refused.
pub async fn write(plan: &Plan, credentials: &Credentials, session: &mut Session) -> Written {
    let mut reply = None;
    for (done, step) in plan.steps.iter().enumerate() {
        match Box::pin(take(step, credentials, session)).await {
            Ok(made) => reply = Some(made),
            Err(why) => {
                return Written {
                    done,
                    reply,
                    failure: Some(stopped(why, plan, done)),
                };
            }
        }
    }
    Written {
        done: plan.steps.len(),
        reply,
        failure: None,
    }
}

async fn take(
    step: &Step,
    credentials: &Credentials,
    session: &mut Session,
) -> Result<DynamicMessage, Failure> {
    let (noun, write) = (step.kind.noun, Write::default());
    let etag = step
        .standing
        .as_ref()
        .map(|it| wording::field(&it.message, "etag"));
    let etag = etag.unwrap_or_default();
    let (reply, done) = match &step.declared {
        None => (
            session.remove(noun, (&step.name, &etag), &write).await?,
            "deleted",
        ),
        Some(declared) if step.action() == Action::Create => {
            let mut wanted = declared.wanted.clone();
            put_credential(&mut wanted, declared, step, credentials)?;
            let reply = session.create(noun, &step.name, &wanted, &write).await?;
            (reply, "made")
        }
        Some(declared) => {
            let mut wanted = change(declared, step, &etag)?;
            put_credential(&mut wanted, declared, step, credentials)?;
            let mask = step.changes.iter().map(|it| it.field).collect();
            let reply = session.update(noun, &wanted, mask, &write).await?;
            (reply, "changed")
        }
    };
    if session.format == Format::Table {
        output::line(format_args!("{done} {}", step.name))?;
    }
    if let Some(declared) = &step.declared {
        tell_of_other_words(declared, &reply)?;
    }
    Ok(reply)
}

/// The new values of what changes, guarded by the etag that was seen.
fn change(declared: &Declared, step: &Step, etag: &str) -> Result<DynamicMessage, Failure> {
    let mut wanted = DynamicMessage::new(declared.wanted.descriptor());
    set(&mut wanted, "name", Value::String(step.name.clone()))?;
    set(&mut wanted, "etag", Value::String(etag.to_owned()))?;
    let changed = step.changes.iter().map(|it| it.field);
    // What a window may be hangs on what is counted.
    let unit = step.kind.access("unit").map(|_| "unit");
    for field in changed.filter(|field| *field != CREDENTIAL).chain(unit) {
        let Some(shape) = wanted.descriptor().get_field_by_name(field) else {
            return Err(Failure::broken(format!("no field {field}")));
        };
        if declared.wanted.has_field(&shape) {
            wanted.set_field(&shape, declared.wanted.get_field(&shape).into_owned());
        }
    }
    Ok(wanted)
}

fn writes_credential(step: &Step) -> bool {
    step.changes.iter().any(|it| it.field == CREDENTIAL)
}

fn put_credential(
    wanted: &mut DynamicMessage,
    declared: &Declared,
    step: &Step,
    credentials: &Credentials,
) -> Result<(), Failure> {
    let variable = declared.credential_env.as_ref();
    match variable.and_then(|variable| credentials.get(variable)) {
        Some(text) if writes_credential(step) => {
            set(wanted, CREDENTIAL, Value::String(text.to_string()))
        }
        _ => Ok(()),
    }
}

/// Says which fields the control plane keeps in other words than the file, since every plan would show them.
fn tell_of_other_words(declared: &Declared, reply: &DynamicMessage) -> Result<(), Failure> {
    let kept = (declared.kind.usual)(reply)?;
    for it in difference::changes(declared, &kept) {
        if it.field != CREDENTIAL {
            output::remark(format_args!(
                "{}: {} of {} is kept as `{}`; declare it so, or every plan will show it",
                declared.source, it.field, declared.name, it.old
            ));
        }
    }
    Ok(())
}

fn stopped(why: Failure, plan: &Plan, done: usize) -> Failure {
    let names = |steps: &[Step]| {
        let first = steps.iter().take(NAMES_MAX).map(|step| step.name.clone());
        let more = steps.len().saturating_sub(NAMES_MAX);
        let more = (more > 0).then(|| format!("{more} more"));
        match first.chain(more).collect::<Vec<_>>() {
            none if none.is_empty() => "none".to_owned(),
            some => some.join(", "),
        }
    };
    let (before, after) = plan.steps.split_at(done);
    let refused = after.first().map_or("", |step| step.name.as_str());
    why.with_details([
        format!("refused: {refused}"),
        format!("written before it: {}", names(before)),
        format!("not written: {}", names(after)),
    ])
    .with_other_advice(
        "mend that and run `sluice apply` again: it plans anew and goes on from here",
    )
}

#[cfg(test)]
mod tests {
    use prost_reflect::DescriptorPool;
    use proto::admin::{Limit, LimitUnit};

    use super::*;
    use crate::{
        admin::declarations::{
            document::{Document, Ground},
            plan::Plan,
            standing::Standing,
        },
        place::Place,
    };

    /// The plan for a limit that stands with 7 requests an hour and an etag.
    fn planned() -> Plan {
        let pool = DescriptorPool::decode(proto::DESCRIPTORS).unwrap();
        let place = Place {
            organization: Some("acme".to_owned()),
            project: None,
        };
        let text = "[[limit]]\nid = 'rpm'\nscope = 'organization'\nunit = 'requests'\namount = 600\nwindow = 'hour'\n";
        let document = Document::parse("a.toml".to_owned(), text).unwrap();
        let ground = Ground {
            place: &place,
            pool: &pool,
        };
        let declared = document.declared(&ground, &mut Vec::new());
        let stands = Limit {
            name: declared[0].name.clone(),
            etag: "seen".to_owned(),
            amount: 7,
            burst: 1,
            ..declared[0].wanted.transcode_to().unwrap()
        };
        let mut message = DynamicMessage::new(declared[0].wanted.descriptor());
        message.transcode_from(&stands).unwrap();
        let kind = declared[0].kind;
        let standing = Standing { kind, message };
        Plan::of(declared, [(stands.name, standing)].into(), &[]).unwrap()
    }

    #[test]
    fn a_change_goes_onto_what_was_seen_and_holds_nothing_else() {
        let plan = planned();
        let step = &plan.steps[0];
        let changed: Vec<_> = step.changes.iter().map(|it| it.field).collect();
        assert_eq!(changed, ["amount", "burst"]);
        let wanted = change(step.declared.as_ref().unwrap(), step, "seen").unwrap();
        let wanted: Limit = wanted.transcode_to().unwrap();
        let only = Limit {
            name: "organizations/acme/limits/rpm".to_owned(),
            etag: "seen".to_owned(),
            unit: LimitUnit::Requests.into(),
            amount: 600,
            burst: 60,
            ..Default::default()
        };
        assert_eq!(wanted, only);
    }

    #[test]
    fn where_it_stops_it_says_what_is_done_and_what_is_not() {
        let plan = planned();
        let why = Failure::new(crate::failure::Exit::Refused, "no");
        let told = stopped(why, &plan, 0).to_string();
        assert!(told.contains("written before it: none"), "{told}");
        assert!(
            told.contains("not written: organizations/acme/limits/rpm"),
            "{told}"
        );
        assert!(told.ends_with("goes on from here"), "{told}");
    }
}
