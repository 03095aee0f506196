//! Checkpoints: the log's signed word on how long it is and what its root is, as a C2SP signed note.
//!
//! The key's name is the checkpoint's origin, so that a signature for one epoch of one programme stands for no
//! other. Signatures by other keys, such as witnesses', are stepped over; a signature in the log's name that does
//! not verify spoils the note.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use radslag_core::digest::{Digest, Hasher};
use radslag_core::id::{EpochId, ProgramId};

use crate::keys::{DeviceKey, PublicKey, Signature, SignatureError};

/// The largest note that is read: room for more than the sixteen signatures of any algorithm that C2SP asks for.
pub const MAX_NOTE_LEN: usize = 128 * 1024;

/// The signature type of C2SP notes for Ed25519.
const ED25519: u8 = 0x01;

/// A text that is no checkpoint of the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum CheckpointError {
    /// The text is not a checkpoint at all.
    #[error("the checkpoint is malformed: {what}")]
    Malformed {
        /// What is not as it should be.
        what: &'static str,
    },
    /// It is a checkpoint of another programme.
    #[error("the checkpoint is of programme {found}")]
    OtherProgram {
        /// The programme it is of.
        found: ProgramId,
    },
    /// The log's key did not sign it.
    #[error("the checkpoint bears no signature by the log's key")]
    Unsigned,
    /// It bears the name of the log's key and a signature that the key did not make.
    #[error("the checkpoint's signature is forged or damaged")]
    Forged(#[from] SignatureError),
}

/// How long a log is and what its root is, within one epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Checkpoint {
    /// The programme.
    pub program: ProgramId,
    /// The life of the log that the checkpoint belongs to.
    pub epoch: EpochId,
    /// The number of records.
    pub size: u64,
    /// The root over their leaves.
    pub root: Digest,
}

impl Checkpoint {
    /// The name of the log, and of its key: `radslag/<program_id>/<epoch_id>`.
    pub fn origin(&self) -> String {
        origin(self.program, self.epoch)
    }

    /// The checkpoint as a signed note.
    pub fn sign(&self, key: &DeviceKey) -> String {
        let origin = self.origin();
        let text = format!("{origin}\n{}\n{}\n", self.size, STANDARD.encode(self.root.bytes()));
        let signature = key.sign(text.as_bytes());
        let payload = [&key_hash(&origin, &key.public())[..], signature.bytes()].concat();
        format!("{text}\n\u{2014} {origin} {}\n", STANDARD.encode(payload))
    }

    /// Reads a signed note and believes it only when the log's key signed it for this programme.
    ///
    /// Whether the epoch and the size are those that the caller expects is for the caller to compare. Extension
    /// lines below the root are signed and otherwise without meaning.
    ///
    /// # Errors
    /// [`CheckpointError`]; nothing in an unsigned text is trusted, whatever it says.
    pub fn verify(note: &str, program: ProgramId, key: &PublicKey) -> Result<Self, CheckpointError> {
        let (text, signatures) = parts(note)?;
        let mut lines = text.lines();
        let name = lines.next().ok_or(malformed("there is no origin"))?;
        let (found, epoch) =
            read_origin(name).ok_or(malformed("the origin is not a programme and an epoch"))?;
        if found != program {
            return Err(CheckpointError::OtherProgram { found });
        }
        verify_signatures(text, signatures, name, key)?;
        let size = lines.next().and_then(read_size).ok_or(malformed("the size is not a plain number"))?;
        let root = lines.next().and_then(read_root).ok_or(malformed("the root is not 32 bytes in base64"))?;
        if lines.any(str::is_empty) {
            return Err(malformed("an extension line is empty"));
        }
        Ok(Self { program, epoch, size, root })
    }
}

/// The first four bytes of SHA-256 over name, signature type and key: by it a note's signature finds its key.
pub fn key_hash(name: &str, key: &PublicKey) -> [u8; 4] {
    let mut hasher = Hasher::default();
    hasher.put(name.as_bytes()).put(b"\n").put(&[ED25519]).put(key.bytes());
    let [a, b, c, d, ..] = *hasher.finish().bytes();
    [a, b, c, d]
}

fn origin(program: ProgramId, epoch: EpochId) -> String {
    format!("radslag/{program}/{epoch}")
}

const fn malformed(what: &'static str) -> CheckpointError {
    CheckpointError::Malformed { what }
}

