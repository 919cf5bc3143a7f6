//! Plaintext listeners, and their refusal to leave the machine unasked.
//!
//! Knows addresses and nothing of protocols. What crosses these listeners holds keys, so beyond loopback
//! the operator has to have said so in so many words.

use std::{
    fmt, io,
    net::{SocketAddr, TcpListener},
};

/// Why there is no listener.
#[derive(Debug)]
pub enum CannotListen {
    /// The address is beyond loopback and the settings do not say that it may be.
    BeyondLoopback(SocketAddr),
    /// The system refused, most often because another process has the port.
    Refused(SocketAddr, io::Error),
}

/// Refuses an address beyond loopback, unless told otherwise.
pub fn check(address: SocketAddr, beyond_loopback: bool) -> Result<(), CannotListen> {
    // `::ffff:127.0.0.1` is loopback too.
    if beyond_loopback || address.ip().to_canonical().is_loopback() {
        return Ok(());
    }
    Err(CannotListen::BeyondLoopback(address))
}

/// A listener, non-blocking and ready for `tokio::net::TcpListener::from_std`. Port 0 takes a free one.
pub fn bind(address: SocketAddr, beyond_loopback: bool) -> Result<TcpListener, CannotListen> {
    check(address, beyond_loopback)?;
    let bound = TcpListener::bind(address).and_then(|listener| {
        listener.set_nonblocking(true)?;
        Ok(listener)
    });
    bound.map_err(|error| CannotListen::Refused(address, error))
}

// === impl CannotListen ===

impl fmt::Display for CannotListen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::BeyondLoopback(address) => write!(
                f,
                "refusing to listen on {address} in plaintext, where others could read the keys that pass: \
                 give it a certificate where it takes one (tls.cert_file and tls.key_file), take a loopback \
                 address, or set plaintext_beyond_loopback = true beside it"
            ),
            Self::Refused(address, error) => write!(f, "cannot listen on {address}: {error}"),
        }
    }
}

impl std::error::Error for CannotListen {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::BeyondLoopback(_) => None,
            Self::Refused(_, error) => Some(error),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn loopback_needs_no_leave() {
        for address in ["127.0.0.1:0", "127.8.9.1:0", "[::ffff:127.0.0.1]:0"] {
            check(address.parse().unwrap(), false).unwrap();
        }
        let listener = bind("127.0.0.1:0".parse().unwrap(), false).unwrap();
        assert_ne!(listener.local_addr().unwrap().port(), 0);
    }

    #[test]
    fn beyond_loopback_is_refused_by_the_name_of_the_setting_that_opens_it() {
        for address in ["0.0.0.0:0", "[::]:0", "10.1.2.3:80", "[::ffff:10.1.2.3]:80"] {
            let address = address.parse().unwrap();
            let error = bind(address, false).unwrap_err().to_string();
            assert!(
                error.contains("plaintext_beyond_loopback = true"),
                "{error}"
            );
            check(address, true).unwrap();
        }
        bind("0.0.0.0:0".parse().unwrap(), true).unwrap();
    }

    #[test]
    fn a_taken_port_is_told_with_its_address() {
        let taken = bind("127.0.0.1:0".parse().unwrap(), false)
            .unwrap()
            .local_addr();
        let held = bind(taken.unwrap(), false).unwrap();
        let error = bind(held.local_addr().unwrap(), false)
            .unwrap_err()
            .to_string();
        assert!(
            error.contains(&held.local_addr().unwrap().to_string()),
            "{error}"
        );
    }
}
