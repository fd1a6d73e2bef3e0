//! Which nodes to take: a pure function of what nodes read and write, what can be compiled, and how
//! the host would divide them.

use std::collections::{BTreeMap, BTreeSet, HashMap};

pub use super::subgraph_host::{Outline, Refusal, SubgraphHost};
use crate::error::{Result, caught};
use crate::program::Cost;
use crate::tflite::Partition;

/// What to take, and what not.
pub struct Selection<K> {
    /// The partitions as the host will make them, each with its kernel.
    pub partitions: Vec<(Partition, K)>,
    /// Nodes that stay on the CPU, with the reason.
    pub refused: Vec<(i32, String)>,
}

/// Selects among the nodes `supported`. At most `limit` partitions that compute something are taken,
/// the largest; 0 means all.
pub fn select<H: SubgraphHost>(
    host: &H,
    supported: &[i32],
    limit: usize,
) -> Result<Selection<H::DelegateKernel>> {
    let mut nodes: BTreeSet<i32> = supported.iter().copied().collect();
    let mut refused: Vec<(i32, String)> = Vec::new();
    let mut kernels: HashMap<Partition, H::DelegateKernel> = HashMap::new();
    let results = results(host)?;
    loop {
        let taken: Vec<i32> = nodes.iter().copied().collect();
        let partitions = if taken.is_empty() { Vec::new() } else { host.divide(&taken)? };
        let mut out = needed_outside(host.nodes(), &nodes, &results);
        if out.is_empty() {
            out = between_cpu_nodes(host.nodes(), &partitions);
        }
        if out.is_empty() {
            out = beyond_limit(host.nodes(), &partitions, limit);
        }
        if out.is_empty() {
            for partition in &partitions {
                if kernels.contains_key(partition) {
                    continue;
                }
                match compile(host, partition) {
                    Ok(kernel) => drop(kernels.insert(partition.clone(), kernel)),
                    Err(refusal) => out.extend(blame(host, partition, refusal)),
                }
            }
        }
        if out.is_empty() {
            out = too_small(host, &partitions, &kernels);
        }
        out.retain(|(node, _)| nodes.remove(node));
        if out.is_empty() {
            let kernel = |p: Partition| kernels.remove(&p).map(|kernel| (p, kernel));
            return Ok(Selection {
                partitions: partitions.into_iter().filter_map(kernel).collect(),
                refused,
            });
        }
        refused.append(&mut out);
    }
}

/// Compiles a partition; a panic is a refusal.
fn compile<H: SubgraphHost>(host: &H, partition: &Partition) -> Result<H::DelegateKernel, Refusal> {
    caught(|| host.compile(partition)).map_err(Refusal::unknown).and_then(|kernel| kernel)
}

/// The subgraph's own outputs. The host does not list them, but they would be the partition's outputs if
/// every node were taken.
fn results<H: SubgraphHost>(host: &H) -> Result<BTreeSet<i32>> {
    let all: Vec<i32> = host.nodes().keys().copied().collect();
    Ok(host.divide(&all)?.into_iter().flat_map(|p| p.outputs).collect())
}

/// Folded nodes whose result the CPU reads: they stay there, and are computed once.
fn needed_outside(
    all: &BTreeMap<i32, Outline>,
    taken: &BTreeSet<i32>,
    results: &BTreeSet<i32>,
) -> Vec<(i32, String)> {
    let left = all.iter().filter(|(index, _)| !taken.contains(index));
    let read_by_cpu: BTreeSet<i32> = left.flat_map(|(_, node)| node.inputs.iter().copied()).collect();
    let needed = |tensor: &i32| read_by_cpu.contains(tensor) || results.contains(tensor);
    let unpacks =
        |index: &&i32| all.get(index).is_some_and(|node| node.folded && node.outputs.iter().any(needed));
    taken.iter().filter(unpacks).map(|index| (*index, "the CPU reads its result".into())).collect()
}

/// The nodes of the smallest partitions, if there are too many.
fn beyond_limit(all: &BTreeMap<i32, Outline>, partitions: &[Partition], limit: usize) -> Vec<(i32, String)> {
    let size = |p: &Partition| p.nodes.iter().filter(|n| all.get(n).is_some_and(|n| !n.folded)).count();
    let mut by_size: Vec<(usize, &Partition)> =
        partitions.iter().map(|p| (size(p), p)).filter(|(size, _)| *size > 0).collect();
    if limit == 0 || by_size.len() <= limit {
        return Vec::new();
    }
    by_size.sort_by_key(|(size, p)| (std::cmp::Reverse(*size), p.nodes.first().copied()));
    let why = format!("max_delegated_partitions={limit}");
    by_size[limit..].iter().flat_map(|(_, p)| &p.nodes).map(|node| (*node, why.clone())).collect()
}

