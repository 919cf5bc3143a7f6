//! Providers between the wire and the store: what is wanted, what changes, what is shown.
//!
//! A credential is wiped when its last owner here is dropped, and is never `Debug`.

use std::mem;

use domain::{
    credential,
    name::{OrganizationName, ProviderName},
    provider::{self, Checked},
    segment::Slug,
    violation::Violations,
};
use policy::{handling::Handling, id::ProviderId, provider::ProviderKind, revision::Revision};
use proto::admin;
use seal::Ring;
use store::{
    id,
    provider::{New, Row},
};
use tonic::Status;
use zeroize::Zeroizing;

use crate::{
    api::{
        desk, mapping_wire,
        mask::{Field, Mask, Update},
        moment,
    },
    sealed, status,
};

/// A provider as an operator wants it, checked.
pub(crate) struct Wanted {
    name: ProviderName,
    checked: Checked,
    credential: Zeroizing<String>,
}

/// An update of a provider, checked as far as it can be without the provider.
pub(crate) struct Change {
    /// Which provider.
    pub(crate) name: ProviderName,
    /// The guard of the write.
    pub(crate) etag: String,
    kind: i32,
    display_name: Update<String>,
    base_url: Update<String>,
    regions: Update<Vec<String>>,
    stream_options: Update<Option<bool>>,
    exchange_origins: Update<Vec<String>>,
    custom: Update<Option<admin::CustomMapping>>,
    passthrough: Update<bool>,
    collects_nothing: Update<bool>,
    retains_nothing: Update<bool>,
    residency: Update<String>,
    quantization: Update<String>,
    credential: Update<Zeroizing<String>>,
}

const KIND: &str = "provider.kind";
const CREDENTIAL: &str = "provider.credential";

/// Why a credential must be given with a new origin.
const NEW_ORIGIN: &str = "belongs to the origin of the old base_url; give the one for the new origin, or an empty \
                          one, and name `credential` in update_mask";

/// Reads a request for a new provider.
pub(crate) fn wanted(asked: admin::CreateProviderRequest) -> Result<Wanted, Violations> {
    let mut given = desk::required(asked.provider, "provider")?;
    let credential = Zeroizing::new(mem::take(&mut given.credential));
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let slug = violations.take("provider_id", Slug::parse(&asked.provider_id));
    check_key(&credential, &mut violations);
    let kind = violations.take(KIND, kind(given.kind));
    let wanted = provider::Wanted {
        display_name: &given.display_name,
        // Without a kind the other fields are still looked at, under one that has a default for each.
        kind: kind.unwrap_or(ProviderKind::Ollama),
        base_url: &given.base_url,
        regions: &given.regions,
        stream_options: given.stream_options,
        exchange_origins: &given.exchange_origins,
        mapping: given.custom.take().map(mapping_wire::wanted),
        passthrough: given.passthrough,
        handling: Handling {
            collects_nothing: given.collects_nothing,
            retains_nothing: given.retains_nothing,
            residency: mem::take(&mut given.residency),
            quantization: mem::take(&mut given.quantization),
        },
    };
    let checked = wanted
        .check()
        .map_err(|others| violations.append(others))
        .ok();
    if let (Some(checked), true) = (&checked, kind.is_some() && credential::is_form(&credential)) {
        let origins = &checked.exchange_origins;
        let fits = credential::check_form(checked.kind, &credential, origins);
        violations.take(CREDENTIAL, fits);
    }
    let (Some(parent), Some(provider), Some(checked), true) =
        (parent, slug, checked, violations.is_empty())
    else {
        return Err(violations);
    };
    let name = ProviderName {
        organization: parent.organization,
        provider,
    };
    Ok(Wanted {
        name,
        checked,
        credential,
    })
}

