//! Connections: accepted, bounded in number and time, encrypted where asked, and
//! served with HTTP/1.1 or HTTP/2.

mod body;
mod line;
mod redirect;
mod room;

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use http_body_util::combinators::BoxBody;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use poem::endpoint::BoxEndpoint;
use poem::http::uri::Scheme;
use poem::http::{HeaderValue, StatusCode, header};
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Body, Endpoint, Response};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub use redirect::redirect;
pub use room::Room;

use crate::config::Http;
use crate::https::ACME_TLS;
use body::{Coming, Going, Pace};
use line::Line;
use room::Activity;

/// Largest head of a request in bytes.
const MAX_HEAD: usize = 64 << 10;
/// Fields that a head has at most.
const MAX_FIELDS: usize = 100;
/// Largest head in HTTP/2, uncompressed.
const MAX_HEAD_H2: u32 = 32 << 10;
/// Requests at once on a connection of HTTP/2.
const MAX_STREAMS: u32 = 100;
/// Bytes that wait to be sent on a stream of HTTP/2.
const MAX_WAITING: usize = 64 << 10;
/// A connection of HTTP/2 is asked whether it is alive after this, and has as long to say so.
const PING: Duration = Duration::from_secs(30);
/// A player that pauses takes nothing: writing waits this many times longer than reading.
const PATIENCE_TO_WRITE: u32 = 5;
/// What is told to go may take this long.
const FAREWELL: Duration = Duration::from_secs(2);
/// After a fault of the system (no descriptors left) the next connection is accepted later.
const PAUSE: Duration = Duration::from_millis(100);

/// What is said in plain HTTP where there is no room.
const NO_ROOM: &[u8] = b"HTTP/1.1 503 Service Unavailable\r\nRetry-After: 5\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";

/// A place where connections arrive.
pub struct Door {
    /// Where.
    pub listener: TcpListener,
    /// What TLS is spoken with; `None`: plain HTTP.
    pub tls: Option<Arc<ServerConfig>>,
    /// What answers.
    pub endpoint: Arc<BoxEndpoint<'static, Response>>,
}

/// How connections are served.
#[derive(Clone)]
pub struct Serving {
    /// Limits.
    pub settings: Http,
    /// The connections of all doors.
    pub room: Arc<Room>,
    /// Cancelled when nothing new is accepted.
    pub stop: CancellationToken,
    /// Requests get this long to finish then.
    pub grace: Duration,
}

impl Serving {
    /// Serves until stopped and the last request is answered or its grace is over.
    pub async fn serve(self, door: Door) {
        let tracker = TaskTracker::new();
        let end = CancellationToken::new();
        let Door {
            listener,
            tls,
            endpoint,
        } = door;
        let tls = tls.map(TlsAcceptor::from);
        loop {
            let accepted = tokio::select! {
                () = self.stop.cancelled() => break,
                accepted = listener.accept() => accepted,
            };
            let (stream, remote) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    tracing::warn!(%error, "a connection cannot be accepted");
                    tokio::time::sleep(PAUSE).await;
                    continue;
                }
            };
            let Some(place) = self.room.enter(remote.ip()) else {
                tracing::debug!(%remote, "no room for a connection");
                if tls.is_none() {
                    let _ = stream.try_write(NO_ROOM);
                }
                continue;
            };
            let activity = Arc::clone(&place.activity);
            let stall = self.settings.stall_timeout * PATIENCE_TO_WRITE;
            let local = listener.local_addr().ok();
            let connection = Arc::new(Connection {
                serving: self.clone(),
                endpoint: Arc::clone(&endpoint),
                activity,
                remote,
                local,
            });
            let tls = tls.clone();
            let end = end.clone();
            tracker.spawn(async move {
                let line = line(stream, stall, place);
                tokio::select! {
                    () = connection.begin(line, tls) => {}
                    () = end.cancelled() => {}
                }
            });
        }
        drop(listener);
        tracker.close();
        let _ = tokio::time::timeout(self.grace, tracker.wait()).await;
        end.cancel();
        tracker.wait().await;
    }
}

fn line(stream: TcpStream, stall: Duration, place: room::Place) -> Line {
    // Answers are small and complete: nothing is gained by waiting for more.
    let _ = stream.set_nodelay(true);
    Line::new(stream, stall, place)
}

