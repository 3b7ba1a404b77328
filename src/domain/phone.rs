//! Phone numbers in one form, so that one number written in two ways is one.
//! The only place that knows how they are written; used wherever calls are
//! compared or filtered by a number.

use serde::{Deserialize, Serialize};

/// Shortest number of digits that is a phone number; fewer are an extension.
const MIN_DIGITS: usize = 7;
/// Longest, after ITU-T E.164; MANGO's documents show 13 for Russian ones.
const MAX_DIGITS: usize = 15;
/// Longest extension in digits.
const MAX_EXTENSION: usize = 6;
/// Longest text kept of a party, in characters.
const MAX_TEXT: usize = 200;

/// A party of a call as it was sent, with its phone number where it is one.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Number {
    /// As it was sent.
    pub text: String,
    /// Digits with the country's code, without a plus (`79161234567`).
    #[serde(default)]
    pub phone: Option<String>,
}

impl Number {
    /// `None` when the text is empty or says that there is no number.
    pub fn of(text: &str) -> Option<Self> {
        let text: String = text.trim().chars().take(MAX_TEXT).collect();
        let nothing = ["", "-", "null", "None", "undefined"].contains(&text.as_str());
        (!nothing).then(|| Self {
            phone: normalize(&text),
            text,
        })
    }
}

/// Digits with the country's code, without a plus: a Russian number begins with
/// 7, however it was written (`8 (916) 123-45-67`, `+79161234567`, `9161234567`).
/// A number too short to have a code stays as it is. `None` where it is no
/// phone number (an extension, a name).
pub fn normalize(text: &str) -> Option<String> {
    let text = user_part(text);
    if text
        .chars()
        .any(|c| !c.is_ascii_digit() && !" +-().\u{a0}\u{2011}\u{2013}_/".contains(c))
    {
        return None;
    }
    let international = text.trim_start().starts_with('+');
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    if !(MIN_DIGITS..=MAX_DIGITS + 3).contains(&digits.len()) {
        return None;
    }
    let rest = |prefix: &str| {
        digits
            .strip_prefix(prefix)
            .filter(|rest| rest.len() >= 10 && !international)
            .map(str::to_owned)
    };
    // 8-10 and 00 are dialled before a number abroad.
    let number = if digits.len() > 11 {
        rest("810").or_else(|| rest("00")).unwrap_or(digits)
    } else if international {
        digits
    } else if digits.len() == 11 && digits.starts_with('8') {
        format!("7{}", &digits[1..])
    } else if digits.len() == 10 && digits.starts_with(['3', '4', '8', '9']) {
        format!("7{digits}")
    } else {
        digits
    };
    (number.len() <= MAX_DIGITS).then_some(number)
}

/// The extension that a text is: one to six digits, also before an `@`.
pub fn extension(text: &str) -> Option<String> {
    let text = user_part(text).trim();
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    (digits && text.len() <= MAX_EXTENSION).then(|| text.to_owned())
}

/// What a person types to find a number: digits anywhere in it, where a leading
/// 8 or +7 of a whole Russian number is the 7 that is kept. Made once, it looks
/// at many numbers.
#[derive(Debug, Clone)]
pub struct Wanted {
    lower: String,
    whole: Option<String>,
    digits: Option<String>,
}

impl Wanted {
    /// Of what was typed.
    pub fn new(typed: &str) -> Self {
        let typed = typed.trim();
        Self {
            lower: typed.to_lowercase(),
            whole: normalize(typed),
            digits: wanted_digits(typed),
        }
    }

    /// True when it is in a party: its `text` as it was sent and its `phone`
    /// number, where it is one.
    pub fn is_in(&self, text: &str, phone: Option<&str>) -> bool {
        if let (Some(phone), Some(whole)) = (phone, &self.whole) {
            return has(phone, whole) || self.digits.as_ref().is_some_and(|part| has(phone, part));
        }
        match &self.digits {
            Some(digits) => has(phone.unwrap_or(text), digits),
            None => text.to_lowercase().contains(&self.lower),
        }
    }
}

/// Whether a number has these digits in it. Numbers are so short that looking at
/// each place costs less than making ready for a search.
fn has(number: &str, digits: &str) -> bool {
    number
        .as_bytes()
        .windows(digits.len().max(1))
        .any(|part| part == digits.as_bytes())
}

fn wanted_digits(wanted: &str) -> Option<String> {
    let digits: String = wanted.chars().filter(char::is_ascii_digit).collect();
    (!digits.is_empty() && !wanted.chars().any(char::is_alphabetic)).then_some(digits)
}

/// `sip:101@pbx` and `tel:+7916…` without what is around the user.
fn user_part(text: &str) -> &str {
    let text = text.trim();
    let text = ["sip:", "sips:", "tel:"]
        .iter()
        .find_map(|scheme| text.strip_prefix(scheme))
        .unwrap_or(text);
    text.split_once('@').map_or(text, |(user, _)| user)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn contains(number: &Number, wanted: &str) -> bool {
        Wanted::new(wanted).is_in(&number.text, number.phone.as_deref())
    }

    #[test]
    fn one_number_written_in_many_ways_is_one() {
        for text in [
            "79161234567",
            "+7 (916) 123-45-67",
            "8 916 123 45 67",
            "9161234567",
            "sip:79161234567@mango",
            "tel:+79161234567",
            "8-10-7-916-123-45-67",
        ] {
            assert_eq!(normalize(text).as_deref(), Some("79161234567"), "{text}");
        }
        assert_eq!(
            normalize("+8613912345678").as_deref(),
            Some("8613912345678")
        );
        assert_eq!(
            normalize("810441234567890").as_deref(),
            Some("441234567890")
        );
        assert_eq!(normalize("00441234567890").as_deref(), Some("441234567890"));
        assert_eq!(normalize("+81012345678").as_deref(), Some("81012345678"));
        assert_eq!(normalize("7800123635242").as_deref(), Some("7800123635242"));
        assert_eq!(normalize("1234567").as_deref(), Some("1234567"));
        for text in ["101", "", "Poljhzovateljh1", "7916123456a", "user1@pbx"] {
            assert_eq!(normalize(text), None, "{text}");
        }
    }

    #[test]
    fn extensions() {
        assert_eq!(extension("101").as_deref(), Some("101"));
        assert_eq!(extension("sip:101@pbx").as_deref(), Some("101"));
        for text in ["", "79161234567", "user", "10 1"] {
            assert_eq!(extension(text), None, "{text}");
        }
    }

    #[test]
    fn a_number_is_found_by_a_part_of_it() {
        let number = Number::of("+7 (916) 123-45-67").expect("a number");
        for wanted in [
            "89161234567",
            "9161234567",
            "123-45-67",
            "4567",
            "+7916",
            "8916123",
        ] {
            let found = wanted != "8916123";
            assert_eq!(contains(&number, wanted), found, "{wanted}");
        }
        let name = Number::of("Иван(SipCmd)").expect("a party");
        assert!(contains(&name, "иван") && !contains(&name, "7"));
        assert_eq!(Number::of(" - "), None);
    }
}
