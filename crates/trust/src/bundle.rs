//! Signed bundles: a device signs once per push, however many events it hands in.

use radslag_core::digest::Digest;
use radslag_core::id::{DeviceId, ProgramId};

use crate::keys::{DeviceKey, PublicKey, Signature, SignatureError};
use crate::merkle;

/// How many events a bundle may hold; it holds at least one.
pub const MAX_BUNDLE_EVENTS: usize = 500;

/// Keeps the leaves of a bundle apart from those of a log, in what is else the same tree.
const BUNDLE_LEAF: u8 = 0x10;

/// A bundle that is not to be trusted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BundleError {
    /// The bundle is empty or too large.
    #[error("a bundle holds 1 to {MAX_BUNDLE_EVENTS} events, this one {found}")]
    Size {
        /// How many there are.
        found: usize,
    },
    /// The device did not sign exactly these events, in this order, for this programme.
    #[error("the bundle is not what its device signed")]
    Forged(#[from] SignatureError),
}

/// The leaf of one event, from SHA-256 of its body.
pub fn bundle_leaf(body_hash: Digest) -> Digest {
    let mut data = [BUNDLE_LEAF; 33];
    data[1..].copy_from_slice(body_hash.bytes());
    merkle::leaf_hash(&data)
}

/// The root over the leaves of a bundle, in the device's order.
pub fn bundle_root(leaves: &[Digest]) -> Digest {
    merkle::root(leaves)
}

/// The bytes that the device signs (`docs/format.md`, "A signed bundle").
pub fn signed_bytes(program: ProgramId, device: DeviceId, size: u32, root: Digest) -> Vec<u8> {
    let mut out = b"radslag/bundle/v1\n".to_vec();
    out.extend(program.bytes());
    out.extend(device.bytes());
    out.extend(size.to_be_bytes());
    out.extend(root.bytes());
    out
}

/// Signs the events whose bodies have these hashes, in the device's order.
///
/// The caller keeps to 1 to [`MAX_BUNDLE_EVENTS`] events; nobody takes a bundle of another size.
pub fn sign_bundle(
    key: &DeviceKey,
    program: ProgramId,
    device: DeviceId,
    body_hashes: &[Digest],
) -> Signature {
    key.sign(&bytes_over(program, device, body_hashes))
}

/// Checks that `key` signed exactly these events. Which key is the device's is for the caller to know.
///
/// # Errors
/// [`BundleError::Size`] before anything is hashed, [`BundleError::Forged`] for anything else that is wrong.
pub fn verify_bundle(
    key: &PublicKey,
    program: ProgramId,
    device: DeviceId,
    body_hashes: &[Digest],
    signature: &Signature,
) -> Result<(), BundleError> {
    let found = body_hashes.len();
    if !(1..=MAX_BUNDLE_EVENTS).contains(&found) {
        return Err(BundleError::Size { found });
    }
    key.verify(&bytes_over(program, device, body_hashes), signature)?;
    Ok(())
}

fn bytes_over(program: ProgramId, device: DeviceId, body_hashes: &[Digest]) -> Vec<u8> {
    let leaves: Vec<Digest> = body_hashes.iter().map(|hash| bundle_leaf(*hash)).collect();
    let size = u32::try_from(leaves.len()).expect("four thousand million digests do not fit in memory");
    signed_bytes(program, device, size, bundle_root(&leaves))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const PROGRAM: [u8; 16] = [1; 16];
    const DEVICE: [u8; 16] = [2; 16];

    fn program() -> ProgramId {
        ProgramId::from_slice(&PROGRAM).unwrap()
    }

    fn device() -> DeviceId {
        DeviceId::from_slice(&DEVICE).unwrap()
    }

    fn hashes(count: u16) -> Vec<Digest> {
        (0..count).map(|n| Digest::of(&n.to_be_bytes())).collect()
    }

    #[test]
    fn a_bundle_holds_one_to_five_hundred_events() {
        let key = DeviceKey::from_seed([3; 32]);
        for count in [0, 1, 500, 501] {
            let hashes = hashes(count);
            let signature = sign_bundle(&key, program(), device(), &hashes);
            let answer = verify_bundle(&key.public(), program(), device(), &hashes, &signature);
            let found = usize::from(count);
            let expected = if (1..=500).contains(&count) { Ok(()) } else { Err(BundleError::Size { found }) };
            assert_eq!(answer, expected, "{count}");
        }
    }

    #[test]
    fn order_and_number_of_the_events_are_signed() {
        let key = DeviceKey::from_seed([3; 32]);
        let signed = hashes(4);
        let signature = sign_bundle(&key, program(), device(), &signed);
        let forged = Err(BundleError::Forged(SignatureError));
        let mut swapped = signed.clone();
        swapped.swap(1, 2);
        assert_eq!(verify_bundle(&key.public(), program(), device(), &swapped, &signature), forged);
        assert_eq!(verify_bundle(&key.public(), program(), device(), &signed[..3], &signature), forged);
        let doubled = [&signed[..], &signed[3..]].concat();
        assert_eq!(verify_bundle(&key.public(), program(), device(), &doubled, &signature), forged);
    }

    #[test]
    fn a_leaf_of_a_log_is_not_a_leaf_of_a_bundle() {
        let body = Digest::of(b"body");
        assert_ne!(bundle_leaf(body), merkle::leaf_hash(body.bytes()));
    }

    proptest! {
        // Curve arithmetic is slow without optimisation.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn flipping_any_bit_of_a_signed_bundle_fails(
            seed: [u8; 32],
            bodies in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 1..9),
            at: prop::sample::Index,
            bit in 0_u8..8,
        ) {
            let key = DeviceKey::from_seed(seed);
            let hash = |bodies: &[Vec<u8>]| bodies.iter().map(|b| Digest::of(b)).collect::<Vec<_>>();
            let signature = sign_bundle(&key, program(), device(), &hash(&bodies));
            prop_assert!(verify_bundle(&key.public(), program(), device(), &hash(&bodies), &signature).is_ok());

            // Everything that travels, laid end to end, so that every byte is as likely to be hit.
            let mut parts = [vec![PROGRAM.to_vec(), DEVICE.to_vec(), signature.bytes().to_vec()], bodies].concat();
            let total = parts.iter().map(Vec::len).sum();
            let mut at = at.index(total);
            for part in &mut parts {
                if let Some(byte) = part.get_mut(at) {
                    *byte ^= 1 << bit;
                    break;
                }
                at -= part.len();
            }
            let program = ProgramId::from_slice(&parts[0]).unwrap();
            let device = DeviceId::from_slice(&parts[1]).unwrap();
            let signature = Signature::from_slice(&parts[2]).unwrap();
            let answer = verify_bundle(&key.public(), program, device, &hash(&parts[3..]), &signature);
            prop_assert_eq!(answer, Err(BundleError::Forged(SignatureError)));
        }
    }
}
