//! Looks at every node of a subgraph, chooses what to take, and tells the log why not the rest.

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use super::fixed::Fixed;
use super::kernel::DelegateKernel;
use super::look::look;
use super::partition::{self, Outline, Refusal, SubgraphHost};
use super::setup::Setup;
use super::surroundings::describe;
use crate::compile::import;
use crate::error::{Error, Result, caught};
use crate::logging::timed;
use crate::op::Findings;
use crate::options::Options;
use crate::program::Cost;
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
    let findings = Findings::default();
    let integers = context.kernels(setup.options.integers);
    let subgraph = Subgraph::new(context).with(&findings).rounding_as(integers);
    let mut nodes = Vec::new();
    for index in plan {
        match subgraph.node(index) {
            Ok(node) => nodes.push(node),
            Err(e) => return Err(Error::Model { node: format!("node #{index}"), what: e.0 }),
        }
    }
    let (mut supported, mut refused) = (Vec::new(), Vec::new());
    let mut outlines = BTreeMap::new();
    for (node, look) in nodes.iter().zip(look(&subgraph, &findings, &nodes)) {
        match look.refused.or_else(|| out_of_range(node.index(), &setup.options)) {
            None => supported.push(node.index()),
            Some(why) => refused.push((node.index(), why)),
        }
        outlines.insert(node.index(), look.outline);
    }
    let names = nodes.iter().map(|node| (node.index(), node.name())).collect();
    let survey = Survey { subgraph: &subgraph, setup, nodes: outlines, names };
    let mut selection = partition::select(&survey, &supported, setup.options.max_delegated_partitions)?;
    refused.append(&mut selection.refused);
    let taken: HashSet<i32> = selection.partitions.iter().flat_map(|(p, _)| p.nodes.clone()).collect();
    for (partition, kernel) in &mut selection.partitions {
        kernel.place(context.id(), &partition.nodes, &survey.nodes, &taken);
    }
    survey.report(&selection.partitions, &refused);
    Ok(selection.partitions)
}

/// Why a node is not among those that the options ask for.
fn out_of_range(node: i32, options: &Options) -> Option<String> {
    let (first, last) = (options.first_delegate_node_index, options.last_delegate_node_index);
    let node = usize::try_from(node).ok()?;
    if node < first {
        return Some(format!("first_delegate_node_index={first}"));
    }
    (node > last).then(|| format!("last_delegate_node_index={last}"))
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

    fn cost(&self, kernel: &DelegateKernel) -> Cost {
        kernel.cost()
    }

    fn compile(&self, partition: &Partition) -> Result<DelegateKernel, Refusal> {
        let view = self.subgraph.partition(partition).map_err(|e| Refusal::unknown(Error::from(e)))?;
        let tensors = |views: Vec<TensorView<'_>>| views.iter().map(|t| t.index()).collect();
        let (inputs, mut outputs): (Vec<i32>, Vec<i32>) = (tensors(view.inputs()), tensors(view.outputs()));
        let (mut graph, states) = timed("partition imported", || import(&view)).map_err(Refusal::unknown)?;
        outputs.extend(states);
        describe(&mut graph, self.subgraph, &self.nodes, partition, [&inputs, &outputs]);
        let fixed = Fixed::of(&graph, self.subgraph.context());
        DelegateKernel::new(graph, inputs, outputs, fixed, self.setup)
    }
}
