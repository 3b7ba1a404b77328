//! The API's document, with the answers that an operation can give although its handler
//! does not name them: those of the extractors before it and of the bounds around it.

use serde_json::{Map, Value, json};

/// Added where the operation does not tell of it itself.
fn common(operation: &Map<String, Value>) -> Vec<(&'static str, &'static str)> {
    let mut answers = vec![
        ("400", "The request is not understood."),
        ("500", "The program failed; its log says more."),
    ];
    let secured = operation
        .get("security")
        .and_then(Value::as_array)
        .is_some_and(|security| !security.is_empty());
    if secured {
        answers.extend([
            ("401", "Nobody is signed in."),
            ("403", "Not allowed."),
            ("429", "Too much; `Retry-After` says when to ask again."),
        ]);
    }
    if operation.contains_key("requestBody") {
        answers.extend([
            ("408", "The body came too slowly."),
            ("413", "The body is too large."),
            (
                "415",
                "The body has another content type than this operation takes.",
            ),
        ]);
    }
    answers
}

/// The answer that comes before any operation is looked for, without a body.
const TOO_LARGE_HEAD: &str = "HeadTooLarge";

/// The document as it is published.
pub(super) fn complete(document: &str) -> String {
    let Ok(mut document) = serde_json::from_str::<Value>(document) else {
        return document.to_owned();
    };
    let paths = document["paths"].as_object_mut().into_iter().flatten();
    for operation in paths.flat_map(|(_, item)| item.as_object_mut().into_iter().flatten()) {
        let Some(operation) = operation.1.as_object_mut() else {
            continue;
        };
        let answers = common(operation);
        let Some(known) = operation
            .get_mut("responses")
            .and_then(Value::as_object_mut)
        else {
            continue;
        };
        for (status, description) in answers {
            known.entry(status).or_insert_with(|| {
                json!({
                    "description": description,
                    "content": {
                        "application/json; charset=utf-8": {
                            "schema": {"$ref": "#/components/schemas/ErrorView"}
                        }
                    }
                })
            });
        }
        let head = format!("#/components/responses/{TOO_LARGE_HEAD}");
        known
            .entry("431")
            .or_insert_with(|| json!({ "$ref": head }));
    }
    document["components"]["responses"][TOO_LARGE_HEAD] =
        json!({"description": "The head of the request is too large: its address and fields."});
    format!("{document:#}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_tells_of_refusals() {
        let document: Value =
            serde_json::from_str(&super::super::openapi_document()).expect("JSON");
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("an item") {
                let answers = operation["responses"].as_object().expect("answers");
                let has = |status: &str| answers.contains_key(status);
                assert!(has("400") && has("431") && has("500"), "{method} {path}");
                if operation["requestBody"].is_object() {
                    assert!(has("413") && has("415"), "{method} {path}");
                }
                if operation["security"]
                    .as_array()
                    .is_some_and(|all| !all.is_empty())
                {
                    assert!(has("401") && has("403"), "{method} {path}");
                }
            }
        }
        let components = &document["components"];
        assert!(components["schemas"]["ErrorView"].is_object());
        assert!(components["responses"][TOO_LARGE_HEAD].is_object());
    }
}
