//! `LoginService`: lets in who has no operator key yet, by a token that a trust takes; local users are `entering`'s.
//!
//! What it gives is an operator key like any other, which ends soon. Every one stands in the audit trail with whom it was
//! given to; what is refused does, too, once the trust is known.

use std::sync::Arc;

use domain::{
    name::TrustName, segment::KeyId, text::DISPLAY_NAME_CHARACTERS_MAX, violation::Violations,
};
use keys::{Family, Minted};
use lifecycle::clock::Clock;
use proto::admin::{self, login_service_server::LoginService};
use store::{
    given_key, operator_key,
    trust_key::{self, Given, Token},
};
use tokio::sync::SemaphorePermit;
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk, Draft},
        entering::{self, Entering},
        giving::actor,
        moment, operator_key_wire,
    },
    audit_entry::Deed,
    authn::{Actor, NotAuthenticated, Stranger},
    crowd::Crowd,
    denials::Denials,
    entrance::NotEntered,
    exchange::{Exchange, NotExchanged, Proved},
    status,
};

/// The method, as the audit trail calls it.
const EXCHANGE: &str = "ExchangeToken";

/// The service.
#[derive(Clone)]
pub(crate) struct Logins {
    desk: Desk,
    clock: Clock,
    denials: Denials,
    exchange: Arc<Exchange>,
    entering: Entering,
    crowd: Arc<Crowd>,
}

/// Says what this module measures.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "sluice_token_exchange_total",
        "Tokens that were presented in exchange for an operator key, by outcome"
    );
}

fn count(outcome: &'static str) {
    metrics::counter!("sluice_token_exchange_total", "outcome" => outcome).increment(1);
}

// === impl Logins ===

impl Logins {
    /// The service before this desk, by tokens that are proved here and by local users.
    pub(crate) fn new(
        desk: Desk,
        clock: Clock,
        denials: Denials,
        exchange: Arc<Exchange>,
        entering: Entering,
    ) -> Self {
        Self {
            desk,
            clock,
            denials,
            exchange,
            entering,
            crowd: Arc::default(),
        }
    }

    /// A turn for a local user who comes from here.
    fn local_turn(&self, from: &Stranger) -> Result<SemaphorePermit<'_>, Status> {
        self.crowd.turn(from).map_err(|why| {
            let why = NotEntered::Crowded(why);
            entering::count(why.outcome());
            status::not_entered(why)
        })
    }

    /// Refuses, and tells of it; what anybody could make up is not told.
    fn refuse(&self, from: &Stranger, trust: &TrustName, why: NotExchanged) -> Status {
        if why.passes() {
            count("failed");
        } else {
            count("refused");
        }
        if why.is_told() {
            let deed = Deed {
                actor: String::new(),
                source: from.source.to_string(),
                method: EXCHANGE.to_owned(),
                object: trust.to_string(),
            };
            self.denials.tell(deed, why.to_string());
        }
        status::not_exchanged(why)
    }

    /// Makes the key, in a write that is the bearer's of the token.
    async fn give(
        &self,
        draft: &mut Draft,
        proved: Proved,
        minted: &Minted,
    ) -> Result<Given, Status> {
        let key_id = KeyId::parse(&minted.key_id)
            .map_err(|why| status::broken("a minted key id is not a key id", &why))?;
        let ends = self
            .clock
            .now_ms()
            .saturating_add(proved.trust.checked.lifetime_ms);
        let at = |ms| {
            let at = moment::from_millis(ms);
            at.map_err(|why| status::broken("a key would end at no moment", &why))
        };
        let display_name = format!("{}: {}", proved.trust.name.trust, proved.subject);
        let new = given_key::New {
            key_id,
            secret_sha256: minted.secret_sha256,
            display_name: display_name
                .chars()
                .take(DISPLAY_NAME_CHARACTERS_MAX)
                .collect(),
            bindings: proved.bindings,
            expires_at: at(ends)?,
            subject: proved.subject,
        };
        let token = Token {
            digest: proved.digest,
            expires_at: at(proved.ends_at_ms)?,
        };
        let given = trust_key::give(draft.write(), &proved.trust, token, new).await;
        given.map_err(status::store)
    }
}

