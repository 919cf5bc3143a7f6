//! Which price is whose, and that the file of published prices and its document hold together.

use std::{collections::HashSet, fmt::Write as _};

use super::*;
use crate::{
    id::{OrganizationId, PriceId},
    price::{PRICES_MAX, Rates},
    usage::Counter,
};

const OPENAI: ProviderId = ProviderId::from_bytes([1; 16]);
/// The first of December 2025.
const DECEMBER_MS: u64 = 1_764_547_200_000;

fn target(model: &str) -> Target<'_> {
    Target {
        provider: OPENAI,
        kind: ProviderKind::OpenAi,
        model,
        region: "",
    }
}

fn price(id: u8, model: &str, change: impl FnOnce(&mut Row)) -> Price {
    let id = PriceId::from_bytes([id; 16]);
    let mut row = Row {
        reference: id.to_string(),
        own: true,
        of: Of::Any,
        model: Glob::parse(model).unwrap(),
        region: None,
        tier: None,
        above_input_tokens: 0,
        valid_from_ms: 0,
        rates: Rates::default().with(Counter::Input, 1).unwrap(),
    };
    change(&mut row);
    Price {
        id,
        organization: OrganizationId::from_bytes([9; 16]),
        name: "it".to_owned(),
        row: Arc::new(row),
    }
}

fn book(prices: &[Price]) -> PriceBook {
    let mut book = PriceBook::default();
    for it in prices {
        book.put(it);
    }
    book
}

fn found(book: &PriceBook, target: &Target<'_>, usage: &Usage, tier: Tier, at_ms: u64) -> String {
    let priced = book.quote(target).price(usage, tier, at_ms);
    priced.map_or_else(|| "none".to_owned(), |it| it.row.reference.clone())
}

fn reference(id: u8) -> String {
    PriceId::from_bytes([id; 16]).to_string()
}

#[test]
fn the_narrower_price_speaks_before_the_wider_and_an_own_one_before_a_published_one() {
    let usage = Usage::default();
    let all = [
        price(1, "*", |_| {}),
        price(2, "gpt-*", |_| {}),
        price(3, "gpt-4o", |_| {}),
        price(4, "*", |row| row.of = Of::Kind(ProviderKind::OpenAi)),
        price(5, "*", |row| row.of = Of::Provider(OPENAI)),
        price(6, "*", |row| {
            row.of = Of::Provider(OPENAI);
            row.tier = Some(Tier::Flex);
        }),
    ];
    let ask = |many: usize, model: &str, tier| {
        found(
            &book(&all[..many]),
            &target(model),
            &usage,
            tier,
            DECEMBER_MS,
        )
    };
    assert_eq!(ask(1, "gpt-4o", Tier::Standard), reference(1));
    assert_eq!(ask(2, "gpt-4o", Tier::Standard), reference(2));
    assert_eq!(ask(3, "gpt-4o", Tier::Standard), reference(3));
    assert_eq!(ask(3, "gpt-4.1", Tier::Standard), reference(2));
    assert_eq!(ask(4, "gpt-4o", Tier::Standard), reference(4));
    assert_eq!(ask(6, "gpt-4o", Tier::Standard), reference(5));
    assert_eq!(ask(6, "gpt-4o", Tier::Flex), reference(6));
    assert_eq!(ask(5, "gpt-4o", Tier::Other), reference(5));
    let published = ask(0, "gpt-4o", Tier::Standard);
    assert!(
        published.starts_with("published:openai/gpt-4o/"),
        "{published}"
    );
    assert_eq!(ask(0, "gpt-4o", Tier::Other), "none");
    assert_eq!(ask(0, "gpt-9", Tier::Standard), "none");
}

#[test]
fn a_price_holds_from_its_day_on_and_a_newer_list_replaces_all_of_the_older() {
    let long = Usage::default().with(Counter::CachedInput, 200_001);
    let short = Usage::default().with(Counter::Input, 200_000);
    let book = book(&[
        price(1, "m", |_| {}),
        price(2, "m", |row| row.above_input_tokens = 200_000),
        price(3, "m", |row| row.valid_from_ms = 50),
        price(4, "m", |row| row.valid_from_ms = 90),
        price(5, "m", |row| {
            row.valid_from_ms = 90;
            row.above_input_tokens = 100_000;
        }),
    ]);
    let ask = |usage, at_ms| found(&book, &target("m"), usage, Tier::Standard, at_ms);
    assert_eq!(
        (ask(&short, 0), ask(&long, 0)),
        (reference(1), reference(2))
    );
    assert_eq!(
        (ask(&short, 49), ask(&long, 49)),
        (reference(1), reference(2))
    );
    assert_eq!(
        (ask(&short, 50), ask(&long, 50)),
        (reference(3), reference(3))
    );
    assert_eq!(
        (ask(&short, 90), ask(&long, 90)),
        (reference(5), reference(5))
    );
    assert_eq!(ask(&Usage::default(), 90), reference(4));
}

