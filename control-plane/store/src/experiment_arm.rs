//! The arms of experiments: read with each, and told to edges while one is under way.

use domain::{
    name::{ModelName, VersionName},
    segment::Slug,
};
use policy::{
    id::{RolloutId, VersionId},
    split::{Arm as Share, Split, Sticky},
};
use sqlx::PgConnection;
use uuid::Uuid;

use crate::{column, error::StoreError, experiment_weight};

/// An arm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Arm {
    /// Its version.
    pub version: VersionName,
    /// That version's id.
    pub id: VersionId,
    /// Its share, hundredths of a percent. Can change where shares follow what is known.
    pub share: u16,
    /// Why a guard has taken it out; empty while none has. Can change.
    pub out_reason: String,
}

/// How an experiment that is under way shares a model's traffic. The first arm gets what no other does.
pub(crate) async fn split(
    connection: &mut PgConnection,
    model: Uuid,
) -> Result<Option<Box<Split>>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT it.id, it.stickiness, it.slice_arms, it.slice_shares, arm.model_version, arm.share
           FROM experiment it JOIN experiment_arm arm ON arm.experiment = it.id
           WHERE it.model = $1 AND it.state = 1 ORDER BY arm.place"#,
        model,
    )
    .fetch_all(connection)
    .await?;
    let Some(first) = rows.first() else {
        return Ok(None);
    };
    let sticky = u8::try_from(first.stickiness).ok();
    let sticky = sticky.and_then(Sticky::from_number);
    let sticky = column::known(sticky, "experiment.stickiness")?;
    let salt = RolloutId::from_bytes(first.id.into_bytes());
    let shares = rows
        .iter()
        .map(|it| column::read(u16::try_from(it.share), "experiment_arm.share"));
    let shares: Vec<u16> = shares.collect::<Result<_, StoreError>>()?;
    let kept = (&*first.slice_arms, &*first.slice_shares);
    let slices = experiment_weight::slices(kept, &shares)?;
    let places = slices.iter().filter_map(|slice| {
        let version = rows.get(slice.arm)?.model_version;
        Some(Share {
            version: VersionId::from_bytes(version.into_bytes()),
            basis_points: slice.basis_points,
        })
    });
    let mut places: Vec<Share> = places.collect();
    // What is left belongs to the stable version, which is the first arm.
    places.pop_if(|_| slices.last().is_some_and(|it| it.arm == 0));
    let split = column::read(Split::new(salt, sticky, places), "experiment_arm.share")?;
    Ok(Some(Box::new(split)))
}

/// The arms of an experiment, the first one first.
pub(crate) async fn of(
    connection: &mut PgConnection,
    experiment: Uuid,
    parent: &ModelName,
) -> Result<Vec<Arm>, StoreError> {
    let rows = sqlx::query!(
        r#"SELECT model_version, version_name, share, out_reason FROM experiment_arm
           WHERE experiment = $1 ORDER BY place"#,
        experiment,
    )
    .fetch_all(connection)
    .await?;
    let arms = rows.into_iter().map(|it| {
        let ModelName {
            organization,
            model,
        } = parent.clone();
        let version = column::read(Slug::parse(&it.version_name), "experiment_arm.version_name")?;
        Ok(Arm {
            version: VersionName {
                organization,
                model,
                version,
            },
            id: VersionId::from_bytes(it.model_version.into_bytes()),
            share: column::read(u16::try_from(it.share), "experiment_arm.share")?,
            out_reason: it.out_reason,
        })
    });
    arms.collect()
}

/// Writes the arms of a new one, the first one first.
pub(crate) async fn write(
    connection: &mut PgConnection,
    (experiment, model): (Uuid, Uuid),
    arms: &[Arm],
) -> Result<(), StoreError> {
    for (place, arm) in (0_i32..).zip(arms) {
        sqlx::query!(
            r#"INSERT INTO experiment_arm (experiment, place, model, model_version, version_name,
                                           holds, share)
               VALUES ($1, $2, $3, $4, $5, $4, $6)"#,
            experiment,
            place,
            model,
            Uuid::from_bytes(*arm.id.as_bytes()),
            arm.version.version.as_str(),
            i32::from(arm.share),
        )
        .execute(&mut *connection)
        .await?;
    }
    Ok(())
}
