//! Aliases between the wire and the store: what is wanted, what changes, what is shown.

use domain::{
    alias::{self, Follows},
    name::{ModelAliasName, ModelName, OrganizationName},
    segment::ModelSlug,
    violation::Violations,
};
use policy::revision::Revision;
use proto::admin;
use store::{
    alias::{New, Row},
    id,
};
use uuid::Uuid;

use crate::api::{
    desk,
    mask::{Field, Mask, Update},
    moment,
};

const MODEL: &str = "model_alias.model";

/// An update of one, checked as far as it can be without the alias.
#[derive(Debug)]
pub(crate) struct Change {
    /// Which.
    pub(crate) name: ModelAliasName,
    /// The guard of the write.
    pub(crate) etag: String,
    /// For which model it is to stand.
    pub(crate) model: Update<ModelName>,
    /// What of that is to serve.
    pub(crate) follows: Update<Follows>,
}

/// Reads a request for a new one.
pub(crate) fn new(asked: admin::CreateModelAliasRequest) -> Result<New, Violations> {
    let given = desk::required(asked.model_alias, "model_alias")?;
    let mut violations = Violations::new();
    let parent = violations.take("parent", OrganizationName::parse(&asked.parent));
    let id = ModelSlug::parse(&asked.model_alias_id);
    let id = violations.take("model_alias_id", id);
    let model = parent
        .as_ref()
        .map(|it| alias::model(&it.organization, &given.model));
    let model = model.and_then(|read| violations.take(MODEL, read));
    let follows = follows(&given, &mut violations);
    let (Some(parent), Some(model_alias), Some(model), Some(follows)) =
        (parent, id, model, follows)
    else {
        return Err(violations);
    };
    Ok(New {
        id: id::draw(),
        name: ModelAliasName {
            organization: parent.organization,
            model_alias,
        },
        model,
        follows,
    })
}

/// Reads a request for a change.
pub(crate) fn change(asked: admin::UpdateModelAliasRequest) -> Result<Change, Violations> {
    let given = desk::required(asked.model_alias, "model_alias")?;
    let fields = [
        Field::changes("model", !given.model.is_empty()),
        Field::changes("follows", given.follows != 0),
        Field::changes("version_id", !given.version_id.is_empty()),
        Field::output("version"),
    ];
    let mut violations = Violations::new();
    let mask = Mask::read(asked.update_mask, &fields, &mut violations);
    let name = ModelAliasName::parse(&given.name);
    let name = violations.take("model_alias.name", name);
    let (Some(mask), Some(name)) = (mask, name) else {
        return Err(violations);
    };
    let model = match mask.pick("model", &given.model) {
        Update::Kept => Some(Update::Kept),
        Update::Set(text) => {
            let read = alias::model(&name.organization, text);
            violations.take(MODEL, read).map(Update::Set)
        }
    };
    // Whoever names one of the two means both.
    let follows = match (mask.pick("follows", ()), mask.pick("version_id", ())) {
        (Update::Kept, Update::Kept) => Some(Update::Kept),
        _ => follows(&given, &mut violations).map(Update::Set),
    };
    match (model, follows) {
        (Some(model), Some(follows)) => Ok(Change {
            name,
            etag: given.etag,
            model,
            follows,
        }),
        _ => Err(violations),
    }
}

fn follows(given: &admin::ModelAlias, violations: &mut Violations) -> Option<Follows> {
    let read = alias::follows(given.follows, &given.version_id);
    read.map_err(|others| violations.append(others)).ok()
}

/// One as operators see it, after a write of this revision.
pub(crate) fn wire(row: &Row, written: Revision) -> admin::ModelAlias {
    let text = |it: Option<&dyn ToString>| it.map(ToString::to_string).unwrap_or_default();
    admin::ModelAlias {
        name: row.name.to_string(),
        uid: Uuid::from_bytes(row.id).simple().to_string(),
        model: row.model.to_string(),
        follows: row.follows.number().into(),
        version_id: text(row.follows.pinned().map(|it| it as &dyn ToString)),
        version: text(row.serves.as_ref().map(|it| it as &dyn ToString)),
        etag: row.etag(),
        create_time: Some(moment::to_wire(row.created_at)),
        update_time: Some(moment::to_wire(row.updated_at)),
        revision: desk::latest(row.revision, written),
    }
}

#[cfg(test)]
mod tests {
    use proto::admin::AliasFollows;

    use super::*;

    fn update(paths: &[&str], given: admin::ModelAlias) -> Result<Change, Violations> {
        change(admin::UpdateModelAliasRequest {
            model_alias: Some(admin::ModelAlias {
                name: "organizations/acme/modelAliases/fast-latest".to_owned(),
                ..given
            }),
            update_mask: Some(prost_types::FieldMask {
                paths: paths.iter().map(ToString::to_string).collect(),
            }),
            ..Default::default()
        })
    }

    #[test]
    fn what_serves_changes_as_one_and_the_model_stays_where_nobody_names_it() {
        let newest = admin::ModelAlias {
            follows: AliasFollows::Newest.into(),
            ..Default::default()
        };
        for paths in [
            &["follows"][..],
            &["version_id"],
            &["follows", "version_id"],
        ] {
            let change = update(paths, newest.clone()).unwrap();
            assert_eq!(change.follows, Update::Set(Follows::Newest), "{paths:?}");
            assert_eq!(change.model, Update::Kept);
        }
        let pinned = admin::ModelAlias {
            version_id: "v1".to_owned(),
            ..newest
        };
        let refused = update(&["follows"], pinned).unwrap_err().into_vec();
        assert_eq!(refused[0].field, "model_alias.version_id");
        assert!(update(&["version"], admin::ModelAlias::default()).is_err());
        let refused = update(&["model"], admin::ModelAlias::default());
        assert_eq!(refused.unwrap_err().into_vec()[0].field, MODEL);
    }
}
