//! A host in miniature for tests: a context whose tensors and nodes are written by hand, right or wrong.

use std::ffi::{CString, c_int, c_void};
use std::ptr::{null, null_mut};

use super::array::IntArray;
use super::{Context, sys};

/// The host. What it was given stays alive with it.
pub struct Host {
    pub raw: sys::TfLiteContext,
    pub tensors: Vec<sys::TfLiteTensor>,
    pub nodes: Vec<(sys::TfLiteNode, sys::TfLiteRegistration)>,
    /// What `GetExecutionPlan` lends; NULL if `None`.
    pub plan: Option<IntArray>,
    /// What every call but `GetNodeAndRegistration` answers.
    pub status: sys::TfLiteStatus,
    /// What was resized: the tensor's place and its new dimensions.
    pub resized: Vec<(usize, Vec<i32>)>,
    /// What kernels were made by `ReplaceNodeSubsetsWithDelegateKernels`: one of all nodes.
    pub registration: Option<sys::TfLiteRegistration>,
    pub kernel: *mut c_void,
    keep: Vec<Box<dyn std::any::Any>>,
}

impl Host {
    pub fn new() -> Box<Self> {
        let raw = sys::TfLiteContext {
            GetExecutionPlan: Some(plan),
            GetNodeAndRegistration: Some(node),
            PreviewDelegatePartitioning: Some(preview),
            ReplaceNodeSubsetsWithDelegateKernels: Some(replace),
            ResizeTensor: Some(resize),
            ..Default::default()
        };
        let mut host = Box::new(Self {
            raw,
            tensors: Vec::new(),
            nodes: Vec::new(),
            plan: Some(IntArray::new(&[])),
            status: sys::kTfLiteOk,
            resized: Vec::new(),
            registration: None,
            kernel: null_mut(),
            keep: Vec::new(),
        });
        host.raw.impl_ = (&raw mut *host).cast();
        host
    }

    /// The context as a callback sees it now.
    pub fn context(&mut self) -> Context<'_> {
        self.raw.tensors = self.tensors.as_mut_ptr();
        self.raw.tensors_size = self.tensors.len();
        // SAFETY: the host is borrowed as long as the context.
        unsafe { Context::new(&raw mut self.raw) }.unwrap()
    }

    /// Keeps a value alive and gives a pointer to it.
    pub fn keep<T: 'static>(&mut self, value: T) -> *mut T {
        let mut kept = Box::new(value);
        let pointer = &raw mut *kept;
        self.keep.push(kept);
        pointer
    }

    pub fn ints(&mut self, data: &[i32]) -> *mut sys::TfLiteIntArray {
        // SAFETY: the array is alive.
        unsafe { (*self.keep(IntArray::new(data))).as_ptr().cast_mut() }
    }

    pub fn floats(&mut self, data: &[f32]) -> *mut sys::TfLiteFloatArray {
        let bits: Vec<i32> = data.iter().map(|x| x.to_bits() as i32).collect();
        self.ints(&bits).cast()
    }

    /// A float32 tensor in the arena, without memory.
    pub fn tensor(&mut self, dims: &[i32]) -> &mut sys::TfLiteTensor {
        let dims = self.ints(dims);
        let name = self.keep(CString::new(format!("t{}", self.tensors.len())).unwrap());
        self.tensors.push(sys::TfLiteTensor {
            type_: sys::kTfLiteFloat32,
            dims,
            // SAFETY: the name is alive.
            name: unsafe { (*name).as_ptr() },
            allocation_type: sys::kTfLiteArenaRw,
            ..Default::default()
        });
        self.tensors.last_mut().unwrap()
    }

    /// Gives a tensor memory with these bytes.
    pub fn fill(&mut self, tensor: usize, bytes: &[u8]) {
        let data = self.keep(bytes.to_vec());
        // SAFETY: the bytes are alive.
        let raw = unsafe { (*data).as_mut_ptr() };
        self.tensors[tensor].data = sys::TfLitePtrUnion { raw: raw.cast() };
        self.tensors[tensor].bytes = bytes.len();
    }

    /// A constant of the model.
    pub fn constant(&mut self, dims: &[i32], type_: sys::TfLiteType, bytes: &[u8]) -> usize {
        let tensor = self.tensor(dims);
        tensor.type_ = type_;
        tensor.allocation_type = sys::kTfLiteMmapRo;
        let index = self.tensors.len() - 1;
        self.fill(index, bytes);
        index
    }

    /// A node that is the next one in the plan.
    pub fn node(&mut self, code: u32, inputs: &[i32], outputs: &[i32]) -> &mut sys::TfLiteNode {
        let (inputs, outputs) = (self.ints(inputs), self.ints(outputs));
        let node = sys::TfLiteNode { inputs, outputs, ..Default::default() };
        let registration =
            sys::TfLiteRegistration { builtin_code: code as i32, version: 1, ..Default::default() };
        self.nodes.push((node, registration));
        let all: Vec<i32> = (0..self.nodes.len() as i32).collect();
        self.plan = Some(IntArray::new(&all));
        &mut self.nodes.last_mut().unwrap().0
    }
}

