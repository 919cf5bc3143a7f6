//! `sluice login`, `whoami` and `logout`: a token of somebody else's, or a password and a code, become an operator key that ends soon and is
//! kept for the commands after it.
//!
//! Knows where CI systems keep the identity of a job; knows nothing of what is in a token. No token and no key is printed,
//! but where the key's text is all that was asked for.

use std::{fs, path::PathBuf};

use clap::Args;
use proto::admin::{
    DescribeLoginRequest, DescribeLoginResponse, ExchangeTokenRequest, ExchangeTokenResponse,
    LogoutRequest, LogoutResponse, OperatorKey, WhoAmIRequest,
};
use time::OffsetDateTime;
use zeroize::Zeroizing;

use crate::{
    connection::{ANSWER_WITHIN, Access},
    failure::{Exit, Failure},
    local,
    logins::{self, Login, Logins},
    moment, output,
    person::Issuer,
    session::Session,
    web::{Web, form},
};

/// The longest token that is read from a file, in bytes.
// Full: it is none.
const TOKEN_BYTES_MAX: u64 = 64 << 10;

/// The collections of a trust's name.
const TRUSTS: &[&str] = &["organizations", "trusts"];

/// What a login is told.
#[derive(Debug, Clone, Args)]
pub struct Arguments {
    /// The trust that is to take the token; `trusts/NAME` for one above all organizations
    #[arg(
        long,
        env = "SLUICE_TRUST",
        value_name = "NAME",
        required_unless_present = "user"
    )]
    trust: Option<String>,
    /// The local user who logs in by a password and a code, whatever the trust; `localUsers/NAME` for one above all organizations
    #[arg(
        long,
        env = "SLUICE_USER",
        value_name = "NAME",
        conflicts_with_all = ["ci", "browser"]
    )]
    user: Option<String>,
    /// Take the token that this CI job has: in a file, in `SLUICE_ID_TOKEN`, or as GitHub gives it to jobs
    #[arg(long, conflicts_with = "browser")]
    ci: bool,
    /// Log in by a browser on this machine, in place of a code that is entered anywhere
    #[arg(long)]
    browser: bool,
    /// A file that holds the token
    #[arg(long, env = "SLUICE_ID_TOKEN_FILE", value_name = "FILE")]
    token_file: Option<PathBuf>,
    /// For whom GitHub is to issue the token: an audience of the trust
    #[arg(
        long,
        env = "SLUICE_AUDIENCE",
        value_name = "TEXT",
        default_value = "sluice"
    )]
    audience: String,
    /// Print nothing but the key's text, and keep nothing
    #[arg(long)]
    text_only: bool,
}

/// Logs in.
pub async fn run(
    arguments: &Arguments,
    access: &Access,
    session: &mut Session,
) -> Result<(), Failure> {
    if let Some(user) = &arguments.user {
        let reply = local::log_in(user, session).await?;
        let key = (reply.operator_key.unwrap_or_default(), reply.text);
        return keep(key, arguments.text_only, access, session);
    }
    let trust = match arguments.trust.as_deref().unwrap_or_default() {
        above if above.starts_with("trusts/") => above.to_owned(),
        name => session.place.name(TRUSTS, name)?,
    };
    let token = if arguments.ci {
        of_job(arguments, access).await?
    } else {
        of_person(&trust, arguments.browser, access, session).await?
    };
    let key = exchange(trust, &token, session).await?;
    keep(key, arguments.text_only, access, session)
}

/// A token that a person has their issuer give.
async fn of_person(
    trust: &str,
    browser: bool,
    access: &Access,
    session: &mut Session,
) -> Result<Zeroizing<String>, Failure> {
    let request = DescribeLoginRequest {
        trust: trust.to_owned(),
    };
    let by: DescribeLoginResponse = session
        .connection
        .call_for("LoginService/DescribeLogin", &request, ANSWER_WITHIN)
        .await?;
    let web = Web::open(access.ca_file.as_deref())?;
    let issuer = Issuer::discover(&web, &by.issuer_url, &by.client_id, &by.scopes).await?;
    if browser {
        issuer.by_browser().await
    } else {
        issuer.by_device().await
    }
}

/// Shows who this is.
pub async fn who_am_i(session: &mut Session) -> Result<(), Failure> {
    let path = "LoginService/WhoAmI";
    let key: OperatorKey = session
        .connection
        .call_for(path, &WhoAmIRequest {}, ANSWER_WITHIN)
        .await?;
    session.show_typed("OperatorKey", &key)
}

/// Revokes what a login has left, and forgets it.
pub async fn log_out(access: &Access, session: &mut Session) -> Result<(), Failure> {
    let path = "LoginService/Logout";
    let ended: Result<LogoutResponse, _> = session
        .connection
        .call_for(path, &LogoutRequest {}, ANSWER_WITHIN)
        .await;
    match ended {
        Ok(_) => {}
        // It has ended by itself, or somebody has revoked it.
        Err(why) if why.exit() == Exit::Denied => {}
        Err(why) => return Err(why),
    }
    if let Some(logins) = Logins::usual() {
        logins.forget(&access.address)?;
    }
    output::line(format_args!("logged out at {}", access.address))
}

