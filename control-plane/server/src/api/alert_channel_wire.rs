//! Channels of alerts between the wire and the store: what is wanted, what is shown, where a notice goes.
//!
//! A credential passes through inward, and comes out only as a destination, which nobody can print.

use std::mem;

use courier::{Destination, Mail, Mailbox, Place, Security, Server, SigningSecret};
use domain::{
    name::{AlertChannelName, OrganizationName},
    segment::Slug,
    text,
    violation::Violations,
};
use proto::admin::{self, AlertChannelKind, AlertEmailSecurity};
use seal::Ring;
use store::{
    alert_channel::{New, Row, Terms},
    id,
};
use uuid::Uuid;
use zeroize::Zeroizing;

use crate::{
    api::{desk, moment},
    sealed,
};

/// The most recipients of an e-mail.
const RECIPIENTS_MAX: usize = 20; // Full: more are refused.

/// The longest name of a user, in characters.
const USERNAME_CHARACTERS_MAX: usize = 200;

const URL: &str = "alert_channel.url";
const CREDENTIAL: &str = "alert_channel.credential";
const EMAIL: &str = "alert_channel.email";
const PLAINTEXT: &str = "must begin with https://; http:// is for this machine alone";

/// A channel as an operator wants it, checked.
pub(crate) struct Wanted {
    name: AlertChannelName,
    terms: Terms,
    credential: Zeroizing<String>,
}

/// Reads a request for a new channel.
pub(crate) fn wanted(asked: admin::CreateAlertChannelRequest) -> Result<Wanted, Violations> {
    let mut given = desk::required(asked.alert_channel, "alert_channel")?;
    let credential = Zeroizing::new(mem::take(&mut given.credential));
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("alert_channel_id", Slug::parse(&asked.alert_channel_id));
    let display_name = violations.take(
        "alert_channel.display_name",
        text::display_name(&given.display_name),
    );
    let kind = given.kind();
    if kind != AlertChannelKind::Email && given.email.is_some() {
        violations.add(EMAIL, "is for e-mail alone");
    }
    if kind != AlertChannelKind::Webhook && !given.url.is_empty() {
        violations.add(
            URL,
            "is for webhooks alone; that of Slack is its credential",
        );
    }
    let terms = match kind {
        AlertChannelKind::Webhook => webhook(&given.url, &credential, &mut violations),
        AlertChannelKind::Slack => slack(&credential, &mut violations),
        AlertChannelKind::Email => email(given.email, &credential, &mut violations),
        AlertChannelKind::Unspecified => {
            violations.add("alert_channel.kind", "is required, and must be known");
            None
        }
    };
    let (Some(parent), Some(alert_channel), Some(display_name), Some(terms), true) =
        (parent, slug, display_name, terms, violations.is_empty())
    else {
        return Err(violations);
    };
    Ok(Wanted {
        name: AlertChannelName {
            organization: parent.organization,
            alert_channel,
        },
        terms: Terms {
            display_name,
            ..terms
        },
        credential,
    })
}

fn terms(kind: AlertChannelKind, address: String) -> Terms {
    Terms {
        display_name: String::new(),
        kind: i16::try_from(kind as i32).unwrap_or(0),
        address,
        security: 0,
        username: String::new(),
        sender: String::new(),
        recipients: Vec::new(),
        credential_sealed: None,
    }
}

/// A URL that may be asked.
fn place(field: &str, text: &str, violations: &mut Violations) -> Option<Place> {
    let place = violations.take(field, Place::parse(text))?;
    if !place.is_safe() {
        violations.add(field, PLAINTEXT);
        return None;
    }
    Some(place)
}

fn webhook(url: &str, credential: &str, violations: &mut Violations) -> Option<Terms> {
    let place = place(URL, url, violations);
    let secret = violations.take(CREDENTIAL, SigningSecret::parse(credential));
    let (Some(_), Some(_)) = (place, secret) else {
        return None;
    };
    Some(terms(AlertChannelKind::Webhook, url.to_owned()))
}

fn slack(credential: &str, violations: &mut Violations) -> Option<Terms> {
    let place = place(CREDENTIAL, credential, violations)?;
    Some(terms(AlertChannelKind::Slack, place.origin()))
}

