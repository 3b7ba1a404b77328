//! Splits a call into parts that a language model can read at once.

use std::ops::Range;

use crate::llm::Client;

/// Turns that two parts of a long call share.
pub(super) const OVERLAP: usize = 4;

/// Some turns of a call, a line each.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part {
    /// Which turns.
    pub turns: Range<usize>,
    /// Their lines.
    pub lines: String,
}

/// Parts of at most `room` tokens; each repeats the last turns of the one before.
///
/// # Errors
/// The tokens of the longest line, where it alone is too long.
pub fn parts(lines: &[String], room: u32) -> Result<Vec<Part>, u32> {
    let sizes: Vec<u32> = lines.iter().map(|line| Client::tokens(line)).collect();
    let longest = sizes.iter().copied().max().unwrap_or(0);
    if longest > room {
        return Err(longest);
    }
    let mut parts = Vec::new();
    let mut first = 0;
    while first < lines.len() {
        let mut end = first;
        let mut used = 0;
        while end < lines.len() && used + sizes[end] <= room {
            used += sizes[end];
            end += 1;
        }
        parts.push(Part {
            turns: first..end,
            lines: lines[first..end].concat(),
        });
        if end == lines.len() {
            break;
        }
        // It goes forward, however few turns fit.
        first = end.saturating_sub(OVERLAP).max(first + 1);
    }
    Ok(parts)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parts_cover_all_and_overlap() {
        // 20 letters are 10 tokens.
        let lines: Vec<String> = (0..20).map(|n| format!("{n:0>19}\n")).collect();
        let split = parts(&lines, 80).expect("parts");
        let ranges: Vec<Range<usize>> = split.iter().map(|part| part.turns.clone()).collect();
        assert_eq!(ranges, [0..8, 4..12, 8..16, 12..20]);
        assert!(split[1].lines.starts_with(&lines[4]));
        assert_eq!(parts(&lines, 200).expect("one").len(), 1);
        // Only one fits at a time: it goes on all the same.
        assert_eq!(parts(&lines, 10).expect("parts").len(), 20);
        assert_eq!(parts(&lines, 9), Err(10));
        assert_eq!(parts(&[], 9), Ok(Vec::new()));
    }
}
