//! Looks at every node of a subgraph: which can be taken, and for which sizes of open dimensions.

use std::collections::{HashMap, HashSet};

use super::partition::Outline;
use crate::error::{Unsupported, caught};
use crate::ir::{DType, HostTensor, MAX_HOST_INTEGERS, Shape, TensorType};
use crate::op::{Findings, Parsed};
use crate::ops;
use crate::tflite::{NodeView, Subgraph, TensorView};

/// What open dimensions but the first are taken for, in this order, until every node is supported: sizes of
/// pictures, since converters write 1, for which few networks mean anything.
const SIZES: &[u32] = &[256, 224, 320, 512, 64, 32, 1];

/// What was seen of a node.
pub struct Look {
    /// What it reads and writes.
    pub outline: Outline,
    /// Why it stays on the CPU.
    pub refused: Option<String>,
}

/// Looks at `nodes`, all of `subgraph` in the order of their execution. Open sizes are assumed to be those of
/// [`SIZES`] for which most nodes are supported; `findings`, of which the subgraph knows, holds them.
pub fn look(subgraph: &Subgraph<'_>, findings: &Findings, nodes: &[NodeView<'_>]) -> Vec<Look> {
    let mut entangled = entangled(nodes.iter().map(|n| (n.index(), n.input_tensors(), n.output_tensors())));
    entangled.extend(misled(nodes));
    let open = open_inputs(subgraph, nodes);
    let with_size = |size: u32| {
        findings.forget_shapes();
        for (tensor, shape, dimensions) in &open {
            let mut dims = shape.to_vec();
            // A volume of such sizes would exceed what devices bind.
            let size = if dimensions.len() > 2 { size.min(32) } else { size };
            dimensions.iter().for_each(|d| dims[*d] = size);
            findings.assume(*tensor, Shape::new(&dims));
        }
        nodes.iter().map(|node| one(findings, &entangled, node)).collect::<Vec<_>>()
    };
    if open.is_empty() {
        return with_size(1);
    }
    let refusals = |looks: &[Look]| looks.iter().filter(|look| look.refused.is_some()).count();
    let mut best = (usize::MAX, 1);
    for &size in SIZES {
        let looks = with_size(size);
        match refusals(&looks) {
            0 => return looks,
            refused if refused < best.0 => best = (refused, size),
            _ => {}
        }
    }
    with_size(best.1)
}

/// The tensors that no node computes and whose sizes are open and written as 1, with these dimensions. The
/// first dimension is the batch, for which 1 is as good as any.
fn open_inputs(subgraph: &Subgraph<'_>, nodes: &[NodeView<'_>]) -> Vec<(i32, Shape, Vec<usize>)> {
    let written: HashSet<i32> = nodes.iter().flat_map(|node| node.output_tensors()).copied().collect();
    let mut read: Vec<i32> = nodes.iter().flat_map(|node| node.input_tensors()).copied().collect();
    read.sort_unstable();
    read.dedup();
    let open = |tensor: TensorView<'_>| {
        let shape = tensor.ty().ok()?.shape;
        let dimensions = tensor.open_dimensions().into_iter().filter(|d| *d > 0 && shape.get(*d) == Some(&1));
        let dimensions: Vec<usize> = dimensions.collect();
        (!dimensions.is_empty()).then(|| (tensor.index(), shape, dimensions))
    };
    read.iter().filter(|i| !written.contains(i)).filter_map(|i| open(subgraph.tensor(*i)?)).collect()
}

