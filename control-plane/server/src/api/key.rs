//! `KeyService`: wire to command, store, wire.
//!
//! The text of a key passes through here once, from the mint into the reply that makes it. What the store gets
//! is its hash, sealed, and its tag.

use domain::{
    name::{KeyName, ProjectName},
    rotation,
    segment::KeyId,
};
use keys::Minted;
use lifecycle::clock::Clock;
use policy::{credential::Pepper, revision::Revision};
use proto::admin::{self, key_service_server::KeyService};
use store::{key as rows, key_report, key_rotation, key_secret::Secret};
use tonic::{Request, Response, Status};

use crate::{
    api::{
        desk::{self, Begun, Call, Desk, Draft},
        key_rotation_wire,
        key_wire::{self, Change, Imported, Wanted},
        moment,
        page::List,
        pepper::{self, NoPepper},
    },
    sealed, status,
};

/// The service.
#[derive(Clone)]
pub(crate) struct Keys {
    desk: Desk,
    clock: Clock,
}

// === impl Keys ===

impl Keys {
    /// The service before this desk, with expiry told by this clock.
    pub(crate) fn new(desk: Desk, clock: Clock) -> Self {
        Self { desk, clock }
    }

    /// The pepper to tag with. Asked for before a write begins: a write that waits for a second connection
    /// would, often enough at once, wait for itself.
    async fn pepper(&self) -> Result<Pepper, Status> {
        let pepper = pepper::current(self.desk.store(), self.desk.sealing()).await;
        pepper.map_err(|why| match why {
            NoPepper::Store(why) => status::store(why),
            why => status::broken("there is no pepper to tag a key with", &why),
        })
    }

    /// A fresh key in the place of what is wanted.
    fn mint(&self, wanted: Wanted, pepper: &Pepper) -> Result<(Minted, rows::New), Status> {
        let minted = keys::mint(wanted.family());
        let secret = self.secret(&minted.key_id, &minted.secret_sha256, pepper);
        let key_id = KeyId::parse(&minted.key_id)
            .map_err(|why| status::broken("a minted key id is not a key id", &why))?;
        Ok((minted, wanted.into_new(key_id, secret, false)))
    }

    /// Notes for the audit trail what stood before.
    fn stood(&self, draft: &mut Draft, row: rows::Row) {
        draft.before(
            "Key",
            &key_wire::wire(row, Revision(0), self.clock.now_ms()),
        );
    }

    /// What is kept of a secret with this hash, of the key with this id.
    fn secret(&self, key_id: &str, hash: &[u8; 32], pepper: &Pepper) -> Secret {
        Secret {
            sha256_sealed: sealed::seal_key_secret(self.desk.sealing(), key_id, hash),
            tag: keys::tag(&pepper.secret, key_id, hash),
            pepper_version: pepper.version,
        }
    }
}

/// The text of a secret, where it is kept: a key that is not kept must not look like one that works.
fn told<'a>(draft: &Draft, minted: &'a Minted) -> &'a str {
    if draft.validate_only() {
        ""
    } else {
        &minted.text
    }
}

#[tonic::async_trait]
impl KeyService for Keys {
    async fn create_key(
        &self,
        request: Request<admin::CreateKeyRequest>,
    ) -> Result<Response<admin::CreateKeyResponse>, Status> {
        let (call, wanted) = Call::open("CreateKey", request, key_wire::wanted)?;
        let pepper = self.pepper().await?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let now_ms = self.clock.now_ms();
        wanted.check(now_ms).map_err(status::invalid)?;
        let (minted, new) = self.mint(wanted, &pepper)?;
        let row = rows::create(draft.write(), new)
            .await
            .map_err(status::store)?;
        let text = told(&draft, &minted);
        let key = |revision| key_wire::wire(row, revision, now_ms);
        let reply = |revision| admin::CreateKeyResponse {
            key: Some(key(revision)),
            text: text.to_owned(),
        };
        draft.finish(reply).await
    }

