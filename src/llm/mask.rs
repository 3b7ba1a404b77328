//! Personal data is taken out of what leaves the machine and put back into what
//! comes in. Each piece becomes a mark such as `[PHONE_1]`; the same piece gets the
//! same mark, so that a text still makes sense.
//!
//! Rules find what has a form: numbers with their checksums where there are any,
//! addresses of mail, streets with houses, names where they are announced. What has
//! no form is not found: this is care, not a guarantee.

use std::collections::HashMap;
use std::sync::LazyLock;

use regex::{Captures, Regex};

use crate::config::Masking;
use crate::domain::Transcript;
use crate::domain::transcript::join_words;

/// What is looked for, in this order: what is longer and surer comes first.
struct Rule {
    kind: &'static str,
    pattern: Regex,
    proof: Proof,
}

/// Whether what was found is such a thing; it gets the digits.
type Proof = fn(&[u32]) -> bool;

fn rule(kind: &'static str, pattern: &str, proof: Proof) -> Rule {
    // The tests compile every one of them.
    #[allow(clippy::expect_used)]
    let pattern = Regex::new(pattern).expect("a pattern of this file");
    Rule {
        kind,
        pattern,
        proof,
    }
}

/// A group named `keep` stays as it is, before the mark.
static RULES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    vec![
        rule(
            "EMAIL",
            r"(?i)[\p{L}\d._%+-]+@[\p{L}\d-]+(?:\.[\p{L}\d-]+)+",
            |_| true,
        ),
        rule("CARD", r"\b\d(?:[ -]?\d){12,18}\b", luhn),
        rule("SNILS", r"\b\d{3}[ -]?\d{3}[ -]?\d{3}[ -]?\d{2}\b", snils),
        rule(
            "PASSPORT",
            r"(?i)(?P<keep>паспорт\w*\D{0,40}?)\d{2} ?\d{2}\D{0,12}\d(?:[ -]?\d){5}\b",
            |_| true,
        ),
        rule("INN", r"\b\d{12}\b|\b\d{10}\b", inn),
        rule(
            "INN",
            r"(?i)(?P<keep>\bинн\D{0,20}?)\d(?:[ -]?\d){9,11}\b",
            |_| true,
        ),
        rule("PHONE", r"\+?\d(?:[ ()-]{0,3}\d){9,14}\b", phone),
        // Without the code of the town: 223-45-67.
        rule("PHONE", r"\b\d{2,3}-\d{2}-\d{2}\b", |_| true),
        // Said in words, or digit by digit: five numerals and more in a row.
        rule("NUMBER", &spoken_numbers(), |_| true),
        rule("NUMBER", r"\b\d(?:[ ,.-]{1,2}\d{1,3}){4,}\b", |_| true),
        rule(
            "ADDRESS",
            r"(?i)\b(?:улиц\p{L}*|ул\.|проспект\p{L}*|пр-т|переул\p{L}*|пер\.|бульвар\p{L}*|шоссе|набережн\p{L}*|площад\p{L}*|проезд\p{L}*)\s+[\p{L}\d-]+(?:\s+[\p{L}-]+){0,2}?,?\s*(?:дом\p{L}*|д\.)?\s*\d+[\p{L}]?(?:[/ -]\d+)?(?:,?\s*(?:корпус|к\.|строение|стр\.)\s*\d+)?(?:,?\s*(?:квартир\p{L}*|кв\.|офис\p{L}*|оф\.)\s*\d+)?",
            |_| true,
        ),
    ]
});

/// Names are looked for only where that is asked for.
static NAMES: LazyLock<Vec<Rule>> = LazyLock::new(|| {
    vec![
        // Given name, patronymic, family name: the patronymic tells.
        rule(
            "NAME",
            r"(?:\b\p{Lu}\p{Ll}+\s+){0,2}\b\p{Lu}\p{Ll}+(?:ович|евич|ьич|овна|евна|ична|инична)\p{Ll}{0,3}\b(?:\s+\p{Lu}\p{Ll}+)?",
            |_| true,
        ),
        rule(
            "NAME",
            r"(?P<keep>(?i:меня\s+зовут|зовут\s+меня|моё\s+имя|мое\s+имя|фамилия|как\s+к\s+вам\s+обращаться)[\s,:—-]+)\p{Lu}\p{Ll}+(?:\s+\p{Lu}\p{Ll}+){0,2}",
            |_| true,
        ),
    ]
});

