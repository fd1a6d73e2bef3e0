//! The host's context: tensors and nodes by index, and what the host does for a delegate.

use std::borrow::Cow;
use std::ffi::{CString, c_void};
use std::marker::PhantomData;
use std::ptr::NonNull;

use super::array::{IntArray, ints};
use super::partition::Partition;
use super::tensor_type::shape;
use super::{host_version, sys};
use crate::error::{Error, Result};
use crate::ir::Shape;
use crate::options::Integers;

/// TFLite's context of one subgraph, within one callback.
///
/// What changes the host's structures takes `&mut self`, so no view of them is alive meanwhile.
#[derive(Debug)]
pub struct Context<'a> {
    raw: NonNull<sys::TfLiteContext>,
    callback: PhantomData<&'a mut sys::TfLiteContext>,
}

/// The bytes of a kernel's tensors, for one invoke.
#[derive(Debug, Default)]
pub struct Buffers<'a> {
    /// By input; a copy of what shares memory with an output.
    pub inputs: Vec<Cow<'a, [u8]>>,
    /// By output.
    pub outputs: Vec<&'a mut [u8]>,
}

impl<'a> Context<'a> {
    /// # Safety
    /// `raw` is NULL or a context of TFLite's, and nothing but the returned value touches it or what
    /// it leads to during `'a`.
    ///
    /// # Errors
    /// If `raw` is NULL.
    pub unsafe fn new(raw: *mut sys::TfLiteContext) -> Result<Self> {
        let raw = NonNull::new(raw).ok_or_else(|| host("the context is NULL"))?;
        Ok(Self { raw, callback: PhantomData })
    }

    /// Tells contexts that exist at the same time apart.
    pub fn id(&self) -> usize {
        self.raw.as_ptr() as usize
    }

    /// The kernels that `integers` asks for: the reference kernels are this host's, if it tells its version.
    pub fn kernels(&self, integers: Integers) -> Integers {
        let function = self.get().GetNodeAndRegistration.map(|function| function as *const c_void);
        host_version::of_host(integers, function.and_then(host_version::of_library))
    }

    fn get(&self) -> &sys::TfLiteContext {
        // SAFETY: `new` was promised a live context, and the host changes it only under `&mut self`.
        unsafe { self.raw.as_ref() }
    }

    /// How many tensors there are.
    pub fn tensor_count(&self) -> usize {
        if self.get().tensors.is_null() { 0 } else { self.get().tensors_size }
    }

    fn tensor_pointer(&self, index: i32) -> Option<*mut sys::TfLiteTensor> {
        let index = usize::try_from(index).ok().filter(|i| *i < self.tensor_count())?;
        Some(self.get().tensors.wrapping_add(index))
    }

    /// The index of a tensor of this subgraph; the pointer is only compared.
    pub fn index_of(&self, tensor: *const sys::TfLiteTensor) -> Option<i32> {
        let first = self.get().tensors.addr();
        let offset = tensor.addr().checked_sub(first)?;
        let index = offset / size_of::<sys::TfLiteTensor>();
        let is_one = first != 0
            && offset.is_multiple_of(size_of::<sys::TfLiteTensor>())
            && index < self.tensor_count();
        if is_one { i32::try_from(index).ok() } else { None }
    }

    /// The tensor with this index, if there is one.
    pub(super) fn tensor(&self, index: i32) -> Option<&sys::TfLiteTensor> {
        // SAFETY: the host keeps `tensors_size` tensors there, and changes them only under `&mut self`.
        self.tensor_pointer(index).map(|tensor| unsafe { &*tensor })
    }

    /// The node with this index, if the host has one.
    pub(super) fn node(&self, index: i32) -> Option<(&sys::TfLiteNode, &sys::TfLiteRegistration)> {
        let get = self.get().GetNodeAndRegistration?;
        let (mut node, mut registration) = (std::ptr::null_mut(), std::ptr::null_mut());
        // SAFETY: the host writes two pointers to structures of its own.
        unsafe {
            let status = get(self.raw.as_ptr(), index, &mut node, &mut registration);
            if status != sys::kTfLiteOk { None } else { Some((node.as_ref()?, registration.as_ref()?)) }
        }
    }

    /// The nodes' indices in the order of their execution.
    pub fn execution_plan(&self) -> Result<Vec<i32>> {
        let get = self.get().GetExecutionPlan.ok_or_else(|| host("GetExecutionPlan is missing"))?;
        let mut plan = std::ptr::null_mut();
        // SAFETY: the host lends an array that is its own: it is copied at once.
        unsafe {
            checked("GetExecutionPlan", get(self.raw.as_ptr(), &mut plan))?;
            Ok(ints(plan).to_vec())
        }
    }

