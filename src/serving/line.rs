//! A connection's bytes: whoever takes nothing of what is sent is cut off, and whoever
//! still sends when the answer is there has time to see it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::time::{Instant, Sleep};

use super::room::Place;

/// What still comes after the last byte of an answer is read and thrown away for this
/// long in all. Closing at once would answer it with a reset, which takes the answer
/// from whoever has not read it yet (RFC 9112, 9.6).
const LINGER: Duration = Duration::from_secs(10);
/// … and no longer than this after the last piece.
const LINGER_SILENT: Duration = Duration::from_secs(2);
/// Bytes thrown away at a time.
const PIECE: usize = 16 << 10;

/// A TCP connection with its place in the room.
pub(super) struct Line {
    stream: TcpStream,
    stall: Duration,
    stalled: Option<Pin<Box<Sleep>>>,
    lingering: Option<Lingering>,
    /// Held as long as the connection: a WebSocket outlives the HTTP that began it.
    _place: Place,
}

/// Nothing is sent any more; it ends with `end`, or before if nothing comes.
struct Lingering {
    end: Instant,
    silence: Pin<Box<Sleep>>,
}

impl Line {
    pub(super) fn new(stream: TcpStream, stall: Duration, place: Place) -> Self {
        Self {
            stream,
            stall,
            stalled: None,
            lingering: None,
            _place: place,
        }
    }

    /// An error once writing has been pending for too long.
    fn paced<T>(&mut self, cx: &mut Context<'_>, done: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if done.is_ready() {
            self.stalled = None;
            return done;
        }
        let end = Instant::now() + self.stall;
        let sleep = self
            .stalled
            .get_or_insert_with(|| Box::pin(tokio::time::sleep_until(end)));
        ready!(sleep.as_mut().poll(cx));
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }
}

impl AsyncRead for Line {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_read(cx, buffer)
    }
}

impl AsyncWrite for Line {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write(cx, bytes);
        self.paced(cx, done)
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bytes: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let done = Pin::new(&mut self.stream).poll_write_vectored(cx, bytes);
        self.paced(cx, done)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let done = Pin::new(&mut self.stream).poll_flush(cx);
        self.paced(cx, done)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = &mut *self;
        if this.lingering.is_none() {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
        }
        let lingering = this.lingering.get_or_insert_with(|| {
            let now = Instant::now();
            Lingering {
                end: now + LINGER,
                silence: Box::pin(tokio::time::sleep_until(now + LINGER_SILENT)),
            }
        });
        let mut piece = [0; PIECE];
        loop {
            let mut buffer = ReadBuf::new(&mut piece);
            match Pin::new(&mut this.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() => {
                    let silent = Instant::now() + LINGER_SILENT;
                    lingering.silence.as_mut().reset(silent.min(lingering.end));
                }
                // The other side has closed as well, or is gone.
                Poll::Ready(_) => return Poll::Ready(Ok(())),
                Poll::Pending => break,
            }
            if Instant::now() >= lingering.end {
                return Poll::Ready(Ok(()));
            }
        }
        lingering.silence.as_mut().poll(cx).map(Ok)
    }
}
