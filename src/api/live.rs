//! The WebSocket: says which call changed and where it is, nothing more.

use std::sync::Arc;
use std::time::Duration;

use futures_util::{SinkExt, StreamExt};
use poem::Request;
use poem::web::Data;
use poem::web::websocket::{BoxWebSocketUpgraded, Message, WebSocket, WebSocketStream};
use poem_openapi::OpenApi;
use tokio::sync::broadcast::error::RecvError;
use tokio::time::Instant;

use super::auth::{self, ReadCalls, Who};
use super::error::ApiError;
use super::views::{StageView, StatusView, overall_progress};
use crate::app::Parts;
use crate::domain::access::Permission;
use crate::events::Event;
use crate::store::Holder;
use poem_openapi::types::ToJSON;

/// A ping this often keeps proxies from closing a silent connection.
const PING: Duration = Duration::from_secs(25);

/// Lists must be fetched anew.
const RESYNC: &str = "{\"type\":\"resync\"}";

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
        who: Who<ReadCalls>,
        socket: WebSocket,
    ) -> Result<BoxWebSocketUpgraded, ApiError> {
        // A WebSocket is opened by a GET, which is not looked at otherwise.
        if who.trace().peer.is_foreign(request) {
            return Err(ApiError::bad_request(
                "foreign_origin",
                "A WebSocket is opened by our own page or by a program without an Origin header.",
            ));
        }
        let most = parts.config.accounts.max_websockets;
        let open = parts.sockets.open(&who.user().name, most).ok_or_else(|| {
            ApiError::too_many(
                "too_many_websockets",
                "The account has too many connections open: close a page.",
                PING,
            )
        })?;
        let stopping = parts.stopping.clone();
        let watcher = Watcher {
            holder: Arc::clone(who.holder()),
            parts: Arc::clone(parts),
        };
        Ok(socket.on_upgrade(Box::new(move |stream| {
            Box::pin(async move {
                let _open = open;
                tokio::select! {
                    () = watcher.serve(stream) => {}
                    () = stopping.cancelled() => {}
                }
            })
        })))
    }
}

/// Somebody at a WebSocket, for as long as they may.
struct Watcher {
    holder: Arc<Holder>,
    parts: Arc<Parts>,
}

impl Watcher {
    async fn serve(mut self, stream: WebSocketStream) {
        let (mut sink, mut source) = stream.split();
        let mut watch = self.parts.events.watch();
        let mut files = self.parts.store.watch_dropped();
        let mut accounts = self.parts.store.watch_accounts();
        let mut ping = tokio::time::interval(PING);
        let mut quiet_until = Instant::now();
        loop {
            let files_change = async {
                tokio::time::sleep_until(quiet_until).await;
                files.changed().await
            };
            let message = tokio::select! {
                event = watch.recv() => match event {
                    Ok(event) => match self.told(&event).await {
                        Some(text) => Message::text(text),
                        None => continue,
                    },
                    Err(RecvError::Lagged(_)) => Message::text(RESYNC),
                    Err(RecvError::Closed) => return,
                },
                changed = files_change => match changed {
                    Ok(()) => {
                        quiet_until = Instant::now() + FILES;
                        if !Permission::Settings.allows(self.holder.user.role) {
                            continue;
                        }
                        Message::text("{\"type\":\"files\"}")
                    }
                    Err(_) => return,
                },
                _ = accounts.changed() => match self.look_again().await {
                    Some(true) => Message::text(RESYNC),
                    Some(false) => continue,
                    None => return,
                },
                _ = ping.tick() => match self.look_again().await {
                    Some(true) => Message::text(RESYNC),
                    Some(false) => Message::ping([]),
                    None => return,
                },
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

    /// Whether they see other calls now; `None` when they may not be here any more.
    async fn look_again(&mut self) -> Option<bool> {
        let holder = auth::still(&self.parts, &self.holder).await?;
        let other = holder.sight != self.holder.sight;
        self.holder = holder;
        Some(other)
    }

    /// What they are told of an event.
    async fn told(&self, event: &Event) -> Option<String> {
        let sight = &self.holder.sight;
        if sight.is_all() {
            return Some(frame(event));
        }
        match event {
            Event::Call { id, .. } => {
                let (id, sight) = (id.clone(), sight.clone());
                let seen = self.parts.store.run(move |store| {
                    let entry = store.entry(&id)?;
                    Ok(entry.is_some_and(|it| sight.sees(it.call.operator.as_deref())))
                });
                seen.await.is_ok_and(|seen| seen).then(|| frame(event))
            }
            // Whose it was is not known any more.
            Event::Deleted { .. } => Some(RESYNC.to_owned()),
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
