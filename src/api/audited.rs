//! What the API does is written into the audit before its answer leaves: where it cannot
//! be written, nothing leaves. What changes something is written down before it is done as
//! well, so that it is known even where the server or the connection ends in the middle.
//! Which operation is what kind of deed says the table here; every operation stands in it.

use std::sync::Arc;
use std::time::Duration;

use poem::http::Method;
use poem::{Endpoint, Error, IntoResponse, Request, Response};
use poem_openapi::OperationId;

use super::error::ApiError;
use super::operations::{asked_for, subject_of};
use super::trace::{self, Trace, Traced};
use crate::app::Parts;
use crate::domain::audit::{Action, Actor, Entry, Outcome};

/// Who looks at or listens to the same thing again within this does it once: pages are
/// fetched anew when something changes, and a recording is played by many requests.
const ONCE: Duration = Duration::from_secs(600);
/// Subjects of one request that have entries of their own.
const MOST_SUBJECTS: usize = 100;

/// What kind of deed an operation is; `None`: it is in no table, which a test finds.
/// `Some(None)`: it shows nothing of calls or people, or only what is on the screen already.
pub(super) fn action_of(operation: &str) -> Option<Option<Action>> {
    use Action::{
        AccountsChanged, Asked, AuditRead, Changed, Deleted, Downloaded, Erased, ErasurePreviewed,
        Exported, KeysChanged, Listed, Played, Reviewed, SettingsChanged, SignedIn, SignedOut,
        Uploaded, Viewed,
    };
    Some(match operation {
        "login" | "acceptInvitation" | "oidcCallback" => Some(SignedIn),
        "logout" | "endOwnSession" | "endOtherSessions" | "endAccountSessions" => Some(SignedOut),
        "changePassword"
        | "beginSecondFactor"
        | "confirmSecondFactor"
        | "newRecoveryCodes"
        | "removeSecondFactor"
        | "resetPassword"
        | "resetSecondFactor"
        | "replaceTokenKey"
        | "addApiKey"
        | "removeApiKey" => Some(KeysChanged),
        "addAccount" | "changeAccount" | "removeAccount" | "invite" | "removeInvitation"
        | "addSftpUser" | "changeSftpUser" | "removeSftpUser" => Some(AccountsChanged),
        "results" | "sftpFiles" | "disputes" | "accounts" | "accountSessions" | "apiKeys"
        | "invitations" | "analyses" | "llmEgress" | "employees" | "sftpUsers" => Some(Listed),
        "result" | "waveform" | "versions" | "version" | "payloads" | "reviews" | "answers"
        | "insight" | "analysis" | "calltouchMetadata" | "rescoring" => Some(Viewed),
        "audio" | "streamSftpFile" => Some(Played),
        "downloadSftpFile" | "downloadSftpFiles" | "fetchSftpDownload" => Some(Downloaded),
        "transcriptFile" | "exportAnalysis" => Some(Exported),
        "upload" | "uploadAudio" | "uploadVideo" | "processSftpFiles" => Some(Uploaded),
        "patchResult" | "cancelResult" | "retryResult" | "patchTurn" | "restoreVersion"
        | "rescore" | "cancelRescoring" | "applyEmployees" => Some(Changed),
        "reviewItem" => Some(Reviewed),
        "deleteResult" | "removeSftpFile" | "removeSftpFiles" | "deleteAnswer"
        | "deleteAnalysis" => Some(Deleted),
        "customQuery" | "startAnalysis" | "cancelAnalysis" | "sumUp" | "tryDraft" => Some(Asked),
        "addEmployee"
        | "putEmployee"
        | "removeEmployee"
        | "importEmployees"
        | "importMangoEmployees"
        | "publishScorecard"
        | "activateScorecard"
        | "addScorecardDraft"
        | "saveScorecardDraft"
        | "removeScorecardDraft"
        | "addPrompt"
        | "changePrompt"
        | "removePrompt"
        | "addTracker"
        | "putTracker"
        | "removeTracker"
        | "resetTrackers"
        | "saveQuestion"
        | "changeQuestion"
        | "removeQuestion"
        | "syncMango"
        | "resumeMango"
        | "syncCalltouch"
        | "resumeCalltouch"
        | "runPull"
        | "stopPull"
        | "forgetPullHostKey"
        | "llmResume" => Some(SettingsChanged),
        "audit" | "exportAudit" | "verifyAudit" => Some(AuditRead),
        "previewErasure" | "previewRetention" | "erasures" | "erasure" => Some(ErasurePreviewed),
        "erase" => Some(Erased),
        "refresh"
        | "me"
        | "ownSessions"
        | "lookAtInvitation"
        | "teams"
        | "health"
        | "server"
        | "signInWays"
        | "oidcStart"
        | "models"
        | "operators"
        | "status"
        | "uploadStatus"
        | "live"
        | "answerEvents"
        | "savedQuestions"
        | "estimateAnalysis"
        | "trackers"
        | "scorecards"
        | "defaultScorecard"
        | "scorecard"
        | "scorecardFile"
        | "checkScorecard"
        | "prompts"
        | "promptVersions"
        | "rescorings"
        | "agreement"
        | "dynamics"
        | "mango"
        | "calltouch"
        | "pullSources"
        | "pullRuns"
        | "sftpServer"
        | "prepareSftpDownload"
        | "tryNames"
        | "llm"
        | "llmSpending" => None,
        _ => return None,
    })
}

