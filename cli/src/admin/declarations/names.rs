//! Names inside a declaration: short ones become whole ones, in the organization of the folder.
//!
//! `--project` says nothing here: what a file means hangs on nothing that stands outside of it.

use prost_reflect::DynamicMessage;
use proto::admin::{Limit, Model, ModelAlias};

use crate::{
    admin::declarations::usual::typed,
    failure::Failure,
    noun,
    place::{Collections, Place},
};

/// A field and why the name in it is none.
pub type Misnamed = (String, String);

/// A kind without names in it.
pub fn none(message: &DynamicMessage, _: &str, _: &Place) -> Result<DynamicMessage, Misnamed> {
    Ok(message.clone())
}

/// Of the model `name`: versions, by id where they are its own.
pub fn of_model(
    message: &DynamicMessage,
    name: &str,
    place: &Place,
) -> Result<DynamicMessage, Misnamed> {
    let mut wrong = None;
    let changed = typed(message, |it: &mut Model| {
        let mut whole = |field: String, text: &mut String| {
            if !text.is_empty() {
                take(&mut wrong, field, text, |text| place.version(name, text));
            }
        };
        whole("stable_version".to_owned(), &mut it.stable_version);
        for (at, rule) in it.rules.iter_mut().enumerate() {
            whole(format!("rules[{at}].version"), &mut rule.version);
        }
    });
    done(wrong, changed)
}

/// Of an alias: its model.
pub fn of_alias(
    message: &DynamicMessage,
    _: &str,
    place: &Place,
) -> Result<DynamicMessage, Misnamed> {
    let mut wrong = None;
    let changed = typed(message, |it: &mut ModelAlias| {
        if !it.model.is_empty() {
            take(&mut wrong, "model".to_owned(), &mut it.model, |text| {
                place.name(noun::MODEL.collections, text)
            });
        }
    });
    done(wrong, changed)
}

/// Of a limit: its scope, what it counts, and the keys of its overrides.
pub fn of_limit(
    message: &DynamicMessage,
    _: &str,
    place: &Place,
) -> Result<DynamicMessage, Misnamed> {
    let mut wrong = None;
    let changed = typed(message, |it: &mut Limit| {
        let mut whole = |field: &str, text: &mut String, collections: Option<Collections>| {
            if !text.is_empty() {
                let name = |text: &str| match collections {
                    Some(collections) => place.name(collections, text),
                    None => scope(text, place),
                };
                take(&mut wrong, field.to_owned(), text, name);
            }
        };
        whole("scope", &mut it.scope, None);
        whole("model", &mut it.model, Some(noun::MODEL.collections));
        whole(
            "provider",
            &mut it.provider,
            Some(noun::PROVIDER.collections),
        );
        for (at, other) in it.overrides.iter_mut().enumerate() {
            whole(&format!("overrides[{at}].key"), &mut other.key, None);
        }
    });
    done(wrong, changed)
}

fn scope(text: &str, place: &Place) -> Result<String, Failure> {
    let first = text.split('/').next().unwrap_or_default();
    if text == "organization" || ["projects", "organizations"].contains(&first) {
        return place.scope(text);
    }
    Err(Failure::usage(
        "write organization, projects/ID, projects/ID/keys/ID or a whole name",
    ))
}

fn take(
    wrong: &mut Option<Misnamed>,
    field: String,
    text: &mut String,
    name: impl FnOnce(&str) -> Result<String, Failure>,
) {
    match name(text) {
        Ok(whole) => *text = whole,
        Err(why) => *wrong = Some((field, why.to_string())),
    }
}

fn done(
    wrong: Option<Misnamed>,
    changed: Result<DynamicMessage, Failure>,
) -> Result<DynamicMessage, Misnamed> {
    match wrong {
        Some(wrong) => Err(wrong),
        None => changed.map_err(|why| (String::new(), why.to_string())),
    }
}