fn spoken_numbers() -> String {
    let numeral = "(?:ноль|нуль|один|одна|два|две|три|четыре|пять|шесть|семь|восемь|девять|десять|\\p{L}+надцать|двадцать|тридцать|сорок|пятьдесят|шестьдесят|семьдесят|восемьдесят|девяносто|сто|двести|триста|четыреста|пятьсот|шестьсот|семьсот|восемьсот|девятьсот|плюс)";
    format!(r"(?i)\b{numeral}(?:[\s,.-]+{numeral}){{4,}}\b")
}

fn luhn(digits: &[u32]) -> bool {
    let doubled = |digit: u32| if digit > 4 { 2 * digit - 9 } else { 2 * digit };
    let sum: u32 = digits
        .iter()
        .rev()
        .enumerate()
        .map(|(i, digit)| if i % 2 == 1 { doubled(*digit) } else { *digit })
        .sum();
    digits.len() >= 13 && sum.is_multiple_of(10)
}

/// With the code of the country, or of a town or an operator in Russia.
fn phone(digits: &[u32]) -> bool {
    match digits.len() {
        10 => matches!(digits[0], 3 | 4 | 8 | 9),
        11 => matches!(digits[0], 7 | 8),
        _ => true,
    }
}

/// The control number of a SNILS: weights 9 … 1, modulo 101.
fn snils(digits: &[u32]) -> bool {
    let sum: u32 = digits.iter().zip((1..=9).rev()).map(|(d, w)| d * w).sum();
    digits.len() == 11 && sum % 101 % 100 == digits[9] * 10 + digits[10]
}

