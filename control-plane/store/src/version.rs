//! Versions of models. What they are never changes: they are made, chosen by their model, deprecated, and deleted.

use std::sync::Arc;

use domain::{
    deprecation::Deprecation,
    etag::etag,
    name::{ModelName, ProviderName, VersionName},
    page::Page,
    recipe::Tried,
    segment::Slug,
    version::Target,
};
use payload::{
    object::Misfit,
    transform::{Recipe, Rule, Sample, headers::HeaderRule},
};
use policy::{
    adapt::{Adapt, Measure},
    capability::{Abilities, Capabilities},
    catalogue::Capable,
    hedge::Hedge,
    id::VersionId,
    model::{self as policy_model, Version},
    object::{Kind, Object},
    region::Audience,
    revision::Revision,
    routing::{Balance, FailureClasses, Routing},
};
use sqlx::PgConnection;
use time::OffsetDateTime;
use uuid::Uuid;

use crate::{
    alias_policy, column, conflict, deprecation_columns,
    error::StoreError,
    id::uuid,
    list::{self, Listed},
    model, named,
    store::Store,
    write::Write,
};

/// No rules, or samples, as a column holds them.
const NONE: &str = "[]";

/// What to make.
#[derive(Debug, Clone)]
pub struct New {
    /// Its id, from [`crate::id::draw`].
    pub id: VersionId,
    /// Its name.
    pub name: VersionName,
    /// Where requests go, in order of preference; never empty.
    pub targets: Vec<Target>,
    /// Where it came from.
    pub provenance: Vec<(String, String)>,
    /// What is changed in requests, if anything.
    pub recipe: Option<Arc<Recipe>>,
    /// What that was tried with.
    pub samples: Vec<Tried>,
    /// How its targets are chosen.
    pub routing: Routing,
}

/// A version as it stands.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Row {
    /// Its id.
    pub id: VersionId,
    /// Its name.
    pub name: VersionName,
    /// Where requests go, in order of preference; never empty.
    pub targets: Vec<Target>,
    /// Where it came from.
    pub provenance: Vec<(String, String)>,
    /// What is changed in bodies. Not read for lists.
    pub transform_rules: Vec<Rule>,
    /// What is changed in headers. Not read for lists.
    pub header_rules: Vec<HeaderRule>,
    /// What the rules were tried with. Not read for lists.
    pub samples: Vec<Tried>,
    /// How its targets are chosen.
    pub routing: Routing,
    /// When it is no longer to be used, if that is known. Can change, as nothing else of it.
    pub deprecation: Option<Deprecation>,
    /// When it was made.
    pub created_at: OffsetDateTime,
    /// The revision at which it was made; zero before that is committed.
    pub revision: Revision,
}

struct Columns {
    id: Uuid,
    name: String,
    provenance_names: Vec<String>,
    provenance_values: Vec<String>,
    providers: Vec<String>,
    provider_models: Vec<String>,
    weights: Vec<i16>,
    /// Four numbers for each target: its context, its longest answer, and the bits of what it can and cannot.
    capabilities: Vec<i64>,
    transform_rules: String,
    header_rules: String,
    samples: String,
    balance: i16,
    fallback_on: i16,
    no_fallback_on: i16,
    adapt_by: i16,
    adapt_low: i16,
    adapt_high: i16,
    hedge_after_ms: i32,
    hedge_percentile: i16,
    deprecated_at: Option<OffsetDateTime>,
    sunset_at: Option<OffsetDateTime>,
    successor: String,
    created_at: OffsetDateTime,
    revision: i64,
}

/// Reads one.
pub async fn get(store: &Store, name: &VersionName) -> Result<Row, StoreError> {
    read(&mut *store.connection().await?, name).await
}

