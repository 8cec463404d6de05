//! Secrets at the command line: read from a file or from standard input, or made and shown once. Never an argument, which
//! everybody on the machine could read.

use std::convert::Infallible;
use std::io::Read;
use std::path::Path;

use control::vault::MasterKeys;
use model::Ambient;
use secrecy::SecretString;

use crate::Failure;

/// Most bytes of a secret.
const LARGEST: u64 = 64 << 10;

/// For options whose value must not show in our own output.
#[expect(clippy::unnecessary_wraps, reason = "the form that the command line's parser takes")]
pub(super) fn parse(text: &str) -> Result<SecretString, Infallible> {
    Ok(SecretString::from(text))
}

/// Reads a secret; `-` is standard input. Line breaks at the end do not belong to it.
pub(super) fn read(path: &Path) -> Result<SecretString, Failure> {
    let mut text = String::new();
    let read = if path == Path::new("-") {
        std::io::stdin().lock().take(LARGEST).read_to_string(&mut text)
    } else {
        std::fs::File::open(path).and_then(|file| file.take(LARGEST).read_to_string(&mut text))
    };
    read.map_err(|why| format!("{}: the secret cannot be read: {why}", path.display()))?;
    let secret = text.trim_end_matches(['\r', '\n']);
    if secret.is_empty() {
        return Err(format!("{}: the secret is empty", path.display()).into());
    }
    Ok(SecretString::from(secret))
}

/// The password that was given, or a new one to be shown once.
pub(super) fn password(
    path: Option<&Path>,
    ambient: &Ambient,
) -> Result<(SecretString, Option<String>), Failure> {
    match path {
        Some(path) => Ok((read(path)?, None)),
        None => {
            let made = crate::ambient::password(ambient);
            Ok((SecretString::from(made.as_str()), Some(made)))
        }
    }
}

/// The master keys of a file, newest first.
pub(super) fn master_keys(path: &Path) -> Result<MasterKeys, Failure> {
    let text = std::fs::read_to_string(path)
        .map_err(|why| format!("--master-key-file {}: {why}", path.display()))?;
    let keys = MasterKeys::from_base64(text.lines().filter(|line| !line.trim().is_empty()));
    keys.map_err(|wrong| format!("--master-key-file {}: {wrong}", path.display()).into())
}
