//! `sluice audit`: who did what, kept elsewhere, and shown to be whole.
//!
//! An export is JSON lines: every entry with its text as it was hashed, and a last line for each chain that says where it
//! ends. Verifying one needs nothing but the file.

use std::{
    collections::BTreeMap,
    fs::File,
    io::{self, BufRead, BufReader, BufWriter, Write},
    path::PathBuf,
};

use clap::{Args, Subcommand};
use proto::admin::{
    AuditChain, AuditEntry, ExportAuditEntriesRequest, ExportAuditEntriesResponse,
    ListAuditChainsRequest, ListAuditChainsResponse, ListAuditEntriesRequest,
    ListAuditEntriesResponse,
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::{
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
    /// By whom: the id of an operator key
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

/// What to verify.
#[derive(Debug, Clone, Args)]
pub struct Verify {
    /// The file that `sluice audit export` wrote
    file: PathBuf,
    /// The hash of an entry that must be in it, such as one that was noted when another export ended
    #[arg(long, value_name = "HEX")]
    contains: Option<String>,
}

/// Where a chain stands while it is read.
#[derive(Default)]
struct Walk {
    sequence: u64,
    hash: [u8; 32],
    ended: bool,
}

/// Runs a command that asks the control plane.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::List(list) => show(&list, session).await,
        Command::Export(export) => write(&export, session).await,
        Command::Verify(which) => verify(&which),
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
    let result = match said["reason"].as_str() {
        Some(reason) => format!("denied: {reason}"),
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
    let mut entries = 0_u64;
    for head in chains.audit_chains {
        entries += chain(&head, &mut out, session).await?;
        let end = json!({ "chain": head.chain, "end": head.sequence, "hash": hex(&head.hash) });
        writeln!(out, "{end}").map_err(failed)?;
    }
    out.flush().map_err(failed)?;
    output::remark(format!("{entries} entries"));
    Ok(())
}

/// Writes a chain to where it ended when it was asked; what has come since is the next export's.
async fn chain(
    head: &AuditChain,
    out: &mut Box<dyn Write>,
    session: &mut Session,
) -> Result<u64, Failure> {
    let mut after_sequence = 0;
    let mut written = 0;
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
        for it in page.audit_entries {
            if it.sequence > head.sequence {
                break;
            }
            after_sequence = it.sequence;
            written += 1;
            let line = json!({
                "chain": it.chain, "sequence": it.sequence, "hash": hex(&it.hash), "entry": it.entry,
            });
            writeln!(out, "{line}").map_err(|error| Failure::system("write the export", &error))?;
        }
        if page_is_past(after_sequence, head) {
            break;
        }
    }
    Ok(written)
}

const fn page_is_past(sequence: i64, head: &AuditChain) -> bool {
    sequence >= head.sequence
}

/// Tells whether an export is whole.
pub fn verify(which: &Verify) -> Result<(), Failure> {
    let failed = |error: io::Error| Failure::system("read the export", &error);
    let file = File::open(&which.file).map_err(failed)?;
    let mut chains: BTreeMap<String, Walk> = BTreeMap::new();
    let mut contained = which.contains.is_none();
    let mut entries = 0_u64;
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let line = line.map_err(failed)?;
        let number = at + 1;
        let wrong = |why: &str| Failure::broken(format!("line {number}: {why}"));
        let said: Value = serde_json::from_str(&line).map_err(|_| wrong("is no JSON"))?;
        let name = said["chain"]
            .as_str()
            .ok_or_else(|| wrong("names no chain"))?;
        let walk = chains.entry(name.to_owned()).or_default();
        if walk.ended {
            return Err(wrong("stands behind the end of its chain"));
        }
        if let Some(hash) = walk.step(&said).map_err(wrong)? {
            entries += 1;
            contained |= which.contains.as_deref() == Some(hash.as_str());
        }
    }
    if let Some((name, _)) = chains.iter().find(|(_, walk)| !walk.ended) {
        return Err(Failure::broken(format!("{name}: its end is missing")));
    }
    if !contained {
        return Err(Failure::broken("no entry has the hash that must be there"));
    }
    output::line(format!(
        "{entries} entries in {} chains, whole and unchanged",
        chains.len()
    ))?;
    for (name, walk) in &chains {
        output::line(format!("{name} {} {}", walk.sequence, hex(&walk.hash)))?;
    }
    Ok(())
}

// === impl Walk ===

impl Walk {
    /// Goes on by one line. Gives the hash of an entry.
    fn step(&mut self, said: &Value) -> Result<Option<String>, &'static str> {
        let claimed = said["hash"].as_str().ok_or("has no hash")?;
        if let Some(end) = said["end"].as_u64() {
            if end != self.sequence || claimed != hex(&self.hash) {
                return Err("the chain ends elsewhere: entries are missing, or were added");
            }
            self.ended = true;
            return Ok(None);
        }
        let sequence = said["sequence"].as_u64().ok_or("has no sequence")?;
        if sequence != self.sequence + 1 {
            return Err("is not the next of its chain: entries are missing, or in another order");
        }
        let entry = said["entry"].as_str().ok_or("has no entry")?;
        let mut hash = Sha256::new();
        hash.update(self.hash);
        hash.update(entry.as_bytes());
        let hash: [u8; 32] = hash.finalize().into();
        if claimed != hex(&hash) {
            return Err("its hash does not fit: it, or one before it, was changed");
        }
        let inner: Value = serde_json::from_str(entry).map_err(|_| "its entry is no JSON")?;
        if inner["sequence"].as_u64() != Some(sequence) || inner["chain"] != said["chain"] {
            return Err("its entry is of another place");
        }
        (self.sequence, self.hash) = (sequence, hash);
        Ok(Some(hex(&hash)))
    }
}

fn hex(bytes: &[u8]) -> String {
    let digits = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]);
    digits
        .filter_map(|digit| char::from_digit(digit.into(), 16))
        .collect()
}