#[test]
fn one_discount_speaks_the_narrowest_that_has_begun() {
    let discount = |id: u8, model: &str, points, valid_from_ms| {
        Arc::new(Discount {
            id: DiscountId::from_bytes([id; 16]),
            organization: OrganizationId::from_bytes([9; 16]),
            name: "it".to_owned(),
            of: Of::Any,
            model: Glob::parse(model).unwrap(),
            off: BasisPoints::new(points).unwrap(),
            valid_from_ms,
        })
    };
    let mut book = PriceBook::default();
    let december = DECEMBER_MS;
    for it in [
        discount(1, "*", 1_000, december),
        discount(2, "*", 1_500, december + 100),
        discount(3, "gpt-4.1", 0, december),
    ] {
        book.put_discount(it);
    }
    let off = |book: &PriceBook, model: &str, at_ms| {
        let quote = book.quote(&target(model));
        let priced = quote.price(&Usage::default(), Tier::Standard, at_ms);
        priced.unwrap().off.points()
    };
    assert_eq!(off(&book, "gpt-4o", december - 1), 0);
    assert_eq!(off(&book, "gpt-4o", december), 1_000);
    assert_eq!(off(&book, "gpt-4o", december + 100), 1_500);
    assert_eq!(off(&book, "gpt-4.1", december + 100), 0);
    book.remove_discount(DiscountId::from_bytes([2; 16]));
    assert_eq!(off(&book, "gpt-4o", december + 100), 1_000);
}

#[test]
fn a_region_is_read_from_the_address_that_names_it() {
    let bedrock = "https://bedrock-runtime.eu-west-1.amazonaws.com";
    assert_eq!(region_of(ProviderKind::Bedrock, bedrock), "eu-west-1");
    assert_eq!(region_of(ProviderKind::Bedrock, "http://127.0.0.1:9"), "");
    let vertex = "https://europe-west4-aiplatform.googleapis.com/v1";
    assert_eq!(region_of(ProviderKind::Gemini, vertex), "europe-west4");
    assert_eq!(
        region_of(ProviderKind::OpenAi, "https://api.openai.com/v1"),
        ""
    );
    let nova = |region| Target {
        kind: ProviderKind::Bedrock,
        region,
        ..target("us.amazon.nova-lite-v1:0")
    };
    let usage = Usage::default();
    let price = |region| published(&nova(region)).price(&usage, Tier::Standard, DECEMBER_MS);
    assert!(price("us-east-1").is_some());
    assert_eq!(price("eu-west-1"), None);
}

#[test]
fn every_published_row_can_be_read_and_stands_there_once_with_its_source() {
    let mut head = published::FILE.lines().next().unwrap().split('\t');
    for column in published::COLUMNS {
        assert_eq!(head.next(), Some(column));
    }
    assert_eq!(head.collect::<Vec<_>>(), ["source", "as_of"]);
    let mut seen = HashSet::new();
    for (line, cells) in published::lines() {
        let row = published::row(&cells).unwrap_or_else(|why| panic!("line {line}: {why}"));
        assert!(seen.insert(row.reference), "line {line} stands there twice");
        assert_eq!(cells.len(), published::COLUMNS.len() + 2, "line {line}");
        let [source, as_of] = [cells[cells.len() - 2], cells[cells.len() - 1]];
        assert!(
            source.starts_with("https://") && as_of.len() == 10,
            "line {line}"
        );
        assert!(cells[5] <= as_of, "line {line}: known before it is valid");
    }
    assert_eq!(seen.len(), published::rows().len());
    assert!(seen.len() < PRICES_MAX);
}

/// The table of `docs/prices.md`. Written when `SLUICE_WRITE_DOCS` is set, compared otherwise.
#[test]
fn the_document_shows_every_published_row() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/prices.md");
    let document = std::fs::read_to_string(path).unwrap();
    let mut table = String::from("| kind | model | region | tier | above | from |");
    let rates = &published::COLUMNS[6..];
    for it in rates {
        write!(table, " {it} |").unwrap();
    }
    table.push_str(" as of |\n|---|---|---|---|---|---|");
    table.push_str(&"---|".repeat(rates.len() + 1));
    table.push('\n');
    for (_, cells) in published::lines() {
        let shown = cells.iter().take(published::COLUMNS.len());
        for it in shown.chain(cells.last()) {
            write!(table, "| {it} ").unwrap();
        }
        table.push_str("|\n");
    }
    let (begin, end) = ("<!-- published: begin -->\n", "<!-- published: end -->");
    let (before, rest) = document
        .split_once(begin)
        .expect("the table has a beginning");
    let (stands, after) = rest.split_once(end).expect("the table has an end");
    if std::env::var_os("SLUICE_WRITE_DOCS").is_some() {
        std::fs::write(path, format!("{before}{begin}{table}{end}{after}")).unwrap();
    } else {
        assert!(stands == table, "run it with SLUICE_WRITE_DOCS=1");
    }
}