/// How many partitions of any size cost a host little.
const FEW_PARTITIONS: usize = 4;

/// The nodes of partitions that a CPU computes sooner than a device takes to begin, where there are many.
fn too_small<H: SubgraphHost>(
    host: &H,
    partitions: &[Partition],
    kernels: &HashMap<Partition, H::DelegateKernel>,
) -> Vec<(i32, String)> {
    // About a core's operations and bytes per second, and what a submission takes.
    let (ops, bytes, submission) = (20e9, 20e9, 50e-6);
    let on_cpu = |cost: Cost| cost.ops as f64 / ops + cost.bytes as f64 / bytes;
    let small = |p: &&Partition| kernels.get(*p).is_some_and(|k| on_cpu(host.cost(k)) < submission);
    if partitions.len() <= FEW_PARTITIONS {
        return Vec::new();
    }
    let why = "one of many partitions that are less work than a submission";
    let computes = |p: &&Partition| p.nodes.iter().any(|n| host.nodes().get(n).is_some_and(|n| !n.folded));
    partitions
        .iter()
        .filter(computes)
        .filter(small)
        .flat_map(|p| &p.nodes)
        .map(|node| (*node, why.into()))
        .collect()
}

/// The nodes of partitions that compute no floats, if the CPU has nodes too: what is taken from between
/// these costs more to bring to the device and back than to compute.
fn between_cpu_nodes(all: &BTreeMap<i32, Outline>, partitions: &[Partition]) -> Vec<(i32, String)> {
    let integers = |node: &i32| all.get(node).is_some_and(|node| node.integers || node.folded);
    let between = |p: &&Partition| p.nodes.len() < all.len() && p.nodes.iter().all(integers);
    let why = "it computes integers between nodes of the CPU";
    let nodes = partitions.iter().filter(between).flat_map(|p| &p.nodes);
    nodes.filter(|node| all.get(node).is_some_and(|node| !node.folded)).map(|n| (*n, why.into())).collect()
}

