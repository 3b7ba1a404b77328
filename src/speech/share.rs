//! Shares a list of work between threads. Used by recognition and by telling
//! voices apart; the one who asks hears of the progress on its own thread.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc;

/// Computes every item on at most `threads` threads; the results come in the order
/// of the items, or the first fault does. `work` can tell the share of its item
/// that is done; `told` hears the item's number and that share, 1 at its end.
pub(super) fn share<T: Sync, R: Send, E: Send>(
    items: &[T],
    threads: usize,
    told: &mut dyn FnMut(usize, f64),
    work: impl Fn(&T, &mut (dyn FnMut(f64) + Send)) -> Result<R, E> + Sync,
) -> Result<Vec<R>, E> {
    enum News<R, E> {
        Part(f64),
        End(Result<R, E>),
    }
    let next = AtomicUsize::new(0);
    let (sender, news) = mpsc::channel();
    let mut results: Vec<Option<R>> = items.iter().map(|_| None).collect();
    std::thread::scope(|scope| {
        for _ in 0..threads.max(1).min(items.len()) {
            let (sender, next, work) = (sender.clone(), &next, &work);
            scope.spawn(move || {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some(item) = items.get(at) else { break };
                    // Sending fails only after a fault, when nobody listens any more.
                    let result = work(item, &mut |part| {
                        let _ = sender.send((at, News::Part(part)));
                    });
                    if sender.send((at, News::End(result))).is_err() {
                        break;
                    }
                }
            });
        }
        drop(sender);
        for (at, news) in news {
            match news {
                News::Part(part) => told(at, part),
                News::End(result) => {
                    results[at] = Some(result?);
                    told(at, 1.0);
                }
            }
        }
        Ok(())
    })?;
    Ok(results.into_iter().flatten().collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_keep_their_order_and_the_end_of_each_is_told() {
        let items: Vec<u64> = (0..50).collect();
        let mut ended = Vec::new();
        let doubled = share(
            &items,
            3,
            &mut |at, part| {
                if part == 1.0 {
                    ended.push(at);
                }
            },
            |item, part| {
                part(0.5);
                Ok::<u64, ()>(item * 2)
            },
        );
        assert_eq!(doubled, Ok(items.iter().map(|item| item * 2).collect()));
        ended.sort_unstable();
        assert_eq!(ended, (0..50).collect::<Vec<_>>());
        let nothing = share(&[0_u64; 0], 2, &mut |_, _| (), |item, _| {
            Ok::<u64, ()>(*item)
        });
        assert_eq!(nothing, Ok(Vec::new()));
    }

    #[test]
    fn a_fault_ends_the_work() {
        let items: Vec<u64> = (0..10_000).collect();
        let begun = AtomicUsize::new(0);
        let result = share(&items, 2, &mut |_, _| (), |item, _| {
            begun.fetch_add(1, Ordering::Relaxed);
            std::thread::sleep(std::time::Duration::from_millis(1));
            if *item == 3 { Err("three") } else { Ok(()) }
        });
        assert_eq!(result, Err("three"));
        assert!(begun.into_inner() < items.len());
    }
}
