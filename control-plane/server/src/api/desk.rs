//! What every admin method does around its own work: pages of a list, and the frame of a write.
//!
//! Knows request ids, `validate_only`, transactions and replies; knows no noun. A write is answered once: what
//! was answered to a request id is what a second call with it gets, and nothing is written then.
//!
//! A write passes these nouns: the noun's own `Wanted` or `Change` (the request, checked without the database),
//! [`Call`] (who asks and how), [`Begun`] (a replay, or a first call), [`Draft`] (the open transaction),
//! `store::*::New` or a locked `Row` (what the store is given), [`Write`] (rows change; each edit is noted as a
//! `Pending`), and `store::Numbered` (the edits have revisions; only the commit is left). [`Draft::finish`] is the
//! way from the one but last to the last, and from there to the reply.

use std::{convert::Infallible, fmt::Display, sync::Arc};

use prost::Message;
use seal::Ring;
use serde_json::Value;
use sha2::{Digest, Sha256};
use store::{Once, Store, Write};
use tonic::{Request, Response, Status};
use zeroize::Zeroizing;

use domain::{
    name::{InvalidName, OrganizationName},
    page::Page,
    text,
    violation::Violations,
};
use policy::revision::Revision;
use proto::{admin, unknown::Contract};

use crate::{
    api::{
        access::Named,
        page::{List, PageTokens},
    },
    audit_entry::{self, Deed, name_in},
    authn::{Actor, NotAuthenticated},
    sealed::{self, ReplyOf},
    status,
};

/// A request for a write.
pub(crate) trait Asked: Message + Sized {
    /// What the caller names the call; empty means: nothing.
    fn request_id(&self) -> &str;

    /// Whether to check everything and write nothing.
    fn validate_only(&self) -> bool;

    /// The request as bytes that depend on its content alone.
    fn canonical(&self) -> Zeroizing<Vec<u8>> {
        Zeroizing::new(self.encode_to_vec())
    }
}

/// Who asks for a write, and how.
#[derive(Debug)]
pub(crate) struct Call {
    actor: String,
    source: Arc<str>,
    named: String,
    method: &'static str,
    request_id: Option<[u8; 16]>,
    validate_only: bool,
    digest: [u8; 32],
}

/// A write that was begun.
pub(crate) enum Begun<Reply> {
    /// It was done before, and this was the reply.
    Replay(Reply),
    /// It is to be done.
    First(Box<Draft>),
}

/// A write under way. Dropping it writes nothing.
pub(crate) struct Draft {
    write: Write,
    call: Call,
    sealing: Ring,
    contract: Contract,
    before: Value,
}

/// Where admin methods meet the store.
#[derive(Clone)]
pub(crate) struct Desk {
    store: Store,
    sealing: Ring,
    pages: PageTokens,
    contract: Contract,
}

// === impl Asked ===

macro_rules! asked {
    ($($request:ident)*) => {$(
        impl Asked for admin::$request {
            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn validate_only(&self) -> bool {
                self.validate_only
            }
        }
    )*};
}

