//! Calls and notices find each other, whichever comes first: both leave their
//! ids and phones in a table, and both look there when they arrive, in the
//! transaction that writes them. So none is missed, and nothing is scanned.

use redb::{ReadableMultimapTable, WriteTransaction};

use super::calls::{get, put};
use super::listing::Txn;
use super::{StoreError, employees, operators, payloads, schema};
use crate::domain::details::{CALLTOUCH, MANGO_ENTRY, OperatorBy};
use crate::domain::directory::Directory;
use crate::domain::notice::{self, Notice, Traces};
use crate::domain::{Call, CallDetails, CallId, Source};

type Keys = redb::MultimapTableDefinition<'static, &'static str, &'static str>;

fn index(
    txn: &WriteTransaction,
    table: Keys,
    traces: &Traces<'_>,
    owner: &str,
) -> Result<(), StoreError> {
    let mut table = txn.open_multimap_table(table)?;
    for key in traces.keys() {
        table.insert(key.as_str(), owner)?;
    }
    Ok(())
}

fn owners(
    txn: &WriteTransaction,
    table: Keys,
    traces: &Traces<'_>,
) -> Result<Vec<String>, StoreError> {
    let table = txn.open_multimap_table(table)?;
    let mut found = Vec::new();
    for key in traces.wanted() {
        for owner in table.get(key.as_str())? {
            let owner = owner?.value().to_owned();
            if !found.contains(&owner) {
                found.push(owner);
            }
        }
    }
    Ok(found)
}

/// A call is about to be written for the first time: the notices that belong to
/// it give it their details, and its operator is named.
pub(super) fn call_arrives(txn: &WriteTransaction, call: &mut Call) -> Result<(), StoreError> {
    let mut found = Vec::new();
    for key in owners(txn, schema::NOTICE_KEYS, &Traces::from(&*call))? {
        if let Some(notice) = get::<Notice>(txn, schema::NOTICES, &key)?
            && let Some(distance) = notice.distance_s(call)
        {
            found.push((distance, notice));
        }
    }
    // Of each system the nearest in time.
    found.sort_by_key(|(distance, _)| *distance);
    let mut systems: Vec<Source> = Vec::new();
    for (_, mut notice) in found {
        if systems.contains(&notice.source) {
            continue;
        }
        systems.push(notice.source);
        give(call, &notice);
        if !notice.calls.contains(&call.id) {
            notice.calls.push(call.id.clone());
            put(txn, schema::NOTICES, &notice.key(), &notice)?;
        }
    }
    let directory = employees::directory(txn)?;
    decide_operator(call, &directory);
    index(
        txn,
        schema::CALL_KEYS,
        &Traces::from(&*call),
        call.id.as_str(),
    )
}

/// A notice is written: it gives its details to the calls it belongs to. With
/// `told`, that call is one of them. Returns the calls that changed.
pub(super) fn notice_changes(
    txn: &Txn<'_>,
    mut notice: Notice,
    told: Option<&CallId>,
) -> Result<Vec<CallId>, StoreError> {
    let mut near: Vec<(u64, Call)> = Vec::new();
    for id in owners(txn, schema::CALL_KEYS, &Traces::from(&notice))? {
        if let Some(call) = get::<Call>(txn, schema::CALLS, &id)?
            && let Some(distance) = notice.distance_s(&call)
            && !notice.calls.contains(&call.id)
            && !taken_by_nearer(txn, &notice, &call, distance)?
        {
            near.push((distance, call));
        }
    }
    near.sort_by_key(|(distance, _)| *distance);
    // By id all; by phone and time the nearest only.
    let nearest = near.first().map(|(distance, _)| *distance);
    let mut joined: Vec<CallId> = near
        .into_iter()
        .filter(|(distance, _)| Some(*distance) == nearest)
        .map(|(_, call)| call.id)
        .collect();
    joined.extend(told.cloned());
    for id in joined {
        if !notice.calls.contains(&id) {
            notice.calls.push(id);
        }
    }
    put(txn, schema::NOTICES, &notice.key(), &notice)?;
    index(
        txn,
        schema::NOTICE_KEYS,
        &Traces::from(&notice),
        &notice.key(),
    )?;
    let mut changed = Vec::new();
    let directory = employees::directory(txn)?;
    for id in &notice.calls {
        let Some(mut call) = get::<Call>(txn, schema::CALLS, id.as_str())? else {
            continue;
        };
        let before = call.clone();
        give(&mut call, &notice);
        name_operator(txn, &mut call, &directory)?;
        if call != before {
            index(txn, schema::CALL_KEYS, &Traces::from(&call), id.as_str())?;
            txn.put_call(&call)?;
            changed.push(id.clone());
        }
    }
    Ok(changed)
}

