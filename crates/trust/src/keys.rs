//! Ed25519 keys and signatures: which keys are taken, and the one way a signature is checked.
//!
//! Only the strict check exists here, and there is no batch check: the two can disagree on crafted signatures, and
//! a replica would then call forged what the server took.

use std::fmt;

use ed25519_dalek::{Signer as _, SigningKey, VerifyingKey};
use radslag_core::digest::Digest;

/// Thirty-two bytes that are not a public key to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// The bytes are not the canonical encoding of a point of the curve.
    #[error("the bytes are not an Ed25519 public key")]
    Undecodable,
    /// The point is of small order: signatures that fit it can be made without a secret.
    #[error("the Ed25519 public key is of small order")]
    SmallOrder,
}

/// A signature that its key did not make over these bytes, or that the strict rules do not take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the signature does not fit the key and what was signed")]
pub struct SignatureError;

/// A secret key: a device's, or the log's own. Wiped from memory when dropped; never printed.
#[derive(Clone)]
pub struct DeviceKey(SigningKey);

impl DeviceKey {
    /// The key that grows from thirty-two random bytes.
    pub fn from_seed(seed: [u8; 32]) -> Self {
        Self(SigningKey::from_bytes(&seed))
    }

    /// The secret itself, for the file that keeps it.
    pub fn seed(&self) -> [u8; 32] {
        self.0.to_bytes()
    }

    /// The public half.
    pub fn public(&self) -> PublicKey {
        PublicKey(self.0.verifying_key())
    }

    /// Signs `message`. The same key and message always give the same signature.
    pub fn sign(&self, message: &[u8]) -> Signature {
        Signature(self.0.sign(message).to_bytes())
    }
}

impl fmt::Debug for DeviceKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The public half says which key it is; the seed must not reach a log line.
        write!(f, "DeviceKey({})", self.public().key_id())
    }
}

/// A public key that was checked: canonical and not of small order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct PublicKey(VerifyingKey);

impl PublicKey {
    /// Checks thirty-two bytes and takes them as a key.
    ///
    /// # Errors
    /// [`KeyError`] says why the bytes are no key that may be enrolled.
    pub fn from_bytes(bytes: &[u8; 32]) -> Result<Self, KeyError> {
        let key = VerifyingKey::from_bytes(bytes).map_err(|_| KeyError::Undecodable)?;
        if key.is_weak() {
            return Err(KeyError::SmallOrder);
        }
        // A second spelling of the same point would be a second key id for one key.
        if key.to_edwards().compress().to_bytes() != *bytes {
            return Err(KeyError::Undecodable);
        }
        Ok(Self(key))
    }

    /// The bytes as they are enrolled.
    pub fn bytes(&self) -> &[u8; 32] {
        self.0.as_bytes()
    }

    /// What the key is called: SHA-256 of its bytes.
    pub fn key_id(&self) -> Digest {
        Digest::of(self.bytes())
    }

    /// Checks a signature by the strict rules.
    ///
    /// # Errors
    /// [`SignatureError`] when this key did not make `signature` over `message`.
    pub fn verify(&self, message: &[u8], signature: &Signature) -> Result<(), SignatureError> {
        let signature = ed25519_dalek::Signature::from_bytes(&signature.0);
        self.0.verify_strict(message, &signature).map_err(|_| SignatureError)
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "PublicKey({})", Digest::new(*self.bytes()))
    }
}

/// The sixty-four bytes of a signature, not yet checked by anybody.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct Signature([u8; 64]);

impl Signature {
    /// Wraps sixty-four bytes.
    pub const fn new(bytes: [u8; 64]) -> Self {
        Self(bytes)
    }

    /// Reads sixty-four bytes; none for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 64] {
        &self.0
    }

    /// SHA-256 of the bytes, as a log leaf commits to them.
    pub fn digest(&self) -> Digest {
        Digest::of(&self.0)
    }
}

impl fmt::Debug for Signature {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Signature(")?;
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))?;
        f.write_str(")")
    }
}

#[cfg(test)]
mod tests {
    use ed25519_dalek::Verifier as _;
    use proptest::prelude::*;

    use super::*;

    fn point(text: &str) -> [u8; 32] {
        *Digest::from_hex(text).unwrap().bytes()
    }

