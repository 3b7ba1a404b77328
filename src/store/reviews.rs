//! What people say of the items of a call's score: a record an item. Each is written
//! in one transaction with what the lists show of the call. Called by the API and by
//! reports.

use redb::{ReadableTable, TableDefinition, WriteTransaction};

use super::calls::get;
use super::record::{decode, encode};
use super::{Store, StoreError, schema};
use crate::domain::review::{self, Given, ItemReview, ReviewError, Scene, Step};
use crate::domain::{Call, CallId, Score, Transcript};

/// (call id, key of the item) → what people said of it.
pub(super) const REVIEWS: TableDefinition<'static, (&'static str, &'static str), &'static [u8]> =
    TableDefinition::new("reviews");

impl Store {
    /// All that people said of a call's score, by the key of the item.
    pub fn reviews(&self, id: &CallId) -> Result<Vec<ItemReview>, StoreError> {
        let txn = self.read()?;
        rows(&txn.open_table(REVIEWS)?, id.as_str())
    }

    /// Takes a person's step about an item, and brings up to date what lists show of the call.
    ///
    /// # Errors
    /// [`StoreError::Review`] where the step is not possible: then nothing is written.
    pub fn review(&self, id: &CallId, item: &str, given: &Given<'_>) -> Result<(), StoreError> {
        let txn = self.write()?;
        let key = id.as_str();
        let mut call: Call = get(&txn, schema::CALLS, key)?.ok_or(StoreError::NotFound)?;
        let score: Option<Score> = get(&txn, schema::SCORES, key)?;
        let known = {
            let table = txn.open_table(REVIEWS)?;
            let known = table.get((key, item))?;
            known.map(|value| decode::<ItemReview>(value.value()))
        };
        let known = known.transpose()?;
        let scored = score.as_ref().and_then(|score| {
            let items = score.criteria.iter().flat_map(|criterion| &criterion.items);
            let found = items.into_iter().find(|scored| scored.key == item)?;
            Some((score, found))
        });
        let (mut reviewed, scene) = match (scored, known) {
            (Some((score, scored)), known) => {
                let transcript: Option<Transcript> = get(&txn, schema::TRANSCRIPTS, key)?;
                let scene = Scene {
                    machine: scored.verdict,
                    engine: scored.judged_by,
                    model: score.model.as_ref().map(|note| note.model.clone()),
                    scorecard_id: score.scorecard_id.clone(),
                    scorecard_version: score.scorecard_version,
                    transcript_version: transcript.map(|transcript| transcript.version.number),
                };
                let mut reviewed = known.unwrap_or_else(|| ItemReview::new(scored));
                reviewed.name.clone_from(&scored.name);
                reviewed.name_en.clone_from(&scored.name_en);
                (reviewed, scene)
            }
            // A dispute about what is no longer scored can still be answered.
            (None, Some(known)) if given.step == Step::Decline => {
                let scene = known.last_scene().ok_or(ReviewError::NoItem)?;
                (known, scene)
            }
            (None, _) if score.is_none() => return Err(ReviewError::NoScore.into()),
            (None, _) => return Err(ReviewError::NoItem.into()),
        };
        reviewed.take(given, scene)?;
        txn.open_table(REVIEWS)?
            .insert((key, item), encode(&reviewed)?.as_slice())?;
        if let Some(score) = &score {
            let stale = call.score.as_ref().is_some_and(|summary| summary.stale);
            summarize(&txn, &mut call, score)?;
            if let Some(summary) = &mut call.score {
                summary.stale = stale;
            }
        }
        txn.put_call(&call)?;
        txn.commit()?;
        Ok(())
    }

    /// Calls `visit` for every call of which people said something, oldest arrival first.
    pub fn each_reviewed(
        &self,
        mut visit: impl FnMut(Call, Vec<ItemReview>),
    ) -> Result<(), StoreError> {
        let txn = self.read()?;
        let calls = txn.open_table(schema::CALLS)?;
        let table = txn.open_table(REVIEWS)?;
        let mut of_call = |id: &str, reviews: Vec<ItemReview>| -> Result<(), StoreError> {
            if let Some(call) = calls.get(id)? {
                visit(decode(call.value())?, reviews);
            }
            Ok(())
        };
        let mut id = String::new();
        let mut reviews = Vec::new();
        for row in table.iter()? {
            let (key, value) = row?;
            let (of, _) = key.value();
            if of != id {
                let before = std::mem::take(&mut reviews);
                if !before.is_empty() {
                    of_call(&id, before)?;
                }
                of.clone_into(&mut id);
            }
            reviews.push(decode(value.value())?);
        }
        if !reviews.is_empty() {
            of_call(&id, reviews)?;
        }
        Ok(())
    }
}

