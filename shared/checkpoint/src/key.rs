//! The keys that sign: drawn, and each one endorsed by the one before it.
//!
//! Who knows one of them can follow to the next without being told by anybody whom to believe. Keeps no private key longer than
//! whoever holds the signer.

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair, UnparsedPublicKey};
use zeroize::Zeroizing;

use crate::hex;

/// A public key.
pub type Public = [u8; 32];

/// What a private key made of a text.
pub type Signature = [u8; 64];

/// A key that signs. Is not `Debug`, since it holds what nobody may see.
pub struct Signer {
    pair: Ed25519KeyPair,
    public: Public,
}

/// A public key, and who answers for it: the key before it, or itself where it is the first.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Endorsed {
    /// The key.
    pub public: Public,
    /// Who answers for it.
    pub by: Public,
    /// That key's signature over both.
    pub signature: Signature,
}

/// No key could be drawn, or these bytes are none.
#[derive(Debug)]
pub struct NoKey;

pub(crate) fn stands(public: &Public, text: &str, signature: &Signature) -> bool {
    let public = UnparsedPublicKey::new(&ED25519, public);
    public.verify(text.as_bytes(), signature).is_ok()
}

// === impl Signer ===

impl Signer {
    /// Draws one; gives it, and the bytes from which it can be made again, which are secret.
    pub fn draw() -> Result<(Self, Zeroizing<Vec<u8>>), NoKey> {
        let pair = Ed25519KeyPair::generate().map_err(|_| NoKey)?;
        let bytes = pair.to_pkcs8v1().map_err(|_| NoKey)?;
        let bytes = Zeroizing::new(bytes.as_ref().to_vec());
        Ok((Self::open(&bytes)?, bytes))
    }

    /// The signer of these bytes.
    pub fn open(bytes: &[u8]) -> Result<Self, NoKey> {
        let pair = Ed25519KeyPair::from_pkcs8_maybe_unchecked(bytes).map_err(|_| NoKey)?;
        let public = pair.public_key().as_ref().try_into().map_err(|_| NoKey)?;
        Ok(Self { pair, public })
    }

    /// Its public key.
    pub const fn public(&self) -> Public {
        self.public
    }

    /// Answers for a key.
    pub fn endorse(&self, public: Public) -> Endorsed {
        Endorsed {
            public,
            by: self.public,
            signature: self.sign(&endorsement(&public, &self.public)),
        }
    }

    pub(crate) fn sign(&self, text: &str) -> Signature {
        let mut signature = [0; 64];
        // Always of this length; were it not, what is left of zeros would be no signature.
        let made = self.pair.sign(text.as_bytes());
        for (to, from) in signature.iter_mut().zip(made.as_ref()) {
            *to = *from;
        }
        signature
    }
}

// === impl Endorsed ===

impl Endorsed {
    /// Whether who is said to answer for it does.
    pub fn stands(&self) -> bool {
        stands(
            &self.by,
            &endorsement(&self.public, &self.by),
            &self.signature,
        )
    }
}

fn endorsement(public: &Public, by: &Public) -> String {
    format!(
        "sluice-audit-key-1 {} {}",
        hex::write(public),
        hex::write(by)
    )
}