/// Whether another notice of the same system lies nearer to the call: the same
/// client may call twice within the window.
fn taken_by_nearer(
    txn: &WriteTransaction,
    notice: &Notice,
    call: &Call,
    distance: u64,
) -> Result<bool, StoreError> {
    for key in owners(txn, schema::NOTICE_KEYS, &Traces::from(call))? {
        if key == notice.key() {
            continue;
        }
        if let Some(other) = get::<Notice>(txn, schema::NOTICES, &key)?
            && other.source == notice.source
            && other.calls.contains(&call.id)
            && other
                .distance_s(call)
                .is_some_and(|other| other <= distance)
        {
            return Ok(true);
        }
    }
    Ok(false)
}

fn give(call: &mut Call, notice: &Notice) {
    call.details.absorb(&notice.details);
    call.direction = call.direction.or(notice.direction);
    call.started_at = call.started_at.or(notice.started_at);
}

/// Takes a call out of the table. What was told of it goes with it; of a notice
/// that belongs to no other call only the ids stay, so that its recordings are
/// not fetched again.
pub(super) fn forget(txn: &WriteTransaction, call: &Call) -> Result<(), StoreError> {
    {
        let mut table = txn.open_multimap_table(schema::CALL_KEYS)?;
        for key in Traces::from(call).keys() {
            table.remove(key.as_str(), call.id.as_str())?;
        }
    }
    for id in &call.details.external_ids {
        let source = match id.system.as_str() {
            MANGO_ENTRY => Source::Mango,
            CALLTOUCH => Source::Calltouch,
            _ => continue,
        };
        let key = notice::key(source, &id.id);
        let Some(mut notice) = get::<Notice>(txn, schema::NOTICES, &key)? else {
            continue;
        };
        notice.calls.retain(|known| *known != call.id);
        if notice.calls.is_empty() {
            // By its ids it is found still.
            super::erasures::forget_traces(txn, &notice, &key)?;
            let ids = std::mem::take(&mut notice.details.external_ids);
            notice.details = CallDetails {
                external_ids: ids,
                ..CallDetails::default()
            };
            notice.started_at = None;
            notice.taken.clone_from(&notice.recordings);
            payloads::remove(txn, &key)?;
            index(txn, schema::NOTICE_KEYS, &Traces::from(&notice), &key)?;
        }
        put(txn, schema::NOTICES, &key, &notice)?;
    }
    Ok(())
}

/// Names the operator of a call that is written already; true when that changes it.
pub(super) fn name_operator(
    txn: &WriteTransaction,
    call: &mut Call,
    directory: &Directory,
) -> Result<bool, StoreError> {
    let before = call.operator.clone();
    let by = call.details.operator_by;
    decide_operator(call, directory);
    if call.operator != before {
        operators::reassign(txn, &call.id, before.as_deref(), call.operator.as_deref())?;
    }
    Ok(call.operator != before || call.details.operator_by != by)
}

/// The directory's word counts before the sender's, a person's before both.
fn decide_operator(call: &mut Call, directory: &Directory) {
    let by_person = match call.details.operator_by {
        Some(OperatorBy::Person) => true,
        // Before it was written down who named the operator, only people did.
        None => call.operator.is_some(),
        Some(OperatorBy::Directory | OperatorBy::Sender) => false,
    };
    if by_person {
        return;
    }
    if let Some(employee) = directory.operator_of(&call.details) {
        call.operator = Some(employee.name.clone());
        call.details.operator_by = Some(OperatorBy::Directory);
    } else if call.operator.is_none()
        && let Some(name) = &call.details.operator_name
    {
        let name: String = name.chars().filter(|c| !c.is_control()).take(120).collect();
        if !name.trim().is_empty() {
            call.operator = Some(name.trim().to_owned());
            call.details.operator_by = Some(OperatorBy::Sender);
        }
    }
}
