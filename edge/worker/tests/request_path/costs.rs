//! What a request cost: each attempt at its own target's price, and told to who asks.

use std::sync::Arc;

use policy::{
    change::Edit,
    cost::Cost,
    glob::Glob,
    id::PriceId,
    object::Object,
    price::{Of, Price, Rates, Row, Tier},
    usage::Counter,
};

use crate::{
    edge::{Edge, ORGANIZATION, Setup, provider_id},
    provider::{DELTA, Provider, STREAM, json},
};

/// Prices provider `number`, so many nano-dollars a token.
pub fn price(edge: &mut Edge, number: u8, tier: Option<Tier>, rates: &[(Counter, u64)]) {
    let id = PriceId::from_bytes([number * 10 + tier.map_or(0, |it| it as u8); 16]);
    let rates = rates.iter().fold(Rates::default(), |all, (counter, nano)| {
        all.with(*counter, nano * 1_000_000).unwrap()
    });
    let price = Price {
        id,
        organization: ORGANIZATION,
        name: "own".to_owned(),
        row: Arc::new(Row {
            reference: id.to_string(),
            own: true,
            of: Of::Provider(provider_id(number)),
            model: Glob::parse("provider-*").unwrap(),
            region: None,
            tier,
            above_input_tokens: 0,
            valid_from_ms: 0,
            rates,
        }),
    };
    edge.edit_rules(Edit::Upsert(Object::Price(price)));
}

const RATES: [(Counter, u64); 2] = [(Counter::Input, 2), (Counter::Output, 5)];

/// Two tokens in and three out: 19 nano-dollars at [`RATES`].
const ANSWER: &str = r#"{"choices":[],"usage":{"prompt_tokens":2,"completion_tokens":3}}"#;

#[tokio::test]
async fn every_attempt_that_was_billed_is_billed_at_its_own_targets_price() {
    let (broken, good) = (Provider::start().await, Provider::start().await);
    let mut edge = Setup::default().start(&[broken.base_url(), good.base_url()]);
    price(
        &mut edge,
        0,
        None,
        &[(Counter::Input, 7), (Counter::Requests, 1)],
    );
    price(&mut edge, 1, None, &RATES);
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    drop(broken.answer("").await);
    good.answer(json("200 OK", "", ANSWER)).await;
    assert_eq!(client.response().await.status, 200);
    let record = edge.record().await;
    let [(model, missed)] = &record.missed[..] else {
        panic!("one attempt failed: {record:?}")
    };
    assert_eq!(
        (model.as_str(), missed.provider),
        ("provider-model", provider_id(0))
    );
    let guessed = missed.charge.usage.of(Counter::Input);
    assert!(guessed > 0);
    assert_eq!(record.cost, Cost::Known(7 * guessed + 1 + 19));
    let served = record.served.unwrap();
    assert_eq!(
        (served.provider, served.tier),
        (provider_id(1), Tier::Standard)
    );

    // Where one of them has no price, nobody knows what both cost.
    let gone = PriceId::from_bytes([0; 16]);
    edge.edit_rules(Edit::Delete {
        kind: policy::object::Kind::Price,
        key: gone.as_bytes().to_vec(),
    });
    let mut client = edge.chat(r#"{"model":"chat"}"#).await;
    drop(broken.answer("").await);
    good.answer(json("200 OK", "", ANSWER)).await;
    assert_eq!(client.response().await.status, 200);
    assert_eq!(edge.record().await.cost, Cost::Unknown);
}

#[tokio::test]
async fn the_tier_is_the_one_in_which_the_provider_served() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    price(&mut edge, 0, Some(Tier::Standard), &RATES);
    price(
        &mut edge,
        0,
        Some(Tier::Flex),
        &[(Counter::Input, 1), (Counter::Output, 1)],
    );
    for (tier, cost) in [
        ("\"default\"", Cost::Known(19)),
        ("\"flex\"", Cost::Known(5)),
        ("\"priority\"", Cost::Unknown),
        ("null", Cost::Known(19)),
    ] {
        let mut client = edge.chat(r#"{"model":"chat","service_tier":"auto"}"#).await;
        let answer = ANSWER.replacen('{', &format!(r#"{{"service_tier":{tier},"#), 1);
        provider.answer(json("200 OK", "", &answer)).await;
        assert_eq!(client.response().await.status, 200);
        assert_eq!(edge.record().await.cost, cost, "{tier}");
    }
}

#[tokio::test]
async fn who_asks_is_told_the_cost_of_an_answer_in_one_piece() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    let asking = r#"{"usage":{"include":true},"model":"chat"}"#;
    let mut client = edge.chat(asking).await;
    provider.answer(json("200 OK", "", ANSWER)).await;
    let response = client.response().await;
    assert_eq!(response.header("x-sluice-cost"), Some("unknown"));
    assert!(
        response.text().contains(r#""cost":null}"#),
        "{}",
        response.text()
    );
    assert_eq!(edge.record().await.cost, Cost::Unknown);

    price(&mut edge, 0, None, &RATES);
    let mut client = edge.chat(asking).await;
    let (_, received) = provider.answer(json("200 OK", "", ANSWER)).await;
    let response = client.response().await;
    assert_eq!(response.header("x-sluice-cost"), Some("0.000000019"));
    let told = ANSWER.replace("3}", r#"3,"cost":0.000000019}"#);
    assert_eq!(response.text(), told);
    assert_eq!(received.text(), r#"{"model":"provider-model"}"#);
    let record = edge.record().await;
    assert_eq!((record.cost, record.tokens.total()), (Cost::Known(19), 5));

    // Who does not ask gets what the provider sent, and the provider what the client did.
    let mut client = edge.chat(r#"{"model":"chat","usage":7}"#).await;
    let (_, received) = provider.answer(json("200 OK", "", ANSWER)).await;
    let response = client.response().await;
    assert_eq!(
        (response.text(), response.header("x-sluice-cost")),
        (ANSWER, None)
    );
    assert!(received.text().contains(r#""usage":7"#));
}

#[tokio::test]
async fn who_asks_is_told_the_cost_in_a_streams_event_of_usage() {
    let provider = Provider::start().await;
    let mut edge = Setup::default().start(&[provider.base_url()]);
    price(&mut edge, 0, None, &RATES);
    let asking = r#"{"model":"chat","stream":true,"usage":{"include":true}}"#;
    let mut client = edge.chat(asking).await;
    let mut peer = provider.accept().await;
    let received = peer.request().await;
    assert!(
        received
            .text()
            .contains(r#""stream_options":{"include_usage":true}"#)
    );
    assert!(!received.text().contains(r#""include":true"#));
    peer.write(STREAM).await;
    let usage = format!("data: {ANSWER}\n\n");
    for chunk in [DELTA, &usage, "data: [DONE]\n\n"] {
        peer.chunk(chunk).await;
    }
    peer.write("0\r\n\r\n").await;
    let response = client.response().await;
    let told = usage.replace("3}", r#"3,"cost":0.000000019}"#);
    assert_eq!(response.text(), format!("{DELTA}{told}data: [DONE]\n\n"));
    assert_eq!(response.header("x-sluice-cost"), None);
    assert_eq!(edge.record().await.cost, Cost::Known(19));
}
