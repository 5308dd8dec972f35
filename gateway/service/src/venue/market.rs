//! Questions about the market that anybody may ask a venue: a closed list of paths, each with its parameters and their bounds. What is passed on is written
//! anew from these types; no text of a bot reaches the venue.

use std::fmt::Write as _;

use extensions::{Decimal, Instrument};

/// The most bytes of an answer that are passed on.
pub const LONGEST_MARKET_ANSWER: usize = 512 << 10;
/// The widths of a candle, as Binance spells them.
const INTERVALS: [&str; 16] = [
    "1s", "1m", "3m", "5m", "15m", "30m", "1h", "2h", "4h", "6h", "8h", "12h", "1d", "3d", "1w", "1M",
];
/// The same in minutes, as Kraken has them.
const MINUTES: [&str; 9] = ["1", "5", "15", "30", "60", "240", "1440", "10080", "21600"];
/// The latest time and the highest number that is passed on: nanoseconds, too.
const HIGHEST: u64 = 1 << 62;

/// What a parameter may be.
#[derive(Debug, Clone, Copy)]
enum Form {
    /// A count of rows up to this.
    Rows(u64),
    /// A time in milliseconds, or the venue's number of a trade.
    Number,
    /// The width of a candle; has to be there.
    Interval,
    /// The width of a candle in minutes, as Kraken counts it.
    Minutes,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Value {
    Number(u64),
    Word(&'static str),
}

/// Whose words a question is in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Words {
    /// `/api/v3/…`.
    Binance,
    /// `/0/public/…`.
    Kraken,
}

/// A path of the list. The weight is what the venue counts for it, at its highest.
struct Known {
    words: Words,
    path: &'static str,
    weight: u32,
    parameters: &'static [(&'static str, Form)],
}

const TIMES: (&str, &str) = ("startTime", "endTime");
const KNOWN: [Known; 13] = [
    Known {
        words: Words::Binance,
        path: "aggTrades",
        weight: 4,
        parameters: &[
            ("fromId", Form::Number),
            (TIMES.0, Form::Number),
            (TIMES.1, Form::Number),
            ("limit", Form::Rows(1_000)),
        ],
    },
    Known {
        words: Words::Binance,
        path: "avgPrice",
        weight: 2,
        parameters: &[],
    },
    Known {
        words: Words::Binance,
        path: "depth",
        weight: 25,
        parameters: &[("limit", Form::Rows(500))],
    },
    Known {
        words: Words::Binance,
        path: "klines",
        weight: 2,
        parameters: &[
            ("interval", Form::Interval),
            (TIMES.0, Form::Number),
            (TIMES.1, Form::Number),
            ("limit", Form::Rows(1_000)),
        ],
    },
    Known {
        words: Words::Binance,
        path: "ticker/24hr",
        weight: 2,
        parameters: &[],
    },
    Known {
        words: Words::Binance,
        path: "ticker/bookTicker",
        weight: 2,
        parameters: &[],
    },
    Known {
        words: Words::Binance,
        path: "ticker/price",
        weight: 2,
        parameters: &[],
    },
    Known {
        words: Words::Binance,
        path: "trades",
        weight: 25,
        parameters: &[("limit", Form::Rows(1_000))],
    },
    Known {
        words: Words::Kraken,
        path: "Depth",
        weight: 25,
        parameters: &[("count", Form::Rows(500))],
    },
    Known {
        words: Words::Kraken,
        path: "OHLC",
        weight: 25,
        parameters: &[("interval", Form::Minutes), ("since", Form::Number)],
    },
    Known {
        words: Words::Kraken,
        path: "Spread",
        weight: 25,
        parameters: &[("since", Form::Number)],
    },
    Known {
        words: Words::Kraken,
        path: "Ticker",
        weight: 25,
        parameters: &[],
    },
    Known {
        words: Words::Kraken,
        path: "Trades",
        weight: 25,
        parameters: &[("since", Form::Number), ("count", Form::Rows(1_000))],
    },
];

/// A question about one instrument.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MarketQuestion {
    words: Words,
    path: &'static str,
    weight: u32,
    parameters: Vec<(&'static str, Value)>,
}

