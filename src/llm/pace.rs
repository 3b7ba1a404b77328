//! Keeps requests within what a server allows a minute.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

const MINUTE: Duration = Duration::from_secs(60);

/// What was asked in the last minute. 0 is no limit.
#[derive(Debug)]
pub(super) struct Pace {
    requests: u32,
    tokens: u32,
    recent: VecDeque<(Instant, u32)>,
}

impl Pace {
    /// At most so many requests and tokens a minute.
    pub(super) fn new(requests: u32, tokens: u32) -> Self {
        Self {
            requests,
            tokens,
            recent: VecDeque::new(),
        }
    }

    /// Takes a place for a request of about so many tokens, or says how long to wait
    /// for one. A request larger than the limit goes when the minute is empty.
    pub(super) fn take(&mut self, tokens: u32, now: Instant) -> Result<(), Duration> {
        while let Some((at, _)) = self.recent.front()
            && now.duration_since(*at) >= MINUTE
        {
            self.recent.pop_front();
        }
        let used: u64 = self.recent.iter().map(|(_, n)| u64::from(*n)).sum();
        let too_many = self.requests > 0 && self.recent.len() >= self.requests as usize;
        let too_much = self.tokens > 0 && used + u64::from(tokens) > u64::from(self.tokens);
        if let Some((oldest, _)) = self.recent.front()
            && (too_many || too_much)
        {
            return Err(MINUTE.saturating_sub(now.duration_since(*oldest)));
        }
        self.recent.push_back((now, tokens));
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_tokens_are_kept_within_a_minute() {
        let start = Instant::now();
        let at = |s| start + Duration::from_secs(s);
        let mut pace = Pace::new(2, 1000);
        assert_eq!(pace.take(400, at(0)), Ok(()));
        assert_eq!(pace.take(700, at(10)), Err(Duration::from_secs(50)));
        assert_eq!(pace.take(500, at(10)), Ok(()));
        assert_eq!(pace.take(1, at(20)), Err(Duration::from_secs(40)));
        assert_eq!(pace.take(1, at(60)), Ok(()));
        // Larger than all that is allowed: alone.
        assert!(pace.take(5000, at(60)).is_err());
        assert_eq!(pace.take(5000, at(121)), Ok(()));
        let mut free = Pace::new(0, 0);
        assert!((0..1000).all(|_| free.take(100_000, start).is_ok()));
    }
}
