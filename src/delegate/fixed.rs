//! Constants that an application may change: a model's file can hold contents for an input of the graph, which TensorFlow
//! Lite then shows to delegates as a constant. The application gives it values all the same.

use std::collections::HashMap;

use crate::cache;
use crate::graph::{Graph, ValueId};
use crate::tflite::Context;

/// A constant tensor that the graph takes for a constant.
pub struct Fixed {
    /// Its value in the graph.
    pub value: ValueId,
    /// Its tensor.
    pub tensor: i32,
    /// What it held when it was compiled.
    sample: u64,
}

/// Places of a constant that every invoke looks at, from the first bytes to the last: weights too, since the host
/// does not tell inputs from them.
const PLACES: usize = 9;

/// So many bytes are looked at in one place: a line of the processor's cache.
const STRETCH: usize = 64;

impl Fixed {
    /// The model's own constants among the values of a graph.
    pub fn of(graph: &Graph, context: &Context<'_>) -> Vec<Self> {
        let tensors: HashMap<*const u8, i32> =
            context.constants().into_iter().map(|i| (start(context, i), i)).collect();
        let fixed = graph.values().filter_map(|(value, about)| {
            let bytes = (*about.constant.as_ref()?.bytes).as_ref();
            let tensor = *tensors.get(&bytes.as_ptr()).filter(|_| !bytes.is_empty())?;
            Some(Self { value, tensor, sample: sample(bytes) })
        });
        fixed.collect()
    }

    /// Whether the tensor holds something else now. Of a large one only a few places are compared.
    pub fn has_changed(&self, context: &Context<'_>) -> bool {
        context.contents(self.tensor).is_some_and(|bytes| sample(bytes) != self.sample)
    }
}

fn start(context: &Context<'_>, tensor: i32) -> *const u8 {
    context.contents(tensor).map_or(std::ptr::null(), <[u8]>::as_ptr)
}

/// Tells contents apart by what stands at [`PLACES`]; small ones wholly.
fn sample(bytes: &[u8]) -> u64 {
    let size = bytes.len() as u64;
    if bytes.len() <= PLACES * STRETCH {
        return cache::continued(size, bytes);
    }
    let last = bytes.len() - STRETCH;
    let places = (0..PLACES).map(|i| last / (PLACES - 1) * i + last % (PLACES - 1) * i / (PLACES - 1));
    places.fold(size, |hash, at| cache::continued(hash, &bytes[at..at + STRETCH]))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_see_beginning_middle_and_end() {
        let plain = vec![0u8; 100 << 10];
        for place in [0, plain.len() / 2, plain.len() - 1] {
            let mut changed = plain.clone();
            changed[place] = 1;
            assert_ne!(sample(&plain), sample(&changed), "{place}");
        }
        assert_ne!(sample(&[]), sample(&[0]));
        assert_ne!(sample(&[1, 2, 3]), sample(&[1, 2, 4]));
    }
}
