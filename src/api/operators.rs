//! Operators' names for the autocomplete.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::param::Query;
use poem_openapi::payload::Json;
use poem_openapi::{Object, OpenApi};

use super::auth::{ReadCalls, Who};
use super::error::ApiError;
use crate::app::Parts;

/// Most names in one answer.
const LIMIT: usize = 20;

pub(super) struct OperatorsApi;

/// An operator.
#[derive(Object)]
struct OperatorView {
    name: String,
    /// Number of their calls.
    calls: u64,
}

/// Operators that were found.
#[derive(Object)]
struct OperatorsView {
    items: Vec<OperatorView>,
}

#[OpenApi]
impl OperatorsApi {
    /// Operators whose name contains `q`; at most 20.
    #[oai(path = "/operators", method = "get", operation_id = "operators")]
    async fn operators(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        q: Query<Option<String>>,
    ) -> Result<Json<OperatorsView>, ApiError> {
        let (query, sight) = (q.0.unwrap_or_default(), who.sight().clone());
        let found = parts
            .store
            .run(move |store| store.operators(&query, &sight, LIMIT))
            .await?;
        Ok(Json(OperatorsView {
            items: found
                .into_iter()
                .map(|operator| OperatorView {
                    name: operator.name,
                    calls: operator.calls,
                })
                .collect(),
        }))
    }
}
