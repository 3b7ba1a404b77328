//! HTTP: the API under `/api/v1`, its documents, and the page. Handlers turn
//! requests into calls of the modules below and their results into wire types;
//! they hold no domain logic and no queries.

mod account_view;
mod accounts;
mod analysis;
mod analysis_calls;
mod api_keys;
mod archive;
mod audio;
mod audit;
mod audited;
mod auth;
mod call_filter;
mod calls;
mod card_document;
mod card_drafts;
mod corrections;
mod detail;
mod docs;
mod document;
mod employees;
mod erasures;
mod error;
mod export;
mod filters;
mod front;
mod health;
mod hooks;
mod insights;
mod invitations;
mod live;
mod llm;
mod metadata;
mod model_note;
mod models;
mod oidc;
mod operations;
mod operators;
mod outside;
mod peer;
mod prompts;
mod pull;
mod question_views;
mod questions;
mod ranged;
mod rescorings;
mod results;
mod review_view;
mod reviews;
mod score_view;
mod scorecards;
mod second_factor;
mod sessions;
mod sftp;
mod sftp_files;
mod sftp_names;
pub mod sftp_stream;
pub mod tokens;
mod trace;
mod trackers;
mod transcript;
mod trials;
mod ui;
mod upload;
mod views;

use std::sync::Arc;

use poem::endpoint::make_sync;
use poem::http::StatusCode;
use poem::http::header::ACCEPT_ENCODING;
use poem::middleware::{CatchPanic, Compression};
use poem::{Endpoint, EndpointExt, Request, Response, Route, get, post};
use poem_openapi::OpenApiService;

use crate::app::Parts;

/// Where the API is.
pub const BASE: &str = "/api/v1";

/// In groups: a tuple has no room for all.
type Api = (
    (
        sessions::SessionsApi,
        second_factor::SecondFactorApi,
        accounts::AccountsApi,
        invitations::InvitationsApi,
        oidc::OidcApi,
        api_keys::ApiKeysApi,
        audit::AuditApi,
        erasures::ErasuresApi,
    ),
    (
        upload::UploadApi,
        results::ResultsApi,
        calls::CallsApi,
        corrections::CorrectionsApi,
        export::ExportApi,
        models::ModelsApi,
        audio::AudioApi,
        operators::OperatorsApi,
        employees::EmployeesApi,
        metadata::MetadataApi,
    ),
    (
        scorecards::ScorecardsApi,
        card_drafts::CardDraftsApi,
        prompts::PromptsApi,
        trials::TrialsApi,
        rescorings::RescoringsApi,
    ),
    (
        outside::OutsideApi,
        pull::PullApi,
        sftp::SftpApi,
        sftp_files::SftpFilesApi,
        sftp_stream::SftpStreamApi,
        llm::LlmApi,
        reviews::ReviewsApi,
        live::LiveApi,
        health::HealthApi,
    ),
    (
        questions::QuestionsApi,
        analysis::AnalysisApi,
        insights::InsightsApi,
        trackers::TrackersApi,
    ),
);

fn service() -> OpenApiService<Api, ()> {
    OpenApiService::new(
        (
            (
                sessions::SessionsApi,
                second_factor::SecondFactorApi,
                accounts::AccountsApi,
                invitations::InvitationsApi,
                oidc::OidcApi,
                api_keys::ApiKeysApi,
                audit::AuditApi,
                erasures::ErasuresApi,
            ),
            (
                upload::UploadApi,
                results::ResultsApi,
                calls::CallsApi,
                corrections::CorrectionsApi,
                export::ExportApi,
                models::ModelsApi,
                audio::AudioApi,
                operators::OperatorsApi,
                employees::EmployeesApi,
                metadata::MetadataApi,
            ),
            (
                scorecards::ScorecardsApi,
        card_drafts::CardDraftsApi,
                prompts::PromptsApi,
                trials::TrialsApi,
                rescorings::RescoringsApi,
            ),
            (
                outside::OutsideApi,
                pull::PullApi,
                sftp::SftpApi,
                sftp_files::SftpFilesApi,
                sftp_stream::SftpStreamApi,
                llm::LlmApi,
                reviews::ReviewsApi,
                live::LiveApi,
                health::HealthApi,
            ),
            (
                questions::QuestionsApi,
                analysis::AnalysisApi,
                insights::InsightsApi,
                trackers::TrackersApi,
            ),
        ),
        "call-analytics",
        env!("CARGO_PKG_VERSION"),
    )
    .description("Recordings of calls: taken in, transcribed, scored. Every answer other than a success is {code, message}.")
    .server(BASE)
}

/// The OpenAPI document as JSON.
pub fn openapi_document() -> String {
    document::complete(&service().spec())
}

/// All routes.
pub fn routes(parts: Arc<Parts>) -> impl Endpoint<Output = Response> {
    let service = service();
    let document = openapi_document();
    let docs = service.swagger_ui_html();
    let api = Route::new()
        .nest("/", service.around(audited::around))
        .at(
            "/openapi.json",
            get(make_sync(move |_| {
                Response::builder()
                    .content_type("application/json")
                    .body(document.clone())
            })),
        )
        .catch_all_error(error::render)
        .with(CatchPanic::new().with_handler(error::panicked))
        .around(auth::around)
        .catch_all_error(error::render);
    let events = format!("{}/events/*kind", parts.config.mango.events_path);
    let webhook = format!("{BASE}/calltouch/webhook");
    Route::new()
        .at(events, post(hooks::mango))
        .at(&webhook, get(hooks::calltouch).post(hooks::calltouch))
        .at(
            format!("{webhook}/:secret"),
            get(hooks::calltouch).post(hooks::calltouch),
        )
        .nest(BASE, api)
        .nest(
            "/api",
            make_sync(|_| {
                error::body(
                    StatusCode::NOT_FOUND,
                    "not_found",
                    "There is no such path in the API; see /docs.",
                )
            }),
        )
        .nest("/docs", docs::endpoint(&docs))
        .nest("/", ui::endpoint())
        .with(Compression::new())
        .before(|request| async move { Ok(keep_sound_as_it_is(request)) })
        .map_to_response()
        .around(move |endpoint, request| front::pass(Arc::clone(&parts), endpoint, request))
        .map_to_response()
}

/// Recordings are compressed already, and a compressed answer has no byte ranges; what
/// is told while it happens would wait in a compressor.
fn keep_sound_as_it_is(mut request: Request) -> Request {
    let sound = request.uri().path().strip_prefix(BASE).is_some_and(|path| {
        path.starts_with("/audio/")
            || path.starts_with("/sftp/download")
            || path.starts_with("/sftp/files/")
            || path.ends_with("/events")
    });
    if sound {
        request.headers_mut().remove(ACCEPT_ENCODING);
    }
    request
}