    #[test]
    fn the_first_vector_of_rfc_8032_holds() {
        let seed = point("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60");
        let key = DeviceKey::from_seed(seed);
        let public = point("d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a");
        assert_eq!(key.public().bytes(), &public);
        assert_eq!(key.seed(), seed);
        let signature = key.sign(b"");
        assert!(format!("{signature:?}").starts_with("Signature(e5564300c360ac729086e2cc806e828a"));
        assert_eq!(PublicKey::from_bytes(&public).unwrap().verify(b"", &signature), Ok(()));
    }

    #[test]
    fn keys_of_small_order_are_refused() {
        // The eight points whose order divides eight, in their canonical spelling.
        let small = [
            "0100000000000000000000000000000000000000000000000000000000000000",
            "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
            "0000000000000000000000000000000000000000000000000000000000000000",
            "0000000000000000000000000000000000000000000000000000000000000080",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
            "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc85",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
            "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac03fa",
        ];
        for text in small {
            assert_eq!(PublicKey::from_bytes(&point(text)).err(), Some(KeyError::SmallOrder), "{text}");
        }
    }

    #[test]
    fn a_second_spelling_of_a_point_is_refused() {
        // y = 2^255 - 19 + n for n from 0 to 18 spells y = n again; no such key may be enrolled.
        for low in 0xed..=0xff {
            for high in [0x7f, 0xff] {
                let mut bytes = [0xff; 32];
                bytes[0] = low;
                bytes[31] = high;
                assert!(PublicKey::from_bytes(&bytes).is_err(), "{low:x} {high:x}");
            }
        }
    }

    #[test]
    fn a_signature_with_a_scalar_too_large_is_refused() {
        let key = DeviceKey::from_seed([7; 32]);
        let mut bytes = *key.sign(b"m").bytes();
        // s + l: the same equation, another spelling.
        let order: [u8; 32] = point("edd3f55c1a631258d69cf7a2def9de1400000000000000000000000000000010");
        let mut carry = 0_u16;
        for (byte, add) in bytes[32..].iter_mut().zip(order) {
            let sum = u16::from(*byte) + u16::from(add) + carry;
            [_, *byte] = sum.to_be_bytes();
            carry = sum >> 8;
        }
        assert_eq!(key.public().verify(b"m", &Signature::new(bytes)), Err(SignatureError));
    }

    #[test]
    fn a_signature_on_a_point_of_small_order_is_refused() {
        // R is the neutral point and s = H(R, A, m) times the secret: the plain check takes it.
        let mut bytes = [0; 64];
        bytes[0] = 1;
        bytes[32..]
            .copy_from_slice(&point("a0000a78db7a82c4c93e9993fa593de3ae8f9c2be437041e83562bebd74d4907"));
        let key = DeviceKey::from_seed([7; 32]).public();
        let signature = Signature::new(bytes);
        assert!(VerifyingKey::verify(&key.0, b"m", &ed25519_dalek::Signature::from_bytes(&bytes)).is_ok());
        assert_eq!(key.verify(b"m", &signature), Err(SignatureError));
    }

    #[test]
    fn a_secret_is_not_printed() {
        let key = DeviceKey::from_seed([0xab; 32]);
        assert!(!format!("{key:?}").contains("abab"));
    }

    proptest! {
        // Curve arithmetic is slow without optimisation.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_bytes_are_taken_or_refused_without_a_panic(bytes: [u8; 32], tail: [u8; 32], message: Vec<u8>) {
            let mut signature = [0; 64];
            signature[..32].copy_from_slice(&bytes);
            signature[32..].copy_from_slice(&tail);
            let honest = DeviceKey::from_seed(tail).public();
            prop_assert!(honest.verify(&message, &Signature::new(signature)).is_err());
            if let Ok(key) = PublicKey::from_bytes(&bytes) {
                prop_assert_eq!(key.bytes(), &bytes);
                prop_assert!(key.verify(&message, &Signature::new(signature)).is_err());
            }
        }

        #[test]
        fn another_key_or_message_does_not_verify(seed: [u8; 32], other: [u8; 32], message: Vec<u8>) {
            prop_assume!(seed != other);
            let key = DeviceKey::from_seed(seed);
            let signature = key.sign(&message);
            prop_assert_eq!(key.public().verify(&message, &signature), Ok(()));
            prop_assert!(DeviceKey::from_seed(other).public().verify(&message, &signature).is_err());
            let longer = [&message[..], b"x"].concat();
            prop_assert!(key.public().verify(&longer, &signature).is_err());
        }
    }
}
