//! Which page of the list of models is asked for, in the words of each API.
//!
//! Knows the names of query parameters; knows nothing of models.

use std::borrow::Cow;

use dialect::{
    listing::{self, Page},
    neutral::Family,
};
use http::request::Parts;

use crate::request::{
    endpoint::{self, Listed},
    query,
};

/// A parameter of this name does not say which page.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Unclear(pub &'static str);

/// How the models are to be listed that are asked for like this.
pub fn listed(parts: &Parts) -> Result<Listed, Unclear> {
    let family = endpoint::listing(parts.uri.path(), &parts.headers);
    let query = parts.uri.query().unwrap_or_default();
    let (size, after, before) = match family {
        Family::Messages => ("limit", "after_id", Some("before_id")),
        Family::Gemini => ("pageSize", "pageToken", None),
        // This form has no pages.
        _ => {
            let page = Page::default();
            return Ok(Listed { family, page });
        }
    };
    let text = |name| match query::only(query, name) {
        Ok(text) => Ok(text.filter(|text| !text.is_empty())),
        Err(query::Unclear) => Err(Unclear(name)),
    };
    let number = |text: Cow<'_, str>| {
        let number = text.parse().ok();
        number.filter(|number| (1..=listing::PAGE_MAX).contains(number))
    };
    let size = match text(size)? {
        Some(text) => Some(number(text).ok_or(Unclear(size))?),
        None => None,
    };
    let before = before.map(text).transpose()?.flatten();
    let page = Page {
        size,
        after: text(after)?.map(Cow::into_owned),
        before: before.map(Cow::into_owned),
    };
    Ok(Listed { family, page })
}
