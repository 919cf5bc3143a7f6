//! `sluice audit`: who did what, kept elsewhere, and shown to be whole.
//!
//! An export is JSON lines: the keys that sign; every entry with its text as it was hashed, each checkpoint behind the entry that
//! it signs, which edges keep which; and a last line for each chain that says where it ends. `audit_verify` reads one.

use std::{
    fs::File,
    io::{self, BufWriter, Write},
    path::PathBuf,
};

use checkpoint::{hex, line};
use clap::{Args, Subcommand};
use proto::admin::{
    AuditChain, AuditEntry, AuditWitness, ExportAuditEntriesRequest, ExportAuditEntriesResponse,
    ListAuditChainsRequest, ListAuditChainsResponse, ListAuditEntriesRequest,
    ListAuditEntriesResponse,
};
use serde_json::{Value, json};

use crate::{
    admin::audit_verify::{self, Verify},
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{self, Moment, moment},
    output::{self, Format},
    session::Session,
};

/// What can be done with the audit trail.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Show entries of the organization, in the order of time
    List(List),
    /// Write all of it to a file, to be kept elsewhere
    Export(Export),
    /// Tell whether an export is whole and unchanged; needs no control plane
    Verify(Verify),
}

/// Which entries.
#[derive(Debug, Clone, Args)]
pub struct List {
    /// Everything there is, and not only what is about the organization
    #[arg(long)]
    everything: bool,
    /// By whom: the id of an operator key, or of a client's key
    #[arg(long, value_name = "ID")]
    actor: Option<String>,
    /// About what, and what stands in it: a whole name
    #[arg(long, value_name = "NAME")]
    object: Option<String>,
    /// From when: a span such as 7d back from now, or a time
    #[arg(long, value_name = "WHEN", value_parser = moment, default_value = "30d")]
    since: Moment,
    /// Until when; without it, until now
    #[arg(long, value_name = "WHEN", value_parser = moment)]
    until: Option<Moment>,
    /// The most to show
    #[arg(long, value_name = "COUNT", default_value_t = 1_000)]
    max: usize,
}

/// Where to.
#[derive(Debug, Clone, Args)]
pub struct Export {
    /// The file, which must not exist yet; `-` means: standard output
    file: PathBuf,
}

/// Runs a command that asks the control plane.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::List(list) => show(&list, session).await,
        Command::Export(export) => write(&export, session).await,
        Command::Verify(which) => audit_verify::verify(&which),
    }
}

async fn show(list: &List, session: &mut Session) -> Result<(), Failure> {
    let parent = if list.everything {
        String::new()
    } else {
        session.place.organization()?
    };
    let mut request = ListAuditEntriesRequest {
        parent,
        actor: list.actor.clone().unwrap_or_default(),
        object: list.object.clone().unwrap_or_default(),
        start_time: Some(list.since.past(session.now)),
        end_time: list.until.map(|until| until.past(session.now)),
        page_size: 1_000,
        ..Default::default()
    };
    let mut found: Vec<AuditEntry> = Vec::new();
    loop {
        let path = "AuditService/ListAuditEntries";
        let page: ListAuditEntriesResponse = session
            .connection
            .call_for(path, &request, ANSWER_WITHIN)
            .await?;
        found.extend(page.audit_entries);
        if page.next_page_token.is_empty() || found.len() >= list.max {
            break;
        }
        request.page_token = page.next_page_token;
    }
    found.truncate(list.max);
    if session.format == Format::Json {
        let entries = found.iter().map(|it| serde_json::from_str(&it.entry));
        let entries: Result<Vec<Value>, _> = entries.collect();
        let all = json!({ "entries": entries.map_err(Failure::broken)? });
        return output::line(serde_json::to_string_pretty(&all).map_err(Failure::broken)?);
    }
    let rows: Result<Vec<Vec<String>>, Failure> = found.iter().map(row).collect();
    let heads = ["AT", "ACTOR", "SOURCE", "METHOD", "OBJECT", "RESULT"];
    output::line(output::table(&heads, &rows?))
}

