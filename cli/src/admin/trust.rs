//! `sluice trusts`: whose tokens let somebody in as an operator, and with which roles.

use std::time::Duration;

use clap::{Args, Subcommand};
use proto::admin::{
    ClaimPattern, CreateTrustRequest, DeleteTrustRequest, GetTrustRequest, Trust, TrustGrant,
};

use crate::{
    admin::operator_key::{Keeper, named_role, scope},
    connection::ANSWER_WITHIN,
    failure::Failure,
    moment::{self, span},
    noun,
    session::Session,
    verb::Write,
};

/// The issuers that have a short name.
const ISSUERS: [(&str, &str); 2] = [
    ("github", "https://token.actions.githubusercontent.com"),
    ("gitlab", "https://gitlab.com"),
];

/// What can be done with trusts.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; it never changes
    Create(Box<Create>),
    /// Delete one, and revoke what was given for its tokens
    Delete(Which),
    /// Show one
    Get(Which),
    /// Show those that the organization keeps
    List(Keeper),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct Create {
    #[command(flatten)]
    which: Which,
    /// What tokens say in `iss`, to the letter; `github` and `gitlab` stand for those of github.com and gitlab.com
    #[arg(long, value_name = "URL")]
    issuer_url: String,
    /// Where its public keys are; without it, where its discovery document says
    #[arg(long, value_name = "URL", default_value = "")]
    keys_url: String,
    /// What tokens must be for: what stands in `aud`; may be repeated. Without it, the client of --client-id, or else `sluice`
    #[arg(long, value_name = "TEXT")]
    audience: Vec<String>,
    /// As whom the issuer knows `sluice login`, where people log in by it: a public client
    #[arg(long, value_name = "ID", default_value = "")]
    client_id: String,
    /// What such a login asks for beside `openid`, such as groups; may be repeated
    #[arg(long = "scope", value_name = "SCOPE", requires = "client_id")]
    scopes: Vec<String>,
    /// What `sub` must fit, such as 'repo:acme/chat:ref:refs/heads/main'; `*` stands for any text without / and :, `**` for
    /// any
    #[arg(long, value_name = "PATTERN", default_value = "")]
    subject: String,
    /// What else a token must say, such as environment=production or 'ref=refs/heads/*'; may be repeated
    #[arg(long = "claim", value_name = "CLAIM=PATTERN")]
    claims: Vec<String>,
    /// A role that tokens open and where, such as model-publisher@organization or roles/triage@project; after a comma, what a token must say to open
    /// it, such as owner@organization,groups=admins; may be repeated
    #[arg(long = "role", value_name = "ROLE@SCOPE", required = true)]
    roles: Vec<String>,
    /// How long what a token is exchanged for works, at most 1h; 15m without it
    #[arg(long, value_name = "SPAN", value_parser = span)]
    lifetime: Option<Duration>,
    /// What people call it
    #[arg(long, value_name = "TEXT", default_value = "")]
    display_name: String,
    #[command(flatten)]
    write: Write,
}

/// Which one.
#[derive(Debug, Clone, Args)]
pub struct Which {
    /// Its id or whole name
    name: String,
    #[command(flatten)]
    keeper: Keeper,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Create(new) => create(*new, session).await,
        Command::Get(which) => {
            let name = which.name(session)?;
            let trust: Trust = session
                .connection
                .call_for(
                    "TrustService/GetTrust",
                    &GetTrustRequest { name },
                    ANSWER_WITHIN,
                )
                .await?;
            session.show_typed("Trust", &trust)
        }
        Command::Delete(which) => {
            let name = which.name(session)?;
            let request = DeleteTrustRequest {
                name: name.clone(),
                ..Default::default()
            };
            let reply = session
                .connection
                .call("TrustService/DeleteTrust", &request, ANSWER_WITHIN)
                .await?;
            session.show_done("deleted", &name, &reply, &Write::default())
        }
        Command::List(keeper) => {
            let parent = keeper.parent(session)?;
            session.list(&noun::TRUST, &parent, usize::MAX).await
        }
    }
}

async fn create(new: Create, session: &mut Session) -> Result<(), Failure> {
    let parent = new.which.keeper.parent(session)?;
    let short = ISSUERS.iter().find(|(word, _)| *word == new.issuer_url);
    let mut audiences = new.audience;
    if audiences.is_empty() && new.client_id.is_empty() {
        audiences.push("sluice".to_owned());
    }
    let trust = Trust {
        display_name: new.display_name,
        issuer_url: short.map_or(new.issuer_url, |(_, url)| (*url).to_owned()),
        keys_url: new.keys_url,
        audiences,
        client_id: new.client_id,
        scopes: new.scopes,
        subject: new.subject,
        claims: claims("--claim", new.claims.iter().map(String::as_str))?,
        grants: grants(&new.roles, session)?,
        lifetime: new.lifetime.map(moment::wire_span),
        ..Default::default()
    };
    let request = CreateTrustRequest {
        parent,
        trust_id: new.which.name,
        trust: Some(trust),
        request_id: new.write.request_id.unwrap_or_default(),
        validate_only: new.write.validate_only,
    };
    let made: Trust = session
        .connection
        .call_for("TrustService/CreateTrust", &request, ANSWER_WITHIN)
        .await?;
    session.show_typed("Trust", &made)
}

fn claims<'a>(
    option: &str,
    given: impl Iterator<Item = &'a str>,
) -> Result<Vec<ClaimPattern>, Failure> {
    let claim = |text: &str| {
        let (claim, pattern) = text
            .split_once('=')
            .ok_or_else(|| Failure::usage(format!("{option} {text}: write it as CLAIM=PATTERN")))?;
        Ok(ClaimPattern {
            claim: claim.to_owned(),
            pattern: pattern.to_owned(),
        })
    };
    given.map(claim).collect()
}

fn grants(roles: &[String], session: &Session) -> Result<Vec<TrustGrant>, Failure> {
    let grant = |text: &String| {
        let mut parts = text.split(',');
        let held = parts.next().unwrap_or_default();
        let (role, at) = held
            .split_once('@')
            .ok_or_else(|| Failure::usage(format!("--role {text}: write it as ROLE@SCOPE")))?;
        Ok(TrustGrant {
            role: named_role(role, session)?,
            scope: scope(at, session)?,
            claims: claims("--role", parts)?,
        })
    };
    roles.iter().map(grant).collect()
}

// === impl Which ===

impl Which {
    fn name(&self, session: &Session) -> Result<String, Failure> {
        self.keeper.name(&noun::TRUST, &self.name, session)
    }
}