impl MarketQuestion {
    /// The paths of the list in these words, below `/api/v3/` or `/0/public/`.
    pub fn paths(words: Words) -> impl Iterator<Item = &'static str> {
        let known = KNOWN.iter().filter(move |known| known.words == words);
        known.map(|known| known.path)
    }

    /// The names of the parameters that a path of the list has, beside `symbol`.
    #[must_use]
    pub fn names(path: &str) -> Vec<&'static str> {
        let known = KNOWN.iter().filter(|known| known.path == path);
        known
            .flat_map(|known| known.parameters.iter().map(|(name, _)| *name))
            .collect()
    }

    /// Reads a question; `text` gives a parameter's value.
    ///
    /// # Errors
    /// Which parameter is outside its bounds, or that the path is not on the list.
    pub fn read<'a>(path: &str, text: impl Fn(&str) -> Option<&'a str>) -> Result<Self, String> {
        let known = KNOWN.iter().find(|known| known.path == path);
        let known = known.ok_or_else(|| "the path is not on the list".to_owned())?;
        let mut parameters = Vec::new();
        for (name, form) in known.parameters {
            match (text(name), form) {
                (None, Form::Interval) => return Err(format!("{name} is missing")),
                (None, _) => {}
                (Some(text), form) => parameters.push((*name, read(name, text, *form)?)),
            }
        }
        Ok(Self {
            words: known.words,
            path: known.path,
            weight: known.weight,
            parameters,
        })
    }

    /// What the venue counts for it, at most.
    #[must_use]
    pub fn weight(&self) -> u32 {
        self.weight
    }

    /// Path and query for the venue's own `symbol`, when the question is in Binance's words.
    #[must_use]
    pub fn target(&self, symbol: &str) -> Option<String> {
        let target = format!("/api/v3/{}?symbol={symbol}", self.path);
        (self.words == Words::Binance).then(|| self.with_parameters(target))
    }

    /// The same in Kraken's.
    #[must_use]
    pub fn kraken_target(&self, symbol: &str) -> Option<String> {
        let target = format!("/0/public/{}?pair={symbol}", self.path);
        (self.words == Words::Kraken).then(|| self.with_parameters(target))
    }

    fn with_parameters(&self, mut target: String) -> String {
        for (name, value) in &self.parameters {
            let written = match value {
                Value::Number(number) => write!(target, "&{name}={number}"),
                Value::Word(word) => write!(target, "&{name}={word}"),
            };
            debug_assert!(written.is_ok(), "a text takes what is written");
        }
        target
    }
}

fn read(name: &str, text: &str, form: Form) -> Result<Value, String> {
    let number = |least: u64, most: u64| {
        let digits = text
            .bytes()
            .all(|b| b.is_ascii_digit())
            .then(|| text.parse().ok())
            .flatten();
        let fits = digits.filter(|number| (least..=most).contains(number));
        fits.map(Value::Number)
            .ok_or_else(|| format!("{name} is not {least} to {most}"))
    };
    match form {
        Form::Rows(most) => number(1, most),
        Form::Number => number(0, HIGHEST),
        Form::Minutes => {
            let known = MINUTES.iter().find(|minutes| **minutes == text);
            known
                .map(|minutes| Value::Word(minutes))
                .ok_or_else(|| format!("{name} is none of {}", MINUTES.join(", ")))
        }
        Form::Interval => {
            let known = INTERVALS.iter().find(|interval| **interval == text);
            known
                .map(|interval| Value::Word(interval))
                .ok_or_else(|| format!("{name} is none of {}", INTERVALS.join(", ")))
        }
    }
}

/// What a venue says of the amounts that it takes in one market. What it does not say is absent.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct MarketRules {
    /// What trades there.
    pub instrument: Instrument,
    /// The bounds of prices and their step: lowest, highest (zero: none), step.
    pub price: Option<[Decimal; 3]>,
    /// The bounds of quantities and their step.
    pub lot: Option<[Decimal; 3]>,
    /// The same for market orders.
    pub market_lot: Option<[Decimal; 3]>,
    /// The least value of an order.
    pub least_notional: Option<Decimal>,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Control, tried: with `Rows` unbounded a depth of 5,000 is passed on.
    #[test]
    fn only_the_lists_own_words_are_passed_on() {
        let asked = |path: &str, name: &'static str, value: &'static str| {
            MarketQuestion::read(path, |wanted| (wanted == name).then_some(value)).map(|asked| {
                let target = asked.target("BTCEUR");
                target
                    .or_else(|| asked.kraken_target("BTCEUR"))
                    .expect("in one's words")
            })
        };
        assert_eq!(
            asked("depth", "limit", "500").as_deref(),
            Ok("/api/v3/depth?symbol=BTCEUR&limit=500")
        );
        assert_eq!(
            asked("klines", "interval", "1M").as_deref(),
            Ok("/api/v3/klines?symbol=BTCEUR&interval=1M")
        );
        assert_eq!(
            asked("OHLC", "interval", "240").as_deref(),
            Ok("/0/public/OHLC?pair=BTCEUR&interval=240")
        );
        for (path, name, value) in [
            ("depth", "limit", "501"),
            ("depth", "limit", "0"),
            ("depth", "limit", "+5"),
            ("depth", "limit", "5&symbol=X"),
            ("klines", "interval", "7m"),
            ("klines", "limit", "5"),
            ("trades", "limit", "1001"),
            ("aggTrades", "startTime", "99999999999999999999"),
            ("historicalTrades", "limit", "5"),
            ("../order", "limit", "5"),
            ("OHLC", "interval", "7"),
            ("Depth", "count", "501"),
        ] {
            assert!(asked(path, name, value).is_err(), "{path} {name} {value}");
        }
    }
}