fn row(entry: &AuditEntry) -> Result<Vec<String>, Failure> {
    let said: Value = serde_json::from_str(&entry.entry).map_err(Failure::broken)?;
    let text = |name: &str| said[name].as_str().unwrap_or_default().to_owned();
    let at = said["at_ms"].as_i64().unwrap_or(0) / 1_000;
    // Of a decision of an edge, what was asked for.
    let asked = [text("model"), text("provider")].concat();
    let asked = match asked.as_str() {
        "" => String::new(),
        asked => format!(" ({asked})"),
    };
    let result = match said["reason"].as_str() {
        Some(reason) => format!("denied: {reason}{asked}"),
        None if said["result"] == "allowed" => format!("allowed{asked}"),
        None => format!("revision {}", said["revision"]),
    };
    let [actor, source, method, object] = ["actor", "source", "method", "object"].map(text);
    Ok(vec![
        moment::written(at),
        actor,
        source,
        method,
        object,
        result,
    ])
}

async fn write(export: &Export, session: &mut Session) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::system("write the export", &error);
    let mut out: Box<dyn Write> = if export.file.as_os_str() == "-" {
        Box::new(io::stdout().lock())
    } else {
        Box::new(BufWriter::new(
            File::create_new(&export.file).map_err(failed)?,
        ))
    };
    let chains: ListAuditChainsResponse = session
        .connection
        .call_for(
            "AuditService/ListAuditChains",
            &ListAuditChainsRequest {},
            ANSWER_WITHIN,
        )
        .await?;
    for key in &chains.audit_keys {
        let line = line::key(&key.public_key, &key.by, &key.signature);
        writeln!(out, "{line}").map_err(failed)?;
    }
    let mut entries = 0_u64;
    for head in chains.audit_chains {
        let (written, checkpoints) = chain(&head, &mut out, session).await?;
        entries += written;
        let kept = chains.audit_witnesses.iter();
        let kept = kept.filter(|it| it.chain == head.chain);
        let mut witnesses = 0_u64;
        for it in kept {
            writeln!(out, "{}", witness(it)).map_err(failed)?;
            witnesses += 1;
        }
        let end = json!({
            "chain": head.chain, "end": head.sequence, "hash": hex::write(&head.hash),
            "keys": chains.audit_keys.len(), "checkpoints": checkpoints, "witnesses": witnesses,
        });
        writeln!(out, "{end}").map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    output::remark(format!("{entries} entries"));
    Ok(())
}

fn witness(it: &AuditWitness) -> Value {
    json!({
        "chain": it.chain, "witness": hex::write(&it.checkpoint_hash), "length": it.length,
        "edge": it.edge, "identity": it.identity, "certified": it.certified,
        "at": it.witness_time.map(|at| at.seconds),
    })
}

/// Writes a chain to where it ended when it was asked; what has come since is the next export's.
async fn chain(
    head: &AuditChain,
    out: &mut Box<dyn Write>,
    session: &mut Session,
) -> Result<(u64, u64), Failure> {
    let mut after_sequence = 0;
    let (mut written, mut checkpoints) = (0, 0);
    while after_sequence < head.sequence {
        let request = ExportAuditEntriesRequest {
            chain: head.chain.clone(),
            after_sequence,
        };
        let path = "AuditService/ExportAuditEntries";
        let page: ExportAuditEntriesResponse = session
            .connection
            .call_for(path, &request, ANSWER_WITHIN)
            .await?;
        if page.audit_entries.is_empty() {
            return Err(Failure::broken("a chain ends before its end"));
        }
        let mut signed = page.audit_checkpoints.into_iter().peekable();
        for it in page.audit_entries {
            if it.sequence > head.sequence {
                break;
            }
            after_sequence = it.sequence;
            written += 1;
            let sequence = it.sequence.unsigned_abs();
            let line = line::entry(&it.chain, sequence, &it.hash, &it.entry);
            let failed = |error: io::Error| Failure::system("write the export", &error);
            writeln!(out, "{line}").map_err(failed)?;
            while let Some(checkpoint) = signed.next_if(|signed| signed.length == it.sequence) {
                checkpoints += 1;
                let (key, signature) = (&checkpoint.public_key, &checkpoint.signature);
                let line = line::checkpoint(&it.chain, &checkpoint.text, key, signature);
                writeln!(out, "{line}").map_err(failed)?;
            }
        }
        if page_is_past(after_sequence, head) {
            break;
        }
    }
    Ok((written, checkpoints))
}

const fn page_is_past(sequence: i64, head: &AuditChain) -> bool {
    sequence >= head.sequence
}
