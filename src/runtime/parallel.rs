//! Work on several threads.

use std::sync::{Mutex, PoisonError};
use std::thread;

/// The results of `work` for each item, in order, on as many threads as there are cores, but at most `most`.
pub(super) fn map<T: Send, R: Send>(
    name: &str,
    most: usize,
    items: Vec<T>,
    work: impl Fn(T) -> R + Sync,
) -> Vec<R> {
    let cores = thread::available_parallelism().map_or(1, usize::from);
    let workers = cores.min(most).min(items.len());
    if workers <= 1 {
        return items.into_iter().map(work).collect();
    }
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    let items = Mutex::new(items.into_iter().enumerate());
    let next = || items.lock().unwrap_or_else(PoisonError::into_inner).next();
    let worker = || {
        while let Some((i, item)) = next() {
            let result = work(item);
            done.lock().unwrap_or_else(PoisonError::into_inner).push((i, result));
        }
    };
    thread::scope(|scope| {
        for i in 1..workers {
            // A host that allows no more threads still has this one.
            if let Err(e) = thread::Builder::new().name(format!("{name}-{i}")).spawn_scoped(scope, worker) {
                log::debug!("{name} on {i} threads: {e}");
                break;
            }
        }
        worker();
    });
    let mut done = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    done.sort_unstable_by_key(|(i, _)| *i);
    done.into_iter().map(|(_, result)| result).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn results_stand_in_the_order_of_the_items() {
        for n in [0, 1, 2, 100] {
            let squares: Vec<u64> = map("squares", 8, (0..n).collect(), |i: u64| i * i);
            assert_eq!(squares, (0..n).map(|i| i * i).collect::<Vec<_>>());
        }
    }
}