/// Reads a page.
pub async fn list(
    store: &Store,
    parent: &ModelName,
    page: &Page,
) -> Result<Listed<Row>, StoreError> {
    let mut connection = store.connection().await?;
    let model = named::model_of(&mut connection, parent, parent).await?;
    // Kind 5 is `policy::object::Kind::Version`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.provenance_names, it.provenance_values,
                  ARRAY(SELECT provider.name FROM target JOIN provider ON provider.id = target.provider
                        WHERE target.model_version = it.id ORDER BY target.place) AS "providers!",
                  ARRAY(SELECT target.provider_model FROM target
                        WHERE target.model_version = it.id ORDER BY target.place) AS "provider_models!",
                  ARRAY(SELECT target.weight FROM target
                        WHERE target.model_version = it.id ORDER BY target.place) AS "weights!",
                  ARRAY(SELECT said.number
                        FROM target CROSS JOIN LATERAL
                             unnest(ARRAY[target.context_tokens, target.output_tokens_max, target.can, target.cannot])
                             WITH ORDINALITY AS said(number, place)
                        WHERE target.model_version = it.id ORDER BY target.place, said.place) AS "capabilities!",
                  '[]' AS "transform_rules!", '[]' AS "header_rules!", '[]' AS "samples!",
                  it.balance, it.fallback_on, it.no_fallback_on,
                  it.adapt_by, it.adapt_low, it.adapt_high, it.hedge_after_ms, it.hedge_percentile,
                  it.deprecated_at, it.sunset_at, it.successor, it.created_at, coalesce(o.revision, 0) AS "revision!"
           FROM model_version it
           LEFT JOIN object o ON o.kind = 5 AND o.key = uuid_send(it.id)
           WHERE it.model = $1 AND it.name > $2 ORDER BY it.name LIMIT $3"#,
        uuid(*model.as_bytes()),
        page.after,
        list::rows_wanted(page),
    )
    .fetch_all(&mut *connection)
    .await?;
    let rows = columns
        .into_iter()
        .map(|it| it.row(parent))
        .collect::<Result<Vec<_>, _>>()?;
    Ok(list::cut(rows, page, |row| row.name.version.as_str()))
}

/// Makes one.
pub async fn create(write: &mut Write, new: New) -> Result<Row, StoreError> {
    let parent = new.name.parent();
    let model = named::model_of(write.connection(), &parent, &parent).await?;
    alias_policy::hold_model(write.connection(), model).await?;
    let (names, values): (Vec<String>, Vec<String>) = new.provenance.into_iter().unzip();
    let recipe = new.recipe.as_deref();
    let samples: Vec<_> = new.samples.iter().map(Tried::sample).collect();
    let samples = Sample::write_all(&samples);
    let (hedge_after_ms, hedge_percentile) = Hedge::numbers(new.routing.hedge);
    sqlx::query!(
        r#"INSERT INTO model_version (id, model, name, provenance_names, provenance_values,
                                      transform_rules, header_rules, samples,
                                      balance, fallback_on, no_fallback_on,
                                      adapt_by, adapt_low, adapt_high,
                                      hedge_after_ms, hedge_percentile)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16)"#,
        uuid(*new.id.as_bytes()),
        uuid(*model.as_bytes()),
        new.name.version.as_str(),
        &names,
        &values,
        recipe.map_or(NONE, Recipe::rules),
        recipe.map_or(NONE, Recipe::header_rules),
        samples,
        new.routing.balance as i16,
        bits(new.routing.fallback_on)?,
        bits(new.routing.no_fallback_on)?,
        new.routing.adapt.map_or(0, |it| it.by as i16),
        percent(new.routing.adapt.map(|it| it.percents().0))?,
        percent(new.routing.adapt.map(|it| it.percents().1))?,
        column::read(
            i32::try_from(hedge_after_ms),
            "model_version.hedge_after_ms"
        )?,
        column::read(
            i16::try_from(hedge_percentile),
            "model_version.hedge_percentile"
        )?,
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_create(why, &new.name, &parent))?;
    let mut targets = Vec::with_capacity(new.targets.len());
    for (place, target) in (0..).zip(&new.targets) {
        targets.push(add_target(write.connection(), new.id, place, target).await?);
    }
    let version = Version {
        id: new.id,
        model,
        name: new.name.version.to_string(),
        targets,
        recipe: new.recipe,
        routing: new.routing,
    };
    write.put(Object::Version(version), Audience::everywhere());
    if alias_policy::follows_newest(write.connection(), model).await? {
        model::publish(write, &parent).await?;
    }
    read(write.connection(), &new.name).await
}

/// Deletes one that is not the stable one of its model, and for which no alias alone stands.
pub async fn delete(write: &mut Write, name: &VersionName, etag: &str) -> Result<(), StoreError> {
    let row = read(write.connection(), name).await?;
    conflict::check_etag(etag, &row.etag(), name)?;
    let parent = name.parent();
    let model = named::model_of(write.connection(), &parent, name).await?;
    alias_policy::hold_model(write.connection(), model).await?;
    let gone = sqlx::query!(
        "DELETE FROM model_version WHERE id = $1",
        uuid(*row.id.as_bytes())
    )
    .execute(write.connection())
    .await
    .map_err(|why| conflict::on_delete(why, name))?;
    if gone.rows_affected() == 0 {
        return Err(StoreError::NotFound {
            name: name.to_string(),
        });
    }
    if alias_policy::follows_newest(write.connection(), model).await? {
        model::publish(write, &parent).await?;
    }
    // The model first: no edge shall see it with a version that is gone.
    write.forget(Kind::Version, row.id.as_bytes());
    Ok(())
}

