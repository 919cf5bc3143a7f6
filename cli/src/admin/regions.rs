//! What edges of several regions say: one is asked in each, and every answer is a part of one table.
//!
//! Owns the asking, the table and what it says of edges that gave no answer. Knows nothing of what was asked.

use prost::Message;
use prost_reflect::{DynamicMessage, Value};

use crate::{
    connection::ANSWER_WITHIN,
    failure::Failure,
    output::{self, Format},
    session::{Session, json},
    wording,
};

/// The table of an answer.
#[derive(Clone, Copy)]
pub struct Table<'a> {
    /// The field of a region that holds its rows.
    pub rows: &'a str,
    /// The columns behind that of the region: a head, and the field of a row that stands below it.
    pub columns: &'a [(&'a str, &'a str)],
    /// What stands in a row below the head of a field.
    pub cell: fn(&DynamicMessage, &str) -> String,
}

/// Asks, shows what is said, and remarks on each region what the table does not say.
pub async fn show(
    (path, request): (&str, &impl Message),
    table: Table<'_>,
    remark_on: fn(&DynamicMessage),
    session: &mut Session,
) -> Result<(), Failure> {
    let reply = session.connection.call(path, request, ANSWER_WITHIN);
    let reply = reply.await?;
    if session.format == Format::Json {
        output::line(json(&reply)?)?;
    } else {
        output::line(table.of(&reply))?;
    }
    let regions = messages(&reply, "regions");
    if regions.is_empty() {
        output::remark("no edge is connected with this control plane, so nobody could be asked");
    }
    for region in &regions {
        let problem = wording::field(region, "problem");
        if !matches!(problem.as_str(), "unspecified" | "") {
            let [name, edge] = ["region", "edge"].map(|it| wording::field(region, it));
            output::remark(format!("{name}: {edge} gave no answer: {problem}"));
        }
        remark_on(region);
    }
    Ok(())
}

/// The messages of a list.
pub fn messages(of: &DynamicMessage, field: &str) -> Vec<DynamicMessage> {
    let list = of.get_field_by_name(field);
    let list = list.as_deref().and_then(Value::as_list).unwrap_or_default();
    list.iter().filter_map(Value::as_message).cloned().collect()
}

// === impl Table ===

impl Table<'_> {
    /// The rows of all regions.
    pub fn of(&self, reply: &DynamicMessage) -> String {
        let mut rows = Vec::new();
        for region in messages(reply, "regions") {
            for row in messages(&region, self.rows) {
                let cells = self
                    .columns
                    .iter()
                    .map(|(_, field)| (self.cell)(&row, field));
                let region = std::iter::once(wording::field(&region, "region"));
                rows.push(region.chain(cells).collect());
            }
        }
        let heads = self.columns.iter().map(|(head, _)| *head);
        let heads: Vec<&str> = std::iter::once("REGION").chain(heads).collect();
        output::table(&heads, &rows)
    }
}
