//! What a language model is asked of a call besides a score, and how its answers are
//! read. A transcript is data in every one of them.

use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::{Value, json};

use crate::llm::{LlmError, Message, Role, Shape};
use crate::pipeline::score::{GUARD, MARKS};

/// Most letters of an unusable answer that are shown to the model again.
const MAX_SHOWN: usize = 4000;

/// Bounds of an answer, so that a small model that repeats itself comes to an end:
/// letters of a text and of a quote, and entries of a list.
const MAX_TEXT: usize = 2000;
const MAX_QUOTE: usize = 300;
const MAX_LIST: usize = 8;

/// A quote as a model gives it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Quoted {
    #[serde(default)]
    pub(super) turn: i64,
    #[serde(default)]
    pub(super) text: String,
}

/// An answer as a model gives it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Answered {
    pub(super) answer: String,
    #[serde(default)]
    pub(super) quotes: Vec<Quoted>,
}

/// Something that was said, as a model gives it.
#[derive(Debug, Clone, Default, Deserialize)]
pub(super) struct Told {
    #[serde(default)]
    pub(super) text: String,
    #[serde(default)]
    pub(super) turn: i64,
    #[serde(default)]
    pub(super) quote: String,
}

/// A summary as a model gives it.
#[derive(Debug, Clone, Deserialize)]
pub(super) struct Summed {
    pub(super) summary: String,
    #[serde(default)]
    pub(super) next_step: Told,
    #[serde(default)]
    pub(super) objections: Vec<Told>,
}

fn object(properties: Value) -> Value {
    let required: Vec<&String> = properties
        .as_object()
        .into_iter()
        .flatten()
        .map(|property| property.0)
        .collect();
    json!({"type": "object", "required": required, "additionalProperties": false, "properties": properties})
}

/// The form of an answer. `answer` comes first, so that it can be shown while it is written.
pub(super) fn answer_shape() -> Shape {
    let quote = object(json!({
        "turn": {"type": "integer"},
        "text": {"type": "string", "maxLength": MAX_QUOTE},
    }));
    Shape {
        name: "answer",
        schema: object(json!({
            "answer": {"type": "string", "maxLength": MAX_TEXT},
            "quotes": {"type": "array", "items": quote, "maxItems": MAX_LIST},
        })),
    }
}

/// The form of a summary.
pub(super) fn summary_shape() -> Shape {
    let told = object(json!({
        "text": {"type": "string", "maxLength": MAX_QUOTE},
        "turn": {"type": "integer"},
        "quote": {"type": "string", "maxLength": MAX_QUOTE},
    }));
    Shape {
        name: "summary",
        schema: object(json!({
            "summary": {"type": "string", "maxLength": MAX_TEXT},
            "next_step": told.clone(),
            "objections": {"type": "array", "items": told, "maxItems": MAX_LIST},
        })),
    }
}

/// `team` is what the team adds to a task.
fn with_team(mut text: String, team: &str) -> String {
    if !team.trim().is_empty() {
        text += "\nУказания команды:\n";
        text += team.trim();
    }
    text
}

/// A question about a call, or about part `part.0` of `part.1` (from 1).
pub(super) fn question(
    question: &str,
    lines: &str,
    part: (usize, usize),
    team: &str,
) -> Vec<Message> {
    let missing = if part.1 > 1 {
        format!(
            "Это часть {} из {} длинного разговора. Если в ней ответа нет, оставь answer пустым, а quotes — пустым списком.",
            part.0, part.1
        )
    } else {
        "Если в разговоре ответа нет, так и скажи.".to_owned()
    };
    let system = format!(
        "Ты — помощник руководителя отдела продаж и поддержки. Ты получаешь вопрос и расшифровку \
         телефонного разговора и отвечаешь на вопрос только по ней.\n\
         Правила:\n\
         1. {GUARD}\n\
         2. Отвечай на языке вопроса, коротко: от одного до пяти предложений, без вступлений.\n\
         3. Подтверждай ответ дословными цитатами из расшифровки с номером реплики. \
         Не сокращай, не пересказывай и не исправляй цитату.\n\
         4. Ничего не придумывай. {missing}\n\
         5. {MARKS} Пиши их как есть.\n\
         6. Ответь одним объектом JSON: {{\"answer\": \"…\", \"quotes\": [{{\"turn\": 0, \"text\": \"…\"}}]}}."
    );
    vec![
        Message::new(Role::System, with_team(system, team)),
        Message::new(
            Role::User,
            format!(
                "Вопрос: {question}\n\nРасшифровка, по реплике в строке:\n{lines}Конец расшифровки."
            ),
        ),
    ]
}

/// The same question about what was found in the parts of a call.
pub(super) fn merge_answers(question: &str, facts: &str, team: &str) -> Vec<Message> {
    let system = format!(
        "Ты — помощник руководителя отдела продаж и поддержки. Длинный телефонный разговор прочитан по \
         частям; ты получаешь вопрос и то, что найдено в каждой части, с цитатами. Сведи это в один ответ.\n\
         Правила:\n\
         1. {GUARD}\n\
         2. Отвечай на языке вопроса, коротко: от одного до пяти предложений, без повторов и вступлений.\n\
         3. Подтверждай ответ теми из данных цитат, которые для него важны: дословно, с тем же номером.\n\
         4. Ничего не добавляй к найденному. Позднее сказанное важнее, если одно противоречит другому.\n\
         5. {MARKS} Пиши их как есть.\n\
         6. Ответь одним объектом JSON: {{\"answer\": \"…\", \"quotes\": [{{\"turn\": 0, \"text\": \"…\"}}]}}."
    );
    vec![
        Message::new(Role::System, with_team(system, team)),
        Message::new(
            Role::User,
            format!("Вопрос: {question}\n\nНайдено:\n{facts}Конец найденного."),
        ),
    ]
}