/// The signed text with its last line feed, and the lines of signatures.
fn parts(note: &str) -> Result<(&str, &str), CheckpointError> {
    if note.len() > MAX_NOTE_LEN {
        return Err(malformed("the note is too long"));
    }
    if note.bytes().any(|b| b < b' ' && b != b'\n') {
        return Err(malformed("the note holds a control character"));
    }
    // The text may hold empty lines itself; the last one parts it from the signatures.
    let (text, signatures) = note.rsplit_once("\n\n").ok_or(malformed("there is no signature"))?;
    if !signatures.ends_with('\n') {
        return Err(malformed("the last line has no end"));
    }
    let text = &note[..=text.len()];
    Ok((text, signatures))
}

fn verify_signatures(
    text: &str,
    signatures: &str,
    name: &str,
    key: &PublicKey,
) -> Result<(), CheckpointError> {
    let own = key_hash(name, key);
    let mut signed = false;
    for line in signatures.lines() {
        let (signer, payload) = read_signature(line).ok_or(malformed("a line is not a signature"))?;
        let Some((hash, bytes)) = payload.split_first_chunk::<4>() else {
            return Err(malformed("a signature has no key id"));
        };
        if signer != name || *hash != own {
            continue;
        }
        let signature = Signature::from_slice(bytes).ok_or(SignatureError)?;
        key.verify(text.as_bytes(), &signature)?;
        signed = true;
    }
    if signed { Ok(()) } else { Err(CheckpointError::Unsigned) }
}

fn read_signature(line: &str) -> Option<(&str, Vec<u8>)> {
    let (name, payload) = line.strip_prefix("\u{2014} ")?.split_once(' ')?;
    if name.is_empty() {
        return None;
    }
    Some((name, STANDARD.decode(payload).ok()?))
}

/// Reads an origin and takes no second spelling of one: the name is part of what is signed.
fn read_origin(line: &str) -> Option<(ProgramId, EpochId)> {
    let (program, epoch) = line.strip_prefix("radslag/")?.split_once('/')?;
    let (program, epoch) = (program.parse().ok()?, epoch.parse().ok()?);
    (origin(program, epoch) == line).then_some((program, epoch))
}

fn read_size(line: &str) -> Option<u64> {
    let size: u64 = line.parse().ok()?;
    (size.to_string() == line).then_some(size)
}

