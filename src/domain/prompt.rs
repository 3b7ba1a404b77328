//! What a team tells the language model besides the fixed rules of the work.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::egress::Purpose;

/// Longest content, in characters: it is sent with every request.
pub const MAX_CONTENT: usize = 6_000;
/// Longest name, in characters.
pub const MAX_NAME: usize = 200;

/// One state of a team's instructions.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prompt {
    /// Stable id.
    pub id: String,
    /// 1, 2, …: raised with every change; none is ever changed.
    pub version: u32,
    /// What for.
    pub purpose: Purpose,
    /// Name as the team writes it.
    pub name: String,
    /// The instructions.
    pub content: String,
    /// Whether it is the one in use for its purpose.
    pub is_active: bool,
    /// When the prompt was first written.
    pub created_at: Timestamp,
    /// When this version was.
    pub changed_at: Timestamp,
    /// Account that wrote this version.
    pub author: String,
}

/// The prompt that a judgement was made with.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct PromptRef {
    /// Its id.
    pub id: String,
    /// Its version.
    pub version: u32,
    /// Its name then.
    pub name: String,
}

impl From<&Prompt> for PromptRef {
    fn from(prompt: &Prompt) -> Self {
        Self {
            id: prompt.id.clone(),
            version: prompt.version,
            name: prompt.name.clone(),
        }
    }
}

/// A prompt that cannot be kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum PromptFault {
    /// It has no name.
    #[error("give the prompt a name")]
    NoName,
    /// The name is too long.
    #[error("the name has at most {MAX_NAME} characters")]
    LongName,
    /// It says nothing.
    #[error("write what the model has to know")]
    NoContent,
    /// It says too much.
    #[error("the text has at most {MAX_CONTENT} characters: it is sent with every request")]
    LongContent,
}

impl PromptFault {
    /// Stable name.
    pub fn code(self) -> &'static str {
        match self {
            PromptFault::NoName => "no_name",
            PromptFault::LongName => "long_name",
            PromptFault::NoContent => "no_content",
            PromptFault::LongContent => "long_content",
        }
    }
}

/// Name and content without the spaces around them.
///
/// # Errors
/// Why they cannot be kept.
pub fn checked(name: &str, content: &str) -> Result<(String, String), PromptFault> {
    let (name, content) = (name.trim(), content.trim());
    if name.is_empty() {
        return Err(PromptFault::NoName);
    }
    if name.chars().count() > MAX_NAME {
        return Err(PromptFault::LongName);
    }
    if content.is_empty() {
        return Err(PromptFault::NoContent);
    }
    if content.chars().count() > MAX_CONTENT {
        return Err(PromptFault::LongContent);
    }
    Ok((name.to_owned(), content.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_says_something_is_kept() {
        assert_eq!(
            checked(" Имя ", "\nтекст "),
            Ok(("Имя".to_owned(), "текст".to_owned()))
        );
        assert_eq!(checked(" ", "текст"), Err(PromptFault::NoName));
        assert_eq!(checked("n", " \n"), Err(PromptFault::NoContent));
        let long = "ж".repeat(MAX_CONTENT + 1);
        assert_eq!(checked("n", &long), Err(PromptFault::LongContent));
        assert_eq!(checked(&long, "т"), Err(PromptFault::LongName));
    }
}
