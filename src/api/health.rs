//! Whether the server can do its work.

use std::sync::Arc;

use poem::web::Data;
use poem_openapi::payload::Json;
use poem_openapi::{Enum, Object, OpenApi};

use super::auth::{ReadCalls, Who};
use super::error::ApiError;
use crate::app::Parts;
use crate::report;

pub(super) struct HealthApi;

#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum HealthStatus {
    /// All works.
    Ok,
    /// Recordings are kept, but cannot be recognized.
    Degraded,
}

#[derive(Enum)]
#[oai(rename_all = "snake_case")]
enum ModelState {
    Ready,
    Missing,
    Invalid,
}

#[derive(Object)]
struct StoreHealth {
    ok: bool,
    schema: u32,
}

#[derive(Object)]
struct ModelHealth {
    name: String,
    state: ModelState,
    /// What to do when it is not ready.
    message: Option<String>,
    /// Instructions of the processor that it is computed with.
    instructions: String,
}

#[derive(Object)]
struct QueueHealth {
    queued: u64,
    running: u64,
    failed: u64,
}

#[derive(Object)]
struct SftpHealth {
    enabled: bool,
    /// Port it listens at.
    port: Option<u16>,
    /// Connections that are signed in.
    connections: u64,
}

/// Whether the server works.
#[derive(Object)]
struct HealthView {
    status: HealthStatus,
}

/// State of the server.
#[derive(Object)]
struct ServerView {
    status: HealthStatus,
    version: String,
    uptime_s: u64,
    store: StoreHealth,
    model: ModelHealth,
    queue: QueueHealth,
    sftp: SftpHealth,
}

#[OpenApi]
impl HealthApi {
    /// Whether the server works; no more is told to everybody. Public.
    #[oai(path = "/health", method = "get", operation_id = "health")]
    async fn health(&self, Data(parts): Data<&Arc<Parts>>) -> Result<Json<HealthView>, ApiError> {
        let status = state(parts).await.status;
        Ok(Json(HealthView { status }))
    }

    /// State of the server.
    #[oai(path = "/server", method = "get", operation_id = "server")]
    async fn server(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        _who: Who<ReadCalls>,
    ) -> Result<Json<ServerView>, ApiError> {
        Ok(Json(state(parts).await))
    }
}

async fn state(parts: &Arc<Parts>) -> ServerView {
    let counts = parts.store.run(report::queue_counts).await;
    let (ok, counts) = match counts {
        Ok(counts) => (true, counts),
        Err(error) => {
            tracing::error!(%error, "the store cannot be read");
            (false, report::QueueCounts::default())
        }
    };
    let model = parts.model_state().await;
    let (state, message) = match model {
        crate::app::ModelReadiness::Ready => (ModelState::Ready, None),
        crate::app::ModelReadiness::Missing(message) => (ModelState::Missing, Some(message)),
        crate::app::ModelReadiness::Invalid(message) => (ModelState::Invalid, Some(message)),
    };
    let healthy = ok && matches!(state, ModelState::Ready);
    ServerView {
        status: if healthy {
            HealthStatus::Ok
        } else {
            HealthStatus::Degraded
        },
        version: env!("CARGO_PKG_VERSION").to_owned(),
        uptime_s: parts.started.elapsed().as_secs(),
        store: StoreHealth {
            ok,
            schema: parts.store.schema(),
        },
        model: ModelHealth {
            name: parts.config.speech.model.clone(),
            state,
            message,
            instructions: crate::speech::cpu::instructions().to_owned(),
        },
        queue: QueueHealth {
            queued: counts.queued,
            running: counts.running,
            failed: counts.failed,
        },
        sftp: SftpHealth {
            enabled: parts.sftp.is_some(),
            port: parts.sftp.as_ref().map(|sftp| sftp.local_addr().port()),
            connections: parts
                .sftp
                .as_ref()
                .map_or(0, |sftp| sftp.connections().0 as u64),
        },
    }
}
