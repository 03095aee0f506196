//! How much of something a test does: little in every run of the tests, much in `cargo xtask survival`.

/// What a variable of the environment says, else so much.
pub fn rounds(variable: &str, little: usize) -> usize {
    std::env::var(variable).ok().and_then(|much| much.parse().ok()).unwrap_or(little)
}
