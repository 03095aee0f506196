//! As much of HTTP/2 as it takes to know which bytes belong to which call: the nine bytes before each frame.

const PREFACE: usize = 24;
const HEAD: usize = 9;
const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RESET: u8 = 3;
const END_STREAM: u8 = 1;

/// One frame.
pub(super) struct Frame {
    kind: u8,
    flags: u8,
    /// The call.
    pub(super) stream: u32,
    payload: Vec<u8>,
}

impl Frame {
    /// Whether a client begins a call with it.
    pub(super) fn opens_stream(&self) -> bool {
        self.kind == HEADERS
    }

    /// Whether it is the last of its sender's call.
    pub(super) fn ends_stream(&self) -> bool {
        self.kind == RESET || ((self.kind == HEADERS || self.kind == DATA) && self.flags & END_STREAM != 0)
    }

    /// Whether these bytes are in it, of a message or a part of one.
    pub(super) fn carries(&self, bytes: &[u8]) -> bool {
        self.kind == DATA && self.payload.windows(bytes.len()).any(|window| window == bytes)
    }
}

/// One end's frames, as its bytes come in.
pub(super) struct Frames {
    waiting: Vec<u8>,
    skip: usize,
}

impl Frames {
    /// A client begins with words that are no frame.
    pub(super) const fn of_client() -> Self {
        Self { waiting: Vec::new(), skip: PREFACE }
    }

    pub(super) const fn of_server() -> Self {
        Self { waiting: Vec::new(), skip: 0 }
    }

    /// Every frame that these bytes complete.
    pub(super) fn feed(&mut self, bytes: &[u8]) -> Vec<Frame> {
        let skipped = self.skip.min(bytes.len());
        self.skip -= skipped;
        self.waiting.extend(&bytes[skipped..]);
        let mut found = Vec::new();
        while let Some(head) = self.waiting.first_chunk::<HEAD>() {
            let [a, b, c, kind, flags, s @ ..] = *head;
            let end = HEAD + u32::from_be_bytes([0, a, b, c]) as usize;
            if self.waiting.len() < end {
                break;
            }
            let payload = self.waiting[HEAD..end].to_vec();
            self.waiting.drain(..end);
            found.push(Frame { kind, flags, stream: u32::from_be_bytes(s) & 0x7fff_ffff, payload });
        }
        found
    }
}
