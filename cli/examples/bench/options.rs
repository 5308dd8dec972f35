//! Options of the form `name=value`, and the moment at which a measurement begins.

use std::{collections::BTreeMap, time::Duration};

use anyhow::Context;

/// What was asked for.
pub(crate) struct Options(BTreeMap<String, String>);

impl Options {
    pub(crate) fn read(words: impl Iterator<Item = String>) -> anyhow::Result<Self> {
        let read = words.map(|word| {
            let (name, value) = word
                .split_once('=')
                .with_context(|| format!("{word:?} is not name=value"))?;
            Ok((name.to_owned(), value.to_owned()))
        });
        Ok(Self(read.collect::<anyhow::Result<_>>()?))
    }

    pub(crate) fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }

    pub(crate) fn number(&self, name: &str, usual: usize) -> anyhow::Result<usize> {
        let parse = |text: &str| text.parse().with_context(|| format!("{name}={text} is no number"));
        self.text(name).map_or(Ok(usual), parse)
    }

    pub(crate) fn seconds(&self, name: &str, usual: f64) -> anyhow::Result<Duration> {
        let parse = |text: &str| text.parse().with_context(|| format!("{name}={text} is no time"));
        Ok(Duration::from_secs_f64(self.text(name).map_or(Ok(usual), parse)?))
    }

    /// Everything is made; what comes now is measured. With `wait=FILE` it begins when that file is there: so a machine can be made quiet
    /// for the measurement alone.
    pub(crate) fn begin(&self) -> anyhow::Result<()> {
        if let Some(file) = self.text("wait") {
            println!("waiting for {file}");
            while !std::path::Path::new(file).exists() {
                std::thread::sleep(Duration::from_millis(50));
            }
        }
        Ok(())
    }
}