fn read_root(line: &str) -> Option<Digest> {
    Digest::from_slice(&STANDARD.decode(line).ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn key() -> DeviceKey {
        DeviceKey::from_seed([5; 32])
    }

    fn checkpoint() -> Checkpoint {
        Checkpoint {
            program: "5f0c6d1e-58d3-4c83-9f41-0d5a35a1b1a4".parse().unwrap(),
            epoch: EpochId::default(),
            size: 91,
            root: Digest::of(b"root"),
        }
    }

    fn verify(note: &str) -> Result<Checkpoint, CheckpointError> {
        Checkpoint::verify(note, checkpoint().program, &key().public())
    }

    /// Signs any text as the log would.
    fn sign_text(text: &str) -> String {
        let origin = checkpoint().origin();
        let signature = key().sign(text.as_bytes());
        let payload = [&key_hash(&origin, &key().public())[..], signature.bytes()].concat();
        format!("{text}\n\u{2014} {origin} {}\n", STANDARD.encode(payload))
    }

    #[test]
    fn a_note_of_another_implementation_finds_its_key_and_verifies() {
        // The example of golang.org/x/mod/sumdb/note.
        let encoded = STANDARD.decode("ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW").unwrap();
        let key = PublicKey::from_bytes(encoded[1..].try_into().unwrap()).unwrap();
        assert_eq!(key_hash("PeterNeumann", &key), [0xc7, 0x4f, 0x20, 0xa3]);
        let note = "If you think cryptography is the answer to your problem,\n\
                    then you don't know what your problem is.\n\n\
                    \u{2014} PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n";
        let (text, signatures) = parts(note).unwrap();
        assert_eq!(verify_signatures(text, signatures, "PeterNeumann", &key), Ok(()));
    }

    #[test]
    fn a_signed_checkpoint_is_read_back() {
        let note = checkpoint().sign(&key());
        assert_eq!(verify(&note), Ok(checkpoint()));
        let empty = Checkpoint { size: 0, root: Digest::of(b""), ..checkpoint() };
        assert_eq!(verify(&empty.sign(&key())), Ok(empty));
        assert_eq!(note, sign_text(note.split_inclusive("\n").take(3).collect::<String>().as_str()));
    }

    #[test]
    fn another_key_or_programme_is_not_believed() {
        let note = checkpoint().sign(&DeviceKey::from_seed([6; 32]));
        assert_eq!(verify(&note), Err(CheckpointError::Unsigned));
        let found = ProgramId::from_slice(&[9; 16]).unwrap();
        let note = Checkpoint { program: found, ..checkpoint() }.sign(&key());
        assert_eq!(verify(&note), Err(CheckpointError::OtherProgram { found }));
    }

    #[test]
    fn a_signature_for_one_epoch_stands_for_no_other() {
        let epoch = EpochId::from_slice(&[7; 16]).unwrap();
        let later = Checkpoint { epoch, ..checkpoint() };
        assert_eq!(verify(&later.sign(&key())), Ok(later));
        let renamed = checkpoint().sign(&key()).replace(&checkpoint().origin(), &later.origin());
        assert_eq!(verify(&renamed), Err(CheckpointError::Unsigned));
    }

    #[test]
    fn signatures_of_witnesses_are_stepped_over() {
        let note = checkpoint().sign(&key());
        let witness = format!("\u{2014} huddinge.example/w1 {}\n", STANDARD.encode([8; 76]));
        assert_eq!(verify(&format!("{note}{witness}")), Ok(checkpoint()));
        let unsigned = note.rsplit_once("\u{2014} ").unwrap().0.to_owned() + &witness;
        assert_eq!(verify(&unsigned), Err(CheckpointError::Unsigned));
    }

    #[test]
    fn a_false_signature_in_the_logs_name_spoils_the_note() {
        let note = checkpoint().sign(&key());
        let other = Checkpoint { size: 92, ..checkpoint() }.sign(&key());
        let line = other.lines().last().unwrap();
        assert_eq!(verify(&format!("{note}{line}\n")), Err(CheckpointError::Forged(SignatureError)));
    }

    #[test]
    fn extension_lines_are_signed_and_without_meaning() {
        let note = checkpoint().sign(&key());
        let text = note.split("\n\n").next().unwrap();
        assert_eq!(verify(&sign_text(&format!("{text}\nnext rules 2\n"))), Ok(checkpoint()));
    }

    #[test]
    fn what_is_signed_but_no_checkpoint_is_malformed() {
        let origin = checkpoint().origin();
        let root = STANDARD.encode([1; 32]);
        let upper = origin.to_uppercase().replace("RADSLAG", "radslag");
        let texts = [
            format!("{origin}\n"),
            format!("{origin}\n1\n"),
            format!("{origin}\n01\n{root}\n"),
            format!("{origin}\n+1\n{root}\n"),
            format!("{origin}\n18446744073709551616\n{root}\n"),
            format!("{origin}\n1\n{}\n", STANDARD.encode([1; 31])),
            format!("{origin}\n1\n{}\n", root.trim_end_matches('=')),
            format!("{origin}\n1\n{root}\n\nafter an empty line\n"),
            format!("{upper}\n1\n{root}\n"),
            format!("{origin}\n1\r\n{root}\n"),
            String::new(),
        ];
        for text in texts {
            let answer = verify(&sign_text(&text));
            assert!(matches!(answer, Err(CheckpointError::Malformed { .. })), "{text:?}: {answer:?}");
        }
        let long = format!("{}{}", "x".repeat(MAX_NOTE_LEN), checkpoint().sign(&key()));
        assert_eq!(verify(&long), Err(malformed("the note is too long")));
    }

    proptest! {
        // Curve arithmetic is slow without optimisation.
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn changing_any_character_of_a_checkpoint_fails(at: prop::sample::Index, to: char) {
            let note = checkpoint().sign(&key());
            let mut changed: Vec<char> = note.chars().collect();
            let at = at.index(changed.len());
            prop_assume!(changed[at] != to);
            changed[at] = to;
            prop_assert!(verify(&changed.iter().collect::<String>()).is_err());
        }

        #[test]
        fn any_text_is_answered_without_a_panic(text: String, lines in "(radslag/|[0-9a-f-]{36}|\u{2014} |[A-Za-z0-9+/=]{0,8}|\n| ){0,40}") {
            prop_assert!(verify(&text).is_err());
            prop_assert!(verify(&lines).is_err());
            prop_assert!(verify(&sign_text(&lines)).is_err());
        }
    }
}
