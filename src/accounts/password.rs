//! Passwords: how they are hashed, made and judged. Hashing takes tens of
//! milliseconds and 19 MiB: it blocks.

use argon2::password_hash::phc::PasswordHash;
use argon2::{Argon2, PasswordHasher, PasswordVerifier};

use super::AccountError;
use crate::domain::User;

/// Shortest password that is accepted, in characters.
pub const MIN_CHARS: usize = 10;
/// Longest one.
const MAX_CHARS: usize = 256;
/// The estimate reads this many characters: its time grows with the square.
const ESTIMATED: usize = 64;

/// argon2id with the library's defaults (those of OWASP), PHC form.
pub fn hash_password(password: &str) -> Result<String, AccountError> {
    Argon2::default()
        .hash_password(password.as_bytes())
        .map(|hash| hash.to_string())
        .map_err(|error| AccountError::Hash(error.to_string()))
}

/// True when the password is the user's. Without a user as much time is spent,
/// so that an answer does not tell which names exist.
pub fn verify_password(user: Option<&User>, password: &str) -> bool {
    verify_hash(user.map(|user| user.password_hash.as_str()), password)
}

/// True when the password is the one of the hash; without a hash as much time is spent.
pub fn verify_hash(known: Option<&str>, password: &str) -> bool {
    // argon2id of a random value that nobody knows.
    const NOBODY: &str = "$argon2id$v=19$m=19456,t=2,p=1$bm9ib2R5LWhhcy10aGlz$rDHWqsoXKQvWCxk2jw8EVKkNyjtEh6W5RUXcbVwqBXM";
    let known = known.filter(|hash| !hash.is_empty());
    let hash = known.unwrap_or(NOBODY);
    let matches = PasswordHash::new(hash).is_ok_and(|hash| {
        Argon2::default()
            .verify_password(password.as_bytes(), &hash)
            .is_ok()
    });
    matches && known.is_some()
}

/// A random password: 20 characters of 31 that cannot be mistaken, 99 bits.
pub fn random_password() -> Result<String, AccountError> {
    const ALPHABET: &[u8; 31] = b"23456789abcdefghjkmnpqrstuvwxyz";
    let mut password = String::new();
    while password.len() < 20 {
        let mut byte = [0u8; 1];
        getrandom::fill(&mut byte).map_err(|error| AccountError::Hash(error.to_string()))?;
        // Bytes beyond the last whole multiple would make some letters likelier.
        if usize::from(byte[0]) < 256 / ALPHABET.len() * ALPHABET.len() {
            password.push(char::from(ALPHABET[usize::from(byte[0]) % ALPHABET.len()]));
        }
    }
    Ok(password)
}

/// Refuses a password that is too short, too long or easy to guess, whatever kinds of
/// characters it has: fewer than 10^8 guesses by the estimate of zxcvbn (Wheeler, USENIX
/// Security 2016). What is typed in Russian is estimated as the keys that are hit, too,
/// because the lists of common passwords have those ("gfhjkm").
pub fn validate_password(password: &str, user_name: &str) -> Result<(), String> {
    let length = password.chars().count();
    if length < MIN_CHARS {
        return Err(format!(
            "The password is too short: use at least {MIN_CHARS} characters."
        ));
    }
    if length > MAX_CHARS {
        return Err(format!(
            "The password is too long: use at most {MAX_CHARS} characters."
        ));
    }
    let head: String = password.chars().take(ESTIMATED).collect();
    let known = [
        user_name,
        "call-analytics",
        "callanalytics",
        "mango",
        "пароль",
        "привет",
        "йцукен",
        "любовь",
        "звонок",
        "звонки",
        "администратор",
    ];
    let weak = [head.clone(), keys(&head)]
        .iter()
        .any(|text| zxcvbn::zxcvbn(text, &known).score() < zxcvbn::Score::Three);
    if weak {
        return Err(
            "The password is too easy to guess: use a few words that do not belong together, and not the user name.".into(),
        );
    }
    Ok(())
}

/// The keys that are hit for a text typed in the Russian layout.
fn keys(text: &str) -> String {
    const RUSSIAN: &str = "йцукенгшщзхъфывапролджэячсмитьбюё";
    const ENGLISH: &str = "qwertyuiop[]asdfghjkl;'zxcvbnm,.`";
    text.to_lowercase()
        .chars()
        .map(|letter| {
            RUSSIAN
                .chars()
                .position(|known| known == letter)
                .and_then(|at| ENGLISH.chars().nth(at))
                .unwrap_or(letter)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn passwords_are_verified_and_random_ones_differ() {
        let password = random_password().expect("random");
        assert_eq!(password.len(), 20);
        assert_ne!(password, random_password().expect("random"));
        let hash = hash_password(&password).expect("a hash");
        assert!(hash.starts_with("$argon2id$"));
        assert!(verify_hash(Some(&hash), &password));
        assert!(!verify_hash(Some(&hash), "other"));
        assert!(!verify_hash(None, &password));
        assert!(!verify_hash(Some(""), ""), "no password fits no hash");
    }

    #[test]
    fn weak_passwords_are_refused_whatever_their_characters() {
        for weak in [
            "short",
            "aaaaaaaaaaaaaaaa",
            "1234567890",
            "Password123!",
            "P@ssw0rd2024",
            "qwertyuiop",
            "йцукенгшщз",
            "пароль12345",
            "Администратор1",
            "ivan-petrov1",
            &"x".repeat(300),
        ] {
            assert!(validate_password(weak, "ivan-petrov").is_err(), "{weak}");
        }
        for strong in [
            "верная лошадь батарея",
            "зелёный трамвай семь",
            "kf83mvnq2w",
            "correct horse battery",
        ] {
            assert_eq!(validate_password(strong, "admin"), Ok(()), "{strong}");
        }
        let random = random_password().expect("random");
        assert_eq!(validate_password(&random, "admin"), Ok(()));
    }

    #[test]
    fn russian_is_typed_on_the_same_keys() {
        assert_eq!(keys("Пароль1"), "gfhjkm1");
    }
}
