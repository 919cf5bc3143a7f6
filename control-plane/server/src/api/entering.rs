//! Local users at `LoginService`: a password and a code for an operator key, an activation code for a password, a password for another.
//!
//! Whoever comes has a turn already. Every one who is let in stands in the audit trail, and so does who is refused of whom there is
//! somebody of that name; no password and no code does.

use std::{mem, sync::Arc};

use domain::{name::LocalUserName, segment::KeyId, violation::Violations};
use factors::check;
use keys::Family;
use lifecycle::clock::Clock;
use proto::admin;
use store::{
    StoreError, given_key,
    local_login::{self, Entered},
    local_user,
};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use crate::{
    api::{
        access::Named,
        desk::{self, Asked, Begun, Call, Desk, Draft},
        moment, operator_key_wire,
    },
    audit_entry::Deed,
    authn::{Actor, Stranger},
    denials::Denials,
    entrance::{Entrance, NotEntered, Proved},
    status,
};

/// What local users are let in by.
#[derive(Clone)]
pub(crate) struct Entering {
    desk: Desk,
    clock: Clock,
    denials: Denials,
    entrance: Arc<Entrance>,
}

/// Who asks from where, of whom, and by which method.
struct Knock<'a> {
    from: &'a Stranger,
    name: LocalUserName,
    method: &'static str,
}

/// Says what this module measures.
pub(crate) fn describe() {
    metrics::describe_counter!(
        "sluice_local_login_total",
        "Local users who presented a password, a code or an activation code, by outcome"
    );
}

pub(crate) fn count(outcome: &'static str) {
    metrics::counter!("sluice_local_login_total", "outcome" => outcome).increment(1);
}

// === impl Entering ===

impl Entering {
    /// Before this desk, by what is proved at this entrance.
    pub(crate) fn new(desk: Desk, clock: Clock, denials: Denials, entrance: Arc<Entrance>) -> Self {
        Self {
            desk,
            clock,
            denials,
            entrance,
        }
    }

    /// Gives a key for a password and a code.
    pub(crate) async fn log_in(
        &self,
        from: &Stranger,
        mut request: Request<admin::LogInRequest>,
    ) -> Result<Response<admin::LogInResponse>, Status> {
        let asked = request.get_mut();
        let password = Zeroizing::new(mem::take(&mut asked.password));
        let knock = Knock::new(from, &asked.local_user, "LogIn")?;
        let proved = self.entrance.prove(&knock.name, password, &asked.code);
        let proved = proved.await.map_err(|why| self.refuse(&knock, why))?;
        let mut draft = self.begin(&knock, request).await?;
        let minted = keys::mint(Family::Operator);
        let now_ms = self.clock.now_ms();
        let new = |row: &local_user::Row| key(row, &minted, now_ms);
        let entered = local_login::enter(draft.write(), &knock.name, proved.shown(), new).await;
        let row = match entered.map_err(status::store)? {
            Entered::Key(row) => *row,
            Entered::Late => return Err(self.refuse(&knock, LATE)),
            Entered::Full => return Err(self.refuse(&knock, NotEntered::Full)),
        };
        forgive(&mut draft, &proved).await?;
        let reply = draft
            .finish(|_| admin::LogInResponse {
                operator_key: Some(operator_key_wire::wire(row)),
                text: minted.text.as_str().to_owned(),
            })
            .await?;
        count("given");
        Ok(reply)
    }

    /// Tells what codes are to be computed from.
    pub(crate) async fn begin_activation(
        &self,
        from: &Stranger,
        request: Request<admin::BeginActivationRequest>,
    ) -> Result<Response<admin::BeginActivationResponse>, Status> {
        let asked = request.into_inner();
        let knock = Knock::new(from, &asked.local_user, "BeginActivation")?;
        let text = Zeroizing::new(asked.activation_code);
        let activating = self.entrance.activating(&knock.name, &text).await;
        let uri = activating.and_then(|it| it.uri());
        let uri = uri.map_err(|why| self.refuse(&knock, why))?;
        Ok(Response::new(admin::BeginActivationResponse {
            otpauth_uri: uri.as_str().to_owned(),
        }))
    }

    /// Takes an activation code, with what was chosen.
    pub(crate) async fn finish_activation(
        &self,
        from: &Stranger,
        mut request: Request<admin::FinishActivationRequest>,
    ) -> Result<Response<admin::FinishActivationResponse>, Status> {
        let asked = request.get_mut();
        let password = Zeroizing::new(mem::take(&mut asked.password));
        let text = Zeroizing::new(mem::take(&mut asked.activation_code));
        let knock = Knock::new(from, &asked.local_user, "FinishActivation")?;
        knock.may_choose("password", &password)?;
        let activating = self.entrance.activating(&knock.name, &text).await;
        let activating = activating.map_err(|why| self.refuse(&knock, why))?;
        let choice = self.entrance.choice(activating, password, &asked.code);
        let choice = choice.await.map_err(|why| self.refuse(&knock, why))?;
        let mut draft = self.begin(&knock, request).await?;
        let taken = local_login::activate(draft.write(), choice.chosen()).await;
        if !taken.map_err(status::store)? {
            return Err(self.refuse(&knock, NotEntered::NotActivated));
        }
        let reply = draft.finish(|_| admin::FinishActivationResponse {}).await?;
        count("activated");
        Ok(reply)
    }

