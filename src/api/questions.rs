//! Questions of one call, their answers while they are written and afterwards; saved
//! questions.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use futures_util::Stream;
use futures_util::stream::{self, BoxStream, StreamExt};
use jiff::Timestamp;
use poem::web::Data;
use poem_openapi::param::Path;
use poem_openapi::payload::{EventStream, Json};
use poem_openapi::{ApiResponse, Object, OpenApi};
use tokio::sync::broadcast::error::RecvError;

use super::auth::{Ask, ReadCalls, Who};
use super::error::ApiError;
use super::question_views::{
    AnswerEvent, AnswerEventKind, AnswerView, SavedQuestionView, no_such_question, text_of,
};
use crate::app::Parts;
use crate::domain::CallId;
use crate::domain::question::{Answer, SavedQuestion};
use crate::pipeline::asking::{Told, Watch};
use crate::store::StoreError;

/// A comment this often keeps proxies from closing a silent stream.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// Questions that may wait for their answers at the same time.
const MOST_WAITING: u64 = 100;
/// Most saved questions.
const MOST_SAVED: usize = 200;

pub(super) struct QuestionsApi;

/// What was asked of a call, the latest first.
#[derive(Object)]
struct AnswersView {
    items: Vec<AnswerView>,
}

/// All saved questions, by name.
#[derive(Object)]
struct SavedQuestionsView {
    items: Vec<SavedQuestionView>,
}

/// A question to be kept.
#[derive(Object)]
struct SavedQuestionRequest {
    /// Short name.
    name: String,
    #[oai(default)]
    text: String,
}

#[derive(ApiResponse)]
enum Removed {
    /// Removed.
    #[oai(status = 204)]
    Removed,
}

fn no_such_answer(error: StoreError) -> ApiError {
    match error {
        StoreError::NotFound => ApiError::missing("not_found", "There is no such answer."),
        other => other.into(),
    }
}

fn bad_question(what: String) -> ApiError {
    ApiError::bad_request("bad_question", format!("{what}."))
}

/// Asks one call.
pub(super) async fn ask(
    parts: &Arc<Parts>,
    call: &str,
    text: Option<String>,
    saved_id: Option<String>,
    who: &Who<Ask>,
) -> Result<AnswerView, ApiError> {
    let call_id = who.call(parts, call).await?;
    let question = text_of(parts, text, saved_id.as_deref()).await?;
    let answer = Answer {
        id: ulid::Ulid::generate().to_string(),
        call_id,
        question,
        saved_id,
        asked_by: who.user().name.clone(),
        asked_at: Timestamp::now(),
        found: None,
    };
    let asking = Arc::clone(&parts.asking);
    let answer = parts
        .store
        .run(move |store| {
            store.entry(&answer.call_id)?.ok_or(StoreError::NotFound)?;
            if store.count_owed_answers()? >= MOST_WAITING {
                return Ok(None);
            }
            asking.ask(answer).map(Some)
        })
        .await?;
    answer.as_ref().map(AnswerView::from).ok_or_else(|| {
        ApiError::conflict(
            "too_many_questions",
            "Too many questions wait for their answers; ask again when some are answered.",
        )
    })
}