    /// How the host would divide `nodes` into partitions.
    pub fn preview(&self, nodes: &[i32]) -> Result<Vec<Partition>> {
        let preview = self.get().PreviewDelegatePartitioning;
        let preview = preview.ok_or_else(|| host("PreviewDelegatePartitioning is missing"))?;
        let (nodes, mut first, mut count) = (IntArray::new(nodes), std::ptr::null_mut(), 0);
        // SAFETY: the host borrows `nodes` for the call, changes nothing that views can see, and lends
        // `count` partitions, which are copied at once.
        unsafe {
            let status = preview(self.raw.as_ptr(), nodes.as_ptr(), &mut first, &mut count);
            checked("PreviewDelegatePartitioning", status)?;
            let count = usize::try_from(count).ok().filter(|_| !first.is_null()).unwrap_or(0);
            Ok((0..count).map(|i| Partition::read(&*first.add(i))).collect())
        }
    }

    /// Lets the host replace `nodes` by kernels: it calls `registration.init` once per partition.
    ///
    /// # Safety
    /// The functions of `registration` are sound to call as TFLite calls them, and `delegate` is the
    /// one whose `Prepare` is running.
    pub unsafe fn replace(
        &mut self,
        nodes: &[i32],
        registration: sys::TfLiteRegistration,
        delegate: *mut sys::TfLiteDelegate,
    ) -> Result<()> {
        let replace = self.get().ReplaceNodeSubsetsWithDelegateKernels;
        let replace = replace.ok_or_else(|| host("ReplaceNodeSubsetsWithDelegateKernels is missing"))?;
        let nodes = IntArray::new(nodes);
        // SAFETY: the host borrows `nodes` for the call; the rest is the caller's promise.
        let status = unsafe { replace(self.raw.as_ptr(), registration, nodes.as_ptr(), delegate) };
        checked("ReplaceNodeSubsetsWithDelegateKernels", status)
    }

    /// The constants of the model.
    pub fn constants(&self) -> Vec<i32> {
        let is_constant = |index: &i32| {
            self.tensor(*index).is_some_and(|tensor| tensor.allocation_type == sys::kTfLiteMmapRo)
        };
        (0..i32::try_from(self.tensor_count()).unwrap_or(i32::MAX)).filter(is_constant).collect()
    }

    /// The bytes of a tensor, if it has memory.
    pub fn contents(&self, index: i32) -> Option<&[u8]> {
        let tensor = self.tensor(index)?;
        // SAFETY: every member of the union is a pointer.
        let start = NonNull::new(unsafe { tensor.data.raw })?;
        // SAFETY: the host has allocated `bytes` bytes, and changes them only under `&mut self`.
        Some(unsafe { std::slice::from_raw_parts(start.as_ptr().cast(), tensor.bytes) })
    }

    /// The present shape of a tensor; dimensions may be 0.
    pub fn shape(&self, index: i32) -> Result<Shape> {
        let tensor = self.tensor(index).ok_or_else(|| host(format!("there is no tensor {index}")))?;
        shape(tensor).map_err(|e| host(format!("tensor {index}: {e}")))
    }

    /// Gives a tensor another shape, unless it has it already.
    pub fn resize(&mut self, index: i32, to: &Shape) -> Result<()> {
        let tensor = self.tensor_pointer(index).ok_or_else(|| host(format!("there is no tensor {index}")))?;
        if self.shape(index).is_ok_and(|shape| shape == *to) {
            return Ok(());
        }
        let resize = self.get().ResizeTensor.ok_or_else(|| host("ResizeTensor is missing"))?;
        let dims: Vec<i32> = to
            .iter()
            .map(|&n| i32::try_from(n))
            .collect::<Result<_, _>>()
            .map_err(|_| host(format!("tensor {index} cannot have shape {to}")))?;
        let dims = IntArray::new(&dims).to_host();
        if dims.is_null() {
            return Err(Error::OutOfMemory { what: "a shape".into(), bytes: 4 * to.len() as u64 });
        }
        // SAFETY: the tensor is the host's own; it takes over `dims`, whatever it answers.
        let status = unsafe { resize(self.raw.as_ptr(), tensor, dims) };
        checked("ResizeTensor", status)
    }

