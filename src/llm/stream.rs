//! Reads an answer that a server sends piece by piece (server-sent events).

use std::io::BufRead;

use serde::Deserialize;
use serde_json::Value;

use super::client::Usage;
use super::{LlmError, Reply, answer};

/// Longest line of a stream, in bytes.
const MAX_LINE: usize = 1 << 20;

#[derive(Deserialize)]
struct Chunk {
    #[serde(default)]
    choices: Vec<Choice>,
    usage: Option<Counted>,
    error: Option<Value>,
}

#[derive(Deserialize)]
struct Choice {
    #[serde(default)]
    delta: Delta,
    finish_reason: Option<String>,
}

#[derive(Deserialize, Default)]
struct Delta {
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

fn broke_off(what: &str) -> LlmError {
    LlmError::Later {
        after: None,
        reason: format!("the answer broke off: {what}"),
    }
}

/// Reads to the end; `heard` gets each piece, `stopped` is looked at between them.
pub(super) fn read(
    mut source: impl BufRead,
    stopped: &dyn Fn() -> bool,
    heard: &mut dyn FnMut(&str),
) -> Result<Reply, LlmError> {
    let (mut text, mut refusal) = (String::new(), String::new());
    let mut usage = Usage::default();
    let mut ended: Option<String> = None;
    let mut line = Vec::new();
    loop {
        if stopped() {
            return Err(LlmError::Stopped);
        }
        line.clear();
        let read = std::io::Read::take(&mut source, MAX_LINE as u64)
            .read_until(b'\n', &mut line)
            .map_err(|error| broke_off(&error.kind().to_string()))?;
        if read == 0 {
            break;
        }
        if read == MAX_LINE {
            return Err(LlmError::Unusable("a line of it has no end".to_owned()));
        }
        // Comments keep the connection; names of events and ids say nothing new.
        let Some(data) = line.strip_prefix(b"data:") else {
            continue;
        };
        let data = data.trim_ascii();
        if data == b"[DONE]" {
            ended.get_or_insert_default();
            break;
        }
        let chunk: Chunk = serde_json::from_slice(data)
            .map_err(|error| LlmError::Unusable(format!("a piece of it is no JSON: {error}")))?;
        if chunk.error.is_some() {
            // Told in the middle of a success: what a proxy says when its server fails.
            return Err(answer::refusal(500, data, None));
        }
        if let Some(counted) = chunk.usage {
            usage = Usage {
                input: counted.prompt_tokens,
                output: counted.completion_tokens,
            };
        }
        let Some(choice) = chunk.choices.into_iter().next() else {
            continue;
        };
        refusal += choice.delta.refusal.as_deref().unwrap_or_default();
        if let Some(piece) = choice.delta.content.filter(|piece| !piece.is_empty()) {
            heard(&piece);
            text += &piece;
        }
        if let Some(reason) = choice.finish_reason {
            ended = Some(reason);
        }
    }
    let ended = ended.ok_or_else(|| broke_off("the stream ended early"))?;
    answer::accept(&ended, &refusal, text, usage)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stream(body: &str) -> (Result<Reply, LlmError>, Vec<String>) {
        let mut pieces = Vec::new();
        let reply = read(body.as_bytes(), &|| false, &mut |piece| {
            pieces.push(piece.to_owned());
        });
        (reply, pieces)
    }

    fn piece(text: &str) -> String {
        format!("data: {{\"choices\":[{{\"delta\":{{\"content\":\"{text}\"}}}}]}}\n\n")
    }

    #[test]
    fn pieces_make_an_answer() {
        let body = format!(
            ": wait\r\n\r\nevent: x\r\n{}{}data:{{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"stop\"}}]}}\n\ndata: {{\"choices\":[],\"usage\":{{\"prompt_tokens\":7,\"completion_tokens\":2}}}}\n\ndata: [DONE]\n\n",
            piece("До"),
            piece("рого")
        );
        let (reply, pieces) = stream(&body);
        let reply = reply.expect("an answer");
        assert_eq!((reply.text.as_str(), reply.usage.input), ("Дорого", 7));
        assert_eq!(pieces, ["До", "рого"]);
        // Some servers leave out one end or the other.
        let (reply, _) = stream(&format!("{}data: [DONE]\n", piece("да")));
        assert_eq!(reply.map(|reply| reply.text), Ok("да".to_owned()));
    }

    #[test]
    fn what_breaks_off_is_told() {
        let (reply, pieces) = stream(&piece("половина"));
        assert!(matches!(reply, Err(LlmError::Later { .. })));
        assert_eq!(pieces, ["половина"]);
        let (reply, _) = stream("data: {\"error\":{\"message\":\"overloaded\"}}\n\n");
        assert!(matches!(reply, Err(LlmError::Later { .. })), "{reply:?}");
        let (reply, _) = stream("data: <html>\n\n");
        assert!(matches!(reply, Err(LlmError::Unusable(_))));
        let cut = format!(
            "{}data: {{\"choices\":[{{\"delta\":{{}},\"finish_reason\":\"length\"}}]}}\n\n",
            piece("да")
        );
        assert!(matches!(stream(&cut).0, Err(LlmError::Unusable(_))));
        assert!(matches!(
            read(piece("да").as_bytes(), &|| true, &mut |_| {}),
            Err(LlmError::Stopped)
        ));
    }
}
