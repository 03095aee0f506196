//! What people read: data on stdout, talk on stderr. `error:` what is so, `caused by:`, a blank line, `hint:` what to do.

use std::error::Error;
use std::io::{self, Write as _};

/// A pipe that nobody reads any more.
pub(crate) const BROKEN_PIPE: u8 = 3;
/// Not possible.
const FAILED: u8 = 1;

/// Prints one line of data at once. The error is the exit code.
pub(crate) fn line(text: &str) -> Result<(), u8> {
    let mut out = io::stdout().lock();
    writeln!(out, "{text}").and_then(|()| out.flush()).map_err(|error| match error.kind() {
        io::ErrorKind::BrokenPipe => BROKEN_PIPE,
        _ => FAILED,
    })
}

/// Prints an error with its causes and what to do.
pub(crate) fn error(error: &dyn Error, hint: Option<&str>) {
    let mut text = format!("error: {error}\n");
    let mut cause = error.source();
    while let Some(source) = cause {
        text.push_str(&format!("caused by: {}\n", source.to_string().trim_end()));
        cause = source.source();
    }
    put(text, hint);
}

/// Prints an error that is no more than a sentence.
pub(crate) fn sentence(what: &str, hint: Option<&str>) {
    put(format!("error: {what}\n"), hint);
}

/// Prints talk: how far something is, or what to know beside the data.
pub(crate) fn note(what: &str) {
    put(format!("{what}\n"), None);
}

/// Prints that the program itself is at fault.
pub(crate) fn fault() {
    sentence(
        "radslagd has a fault and ended",
        Some("what was acknowledged is on disk; start it again, and report the lines above"),
    );
}

fn put(mut text: String, hint: Option<&str>) {
    if let Some(hint) = hint {
        text.push_str(&format!("\nhint: {hint}\n"));
    }
    // Without stderr there is nobody left to tell.
    io::stderr().lock().write_all(text.as_bytes()).ok();
}
