//! A file cut into physical lines.

use crate::error::TableError;
use crate::layout::Ending;
use crate::{MAX_FILE_BYTES, MAX_LINES};

const BOM: &str = "\u{feff}";

/// A physical line without its ending.
pub(crate) struct PhysicalLine<'a> {
    /// From 0.
    pub(crate) index: usize,
    /// From 1, as rows carry it.
    pub(crate) number: u32,
    pub(crate) text: &'a str,
    pub(crate) ending: Ending,
}

impl<'a> PhysicalLine<'a> {
    pub(crate) fn cells(&self) -> impl Iterator<Item = &'a str> {
        self.text.split('\t')
    }

    pub(crate) fn is_blank(&self) -> bool {
        self.text.trim().is_empty()
    }
}

/// Whether the file starts with a byte order mark, and its lines.
pub(crate) fn split(bytes: &[u8]) -> Result<(bool, Vec<PhysicalLine<'_>>), TableError> {
    if bytes.len() > MAX_FILE_BYTES {
        return Err(TableError::FileTooLarge { bytes: bytes.len() });
    }
    let (bom, bytes) = match bytes.strip_prefix(BOM.as_bytes()) {
        Some(rest) => (true, rest),
        None => (false, bytes),
    };
    let mut lines = Vec::new();
    for (index, piece) in bytes.split_inclusive(|b| *b == b'\n').enumerate() {
        if index == MAX_LINES {
            return Err(TableError::TooManyLines);
        }
        let (text, ending) = without_ending(piece);
        let text = std::str::from_utf8(text)
            .map_err(|e| TableError::NotUtf8 { line: index + 1, byte: e.valid_up_to() + 1 })?;
        let number = u32::try_from(index + 1).expect("a file has at most 20 000 lines");
        lines.push(PhysicalLine { index, number, text, ending });
    }
    Ok((bom, lines))
}

fn without_ending(piece: &[u8]) -> (&[u8], Ending) {
    match piece {
        [text @ .., b'\r', b'\n'] => (text, Ending::CrLf),
        [text @ .., b'\n'] => (text, Ending::Lf),
        text => (text, Ending::Open),
    }
}