asked! {
    CreateOrganizationRequest UpdateOrganizationRequest DeleteOrganizationRequest
    CreateProjectRequest UpdateProjectRequest DeleteProjectRequest
    CreateProviderRequest UpdateProviderRequest DeleteProviderRequest
    CreateModelRequest UpdateModelRequest DeleteModelRequest
    DeprecateModelRequest DeleteModelVersionRequest DeprecateModelVersionRequest
    CreateModelAliasRequest UpdateModelAliasRequest DeleteModelAliasRequest
    StartRolloutRequest PauseRolloutRequest ResumeRolloutRequest
    ApproveRolloutRequest PromoteRolloutRequest AbortRolloutRequest
    ForceStartRolloutRequest ForceRolloutRequest
    CreateFreezeWindowRequest DeleteFreezeWindowRequest DeleteVersionSourceRequest
    StartExperimentRequest StopExperimentRequest ConcludeExperimentRequest
    StartShadowRequest StopShadowRequest
    DeleteKeyRequest RevokeKeyRequest
    RotateKeyRequest EndKeyOverlapRequest
    CreateLimitRequest UpdateLimitRequest DeleteLimitRequest
    CreateBudgetRequest UpdateBudgetRequest DeleteBudgetRequest
    CreateIssuerRequest UpdateIssuerRequest DeleteIssuerRequest
    CreatePriceRequest DeletePriceRequest CreateDiscountRequest DeleteDiscountRequest
    RepriceUsageRequest EraseUsageRequest
    CreateJoinTokenRequest RevokeEdgeRequest RotatePepperRequest
    CreateOperatorKeyRequest UpdateOperatorKeyRequest RevokeOperatorKeyRequest
    CreateAlertChannelRequest DeleteAlertChannelRequest CreateAlertRuleRequest DeleteAlertRuleRequest
    CreateTrustRequest DeleteTrustRequest
    CreateLocalUserRequest UpdateLocalUserRequest ResetLocalUserRequest DeleteLocalUserRequest
    CreateRoleRequest UpdateRoleRequest DeleteRoleRequest
    CreateServiceAccountRequest UpdateServiceAccountRequest DeleteServiceAccountRequest
}

/// Appends texts that have no order on the wire: in one order, each behind its length.
fn in_order(bytes: &mut Vec<u8>, entries: impl IntoIterator<Item = (String, String)>) {
    let mut entries: Vec<_> = entries.into_iter().collect();
    entries.sort();
    for text in entries.iter().flat_map(|(name, value)| [name, value]) {
        bytes.extend((text.len() as u64).to_be_bytes());
        bytes.extend(text.as_bytes());
    }
}

macro_rules! asked_with_labels {
    ($($request:ident)*) => {$(
        impl Asked for admin::$request {
            fn request_id(&self) -> &str {
                &self.request_id
            }

            fn validate_only(&self) -> bool {
                self.validate_only
            }

            fn canonical(&self) -> Zeroizing<Vec<u8>> {
                let mut rest = self.clone();
                let labels = rest.key.as_mut().map(|it| std::mem::take(&mut it.labels));
                let mut bytes = rest.encode_to_vec();
                in_order(&mut bytes, labels.into_iter().flatten());
                Zeroizing::new(bytes)
            }
        }
    )*};
}

asked_with_labels! { CreateKeyRequest UpdateKeyRequest ImportKeyRequest }

impl Asked for admin::CreateModelVersionRequest {
    fn request_id(&self) -> &str {
        &self.request_id
    }

    fn validate_only(&self) -> bool {
        self.validate_only
    }

    fn canonical(&self) -> Zeroizing<Vec<u8>> {
        // A map has no order on the wire; its entries are put in one, behind the rest.
        let mut rest = self.clone();
        let provenance = rest
            .model_version
            .as_mut()
            .map(|it| std::mem::take(&mut it.provenance));
        let mut bytes = rest.encode_to_vec();
        in_order(&mut bytes, provenance.into_iter().flatten());
        Zeroizing::new(bytes)
    }
}

impl Asked for admin::CreateVersionSourceRequest {
    fn request_id(&self) -> &str {
        &self.request_id
    }

    fn validate_only(&self) -> bool {
        self.validate_only
    }

    fn canonical(&self) -> Zeroizing<Vec<u8>> {
        let mut rest = self.clone();
        let source = rest.version_source.as_mut();
        let labels = source.map(|it| std::mem::take(&mut it.labels));
        let mut bytes = Zeroizing::new(rest.encode_to_vec());
        in_order(&mut bytes, labels.into_iter().flatten());
        bytes
    }
}

/// Requests that are written once and have no name of their own: who sends one again means it again.
macro_rules! asked_plainly {
    ($($request:ident)*) => {$(
        impl Asked for admin::$request {
            fn request_id(&self) -> &'static str {
                ""
            }

            fn validate_only(&self) -> bool {
                false
            }
        }
    )*};
}