async fn add_target(
    connection: &mut PgConnection,
    version: VersionId,
    place: i16,
    target: &Target,
) -> Result<policy_model::Target, StoreError> {
    let field = format!("model_version.targets[{place}].provider");
    let provider = named::provider(connection, &target.provider).await?;
    let provider = provider.ok_or_else(|| conflict::dangling(&field, &target.provider))?;
    let (context_tokens, output_tokens_max) = target.capabilities.numbers();
    let (can, cannot) = target.capabilities.abilities();
    sqlx::query!(
        r#"INSERT INTO target (model_version, place, provider, provider_model, weight,
                               context_tokens, output_tokens_max, can, cannot)
           VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)"#,
        uuid(*version.as_bytes()),
        place,
        uuid(*provider.as_bytes()),
        target.provider_model,
        column::read(i16::try_from(target.weight), "target.weight")?,
        i64::from(context_tokens),
        i64::from(output_tokens_max),
        i32::from(can.bits()),
        i32::from(cannot.bits()),
    )
    .execute(connection)
    .await
    .map_err(|why| conflict::on_reference(why, &field, &target.provider))?;
    Ok(policy_model::Target {
        provider,
        provider_model: target.provider_model.clone(),
        weight: target.weight,
        capable: Capable::from(target.capabilities),
    })
}

pub(crate) async fn read(
    connection: &mut PgConnection,
    name: &VersionName,
) -> Result<Row, StoreError> {
    // Kind 5 is `policy::object::Kind::Version`.
    let columns = sqlx::query_as!(
        Columns,
        r#"SELECT it.id, it.name, it.provenance_names, it.provenance_values,
                  ARRAY(SELECT provider.name FROM target JOIN provider ON provider.id = target.provider
                        WHERE target.model_version = it.id ORDER BY target.place) AS "providers!",
                  ARRAY(SELECT target.provider_model FROM target
                        WHERE target.model_version = it.id ORDER BY target.place) AS "provider_models!",
                  ARRAY(SELECT target.weight FROM target
                        WHERE target.model_version = it.id ORDER BY target.place) AS "weights!",
                  ARRAY(SELECT said.number
                        FROM target CROSS JOIN LATERAL
                             unnest(ARRAY[target.context_tokens, target.output_tokens_max, target.can, target.cannot])
                             WITH ORDINALITY AS said(number, place)
                        WHERE target.model_version = it.id ORDER BY target.place, said.place) AS "capabilities!",
                  it.transform_rules, it.header_rules, it.samples,
                  it.balance, it.fallback_on, it.no_fallback_on,
                  it.adapt_by, it.adapt_low, it.adapt_high, it.hedge_after_ms, it.hedge_percentile,
                  it.deprecated_at, it.sunset_at, it.successor, it.created_at, coalesce(o.revision, 0) AS "revision!"
           FROM model_version it
           JOIN model ON model.id = it.model
           JOIN organization ON organization.id = model.organization
           LEFT JOIN object o ON o.kind = 5 AND o.key = uuid_send(it.id)
           WHERE organization.name = $1 AND model.name = $2 AND it.name = $3"#,
        name.organization.as_str(),
        name.model.as_str(),
        name.version.as_str(),
    )
    .fetch_optional(connection)
    .await?;
    let columns = columns.ok_or_else(|| conflict::missing(name))?;
    columns.row(&name.parent())
}

// === impl Row ===

impl Row {
    /// Which state this is. There is only one.
    pub fn etag(&self) -> String {
        etag(self.id.as_bytes(), 1)
    }
}

// === impl Columns ===

