//! Which addresses may be dialled: the public internet, and what the program's own configuration opens.
//!
//! Judges the address that is dialled, never a name, so that no answer of a name server can get around it.
//! Addresses that serve credentials to whoever asks are never opened, whatever the configuration says.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{IpNet, Ipv4Net, Ipv6Net};

/// Where clouds serve metadata and credentials, or what stands beside it.
const METADATA_V4: [Ipv4Addr; 6] = [
    Ipv4Addr::new(169, 254, 169, 254),
    Ipv4Addr::new(169, 254, 169, 253),
    Ipv4Addr::new(169, 254, 170, 2),
    Ipv4Addr::new(169, 254, 170, 23),
    Ipv4Addr::new(100, 100, 100, 200),
    Ipv4Addr::new(168, 63, 129, 16),
];

/// The same for version 6.
const METADATA_V6: [Ipv6Addr; 4] = [
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23),
    Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254),
    Ipv6Addr::new(0xfd00, 0x42, 0, 0, 0, 0, 0, 0x42),
];

/// What is not the public internet.
const CLOSED_V4: [Ipv4Net; 15] = [
    v4([0, 0, 0, 0], 8),
    v4([10, 0, 0, 0], 8),
    v4([100, 64, 0, 0], 10),
    v4([127, 0, 0, 0], 8),
    v4([169, 254, 0, 0], 16),
    v4([172, 16, 0, 0], 12),
    v4([192, 0, 0, 0], 24),
    v4([192, 0, 2, 0], 24),
    v4([192, 88, 99, 0], 24),
    v4([192, 168, 0, 0], 16),
    v4([198, 18, 0, 0], 15),
    v4([198, 51, 100, 0], 24),
    v4([203, 0, 113, 0], 24),
    v4([224, 0, 0, 0], 4),
    v4([240, 0, 0, 0], 4),
];

/// The only part of version 6 that is routed on the internet.
const GLOBAL_V6: Ipv6Net = v6([0x2000, 0], 3);

/// What is in it and not public all the same: special assignments with Teredo, documentation, 6to4.
const CLOSED_V6: [Ipv6Net; 4] = [
    v6([0x2001, 0], 23),
    v6([0x2001, 0xdb8], 32),
    v6([0x2002, 0], 16),
    v6([0x3fff, 0], 20),
];

/// The well-known prefix behind which a NAT64 gateway finds the version 4 address.
const NAT64: Ipv6Net = v6([0x64, 0xff9b], 96);

/// Where Google's machines find their metadata server.
const GOOGLE_METADATA: [IpAddr; 2] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Judges addresses.
#[derive(Debug, Clone)]
pub struct Guard {
    opened: Vec<IpNet>,
    only: Option<[IpAddr; 2]>,
}

// === impl Guard ===

impl Guard {
    /// A guard that lets through the public internet and these ranges.
    pub const fn new(opened: Vec<IpNet>) -> Self {
        Self { opened, only: None }
    }

    /// A guard that lets through the metadata server of Google's machines and nothing else. Only for asking it for the
    /// machine's own token, under its own name; never for what a base URL names.
    pub const fn google_metadata() -> Self {
        Self {
            opened: Vec::new(),
            only: Some(GOOGLE_METADATA),
        }
    }

    /// Whether this address may be dialled.
    pub fn allows(&self, address: IpAddr) -> bool {
        if let Some(only) = &self.only {
            return only.contains(&address);
        }
        match address {
            IpAddr::V4(v4) => self.allows_v4(v4),
            IpAddr::V6(v6) => match embedded(v6) {
                Some(v4) => self.allows_v4(v4),
                None => self.allows_v6(v6),
            },
        }
    }

    fn allows_v4(&self, address: Ipv4Addr) -> bool {
        // A multicast or unspecified address names no host that a range could mean.
        if METADATA_V4.contains(&address) || address.is_multicast() || address.is_unspecified() {
            return false;
        }
        self.opens(address.into()) || !CLOSED_V4.iter().any(|net| net.contains(&address))
    }

    fn allows_v6(&self, address: Ipv6Addr) -> bool {
        if METADATA_V6.contains(&address) || address.is_multicast() || address.is_unspecified() {
            return false;
        }
        let public =
            GLOBAL_V6.contains(&address) && !CLOSED_V6.iter().any(|net| net.contains(&address));
        public || self.opens(address.into())
    }

