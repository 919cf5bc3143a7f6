//! Which form a credential's text has.
//!
//! Owns the words for the forms. A text that begins with a brace is one of them; any other is presented as it is.

use policy::provider::ProviderKind;

use crate::{
    amazon::Role,
    entra::Application,
    fields::Fields,
    google::{Account, Federated, Machine},
    invalid::Invalid,
};

/// The longest text of a form, in bytes.
pub const TEXT_BYTES_MAX: usize = 16_384;

/// A credential that is exchanged.
pub enum Form {
    /// `service_account`: the key of a service account of Google's.
    GoogleAccount(Account),
    /// `external_account`: a workload that another issuer vouches for, at Google.
    GoogleFederated(Federated),
    /// `metadata_server`: the machine that the edge runs on, at Google.
    GoogleMachine(Machine),
    /// `assume_role` and `web_identity`: a role at Amazon.
    AmazonRole(Role),
    /// `client_secret` and `workload_identity`: an application of Entra ID.
    EntraApplication(Application),
}

/// Whether a text is that of a form.
pub fn is_exchanged(text: &[u8]) -> bool {
    text.first() == Some(&b'{')
}

/// Reads a form for a provider of this kind. `declared` are the origins to which an operator lets it go, beside those
/// that stand for its kind by themselves.
pub fn read(kind: ProviderKind, text: &str, declared: &[String]) -> Result<Form, Invalid> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Invalid::TooLong);
    }
    let known = match kind {
        ProviderKind::Vertex => "service_account, external_account or metadata_server",
        ProviderKind::Bedrock => "assume_role or web_identity",
        ProviderKind::AzureOpenAi => "client_secret or workload_identity",
        _ => return Err(Invalid::NotExchanged),
    };
    let mut fields = Fields::read(text)?;
    let form = fields.word("type").map_err(|_| Invalid::Type(known))?;
    match (kind, form.as_str()) {
        (ProviderKind::Vertex, "service_account") => {
            Account::read(fields, declared).map(Form::GoogleAccount)
        }
        (ProviderKind::Vertex, "external_account") => {
            Federated::read(fields, declared).map(Form::GoogleFederated)
        }
        (ProviderKind::Vertex, "metadata_server") => {
            Machine::read(fields, declared).map(Form::GoogleMachine)
        }
        (ProviderKind::Bedrock, "assume_role") => {
            Role::by_keys(fields, declared).map(Form::AmazonRole)
        }
        (ProviderKind::Bedrock, "web_identity") => {
            Role::by_file(fields, declared).map(Form::AmazonRole)
        }
        (ProviderKind::AzureOpenAi, "client_secret") => {
            Application::by_secret(fields, declared).map(Form::EntraApplication)
        }
        (ProviderKind::AzureOpenAi, "workload_identity") => {
            Application::by_file(fields, declared).map(Form::EntraApplication)
        }
        _ => Err(Invalid::Type(known)),
    }
}