asked_plainly! {
    // Reading content changes nothing, and stands in the audit trail all the same.
    GetUsageContentRequest
    LogoutRequest ExchangeTokenRequest RevokeJoinTokenRequest
    LogInRequest FinishActivationRequest ChangePasswordRequest
}

// === impl Call ===

impl Call {
    /// Takes a request apart: who asks and how, and, by `read`, what. Whatever is wrong with either is told
    /// at once.
    pub(crate) fn open<T: Asked, C>(
        method: &'static str,
        request: Request<T>,
        read: impl FnOnce(T) -> Result<C, Violations>,
    ) -> Result<(Self, C), Status> {
        let (_, extensions, asked) = request.into_parts();
        // Behind the gate there always is one; without it nothing is open.
        let nobody = || status::not_authenticated(NotAuthenticated::Nothing);
        let actor = extensions.get::<Actor>().ok_or_else(nobody)?;
        let (actor, source) = (actor.key_id.clone(), Arc::clone(&actor.source));
        let named = extensions
            .get::<Named>()
            .map_or_else(String::new, |it| it.0.clone());
        let mut violations = Violations::new();
        let request_id = violations.take("request_id", text::request_id(asked.request_id()));
        let digest = Sha256::digest(&*asked.canonical()).into();
        let validate_only = asked.validate_only();
        let command = read(asked).map_err(|others| violations.append(others)).ok();
        let (Some(request_id), Some(command)) = (request_id, command) else {
            return Err(status::invalid(violations));
        };
        Ok((
            Self {
                actor,
                source,
                named,
                method,
                request_id,
                validate_only,
                digest,
            },
            command,
        ))
    }

    /// What names the reply, when it is to be kept.
    fn reply_of(&self) -> Option<ReplyOf<'_>> {
        let request_id = self.request_id.as_ref().filter(|_| !self.validate_only)?;
        Some(ReplyOf {
            actor: &self.actor,
            method: self.method,
            request_id,
        })
    }
}

// === impl Desk ===

impl Desk {
    /// A desk before this store, with replies and page tokens sealed under this key.
    pub(crate) fn new(store: Store, sealing: Ring, contract: Contract) -> Self {
        let pages = PageTokens::new(sealing.clone());
        Self {
            store,
            sealing,
            pages,
            contract,
        }
    }

    /// The store.
    pub(crate) const fn store(&self) -> &Store {
        &self.store
    }

    /// The key under which secrets are sealed.
    pub(crate) const fn sealing(&self) -> &Ring {
        &self.sealing
    }

    /// The page that a list request asks for, below `parent` as it was read.
    pub(crate) fn page<P, E: Display>(
        &self,
        list: List<'_>,
        asked: (i32, &str),
        parent: Result<P, E>,
    ) -> Result<(P, Page), Status> {
        let (size, token) = asked;
        let mut violations = Violations::new();
        let parent = violations.take("parent", parent);
        let page = self.pages.read(list, size, token, &mut violations);
        match (parent, violations.is_empty()) {
            (Some(parent), true) => Ok((parent, page)),
            _ => Err(status::invalid(violations)),
        }
    }

    /// The page of a list that stands below nothing.
    pub(crate) fn root_page(&self, list: List<'_>, asked: (i32, &str)) -> Result<Page, Status> {
        self.page(list, asked, Ok::<_, Infallible>(()))
            .map(|((), page)| page)
    }

    /// The token that leads to where `next` does.
    pub(crate) fn next(&self, list: List<'_>, next: &str) -> String {
        self.pages.write(list, next)
    }

    /// Begins a write, unless it was done before.
    pub(crate) async fn begin<Reply>(&self, call: Call) -> Result<Begun<Reply>, Status>
    where
        Reply: Message + Default,
    {
        let mut write = self.store.write(&call.actor).await.map_err(status::store)?;
        if let Some(of) = call.reply_of() {
            let once = write.once(*of.request_id, of.method, &call.digest).await;
            match once.map_err(status::store)? {
                Once::First => {}
                Once::Replay(sealed) => return self.replay(of, &sealed).map(Begun::Replay),
                Once::Mismatch => return Err(status::request_id_reused()),
            }
        }
        let draft = Draft {
            write,
            call,
            sealing: self.sealing.clone(),
            contract: self.contract.clone(),
            before: Value::Null,
        };
        Ok(Begun::First(Box::new(draft)))
    }

