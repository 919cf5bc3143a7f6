//! A mapping as one text, as it is kept: a JSON object.
//!
//! Owns the names of its members. What was kept by another build and has another shape is not read by half.

use payload::{
    object::{Misfit, Object},
    writer::Writer,
};
use policy::mapping::{Mapping, Method, Programs};

use crate::mapping::{Checked, Samples};

/// The text of a mapping.
pub fn write(checked: &Checked) -> String {
    let Checked { mapping, samples } = checked;
    let mut writer = Writer::default();
    writer.open().key("method").text(mapping.method.name());
    writer.key("path").text(&mapping.path);
    writer.key("headers").open_array();
    for (name, value) in &mapping.headers {
        writer.open_array().text(name).text(value).close_array();
    }
    writer.close_array();
    writer.key("credential_header");
    writer.text(&mapping.credential_header);
    writer.key("chat").flag(mapping.chat);
    for (name, text) in [
        ("request_program", &mapping.programs.request),
        ("response_program", &mapping.programs.response),
        ("error_program", &mapping.programs.error),
        ("usage_program", &mapping.programs.usage),
        ("sample_request", &samples.request),
        ("sample_answer", &samples.answer),
        ("sample_error", &samples.error),
    ] {
        writer.key(name).text(text);
    }
    writer.close();
    String::from_utf8(writer.into_bytes()).unwrap_or_default()
}

/// The mapping of a text; `None` where it is none that was written here.
pub fn read(text: &str) -> Option<Checked> {
    let mut members = Object::parse(text).ok()?;
    let method = Method::named(&members.text("method").ok()??)?;
    let path = said(&mut members, "path")?;
    let headers = members.array("headers").ok()??;
    let headers = headers.into_iter().map(|raw| header(raw).ok()?);
    let headers = headers.collect::<Option<Vec<_>>>()?;
    let credential_header = said(&mut members, "credential_header")?;
    let chat = members.flag("chat").ok()??;
    let mut said = |name| said(&mut members, name);
    let mapping = Mapping {
        method,
        path,
        headers,
        credential_header,
        chat,
        programs: Programs {
            request: said("request_program")?,
            response: said("response_program")?,
            error: said("error_program")?,
            usage: said("usage_program")?,
        },
    };
    let samples = Samples {
        request: said("sample_request")?,
        answer: said("sample_answer")?,
        error: said("sample_error")?,
    };
    Some(Checked { mapping, samples })
}

fn said(members: &mut Object<'_>, name: &str) -> Option<String> {
    Some(members.text(name).ok()??.into_owned())
}

/// A name and a value.
fn header(raw: &str) -> Result<Option<(String, String)>, Misfit> {
    let pair = payload::object::elements(raw)?;
    let [name, value] = pair.as_slice() else {
        return Ok(None);
    };
    let text = |raw: &str| payload::object::text(raw).map(std::borrow::Cow::into_owned);
    Ok(Some((text(name)?, text(value)?)))
}
