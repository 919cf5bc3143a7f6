//! Deprecating a model or a version, and taking that back.

use clap::Args;
use prost_reflect::Value;
use proto::admin::Deprecation;

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{Moment, moment},
    noun::{self, Noun},
    session::{Session, set},
    verb::Write,
};

/// What to deprecate, from when, until when, and what takes its place.
#[derive(Debug, Clone, Args)]
pub struct Deprecate {
    /// Its id or whole name; a version as MODEL@VERSION
    name: String,
    /// From when nothing new is to use it, such as 2026-12-01, or 7d from now; now unless given
    #[arg(long, value_name = "TIME", value_parser = moment, default_value = "0s", conflicts_with = "undo")]
    from: Moment,
    /// From when nothing may use it
    #[arg(long, value_name = "TIME", value_parser = moment, conflicts_with = "undo")]
    sunset: Option<Moment>,
    /// What is to be used instead: a model, or a version as MODEL@VERSION
    #[arg(long, value_name = "NAME", conflicts_with = "undo")]
    successor: Option<String>,
    /// Take it back: it is not deprecated
    #[arg(long)]
    undo: bool,
    #[command(flatten)]
    write: Write,
}

/// Deprecates one of these.
pub async fn run(noun: &Noun, asked: Deprecate, session: &mut Session) -> Result<(), Failure> {
    let name = session.place.name(noun.collections, &asked.name)?;
    let successor = match asked.successor.as_deref() {
        None => String::new(),
        Some(text) => {
            let collections = noun::model_or_version(text).collections;
            session.place.name(collections, text)?
        }
    };
    let deprecation = Deprecation {
        deprecate_time: Some(asked.from.future(session.now)),
        sunset_time: asked.sunset.map(|at| at.future(session.now)),
        successor,
    };
    let mut request = session.connection.message(&noun.request("Deprecate"))?;
    set(&mut request, "name", Value::String(name))?;
    if !asked.undo {
        let deprecation = session.dynamic("Deprecation", &deprecation)?;
        set(&mut request, "deprecation", deprecation)?;
    }
    asked.write.stamp(&mut request)?;
    let path = noun.method("Deprecate");
    let reply = session.connection.call(&path, &request, ANSWER_WITHIN);
    let reply = reply.await?;
    session.finish(&reply, &asked.write).await
}