struct Connection {
    serving: Serving,
    endpoint: Arc<BoxEndpoint<'static, Response>>,
    activity: Arc<Activity>,
    remote: SocketAddr,
    local: Option<SocketAddr>,
}

impl Connection {
    async fn begin(self: Arc<Self>, line: Line, tls: Option<TlsAcceptor>) {
        let Some(tls) = tls else {
            self.http(line, Scheme::HTTP).await;
            return;
        };
        let handshake =
            tokio::time::timeout(self.serving.settings.header_timeout, tls.accept(line));
        let accepted = tokio::select! {
            accepted = handshake => accepted,
            () = self.activity.cut.cancelled() => return,
            () = self.serving.stop.cancelled() => return,
        };
        match accepted {
            // An authority saw what it wanted to see.
            Ok(Ok(stream)) if stream.get_ref().1.alpn_protocol() == Some(ACME_TLS) => {}
            Ok(Ok(stream)) => self.http(stream, Scheme::HTTPS).await,
            Ok(Err(error)) => tracing::debug!(remote = %self.remote, %error, "no TLS"),
            Err(_) => tracing::debug!(remote = %self.remote, "no TLS in time"),
        }
    }

    async fn http<S>(self: Arc<Self>, stream: S, scheme: Scheme)
    where
        S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    {
        let service = service_fn({
            let this = Arc::clone(&self);
            move |request| Arc::clone(&this).answer(request, scheme.clone())
        });
        let mut builder = auto::Builder::new(TokioExecutor::new());
        builder
            .http1()
            // Counted by `Activity::idle`, which knows HTTP/2 and silence as well.
            .header_read_timeout(None)
            .max_buf_size(MAX_HEAD)
            .max_headers(MAX_FIELDS);
        builder
            .http2()
            .timer(TokioTimer::new())
            .keep_alive_interval(PING)
            .keep_alive_timeout(PING)
            .max_concurrent_streams(MAX_STREAMS)
            .max_header_list_size(MAX_HEAD_H2)
            .max_send_buf_size(MAX_WAITING);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service);
        let mut connection = std::pin::pin!(connection);
        let stopped = tokio::select! {
            _ = connection.as_mut() => return,
            () = self.activity.idle(&self.serving.settings) => false,
            () = self.activity.cut.cancelled() => false,
            () = self.serving.stop.cancelled() => true,
        };
        connection.as_mut().graceful_shutdown();
        if stopped {
            let _ = connection.await;
        } else {
            let _ = tokio::time::timeout(FAREWELL, connection).await;
        }
    }

    async fn answer(
        self: Arc<Self>,
        request: hyper::Request<Incoming>,
        scheme: Scheme,
    ) -> Result<hyper::Response<Going<BoxBody<Bytes, std::io::Error>>>, Infallible> {
        let counted = self.activity.request();
        let too_slow = Arc::new(AtomicBool::new(false));
        let settings = &self.serving.settings;
        let pace = Pace {
            window: settings.stall_timeout,
            bytes: settings
                .min_bytes_per_s
                .saturating_mul(settings.stall_timeout.as_secs()),
        };
        let (parts, body) = request.into_parts();
        let body = Body::from_bytes_stream(Coming::new(body, pace, Arc::clone(&too_slow)));
        let local = self
            .local
            .map_or_else(|| Addr::custom("unknown", ""), Addr::SocketAddr);
        let parts = (
            parts,
            LocalAddr(local),
            RemoteAddr(Addr::SocketAddr(self.remote)),
            scheme,
        );
        let request = poem::Request::from_parts(parts.into(), body);
        let mut response = self.endpoint.get_response(request).await;
        if too_slow.load(Ordering::Acquire) {
            tracing::info!(remote = %self.remote, "a request came too slowly and was given up");
            response = Response::builder()
                .status(StatusCode::REQUEST_TIMEOUT)
                .header(header::CONNECTION, HeaderValue::from_static("close"))
                .content_type("application/json")
                .body(r#"{"code":"too_slow","message":"The request came too slowly and was given up: send it again."}"#);
        }
        // What follows an upgrade is no request that ends: its place is held by the line.
        let upgraded = response.status() == StatusCode::SWITCHING_PROTOCOLS;
        let response: hyper::Response<_> = response.into();
        let counted = if upgraded {
            std::mem::forget(counted);
            None
        } else {
            Some(counted)
        };
        Ok(response.map(|body| Going {
            body,
            _request: counted,
        }))
    }
}
