//! Prices and discounts.

use domain::{
    name::{DiscountName, PriceName},
    price::For,
    segment::Slug,
};
use policy::{
    glob::Glob,
    id::{DiscountId, PriceId, ProviderId},
    price::{BasisPoints, Rates, Tier},
    price_book::Target,
    provider::ProviderKind,
    usage::{Counter, Usage},
};
use store::{Obstacle, StoreError, discount, id::draw, price, provider};

use crate::world::{World, all, organization_name, provider_name};

fn name(slug: &str) -> PriceName {
    PriceName {
        organization: Slug::parse("acme").unwrap(),
        price: Slug::parse(slug).unwrap(),
    }
}

fn discount_name(slug: &str) -> DiscountName {
    DiscountName {
        organization: Slug::parse("acme").unwrap(),
        discount: Slug::parse(slug).unwrap(),
    }
}

fn new(slug: &str, whom: For) -> price::New {
    let rates = Rates::default()
        .with(Counter::Input, 2_500_000_000)
        .unwrap();
    price::New {
        id: PriceId::from_bytes(draw()),
        name: name(slug),
        terms: price::Terms {
            display_name: "Own".to_owned(),
            whom,
            model: Glob::parse("gpt-*").unwrap(),
            region: Some(Glob::parse("eu-*").unwrap()),
            tier: Some(Tier::Flex),
            above_input_tokens: 7,
            valid_from_ms: 1_700_000_000_000,
            rates: rates.with(Counter::Images, 0).unwrap(),
        },
    }
}

async fn create(world: &World, new: price::New) -> Result<price::Row, StoreError> {
    let mut write = world.store.write("test").await.unwrap();
    let row = price::create(&mut write, new).await?;
    write.commit().await?;
    Ok(row)
}

async fn create_discount(world: &World, slug: &str, whom: For) -> discount::Row {
    let new = discount::New {
        id: DiscountId::from_bytes(draw()),
        name: discount_name(slug),
        terms: discount::Terms {
            display_name: String::new(),
            whom,
            model: Glob::parse("*").unwrap(),
            off: BasisPoints::new(825).unwrap(),
            valid_from_ms: 0,
        },
    };
    let mut write = world.store.write("test").await.unwrap();
    let row = discount::create(&mut write, new).await.unwrap();
    write.commit().await.unwrap();
    row
}

#[tokio::test]
async fn a_price_comes_back_as_it_was_given_and_goes_for_good() {
    let world = World::acme().await;
    world.provider("main", &[]).await;
    let whom = [
        For::Any,
        For::Kind(ProviderKind::Bedrock),
        For::Provider(provider_name("main")),
    ];
    for (slug, whom) in ["a", "b", "c"].into_iter().zip(whom) {
        let new = new(slug, whom);
        create(&world, new.clone()).await.unwrap();
        let read = price::get(&world.store, &new.name).await.unwrap();
        assert_eq!((read.id, &read.terms), (new.id, &new.terms));
        assert!(read.revision.0 > 0);
    }
    let taken = create(&world, new("a", For::Any)).await.unwrap_err();
    assert!(matches!(taken, StoreError::Exists { .. }), "{taken:?}");
    let absent = new("d", For::Provider(provider_name("none")));
    let dangling = create(&world, absent).await.unwrap_err();
    assert!(
        matches!(dangling, StoreError::Dangling { .. }),
        "{dangling:?}"
    );
    let organization = organization_name("acme");
    let listed = price::list(&world.store, &organization, &all())
        .await
        .unwrap();
    assert_eq!(listed.rows.len(), 3);
    let mut write = world.store.write("test").await.unwrap();
    let stale = price::delete(&mut write, &name("a"), "other").await;
    assert!(matches!(stale, Err(StoreError::Stale { .. })), "{stale:?}");
    price::delete(&mut write, &name("a"), "").await.unwrap();
    write.commit().await.unwrap();
    let gone = price::get(&world.store, &name("a")).await;
    assert!(matches!(gone, Err(StoreError::NotFound { .. })), "{gone:?}");
}

#[tokio::test]
async fn what_has_prices_or_discounts_stays() {
    let world = World::acme().await;
    for slug in ["priced", "discounted"] {
        world.provider(slug, &[]).await;
    }
    let whom = For::Provider(provider_name("priced"));
    create(&world, new("a", whom)).await.unwrap();
    create_discount(&world, "b", For::Provider(provider_name("discounted"))).await;
    for (slug, by) in [
        ("priced", Obstacle::HasPrices),
        ("discounted", Obstacle::HasDiscounts),
    ] {
        let mut write = world.store.write("test").await.unwrap();
        let why = provider::delete(&mut write, &provider_name(slug), "").await;
        let name = provider_name(slug).to_string();
        assert_eq!(why.unwrap_err(), StoreError::Blocked { name, by });
    }
}

#[tokio::test]
async fn the_book_of_an_organization_holds_all_of_both() {
    let world = World::acme().await;
    let mut own = new("own", For::Kind(ProviderKind::Vllm));
    own.terms.region = None;
    own.terms.above_input_tokens = 0;
    create(&world, own.clone()).await.unwrap();
    create_discount(&world, "eight", For::Any).await;
    let read = discount::get(&world.store, &discount_name("eight")).await;
    assert_eq!(read.unwrap().terms.off.points(), 825);
    let book = discount::book(&world.store, &organization_name("acme")).await;
    let quote = book.unwrap().quote(&Target {
        provider: ProviderId::from_bytes([1; 16]),
        kind: ProviderKind::Vllm,
        model: "gpt-oss",
        region: "",
    });
    let priced = quote.price(&Usage::default(), Tier::Flex, 1_700_000_000_000);
    let priced = priced.unwrap();
    assert_eq!(priced.row.reference, own.id.to_string());
    assert_eq!(priced.off.points(), 825);
    assert_eq!(quote.price(&Usage::default(), Tier::Flex, 1), None);
    let mut write = world.store.write("test").await.unwrap();
    discount::delete(&mut write, &discount_name("eight"), "")
        .await
        .unwrap();
    write.commit().await.unwrap();
    let organization = organization_name("acme");
    let listed = discount::list(&world.store, &organization, &all()).await;
    assert!(listed.unwrap().rows.is_empty());
}
