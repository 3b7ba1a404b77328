//! Bodies: one that comes must move, one that goes keeps its request alive.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use hyper::body::{Body, Bytes, Frame, Incoming, SizeHint};
use tokio::time::{Instant, Sleep};

use super::room::Request;

/// How a body must move: `bytes` in each `window` of waiting for it.
#[derive(Debug, Clone, Copy)]
pub(super) struct Pace {
    pub(super) window: Duration,
    pub(super) bytes: u64,
}

/// A body that comes. Time counts only while somebody waits for it: a slow disk is not
/// the sender's fault.
pub(super) struct Coming<B = Incoming> {
    body: B,
    pace: Pace,
    /// Waited in this window, without the wait that goes on.
    waited: Duration,
    came: u64,
    waiting: Option<(Instant, Pin<Box<Sleep>>)>,
    too_slow: Arc<AtomicBool>,
}

impl<B> Coming<B> {
    /// `too_slow` is set when the body was given up.
    pub(super) fn new(body: B, pace: Pace, too_slow: Arc<AtomicBool>) -> Self {
        Self {
            body,
            pace,
            waited: Duration::ZERO,
            came: 0,
            waiting: None,
            too_slow,
        }
    }

    fn arrived(&mut self, bytes: usize) {
        if let Some((since, _)) = self.waiting.take() {
            self.waited += since.elapsed();
        }
        self.came += bytes as u64;
        if self.came >= self.pace.bytes {
            self.came = 0;
            self.waited = Duration::ZERO;
        }
    }
}

impl<B> Stream for Coming<B>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: std::error::Error + Send + Sync + 'static,
{
    type Item = io::Result<Bytes>;

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = &mut *self;
        loop {
            match Pin::new(&mut this.body).poll_frame(cx) {
                Poll::Ready(None) => return Poll::Ready(None),
                Poll::Ready(Some(Err(error))) => {
                    return Poll::Ready(Some(Err(io::Error::other(error))));
                }
                Poll::Ready(Some(Ok(frame))) => {
                    // Trailers are of no use here.
                    if let Ok(data) = frame.into_data() {
                        this.arrived(data.len());
                        return Poll::Ready(Some(Ok(data)));
                    }
                }
                Poll::Pending => {
                    let left = this.pace.window.saturating_sub(this.waited);
                    let (_, sleep) = this.waiting.get_or_insert_with(|| {
                        let now = Instant::now();
                        (now, Box::pin(tokio::time::sleep_until(now + left)))
                    });
                    if sleep.as_mut().poll(cx).is_pending() {
                        return Poll::Pending;
                    }
                    this.too_slow.store(true, Ordering::Release);
                    return Poll::Ready(Some(Err(io::ErrorKind::TimedOut.into())));
                }
            }
        }
    }
}

/// A body that goes; its request ends with it.
pub(super) struct Going<B> {
    pub(super) body: B,
    pub(super) _request: Option<Request>,
}

impl<B: Body + Unpin> Body for Going<B> {
    type Data = B::Data;
    type Error = B::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Self::Data>, Self::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

#[cfg(test)]
mod tests {
    use futures_util::StreamExt;
    use futures_util::stream;
    use http_body_util::StreamBody;

    use super::*;

    const PACE: Pace = Pace {
        window: Duration::from_secs(60),
        bytes: 1000,
    };

    /// Pieces, each after a time.
    fn body(pieces: Vec<(u64, usize)>) -> impl Body<Data = Bytes, Error = io::Error> + Unpin {
        let stream = stream::iter(pieces).then(|(wait, size)| async move {
            tokio::time::sleep(Duration::from_secs(wait)).await;
            Ok(Frame::data(Bytes::from(vec![0; size])))
        });
        StreamBody::new(Box::pin(stream))
    }

    async fn read(pieces: Vec<(u64, usize)>, own_work: u64) -> (usize, bool) {
        let too_slow = Arc::new(AtomicBool::new(false));
        let mut coming = Coming::new(body(pieces), PACE, Arc::clone(&too_slow));
        let mut size = 0;
        while let Some(Ok(data)) = coming.next().await {
            size += data.len();
            tokio::time::sleep(Duration::from_secs(own_work)).await;
        }
        (size, too_slow.load(Ordering::Acquire))
    }

    #[tokio::test(start_paused = true)]
    async fn a_slow_line_that_moves_is_waited_for() {
        let (size, too_slow) = read(vec![(50, 1000); 500], 0).await;
        assert_eq!((size, too_slow), (500_000, false));
    }

    #[tokio::test(start_paused = true)]
    async fn whoever_brings_nothing_or_next_to_nothing_is_not() {
        let (size, too_slow) = read(vec![(1, 5000), (61, 5000)], 0).await;
        assert_eq!((size, too_slow), (5000, true));
        let (size, too_slow) = read(vec![(10, 1); 500], 0).await;
        assert!(too_slow && size <= 6, "{size} bytes, one every ten seconds");
    }

    #[tokio::test(start_paused = true)]
    async fn time_of_our_own_does_not_count() {
        let (size, too_slow) = read(vec![(1, 10); 20], 1000).await;
        assert_eq!((size, too_slow), (200, false));
    }
}
