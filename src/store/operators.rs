//! Operators by name, and which calls are theirs.

use redb::{ReadableMultimapTable, ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::CallId;
use crate::domain::access::Sight;

/// As kept.
#[derive(Serialize, Deserialize)]
pub(super) struct OperatorRecord {
    name: String,
}

/// An operator and the number of their calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Operator {
    /// Name as first written.
    pub name: String,
    /// Calls that carry the name.
    pub calls: u64,
}

impl Store {
    /// Operators in sight whose name contains `query` (case does not matter), those
    /// whose name begins with it first, at most `limit`.
    pub fn operators(
        &self,
        query: &str,
        sight: &Sight,
        limit: usize,
    ) -> Result<Vec<Operator>, StoreError> {
        let query = query.trim().to_lowercase();
        let txn = self.read()?;
        let operators = txn.open_table(schema::OPERATORS)?;
        let calls = txn.open_multimap_table(schema::OPERATOR_CALLS)?;
        let mut found = Vec::new();
        for entry in operators.iter()? {
            let (key, value) = entry?;
            let Some(at) = key.value().find(&query) else {
                continue;
            };
            let record: OperatorRecord = decode(value.value())?;
            if !sight.sees(Some(&record.name)) {
                continue;
            }
            let operator = Operator {
                name: record.name,
                calls: calls.get(key.value())?.len(),
            };
            found.push((at > 0, key.value().to_owned(), operator));
        }
        found.sort_by(|a, b| (a.0, &a.1).cmp(&(b.0, &b.1)));
        Ok(found
            .into_iter()
            .take(limit)
            .map(|(_, _, operator)| operator)
            .collect())
    }
}

/// Moves a call from one operator to another; an operator without calls is forgotten.
pub(super) fn reassign(
    txn: &WriteTransaction,
    id: &CallId,
    from: Option<&str>,
    to: Option<&str>,
) -> Result<(), StoreError> {
    let mut operators = txn.open_table(schema::OPERATORS)?;
    let mut calls = txn.open_multimap_table(schema::OPERATOR_CALLS)?;
    if let Some(from) = from {
        let key = from.to_lowercase();
        calls.remove(key.as_str(), id.as_str())?;
        if calls.get(key.as_str())?.is_empty() {
            operators.remove(key.as_str())?;
        }
    }
    if let Some(to) = to {
        let key = to.to_lowercase();
        calls.insert(key.as_str(), id.as_str())?;
        let known = operators.get(key.as_str())?.is_some();
        if !known {
            let record = OperatorRecord {
                name: to.to_owned(),
            };
            operators.insert(key.as_str(), encode(&record)?.as_slice())?;
        }
    }
    Ok(())
}
