//! From where a request comes, as far as that can be told.
//!
//! Believes the peer of the connection, and what a proxy says that the operator named; nobody else. An address that is
//! not told readably is none, and none is in no range.

use std::net::{IpAddr, SocketAddr};

use http::{HeaderMap, HeaderName};
use ipnet::IpNet;

const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The most steps that are looked back along the way of a request.
// Full: where it comes from cannot be told.
const STEPS_MAX: usize = 32;

/// The client's address. A proxy adds whom it heard to the right of what it was told, so the first from the right
/// that is no proxy of ours is the client; what stands left of it, anybody can have made up.
pub fn client(peer: IpAddr, headers: &HeaderMap, proxies: &[IpNet]) -> Option<IpAddr> {
    let peer = peer.to_canonical();
    let is_proxy = |it: &IpAddr| proxies.iter().any(|range| range.contains(it));
    if !is_proxy(&peer) {
        return Some(peer);
    }
    let mut last = peer;
    let lines = headers.get_all(FORWARDED_FOR).iter().rev();
    let mut steps = 0;
    for line in lines {
        for step in line.to_str().ok()?.rsplit(',') {
            steps += 1;
            if steps > STEPS_MAX {
                return None;
            }
            last = address(step.trim())?;
            if !is_proxy(&last) {
                return Some(last);
            }
        }
    }
    Some(last)
}

/// An address, perhaps with a port.
fn address(text: &str) -> Option<IpAddr> {
    let plain = text.parse::<IpAddr>().ok();
    let with_port = || text.parse::<SocketAddr>().ok().map(|it| it.ip());
    plain.or_else(with_port).map(|it| it.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(peer: &str, lines: &[&str]) -> Option<String> {
        let mut headers = HeaderMap::new();
        for line in lines {
            headers.append(FORWARDED_FOR, line.parse().unwrap());
        }
        let proxies = ["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        client(peer.parse().unwrap(), &headers, &proxies).map(|it| it.to_string())
    }

    #[test]
    fn a_stranger_is_not_believed_and_a_proxy_is() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(told("192.0.2.1", &["198.51.100.7"]), some("192.0.2.1"));
        assert_eq!(told("::ffff:192.0.2.1", &[]), some("192.0.2.1"));
        assert_eq!(told("10.0.0.1", &[]), some("10.0.0.1"));
        assert_eq!(told("10.0.0.1", &["198.51.100.7"]), some("198.51.100.7"));
        assert_eq!(told("fd00::1", &["[2001:db8::7]:443"]), some("2001:db8::7"));
    }

    #[test]
    fn what_stands_left_of_the_first_stranger_is_made_up() {
        let some = |text: &str| Some(text.to_owned());
        let line = "10.1.1.1, 203.0.113.5, 198.51.100.7:55, 10.2.2.2";
        assert_eq!(told("10.0.0.1", &[line]), some("198.51.100.7"));
        let lines = ["1.2.3.4", "198.51.100.7, 10.2.2.2"];
        assert_eq!(told("10.0.0.1", &lines), some("198.51.100.7"));
        assert_eq!(told("10.0.0.1", &["10.3.3.3, 10.2.2.2"]), some("10.3.3.3"));
    }

    #[test]
    fn an_address_that_cannot_be_read_is_none() {
        assert_eq!(told("10.0.0.1", &["198.51.100.7, unknown"]), None);
        assert_eq!(told("10.0.0.1", &["198.51.100.7,"]), None);
        let long = "10.1.1.1,".repeat(40) + "10.1.1.1";
        assert_eq!(told("10.0.0.1", &[&long]), None);
    }
}
