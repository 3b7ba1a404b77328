//! Questions of single calls with their answers, and saved questions. What is not
//! answered yet is in a queue that outlives a restart.

use redb::{ReadableTable, ReadableTableMetadata, TableDefinition, WriteTransaction};

use super::calls::{get, put};
use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::question::{Answer, Finding, SavedQuestion};
use crate::domain::{Call, CallId};

/// (call id, answer id) → answer.
pub(super) const ANSWERS: TableDefinition<'static, (&'static str, &'static str), &'static [u8]> =
    TableDefinition::new("answers");
/// Id of an answer that is still owed → call id.
pub(super) const ASKING: TableDefinition<'static, &'static str, &'static str> =
    TableDefinition::new("asking");
/// Id → saved question.
pub(super) const SAVED: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("saved_questions");

/// Answers kept with a call; the oldest go first.
const KEPT: usize = 200;
/// Greatest key.
const LAST: &str = "\u{10ffff}";

impl Store {
    /// Keeps a question; one that has no answer yet waits for it.
    pub fn keep_answer(&self, answer: &Answer) -> Result<(), StoreError> {
        let txn = self.write()?;
        let call = answer.call_id.as_str();
        get::<Call>(&txn, schema::CALLS, call)?.ok_or(StoreError::NotFound)?;
        put_answer(&txn, answer)?;
        if answer.found.is_none() {
            txn.open_table(ASKING)?.insert(answer.id.as_str(), call)?;
        }
        let mut old = Vec::new();
        {
            let table = txn.open_table(ANSWERS)?;
            for entry in table.range((call, "")..=(call, LAST))?.rev().skip(KEPT) {
                old.push(entry?.0.value().1.to_owned());
            }
        }
        for id in &old {
            forget(&txn, call, id)?;
        }
        txn.commit()?;
        Ok(())
    }

    /// Questions without an answer: call and id, oldest first, at most `most`.
    pub fn owed_answers(&self, most: usize) -> Result<Vec<(CallId, String)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(ASKING)?;
        let mut owed = Vec::new();
        for entry in table.iter()?.take(most) {
            let (id, call) = entry?;
            if let Ok(call) = CallId::new(call.value().to_owned()) {
                owed.push((call, id.value().to_owned()));
            }
        }
        Ok(owed)
    }

    /// How many questions have no answer.
    pub fn count_owed_answers(&self) -> Result<u64, StoreError> {
        Ok(self.read()?.open_table(ASKING)?.len()?)
    }

    /// What was asked of a call, the latest first.
    pub fn answers(&self, call: &CallId) -> Result<Vec<Answer>, StoreError> {
        let txn = self.read()?;
        if txn.open_table(schema::CALLS)?.get(call.as_str())?.is_none() {
            return Err(StoreError::NotFound);
        }
        let table = txn.open_table(ANSWERS)?;
        table
            .range((call.as_str(), "")..=(call.as_str(), LAST))?
            .rev()
            .map(|entry| decode(entry?.1.value()))
            .collect()
    }

    /// One question of a call.
    pub fn answer(&self, call: &CallId, id: &str) -> Result<Option<Answer>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(ANSWERS)?;
        table
            .get((call.as_str(), id))?
            .map(|value| decode(value.value()))
            .transpose()
    }

    /// Keeps an answer that was owed; false when the question was deleted meanwhile.
    pub fn finish_answer(
        &self,
        call: &CallId,
        id: &str,
        found: Finding,
    ) -> Result<bool, StoreError> {
        let txn = self.write()?;
        txn.open_table(ASKING)?.remove(id)?;
        let known = txn
            .open_table(ANSWERS)?
            .get((call.as_str(), id))?
            .map(|value| decode::<Answer>(value.value()))
            .transpose()?;
        let there = known.is_some();
        if let Some(mut answer) = known {
            answer.found = Some(found);
            put_answer(&txn, &answer)?;
        }
        txn.commit()?;
        Ok(there)
    }

    /// Removes a question with its answer.
    pub fn delete_answer(&self, call: &CallId, id: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        if !forget(&txn, call.as_str(), id)? {
            return Err(StoreError::NotFound);
        }
        txn.commit()?;
        Ok(())
    }

    /// All saved questions, by name.
    pub fn saved_questions(&self) -> Result<Vec<SavedQuestion>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(SAVED)?;
        let mut all: Vec<SavedQuestion> = table
            .iter()?
            .map(|entry| decode(entry?.1.value()))
            .collect::<Result<_, _>>()?;
        all.sort_by_key(|question| question.name.to_lowercase());
        Ok(all)
    }

    /// A saved question.
    pub fn saved_question(&self, id: &str) -> Result<Option<SavedQuestion>, StoreError> {
        self.read_one(SAVED, id)
    }

    /// Adds a saved question.
    pub fn add_saved_question(&self, question: &SavedQuestion) -> Result<(), StoreError> {
        let txn = self.write()?;
        put(&txn, SAVED, &question.id, question)?;
        txn.commit()?;
        Ok(())
    }

    /// Changes name and text of a saved question.
    pub fn change_saved_question(
        &self,
        id: &str,
        name: String,
        text: String,
    ) -> Result<SavedQuestion, StoreError> {
        let txn = self.write()?;
        let known: SavedQuestion = get(&txn, SAVED, id)?.ok_or(StoreError::NotFound)?;
        let changed = SavedQuestion {
            name,
            text,
            ..known
        };
        put(&txn, SAVED, id, &changed)?;
        txn.commit()?;
        Ok(changed)
    }

    /// Removes a saved question; answers to it stay.
    pub fn remove_saved_question(&self, id: &str) -> Result<(), StoreError> {
        let txn = self.write()?;
        if txn.open_table(SAVED)?.remove(id)?.is_none() {
            return Err(StoreError::NotFound);
        }
        txn.commit()?;
        Ok(())
    }
}

fn put_answer(txn: &WriteTransaction, answer: &Answer) -> Result<(), StoreError> {
    txn.open_table(ANSWERS)?.insert(
        (answer.call_id.as_str(), answer.id.as_str()),
        encode(answer)?.as_slice(),
    )?;
    Ok(())
}

/// Removes a question with its answer; false where there is none.
fn forget(txn: &WriteTransaction, call: &str, id: &str) -> Result<bool, StoreError> {
    txn.open_table(ASKING)?.remove(id)?;
    Ok(txn.open_table(ANSWERS)?.remove((call, id))?.is_some())
}

/// Removes all that was asked of a call.
pub(super) fn forget_call(txn: &WriteTransaction, call: &str) -> Result<(), StoreError> {
    let mut ids = Vec::new();
    {
        let table = txn.open_table(ANSWERS)?;
        for entry in table.range((call, "")..=(call, LAST))? {
            ids.push(entry?.0.value().1.to_owned());
        }
    }
    for id in &ids {
        forget(txn, call, id)?;
    }
    Ok(())
}
