//! What can be said of a price.

use std::path::PathBuf;

use clap::{Args, Subcommand};
use prost_reflect::Value;
use proto::admin::ListPublishedPricesRequest;

use crate::{
    admin::{field::Wanted, new_price::New, plain::run_standing, price_file},
    connection::ANSWER_WITHIN,
    failure::Failure,
    noun,
    output::{self, Format},
    session::Session,
    verb::{Create, Standing, Write},
    wording,
};

/// What can be done with prices.
#[derive(Debug, Clone, Subcommand)]
pub enum Command {
    /// Make one; it never changes, a new one that begins later takes its place
    Create(Box<Create<New>>),
    /// What stands.
    #[command(flatten)]
    Standing(Standing),
    /// Make all that stand in a TOML or CSV file, and pass over those whose ids are taken
    Import(Import),
    /// Show what providers publish, as the control plane knows it
    Published,
}

/// A file of prices.
#[derive(Debug, Clone, Args)]
pub struct Import {
    /// The file; its name ends in .toml or .csv
    file: PathBuf,
    /// Check everything, write nothing
    #[arg(long, help_heading = "Writing")]
    validate_only: bool,
}

/// Runs a command.
pub async fn run(command: Command, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::PRICE;
    match command {
        Command::Create(create) => {
            let name = session.place.name(noun.collections, &create.name)?;
            let price = create.fields.wanted(session)?;
            let reply = session.create(noun, &name, &price, &create.write).await?;
            session.finish(&reply, &create.write).await
        }
        Command::Standing(standing) => run_standing(noun, &standing, session).await,
        Command::Import(import) => run_import(&import, session).await,
        Command::Published => published(session).await,
    }
}

/// Makes them one by one, in the order of the file. What was made before one is refused stays, and the same file can be
/// imported again.
async fn run_import(import: &Import, session: &mut Session) -> Result<(), Failure> {
    let noun = &noun::PRICE;
    let prices = price_file::read(&import.file)?;
    let write = Write {
        validate_only: import.validate_only,
        ..Write::default()
    };
    let (mut made, mut stood) = (0, 0);
    for (id, new) in prices {
        let name = session.place.name(noun.collections, &id)?;
        let price = new.wanted(session)?;
        match session.create(noun, &name, &price, &write).await {
            Ok(_) => made += 1,
            Err(why) if why.is_taken() => stood += 1,
            Err(why) => {
                let before = format!("{made} prices were made before it, {stood} stood already");
                return Err(why.with_details([format!("price {id}"), before]));
            }
        }
    }
    let done = if import.validate_only {
        "could be made"
    } else {
        "made"
    };
    output::line(format!("{made} prices {done}, {stood} stood already"))
}

async fn published(session: &mut Session) -> Result<(), Failure> {
    let path = "PriceService/ListPublishedPrices";
    let mut request = session.connection.message("ListPublishedPricesRequest")?;
    request
        .transcode_from(&ListPublishedPricesRequest {})
        .map_err(Failure::broken)?;
    let reply = session
        .connection
        .call(path, &request, ANSWER_WITHIN)
        .await?;
    if session.format == Format::Json {
        return session.show(&reply);
    }
    let fields = ["provider_kind", "provider_model", "region", "tier"];
    let fields = [&fields[..], &["above_input_tokens", "valid_from", "rates"]].concat();
    let prices = reply.get_field_by_name("prices");
    let prices = prices.as_deref().and_then(Value::as_list);
    let row = |item: &Value| -> Vec<String> {
        let item = item.as_message();
        let cell = |field: &&str| item.map(|it| wording::field(it, field));
        fields
            .iter()
            .map(|it| cell(it).unwrap_or_default())
            .collect()
    };
    let rows: Vec<_> = prices.unwrap_or_default().iter().map(row).collect();
    let heads = ["KIND", "MODEL", "REGION", "TIER", "ABOVE", "FROM", "RATES"];
    output::line(output::table(&heads, &rows))
}