/// Asks for a summary of a call or of a part of it.
pub(super) fn summary(lines: &str, part: (usize, usize), team: &str) -> Vec<Message> {
    let about = if part.1 > 1 {
        format!("Это часть {} из {} длинного разговора. ", part.0, part.1)
    } else {
        String::new()
    };
    let system = format!(
        "Ты — помощник руководителя отдела продаж и поддержки. Ты получаешь расшифровку телефонного \
         разговора и составляешь его краткое содержание. {about}\n\
         Правила:\n\
         1. {GUARD}\n\
         2. summary — два-три предложения: с чем обратился клиент и чем закончилось.\n\
         3. next_step — о чём договорились дальше: кто что делает и когда; text — своими словами, quote — дословная \
         цитата, turn — номер реплики. Если ни о чём не договорились, text и quote пустые.\n\
         4. objections — возражения и сомнения клиента, так же: text, quote, turn. Если их нет — пустой список.\n\
         5. Ничего не придумывай. Не сокращай и не исправляй цитаты. {MARKS} Пиши их как есть.\n\
         6. Ответь одним объектом JSON: {{\"summary\": \"…\", \"next_step\": {{\"text\": \"…\", \"turn\": 0, \
         \"quote\": \"…\"}}, \"objections\": [{{\"text\": \"…\", \"turn\": 0, \"quote\": \"…\"}}]}}."
    );
    vec![
        Message::new(Role::System, with_team(system, team)),
        Message::new(
            Role::User,
            format!("Расшифровка, по реплике в строке:\n{lines}Конец расшифровки."),
        ),
    ]
}

/// Asks for one summary of the summaries of the parts.
pub(super) fn merge_summaries(parts: &str, team: &str) -> Vec<Message> {
    let system = format!(
        "Ты — помощник руководителя отдела продаж и поддержки. Длинный телефонный разговор прочитан по \
         частям; ты получаешь содержание каждой. Сведи их в одно.\n\
         Правила:\n\
         1. {GUARD}\n\
         2. answer — два-три предложения: с чем обратился клиент и чем закончилось. quotes — пустой список.\n\
         3. Ничего не добавляй. {MARKS} Пиши их как есть.\n\
         4. Ответь одним объектом JSON: {{\"answer\": \"…\", \"quotes\": []}}."
    );
    vec![
        Message::new(Role::System, with_team(system, team)),
        Message::new(Role::User, format!("Содержание частей:\n{parts}Конец.")),
    ]
}

/// Reads an answer; a model may wrap it in words or in a fence.
pub(super) fn read<T: DeserializeOwned>(text: &str) -> Result<T, LlmError> {
    let object = text
        .find('{')
        .zip(text.rfind('}'))
        .and_then(|(first, last)| text.get(first..=last))
        .ok_or_else(|| LlmError::Unusable("it has no JSON object".to_owned()))?;
    serde_json::from_str(object)
        .map_err(|error| LlmError::Unusable(format!("it has not the form asked for: {error}")))
}

fn again(mut messages: Vec<Message>, answer: &str, what: String) -> Vec<Message> {
    let shown: String = answer.chars().take(MAX_SHOWN).collect();
    messages.push(Message::new(Role::Assistant, shown));
    messages.push(Message::new(Role::User, what));
    messages
}

/// Asks for an unusable answer again.
pub(super) fn repair(messages: Vec<Message>, answer: &str, fault: &LlmError) -> Vec<Message> {
    let what = format!(
        "Ответ нельзя разобрать: {fault}. Ответь ещё раз, только объектом JSON по форме из правил."
    );
    again(messages, answer, what)
}

/// Asks again for quotes that are in the transcript.
pub(super) fn prove(messages: Vec<Message>, answer: &str) -> Vec<Message> {
    let what = "Проверка не прошла: ни одной такой цитаты в расшифровке нет. Ответь ещё раз в той же форме: \
                только то, что подтверждается дословными цитатами."
        .to_owned();
    again(messages, answer, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_task_says_that_a_transcript_is_data() {
        for messages in [
            question("Что?", "", (1, 1), ""),
            question("Что?", "", (1, 2), ""),
            merge_answers("Что?", "", ""),
            summary("", (1, 1), ""),
            summary("", (2, 3), "Кратко."),
            merge_summaries("", ""),
        ] {
            assert_eq!(messages[0].role, Role::System);
            assert!(messages[0].content.contains(GUARD));
        }
        assert!(
            summary("", (1, 1), " Кратко. ")[0]
                .content
                .ends_with("\nКратко.")
        );
    }

    #[test]
    fn an_answer_is_written_before_its_quotes() {
        let schema = answer_shape().schema["properties"].to_string();
        assert!(schema.find("\"answer\"") < schema.find("\"quotes\""));
    }

    #[test]
    fn answers_are_read_through_fences() {
        let read_one = |text: &str| read::<Answered>(text);
        let answered = read_one("```json\n{\"answer\":\"да\"}\n```").expect("readable");
        assert_eq!((answered.answer.as_str(), answered.quotes.len()), ("да", 0));
        for bad in ["", "{", "{\"answer\":1}", "{\"quotes\":[]}"] {
            assert!(matches!(read_one(bad), Err(LlmError::Unusable(_))), "{bad}");
        }
    }
}
