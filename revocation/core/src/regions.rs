//! Where an order comes from: the house's own table of source networks, never anything the bot says.

use std::fmt;
use std::net::IpAddr;

use extensions::Region;
use serde::{Deserialize, Deserializer, Serialize, Serializer};
use thiserror::Error;

/// Rows a region table may have.
pub const MOST_NETWORKS: usize = 1024;

/// Why a table of networks is refused.
#[derive(Debug, Clone, PartialEq, Eq, Error)]
pub enum RegionTableError {
    /// Not `address/length`.
    #[error(
        "{0:?} is not a network: expected an address, a slash and a prefix length, as in 10.1.0.0/16 or 2001:db8::/32"
    )]
    NotANetwork(String),
    /// Host bits set: the writer may have meant another network.
    #[error("{given} has bits set beyond its prefix; did you mean {meant}?")]
    HostBits {
        /// As given.
        given: String,
        /// The network that contains it.
        meant: String,
    },
    /// The same network twice.
    #[error("{0} is in the table twice; keep one row")]
    Twice(String),
    /// Too long.
    #[error("the table has {0} networks; at most {MOST_NETWORKS} are allowed")]
    TooMany(usize),
}

/// One IPv4 or IPv6 network in CIDR form, host bits zero. IPv4-mapped IPv6 networks are written as IPv4.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Network {
    address: IpAddr,
    prefix: u8,
}

fn bits(address: IpAddr) -> (u128, u8) {
    match address {
        IpAddr::V4(v4) => (u128::from(u32::from(v4)) << 96, 32),
        IpAddr::V6(v6) => (u128::from(v6), 128),
    }
}

fn mask(prefix: u8) -> u128 {
    u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0)
}

impl Network {
    /// Reads `address/length`.
    ///
    /// # Errors
    /// When the text is no network, or has bits set beyond its prefix.
    pub fn parse(text: &str) -> Result<Self, RegionTableError> {
        let wrong = || RegionTableError::NotANetwork(text.chars().take(80).collect());
        let (address, length) = text.split_once('/').ok_or_else(wrong)?;
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let canonical = length == "0" || (!length.starts_with('0') && length.bytes().all(|b| b.is_ascii_digit()));
        let prefix: u8 = length.parse().ok().filter(|_| canonical).ok_or_else(wrong)?;
        let mapped = matches!(address, IpAddr::V6(v6) if v6.to_ipv4_mapped().is_some());
        let (value, width) = bits(address);
        if prefix > width || mapped {
            return Err(wrong());
        }
        if value & !mask(prefix) != 0 {
            let network = Self::containing(address, prefix);
            return Err(RegionTableError::HostBits {
                given: text.to_owned(),
                meant: network.to_string(),
            });
        }
        Ok(Self { address, prefix })
    }

    /// The network of `prefix` bits around `address`.
    fn containing(address: IpAddr, prefix: u8) -> Self {
        let (value, _) = bits(address);
        let masked = value & mask(prefix);
        let address = match address {
            IpAddr::V4(_) => IpAddr::from(u32::try_from(masked >> 96).unwrap_or(0).to_be_bytes()),
            IpAddr::V6(_) => IpAddr::from(masked.to_be_bytes()),
        };
        Self { address, prefix }
    }

    /// Whether `address` is in it.
    #[must_use]
    pub fn contains(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.address.is_ipv4() == address.is_ipv4() && Self::containing(address, self.prefix) == *self
    }
}

impl fmt::Display for Network {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{}/{}", self.address, self.prefix)
    }
}

impl Serialize for Network {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Network {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

/// One row: who comes from this network is in this region.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NetworkRegion {
    /// The source network.
    pub network: Network,
    /// Its region.
    pub region: Region,
}

/// The table of source networks. The longest prefix wins; an address in no row has no region, and that refuses.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
#[serde(transparent)]
pub struct RegionTable(Vec<NetworkRegion>);

impl RegionTable {
    /// The table of these rows, longest prefixes first.
    ///
    /// # Errors
    /// When a network appears twice or there are more than [`MOST_NETWORKS`].
    pub fn new(mut rows: Vec<NetworkRegion>) -> Result<Self, RegionTableError> {
        if rows.len() > MOST_NETWORKS {
            return Err(RegionTableError::TooMany(rows.len()));
        }
        rows.sort_by(|a, b| {
            let key = |row: &NetworkRegion| (std::cmp::Reverse(row.network.prefix), row.network.address);
            key(a).cmp(&key(b))
        });
        if let Some(pair) = rows.windows(2).find(|pair| pair[0].network == pair[1].network) {
            return Err(RegionTableError::Twice(pair[0].network.to_string()));
        }
        Ok(Self(rows))
    }

