//! Reference prices from the venue, kept fresh beside the order path. A price too old is no price: `policy` refuses.

use std::{
    collections::HashMap,
    sync::{Arc, PoisonError, RwLock},
    time::{Duration, Instant},
};

use extensions::{Clock, Counterparty, Currency, Instrument, Timestamp};
use gateway_policy::ReferencePrice;
use tokio_util::sync::CancellationToken;

use crate::venue::{self, Doubt, Venue};

/// The latest reference price of each listed instrument.
#[derive(Debug, Default)]
pub struct Prices {
    latest: RwLock<HashMap<Instrument, (Instant, ReferencePrice)>>,
}

impl Prices {
    /// The latest price, of whatever age.
    #[must_use]
    pub fn of(&self, instrument: &Instrument) -> Option<ReferencePrice> {
        self.latest
            .read()
            .unwrap_or_else(PoisonError::into_inner)
            .get(instrument)
            .map(|(_, price)| *price)
    }

    /// Whether no instrument has a price yet.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.latest.read().unwrap_or_else(PoisonError::into_inner).is_empty()
    }

    /// Takes a price that was asked for at `asked`. One that was asked for earlier and answered later (by another feed) does not
    /// take the place of a newer one; which is newer the monotonic clock says, since the decision clock may step back.
    pub fn observe(&self, instrument: Instrument, price: ReferencePrice, asked: Instant) {
        let mut latest = self.latest.write().unwrap_or_else(PoisonError::into_inner);
        let known = latest.entry(instrument).or_insert((asked, price));
        if known.0 <= asked {
            *known = (asked, price);
        }
    }
}

/// What to ask for, and how often.
pub struct PriceFeed {
    /// The venue's name.
    pub counterparty: Counterparty,
    /// Where prices go.
    pub prices: Arc<Prices>,
    /// Whom to ask.
    pub venue: Arc<dyn Venue>,
    /// The instruments, each with the unit it is quoted in.
    pub instruments: Vec<(Instrument, Currency)>,
    /// The decision clock.
    pub clock: Arc<dyn Clock>,
    /// From the end of one round to the start of the next.
    pub every: Duration,
}

impl PriceFeed {
    /// Asks once for every instrument, together. What cannot be had keeps its old price, which ages.
    pub async fn refresh(&self) {
        let instruments: Vec<Instrument> = self.instruments.iter().map(|(instrument, _)| *instrument).collect();
        let (at, asked) = (self.clock.now(), Instant::now());
        for (instrument, answer) in self.venue.reference_prices(&instruments).await {
            self.took(instrument, answer, at, asked);
        }
    }

    /// Asks once for one instrument.
    pub async fn refresh_one(&self, instrument: &Instrument) {
        let (at, asked) = (self.clock.now(), Instant::now());
        let answer = self.venue.reference_price(*instrument).await;
        self.took(*instrument, answer, at, asked);
    }

    /// Takes an answer to what was asked at `asked`, when the decision clock said `at`.
    fn took(
        &self,
        instrument: Instrument,
        answer: Result<venue::ReferencePrice, Doubt>,
        at: Timestamp,
        asked: Instant,
    ) {
        let Some((_, currency)) = self.instruments.iter().find(|(listed, _)| *listed == instrument) else {
            return;
        };
        match answer {
            Ok(quote) if quote.price.is_positive() => {
                let price = ReferencePrice {
                    at,
                    currency: *currency,
                    price: quote.price,
                };
                self.prices.observe(instrument, price, asked);
            }
            Ok(_) => tracing::warn!(%instrument, "the venue names a price that is not above zero"),
            Err(doubt) => tracing::warn!(%instrument, %doubt, "no reference price"),
        }
    }

    /// Keeps prices fresh until `stop`.
    pub async fn run(self: Arc<Self>, stop: CancellationToken) {
        while !stop.is_cancelled() {
            self.refresh().await;
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(self.every) => {}
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control, tried: an unconditional insert turns the second assertion red.
    #[test]
    fn a_late_answer_does_not_age_the_price() {
        let (prices, instrument) = (Prices::default(), Instrument::new("BTC_EUR").expect("a name"));
        let price = |at, price: u64| ReferencePrice {
            at: Timestamp::from_seconds(at),
            currency: Currency::new("EUR").expect("a unit"),
            price: price.into(),
        };
        let start = Instant::now();
        let asked = |millis| start + Duration::from_millis(millis);
        for (observed, at, known) in [
            (price(10, 5), 10, 5),
            (price(9, 4), 9, 5),
            (price(10, 6), 10, 6),
            (price(2, 7), 11, 7),
        ] {
            prices.observe(instrument, observed, asked(at));
            assert_eq!(prices.of(&instrument).map(|price| price.price), Some(u64::into(known)));
        }
    }
}