    async fn import_key(
        &self,
        request: Request<admin::ImportKeyRequest>,
    ) -> Result<Response<admin::Key>, Status> {
        let (call, imported) = Call::open("ImportKey", request, key_wire::imported)?;
        let pepper = self.pepper().await?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let Imported { wanted, foreign } = imported;
        let now_ms = self.clock.now_ms();
        wanted.check(now_ms).map_err(status::invalid)?;
        let secret = self.secret(foreign.key_id(), foreign.sha256(), &pepper);
        let key_id = KeyId::parse(foreign.key_id())
            .map_err(|why| status::broken("the id of a foreign key is not a key id", &why))?;
        let new = wanted.into_new(key_id, secret, true);
        let row = rows::create(draft.write(), new).await;
        let row = row.map_err(status::store)?;
        draft
            .finish(|revision| key_wire::wire(row, revision, now_ms))
            .await
    }

    async fn get_key(
        &self,
        request: Request<admin::GetKeyRequest>,
    ) -> Result<Response<admin::Key>, Status> {
        let name = desk::readable("name", KeyName::parse(&request.get_ref().name))?;
        let row = rows::get(self.desk.store(), &name)
            .await
            .map_err(status::store)?;
        Ok(Response::new(key_wire::wire(
            row,
            Revision(0),
            self.clock.now_ms(),
        )))
    }

