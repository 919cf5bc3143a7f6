//! What can be said of a key's secrets: rotate, end an overlap, and what is to be seen to.

use std::time::Duration;

use clap::Args;
use prost_reflect::Value;
use proto::admin::{KeyReport, ReportKeysRequest, ReportKeysResponse, RotateKeyRequest};

use crate::{
    admin::minted::Shown,
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{self, span},
    noun,
    output::{self, Format},
    session::{Session, set},
    verb::Write,
    wording,
};

/// The page size that is asked for; the server's own maximum.
const PAGE: i32 = 1_000;

/// Which one to rotate.
#[derive(Debug, Clone, Args)]
pub struct Rotate {
    /// Its id or whole name
    name: String,
    /// How long the old secret goes on working; without it, as the project says, or 24 hours
    #[arg(long, value_name = "SPAN", value_parser = span, conflicts_with = "at_once")]
    overlap: Option<Duration>,
    /// Let the old secret work no more, and one before it neither
    #[arg(long)]
    at_once: bool,
    /// The etag that it must still have; without one, whatever stands there is changed
    #[arg(long, value_name = "ETAG", help_heading = "Writing")]
    etag: Option<String>,
    #[command(flatten)]
    shown: Shown,
    #[command(flatten)]
    write: Write,
}

/// Which overlap to end.
#[derive(Debug, Clone, Args)]
pub struct EndOverlap {
    /// Its id or whole name
    name: String,
    #[command(flatten)]
    write: Write,
}

/// What to look for.
#[derive(Debug, Clone, Args)]
pub struct Report {
    /// How long nobody must have used a key to call it unused
    #[arg(long, value_name = "SPAN", value_parser = span, default_value = "90d")]
    unused: Duration,
    /// Look in every project of the organization
    #[arg(long)]
    all_projects: bool,
}

/// Gives a key another secret.
pub async fn rotate(rotate: Rotate, session: &mut Session) -> Result<(), Failure> {
    let overlap = rotate.overlap.or(rotate.at_once.then_some(Duration::ZERO));
    let request = RotateKeyRequest {
        name: session.place.name(noun::KEY.collections, &rotate.name)?,
        etag: rotate.etag.unwrap_or_default(),
        overlap: overlap.map(moment::wire_span),
        ..Default::default()
    };
    let mut message = session.connection.message("RotateKeyRequest")?;
    message.transcode_from(&request).map_err(Failure::broken)?;
    rotate.write.stamp(&mut message)?;
    let call = session
        .connection
        .call("KeyService/RotateKey", &message, ANSWER_WITHIN);
    let reply = call.await?;
    rotate.shown.finish(&reply, &rotate.write, session).await
}

/// Takes the old secret away.
pub async fn end_overlap(end: EndOverlap, session: &mut Session) -> Result<(), Failure> {
    let name = session.place.name(noun::KEY.collections, &end.name)?;
    let mut message = session.connection.message("EndKeyOverlapRequest")?;
    set(&mut message, "name", Value::String(name))?;
    end.write.stamp(&mut message)?;
    let call = session
        .connection
        .call("KeyService/EndKeyOverlap", &message, ANSWER_WITHIN);
    let reply = call.await?;
    session.finish(&reply, &end.write).await
}

/// Shows the keys that are to be seen to.
pub async fn report(report: &Report, session: &mut Session) -> Result<(), Failure> {
    let parent = if report.all_projects {
        session.place.organization()?
    } else {
        session.place.parent(noun::KEY.collections)?
    };
    let mut request = ReportKeysRequest {
        parent,
        unused_for: Some(moment::wire_span(report.unused)),
        page_size: PAGE,
        ..Default::default()
    };
    let mut reports = Vec::new();
    loop {
        let path = "KeyService/ReportKeys";
        let page: ReportKeysResponse = session
            .connection
            .call_for(path, &request, ANSWER_WITHIN)
            .await?;
        reports.extend(page.reports);
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    match session.format {
        Format::Json => {
            let next_page_token = String::new();
            let all = ReportKeysResponse {
                reports,
                next_page_token,
            };
            session.show_typed("ReportKeysResponse", &all)
        }
        Format::Table => output::line(table(&reports, session)?),
    }
}

fn table(reports: &[KeyReport], session: &Session) -> Result<String, Failure> {
    let heads = ["NAME", "FINDINGS", "LAST USED", "ROTATE BY", "WORKS UNTIL"];
    let mut rows = Vec::with_capacity(reports.len());
    for report in reports {
        let mut message = session.connection.message("KeyReport")?;
        message.transcode_from(report).map_err(Failure::broken)?;
        let key = report.key.clone().unwrap_or_default();
        let used = key.last_use_time.map(|at| moment::written(at.seconds));
        rows.push(vec![
            key.name,
            wording::field(&message, "findings"),
            used.unwrap_or_default(),
            wording::field(&message, "rotate_time"),
            wording::field(&message, "too_old_time"),
        ]);
    }
    Ok(output::table(&heads, &rows))
}
