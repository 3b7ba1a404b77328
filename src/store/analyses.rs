//! Analyses: one question of many calls, a row a call.

use jiff::Timestamp;
use redb::{MultimapTableDefinition, ReadableTable, TableDefinition, WriteTransaction};

use super::calls::{get, put};
use super::record::{decode, encode};
use super::{Store, StoreError};
use crate::domain::question::{Analysis, AnalysisState, AnswerKind, Finding, Row, Why};

/// Id → analysis.
pub(super) const ANALYSES: TableDefinition<'static, &'static str, &'static [u8]> =
    TableDefinition::new("analyses");
/// (analysis id, number from 0) → row.
pub(super) const ROWS: TableDefinition<'static, (&'static str, u32), &'static [u8]> =
    TableDefinition::new("analysis_rows");
/// Call id → (analysis id, number) of its rows.
pub(super) const CALL_ROWS: MultimapTableDefinition<'static, &'static str, (&'static str, u32)> =
    MultimapTableDefinition::new("analysis_calls");

impl Store {
    /// Keeps an analysis whose rows all wait.
    pub fn start_analysis(&self, analysis: &Analysis, rows: &[Row]) -> Result<(), StoreError> {
        let txn = self.write()?;
        put(&txn, ANALYSES, &analysis.id, analysis)?;
        let mut calls = txn.open_multimap_table(CALL_ROWS)?;
        for (number, row) in (0u32..).zip(rows) {
            put_row(&txn, &analysis.id, number, row)?;
            calls.insert(row.call_id.as_str(), (analysis.id.as_str(), number))?;
        }
        drop(calls);
        txn.commit()?;
        Ok(())
    }

    /// An analysis.
    pub fn analysis(&self, id: &str) -> Result<Option<Analysis>, StoreError> {
        self.read_one(ANALYSES, id)
    }

    /// All analyses, the latest first.
    pub fn analyses(&self) -> Result<Vec<Analysis>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(ANALYSES)?;
        table
            .iter()?
            .rev()
            .map(|entry| decode(entry?.1.value()))
            .collect()
    }

    /// Rows of an analysis with their numbers: `most` after the first `skipped`.
    pub fn analysis_rows(
        &self,
        id: &str,
        skipped: u32,
        most: u32,
    ) -> Result<Vec<(u32, Row)>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(ROWS)?;
        table
            .range((id, skipped)..(id, skipped.saturating_add(most)))?
            .map(|entry| {
                let (key, value) = entry?;
                Ok((key.value().1, decode(value.value())?))
            })
            .collect()
    }

    /// One row.
    pub fn analysis_row(&self, id: &str, number: u32) -> Result<Option<Row>, StoreError> {
        let txn = self.read()?;
        let table = txn.open_table(ROWS)?;
        table
            .get((id, number))?
            .map(|value| decode(value.value()))
            .transpose()
    }

    /// Numbers of the rows that wait, in order.
    pub fn waiting_rows(&self, id: &str) -> Result<Vec<u32>, StoreError> {
        let rows = self.analysis_rows(id, 0, u32::MAX)?;
        let waits = |row: &Row| row.found.is_none() && row.why.is_none();
        Ok(rows
            .into_iter()
            .filter(|(_, row)| waits(row))
            .map(|(number, _)| number)
            .collect())
    }

    /// Keeps what became of a row, and the analysis with it; the last one ends it.
    /// `None` when the analysis does not run any more: then nothing is kept.
    pub fn finish_row(
        &self,
        id: &str,
        number: u32,
        came: Result<Finding, Why>,
        now: Timestamp,
    ) -> Result<Option<Analysis>, StoreError> {
        let txn = self.write()?;
        let Some(mut analysis) = get::<Analysis>(&txn, ANALYSES, id)? else {
            return Ok(None);
        };
        let row = read_row(&txn, id, number)?;
        let Some(mut row) = row.filter(|row| row.found.is_none() && row.why.is_none()) else {
            return Ok(None);
        };
        if analysis.state != AnalysisState::Running {
            return Ok(None);
        }
        match came {
            Ok(found) => {
                analysis.answered += 1;
                analysis.confirmed += u32::from(found.confirmed && found.kind == AnswerKind::Model);
                analysis.tokens.0 += u64::from(found.tokens.0);
                analysis.tokens.1 += u64::from(found.tokens.1);
                analysis.cost += found.cost;
                row.found = Some(found);
            }
            Err(why) => row.why = Some(why),
        }
        analysis.done += 1;
        if analysis.done >= analysis.calls {
            analysis.state = AnalysisState::Done;
            analysis.ended_at = Some(now);
        }
        put_row(&txn, id, number, &row)?;
        put(&txn, ANALYSES, id, &analysis)?;
        txn.commit()?;
        Ok(Some(analysis))
    }

    /// Ends an analysis that runs; its rows that wait get `why`. What has ended stays
    /// as it is.
    pub fn end_analysis(
        &self,
        id: &str,
        state: AnalysisState,
        why: &Why,
        now: Timestamp,
    ) -> Result<Analysis, StoreError> {
        let waiting = self.waiting_rows(id)?;
        let txn = self.write()?;
        let mut analysis: Analysis = get(&txn, ANALYSES, id)?.ok_or(StoreError::NotFound)?;
        if analysis.state != AnalysisState::Running {
            return Ok(analysis);
        }
        for number in waiting {
            if let Some(mut row) = read_row(&txn, id, number)?
                && row.found.is_none()
                && row.why.is_none()
            {
                row.why = Some(why.clone());
                put_row(&txn, id, number, &row)?;
                analysis.done += 1;
            }
        }
        analysis.state = state;
        analysis.ended_at = Some(now);
        put(&txn, ANALYSES, id, &analysis)?;
        txn.commit()?;
        Ok(analysis)
    }

    /// Removes an analysis with its rows.
    pub fn delete_analysis(&self, id: &str) -> Result<(), StoreError> {
        let rows = self.analysis_rows(id, 0, u32::MAX)?;
        let txn = self.write()?;
        if txn.open_table(ANALYSES)?.remove(id)?.is_none() {
            return Err(StoreError::NotFound);
        }
        {
            let mut table = txn.open_table(ROWS)?;
            let mut calls = txn.open_multimap_table(CALL_ROWS)?;
            for (number, row) in &rows {
                table.remove((id, *number))?;
                calls.remove(row.call_id.as_str(), (id, *number))?;
            }
        }
        txn.commit()?;
        Ok(())
    }
}

