//! The admin commands: one file for each noun, which knows what can be said of it.
//!
//! Knows which nouns there are. What their verbs have in common is `verb` and `session`; a noun's file holds
//! what no other noun has.

use clap::Subcommand;

use crate::{failure::Failure, noun, session::Session, verb::Verb};

pub mod text_file;
pub mod credential_text;
pub mod field;
pub mod handling;
pub mod plain;
pub mod organization;
pub mod project;
pub mod mapping;
pub mod provider;
pub mod target;
pub mod ability;
pub mod recipe;
pub mod balance;
pub mod deprecation;
pub mod usage_pages;
pub mod users;
pub mod version_diff;
pub mod model_version;
pub mod release_file;
pub mod model;
pub mod alias;
pub mod freeze;
pub mod rollout_spec;
pub mod meant;
pub mod rollout;
pub mod source;
pub mod experiment;
pub mod regions;
pub mod route;
pub mod minted;
pub mod key_rotation;
pub mod key_scope;
pub mod key_import;
pub mod key;
pub mod service_account;
pub mod explained;
pub mod limit;
pub mod budget;
pub mod shadow;
pub mod issuer;
pub mod rate;
pub mod new_price;
pub mod price_file;
pub mod price;
pub mod discount;
pub mod serves;
pub mod edge;
pub mod join_token;
pub mod operator_key;
pub mod role;
pub mod alert_channel;
pub mod alert_rule;
pub mod alert;
pub mod local_user;
pub mod trust;
pub mod audit_verify;
pub mod audit;
pub mod sealing;
pub mod usage_query;
pub mod usage_decided;
pub mod usage_record;
pub mod usage_content;
pub mod usage_erase;
mod usage_columns;
pub mod usage_export;
pub mod usage_feedback;
pub mod usage;
pub mod reprice;
pub mod declarations;

use plain::run_verb;

