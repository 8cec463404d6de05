//! The text form of an agent's bearer key.
//!
//! `wa_` + 43 characters of base62 (256 random bits) + 6 characters of base62 (CRC-32 of what stands before).
//! Scanners recognise the prefix and verify the checksum without asking us; a mistyped key is refused
//! before any look-up. Only the SHA-256 of the whole text is stored.

/// What every key begins with.
pub const PREFIX: &str = "wa_";
const SECRET: usize = 43;
const CHECK: usize = 6;
/// Length of a whole key in bytes.
pub const LENGTH: usize = PREFIX.len() + SECRET + CHECK;
/// How much of a key is kept readable, to recognise it in lists.
pub const SHOWN: usize = PREFIX.len() + 6;

const DIGITS: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

fn base62(mut number: [u8; 32], out: &mut String, width: usize) {
    let mut digits = Vec::with_capacity(width);
    for _ in 0..width {
        let mut rest = 0u32;
        for byte in number.iter_mut() {
            let value = (rest << 8) | u32::from(*byte);
            *byte = (value / 62) as u8;
            rest = value % 62;
        }
        digits.push(DIGITS.get(rest as usize).copied().unwrap_or(b'0'));
    }
    out.extend(digits.iter().rev().map(|digit| char::from(*digit)));
}

fn checksum(body: &str) -> String {
    // CRC-32 (ISO-HDLC), bitwise: 46 bytes once a request, not worth a table.
    let mut crc = u32::MAX;
    for byte in body.bytes() {
        crc ^= u32::from(byte);
        for _ in 0..8 {
            crc = if crc & 1 == 1 { (crc >> 1) ^ 0xEDB8_8320 } else { crc >> 1 };
        }
    }
    let mut number = [0u8; 32];
    let (_, tail) = number.split_at_mut(28);
    tail.copy_from_slice(&(!crc).to_be_bytes());
    let mut out = String::with_capacity(CHECK);
    base62(number, &mut out, CHECK);
    out
}

/// Writes a key from 256 random bits.
pub fn mint(random: [u8; 32]) -> String {
    let mut key = String::with_capacity(LENGTH);
    key.push_str(PREFIX);
    base62(random, &mut key, SECRET);
    let check = checksum(&key);
    key.push_str(&check);
    key
}

/// Whether the text has a key's form and its checksum is right.
pub fn well_formed(text: &str) -> bool {
    text.len() == LENGTH
        && text.is_ascii()
        && text.starts_with(PREFIX)
        && text.split_at_checked(LENGTH - CHECK).is_some_and(|(body, check)| checksum(body) == check)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_minted_key_is_well_formed_and_one_changed_character_is_not() {
        let key = mint([0xA7; 32]);
        assert_eq!(key.len(), LENGTH);
        assert!(well_formed(&key));
        for at in 0..key.len() {
            let mut bytes = key.clone().into_bytes();
            bytes[at] = if bytes[at] == b'x' { b'y' } else { b'x' };
            assert!(!well_formed(std::str::from_utf8(&bytes).unwrap()), "position {at}");
        }
    }

    #[test]
    fn the_checksum_is_the_common_crc32() {
        // The check value of CRC-32/ISO-HDLC for "123456789" is 0xCBF43926 = 3421780262.
        let mut number = [0u8; 32];
        number[28..].copy_from_slice(&0xCBF4_3926u32.to_be_bytes());
        let mut expected = String::new();
        base62(number, &mut expected, CHECK);
        assert_eq!(checksum("123456789"), expected);
    }
}
