//! Tokens of Entra ID's: for an application, by its secret or by a proof.
//!
//! Owns what is asked; knows nothing of sockets.

use credential::entra::{Application, Proof};

use crate::call::exchange::{
    google::access_token,
    issued::Given,
    issuer::{Issuer, posted},
    no_token::NoToken,
};

/// What a proof is.
const ASSERTION: &str = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";

/// An application's.
pub(super) async fn application(
    issuer: &Issuer,
    application: &Application,
) -> Result<Given, NoToken> {
    let mut fields = vec![
        ("grant_type", "client_credentials"),
        ("client_id", &*application.client_id),
        ("scope", &*application.scope),
    ];
    let proof;
    match &application.proof {
        Proof::Secret(secret) => fields.push(("client_secret", secret)),
        Proof::File(path) => {
            proof = issuer.file(path).await?;
            fields.push(("client_assertion_type", ASSERTION));
            fields.push(("client_assertion", &proof));
        }
    }
    let url = &application.token_url;
    let said = issuer.ask(url, posted(url, &fields)?).await?;
    access_token(&said.body)
}
