//! Looks at every node of a subgraph, chooses what to take, and tells the log why not the rest.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use super::kernel::DelegateKernel;
use super::partition::{self, Outline, Refusal, SubgraphHost};
use super::setup::Setup;
use super::surroundings::describe;
use crate::compile::import;
use crate::error::{Error, Result, Unsupported, caught};
use crate::ir::{DType, TensorType};
use crate::logging::timed;
use crate::op::Folds;
use crate::ops;
use crate::tflite::{Context, Partition, Subgraph, TensorView};

/// A subgraph whose foldable nodes are known to it.
struct Survey<'a> {
    subgraph: &'a Subgraph<'a>,
    setup: &'a Arc<Setup>,
    nodes: BTreeMap<i32, Outline>,
    names: BTreeMap<i32, String>,
}

/// The partitions to take, as the host will make them, with their kernels. Whatever is wrong with the model
/// or with the host's answers, nothing is taken then, and the log says why.
pub fn select(context: &Context<'_>, setup: &Arc<Setup>) -> Vec<(Partition, DelegateKernel)> {
    let failed = |e: &dyn std::fmt::Display| {
        log::warn!("the subgraph stays on the CPU: {e}");
        Vec::new()
    };
    match caught(|| choose(context, setup)) {
        Ok(Ok(chosen)) => chosen,
        Ok(Err(e)) => failed(&e),
        Err(e) => failed(&e),
    }
}

fn choose(context: &Context<'_>, setup: &Arc<Setup>) -> Result<Vec<(Partition, DelegateKernel)>> {
    let plan = context.execution_plan()?;
    let folds = Folds::default();
    let subgraph = Subgraph::new(context).with(&folds);
    let mut survey = Survey { subgraph: &subgraph, setup, nodes: BTreeMap::new(), names: BTreeMap::new() };
    let (mut supported, mut refused) = (Vec::new(), Vec::new());
    let mut nodes = Vec::new();
    for index in plan {
        match subgraph.node(index) {
            Ok(node) => nodes.push(node),
            Err(e) => return Err(Error::Model { node: format!("node #{index}"), what: e.0 }),
        }
    }
    let entangled = entangled(nodes.iter().map(|n| (n.index(), n.input_tensors(), n.output_tensors())));
    for node in nodes {
        let index = node.index();
        let parsed = match entangled.get(&index) {
            Some(why) => Err(Unsupported((*why).into())),
            None => caught(|| ops::parse(&node)).and_then(|parsed| parsed),
        };
        let constant = (0..node.input_count()).all(|i| node.input(i).is_none_or(|t| t.is_constant()));
        let fold = parsed.as_ref().ok().and_then(|p| p.op.fold()).filter(|_| constant);
        if let Some(fold) = fold {
            folds.declare(&node, fold);
        }
        match parsed {
            Ok(_) => supported.push(index),
            Err(e) => refused.push((index, e.0)),
        }
        let (inputs, outputs) = (node.input_tensors().to_vec(), node.output_tensors().to_vec());
        let is_float = |ty: TensorType| matches!(ty.dtype, DType::F32 | DType::F16);
        let integers = (0..node.output_count()).all(|i| !node.output_type(i).is_ok_and(is_float));
        survey.nodes.insert(index, Outline { inputs, outputs, folded: fold.is_some(), integers });
        survey.names.insert(index, node.name());
    }
    let mut selection = partition::select(&survey, &supported, setup.options.max_delegated_partitions)?;
    refused.append(&mut selection.refused);
    survey.report(&selection.partitions, &refused);
    Ok(selection.partitions)
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

impl Survey<'_> {
    fn report(&self, partitions: &[(Partition, DelegateKernel)], refused: &[(i32, String)]) {
        let taken: usize = partitions.iter().map(|(p, _)| p.nodes.len()).sum();
        let (all, parts) = (self.nodes.len(), partitions.len());
        log::info!("{taken} of {all} nodes delegated in {parts} partitions");
        let mut groups: BTreeMap<(&str, &str), Vec<i32>> = BTreeMap::new();
        for (node, why) in refused {
            groups.entry((&self.names[node], why)).or_default().push(*node);
        }
        for ((name, why), nodes) in groups {
            let list: Vec<String> = nodes.iter().take(SHOWN).map(|node| format!("#{node}")).collect();
            let more = if nodes.len() > SHOWN { ", …" } else { "" };
            log::info!("{} {name} on the CPU: {why} ({}{more})", nodes.len(), list.join(", "));
        }
        for (index, name) in &self.names {
            match refused.iter().find(|(node, _)| node == index) {
                Some((_, why)) => log::debug!("#{index} {name}: on the CPU: {why}"),
                None => log::debug!("#{index} {name}: delegated"),
            }
        }
    }
}

/// How many nodes are listed by number for each reason.
const SHOWN: usize = 8;

impl SubgraphHost for Survey<'_> {
    type DelegateKernel = DelegateKernel;

    fn nodes(&self) -> &BTreeMap<i32, Outline> {
        &self.nodes
    }

    fn divide(&self, nodes: &[i32]) -> Result<Vec<Partition>> {
        self.subgraph.context().preview(nodes)
    }

    fn compile(&self, partition: &Partition) -> Result<DelegateKernel, Refusal> {
        let view = self.subgraph.partition(partition).map_err(|e| Refusal::unknown(Error::from(e)))?;
        let tensors = |views: Vec<TensorView<'_>>| views.iter().map(|t| t.index()).collect();
        let (inputs, outputs): (Vec<i32>, Vec<i32>) = (tensors(view.inputs()), tensors(view.outputs()));
        let mut graph = timed("partition imported", || import(&view)).map_err(Refusal::unknown)?;
        describe(&mut graph, self.subgraph, &self.nodes, partition, [&inputs, &outputs]);
        DelegateKernel::new(graph, inputs, outputs, self.setup)
    }
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
