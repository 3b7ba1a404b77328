//! The WebSocket: says which call changed and where it is, nothing more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use poem::Request;
use poem::web::Data;
use poem::web::websocket::{BoxWebSocketUpgraded, Message, WebSocket, WebSocketStream};
use poem_openapi::OpenApi;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::watch;
use tokio::time::Instant;

use super::auth::SignedIn;
use super::error::ApiError;
use super::peer;
use super::views::{StageView, StatusView, overall_progress};
use crate::app::Parts;
use crate::events::{Event, Events};
use poem_openapi::types::ToJSON;

/// A ping this often keeps proxies from closing a silent connection.
const PING: Duration = Duration::from_secs(25);

/// That dropped files changed is told at most this often.
const FILES: Duration = Duration::from_secs(1);

pub(super) struct LiveApi;

#[OpenApi]
impl LiveApi {
    /// A WebSocket of JSON text frames: `{"type":"call",id,status,stage,progress}`,
    /// `{"type":"deleted",id}`, `{"type":"files"}` when the list of dropped files changed, and `{"type":"resync"}` when frames were lost and lists must be fetched anew.
    #[oai(path = "/ws", method = "get", operation_id = "live")]
    async fn live(
        &self,
        Data(parts): Data<&Arc<Parts>>,
        request: &Request,
        _who: SignedIn,
        socket: WebSocket,
    ) -> Result<BoxWebSocketUpgraded, ApiError> {
        if !same_origin(request) {
            return Err(ApiError::bad_request(
                "foreign_origin",
                "A WebSocket is opened by our own page or by a program without an Origin header.",
            ));
        }
        let events = parts.events.clone();
        let files = parts.store.watch_dropped();
        let stopping = parts.stopping.clone();
        Ok(socket.on_upgrade(Box::new(move |stream| {
            Box::pin(async move {
                tokio::select! {
                    () = serve(stream, events, files) => {}
                    () = stopping.cancelled() => {}
                }
            })
        })))
    }
}

/// A browser tells the page's origin: it must be the host that is asked.
fn same_origin(request: &Request) -> bool {
    let Some(origin) = request.header("origin") else {
        return true;
    };
    let host = peer::host(request).unwrap_or_default();
    origin
        .split_once("://")
        .is_some_and(|(_, origin_host)| origin_host.eq_ignore_ascii_case(&host))
}

async fn serve(stream: WebSocketStream, events: Events, mut files: watch::Receiver<()>) {
    let (mut sink, mut source) = stream.split();
    let mut watch = events.watch();
    let mut ping = tokio::time::interval(PING);
    let mut quiet_until = Instant::now();
    loop {
        let files_change = async {
            tokio::time::sleep_until(quiet_until).await;
            files.changed().await
        };
        let message = tokio::select! {
            event = watch.recv() => match event {
                Ok(event) => Message::text(frame(&event)),
                Err(RecvError::Lagged(_)) => Message::text("{\"type\":\"resync\"}"),
                Err(RecvError::Closed) => return,
            },
            changed = files_change => match changed {
                Ok(()) => {
                    quiet_until = Instant::now() + FILES;
                    Message::text("{\"type\":\"files\"}")
                }
                Err(_) => return,
            },
            _ = ping.tick() => Message::ping([]),
            incoming = source.next() => match incoming {
                // Nothing is expected of the watcher; reading notices that it went away.
                Some(Ok(Message::Close(_)) | Err(_)) | None => return,
                Some(Ok(_)) => continue,
            },
        };
        if sink.send(message).await.is_err() {
            return;
        }
    }
}

fn frame(event: &Event) -> String {
    match event {
        Event::Call {
            id,
            state,
            stage,
            stage_progress,
        } => serde_json::json!({
            "type": "call",
            "id": id.as_str(),
            "status": StatusView::of(*state, *stage).to_json(),
            "stage": StageView::from(*stage).to_json(),
            "progress": overall_progress(*state, *stage, *stage_progress),
        })
        .to_string(),
        Event::Deleted { id } => {
            serde_json::json!({"type": "deleted", "id": id.as_str()}).to_string()
        }
    }
}
