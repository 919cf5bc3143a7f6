//! The span and the line of a request that opened no account: it was refused before, or told something that costs nothing.
//!
//! Knows what was asked for by its label, and what was said; nothing else is known of who asked.

use http::Response;
use payload::writer::Writer;
use spans::{Context, Kind, Span, Value};

use crate::{record::line::moment, request::Arrival, respond::CODE};

/// The span of a request that ends now with this response.
pub(super) fn span<B>(
    context: Context,
    arrival: &Arrival,
    endpoint: &'static str,
    response: &Response<B>,
) -> Span {
    let start_ns = arrival.at_ms.saturating_mul(1_000_000);
    let took = u64::try_from(arrival.started.elapsed().as_nanos()).unwrap_or(0);
    let status = response.status().as_u16();
    let mut attributes: Vec<(&'static str, Value)> = vec![
        ("http.response.status_code", status.into()),
        ("sluice.endpoint", endpoint.into()),
        ("sluice.request.id", arrival.id.to_string().into()),
    ];
    if let Some(code) = code(response) {
        attributes.push(("error.type", code.to_owned().into()));
    }
    Span {
        context,
        name: endpoint.to_owned(),
        kind: Kind::Server,
        start_ns,
        end_ns: start_ns + took,
        failed: (status >= 500).then_some("refused"),
        attributes,
    }
}

/// The line of the access log for it.
pub(super) fn line<B>(
    arrival: &Arrival,
    endpoint: &'static str,
    response: &Response<B>,
) -> Vec<u8> {
    let took = u64::try_from(arrival.started.elapsed().as_micros()).unwrap_or(u64::MAX);
    let mut writer = Writer::default();
    writer.open();
    writer.key("time").text(&moment(arrival.at_ms));
    writer.key("request_id").text(&arrival.id.to_string());
    writer.key("endpoint").text(endpoint);
    let status = response.status().as_u16();
    writer.key("status").number(status.into());
    writer.key("code");
    match code(response) {
        Some(code) => writer.text(code),
        None => writer.null(),
    };
    writer.key("duration_us").number(took);
    writer.close();
    let mut line = writer.into_bytes();
    line.push(b'\n');
    line
}

/// Our code of an error, if it is one.
fn code<B>(response: &Response<B>) -> Option<&str> {
    response.headers().get(CODE)?.to_str().ok()
}
