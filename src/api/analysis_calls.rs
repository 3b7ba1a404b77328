//! Which calls a question is asked of.

use std::sync::Arc;

use super::auth::{Ask, Who};
use super::call_filter::CallFilter;
use super::error::ApiError;
use super::filters::bad_filter;
use crate::app::Parts;
use crate::report::{self, Filter, Sort, SortKey};
use crate::store::{Entry, StoreError};

/// Most calls of an analysis, and how many when nothing is said.
pub(super) const MOST_CALLS: u32 = 5000;
const CALLS: u32 = 100;

/// Calls that are chosen.
pub(super) struct Chosen {
    /// The latest first, as many as are asked.
    pub(super) entries: Vec<Entry>,
    /// How many there are in all.
    pub(super) matching: u64,
}

/// Chooses calls in sight: those that pass a filter, or those that are named.
///
/// # Errors
/// `bad_filter`; `not_found` where one that is named is not in sight.
pub(super) async fn chosen(
    parts: &Arc<Parts>,
    who: &Who<Ask>,
    filter: Option<CallFilter>,
    ids: Option<Vec<String>>,
    most: Option<u32>,
) -> Result<Chosen, ApiError> {
    let most = most.unwrap_or(CALLS);
    if !(1..=MOST_CALLS).contains(&most) {
        return Err(bad_filter(format!("most_calls is from 1 to {MOST_CALLS}.")));
    }
    let most = most as usize;
    match (filter, ids) {
        (Some(_), Some(_)) | (None, None) => Err(bad_filter(
            "Either filter or ids say which calls are asked.".to_owned(),
        )),
        (None, Some(ids)) => {
            if ids.is_empty() || ids.len() > MOST_CALLS as usize {
                return Err(bad_filter(format!(
                    "ids: from 1 to {MOST_CALLS} are needed."
                )));
            }
            let mut wanted = Vec::new();
            for id in ids {
                let id = who.call(parts, &id).await?;
                if !wanted.contains(&id) {
                    wanted.push(id);
                }
            }
            let entries = parts.store.run(move |store| {
                let found = wanted
                    .iter()
                    .map(|id| store.entry(id)?.ok_or(StoreError::NotFound));
                found.collect::<Result<Vec<Entry>, _>>()
            });
            let mut entries = entries.await?;
            let matching = entries.len() as u64;
            entries.truncate(most);
            Ok(Chosen { entries, matching })
        }
        (Some(filter), None) => {
            let filter: Filter = filter.read(who.sight())?;
            let search = Arc::clone(&parts.search);
            let sort = Sort {
                key: SortKey::StartedAt,
                descending: true,
            };
            let found = parts
                .store
                .run(move |store| Ok(report::list(store, &search, &filter, &sort, 1, usize::MAX)))
                .await??;
            // What has no score has no words that could be asked.
            let mut entries = found.entries;
            entries.retain(|entry| entry.call.score.is_some());
            let matching = entries.len() as u64;
            entries.truncate(most);
            Ok(Chosen { entries, matching })
        }
    }
}