/// The control digits of an INN.
fn inn(digits: &[u32]) -> bool {
    let control = |weights: &[u32]| {
        let sum: u32 = digits.iter().zip(weights).map(|(d, w)| d * w).sum();
        sum % 11 % 10
    };
    match digits.len() {
        10 => control(&[2, 4, 10, 3, 5, 9, 4, 6, 8]) == digits[9],
        12 => {
            control(&[7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == digits[10]
                && control(&[3, 7, 2, 4, 10, 3, 5, 9, 4, 6, 8]) == digits[11]
        }
        _ => false,
    }
}

/// What was hidden in one exchange.
#[derive(Debug, Default)]
pub struct Mask {
    names: bool,
    nothing: bool,
    /// Mark → what it stands for, in the order found.
    hidden: Vec<(String, String)>,
    marks: HashMap<String, usize>,
    kinds: HashMap<&'static str, usize>,
}

impl Mask {
    /// `names`: people's names are hidden as well.
    pub fn new(names: bool) -> Self {
        Self {
            names,
            ..Self::default()
        }
    }

    /// Hides nothing.
    pub fn none() -> Self {
        Self {
            nothing: true,
            ..Self::default()
        }
    }

    /// As the settings want it, with all that is to be hidden in a call found already.
    pub fn over(masking: Masking, transcript: &Transcript) -> Self {
        let mut mask = match masking {
            Masking::Off => Self::none(),
            Masking::Numbers => Self::new(false),
            Masking::Names => Self::new(true),
        };
        for turn in &transcript.turns {
            mask.hide(&join_words(&turn.words));
        }
        mask
    }

    /// How many different pieces were hidden.
    pub fn count(&self) -> usize {
        self.hidden.len()
    }

    /// The text with marks in place of personal data.
    pub fn hide(&mut self, text: &str) -> String {
        if self.nothing {
            return text.to_owned();
        }
        let names = self.names;
        let rules = RULES.iter().chain(NAMES.iter().filter(|_| names));
        let mut text = text.to_owned();
        for rule in rules {
            if !rule.pattern.is_match(&text) {
                continue;
            }
            text = rule
                .pattern
                .replace_all(&text, |found: &Captures| self.replaced(rule, found))
                .into_owned();
        }
        text
    }

    fn replaced(&mut self, rule: &Rule, found: &Captures) -> String {
        let whole = found.get(0).map_or("", |whole| whole.as_str());
        let keep = found.name("keep").map_or("", |keep| keep.as_str());
        let secret = &whole[keep.len()..];
        let digits: Vec<u32> = secret.chars().filter_map(|c| c.to_digit(10)).collect();
        if !(rule.proof)(&digits) {
            return whole.to_owned();
        }
        format!("{keep}{}", self.mark(rule.kind, secret))
    }

    fn mark(&mut self, kind: &'static str, secret: &str) -> String {
        if let Some(known) = self.marks.get(secret) {
            return self.hidden[*known].0.clone();
        }
        let number = self.kinds.entry(kind).or_default();
        *number += 1;
        let mark = format!("[{kind}_{number}]");
        self.marks.insert(secret.to_owned(), self.hidden.len());
        self.hidden.push((mark.clone(), secret.to_owned()));
        mark
    }

    /// The text with marks in place of what was hidden before, and of nothing else.
    pub fn cover(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (mark, secret) in &self.hidden {
            text = text.replace(secret.as_str(), mark);
        }
        text
    }

    /// The text with what the marks stand for.
    pub fn restore(&self, text: &str) -> String {
        let mut text = text.to_owned();
        for (mark, secret) in &self.hidden {
            if text.contains(mark.as_str()) {
                text = text.replace(mark.as_str(), secret);
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hidden(text: &str) -> String {
        let mut mask = Mask::new(true);
        let hidden = mask.hide(text);
        assert_eq!(mask.restore(&hidden), text);
        hidden
    }

    #[test]
    fn every_pattern_compiles() {
        for rule in RULES.iter().chain(NAMES.iter()) {
            assert!(!rule.pattern.is_match(""), "{}", rule.kind);
        }
    }

    #[test]
    fn personal_data_is_hidden() {
        let cases = [
            (
                "Звоните +7 (912) 345-67-89, жду.",
                "Звоните [PHONE_1], жду.",
            ),
            ("8 912 345 67 89 или 89123456789", "[PHONE_1] или [PHONE_2]"),
            ("городской 223-45-67", "городской [PHONE_1]"),
            ("почта ivanov.p@mail.ru, да", "почта [EMAIL_1], да"),
            (
                "карта 4111 1111 1111 1111 до конца",
                "карта [CARD_1] до конца",
            ),
            ("СНИЛС 112-233-445 95", "СНИЛС [SNILS_1]"),
            ("ИНН 7707083893", "ИНН [INN_1]"),
            ("ИНН 500100732259", "ИНН [INN_1]"),
            (
                "паспорт серия 45 10 номер 123456",
                "паспорт серия [PASSPORT_1]",
            ),
            (
                "восемь девятьсот двенадцать триста сорок пять",
                "[NUMBER_1]",
            ),
            ("8, 9, 1, 2, 3, 4, 5", "[NUMBER_1]"),
            (
                "Живу на улице Ленина, дом 5, квартира 12. Жду.",
                "Живу на [ADDRESS_1]. Жду.",
            ),
            (
                "Меня зовут Ольга Петрова, компания",
                "Меня зовут [NAME_1], компания",
            ),
            ("это Иванов Пётр Сергеевич", "это [NAME_1]"),
        ];
        for (text, expected) in cases {
            assert_eq!(hidden(text), expected);
        }
    }

    #[test]
    fn what_is_not_personal_stays() {
        for text in [
            "Цена 1 200 рублей, скидка 15 процентов.",
            "Заказ 1234567890 оформлен в 2026 году.",
            "два или три дня, максимум пять",
            "с 9 до 18 часов, 24 часа",
        ] {
            assert_eq!(hidden(text), text);
        }
    }

    #[test]
    fn the_same_has_the_same_mark() {
        let mut mask = Mask::new(false);
        let text = mask.hide("мой 89123456789, да, 89123456789");
        assert_eq!(text, "мой [PHONE_1], да, [PHONE_1]");
        assert_eq!(mask.hide("89123456789"), "[PHONE_1]");
        assert_eq!(mask.count(), 1);
        assert_eq!(mask.hide("Иван Петрович"), "Иван Петрович");
    }
}