/// Operations whose refused attempts are written with the reason, signed in or not.
fn is_sign_in(action: Option<Action>) -> bool {
    matches!(action, Some(Action::SignedIn | Action::KeysChanged))
}

/// Writes down what a request is about to do; after this only may it be done.
///
/// # Errors
/// When it cannot be written.
pub(super) async fn begin(
    parts: &Arc<Parts>,
    trace: &Arc<Trace>,
    method: &Method,
    path: &str,
) -> Result<(), ApiError> {
    if matches!(*method, Method::GET | Method::HEAD) {
        return Ok(());
    }
    let Some(operation) = asked_for(method, path) else {
        return Ok(());
    };
    let Some(action) = action_of(operation).flatten().filter(|it| !is_once(*it)) else {
        return Ok(());
    };
    let traced = trace.read();
    let mut entry = entry_of(trace, &traced, actor_of(&traced), action, operation);
    entry.subject = subject_of(operation, path);
    let trace = Arc::clone(trace);
    parts
        .store
        .run(move |store| {
            let ticket = store.begin(entry.clone())?;
            if !trace.begun(ticket, entry) {
                store.settle(Some(ticket), Vec::new(), None)?;
            }
            Ok(())
        })
        .await?;
    Ok(())
}

/// Nobody waits for an answer any more: what had begun by then is written.
struct Abandoned {
    parts: Arc<Parts>,
    trace: Arc<Trace>,
}

impl Drop for Abandoned {
    fn drop(&mut self) {
        let Some((ticket, entry)) = self.trace.ended() else {
            return;
        };
        // Without a runtime the server ends, and the next start writes it.
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            return;
        };
        let store = Arc::clone(&self.parts.store);
        runtime.spawn_blocking(move || {
            let entry = entry.cut_off("it ended before it was answered");
            if let Err(error) = store.settle(Some(ticket), vec![entry], None) {
                tracing::error!(%error, "the audit cannot be written");
            }
        });
    }
}

/// Writes what a request did, then lets its answer go.
pub(super) async fn around<E: Endpoint>(
    endpoint: Arc<E>,
    request: Request,
) -> poem::Result<Response> {
    let trace = Trace::of(&request);
    let parts = request.data::<Arc<Parts>>().cloned();
    let path = request.uri().path().to_owned();
    let (Some(trace), Some(parts)) = (trace, parts) else {
        return Err(ApiError::internal(&"a request without its trace").into());
    };
    let abandoned = Abandoned {
        parts: Arc::clone(&parts),
        trace: Arc::clone(&trace),
    };
    let answer = endpoint
        .call(request)
        .await
        .map(IntoResponse::into_response);
    let begun = trace.ended().map(|(ticket, _)| ticket);
    drop(abandoned);
    let (operation, status) = match &answer {
        Ok(response) => (response.data::<OperationId>(), response.status()),
        Err(error) => (error.data::<OperationId>(), error.status()),
    };
    let operation = operation.map(|OperationId(operation)| *operation);
    let entries = operation.map_or_else(Vec::new, |operation| {
        entries(&trace, operation, status.as_u16(), &path)
    });
    // Wrong passwords are written one by one: the limiter lets few through.
    let refused_often = matches!(status.as_u16(), 403 | 404 | 429);
    let once = refused_often || entries.iter().all(|entry| is_once(entry.action));
    let written = parts
        .store
        .run(move |store| store.settle(begun, entries, once.then_some(ONCE)))
        .await;
    match written {
        Ok(()) => answer,
        Err(error) => {
            tracing::error!(%error, operation, "the audit cannot be written; the answer is withheld");
            Err(Error::from(ApiError::from(error)))
        }
    }
}