#[OpenApi]
impl QuestionsApi {
    /// What was asked of a call, the latest first.
    #[oai(
        path = "/results/:id/answers",
        method = "get",
        operation_id = "answers"
    )]
    async fn answers(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
    ) -> Result<Json<AnswersView>, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let answers = parts.store.run(move |store| store.answers(&id)).await?;
        Ok(Json(AnswersView {
            items: answers.iter().map(AnswerView::from).collect(),
        }))
    }

    /// Remove a question with its answer; one that is being answered is given up.
    #[oai(
        path = "/results/:id/answers/:answer",
        method = "delete",
        operation_id = "deleteAnswer"
    )]
    async fn delete_answer(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<Ask>,
        id: Path<String>,
        answer: Path<String>,
    ) -> Result<Removed, ApiError> {
        let id = who.call(parts, &id.0).await?;
        let asking = Arc::clone(&parts.asking);
        parts
            .store
            .run(move |_| asking.delete_answer(&id, &answer.0))
            .await
            .map_err(no_such_answer)?;
        Ok(Removed::Removed)
    }

    /// An answer while it is written, as server-sent events: pieces of its text, then the whole.
    #[oai(
        path = "/results/:id/answers/:answer/events",
        method = "get",
        operation_id = "answerEvents"
    )]
    async fn events(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        who: Who<ReadCalls>,
        id: Path<String>,
        answer: Path<String>,
    ) -> Result<EventStream<BoxStream<'static, AnswerEvent>>, ApiError> {
        let feed = Feed::open(parts, who.call(parts, &id.0).await?, answer.0)
            .await
            .map_err(no_such_answer)?;
        Ok(EventStream::new(feed.events().boxed()).keep_alive(KEEP_ALIVE))
    }

    /// All saved questions, by name.
    #[oai(path = "/questions", method = "get", operation_id = "savedQuestions")]
    async fn saved(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Ask>,
    ) -> Result<Json<SavedQuestionsView>, ApiError> {
        let saved = parts.store.run(|store| store.saved_questions()).await?;
        Ok(Json(SavedQuestionsView {
            items: saved.iter().map(SavedQuestionView::from).collect(),
        }))
    }

    /// Save a question.
    #[oai(path = "/questions", method = "post", operation_id = "saveQuestion")]
    async fn save(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Ask>,
        request: Json<SavedQuestionRequest>,
    ) -> Result<Json<SavedQuestionView>, ApiError> {
        let saved = SavedQuestion {
            id: ulid::Ulid::generate().to_string(),
            name: request.0.name,
            text: request.0.text,
            created_at: Timestamp::now(),
        }
        .tidy()
        .map_err(bad_question)?;
        let view = SavedQuestionView::from(&saved);
        let fits = parts
            .store
            .run(move |store| {
                let fits = store.saved_questions()?.len() < MOST_SAVED;
                if fits {
                    store.add_saved_question(&saved)?;
                }
                Ok(fits)
            })
            .await?;
        if !fits {
            return Err(ApiError::conflict(
                "too_many_questions",
                format!("At most {MOST_SAVED} questions can be saved; remove one first."),
            ));
        }
        Ok(Json(view))
    }

    /// Change a saved question.
    #[oai(
        path = "/questions/:id",
        method = "put",
        operation_id = "changeQuestion"
    )]
    async fn change(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Ask>,
        id: Path<String>,
        request: Json<SavedQuestionRequest>,
    ) -> Result<Json<SavedQuestionView>, ApiError> {
        let wanted = id.0.clone();
        let known = parts
            .store
            .run(move |store| store.saved_question(&wanted))
            .await?
            .ok_or_else(no_such_question)?;
        let tidy = SavedQuestion {
            name: request.0.name,
            text: request.0.text,
            ..known
        }
        .tidy()
        .map_err(bad_question)?;
        let changed = parts
            .store
            .run(move |store| store.change_saved_question(&id.0, tidy.name, tidy.text))
            .await?;
        Ok(Json(SavedQuestionView::from(&changed)))
    }

    /// Remove a saved question; answers to it stay.
    #[oai(
        path = "/questions/:id",
        method = "delete",
        operation_id = "removeQuestion"
    )]
    async fn remove(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<Ask>,
        id: Path<String>,
    ) -> Result<Removed, ApiError> {
        let removed = parts
            .store
            .run(move |store| store.remove_saved_question(&id.0))
            .await;
        match removed {
            Err(StoreError::NotFound) => Err(no_such_question()),
            Err(error) => Err(error.into()),
            Ok(()) => Ok(Removed::Removed),
        }
    }
}

/// What one watcher of an answer is still to be told.
struct Feed {
    parts: Arc<Parts>,
    call: CallId,
    id: String,
    next: VecDeque<AnswerEvent>,
    watch: Option<Watch>,
}

impl Feed {
    async fn open(parts: &Arc<Parts>, call: CallId, id: String) -> Result<Self, StoreError> {
        let mut feed = Self {
            parts: Arc::clone(parts),
            call,
            id,
            next: VecDeque::new(),
            watch: None,
        };
        feed.look().await?;
        Ok(feed)
    }

    /// Takes what there is of the answer by now.
    async fn look(&mut self) -> Result<(), StoreError> {
        let asking = Arc::clone(&self.parts.asking);
        let (call, id) = (self.call.clone(), self.id.clone());
        let (answer, watch) = self
            .parts
            .store
            .run(move |_| asking.watch(&call, &id))
            .await?;
        match &watch {
            None => self.next.push_back(AnswerEvent::done(Some(&answer))),
            Some(watch) => {
                if let Some((parts, of)) = watch.part {
                    self.next.push_back(AnswerEvent::part(parts, of));
                }
                if !watch.text.is_empty() {
                    self.next.push_back(AnswerEvent::text(watch.text.clone()));
                }
            }
        }
        self.watch = watch;
        Ok(())
    }

    /// Looks again from the beginning; an answer that is gone ends the stream.
    async fn look_again(&mut self) {
        if let Err(error) = self.look().await {
            if !matches!(error, StoreError::NotFound) {
                tracing::error!(%error, "an answer cannot be read");
            }
            self.watch = None;
            self.next.push_back(AnswerEvent::done(None));
        }
    }

    fn events(self) -> impl Stream<Item = AnswerEvent> {
        stream::unfold(self, |mut feed| async move {
            loop {
                if let Some(event) = feed.next.pop_front() {
                    return Some((event, feed));
                }
                let watch = feed.watch.as_mut()?;
                let told = tokio::select! {
                    told = watch.told.recv() => told,
                    () = feed.parts.stopping.cancelled() => return None,
                };
                match told {
                    Ok(Told::Text(text)) => feed.next.push_back(AnswerEvent::text(text)),
                    Ok(Told::Again) => {
                        let again = AnswerEvent::new(AnswerEventKind::Again);
                        feed.next.push_back(again);
                    }
                    Ok(Told::Part(parts, of)) => {
                        feed.next.push_back(AnswerEvent::part(parts, of));
                    }
                    Err(RecvError::Lagged(_)) => {
                        let again = AnswerEvent::new(AnswerEventKind::Again);
                        feed.next.push_back(again);
                        feed.look_again().await;
                    }
                    Err(RecvError::Closed) => feed.look_again().await,
                }
            }
        })
    }
}
