//! Secrets in links that go by mail: 256 random bits, kept as their SHA-256 alone. Whoever reads the database cannot follow
//! the link; whoever guesses will not.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use model::Ambient;
use sha2::{Digest as _, Sha256};

/// A new one as it stands in the link, and what is stored of it.
pub(crate) fn new(ambient: &Ambient) -> (String, [u8; 32]) {
    let text = URL_SAFE_NO_PAD.encode(ambient.bytes::<32>());
    let hash = hash(&text);
    (text, hash)
}

/// What is stored of a token that somebody brings. Of any text: what was never given out is found nowhere.
pub(crate) fn hash(text: &str) -> [u8; 32] {
    Sha256::digest(text.as_bytes()).into()
}