/// Nodes that read what the host will give another element type than the model does, and nodes behind them.
fn misled(nodes: &[NodeView<'_>]) -> Vec<(i32, &'static str)> {
    let (mut changed, mut found) = (HashSet::<i32>::new(), Vec::new());
    for node in nodes {
        let reads = node.input_tensors().iter().any(|tensor| changed.contains(tensor));
        if reads {
            found.push((node.index(), "it reads what the CPU gives another element type than the model"));
        }
        if reads || caught(|| ops::changes_type(node)).unwrap_or(false) {
            changed.extend(node.output_tensors());
        }
    }
    found
}

/// Looks at one node, after all that are executed before it.
fn one(findings: &Findings, entangled: &HashMap<i32, &'static str>, node: &NodeView<'_>) -> Look {
    let parsed = match entangled.get(&node.index()) {
        Some(why) => Err(Unsupported((*why).into())),
        None => caught(|| ops::parse(node)).and_then(|parsed| parsed),
    };
    let constant = (0..node.input_count()).all(|i| node.input(i).is_none_or(|t| t.is_constant()));
    let fold = parsed.as_ref().ok().and_then(|p| p.op.fold()).filter(|_| constant);
    let folded = fold.is_some();
    if let Some(fold) = fold {
        findings.declare(node, fold);
    }
    if let Ok(parsed) = &parsed {
        // What cannot be told of the results stays as the model has it.
        _ = caught(|| propagate(findings, node, parsed));
    }
    let float = |ty: &TensorType| matches!(ty.dtype, DType::F32 | DType::F16);
    let quantized =
        |ty: &TensorType| matches!(ty.dtype, DType::I8 | DType::U8 | DType::I16) && ty.quant.is_some();
    let computes = |is: &dyn Fn(&TensorType) -> bool| {
        (0..node.input_count()).any(|i| node.input_type(i).is_ok_and(|ty| is(&ty)))
            && (0..node.output_count()).any(|i| node.output_type(i).is_ok_and(|ty| is(&ty)))
    };
    let integers = !computes(&float) && !computes(&quantized);
    let (inputs, outputs) = (node.input_tensors().to_vec(), node.output_tensors().to_vec());
    Look { outline: Outline { inputs, outputs, folded, integers }, refused: parsed.err().map(|e| e.0) }
}

/// Tells `findings` the shapes of a node's results, and the results themselves if they follow from shapes.
fn propagate(findings: &Findings, node: &NodeView<'_>, parsed: &Parsed) -> Result<(), Unsupported> {
    let types: Vec<Option<TensorType>> = (0..node.input_count())
        .map(|i| node.input(i).map(|_| node.input_type(i)).transpose())
        .collect::<Result<_, _>>()?;
    let shapes: Vec<Option<Shape>> = types.iter().map(|ty| ty.as_ref().map(|ty| ty.shape)).collect();
    let numbers = |i: usize| -> Option<HostTensor> {
        let tensor = node.input(i)?;
        let ty = types[i].as_ref()?;
        let few = !matches!(ty.dtype, DType::F32 | DType::F16) && ty.shape.elements() <= MAX_HOST_INTEGERS;
        findings.numbers(tensor.index()).or_else(|| tensor.constant().ok()??.on_host().ok()).filter(|_| few)
    };
    let open = |i: usize| numbers(i)?.to_i64().ok();
    let op = parsed.op.settle(&open)?.unwrap_or_else(|| parsed.op.clone());
    let results = op.infer(&shapes)?;
    for (i, shape) in results.iter().enumerate().take(node.output_count()) {
        if node.output_type(i)?.shape != *shape {
            findings.assume(node.output_tensors()[i], *shape);
        }
    }
    if let Some(result) = op.of_shapes(&shapes) {
        findings.know(node.output_tensors()[0], result);
        return Ok(());
    }
    // At least one operand follows from shapes; what is constant altogether is no news.
    let follows = (0..node.input_count()).any(|i| node.input(i).is_some_and(|t| t.follows_from_shapes()));
    let operands: Vec<Option<HostTensor>> = (0..node.input_count()).map(numbers).collect();
    if follows && types.iter().zip(&operands).all(|(ty, x)| ty.is_none() || x.is_some()) {
        let operands: Vec<Option<&HostTensor>> = operands.iter().map(Option::as_ref).collect();
        for (tensor, x) in node.output_tensors().iter().zip(op.reference(&operands)?) {
            findings.know(*tensor, x);
        }
    }
    Ok(())
}

/// The nodes that no order of execution suits but the host's own, with the reason, from each node's operands
/// and results in that order.
fn entangled<'a>(
    nodes: impl Iterator<Item = (i32, &'a [i32], &'a [i32])> + Clone,
) -> HashMap<i32, &'static str> {
    let mut writers: HashMap<i32, usize> = HashMap::new();
    for tensor in nodes.clone().flat_map(|(_, _, written)| written) {
        *writers.entry(*tensor).or_default() += 1;
    }
    let (mut done, mut entangled) = (HashSet::<i32>::new(), HashMap::new());
    for (index, read, written) in nodes {
        let touched = || read.iter().chain(written).filter(|t| **t >= 0);
        if touched().any(|t| writers.get(t).is_some_and(|n| *n > 1)) {
            entangled.insert(index, "several nodes write one of its tensors");
        } else if read.iter().any(|t| *t >= 0 && writers.contains_key(t) && !done.contains(t)) {
            entangled.insert(index, "it reads what is computed later");
        }
        done.extend(written);
    }
    entangled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nodes_that_share_results_or_run_in_circles_are_entangled() {
        let nodes: &[(i32, &[i32], &[i32])] = &[
            (0, &[0, -1], &[1]),
            (1, &[1], &[2]),
            (2, &[2, 5], &[3]),
            (3, &[3], &[4]),
            (4, &[4], &[4]),
            (5, &[3], &[5]),
            (6, &[7], &[7]),
            (7, &[5], &[-1]),
        ];
        let found = entangled(nodes.iter().copied());
        let several = "several nodes write one of its tensors";
        let later = "it reads what is computed later";
        assert_eq!(found, HashMap::from([(2, later), (3, several), (4, several), (6, later)]));
    }
}
