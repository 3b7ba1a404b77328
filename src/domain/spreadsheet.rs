//! Cells of tables that are opened in a spreadsheet.

/// A cell that no spreadsheet takes for a formula: what could be one begins with an
/// apostrophe (OWASP, «CSV injection»). A number stays a number.
pub fn cell(text: &str) -> String {
    let risky = text
        .trim_start()
        .starts_with(['=', '+', '-', '@', '＝', '＋', '－', '＠']);
    if (risky || text.starts_with(['\t', '\r', '\n'])) && !is_number(text) {
        format!("'{text}")
    } else {
        text.to_owned()
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    let (whole, part) = digits.split_once(['.', ',']).unwrap_or((digits, "0"));
    let all = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    all(whole) && all(part)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn formulas_are_texts_and_numbers_are_numbers() {
        for risky in [
            "=HYPERLINK(\"http://x\",\"y\")",
            "+cmd|' /C calc'!A0",
            "-2+3",
            "@SUM(A1)",
            " =1+1",
            "\t=1",
            "\r=1",
            "\n@x",
            "＝1",
            "-",
            "+",
            "-1.2.3",
            "-1e5",
        ] {
            assert_eq!(cell(risky), format!("'{risky}"));
        }
        for harmless in [
            "",
            "a=b",
            "-5",
            "+79161234567",
            "-1,5",
            "12.75",
            "да",
            "'=1",
        ] {
            assert_eq!(cell(harmless), harmless);
        }
    }
}
