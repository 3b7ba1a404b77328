//! Filter, order and pages of the list.

use jiff::Timestamp;
use regex::bytes::{Regex, RegexBuilder};

use super::index::{Index, Row};
use super::{DroppedName, DroppedPage, FileKey};
use crate::domain::DropKind;
use crate::domain::terms::Terms;

/// Which dropped files; an empty filter takes all.
#[derive(Debug, Clone, Default)]
pub struct DroppedFilter {
    /// A part of the path, in whatever case.
    pub text: Option<String>,
    /// Of this sender.
    pub user: Option<String>,
    /// At one of these; empty = any.
    pub kinds: Vec<DropKind>,
    /// Conversation (or else arrival) not before.
    pub from: Option<Timestamp>,
    /// Before.
    pub to: Option<Timestamp>,
    /// Length at least, in milliseconds.
    pub duration_min_ms: Option<u64>,
    /// Length at most, in milliseconds.
    pub duration_max_ms: Option<u64>,
    /// What is told of the call, or by the name of the file.
    pub terms: Terms,
}

/// What the list is ordered by.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DroppedKey {
    /// When it was first seen.
    Arrived,
    /// When the conversation began, else when it was first seen.
    Date,
    /// Path, in whatever case.
    Name,
    /// Bytes.
    Size,
    /// Length.
    Duration,
}

/// Order of the list; what has no value comes last in both directions.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DroppedSort {
    /// By what.
    pub key: DroppedKey,
    /// Largest first.
    pub descending: bool,
}

/// A filter made ready for many rows.
struct Matcher<'f> {
    filter: &'f DroppedFilter,
    text: Option<Regex>,
    /// `Some(None)`: nobody has files under that name.
    user: Option<Option<u16>>,
    from: Option<i64>,
    to: Option<i64>,
}

impl<'f> Matcher<'f> {
    fn new(index: &Index, filter: &'f DroppedFilter) -> Self {
        let text = filter.text.as_ref().and_then(|text| {
            // A text that is quoted is an expression; one that is too long matches nothing.
            RegexBuilder::new(&regex::escape(text))
                .case_insensitive(true)
                .build()
                .or_else(|_| Regex::new("[^\\s\\S]"))
                .ok()
        });
        Self {
            filter,
            text,
            user: filter.user.as_ref().map(|user| index.user_number(user)),
            from: filter.from.map(Timestamp::as_microsecond),
            to: filter.to.map(Timestamp::as_microsecond),
        }
    }

    fn takes(&self, index: &Index, row: &Row) -> bool {
        let Self { filter, .. } = self;
        let long = (filter.duration_min_ms.is_none() && filter.duration_max_ms.is_none())
            || row.duration_ms.map(u64::from).is_some_and(|ms| {
                filter.duration_min_ms.is_none_or(|min| ms >= min)
                    && filter.duration_max_ms.is_none_or(|max| ms <= max)
            });
        long && self
            .user
            .is_none_or(|user| user.is_some_and(|user| index.is_of(row, user)))
            && (filter.kinds.is_empty() || filter.kinds.contains(&row.kind))
            && self.from.is_none_or(|from| row.date >= from)
            && self.to.is_none_or(|to| row.date < to)
            && filter.terms.pass(row)
            && self
                .text
                .as_ref()
                .is_none_or(|text| text.is_match(row.path()))
    }
}

/// The keys of a page in its order, and the sums over all that pass.
pub(super) fn page(
    index: &Index,
    filter: &DroppedFilter,
    sort: DroppedSort,
    first: usize,
    size: usize,
) -> (Vec<FileKey>, DroppedPage) {
    let matcher = Matcher::new(index, filter);
    let mut page = DroppedPage::default();
    let mut found: Vec<(u64, &Row)> = Vec::new();
    for row in &index.rows {
        if matcher.takes(index, row) {
            page.total += 1;
            page.bytes += row.size_bytes;
            page.sendable += u64::from(row.kind.can_be_sent());
            found.push((rank(row, sort), row));
        }
    }
    let order = |a: &(u64, &Row), b: &(u64, &Row)| {
        let names = || {
            let order = a.1.by_name(b.1);
            if sort.key == DroppedKey::Name && sort.descending {
                order.reverse()
            } else {
                order
            }
        };
        a.0.cmp(&b.0)
            .then_with(names)
            .then_with(|| index.user(a.1).cmp(index.user(b.1)))
    };
    // Only the page is put in order, whatever is before and behind it.
    if first > 0 && first < found.len() {
        found.select_nth_unstable_by(first, order);
    }
    let rest = found.get_mut(first..).unwrap_or_default();
    if size < rest.len() {
        rest.select_nth_unstable_by(size, order);
    }
    let shown = rest.len().min(size);
    let shown = &mut rest[..shown];
    shown.sort_unstable_by(order);
    let keys = shown
        .iter()
        .map(|(_, row)| (index.user(row).to_owned(), row.path().to_vec()))
        .collect();
    (keys, page)
}

/// All that pass, at most `limit`, by arrival.
pub(super) fn all(index: &Index, filter: &DroppedFilter, limit: usize) -> Vec<DroppedName> {
    let matcher = Matcher::new(index, filter);
    let mut found: Vec<&Row> = index
        .rows
        .iter()
        .filter(|row| matcher.takes(index, row))
        .collect();
    found.sort_unstable_by(|a, b| {
        (a.arrived_at, a.path(), index.user(a)).cmp(&(b.arrived_at, b.path(), index.user(b)))
    });
    found
        .into_iter()
        .take(limit)
        .map(|row| DroppedName {
            user: index.user(row).to_owned(),
            path: row.path().to_vec(),
            size_bytes: row.size_bytes,
            kind: row.kind,
        })
        .collect()
}

/// A number that is in the order that is wanted; the same for all by name.
fn rank(row: &Row, sort: DroppedSort) -> u64 {
    // A time with its sign turned is in order as a number without one.
    let time = |time: i64| (time as u64) ^ (1 << 63);
    let value = match sort.key {
        DroppedKey::Arrived => time(row.arrived_at),
        DroppedKey::Date => time(row.date),
        DroppedKey::Size => row.size_bytes,
        DroppedKey::Duration => match row.duration_ms {
            Some(ms) => u64::from(ms),
            None => return u64::MAX,
        },
        DroppedKey::Name => 0,
    };
    if sort.descending && sort.key != DroppedKey::Name {
        // Not the greatest, which is for what has no value.
        u64::MAX - 1 - value.min(u64::MAX - 1)
    } else {
        value
    }
}