#[tonic::async_trait]
impl LoginService for Logins {
    async fn exchange_token(
        &self,
        mut request: Request<admin::ExchangeTokenRequest>,
    ) -> Result<Response<admin::ExchangeTokenResponse>, Status> {
        let from = stranger(&request)?;
        let trust = TrustName::parse(&request.get_ref().trust);
        let trust = desk::readable("trust", trust)?;
        let turn = self.crowd.turn(&from).map_err(NotExchanged::Crowded);
        let _turn = turn.map_err(|why| self.refuse(&from, &trust, why))?;
        let text = std::mem::take(&mut request.get_mut().token);
        let proved = self.exchange.prove(&trust, &text, self.clock.now_ms());
        let proved = proved
            .await
            .map_err(|why| self.refuse(&from, &trust, why))?;
        request.extensions_mut().insert(Actor {
            key_id: format!("{trust}:{}", proved.subject),
            bindings: Arc::default(),
            source: Arc::clone(&from.source),
        });
        let (call, ()) = Call::open(EXCHANGE, request, |_| Ok::<_, Violations>(()))?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let minted = keys::mint(Family::Operator);
        let row = match self.give(&mut draft, proved, &minted).await? {
            Given::Key(row) => *row,
            Given::Used => return Err(self.refuse(&from, &trust, NotExchanged::Used)),
            Given::Full => return Err(self.refuse(&from, &trust, NotExchanged::Full)),
        };
        let reply = draft
            .finish(|_| admin::ExchangeTokenResponse {
                operator_key: Some(operator_key_wire::wire(row)),
                text: minted.text.as_str().to_owned(),
            })
            .await?;
        count("given");
        Ok(reply)
    }

    async fn describe_login(
        &self,
        request: Request<admin::DescribeLoginRequest>,
    ) -> Result<Response<admin::DescribeLoginResponse>, Status> {
        let from = stranger(&request)?;
        let trust = desk::readable("trust", TrustName::parse(&request.get_ref().trust))?;
        let turn = self.crowd.turn(&from).map_err(NotExchanged::Crowded);
        let _turn = turn.map_err(status::not_exchanged)?;
        let trust = self.exchange.described(&trust).await;
        let trust = trust.map_err(status::not_exchanged)?.checked;
        Ok(Response::new(admin::DescribeLoginResponse {
            issuer_url: trust.url,
            client_id: trust.client_id,
            scopes: trust.scopes,
        }))
    }

    async fn log_in(
        &self,
        request: Request<admin::LogInRequest>,
    ) -> Result<Response<admin::LogInResponse>, Status> {
        let from = stranger(&request)?;
        let _turn = self.local_turn(&from)?;
        self.entering.log_in(&from, request).await
    }

    async fn begin_activation(
        &self,
        request: Request<admin::BeginActivationRequest>,
    ) -> Result<Response<admin::BeginActivationResponse>, Status> {
        let from = stranger(&request)?;
        let _turn = self.local_turn(&from)?;
        self.entering.begin_activation(&from, request).await
    }

    async fn finish_activation(
        &self,
        request: Request<admin::FinishActivationRequest>,
    ) -> Result<Response<admin::FinishActivationResponse>, Status> {
        let from = stranger(&request)?;
        let _turn = self.local_turn(&from)?;
        self.entering.finish_activation(&from, request).await
    }

    async fn change_password(
        &self,
        request: Request<admin::ChangePasswordRequest>,
    ) -> Result<Response<admin::ChangePasswordResponse>, Status> {
        let from = stranger(&request)?;
        let _turn = self.local_turn(&from)?;
        self.entering.change_password(&from, request).await
    }

    async fn who_am_i(
        &self,
        request: Request<admin::WhoAmIRequest>,
    ) -> Result<Response<admin::OperatorKey>, Status> {
        let actor = actor(&request)?;
        let name = operator_key::named(self.desk.store(), &actor.key_id).await;
        let name = name.map_err(status::store)?;
        let row = operator_key::get(self.desk.store(), &name).await;
        Ok(Response::new(operator_key_wire::wire(
            row.map_err(status::store)?,
        )))
    }

    async fn logout(
        &self,
        request: Request<admin::LogoutRequest>,
    ) -> Result<Response<admin::LogoutResponse>, Status> {
        let actor = actor(&request)?;
        let (call, ()) = Call::open("Logout", request, |_| Ok::<_, Violations>(()))?;
        let name = operator_key::named(self.desk.store(), &actor.key_id).await;
        let name = name.map_err(status::store)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = operator_key::give_back(draft.write(), &name).await;
        let row = row.map_err(status::store)?;
        draft
            .finish(|_| admin::LogoutResponse {
                operator_key: Some(operator_key_wire::wire(row)),
            })
            .await
    }
}

fn stranger<T>(request: &Request<T>) -> Result<Stranger, Status> {
    let from = request.extensions().get::<Stranger>().cloned();
    from.ok_or_else(|| status::not_authenticated(NotAuthenticated::Nothing))
}
