//! Asks one registry once, within a time.

use std::{fmt, time::Duration};

use base64::{Engine, engine::general_purpose::STANDARD};
use domain::source::{Origin, Seen};
use tokio::time::timeout;
use zeroize::Zeroizing;

use crate::{
    client::{Client, Question},
    config::Config,
    kserve, mlflow,
    unsaid::Unsaid,
};

/// How long it may take, with its connection.
const ANSWER_MAX: Duration = Duration::from_secs(10);

/// A registry, and what is followed there. Holds a secret: never printed.
pub struct Registry<'a> {
    /// Where it is asked, without a slash at its end.
    pub url: &'a str,
    /// What is followed.
    pub origin: &'a Origin,
    /// What is presented; empty: nothing.
    pub credential: Zeroizing<String>,
    /// Whose certificates are believed, as PEM; empty: those of the public authorities.
    pub ca_pem: &'a str,
}

/// Asks registries. Cheap to clone.
#[derive(Debug, Clone)]
pub struct Asker(Client);

/// What is wrong with authorities of PEM, if anything.
pub fn is_trusted(ca_pem: &str) -> Result<(), String> {
    let trusted = egress::trust_pem(Some(ca_pem.as_bytes()));
    trusted.map(drop).map_err(|why| why.to_string())
}

// === impl Asker ===

impl Asker {
    /// One that asks whom these settings allow.
    pub fn open(config: &Config) -> Self {
        Self(Client::new(config))
    }

    /// What a registry points at.
    pub async fn ask(&self, registry: &Registry<'_>) -> Result<Seen, Unsaid> {
        let target = match registry.origin {
            Origin::Mlflow {
                registered_model,
                alias,
                ..
            } => mlflow::target(registered_model, alias),
            Origin::Kserve {
                namespace,
                inference_service,
            } => kserve::target(namespace, inference_service),
        };
        let question = Question {
            url: registry.url,
            target,
            authorization: registry.authorization(),
            ca_pem: registry.ca_pem,
        };
        let answer = timeout(ANSWER_MAX, self.0.get(question)).await;
        let answer = answer.map_err(|_| Unsaid::Slow)??;
        match registry.origin {
            Origin::Mlflow {
                registered_model,
                alias,
                ..
            } => mlflow::read(&answer, registered_model, alias),
            Origin::Kserve {
                namespace,
                inference_service,
            } => kserve::read(&answer, namespace, inference_service),
        }
    }
}

// === impl Registry ===

impl Registry<'_> {
    fn authorization(&self) -> Option<Zeroizing<String>> {
        if self.credential.is_empty() {
            return None;
        }
        let credential = self.credential.as_str();
        Some(Zeroizing::new(match self.origin {
            Origin::Mlflow { username, .. } if !username.is_empty() => {
                let pair = Zeroizing::new(format!("{username}:{credential}"));
                format!("Basic {}", STANDARD.encode(pair.as_bytes()))
            }
            _ => format!("Bearer {credential}"),
        }))
    }
}

impl fmt::Debug for Registry<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Registry").finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_may_not_be_dialled_is_not() {
        let origin = Origin::Kserve {
            namespace: "ml".to_owned(),
            inference_service: "llama".to_owned(),
        };
        let closed = Asker::open(&Config::default());
        let open = Asker::open(&Config {
            private_ranges: vec!["127.0.0.0/8".parse().unwrap()],
            ..Config::default()
        });
        for (asker, url, why) in [
            (&closed, "https://127.0.0.1:9", Unsaid::Forbidden),
            (&closed, "https://[::1]:9", Unsaid::Forbidden),
            (&closed, "http://localhost:9", Unsaid::Forbidden),
            (&open, "http://169.254.169.254", Unsaid::Plaintext),
            (&open, "https://169.254.169.254", Unsaid::Forbidden),
            (&open, "http://mlflow.example:5000", Unsaid::Plaintext),
        ] {
            let registry = Registry {
                url,
                origin: &origin,
                credential: Zeroizing::default(),
                ca_pem: "",
            };
            assert_eq!(asker.ask(&registry).await, Err(why), "{url}");
        }
    }

    #[test]
    fn a_username_makes_the_credential_a_password() {
        let origin = |username: &str| Origin::Mlflow {
            registered_model: "m".to_owned(),
            alias: "a".to_owned(),
            username: username.to_owned(),
        };
        let presented = |username: &str, credential: &str| {
            let registry = Registry {
                url: "",
                origin: &origin(username),
                credential: Zeroizing::new(credential.to_owned()),
                ca_pem: "",
            };
            registry.authorization().map(|it| it.to_string())
        };
        assert_eq!(presented("", ""), None);
        assert_eq!(presented("", "t").as_deref(), Some("Bearer t"));
        assert_eq!(presented("ann", "pw").as_deref(), Some("Basic YW5uOnB3"));
    }
}