/// # Safety
/// `context` is that of a host that is alive.
unsafe fn host<'a>(context: *mut sys::TfLiteContext) -> &'a mut Host {
    // SAFETY: as the caller promises.
    unsafe { &mut *(*context).impl_.cast() }
}

unsafe extern "C" fn plan(
    context: *mut sys::TfLiteContext,
    plan: *mut *mut sys::TfLiteIntArray,
) -> sys::TfLiteStatus {
    // SAFETY: the context is ours, and the caller gives a place for the answer.
    unsafe {
        let host = host(context);
        *plan = host.plan.as_ref().map_or(null(), IntArray::as_ptr).cast_mut();
        host.status
    }
}

unsafe extern "C" fn node(
    context: *mut sys::TfLiteContext,
    index: c_int,
    node: *mut *mut sys::TfLiteNode,
    registration: *mut *mut sys::TfLiteRegistration,
) -> sys::TfLiteStatus {
    // SAFETY: as above.
    unsafe {
        let index = usize::try_from(index).unwrap_or(usize::MAX);
        let Some(found) = host(context).nodes.get_mut(index) else { return sys::kTfLiteError };
        (*node, *registration) = (&raw mut found.0, &raw mut found.1);
        sys::kTfLiteOk
    }
}

/// One partition of all nodes, with every tensor as input and the last node's outputs.
unsafe extern "C" fn preview(
    context: *mut sys::TfLiteContext,
    nodes: *const sys::TfLiteIntArray,
    partitions: *mut *mut sys::TfLiteDelegateParams,
    count: *mut c_int,
) -> sys::TfLiteStatus {
    // SAFETY: as above.
    unsafe {
        let host = host(context);
        let outputs = host.nodes.last().map_or(null_mut(), |(node, _)| node.outputs);
        let inputs: Vec<i32> = (0..host.tensors.len() as i32).collect();
        let params = sys::TfLiteDelegateParams {
            delegate: null_mut(),
            nodes_to_replace: host.ints(super::array::ints(nodes)),
            input_tensors: host.ints(&inputs),
            output_tensors: outputs,
        };
        (*partitions, *count) = (host.keep(params), 1);
        host.status
    }
}

unsafe extern "C" fn replace(
    context: *mut sys::TfLiteContext,
    registration: sys::TfLiteRegistration,
    nodes: *const sys::TfLiteIntArray,
    delegate: *mut sys::TfLiteDelegate,
) -> sys::TfLiteStatus {
    // SAFETY: as above; `init` is called as TFLite does.
    unsafe {
        let (mut partition, mut count) = (null_mut(), 0);
        preview(context, nodes, &mut partition, &mut count);
        (*partition).delegate = delegate;
        let kernel = registration.init.unwrap()(context, partition.cast(), size_of_val(&*partition));
        let host = host(context);
        (host.registration, host.kernel) = (Some(registration), kernel);
        host.status
    }
}

unsafe extern "C" fn resize(
    context: *mut sys::TfLiteContext,
    tensor: *mut sys::TfLiteTensor,
    dims: *mut sys::TfLiteIntArray,
) -> sys::TfLiteStatus {
    // SAFETY: as above; the array comes from `malloc`.
    unsafe {
        let host = host(context);
        let place = tensor.offset_from(host.tensors.as_ptr()) as usize;
        host.resized.push((place, super::array::ints(dims).to_vec()));
        let copy = host.ints(super::array::ints(dims));
        libc::free(dims.cast());
        host.tensors[place].dims = copy;
        host.status
    }
}