fn read_row(txn: &WriteTransaction, id: &str, number: u32) -> Result<Option<Row>, StoreError> {
    let table = txn.open_table(ROWS)?;
    table
        .get((id, number))?
        .map(|value| decode(value.value()))
        .transpose()
}

fn put_row(txn: &WriteTransaction, id: &str, number: u32, row: &Row) -> Result<(), StoreError> {
    txn.open_table(ROWS)?
        .insert((id, number), encode(row)?.as_slice())?;
    Ok(())
}

/// Takes the words of a call out of all tables; that it was asked stays, for the counts.
pub(super) fn forget_call(txn: &WriteTransaction, call: &str) -> Result<(), StoreError> {
    let mut places = Vec::new();
    for place in txn.open_multimap_table(CALL_ROWS)?.remove_all(call)? {
        let place = place?;
        let (id, number) = place.value();
        places.push((id.to_owned(), number));
    }
    for (id, number) in places {
        let Some(mut row) = read_row(txn, &id, number)? else {
            continue;
        };
        let waits = row.found.is_none() && row.why.is_none();
        row.filename.clear();
        row.operator = None;
        // One that waits is told so when its turn comes.
        if !waits {
            row.found = None;
            row.why = Some(Why::new("deleted", "the call was deleted"));
        }
        put_row(txn, &id, number, &row)?;
    }
    Ok(())
}