/// The nodes that keep a partition from being compiled: those named, else those that cannot be
/// compiled alone, else all.
fn blame<H: SubgraphHost>(host: &H, partition: &Partition, refusal: Refusal) -> Vec<(i32, String)> {
    let named: Vec<i32> = refusal.nodes.iter().copied().filter(|n| partition.nodes.contains(n)).collect();
    if !named.is_empty() {
        return named.into_iter().map(|node| (node, refusal.why.clone())).collect();
    }
    let alone = |index: &i32| {
        let node = host.nodes().get(index)?;
        let partition =
            Partition { nodes: vec![*index], inputs: node.inputs.clone(), outputs: node.outputs.clone() };
        compile(host, &partition).err().map(|refusal| (*index, refusal.why))
    };
    let culprits: Vec<_> = match partition.nodes.len() {
        1 => Vec::new(),
        _ => partition.nodes.iter().filter_map(alone).collect(),
    };
    if culprits.is_empty() {
        return partition.nodes.iter().map(|node| (*node, refusal.why.clone())).collect();
    }
    culprits
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;

    use super::*;

    /// A chain or graph of nodes; partitions are made as TFLite does, by running whatever is ready of
    /// one side until nothing is, and then of the other.
    struct Mock {
        nodes: BTreeMap<i32, Outline>,
        results: Vec<i32>,
        /// Nodes that cannot be compiled, named by the refusal or not.
        bad: Vec<i32>,
        names_bad: bool,
        /// The compiler panics instead.
        panics: bool,
        compiled: RefCell<usize>,
        /// Operations of each node.
        ops: u64,
    }

    impl Mock {
        fn new(nodes: &[(&[i32], i32)], folded: &[i32], results: &[i32]) -> Self {
            let outline = |(i, (inputs, output)): (usize, &(&[i32], i32))| {
                let folded = folded.contains(&(i as i32));
                (
                    i as i32,
                    Outline { inputs: inputs.to_vec(), outputs: vec![*output], folded, integers: false },
                )
            };
            let nodes = nodes.iter().enumerate().map(outline).collect();
            Self {
                nodes,
                results: results.to_vec(),
                bad: vec![],
                names_bad: false,
                panics: false,
                compiled: RefCell::new(0),
                ops: 1 << 30,
            }
        }

        fn chosen(&self, supported: &[i32], limit: usize) -> Vec<Vec<i32>> {
            let selection = select(self, supported, limit).unwrap();
            let taken: usize = selection.partitions.iter().map(|(p, _)| p.nodes.len()).sum();
            assert_eq!(taken + selection.refused.len(), supported.len());
            selection.partitions.into_iter().map(|(p, _)| p.nodes).collect()
        }
    }

    impl SubgraphHost for Mock {
        type DelegateKernel = u64;

        fn nodes(&self) -> &BTreeMap<i32, Outline> {
            &self.nodes
        }

        fn cost(&self, kernel: &u64) -> Cost {
            Cost { ops: *kernel, bytes: 0 }
        }

        fn divide(&self, taken: &[i32]) -> Result<Vec<Partition>> {
            let made: BTreeSet<i32> = self.nodes.values().flat_map(|n| n.outputs.clone()).collect();
            let mut done: BTreeMap<i32, usize> = BTreeMap::new();
            let mut sets: Vec<(bool, Vec<i32>)> = Vec::new();
            let mut side = !taken.contains(&0);
            while done.len() < self.nodes.len() {
                side = !side;
                sets.push((side, Vec::new()));
                let epoch = sets.len() - 1;
                for (i, node) in &self.nodes {
                    let ready = |t: &i32| {
                        !made.contains(t)
                            || self.nodes.iter().any(|(j, n)| n.outputs.contains(t) && done.contains_key(j))
                    };
                    if !done.contains_key(i) && taken.contains(i) == side && node.inputs.iter().all(ready) {
                        done.insert(*i, epoch);
                        sets[epoch].1.push(*i);
                    }
                }
            }
            let epoch_of =
                |t: i32| self.nodes.iter().find(|(_, n)| n.outputs.contains(&t)).map(|(i, _)| done[i]);
            let partition = |(epoch, (_, nodes)): (usize, &(bool, Vec<i32>))| {
                let inside = |i: &i32| done[i] == epoch;
                let of = |i: &i32| &self.nodes[i];
                let reads: BTreeSet<i32> = nodes
                    .iter()
                    .flat_map(|i| of(i).inputs.clone())
                    .filter(|t| epoch_of(*t) != Some(epoch))
                    .collect();
                let outside: BTreeSet<i32> = self
                    .nodes
                    .keys()
                    .filter(|i| !inside(i))
                    .flat_map(|i| of(i).inputs.clone())
                    .chain(self.results.clone())
                    .collect();
                let writes = nodes.iter().flat_map(|i| of(i).outputs.clone()).filter(|t| outside.contains(t));
                Partition {
                    nodes: nodes.clone(),
                    inputs: reads.into_iter().collect(),
                    outputs: writes.collect(),
                }
            };
            let ours = sets.iter().enumerate().filter(|(_, (side, nodes))| *side && !nodes.is_empty());
            Ok(ours.map(partition).collect())
        }

        fn compile(&self, partition: &Partition) -> Result<u64, Refusal> {
            *self.compiled.borrow_mut() += 1;
            let bad: Vec<i32> = partition.nodes.iter().copied().filter(|n| self.bad.contains(n)).collect();
            match bad.first() {
                Some(n) if self.panics => panic!("{n} is bad"),
                None => Ok(self.ops * partition.nodes.len() as u64),
                Some(n) => Err(Refusal {
                    nodes: if self.names_bad { bad.clone() } else { vec![] },
                    why: format!("{n} is bad"),
                }),
            }
        }
    }

    /// Node `i` reads tensor `i` and writes tensor `i + 1`.
    fn chain(n: i32) -> Mock {
        let inputs: Vec<[i32; 1]> = (0..n).map(|i| [i]).collect();
        let nodes: Vec<(&[i32], i32)> = inputs.iter().map(|i| (i.as_slice(), i[0] + 1)).collect();
        Mock::new(&nodes, &[], &[n])
    }

    #[test]
    fn all_of_it_or_what_is_supported() {
        assert_eq!(chain(4).chosen(&[0, 1, 2, 3], 0), [[0, 1, 2, 3]]);
        assert_eq!(chain(4).chosen(&[0, 2, 3], 0), [vec![0], vec![2, 3]]);
        assert_eq!(chain(4).chosen(&[], 0), Vec::<Vec<i32>>::new());
    }

    #[test]
    fn a_limit_keeps_the_largest() {
        assert_eq!(chain(7).chosen(&[0, 2, 3, 5, 6], 1), [[2, 3]]);
        assert_eq!(chain(7).chosen(&[0, 2, 3, 5, 6], 2), [[2, 3], [5, 6]]);
        assert_eq!(chain(7).chosen(&[0, 2, 3, 5, 6], 3).len(), 3);
    }

    #[test]
    fn integers_between_nodes_of_the_cpu_stay_there() {
        let mut model = chain(7);
        for node in [0, 1, 3, 4] {
            model.nodes.get_mut(&node).unwrap().integers = true;
        }
        assert_eq!(model.chosen(&[0, 1, 3, 4, 5], 0), [[3, 4, 5]]);
        model.nodes.values_mut().for_each(|node| node.integers = true);
        assert_eq!(model.chosen(&[0, 1, 2, 3, 4, 5, 6], 0).len(), 1);
    }

    #[test]
    fn many_small_partitions_stay() {
        let taken = |ops| Mock { ops, ..chain(11) }.chosen(&[0, 2, 4, 6, 8, 9, 10], 0).len();
        assert_eq!(taken(1 << 30), 5);
        assert_eq!(taken(10), 0);
        // Three nodes together are enough.
        assert_eq!(taken(400_000), 1);
        assert_eq!(Mock { ops: 10, ..chain(8) }.chosen(&[0, 2, 4, 6], 0).len(), 4);
    }

    #[test]
    fn what_cannot_be_compiled_stays_and_the_rest_goes() {
        for names_bad in [false, true] {
            let model = Mock { bad: vec![1], names_bad, ..chain(4) };
            let selection = select(&model, &[0, 1, 2, 3], 0).unwrap();
            assert_eq!(selection.refused, [(1, "1 is bad".to_string())]);
            let nodes: Vec<_> = selection.partitions.into_iter().map(|(p, _)| p.nodes).collect();
            assert_eq!(nodes, [vec![0], vec![2, 3]]);
        }
        let model = Mock { bad: vec![0, 1], ..chain(2) };
        assert_eq!(model.chosen(&[0, 1], 0), Vec::<Vec<i32>>::new());
    }

    #[test]
    fn a_panic_of_the_compiler_costs_the_nodes_that_cause_it() {
        let model = Mock { bad: vec![1], panics: true, ..chain(4) };
        let selection = select(&model, &[0, 1, 2, 3], 0).unwrap();
        assert_eq!(selection.refused, [(1, "internal error: 1 is bad".to_string())]);
        assert_eq!(selection.partitions.len(), 2);
    }

    #[test]
    fn partitions_are_compiled_once() {
        let model = Mock { bad: vec![5], names_bad: true, ..chain(6) };
        model.chosen(&[0, 1, 3, 5], 0);
        assert_eq!(*model.compiled.borrow(), 3);
    }

    /// 0 unpacks constant 10 to 11; 1 reads the input 0 and 11; 2 reads 1 and 11.
    fn weights(results: &[i32]) -> Mock {
        Mock::new(&[(&[10], 11), (&[0, 11], 1), (&[1, 11], 2)], &[0], results)
    }

    #[test]
    fn a_folded_node_is_taken_with_its_readers_only() {
        assert_eq!(weights(&[2]).chosen(&[0, 1, 2], 0), [[0, 1, 2]]);
        assert_eq!(weights(&[2]).chosen(&[0, 1], 0), [[1]]);
        assert_eq!(weights(&[2]).chosen(&[0], 0), Vec::<Vec<i32>>::new());
        assert_eq!(weights(&[2, 11]).chosen(&[0, 1, 2], 0), [[1, 2]]);
    }

    #[test]
    fn folded_nodes_in_a_partition_of_their_own_do_not_count() {
        // 0 is unsupported, 1 unpacks, 2 and 4 are supported, 3 is not.
        let nodes: &[(&[i32], i32)] = &[(&[0], 1), (&[10], 11), (&[1, 11], 2), (&[2], 3), (&[3], 4)];
        let model = Mock::new(nodes, &[1], &[4]);
        assert_eq!(model.chosen(&[1, 2, 4], 0).len(), 2);
        assert_eq!(model.chosen(&[1, 2, 4], 1), [[1, 2]]);
    }
}
