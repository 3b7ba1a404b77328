//! What outside systems sent, byte by byte. A payload is never changed; it is
//! found by the notice it belongs to.

use jiff::Timestamp;
use redb::{ReadableTable, WriteTransaction};
use serde::{Deserialize, Serialize};

use super::record::{decode, encode};
use super::{Store, StoreError, schema};

/// One message of an outside system.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Payload {
    /// When it came.
    pub received_at: Timestamp,
    /// How: `GET`, `POST`, or the name of the list it was read from.
    pub method: String,
    /// As the sender named it; empty when not.
    pub content_type: String,
    /// All bytes. Never a key or a secret: those are taken out before.
    pub body: Vec<u8>,
}

/// As kept beside the bytes.
#[derive(Serialize, Deserialize)]
pub(super) struct PayloadHead {
    method: String,
    content_type: String,
}

/// Keeps a payload under the key of its notice.
pub(super) fn keep(
    txn: &WriteTransaction,
    notice: &str,
    payload: &Payload,
) -> Result<(), StoreError> {
    let mut table = txn.open_table(schema::PAYLOADS)?;
    let head = encode(&PayloadHead {
        method: payload.method.clone(),
        content_type: payload.content_type.clone(),
    })?;
    let mut at = payload.received_at.as_microsecond();
    // Two in one microsecond are two.
    while table.get((notice, at))?.is_some() {
        at += 1;
    }
    table.insert((notice, at), (head.as_slice(), payload.body.as_slice()))?;
    Ok(())
}

/// Removes what was sent about a notice.
pub(super) fn remove(txn: &WriteTransaction, notice: &str) -> Result<(), StoreError> {
    txn.open_table(schema::PAYLOADS)?
        .retain_in((notice, i64::MIN)..=(notice, i64::MAX), |_, _| false)?;
    Ok(())
}

impl Store {
    /// What was sent about a notice, oldest first.
    pub fn payloads(&self, notice: &str) -> Result<Vec<Payload>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(schema::PAYLOADS)?;
        let mut found = Vec::new();
        for entry in table.range((notice, i64::MIN)..=(notice, i64::MAX))? {
            let (key, value) = entry?;
            let (head, body) = value.value();
            let head: PayloadHead = decode(head)?;
            found.push(Payload {
                received_at: Timestamp::from_microsecond(key.value().1).unwrap_or_default(),
                method: head.method,
                content_type: head.content_type,
                body: body.to_vec(),
            });
        }
        Ok(found)
    }
}