    /// The bytes of these tensors as they lie now: the host may move them between two invokes. Inputs and
    /// outputs may overlap, as in a cache that is updated in place.
    ///
    /// # Errors
    /// If a tensor does not exist or has no memory, if outputs overlap each other, or if memory does not
    /// suffice for a copy of an input that overlaps an output.
    pub fn buffers(&mut self, inputs: &[i32], outputs: &[i32]) -> Result<Buffers<'_>> {
        let at = |index: &i32| -> Result<(*mut u8, usize)> {
            let tensor = self.tensor(*index).ok_or_else(|| host(format!("there is no tensor {index}")))?;
            // SAFETY: every member of the union is a pointer.
            let start = unsafe { tensor.data.raw };
            match (start.is_null(), tensor.bytes) {
                (_, 0) => Ok((std::ptr::dangling_mut(), 0)),
                (true, _) => Err(host(format!("tensor {index} has no memory"))),
                (false, bytes) => Ok((start.cast(), bytes)),
            }
        };
        let read: Vec<_> = inputs.iter().map(at).collect::<Result<_>>()?;
        let written: Vec<_> = outputs.iter().map(at).collect::<Result<_>>()?;
        for (i, output) in written.iter().enumerate() {
            if written[..i].iter().any(|other| overlap(*output, *other)) {
                return Err(host(format!("output {} shares memory with another output", outputs[i])));
            }
        }
        let input = |index: &i32, (start, bytes): (*mut u8, usize)| {
            // SAFETY: the host has allocated `bytes` bytes for every tensor of a node that it invokes, and
            // leaves them alone until the invoke is over.
            let memory = unsafe { std::slice::from_raw_parts(start, bytes) };
            if !written.iter().any(|output| overlap((start, bytes), *output)) {
                return Ok(Cow::Borrowed(memory));
            }
            let mut copy = Vec::new();
            copy.try_reserve_exact(bytes).map_err(|_| Error::OutOfMemory {
                what: format!("a copy of input {index}, which shares memory with an output"),
                bytes: bytes as u64,
            })?;
            copy.extend_from_slice(memory);
            Ok(Cow::Owned(copy))
        };
        let inputs = inputs.iter().zip(&read).map(|(i, memory)| input(i, *memory)).collect::<Result<_>>()?;
        // SAFETY: as above; what is written overlaps nothing that is borrowed.
        unsafe {
            Ok(Buffers {
                inputs,
                outputs: written
                    .iter()
                    .map(|(start, bytes)| std::slice::from_raw_parts_mut(*start, *bytes))
                    .collect(),
            })
        }
    }

    /// Tells the host's error reporter.
    pub fn report(&self, text: &str) {
        let text = CString::new(text.replace('\0', "")).unwrap_or_default();
        if let Some(report) = self.get().ReportError {
            // SAFETY: the format takes one string.
            unsafe { report(self.raw.as_ptr(), c"%s".as_ptr(), text.as_ptr()) };
        }
    }
}

/// Whether two pieces of memory, each a start and a number of bytes, have a byte in common.
fn overlap((a, n): (*mut u8, usize), (b, m): (*mut u8, usize)) -> bool {
    n > 0 && m > 0 && a < b.wrapping_add(m) && b < a.wrapping_add(n)
}

fn host(what: impl Into<String>) -> Error {
    Error::Host(what.into())
}

