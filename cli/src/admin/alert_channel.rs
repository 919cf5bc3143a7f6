//! What can be said of a channel of alerts.
//!
//! Its secret comes from a file, standard input or a variable, never from an argument.

use std::path::PathBuf;

use clap::{Args, Subcommand, ValueEnum};
use proto::admin::{AlertChannel, AlertChannelKind, AlertEmail, AlertEmailSecurity};

use crate::{
    admin::{credential_text, field::Wanted, plain::run_standing},
    failure::{Exit, Failure},
    noun, output,
    session::Session,
    verb::{Create, Get, Standing},
    wording,
};

/// What can be done with channels.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; it never changes
    Create(Box<Create<New>>),
    /// Send a notice that says that it is a test; exits 1 when it does not arrive
    Test(Get),
    /// What stands.
    #[command(flatten)]
    Standing(Standing),
}

/// A new one.
#[derive(Debug, Clone, Args)]
pub struct New {
    /// Post signed JSON to this URL; what signs is its credential, `whsec_` and base64
    #[arg(long, value_name = "URL", conflicts_with_all = ["slack", "email_server"], required_unless_present_any = ["slack", "email_server"])]
    webhook: Option<String>,
    /// Post to an incoming webhook of Slack; its URL is the credential
    #[arg(long, conflicts_with = "email_server")]
    slack: bool,
    /// Send e-mail by this server, such as smtp.example.com:587
    #[arg(long, value_name = "HOST", requires_all = ["sender", "recipient"])]
    email_server: Option<String>,
    /// How the connection to the server is secured
    #[arg(long, value_name = "HOW", requires = "email_server")]
    security: Option<Security>,
    /// As whom to sign in to the server; the credential is the password
    #[arg(long, value_name = "NAME", requires = "email_server")]
    username: Option<String>,
    /// From whom e-mail comes, such as `Sluice <sluice@example.com>`
    #[arg(long, value_name = "ADDRESS", requires = "email_server")]
    sender: Option<String>,
    /// Whom e-mail goes to; may be repeated
    #[arg(long, value_name = "ADDRESS", requires = "email_server")]
    recipient: Vec<String>,
    /// A file that holds the credential; `-` is standard input
    #[arg(long, value_name = "FILE", conflicts_with = "credential_env")]
    credential_file: Option<PathBuf>,
    /// The name of a variable that holds the credential
    #[arg(long, value_name = "VARIABLE")]
    credential_env: Option<String>,
    /// What people call it
    #[arg(long, value_name = "TEXT")]
    display_name: Option<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Security {
    /// It begins in plaintext and must become TLS
    Starttls,
    /// It is TLS from the first byte on
    Tls,
    /// It is plaintext: to the control plane's own machine, where its settings allow that
    None,
}

impl Wanted for New {
    type Resource = AlertChannel;

    fn wanted(self, _: &Session) -> Result<AlertChannel, Failure> {
        let (file, variable) = (
            self.credential_file.as_deref(),
            self.credential_env.as_deref(),
        );
        let credential = credential_text::read(file, variable)?;
        let kind = match (&self.webhook, self.slack) {
            (Some(_), _) => AlertChannelKind::Webhook,
            (None, true) => AlertChannelKind::Slack,
            (None, false) => AlertChannelKind::Email,
        };
        let security = match self.security {
            None | Some(Security::Starttls) => AlertEmailSecurity::Starttls,
            Some(Security::Tls) => AlertEmailSecurity::Tls,
            Some(Security::None) => AlertEmailSecurity::None,
        };
        let (username, sender) = (self.username, self.sender);
        let email = self.email_server.map(|server| AlertEmail {
            server,
            security: security.into(),
            username: username.unwrap_or_default(),
            sender: sender.unwrap_or_default(),
            recipients: self.recipient,
        });
        Ok(AlertChannel {
            kind: kind.into(),
            url: self.webhook.unwrap_or_default(),
            credential,
            email,
            display_name: self.display_name.unwrap_or_default(),
            ..Default::default()
        })
    }
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::ALERT_CHANNEL;
    match command {
        Command::Create(create) => {
            let name = session.place.name(noun.collections, &create.name)?;
            let (fields, write) = (create.fields, create.write);
            let channel = fields.wanted(session)?;
            let reply = session.create(noun, &name, &channel, &write).await?;
            session.finish(&reply, &write).await
        }
        Command::Test(which) => {
            let name = session.place.name(noun.collections, &which.name)?;
            let reply = session.call_by_name(noun, "Test", &name).await?;
            session.show(&reply)?;
            match wording::field(&reply, "error").as_str() {
                "" => {
                    output::remark("it arrived");
                    Ok(())
                }
                why => Err(Failure::new(
                    Exit::Failed,
                    format!("it did not arrive: {why}"),
                )),
            }
        }
        Command::Standing(standing) => run_standing(noun, &standing, session).await,
    }
}