/// The token that this CI job has.
async fn of_job(arguments: &Arguments, access: &Access) -> Result<Zeroizing<String>, Failure> {
    let named = |name| std::env::var(name).ok().filter(|it| !it.is_empty());
    let file = arguments.token_file.as_ref();
    if let Some(path) = file.filter(|it| !it.as_os_str().is_empty()) {
        return from_file(path);
    }
    if let Some(text) = named("SLUICE_ID_TOKEN") {
        return Ok(Zeroizing::new(text.trim().to_owned()));
    }
    let asked = named("ACTIONS_ID_TOKEN_REQUEST_URL").zip(named("ACTIONS_ID_TOKEN_REQUEST_TOKEN"));
    let Some((url, bearer)) = asked else {
        let advice = "on GitHub the job needs `permissions: id-token: write`; on GitLab an `id_tokens` named \
                      SLUICE_ID_TOKEN; elsewhere name a file with --token-file";
        return Err(Failure::new(Exit::Denied, "this job has no token").with_advice(advice));
    };
    let joint = if url.contains('?') { '&' } else { '?' };
    let url = format!("{url}{joint}{}", form(&[("audience", &arguments.audience)]));
    let web = Web::open(access.ca_file.as_deref())?;
    let answer = web.get(&url, Some(&bearer)).await?;
    match answer.text("value") {
        "" => {
            let status = answer.status.as_u16();
            let sentence = format!("GitHub gave this job no token: status {status}");
            Err(Failure::new(Exit::Denied, sentence))
        }
        token => Ok(Zeroizing::new(token.to_owned())),
    }
}

fn from_file(path: &std::path::Path) -> Result<Zeroizing<String>, Failure> {
    let refused = |error| Failure::system(format!("read {}", path.display()), &error);
    if fs::metadata(path).map_err(refused)?.len() > TOKEN_BYTES_MAX {
        return Err(refused(std::io::ErrorKind::FileTooLarge.into()));
    }
    let text = Zeroizing::new(fs::read_to_string(path).map_err(refused)?);
    Ok(Zeroizing::new(text.trim().to_owned()))
}

/// The key that a token is exchanged for, and its text.
async fn exchange(
    trust: String,
    token: &str,
    session: &mut Session,
) -> Result<(OperatorKey, String), Failure> {
    let request = ExchangeTokenRequest {
        trust,
        token: token.to_owned(),
    };
    let reply: ExchangeTokenResponse = session
        .connection
        .call_for("LoginService/ExchangeToken", &request, ANSWER_WITHIN)
        .await?;
    Ok((reply.operator_key.unwrap_or_default(), reply.text))
}

/// Keeps a key for the commands after this one, and shows it without its text; or prints the text alone.
fn keep(
    (key, text): (OperatorKey, String),
    text_only: bool,
    access: &Access,
    session: &Session,
) -> Result<(), Failure> {
    let text = Zeroizing::new(text);
    if text_only {
        return output::line(text.as_str());
    }
    let ends_at = key.expire_time.as_ref().map_or(0, |it| it.seconds);
    let logins = Logins::usual().ok_or_else(|| {
        let sentence = "there is no home in which the login could be kept";
        let advice = format!("set {} or take --text-only", logins::VARIABLE);
        Failure::new(Exit::Failed, sentence).with_advice(advice)
    })?;
    logins.keep(Login {
        address: access.address.clone(),
        name: key.name.clone(),
        text,
        ends_at,
    })?;
    session.show_typed("OperatorKey", &key)?;
    output::remark(format_args!(
        "logged in at {} until {}; kept in {}",
        access.address,
        moment::written(ends_at),
        logins.path().display()
    ));
    Ok(())
}

/// The text of the key that a login at this control plane has left, whether it has ended or not.
pub fn left(access: &Access) -> Result<Option<Zeroizing<String>>, Failure> {
    let login = Logins::usual().map(|it| it.at(&access.address));
    Ok(login.transpose()?.flatten().map(|it| it.text))
}

/// The text of the key that a login at this control plane has left; an error where that has ended.
pub fn kept(access: &Access, now: OffsetDateTime) -> Result<Option<Zeroizing<String>>, Failure> {
    let Some(logins) = Logins::usual() else {
        return Ok(None);
    };
    match logins.at(&access.address)? {
        None => Ok(None),
        Some(login) if login.ends_at > now.unix_timestamp() => Ok(Some(login.text)),
        Some(login) => {
            let ended = moment::written(login.ends_at);
            let sentence = format!("the login at {} ended at {ended}", access.address);
            Err(Failure::new(Exit::Denied, sentence).with_advice("log in again: `sluice login`"))
        }
    }
}