/// Deeds that only look.
fn is_once(action: Action) -> bool {
    matches!(
        action,
        Action::Listed
            | Action::Viewed
            | Action::Played
            | Action::AuditRead
            | Action::ErasurePreviewed
    )
}

fn actor_of(traced: &Traced) -> Actor {
    match traced.actor.clone() {
        trace::Actor::Person(name) => Actor::Person { name },
        trace::Actor::Key { id, user } => Actor::Key { id, name: user },
        trace::Actor::Nobody => Actor::Nobody { tried: None },
    }
}

fn entry_of(
    trace: &Trace,
    traced: &Traced,
    actor: Actor,
    action: Action,
    operation: &str,
) -> Entry {
    let mut entry = Entry::new(actor, action);
    entry.operation = Some(operation.to_owned());
    entry.session.clone_from(&traced.session);
    entry.address = Some(trace.peer.ip.to_string());
    entry.user_agent = Some(trace.agent.clone());
    entry
}

fn entries(trace: &Trace, operation: &'static str, status: u16, path: &str) -> Vec<Entry> {
    let traced = trace.read();
    let action = action_of(operation).flatten();
    let outcome = Outcome::of_status(status);
    let known = traced.actor != trace::Actor::Nobody;
    let told = match (status, action) {
        // What somebody was not to see or do; another team's call is not found.
        (403 | 404, _) => known,
        (401 | 429, action) => is_sign_in(action) || known && status == 429,
        (400.., None) => false,
        (400..500, action) => is_sign_in(action),
        (_, action) => action.is_some(),
    };
    if !told {
        return Vec::new();
    }
    // Who comes back from the provider without success is sent on all the same.
    let no_session = traced.session.is_none() && outcome == Outcome::Done;
    let outcome = if action == Some(Action::SignedIn) && no_session {
        Outcome::Refused
    } else {
        outcome
    };
    let failed_sign_in = action == Some(Action::SignedIn) && outcome != Outcome::Done;
    let actor = match actor_of(&traced) {
        Actor::Person { name } if failed_sign_in => Actor::Nobody { tried: Some(name) },
        actor => actor,
    };
    let action = match action {
        Some(Action::SignedIn) if failed_sign_in => Action::SignInFailed,
        Some(action) => action,
        None => Action::Refused,
    };
    let mut entry = entry_of(trace, &traced, actor, action, operation);
    entry.outcome = outcome;
    entry.status = Some(status);
    let mut subjects = traced.subjects;
    if subjects.is_empty() {
        subjects.extend(subject_of(operation, path));
    }
    let mut notes = traced.notes;
    if subjects.len() > MOST_SUBJECTS {
        notes.push(format!("{} in all", subjects.len()));
        subjects.truncate(MOST_SUBJECTS);
    }
    entry.detail = (!notes.is_empty()).then(|| notes.join("; "));
    if subjects.is_empty() {
        return vec![entry];
    }
    subjects
        .into_iter()
        .map(|subject| entry.clone().about(subject))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_operation_stands_in_the_table() {
        let document: serde_json::Value =
            serde_json::from_str(&super::super::openapi_document()).expect("JSON");
        let mut operations = 0;
        for (path, item) in document["paths"].as_object().expect("paths") {
            for (method, operation) in item.as_object().expect("an item") {
                let id = operation["operationId"].as_str();
                let id = id.unwrap_or_else(|| panic!("{method} {path} has no operation id"));
                assert!(
                    action_of(id).is_some(),
                    "{method} {path}: '{id}' is not in the table of src/api/audited.rs: say which deed it is"
                );
                operations += 1;
            }
        }
        assert!(operations > 100, "{operations}");
        assert_eq!(action_of("nonsense"), None);
    }

    #[test]
    fn what_changes_something_is_always_written() {
        let document: serde_json::Value =
            serde_json::from_str(&super::super::openapi_document()).expect("JSON");
        // They change nothing: they check, try or ask how much.
        let harmless = [
            "refresh",
            "lookAtInvitation",
            "checkScorecard",
            "estimateAnalysis",
            "tryNames",
            "prepareSftpDownload",
        ];
        for item in document["paths"].as_object().expect("paths").values() {
            for (method, operation) in item.as_object().expect("an item") {
                let id = operation["operationId"].as_str().expect("an id");
                if method != "get" && !harmless.contains(&id) {
                    let action = action_of(id).flatten();
                    assert!(action.is_some(), "{id} changes something unseen");
                }
            }
        }
    }
}