fn checked(call: &str, status: sys::TfLiteStatus) -> Result<()> {
    if status == sys::kTfLiteOk { Ok(()) } else { Err(host(format!("{call} failed with status {status}"))) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tflite::mock::Host;

    #[test]
    fn null_is_no_context() {
        // SAFETY: NULL is allowed.
        assert!(unsafe { Context::new(std::ptr::null_mut()) }.is_err());
    }

    #[test]
    fn missing_functions_are_errors() {
        let mut host = Host::new();
        host.tensor(&[2]);
        host.raw = sys::TfLiteContext { impl_: host.raw.impl_, ..Default::default() };
        let mut context = host.context();
        assert!(context.execution_plan().is_err());
        assert!(context.preview(&[0]).is_err());
        assert!(context.resize(0, &Shape::new(&[3])).is_err());
        context.report("nobody listens");
        // SAFETY: the registration is empty, and nobody is there to call it.
        assert!(unsafe { context.replace(&[0], Default::default(), std::ptr::null_mut()) }.is_err());
    }

    #[test]
    fn failures_of_the_host_are_errors() {
        let mut host = Host::new();
        host.tensor(&[2]);
        host.status = sys::kTfLiteError;
        let mut context = host.context();
        assert!(context.execution_plan().is_err());
        assert!(context.preview(&[0]).is_err());
        assert!(context.resize(0, &Shape::new(&[3])).is_err());
    }

    #[test]
    fn no_tensors_and_no_plan_are_empty() {
        let mut host = Host::new();
        host.plan = None;
        host.tensor(&[2]);
        let context = host.context();
        assert_eq!(context.execution_plan(), Ok(vec![]));
        assert_eq!(context.tensor_count(), 1);
        host.raw.tensors = std::ptr::null_mut();
        // SAFETY: the context is the host's own.
        let context = unsafe { Context::new(&raw mut host.raw) }.unwrap();
        assert_eq!(context.tensor_count(), 0);
    }

    #[test]
    fn only_another_shape_is_a_resize() {
        let mut host = Host::new();
        host.tensor(&[2, 3]);
        host.tensor(&[1]).dims = std::ptr::null_mut();
        let mut context = host.context();
        context.resize(0, &Shape::new(&[2, 3])).unwrap();
        context.resize(0, &Shape::new(&[2, 0])).unwrap();
        context.resize(1, &Shape::new(&[])).unwrap();
        assert!(context.resize(2, &Shape::new(&[])).is_err());
        assert!(context.resize(0, &Shape::new(&[u32::MAX])).is_err());
        assert_eq!(context.shape(0), Ok(Shape::new(&[2, 0])));
        assert_eq!(host.resized, [(0, vec![2, 0]), (1, vec![])]);
    }

    #[test]
    fn buffers_are_where_the_tensors_are_now() {
        let mut host = Host::new();
        for bytes in [[1, 2, 3, 4], [0; 4]] {
            host.tensor(&[1]);
            host.fill(host.tensors.len() - 1, &bytes);
        }
        host.context().buffers(&[0], &[1]).unwrap().outputs[0].copy_from_slice(&[9; 4]);
        assert_eq!(host.context().buffers(&[1], &[]).unwrap().inputs[0][..], [9; 4]);
        // Another buffer, and other tensors.
        host.fill(0, &[5, 6, 7]);
        host.tensors.reserve_exact(1000);
        let mut context = host.context();
        let buffers = context.buffers(&[0, 0], &[]).unwrap();
        assert!(buffers.inputs.iter().all(|input| input[..] == [5, 6, 7]));
    }

    #[test]
    fn inputs_that_overlap_outputs_are_copies() {
        let mut host = Host::new();
        for _ in 0..3 {
            host.tensor(&[1]);
        }
        host.fill(0, &[1, 2, 3, 4]);
        host.fill(2, &[5, 6, 7, 8]);
        // SAFETY: every member of the union is a pointer.
        host.tensors[1].data.raw = unsafe { host.tensors[0].data.raw.add(3) };
        host.tensors[1].bytes = 1;
        for (inputs, output) in [([0, 2], 0), ([0, 2], 1), ([2, 0], 0)] {
            host.fill(0, &[1, 2, 3, 4]);
            // SAFETY: as above.
            host.tensors[1].data.raw = unsafe { host.tensors[0].data.raw.add(3) };
            let mut context = host.context();
            let buffers = context.buffers(&inputs, &[output]).unwrap();
            for bytes in buffers.outputs {
                bytes.fill(9);
            }
            for (index, input) in inputs.iter().zip(&buffers.inputs) {
                assert_eq!(matches!(input, Cow::Owned(_)), *index == 0, "{index} with output {output}");
                assert_eq!(input[..], [[1, 2, 3, 4], [5, 6, 7, 8]][*index as usize / 2]);
            }
            assert_eq!(context.buffers(&[0], &[]).unwrap().inputs[0][3], 9);
        }
    }

    #[test]
    fn outputs_that_overlap_and_tensors_without_memory_are_errors() {
        let mut host = Host::new();
        for _ in 0..3 {
            host.tensor(&[1]);
        }
        host.fill(0, &[1, 2, 3, 4]);
        // SAFETY: every member of the union is a pointer.
        host.tensors[1].data.raw = unsafe { host.tensors[0].data.raw.add(3) };
        host.tensors[1].bytes = 1;
        let mut context = host.context();
        assert!(context.buffers(&[0, 1], &[]).is_ok());
        assert!(context.buffers(&[], &[0, 1]).is_err());
        assert!(context.buffers(&[], &[0, 0]).is_err());
        assert!(context.buffers(&[7], &[]).is_err() && context.buffers(&[], &[-1]).is_err());
        // No memory, which is right for no bytes only.
        assert_eq!(context.buffers(&[2], &[2]).unwrap().inputs[0].len(), 0);
        host.tensors[2].bytes = 4;
        assert!(host.context().buffers(&[2], &[]).is_err());
    }
}