    async fn list_keys(
        &self,
        request: Request<admin::ListKeysRequest>,
    ) -> Result<Response<admin::ListKeysResponse>, Status> {
        let asked = request.into_inner();
        let list = List {
            method: "ListKeys",
            parent: &asked.parent,
        };
        let parent = ProjectName::parse(&asked.parent);
        let asked = (asked.page_size, asked.page_token.as_str());
        let (parent, page) = self.desk.page(list, asked, parent)?;
        let listed = rows::list(self.desk.store(), &parent, &page).await;
        let listed = listed.map_err(status::store)?;
        let now_ms = self.clock.now_ms();
        let wire = |row| key_wire::wire(row, Revision(0), now_ms);
        Ok(Response::new(admin::ListKeysResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            keys: listed.rows.into_iter().map(wire).collect(),
        }))
    }

    async fn update_key(
        &self,
        request: Request<admin::UpdateKeyRequest>,
    ) -> Result<Response<admin::Key>, Status> {
        let (call, change) = Call::open("UpdateKey", request, Change::read)?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let locked = rows::lock(draft.write(), &change.name, &change.etag).await;
        let mut row = locked.map_err(status::store)?;
        self.stood(&mut draft, row.clone());
        change
            .apply(&mut row, self.clock.now_ms())
            .map_err(status::invalid)?;
        let row = rows::update(draft.write(), &row).await;
        let row = row.map_err(status::store)?;
        draft
            .finish(|revision| key_wire::wire(row, revision, self.clock.now_ms()))
            .await
    }

    async fn delete_key(
        &self,
        request: Request<admin::DeleteKeyRequest>,
    ) -> Result<Response<admin::DeleteKeyResponse>, Status> {
        let (call, (name, etag)) = Call::open("DeleteKey", request, |asked| {
            desk::named("name", KeyName::parse(&asked.name)).map(|name| (name, asked.etag))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name, &etag).await;
        self.stood(&mut draft, row.map_err(status::store)?);
        rows::delete(draft.write(), &name, &etag)
            .await
            .map_err(status::store)?;
        let reply = |revision| desk::latest(Revision(0), revision);
        draft
            .finish(|revision| admin::DeleteKeyResponse {
                revision: reply(revision),
            })
            .await
    }

    async fn revoke_key(
        &self,
        request: Request<admin::RevokeKeyRequest>,
    ) -> Result<Response<admin::RevokeKeyResponse>, Status> {
        let (call, (name, cut_streams)) = Call::open("RevokeKey", request, |asked| {
            let name = desk::named("name", KeyName::parse(&asked.name));
            name.map(|name| (name, asked.cut_streams))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name, "").await;
        self.stood(&mut draft, row.map_err(status::store)?);
        let row = rows::revoke(draft.write(), &name, cut_streams)
            .await
            .map_err(status::store)?;
        let key = |revision| key_wire::wire(row, revision, self.clock.now_ms());
        draft
            .finish(|revision| admin::RevokeKeyResponse {
                key: Some(key(revision)),
                cut_streams,
            })
            .await
    }

    async fn rotate_key(
        &self,
        request: Request<admin::RotateKeyRequest>,
    ) -> Result<Response<admin::RotateKeyResponse>, Status> {
        let (call, wanted) = Call::open("RotateKey", request, key_rotation_wire::wanted)?;
        let pepper = self.pepper().await?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let key_rotation_wire::Wanted {
            name,
            etag,
            overlap_ms,
        } = wanted;
        let row = rows::lock(draft.write(), &name, &etag).await;
        let row = row.map_err(status::store)?;
        self.stood(&mut draft, row.clone());
        let write = draft.write();
        let rule_ms = key_rotation::overlap_ms(write, &name.parent()).await;
        let overlap_ms = rotation::overlap_ms(overlap_ms, rule_ms.map_err(status::store)?);
        let now_ms = self.clock.now_ms();
        let at = |ms| {
            moment::from_millis(ms).map_err(|why| status::broken("the clock is beyond time", &why))
        };
        let until = (overlap_ms > 0).then(|| at(now_ms.saturating_add(overlap_ms)));
        let times = (at(now_ms)?, until.transpose()?);
        let minted = keys::renew(key_wire::family(row.environment), name.key.to_string());
        let secret = self.secret(&minted.key_id, &minted.secret_sha256, &pepper);
        let row = key_rotation::rotate(write, (&name, &etag), secret, times).await;
        let row = row.map_err(status::store)?;
        let text = told(&draft, &minted);
        let key = |revision| key_wire::wire(row, revision, now_ms);
        let reply = |revision| admin::RotateKeyResponse {
            key: Some(key(revision)),
            text: text.to_owned(),
        };
        draft.finish(reply).await
    }

    async fn end_key_overlap(
        &self,
        request: Request<admin::EndKeyOverlapRequest>,
    ) -> Result<Response<admin::EndKeyOverlapResponse>, Status> {
        let (call, name) = Call::open("EndKeyOverlap", request, |asked| {
            desk::named("name", KeyName::parse(&asked.name))
        })?;
        let mut draft = match self.desk.begin(call).await? {
            Begun::Replay(reply) => return Ok(Response::new(reply)),
            Begun::First(draft) => draft,
        };
        let row = rows::lock(draft.write(), &name, "").await;
        self.stood(&mut draft, row.map_err(status::store)?);
        let row = key_rotation::end_overlap(draft.write(), &name)
            .await
            .map_err(status::store)?;
        let key = |revision| key_wire::wire(row, revision, self.clock.now_ms());
        draft
            .finish(|revision| admin::EndKeyOverlapResponse {
                key: Some(key(revision)),
            })
            .await
    }

    async fn report_keys(
        &self,
        request: Request<admin::ReportKeysRequest>,
    ) -> Result<Response<admin::ReportKeysResponse>, Status> {
        let request = request.into_inner();
        let list = List {
            method: "ReportKeys",
            parent: &request.parent,
        };
        let asked = key_rotation_wire::asked(&request).map_err(status::invalid)?;
        let size = (request.page_size, request.page_token.as_str());
        let page = self.desk.root_page(list, size)?;
        let now_ms = self.clock.now_ms();
        let at = |ms| {
            moment::from_millis(ms).map_err(|why| status::broken("the clock is beyond time", &why))
        };
        let (now, since) = (at(now_ms)?, at(now_ms.saturating_sub(asked.unused_ms))?);
        let listed = key_report::list(self.desk.store(), &asked.parent, (now, since), &page).await;
        let listed = listed.map_err(status::store)?;
        let report = |it| key_rotation_wire::report(it, now, now_ms);
        Ok(Response::new(admin::ReportKeysResponse {
            next_page_token: self.desk.next(list, &listed.next_page_token),
            reports: listed.rows.into_iter().map(report).collect(),
        }))
    }
}
