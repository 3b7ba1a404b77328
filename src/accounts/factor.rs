//! The second factor: codes by time (RFC 6238: SHA-1, six digits, 30 s, as every
//! authenticator makes them) and recovery codes.

use jiff::Timestamp;
use totp_rs::{Algorithm, Builder};

use super::{AccountError, secrets};
use crate::domain::user::SecondFactor;

/// Codes of the step before and after are good as well: clocks differ.
const SKEW: u64 = 1;
/// Seconds a step.
const STEP_S: u64 = 30;
/// Recovery codes that are made at once.
pub const RECOVERY_CODES: usize = 10;

/// What a code turned out to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Code {
    /// Of the authenticator, now used up.
    Time,
    /// A recovery code, now used up.
    Recovery,
}

/// A new secret: 160 random bits, as RFC 4226 asks for.
pub fn secret() -> Result<Vec<u8>, AccountError> {
    Ok(secrets::random::<20>()?.to_vec())
}

/// The secret as an authenticator takes it by hand: Base32 without padding (RFC 4648).
pub fn base32(secret: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    secret
        .chunks(5)
        .flat_map(|chunk| {
            let bits = chunk
                .iter()
                .fold(0u64, |bits, byte| bits << 8 | u64::from(*byte))
                << (40 - 8 * chunk.len());
            (0..(chunk.len() * 8).div_ceil(5))
                .map(move |at| char::from(ALPHABET[(bits >> (35 - 5 * at) & 31) as usize]))
        })
        .collect()
}

/// The address that a QR code carries: Key Uri Format of Google Authenticator.
pub fn address(secret: &[u8], user: &str) -> String {
    let user = percent_encoding::utf8_percent_encode(user, percent_encoding::NON_ALPHANUMERIC);
    format!(
        "otpauth://totp/Call%20Analytics:{user}?secret={}&issuer=Call%20Analytics",
        base32(secret)
    )
}

/// The step whose code it is, newer than `after`.
pub fn step_of(secret: &[u8], code: &str, after: u64, now: Timestamp) -> Option<u64> {
    let code: String = code.chars().filter(|c| !c.is_whitespace()).collect();
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let totp = Builder::new()
        .with_algorithm(Algorithm::SHA1)
        .with_digits(6)
        .with_step_duration(STEP_S)
        .with_secret(<[u8; 20]>::try_from(secret).ok()?)
        .build()
        .ok()?;
    let present = now.as_second().unsigned_abs() / STEP_S;
    (present.saturating_sub(SKEW)..=present + SKEW)
        .filter(|step| *step > after)
        .find(|step| secrets::same(&totp.generate(step * STEP_S).to_string(), &code))
}

/// Uses a code up; `None` when it is wrong or was used before.
pub fn use_code(factor: &mut SecondFactor, code: &str, now: Timestamp) -> Option<Code> {
    if let Some(step) = step_of(&factor.secret, code, factor.last_step, now) {
        factor.last_step = step;
        return Some(Code::Time);
    }
    let hash = secrets::fingerprint(&plain(code));
    let at = factor
        .recovery
        .iter()
        .position(|known| secrets::same(known, &hash))?;
    factor.recovery.remove(at);
    Some(Code::Recovery)
}

/// Recovery codes to show once, and what is kept of them. 50 bits each.
pub fn recovery_codes() -> Result<(Vec<String>, Vec<String>), AccountError> {
    let mut shown = Vec::with_capacity(RECOVERY_CODES);
    for _ in 0..RECOVERY_CODES {
        let text = base32(&secrets::random::<7>()?).to_lowercase();
        shown.push(format!("{}-{}", &text[..5], &text[5..10]));
    }
    let kept = shown
        .iter()
        .map(|code| secrets::fingerprint(&plain(code)))
        .collect();
    Ok((shown, kept))
}

/// As people type it.
fn plain(code: &str) -> String {
    code.chars()
        .filter(char::is_ascii_alphanumeric)
        .collect::<String>()
        .to_lowercase()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_those_of_rfc_6238() {
        // Appendix B: SHA-1, the last six digits.
        let secret = b"12345678901234567890";
        for (time, code) in [
            (59, "287082"),
            (1_111_111_109, "081804"),
            (1_234_567_890, "005924"),
            (2_000_000_000, "279037"),
        ] {
            let now = Timestamp::from_second(time).expect("a time");
            let step = time.unsigned_abs() / 30;
            assert_eq!(step_of(secret, code, 0, now), Some(step), "{time}");
            assert_eq!(step_of(secret, code, step, now), None, "used");
            let late = Timestamp::from_second(time + 90).expect("a time");
            assert_eq!(step_of(secret, code, 0, late), None, "late");
        }
        assert_eq!(base32(secret), "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ");
        assert_eq!(base32(b"f"), "MY");
        assert_eq!(base32(b"fooba"), "MZXW6YTB");
        assert_eq!(base32(b"foobar"), "MZXW6YTBOI");
    }

    #[test]
    fn a_code_is_good_once() {
        let now = Timestamp::from_second(59).expect("a time");
        let (shown, kept) = recovery_codes().expect("random");
        assert_eq!(shown.len(), RECOVERY_CODES);
        let mut factor = SecondFactor {
            secret: b"12345678901234567890".to_vec(),
            last_step: 0,
            recovery: kept,
            since: now,
        };
        assert_eq!(use_code(&mut factor, "287 082", now), Some(Code::Time));
        assert_eq!(use_code(&mut factor, "287082", now), None);
        let typed = shown[3].replace('-', " ").to_uppercase();
        assert_eq!(use_code(&mut factor, &typed, now), Some(Code::Recovery));
        assert_eq!(use_code(&mut factor, &typed, now), None);
        assert_eq!(factor.recovery.len(), RECOVERY_CODES - 1);
        for wrong in ["", "-", "000000", "aaaaa-aaaaa"] {
            assert_eq!(use_code(&mut factor, wrong, now), None, "{wrong}");
        }
    }

    #[test]
    fn the_address_names_account_and_product() {
        assert_eq!(
            address(b"foobar", "Ольга П"),
            "otpauth://totp/Call%20Analytics:%D0%9E%D0%BB%D1%8C%D0%B3%D0%B0%20%D0%9F?secret=MZXW6YTBOI&issuer=Call%20Analytics"
        );
    }
}
