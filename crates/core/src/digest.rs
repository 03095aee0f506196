//! SHA-256 digests, and the writer that spells out what goes into one.

use std::fmt;

use sha2::{Digest as _, Sha256};

/// Thirty-two bytes of SHA-256.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Digest([u8; 32]);

impl Digest {
    /// Thirty-two zero bytes: "nothing before this".
    pub const ZERO: Self = Self([0; 32]);

    /// Wraps thirty-two bytes.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self(bytes)
    }

    /// The digest of `bytes`.
    pub fn of(bytes: &[u8]) -> Self {
        Self(Sha256::digest(bytes).into())
    }

    /// Reads thirty-two bytes; none for any other length.
    pub fn from_slice(bytes: &[u8]) -> Option<Self> {
        bytes.try_into().ok().map(Self)
    }

    /// The bytes.
    pub const fn bytes(&self) -> &[u8; 32] {
        &self.0
    }

    /// The last eight hexadecimal digits, as the terminal prints it.
    pub fn short(&self) -> String {
        let text = self.to_string();
        text[56..].to_owned()
    }

    /// Reads sixty-four hexadecimal digits.
    pub fn from_hex(text: &str) -> Option<Self> {
        if text.len() != 64 || !text.is_ascii() {
            return None;
        }
        let mut bytes = [0; 32];
        for (i, byte) in bytes.iter_mut().enumerate() {
            *byte = u8::from_str_radix(&text[2 * i..2 * i + 2], 16).ok()?;
        }
        Some(Self(bytes))
    }
}

impl fmt::Display for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|b| write!(f, "{b:02x}"))
    }
}

impl fmt::Debug for Digest {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Digest({self})")
    }
}

/// Hashes a sequence of fields without first collecting them. Integers go in big endian.
#[derive(Clone, Default)]
pub struct Hasher(Sha256);

impl Hasher {
    /// Starts with a domain line such as `radslag/state/v1\n`.
    pub fn new(domain: &str) -> Self {
        let mut hasher = Self::default();
        hasher.put(domain.as_bytes());
        hasher
    }

    /// Adds bytes as they are, without a length.
    pub fn put(&mut self, bytes: &[u8]) -> &mut Self {
        self.0.update(bytes);
        self
    }

    /// Adds two bytes, big endian.
    pub fn put_u16(&mut self, number: u16) -> &mut Self {
        self.put(&number.to_be_bytes())
    }

    /// Adds four bytes, big endian.
    pub fn put_u32(&mut self, number: u32) -> &mut Self {
        self.put(&number.to_be_bytes())
    }

    /// Adds eight bytes, big endian.
    pub fn put_u64(&mut self, number: u64) -> &mut Self {
        self.put(&number.to_be_bytes())
    }

    /// Adds the number of things that follow, as four bytes.
    pub fn put_count(&mut self, count: usize) -> &mut Self {
        self.put_u32(u32::try_from(count).expect("nothing that is hashed has four thousand million parts"))
    }

    /// The digest of all that was added.
    pub fn finish(self) -> Digest {
        Digest(self.0.finalize().into())
    }
}