    /// Takes another password.
    pub(crate) async fn change_password(
        &self,
        from: &Stranger,
        mut request: Request<admin::ChangePasswordRequest>,
    ) -> Result<Response<admin::ChangePasswordResponse>, Status> {
        let asked = request.get_mut();
        let password = Zeroizing::new(mem::take(&mut asked.password));
        let chosen = Zeroizing::new(mem::take(&mut asked.new_password));
        let knock = Knock::new(from, &asked.local_user, "ChangePassword")?;
        knock.may_choose("new_password", &chosen)?;
        let proved = self.entrance.prove(&knock.name, password, &asked.code);
        let proved = proved.await.map_err(|why| self.refuse(&knock, why))?;
        let kept = self.entrance.keep(chosen).await;
        let kept = kept.map_err(|why| self.refuse(&knock, why))?;
        let mut draft = self.begin(&knock, request).await?;
        let changed = local_login::change_password(draft.write(), proved.shown(), &kept).await;
        let Some(revoked) = changed.map_err(status::store)? else {
            return Err(self.refuse(&knock, LATE));
        };
        forgive(&mut draft, &proved).await?;
        let revoked = i32::try_from(revoked).unwrap_or(i32::MAX);
        let reply = draft
            .finish(|_| admin::ChangePasswordResponse { revoked })
            .await?;
        count("changed");
        Ok(reply)
    }

    /// Begins a write of the user's own.
    async fn begin<T: Asked>(
        &self,
        knock: &Knock<'_>,
        mut request: Request<T>,
    ) -> Result<Box<Draft>, Status> {
        let extensions = request.extensions_mut();
        extensions.insert(Actor {
            key_id: knock.name.to_string(),
            bindings: Arc::default(),
            source: Arc::clone(&knock.from.source),
        });
        extensions.insert(Named(knock.name.to_string()));
        let (call, ()) = Call::open(knock.method, request, |_| Ok::<_, Violations>(()))?;
        match self.desk.begin::<()>(call).await? {
            Begun::First(draft) => Ok(draft),
            // None of these carries a request id.
            Begun::Replay(()) => Err(status::broken("a login was replayed", &knock.method)),
        }
    }

    /// Refuses, and tells of it; what anybody could make up is not told.
    fn refuse(&self, knock: &Knock<'_>, why: NotEntered) -> Status {
        count(why.outcome());
        if why.is_told() {
            let deed = Deed {
                actor: String::new(),
                source: knock.from.source.to_string(),
                method: knock.method.to_owned(),
                object: knock.name.to_string(),
            };
            self.denials.tell(deed, why.to_string());
        }
        status::not_entered(why)
    }
}

/// What they showed was good a moment ago, and is not any more: the code was taken by another call.
const LATE: NotEntered = NotEntered::Refused { is_known: true };

async fn forgive(draft: &mut Draft, proved: &Proved) -> Result<(), Status> {
    let forgiven = local_login::forgive(draft.write(), &proved.name_sha256).await;
    forgiven.map_err(status::store)
}

/// The key that somebody is given now, by what they may do.
fn key(
    row: &local_user::Row,
    minted: &keys::Minted,
    now_ms: u64,
) -> Result<given_key::New, StoreError> {
    let key_id = KeyId::parse(&minted.key_id)
        .map_err(|_| StoreError::broken("a minted key id is not a key id"))?;
    let ends = moment::from_millis(now_ms.saturating_add(row.checked.lifetime_ms))
        .map_err(|_| StoreError::broken("a key would end at no moment"))?;
    Ok(given_key::New {
        key_id,
        secret_sha256: minted.secret_sha256,
        display_name: row.checked.display_name.clone(),
        bindings: row.checked.bindings.clone(),
        expires_at: ends,
        subject: row.name.local_user.to_string(),
    })
}

// === impl Knock ===

impl<'a> Knock<'a> {
    fn new(from: &'a Stranger, name: &str, method: &'static str) -> Result<Self, Status> {
        let name = desk::readable("local_user", LocalUserName::parse(name))?;
        Ok(Self { from, name, method })
    }

    /// Whether they may choose this password, which stands in that field.
    fn may_choose(&self, field: &str, password: &str) -> Result<(), Status> {
        desk::readable(field, check(password, self.name.local_user.as_str()))
    }
}
