//! Shows an answer while a model still writes the JSON that it is in.

use crate::llm::Mask;

/// Longest mark of hidden data, in bytes, such as `[PASSPORT_12]`.
const LONGEST_MARK: usize = 24;
const KEY: &str = "\"answer\"";

/// What was heard of an answer so far.
#[derive(Debug, Default)]
pub(super) struct Partial {
    raw: String,
    /// Bytes of the decoded text that were shown, marks and all.
    shown: usize,
}

impl Partial {
    /// Takes the next piece; gives what can be shown beyond what was shown before, with
    /// hidden data put back.
    pub(super) fn push(&mut self, piece: &str, mask: &Mask) -> String {
        self.raw += piece;
        let text = decoded(&self.raw);
        let sure = sure(&text);
        if sure <= self.shown {
            return String::new();
        }
        let more = mask.restore(&text[self.shown..sure]);
        self.shown = sure;
        more
    }
}

/// How much of the text cannot change its meaning any more: not half a mark.
fn sure(text: &str) -> usize {
    match text.rfind('[') {
        Some(at) if text.len() - at <= LONGEST_MARK && !text[at..].contains(']') => at,
        _ => text.len(),
    }
}

/// The text of the property `answer`, as far as it is there.
fn decoded(raw: &str) -> String {
    let mut text = String::new();
    let Some(value) = raw
        .find(KEY)
        .and_then(|at| raw[at + KEY.len()..].trim_start().strip_prefix(':'))
        .and_then(|rest| rest.trim_start().strip_prefix('"'))
    else {
        return text;
    };
    let mut chars = value.chars();
    let mut high = None;
    while let Some(c) = chars.next() {
        match c {
            '"' => break,
            '\\' => match chars.next() {
                Some('n') => text.push('\n'),
                Some('t') => text.push('\t'),
                Some('u') => {
                    let hex: String = chars.by_ref().take(4).collect();
                    let Ok(unit) = u16::from_str_radix(&hex, 16) else {
                        break;
                    };
                    if hex.len() < 4 {
                        break;
                    }
                    let units: Vec<u16> = high.take().into_iter().chain([unit]).collect();
                    if units.len() == 1 && (0xd800..0xdc00).contains(&unit) {
                        high = Some(unit);
                    } else {
                        text.extend(char::decode_utf16(units).map(|c| c.unwrap_or('\u{fffd}')));
                    }
                }
                Some('r' | 'b' | 'f') => {}
                Some(other) => text.push(other),
                None => break,
            },
            other => text.push(other),
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is shown when the text comes in pieces of so many characters.
    fn shown(raw: &str, size: usize, mask: &Mask) -> String {
        let mut partial = Partial::default();
        let chars: Vec<char> = raw.chars().collect();
        chars
            .chunks(size)
            .map(|piece| partial.push(&piece.iter().collect::<String>(), mask))
            .collect()
    }

    #[test]
    fn the_same_is_shown_however_it_is_cut() {
        let mut mask = Mask::new(false);
        assert_eq!(mask.hide("89123456789"), "[PHONE_1]");
        let text = "Сказал: \"перезвоните\" на 89123456789 \\ 😀\nи [всё]";
        let json = serde_json::json!({"answer": text.replace("89123456789", "[PHONE_1]"), "quotes": [{"text": "x", "turn": 1}]});
        let raw = format!("```json\n{json}\n```");
        for size in 1..40 {
            assert_eq!(shown(&raw, size, &mask), text, "{size}");
        }
        let escaped = r#"{"answer": "\u0414\u0430 \ud83d\ude00", "quotes": []}"#;
        for size in 1..20 {
            assert_eq!(shown(escaped, size, &mask), "Да 😀", "{size}");
        }
    }

    #[test]
    fn half_a_mark_and_foreign_json_are_not_shown() {
        let mut mask = Mask::new(false);
        mask.hide("89123456789");
        let mut partial = Partial::default();
        assert_eq!(partial.push("{\"answer\":\"на [PHO", &mask), "на ");
        assert_eq!(partial.push("NE_1]", &mask), "89123456789");
        assert_eq!(shown("{\"verdict\": \"да\"}", 3, &mask), "");
        assert_eq!(shown("{\"answer\": 5}", 3, &mask), "");
    }
}