impl Columns {
    fn row(self, parent: &ModelName) -> Result<Row, StoreError> {
        let ModelName {
            organization,
            model,
        } = parent.clone();
        let target = |(((provider, provider_model), weight), said): (_, &[i64])| {
            let (provider, weight): (String, i16) = (provider, weight);
            let provider = column::read(Slug::parse(&provider), "provider.name")?;
            // A target is in the organization of its version; whoever made it saw to that.
            let provider = ProviderName {
                organization: organization.clone(),
                provider,
            };
            Ok(Target {
                provider,
                provider_model,
                weight: column::read(u16::try_from(weight), "target.weight")?,
                capabilities: capabilities(said)?,
            })
        };
        let targets = self
            .providers
            .into_iter()
            .zip(self.provider_models)
            .zip(self.weights)
            .zip(self.capabilities.chunks(4))
            .map(target);
        let targets = targets.collect::<Result<Vec<_>, StoreError>>()?;
        let version = column::read(Slug::parse(&self.name), "model_version.name")?;
        let transform_rules = Rule::parse_all(&self.transform_rules);
        let header_rules = HeaderRule::parse_all(&self.header_rules);
        let deprecation =
            deprecation_columns::read(self.deprecated_at, self.sunset_at, &self.successor)?;
        Ok(Row {
            deprecation,
            transform_rules: column::read(transform_rules, "model_version.transform_rules")?,
            header_rules: column::read(header_rules, "model_version.header_rules")?,
            samples: column::read(samples(&self.samples), "model_version.samples")?,
            routing: Routing {
                balance: balance(self.balance)?,
                fallback_on: classes(self.fallback_on, "model_version.fallback_on")?,
                no_fallback_on: classes(self.no_fallback_on, "model_version.no_fallback_on")?,
                adapt: adapt(self.adapt_by, (self.adapt_low, self.adapt_high))?,
                hedge: hedge((self.hedge_after_ms, self.hedge_percentile))?,
            },
            id: VersionId::from_bytes(self.id.into_bytes()),
            name: VersionName {
                organization,
                model,
                version,
            },
            targets,
            provenance: self
                .provenance_names
                .into_iter()
                .zip(self.provenance_values)
                .collect(),
            created_at: self.created_at,
            revision: column::revision(self.revision),
        })
    }
}

fn samples(text: &str) -> Result<Vec<Tried>, Misfit> {
    let samples = Sample::parse_all(text)?.into_iter();
    let tried = samples.map(|sample| Tried {
        family: sample.family,
        body: sample.body.to_owned(),
        expected: sample.becomes.map(str::to_owned),
    });
    Ok(tried.collect())
}

fn bits(of: FailureClasses) -> Result<i16, StoreError> {
    column::read(i16::try_from(of.bits()), "model_version.fallback_on")
}

fn percent(of: Option<u16>) -> Result<i16, StoreError> {
    column::read(i16::try_from(of.unwrap_or(0)), "model_version.adapt_low")
}

fn adapt(by: i16, (low, high): (i16, i16)) -> Result<Option<Adapt>, StoreError> {
    if by == 0 {
        return Ok(None);
    }
    let by = u32::try_from(by).ok().and_then(Measure::from_number);
    let by = column::known(by, "model_version.adapt_by")?;
    let low = column::read(u16::try_from(low), "model_version.adapt_low")?;
    let high = column::read(u16::try_from(high), "model_version.adapt_high")?;
    let adapt = Adapt::new(by, low, high);
    Ok(Some(column::read(adapt, "model_version.adapt_low")?))
}

fn hedge((after_ms, percentile): (i32, i16)) -> Result<Option<Hedge>, StoreError> {
    let after_ms = column::read(u32::try_from(after_ms), "model_version.hedge_after_ms")?;
    let percentile = column::read(u32::try_from(percentile), "model_version.hedge_percentile")?;
    column::read(
        Hedge::new((after_ms, percentile)),
        "model_version.hedge_after_ms",
    )
}

fn capabilities(said: &[i64]) -> Result<Capabilities, StoreError> {
    let [context, output, can, cannot] = *said else {
        return column::known(None, "target.context_tokens");
    };
    let abilities = |bits: i64| u32::try_from(bits).ok().and_then(Abilities::from_bits);
    let can = column::known(abilities(can), "target.can")?;
    let cannot = column::known(abilities(cannot), "target.cannot")?;
    let numbers = (column::count(context), column::count(output));
    let read = Capabilities::new(numbers, (can, cannot));
    column::read(read, "target.cannot")
}

fn balance(number: i16) -> Result<Balance, StoreError> {
    let balance = u32::try_from(number).ok().and_then(Balance::from_number);
    column::known(balance, "model_version.balance")
}

fn classes(bits: i16, column: &'static str) -> Result<FailureClasses, StoreError> {
    let classes = u32::try_from(bits).ok();
    let classes = classes.and_then(FailureClasses::from_bits);
    column::known(classes, column)
}
