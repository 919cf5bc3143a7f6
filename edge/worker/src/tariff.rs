//! At which prices a target is billed: looked up once for each target and price book, and kept.
//!
//! Knows books and targets; what is computed with a price is `policy::cost`. A request that finds its target among those
//! that are kept allocates nothing.

use std::{cell::RefCell, rc::Rc, sync::Arc};

use dialect::{Tier as Told, Tokens};
use policy::{
    by_id::ById,
    cost::{self, Charge},
    id::ProviderId,
    price::{BasisPoints, Tier},
    price_book::{self, PriceBook, Quote, Target, region_of},
    provider::{Provider, ProviderKind},
    usage::{Counter, Usage},
};

/// How many providers' prices are kept.
// Full: all are forgotten, and looked up anew when they are needed.
const PROVIDERS_MAX: usize = 4_096;

/// How many models' prices are kept for each provider.
// Full: as above, of this provider.
const MODELS_MAX: usize = 64;

/// So many nano-dollars are a dollar.
const NANO: f64 = 1e9;

/// The prices that were looked up. One for each core.
#[derive(Default)]
pub struct Tariffs {
    // Borrowed for one look-up, never over an await.
    known: RefCell<ById<ProviderId, Known>>,
}

/// A provider and its organization's book as they were when its prices were looked up.
struct Known {
    provider: Arc<Provider>,
    book: Option<Arc<PriceBook>>,
    region: Option<Arc<str>>,
    quotes: Vec<(String, Rc<Quote>)>,
}

/// What a million tokens cost, in dollars, after what is off; `None` where that is not known.
#[derive(Debug, Clone, Copy, Default, PartialEq)]
pub struct Rates {
    /// What goes in.
    pub input: Option<f64>,
    /// What comes out.
    pub output: Option<f64>,
}

/// The prices of one target.
#[derive(Clone)]
pub struct Tariff {
    provider: ProviderId,
    kind: ProviderKind,
    region: Option<Arc<str>>,
    quote: Rc<Quote>,
}

/// What one attempt used, and at which price.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Billed {
    /// Who served.
    pub provider: ProviderId,
    /// Its kind.
    pub kind: ProviderKind,
    /// Its region, by its own name; `None` where it has none.
    pub region: Option<Arc<str>>,
    /// The tier in which it served.
    pub tier: Tier,
    /// What was used, and its price.
    pub charge: Charge,
}

// === impl Tariffs ===

impl Tariffs {
    /// The prices of a provider's model, `model` being its name for it.
    pub fn of(
        &self,
        provider: &Arc<Provider>,
        book: Option<&Arc<PriceBook>>,
        model: &str,
    ) -> Tariff {
        let mut all = self.known.borrow_mut();
        let stands = all
            .get(&provider.id)
            .is_some_and(|it| it.is_of(provider, book));
        if !stands {
            if all.len() >= PROVIDERS_MAX {
                all.clear();
            }
            all.insert(provider.id, Known::new(provider, book));
        }
        let known = all
            .entry(provider.id)
            .or_insert_with(|| Known::new(provider, book));
        Tariff {
            provider: provider.id,
            kind: provider.kind,
            quote: known.quote(model),
            region: known.region.clone(),
        }
    }
}

// === impl Known ===

impl Known {
    fn new(provider: &Arc<Provider>, book: Option<&Arc<PriceBook>>) -> Self {
        let region = region_of(provider.kind, &provider.base_url);
        Self {
            region: (!region.is_empty()).then(|| Arc::from(region)),
            provider: Arc::clone(provider),
            book: book.cloned(),
            quotes: Vec::new(),
        }
    }

    fn is_of(&self, provider: &Arc<Provider>, book: Option<&Arc<PriceBook>>) -> bool {
        let same_book = match (&self.book, book) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            (None, None) => true,
            _ => false,
        };
        same_book && Arc::ptr_eq(&self.provider, provider)
    }

    fn quote(&mut self, model: &str) -> Rc<Quote> {
        if let Some((_, quote)) = self.quotes.iter().find(|(name, _)| name == model) {
            return Rc::clone(quote);
        }
        if self.quotes.len() >= MODELS_MAX {
            self.quotes.clear();
        }
        let target = Target {
            provider: self.provider.id,
            kind: self.provider.kind,
            model,
            region: self.region.as_deref().unwrap_or(""),
        };
        let quote = Rc::new(match &self.book {
            Some(book) => book.quote(&target),
            None => price_book::published(&target),
        });
        self.quotes.push((model.to_owned(), Rc::clone(&quote)));
        quote
    }
}

// === impl Tariff ===

impl Tariff {
    /// What a request of so many tokens in and out is billed for a million of each; `None` where it has no price.
    pub fn rates(&self, (input, output): (u64, u64), at_ms: u64) -> Option<Rates> {
        let tokens = Tokens {
            input: input.max(1),
            output,
            ..Tokens::default()
        };
        let priced = self.quote.price(&usage(&tokens)?, Tier::Standard, at_ms)?;
        let left = 1.0 - f64::from(priced.off.points()) / f64::from(BasisPoints::ALL);
        #[expect(clippy::cast_precision_loss, reason = "it is compared, not counted")]
        let dollars = |nano: u64| nano as f64 * left / NANO;
        let rate = |counter| priced.row.rates.of(counter).map(dollars);
        Some(Rates {
            input: rate(Counter::Input),
            output: rate(Counter::Output),
        })
    }

    /// What an attempt of this moment is billed; `None` where nothing was used.
    pub fn bill(&self, tokens: &Tokens, at_ms: u64) -> Option<Billed> {
        let usage = usage(tokens)?;
        let tier = tier(tokens.tier);
        Some(Billed {
            provider: self.provider,
            kind: self.kind,
            region: self.region.clone(),
            tier,
            charge: Charge {
                usage,
                priced: self.quote.price(&usage, tier, at_ms),
            },
        })
    }
}