    fn opens(&self, address: IpAddr) -> bool {
        self.opened.iter().any(|net| net.contains(&address))
    }
}

/// The version 4 address that is really reached: mapped, or behind NAT64.
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let [.., a, b, c, d] = address.octets();
    address
        .to_ipv4_mapped()
        .or_else(|| NAT64.contains(&address).then(|| Ipv4Addr::new(a, b, c, d)))
}

const fn v4([a, b, c, d]: [u8; 4], bits: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), bits)
}

const fn v6([a, b]: [u16; 2], bits: u8) -> Ipv6Net {
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, 0, 0, 0, 0, 0, 0), bits)
}

#[cfg(test)]
mod tests {
    use super::*;

    const CLOSED: [&str; 30] = [
        "0.0.0.0",
        "0.1.2.3",
        "10.0.0.1",
        "100.64.0.1",
        "127.0.0.1",
        "127.8.8.8",
        "169.254.0.1",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.168.1.1",
        "198.18.0.1",
        "203.0.113.9",
        "224.0.0.1",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::127.0.0.1",
        "fc00::1",
        "fd12:3456::1",
        "fe80::1",
        "fec0::1",
        "ff02::1",
        "2001:db8::1",
        "2001::1",
        "2002:7f00:1::1",
        "::ffff:127.0.0.1",
        "64:ff9b::a00:1",
        "64:ff9b:1::7f00:1",
    ];
    const METADATA: [&str; 10] = [
        "169.254.169.254",
        "169.254.170.2",
        "169.254.170.23",
        "100.100.100.200",
        "168.63.129.16",
        "fd00:ec2::254",
        "fd00:ec2::23",
        "fd20:ce::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
    ];
    const PUBLIC: [&str; 8] = [
        "1.1.1.1",
        "8.8.8.8",
        "100.63.255.255",
        "100.128.0.1",
        "172.32.0.1",
        "2606:4700::1111",
        "::ffff:8.8.8.8",
        "64:ff9b::808:808",
    ];

    fn verdicts(guard: &Guard, addresses: &[&'static str], expected: bool) -> Vec<&'static str> {
        let odd = |text: &&&str| guard.allows(text.parse().unwrap()) != expected;
        addresses.iter().filter(odd).copied().collect()
    }

    #[test]
    fn only_the_public_internet_is_open_by_itself() {
        let guard = Guard::new(Vec::new());
        assert_eq!(verdicts(&guard, &CLOSED, false), Vec::<&str>::new());
        assert_eq!(verdicts(&guard, &METADATA, false), Vec::<&str>::new());
        assert_eq!(verdicts(&guard, &PUBLIC, true), Vec::<&str>::new());
    }

    #[test]
    fn the_way_to_the_metadata_server_leads_nowhere_else() {
        let guard = Guard::google_metadata();
        let open = ["169.254.169.254", "fd20:ce::254"];
        assert_eq!(verdicts(&guard, &open, true), Vec::<&str>::new());
        for all in [&CLOSED[..], &PUBLIC[..], &METADATA[1..7]] {
            assert_eq!(verdicts(&guard, all, false), Vec::<&str>::new());
        }
    }

    #[test]
    fn a_range_opens_itself_and_never_metadata() {
        let nets = ["10.0.0.0/8", "fd12::/16"].map(|net| net.parse().unwrap());
        let guard = Guard::new(nets.to_vec());
        let opened = [
            "10.1.2.3",
            "::ffff:10.1.2.3",
            "64:ff9b::a01:203",
            "fd12:3456::1",
        ];
        assert_eq!(verdicts(&guard, &opened, true), Vec::<&str>::new());
        assert_eq!(
            verdicts(&guard, &["127.0.0.1", "192.168.1.1", "fc00::1"], false),
            Vec::<&str>::new()
        );
        let guard = Guard::new(
            ["0.0.0.0/0", "::/0"]
                .map(|net| net.parse().unwrap())
                .to_vec(),
        );
        assert_eq!(verdicts(&guard, &METADATA, false), Vec::<&str>::new());
        assert_eq!(
            verdicts(&guard, &["224.0.0.1", "ff02::1", "::"], false),
            Vec::<&str>::new()
        );
    }
}