    /// The region of `address`, by longest prefix.
    #[must_use]
    pub fn lookup(&self, address: IpAddr) -> Option<Region> {
        self.0
            .iter()
            .find(|row| row.network.contains(address))
            .map(|row| row.region)
    }

    /// The rows, longest prefixes first.
    #[must_use]
    pub fn rows(&self) -> &[NetworkRegion] {
        &self.0
    }
}

impl<'de> Deserialize<'de> for RegionTable {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let rows = Vec::<NetworkRegion>::deserialize(deserializer)?;
        let table = Self::new(rows.clone()).map_err(serde::de::Error::custom)?;
        if table.0 == rows {
            Ok(table)
        } else {
            Err(serde::de::Error::custom(
                "networks must be sorted, longest prefix first",
            ))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table(rows: &[(&str, &str)]) -> RegionTable {
        let rows = rows
            .iter()
            .map(|(network, region)| NetworkRegion {
                network: Network::parse(network).unwrap(),
                region: Region::new(region).unwrap(),
            })
            .collect();
        RegionTable::new(rows).unwrap()
    }

    /// Control, tried: sorting shortest prefix first answers `eu` for 10.1.2.3.
    #[test]
    fn the_longest_prefix_wins() {
        let table = table(&[
            ("10.0.0.0/8", "eu"),
            ("10.1.0.0/16", "us"),
            ("10.1.2.3/32", "jp"),
            ("2001:db8::/32", "six"),
            ("127.0.0.0/8", "local"),
        ]);
        let region = |text: &str| table.lookup(text.parse().unwrap()).map(|region| region.to_string());
        assert_eq!(region("10.1.2.3").as_deref(), Some("jp"));
        assert_eq!(region("10.1.2.4").as_deref(), Some("us"));
        assert_eq!(region("10.2.0.0").as_deref(), Some("eu"));
        assert_eq!(region("2001:db8::1").as_deref(), Some("six"));
        assert_eq!(
            region("::ffff:10.1.2.3").as_deref(),
            Some("jp"),
            "a mapped address is its IPv4 address"
        );
        assert_eq!(region("11.0.0.1"), None);
        assert_eq!(region("::a01:203"), None, "an IPv6 address is never in an IPv4 network");
    }

    #[test]
    fn default_routes_keep_their_family() {
        let table = table(&[("0.0.0.0/0", "four"), ("::/0", "six")]);
        assert_eq!(table.lookup("8.8.8.8".parse().unwrap()).unwrap().as_str(), "four");
        assert_eq!(table.lookup("2001::1".parse().unwrap()).unwrap().as_str(), "six");
    }

    #[test]
    fn networks_are_strict() {
        for bad in [
            "10.0.0.0",
            "10.0.0.0/33",
            "10.0.0.0/08",
            "10.0.0.0/",
            "10.0.0.0/+8",
            "::ffff:10.0.0.0/104",
            "::/129",
            "x/8",
            "",
        ] {
            assert!(
                matches!(Network::parse(bad), Err(RegionTableError::NotANetwork(_))),
                "{bad}"
            );
        }
        let error = Network::parse("10.1.2.3/8").unwrap_err().to_string();
        assert!(error.contains("10.0.0.0/8"), "{error}");
        let row = NetworkRegion {
            network: Network::parse("10.0.0.0/8").unwrap(),
            region: Region::new("eu").unwrap(),
        };
        assert!(matches!(
            RegionTable::new(vec![row.clone(), row]),
            Err(RegionTableError::Twice(_))
        ));
    }

    #[test]
    fn json_round_trips_sorted_only() {
        let table = table(&[("10.0.0.0/8", "eu"), ("10.1.0.0/16", "us")]);
        let text = serde_json::to_string(&table).unwrap();
        assert_eq!(serde_json::from_str::<RegionTable>(&text).unwrap(), table);
        let swapped = r#"[{"network":"10.0.0.0/8","region":"eu"},{"network":"10.1.0.0/16","region":"us"}]"#;
        assert!(serde_json::from_str::<RegionTable>(swapped).is_err());
    }
}