fn rows(
    table: &impl ReadableTable<(&'static str, &'static str), &'static [u8]>,
    key: &str,
) -> Result<Vec<ItemReview>, StoreError> {
    let mut found = Vec::new();
    for row in table.range((key, "")..)? {
        let (of, value) = row?;
        if of.value().0 != key {
            break;
        }
        found.push(decode(value.value())?);
    }
    Ok(found)
}

/// Puts what lists show of a score with its reviews into the call, as not stale.
pub(super) fn summarize(
    txn: &WriteTransaction,
    call: &mut Call,
    score: &Score,
) -> Result<(), StoreError> {
    let reviews = rows(&txn.open_table(REVIEWS)?, call.id.as_str())?;
    call.score = Some(review::summary(score, &reviews));
    Ok(())
}

/// Removes all that was said of a call.
pub(super) fn remove_all(txn: &WriteTransaction, key: &str) -> Result<(), StoreError> {
    // No id begins with another one: they are of one length.
    let end = format!("{key}\u{1}");
    txn.open_table(REVIEWS)?
        .retain_in((key, "")..(end.as_str(), ""), |_, _| false)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::review::{Act, Seen};
    use crate::domain::score::Verdict;

    const FIRST: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAV";
    const SECOND: &str = "01ARZ3NDEKTSV4RRFFQ69G5FAW";

    fn id(text: &str) -> CallId {
        CallId::new(text.to_owned()).expect("id")
    }

    /// A store with two scored calls.
    fn store() -> (Store, tempfile::TempDir) {
        let dir = tempfile::tempdir().expect("dir");
        let store = Store::open(dir.path()).expect("opened");
        let txn = store.write().expect("write");
        for key in [FIRST, SECOND] {
            let call = format!(
                r#"{{"id":"{key}","sha256":"{key}","filename":"a.wav","operator":null,"language":null,"source":"upload","media":"audio","created_at":"2026-01-01T00:00:00Z","started_at":null,"duration_ms":8000,"speakers_swapped":false,"separation":"diarized","score":{{"overall_percent":50.0,"criteria":[],"stale":true}}}}"#
            );
            let call: Call = serde_json::from_str(&call).expect("a call");
            txn.put_call(&call).expect("written");
            let score = format!(
                r#"{{"scorecard_id":"card","scorecard_version":2,"scorecard_name":"Card","engine":"rules","level":2,"overall_percent":50.0,"metrics":{},"criteria":[{{"key":"a","name":"A","name_en":null,"weight":1.0,"percent":50.0,"auto_failed":false,"items":[{},{}]}}]}}"#,
                serde_json::to_string(&crate::domain::Metrics::default()).expect("JSON"),
                item("hello", "met"),
                item("name", "failed"),
            );
            let score: Score = serde_json::from_str(&score).expect("a score");
            super::super::calls::put(&txn, schema::SCORES, key, &score).expect("written");
        }
        txn.commit().expect("committed");
        (store, dir)
    }

    fn item(key: &str, verdict: &str) -> String {
        format!(
            r#"{{"key":"{key}","name":"{key}","name_en":null,"weight":1.0,"auto_fail":false,"verdict":"{verdict}","reason":{{"code":"phrase_found","value":null,"threshold":null,"unit":null}},"evidence":[]}}"#
        )
    }

    fn say(
        store: &Store,
        call: &str,
        item: &str,
        step: Step,
        seen: Seen,
    ) -> Result<(), StoreError> {
        let given = Given {
            step,
            seen,
            comment: "because",
            author: "olga",
            at: jiff::Timestamp::UNIX_EPOCH,
        };
        store.review(&id(call), item, &given)
    }

    fn seen(verdict: Verdict, revision: u32) -> Seen {
        Seen { verdict, revision }
    }

    fn rows_in(store: &Store) -> Vec<(String, String)> {
        let txn = store.read().expect("read");
        let table = txn.open_table(REVIEWS).expect("table");
        let rows = table.iter().expect("rows");
        rows.map(|row| {
            let (key, _) = row.expect("a row");
            let (call, item) = key.value();
            (call.to_owned(), item.to_owned())
        })
        .collect()
    }

    #[test]
    fn a_review_changes_what_lists_show_and_goes_with_its_call() {
        let (store, _dir) = store();
        let met = Step::Change(Verdict::Met);
        let failed = Step::Change(Verdict::Failed);
        say(&store, FIRST, "name", met, seen(Verdict::Failed, 0)).expect("changed");
        say(&store, FIRST, "hello", failed, seen(Verdict::Met, 0)).expect("changed");
        say(&store, SECOND, "name", met, seen(Verdict::Failed, 0)).expect("changed");
        let summary = |call: &str| {
            let entry = store.read_one::<Call>(schema::CALLS, call).expect("read");
            entry.expect("there").score.expect("a score")
        };
        assert_eq!(summary(FIRST).overall_percent, Some(50.0));
        assert_eq!((summary(FIRST).changed, summary(SECOND).changed), (2, 1));
        assert_eq!(summary(SECOND).overall_percent, Some(100.0));
        assert_eq!(summary(SECOND).machine_percent, Some(50.0));
        assert!(summary(FIRST).stale, "a review makes no new score");
        let machine = store.score(&id(SECOND)).expect("read").expect("a score");
        assert_eq!(machine.overall_percent, Some(50.0), "the machine's stays");

        let mut visited = Vec::new();
        store
            .each_reviewed(|call, reviews| visited.push((call.id, reviews.len())))
            .expect("read");
        assert_eq!(visited, [(id(FIRST), 2), (id(SECOND), 1)]);
        assert_eq!(store.reviews(&id(FIRST)).expect("read").len(), 2);
        store.delete_call(&id(FIRST)).expect("deleted");
        assert_eq!(rows_in(&store), [(SECOND.to_owned(), "name".to_owned())]);
    }

    #[test]
    fn what_is_refused_leaves_no_trace() {
        let (store, _dir) = store();
        let refused = |call, item, step, seen| {
            let error = say(&store, call, item, step, seen).expect_err("refused");
            match error {
                StoreError::Review(error) => error,
                other => panic!("{other}"),
            }
        };
        let change = Step::Change(Verdict::Failed);
        for (item, step, seen, error) in [
            ("hello", change, seen(Verdict::Met, 1), ReviewError::Stale),
            (
                "hello",
                change,
                seen(Verdict::Failed, 0),
                ReviewError::Stale,
            ),
            ("gone", change, seen(Verdict::Met, 0), ReviewError::NoItem),
            (
                "gone",
                Step::Decline,
                seen(Verdict::Met, 0),
                ReviewError::NoItem,
            ),
        ] {
            assert_eq!(refused(FIRST, item, step, seen), error);
        }
        assert!(rows_in(&store).is_empty());
        let nowhere = "01ARZ3NDEKTSV4RRFFQ69G5FAX";
        let error = say(&store, nowhere, "hello", change, seen(Verdict::Met, 0));
        assert!(matches!(error, Err(StoreError::NotFound)));
    }

    #[test]
    fn a_dispute_about_what_is_no_longer_scored_can_be_declined() {
        let (store, _dir) = store();
        say(
            &store,
            FIRST,
            "name",
            Step::Dispute,
            seen(Verdict::Failed, 0),
        )
        .expect("disputed");
        let txn = store.write().expect("write");
        txn.open_table(schema::SCORES)
            .expect("table")
            .remove(FIRST)
            .expect("removed");
        txn.commit().expect("committed");
        let accepted = say(
            &store,
            FIRST,
            "name",
            Step::Accept(Verdict::Met),
            seen(Verdict::Failed, 1),
        );
        assert!(matches!(
            accepted,
            Err(StoreError::Review(ReviewError::NoScore))
        ));
        say(
            &store,
            FIRST,
            "name",
            Step::Decline,
            seen(Verdict::Failed, 1),
        )
        .expect("declined");
        let reviews = store.reviews(&id(FIRST)).expect("read");
        assert_eq!(reviews[0].entries[1].act, Act::Declined);
    }
}