/// The provider as it is shown, without its credential.
pub(crate) fn wire(row: Row, written: Revision) -> admin::Provider {
    admin::Provider {
        name: row.name.to_string(),
        uid: row.id.to_string(),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
        kind: kind_shown(row.kind),
        credential: String::new(),
        credential_set: row.credential_sealed.is_some(),
        regions: row.regions.iter().map(ToString::to_string).collect(),
        stream_options: Some(row.stream_options),
        exchange_origins: row.exchange_origins,
        custom: row.mapping.map(mapping_wire::wire),
        passthrough: row.passthrough,
        collects_nothing: row.handling.collects_nothing,
        retains_nothing: row.handling.retains_nothing,
        residency: row.handling.residency,
        quantization: row.handling.quantization,
        display_name: row.display_name,
        base_url: row.base_url.as_str().to_owned(),
    }
}

fn kind(number: i32) -> Result<ProviderKind, &'static str> {
    match u32::try_from(number) {
        Ok(0) => Err("is required"),
        Ok(number) => ProviderKind::from_number(number).ok_or("is not known"),
        Err(_) => Err("is not known"),
    }
}

/// Both enumerations have the same numbers.
fn kind_shown(kind: ProviderKind) -> i32 {
    i32::try_from(kind as u32).unwrap_or(0)
}

/// A form is judged when its provider's kind is known.
fn check_key(text: &str, violations: &mut Violations) {
    if !text.is_empty() && !credential::is_form(text) {
        violations.take(CREDENTIAL, credential::check_key(text));
    }
}

/// What is written is text, and what is kept was.
fn check_form(clear: &[u8], checked: &Checked) -> Result<(), Status> {
    let text = str::from_utf8(clear).unwrap_or_default();
    if !credential::is_form(text) {
        return Ok(());
    }
    let fits = credential::check_form(checked.kind, text, &checked.exchange_origins);
    fits.map_err(|why| status::invalid_field(CREDENTIAL, &why.to_string()))
}

// === impl Wanted ===

impl Wanted {
    /// The row to make and the credential in clear, if there is one.
    pub(crate) fn into_new(self, key: &Ring) -> (New, Option<Zeroizing<String>>) {
        let id = ProviderId::from_bytes(id::draw());
        let credential = Some(self.credential).filter(|it| !it.is_empty());
        let seal = |it: &Zeroizing<String>| sealed::seal_credential(key, id, it.as_bytes());
        let new = New {
            id,
            name: self.name,
            display_name: self.checked.display_name,
            kind: self.checked.kind,
            base_url: self.checked.base_url,
            stream_options: self.checked.stream_options,
            passthrough: self.checked.passthrough,
            handling: self.checked.handling,
            regions: self.checked.regions,
            exchange_origins: self.checked.exchange_origins,
            mapping: self.checked.mapping,
            credential_sealed: credential.as_ref().map(seal),
        };
        (new, credential)
    }
}

// === impl Change ===

impl Change {
    /// Reads a request for an update.
    pub(crate) fn read(asked: admin::UpdateProviderRequest) -> Result<Self, Violations> {
        let mut given = desk::required(asked.provider, "provider")?;
        let credential = Zeroizing::new(mem::take(&mut given.credential));
        let fields = [
            Field::changes("display_name", !given.display_name.is_empty()),
            Field::fixed("kind"),
            Field::changes("base_url", !given.base_url.is_empty()),
            Field::changes_by_name("credential", !credential.is_empty()),
            Field::output("credential_set"),
            Field::changes("regions", !given.regions.is_empty()),
            Field::changes("stream_options", given.stream_options.is_some()),
            Field::changes("exchange_origins", !given.exchange_origins.is_empty()),
            Field::changes("custom", given.custom.is_some()),
            Field::changes("passthrough", given.passthrough),
            Field::changes("collects_nothing", given.collects_nothing),
            Field::changes("retains_nothing", given.retains_nothing),
            Field::changes("residency", !given.residency.is_empty()),
            Field::changes("quantization", !given.quantization.is_empty()),
        ];
        let mut violations = Violations::new();
        let mask = Mask::read(asked.update_mask, &fields, &mut violations);
        let name = violations.take("provider.name", ProviderName::parse(&given.name));
        check_key(&credential, &mut violations);
        let (Some(mask), Some(name), true) = (mask, name, violations.is_empty()) else {
            return Err(violations);
        };
        Ok(Self {
            name,
            etag: given.etag,
            kind: given.kind,
            display_name: mask.pick("display_name", given.display_name),
            base_url: mask.pick("base_url", given.base_url),
            regions: mask.pick("regions", given.regions),
            stream_options: mask.pick("stream_options", given.stream_options),
            exchange_origins: mask.pick("exchange_origins", given.exchange_origins),
            custom: mask.pick("custom", given.custom),
            passthrough: mask.pick("passthrough", given.passthrough),
            collects_nothing: mask.pick("collects_nothing", given.collects_nothing),
            retains_nothing: mask.pick("retains_nothing", given.retains_nothing),
            residency: mask.pick("residency", given.residency),
            quantization: mask.pick("quantization", given.quantization),
            credential: mask.pick("credential", credential),
        })
    }