/// What the dearest of these tokens would cost at the dearest of some targets, each a provider with its name for the model:
/// nano-dollars, or `None` where the first of them has no price at one of the targets, or there is none.
pub fn dearest<'a>(
    tariffs: &Tariffs,
    targets: impl IntoIterator<Item = (&'a Arc<Provider>, &'a str)>,
    book: Option<&Arc<PriceBook>>,
    (kinds, at_ms): (&[Tokens], u64),
) -> Option<u64> {
    let costs = targets.into_iter().map(|(provider, model)| {
        let tariff = tariffs.of(provider, book, model);
        let mut costs = kinds.iter().map(|tokens| {
            let billed = tariff.bill(tokens, at_ms);
            cost::cost(billed.as_ref().map(|it| &it.charge)).nano()
        });
        let first = costs.next()??;
        Some(costs.flatten().fold(first, u64::max))
    });
    let mut dearest = None;
    for nano in costs {
        dearest = Some(dearest.unwrap_or(0).max(nano?));
    }
    dearest
}

/// The counters of one attempt that a provider served; `None` where nothing was used.
pub fn usage(tokens: &Tokens) -> Option<Usage> {
    let usage = Usage::new([
        tokens.input,
        tokens.cached_input,
        tokens.cache_write,
        tokens.cache_write_hour,
        tokens.audio_input,
        tokens.output,
        tokens.reasoning,
        tokens.audio_output,
        tokens.images,
        0,
        tokens.units,
    ]);
    (!usage.is_nothing()).then(|| usage.with(Counter::Requests, 1))
}

const fn tier(told: Told) -> Tier {
    match told {
        Told::Standard => Tier::Standard,
        Told::Priority => Tier::Priority,
        Told::Flex => Tier::Flex,
        Told::Batch => Tier::Batch,
        Told::Other => Tier::Other,
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use policy::{
        cost::Cost,
        glob::Glob,
        id::{DiscountId, OrganizationId},
        price::{Discount, Of},
    };

    use super::*;

    /// The first of December 2025.
    const DECEMBER_MS: u64 = 1_764_547_200_000;

    fn provider() -> Arc<Provider> {
        let kind = ProviderKind::OpenAi;
        Arc::new(Provider {
            id: ProviderId::from_bytes([1; 16]),
            organization: OrganizationId::from_bytes([2; 16]),
            name: "openai".to_owned(),
            kind,
            base_url: "https://api.openai.com/v1".to_owned(),
            stream_options: true,
            credential_required: true,
            mapping: None,
            passthrough: false,
            handling: policy::handling::Handling::default(),
        })
    }

    fn discounted() -> Arc<PriceBook> {
        let mut book = PriceBook::default();
        book.put_discount(Arc::new(Discount {
            id: DiscountId::from_bytes([3; 16]),
            organization: OrganizationId::from_bytes([2; 16]),
            name: "half".to_owned(),
            of: Of::Any,
            model: Glob::parse("*").unwrap(),
            off: BasisPoints::new(5_000).unwrap(),
            valid_from_ms: 0,
        }));
        Arc::new(book)
    }

    fn tokens() -> Tokens {
        Tokens {
            input: 1_000,
            output: 100,
            ..Tokens::default()
        }
    }

    fn nano(tariff: &Tariff) -> Cost {
        let billed = tariff.bill(&tokens(), DECEMBER_MS).unwrap();
        cost::cost([&billed.charge])
    }

    #[test]
    fn a_new_book_is_asked_at_once_and_an_old_one_by_who_still_holds_it() {
        let (tariffs, provider, book) = (Tariffs::default(), provider(), discounted());
        let ask = |book| nano(&tariffs.of(&provider, book, "gpt-4o"));
        assert_eq!(ask(None), Cost::Known(3_500_000));
        assert_eq!(ask(Some(&book)), Cost::Known(1_750_000));
        assert_eq!(ask(None), Cost::Known(3_500_000));
        assert_eq!(nano(&tariffs.of(&provider, None, "gpt-9")), Cost::Unknown);
    }

    #[test]
    fn what_a_million_costs_is_told_after_what_is_off_and_not_where_there_is_no_price() {
        let (tariffs, provider, book) = (Tariffs::default(), provider(), discounted());
        let rates = |book, model| {
            tariffs
                .of(&provider, book, model)
                .rates((5, 1), DECEMBER_MS)
        };
        let full = rates(None, "gpt-4o").unwrap();
        assert_eq!((full.input, full.output), (Some(2.5), Some(10.0)));
        let half = rates(Some(&book), "gpt-4o").unwrap();
        assert_eq!((half.input, half.output), (Some(1.25), Some(5.0)));
        assert_eq!(rates(None, "gpt-9"), None);
    }

    #[test]
    fn who_says_that_nothing_was_used_is_billed_nothing() {
        let tariff = Tariffs::default().of(&provider(), None, "gpt-4o");
        assert_eq!(tariff.bill(&Tokens::default(), DECEMBER_MS), None);
    }

    #[test]
    fn pricing_a_request_takes_no_time_that_matters() {
        let (tariffs, provider, book) = (Tariffs::default(), provider(), discounted());
        let rounds = 20_000_u32;
        let started = Instant::now();
        for _ in 0..rounds {
            let tariff = tariffs.of(&provider, Some(&book), "gpt-4o");
            std::hint::black_box(nano(&tariff));
        }
        let each = started.elapsed() / rounds;
        println!("{each:?} for one request");
        // A microsecond when optimized; this build is not, and its machine is busy.
        assert!(each < Duration::from_micros(60), "{each:?}");
    }
}
