//! `sluice roles`: roles of the organization's own, and what roles may hold.

use clap::{Args, Subcommand};
use proto::admin::{ListPermissionsRequest, ListPermissionsResponse, Role};

use crate::{
    admin::{
        field::{Change, Mask, Wanted, Which},
        plain::run_verb,
    },
    connection::ANSWER_WITHIN,
    failure::Failure,
    noun,
    output::{self, Format},
    session::Session,
    verb::Verb,
};

/// What can be done with roles.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one, change one, and what stands.
    #[command(flatten)]
    Plain(Verb<Fields, Fields>),
    /// Show what roles may hold, and which of those that are built in hold it
    Permissions,
}

/// Its fields.
#[derive(Debug, Clone, Args)]
pub struct Fields {
    /// What it allows, such as keys.read; may be repeated, and replaces all that it allowed before
    #[arg(long = "permission", value_name = "PERMISSION", value_delimiter = ',')]
    permissions: Vec<String>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Plain(verb) => run_verb(&noun::ROLE, verb, session).await,
        Command::Permissions => permissions(session).await,
    }
}

async fn permissions(session: &mut Session) -> Result<(), Failure> {
    let path = "RoleService/ListPermissions";
    let asked = ListPermissionsRequest {};
    let all = session.connection.call_for(path, &asked, ANSWER_WITHIN);
    let all: ListPermissionsResponse = all.await?;
    if session.format == Format::Json {
        return session.show_typed("ListPermissionsResponse", &all);
    }
    let row = |it: proto::admin::Permission| {
        let own = if it.is_of_an_organization {
            "yes"
        } else {
            "no"
        };
        vec![
            it.permission,
            own.to_owned(),
            it.roles.join(", "),
            it.description,
        ]
    };
    let rows: Vec<Vec<String>> = all.permissions.into_iter().map(row).collect();
    let heads = ["PERMISSION", "IN OWN ROLES", "HELD BY", "ALLOWS"];
    output::line(output::table(&heads, &rows))
}

impl Wanted for Fields {
    type Resource = Role;

    fn wanted(self, _: &Session) -> Result<Role, Failure> {
        Ok(Role {
            display_name: self.display_name.unwrap_or_default(),
            permissions: self.permissions,
            ..Default::default()
        })
    }
}

impl Change for Fields {
    type Resource = Role;

    fn change(&self, it: Which, _: &Session) -> Result<(Role, Mask), Failure> {
        let mut mask = Mask::default();
        let role = Role {
            name: it.name,
            etag: it.etag,
            display_name: mask.take("display_name", self.display_name.clone()),
            permissions: mask.take_list("permissions", &self.permissions, false),
            ..Default::default()
        };
        Ok((role, mask))
    }
}