/// The nouns.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Organizations: who pays, and the wall between tenants
    #[command(subcommand, visible_alias = "organization", aliases = ["org", "orgs"])]
    Organizations(Verb<organization::Fields, organization::Fields>),
    /// Projects: a team's workspace in an organization
    #[command(subcommand, visible_alias = "project")]
    Projects(Verb<project::Fields, project::Fields>),
    /// Providers: the upstream accounts that requests are sent to
    #[command(subcommand, visible_alias = "provider")]
    Providers(Verb<provider::New, provider::Edit>),
    /// Models: the public names that clients ask for
    #[command(subcommand, visible_alias = "model")]
    Models(model::Command),
    /// Versions: immutable revisions of a model
    #[command(subcommand, visible_alias = "version")]
    Versions(model_version::Command),
    /// Aliases: other names of models, such as one that follows the newest version
    #[command(subcommand, visible_alias = "alias")]
    Aliases(Verb<alias::New, alias::Edit>),
    /// Rollouts: moving a model's traffic to another version in steps, and back if need be
    #[command(subcommand, visible_alias = "rollout")]
    Rollouts(rollout::Command),
    /// Freezes: when no rollout starts or goes on
    #[command(subcommand, visible_alias = "freeze")]
    Freezes(freeze::Command),
    /// Sources of versions: registries that models follow
    #[command(subcommand, visible_alias = "source")]
    Sources(source::Command),
    /// Experiments: versions of a model beside each other, and what is known of how they differ
    #[command(subcommand, visible_alias = "experiment")]
    Experiments(experiment::Command),
    /// Shadows: a sample of requests copied to another version, and how the two compare
    #[command(subcommand, visible_alias = "shadow")]
    Shadows(shadow::Command),
    /// Routes: where requests go, and why
    #[command(subcommand, visible_alias = "routes")]
    Route(route::Command),
    /// Keys: what a client presents
    #[command(subcommand, visible_alias = "key")]
    Keys(key::Command),
    /// Service accounts: whose keys are that no person holds
    #[command(subcommand, visible_alias = "service-account")]
    ServiceAccounts(Verb<service_account::New, service_account::Edit>),
    /// Limits: how much of something a scope may use
    #[command(subcommand, visible_alias = "limit")]
    Limits(limit::Command),
    /// Budgets: how much money a scope may spend
    #[command(subcommand, visible_alias = "budget")]
    Budgets(budget::Command),
    /// Issuers: who else may say who calls, by tokens that they sign
    #[command(subcommand, visible_alias = "issuer")]
    Issuers(Verb<issuer::New, issuer::Edit>),
    /// Prices: what the organization pays, where that is not what is published
    #[command(subcommand, visible_alias = "price")]
    Prices(price::Command),
    /// Discounts: what the organization has negotiated
    #[command(subcommand, visible_alias = "discount")]
    Discounts(discount::Command),
    /// Edges: who carries the traffic, and how far each has come
    #[command(subcommand, visible_alias = "edge")]
    Edges(edge::Command),
    /// Join tokens: what a new edge presents
    #[command(subcommand, visible_aliases = ["join-token", "tokens"])]
    JoinTokens(join_token::Command),
    /// Operator keys: who may call the admin API, and what each may do
    #[command(subcommand, visible_alias = "operator-key")]
    OperatorKeys(operator_key::Command),
    /// Roles of the organization's own: what operators may do, beside the roles that are built in
    #[command(subcommand, visible_alias = "role")]
    Roles(role::Command),
    /// Alerts: who is told when something is to be seen to
    #[command(subcommand, visible_alias = "alert")]
    Alerts(alert::Command),
    /// Local users: who operates by a password and a code that are kept here
    #[command(subcommand, visible_alias = "local-user")]
    LocalUsers(local_user::Command),
    /// Trusts: whose tokens let somebody in as an operator, such as a CI job
    #[command(subcommand, visible_alias = "trust")]
    Trusts(trust::Command),
    /// The audit trail: who did what
    #[command(subcommand)]
    Audit(audit::Command),
    /// Sealing: under which keys secrets rest, and the pepper of key tags
    #[command(subcommand)]
    Sealing(sealing::Command),
    /// What was used and what it cost, summed as asked
    Usage(usage::Arguments),
    /// Price settled usage anew
    Reprice(reprice::Arguments),
    /// Show what it takes to make the organization what a folder of declarations says
    Plan(declarations::Look),
    /// Make the organization what a folder of declarations says
    Apply(declarations::Apply),
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    match command {
        Command::Organizations(verb) => run_verb(&noun::ORGANIZATION, verb, session).await,
        Command::Projects(verb) => run_verb(&noun::PROJECT, verb, session).await,
        Command::Providers(verb) => run_verb(&noun::PROVIDER, verb, session).await,
        Command::Issuers(verb) => run_verb(&noun::ISSUER, verb, session).await,
        Command::Aliases(verb) => run_verb(&noun::MODEL_ALIAS, verb, session).await,
        Command::ServiceAccounts(verb) => run_verb(&noun::SERVICE_ACCOUNT, verb, session).await,
        Command::Limits(command) => limit::run(command, session).await,
        Command::Budgets(command) => budget::run(command, session).await,
        Command::Models(command) => model::run(command, session).await,
        Command::Versions(command) => model_version::run(command, session).await,
        Command::Rollouts(command) => rollout::run(command, session).await,
        Command::Freezes(command) => freeze::run(command, session).await,
        Command::Sources(command) => source::run(command, session).await,
        Command::Experiments(command) => experiment::run(command, session).await,
        Command::Shadows(command) => shadow::run(command, session).await,
        Command::Route(command) => route::run(command, session).await,
        Command::Keys(command) => key::run(command, session).await,
        Command::Prices(command) => price::run(command, session).await,
        Command::Discounts(command) => discount::run(command, session).await,
        Command::Edges(command) => edge::run(command, session).await,
        Command::JoinTokens(command) => join_token::run(command, session).await,
        Command::OperatorKeys(command) => operator_key::run(command, session).await,
        Command::Roles(command) => role::run(command, session).await,
        Command::Alerts(command) => alert::run(command, session).await,
        Command::LocalUsers(command) => local_user::run(command, session).await,
        Command::Trusts(command) => trust::run(command, session).await,
        Command::Audit(command) => audit::run(command, session).await,
        Command::Sealing(command) => sealing::run(command, session).await,
        Command::Usage(arguments) => usage::run(&arguments, session).await,
        Command::Reprice(arguments) => reprice::run(&arguments, session).await,
        Command::Plan(arguments) => declarations::look(&arguments, session).await,
        Command::Apply(arguments) => declarations::apply(&arguments, session).await,
    }
}
