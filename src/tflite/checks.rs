//! Checks that most `parse` functions share, each with the sentence that it answers.

use std::ops::RangeInclusive;

use super::{BuiltinParams, NodeView};
use crate::error::Unsupported;
use crate::ir::{Constant, DType, Step, TensorType, is_scale};
use crate::unsupported;

impl NodeView<'_> {
    /// Requires this many operands (trailing absent ones count) and results.
    pub fn expect(&self, inputs: RangeInclusive<usize>, outputs: usize) -> Result<(), Unsupported> {
        let (got, least, most) = (self.input_count(), inputs.start(), inputs.end());
        if !inputs.contains(&got) {
            let want = if least == most { format!("{least}") } else { format!("{least} to {most}") };
            unsupported!("{} takes {want} inputs, got {got}", self.name());
        }
        if self.output_count() != outputs {
            unsupported!("{} gives {outputs} outputs, got {}", self.name(), self.output_count());
        }
        Ok(())
    }

    /// The builtin parameters, which the host must give.
    pub fn required_params<T: BuiltinParams>(&self) -> Result<&T, Unsupported> {
        self.params().ok_or_else(|| Unsupported(format!("{} has no parameters", self.name())))
    }

    /// Type of operand `i`, which must be present.
    pub fn input_type(&self, i: usize) -> Result<TensorType, Unsupported> {
        let Some(tensor) = self.input(i) else { unsupported!("input {i} is missing") };
        tensor.ty().map_err(|e| Unsupported(format!("input {i}: {e}")))
    }

    /// Type of result `i`.
    pub fn output_type(&self, i: usize) -> Result<TensorType, Unsupported> {
        let Some(tensor) = self.output(i) else { unsupported!("output {i} is missing") };
        tensor.ty().map_err(|e| Unsupported(format!("output {i}: {e}")))
    }

    /// Requires that operand 0 and result 0 stand for the same numbers, if they are quantised: equal zero points, and
    /// scales that differ by no more than `tolerance`.
    pub fn same_quantization(&self, tolerance: f32) -> Result<(), Unsupported> {
        let (x, y) = (self.input_type(0)?, self.output_type(0)?);
        let near = match (x.quant.as_deref(), y.quant.as_deref()) {
            (None, None) => true,
            (Some(x), Some(y)) => match (&x.scale[..], &y.scale[..]) {
                ([a], [b]) => (a - b).abs() <= tolerance && x.zero_point == y.zero_point,
                _ => false,
            },
            _ => false,
        };
        if !near {
            unsupported!("{x} becomes {y}, equal scales and zero points are supported");
        }
        Ok(())
    }

    /// Type of operand `i`, which must be float32.
    pub fn float(&self, i: usize) -> Result<TensorType, Unsupported> {
        let ty = self.input_type(i)?;
        if ty.dtype != DType::F32 {
            unsupported!("input {i} is {}, only float32 is supported", ty.dtype);
        }
        Ok(ty)
    }

    /// Type of operand `i`, which must be a float32 activation (not constant) of this rank.
    pub fn float_rank(&self, i: usize, rank: usize) -> Result<TensorType, Unsupported> {
        let ty = self.float(i)?;
        if ty.shape.len() != rank {
            unsupported!("input {i} has rank {}, {rank} expected", ty.shape.len());
        }
        Ok(ty)
    }

    /// The contents of operand `i`, which must be constant.
    pub fn constant(&self, i: usize) -> Result<Constant, Unsupported> {
        let Some(tensor) = self.input(i) else { unsupported!("input {i} is missing") };
        tensor.check_sparse()?;
        match tensor.constant()? {
            Some(constant) => Ok(constant),
            None => unsupported!("input {i} is not constant"),
        }
    }

    /// The contents of operand `i` if it is constant, which are checked; `None` if it is computed, or left out.
    pub fn known(&self, i: usize) -> Result<Option<Constant>, Unsupported> {
        if !self.input(i).is_some_and(|tensor| tensor.is_constant()) {
            return Ok(None);
        }
        let constant = self.constant(i)?;
        constant.check()?;
        Ok(Some(constant))
    }

    /// Whether one of these operands is present and computed.
    pub fn is_computed(&self, operands: &[usize]) -> bool {
        operands.iter().any(|i| self.input(*i).is_some_and(|tensor| !tensor.is_constant()))
    }

    /// The numbers of operand `i`, which must be a constant of integers.
    pub fn ints(&self, i: usize) -> Result<Vec<i64>, Unsupported> {
        self.constant(i)?.to_i64().map_err(|e| Unsupported(format!("input {i}: {e}")))
    }

    /// The numbers of operand `i`, which must be a constant of integers; `None` if they follow from shapes, so
    /// that they are known once those are.
    pub fn ints_or_open(&self, i: usize) -> Result<Option<Vec<i64>>, Unsupported> {
        match self.input(i).is_some_and(|tensor| tensor.follows_from_shapes()) {
            true => Ok(None),
            false => self.ints(i).map(Some),
        }
    }

    /// Type of operand `i`, which must be constant float32 weights of this rank. They may be stored as fp16, or as
    /// integers that DEQUANTIZE has made floats.
    pub fn weights(&self, i: usize, rank: usize) -> Result<TensorType, Unsupported> {
        let ty = self.float_rank(i, rank)?;
        let constant = self.constant(i)?;
        if !constant.is_float() {
            unsupported!("weights {constant:?} (float32 and float16 are supported)");
        }
        if ty.shape.contains(&0) {
            unsupported!("weights {ty}");
        }
        Ok(ty)
    }

    /// The same for operators with float operands that take weights of int8 too. These are quantised around 0, with one
    /// scale or several along one of `axes`.
    pub fn weights_or_int8(&self, i: usize, rank: usize, axes: &[usize]) -> Result<TensorType, Unsupported> {
        let ty = self.input_type(i)?;
        if ty.dtype != DType::I8 {
            return self.weights(i, rank);
        }
        let Some(quant) = &ty.quant else { unsupported!("weights {ty} are not quantised") };
        if ty.shape.len() != rank || ty.shape.contains(&0) {
            unsupported!("weights {ty}, rank {rank} expected");
        }
        if let Some(scale) = quant.scale.iter().find(|scale| !is_scale(**scale)) {
            unsupported!("weights of scale {scale}");
        }
        // TFLite's kernels take no notice of another one.
        if let Some(zero_point) = quant.zero_point.iter().find(|n| **n != 0) {
            unsupported!("weights of int8 around {zero_point} for floats, 0 is supported");
        }
        if quant.scale.len() > 1 && !axes.contains(&quant.axis) {
            unsupported!("weights {ty} have a scale for each of dimension {}", quant.axis);
        }
        self.constant(i)?.check()?;
        Ok(ty)
    }

    /// The step that adds operand `i`, if present: a constant with one element per channel.
    pub fn bias(&self, i: usize, channels: u32) -> Result<Option<Step>, Unsupported> {
        if i >= self.input_count() || self.input(i).is_none() {
            return Ok(None);
        }
        let ty = self.weights(i, 1)?;
        if ty.shape[0] != channels {
            unsupported!("a bias {ty} for {channels} channels");
        }
        Ok(Some(Step::bias(i)))
    }
}