/// Reads the key of a service account of Google's, for whoever signs with it on their own account.
pub fn google_account(text: &str) -> Result<Account, Invalid> {
    if text.len() > TEXT_BYTES_MAX {
        return Err(Invalid::TooLong);
    }
    let mut fields = Fields::read(text)?;
    let form = fields.word("type");
    if form.is_ok_and(|it| it == "service_account") {
        Account::read(fields, &[])
    } else {
        Err(Invalid::Type("service_account"))
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::signing::tests::PEM;

    fn read_all(kind: ProviderKind, form: &Value, declared: &[&str]) -> Option<Invalid> {
        let declared: Vec<String> = declared.iter().map(ToString::to_string).collect();
        read(kind, &form.to_string(), &declared).err()
    }

    fn account(token_uri: &str) -> Value {
        json!({
            "type": "service_account", "project_id": "p", "private_key_id": "k1", "private_key": *PEM,
            "client_email": "a@p.iam.gserviceaccount.com", "client_id": "1", "token_uri": token_uri,
            "auth_uri": "https://accounts.google.com/o/oauth2/auth", "universe_domain": "googleapis.com",
        })
    }

    fn federated(source: &Value) -> Value {
        json!({
            "type": "external_account", "audience": "//iam.googleapis.com/projects/1/x",
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt", "credential_source": source,
            "token_url": "https://sts.googleapis.com/v1/token",
            "service_account_impersonation_url":
                "https://iamcredentials.googleapis.com/v1/projects/-/serviceAccounts/a@p.iam:generateAccessToken",
        })
    }

    fn role(member: &str, value: &Value) -> Value {
        let mut form = json!({
            "type": "assume_role", "role_arn": "arn:aws:iam::1:role/r", "access_key_id": "AKID", "secret_access_key": "s",
        });
        form[member] = value.clone();
        form
    }

    fn application(member: &str, value: &Value) -> Value {
        let mut form = json!({"type": "client_secret", "tenant_id": "t-1", "client_id": "c", "client_secret": "s s"});
        form[member] = value.clone();
        form
    }

    #[test]
    fn every_form_is_read_for_its_own_kind_alone() {
        let forms = [
            (
                ProviderKind::Vertex,
                account("https://oauth2.googleapis.com/token"),
            ),
            (
                ProviderKind::Vertex,
                federated(&json!({"file": "/var/run/t"})),
            ),
            (ProviderKind::Vertex, json!({"type": "metadata_server"})),
            (ProviderKind::Bedrock, role("external_id", &json!("x"))),
            (
                ProviderKind::Bedrock,
                json!({"type": "web_identity", "role_arn": "arn:aws:iam::1:role/r", "token_file": "/t"}),
            ),
            (
                ProviderKind::AzureOpenAi,
                application("scope", &json!("https://s/.default")),
            ),
            (
                ProviderKind::AzureOpenAi,
                json!({"type": "workload_identity", "tenant_id": "t", "client_id": "c", "token_file": "/t"}),
            ),
        ];
        for (own, form) in &forms {
            for kind in [
                ProviderKind::Vertex,
                ProviderKind::Bedrock,
                ProviderKind::AzureOpenAi,
                ProviderKind::OpenAi,
            ] {
                let why = read_all(kind, form, &[]);
                assert_eq!(why.is_none(), kind == *own, "{kind:?} {form}: {why:?}");
            }
        }
    }

    #[test]
    fn a_form_names_no_place_that_its_operator_did_not() {
        let elsewhere = "https://evil.example/token";
        let cases = [
            (ProviderKind::Vertex, account(elsewhere), "token_uri"),
            (
                ProviderKind::Vertex,
                account("http://oauth2.googleapis.com/token"),
                "token_uri",
            ),
            (
                ProviderKind::Vertex,
                account("https://oauth2.googleapis.com.evil.example/"),
                "token_uri",
            ),
            (
                ProviderKind::Vertex,
                federated(&json!({"url": "http://169.254.169.254/x"})),
                "url",
            ),
            (
                ProviderKind::Vertex,
                json!({"type": "metadata_server", "url": elsewhere}),
                "url",
            ),
            (
                ProviderKind::Bedrock,
                role("token_url", &json!(elsewhere)),
                "token_url",
            ),
            (
                ProviderKind::Bedrock,
                role("token_url", &json!("https://sts.a.evil.amazonaws.com.x")),
                "token_url",
            ),
            (
                ProviderKind::AzureOpenAi,
                application("authority", &json!("https://evil.example")),
                "authority",
            ),
        ];
        for (kind, form, member) in cases {
            assert_eq!(
                read_all(kind, &form, &[]),
                Some(Invalid::Origin(member)),
                "{form}"
            );
        }
        let declared = ["https://evil.example:443"];
        assert_eq!(
            read_all(ProviderKind::Vertex, &account(elsewhere), &declared),
            None
        );
        assert_eq!(
            read_all(
                ProviderKind::AzureOpenAi,
                &application("authority", &json!("https://evil.example")),
                &declared
            ),
            None
        );
        let mut form = federated(&json!({"file": "/t"}));
        form["service_account_impersonation_url"] = json!(elsewhere);
        let why = Invalid::Origin("service_account_impersonation_url");
        assert_eq!(read_all(ProviderKind::Vertex, &form, &[]), Some(why));
    }

    #[test]
    fn what_is_wrong_is_said_with_the_member_and_never_with_its_value() {
        let cases = [
            (
                ProviderKind::Vertex,
                json!({"type": "authorized_user"}),
                "must have a `type` of service_account",
            ),
            (
                ProviderKind::Vertex,
                json!({"type": "service_account"}),
                "lacks `client_email`",
            ),
            (
                ProviderKind::Vertex,
                json!({"type": "service_account", "client_email": "a", "private_key": "hush"}),
                "has a `private_key` that must be an RSA key",
            ),
            (
                ProviderKind::Vertex,
                federated(&json!({"file": "../t"})),
                "has a `file` that must be the whole path",
            ),
            (
                ProviderKind::Vertex,
                federated(&json!({"environment_id": "aws1"})),
                "has a `credential_source`",
            ),
            (
                ProviderKind::Bedrock,
                role("hush", &json!(1)),
                "holds a member that is none of type, role_arn",
            ),
            (
                ProviderKind::Bedrock,
                role("duration_seconds", &json!(60)),
                "must be 900 to 43200",
            ),
            (
                ProviderKind::Bedrock,
                role("secret_access_key", &json!("hu sh")),
                "must be visible ASCII",
            ),
            (
                ProviderKind::AzureOpenAi,
                application("tenant_id", &json!("a/hush")),
                "has a `tenant_id`",
            ),
            (
                ProviderKind::AzureOpenAi,
                application("client_secret", &json!("")),
                "must be a text that is not empty",
            ),
            (
                ProviderKind::OpenAi,
                json!({"type": "service_account"}),
                "takes an API key",
            ),
        ];
        for (kind, form, expected) in cases {
            let said = read_all(kind, &form, &[]).unwrap().to_string();
            assert!(said.contains(expected), "{said}");
            assert!(!said.contains("hush") && !said.contains("hu sh"), "{said}");
        }
        assert_eq!(
            read(ProviderKind::Vertex, "{", &[]).err(),
            Some(Invalid::NotJson)
        );
    }

    #[test]
    fn a_form_has_a_bound() {
        let long = format!("{{{}}}", " ".repeat(TEXT_BYTES_MAX));
        let why = read(ProviderKind::Vertex, &long, &[]).err();
        assert_eq!(why, Some(Invalid::TooLong));
    }
}
