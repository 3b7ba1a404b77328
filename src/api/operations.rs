//! The operations of the API's document: which one a request asks for, and where in its
//! path the ids are.

use std::sync::LazyLock;

use poem::http::Method;
use serde_json::Value;

use super::BASE;

struct Operation {
    name: String,
    method: String,
    /// Of the path; `None`: anything.
    parts: Vec<Option<String>>,
    /// Which parts are ids.
    ids: Vec<usize>,
}

impl Operation {
    /// How many parts of the path it names; `None` where it is not this one.
    fn fits(&self, method: &Method, parts: &[&str]) -> Option<usize> {
        let fits = self.method == method.as_str()
            && self.parts.len() == parts.len()
            && self.parts.iter().zip(parts).all(|(own, part)| {
                own.as_ref()
                    .map_or(!part.is_empty(), |own| own.as_str() == *part)
            });
        fits.then(|| self.parts.iter().flatten().count())
    }
}

static ALL: LazyLock<Vec<Operation>> = LazyLock::new(|| {
    let document: Value = serde_json::from_str(&super::openapi_document()).unwrap_or_default();
    let mut all = Vec::new();
    for (path, item) in document["paths"].as_object().into_iter().flatten() {
        let split = || path.split('/').enumerate();
        for (method, operation) in item.as_object().into_iter().flatten() {
            let Some(name) = operation["operationId"].as_str() else {
                continue;
            };
            all.push(Operation {
                name: name.to_owned(),
                method: method.to_uppercase(),
                parts: split()
                    .map(|(_, part)| (!part.starts_with('{')).then(|| part.to_owned()))
                    .collect(),
                // A name of a file can have a client's number in it.
                ids: split()
                    .filter(|(_, part)| part.starts_with('{') && *part != "{filename}")
                    .map(|(place, _)| place)
                    .collect(),
            });
        }
    }
    all
});

fn parts(path: &str) -> Vec<&str> {
    path.strip_prefix(BASE).unwrap_or(path).split('/').collect()
}

/// The operation that a request asks for.
pub(super) fn asked_for(method: &Method, path: &str) -> Option<&'static str> {
    let parts = parts(path);
    let all: &'static [Operation] = &ALL;
    all.iter()
        .filter_map(|operation| Some((operation.fits(method, &parts)?, operation)))
        .max_by_key(|(named, _)| *named)
        .map(|(_, operation)| operation.name.as_str())
}

/// The ids in the path of a request.
pub(super) fn subject_of(operation: &str, path: &str) -> Option<String> {
    let parts = parts(path);
    let operation = ALL.iter().find(|known| known.name == operation)?;
    let ids: Vec<String> = operation
        .ids
        .iter()
        .filter_map(|place| parts.get(*place))
        .map(|part| {
            percent_encoding::percent_decode_str(part)
                .decode_utf8_lossy()
                .into_owned()
        })
        .collect();
    (!ids.is_empty()).then(|| ids.join("/"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_are_taken_from_the_path() {
        assert_eq!(
            subject_of("scorecard", "/api/v1/scorecards/a%20b/versions/3"),
            Some("a b/3".to_owned())
        );
        assert_eq!(
            subject_of("removeSftpFile", "/api/v1/sftp/files/79161234567.mp3"),
            None
        );
        assert_eq!(subject_of("results", "/api/v1/results"), None);
    }

    #[test]
    fn every_operation_is_found_by_its_path() {
        assert!(ALL.len() > 100, "{}", ALL.len());
        for operation in ALL.iter() {
            let path: Vec<&str> = operation
                .parts
                .iter()
                .map(|part| part.as_deref().unwrap_or("01ARZ3"))
                .collect();
            let path = format!("{BASE}{}", path.join("/"));
            let method: Method = operation.method.parse().expect("a method");
            assert_eq!(asked_for(&method, &path), Some(operation.name.as_str()));
        }
        assert_eq!(asked_for(&Method::GET, "/api/v1/nothing"), None);
        assert_eq!(asked_for(&Method::DELETE, "/results/"), None);
    }
}