    fn replay<Reply: Message + Default>(
        &self,
        of: ReplyOf<'_>,
        sealed: &[u8],
    ) -> Result<Reply, Status> {
        let bytes = sealed::open_reply(&self.sealing, of, sealed)
            .map_err(|why| status::broken("a kept reply does not open", &why))?;
        Reply::decode(bytes.as_slice())
            .map_err(|why| status::broken("a kept reply does not decode", &why))
    }
}

// === impl Draft ===

impl Draft {
    /// The transaction.
    pub(crate) fn write(&mut self) -> &mut Write {
        &mut self.write
    }

    /// Notes for the audit trail what stood before, as the message of this name.
    pub(crate) fn before(&mut self, message: &str, stood: &impl Message) {
        let shown = self.contract.shown(message, &stood.encode_to_vec());
        self.before = shown.unwrap_or_default();
    }

    /// Whether nothing will be written in the end.
    pub(crate) const fn validate_only(&self) -> bool {
        self.call.validate_only
    }

    /// Ends the write and answers. `reply` is told the revision, zero when there is none.
    pub(crate) async fn finish<Reply: Message>(
        self,
        reply: impl FnOnce(Revision) -> Reply + Send,
    ) -> Result<Response<Reply>, Status> {
        if self.call.validate_only {
            return Ok(Response::new(reply(Revision(0))));
        }
        let mut numbered = self.write.number().await.map_err(status::store)?;
        let revision = numbered.revision();
        let reply = reply(revision);
        let bytes = Zeroizing::new(reply.encode_to_vec());
        let after = self.contract.reply_shown(self.call.method, &bytes);
        let after = after.unwrap_or_default();
        let object = name_in(&after).or_else(|| name_in(&self.before));
        let deed = Deed {
            actor: self.call.actor.clone(),
            source: self.call.source.to_string(),
            method: self.call.method.to_owned(),
            object: object.unwrap_or(&self.call.named).to_owned(),
        };
        let result = audit_entry::Result::Changed {
            revision: revision.0,
            before: self.before,
            after,
        };
        let about = deed.about();
        let told = numbered.audit(&about, |stamp| deed.text(&result, stamp));
        told.await.map_err(status::store)?;
        if let Some(of) = self.call.reply_of() {
            let sealed = sealed::seal_reply(&self.sealing, of, &bytes);
            numbered.remember(&sealed).await.map_err(status::store)?;
        }
        numbered.commit().await.map_err(status::store)?;
        Ok(Response::new(reply))
    }
}

/// The revision of a row that a write at `written` left; a write that edits no policy has none.
pub(crate) fn latest(stood: Revision, written: Revision) -> i64 {
    i64::try_from(stood.max(written).0).unwrap_or(i64::MAX)
}

/// One field, read; or refused by its name.
pub(crate) fn readable<T, E: Display>(field: &str, read: Result<T, E>) -> Result<T, Status> {
    named(field, read).map_err(status::invalid)
}

/// Whose something is: an organization's, or, where the text is empty, nobody's, above all.
pub(crate) fn keeper(text: &str) -> Result<Option<OrganizationName>, InvalidName> {
    match text {
        "" => Ok(None),
        text => OrganizationName::parse(text).map(Some),
    }
}

/// One field, read; or a violation under its name.
pub(crate) fn named<T, E: Display>(field: &str, read: Result<T, E>) -> Result<T, Violations> {
    let mut violations = Violations::new();
    violations.take(field, read).ok_or(violations)
}

/// What a request cannot do without.
pub(crate) fn required<T>(value: Option<T>, field: &str) -> Result<T, Violations> {
    value.ok_or_else(|| {
        let mut violations = Violations::new();
        violations.add(field, "is required");
        violations
    })
}