fn email(
    given: Option<admin::AlertEmail>,
    credential: &str,
    violations: &mut Violations,
) -> Option<Terms> {
    let Some(given) = given else {
        violations.add(EMAIL, "is required for e-mail");
        return None;
    };
    let before = violations.clone();
    let (security, port) = match given.security() {
        AlertEmailSecurity::Unspecified | AlertEmailSecurity::Starttls => (1, 587),
        AlertEmailSecurity::Tls => (2, 465),
        AlertEmailSecurity::None => (3, 25),
    };
    let server = violations.take(
        &format!("{EMAIL}.server"),
        Server::parse(&given.server, port),
    );
    violations.take(&format!("{EMAIL}.sender"), Mailbox::parse(&given.sender));
    if given.recipients.is_empty() || given.recipients.len() > RECIPIENTS_MAX {
        let why = format!("must hold 1 to {RECIPIENTS_MAX}");
        violations.add(format!("{EMAIL}.recipients"), why);
    }
    for (at, it) in given.recipients.iter().take(RECIPIENTS_MAX).enumerate() {
        violations.take(&format!("{EMAIL}.recipients[{at}]"), Mailbox::parse(it));
    }
    let username = text::within(&given.username, USERNAME_CHARACTERS_MAX);
    violations.take(&format!("{EMAIL}.username"), username);
    let password = text::within(credential, text::CREDENTIAL_CHARACTERS_MAX);
    violations.take(CREDENTIAL, password);
    if given.username.is_empty() != credential.is_empty() {
        violations.add(
            CREDENTIAL,
            "must be set with a username, and not without one",
        );
    }
    let server = server.filter(|_| *violations == before)?;
    Some(Terms {
        security,
        username: given.username,
        sender: given.sender,
        recipients: given.recipients,
        ..terms(AlertChannelKind::Email, server.to_string())
    })
}

/// The channel as it is shown, without its credential.
pub(crate) fn wire(row: Row) -> admin::AlertChannel {
    let etag = row.etag();
    let terms = row.terms;
    let kind = AlertChannelKind::try_from(i32::from(terms.kind)).unwrap_or_default();
    let email = kind == AlertChannelKind::Email;
    admin::AlertChannel {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.id).simple().to_string(),
        display_name: terms.display_name,
        etag,
        create_time: Some(moment::to_wire(row.created_at)),
        kind: kind.into(),
        url: if email {
            String::new()
        } else {
            terms.address.clone()
        },
        credential: String::new(),
        credential_set: terms.credential_sealed.is_some(),
        email: email.then_some(admin::AlertEmail {
            server: terms.address,
            security: i32::from(terms.security),
            username: terms.username,
            sender: terms.sender,
            recipients: terms.recipients,
        }),
    }
}

/// Where notices of a channel go; `None` where what is kept of it cannot be read.
pub(crate) fn destination(row: &Row, key: &Ring) -> Option<Destination> {
    let terms = &row.terms;
    let opened = match &terms.credential_sealed {
        Some(sealed) => sealed::open_alert_credential(key, &row.id, sealed).ok()?,
        None => Zeroizing::new(Vec::new()),
    };
    let credential = str::from_utf8(&opened).ok()?;
    match AlertChannelKind::try_from(i32::from(terms.kind)).ok()? {
        AlertChannelKind::Webhook => {
            let place = Place::parse(&terms.address).ok()?;
            let secret = SigningSecret::parse(credential).ok()?;
            Some(Destination::Webhook(place, secret))
        }
        AlertChannelKind::Slack => Place::parse(credential).ok().map(Destination::Slack),
        AlertChannelKind::Email => {
            let recipients = terms.recipients.iter().map(|it| Mailbox::parse(it));
            Some(Destination::Mail(Box::new(Mail {
                server: Server::parse(&terms.address, 0).ok()?,
                security: match terms.security {
                    2 => Security::Tls,
                    3 => Security::None,
                    _ => Security::StartTls,
                },
                username: terms.username.clone(),
                password: Zeroizing::new(credential.to_owned()),
                sender: Mailbox::parse(&terms.sender).ok()?,
                recipients: recipients.collect::<Result<_, _>>().ok()?,
            })))
        }
        AlertChannelKind::Unspecified => None,
    }
}

// === impl Wanted ===

impl Wanted {
    /// The row to make.
    pub(crate) fn into_new(self, key: &Ring) -> New {
        let id = id::draw();
        let clear = self.credential.as_bytes();
        let sealed = || sealed::seal_alert_credential(key, &id, clear);
        let credential_sealed = (!clear.is_empty()).then(sealed);
        New {
            id,
            name: self.name,
            terms: Terms {
                credential_sealed,
                ..self.terms
            },
        }
    }
}
