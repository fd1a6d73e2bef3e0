//! What choosing nodes sees of a subgraph and of its host.

use std::collections::BTreeMap;
use std::fmt;

use crate::error::Result;
use crate::program::Cost;
use crate::tflite::Partition;

/// What a node reads and writes.
#[derive(Clone, Debug, Default)]
pub struct Outline {
    /// Its operands' tensors.
    pub inputs: Vec<i32>,
    /// Its results' tensors.
    pub outputs: Vec<i32>,
    /// It only unpacks constants: it never runs, and its result is constant wherever it is read.
    pub folded: bool,
    /// It computes no floats, or only brings integers into floats.
    pub integers: bool,
}

/// Why a partition cannot be compiled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refusal {
    /// The nodes that cause it; none if unknown.
    pub nodes: Vec<i32>,
    /// The reason.
    pub why: String,
}

impl Refusal {
    /// A refusal whose cause is unknown.
    pub fn unknown(why: impl fmt::Display) -> Self {
        Self { nodes: Vec::new(), why: why.to_string() }
    }
}

/// A subgraph and its host, as far as the selection depends on them.
pub trait SubgraphHost {
    /// What stands for a partition in the interpreter.
    type DelegateKernel;
    /// Every node of the subgraph, taken or not.
    fn nodes(&self) -> &BTreeMap<i32, Outline>;
    /// How the host would divide these nodes.
    fn divide(&self, nodes: &[i32]) -> Result<Vec<Partition>>;
    /// What a compiled partition costs.
    fn cost(&self, kernel: &Self::DelegateKernel) -> Cost;
    /// Compiles a partition.
    fn compile(&self, partition: &Partition) -> Result<Self::DelegateKernel, Refusal>;
}