    /// Makes the change, and gives the credential that then stands, in clear, if there is one.
    pub(crate) fn apply(
        mut self,
        row: &mut Row,
        key: &Ring,
    ) -> Result<Option<Zeroizing<Vec<u8>>>, Status> {
        let credential = mem::replace(&mut self.credential, Update::Kept);
        let checked = self.check(row).map_err(status::invalid)?;
        let moves = checked.base_url.origin() != row.base_url.origin();
        if moves && credential == Update::Kept && row.credential_sealed.is_some() {
            // Whoever may change where a provider stands could otherwise have its secret sent to themselves.
            return Err(status::invalid_field(CREDENTIAL, NEW_ORIGIN));
        }
        let clear = match credential {
            Update::Set(text) => {
                let clear = (!text.is_empty()).then(|| Zeroizing::new(text.as_bytes().to_vec()));
                let sealed = clear
                    .as_ref()
                    .map(|it| sealed::seal_credential(key, row.id, it));
                row.credential_sealed = sealed;
                clear
            }
            Update::Kept => {
                let kept = row.credential_sealed.as_ref();
                kept.map(|kept| sealed::open_credential(key, row.id, kept))
                    .transpose()
                    .map_err(|why| status::broken("a kept credential does not open", &why))?
            }
        };
        // One that is kept is judged, too: the origins to which it may go may be others now.
        clear
            .as_ref()
            .map_or(Ok(()), |clear| check_form(clear, &checked))?;
        row.display_name = checked.display_name;
        row.base_url = checked.base_url;
        row.stream_options = checked.stream_options;
        row.passthrough = checked.passthrough;
        row.handling = checked.handling;
        row.regions = checked.regions;
        row.exchange_origins = checked.exchange_origins;
        row.mapping = checked.mapping;
        Ok(clear)
    }

    /// The fields as they will be.
    fn check(self, row: &Row) -> Result<Checked, Violations> {
        let kept = row.regions.iter().map(ToString::to_string).collect();
        let kept_handling = row.handling.clone();
        let wanted = provider::Wanted {
            display_name: &self.display_name.or(row.display_name.clone()),
            kind: row.kind,
            base_url: &self.base_url.or(row.base_url.as_str().to_owned()),
            regions: &self.regions.or(kept),
            stream_options: self.stream_options.or(Some(row.stream_options)),
            exchange_origins: &self.exchange_origins.or(row.exchange_origins.clone()),
            mapping: self
                .custom
                .or(row.mapping.clone().map(mapping_wire::wire))
                .map(mapping_wire::wanted),
            passthrough: self.passthrough.or(row.passthrough),
            handling: Handling {
                collects_nothing: self.collects_nothing.or(kept_handling.collects_nothing),
                retains_nothing: self.retains_nothing.or(kept_handling.retains_nothing),
                residency: self.residency.or(kept_handling.residency),
                quantization: self.quantization.or(kept_handling.quantization),
            },
        };
        let checked = wanted.check();
        if [0, kind_shown(row.kind)].contains(&self.kind) {
            return checked;
        }
        let mut violations = checked.err().unwrap_or_default();
        violations.add(KIND, "cannot change");
        Err(violations)
    }
}

#[cfg(test)]
#[path = "provider_wire_test.rs"]
mod tests;
