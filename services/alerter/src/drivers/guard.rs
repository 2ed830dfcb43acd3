//! Where a webhook may go: public addresses, and private ones that an operator has named. A name that leads elsewhere is
//! refused after it was looked up, and the connection goes to the address that was judged, so that it cannot change between.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::str::FromStr;

/// Networks that are reached although they are private.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Allowed(Vec<Network>);

impl Allowed {
    pub fn new(networks: Vec<Network>) -> Self {
        Self(networks)
    }

    pub fn reaches(&self, address: IpAddr) -> bool {
        is_public(address) || self.names(address)
    }

    /// Whether an operator has named it: such a place may be spoken to without TLS.
    pub fn names(&self, address: IpAddr) -> bool {
        self.0.iter().any(|network| network.contains(address))
    }
}

/// `10.1.0.0/16`, `127.0.0.1` or `fd00::/8`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    bits: u128,
    prefix: u32,
}

impl Network {
    fn contains(&self, address: IpAddr) -> bool {
        let shift = 128 - self.prefix;
        shift == 128 || bits(address) >> shift == self.bits >> shift
    }
}

impl FromStr for Network {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong = || format!("`{text}` is no network: write 10.1.0.0/16, 127.0.0.1 or fd00::/8");
        let (address, prefix) = text.split_once('/').map_or((text, None), |(address, prefix)| (address, Some(prefix)));
        let address: IpAddr = address.parse().map_err(|_| wrong())?;
        let whole = if address.is_ipv4() { 32 } else { 128 };
        let prefix = prefix.map_or(Ok(whole), |prefix| prefix.parse::<u32>().map_err(|_| wrong()))?;
        if prefix > whole {
            return Err(wrong());
        }
        Ok(Self { bits: bits(address), prefix: prefix + 128 - whole })
    }
}

/// Both families as one: IPv4 lies in `::ffff:0:0/96`.
fn bits(address: IpAddr) -> u128 {
    match address {
        IpAddr::V4(address) => address.to_ipv6_mapped().to_bits(),
        IpAddr::V6(address) => address.to_bits(),
    }
}

/// Whether an address lies on the public internet and is one host.
fn is_public(address: IpAddr) -> bool {
    match address.to_canonical() {
        IpAddr::V4(address) => is_public_v4(address),
        IpAddr::V6(address) => is_public_v6(address),
    }
}

/// All but the special-purpose registry of RFC 6890.
fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let special = matches!(
        (a, b, c),
        (0 | 10 | 127, ..)
            | (100, 64..=127, _)
            | (169, 254, _)
            | (172, 16..=31, _)
            | (192, 0, 0 | 2)
            | (192, 88, 99)
            | (192, 168, _)
            | (198, 18 | 19, _)
            | (198, 51, 100)
            | (203, 0, 113)
            | (224..=255, ..)
    );
    !special
}

/// Global unicast, without documentation and without addresses that hide an IPv4 address.
fn is_public_v6(address: Ipv6Addr) -> bool {
    let [first, second, ..] = address.segments();
    let global = first & 0xe000 == 0x2000;
    global && first != 0x2002 && !(first == 0x2001 && (second < 0x0200 || second == 0x0db8))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn private_and_special_addresses_are_not_reached() {
        let nothing = Allowed::default();
        for address in [
            "127.0.0.1",
            "10.0.0.8",
            "172.20.1.1",
            "192.168.1.1",
            "169.254.169.254",
            "100.64.0.1",
            "0.0.0.0",
            "224.0.0.1",
            "255.255.255.255",
            "198.18.0.1",
            "::1",
            "::",
            "fe80::1",
            "fd00::1",
            "ff02::1",
            "::ffff:127.0.0.1",
            "::ffff:10.0.0.8",
            "64:ff9b::7f00:1",
            "2002:7f00:1::",
            "2001:db8::1",
            "2001::1",
        ] {
            assert!(!nothing.reaches(address.parse().unwrap()), "{address}");
        }
        for address in ["93.184.216.34", "8.8.8.8", "172.32.0.1", "2606:4700::1", "2a00:1450::1"] {
            assert!(nothing.reaches(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn what_an_operator_names_is_reached_and_nothing_beside_it() {
        let allowed = Allowed::new(["10.1.0.0/16", "127.0.0.1", "fd00::/8"].map(|text| text.parse().unwrap()).to_vec());
        for address in ["10.1.2.3", "127.0.0.1", "::ffff:10.1.2.3", "fd12::1"] {
            assert!(allowed.names(address.parse().unwrap()), "{address}");
        }
        for address in ["10.2.0.1", "127.0.0.2", "fe80::1"] {
            assert!(!allowed.reaches(address.parse().unwrap()), "{address}");
        }
    }

    #[test]
    fn a_wrong_network_is_refused_with_its_value() {
        for text in ["10.0.0.0/33", "somewhere", "10.0.0.0/x", "fd00::/129"] {
            assert!(text.parse::<Network>().unwrap_err().contains(text));
        }
    }
}
