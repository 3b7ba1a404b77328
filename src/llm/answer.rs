//! What a server's answer means.

use std::time::Duration;

use serde::Deserialize;

use super::client::Usage;
use super::{LlmError, Reply};

/// Longest piece of a server's words in a message.
const MAX_WORDS: usize = 300;

#[derive(Deserialize)]
struct Completion {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counted>,
}

#[derive(Deserialize)]
struct Choice {
    message: Said,
    finish_reason: Option<String>,
}

#[derive(Deserialize)]
struct Said {
    content: Option<String>,
    refusal: Option<String>,
}

#[derive(Deserialize)]
struct Counted {
    #[serde(default)]
    prompt_tokens: u32,
    #[serde(default)]
    completion_tokens: u32,
}

#[derive(Deserialize)]
struct Refusal {
    error: Option<serde_json::Value>,
    message: Option<String>,
}

/// Reads a successful answer.
pub(super) fn read(body: &[u8]) -> Result<Reply, LlmError> {
    let unusable = |what: &str| LlmError::Unusable(what.to_owned());
    let completion: Completion = serde_json::from_slice(body)
        .map_err(|error| LlmError::Unusable(format!("it is no completion: {error}")))?;
    let choice = completion
        .choices
        .into_iter()
        .next()
        .ok_or_else(|| unusable("it has no choice"))?;
    let usage = completion.usage.map_or(Usage::default(), |counted| Usage {
        input: counted.prompt_tokens,
        output: counted.completion_tokens,
    });
    accept(
        choice.finish_reason.as_deref().unwrap_or_default(),
        choice.message.refusal.as_deref().unwrap_or_default(),
        choice.message.content.unwrap_or_default(),
        usage,
    )
}

/// An answer that arrived whole, unless its end or its words say that it is none.
pub(super) fn accept(
    finish_reason: &str,
    refusal: &str,
    text: String,
    usage: Usage,
) -> Result<Reply, LlmError> {
    let unusable = |what: &str| LlmError::Unusable(what.to_owned());
    match finish_reason {
        "length" => return Err(unusable("it was cut off at its greatest length")),
        "content_filter" => return Err(unusable("the server filtered it")),
        _ => {}
    }
    if !refusal.is_empty() {
        return Err(LlmError::Unusable(format!(
            "it refuses: {}",
            short(refusal)
        )));
    }
    if text.trim().is_empty() {
        return Err(unusable("it is empty"));
    }
    Ok(Reply { text, usage })
}

/// What a refusal means. `after`: when the server wants to be asked again.
pub(super) fn refusal(status: u16, body: &[u8], after: Option<Duration>) -> LlmError {
    let (code, words) = words(body);
    let reason = if words.is_empty() {
        format!("HTTP {status}")
    } else {
        format!("HTTP {status}: {words}")
    };
    match status {
        _ if code == "insufficient_quota" => LlmError::Quota(reason),
        402 => LlmError::Quota(reason),
        401 | 403 => LlmError::Denied(reason),
        408 | 409 | 425 | 429 | 500.. => LlmError::Later { after, reason },
        _ => LlmError::Refused(reason),
    }
}

/// The code and the words of an error, in the forms that servers give it.
fn words(body: &[u8]) -> (String, String) {
    let Ok(refusal) = serde_json::from_slice::<Refusal>(body) else {
        return (String::new(), String::new());
    };
    let error = refusal.error.unwrap_or_default();
    let text = |key: &str| error.get(key).and_then(|value| value.as_str());
    let code = text("code").or_else(|| text("type")).unwrap_or_default();
    let message = text("message")
        .or_else(|| error.as_str())
        .map(str::to_owned)
        .or(refusal.message)
        .unwrap_or_default();
    (code.to_owned(), short(&message))
}

fn short(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .take(MAX_WORDS)
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read() {
        let body = br#"{"choices":[{"message":{"content":"{}"},"finish_reason":"stop"}],"usage":{"prompt_tokens":7,"completion_tokens":2}}"#;
        let reply = read(body).expect("an answer");
        assert_eq!(
            (reply.text.as_str(), reply.usage.input, reply.usage.output),
            ("{}", 7, 2)
        );
        for bad in [
            r#"{"choices":[]}"#,
            r#"{"choices":[{"message":{"content":""}}]}"#,
            r#"{"choices":[{"message":{"content":"{"},"finish_reason":"length"}]}"#,
            r#"{"choices":[{"message":{"refusal":"no"}}]}"#,
            "<html>",
        ] {
            assert!(
                matches!(read(bad.as_bytes()), Err(LlmError::Unusable(_))),
                "{bad}"
            );
        }
    }

    #[test]
    fn refusals_say_what_can_be_done() {
        let quota = br#"{"error":{"code":"insufficient_quota","message":"You exceeded"}}"#;
        assert!(matches!(refusal(429, quota, None), LlmError::Quota(_)));
        let after = Some(Duration::from_secs(7));
        assert_eq!(
            refusal(429, br#"{"error":{"message":"slow down"}}"#, after),
            LlmError::Later {
                after,
                reason: "HTTP 429: slow down".to_owned()
            }
        );
        assert!(matches!(refusal(503, b"", None), LlmError::Later { .. }));
        assert!(matches!(refusal(401, b"", None), LlmError::Denied(_)));
        assert!(matches!(
            refusal(400, br#"{"error":"bad"}"#, None),
            LlmError::Refused(_)
        ));
    }
}
